//! How far long work is, on standard error: lines now and then, and on a terminal one line that is drawn over. What is
//! asserted is their form, never when they come.

use regex::Regex;

use crate::common::{Env, Person, Ran};

/// So often that every step is told.
const ALWAYS: (&str, &str) = ("CODEX_MANAGER_PROGRESS_SECONDS", "0.000001");

/// One line, without what is before the colon.
const FORM: &str = r"[\d.]+ k?M?B( of [\d.]+ [kM]?B)?(, [\d.]+ [kMG]?B/s)?(, \d+ (s|min|h) left)?";

/// Alice with a large file and many small ones, and her snapshot of before.
fn world() -> Env {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    env.write(
        "status.txt",
        &Person::named("alice").panel(34, "15:55 on 21 Apr"),
    );
    let mut seed = 7_u64;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from(seed >> 60).expect("four bits"))
    };
    let large: String = (0..3_000_000).map(|_| letter()).collect();
    env.write(".codex/sessions/large.bin", &large);
    for number in 0..300 {
        let text: String = (0..900).map(|_| letter()).collect();
        env.write(&format!(".codex/skills/{number}.md"), &text);
    }
    env
}

const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];

fn run(env: &Env, args: &[&str], (name, value): (&str, &str)) -> Ran {
    env.ran(env.command(args).env(name, value), args)
}

/// Every line tells how far one of these is, and each of them is told of. What is told last is nearly all.
#[track_caller]
fn tells(ran: &Ran, whats: &[&str]) {
    let form = Regex::new(&format!("^({}): {FORM}$", whats.join("|"))).expect("a pattern");
    for line in ran.stderr.lines() {
        assert!(form.is_match(line), "{line}");
    }
    for what in whats {
        let told = ran.stderr.lines().any(|line| line.starts_with(what));
        assert!(told, "{what}:\n{}", ran.stderr);
    }
}

#[test]
fn every_long_work_tells_how_far_it_is() {
    let env = world();
    let made = run(&env, &BACKUP, ALWAYS).code(0);
    tells(&made, &["backup"]);
    let last = made.stderr.lines().last().expect("one").to_owned();
    let of = Regex::new(r"^backup: 3\.\d MB of 3\.\d MB, ").expect("a pattern");
    assert!(of.is_match(&last), "{last}");
    assert!(made.stdout.starts_with("created   ~/"), "{}", made.stdout);
    // What is as it was is compared with what stands.
    let again = run(&env, &BACKUP, ALWAYS).code(0);
    tells(&again, &["backup", "checking"]);
    let checked = run(&env, &["list-backups", "--verify"], ALWAYS).code(0);
    tells(&checked, &["checking"]);
    env.write(".codex/sessions/large.bin", "another one");
    let args = ["restore", "alice@example.com", "--yes"];
    let restored = run(&env, &args, ALWAYS).code(0);
    tells(&restored, &["checking", "unpacking", "safety copy"]);
    let remote = env.path("remote").display().to_string();
    env.run(&["sync", "init", "--remote", &remote]).code(0);
    for (command, what) in [("push", "pushing"), ("pull", "pulling")] {
        if command == "pull" {
            std::fs::remove_dir_all(env.path(".codex-manager/backups")).expect("removes");
        }
        let carried = run(&env, &["sync", command], ALWAYS).code(0);
        let mut lines = carried.stderr.lines();
        let first = lines.next().unwrap_or_default();
        assert!(
            first.starts_with(&format!("{what} 1 snapshot, ")),
            "{first}"
        );
        let form = Regex::new(&format!("^{what}: {FORM}$")).expect("a pattern");
        let told: Vec<&str> = lines.collect();
        assert!(
            !told.is_empty() && told.iter().all(|line| form.is_match(line)),
            "{told:#?}"
        );
    }
}

#[test]
fn nothing_is_told_where_it_was_not_asked_for_or_is_soon_done() {
    let env = world();
    let quiet = [&BACKUP[..], &["--force", "--quiet"]].concat();
    run(&env, &quiet, ALWAYS).code(0).stdout("").stderr("");
    let json = [&BACKUP[..], &["--force", "--json"]].concat();
    run(&env, &json, ALWAYS).code(0).stderr("").json();
    let never = ("CODEX_MANAGER_PROGRESS_SECONDS", "0");
    let plain = [&BACKUP[..], &["--force"]].concat();
    run(&env, &plain, never).code(0).stderr("");
    let verify = ["list-backups", "--verify", "--json"];
    run(&env, &verify, ALWAYS).code(0).stderr("").json();
    // An hour, and ten seconds where nothing is said.
    run(&env, &plain, ("CODEX_MANAGER_PROGRESS_SECONDS", "3600"))
        .code(0)
        .stderr("");
    for text in ["soon", "-1", "NaN", "1e99"] {
        let refused = run(&env, &BACKUP, ("CODEX_MANAGER_PROGRESS_SECONDS", text));
        refused.code(2).stdout("").stderr(&format!(
            "error: the environment variable CODEX_MANAGER_PROGRESS_SECONDS is unusable: `{text}` is no number of seconds\nhint: \
             set it to such as 10, or to 0 for nothing to be told, or unset it\n"
        ));
    }
}

#[cfg(unix)]
#[test]
fn on_a_terminal_one_line_is_drawn_over_and_gone_in_the_end() {
    use crate::tty::Tty;
    let env = world();
    env.run(&BACKUP).code(0);
    for columns in [40, 80] {
        let args = ["list-backups", "--verify"];
        let tty = Tty::with(&env, &args, (columns, 24), &[ALWAYS]);
        let table = if columns == 40 {
            "ACCOUNT            STATUS  VERIFIED\nalice@example.com  open    sound"
        } else {
            "ARCHIVE                                           ACCOUNT            STATUS\n\
             2026-04-14-155500-alice@example.com-codex.tar.gz  alice@example.com  open"
        };
        let drawn = tty.ends(0, table);
        let lines: Vec<&str> = drawn
            .split('\r')
            .filter(|part| part.contains("checking: "))
            .collect();
        assert!(!lines.is_empty(), "{drawn}");
        for line in lines {
            let width = unicode_width::UnicodeWidthStr::width(line.trim_end_matches("\x1b[K"));
            assert!(
                width < usize::from(columns) && !line.contains('\n'),
                "{line:?}"
            );
        }
    }
    // What is quick does not flicker: none is drawn before three tenths of a second, and nobody waits for an hour.
    let hour = ("CODEX_MANAGER_PROGRESS_SECONDS", "3600");
    let tty = Tty::with(&env, &["list-backups", "--verify"], (200, 24), &[hour]);
    tty.sees_like(|screen| screen.contains("sound"), "the table");
    assert!(!tty.sent().contains("checking"));
}
