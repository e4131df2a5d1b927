//! A person who has never seen it, with nothing but the README: its first commands in its own order, the real Codex, and
//! a ChatGPT of the tests.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::chatgpt::{Account, ChatGpt, FIVE_HOURS, Login, WEEK, unix_now};
use crate::common::{Env, Person, Ran};
use crate::live::{at, window};
use crate::loopback::{loopback, test_name};
use crate::real_codex::{NEWEST, codex};
use crate::recipes::blocks;

#[test]
fn from_the_first_command_to_the_last() {
    let [install, over_and_back, put_back] = blocks(test_name!());
    let Some(codex) = codex(NEWEST) else { return };
    // What it would install has been built for this test.
    let looking_around = install
        .strip_prefix("cargo install --locked --path . --profile quick\n")
        .expect("it installs");
    loopback(test_name!(), || {
        let now = unix_now();
        let (env, chatgpt) = (Env::at(&at(now)), ChatGpt::start());
        let [alice, bob] = ["alice", "bob"].map(Person::named);
        for (person, left) in [(&alice, 66), (&bob, 90)] {
            let mut account = Account::of(person);
            account.primary = Some(window(FIVE_HOURS, 12, now + 7200));
            account.secondary = Some(window(WEEK, 100 - left, now + 300_000));
            chatgpt.set(account);
        }
        chatgpt.sign_in(&env, &alice, Login::Valid);
        let path = codex.native_path(&env);
        let program = assert_cmd::cargo::cargo_bin!("codex-manager");
        symlink(program, Path::new(&path).join("codex-manager")).expect("links");
        let types = |line: &str| -> Ran {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line]).env_clear();
            env.surround(&mut command);
            chatgpt.reach(&mut command);
            command
                .env("PATH", format!("{path}:/usr/bin:/bin"))
                .env("CODEX_MANAGER_NOW", at(now));
            env.ran(&mut command, &[line]).code(0)
        };
        let signed_in = || {
            let ran = types("codex-manager status");
            let first = ran.stdout.lines().next().map(str::to_owned);
            first.expect("a line")
        };

        for line in looking_around.lines() {
            types(line);
        }
        let lines: Vec<&str> = over_and_back.lines().collect();
        let [backup, login, over, back, cooldown] = lines[..] else {
            panic!("{over_and_back}");
        };
        let made = types(backup);
        assert!(
            made.stdout
                .starts_with("created   ~/.codex-manager/backups/"),
            "{made:?}"
        );
        // A person types the code into a browser. Who is signed in stays so.
        let (command, comment) = login.split_once("  #").expect("a comment");
        let code = chatgpt.lets_in(&bob).join(" ");
        let made = types(&format!("{command} -- {code}  #{comment}"));
        assert!(made.stdout.contains("bob@example.com"), "{made:?}");
        assert_eq!(signed_in(), "account  alice@example.com (plus)");
        types(over);
        assert_eq!(signed_in(), "account  bob@example.com (plus)");
        types(back);
        assert_eq!(signed_in(), "account  alice@example.com (plus)");
        let table = types(cooldown).stdout;
        let rows: Vec<_> = table
            .lines()
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(rows.len(), 3, "{table}");
        assert!(table.contains("66%") && table.contains("90%"), "{table}");

        let lines: Vec<&str> = put_back.lines().collect();
        let [list, dry, restore, undo] = lines[..] else {
            panic!("{put_back}");
        };
        assert!(
            types(list)
                .stdout
                .contains("-alice@example.com-codex.tar.gz")
        );
        env.write(".codex/history.jsonl", "{\"text\":\"since\"}\n");
        types(dry);
        assert!(env.read(".codex/history.jsonl").contains("since"));
        // A terminal is asked; here `--yes` answers.
        types(&restore.replacen("restore", "restore --yes", 1));
        assert!(!env.path(".codex/history.jsonl").exists());
        types(&format!("{undo} --yes"));
        assert!(env.read(".codex/history.jsonl").contains("since"));
        assert_eq!(signed_in(), "account  alice@example.com (plus)");
    });
}
