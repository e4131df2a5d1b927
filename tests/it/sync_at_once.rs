//! Several runs of `sync` at once, in one manager home and of two machines with one folder: nothing is lost, and whoever has
//! to stand back says so.

use std::collections::BTreeSet;
use std::process::Stdio;

use sha2::{Digest, Sha256};

use crate::common::{Env, Person};
use crate::sync::{Folder, give_key, machine, snapshot, snapshots};

const ROUNDS: usize = 3;
const BACKUP: &[&str] = &["backup", "--status-file", "status.txt"];
const PUSH: &[&str] = &["sync", "push"];
const PULL: &[&str] = &["sync", "pull"];

/// The first digits of the SHA-256 of each archive here.
fn here(env: &Env) -> BTreeSet<String> {
    let archives = snapshots(env).into_iter();
    let archives = archives.filter(|(path, _)| path.ends_with(".tar.gz"));
    let digits = archives.map(|(_, bytes)| {
        let hash = u128::from_be_bytes(*Sha256::digest(bytes).first_chunk().expect("bytes"));
        format!("{hash:032x}")
    });
    digits.collect()
}

/// The same of each snapshot that can be seen in the folder.
fn there(folder: &Folder) -> BTreeSet<String> {
    let names: BTreeSet<String> = folder.objects().into_iter().map(|(name, _)| name).collect();
    let bases = names
        .iter()
        .filter_map(|name| name.strip_suffix(".metadata.json.age"));
    let whole = bases.filter(|base| names.contains(&format!("{base}.tar.gz.age")));
    let digits = whole.map(|base| base.rsplit('-').next().unwrap_or_default().to_owned());
    digits.collect()
}

/// The next state of a person's home, and the snapshot of it.
fn work(env: &mut Env, name: &str, minute: usize, what: &str) {
    let person = Person::named(name);
    env.codex_home(&person);
    env.write(".codex/config.toml", &format!("model = \"{what}\"\n"));
    env.write("status.txt", &person.panel(66, "10:00 on 22 Apr"));
    env.set_now(&format!("2026-04-16T12:{minute:02}:00+05:30"));
}

/// Runs all of them at once. Each does what it is to, or says what kept it from some of it.
fn at_once(jobs: &[(&Env, &[&str])]) {
    let start = |(env, args): &(&Env, &[&str])| {
        let mut command = env.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        (args.join(" "), command.spawn().expect("starts"))
    };
    let children: Vec<_> = jobs.iter().map(start).collect();
    for (args, child) in children {
        let output = child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&output.stderr);
        let is_told = match output.status.code() {
            Some(0) => true,
            Some(3) => said.contains("warning: "),
            Some(11) => said.contains("error: ") && said.contains("hint: "),
            _ => false,
        };
        assert!(is_told, "{args}: {:?}\n{said}", output.status.code());
    }
}

fn nothing_is_left(env: &Env, folder: &Folder) {
    let names = folder.objects().into_iter().map(|(name, _)| name);
    let all = env.files(".codex-manager").into_iter().chain(names);
    let left: Vec<String> = all
        .filter(|name| name.contains(".codex-manager-"))
        .collect();
    assert_eq!(left, [""; 0]);
    let verified = env.run(&["list-backups", "--all", "--verify"]);
    verified.code(0).stderr("");
}

#[test]
fn runs_in_one_home_at_once_lose_nothing() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "bob", 3, "desk");
    let prune: &[&str] = &["prune", "--keep-last", "2"];
    let pairs = [
        (PUSH, PUSH),
        (PUSH, PULL),
        (PULL, PULL),
        (PULL, BACKUP),
        (PULL, prune),
        (PUSH, prune),
    ];
    let mut minute = 0;
    for _ in 0..ROUNDS {
        for (one, other) in pairs {
            minute += 1;
            for name in ["alice", "carol"] {
                work(&mut laptop, name, minute, &format!("laptop's {minute}"));
                laptop.run(BACKUP).code(0);
            }
            laptop.run(PUSH).code(0);
            work(&mut desk, "alice", minute, &format!("desk's {minute}"));
            if other != BACKUP {
                desk.run(BACKUP).code(0);
            }
            let mine = here(&desk);
            let before: BTreeSet<String> = mine.union(&there(&folder)).cloned().collect();
            at_once(&[(&desk, one), (&desk, other), (&desk, one), (&desk, other)]);
            let both = |ids: &BTreeSet<String>| ids.union(&there(&folder)).cloned().collect();
            let after: BTreeSet<String> = both(&here(&desk));
            let lost: Vec<_> = before.difference(&after).collect();
            // Who prunes loses what was not carried yet, but for the newest.
            assert!(
                other == prune || lost.is_empty(),
                "{one:?} {other:?}: {lost:?}"
            );
            desk.run(PUSH).code(0);
            desk.run(PULL).code(0);
            assert_eq!(here(&desk), there(&folder), "{one:?} {other:?}");
            assert!(there(&folder).is_superset(&after), "{one:?} {other:?}");
            nothing_is_left(&desk, &folder);
        }
    }
}

#[test]
fn two_machines_that_push_to_one_folder_and_prune_it_at_once_lose_nothing() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    let prune: &[&str] = &["prune", "--remote", "--keep-last", "2"];
    for round in 0..2 * ROUNDS {
        for (env, name) in [(&mut desk, "desk"), (&mut laptop, "laptop")] {
            for person in ["alice", "bob"] {
                work(env, person, round, &format!("{name}'s {round}"));
                env.run(BACKUP).code(0);
            }
        }
        let mine = [here(&desk), here(&laptop)];
        at_once(&[
            (&desk, PUSH),
            (&laptop, PUSH),
            (&desk, prune),
            (&laptop, prune),
            (&laptop, PULL),
        ]);
        assert_eq!(here(&desk), mine[0]);
        assert!(here(&laptop).is_superset(&mine[1]));
        // Whatever the others removed there meanwhile is carried anew, and what can be seen is whole.
        at_once(&[(&desk, PUSH), (&laptop, PUSH)]);
        let third = Env::at("2026-04-19T15:30:00+05:30");
        give_key(&desk, &third);
        third
            .run(&["sync", "pull", "--remote", &folder.url()])
            .code(0);
        let all: BTreeSet<String> = here(&desk).union(&here(&laptop)).cloned().collect();
        assert_eq!((here(&third), there(&folder)), (all.clone(), all));
        nothing_is_left(&third, &folder);
        nothing_is_left(&desk, &folder);
        nothing_is_left(&laptop, &folder);
    }
}
