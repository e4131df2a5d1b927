//! What the real Python codex-manager writes, we read, and what we write, it restores.
//!
//! The peers are its releases 1.0.0 (the last with the flat layout) and 23.0.0 (the split one), from PyPI, installed
//! below `target/peers` by the first test that needs them. Not for how damaged or hostile archives are refused: no
//! release of it makes those.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use chrono::{
    DateTime, Datelike, FixedOffset, Months, NaiveDate, Offset, TimeDelta, TimeZone, Utc,
};
use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::worlds::has_keys;

/// A release of the Python codex-manager that is installed.
struct Peer {
    python: PathBuf,
    packages: PathBuf,
}

/// The last release with the flat layout. Even it cannot start without an S3 client.
fn flat() -> Option<&'static Peer> {
    static PEER: OnceLock<Result<Peer, String>> = OnceLock::new();
    usable(PEER.get_or_init(|| Peer::install("1.0.0", &["boto3>=1.28.0"])))
}

/// None, said on stderr, where the machine cannot have the peer; a gate must not pass that way.
fn usable(peer: &'static Result<Peer, String>) -> Option<&'static Peer> {
    match peer {
        Ok(peer) => Some(peer),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not compared with the Python codex-manager: {why}");
            None
        }
    }
}

impl Peer {
    fn install(version: &str, needs: &[&str]) -> Result<Self, String> {
        // By its own word: behind the name on PATH may be a shim that needs the whole environment.
        let mut which = Command::new("python3");
        which.args(["-c", "import pip, sys; print(sys.executable)"]);
        let python = PathBuf::from(answer(&mut which)?.trim());
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
        let packages = peers.join(format!("codex-manager-{version}"));
        if !packages.exists() {
            fs::create_dir_all(&peers).map_err(|error| error.to_string())?;
            // Renamed when whole: a broken install is never taken for one.
            let coming = tempfile::tempdir_in(&peers).map_err(|error| error.to_string())?;
            let itself = format!("codex-manager=={version}");
            // What it needs for clouds is large, and not needed here.
            for wanted in [&["--no-deps", &itself], needs] {
                let mut pip = Command::new(&python);
                pip.args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .arg("--target")
                .arg(coming.path())
                .args(wanted);
                answer(&mut pip)?;
            }
            // Another process may have been faster; then its install is as good.
            let renamed = fs::rename(coming.path(), &packages);
            if !packages.exists() {
                return Err(format!("cannot keep what was installed: {renamed:?}"));
            }
        }
        Ok(Self { python, packages })
    }

    /// Runs it in this world, with nothing of the machine but the interpreter. What it says on stdout, HOME as `~`.
    fn run(&self, env: &Env, zone: &str, args: &[&str]) -> String {
        let mut command = Command::new(&self.python);
        command
            .args(["-S", "-c", "from codex_manager.cli import main; main()"])
            .args(args)
            .current_dir(env.home())
            .env_clear()
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONIOENCODING", "utf-8")
            .env("HOME", env.home())
            .env("CODEXMGR_HOME", env.path(".codexmgr"))
            .env("TZ", zone);
        answer(&mut command)
            .unwrap_or_else(|why| panic!("{why}"))
            .replace(&env.home().display().to_string(), "~")
    }
}

/// Stdout of a command that must succeed; else what it was and what it said.
fn answer(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    Err(format!(
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A zone by its IANA name, and by its rules of 2026 as POSIX writes them: Python takes an unknown name for UTC, and
/// not every machine has the files that know them.
struct Place {
    name: &'static str,
    posix: &'static str,
    has_dst: bool,
}

const PLACES: [Place; 3] = [
    Place {
        name: "Asia/Kolkata",
        posix: "IST-5:30",
        has_dst: false,
    },
    Place {
        name: "UTC",
        posix: "UTC0",
        has_dst: false,
    },
    Place {
        name: "America/New_York",
        posix: "EST5EDT,M3.2.0,M11.1.0",
        has_dst: true,
    },
];

impl Place {
    /// The offset in force then, as chrono-tz has it: neither tool's own reckoning.
    fn offset_at(&self, seconds: i64) -> FixedOffset {
        let zone = chrono_tz::Tz::from_str(self.name).expect("a zone");
        let then = DateTime::<Utc>::from_timestamp(seconds, 0).expect("in range");
        zone.offset_from_utc_datetime(&then.naive_utc()).fix()
    }
}

fn shown(seconds: i64, offset: FixedOffset) -> DateTime<FixedOffset> {
    DateTime::<Utc>::from_timestamp(seconds, 0)
        .expect("in range")
        .with_timezone(&offset)
}

/// SplitMix64: the same files on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: i64) -> i64 {
        (self.next() % u64::try_from(end).expect("positive")).cast_signed()
    }

    fn within(&mut self, from: &str, hours: i64) -> i64 {
        let from = DateTime::parse_from_rfc3339(from).expect("a time");
        from.timestamp() + self.below(hours * 3600)
    }

    /// Seconds of an mtime in 2026 or at its ends, half of them where offsets or years change.
    fn mtime(&mut self) -> i64 {
        let day = 24;
        match self.below(20) {
            // The week before, and after, New York's changes of 2026.
            0..3 => self.within("2026-02-28T00:00:00Z", 10 * day),
            3..6 => self.within("2026-10-24T00:00:00Z", 10 * day),
            // A session that ended in the hours after them.
            6 => self.within("2026-03-08T06:00:00Z", 5),
            7 => self.within("2026-11-01T04:00:00Z", 5),
            // One that started in the last hour of a day, or the first, less than a week before them.
            8 => self.within("2026-03-02T06:00:00Z", 2) + self.below(6) * 86_400,
            9 => self.within("2026-10-26T05:00:00Z", 2) + self.below(6) * 86_400,
            // Windows across New Year, and the first of the year.
            10..13 => self.within("2026-12-20T00:00:00Z", 12 * day),
            13 => self.within("2026-01-01T00:00:00Z", 3 * day),
            _ => self.within("2026-01-01T00:00:00Z", 360 * day),
        }
    }
}

const FILES: usize = 300;

/// Fills `~/legacy` with files as people name them in this place. Four of five are named by their own window.
fn random_legacy_files(env: &Env, place: &Place) {
    let mut random = Random(20_260_421);
    let next_day = |mtime: i64| {
        let next = mtime - 7200 + 7 * 86_400;
        shown(next, place.offset_at(next)).date_naive()
    };
    for number in 0..FILES {
        let mtime = random.mtime();
        // Whose login was renewed long ago tells nothing of a lost mtime.
        let mut refreshed = random.within("2025-02-01T00:00:00Z", 24 * 300);
        let mut named = next_day(mtime);
        match random.below(20) {
            0 => {
                refreshed = random.within("2026-02-01T00:00:00Z", 24 * 300);
                named = next_day(refreshed);
            }
            1 => named += TimeDelta::days(1),
            2 => named -= TimeDelta::days(1),
            3 => named = named + Months::new(2) - TimeDelta::days(random.below(300)),
            _ => {}
        }
        let month = named.format("%b").to_string();
        let month = match random.below(3) {
            0 => month.to_lowercase(),
            1 => month.to_uppercase(),
            _ => month,
        };
        let day = match random.below(2) {
            0 => format!("{}", named.day()),
            _ => format!("{:02}", named.day()),
        };
        let names = [
            "ann",
            "first.last+tag",
            "under_score",
            "Mixed.Case",
            "o'neil",
        ];
        let name = names[random.below(5).unsigned_abs() as usize];
        let ending = ["auth.json", "Auth.JSON"][usize::from(random.below(10) == 0)];
        let person = Person {
            last_refresh: shown(refreshed, FixedOffset::east_opt(0).expect("UTC"))
                .format("%Y-%m-%dT%H:%M:%S.%9fZ")
                .to_string(),
            ..Person::named(&format!("{name}{number}"))
        };
        let file = format!("{day}{month}_{}_{ending}", person.email);
        let path = env.write(&format!("legacy/{file}"), &person.auth_json());
        let nanos = u32::try_from(random.below(1_000_000_000)).expect("below a second");
        let seconds = u64::try_from(mtime).expect("after 1970");
        fs::File::options()
            .write(true)
            .open(path)
            .and_then(|file| {
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos))
            })
            .expect("sets");
    }
}

fn by_file(records: &Value) -> BTreeMap<String, Value> {
    let records = records.as_array().expect("records");
    let named = |record: &Value| text(record, "legacy_auth_filename").to_owned();
    records.iter().map(|r| (named(r), r.clone())).collect()
}

#[track_caller]
fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key}: {record}"))
}

fn unix(record: &Value, key: &str) -> i64 {
    DateTime::parse_from_rfc3339(text(record, key))
        .expect("a time")
        .timestamp()
}

/// The three fields that hang on how a start is shown: `[archive name, status, details]`, from the times of the record
/// when its start is shown under the first offset and its end under the second.
fn shown_fields(record: &Value, offsets: [FixedOffset; 2]) -> [String; 3] {
    let start = shown(unix(record, "session_start_at"), offsets[0]);
    let next = shown(unix(record, "next_available_at"), offsets[1]).date_naive();
    let token = text(record, "legacy_quota_day_token");
    let named = NaiveDate::parse_from_str(&format!("{token}2026"), "%d%b%Y").expect("a day");
    let (status, details) = if named == next {
        (
            "ok",
            "Legacy quota-day token matches computed next availability date.".to_owned(),
        )
    } else {
        (
            "mismatch",
            format!(
                "Legacy quota-day token does not match computed next availability date: expected {named}, got {next}."
            ),
        )
    };
    [
        format!(
            "{}-{}-codex.tar.gz",
            start.format("%Y-%m-%d-%H%M%S"),
            text(record, "email")
        ),
        status.to_owned(),
        details,
    ]
}

const SHOWN_FIELDS: [&str; 3] = [
    "proposed_archive_name",
    "validation_status",
    "validation_details",
];

/// The fields of a record of 1.0.0: all of them.
const SHARED: &[&str] = &[
    "email",
    "legacy_auth_filename",
    "legacy_quota_day_token",
    "quota_end_detected_at",
    "session_start_at",
    "next_available_at",
    "inferred_session_duration_seconds",
    "proposed_archive_name",
    "validation_status",
    "validation_details",
    "source_path",
];

/// What two readings of the same files had of each kind.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    names_differ: usize,
    validations_differ: usize,
    lost_mtimes: usize,
}

/// Compares one file's records. The one difference there may be: 1.0.0 shows the start and the end of a window under
/// the offset of the file's mtime, also where a change of offsets lies between.
fn compare(place: &Place, theirs: &Value, ours: &Value, tally: &mut Tally) {
    has_keys(theirs, SHARED, &[]);
    for key in SHARED.iter().filter(|key| !SHOWN_FIELDS.contains(key)) {
        assert_eq!(ours[*key], theirs[*key], "{key} of {theirs}");
    }
    let [of_mtime, of_start, of_next] = [
        "quota_end_detected_at",
        "session_start_at",
        "next_available_at",
    ]
    .map(|key| place.offset_at(unix(ours, key)));
    let [name, status, details] = SHOWN_FIELDS.map(|key| text(theirs, key));
    let [our_name, our_status, our_details] = SHOWN_FIELDS.map(|key| text(ours, key));
    let (our_details, lost_mtime) = our_details
        .find(" The credential's last_refresh")
        .map_or((our_details, ""), |end| our_details.split_at(end));

    assert_eq!(
        [name, status, details],
        shown_fields(ours, [of_mtime; 2]),
        "{theirs}"
    );
    assert_eq!(
        [our_name, our_status, our_details],
        shown_fields(ours, [of_start, of_next]),
        "{ours}"
    );
    if our_name != name {
        assert_ne!(of_mtime, of_start, "{ours}");
        tally.names_differ += 1;
    }
    if [our_status, our_details] != [status, details] {
        assert_ne!(of_mtime, of_next, "{ours}");
        tally.validations_differ += 1;
    }
    tally.ok += usize::from(status == "ok");
    tally.lost_mtimes += usize::from(!lost_mtime.is_empty());
}

/// Both tools read the same files, for as many hours a session.
fn read_by_both(peer: &Peer, env: &Env, place: &Place, hours: &str) -> (Value, Value) {
    let source = env.path("legacy");
    let source = source.to_str().expect("a name");
    let inventory = format!("ours-{hours}.json");
    let theirs = peer.run(
        env,
        place.posix,
        &[
            "normalize",
            "--source-dir",
            source,
            "--reference-year",
            "2026",
            "--session-duration-hours",
            hours,
        ],
    );
    let ours = env
        .run(&[
            "normalize",
            "--source-dir",
            source,
            "--reference-year",
            "2026",
            "--session-duration-hours",
            hours,
            "--inventory-path",
            &inventory,
            "--json",
        ])
        .code(0)
        .json();
    assert_eq!(ours["skipped"], json!([]));
    (
        serde_json::from_str(&theirs).expect("JSON"),
        ours["records"].clone(),
    )
}

fn normalizes_alike(place: &Place) {
    let Some(peer) = flat() else { return };
    let env = Env::new().in_zone(place.name);
    random_legacy_files(&env, place);
    for hours in ["2", "1.7321"] {
        let (theirs, ours) = read_by_both(peer, &env, place, hours);
        let order = |records: &Value| -> Vec<String> {
            let records = records.as_array().expect("records");
            records
                .iter()
                .map(|record| text(record, "legacy_auth_filename").to_owned())
                .collect()
        };
        assert_eq!(order(&ours), order(&theirs));
        let (theirs, ours) = (by_file(&theirs), by_file(&ours));
        assert_eq!((theirs.len(), ours.len()), (FILES, FILES));
        let mut tally = Tally::default();
        for (file, theirs) in &theirs {
            compare(place, theirs, &ours[file], &mut tally);
        }
        // The files reach what they are there to reach.
        assert!((200..280).contains(&tally.ok), "{hours}: {tally:?}");
        assert!((5..30).contains(&tally.lost_mtimes), "{hours}: {tally:?}");
        let differ = [tally.names_differ, tally.validations_differ];
        if place.has_dst {
            assert!(differ.iter().all(|count| *count >= 3), "{hours}: {tally:?}");
        } else {
            assert_eq!(differ, [0, 0], "{hours}");
        }
    }
}

#[test]
fn random_legacy_files_mean_the_same_in_kolkata() {
    normalizes_alike(&PLACES[0]);
}

#[test]
fn random_legacy_files_mean_the_same_in_utc() {
    normalizes_alike(&PLACES[1]);
}

#[test]
fn random_legacy_files_differ_in_new_york_only_where_its_offset_changes() {
    normalizes_alike(&PLACES[2]);
}
