//! What is made of real screens of Codex, in `fixtures/status/screens`, where `▮` stands for the cursor.

use super::*;

/// A screen of the fixtures, by its name there.
macro_rules! screen {
    ($name:literal) => {
        screen_of(include_str!(concat!(
            "../../../../fixtures/status/screens/",
            $name,
            ".txt"
        )))
    };
}

fn screen_of(text: &str) -> Screen {
    let mut cursor = None;
    let rows = text.lines().enumerate().map(|(place, row)| {
        let Some((before, after)) = row.split_once('▮') else {
            return row.to_owned();
        };
        cursor = Some(Cursor {
            row: place,
            before: before.trim_end().to_owned(),
            after: after.trim().to_owned(),
        });
        format!("{before}{after}")
    });
    Screen {
        rows: rows.collect(),
        cursor,
    }
}

fn prompt(typed: &str) -> Waits {
    Waits::Prompt(typed.to_owned())
}

#[test]
fn an_empty_prompt_is_known_in_every_version() {
    for screen in [
        screen!("0.53-prompt"),
        screen!("0.118-prompt"),
        screen!("0.169-prompt"),
        screen!("0.53-panel"),
        screen!("0.118-panel"),
        screen!("0.169-panel"),
    ] {
        assert_eq!(screen.waits(), prompt(""), "{}", screen.text());
        assert!(!screen.is_loading() && !screen.offers_status());
    }
    assert!(screen!("0.169-loading").is_loading());
    assert!(screen_of("│ model:     loading   /model to change │\n›▮").is_loading());
}

#[test]
fn the_command_is_run_only_where_codex_offers_it() {
    for screen in [
        screen!("0.53-command"),
        screen!("0.118-command"),
        screen!("0.169-command"),
    ] {
        assert_eq!(screen.waits(), prompt("/status"));
        assert!(screen.offers_status(), "{}", screen.text());
    }
    // While the session starts, Enter would queue what is typed.
    let starting = screen!("0.169-starting");
    assert_eq!(starting.waits(), prompt("/status"));
    assert!(!starting.offers_status());

    let offers = |text: &str| screen_of(text).offers_status();
    assert!(offers(
        "› /status▮\n\n  /status  show\n  /statusline  configure"
    ));
    assert!(!offers(
        "› /status▮\n\n  /statusline  configure\n  /status  show"
    ));
    assert!(!offers("› /statu▮\n\n  /status  show"));
    assert!(!offers("› /status now▮\n\n  /status  show"));
    assert!(!offers("› /status▮ now\n\n  /status  show"));
    assert!(!offers("› /status/status▮\n\n  /status  show"));
    // The greeting names it as well.
    assert!(!offers("  /status - show the session\n\n› /status▮"));
    // Without a cursor there is no telling where it was typed.
    assert!(!offers("› /status\n\n  /status  show"));
}

#[test]
fn what_only_a_person_may_answer_is_known() {
    for (screen, decision) in [
        (screen!("0.53-trust"), Decision::Trust),
        (screen!("0.118-trust"), Decision::Trust),
        (screen!("0.53-update"), Decision::Update),
        (screen!("0.118-update"), Decision::Update),
        (screen!("0.169-update"), Decision::Update),
        (screen!("0.118-model"), Decision::Model),
        (screen!("0.169-model"), Decision::Model),
        (screen!("0.169-sign-in"), Decision::SignIn),
        (
            screen_of("  Two hooks are new\n\n› 1. Review\n  2. Go on"),
            Decision::Other,
        ),
        (
            screen_of("  Something new\n\n  Press enter to continue"),
            Decision::Other,
        ),
        // A list counts even where the cursor was left in it.
        (
            screen_of("  Something new\n› 1. Yes▮\n  2. No"),
            Decision::Other,
        ),
    ] {
        assert_eq!(
            screen.waits(),
            Waits::Decision(decision),
            "{}",
            screen.text()
        );
    }
    // News above a prompt ask nothing.
    let news = "│ Update available! 0.169.0 -> 9.9.9 │\n  1. one\n  2. two\n› ▮Ask Codex";
    assert_eq!(screen_of(news).waits(), prompt(""));
    assert_eq!(screen_of("").waits(), Waits::Unknown);
    assert_eq!(
        screen_of("• Starting (esc to interrupt)").waits(),
        Waits::Unknown
    );
}

#[test]
fn a_panel_of_a_loaded_session_is_known() {
    for screen in [
        screen!("0.53-panel"),
        screen!("0.118-panel"),
        screen!("0.169-panel"),
    ] {
        assert!(screen.names_session());
    }
    let early = screen!("0.169-early-panel");
    assert_eq!(early.waits(), prompt(""));
    assert!(!early.names_session());
}

#[test]
fn the_version_and_the_end_are_told() {
    let version = |screen: Screen| screen.version();
    assert_eq!(version(screen!("0.53-panel")).as_deref(), Some("0.53.0"));
    assert_eq!(version(screen!("0.169-panel")).as_deref(), Some("0.169.0"));
    assert_eq!(version(screen_of("OpenAI Codex (v0.1 rm -r)")), None);

    assert!(screen!("0.118-no-such-option").refuses_option("--no-daemon"));
    assert!(!screen!("0.118-prompt").refuses_option("--no-daemon"));
    assert_eq!(
        screen!("0.169-offline").last_error().as_deref(),
        Some(
            "account/read failed: account/read failed: workspace routing discovery failed (code -32603)"
        )
    );
    let hidden = screen_of("Error: the token eyJhbGciOiJIUzI1NiJ9.e30.x is bad\n  at line 1");
    assert_eq!(
        hidden.last_error().as_deref(),
        Some("the token [hidden] is bad")
    );
    assert_eq!(screen_of("rt_alice_1 and more").last_error(), None);
}

fn terminal() -> Terminal {
    let size = |size| NonZeroU16::new(size).expect("a size");
    Terminal::new(size(24), size(80))
}

#[test]
fn a_terminal_answers_what_codex_asks_of_it() {
    let mut terminal = terminal();
    let mut answer = |asked: &str| {
        let answers = terminal.feed(asked.as_bytes());
        String::from_utf8(answers)
            .expect("text")
            .replace('\u{1b}', "ESC")
    };
    // As 0.169 asks: the kitty keyboard, the attributes, the cursor, the colours.
    assert_eq!(
        answer("ab\u{1b}[?u\u{1b}[c\u{1b}[6n\u{1b}]10;?\u{1b}\\\u{1b}]11;?\u{7}"),
        "ESC[?62;22cESC[1;3RESC]10;rgb:d8d8/d8d8/d8d8ESC\\ESC]11;rgb:0000/0000/0000ESC\\"
    );
    assert_eq!(answer("\u{1b}[?2026$p"), "ESC[?2026;0$y");
    assert_eq!(answer("\u{1b}[5n\u{1b}[>c"), "ESC[0nESC[>0;276;0c");
    // Nothing is answered twice, nor what was not asked.
    assert_eq!(answer("hello \u{1b}[31mred\u{1b}[?1049h\u{1b}[>7u\r\n"), "");
}

#[test]
fn a_terminal_tells_when_codex_draws_and_when_it_is_idle() {
    let mut terminal = terminal();
    let _ = terminal.feed(b"\x1b[?2026h\x1b[2J\x1b[5;1H\xe2\x80\xba /sta");
    assert!(terminal.is_drawing() && !terminal.is_idle());
    let _ = terminal.feed(b"tus\x1b[?2026l\x1b]7501;state=idle:app=codex\x1b\\");
    assert!(!terminal.is_drawing() && terminal.is_idle());
    assert_eq!(terminal.screen().waits(), prompt("/status"));
    let _ = terminal.feed(b"\x1b[?25l\x1b]7501;state=working:app=codex\x1b\\");
    assert!(!terminal.is_idle());
    assert_eq!(terminal.screen().waits(), Waits::Unknown);
}
