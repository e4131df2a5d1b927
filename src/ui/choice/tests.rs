//! What is found, where the mark goes, and how it looks.

use proptest::prelude::*;

use super::super::table::{column, number};
use super::*;

fn choices() -> Choices {
    let line = |cells: [&str; 4], word: &str| Choice {
        cells: cells.map(str::to_owned).to_vec(),
        words: vec![word.to_owned()],
    };
    Choices {
        question: "Which one?",
        columns: vec![
            column("ACCOUNT", 0),
            column("STATUS", 1),
            number("AGE", 2),
            column("WINDOW", 3),
        ],
        lines: vec![
            line(
                ["alice@example.com", "ready", "1d ago", "2026-04-14"],
                "one.tar.gz",
            ),
            line(
                ["bob@example.com", "cooldown", "12h ago", "2026-04-15"],
                "two.tar.gz",
            ),
            line(
                ["アリス@example.com", "open", "now", "2026-04-16"],
                "three.tar.gz",
            ),
            line(
                [
                    "al\u{1b}[2Jfred@example.com",
                    "ready",
                    "3d ago",
                    "2026-04-17",
                ],
                "four",
            ),
        ],
    }
}

fn typed(text: &str) -> Choosing {
    let mut choosing = Choosing::new(choices());
    for letter in text.chars() {
        assert_eq!(choosing.take(Key::Letter(letter)), Step::On);
    }
    choosing
}

#[test]
fn every_word_that_is_typed_must_be_there() {
    for (text, found) in [
        ("", vec![0, 1, 2, 3]),
        ("al", vec![0, 3]),
        ("AL READY", vec![0, 3]),
        ("ready al 17", vec![3]),
        ("アリ", vec![2]),
        // By what is not shown, and by letters that lie apart.
        ("two", vec![1]),
        ("aex", vec![0, 3]),
        ("cldwn", vec![1]),
        // Of what is not shown no letters that lie apart.
        ("ttg", vec![]),
        ("bob alice", vec![]),
        // What begins so goes before what holds it.
        ("o", vec![0, 2, 1, 3]),
    ] {
        assert_eq!(typed(text).found, found, "{text}");
    }
}

#[test]
fn keys_move_the_mark_and_change_what_is_typed() {
    let mut choosing = typed("");
    for (key, at) in [
        (Key::Up, 0),
        (Key::Down, 1),
        (Key::Down, 2),
        (Key::Last, 3),
        (Key::Down, 3),
        (Key::First, 0),
    ] {
        choosing.take(key);
        assert_eq!(choosing.at, at, "{key:?}");
    }
    choosing.screen(80, 7);
    choosing.take(Key::PageDown);
    assert_eq!(choosing.at, 3);
    choosing.take(Key::PageUp);
    assert_eq!(choosing.at, 0);
    choosing.take(Key::Down);
    assert_eq!(choosing.take(Key::Enter), Step::Chosen(1));
    assert_eq!(choosing.take(Key::Leave), Step::Left);
    // What is typed begins anew at the top.
    choosing.take(Key::Letter('r'));
    assert_eq!(choosing.at, 0);
    let mut choosing = typed("two words ");
    for (key, left) in [
        (Key::Back, "two words"),
        (Key::BackWord, "two "),
        (Key::BackWord, ""),
        (Key::Back, ""),
    ] {
        choosing.take(key);
        assert_eq!(choosing.typed, left);
    }
    let mut choosing = typed("nobody");
    assert_eq!(choosing.take(Key::Enter), Step::On);
    choosing.take(Key::BackAll);
    assert_eq!(choosing.found.len(), 4);
}

#[test]
fn a_screen_is_as_wide_and_high_as_there_is_room() {
    let at = |text: &str, columns, rows| typed(text).screen(columns, rows).lines.join("\n");
    assert_eq!(
        at("", 80, 24),
        "\
Which one? 
  ACCOUNT                 STATUS        AGE  WINDOW
> alice@example.com       ready      1d ago  2026-04-14
  bob@example.com         cooldown  12h ago  2026-04-15
  アリス@example.com      open          now  2026-04-16
  al\u{fffd}[2Jfred@example.com  ready      3d ago  2026-04-17
4 of 4; Enter chooses, Esc leaves"
    );
    assert_eq!(
        at("al", 40, 24),
        "\
Which one? al
  ACCOUNT             STATUS        AGE
> alice@example.com   ready      1d ago
  al\u{fffd}[2Jfred@exampl…  ready      3d ago
2 of 4; Enter chooses, Esc leaves"
    );
    assert_eq!(
        at("nobody that there is", 20, 24),
        "Which one? here is\n  ACCOUNT\nnone of 4 is like …"
    );
    // Without a place for headings only the lines, and then only the question.
    assert_eq!(
        at("", 20, 3),
        "Which one? \n> alice@example.com\n  bob@example.com"
    );
    assert_eq!(at("", 20, 1), "Which one? ");
}

#[test]
fn bytes_make_keys_however_they_come() {
    let all = |bytes: &[u8], is_quiet| {
        let mut keys = Keys::default();
        keys.add(bytes);
        std::iter::from_fn(|| keys.next(is_quiet)).collect::<Vec<Key>>()
    };
    assert_eq!(
        all("aü字\r\n\x7f\x08\x17\x15".as_bytes(), false),
        [
            Key::Letter('a'),
            Key::Letter('ü'),
            Key::Letter('字'),
            Key::Enter,
            Key::Enter,
            Key::Back,
            Key::Back,
            Key::BackWord,
            Key::BackAll
        ]
    );
    assert_eq!(
        all(
            b"\x1b[A\x1b[B\x1bOA\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~\x10\x0e",
            false
        ),
        [
            Key::Up,
            Key::Down,
            Key::Up,
            Key::PageUp,
            Key::PageDown,
            Key::First,
            Key::Last,
            Key::First,
            Key::Last,
            Key::Up,
            Key::Down
        ]
    );
    // Keys that do nothing leave nothing behind: F5, Ctrl and an arrow, Alt and a letter, a tab, what is no text.
    assert_eq!(
        all(b"\x1b[15~\x1b[1;5C\x1bx\t\xffa", false),
        [Key::Letter('a')]
    );
    assert_eq!(all(b"\x03", false), [Key::Leave]);
    assert_eq!(all(b"\x04", false), [Key::Leave]);
    // A lone Esc is known by what does not follow.
    assert_eq!(all(b"\x1b", false), []);
    assert_eq!(all(b"\x1b", true), [Key::Leave]);
    assert_eq!(all(b"\x1b\x1b", false), [Key::Leave]);
    // What is pasted is text: nothing in it chooses, moves or leaves, until its end.
    assert_eq!(
        all(b"\x1b[200~a\r\n\tb\x1b[A\x1b\x1b\x7f\x04\x1b[201~\r", false),
        [
            Key::Letter('a'),
            Key::Letter(' '),
            Key::Letter(' '),
            Key::Letter(' '),
            Key::Letter('b'),
            Key::Enter
        ]
    );
    // Ctrl-C leaves where that end never comes.
    assert_eq!(
        all(b"\x1b[200~\r\x03", false),
        [Key::Letter(' '), Key::Leave]
    );
    let mut keys = Keys::default();
    for byte in b"\x1b[" {
        keys.add(&[*byte]);
        assert_eq!(keys.next(false), None);
    }
    keys.add(b"B");
    assert_eq!(keys.next(false), Some(Key::Down));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_ever_wider_or_higher_than_the_terminal(
        columns in 1_usize..120,
        rows in 1_usize..40,
        text in "\\PC{0,40}",
        name in "\\PC{0,60}",
        keys in proptest::collection::vec(0_u8..5, 0..20),
    ) {
        let mut choices = choices();
        choices.lines[1].cells[0] = name;
        let mut choosing = Choosing::new(choices);
        let moves = [Key::Down, Key::PageDown, Key::Last, Key::Up, Key::Letter('e')];
        for key in keys {
            choosing.take(moves[usize::from(key)]);
            choosing.screen(columns, rows);
        }
        for letter in text.chars() {
            choosing.take(Key::Letter(letter));
        }
        let screen = choosing.screen(columns, rows);
        prop_assert!(screen.lines.len() <= rows);
        prop_assert!(screen.cursor < columns);
        for line in &screen.lines {
            prop_assert!(line.width() < columns.max(1) || line.is_empty(), "{line:?}");
        }
        // Whatever is marked is to be seen.
        if rows > 1 && !choosing.found.is_empty() {
            prop_assert!(screen.lines.iter().any(|line| line.starts_with('>')) || columns < 3);
        }
    }

    #[test]
    fn any_bytes_make_some_keys(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0_usize..60) {
        let mut keys = Keys::default();
        let (first, rest) = bytes.split_at(cut.min(bytes.len()));
        keys.add(first);
        while keys.next(false).is_some() {}
        keys.add(rest);
        while keys.next(true).is_some() {}
        prop_assert!(keys.bytes.is_empty());
    }
}

#[test]
fn a_text_that_is_pasted_by_mistake_ends_somewhere() {
    let mut choosing = Choosing::new(choices());
    for _ in 0..100_000 {
        choosing.take(Key::Letter('ü'));
    }
    assert_eq!(choosing.typed.len(), MOST_TYPED);
    choosing.take(Key::BackAll);
    assert_eq!(choosing.found.len(), choosing.choices.lines.len());
}
