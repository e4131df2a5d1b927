//! `cooldown --timeline`: each account's week as a bar. On terminals of every width: `tables`.

use crate::common::{Env, Person};
use crate::pty::UTF8;
use crate::tables::same_on_terminals;
use crate::tty::Tty;
use crate::worlds::{json_error, six_accounts, snapshot};

const TIMELINE: [&str; 2] = ["cooldown", "--timeline"];

/// Without a locale that says more, and without a terminal.
const ASCII: &str = "\
ACCOUNT              STATUS     USABLE  LEFT  USABLE AT         WINDOW ENDS       VALID
Mon 13 Tue 14 Wed 15 Thu 16  Fri 17 Sat 18 Sun 19 Mon 20  Tue 21 Wed 22 Thu 23
+------+------+------+-------+------+------+----|-+-------+------+------+-------
  alice@example.com  open          now   66%  -                 2026-04-21 15:55  ok
            [-----------------------------------|==============]...............
  carol@example.com  ready         now   20%  -                 2026-04-18 12:00  ok
<---------------------------------------].......|..............................
  dora@example.com   ready         now  100%  -                 -                 ok
                           no window has begun ~|..............................
* erin@example.com   cooldown   2h 10m   40%  2026-04-19 17:40  2026-04-22 10:00  ok
                 [-----------------------------~|#==================]..........
  bob@example.com    cooldown  17h 30m    0%  2026-04-20 09:00  2026-04-20 09:00  ok
  [---------------------------------------------|####].........................
  frank@example.com  cooldown    4d 0h     -  2026-04-23 15:55  2026-04-23 15:55  mismatch
                          [---------------------|############################].
             now 2026-04-19 15:30, Asia/Kolkata ^
[ window start  - gone by  = open, quota left  # held back  ~ 5 h window
] next availability  . free  | now  < > goes on
";

#[test]
fn without_utf_8_it_is_plain_letters() {
    let env = six_accounts();
    let before = env.tree("");
    env.run(&TIMELINE).code(0).stdout(ASCII).stderr("");
    assert_eq!(env.tree(""), before);
    for (variable, value, is_unicode) in [
        ("LC_ALL", "C", false),
        ("LC_CTYPE", "de_DE.ISO-8859-1", false),
        ("LANG", "en_US.UTF-8", true),
        ("LC_CTYPE", "en_US.utf8", true),
    ] {
        let mut command = env.command(&TIMELINE);
        command.env(variable, value);
        let ran = env.ran(&mut command, &TIMELINE).code(0);
        assert_eq!(ran.stdout.is_ascii(), !is_unicode, "{variable}={value}");
    }
    // The first that is set counts.
    let mut command = env.command(&TIMELINE);
    command.envs([("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]);
    env.ran(&mut command, &TIMELINE).code(0).stdout(ASCII);
}

#[test]
fn the_document_is_that_of_the_table() {
    let env = six_accounts();
    let table = env.run(&["cooldown", "--json"]).code(0).stdout;
    let timeline = [&TIMELINE[..], &["--json"]].concat();
    env.run(&timeline).code(0).stdout(&table).stderr("");
    let limits = &env.run(&timeline).json()["accounts"][3]["limits"];
    assert_eq!(
        *limits,
        serde_json::json!([
            {"name": "Weekly limit", "window_minutes": 10_080, "percent_left": 40, "reset_at": "2026-04-22T10:00:00+05:30"},
            {"name": "5h limit", "window_minutes": 300, "percent_left": 0, "reset_at": "2026-04-19T17:40:00+05:30"},
        ])
    );
}

#[test]
fn of_nobody_there_is_none() {
    let ran = Env::new()
        .run(&[&TIMELINE[..], &["--json"]].concat())
        .code(10)
        .stdout("");
    assert_eq!(json_error(&ran).0, "not-found");
}

#[test]
fn a_day_of_the_change_to_summer_time_is_shorter() {
    let mut env = Env::at("2026-03-29T12:00:00+02:00").in_zone("Europe/Berlin");
    let alice = Person::named("alice");
    let now = "2026-03-29T12:00:00+02:00";
    snapshot(&mut env, &alice, &alice.panel(66, "13:00 on 30 Mar"), now);
    // The week began by another offset, and the Sunday is an hour shorter.
    same_on_terminals(&env, "timeline-summer-time.txt", &TIMELINE, str::to_owned);
}

#[test]
fn one_account_and_a_terminal_of_a_few_columns_are_no_failure() {
    let env = six_accounts();
    for columns in [1, 2, 5, 12, 20] {
        let shown = env.on_terminal(
            columns,
            &[UTF8],
            &[&TIMELINE[..], &["--limit", "1"]].concat(),
        );
        assert!(shown.lines().count() >= 5, "{shown}");
    }
    let none = env
        .run(&[&TIMELINE[..], &["--limit", "0"]].concat())
        .code(0);
    assert!(
        none.stdout.contains("now 2026-04-19 15:30"),
        "{}",
        none.stdout
    );
}

#[test]
fn it_is_drawn_over_and_over_to_the_last_column() {
    let env = six_accounts();
    let once = env.on_terminal(80, &[UTF8, ("TERM", "dumb")], &TIMELINE);
    let watch = [&TIMELINE[..], &["--watch", "--now", crate::common::NOW]].concat();
    let mut seen = Tty::with(&env, &watch, (80, 24), &[UTF8, ("TERM", "dumb")]);
    let row = "  bob@example.com    cooldown";
    let shown = seen.until(|shown| shown.contains(row) && shown.contains("goes on"));
    let line = |text: &str| {
        let line = text.lines().find(|line| line.starts_with(row));
        line.expect("shown").to_owned()
    };
    assert_eq!(line(&shown), line(&once));
    seen.types("q");
    assert_eq!(seen.code(), 0);
}
