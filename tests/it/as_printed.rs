//! What is named as the next step does what it says when it is typed as it stands, on the places that were said.

use std::fs;

use crate::common::{Env, Person, Ran};
use crate::sync::Folder;
use crate::unprivileged::run_as_nobody;
use crate::words;
use crate::worlds::{json_error, squeezed};

/// A snapshot of alice's home in the usual directory; bob is signed in.
fn world() -> Env {
    let env = words::world();
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    env
}

/// Runs the command in backquotes that begins with `words`, as it stands there, with `more` behind it.
#[track_caller]
fn typed(env: &Env, text: &str, words: &str, more: &[&str]) -> Ran {
    let start = format!("`codex-manager {words}");
    let text = squeezed(text);
    let (_, after) = text.split_once(&start).expect("such a command");
    let command = format!("{words}{}", after.split('`').next().expect("its end"));
    let home = env.home().display().to_string();
    let typed = shell_words::split(&command).expect("words");
    let typed = typed.iter().map(|word| word.replacen('~', &home, 1));
    let typed: Vec<String> = typed
        .chain(more.iter().map(|word| (*word).to_owned()))
        .collect();
    env.run(&typed.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn undo_is_of_the_home_and_the_copies_that_were_said() {
    let env = world();
    env.write("a home/auth.json", &Person::named("carol").auth_json());
    env.run(&["restore", "alice", "--yes"]).code(0);
    let restored = env
        .run(&["restore", "alice", "--dest-dir", "a home", "--yes"])
        .code(0);
    assert!(
        restored
            .stdout
            .contains("(`codex-manager restore --dest-dir '~/a home' --undo` puts it back)\n"),
        "{}",
        restored.stdout
    );
    let usual = env.read(".codex/auth.json");
    typed(&env, &restored.stdout, "restore --dest-dir", &["--yes"]).code(0);
    assert_eq!(
        env.read("a home/auth.json"),
        Person::named("carol").auth_json()
    );
    assert_eq!(env.read(".codex/auth.json"), usual);

    fs::rename(env.path(".codex-manager/backups"), env.path("kept")).expect("moves");
    env.write("empty/auth.json", &Person::named("dave").auth_json());
    let restored = env
        .run(&[
            "restore",
            "alice",
            "--dest-dir",
            "empty",
            "--backup-dir",
            "kept",
            "--yes",
        ])
        .code(0);
    typed(&env, &restored.stdout, "restore --dest-dir", &["--yes"]).code(0);
    assert_eq!(
        env.read("empty/auth.json"),
        Person::named("dave").auth_json()
    );
    let used = env.run(&["use", "alice", "--backup-dir", "kept"]).code(0);
    assert!(!used.stdout.contains("undo"), "{}", used.stdout);
}

#[test]
fn hints_look_at_the_backup_directory_that_was_said() {
    let env = world();
    fs::create_dir(env.path("none")).expect("makes");
    env.run(&["list-backups", "--backup-dir", "none"])
        .code(0)
        .stdout("")
        .stderr("no backups in `~/none`; `codex-manager backup --backup-dir ~/none` makes one\n");
    env.run(&["restore", "zz", "--backup-dir", "none"])
        .code(10)
        .stdout("")
        .stderr(
            "error: no backup of `zz` in `~/none`\nhint: `codex-manager list-backups --backup-dir ~/none` shows every archive and account \
             there\n",
        );
}

#[test]
fn what_no_store_takes_is_no_setting() {
    let env = Env::new();
    env.write(".codex-manager/config.toml", "color = \"auto\"\n");
    let credentials = "`sync.remote`: the remote `https://h/x` cannot be used: credentials do not belong in an address";
    for (key, value, why) in [
        ("sync.remote", "https://u:secret@h/x", credentials),
        ("sync.remote", "https://secret@h/x", credentials),
        (
            "sync.remote",
            "ftp://x",
            "`sync.remote`: the remote `ftp://x` cannot be used: no store is reached that way",
        ),
        (
            "sync.remote",
            "nonsense",
            "`sync.remote`: the remote `nonsense` cannot be used: it is neither a store's address nor a whole path",
        ),
        (
            "sync.remote",
            "s3://user:secret@b",
            "`sync.remote`: the remote `s3://b` cannot be used: what stands before the first `/` is no bucket; credentials and servers \
             do not belong in an address",
        ),
        (
            "sync.endpoint",
            "nonsense ://",
            "`sync.endpoint`: the S3 endpoint cannot be used: relative URL without a base",
        ),
        (
            "sync.endpoint",
            "https://u:secret@h",
            "`sync.endpoint`: the S3 endpoint cannot be used: credentials do not belong in an address",
        ),
        (
            "sync.recipients",
            "[\"AGE-SECRET-KEY-1QQSECRET\"]",
            "`sync.recipients`: the recipient number 1 is unusable: it is no public key",
        ),
        (
            "backup.exclude",
            "[\"*.log\", \"[\"]",
            "`backup.exclude`: the pattern `[` cannot be used: unclosed character class; missing ']'",
        ),
    ] {
        let args = ["config", "set", key, value, "--json"];
        let (kind, message, hint) = json_error(&env.run(&args).code(2).stdout(""));
        assert_eq!((kind.as_str(), message.as_str()), ("usage", why));
        assert!(!hint.to_lowercase().contains("secret@"), "{hint}");
        // By hand it is as wrong.
        let (table, inner) = key.split_once('.').expect("a table");
        let value = if value.starts_with('[') {
            value.to_owned()
        } else {
            format!("{value:?}")
        };
        let by_hand = Env::new();
        by_hand.write(
            ".codex-manager/config.toml",
            &format!("[{table}]\n{inner} = {value}\n"),
        );
        for args in [&["config", "list"][..], &["list-backups"]] {
            let ran = by_hand.run(args).code(1).stdout("");
            let told = format!(
                "error: the configuration `~/.codex-manager/config.toml` cannot be used: {why}\n"
            );
            assert!(ran.stderr.starts_with(&told), "{}", ran.stderr);
            assert!(
                !ran.stderr.to_lowercase().contains("secret@"),
                "{}",
                ran.stderr
            );
        }
        let ran = by_hand.run(&["doctor"]).code(1);
        let told = format!("config.toml`, line 2: {why}");
        assert!(ran.stdout.contains(why), "{told}: {}", ran.stdout);
    }
    assert_eq!(env.read(".codex-manager/config.toml"), "color = \"auto\"\n");
    for (key, value) in [
        ("sync.remote", "~/far"),
        ("sync.remote", "s3://bucket/prefix"),
        ("sync.endpoint", "http://127.0.0.1:9000"),
        ("sync.recipients", "[]"),
        ("backup.exclude", "sessions/**"),
    ] {
        env.run(&["config", "set", key, value]).code(0);
    }
}

#[test]
fn halves_on_the_remote_go_by_the_command_that_status_names() {
    let env = world();
    let folder = Folder::new();
    let url = folder.url();
    env.run(&["sync", "push", "--no-encrypt", "--remote", &url])
        .code(0);
    let half = format!("snapshots/2026-04-14T155500Z-{}.tar.gz", "0".repeat(32));
    let half = folder.path().join(half);
    fs::write(&half, "half").expect("writes");
    let status = ["sync", "status", "--remote", &url];
    let told = env.run(&status).code(0).stdout;
    assert!(told.contains("prune --remote file://"), "{told}");
    let before = folder.objects().len();
    // Somebody may be at it yet.
    typed(&env, &told, "prune --remote", &[])
        .code(0)
        .stdout("")
        .stderr("");
    assert_eq!(folder.objects().len(), before);
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
    let file = fs::File::options().write(true).open(&half).expect("opens");
    file.set_modified(old).expect("ages");
    let words = "of snapshots that are not whole; without a rule every snapshot stays\n";
    typed(&env, &told, "prune --remote", &["--dry-run"])
        .code(0)
        .stderr(&format!("1 object would go {words}"));
    assert_eq!(folder.objects().len(), before);
    typed(&env, &told, "prune --remote", &[])
        .code(0)
        .stdout("")
        .stderr(&format!("1 object gone {words}"));
    assert_eq!(folder.objects().len(), before - 1);
    let answer = typed(&env, &told, "prune --remote", &["--json"])
        .code(0)
        .json();
    assert_eq!(
        answer,
        serde_json::json!({"mode": "pruned", "deleted": [], "kept": [], "freed_bytes": 0})
    );
    for flag in [&["--email", "alice"][..], &["--allow-empty"]] {
        typed(&env, &told, "prune --remote", flag).code(2);
    }
}

#[test]
fn a_key_is_made_by_what_is_named_for_it() {
    let env = world();
    env.run(&["sync", "push", "--remote", "~/far"]).code(15).stderr(
        "error: there is no key to the remote: `~/.codex-manager/identity.txt` does not exist\nhint: make one with `codex-manager sync init \
         --remote ADDRESS`, or copy the identity file of the first machine to `~/.codex-manager/identity.txt`\n",
    );
    env.run(&["profile", "export", "all"]).code(15).stderr(
        "error: there is no key to the remote: `~/.codex-manager/identity.txt` does not exist\nhint: say `--passphrase`, or make a key with \
         `codex-manager sync init --remote ADDRESS`; `--no-encrypt` leaves out all logins\n",
    );
}

#[test]
fn a_profile_s_name_is_one_word_that_is_no_option() {
    let env = world();
    let odd = Person::named("odd").auth_json();
    for name in ["-odd", "it's two"] {
        env.write(&format!(".codex-manager/profiles/{name}/auth.json"), &odd);
    }
    let said = env.run(&["doctor"]).stdout;
    assert!(
        said.contains(
            "remove the one that you do not use: `codex-manager profile remove 'it'\\''s two'`"
        ),
        "{said}"
    );
    typed(&env, &said, "profile remove", &["--dry-run", "--yes"]).code(0);
}

#[test]
fn who_may_use_it_is_asked_of_what_is_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = Env::new();
    let dir = env.path("closed");
    fs::create_dir(&dir).expect("makes");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o500)).expect("closes");
    let args = [
        "--manager-home",
        "closed/a/b",
        "config",
        "set",
        "color",
        "never",
    ];
    let mut command = env.command(&args);
    run_as_nobody(&env, &mut command);
    let ran = env.ran(&mut command, &args).code(1);
    assert!(
        ran.stderr
            .ends_with("hint: see who may use it: `ls -ld ~/closed`\n"),
        "{}",
        ran.stderr
    );
}
