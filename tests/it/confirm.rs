//! Every command that destroys something asks first on a terminal, goes on with `--yes`, and refuses where nobody is there
//! to be asked.

use std::fs;

use crate::common::{Env, Person};
use crate::tty::Tty;

/// Alice is signed in and has two snapshots, both on the remote too; bob has a profile and a snapshot that is only here; one
/// of carol's is only on the remote. The last restore can be undone.
fn world() -> Env {
    let env = Env::new();
    let remote = env.path("remote").display().to_string();
    env.run(&["sync", "init", "--remote", &remote]).code(0);
    let backup = |name: &str| {
        let person = Person::named(name);
        env.codex_home(&person);
        env.write("status.txt", &person.panel(34, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    };
    backup("carol");
    backup("alice");
    env.run(&["sync", "push"]).code(0);
    for end in [".tar.gz", ".metadata.json"] {
        let name = format!("2026-04-14-155500-carol@example.com-codex{end}");
        let path = env.path(".codex-manager/backups").join(name);
        fs::remove_file(path).expect("removes");
    }
    backup("bob");
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    env
}

/// Each, with the beginning of its question and what it does in the words of a refusal.
const ALL: [(&[&str], &str, &str); 7] = [
    (
        &["restore", "bob@example.com"],
        "restore 2026-04-14-155500-bob@example.com-codex.tar.gz into `~/.codex`, replacing ",
        "replaces files",
    ),
    (
        &["restore", "bob@example.com", "--auth-only"],
        "restore 2026-04-14-155500-bob@example.com-codex.tar.gz into `~/.codex`, replacing 1 of its entries?",
        "replaces files",
    ),
    (
        &["restore", "--undo"],
        "restore 2026-04-19-153000-bob@example.com-codex.tar.gz into `~/.codex`, replacing ",
        "replaces files",
    ),
    (
        &["profile", "remove", "bob"],
        "remove the profile `bob` of bob@example.com with all that is in it: ",
        "removes a profile",
    ),
    (
        &["sync", "push", "--delete"],
        "Remove 1 snapshot from file://~/remote, since they are not here?",
        "removes snapshots from the remote",
    ),
    (
        &["sync", "pull", "--delete"],
        "Remove 1 snapshot here, since file://~/remote does not have them?",
        "removes snapshots",
    ),
    (
        &["prune", "--codex-state", "--include", "sessions"],
        "remove ",
        "removes a person's work",
    ),
];

#[test]
fn what_destroys_is_asked_about() {
    let mut env = world();
    for (args, question, does) in ALL {
        let before = env.tree("");
        let refused = env.run(args).code(2);
        let told = format!(
            "error: this {does}, and nobody is there to be asked\nhint: say `--yes` to go on, or `--dry-run` to see what would \
             be done\n"
        );
        assert!(
            refused.stderr.ends_with(&told),
            "{args:?}: {}",
            refused.stderr
        );
        for answer in ["n\r", "\r", "yes please\r", "\x04"] {
            let mut tty = Tty::open(&env, args, (200, 24));
            tty.sees_like(
                |screen| screen.contains(question) && screen.ends_with("[y/N]"),
                question,
            );
            tty.types(answer);
            tty.sees_like(
                |screen| {
                    screen.ends_with(
                        "error: not confirmed; nothing was changed\nhint: answer `y`, or say `--yes`",
                    )
                },
                "it is not done",
            );
            assert_eq!(tty.code(), 1, "{args:?}");
        }
        assert_eq!(env.tree(""), before, "{args:?}");
    }
    for (args, question, _) in ALL {
        if args.contains(&"pull") {
            // What a push carried, no pull finds missing.
            env = world();
        }
        let before = env.tree("");
        let mut tty = Tty::open(&env, args, (200, 24));
        tty.sees_like(|screen| screen.contains(question), question);
        tty.types("Y\r");
        assert_eq!(tty.code(), 0, "{args:?}\n{}", tty.screen());
        assert_ne!(env.tree(""), before, "{args:?}");
    }
}

#[test]
fn yes_answers_for_scripts() {
    let mut env = world();
    for (args, ..) in ALL {
        if args.contains(&"pull") {
            // What a push carried, no pull finds missing.
            env = world();
        }
        let before = env.tree("");
        env.run(&[args, &["--yes"]].concat()).code(0);
        assert_ne!(env.tree(""), before, "{args:?}");
    }
}
