//! `status`: what the text of a status panel says, from a file, standard input or a command; nothing is written.

use serde_json::json;

use crate::common::{Env, Person, Ran};
use crate::worlds::{has_keys, json_error};

const ALICE: &str = "\
account  alice@example.com (plus)
window   2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30, running
left     66%
resets   2026-04-21T15:55:00+05:30 (in 2d 0h)
also     5h limit: 88% left, resets 2026-04-19T17:40:00+05:30 (in 2h 10m)
archive  2026-04-14-155500-alice@example.com-codex.tar.gz
";

fn panel() -> String {
    Person::named("alice").panel(66, "15:55 on 21 Apr")
}

#[test]
fn from_a_file_from_standard_input_and_nothing_is_written() {
    let env = Env::new();
    env.write("panel.txt", &panel());
    for flag in [&[][..], &["--quiet"], &["--verbose"]] {
        env.run(&[&["status", "--input-file", "panel.txt"], flag].concat())
            .code(0)
            .stdout(ALICE)
            .stderr("");
        env.run_with_input(&[&["status", "--input-file", "-"], flag].concat(), &panel())
            .code(0)
            .stdout(ALICE)
            .stderr("");
    }
    assert_eq!(env.files(""), ["panel.txt"]);
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let env = Env::new();
    let document = env
        .run_with_input(&["status", "--input-file", "-", "--json"], &panel())
        .code(0)
        .stderr("")
        .json();
    has_keys(
        &document,
        &[
            "email",
            "account_id",
            "plan_type",
            "reset_at",
            "session_start_at",
            "window_state",
            "quota_percent_left",
            "quota_text",
            "limits",
            "status_source",
            "archive_name",
            "observed_at",
        ],
        &[],
    );
    assert_eq!(
        document,
        json!({
            "email": "alice@example.com",
            "account_id": null,
            "plan_type": "plus",
            "reset_at": "2026-04-21T15:55:00+05:30",
            "session_start_at": "2026-04-14T15:55:00+05:30",
            "window_state": "running",
            "quota_percent_left": 66,
            "quota_text": "[█████████████░░░░░░░] 66% left (resets 15:55 on 21 Apr)",
            "limits": [
                {
                    "name": "Weekly limit",
                    "window_minutes": 10080,
                    "percent_left": 66,
                    "reset_at": "2026-04-21T15:55:00+05:30",
                },
                {
                    "name": "5h limit",
                    "window_minutes": 300,
                    "percent_left": 88,
                    "reset_at": "2026-04-19T17:40:00+05:30",
                },
            ],
            "status_source": "status-file",
            "archive_name": "2026-04-14-155500-alice@example.com-codex.tar.gz",
            "observed_at": "2026-04-19T15:30:00+05:30",
        })
    );
    let document = env
        .run_with_input(
            &["status", "--input-file", "-", "--json"],
            " Weekly limit: 66% left (resets 10:00 on 21 Apr)\n",
        )
        .code(0)
        .json();
    for key in ["email", "account_id", "plan_type", "archive_name"] {
        assert_eq!(document[key], json!(null), "{key}");
    }
}

#[test]
fn what_the_window_is_doing() {
    let env = Env::new();
    let alice = Person::named("alice");
    for (panel, window, left) in [
        (
            alice.panel(100, "15:29 on 26 Apr"),
            "2026-04-19T15:29:00+05:30 to 2026-04-26T15:29:00+05:30, not started",
            "100%",
        ),
        (
            alice.panel(100, "15:27 on 26 Apr"),
            "2026-04-19T15:27:00+05:30 to 2026-04-26T15:27:00+05:30, running",
            "100%",
        ),
        (
            alice.panel(0, "15:27"),
            "2026-04-12T15:27:00+05:30 to 2026-04-19T15:27:00+05:30, over",
            "0%",
        ),
        (
            alice.panel(7, "03:55 PM on 21 Apr"),
            "2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30, running",
            "7%",
        ),
    ] {
        let ran = env
            .run_with_input(&["status", "--input-file", "-"], &panel)
            .code(0)
            .stderr("");
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(lines[1], format!("window   {window}"));
        assert_eq!(lines[2], format!("left     {left}"));
    }
}

#[test]
fn colours_carriage_returns_boxes_and_wrapped_rows_are_read() {
    let env = Env::new();
    let expected = "\
account  not named
window   2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30, running
left     66%
resets   2026-04-21T15:55:00+05:30 (in 2d 0h)
";
    for text in [
        "\x1b[31m│ Weekly limit: 34% used (resets 3:55 PM on 21 Apr) │\x1b[0m\r\n",
        "│  Weekly limit:   [████░░░░] 66% left   │\n│                  (resets 15:55 on 21   │\n│                  Apr)                  │\n",
    ] {
        env.run_with_input(&["status", "--input-file", "-"], text)
            .code(0)
            .stdout(expected)
            .stderr("");
    }
}

#[test]
fn the_zone_and_the_year_can_be_said() {
    let env = Env::new();
    let window = |args: &[&str]| {
        let ran = env
            .run_with_input(&[&["status", "--input-file", "-"], args].concat(), &panel())
            .code(0);
        ran.stdout.lines().nth(1).expect("a window").to_owned()
    };
    assert_eq!(
        window(&["--timezone", "America/New_York"]),
        "window   2026-04-14T15:55:00-04:00 to 2026-04-21T15:55:00-04:00, running"
    );
    assert_eq!(
        window(&["--reference-year", "2027"]),
        "window   2027-04-14T15:55:00+05:30 to 2027-04-21T15:55:00+05:30, running"
    );
    // A week of elapsed time is an hour less on the wall where summer time begins within it.
    let ran = env
        .run_with_input(
            &[
                "status",
                "--input-file",
                "-",
                "--timezone",
                "Europe/Berlin",
                "--now",
                "2026-03-26T12:00:00+01:00",
            ],
            &Person::named("alice").panel(50, "12:00 on 30 Mar"),
        )
        .code(0);
    assert_eq!(
        ran.stdout.lines().nth(1),
        Some("window   2026-03-23T11:00:00+01:00 to 2026-03-30T12:00:00+02:00, running")
    );
}

#[test]
fn a_tz_that_is_no_zone_is_told_of_and_times_are_in_utc() {
    let panel = panel();
    let told = |tz: &str, more: &[&str]| {
        let env = Env::new().in_zone(tz);
        let args = [&["status", "--input-file", "-"], more].concat();
        env.run_with_input(&args, &panel).code(0)
    };
    let starts = |ran: &Ran, start: &str| {
        assert!(
            ran.stdout.contains(&format!("\nwindow   {start} to ")),
            "{}",
            ran.stdout
        );
    };
    let warning = "warning: TZ is `Europe/Berln`, which is no time zone: times are in UTC\n";
    starts(
        &told("Europe/Berln", &[]).stderr(warning),
        "2026-04-14T15:55:00+00:00",
    );
    told("Europe/Berln", &["--json"])
        .stderr("{\"warning\":{\"message\":\"TZ is `Europe/Berln`, which is no time zone: times are in UTC\"}}\n");
    let said = told("Europe/Berln", &["--timezone", "Europe/Berlin"]).stderr("");
    starts(&said, "2026-04-14T15:55:00+02:00");
    told("Europe/Berln", &["--short"]).stderr("");
    starts(
        &told("<+0330>-3:30", &[]).stderr(""),
        "2026-04-14T15:55:00+03:30",
    );
    // Every command that has to do with times says so; nothing else does.
    let env = Env::new().in_zone("Europe/Berln");
    let recommend = env.run(&["recommend"]).code(10);
    assert!(
        recommend.stderr.starts_with(warning),
        "{}",
        recommend.stderr
    );
    for args in [
        &["config", "list"][..],
        &["man", "use"],
        &["completions", "bash"],
    ] {
        env.run(args).code(0).stderr("");
    }
}

#[test]
fn without_a_weekly_window_the_reason_is_told_and_no_time_made_up() {
    let env = Env::new();
    for (text, reason) in [
        ("", "the text is empty"),
        (" \r\n\x1b[0m\n", "the text is empty"),
        ("hello\n", "there is no status panel in the text"),
        (
            " Account: a@example.com (Plus)\n Weekly limit: 66% left\n",
            "the weekly limit shows no reset time",
        ),
        (
            " Weekly limit: 66% left (resets soon)\n",
            "the weekly limit's reset, `soon`, is no time",
        ),
        (
            " Weekly limit: 66% left (resets 10:00 on 31 Feb)\n",
            "the weekly limit's reset, `10:00 on 31 Feb`, is no date of that year",
        ),
        (
            " Weekly limit: 66% left (resets 10:00 on 2",
            "the weekly limit's reset time is cut off; take the panel at 100 columns or more",
        ),
        (
            " Weekly limit: 66% left (resets 15:55 on 12 Apr)\n",
            "the weekly limit's reset, `15:55 on 12 apr`, is past or more than 8 days after 2026-04-19 15:30: the text is stale or from another time; run /status anew",
        ),
        (
            " Weekly limit: 66% left (resets 15:55 on 12 May)\n",
            "the weekly limit's reset, `15:55 on 12 may`, is past or more than 8 days after 2026-04-19 15:30: the text is stale or from another time; run /status anew",
        ),
        (
            " Account: API key configured\n",
            "the login is an API key; only a ChatGPT account has a weekly limit",
        ),
        (
            " 5h limit: 66% left (resets 10:00)\n",
            "it shows only the 5h limit",
        ),
        (
            " Limits: not available for this account\n",
            "codex says \"not available for this account\"",
        ),
        (
            " Limits: data not available yet\n",
            "codex says \"data not available yet\"",
        ),
    ] {
        let ran = env
            .run_with_input(&["status", "--input-file", "-"], text)
            .code(14)
            .stdout("");
        let (error, hint) = ran.stderr.split_once('\n').expect("two lines");
        assert_eq!(
            error.to_ascii_lowercase(),
            format!("error: no live status in standard input: {reason}").to_ascii_lowercase()
        );
        assert!(
            hint.starts_with("hint: ") && hint.lines().count() == 1,
            "{hint}"
        );
    }
    env.write("panel.txt", "hello\n");
    let ran = env
        .run(&["status", "--input-file", "panel.txt", "--json"])
        .code(14)
        .stdout("");
    let (kind, message, _) = json_error(&ran);
    assert_eq!(
        (kind.as_str(), message.as_str()),
        (
            "no-status",
            "no live status in `panel.txt`: there is no status panel in the text"
        )
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let env = Env::new();
    env.run(&["status", "--input-file", "nowhere.txt"])
        .code(1)
        .stdout("")
        .stderr("error: cannot read the status text `nowhere.txt`: no such file or directory\nhint: check the path for a typing mistake\n");
    #[cfg(unix)]
    env.run(&["status", "--input-file", "."]).code(1).stdout("").stderr(
        "error: cannot read the status text `.`: is a directory\nhint: name a file, not a directory\n",
    );
}

#[test]
fn without_a_login_or_a_codex_there_is_no_status() {
    let env = Env::new();
    env.run(&["status"]).code(14).stdout("").stderr(
        "error: nobody is signed in: `~/.codex/auth.json` does not exist\n\
         hint: sign in with `codex login`; if Codex keeps logins in the system's keyring, set `cli_auth_credentials_store = \"file\"` in its config.toml\n",
    );
    env.codex_home(&Person::named("alice"));
    env.run(&["status"])
        .code(14)
        .stdout("")
        .stderr("error: codex is not installed: there is no `codex` on PATH\nhint: install Codex, or say where it is with `--codex-command` or `codex-manager config set codex_command PATH`\n");
    env.write(".codex/auth.json", r#"{"OPENAI_API_KEY":"sk-made-up"}"#);
    env.run(&["status"]).code(14).stdout("").stderr(
        "error: the login is an API key, which has no weekly window\n\
         hint: sign in with a ChatGPT account: `codex login`\n",
    );
}

#[cfg(unix)]
#[test]
fn from_a_command_and_what_it_may_do_wrong() {
    let env = Env::new();
    env.write("panel.txt", &panel());
    env.run(&["status", "--status-command", "cat panel.txt"])
        .code(0)
        .stdout(ALICE)
        .stderr("");
    let document = env
        .run(&["status", "--status-command", "cat panel.txt", "--json"])
        .code(0)
        .json();
    assert_eq!(document["status_source"], "status-command");
    env.run(&["status", "--status-command", "exit 3"])
        .code(14)
        .stdout("")
        .stderr(
            "error: the status command ended with exit code 3\nhint: run it by hand to see why\n",
        );
    let ran = env
        .run(&["status", "--status-command", "echo hi"])
        .code(14)
        .stdout("");
    assert_eq!(
        ran.stderr.lines().next(),
        Some(
            "error: no live status in the status command's output: there is no status panel in the text"
        )
    );
    env.write(
        ".codex-manager/config.toml",
        "[status]\ncommand = \"cat panel.txt\"\ntimeout_seconds = 1\n",
    );
    env.run(&["status"]).code(0).stdout(ALICE).stderr("");
    env.run(&["status", "--status-command", "sleep 60"])
        .code(14)
        .stdout("")
        .stderr("error: the status command took longer than 1 s and was ended\nhint: run it by hand to see why, or raise the setting `status.timeout_seconds`\n");
    // A file that is named beats the setting.
    env.write("empty.txt", "");
    env.run(&["status", "--input-file", "empty.txt"]).code(14);
}

#[test]
fn two_sources_and_odd_years_are_usage_errors() {
    let env = Env::new();
    env.run(&["status", "--status-command", "a", "--input-file", "b"])
        .code(2)
        .stdout("")
        .stderr(
            "error: the argument '--status-command <COMMAND>' cannot be used with '--input-file <FILE>'\n\n\
             Usage: codex-manager status --status-command <COMMAND>\n\nFor more information, try '--help'.\n",
        );
    env.run(&["status", "--reference-year", "1969"])
        .code(2)
        .stdout("")
        .stderr(
            "error: invalid value '1969' for '--reference-year <YEAR>': 1969 is not in 1970..=9998\n\nFor more information, try '--help'.\n",
        );
}
