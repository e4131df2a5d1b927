//! The panel reader over whole panels: every rendering in `fixtures/status`, the reasons for no window, and properties.

use proptest::prelude::*;

use super::*;

const BOX_098: &str = include_str!("../../../../fixtures/status/0.98-box.txt");
const MONTHLY: &str = include_str!("../../../../fixtures/status/0.169-monthly-only.txt");
const NOT_AVAILABLE: &str = include_str!("../../../../fixtures/status/0.169-not-available.txt");
const API_KEY: &str = include_str!("../../../../fixtures/status/0.169-api-key.txt");
const SIGNED_OUT: &str = include_str!("../../../../fixtures/status/signed-out.txt");
const BUCKET: &str = include_str!("../../../../fixtures/status/0.169-extra-bucket.txt");
const BUCKET_LINE: &str =
    include_str!("../../../../fixtures/status/0.169-extra-bucket-one-line.txt");
const REFRESH: &str = include_str!("../../../../fixtures/status/0.169-refresh-then-data.txt");
const SAME_DAY: &str = include_str!("../../../../fixtures/status/0.169-same-day.txt");
const RAW: &str = include_str!("../../../../fixtures/status/0.169-raw-terminal.txt");
const TWO_LINES: &str = include_str!("../../../../fixtures/status/two-lines.txt");
const PLAIN: &str = include_str!("../../../../fixtures/status/0.169-plain.txt");
const COLUMNS_45: &str = include_str!("../../../../fixtures/status/0.169-45-columns.txt");
const COLUMNS_36: &str = include_str!("../../../../fixtures/status/0.169-36-columns.txt");

const ALICE: Option<&str> = Some("alice@example.com");
const WORKSPACE: Option<&str> = Some("11111111-1111-4111-8111-111111111111");

/// Name, text, email, plan, workspace, reset.
type Case = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

/// Each rendering with a weekly window, 66 % of it left.
#[rustfmt::skip]
const PANELS: [Case; 18] = [
    ("0.169", PLAIN, ALICE, Some("Plus"), WORKSPACE, "13:46"),
    ("12 hours", include_str!("../../../../fixtures/status/0.169-twelve-hours.txt"), ALICE, Some("Plus"), WORKSPACE, "13:58"),
    ("above start", include_str!("../../../../fixtures/status/0.169-above-start.txt"), ALICE, Some("Plus"), None, "13:46"),
    ("extra bucket", BUCKET, Some("carol@example.com"), Some("Enterprise (Automation)"), None, "13:46"),
    ("extra bucket, one line", BUCKET_LINE, ALICE, Some("Plus"), None, "13:46"),
    ("stale warning", include_str!("../../../../fixtures/status/0.169-stale-warning.txt"), ALICE, Some("Plus"), None, "13:46"),
    ("refresh, then data", REFRESH, ALICE, Some("Plus"), None, "13:46"),
    ("60 columns", include_str!("../../../../fixtures/status/0.169-60-columns.txt"), ALICE, Some("Plus"), WORKSPACE, "13:58"),
    ("45 columns", COLUMNS_45, ALICE, Some("Plus"), WORKSPACE, "13:58"),
    ("36 columns", COLUMNS_36, ALICE, Some("Plus"), WORKSPACE, "13:58"),
    ("raw terminal", RAW, ALICE, Some("Plus"), None, "13:46"),
    ("0.160", include_str!("../../../../fixtures/status/0.160-plan-only.txt"), None, Some("Plus"), None, "13:46"),
    ("0.157", include_str!("../../../../fixtures/status/0.157-plan-only-box.txt"), None, Some("Pro Lite"), None, "13:46"),
    ("0.145", include_str!("../../../../fixtures/status/0.145-box.txt"), ALICE, Some("Plus"), None, "13:46"),
    ("0.98", BOX_098, ALICE, Some("Plus"), None, "13:46"),
    ("0.53", include_str!("../../../../fixtures/status/0.53-used-box.txt"), ALICE, Some("Plus"), None, "13:46"),
    ("two lines", TWO_LINES, ALICE, None, None, "13:46"),
    ("below scrollback", concat!(
        "~$ cat notes\nWeekly limit: 7% left (resets 01:00 on 24 Nov)\nSign in with ChatGPT to use Codex\n\n",
        include_str!("../../../../fixtures/status/0.145-box.txt"),
    ), ALICE, Some("Plus"), None, "13:46"),
];

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").expect("a zone")
}

fn at(text: &str) -> Stamp {
    Stamp::parse(text).expect(text)
}

/// Read at 14:00 on 22 November 2026 in Berlin.
fn read_then(text: &str) -> Result<Reading, String> {
    read(text, at("2026-11-22T14:00:00+01:00"), &berlin(), None)
}

fn reading(text: &str) -> Reading {
    read_then(text).expect(text)
}

/// A panel of 0.169 with these rows below its header.
fn panel(rows: &str) -> String {
    format!("/status\n\n  >_ OpenAI Codex (v0.169.0)\n\n{rows}\n")
}

#[test]
fn every_rendering_reads_the_same() {
    for (name, text, email, plan, workspace_id, clock) in PANELS {
        let reading = read_then(text).expect(name);
        assert_eq!(reading.email.as_deref(), email, "{name}");
        assert_eq!(reading.plan.as_deref(), plan, "{name}");
        assert_eq!(reading.workspace_id.as_deref(), workspace_id, "{name}");
        assert_eq!(
            reading.reset_at,
            Some(at(&format!("2026-11-25T{clock}:00+01:00"))),
            "{name}"
        );
        assert_eq!(reading.quota_percent_left, Some(66), "{name}");
        let weekly = reading.limits.first().expect(name);
        assert_eq!(weekly.name, "Weekly limit", "{name}");
        assert_eq!(weekly.window_minutes, Some(10_080), "{name}");
        assert_eq!(weekly.reset_at, reading.reset_at, "{name}");
        if !matches!(name, "two lines" | "extra bucket, one line") {
            let five_hours = reading.limits.get(1).expect(name);
            assert_eq!(five_hours.name, "5h limit", "{name}");
            assert_eq!(five_hours.window_minutes, Some(300), "{name}");
            assert_eq!(five_hours.percent_left, Some(88), "{name}");
            let reset_at = five_hours.reset_at.expect(name).file_name_form();
            let expected = if name == "12 hours" {
                "145100"
            } else {
                "144000"
            };
            assert_eq!(reset_at, format!("2026-11-22-{expected}"), "{name}");
        }
    }
}

#[test]
fn the_weekly_row_is_kept_as_printed() {
    for (text, expected) in [
        (
            PLAIN,
            "[█████████████░░░░░░░] 66% left (resets 13:46 on 25 Nov)",
        ),
        (
            RAW,
            "[█████████████░░░░░░░] 66% left (resets 13:46 on 25 Nov)",
        ),
        (COLUMNS_45, "66% left (resets 13:58 on 25 Nov)"),
        (TWO_LINES, "66% left (resets 13:46 on 25 Nov)"),
        (SAME_DAY, "[█░░░░░░░░░░░░░░░░░░░] 3% left (resets 22:10)"),
    ] {
        assert_eq!(reading(text).quota_text.as_deref(), Some(expected));
    }
}

#[test]
fn a_reset_may_be_broken_anywhere() {
    for value in [
        "66% left (\n    resets 13:\n    46 on 25 Nov)",
        "66% left (resets\n    13:46 on\n    25\n    Nov\n    )",
        "66%\n    left (resets 13:4\n    6 on 2\n    5 Nov)",
        "[█████████████\n    ░░░░░░░] 66% le\n    ft (resets 13:46 on 25 Nov)",
        "\n    66% left (resets 13:46 on 25 Nov)",
        "66% left\n    resets 13:46 on 25 Nov",
    ] {
        let text = panel(&format!("  Weekly limit: {value}\n  Session: 01a2"));
        let reading = reading(&text);
        assert_eq!(
            reading.reset_at,
            Some(at("2026-11-25T13:46:00+01:00")),
            "{text}"
        );
        assert_eq!(reading.quota_percent_left, Some(66), "{text}");
    }
}

#[test]
fn a_time_alone_is_today_s_or_tomorrow_s() {
    let read_at = |now| read(SAME_DAY, at(now), &berlin(), None).expect("a reading");
    let today = read_at("2026-11-22T14:00:00+01:00");
    assert_eq!(today.reset_at, Some(at("2026-11-22T22:10:00+01:00")));
    assert_eq!(today.quota_percent_left, Some(3));
    let tomorrow = read_at("2026-11-22T23:50:00+01:00");
    assert_eq!(tomorrow.reset_at, Some(at("2026-11-23T22:10:00+01:00")));
}

#[test]
fn the_limits_of_other_buckets_are_not_the_account_s() {
    let limits = |text| -> Vec<(String, Option<u32>, Option<u8>)> {
        reading(text)
            .limits
            .into_iter()
            .map(|limit| (limit.name, limit.window_minutes, limit.percent_left))
            .collect()
    };
    let row = |name: &str, minutes, left| (name.to_owned(), minutes, Some(left));
    assert_eq!(
        limits(BUCKET),
        [
            row("Weekly limit", Some(10_080), 66),
            row("5h limit", Some(300), 88),
            row("GPT-5.3-Codex-Spark 5h limit", Some(300), 100),
            row("GPT-5.3-Codex-Spark Weekly limit", Some(10_080), 97),
        ]
    );
    assert_eq!(
        limits(BUCKET_LINE),
        [
            row("Weekly limit", Some(10_080), 66),
            row("GPT-5.3-Codex-Spark Weekly limit", Some(10_080), 97),
        ]
    );
    let plain = reading(PLAIN);
    let credit = plain.limits.last().expect("a limit");
    assert_eq!(credit.name, "Monthly credit limit");
    assert_eq!(credit.window_minutes, None);
    assert_eq!(credit.percent_left, Some(68));
    assert_eq!(credit.reset_at, Some(at("2026-12-11T14:40:00+01:00")));
}

#[test]
fn only_buckets_are_no_weekly_window() {
    let text = panel(
        "  Account: Plus\n  Spark limit:\n  5h limit: 9% left (resets 17:40)\n  Weekly limit: 97% left (resets 11:20 on 28 Nov)",
    );
    assert_eq!(
        read_then(&text),
        Err("it shows only the Spark 5h limit and the Spark Weekly limit".to_owned())
    );
}

#[test]
fn each_reason_is_told() {
    let limits = |says: &str| {
        panel(&format!(
            "  Account:  alice@example.com (Plus)\n  Limits:   {says}"
        ))
    };
    let weekly = |value: &str| panel(&format!("  Account:  Plus\n  Weekly limit:  {value}"));
    for (text, reason) in [
        (String::new(), "the text is empty"),
        ("\u{1b}[2J\r\n │ │ \n".to_owned(), "the text is empty"),
        (
            "~$ ls\nnotes".to_owned(),
            "there is no status panel in the text",
        ),
        (MONTHLY.to_owned(), "it shows only the monthly limit"),
        (
            NOT_AVAILABLE.to_owned(),
            "codex says \"not available for this account\"",
        ),
        (
            API_KEY.to_owned(),
            "the login is an API key; only a ChatGPT account has a weekly limit",
        ),
        (
            SIGNED_OUT.to_owned(),
            "codex asks to sign in: nobody is logged in",
        ),
        (
            format!("{PLAIN}\n{SIGNED_OUT}"),
            "codex asks to sign in: nobody is logged in",
        ),
        (
            "Not logged in\n".to_owned(),
            "codex asks to sign in: nobody is logged in",
        ),
        (
            limits("data not available yet"),
            "codex says \"data not available yet\"",
        ),
        (
            limits("data not\n     available yet\n\n  next"),
            "codex says \"data not available yet\"",
        ),
        (
            limits("refresh requested; run /status\n     again shortly."),
            "codex says \"refresh requested; run /status again shortly.\"",
        ),
        (
            limits("visit chatgpt.com/codex/settings/usage"),
            "codex says \"visit chatgpt.com/codex/settings/usage\"",
        ),
        (
            panel("  Account: Plus\n  Session: 01a2"),
            "the status panel shows no limits",
        ),
        (
            panel("  Account: Plus\n  5h limit: 8% left (resets 15:00)"),
            "it shows only the 5h limit",
        ),
        (
            panel(
                "  Account: Plus\n  5h limit: 8% left (resets 15:00)\n  Monthly limit: 1% left (resets 15:00 on 1 Dec)\n  Monthly credit limit: 68% left (resets 14:40 on 11 Dec)",
            ),
            "it shows only the 5h limit, the monthly limit and the monthly credit limit",
        ),
        (weekly("66% left"), "the weekly limit shows no reset time"),
        (
            weekly("66% left (resets 10:02"),
            "the weekly limit's reset time is cut off; take the panel at 100 columns or more",
        ),
        (
            weekly("66% left (resets 10:02 on 24\n\n  5h limit: 1% left (resets 10:00)"),
            "the weekly limit's reset time is cut off; take the panel at 100 columns or more",
        ),
        (
            weekly("66% left (resets 25:10)"),
            "the weekly limit's reset, `25:10`, is no time",
        ),
        (
            weekly("66% left (resets 13:46 on 31 Feb)"),
            "the weekly limit's reset, `13:46 on 31 Feb`, is no date of that year",
        ),
    ] {
        assert_eq!(read_then(&text), Err(reason.to_owned()), "{text}");
    }
}

#[test]
fn stale_text_is_refused_unless_its_year_is_given() {
    let (zone, now) = (berlin(), at("2026-11-27T12:00:00+01:00"));
    assert_eq!(
        read(PLAIN, now, &zone, None),
        Err(
            "the weekly limit's reset, `13:46 on 25 Nov`, is past or more than 8 days after 2026-11-27 12:00: \
             the text is stale or from another time; run /status anew"
                .to_owned()
        )
    );
    let reading = read(PLAIN, now, &zone, Some(2024)).expect("a reading");
    assert_eq!(reading.reset_at, Some(at("2024-11-25T13:46:00+01:00")));
}

#[test]
fn other_windows_may_lie_far_ahead_and_are_left_open_when_they_cannot_be_placed() {
    let text = panel(
        "  Account: Plus\n  Weekly limit: 1% left (resets 10:00 on 25 Nov)\n  Annual limit: 2% left (resets 10:00 on 1 Nov)\n  \
         Monthly limit: 3% left (resets 10:00 on 31 Feb)\n  Daily limit: 4% left\n  Usage limit: 5% left (resets 26:00)",
    );
    let others: Vec<_> = reading(&text)
        .limits
        .iter()
        .skip(1)
        .map(|limit| (limit.window_minutes, limit.reset_at.map(Stamp::table_form)))
        .collect();
    assert_eq!(
        others,
        [
            (Some(525_600), Some("2027-11-01 10:00".to_owned())),
            (Some(43_200), None),
            (Some(1440), None),
            (None, None),
        ]
    );
}

#[test]
fn of_several_panels_the_last_complete_one_counts() {
    let with = |account: &str, rest: &str| panel(&format!("  Account:  {account}\n  {rest}"));
    let (alice, bob) = ("alice@example.com (Plus)", "bob@example.com (Plus)");
    let weekly = |percent: u8| format!("Weekly limit: {percent}% left (resets 13:46 on 25 Nov)");
    let percent = |text: &str| read_then(text).map(|reading| reading.quota_percent_left);
    let none_yet = "Limits: data not available yet";

    let two = with(alice, &weekly(40)) + &with(alice, &weekly(30));
    assert_eq!(percent(&two), Ok(Some(30)));
    let cut = with(alice, &weekly(40)) + &with(alice, "Weekly limit: 30% left (resets 13:4");
    assert_eq!(percent(&cut), Ok(Some(40)));
    let cut_above = with(alice, &weekly(40)) + &with(alice, "5h limit: 30% left (resets 13:46)");
    assert_eq!(percent(&cut_above), Ok(Some(40)));
    let pending = with(alice, &weekly(40)) + &with(alice, none_yet);
    assert_eq!(percent(&pending), Ok(Some(40)));
    // Headers that have scrolled away, and reports without any.
    let headless = format!(
        "  Account: {alice}\n  {}\n\n  >_ OpenAI Codex (v0.169.0)\n",
        weekly(40)
    );
    assert_eq!(percent(&headless), Ok(Some(40)));
    let reports = TWO_LINES.to_owned() + &TWO_LINES.replace("66", "30");
    assert_eq!(percent(&reports), Ok(Some(30)));

    // Another account's window, or one the account no longer has, is not its window.
    let other = with(alice, &weekly(40)) + &with(bob, none_yet);
    assert_eq!(
        percent(&other),
        Err("codex says \"data not available yet\"".to_owned())
    );
    let gone = with(alice, &weekly(40)) + &with(alice, "Limits: not available for this account");
    assert_eq!(
        percent(&gone),
        Err("codex says \"not available for this account\"".to_owned())
    );
    let still_pending = NOT_AVAILABLE.to_owned() + &with(alice, none_yet);
    assert_eq!(
        percent(&still_pending),
        Err("codex says \"data not available yet\"".to_owned())
    );
    let monthly = with(alice, &weekly(40)) + MONTHLY;
    assert_eq!(
        percent(&monthly),
        Err("it shows only the monthly limit".to_owned())
    );
}

#[test]
fn what_is_quoted_around_a_panel_is_not_read() {
    let quoted = "Weekly limit: 1% left (resets 10:00 on 24 Nov)";
    let repeated = panel(&format!(
        "  Account: Plus\n  Weekly limit: 66% left (resets 13:46 on 25 Nov)\n  {quoted}"
    ));
    assert_eq!(reading(&repeated).quota_percent_left, Some(66));
    for text in [
        panel(&format!(
            "  Account: Plus\n  Limits: data not available yet\n› so?\n{quoted}"
        )),
        panel(&format!(
            "  Account: Plus\n  Limits: data not available yet\n\n› {quoted}\n{quoted}"
        )),
        panel(&format!(
            "  Account: Plus\n  Limits: data not available yet\n\nAs you said:\n{quoted}"
        )),
        format!(
            "{quoted}\n{}",
            panel("  Account: Plus\n  Limits: data not available yet")
        ),
        BOX_098
            .replace("Weekly limit:", "Other row:   ")
            .replace("› Other row:   ", quoted),
    ] {
        assert!(read_then(&text).is_err(), "{text}");
    }
}

#[test]
fn shares_left_and_used() {
    for (value, left) in [
        ("66% left", Some(66)),
        ("0% left", Some(0)),
        ("100% left", Some(100)),
        ("<1% left", Some(1)),
        ("0.4% left", Some(1)),
        ("66.9% left", Some(66)),
        ("34% used", Some(66)),
        ("100% used", Some(0)),
        ("<1% used", Some(99)),
        ("99.6% used", Some(1)),
        ("0.0% used", Some(100)),
        ("6 6 % le ft", Some(66)),
        ("101% left", None),
        ("100.5% used", None),
        ("256% used", None),
        ("99999999999% left", None),
        ("% left", None),
        ("1.2.3% left", None),
        ("[███] left", None),
    ] {
        assert_eq!(percent_left(value), left, "{value}");
    }
}

#[test]
fn accounts_in_every_form() {
    let whose = |account: &str, more: &str| {
        let text = panel(&format!(
            "  Account:  {account}\n{more}  Session: 01a2\n  Weekly limit: 1% left (resets 13:46 on 25 Nov)"
        ));
        let reading = reading(&text);
        (reading.email, reading.plan, reading.workspace_id)
    };
    for (account, email, plan) in [
        (
            "alice@example.com (Enterprise (Automation))",
            ALICE,
            Some("Enterprise (Automation)"),
        ),
        ("alice@example.com", ALICE, None),
        ("alice@example.com (Pro 200", ALICE, None),
        ("alice@exam…", None, None),
        (
            "Enterprise (Automation)",
            None,
            Some("Enterprise (Automation)"),
        ),
        ("Pro 200", None, Some("Pro 200")),
        ("ChatGPT", None, None),
        ("<none>", None, None),
        (
            "API key configured (run codex login to use ChatGPT)",
            None,
            None,
        ),
        (
            "alice\n      @example.com\n      (Academic Researchers\n      Plus)",
            ALICE,
            Some("Academic Researchers Plus"),
        ),
    ] {
        let (read_email, read_plan, _) = whose(account, "");
        assert_eq!(
            (read_email.as_deref(), read_plan.as_deref()),
            (email, plan),
            "{account}"
        );
    }
    let id = WORKSPACE.expect("an id");
    for (workspace, expected) in [
        (format!("Acme Corp (EU) ({id})"), WORKSPACE),
        (id.to_owned(), WORKSPACE),
        ("Acme Corp (EU)".to_owned(), None),
        ("Acme".to_owned(), None),
        ("Acme Corp (1111-".to_owned(), None),
        ("1111-…".to_owned(), None),
    ] {
        let (_, _, read) = whose("Plus", &format!("  ChatGPT workspace: {workspace}\n"));
        assert_eq!(read.as_deref(), expected, "{workspace}");
    }
}

#[test]
fn no_text_takes_long() {
    for part in [
        "(",
        "\u{1b}[",
        "\u{1b}]0;",
        "a: (",
        "5h limit:\n",
        "Limits: (\n",
        "\u{1b}[1;2H",
        "Account: a\n",
        "a: b\n",
        "\n\na: b\n",
        "Session: b\n",
        "a limit:\n5h limit: 1\n",
        ">_ OpenAI Codex\n",
    ] {
        for headers in ["", ">_ OpenAI Codex\n"] {
            let text = headers.to_owned() + &part.repeat(200_000 / part.len());
            let started = std::time::Instant::now();
            let _ = read_then(&text);
            assert!(started.elapsed().as_secs() < 10, "{part:?}");
        }
    }
}

/// A way to print a weekly row.
#[derive(Clone, Debug)]
struct Form {
    clock: &'static str,
    share: &'static str,
    dated: bool,
    boxed: bool,
    breaks: Vec<bool>,
    ends: &'static str,
}

impl Form {
    fn print(&self, reset_at: Stamp, today: bool, left: u8) -> String {
        let wall_clock = reset_at.wall_clock();
        let clock = wall_clock.format(self.clock);
        let reset = if today && !self.dated {
            clock.to_string()
        } else {
            format!("{clock} on {}", wall_clock.format("%-d %b"))
        };
        let number = if self.share == "used" {
            100 - left
        } else {
            left
        };
        let share = self.share;
        let value = format!("[█████████████░░░░░░░] {number}% {share} (resets {reset})");
        let mut rows = vec![
            ">_ OpenAI Codex (v0.169.0)".to_owned(),
            String::new(),
            "Account:      alice@example.com (Plus)".to_owned(),
        ];
        let mut row = "Weekly limit:".to_owned();
        for (at, word) in value.split(' ').enumerate() {
            if self.breaks.get(at).is_some_and(|at| *at) {
                rows.push(std::mem::replace(&mut row, " ".repeat(14)));
            }
            row = format!("{row} {word}");
        }
        rows.push(row);
        let inside: Vec<String> = rows
            .iter()
            .map(|row| {
                if self.boxed {
                    format!("│ {row:<90} │")
                } else {
                    format!("  {row}")
                }
            })
            .collect();
        inside.join(self.ends) + self.ends
    }
}

fn any_form() -> impl Strategy<Value = Form> {
    (
        prop::sample::select(vec!["%H:%M", "%-I:%M %p"]),
        prop::sample::select(vec!["left", "used"]),
        any::<[bool; 2]>(),
        prop::collection::vec(any::<bool>(), 8),
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
    )
        .prop_map(|(clock, share, [dated, boxed], breaks, ends)| Form {
            clock,
            share,
            dated,
            boxed,
            breaks,
            ends,
        })
}

fn mutated() -> impl Strategy<Value = String> {
    let changes = prop::collection::vec(
        (any::<prop::sample::Index>(), any::<u8>(), any::<char>()),
        0..12,
    );
    (prop::sample::select(PANELS.to_vec()), changes).prop_map(|(panel, changes)| {
        let mut chars: Vec<char> = panel.1.chars().collect();
        for (at, what, with) in changes {
            let at = at.index(chars.len().max(1)).min(chars.len());
            match what % 5 {
                0 => chars.insert(at, with),
                1 => chars.truncate(at),
                2 => {
                    chars.drain(..at);
                }
                3 => chars.insert(at, '\n'),
                _ => {
                    chars.remove(at.min(chars.len().saturating_sub(1)));
                }
            }
            if chars.is_empty() {
                chars.push(with);
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), pattern in "(\u{1b}\\[[0-9;]{0,4}[A-Za-z]|Weekly limit: |Account: |>_ OpenAI Codex|[0-9]{1,3}% (left|used)|\\(resets |[0-9]{1,2}:[0-9]{2}| on |29 Feb|\\)|[\r\n │])*") {
        let _ = read_then(&text);
        let _ = read_then(&pattern);
    }

    #[test]
    fn what_is_read_off_damaged_panels_is_in_range(text in mutated(), seconds in 0_i64..4_000_000_000, year in any::<Option<i32>>()) {
        let zone = berlin();
        let now = Stamp::from_unix(seconds, &zone).expect("in range");
        let _ = read(&text, now, &zone, year);
        if let Ok(reading) = read(&text, now, &zone, None) {
            let ahead = reading.reset_at.expect("a reset").since(now);
            prop_assert!(-TimeDelta::minutes(5) <= ahead && ahead <= TimeDelta::days(8));
            prop_assert!(reading.quota_percent_left.is_none_or(|percent| percent <= 100));
        }
    }

    /// Instants from 1972 (whole-minute offsets from then on) to 2090, every zone.
    #[test]
    fn a_printed_reset_reads_back_to_the_minute(
        seconds in 63_072_000_i64..3_786_912_000,
        ahead in 0_i64..8 * 86_400,
        soon in any::<bool>(),
        left in 0_u8..=100,
        tz in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
        form in any_form(),
    ) {
        let zone = Zone::named(tz.name()).expect("a zone");
        let now = Stamp::from_unix(seconds, &zone).expect("in range");
        let ahead = if soon { ahead % 86_400 } else { ahead };
        let reset_at = now.plus(TimeDelta::seconds(ahead), &zone);
        let minute = Stamp::from_unix(reset_at.unix() - reset_at.unix().rem_euclid(60), &zone).expect("in range");
        let day = TimeDelta::days(1);
        let offset = |stamp: Stamp| stamp.wall_clock().and_utc().timestamp() - stamp.unix();
        // Near a change of the offset a wall clock may happen twice.
        prop_assume!(offset(minute.plus(-day, &zone)) == offset(minute.plus(day, &zone)));
        let text = form.print(minute, minute.date() == now.date(), left);
        let reading = read(&text, now, &zone, None);
        prop_assert!(reading.is_ok(), "{:?} of\n{}", reading, text);
        let reading = reading.expect("checked");
        prop_assert_eq!(reading.reset_at, Some(minute), "{}", text);
        prop_assert_eq!(reading.quota_percent_left, Some(left));
        prop_assert_eq!(reading.email.as_deref(), ALICE);
        prop_assert_eq!(reading.plan.as_deref(), Some("Plus"));
    }
}
