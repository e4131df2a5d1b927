//! Session files of every version, in homes made for each test.

use std::time::Duration;

use super::*;

/// Of `fixtures/rollouts`.
fn fixture(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rollouts");
    fs::read_to_string(dir.join(name)).expect(name)
}

fn utc() -> Zone {
    Zone::named("UTC").expect("a zone")
}

fn stamp(text: &str) -> Stamp {
    Stamp::parse(text).expect(text)
}

/// A Codex home with session files.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, content: &str, mtime: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(&path, content).expect("writes");
        let since = u64::try_from(stamp(mtime).unix()).expect("after 1970");
        let file = File::options().write(true).open(&path).expect("opens");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(since))
            .expect("sets");
        path
    }

    fn found_at(&self, now: &str) -> Found {
        newest(self.0.path(), stamp(now), &utc(), &mut |_| true)
    }

    fn hint(&self) -> Option<Hint> {
        let found = self.found_at("2026-04-14T13:00:00Z");
        assert_eq!(found.warnings, [""; 0]);
        found.hint
    }
}

/// A line of rate limits with so much of the week used.
fn line(at: &str, used: u8) -> String {
    format!(
        "{{\"timestamp\":\"{at}\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":null,\
         \"rate_limits\":{{\"primary\":{{\"used_percent\":{used},\"window_minutes\":10080,\"resets_at\":1776772800}}}}}}}}\n"
    )
}

fn meta(at: &str) -> String {
    format!(
        "{{\"timestamp\":\"{at}\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"x\",\"timestamp\":\"{at}\"}}}}\n"
    )
}

/// How much of the week the hint has left.
fn left(hint: Option<Hint>) -> Option<u8> {
    hint?.limits.reading(Vec::new()).quota_percent_left
}

fn hint_of_fixture(name: &str) -> Option<Hint> {
    let home = Home::new();
    home.write(
        "sessions/2026/04/14/rollout-2026-04-14T11-59-00-x.jsonl",
        &fixture(name),
        "2026-04-14T13:00:00Z",
    );
    home.hint()
}

#[test]
fn every_version_gives_the_same_hint() {
    for name in [
        "0.40.jsonl",
        "0.45.jsonl",
        "0.53.jsonl",
        "0.77.jsonl",
        "0.118.jsonl",
        "0.169.jsonl",
    ] {
        let hint = hint_of_fixture(name).expect(name);
        assert_eq!(hint.observed_at, stamp("2026-04-14T12:00:00Z"), "{name}");
        assert_eq!(
            hint.session_started_at,
            Some(stamp("2026-04-14T11:59:00Z")),
            "{name}"
        );
        let reading = hint.limits.clone().reading(Vec::new());
        assert_eq!(reading.quota_percent_left, Some(66), "{name}");
        assert_eq!(reading.limits.len(), 2, "{name}");
        // 0.40 names no reset.
        let reset = (name != "0.40.jsonl").then(|| stamp("2026-04-21T12:00:00Z"));
        assert_eq!(reading.reset_at, reset, "{name}");
        let is_named = name == "0.169.jsonl";
        assert_eq!(
            hint.creator.user_id.as_deref(),
            is_named.then_some("user-alice"),
            "{name}"
        );
        assert_eq!(
            hint.creator.account_id.as_deref(),
            is_named.then_some("ws-alice"),
            "{name}"
        );
    }
}

#[test]
fn a_reached_limit_is_a_hint() {
    assert_eq!(left(hint_of_fixture("0.169-limit-reached.jsonl")), Some(0));
}

#[test]
fn what_a_fork_copied_is_none_and_what_it_added_is_one() {
    assert_eq!(hint_of_fixture("0.132-fork-copied.jsonl"), None);
    let hint = hint_of_fixture("0.132-fork.jsonl").expect("its own");
    assert_eq!(hint.observed_at, stamp("2026-04-14T12:31:04Z"));
    // One running Codex may have begun both.
    assert_eq!(hint.session_started_at, Some(stamp("2026-04-13T08:00:00Z")));
    assert_eq!(left(Some(hint)), Some(66));
}

#[test]
fn a_copy_is_known_without_a_name_for_it_too() {
    let marked = fixture("0.132-fork.jsonl");
    let unmarked = marked.replace(
        ",\"forked_from_id\":\"01a2b3c4-0000-7000-8000-000000000099\"",
        "",
    );
    assert_ne!(marked, unmarked);
    let copied: String = unmarked.split_inclusive('\n').take(5).collect();
    for (content, expected) in [(copied, None), (unmarked, Some(66))] {
        let home = Home::new();
        home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T13:00:00Z");
        assert_eq!(left(home.hint()), expected);
    }
}

#[test]
fn an_agents_session_that_names_no_parents_beginning_has_none() {
    let agent = "{\"timestamp\":\"2026-04-14T11:00:00Z\",\"type\":\"session_meta\",\"payload\":{\"id\":\"x\",\
                 \"timestamp\":\"2026-04-14T11:00:00Z\",\"source\":{\"subagent\":\"review\"}CREATOR}}\n";
    for (creator, expected) in [
        ("", None),
        (
            ",\"creator_user_id\":\"user-alice\"",
            Some(stamp("2026-04-14T11:00:00Z")),
        ),
    ] {
        let home = Home::new();
        let content = agent.replace("CREATOR", creator) + &line("2026-04-14T11:00:09Z", 10);
        home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T13:00:00Z");
        assert_eq!(home.hint().expect("one").session_started_at, expected);
    }
}

#[test]
fn the_lines_own_time_counts_to_the_fraction() {
    let home = Home::new();
    for (name, at, used, mtime) in [
        ("a", "2026-04-14T12:00:00.200Z", 20, "2026-04-14T12:59:00Z"),
        // Another spelling of the newest instant, in a file written earlier.
        (
            "b",
            "2026-04-14T17:30:00.900+05:30",
            90,
            "2026-04-14T12:10:00Z",
        ),
        ("c", "2026-04-14T12:00:00.500Z", 50, "2026-04-14T12:30:00Z"),
    ] {
        let content = meta("2026-04-14T11:00:00Z") + &line(at, used);
        home.write(
            &format!("sessions/2026/04/14/rollout-{name}.jsonl"),
            &content,
            mtime,
        );
    }
    assert_eq!(left(home.hint()), Some(10));
}

#[test]
fn a_resumed_session_below_an_old_date_and_an_archived_one_are_found() {
    let home = Home::new();
    let content = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T11:30:00Z", 30);
    home.write(
        "sessions/2026/04/14/rollout-a.jsonl",
        &content,
        "2026-04-14T11:30:00Z",
    );
    let resumed = meta("2026-01-02T11:00:00Z") + &line("2026-04-14T12:30:00Z", 40);
    home.write(
        "sessions/2026/01/02/rollout-b.jsonl",
        &resumed,
        "2026-04-14T12:30:00Z",
    );
    let hint = home.hint().expect("one");
    assert_eq!(hint.path, home.path("sessions/2026/01/02/rollout-b.jsonl"));
    assert_eq!(hint.session_started_at, Some(stamp("2026-01-02T11:00:00Z")));
    let archived = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:45:00Z", 50);
    home.write(
        "archived_sessions/rollout-c.jsonl",
        &archived,
        "2026-04-14T12:45:00Z",
    );
    assert_eq!(left(home.hint()), Some(50));
}

#[test]
fn a_file_written_before_the_newest_line_is_not_opened() {
    let home = Home::new();
    let content = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:00:00Z", 30);
    home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:00:00Z");
    // Its line cannot be true: nobody looks at it.
    let lying = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:30:00Z", 40);
    home.write("sessions/rollout-b.jsonl", &lying, "2026-04-14T11:54:59Z");
    assert_eq!(left(home.hint()), Some(70));
    // Within the slack of clocks it is.
    home.write("sessions/rollout-b.jsonl", &lying, "2026-04-14T11:55:00Z");
    assert_eq!(left(home.hint()), Some(60));
}

#[test]
fn a_line_after_now_is_passed_over() {
    let home = Home::new();
    let content = meta("2026-04-14T11:00:00Z")
        + &line("2026-04-14T12:00:00Z", 30)
        + &line("2026-04-14T12:35:01Z", 40);
    home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:35:01Z");
    let left_at = |now| left(home.found_at(now).hint);
    assert_eq!(left_at("2026-04-14T12:30:00Z"), Some(70));
    assert_eq!(left_at("2026-04-14T12:30:01Z"), Some(60));
}

#[test]
fn a_partial_last_line_and_damaged_ones_are_passed_over() {
    let home = Home::new();
    let whole = line("2026-04-14T12:00:00Z", 30);
    let half = line("2026-04-14T12:10:00Z", 40);
    let damaged = "{\"timestamp\":\"never\",\"type\":\"event_msg\",\"payload\":{\"type\":\"token_count\"}}\n\
                   not \"token_count\" at all\n\u{fffd}\0\n";
    let content = meta("2026-04-14T11:00:00Z") + &whole + damaged + &half[..half.len() / 2];
    home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:35:01Z");
    assert_eq!(left(home.hint()), Some(70));
    // A whole one that lacks only its line's end counts.
    let content = meta("2026-04-14T11:00:00Z") + &whole + half.trim_end();
    home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:35:01Z");
    assert_eq!(left(home.hint()), Some(60));
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_rest_goes_on() {
    let home = Home::new();
    let content = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:00:00Z", 30);
    home.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:00:00Z");
    home.write("archived_sessions", "a file", "2026-04-14T12:00:00Z");
    let found = home.found_at("2026-04-14T13:00:00Z");
    assert_eq!(left(found.hint), Some(70));
    assert_eq!(
        found.warnings,
        [format!(
            "`{}` is not looked into: it is no directory of its own",
            home.path("archived_sessions").display()
        )]
    );
}

#[test]
fn a_compressed_file_is_told_only_while_its_window_may_run() {
    let home = Home::new();
    let content = meta("2026-03-14T11:00:00Z") + &line("2026-03-14T12:00:00Z", 30);
    home.write("sessions/rollout-a.jsonl", &content, "2026-03-14T12:00:00Z");
    home.write("sessions/rollout-b.jsonl.zst", "", "2026-04-07T13:00:00Z");
    assert_eq!(left(home.hint()), Some(70));
    let recent = home.write("sessions/rollout-c.jsonl.zst", "", "2026-04-07T13:00:01Z");
    let told = [format!(
        "`{}` is not looked into: it is compressed",
        recent.display()
    )];
    assert_eq!(home.found_at("2026-04-14T13:00:00Z").warnings, told);
    // While Codex exchanges the two, the plain one counts.
    home.write("sessions/rollout-c.jsonl", &content, "2026-04-07T13:00:01Z");
    assert_eq!(home.found_at("2026-04-14T13:00:00Z").warnings, [""; 0]);
}

#[test]
fn other_files_and_no_files_hold_no_hint() {
    let home = Home::new();
    assert_eq!(home.hint(), None);
    let content = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:00:00Z", 30);
    for name in ["notes.jsonl", "rollout-a.json", "rollout-a.jsonl.bak"] {
        home.write(
            &format!("sessions/{name}"),
            &content,
            "2026-04-14T12:00:00Z",
        );
    }
    home.write("rollout-a.jsonl", &content, "2026-04-14T12:00:00Z");
    assert_eq!(home.hint(), None);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let elsewhere = Home::new();
    let content = meta("2026-04-14T11:00:00Z") + &line("2026-04-14T12:00:00Z", 30);
    let file = elsewhere.write("sessions/rollout-a.jsonl", &content, "2026-04-14T12:00:00Z");
    let home = Home::new();
    fs::create_dir(home.path("sessions")).expect("makes");
    std::os::unix::fs::symlink(&file, home.path("sessions/rollout-a.jsonl")).expect("links");
    std::os::unix::fs::symlink(elsewhere.path("sessions"), home.path("sessions/2026"))
        .expect("links");
    assert_eq!(home.hint(), None);
    std::os::unix::fs::symlink(elsewhere.path("sessions"), home.path("archived_sessions"))
        .expect("links");
    let found = home.found_at("2026-04-14T13:00:00Z");
    assert_eq!((found.hint, found.warnings.len()), (None, 1));
}

#[test]
fn the_newest_that_is_believed_counts() {
    let home = Home::new();
    for (name, at, used) in [
        ("a", "2026-04-14T12:00:00Z", 20),
        ("b", "2026-04-14T12:10:00Z", 30),
        ("c", "2026-04-14T12:20:00Z", 40),
    ] {
        let content = meta("2026-04-14T11:00:00Z") + &line(at, used);
        home.write(&format!("sessions/rollout-{name}.jsonl"), &content, at);
    }
    let mut asked = Vec::new();
    let now = stamp("2026-04-14T13:00:00Z");
    let found = newest(home.0.path(), now, &utc(), &mut |hint| {
        asked.push(hint.observed_at.table_form());
        !hint.path.ends_with("rollout-c.jsonl")
    });
    assert_eq!(left(found.hint), Some(70));
    assert_eq!(asked, ["2026-04-14 12:20", "2026-04-14 12:10"]);
}
