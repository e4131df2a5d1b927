//! Lanes and axis as the rows have them.

use super::*;
use crate::metadata::ValidationStatus;
use crate::timeutil::SessionStart;

const NOW: &str = "2026-04-19T15:30:00+05:30";

fn stamp(text: &str) -> Stamp {
    Stamp::parse(text).expect(text)
}

fn kolkata() -> Zone {
    Zone::named("Asia/Kolkata").expect("a zone")
}

/// An account whose window began then.
fn row(status: Status, start: &str) -> Row {
    let zone = kolkata();
    let start = Stamp::parse(start).map(SessionStart);
    let next = start.map(|start| start.next_available_at(&zone));
    Row {
        email: Some("alice@example.com".to_owned()),
        account_id: None,
        alias: None,
        plan_type: None,
        status,
        active: false,
        session_start_at: start,
        next_available_at: next,
        usable_at: if status == Status::Open {
            start.map(|start| start.0)
        } else {
            next
        },
        remaining_seconds: Some(0),
        quota_end_detected_at: None,
        quota_percent_left: None,
        observed_at: None,
        source: None,
        validation_status: ValidationStatus::Ok,
        limits: Vec::new(),
        archive_name: None,
        window_state: WindowState::Running,
        paused: false,
        user_id: None,
        has_login: true,
    }
}

fn weeks(rows: &[Row]) -> Timeline {
    Timeline::of(rows, stamp(NOW), &kolkata())
}

/// The stretches as words: the times of day on the axis by their clock.
fn told(lane: &Lane) -> Vec<String> {
    let at = |seconds| {
        let at = Stamp::from_unix(seconds, &kolkata()).expect("a time");
        at.wall_clock().format("%d %H:%M").to_string()
    };
    let told = lane
        .spans
        .iter()
        .map(|span| format!("{:?} {} to {}", span.kind, at(span.from), at(span.to)));
    told.collect()
}

#[test]
fn what_is_gone_by_what_holds_back_and_what_is_free() {
    let mut open = row(Status::Open, "2026-04-14T15:55:00+05:30");
    let held = row(Status::Cooldown, "2026-04-16T15:55:00+05:30");
    let over = row(Status::Ready, "2026-04-11T12:00:00+05:30");
    let both = weeks(&[open.clone(), held, over]);
    assert_eq!(
        told(&both.lanes[0]),
        [
            "Past 14 15:55 to 19 15:30",
            "Open 19 15:30 to 21 15:55",
            "Free 21 15:55 to 24 00:00"
        ]
    );
    assert_eq!(
        told(&both.lanes[1]),
        [
            "Past 16 15:55 to 19 15:30",
            "Held 19 15:30 to 23 15:55",
            "Free 23 15:55 to 24 00:00"
        ]
    );
    // The window that is over does not make the axis longer.
    assert_eq!(
        told(&both.lanes[2]),
        ["Past 14 00:00 to 18 12:00", "Free 18 12:00 to 24 00:00"]
    );
    assert!(both.lanes[2].is_cut_before && !both.lanes[2].is_cut_after);
    assert_eq!(
        (both.lanes[2].start, both.lanes[0].is_cut_before),
        (None, false)
    );

    // Held back by a shorter window within the week.
    open.status = Status::Cooldown;
    open.usable_at = Some(stamp("2026-04-19T17:40:00+05:30"));
    assert_eq!(
        told(&weeks(&[open]).lanes[0])[1..3],
        ["Held 19 15:30 to 19 17:40", "Open 19 17:40 to 21 15:55"]
    );
}

#[test]
fn without_a_window_no_time_is_made_up() {
    let mut unknown = row(Status::Ready, "");
    unknown.window_state = WindowState::Unknown;
    let mut fresh = row(Status::Ready, "");
    fresh.window_state = WindowState::Unstarted;
    fresh.usable_at = Some(stamp("2026-04-19T14:00:00+05:30"));
    let mut refused = row(Status::Cooldown, "");
    refused.window_state = WindowState::Unknown;
    let weeks = weeks(&[unknown, fresh, refused]);
    assert_eq!(
        weeks.lanes[0],
        Lane {
            without: Some("no window is known"),
            ..Lane::default()
        }
    );
    assert_eq!(told(&weeks.lanes[1]), ["Free 19 14:00 to 21 00:00"]);
    assert_eq!(weeks.lanes[1].without, Some("no window has begun"));
    // Nobody says until when.
    assert_eq!(told(&weeks.lanes[2]), ["Held 19 15:30 to 21 00:00"]);
    assert!(weeks.lanes[2].is_cut_after);
}

#[test]
fn what_ended_long_ago_or_comes_much_later_is_cut_and_squashes_nothing() {
    let ended = row(Status::Ready, "2025-11-01T12:00:00+05:30");
    let running = row(Status::Open, "2026-04-18T15:55:00+05:30");
    let mut credits = row(Status::Cooldown, "2026-04-14T15:55:00+05:30");
    credits.usable_at = Some(stamp("2026-05-10T15:55:00+05:30"));
    let later = row(Status::Open, "2027-01-01T12:00:00+05:30");
    let weeks = weeks(&[ended, running, credits, later]);
    let date = |place: usize| weeks.axis.days[place].1.to_string();
    assert_eq!(
        (date(0), date(weeks.axis.days.len() - 1)),
        ("2026-04-14".to_owned(), "2026-04-25".to_owned())
    );
    let cuts: Vec<(bool, bool)> = weeks
        .lanes
        .iter()
        .map(|lane| (lane.is_cut_before, lane.is_cut_after))
        .collect();
    assert_eq!(
        cuts,
        [(true, false), (false, false), (false, true), (false, true)]
    );
    assert_eq!(told(&weeks.lanes[0]), ["Free 14 00:00 to 26 00:00"]);
    assert_eq!(told(&weeks.lanes[3]), [""; 0]);
}

#[test]
fn days_are_as_long_as_the_zone_has_them() {
    let berlin = Zone::named("Europe/Berlin").expect("a zone");
    let hours = |now: &str| {
        let now = stamp(now).in_zone(&berlin);
        let axis = Timeline::of(&[row(Status::Open, "")], now, &berlin).axis;
        let begins = axis.days.iter().map(|(begins, _)| begins.unix());
        let ends = begins.clone().skip(1).chain([axis.to()]);
        begins
            .zip(ends)
            .map(|(from, to)| (to - from) / 3600)
            .collect::<Vec<i64>>()
    };
    assert_eq!(hours("2026-03-29T12:00:00Z"), [24, 23, 24]);
    assert_eq!(hours("2026-10-25T12:00:00Z"), [24, 25, 24]);
}

#[test]
fn a_window_of_five_hours_is_a_block_and_an_extra_bucket_is_none() {
    let limit = |name: &str, minutes, left| Limit {
        name: name.to_owned(),
        window_minutes: Some(minutes),
        percent_left: Some(left),
        reset_at: Some(stamp("2026-04-19T18:40:00+05:30")),
    };
    let mut open = row(Status::Open, "2026-04-14T15:55:00+05:30");
    open.limits = vec![
        limit("Weekly limit", 10_080, 40),
        limit("5h limit", 300, 0),
        limit("GPT-5.3-Codex-Spark 5h limit", 300, 0),
    ];
    let to = stamp("2026-04-19T18:40:00+05:30").unix();
    let block = Block {
        from: to - 18_000,
        to,
        is_exhausted: true,
    };
    assert_eq!(weeks(&[open]).lanes[0].blocks, [block]);
}

#[test]
fn a_place_is_a_share_of_the_axis() {
    let axis = weeks(&[row(Status::Open, "2026-04-14T15:55:00+05:30")]).axis;
    let noon = stamp("2026-04-14T12:00:00+05:30").unix();
    let length = u32::try_from(axis.days.len()).expect("some days") * 10;
    assert_eq!(axis.place(noon, length), Some(5.0));
    assert_eq!(axis.place(axis.from() - 1, length), None);
    assert_eq!(axis.place(axis.to(), length), Some(f64::from(length)));
}
