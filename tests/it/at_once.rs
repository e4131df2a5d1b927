//! Many runs at once that change one Codex home: each happens wholly or not at all, and no login is lost.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use crate::common::{Env, Person};

const LIVE: &str = ".codex/auth.json";
const PROFILES: &str = ".codex-manager/profiles";

/// How many runs there are at once, and how often.
const AT_ONCE: usize = 10;
const ROUNDS: usize = 6;

/// The person's home: their login, and settings that name them.
fn sign_in(env: &Env, person: &Person) {
    env.codex_home(person);
    env.write(
        ".codex/config.toml",
        &format!("model = \"{}\"\n", person.user),
    );
    env.write(
        ".codex/sessions/2026/04/14/rollout-1.jsonl",
        &format!("{{\"of\":\"{}\"}}\n", person.user),
    );
}

/// Whose settings and session stand in the home: one and the same.
fn owner(env: &Env) -> String {
    let settings = env.read(".codex/config.toml");
    let user = settings.split('"').nth(1).expect("a user").to_owned();
    let session = env.read(".codex/sessions/2026/04/14/rollout-1.jsonl");
    assert_eq!(session, format!("{{\"of\":\"{user}\"}}\n"), "half a home");
    user
}

#[test]
fn switches_restores_and_backups_at_once_lose_nothing() {
    let env = Env::new();
    let people = ["alice", "bob", "carol"].map(Person::named);
    for person in &people {
        sign_in(&env, person);
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    }
    // A text that names nobody is of whoever is signed in.
    env.write(
        "anybody.txt",
        "Weekly limit: [█████] 66% left (resets 15:55 on 21 Apr)\n",
    );
    let logins: BTreeSet<String> = people.iter().map(Person::auth_json).collect();
    let jobs: [&[&str]; 7] = [
        &["use", "alice@example.com"],
        &["use", "bob"],
        &["use", "-"],
        &["use", "carol"],
        &["restore", "bob@example.com", "--yes"],
        &["backup", "--status-file", "anybody.txt", "--force"],
        &["restore", "--undo", "--yes"],
    ];
    let mut done = 0;
    for round in 0..ROUNDS {
        let children: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let args = jobs[(round + number) % jobs.len()];
                let args = [args, &["--wait", "120"]].concat();
                let child = env
                    .command(&args)
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("starts");
                (args.join(" "), child)
            })
            .collect();
        for (args, child) in children {
            let output = child.wait_with_output().expect("ends");
            let said = String::from_utf8_lossy(&output.stderr);
            // Nothing replaced yet, or who was signed in was exchanged while the backup was at it.
            let may_be = match args.split(' ').next() {
                Some("restore") => [0, 10],
                Some("backup") => [0, 12],
                _ => [0, 0],
            };
            let code = output.status.code().expect("a code");
            assert!(may_be.contains(&code), "{args}: {code}\n{said}");
            done += usize::from(code == 0);
        }
        assert!(logins.contains(&env.read(LIVE)), "no whole login");
        owner(&env);
    }
    assert!(done > AT_ONCE * ROUNDS / 2, "{done}");
    for person in &people {
        let name = person.user.trim_start_matches("user-");
        assert_eq!(
            env.read(&format!("{PROFILES}/{name}/auth.json")),
            person.auth_json()
        );
    }
    assert_eq!(
        fs::read_dir(env.path(PROFILES)).expect("lists").count(),
        people.len()
    );
    let left = |below: &str| -> Vec<String> {
        let mut files = env.files(below);
        files.retain(|path| path.contains(".codex-manager-"));
        files
    };
    assert_eq!((left(".codex"), left(".codex-manager")), (vec![], vec![]));
    env.run(&["list-backups", "--all", "--verify"])
        .code(0)
        .stderr("");
}
