//! Carrying to the remote what it does not have.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::keys::{Carried, Kind as Object};
use super::local::{Local, Locals};
use super::marker::Marker;
use super::plan::Difference;
use super::report::{Answer, Entry, THERE_ALREADY};
use super::{How, Store, crew, is_of_all, machines};
use crate::context::Ctx;
use crate::encryption::Recipients;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::Sidecar;
use crate::remote::{How as Put, Remote};
use crate::snapshots;
use crate::ui::progress::Progress;
use crate::ui::table::{count, size_words};

/// How much of an archive is read at once.
const PART: usize = 1 << 17;

/// Pushes.
pub fn push(ctx: &Ctx, how: &How) -> Result<Answer> {
    let backup_dir = ctx.backup_dir(how.backup_dir)?;
    let address = ctx.remote(how.remote)?;
    let recipients = recipients(ctx, how)?;
    let key_ids = recipients.as_ref().map(Recipients::key_ids);
    let store = Store::open(ctx, &address, recipients.is_none())?;
    let remote = &store.remote;
    if let (Some(marker), Some(ids)) = (&store.marker, &key_ids) {
        marker.check(ids, remote)?;
    }
    let locals = Locals::load(&backup_dir, &ctx.zone, &ctx.stop(), &|text| {
        ctx.ui.warn(text);
    })?;
    let difference = Difference::of(&locals.all, &store.listing);
    let mut answer = Answer::new("push", how.dry_run, remote.to_string());
    for (archive, reason) in &locals.left {
        ctx.ui
            .detail(&format!("`{}` is not carried: {reason}", archive.display()));
    }
    answer.skipped = skipped(ctx, &locals, &difference);
    let is_encrypted = recipients.is_some();
    let key = |local: &Local| local.stem.key(Object::Archive, is_encrypted);
    let entry = |local: &Local| Entry::of_local(local, key(local), &ctx.zone);
    let going: Vec<Entry> = difference.here.iter().map(|local| entry(local)).collect();
    let bytes = going.iter().map(|entry| entry.size_bytes).sum();
    let extra: Vec<&Carried> = if how.deletes {
        // What is not encrypted there has been sent anew.
        let plain = store.listing.plain.iter();
        surplus(&locals, difference.there.into_iter().chain(plain).collect())?
    } else {
        Vec::new()
    };
    if how.dry_run {
        answer.transferred = going;
        answer.deleted = extra.into_iter().map(Entry::of_key).collect();
        return Ok(answer);
    }
    if !extra.is_empty() {
        let what = count(extra.len(), "snapshot");
        let question = format!("Remove {what} from {remote}, since they are not here?");
        ctx.ui
            .confirm_what("removes snapshots from the remote", &question, how.yes)?;
    }
    let _in_hand = ctx.in_hand();
    ctx.check_stop()?;
    Marker::ensure(store.marker.as_ref(), &key_ids.unwrap_or_default(), remote)?;
    if !going.is_empty() {
        ctx.ui.note(&format!(
            "pushing {}, {}, to {remote}",
            count(going.len(), "snapshot"),
            size_words(bytes)
        ));
    }
    let progress = ctx.ui.progress("pushing", bytes);
    let jobs: Vec<(&Local, Entry)> = difference.here.into_iter().zip(going).collect();
    let send = |(local, entry): (&Local, Entry)| {
        let sent = send(remote, recipients.as_ref(), local, &progress);
        (entry, sent)
    };
    let outcome = crew::each(
        jobs,
        ctx.concurrency(how.concurrency),
        send,
        |(entry, sent)| match sent {
            Ok(()) => {
                answer.transferred.push(entry);
                Ok(())
            }
            Err(error) if is_of_all(&error) => Err(error),
            Err(error) => {
                answer.failed.push(entry.because(error.to_string()));
                Ok(())
            }
        },
        || {},
    );
    drop(progress);
    let key_of = |entry: &Entry| entry.key.clone();
    answer.transferred.sort_by_key(key_of);
    answer.failed.sort_by_key(key_of);
    let outcome = outcome
        .and_then(|()| machines::tell(ctx, how, remote, recipients.as_ref()))
        .and_then(|()| {
            if answer.may_remove(&ctx.ui, extra.len()) {
                remove(ctx, remote, extra, &mut answer)?;
            }
            Ok(())
        });
    answer.ended_by = outcome.err();
    Ok(answer)
}

/// To whom is encrypted; None where that is not to be.
fn recipients(ctx: &Ctx, how: &How) -> Result<Option<Recipients>> {
    if how.no_encrypt || !ctx.encrypts() {
        if !how.no_encrypt {
            ctx.ui
                .detail("the setting `sync.encrypt` is false: nothing is encrypted");
        }
        return Ok(None);
    }
    ctx.recipients().map(Some)
}

fn skipped(ctx: &Ctx, locals: &Locals, difference: &Difference) -> Vec<Entry> {
    let there = difference.both.iter().map(|(local, carried)| {
        let key = carried.archive.key.clone();
        Entry::of_local(local, key, &ctx.zone).because(THERE_ALREADY)
    });
    let left = locals.left.iter().map(|(archive, reason)| {
        let name = archive.file_name().unwrap_or_default();
        Entry {
            archive_name: Some(name.to_string_lossy().into_owned()),
            key: String::new(),
            kind: None,
            email: None,
            account_id: None,
            created_at: None,
            size_bytes: archive.metadata().map_or(0, |meta| meta.len()),
            reason: Some(reason.clone()),
        }
    });
    there.chain(left).collect()
}

/// What is to go since it is not here. Nothing is sure to be gone from a directory that cannot be read whole, or holds
/// nothing at all.
fn surplus<'a>(locals: &Locals, there: Vec<&'a Carried>) -> Result<Vec<&'a Carried>> {
    if there.is_empty() {
        return Ok(there);
    }
    let refused = |why: String| {
        Error::other(
            why,
            "mend that first; or choose by rules what goes: `codex-manager prune --remote --keep-last 3`",
        )
    };
    if locals.all.is_empty() {
        return Err(refused(format!(
            "there is no snapshot here: `--delete` would remove every one of the remote, {}",
            count(there.len(), "snapshot")
        )));
    }
    if let Some(problem) = locals.unreadable.first() {
        return Err(refused(format!(
            "what is here cannot be told, so `--delete` would remove too much: {problem}"
        )));
    }
    // One that lost its sidecar is here all the same.
    let left = locals.left_ids()?;
    let is_gone = |carried: &&Carried| !left.contains(&carried.stem.id);
    Ok(there.into_iter().filter(is_gone).collect())
}

/// Sends one snapshot: the archive, then the sidecar. The archive counts only where it has the hash it is called by.
fn send(
    remote: &Remote,
    recipients: Option<&Recipients>,
    local: &Local,
    progress: &Progress,
) -> Result<()> {
    let path = &local.snapshot.archive;
    let mut file = fsutil::open_regular(path).map_err(|error| Error::io("read", path, error))?;
    let sidecar_path = snapshots::sidecar_path(path);
    let bytes = fsutil::read_limited(&sidecar_path, snapshots::MOST_BYTES)?;
    let is_encrypted = recipients.is_some();
    let upload = remote.writer(&local.stem.key(Object::Archive, is_encrypted))?;
    let failed = |error| Error::carried("read", path, error);
    let mut hash = Sha256::new();
    let mut pass = |into: &mut dyn Write| -> Result<()> {
        let mut buffer = vec![0; PART];
        loop {
            let length = file.read(&mut buffer).map_err(failed)?;
            let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else {
                return Ok(());
            };
            hash.update(part);
            into.write_all(part).map_err(failed)?;
            progress.add(part.len() as u64);
        }
    };
    let upload = if let Some(recipients) = recipients {
        let mut encrypting = recipients.encrypting(upload)?;
        pass(&mut encrypting)?;
        encrypting.finish().map_err(failed)?
    } else {
        let mut upload = upload;
        pass(&mut upload)?;
        upload
    };
    let sha256 = fsutil::hex(&hash.finalize());
    let told = Sidecar::parse(&bytes)
        .ok()
        .and_then(|told| told.archive_sha256);
    let is_told = told.is_none_or(|told| told.eq_ignore_ascii_case(&sha256));
    if !is_told || !local.stem.id.is_of(&sha256) {
        // What was sent of it is never finished.
        return Err(Error::new(
            Kind::ArchiveDamaged,
            format!("`{}` is not what its sidecar tells", path.display()),
            "see what is wrong with it: `codex-manager list-backups --verify`",
        ));
    }
    upload.finish()?;
    let sealed = match recipients {
        Some(recipients) => recipients.seal(&bytes)?,
        None => bytes,
    };
    // Where it stands by now, another machine has carried the same.
    remote.put(
        &local.stem.key(Object::Sidecar, is_encrypted),
        sealed,
        Put::IfAbsent,
    )?;
    Ok(())
}

/// Removes snapshots from the remote: of each the sidecar first, so that what a kill leaves is no snapshot.
pub fn remove(ctx: &Ctx, remote: &Remote, gone: Vec<&Carried>, answer: &mut Answer) -> Result<()> {
    for carried in gone {
        ctx.check_stop()?;
        remove_one(remote, carried)?;
        answer.deleted.push(Entry::of_key(carried));
    }
    Ok(())
}

/// Removes one.
pub fn remove_one(remote: &Remote, carried: &Carried) -> Result<()> {
    remote.remove(&carried.sidecar.key)?;
    remote.remove(&carried.archive.key)?;
    Ok(())
}
