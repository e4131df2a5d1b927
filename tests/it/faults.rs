//! Struck at any system call that changes the disk, by `kill -9`, by a power cut or by an error of the disk, a command leaves a home that is
//! wholly old or wholly new, loses no login and no snapshot, and leaves nothing behind after the next command.
//!
//! Each scenario is a world, a command in it, and the commands that may come next.

mod carrying;
mod power;
mod scenarios;
mod state;
mod tracer;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::common::SECRET;
use power::Loss;
use scenarios::{BOBS, Next, Removes, SCENARIOS, Scenario};
use tracer::{Call, Kind, Strike, Traced};
use world::{Tree, World};

/// What was tried.
#[derive(Default)]
struct Count {
    kills: AtomicUsize,
    cuts: AtomicUsize,
    faults: AtomicUsize,
}

#[test]
fn no_strike_leaves_a_home_in_between_or_loses_anything() {
    let is_long = std::env::var_os("CODEX_MANAGER_TEST_FAULTS").is_some();
    let only = std::env::var("CODEX_MANAGER_TEST_SCENARIO").ok();
    let scenarios: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| {
            only.as_ref()
                .is_none_or(|only| scenario.name.contains(only))
        })
        .collect();
    let (count, violations) = (Count::default(), Mutex::new(Vec::new()));
    on_each_core(&scenarios, |scenario| {
        let found = scenario.try_all(is_long, &count);
        violations.lock().expect("whole").extend(found);
    });
    let violations = violations.into_inner().expect("whole");
    let of = |starts: &[&str]| {
        let is_of =
            |found: &&(String, String)| starts.iter().any(|start| found.0.starts_with(start));
        violations.iter().filter(is_of).count()
    };
    println!(
        "faults: {} kill points, {} power cuts, {} injected failures over {} scenarios: {} homes in between, {} lost logins and \
         snapshots, {} left over, {} violations in all",
        count.kills.into_inner(),
        count.cuts.into_inner(),
        count.faults.into_inner(),
        scenarios.len(),
        of(&["the home is neither", "it claims"]),
        of(&["lost: ", "not at hand: "]),
        of(&["left over: ", "left at once: "]),
        violations.len(),
    );
    let violations: Vec<String> = violations.into_iter().map(|(_, words)| words).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// Does `work` for each of `jobs`, on every core one of them at once.
fn on_each_core<T: Sync>(jobs: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let all = sched_getaffinity(Pid::from_raw(0)).expect("asks");
    let cores = (0..CpuSet::count()).filter(|core| all.is_set(*core).unwrap_or_default());
    std::thread::scope(|scope| {
        for core in cores.take(4) {
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                // On one core the program has one thread where it can, and nearly the same calls in each run.
                let mut one = CpuSet::new();
                one.set(core).expect("a core");
                sched_setaffinity(Pid::from_raw(0), &one).expect("keeps to it");
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(job);
                }
            });
        }
    });
}

impl Count {
    fn add(&self, strike: Strike) {
        let counter = match strike {
            Strike::KillBefore(_) | Strike::KillAfter(_) => &self.kills,
            Strike::Cut(..) => &self.cuts,
            _ => &self.faults,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Scenario {
    /// Strikes at each call. What was found to be wrong, and all that is to be told of it.
    fn try_all(&self, is_long: bool, count: &Count) -> Vec<(String, String)> {
        let started = std::time::Instant::now();
        let world = World::new(self.arrange);
        let (old, before) = (world.home_tree(self.home), world.holdings());
        let traced = self.run(&world, Strike::Nowhere);
        assert_eq!(traced.code, Some(0), "{}: {}", self.name, traced.stderr);
        let (new, after) = (world.home_tree(self.home), world.holdings());
        let removed = match self.removes {
            Removes::Snapshots(count) => count,
            Removes::Nothing | Removes::OfTheHome => 0,
        };
        let gone = before.gone_in(&after);
        assert_eq!(gone.len(), removed, "{}", self.name);
        if self.removes == Removes::OfTheHome {
            assert!(new != old && new.is_part_of(&old), "{}", self.name);
        }
        let mut trial = Trial {
            scenario: self,
            world,
            old,
            new,
            gone,
            tried: 0,
            found: BTreeMap::new(),
        };
        for strike in strikes(&traced.calls, is_long) {
            trial.one(strike, count);
        }
        let calls: BTreeMap<Kind, usize> =
            traced
                .calls
                .iter()
                .fold(BTreeMap::new(), |mut calls, call| {
                    *calls.entry(call.kind).or_default() += 1;
                    calls
                });
        println!(
            "{}: {} calls {calls:?}, {} strikes, {:?}",
            self.name,
            traced.calls.len(),
            trial.tried,
            started.elapsed()
        );
        let lines = trial.found.into_iter().map(|(what, when)| {
            let mut line = format!("{}: {what}", self.name);
            for when in when.iter().take(3) {
                let _ = write!(line, "\n    {when}");
            }
            let line = format!("{line}\n    {} in all", when.len());
            (what, line)
        });
        lines.collect()
    }

    fn run(&self, world: &World, strike: Strike) -> Traced {
        tracer::run(&world.command(self.args), &world.root(), strike)
    }
}

/// Where to strike, given the calls of a run that nothing happened to.
fn strikes(calls: &[Call], is_long: bool) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        // A sync changes nothing that a process sees: what is killed behind one was killed before it.
        let is_behind_sync = place > 0 && calls[place - 1].kind == Kind::Sync;
        if is_long || !is_behind_sync {
            strikes.push(Strike::KillBefore(place));
        }
        let errors = call.kind.errors();
        if is_long {
            strikes.push(Strike::KillAfter(place));
            strikes.push(Strike::Full(place));
            strikes.push(Strike::ReadOnly(place));
            strikes.extend(errors.iter().map(|errno| Strike::Fail(place, *errno)));
        } else if place % 2 == 0 {
            let turn = place / 2;
            strikes.push(match turn % 4 {
                3 => Strike::Full(place),
                _ => Strike::Fail(place, errors[turn % errors.len()]),
            });
        }
    }
    if is_long {
        for place in 0..=calls.len() {
            strikes.extend(Loss::EACH.map(|loss| Strike::Cut(place, loss)));
        }
        return strikes;
    }
    // Before a sync the most is not on the disk; what a success has promised is to stay.
    let is_sync = |place: &usize| calls[*place].kind == Kind::Sync;
    let (syncs, others): (Vec<usize>, Vec<usize>) = (0..calls.len()).partition(is_sync);
    let some = syncs.iter().step_by(3).chain(others.iter().step_by(9));
    for (turn, place) in some.enumerate() {
        strikes.push(Strike::Cut(*place, Loss::EACH[turn % Loss::EACH.len()]));
    }
    strikes.extend(Loss::EACH.map(|loss| Strike::Cut(calls.len(), loss)));
    strikes
}

/// A scenario and what becomes of it.
struct Trial<'a> {
    scenario: &'a Scenario,
    world: World,
    old: Tree,
    new: Tree,
    /// The archives that go.
    gone: BTreeSet<String>,
    tried: usize,
    /// What is wrong, and where it was struck.
    found: BTreeMap<String, Vec<String>>,
}

impl Trial<'_> {
    fn one(&mut self, strike: Strike, count: &Count) {
        self.world.reset();
        let before = self.world.holdings();
        let traced = self.scenario.run(&self.world, strike);
        if !traced.struck {
            return;
        }
        self.tried += 1;
        count.add(strike);
        let mut wrong = Vec::new();
        if [&traced.stdout, &traced.stderr]
            .iter()
            .any(|said| said.contains(SECRET))
        {
            wrong.push("it prints a token".to_owned());
        }
        // Told of nothing where it was killed.
        if traced.code.is_some() || !strike.is_deadly() {
            self.judge_failure(strike, &traced, &mut wrong);
        }
        if self.scenario.removes == Removes::OfTheHome {
            self.judge_steps(strike, &traced, &mut wrong);
        }
        self.go_on(&before, &traced.stderr, &mut wrong);
        let call = strike.place().and_then(|at| traced.calls.get(at));
        for what in wrong {
            let words = call.map_or("", |call| call.words.as_str());
            let said = traced.stderr.lines().collect::<Vec<_>>().join(" | ");
            let when = format!("{strike:?} {words}: exit code {:?} {said}", traced.code);
            self.found.entry(what).or_default().push(when);
        }
    }

    /// Whoever is told of an error finds the home as it was, and nothing in it that was not there.
    fn judge_failure(&self, strike: Strike, traced: &Traced, wrong: &mut Vec<String>) {
        let said = &traced.stderr;
        for word in ["panicked", "internal error", "RUST_BACKTRACE"] {
            if said.contains(word) {
                wrong.push(format!("it says `{word}`"));
            }
        }
        let Some(code) = traced.code else {
            wrong.push("it was killed by itself".to_owned());
            return;
        };
        let home = self.world.home_tree(self.scenario.home).without_ours();
        let is_stepwise = self.scenario.removes == Removes::OfTheHome;
        match code {
            // What was not removed is told, and `judge_steps` looks at it.
            3 if is_stepwise => {}
            0 | 3 => {
                if home != self.new.without_ours() {
                    wrong.push(format!(
                        "it claims success and the home is not new: {}",
                        self.new.without_ours().difference(&home)
                    ));
                }
                if let Some(text) = self.scenario.captured
                    && code == 0
                    && !self.world.holdings().holds(text)
                {
                    wrong.push("it claims success and there is no snapshot".to_owned());
                }
            }
            1 | 14 => {
                let names = |line: &str| line.contains('`') || said.contains("TMPDIR");
                let is_sane = said
                    .lines()
                    .any(|line| line.starts_with("error: ") && names(line))
                    && said.lines().any(|line| line.starts_with("hint: "));
                if !is_sane {
                    wrong.push("it does not say what failed".to_owned());
                }
                // A disk on which nothing can be changed any more keeps it from going back.
                let may_be_between =
                    matches!(strike, Strike::ReadOnly(_)) || self.scenario.is_between;
                if home != self.old.without_ours() && !may_be_between && !is_stepwise {
                    wrong.push(format!(
                        "it claims failure and the home is not old: {}",
                        self.old.without_ours().difference(&home)
                    ));
                }
            }
            _ => wrong.push(format!("its exit code is {code}")),
        }
        // The archive of which the sidecar is gone goes with the next run.
        let is_pruned_in_part = code == 3 && !self.gone.is_empty();
        if let Strike::Fail(at, _) = strike
            && !self.scenario.is_between
            && !is_pruned_in_part
            && traced.calls[at].kind != Kind::Remove
            && !said.contains("not all of its leavings could be removed")
        {
            let left = self.world.left_over(self.scenario.home);
            wrong.extend(left.iter().map(|left| format!("left at once: {left}")));
        }
    }

    /// Whatever goes from the home by itself is there or is not, and the rest of it is as it was.
    fn judge_steps(&self, strike: Strike, traced: &Traced, wrong: &mut Vec<String>) {
        let home = self.world.home_tree(self.scenario.home).without_ours();
        if !self.new.is_part_of(&home) || !home.is_part_of(&self.old) {
            wrong.push(format!(
                "the home is not between old and new: {}",
                self.old.difference(&home)
            ));
        }
        // A directory may have lost a part of what it holds where the disk refuses to remove the rest.
        let is_refused = match strike {
            Strike::Fail(at, _) => traced.calls[at].kind == Kind::Remove,
            Strike::ReadOnly(_) => true,
            _ => false,
        };
        // A kill may part them for SQLite to drop the log, which it does where there is no database; an error may not.
        let file = |end: &str| {
            let name = format!("{}/logs_2.sqlite{end}", self.scenario.home);
            self.world.env.path(&name).exists()
        };
        if traced.code.is_some() && file("") != file("-wal") && !is_refused {
            wrong.push("the home is neither old nor new: half of a database".to_owned());
        }
        let half = home.half_of(&self.old, &self.new);
        if !half.is_empty() && !is_refused {
            wrong.push(format!("the home is neither old nor new: half of {half}"));
        }
    }

    /// The next command finds everything, or finishes it, and leaves nothing.
    fn go_on(&self, before: &world::Holdings, told: &str, wrong: &mut Vec<String>) {
        let run = |args: &[&str]| self.world.env.ran(&mut self.world.command(args), args);
        let next = self.scenario.next[self.tried % self.scenario.next.len()];
        let (Next::Keeping(args) | Next::Restore(args)) = next;
        let ran = run(args);
        if ran.code != Some(0) {
            wrong.push(format!(
                "{next:?} after it fails: {}",
                ran.stderr.replace('\n', " | ")
            ));
            return;
        }
        if let Next::Restore(args) = next {
            let home = self.world.home_tree(self.scenario.home);
            if home != self.new {
                wrong.push(format!(
                    "the restore after it does not make the home new: {}",
                    self.new.difference(&home)
                ));
            }
            let dest = args.iter().skip_while(|arg| **arg != "--dest-dir");
            let undo = ["restore", "--undo", "--yes"].into_iter();
            let undo: Vec<&str> = undo.chain(dest.copied()).collect();
            // Into a home that was not there before there is nothing to put back.
            if !self.old.is_empty() {
                let ran = run(&undo);
                if ran.code != Some(0) {
                    wrong.push(format!("{undo:?} after it fails: {}", ran.stderr));
                }
            }
        }
        let home = self.world.home_tree(self.scenario.home);
        let is_new = self.scenario.is_between || self.scenario.removes == Removes::OfTheHome;
        if (home != self.old || is_new) && home != self.new {
            let (old, new) = (self.old.difference(&home), self.new.difference(&home));
            wrong.push(format!("the home is neither old ({old}) nor new ({new})"));
        }
        for left in self.world.left_over(self.scenario.home) {
            wrong.push(format!("left over: {left}"));
        }
        let after = self.world.holdings();
        wrong.extend(before.lost_in(&after, told, &self.gone));
        if before.gone_in(&after) != self.gone && !self.gone.is_empty() {
            wrong.push("left over: a snapshot that was to go".to_owned());
        }
        let listed = run(&["list-backups", "--verify"]);
        if listed.code != Some(0) || !listed.stderr.is_empty() {
            wrong.push(format!(
                "list-backups: {}",
                listed.stderr.replace('\n', " | ")
            ));
        }
    }
}

/// What is compared would tell.
#[test]
fn a_home_in_between_a_lost_login_and_what_is_left_over_are_noticed() {
    let world = World::new(World::switched);
    let (old, before) = (world.home_tree(".codex"), world.holdings());
    assert_eq!(world.left_over(".codex"), [""; 0]);
    assert_eq!(before.lost_in(&before, "", &BTreeSet::new()), [""; 0]);
    let path = |below: &str| world.env.path(below);
    let archive = format!(".codex-manager/backups/{BOBS}.tar.gz");
    fs::remove_file(path(".codex/history.jsonl")).expect("removes");
    fs::remove_file(path(".codex/state_5.sqlite-wal")).expect("removes");
    fs::remove_file(path(".codex/auth.json")).expect("removes");
    fs::remove_file(path(&archive)).expect("removes");
    for left in [
        ".codex/.codex-manager-restore/journal.json",
        ".codex-manager/profiles/bob/.codex-manager-tmp-x",
        ".codex-manager/backups/safety/1/x.tar.gz",
        "../tmp/x",
    ] {
        world.env.write(left, "");
    }
    fs::create_dir(path(".codex-manager/backups/safety/2")).expect("makes");
    let home = world.home_tree(".codex").without_ours();
    assert_eq!(
        old.difference(&home),
        "auth.json history.jsonl state_5.sqlite"
    );
    let lost = before.lost_in(&world.holdings(), "", &BTreeSet::new());
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert_eq!(lost[1], "lost: the login rt-made-up-secret-user-alice-2");
    assert!(lost[0].starts_with("lost: the archive "), "{lost:?}");
    let left = world.left_over(".codex");
    assert_eq!(
        left,
        [
            "../tmp/x".to_owned(),
            ".codex-manager/profiles/bob/.codex-manager-tmp-*".to_owned(),
            ".codex/.codex-manager-restore".to_owned(),
            format!("backups/{BOBS}.metadata.json alone"),
            "backups/safety/1/x.tar.gz alone".to_owned(),
            "nothing in .codex-manager/backups/safety/2".to_owned(),
        ]
    );
}
