//! Plans against small homes, and the swap stopped at each of its steps.

use super::stage::move_to;
use super::*;
use crate::archive::manifest::Nature;
use crate::archive::reuse::Reuse;
use crate::archive::write::{self, Content, Entry, Frame, How};
use crate::capture;
use crate::codex::home::{KEPT_DIR, STAGE_DIR};
use crate::metadata::Account;

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new(home: &[(&str, &str)]) -> Self {
        let case = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        for (path, content) in home {
            let path = case.home().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(path, content).expect("writes");
        }
        case
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn archive(&self, files: &[(&str, &str)]) -> (PathBuf, Checked) {
        let path = self.dir.path().join("a.tar.gz");
        let entries: Vec<Entry> = files
            .iter()
            .map(|(path, content)| Entry {
                path: (*path).to_owned(),
                content: Content::Bytes(content.as_bytes().to_vec()),
                nature: Nature::Plain,
                executable: false,
                mtime: 1,
                mtime_nanos: 0,
            })
            .collect();
        let mut file = fs::File::create(&path).expect("makes");
        let frame = Frame {
            name: "a.metadata.json",
            description: b"{}",
            manifest_name: "a.manifest.metadata.json",
            account: &Account::default(),
            absent: &[],
            late: None,
        };
        let how = How {
            level: 1,
            threads: 1,
            reuse: &Reuse::default(),
            known: &crate::archive::known::Known::default(),
            told: None,
            progress: &crate::ui::progress::UNTOLD,
        };
        write::write(&mut file, &path, &frame, &entries, &how, &|| false).expect("writes");
        let checked = read::check(&path, read::Maker::Ours, &read::Caps::default(), &|| false)
            .expect("sound");
        (path, checked)
    }

    fn captured(&self) -> HashSet<String> {
        let auth = fs::read(home::auth_path(&self.home())).ok();
        let wanted = capture::Wanted {
            auth_json: auth.as_deref(),
            email: None,
            parts: Parts::ALL,
            include_tmp: false,
            exclude: &[],
            own_dirs: &[],
        };
        capture::plan(&self.home(), &wanted)
            .expect("plans")
            .entries
            .into_iter()
            .map(|entry| entry.path)
            .collect()
    }

    fn plan(&self, checked: &Checked, scope: Scope) -> Plan {
        plan(&self.home(), checked, &self.captured(), scope).expect("plans")
    }

    fn tree(&self) -> BTreeMap<String, String> {
        fn walk(dir: &Path, under: &str, into: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(dir).expect("lists").flatten() {
                let name = format!("{under}{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), into);
                } else {
                    into.insert(name, fs::read_to_string(entry.path()).expect("reads"));
                }
            }
        }
        let mut tree = BTreeMap::new();
        walk(&self.home(), "", &mut tree);
        tree
    }
}

fn scope(parts: Parts) -> Scope {
    Scope {
        parts,
        is_session_half: false,
    }
}

fn tree(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()))
        .collect()
}

const OLD: &[(&str, &str)] = &[
    ("auth.json", "old"),
    ("sessions/1.jsonl", "old"),
    ("sessions/2.jsonl", "old"),
    ("state_5.sqlite", "old"),
    ("state_5.sqlite-wal", "old"),
    ("skills/.system/s", "codex"),
    ("skills/mine/s", "old"),
    ("packages/big", "codex"),
    ("21apr_bob@example.com_auth.json", "bob"),
    ("goals_1.sqlite", "old"),
];

const NEW: &[(&str, &str)] = &[
    ("auth.json", "new"),
    ("sessions/1.jsonl", "new"),
    ("skills/other/s", "new"),
    ("state_5.sqlite", "new"),
    ("21apr_bob@example.com_auth.json", "other bob"),
];

const AFTER: &[(&str, &str)] = &[
    ("auth.json", "new"),
    ("sessions/1.jsonl", "new"),
    ("skills/.system/s", "codex"),
    ("skills/other/s", "new"),
    ("state_5.sqlite", "new"),
    ("packages/big", "codex"),
    ("21apr_bob@example.com_auth.json", "bob"),
];

fn install(
    home: &Path,
    archive: &Path,
    checked: &Checked,
    plan: &Plan,
    stop: &dyn Fn() -> bool,
) -> Result<Installed, NotInstalled> {
    let staged = super::stage(home, archive, checked, plan, &stop);
    staged.map_err(NotInstalled::Unchanged)?.install()
}

fn words(plan: &Plan) -> Vec<String> {
    plan.units
        .iter()
        .map(|unit| format!("{} {}", unit.action.word(), unit.path))
        .collect()
}

#[test]
fn a_full_restore_replaces_what_snapshots_capture_and_nothing_else() {
    let case = Case::new(OLD);
    let (archive, checked) = case.archive(NEW);
    let plan = case.plan(&checked, scope(Parts::ALL));
    assert_eq!(
        words(&plan),
        [
            "replace auth.json",
            "remove goals_1.sqlite",
            "replace sessions",
            "remove skills/mine",
            "add skills/other",
            "replace state_5.sqlite",
            "remove state_5.sqlite-wal",
        ]
    );
    assert_eq!(plan.file_count(&checked), 4);
    install(&case.home(), &archive, &checked, &plan, &|| false).expect("installs");
    assert_eq!(case.tree(), tree(AFTER));
}

#[test]
fn the_login_alone_touches_nothing_else() {
    let case = Case::new(OLD);
    let (archive, checked) = case.archive(NEW);
    let plan = case.plan(&checked, scope(Parts::AUTH));
    assert_eq!(words(&plan), ["replace auth.json"]);
    install(&case.home(), &archive, &checked, &plan, &|| false).expect("installs");
    let mut expected = tree(OLD);
    expected.insert("auth.json".to_owned(), "new".to_owned());
    assert_eq!(case.tree(), expected);
}

#[test]
fn a_session_half_adds_and_replaces_but_removes_nothing_and_keeps_the_login() {
    let case = Case::new(OLD);
    let (archive, checked) = case.archive(&[
        ("sessions/1.jsonl", "new"),
        ("sessions/3.jsonl", "new"),
        ("auth.json", "x"),
    ]);
    let plan = case.plan(
        &checked,
        Scope {
            parts: Parts::ALL,
            is_session_half: true,
        },
    );
    assert_eq!(
        words(&plan),
        ["replace sessions/1.jsonl", "add sessions/3.jsonl"]
    );
    install(&case.home(), &archive, &checked, &plan, &|| false).expect("installs");
    assert_eq!(case.tree()["sessions/2.jsonl"], "old");
    assert_eq!(case.tree()["auth.json"], "old");
}

#[test]
fn a_home_that_does_not_exist_is_made() {
    let case = Case::new(&[]);
    let (archive, checked) = case.archive(NEW);
    let plan = plan(&case.home(), &checked, &HashSet::new(), scope(Parts::ALL)).expect("plans");
    install(&case.home(), &archive, &checked, &plan, &|| false).expect("installs");
    assert_eq!(case.tree(), tree(NEW));
}

/// A restore of `NEW` over `OLD`, staged and journalled, of which nothing has moved yet.
fn journalled() -> (Case, Plan) {
    let case = Case::new(OLD);
    let (archive, checked) = case.archive(NEW);
    let plan = case.plan(&checked, scope(Parts::ALL));
    let home = case.home();
    let stage = Stage::of(&home);
    stage.create().expect("stages");
    let wanted = |path: &str| plan.wants(path);
    read::extract(&archive, &checked, &stage.new_dir(), &wanted, &|| false).expect("stages");
    stage.write_journal(&plan.units).expect("journals");
    (case, plan)
}

/// Every rename of the swap may be the last thing that happens; and then somebody works on in the home.
#[test]
fn a_swap_stopped_anywhere_is_finished_or_undone_and_loses_nothing_done_since() {
    for back in [false, true] {
        for stop_after in 0.. {
            let (case, plan) = journalled();
            let home = case.home();
            let stage = Stage::of(&home);
            let all_moved = swap_partly(&home, &plan.units, stop_after);
            if back {
                stage.roll_back(&plan.units, &[]).expect("rolls back");
                stage.finish().expect("finishes");
                assert_eq!(case.tree(), tree(OLD), "stopped after {stop_after}");
            } else {
                let mut since = case.tree();
                since.retain(|path, _| !path.starts_with(STAGE_DIR));
                for (path, text) in &mut since {
                    if tree(AFTER).get(path) != Some(text) {
                        text.push_str(" and more");
                        fs::write(home.join(path), &*text).expect("writes");
                    }
                }
                let recovered = recover(&home).expect("recovers").expect("was cut short");
                let mut after = case.tree();
                let kept: Vec<String> = after
                    .iter()
                    .filter(|(path, _)| path.starts_with(KEPT_DIR))
                    .map(|(_, text)| text.clone())
                    .collect();
                after.retain(|path, _| !path.starts_with(KEPT_DIR));
                match recovered {
                    Recovered::Dropped(_) => assert_eq!((after, stop_after), (since, 0)),
                    Recovered::Cleared(_) => assert_eq!((after, all_moved), (tree(AFTER), true)),
                    Recovered::Finished(_) => {
                        for (path, text) in &since {
                            let stands = after.get(path) == Some(text);
                            assert!(
                                stands || kept.contains(text),
                                "{path} is lost, stopped after {stop_after}"
                            );
                        }
                        assert_eq!(after, tree(AFTER), "stopped after {stop_after}");
                    }
                }
            }
            assert!(recover(&home).expect("nothing left").is_none());
            if all_moved {
                break;
            }
        }
    }
}

/// What nobody touched since is in the safety copy: it is not kept a second time.
#[cfg(unix)]
#[test]
fn what_still_had_to_leave_and_is_as_it_was_goes_with_the_stage() {
    let (case, plan) = journalled();
    let home = case.home();
    swap_partly(&home, &plan.units, 1);
    let Some(Recovered::Finished(installed)) = recover(&home).expect("recovers") else {
        panic!("not finished");
    };
    assert_eq!((installed.kept, installed.untidy), (vec![], None));
    assert_eq!(case.tree(), tree(AFTER));
}

/// The recovery may be killed as well, and again.
#[test]
fn a_recovery_stopped_anywhere_is_finished_by_the_next() {
    for stop_after in 1.. {
        let mut all_moved = false;
        for then in 0.. {
            let (case, plan) = journalled();
            let home = case.home();
            all_moved = swap_partly(&home, &plan.units, stop_after);
            let is_all = recover_partly(&home, &plan.units, then);
            recover(&home).expect("recovers").expect("was cut short");
            let mut after = case.tree();
            after.retain(|path, _| !path.starts_with(KEPT_DIR));
            assert_eq!(
                after,
                tree(AFTER),
                "stopped after {stop_after}, then after {then}"
            );
            if is_all {
                break;
            }
        }
        if all_moved {
            break;
        }
    }
}

/// The moves of a recovery, `most` of them. True if that was all.
fn recover_partly(home: &Path, units: &[Unit], most: usize) -> bool {
    let (stage, kept) = (home.join(STAGE_DIR), home.join(KEPT_DIR).join("1"));
    let mut moves = Vec::new();
    for unit in units.iter().filter(|unit| unit.action != Action::Add) {
        let has_arrived =
            unit.action == Action::Replace && !stage.join("new").join(&unit.path).exists();
        if !has_arrived && !stage.join("old").join(&unit.path).exists() {
            moves.push((home.join(&unit.path), kept.join(&unit.path)));
        }
    }
    for unit in units.iter().filter(|unit| unit.action != Action::Remove) {
        if stage.join("new").join(&unit.path).exists() {
            moves.push((stage.join("new").join(&unit.path), home.join(&unit.path)));
        }
    }
    for (from, to) in moves.iter().take(most) {
        move_to(from, to).expect("moves");
    }
    most >= moves.len()
}

/// The moves of a swap, `most` of them. True if that was all.
fn swap_partly(home: &Path, units: &[Unit], most: usize) -> bool {
    let stage = home.join(STAGE_DIR);
    let mut moves = Vec::new();
    for unit in units.iter().filter(|unit| unit.action != Action::Add) {
        moves.push((home.join(&unit.path), stage.join("old").join(&unit.path)));
    }
    for unit in units.iter().filter(|unit| unit.action != Action::Remove) {
        moves.push((stage.join("new").join(&unit.path), home.join(&unit.path)));
    }
    for (from, to) in moves.iter().take(most) {
        move_to(from, to).expect("moves");
    }
    most >= moves.len()
}

/// A journal may have been planted: it moves nothing that is not in the home.
#[test]
fn a_journal_that_leads_out_of_the_home_is_refused() {
    for path in [
        "../victim",
        "/victim",
        "a/../../victim",
        "",
        "link/victim",
        "a//b",
    ] {
        let case = Case::new(&[
            ("auth.json", "old"),
            (".codex-manager-restore/new/x", "new"),
        ]);
        fs::write(case.dir.path().join("victim"), "mine").expect("writes");
        #[cfg(unix)]
        std::os::unix::fs::symlink(case.dir.path(), case.home().join("link")).expect("links");
        let journal = format!(r#"[{{"path":"{path}","action":"remove"}}]"#);
        fs::write(case.home().join(STAGE_DIR).join("journal.json"), journal).expect("writes");
        recover(&case.home()).expect_err(path);
        assert_eq!(
            fs::read_to_string(case.dir.path().join("victim")).expect("stands"),
            "mine"
        );
    }
}

#[test]
fn a_stage_without_a_journal_changed_nothing_and_is_dropped() {
    let case = Case::new(OLD);
    let stage = case.home().join(STAGE_DIR).join("new");
    fs::create_dir_all(&stage).expect("makes");
    fs::write(stage.join("auth.json"), "half").expect("writes");
    assert!(matches!(
        recover(&case.home()).expect("recovers"),
        Some(Recovered::Cleared(_))
    ));
    assert_eq!(case.tree(), tree(OLD));
}

#[test]
fn a_failed_move_puts_everything_back() {
    let case = Case::new(OLD);
    let (archive, checked) = case.archive(NEW);
    let plan = case.plan(&checked, scope(Parts::ALL));
    // The directory that something new belongs into is a file by now.
    fs::rename(case.home().join("skills"), case.home().join("skills-away")).expect("moves");
    fs::write(case.home().join("skills"), "a file").expect("writes");
    let before = case.tree();
    install(&case.home(), &archive, &checked, &plan, &|| false).expect_err("cannot");
    assert_eq!(case.tree(), before);
    assert!(!case.home().join(STAGE_DIR).exists());
}

/// Codex may sign somebody in, or begin a session, between a kill and the recovery.
#[test]
fn what_came_since_the_kill_is_moved_aside_and_told() {
    let case = Case::new(&[
        ("auth.json", "fresh"),
        ("sessions/2.jsonl", "fresh"),
        ("goals_1.sqlite", "fresh"),
        (".codex-manager-kept/1/auth.json", "kept before"),
    ]);
    let stage = case.home().join(STAGE_DIR);
    for (path, content) in [
        ("old/auth.json", "old"),
        ("new/auth.json", "new"),
        ("old/sessions/1.jsonl", "old"),
        ("new/sessions/1.jsonl", "new"),
        ("old/goals_1.sqlite", "old"),
        (
            "journal.json",
            r#"[{"path":"auth.json","action":"replace"},{"path":"sessions","action":"replace"},
                {"path":"goals_1.sqlite","action":"remove"}]"#,
        ),
    ] {
        fs::create_dir_all(stage.join(path).parent().expect("a parent")).expect("makes");
        fs::write(stage.join(path), content).expect("writes");
    }
    let Some(Recovered::Finished(Installed { kept, .. })) =
        recover(&case.home()).expect("recovers")
    else {
        panic!("was not finished");
    };
    let place = case.home().join(KEPT_DIR);
    assert_eq!(kept, [place.join("2/auth.json"), place.join("1/sessions")]);
    assert_eq!(
        case.tree(),
        tree(&[
            ("auth.json", "new"),
            ("sessions/1.jsonl", "new"),
            ("goals_1.sqlite", "fresh"),
            (".codex-manager-kept/1/auth.json", "kept before"),
            (".codex-manager-kept/1/sessions/2.jsonl", "fresh"),
            (".codex-manager-kept/2/auth.json", "fresh"),
        ])
    );
}

#[cfg(unix)]
#[test]
fn a_linked_login_is_refused_and_other_links_stay() {
    let case = Case::new(&[("real.json", "old"), ("config.toml", "old")]);
    std::os::unix::fs::symlink("real.json", case.home().join("auth.json")).expect("links");
    let (_, checked) = case.archive(NEW);
    let error =
        plan(&case.home(), &checked, &case.captured(), scope(Parts::ALL)).expect_err("refuses");
    assert!(error.to_string().contains("is a link"));
}

/// A linked directory stands for each of so many that were kept before.
#[cfg(unix)]
#[test]
fn what_cannot_be_kept_is_not_replaced() {
    let case = Case::new(&[
        ("auth.json", "fresh"),
        ("kept/auth.json", "kept before"),
        (".codex-manager-kept/none", ""),
        (".codex-manager-restore/old/auth.json", "old"),
        (".codex-manager-restore/new/auth.json", "new"),
        (
            ".codex-manager-restore/journal.json",
            r#"[{"path":"auth.json","action":"replace"}]"#,
        ),
    ]);
    let kept = case.home().join(KEPT_DIR);
    for count in 1..=10_000 {
        std::os::unix::fs::symlink("../kept", kept.join(count.to_string())).expect("links");
    }
    let error = recover(&case.home()).expect_err("cannot");
    assert!(error.to_string().contains("holds too much"), "{error}");
    assert_eq!(
        fs::read_to_string(case.home().join("auth.json")).expect("reads"),
        "fresh"
    );
}
