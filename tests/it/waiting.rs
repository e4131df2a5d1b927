//! `cooldown --wait`, `recommend --wait` and `cooldown --watch`.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Env, Person};
use crate::live::{window, with};
use crate::loopback::test_name;
use crate::real_codex::{NEWEST, codex as codex_of};
use crate::tty::Tty;
use crate::worlds::{json_error, six_accounts, snapshot};

const BOB_IS_BACK: &str = "2026-04-20T09:00:00+05:30";

/// Two accounts that are exhausted, a moment before bob is usable.
fn both_exhausted(now: &str) -> Env {
    let mut env = Env::new();
    for (name, resets) in [("bob", "09:00 on 20 Apr"), ("carol", "12:00 on 22 Apr")] {
        let person = Person::named(name);
        let panel = person.panel(0, resets);
        snapshot(&mut env, &person, &panel, "2026-04-19T11:00:00+05:30");
    }
    env.set_now(now);
    env
}

/// A run in the background, ended when it goes out of scope.
struct Background(Child);

impl Background {
    fn start(env: &Env, args: &[&str]) -> Self {
        Self::of(&mut env.command(args))
    }

    fn of(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("starts"))
    }

    /// What it wrote to stderr, up to that.
    fn told(&mut self, until: &str) -> String {
        let stderr = self.0.stderr.as_mut().expect("a pipe");
        let (mut told, mut letter) = (Vec::new(), [0]);
        while !told.ends_with(until.as_bytes()) {
            stderr.read_exact(&mut letter).expect("tells");
            told.push(letter[0]);
        }
        String::from_utf8(told).expect("text")
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("an id"), signal).expect("is told");
    }

    /// Waits until it ends: exit code, stdout and the rest of stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
        stdout
            .expect("a pipe")
            .read_to_string(&mut out)
            .expect("text");
        stderr
            .expect("a pipe")
            .read_to_string(&mut err)
            .expect("text");
        (self.0.wait().expect("ends").code(), out, err)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_is_usable_at_once_is_shown_at_once() {
    let env = six_accounts();
    let ran = env.run(&["cooldown", "--wait"]).code(0).stderr("");
    let names: Vec<_> = ran.stdout.lines().skip(1).map(|row| &row[2..7]).collect();
    assert_eq!(names, ["alice", "carol", "dora@"]);
    let plain = env.run(&["recommend"]).code(0).stdout;
    env.run(&["recommend", "--wait"])
        .code(0)
        .stdout(&plain)
        .stderr("");
}

#[test]
fn it_waits_for_the_first_that_is_usable_and_shows_it_alone() {
    let env = both_exhausted("2026-04-20T08:59:58+05:30");
    let told = "waiting for bob@example.com, which is the first to be usable: in 1m, at 2026-04-20 09:00\n";
    let table = env.run(&["cooldown", "--wait"]).code(0).stderr(told).stdout;
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 1, "{table}");
    assert!(
        rows[0].starts_with("  bob@example.com  ready      now"),
        "{table}"
    );
    let answer = env
        .run(&["cooldown", "--wait", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert!(answer["now"].as_str().expect("a time") >= BOB_IS_BACK);
    assert_eq!(answer["accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["accounts"][0]["status"], "ready");
    // Quietly.
    let advice = env
        .run(&["recommend", "--wait", "--quiet"])
        .code(0)
        .stderr("")
        .stdout;
    assert!(
        advice.starts_with("account    bob@example.com\nstatus     ready\nusable     now\n"),
        "{advice}"
    );
}

#[test]
fn what_others_do_meanwhile_ends_the_wait() {
    let env = both_exhausted("2026-04-19T12:00:00+05:30");
    let mut waits = Background::start(&env, &["recommend", "--wait"]);
    waits.told("2026-04-20 09:00\n");
    let dora = Person::named("dora");
    env.codex_home(&dora);
    env.write("panel", &dora.panel(90, "12:00 on 26 Apr"));
    env.run(&["backup", "--status-file", "panel"]).code(0);
    let (code, out, err) = waits.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with("account    dora@example.com\nstatus     open\n"),
        "{out}"
    );
}

#[test]
fn where_all_are_paused_nobody_is_waited_for() {
    let env = both_exhausted("2026-04-19T12:00:00+05:30");
    for name in ["bob@example.com", "carol@example.com"] {
        env.run(&["profile", "set", name, "paused=true"]).code(0);
    }
    for command in ["cooldown", "recommend"] {
        let ran = env.run(&[command, "--wait", "--json"]).code(10).stdout("");
        assert_eq!(json_error(&ran).1, "every known account is paused");
    }
}

#[test]
fn a_signal_ends_the_wait_at_once() {
    let env = both_exhausted("2026-04-19T12:00:00+05:30");
    for name in [Signal::INT, Signal::TERM] {
        let mut waits = Background::start(&env, &["cooldown", "--wait"]);
        waits.told("2026-04-20 09:00\n");
        waits.signal(name);
        let (code, out, err) = waits.end();
        assert_eq!((code, out.as_str()), (Some(130), ""));
        assert!(err.starts_with("error: interrupted\n"), "{err}");
    }
}

const SIZE: (u16, u16) = (80, 24);

/// Its first line with the time left out.
fn timeless(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let head = "codex-manager cooldown   2026-04-20 ";
    assert!(
        first.starts_with(head) && first.ends_with("   q or Ctrl-C leaves"),
        "{first}"
    );
    rest.to_owned()
}

#[test]
fn watching_shows_the_table_as_it_changes_and_leaves_the_terminal_as_it_was() {
    let env = both_exhausted("2026-04-20T08:59:55+05:30");
    let mut seen = Tty::open(&env, &["cooldown", "--watch"], SIZE);
    let first = "
ACCOUNT              STATUS    USABLE  LEFT  AVAILABLE AT      PLAN  VALID
  bob@example.com    cooldown      1m    0%  2026-04-20 09:00  plus  ok
* carol@example.com  cooldown   2d 3h    0%  2026-04-22 12:00  plus  ok";
    let shown = seen.until(|text| text.contains("carol"));
    assert_eq!(timeless(&shown), first);
    assert!(seen.is_taken());
    // What is typed is not shown.
    seen.types("hello\r");
    let then = seen.until(|text| text.contains("ready"));
    assert_eq!(
        timeless(&then),
        "
ACCOUNT              STATUS    USABLE  LEFT  AVAILABLE AT      PLAN  VALID
  bob@example.com    ready        now    0%  2026-04-20 09:00  plus  ok
* carol@example.com  cooldown   2d 3h    0%  2026-04-22 12:00  plus  ok"
    );
    seen.resize(40, 24);
    seen.until(|text| text.contains("\nACCOUNT              STATUS    USABLE\n"));
    seen.resize(80, 4);
    seen.until(|text| text.ends_with("\n(2 more lines)"));
    seen.types("q");
    seen.until(str::is_empty);
    assert!(!seen.is_taken());
    seen.ends(0, "");
}

#[test]
fn a_signal_ends_the_watching_and_leaves_nothing_behind() {
    let env = both_exhausted("2026-04-20T08:00:00+05:30");
    for name in [Signal::INT, Signal::TERM] {
        let seen = Tty::open(&env, &["cooldown", "--watch", "--limit", "1"], SIZE);
        let shown = seen.until(|text| text.contains("bob"));
        assert!(!shown.contains("carol"), "{shown}");
        seen.signal(name);
        seen.ends(130, "");
    }
    // As a key.
    let mut seen = Tty::open(&env, &["cooldown", "--watch"], SIZE);
    seen.until(|text| text.contains("bob"));
    seen.types("\x03");
    seen.ends(130, "");
}

#[test]
fn what_is_warned_of_meanwhile_stands_below() {
    let env = both_exhausted("2026-04-20T08:00:00+05:30");
    let mut seen = Tty::open(&env, &["cooldown", "--watch"], (200, 24));
    seen.until(|text| text.contains("bob"));
    env.write(".codex-manager/inventory.json", "{");
    let shown = seen.until(|text| text.contains("warning: "));
    let warning = shown.lines().last().expect("a line").to_owned();
    assert!(
        shown.contains("carol@example.com") && warning.ends_with("; its records are left out"),
        "{shown}"
    );
    // As long as it is so.
    std::fs::remove_file(env.path(".codex-manager/inventory.json")).expect("removes");
    seen.until(|text| !text.contains("warning: "));
    // A warning that is too long is broken, not cut.
    env.write(".codex-manager/inventory.json", "{");
    seen.resize(40, 24);
    seen.until(|text| {
        let joined = text.replace("\n  ", " ").replace('\n', "");
        joined.contains("its records are left out") && text.lines().all(|line| line.len() <= 40)
    });
    let first = seen.until(|text| text.contains("q leaves"));
    let first = first.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("2026-04-20 08:0") && first.ends_with("   q leaves"),
        "{first}"
    );
    // It changed what was done, and is told when the screen is gone.
    seen.resize(200, 24);
    seen.types("q");
    seen.ends(0, &warning);
}

#[test]
fn what_else_ends_a_program_leaves_no_screen_behind() {
    let env = both_exhausted("2026-04-20T08:00:00+05:30");
    let mut seen = Tty::open(&env, &["cooldown", "--watch"], SIZE);
    let first = seen.until(|text| text.contains("bob"));
    // Ctrl-\ and Ctrl-Z are no keys here.
    seen.types("\x1c\x1a");
    seen.until(|text| text.contains("bob") && text.lines().next() != first.lines().next());
    seen.types("q");
    seen.ends(0, "");
}

#[test]
fn whom_it_waits_for_is_told_as_that_changes() {
    let env = both_exhausted("2026-04-20T08:00:00+05:30");
    let mut waits = Background::start(&env, &["cooldown", "--wait"]);
    let told = waits.told("\n");
    assert!(told.starts_with("waiting for bob@example.com, "), "{told}");
    env.run(&["profile", "set", "bob@example.com", "paused=true"])
        .code(0);
    assert_eq!(
        waits.told("\n"),
        "waiting for carol@example.com, which is the first to be usable: in 2d 4h, at 2026-04-22 12:00\n"
    );
    waits.signal(Signal::TERM);
    assert_eq!(waits.end().0, Some(130));
}

#[test]
fn without_a_terminal_or_as_json_nothing_is_watched() {
    let env = six_accounts();
    env.run(&["cooldown", "--watch"]).code(2).stdout("").stderr(
        "error: standard output is no terminal: nothing can be drawn over there\n\
         hint: leave out `--watch`, or run it in a terminal\n",
    );
    for other in ["--json", "--wait"] {
        let ran = env.run(&["cooldown", "--watch", other]).code(2).stdout("");
        assert!(ran.stderr.contains("--watch"), "{}", ran.stderr);
    }
}

#[test]
fn with_live_codex_is_asked_again_before_anybody_is_called_usable() {
    with(test_name!(), NEWEST, |world| {
        let exhausted = window(10_080, 100, world.now + 3);
        world.set(|alice| alice.secondary = Some(exhausted));
        let mut waits = Background::of(&mut world.command(&["cooldown", "--live", "--wait"]));
        waits.told("waiting for alice@example.com");
        // The service began another one since.
        let another = window(10_080, 40, world.now + 500_000);
        world.set(|alice| alice.secondary = Some(another));
        let (code, out, err) = waits.end();
        assert_eq!(code, Some(0), "{err}");
        assert!(
            out.contains("\n* alice@example.com  open       now   60%  "),
            "{out}"
        );
    });
}

#[test]
fn where_codex_does_not_answer_later_what_was_known_counts() {
    with(test_name!(), NEWEST, |world| {
        let exhausted = window(10_080, 100, world.now + 3);
        world.set(|alice| alice.secondary = Some(exhausted));
        let codex = world.env.path("codex");
        let native = codex_of(NEWEST).expect("installed").native;
        std::os::unix::fs::symlink(native, &codex).expect("links");
        let command = codex.display().to_string();
        let args = ["recommend", "--live", "--wait", "--codex-command", &command];
        let mut waits = Background::of(&mut world.command(&args));
        waits.told("waiting for alice@example.com");
        std::fs::remove_file(codex).expect("removes");
        let (code, out, err) = waits.end();
        assert_eq!(code, Some(0), "{err}");
        assert!(
            err.contains("warning: codex was asked again, and did not answer: "),
            "{err}"
        );
        assert!(
            out.starts_with("account    alice@example.com\nstatus     ready\n"),
            "{out}"
        );
    });
}
