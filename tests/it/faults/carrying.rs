//! Struck in the same way, whatever carries between a machine and another place loses nothing on either side, shows no
//! snapshot that is half there, and has done all of it, and left nothing, once it was run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::state::State;
use super::tracer::{self, Kind, Strike, Traced};
use super::world::{World, everything, login, private, without_random};
use super::{Count, on_each_core, strikes};
use crate::common::SECRET;

const REMOTE: &str = "~/remote";
pub const KEY: &str = ".codex-manager/identity.txt";
const INIT: &[&str] = &["sync", "init", "--remote", REMOTE];

/// A command that is struck, and then run again.
struct Carrying {
    name: &'static str,
    arrange: fn(&World),
    args: &'static [&'static str],
    /// What is run after that, where it leaves something for it.
    then: &'static [&'static str],
    /// Of how many strikes one is tried, and in the long form; 0 is only the kills before a file is begun.
    steps: (usize, usize),
}

/// Removes what is half of a snapshot on the remote.
const SWEEP: &[&str] = &["prune", "--remote", "--keep-last", "9"];

const EACH: &[Carrying] = &[
    Carrying {
        name: "sync init --passphrase",
        arrange: with_passphrase,
        args: &["sync", "init", "--remote", REMOTE, "--passphrase"],
        then: &[],
        // Each costs a passphrase or two, a second of work.
        steps: (0, 7),
    },
    Carrying {
        name: "sync init",
        arrange: World::backed_up,
        args: INIT,
        then: &[],
        steps: (2, 1),
    },
    Carrying {
        name: "sync push",
        arrange: to_push,
        args: &["sync", "push"],
        then: &[],
        steps: (3, 1),
    },
    Carrying {
        name: "sync push --delete",
        arrange: to_pull,
        args: &["sync", "push", "--delete", "--yes"],
        then: SWEEP,
        steps: (4, 1),
    },
    Carrying {
        name: "sync pull",
        arrange: to_pull,
        args: &["sync", "pull"],
        then: &[],
        steps: (4, 1),
    },
    Carrying {
        name: "sync pull --delete",
        arrange: to_pull,
        args: &["sync", "pull", "--delete", "--yes"],
        then: &[],
        steps: (5, 1),
    },
    Carrying {
        name: "prune --remote",
        arrange: to_prune,
        args: &["prune", "--remote", "--keep-last", "1"],
        then: &[],
        steps: (2, 1),
    },
    Carrying {
        name: "profile import",
        arrange: to_import,
        args: &["profile", "import", "moved.age"],
        then: &[],
        steps: (5, 1),
    },
];

fn with_passphrase(world: &World) {
    world.backed_up();
    world.file("passphrase", "correct horse battery staple\n");
    let set = ["config", "set", "sync.passphrase_file", "~/passphrase"];
    world.env.run(&set).code(0);
}

/// Of two snapshots one was pushed; Bob's login there is older than the one here.
fn to_push(world: &World) {
    world.live_in("bob", "1");
    world.back_up();
    world.env.run(INIT).code(0);
    world.env.run(&["sync", "push"]).code(0);
    world.live_in("alice", "1");
    world.back_up();
    keep(world, "bob", "2");
}

/// Another machine has carried Carol's snapshot, one of Alice's that is newer than the one of its name here, and one of
/// Bob's that is older. Of Bob it has the fresher login, of Alice this machine.
fn to_pull(world: &World) {
    with_two(world);
    let remote = world.env.path("remote");
    let other = another(world);
    let push = ["sync", "push", "--remote", &remote.display().to_string()];
    other.env.run(&push).code(0);
}

/// The same in an exported file.
fn to_import(world: &World) {
    with_two(world);
    let file = world.env.path("moved.age").display().to_string();
    let other = another(world);
    let export = ["profile", "export", &file, "--with-backups"];
    other.env.run(&export).code(0);
}

/// All of four snapshots were pushed.
fn to_prune(world: &World) {
    world.of_three_windows();
    world.env.run(INIT).code(0);
    world.env.run(&["sync", "push"]).code(0);
}

fn with_two(world: &World) {
    world.live_in("bob", "1");
    back_up_at(world, "15:20");
    world.live_in("alice", "1");
    back_up_at(world, "15:10");
    keep(world, "alice", "2");
    world.env.run(INIT).code(0);
}

/// Another machine with the same key.
fn another(world: &World) -> World {
    let other = World::new(|other| {
        for (name, time) in [("carol", "15:00"), ("alice", "15:25"), ("bob", "15:05")] {
            other.live_in(name, "1");
            other.file(".codex/history.jsonl", "{\"text\":\"elsewhere\"}\n");
            back_up_at(other, time);
        }
        keep(other, "bob", "3");
    });
    fs::copy(world.env.path(KEY), other.env.path(KEY)).expect("copies");
    private(&other.env.path(KEY));
    other
}

fn keep(world: &World, name: &str, count: &str) {
    let path = format!(".codex-manager/profiles/{name}/auth.json");
    world.file(&path, &login(name, count));
}

fn back_up_at(world: &World, time: &str) {
    let args = ["backup", "--status-file", "status.txt"];
    let mut command = world.command(&args);
    command.env("CODEX_MANAGER_NOW", format!("2026-04-19T{time}:00+05:30"));
    world.env.ran(&mut command, &args).code(0);
}

#[test]
fn no_strike_loses_anything_that_is_carried_or_leaves_half_of_it() {
    let is_long = std::env::var_os("CODEX_MANAGER_TEST_FAULTS").is_some();
    let only = std::env::var("CODEX_MANAGER_TEST_SCENARIO").ok();
    let is_wanted = |one: &&Carrying| only.as_ref().is_none_or(|only| one.name.contains(only));
    let all: Vec<&Carrying> = EACH.iter().filter(is_wanted).collect();
    let (count, violations) = (Count::default(), Mutex::new(Vec::new()));
    on_each_core(&all, |one| {
        let found = one.try_all(is_long, &count);
        violations.lock().expect("whole").extend(found);
    });
    let violations = violations.into_inner().expect("whole");
    println!(
        "carrying: {} kill points, {} power cuts, {} injected failures over {} scenarios: {} violations",
        count.kills.into_inner(),
        count.cuts.into_inner(),
        count.faults.into_inner(),
        all.len(),
        violations.len(),
    );
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

impl Carrying {
    fn try_all(&self, is_long: bool, count: &Count) -> Vec<String> {
        let started = std::time::Instant::now();
        let world = World::new(self.arrange);
        let old = State::of(&world);
        let home = world.home_tree(".codex");
        let traced = self.run(&world, Strike::Nowhere);
        assert_eq!(traced.code, Some(0), "{}: {}", self.name, traced.stderr);
        let goal = State::of(&world);
        assert!(
            old != goal && goal.half.is_empty(),
            "{}: {goal:?}",
            self.name
        );
        let is_mirror = self.args.contains(&"--delete");
        assert!(!is_mirror || goal.is_mirror(), "{}: {goal:?}", self.name);
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut tried = 0;
        let (short, long) = self.steps;
        let step = if is_long { long } else { short };
        let begins = |strike: &Strike| matches!(strike, Strike::KillBefore(at) if traced.calls[*at].kind == Kind::Create);
        let some = strikes(&traced.calls, is_long).into_iter();
        let some = some.filter(|strike| step > 0 || begins(strike));
        for strike in some.step_by(step.max(1)) {
            world.reset();
            let struck = self.run(&world, strike);
            if !struck.struck {
                continue;
            }
            tried += 1;
            count.add(strike);
            let mut wrong = judge(strike, &struck, &world, (&old, &goal));
            self.go_on(&world, &goal, &mut wrong);
            if world.home_tree(".codex") != home {
                wrong.push("the Codex home is changed".to_owned());
            }
            let call = strike.place().and_then(|at| struck.calls.get(at));
            let call = call.map_or("", |call| &call.words);
            for what in wrong {
                let said = struck.stderr.replace('\n', " | ");
                let when = format!("{strike:?} {call}: exit code {:?} {said}", struck.code);
                found.entry(what).or_default().push(when);
            }
        }
        println!(
            "{}: {} calls, {tried} strikes, {:?}",
            self.name,
            traced.calls.len(),
            started.elapsed()
        );
        let line = |(what, when): (String, Vec<String>)| {
            let some = &when[..when.len().min(3)].join("\n    ");
            let (name, count) = (self.name, when.len());
            format!("{name}: {what}\n    {some}\n    {count} in all")
        };
        found.into_iter().map(line).collect()
    }

    fn run(&self, world: &World, strike: Strike) -> Traced {
        tracer::run(&world.command(self.args), &world.root(), strike)
    }

    /// The same command again, much later.
    fn go_on(&self, world: &World, goal: &State, wrong: &mut Vec<String>) {
        let key = fs::read(world.env.path(KEY)).ok();
        long_ago(&world.env.path("remote"));
        for args in [self.args, self.then] {
            if args.is_empty() {
                continue;
            }
            let ran = world.env.ran(&mut world.command(args), args);
            if ran.code != Some(0) {
                wrong.push(format!("{args:?} after it: {:?} {}", ran.code, ran.stderr));
            }
        }
        let now = State::of(world);
        if let Some(lacks) = now.lacks(goal) {
            wrong.push(format!("not done after it:{lacks}"));
        }
        wrong.extend(now.half.iter().cloned());
        let made = fs::read(world.env.path(KEY)).ok();
        if made.is_none() || key.is_some_and(|key| Some(key) != made) {
            wrong.push("lost: the key".to_owned());
        }
        if now.others[0].is_some() && now.others[0] != made {
            wrong.push("the identity there is not the one here".to_owned());
        }
        wrong.extend(
            world
                .left_over(".codex")
                .iter()
                .map(|left| format!("left over: {left}")),
        );
        wrong.extend(
            left_there(world)
                .iter()
                .map(|left| format!("left over: {left}")),
        );
        let verify = ["list-backups", "--all", "--verify"];
        let listed = world.env.ran(&mut world.command(&verify), &verify);
        if listed.code != Some(0) || !listed.stderr.is_empty() {
            wrong.push(format!("list-backups: {}", listed.stderr));
        }
    }
}

/// What is wrong once it was struck.
fn judge(
    strike: Strike,
    struck: &Traced,
    world: &World,
    (old, goal): (&State, &State),
) -> Vec<String> {
    let mut wrong = Vec::new();
    let said = &struck.stderr;
    if struck.stdout.contains(SECRET) || said.contains(SECRET) {
        wrong.push("it prints a token".to_owned());
    }
    let now = State::of(world);
    wrong.extend(old.lost_in(&now, goal));
    wrong.extend(
        now.half
            .iter()
            .filter(|half| half.starts_with("half there"))
            .cloned(),
    );
    match struck.code {
        None if strike.is_deadly() => return wrong,
        None => wrong.push("it was killed by itself".to_owned()),
        Some(0) => {
            // What could not be looked at stays, which is told.
            let lacks = now.lacks(goal).filter(|_| !said.contains("warning: "));
            if let Some(lacks) = lacks {
                wrong.push(format!("it claims success and there is missing:{lacks}"));
            }
        }
        Some(1 | 14 | 16) => {
            let is_said = |start: &str| said.lines().any(|line| line.starts_with(start));
            if !is_said("error: ") || !is_said("hint: ") {
                wrong.push("it does not say what failed".to_owned());
            }
        }
        Some(3) => {}
        Some(code) => wrong.push(format!("its exit code is {code}")),
    }
    if ["panicked", "internal error"]
        .iter()
        .any(|word| said.contains(word))
    {
        wrong.push("it panics".to_owned());
    }
    if let Strike::Fail(at, _) = strike
        && struck.calls[at].kind != Kind::Remove
    {
        let left = world
            .left_over(".codex")
            .into_iter()
            .chain(left_there(world));
        let left = left.filter(|left| left.contains(".codex-manager-tmp-"));
        wrong.extend(left.map(|left| format!("left at once: {left}")));
    }
    wrong
}

/// What is no object on the remote, and half of a snapshot there.
fn left_there(world: &World) -> BTreeSet<String> {
    let (_, files) = everything(&world.env.path("remote"));
    let other = |name: &str| {
        let ends = [".tar.gz.age", ".metadata.json.age"];
        let (base, at) = (0..2).find_map(|at| Some((name.strip_suffix(ends[at])?, at)))?;
        Some(format!("{base}{}", ends[1 - at]))
    };
    let names = files.iter().map(|path| path.to_string_lossy());
    let is_left = |name: &str| {
        name.contains(".codex-manager-tmp-")
            || other(name).is_some_and(|other| !files.contains(Path::new(&other)))
    };
    names
        .filter(|name| is_left(name))
        .map(|name| format!("remote/{}", without_random(&name)))
        .collect()
}

/// Has all that is there be as old as what a killed run may have left.
fn long_ago(remote: &Path) {
    let then = std::time::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50);
    for path in everything(remote).1 {
        let file = fs::File::options().write(true).open(remote.join(path));
        file.and_then(|file| file.set_modified(then)).expect("sets");
    }
}
