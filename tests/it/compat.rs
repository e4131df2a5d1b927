//! What the real Python codex-manager writes, we read, and what we write, it restores.
//!
//! The peers are its releases 1.0.0 (the flat layout) and 23.0.0 (the split one), from PyPI, installed
//! below `target/peers` by the first test that needs them. Not for how damaged or hostile archives are refused: no
//! release of it makes those.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use chrono::{
    DateTime, Datelike, FixedOffset, Months, NaiveDate, Offset, TimeDelta, TimeZone, Utc,
};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::worlds::{has_keys, legacy};

/// A release of the Python codex-manager that is installed.
struct Peer {
    python: PathBuf,
    packages: PathBuf,
}

/// The release with the flat layout. Even it cannot start without an S3 client.
fn flat() -> Option<&'static Peer> {
    static PEER: OnceLock<Result<Peer, String>> = OnceLock::new();
    usable(PEER.get_or_init(|| Peer::install("1.0.0", &["boto3>=1.28.0"])))
}

/// The release with the split layout. What it imports before it looks at its arguments comes with it.
fn split() -> Option<&'static Peer> {
    static PEER: OnceLock<Result<Peer, String>> = OnceLock::new();
    let needs = ["rich>=13.0.0", "boto3>=1.28.0", "requests"];
    usable(PEER.get_or_init(|| Peer::install("23.0.0", &needs)))
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
        // By its own word: behind the name on PATH may be a shim that needs the whole environment. Without that filter
        // in the interpreter's tarfile neither release can restore.
        let asked = "import pip, sys, tarfile; tarfile.data_filter; print(sys.executable)";
        let mut which = Command::new("python3");
        which.args(["-c", asked]);
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

/// What stands before the number and the `@` of an email.
const NAMES: [&str; 5] = [
    "ann",
    "first.last+tag",
    "under_score",
    "Mixed.Case",
    "o'neil",
];

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
        let name = NAMES[usize::try_from(random.below(5)).expect("an index")];
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

#[test]
fn an_inventory_of_the_flat_release_is_read_and_taken_over() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    for (name, day, mtime) in [
        ("alice", "21apr", "2026-04-14T17:55:00+05:30"),
        ("bob", "02MAY", "2026-04-16T09:30:15+05:30"),
    ] {
        let person = Person::named(name);
        let file = format!("{day}_{}_auth.json", person.email);
        legacy(&env, &file, &person.auth_json(), mtime);
    }
    let source = env.path("legacy");
    let source = source.to_str().expect("a name");
    let theirs = peer.run(&env, "IST-5:30", &["normalize", "--source-dir", source]);
    let theirs = by_file(&serde_json::from_str(&theirs).expect("JSON"));
    assert_eq!(env.files(".codexmgr"), ["inventory.json"]);

    // Nothing but their inventory is left to tell of bob; ours finds it in the older manager home by itself.
    fs::remove_file(env.path("legacy/02MAY_bob@example.com_auth.json")).expect("removes");
    let accounts = env.run(&["cooldown", "--json"]).code(0).stderr("").json();
    let seen: Vec<Value> = accounts["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|account| {
            let keys = [
                "email",
                "session_start_at",
                "next_available_at",
                "source",
                "validation_status",
            ];
            keys.iter().map(|key| account[*key].clone()).collect()
        })
        .collect();
    assert_eq!(
        seen,
        [
            json!([
                "alice@example.com",
                "2026-04-14T15:55:00+05:30",
                "2026-04-21T15:55:00+05:30",
                "legacy",
                "ok",
            ]),
            json!([
                "bob@example.com",
                "2026-04-16T07:30:15+05:30",
                "2026-04-23T07:30:15+05:30",
                "legacy",
                "mismatch",
            ]),
        ]
    );

    env.run(&["normalize", "--source-dir", source, "--quiet"])
        .code(0)
        .stderr("");
    let inventory: Value =
        serde_json::from_str(&env.read(".codexmgr/inventory.json")).expect("JSON");
    let mut ours = by_file(&inventory["records"]);
    assert_eq!(ours.len(), 2, "{inventory}");
    for (file, theirs) in &theirs {
        let ours = ours.get_mut(file).expect("kept");
        let below_home = text(ours, "source_path").replace(&env.home().display().to_string(), "~");
        ours["source_path"] = below_home.into();
        for key in SHARED {
            assert_eq!(ours[*key], theirs[*key], "{key} of {file}");
        }
    }
    let state = |file: &str| ours[file]["source_state"].clone();
    assert_eq!(
        [
            "21apr_alice@example.com_auth.json",
            "02MAY_bob@example.com_auth.json"
        ]
        .map(state),
        ["present", "gone"]
    );
}

/// What stands at a path: bytes (of a link `-> target`), whether the owner may run it, and when it was written, in
/// whole seconds. Other bits of modes are not the same in both tools' archives, nor times of links.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    content: Vec<u8>,
    is_executable: bool,
    written: i64,
}

type Tree = BTreeMap<String, Standing>;

/// Every file and link below a directory of HOME.
fn tree(env: &Env, below: &str) -> Tree {
    let top = env.path(below);
    let mut tree = Tree::new();
    let mut open = vec![top.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("lists") {
            let path = entry.expect("lists").path();
            let meta = fs::symlink_metadata(&path).expect("stands");
            let (content, is_link) = if meta.is_dir() {
                open.push(path);
                continue;
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).expect("a link");
                (format!("-> {}", target.display()).into_bytes(), true)
            } else if meta.is_file() {
                (fs::read(&path).expect("reads"), false)
            } else {
                (b"neither file nor link".to_vec(), true)
            };
            let name = path.strip_prefix(&top).expect("below");
            tree.insert(
                name.to_str().expect("UTF-8").to_owned(),
                Standing {
                    content,
                    is_executable: !is_link && meta.mode() & 0o100 != 0,
                    written: if is_link { 0 } else { meta.mtime() },
                },
            );
        }
    }
    tree
}

/// `tree` without what stands at or below these paths.
fn without(mut tree: Tree, paths: &[&str]) -> Tree {
    tree.retain(|name, _| {
        let is_at = |path: &&str| {
            name.strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !paths.iter().any(is_at)
    });
    tree
}

#[track_caller]
fn assert_same(found: &Tree, wanted: &Tree) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(wanted));
    for (name, standing) in found {
        assert_eq!(standing, &wanted[name], "{name}");
    }
}

/// The names and links in an archive, as they stand there.
fn entries(archive: &Path) -> BTreeMap<String, Option<String>> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(fs::File::open(archive).expect("opens")));
    tar.entries()
        .expect("reads")
        .map(|entry| {
            let entry = entry.expect("reads");
            let name = entry.path().expect("a name").display().to_string();
            let target = entry.link_name().expect("a target");
            (name, target.map(|target| target.display().to_string()))
        })
        .collect()
}

/// Paths of [`codex_home`] that Codex makes anew: in archives of the Python tool, but never put back.
const MADE_ANEW: &[&str] = &[
    "app-server-control",
    "auth.lock",
    "packages",
    "tmp",
    "version.json",
];

/// Codex's home of this person, with everything that archives have their ways with, links apart.
fn codex_home(env: &Env, person: &Person) {
    env.codex_home(person);
    env.write(".codex/version.json", "{}\n");
    env.write(".codex/rules/default.rules", "allow\n");
    let copy = ".codex/21apr_alice@example.com_auth.json";
    env.write(copy, &person.auth_json());
    env.write(".codex/prompts/release.md", "# Release\n");
    env.write(".codex/skills/mine/run.sh", "#!/bin/sh\n");
    env.write(".codex/memories/empty.md", "");
    // Names that need pax headers, in both senses: no ASCII, and longer than a header has room for.
    env.write(".codex/memories/größe – 大きさ.md", "x\n");
    let deep = format!("{}/{}", "d".repeat(120), "n".repeat(200));
    env.write(&format!(".codex/archived_sessions/{deep}.jsonl"), "{}\n");
    let all_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    fs::write(env.path(".codex/state_5.bytes"), all_bytes).expect("writes");
    let run = env.path(".codex/skills/mine/run.sh");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(run, mode).expect("sets");
    for (below, time) in [
        (".codex/auth.json", "2026-04-14T12:25:00Z"),
        (".codex/history.jsonl", "2025-12-31T23:59:59Z"),
        (".codex/skills/mine/run.sh", "2001-02-03T04:05:06Z"),
    ] {
        env.touch(below, time);
    }
}

const BASE: &str = "2026-04-14-155500-alice@example.com-codex";

/// Arguments of `backup` that both tools understand, with alice's panel.
fn backup(env: &Env) -> [&'static str; 5] {
    env.write(
        "status.txt",
        &Person::named("alice").panel(66, "15:55 on 21 Apr"),
    );
    [
        "backup",
        "--status-file",
        "status.txt",
        "--reference-year",
        "2026",
    ]
}

/// What `list-backups --verify` says of each snapshot, sizes and times of making apart, by its path.
fn listed(env: &Env) -> BTreeMap<String, Value> {
    let document = env
        .run(&["list-backups", "--verify", "--json"])
        .code(0)
        .json();
    let backups = document["backups"].as_array().expect("backups");
    let keys = [
        "email",
        "account_id",
        "session_start_at",
        "reset_at",
        "next_available_at",
        "quota_percent_left",
        "backup_mode",
        "status",
        "verified",
    ];
    backups
        .iter()
        .map(|backup| {
            let said = keys
                .iter()
                .map(|key| ((*key).to_owned(), backup[*key].clone()));
            (
                text(backup, "path").to_owned(),
                Value::Object(said.collect()),
            )
        })
        .collect()
}

fn alices(account_id: Option<&str>, mode: &str) -> Value {
    json!({
        "email": "alice@example.com",
        "account_id": account_id,
        "session_start_at": "2026-04-14T15:55:00+05:30",
        "reset_at": "2026-04-21T15:55:00+05:30",
        "next_available_at": "2026-04-21T15:55:00+05:30",
        "quota_percent_left": 66,
        "backup_mode": mode,
        "status": "open",
        "verified": true,
    })
}

#[test]
fn an_archive_of_the_flat_release_is_listed_and_restored() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    codex_home(&env, &Person::named("alice"));
    peer.run(&env, "IST-5:30", &backup(&env));
    let wanted = without(tree(&env, ".codex"), MADE_ANEW);

    // Its link to the latest archive is no second snapshot.
    let archive = format!(".codexmgr/backups/{BASE}.tar.gz");
    assert_eq!(env.files(".codexmgr/backups").len(), 3);
    assert_eq!(
        listed(&env),
        BTreeMap::from([(format!("~/{archive}"), alices(None, "full"))])
    );
    let restore = |dest: &str| {
        let args = [
            "restore",
            "alice@example.com",
            "--dest-dir",
            dest,
            "--yes",
            "--json",
        ];
        let answer = env.run(&args).code(0).json();
        assert_eq!(answer["email"], "alice@example.com");
        assert_eq!(answer["files"], wanted.len());
        assert_same(&tree(&env, dest), &wanted);
    };
    restore("with-sidecar");
    fs::remove_file(env.path(&format!(".codexmgr/backups/{BASE}.metadata.json"))).expect("removes");
    restore("without-sidecar");
}

/// What it is stands in the sidecar, and in the copy inside; an archive that has lost its name and its sidecar is still
/// no whole home, which would remove the rest of this one.
#[test]
fn an_auth_only_archive_of_the_flat_release_is_a_login_whatever_it_has_lost() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    codex_home(&env, &Person::named("alice"));
    let args: Vec<&str> = backup(&env).into_iter().chain(["--auth-only"]).collect();
    peer.run(&env, "IST-5:30", &args);
    let login = tree(&env, ".codex")["auth.json"].clone();
    let archive = format!(".codexmgr/backups/{BASE}.tar.gz");
    assert!(entries(&env.path(&archive)).contains_key("config.toml"));
    let lost = env.write("lost/found.tar.gz", "");
    fs::copy(env.path(&archive), lost).expect("copies");

    codex_home(&env, &Person::named("bob"));
    env.write(".codex/config.toml", "model = \"bobs\"\n");
    let bobs = tree(&env, ".codex");
    let mut wanted = bobs.clone();
    wanted.insert("auth.json".to_owned(), login);
    let restore = |archive: &str| {
        let args = ["restore", "--from-archive", archive, "--yes", "--json"];
        let answer = env.run(&args).code(0).json();
        assert_eq!(
            [&answer["email"], &answer["files"]],
            [&json!("alice@example.com"), &json!(1)]
        );
        assert_same(&tree(&env, ".codex"), &wanted);
        env.run(&["restore", "--undo", "--yes"]).code(0);
        assert_same(&tree(&env, ".codex"), &bobs);
    };
    restore(&archive);
    fs::remove_file(env.path(&format!(".codexmgr/backups/{BASE}.metadata.json"))).expect("removes");
    restore(&archive);
    restore("lost/found.tar.gz");
}

/// Codex keeps a link to a socket elsewhere in its home; an archive of 1.0.0 with it is one that 1.0.0 itself can no
/// longer restore.
#[test]
fn an_archive_of_the_flat_release_with_links_is_restored_without_those_that_lead_out() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    codex_home(&env, &Person::named("alice"));
    env.write(".codex/app-server-control/app-server.pid", "1\n");
    for (target, link) in [
        (
            "/tmp/codex-1000/app-server.sock",
            "app-server-control/app-server-control.sock",
        ),
        ("prompts/release.md", "AGENTS.md"),
        ("../prompts/release.md", "skills/release.md"),
        ("release.md", "prompts/current.md"),
    ] {
        symlink(target, env.path(&format!(".codex/{link}"))).expect("links");
    }
    let socket = UnixListener::bind(env.path(".codex/ipc.sock")).expect("binds");
    peer.run(&env, "IST-5:30", &backup(&env));
    let archive = env.path(&format!(".codexmgr/backups/{BASE}.tar.gz"));
    let archived = entries(&archive);
    assert_eq!(
        archived["app-server-control/app-server-control.sock"].as_deref(),
        Some("/tmp/codex-1000/app-server.sock")
    );
    assert!(!archived.contains_key("ipc.sock"));
    assert!(archived.contains_key("packages/big"));

    let wanted = without(without(tree(&env, ".codex"), MADE_ANEW), &["ipc.sock"]);
    assert_eq!(
        wanted["skills/release.md"].content,
        b"-> ../prompts/release.md"
    );
    assert_eq!(listed(&env).len(), 1);
    env.run(&["restore", BASE, "--dest-dir", "restored", "--yes"])
        .code(0);
    assert_same(&tree(&env, "restored"), &wanted);
    drop(socket);
}

#[test]
fn our_archive_is_restored_by_the_flat_release() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    codex_home(&env, &Person::named("alice"));
    let wanted = without(tree(&env, ".codex"), MADE_ANEW);
    env.run(&backup(&env)).code(0);
    let backups = ".codex-manager/backups";
    let archive = format!("{backups}/{BASE}.tar.gz");
    let restore = |dest: &str| {
        let args = ["restore", "--from-archive", &archive, "--dest-dir", dest];
        let said = peer.run(&env, "IST-5:30", &args);
        for line in [
            "mode: restored",
            "email: alice@example.com",
            "session_start_at: 2026-04-14T15:55:00+05:30",
            "reset_at: 2026-04-21T15:55:00+05:30",
        ] {
            assert!(said.lines().any(|said| said == line), "{said}");
        }
        assert_same(&tree(&env, dest), &wanted);
    };
    restore("with-sidecar");
    fs::remove_file(env.path(&format!("{backups}/{BASE}.metadata.json"))).expect("removes");
    restore("without-sidecar");
    env.run(&["restore", BASE, "--dest-dir", "by-us", "--yes"])
        .code(0);
    assert_same(&tree(&env, "by-us"), &wanted);
}

const LOGIN_HALF: &str = "auth/alice@example.com/latest.tar.gz";
const SESSION_HALF: &str = "sessions/alice@example.com/backup-2026-04-14-155500-codex.tar.gz";

/// What the login half of 23.0.0 holds of [`codex_home`]: more than the login. Its session half holds the rest.
const LOGIN_SET: &[&str] = &[
    "auth.json",
    "config.toml",
    "installation_id",
    "rules",
    "version.json",
];

/// A world with alice's home in both halves; bob is signed in since, with a home of his own. What stood when the
/// halves were made, and now.
fn split_world() -> Option<(Env, Tree, Tree)> {
    let peer = split()?;
    let env = Env::new();
    codex_home(&env, &Person::named("alice"));
    peer.run(&env, "IST-5:30", &backup(&env));
    let alices = tree(&env, ".codex");
    fs::remove_dir_all(env.path(".codex")).expect("removes");
    env.codex_home(&Person::named("bob"));
    for (below, content) in [
        ("config.toml", "model = \"bobs\"\n"),
        ("installation_id", "bobs\n"),
        ("version.json", "{\"of\": \"bob\"}\n"),
        ("rules/bobs.rules", "deny\n"),
        ("history.jsonl", "{\"text\":\"bobs\"}\n"),
        ("sessions/2026/04/18/rollout-2.jsonl", "{}\n"),
        ("packages/big", "bobs"),
    ] {
        env.write(&format!(".codex/{below}"), content);
    }
    let bobs = tree(&env, ".codex");
    Some((env, alices, bobs))
}

#[test]
fn both_halves_of_the_split_layout_are_listed() {
    let Some((env, ..)) = split_world() else {
        return;
    };
    let backups = "~/.codex-manager/backups";
    assert_eq!(
        listed(&env),
        BTreeMap::from([
            (
                format!("{backups}/{LOGIN_HALF}"),
                alices(Some("ws-alice"), "auth-only")
            ),
            (
                format!("{backups}/{SESSION_HALF}"),
                alices(Some("ws-alice"), "session-only")
            ),
        ])
    );
}

#[test]
fn of_the_login_half_the_login_alone_is_restored() {
    let Some((env, alices, bobs)) = split_world() else {
        return;
    };
    let archive = env.path(".codex-manager/backups").join(LOGIN_HALF);
    let tops: BTreeSet<String> = entries(&archive)
        .into_keys()
        .filter_map(|name| name.split('/').next().map(str::to_owned))
        .filter(|name| !name.ends_with(".metadata.json"))
        .collect();
    assert_eq!(tops.iter().collect::<Vec<_>>(), LOGIN_SET);

    let args = ["restore", "alice@example.com", "--yes", "--json"];
    let answer = env.run(&args).code(0).stderr("").json();
    assert_eq!(
        [&answer["archive"], &answer["files"]],
        [
            &json!(format!("~/.codex-manager/backups/{LOGIN_HALF}")),
            &json!(1)
        ]
    );
    let mut wanted = bobs.clone();
    wanted.insert("auth.json".to_owned(), alices["auth.json"].clone());
    assert_same(&tree(&env, ".codex"), &wanted);
    env.run(&["restore", "--undo", "--yes"]).code(0);
    assert_same(&tree(&env, ".codex"), &bobs);
}

#[test]
fn the_session_half_is_restored_by_path_and_leaves_the_login() {
    let Some((env, alices, bobs)) = split_world() else {
        return;
    };
    env.run(&["restore", SESSION_HALF, "--yes"]).code(0);
    let mut wanted = bobs;
    wanted.extend(without(without(alices, MADE_ANEW), LOGIN_SET));
    assert_same(&tree(&env, ".codex"), &wanted);
}

#[test]
fn the_registry_of_the_split_release_is_read_and_kept() {
    let Some((mut env, ..)) = split_world() else {
        return;
    };
    let registry = ".codex-manager/cooldown.json";
    let theirs = env.read(registry);
    // Without the sidecars, which say the same.
    fs::remove_dir_all(env.path(".codex-manager/backups")).expect("removes");
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    let alice = |env: &Env| {
        let document = env.run(&["cooldown", "--json"]).code(0).stderr("").json();
        let accounts = document["accounts"].as_array().expect("accounts").clone();
        let alice = accounts
            .iter()
            .find(|account| account["email"] == "alice@example.com");
        let alice = alice.expect("known").clone();
        let keys = [
            "session_start_at",
            "next_available_at",
            "quota_percent_left",
            "plan_type",
            "source",
            "status",
        ];
        (accounts.len(), keys.map(|key| alice[key].clone()))
    };
    let known = [
        json!("2026-04-14T15:55:00+05:30"),
        json!("2026-04-21T15:55:00+05:30"),
        json!(66),
        json!("plus"),
        json!("panel"),
        json!("open"),
    ];
    assert_eq!(alice(&env), (1, known.clone()));
    assert_eq!(env.read(registry), theirs);

    let bob = Person::named("bob");
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(40, "09:00 on 23 Apr"));
    env.set_now("2026-04-19T16:00:00+05:30");
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    assert_eq!(env.read(".codex-manager/cooldown.python.json"), theirs);
    let ours: Value = serde_json::from_str(&env.read(registry)).expect("JSON");
    assert_eq!(ours["accounts"].as_array().map(Vec::len), Some(2), "{ours}");
    assert_eq!(alice(&env), (2, known));
}

/// When it could not ask, 23.0.0 writes a window of its own making, a week from that moment, into both sidecars and
/// the registry; the text beside it says so, or at least has no reset in it. It is no evidence.
#[test]
fn a_window_that_the_split_release_made_up_is_no_evidence() {
    let Some(peer) = split() else { return };
    let garbage = "nothing that names a limit\n";
    let no_weekly_row = "  Account:             alice@example.com (Plus)\n";
    for (panel, more, keep_sidecars) in [
        (garbage, None, true),
        (garbage, None, false),
        (garbage, Some("--without-status-check"), true),
        (garbage, Some("--without-status-check"), false),
        (no_weekly_row, None, true),
        (no_weekly_row, None, false),
    ] {
        let env = Env::new();
        codex_home(&env, &Person::named("alice"));
        let mut args = backup(&env).to_vec();
        args.extend(more);
        env.write("status.txt", panel);
        peer.run(&env, "IST-5:30", &args);
        if !keep_sidecars {
            fs::remove_dir_all(env.path(".codex-manager/backups")).expect("removes");
        }
        let document = env.run(&["cooldown", "--json"]).code(0).json();
        let account = &document["accounts"][0];
        assert_eq!(
            ["email", "status", "session_start_at", "next_available_at"].map(|key| &account[key]),
            [
                &json!("alice@example.com"),
                &json!("ready"),
                &Value::Null,
                &Value::Null
            ],
            "{panel:?} {more:?} sidecars: {keep_sidecars}"
        );
    }
}

/// The flat release's exported file, its manager home under a name of its own.
#[test]
fn what_the_flat_release_exported_is_taken_in() {
    let Some(peer) = flat() else { return };
    let env = Env::new();
    for name in ["alice", "bob"] {
        let person = Person::named(name);
        env.codex_home(&person);
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        let backup = [
            "backup",
            "--status-file",
            "status.txt",
            "--reference-year",
            "2026",
        ];
        peer.run(&env, "Asia/Kolkata", &backup);
    }
    peer.run(&env, "Asia/Kolkata", &["profile", "export", "old.tar.gz"]);
    let other = Env::new();
    fs::copy(env.path("old.tar.gz"), other.path("old.tar.gz")).expect("copies");
    other
        .run(&["profile", "import", "old.tar.gz"])
        .code(0)
        .stderr("");
    let theirs = env.tree(".codexmgr/backups").into_iter();
    let theirs: Vec<_> = theirs
        .filter(|(name, _)| !name.contains("-latest-"))
        .collect();
    assert_eq!(other.tree(".codex-manager/backups"), theirs);
    other.run(&["use", "alice@example.com"]).code(0);
    assert_eq!(
        other.read(".codex/auth.json"),
        Person::named("alice").auth_json()
    );
}
