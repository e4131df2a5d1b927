//! What is struck in a home: the worlds, the commands, and what may come next.

use super::world::World;

/// A command that is struck.
pub struct Scenario {
    pub name: &'static str,
    /// Makes the world as it is before.
    pub arrange: fn(&World),
    pub args: &'static [&'static str],
    /// The home that it is about, below the person's.
    pub home: &'static str,
    /// Whether the home is in between when it begins: a restore was cut short.
    pub is_between: bool,
    /// A text that is in some snapshot once the command has succeeded.
    pub captured: Option<&'static str>,
    /// What is to go.
    pub removes: Removes,
    /// What may come next; taken in turns.
    pub next: &'static [Next],
}

/// What a command is there to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removes {
    Nothing,
    /// So many snapshots.
    Snapshots(usize),
    /// What stands in the home, each of it by itself: what is struck may have removed some of it.
    OfTheHome,
}

/// The next command.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// One that leaves the home as it is, but for what was cut short.
    Keeping(&'static [&'static str]),
    /// A restore, which is undone after it: then the home is as the restore found it.
    Restore(&'static [&'static str]),
}

const OFFLINE: Next = Next::Keeping(&["backup", "--offline"]);
const FROM_FILE: &[&str] = &["backup", "--status-file", "status.txt"];
pub const BOBS: &str = "2026-04-14-155500-bob@example.com-codex";
pub const RESTORE: &[&str] = &["restore", BOBS, "--yes"];

const USE: &[&str] = &["use", "bob@example.com"];
const SET: &[&str] = &["profile", "set", "bob", "alias=work", "paused=true"];
const IMPORT: &[&str] = &["profile", "import", "moved.age"];
const NORMALIZE: &[&str] = &["normalize", "--source-dir", "legacy", "--write-metadata"];

const PRUNE: &[&str] = &["prune", "--keep-last", "1"];
const CLEAN: &[&str] = &["prune", "--codex-state"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "restore of a whole home, with a login that is fresher than the archive's",
        arrange: World::switched,
        args: RESTORE,
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE, OFFLINE, Next::Restore(RESTORE)],
    },
    Scenario {
        name: "restore without a safety copy",
        arrange: World::switched,
        args: &["restore", BOBS, "--yes", "--no-safety-backup"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "restore of a login",
        arrange: World::switched,
        args: &["restore", "bob@example.com", "--auth-only", "--yes"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "restore of parts",
        arrange: World::switched,
        args: &["restore", BOBS, "--only", "sessions,databases", "--yes"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "restore --undo",
        arrange: World::restored,
        args: &["restore", "--undo", "--yes"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "first restore into a home",
        arrange: World::switched,
        args: &["restore", BOBS, "--yes", "--dest-dir", "below/fresh"],
        home: "below/fresh",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[Next::Restore(&[
            "restore",
            BOBS,
            "--yes",
            "--dest-dir",
            "below/fresh",
        ])],
    },
    Scenario {
        name: "recovery of a restore that was cut short while the old home left",
        arrange: |world| {
            world.cut_short("rename home/.codex/.codex-manager-restore/old/history.jsonl");
        },
        args: &["backup", "--offline"],
        home: ".codex",
        is_between: true,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "recovery of a restore that was cut short while the new home came",
        arrange: |world| world.cut_short("rename home/.codex/skills"),
        args: &["backup", "--offline"],
        home: ".codex",
        is_between: true,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "first backup",
        arrange: World::of_alice,
        args: FROM_FILE,
        home: ".codex",
        is_between: false,
        captured: Some("alice's history"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(FROM_FILE)],
    },
    Scenario {
        name: "backup of the next window",
        arrange: World::in_the_next_window,
        args: FROM_FILE,
        home: ".codex",
        is_between: false,
        captured: Some("more of alice's history"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(FROM_FILE), OFFLINE],
    },
    Scenario {
        name: "backup that supersedes one",
        arrange: World::worked_on,
        args: FROM_FILE,
        home: ".codex",
        is_between: false,
        captured: Some("more of alice's history"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(FROM_FILE), OFFLINE],
    },
    Scenario {
        name: "backup of what is kept already",
        arrange: World::backed_up,
        args: FROM_FILE,
        home: ".codex",
        is_between: false,
        captured: Some("alice's history"),
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "use of another account",
        arrange: World::switched,
        args: USE,
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE, Next::Keeping(USE)],
    },
    Scenario {
        name: "use where nobody can tell whose login is there",
        arrange: World::of_nobody,
        args: USE,
        home: ".codex",
        is_between: false,
        captured: Some("nobody's login"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(USE)],
    },
    Scenario {
        name: "profile set",
        arrange: World::switched,
        args: SET,
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[Next::Keeping(SET), OFFLINE],
    },
    Scenario {
        name: "profile rename",
        arrange: World::switched,
        args: &["profile", "rename", "bob", "robert"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "profile import",
        arrange: World::moved,
        args: IMPORT,
        home: ".codex",
        is_between: false,
        captured: Some("bob's history"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(IMPORT), OFFLINE],
    },
    Scenario {
        name: "profile export",
        arrange: World::moved,
        args: &["profile", "export", "again.age", "--with-backups"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "profile remove",
        arrange: World::switched,
        args: &["profile", "remove", "alice", "--yes"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[OFFLINE],
    },
    Scenario {
        name: "normalize --write-metadata",
        arrange: World::with_legacy_files,
        args: NORMALIZE,
        home: "legacy",
        is_between: false,
        captured: Some("user-carol-1"),
        removes: Removes::Nothing,
        next: &[Next::Keeping(NORMALIZE)],
    },
    Scenario {
        name: "status, which keeps the login",
        arrange: World::with_codex,
        args: &["status"],
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Nothing,
        next: &[Next::Keeping(&["status"])],
    },
    Scenario {
        name: "prune",
        arrange: World::of_three_windows,
        args: PRUNE,
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::Snapshots(3),
        next: &[Next::Keeping(PRUNE)],
    },
    Scenario {
        name: "prune --codex-state",
        arrange: World::with_state,
        args: CLEAN,
        home: ".codex",
        is_between: false,
        captured: None,
        removes: Removes::OfTheHome,
        next: &[Next::Keeping(CLEAN)],
    },
];
