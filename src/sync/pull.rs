//! Fetching from the remote what is not here.
//!
//! Whoever knows the recipient could put something on the remote: so an archive is read, checked and placed as one that
//! comes from a stranger, and nothing stands in the backup directory before all of it has passed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::keys::{Carried, Id, is_encrypted};
use super::local::{Local, Locals};
use super::placing::Placing;
use super::plan::Difference;
use super::report::{Answer, Entry, THERE_ALREADY};
use super::sidecars::{self, Told};
use super::{How, Store, crew, machines, not_encrypted};
use crate::archive::limits::Limits;
use crate::context::Ctx;
use crate::encryption::Identities;
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, TemporaryDir};
use crate::metadata::BackupName;
use crate::remote::Remote;
use crate::snapshots::place::{Fate, Here};
use crate::snapshots::{self, Depth, Snapshot};
use crate::ui::progress::Progress;
use crate::ui::table::{count, size_words};

/// How much of an archive is read at once.
const PART: usize = 1 << 17;

/// What helps where one there is damaged.
const PUSH_AGAIN: &str = "push that snapshot again from a machine that has it";

/// Pulls.
pub fn pull(ctx: &Ctx, how: &How) -> Result<Answer> {
    let backup_dir = ctx.backup_dir(how.backup_dir)?;
    let takes_plain = ctx.takes_plain(how.no_encrypt);
    let store = Store::open(ctx, &ctx.remote(how.remote)?, takes_plain)?;
    let remote = &store.remote;
    if !how.dry_run {
        tidy(ctx, &backup_dir, "sync pull");
    }
    let (machines, plain) = machines::others(ctx, remote, takes_plain)?;
    let locals = Locals::load(&backup_dir, &ctx.zone, &ctx.stop(), &|text| {
        ctx.ui.warn(text);
    })?;
    let difference = Difference::of(&locals.all, &store.listing);
    let mut answer = Answer::new("pull", how.dry_run, remote.to_string());
    if store.marker.is_none() && store.listing.whole.is_empty() {
        ctx.ui.warn(&format!("nothing was ever pushed to {remote}"));
    }
    let surplus = if how.deletes {
        // What lies there unencrypted, and is not taken, is there all the same.
        let plain = store.listing.plain.iter();
        let plain: BTreeSet<&Id> = plain.map(|carried| &carried.stem.id).collect();
        let mut here = difference.here;
        here.retain(|local| !plain.contains(&local.stem.id));
        surplus(&store, here)?
    } else {
        Vec::new()
    };
    let is_locked = |carried: &&&Carried| is_encrypted(&carried.sidecar.key);
    let is_any_locked = difference.there.iter().any(|one| is_locked(&one))
        || machines.iter().any(|placed| is_encrypted(&placed.key));
    let identities = is_any_locked.then(|| ctx.identities()).transpose()?;
    let size = ctx.concurrency(how.concurrency);
    let (mut told, unusable) = sidecars::read(remote, identities.as_ref(), difference.there, size)?;
    for (carried, error) in unusable {
        answer
            .failed
            .push(Entry::of_key(carried).because(error.to_string()));
    }
    let is_new = |carried: &&Carried| {
        let (id, whole) = (&carried.stem.id, &store.listing.whole);
        !whole.contains_key(id) && !locals.all.iter().any(|local| local.stem.id == *id)
    };
    let archives = store.listing.plain.iter().filter(is_new);
    for placed in archives.map(|carried| &carried.archive).chain(&plain) {
        let why = not_encrypted(&placed.key, remote);
        answer.failed.push(Entry::of_object(placed).because(why));
    }
    answer.skipped = difference
        .both
        .iter()
        .map(|(local, carried)| {
            let key = carried.archive.key.clone();
            Entry::of_local(local, key, &ctx.zone).because(THERE_ALREADY)
        })
        .collect();
    let fits = told.iter().any(|one| is_locked(&&one.carried));
    // The newest first: whoever needs one needs that.
    told.reverse();
    let expected = expect(ctx, &backup_dir, &told)?;
    if how.dry_run {
        answer.transferred = expected;
        answer.deleted = surplus.into_iter().map(|local| gone(ctx, local)).collect();
        let told = (machines.as_slice(), fits, &mut answer);
        machines::learn(ctx, how, remote, identities.as_ref(), told)?;
        return Ok(answer);
    }
    if !surplus.is_empty() {
        let what = count(surplus.len(), "snapshot");
        let question = format!("Remove {what} here, since {remote} does not have them?");
        ctx.ui
            .confirm_what("removes snapshots", &question, how.yes)?;
    }
    let _in_hand = ctx.in_hand();
    ctx.check_stop()?;
    let known: BTreeSet<&Id> = locals.all.iter().map(|local| &local.stem.id).collect();
    let outcome = fetch_all(
        ctx,
        &Fetching {
            remote,
            identities: identities.as_ref(),
            backup_dir: &backup_dir,
            limits: ctx.limits(),
        },
        (told, expected, size),
        &known,
        &mut answer,
    );
    let outcome = outcome
        .and_then(|()| {
            let told = (machines.as_slice(), fits, &mut answer);
            machines::learn(ctx, how, remote, identities.as_ref(), told)
        })
        .and_then(|()| {
            if answer.may_remove(&ctx.ui, surplus.len()) {
                remove(ctx, &backup_dir, &surplus, &mut answer)?;
            }
            Ok(())
        });
    answer.ended_by = outcome.err();
    Ok(answer)
}

/// What would come of each.
fn expect(ctx: &Ctx, backup_dir: &Path, told: &[Told]) -> Result<Vec<Entry>> {
    let mut here = Here::read(backup_dir, &ctx.zone)?;
    told.iter()
        .map(|one| {
            let hash = one.sidecar.archive_sha256.as_deref();
            // Of older ones the hash is not told, and its first digits are enough to tell them apart.
            let hash = hash.unwrap_or(one.carried.stem.id.digits());
            let kind = match here.expect(&one.sidecar, hash)? {
                Fate::Older(_) => "superseded",
                _ => "current",
            };
            Ok(Entry {
                kind: Some(kind),
                ..Entry::of_carried(one.carried, &one.sidecar, &ctx.zone)
            })
        })
        .collect()
}

/// What all fetching has in common.
pub struct Fetching<'a> {
    /// Where from.
    pub remote: &'a Remote,
    /// What opens it.
    pub identities: Option<&'a Identities>,
    /// Where it lies until it is checked.
    pub backup_dir: &'a Path,
    /// What an archive may hold.
    pub limits: Limits,
}

/// A snapshot that is to be fetched, and how it is told.
type Job<'a> = (&'a Told<'a>, Entry);

/// Fetches, and puts each where it belongs as it comes.
fn fetch_all(
    ctx: &Ctx,
    fetching: &Fetching,
    (told, expected, size): (Vec<Told<'_>>, Vec<Entry>, usize),
    known: &BTreeSet<&Id>,
    answer: &mut Answer,
) -> Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    fsutil::create_private_dir(fetching.backup_dir)?;
    let bytes = expected.iter().map(|entry| entry.size_bytes).sum();
    ctx.ui.note(&format!(
        "pulling {}, {}, from {}",
        count(told.len(), "snapshot"),
        size_words(bytes),
        fetching.remote
    ));
    let progress = ctx.ui.progress("pulling", bytes);
    let stop = ctx.stop();
    let jobs: Vec<Job> = told.iter().zip(expected).collect();
    let work = |(told, entry)| {
        let fetched = fetch(fetching, told, &progress, &stop);
        (told, entry, fetched)
    };
    let dir = fetching.backup_dir;
    let placing = RefCell::new(Placing::new(ctx, dir, known, answer));
    let take = |(told, entry, fetched): (_, _, _)| placing.borrow_mut().take(told, entry, fetched);
    let outcome = crew::each(jobs, size, work, take, || placing.borrow_mut().pause());
    let outcome = placing.into_inner().finish(outcome);
    let newest_first = |a: &Entry, b: &Entry| b.key.cmp(&a.key);
    answer.transferred.sort_by(newest_first);
    answer.failed.sort_by(newest_first);
    outcome
}

/// A snapshot that was fetched and checked, and is on the disk.
pub struct Fetched {
    /// What it lies in.
    dir: TemporaryDir,
    name: String,
    /// The archive's SHA-256.
    pub sha256: String,
}

impl Fetched {
    /// Removes it. False where that cannot be: then the next run that puts snapshots away does.
    pub fn discard(self) -> bool {
        let place = self.dir.path().to_owned();
        drop(self.dir);
        matches!(fsutil::exists(&place), Ok(false))
    }

    /// Its archive.
    pub fn archive(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }
}

/// Fetches one and checks all of it.
pub fn fetch(
    fetching: &Fetching,
    told: &Told,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Fetched> {
    let key = &told.carried.archive.key;
    let what = format!("`{key}` on {}", fetching.remote);
    let damaged = |why: &str| Error::new(Kind::ArchiveDamaged, format!("{what} {why}"), PUSH_AGAIN);
    let name = told.sidecar.archive_name.as_deref();
    let name = name.and_then(BackupName::of_file);
    let name = name.filter(BackupName::is_safe);
    let name = name.map_or_else(|| "fetched.tar.gz".to_owned(), |name| name.archive());
    let dir = TemporaryDir::make(fetching.backup_dir)?;
    let path = dir.path().join(&name);
    let Some(reader) = fetching.remote.reader(key)? else {
        return Err(damaged("is gone meanwhile"));
    };
    let counted = Counted {
        inner: reader,
        progress,
    };
    let mut file = create(&path)?;
    // Encrypted it is longer.
    let most = told.sidecar.archive_size_bytes;
    let most = most.unwrap_or(told.carried.archive.size);
    let copied = match fetching.identities {
        Some(identities) if is_encrypted(key) => {
            let reader = identities.opening(&format!("{key} on {}", fetching.remote), counted)?;
            copy(reader, (&mut file, &path), most)?
        }
        _ => copy(counted, (&mut file, &path), most)?,
    };
    let sha256 = copied.ok_or_else(|| damaged("is longer than was told of it"))?;
    if !told.carried.stem.id.is_of(&sha256) {
        return Err(damaged("does not have the hash it is called by"));
    }
    // Here, where several go on at once, rather than one after another under the lock.
    file.sync_all()
        .map_err(|error| Error::io("write", &path, error))?;
    drop(file);
    let snapshot = Snapshot {
        archive: path,
        sidecar: Box::new(told.sidecar.clone()),
        depth: Depth::Whole,
        is_complete: true,
    };
    let checked = snapshot.check(&fetching.limits, &stop);
    checked.map_err(|error| match (error.kind(), error.io_kind()) {
        (Kind::Interrupted, _) | (_, Some(_)) => error,
        // The copy that was checked is gone again: it is told by its key.
        (kind, None) => {
            let copy = format!("`{}`", snapshot.archive.display());
            let why = error.to_string().replace(&copy, &what);
            let why = why.replace(char::is_control, "\u{fffd}");
            Error::new(kind, why, PUSH_AGAIN)
        }
    })?;
    Ok(Fetched { dir, name, sha256 })
}

/// Removes what killed runs left in the backup directory, and finishes what they had all but done. Best effort.
pub fn tidy(ctx: &Ctx, backup_dir: &Path, command: &str) {
    if backup_dir.exists()
        && let Ok(_held) = ctx.try_lock(command)
    {
        snapshots::tidy(backup_dir);
    }
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Error::io("create", path, error))
}

/// Copies all of it; the SHA-256 of what came. None where that is more than `most` bytes: what comes need have no end.
fn copy(
    mut from: impl Read,
    (file, path): (&mut File, &Path),
    most: u64,
) -> Result<Option<String>> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PART];
    let mut left = most;
    loop {
        let length = from
            .read(&mut buffer)
            .map_err(|error| Error::carried("fetch", path, error))?;
        let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else {
            return Ok(Some(fsutil::hex(&hash.finalize())));
        };
        match left.checked_sub(length as u64) {
            Some(rest) => left = rest,
            None => return Ok(None),
        }
        hash.update(part);
        file.write_all(part)
            .map_err(|error| Error::io("write", path, error))?;
    }
}

/// Tells how much comes.
struct Counted<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.progress.add(length as u64);
        Ok(length)
    }
}

/// What is to go since the remote does not have it.
fn surplus<'a>(store: &Store, here: Vec<&'a Local>) -> Result<Vec<&'a Local>> {
    if store.listing.whole.is_empty() && !here.is_empty() {
        return Err(Error::other(
            format!(
                "there is no snapshot on {}: `--delete` would remove all {} here",
                store.remote,
                here.len()
            ),
            "push first; or choose by rules what goes: `codex-manager prune --keep-last 3`",
        ));
    }
    Ok(here)
}

fn gone(ctx: &Ctx, local: &Local) -> Entry {
    let key = local.stem.key(super::keys::Kind::Archive, true);
    Entry::of_local(local, key, &ctx.zone)
}

/// Removes what the remote does not have. It is looked anew where each of it stands: what was fetched may have taken its
/// name, or what another run made meanwhile.
fn remove(ctx: &Ctx, backup_dir: &Path, surplus: &[&Local], answer: &mut Answer) -> Result<()> {
    if surplus.is_empty() {
        return Ok(());
    }
    let _held = ctx.lock_patiently_unless_said("sync pull")?;
    let ids: BTreeSet<&Id> = surplus.iter().map(|local| &local.stem.id).collect();
    let standing = Locals::load(backup_dir, &ctx.zone, &ctx.stop(), &|_| {})?.all;
    for local in standing.iter().filter(|one| ids.contains(&one.stem.id)) {
        ctx.check_stop()?;
        let entry = gone(ctx, local);
        match snapshots::remove(&local.snapshot, local.is_superseded) {
            Ok(_) => answer.deleted.push(entry),
            Err(error) => answer.failed.push(entry.because(error.to_string())),
        }
    }
    Ok(())
}
