//! The worlds that are struck: small homes of every kind of file, snapshots, and logins of which the freshest stands in one
//! place alone. What they hold is compared before and after.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::json;

use super::scenarios::RESTORE;
use super::tracer::{self, Strike};
use crate::common::{Env, NOW, Person, SECRET};
use crate::scripted::Script;

/// What every refresh token begins with.
const TOKEN: &str = "rt-made-up-secret-";

/// A key of nobody's.
const IDENTITY: &str =
    "AGE-SECRET-KEY-1L6UPZ0CQGZX3T8TDA3USWPTMFDH8SU6YUH8F6WXMUEPH52AK0RRSHEYMMM\n";

/// A world and a copy of how it was before it was struck.
pub struct World {
    pub env: Env,
    pristine: tempfile::TempDir,
    inflated: RefCell<HashMap<blake3::Hash, Vec<u8>>>,
    /// Before which call a restore in it is killed.
    cut: Cell<Option<usize>>,
}

impl World {
    pub fn new(arrange: fn(&Self)) -> Self {
        // In memory, where that can be: a sync then takes no time, and every call is the same.
        let place = Path::new("/dev/shm");
        let in_memory = || tempfile::tempdir_in(place).ok();
        let dir = || in_memory().unwrap_or_else(|| tempfile::tempdir().expect("a directory"));
        let world = Self {
            env: Env::within(dir(), NOW),
            pristine: dir(),
            inflated: RefCell::default(),
            cut: Cell::default(),
        };
        arrange(&world);
        copy(&world.env.home(), world.pristine.path());
        world.cut();
        world
    }

    /// A command in it, which finds a Codex where there is one.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("PATH", self.env.beside_home("scripted"));
        command
    }

    /// All that a command in this world may change.
    pub fn root(&self) -> PathBuf {
        self.env.beside_home("").canonicalize().expect("stands")
    }

    /// As it was when it was made.
    pub fn reset(&self) {
        for dir in [self.env.home(), self.env.beside_home("tmp")] {
            fs::remove_dir_all(&dir).expect("removes");
        }
        fs::create_dir(self.env.beside_home("tmp")).expect("makes");
        copy(
            &self.pristine.path().join("home"),
            &self.env.beside_home(""),
        );
        self.cut();
    }

    /// Alice is signed in, and nothing is kept yet.
    pub fn of_alice(&self) {
        self.live_in("alice", "1");
    }

    /// Alice has a snapshot.
    pub fn backed_up(&self) {
        self.of_alice();
        self.back_up();
    }

    /// Alice went on since.
    pub fn worked_on(&self) {
        self.backed_up();
        self.sign_in("alice", "2");
        self.file(
            ".codex/history.jsonl",
            "{\"text\":\"more of alice's history\"}\n",
        );
    }

    /// Alice's window ended, and the next one began.
    pub fn in_the_next_window(&self) {
        self.worked_on();
        let panel = Person::named("alice").panel(90, "18:20 on 24 Apr");
        self.file("status.txt", &panel);
    }

    /// Alice has snapshots of three windows, of the first of them two.
    pub fn of_three_windows(&self) {
        self.worked_on();
        self.back_up();
        for (resets, history) in [("18:20 on 24 Apr", "second"), ("18:20 on 25 Apr", "third")] {
            self.file(".codex/history.jsonl", history);
            self.file("status.txt", &Person::named("alice").panel(90, resets));
            self.back_up();
        }
    }

    /// Alice's home holds what Codex makes anew.
    pub fn with_state(&self) {
        self.backed_up();
        for path in [
            "log/codex-login.log",
            "log/deep/other.log",
            "models_cache.json",
            "cache/plugins/stays",
            "cache/clone/goes",
        ] {
            self.file(&format!(".codex/{path}"), "text");
        }
        self.database("logs_2.sqlite", "alice");
    }

    /// Alice signed in anew since her login was kept, and there is a Codex to ask about her.
    pub fn with_codex(&self) {
        self.worked_on();
        let account = json!({"type": "chatgpt", "email": "alice@example.com", "planType": "plus"});
        let weekly =
            json!({"usedPercent": 34, "windowDurationMins": 10080, "resetsAt": 1_776_767_100});
        Script::new(
            json!({"account": account, "requiresOpenaiAuth": true}),
            json!({"rateLimits": {"primary": weekly, "secondary": null}}),
        )
        .install(&self.env);
    }

    /// Both have a snapshot. Alice is signed in with a login that nothing keeps, Bob has a fresher one in his profile.
    pub fn switched(&self) {
        self.live_in("bob", "1");
        self.back_up();
        self.live_in("alice", "1");
        self.back_up();
        self.sign_in("alice", "2");
        self.file(".codex-manager/profiles/bob/auth.json", &login("bob", "2"));
    }

    /// What both have was exported. Alice began anew since, with a fresher login and another snapshot of that window.
    pub fn moved(&self) {
        self.file(".codex-manager/identity.txt", IDENTITY);
        self.switched();
        self.env
            .run(&["profile", "export", "moved.age", "--with-backups"])
            .code(0);
        for what in ["backups", "profiles"] {
            fs::remove_dir_all(self.env.path(&format!(".codex-manager/{what}"))).expect("removes");
        }
        fs::remove_file(self.env.path(".codex-manager/cooldown.json")).expect("removes");
        self.sign_in("alice", "3");
        self.back_up();
    }

    /// Bob has a login in his profile, and what is in the home is none.
    pub fn of_nobody(&self) {
        self.switched();
        self.file(".codex/auth.json", "{\"is\": \"nobody's login\"}");
    }

    /// Two logins that were copied by hand.
    pub fn with_legacy_files(&self) {
        for (day, name) in [(21, "alice"), (23, "carol")] {
            let path = format!("legacy/{day}apr_{name}@example.com_auth.json");
            self.file(&path, &login(name, "1"));
        }
    }

    /// Both have a snapshot, and a restore of Bob's was killed before the call that these words tell of.
    pub fn cut_short(&self, words: &str) {
        let other = Self::new(Self::switched);
        let calls = tracer::run(&other.command(RESTORE), &other.root(), Strike::Nowhere).calls;
        let place = calls.iter().position(|call| call.words == words);
        self.switched();
        self.cut.set(Some(place.expect("it is made")));
    }

    /// Kills a restore in it, where that is what it is about. A copy of what is left of one would not do: the journal knows
    /// each file by its inode.
    fn cut(&self) {
        let Some(place) = self.cut.get() else {
            return;
        };
        tracer::run(
            &self.command(RESTORE),
            &self.root(),
            Strike::KillBefore(place),
        );
        let journal = self.env.path(".codex/.codex-manager-restore/journal.json");
        assert!(journal.exists(), "killed elsewhere");
    }

    /// Bob's snapshot was put in the place of Alice's home, and he signed in anew since.
    pub fn restored(&self) {
        self.switched();
        self.env
            .run(&[
                "restore",
                "2026-04-14-155500-bob@example.com-codex",
                "--yes",
            ])
            .code(0);
        self.sign_in("bob", "3");
    }

    pub fn back_up(&self) {
        self.env
            .run(&["backup", "--status-file", "status.txt"])
            .code(0)
            .stderr("");
    }

    pub fn sign_in(&self, name: &str, count: &str) {
        self.file(".codex/auth.json", &login(name, count));
    }

    /// A home of this person's: shared files, files of their own, a database with a log, and what no snapshot holds.
    pub fn live_in(&self, name: &str, count: &str) {
        let _ = fs::remove_dir_all(self.env.path(".codex"));
        self.sign_in(name, count);
        let day = ".codex/sessions/2026/04/14";
        for (path, text) in [
            (".codex/config.toml", format!("model = \"{name}'s\"\n")),
            (
                ".codex/history.jsonl",
                format!("{{\"text\":\"{name}'s history\"}}\n"),
            ),
            (".codex/installation_id", "3f6c\n".to_owned()),
            (
                &format!("{day}/rollout-1.jsonl"),
                format!("{{\"of\":\"{name}\"}}\n"),
            ),
            (&format!("{day}/rollout-{name}.jsonl"), "{}\n".to_owned()),
            (
                &format!(".codex/skills/{name}/SKILL.md"),
                "how\n".to_owned(),
            ),
            (&format!(".codex/{name}.json"), "{}\n".to_owned()),
            (".codex/sessions/stays.lock", String::new()),
            (".codex/tmp/scratch", "x".to_owned()),
        ] {
            self.file(path, &text);
        }
        self.database("state_5.sqlite", name);
        let panel = Person::named(name).panel(66, "15:55 on 21 Apr");
        self.file("status.txt", &panel);
    }

    /// As a killed Codex leaves one.
    fn database(&self, file: &str, name: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        let made = dir.path().join(file);
        let connection = Connection::open(&made).expect("opens");
        connection
            .pragma_update(None, "journal_mode", "wal")
            .expect("sets");
        connection
            .execute_batch(&format!(
                "create table threads (of text); insert into threads values ('{name}')"
            ))
            .expect("writes");
        for suffix in ["", "-wal", "-shm"] {
            let copied = self.env.path(&format!(".codex/{file}{suffix}"));
            fs::copy(dir.path().join(format!("{file}{suffix}")), &copied).expect("copies");
            private(&copied);
        }
    }

    /// A file as a restore leaves one: private, and with a time of whole seconds.
    pub fn file(&self, below: &str, text: &str) {
        let path = self.env.write(below, text);
        private(&path);
        self.env.touch(below, "2026-04-19T15:00:00+05:30");
        let home = self.env.home();
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != home) {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("sets");
        }
    }

    /// A home as it stands.
    pub fn home_tree(&self, home: &str) -> Tree {
        let dir = self.env.path(home);
        let mut tree = Tree::default();
        if dir.exists() {
            tree.walk(&dir, "");
        }
        tree
    }

    /// What no command leaves behind.
    pub fn left_over(&self, home: &str) -> Vec<String> {
        let mut left = Vec::new();
        let backups = Path::new(".codex-manager/backups");
        for place in [home, ".codex-manager", "../tmp"] {
            let (dirs, files) = everything(&self.env.path(place));
            for path in dirs.iter().chain(&files) {
                let shown = Path::new(place).join(path);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let is_ours = [".codex-manager-", ".tmp", ".auth-"];
                if place == "../tmp" || is_ours.iter().any(|ours| name.starts_with(ours)) {
                    left.push(without_random(&shown.display().to_string()));
                }
            }
            for path in dirs {
                let shown = Path::new(place).join(&path);
                let is_empty = !files.iter().any(|file| file.starts_with(&path));
                let is_there_always = path.ends_with("backups") || path.ends_with("profiles");
                if place == ".codex-manager" && is_empty && !is_there_always {
                    left.push(format!(
                        "nothing in {}",
                        without_random(&shown.display().to_string())
                    ));
                }
            }
            for path in files
                .iter()
                .filter(|path| Path::new(place).join(path).starts_with(backups))
            {
                let text = path.to_string_lossy();
                let pair = [(".tar.gz", ".metadata.json"), (".metadata.json", ".tar.gz")];
                for (end, other) in pair {
                    if let Some(base) = text.strip_suffix(end)
                        && !files.contains(Path::new(&format!("{base}{other}")))
                    {
                        left.push(format!("{text} alone"));
                    }
                }
            }
        }
        left.sort();
        left.dedup();
        left
    }

    /// Every login and every archive there is.
    pub fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        let (_, files) = everything(&self.env.home());
        for file in files {
            let path = self.env.home().join(&file);
            let name = file.to_string_lossy().into_owned();
            let bytes = fs::read(&path).expect("reads");
            let is_archive = name.ends_with(".tar.gz");
            if !is_archive && !name.ends_with("auth.json") {
                continue;
            }
            let bytes = if is_archive {
                let hash = blake3::hash(&bytes);
                holdings.archives.insert(hash.to_string());
                let mut inflated = self.inflated.borrow_mut();
                inflated
                    .entry(hash)
                    .or_insert_with(|| inflate(&bytes))
                    .clone()
            } else {
                bytes
            };
            for token in tokens(&bytes) {
                holdings.logins.insert(token.clone());
                if !is_archive && !name.contains(".codex-manager-") {
                    holdings.at_hand.insert(token);
                }
            }
            if is_archive {
                holdings.texts.push(bytes);
            }
        }
        holdings
    }
}

/// What a world has that must not be lost.
#[derive(Default)]
pub struct Holdings {
    /// Refresh tokens, wherever they are.
    logins: BTreeSet<String>,
    /// Those that are signed in or in a profile.
    at_hand: BTreeSet<String>,
    archives: BTreeSet<String>,
    texts: Vec<Vec<u8>>,
}

impl Holdings {
    /// Whether a snapshot holds this text.
    pub fn holds(&self, text: &str) -> bool {
        let holds = |bytes: &Vec<u8>| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        self.texts.iter().any(holds)
    }

    /// The archives that were here before and are not there after.
    pub fn gone_in(&self, after: &Self) -> BTreeSet<String> {
        self.archives.difference(&after.archives).cloned().collect()
    }

    /// What was here before and is not there after, but for the archives that are `meant` to go. The freshest login of each account is also to be at hand, but for one
    /// `told` of which is somewhere else.
    pub fn lost_in(&self, after: &Self, told: &str, meant: &BTreeSet<String>) -> Vec<String> {
        let mut lost: Vec<String> = Vec::new();
        for archive in self.gone_in(after).difference(meant) {
            lost.push(format!("lost: the archive {}", &archive[..8]));
        }
        // Of each account the freshest has the highest number.
        let mut freshest: BTreeMap<&str, &str> = BTreeMap::new();
        for login in &self.logins {
            let (account, count) = login.rsplit_once('-').expect("a number");
            freshest.insert(account, count);
        }
        for (account, count) in freshest {
            let login = format!("{account}-{count}");
            if !after.logins.contains(&login) {
                lost.push(format!("lost: the login {login}"));
            } else if !after.at_hand.contains(&login) && !told.contains("is not kept in a profile")
            {
                lost.push(format!("not at hand: the login {login}"));
            }
        }
        lost
    }
}

/// The login that this person got as the one of that number: each is fresher than the one before.
pub fn login(name: &str, count: &str) -> String {
    let person = Person {
        last_refresh: format!("2026-04-1{count}T12:25:00.431097103Z"),
        ..Person::named(name)
    };
    let token = format!("rt-{SECRET}-user-{name}");
    person
        .auth_json()
        .replace(&token, &format!("{token}-{count}"))
}

pub fn tokens(bytes: &[u8]) -> Vec<String> {
    let starts = memchr::memmem::find_iter(bytes, TOKEN);
    let token = |start: usize| {
        let rest = &bytes[start..];
        let end = rest.iter().position(|byte| *byte == b'"').expect("an end");
        String::from_utf8_lossy(&rest[..end]).into_owned()
    };
    starts.map(token).collect()
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    // What is only half there holds what it holds.
    let _ = flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut inflated);
    inflated
}

pub fn private(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets");
}

/// All of it, with modes and times.
fn copy(from: &Path, into: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(into).status();
    assert!(done.expect("runs").success());
}

/// The directories and the files below a directory.
pub fn everything(dir: &Path) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let (mut dirs, mut files) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(dir.join(&below))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = below.join(entry.file_name());
            if entry.file_type().expect("a type").is_dir() {
                open.push(path.clone());
                dirs.insert(path);
            } else {
                files.insert(path);
            }
        }
    }
    (dirs, files)
}

/// A path without the letters that are others in each run.
pub fn without_random(path: &str) -> String {
    path.split('/')
        .map(|part| match part.strip_prefix(".codex-manager-tmp-") {
            Some(_) => ".codex-manager-tmp-*",
            None => part,
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// A home: each path with its mode, its time and its content. A database is what its tables hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    fn walk(&mut self, dir: &Path, under: &str) {
        for entry in fs::read_dir(dir).expect("lists").flatten() {
            let path = format!("{under}{}", entry.file_name().to_string_lossy());
            let meta = entry.metadata().expect("stands");
            let mode = meta.mode() & 0o7777;
            if meta.is_dir() {
                self.0.insert(path.clone(), format!("{mode:o} directory"));
                self.walk(&entry.path(), &format!("{path}/"));
                continue;
            }
            // Codex's own locks, which whoever writes a login takes.
            if path == "auth.lock" || path == "auth.json.lock" {
                continue;
            }
            if path.ends_with("-wal") || path.ends_with("-shm") || path.ends_with("-journal") {
                continue;
            }
            let is_database = path.ends_with(".sqlite");
            let content = if is_database {
                rows(&entry.path())
            } else {
                String::from_utf8_lossy(&fs::read(entry.path()).expect("reads")).into_owned()
            };
            // A login may be exchanged for another one, a copy of a database is made now.
            let time = if is_database || path == "auth.json" {
                0
            } else {
                meta.mtime()
            };
            self.0.insert(path, format!("{mode:o} {time} {content}"));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of it is in `other` too.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let mut all = self.0.iter();
        all.all(|(path, content)| other.0.get(path) == Some(content))
    }

    /// What at the top of it, or in a directory of which `new` keeps something, is neither there as in `old` nor gone.
    pub fn half_of(&self, old: &Self, new: &Self) -> String {
        let goes = old.0.keys().filter(|path| !new.0.contains_key(*path));
        let mut units: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
        for path in goes {
            let ends = path.match_indices('/').map(|(end, _)| end);
            let mut above = ends.chain([path.len()]).map(|end| &path[..end]);
            let unit = above.find(|unit| !new.0.contains_key(*unit));
            let is_there = self.0.contains_key(path);
            units
                .entry(unit.unwrap_or(path))
                .or_default()
                .insert(is_there);
        }
        let half = units.into_iter().filter(|(_, there)| there.len() > 1);
        half.map(|(unit, _)| unit).collect::<Vec<_>>().join(" ")
    }

    /// But for what is this program's own.
    pub fn without_ours(&self) -> Self {
        let is_ours = |path: &str| path.starts_with(".codex-manager-");
        let tree = self.0.iter().filter(|(path, _)| !is_ours(path));
        Self(
            tree.map(|(path, content)| (path.clone(), content.clone()))
                .collect(),
        )
    }

    /// The paths that differ.
    pub fn difference(&self, other: &Self) -> String {
        let paths: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differ = paths
            .into_iter()
            .filter(|path| self.0.get(*path) != other.0.get(*path));
        differ.cloned().collect::<Vec<_>>().join(" ")
    }
}

/// What a database and its log hold, neither of them touched.
fn rows(database: &Path) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let copied = dir.path().join("copy");
    fs::copy(database, &copied).expect("copies");
    let log = format!("{}-wal", database.display());
    if Path::new(&log).exists() {
        fs::copy(log, dir.path().join("copy-wal")).expect("copies");
    }
    let connection = Connection::open(&copied).expect("opens");
    let asked = connection.query_row("select group_concat(of) from threads", [], |row| {
        row.get::<_, String>(0)
    });
    asked.unwrap_or_else(|error| error.to_string())
}
