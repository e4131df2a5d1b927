//! `use` and `restore` without a name, on a terminal: a list to choose from. The screens are what a person sees.

use rustix::process::Signal;

use crate::common::{Env, Person};
use crate::tty::Tty;

const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";

/// What is told of a list that was left.
const LEFT: &str = "error: nothing was chosen; nothing was changed\nhint: run the command again, or name what is to be taken";

/// Alice is signed in and has quota left; bob's and carol's windows are over, dave's is not; carol is paused.
fn world() -> Env {
    let env = Env::at("2026-04-16T12:00:00+05:30");
    for (name, quota_end) in [
        ("bob", "2026-04-11T12:20:00+05:30"),
        ("carol", "2026-04-03T20:00:00+05:30"),
        ("dave", "2026-04-13T14:40:00+05:30"),
    ] {
        let person = Person::named(name);
        let day = match name {
            "bob" => "18apr",
            "carol" => "10apr",
            _ => "20apr",
        };
        let file = format!("legacy/{day}_{}_auth.json", person.email);
        env.write(&file, &person.auth_json());
        env.touch(&file, quota_end);
    }
    env.run(&["normalize", "--source-dir", "legacy", "--write-metadata"])
        .code(0);
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    for (file, text) in [
        ("bob", "alias = \"job\"\n"),
        ("carol", "paused = true\n"),
        ("dave", ""),
    ] {
        env.write(
            &format!(".codex-manager/profiles/{file}/profile.toml"),
            &format!("email = \"{file}@example.com\"\n{text}"),
        );
    }
    env
}

const ACCOUNTS: &str = "\
Which account?
  ACCOUNT                STATUS         USABLE  LEFT     SEEN  PLAN
> bob@example.com (job)  cooldown       1d 22h     -   4d ago  plus
  carol@example.com      ready, paused     now     -  12d ago  plus
  dave@example.com       cooldown        4d 0h     -   2d ago  plus
  * alice@example.com    open              now   66%      now  plus
4 of 4; Enter chooses, Esc leaves";

#[test]
fn an_account_is_chosen_by_typing_and_arrows() {
    let env = world();
    let mut tty = Tty::open(&env, &["use"], (80, 24));
    tty.sees(ACCOUNTS);
    assert_eq!(tty.cursor(), (15, 0));
    tty.types("ready exa");
    tty.sees(
        "\
Which account? ready exa
  ACCOUNT                STATUS         USABLE  LEFT     SEEN  PLAN
> carol@example.com      ready, paused     now     -  12d ago  plus
1 of 4; Enter chooses, Esc leaves",
    );
    assert_eq!(tty.cursor(), (24, 0));
    tty.types("\x15zzz");
    tty.sees(
        "\
Which account? zzz
  ACCOUNT                STATUS         USABLE  LEFT     SEEN  PLAN
none of 4 is like that; Esc leaves",
    );
    // Enter with nothing to take does nothing.
    tty.types(ENTER);
    tty.types("\x7f\x7f\x7f");
    tty.sees(ACCOUNTS);
    tty.types(&[DOWN, DOWN, DOWN, UP].concat());
    tty.sees(
        &ACCOUNTS
            .replace("> bob", "  bob")
            .replace("  dave", "> dave"),
    );
    tty.types(ENTER);
    tty.ends(
        0,
        "\
used      dave@example.com (plus)
into      ~/.codex
login     that of the snapshot 2026-04-13-124000-dave@example.com-codex.tar.gz
before    alice@example.com",
    );
    assert_eq!(
        env.read(".codex/auth.json"),
        Person::named("dave").auth_json()
    );
}

#[test]
fn what_is_pasted_is_text_and_chooses_nothing() {
    let env = world();
    let mut tty = Tty::open(&env, &["use"], (80, 24));
    tty.sees(ACCOUNTS);
    assert!(tty.sent().contains("\x1b[?2004h"), "{:?}", tty.sent());
    tty.types("\x1b[200~ready\nexa\n\x1b[201~");
    tty.sees(
        "\
Which account? ready exa
  ACCOUNT                STATUS         USABLE  LEFT     SEEN  PLAN
> carol@example.com      ready, paused     now     -  12d ago  plus
1 of 4; Enter chooses, Esc leaves",
    );
    tty.types(ESC);
    let sent = tty.ends(130, LEFT);
    assert!(sent.contains("\x1b[?2004l"), "{sent:?}");
}

#[test]
fn leaving_the_list_changes_nothing_and_leaves_nothing() {
    let env = world();
    let before = env.tree("");
    for key in [ESC, "\x03", "\x04"] {
        let mut tty = Tty::open(&env, &["use"], (80, 24));
        tty.sees(ACCOUNTS);
        tty.types("bob");
        tty.types(key);
        tty.ends(130, LEFT);
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let tty = Tty::open(&env, &["restore"], (80, 24));
        tty.sees_like(|screen| screen.contains("4 of 4"), "the list");
        tty.signal(signal);
        tty.ends(
            130,
            "error: interrupted\nhint: what was finished stays, what was not is gone; run the command again when it suits",
        );
    }
    assert_eq!(env.tree(""), before);
}

#[test]
fn a_list_fits_every_terminal() {
    let env = world();
    let long = Person {
        email: "アリスと長い名前のメール.and-a-name-of-many-letters@example.com".to_owned(),
        ..Person::named("long")
    };
    env.codex_home(&long);
    env.write("status.txt", &long.panel(7, "11:55 on 23 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let mut tty = Tty::open(&env, &["use"], (40, 24));
    let narrow = "\
Which account?
  ACCOUNT           STATUS         LEFT
> alice@example.c…  open            66%
  carol@example.c…  ready, paused     -
  bob@example.com…  cooldown          -
  dave@example.com  cooldown          -
  * アリスと長い…   open             7%
5 of 5; Enter chooses, Esc leaves";
    tty.sees(narrow);
    tty.types("アリス");
    tty.sees(
        "\
Which account? アリス
  ACCOUNT           STATUS         LEFT
> * アリスと長い…   open             7%
1 of 5; Enter chooses, Esc leaves",
    );
    assert_eq!(tty.cursor(), (21, 0));
    // What is drawn follows the size of the terminal.
    tty.resize(100, 24);
    tty.sees(
        "\
Which account? アリス
  ACCOUNT                                                STATUS         USABLE  LEFT     SEEN  PLAN
> * アリスと長い名前のメール.and-a-name-of-many-letter…  open              now    7%      now  plus
1 of 5; Enter chooses, Esc leaves",
    );
    tty.resize(40, 5);
    tty.types("\x15");
    tty.sees(
        "\
Which account?
> alice@example.c…  open            66%
  carol@example.c…  ready, paused     -
  bob@example.com…  cooldown          -
  dave@example.com  cooldown          -",
    );
    tty.types(ESC);
    tty.sees_like(
        |screen| screen.starts_with("error: nothing was chosen"),
        LEFT,
    );
}

const SNAPSHOTS: &str = "\
Which snapshot?
  ACCOUNT                   MADE  STATUS    WINDOW            MODE         SIZE
> alice@example.com          now  open      2026-04-14 15:55  full       0.0 kB
  dave@example.com        2d ago  cooldown  2026-04-13 12:40  auth-only  0.0 kB
  bob@example.com (job)   4d ago  cooldown  2026-04-11 10:20  auth-only  0.0 kB
  carol@example.com      12d ago  ready     2026-04-03 18:00  auth-only  0.0 kB
4 of 4; Enter chooses, Esc leaves";

/// The machine's name is in a snapshot, so its size is not the same everywhere.
fn without_sizes(screen: &str) -> String {
    let size = regex::Regex::new(r"\d\.\d kB").expect("a pattern");
    size.replace_all(screen, "0.0 kB").into_owned()
}

/// Runs `restore` and takes bob's snapshot from the list.
fn restore_bobs(env: &Env, args: &[&str]) -> Tty {
    let args = [&["restore"], args].concat();
    let mut tty = Tty::open(env, &args, (80, 24));
    tty.sees_like(|screen| without_sizes(screen) == SNAPSHOTS, SNAPSHOTS);
    // By its window and its alias.
    tty.types("04-11 jo");
    tty.sees_like(|screen| screen.contains("\n1 of 4; "), "bob's alone");
    // What is typed ahead answers no question.
    tty.types("\ry\r");
    tty
}

#[test]
fn a_snapshot_is_chosen_and_then_asked_about() {
    let env = world();
    let before = env.tree("");
    let question = "restore 2026-04-11-102000-bob@example.com-codex.tar.gz into `~/.codex`, replacing 1 of its entries? [y/N]";
    let mut tty = restore_bobs(&env, &[]);
    tty.sees(question);
    tty.types("n\r");
    tty.ends(
        1,
        &format!("{question} n\nerror: not confirmed; nothing was changed\nhint: answer `y`, or say `--yes`"),
    );
    assert_eq!(env.tree(""), before);
    restore_bobs(&env, &["--yes"]).sees_like(
        |screen| screen.starts_with("restored  ~/.codex-manager/backups/2026-04-11-102000-bob@"),
        "restored",
    );
    assert_eq!(
        env.read(".codex/auth.json"),
        Person::named("bob").auth_json()
    );
}

#[test]
fn an_empty_list_says_what_to_do() {
    let env = Env::new();
    for (command, told) in [
        (
            "use",
            "error: no account is known yet: `~/.codex-manager` holds no evidence of any\nhint: run `codex-manager backup`, \
             or `codex-manager normalize` where hand-named login copies lie",
        ),
        (
            "restore",
            "error: there is no backup in `~/.codex-manager/backups`\nhint: `codex-manager backup` makes one",
        ),
    ] {
        Tty::open(&env, &[command], (200, 24)).ends(10, told);
    }
}

#[test]
fn where_nobody_can_choose_a_name_is_asked_for() {
    let env = world();
    let of_use = "error: nothing says whom to sign in\nhint: name an email, a profile or an alias; `codex-manager cooldown` shows every account";
    let of_restore = "error: nothing says what to restore\nhint: name an email, an alias or an archive; `codex-manager list-backups` shows them";
    env.run(&["use"])
        .code(2)
        .stdout("")
        .stderr(&format!("{of_use}\n"));
    env.run(&["restore", "--yes"])
        .code(2)
        .stdout("")
        .stderr(&format!("{of_restore}\n"));
    let of_json = "{\"error\":{\"kind\":\"usage\",\"message\":\"nothing says whom to sign in\",\"hint\":\"name an email, a profile or an alias; `codex-manager cooldown` shows every account\"}}";
    Tty::open(&env, &["use", "--json"], (200, 24)).ends(2, of_json);
    // A terminal that cannot move its cursor.
    let dumb = [("TERM", "dumb")];
    Tty::with(&env, &["use"], (200, 24), &dumb).ends(2, of_use);
    Tty::with(&env, &["restore"], (200, 24), &dumb).ends(2, of_restore);
}
