//! Which account to use next, and why. Pure.

use crate::accounts::Row;
use crate::cli::Policy;
use crate::metadata::ValidationStatus;
use crate::observation::Status;
use crate::timeutil::Stamp;

/// The account to use next; None when all are paused.
pub fn choose(rows: &[Row], policy: Policy) -> Option<&Row> {
    rows.iter()
        .filter(|row| !row.paused)
        .min_by(|a, b| rank(a, policy).cmp(&rank(b, policy)))
}

/// Smaller is sooner: usable now, or known when; by policy; what is known of the window before what is not; verified; by
/// name.
pub type Rank<'a> = (
    bool,
    bool,
    Option<Stamp>,
    bool,
    bool,
    Option<Stamp>,
    bool,
    &'a str,
);

/// Where an account stands among those to use next, the first of them first.
pub fn rank(row: &Row, policy: Policy) -> Rank<'_> {
    let mismatch = row.validation_status == ValidationStatus::Mismatch;
    if !row.is_usable() {
        return (
            true,
            row.usable_at.is_none(),
            None,
            false,
            false,
            row.usable_at,
            mismatch,
            row.name(),
        );
    }
    let drains = policy == Policy::Drain && row.status == Status::Open;
    (
        false,
        policy == Policy::Drain && !drains,
        row.next_available_at.filter(|_| drains),
        // The active account is the most recently used of all.
        row.active,
        row.observed_at.is_none(),
        last_used(row),
        mismatch,
        row.name(),
    )
}

/// When the account was last known to be in use: the end of its quota, else the start of its window. None for one whose
/// window has not begun: it has not been used since the last one.
fn last_used(row: &Row) -> Option<Stamp> {
    row.quota_end_detected_at
        .or(row.session_start_at.map(|start| start.0))
}

/// Why `chosen` is the one of `rows`, in a sentence.
pub fn reason(chosen: &Row, rows: &[Row], policy: Policy) -> String {
    if !chosen.is_usable() {
        return match chosen.usable_at {
            Some(at) => format!(
                "No account is usable now; this one is the first to be, in {}, at {at}.",
                chosen.usable_in()
            ),
            None => "No account is usable now, and nobody says when one will be.".to_owned(),
        };
    }
    let usable = rows
        .iter()
        .filter(|row| row.is_usable() && !row.paused)
        .count();
    let state = match chosen.status {
        Status::Open => {
            let left = chosen
                .quota_percent_left
                .map_or("some".to_owned(), |left| format!("{left}%"));
            format!("Its window is open with {left} left")
        }
        _ if chosen.observed_at.is_none() => "Nothing is known against it".to_owned(),
        _ if chosen.next_available_at.is_none() => "No window of it is running".to_owned(),
        _ => "Its last window is over".to_owned(),
    };
    let choice = match (usable, policy, chosen.status) {
        (1, ..) => "it is the only account that is usable now".to_owned(),
        (_, Policy::Drain, Status::Open) => {
            format!("of {usable} usable accounts it resets soonest")
        }
        _ => format!("of {usable} usable accounts it was used least recently"),
    };
    let login = if chosen.has_login {
        ""
    } else {
        "; `use` knows no login of it yet"
    };
    let doubt = match chosen.validation_status {
        ValidationStatus::Ok => "",
        ValidationStatus::Mismatch => {
            ", though the name of its legacy file contradicts the computed window"
        }
    };
    format!("{state}, and {choice}{doubt}{login}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::WindowState;
    use crate::timeutil::SessionStart;

    fn row(name: &str, status: Status, start: &str, next: &str) -> Row {
        let stamp = |text| Stamp::parse(text);
        Row {
            email: Some(name.to_owned()),
            account_id: None,
            alias: None,
            plan_type: None,
            status,
            active: false,
            session_start_at: stamp(start).map(SessionStart),
            next_available_at: stamp(next),
            usable_at: stamp(next),
            remaining_seconds: Some(i64::from(status == Status::Cooldown)),
            quota_end_detected_at: None,
            quota_percent_left: None,
            observed_at: stamp(start),
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

    fn chosen(rows: &[Row], policy: Policy) -> &str {
        choose(rows, policy).expect("one").name()
    }

    #[test]
    fn lru_takes_the_least_recently_used_of_the_usable() {
        let mut rows = vec![
            row(
                "cooling",
                Status::Cooldown,
                "2026-01-01T00:00:00Z",
                "2026-01-08T00:00:00Z",
            ),
            row(
                "recent",
                Status::Ready,
                "2026-01-03T00:00:00Z",
                "2026-01-10T00:00:00Z",
            ),
            row(
                "old",
                Status::Open,
                "2026-01-02T00:00:00Z",
                "2026-01-09T00:00:00Z",
            ),
        ];
        assert_eq!(chosen(&rows, Policy::Lru), "old");
        rows[2].active = true;
        assert_eq!(chosen(&rows, Policy::Lru), "recent");
        rows[1].paused = true;
        assert_eq!(chosen(&rows, Policy::Lru), "old");
    }

    #[test]
    fn drain_takes_the_open_one_that_resets_soonest() {
        let rows = [
            row(
                "ready",
                Status::Ready,
                "2026-01-01T00:00:00Z",
                "2026-01-08T00:00:00Z",
            ),
            row(
                "later",
                Status::Open,
                "2026-01-03T00:00:00Z",
                "2026-01-10T00:00:00Z",
            ),
            row(
                "sooner",
                Status::Open,
                "2026-01-02T00:00:00Z",
                "2026-01-09T00:00:00Z",
            ),
        ];
        assert_eq!(chosen(&rows, Policy::Drain), "sooner");
        assert_eq!(chosen(&rows, Policy::Lru), "ready");
    }

    #[test]
    fn verified_goes_before_mismatch_at_equal_use_and_the_unknown_last() {
        let mut rows = [
            row(
                "a",
                Status::Ready,
                "2026-01-01T00:00:00Z",
                "2026-01-08T00:00:00Z",
            ),
            row(
                "b",
                Status::Ready,
                "2026-01-01T00:00:00Z",
                "2026-01-08T00:00:00Z",
            ),
            row("unknown", Status::Ready, "", ""),
        ];
        rows[0].validation_status = ValidationStatus::Mismatch;
        assert_eq!(chosen(&rows, Policy::Lru), "b");
        assert_eq!(chosen(&rows[2..], Policy::Lru), "unknown");
    }

    #[test]
    fn an_account_without_a_login_is_named_with_a_word_on_that() {
        let (start, next) = ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z");
        let mut rows = [
            row("old", Status::Ready, start, next),
            row("new", Status::Ready, "2026-01-02T00:00:00Z", next),
        ];
        rows[0].has_login = false;
        assert_eq!(chosen(&rows, Policy::Lru), "old");
        assert_eq!(
            reason(&rows[0], &rows, Policy::Lru),
            "Its last window is over, and of 2 usable accounts it was used least recently; `use` knows no login of it yet."
        );
    }

    #[test]
    fn where_nobody_says_when_it_is_the_last() {
        let later = row(
            "later",
            Status::Cooldown,
            "2026-01-03T00:00:00Z",
            "2026-01-10T00:00:00Z",
        );
        let never = row("never", Status::Cooldown, "2026-01-01T00:00:00Z", "");
        let rows = [never, later];
        assert_eq!(chosen(&rows, Policy::Lru), "later");
        assert_eq!(chosen(&rows[..1], Policy::Lru), "never");
        assert_eq!(
            reason(&rows[0], &rows[..1], Policy::Lru),
            "No account is usable now, and nobody says when one will be."
        );
    }

    #[test]
    fn none_usable_is_the_earliest() {
        let rows = [
            row(
                "later",
                Status::Cooldown,
                "2026-01-03T00:00:00Z",
                "2026-01-10T00:00:00Z",
            ),
            row(
                "sooner",
                Status::Cooldown,
                "2026-01-02T00:00:00Z",
                "2026-01-09T00:00:00Z",
            ),
        ];
        assert_eq!(chosen(&rows, Policy::Drain), "sooner");
        assert!(
            reason(&rows[1], &rows, Policy::Lru)
                .starts_with("No account is usable now; this one is the first")
        );
    }
}
