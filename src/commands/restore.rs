//! `restore`: puts a snapshot back into the Codex home. Everything is verified before anything is touched, the last of it
//! as it is unpacked beside; what is replaced becomes a snapshot of its own, which `--undo` puts back.

mod answer;
mod choose;
mod list;
mod parts;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::archive::manifest::{Absent, path_in_line};
use crate::cli::RestoreArgs;
use crate::codex::auth_file::Locks;
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::evidence::Evidence;
use crate::exchange::in_use::{self, Deed};
use crate::exchange::login::{self, Chosen};
use crate::exchange::safety;
use crate::fsutil;
use crate::install::{self, NotInstalled, Plan, Scope, Staged};
use crate::live;
use crate::metadata::Account;
use crate::snapshots::{self, Depth, Snapshot, Sound};
use crate::timeutil::Stamp;
use crate::ui::progress::Watched;
use answer::{Answer, Subject};

/// How often another archive may come to stand where the chosen one was.
const TRIES: u32 = 5;

/// Runs the command. Where another run replaced the archive before the lock was had, and nobody was asked about it, it is
/// chosen again.
pub fn run(ctx: &Ctx, args: &RestoreArgs) -> Result<Outcome> {
    let mut picked = None;
    for _ in 0..TRIES {
        if let Some(outcome) = restore(ctx, args, &mut picked)? {
            return Ok(outcome);
        }
        if !args.yes {
            break;
        }
    }
    Err(Error::other(
        "the snapshot was replaced by another codex-manager meanwhile; nothing was changed",
        "run the command again",
    ))
}

/// None where another archive stands now where the chosen one did.
fn restore(ctx: &Ctx, args: &RestoreArgs, picked: &mut Option<PathBuf>) -> Result<Option<Outcome>> {
    let dest = ctx.codex_home(args.dest_dir.as_deref())?;
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let evidence = ctx.evidence(
        args.backup_dir.as_deref(),
        None,
        Depth::Whole,
        !args.dry_run,
    )?;
    let snapshot = choose::choose(ctx, args, &evidence, (&backup_dir, &dest), picked)?;
    let seen = print_of(&snapshot.archive);
    // The first reading is for the plan that a person confirms; it happens without the lock.
    let preview = match prepare(ctx, args, &snapshot, &dest, &backup_dir) {
        Err(error)
            if error.kind() == Kind::ArchiveDamaged && is_exchanged(ctx, &snapshot, seen) =>
        {
            return Ok(None);
        }
        prepared => prepared?,
    };
    parts::warn_of_index(ctx, args, preview.scope, &preview.sound.checked, &dest);
    let auth_json = preview.sound.checked.auth_json.as_deref();
    let auth_json = auth_json.filter(|_| preview.is_of_login());
    login::warn_of_other_machine(ctx, auth_json);
    in_use::check(ctx, asked(args), &dest)?;
    if args.dry_run {
        return dry_run(ctx, args, &snapshot, &preview, &dest).map(Some);
    }
    let question = format!(
        "restore {} into `{}`, replacing {} of its entries?",
        snapshot.archive_name(),
        ctx.paths.short(&dest),
        preview.plan.units.len()
    );
    ctx.ui.confirm(&question, args.yes)?;
    let _login = login::hold(ctx, auth_json)?;
    let (lock, _in_hand) = ctx.lock("restore")?;
    let _home = ctx.enter(&dest, &backup_dir)?;
    if is_exchanged(ctx, &snapshot, seen) {
        return Ok(None);
    }
    if !args.force {
        in_use::close(ctx, Deed::Restore, &dest)?;
    }
    // What was confirmed is what happens: the home is looked at again, the archive must still be the one that was read.
    let again = Prepared {
        plan: plan(ctx, &preview.sound, &dest, &backup_dir, preview.scope)?,
        ..preview
    };
    warn_of_kept(ctx, &again.plan);
    ctx.check_stop()?;
    // First, since it is also what judges the archive to its end.
    let staged = unpack(ctx, &snapshot, &again, &dest)?;
    let copy = (!args.no_safety_backup)
        .then(|| safety_copy(ctx, &evidence, &snapshot, &again, &dest, &backup_dir))
        .transpose()?
        .flatten();
    let leaving = signed_in(ctx, &dest);
    let unkept = |error| {
        if let Some(archive) = &copy {
            safety::drop(archive);
        }
        error
    };
    ctx.check_stop().map_err(unkept)?;
    if !args.force {
        // One that was started while all of this took its time.
        in_use::close(ctx, Deed::Restore, &dest).map_err(unkept)?;
    }
    // As late as can be: Codex may have renewed it while the safety copy was made. Until it is in place no Codex writes one.
    let locks = Locks::take_known(&dest, &|| ctx.stopped());
    let _locks = locks.map_err(unkept)?;
    let keep = || live::keep_login(ctx, &lock, &dest, &|| evidence.known());
    let told = again.is_of_login().then(keep).flatten();
    let is_lost = told.is_some() || (again.is_of_login() && holds_no_login(&dest));
    if is_lost && copy.is_none() {
        return Err(Error::other(
            format!(
                "the login in `{}` cannot be kept, and there is to be no safety copy of it; nothing was changed",
                dest.display()
            ),
            "do what the warning says, or leave out `--no-safety-backup`",
        ));
    }
    let login = chosen_login(ctx, args, &again, &dest, told.as_ref());
    let newer = login.as_ref().and_then(|login| login.bytes.as_deref());
    let exchanged = newer.map_or(Ok(()), |bytes| staged.exchange(home::AUTH_JSON, bytes));
    let installed = exchanged.map_err(NotInstalled::Unchanged);
    let installed = installed
        .and_then(|()| staged.install())
        .map_err(|failure| match failure {
            NotInstalled::CutShort(error) => error,
            NotInstalled::Unchanged(error) => unkept(error),
        })?;
    ctx.warn_of(&installed);
    let mode = if args.undo { "undone" } else { "restored" };
    let subject = again.of(&snapshot, &dest);
    let sightings = leaving.into_iter().chain(signed_in(ctx, &dest));
    live::note_signed_in(ctx, &lock, &dest, sightings);
    ctx.ui.done(&Answer::of(ctx, mode, subject, login, copy))?;
    Ok(Some(warn_of_beside(ctx, &snapshot, &again, &dest)))
}

/// Whether something stands in the place of the home's login and cannot be read as one: no profile has it.
fn holds_no_login(home: &Path) -> bool {
    let is_empty = fs::symlink_metadata(home::auth_path(home)).is_ok_and(|meta| meta.len() == 0);
    !is_empty && home::read_login(home).is_err()
}

/// Unpacks it inside the home.
fn unpack<'a>(
    ctx: &Ctx,
    snapshot: &Snapshot,
    prepared: &'a Prepared,
    dest: &'a Path,
) -> Result<Staged<'a>> {
    let told = Watched {
        stop: &ctx.stop(),
        progress: &ctx.ui.progress("unpacking", 0),
    };
    let (checked, plan) = (&prepared.sound.checked, &prepared.plan);
    install::stage(dest, &snapshot.archive, checked, plan, &told)
}

fn safety_copy(
    ctx: &Ctx,
    evidence: &Evidence,
    snapshot: &Snapshot,
    prepared: &Prepared,
    dest: &Path,
    backup_dir: &Path,
) -> Result<Option<PathBuf>> {
    let sidecar = &prepared.sound.sidecar;
    let mut earlier = snapshots::earlier(&evidence.snapshots, &sidecar.account());
    earlier.push(snapshot.archive.clone());
    let kept = (sidecar.excluded_patterns.as_slice(), prepared.scope.parts);
    safety::keep(ctx, dest, backup_dir, kept, &earlier)
}

fn asked(args: &RestoreArgs) -> in_use::Asked {
    in_use::Asked {
        deed: Deed::Restore,
        force: args.force,
        dry_run: args.dry_run,
    }
}

/// What tells one file at a path from another.
type Print = (u64, u64, Option<SystemTime>);

/// None where there is none.
fn print_of(path: &Path) -> Option<Print> {
    let meta = path.metadata().ok()?;
    Some((fsutil::inode(&meta), meta.len(), meta.modified().ok()))
}

/// Whether another snapshot stands now where the chosen one did: its archive, or already its sidecar.
fn is_exchanged(ctx: &Ctx, snapshot: &Snapshot, seen: Option<Print>) -> bool {
    let hash = |snapshot: &Snapshot| snapshot.sidecar.archive_sha256.clone();
    let now = snapshots::open(&snapshot.archive, &ctx.zone);
    print_of(&snapshot.archive) != seen || now.is_ok_and(|now| hash(&now) != hash(snapshot))
}

/// Tells what a restore would do.
fn dry_run(
    ctx: &Ctx,
    args: &RestoreArgs,
    snapshot: &Snapshot,
    preview: &Prepared,
    dest: &Path,
) -> Result<Outcome> {
    if install::is_cut_short(dest)? {
        ctx.ui.warn(&format!(
            "an earlier restore into `{}` was cut short: it is dealt with first, and this one may come out otherwise",
            ctx.paths.short(dest)
        ));
    }
    warn_of_kept(ctx, &preview.plan);
    let login = chosen_login(ctx, args, preview, dest, None);
    let checked = &preview.sound.checked;
    let newer = login.as_ref().and_then(|login| login.bytes.as_deref());
    let changes = install::changes(dest, checked, &preview.plan, newer, &ctx.stop())?;
    let answer = Answer::of(ctx, "dry-run", preview.of(snapshot, dest), login, None);
    ctx.ui.data(&answer.with(changes))?;
    Ok(warn_of_beside(ctx, snapshot, preview, dest))
}

/// The login that is installed; None where none is. `told` is what has been warned of already.
fn chosen_login(
    ctx: &Ctx,
    args: &RestoreArgs,
    prepared: &Prepared,
    dest: &Path,
    told: Option<&String>,
) -> Option<Chosen> {
    let mut units = prepared.plan.units.iter();
    let is_installed =
        units.any(|unit| unit.path == home::AUTH_JSON && unit.action != install::Action::Remove);
    let auth_json = prepared.sound.checked.auth_json.as_deref();
    let archived = auth_json.filter(|_| !args.archived_auth);
    let mut problems = Vec::new();
    let chosen = is_installed.then(|| Chosen::freshest(ctx, archived, dest, &mut problems));
    for problem in problems.iter().filter(|problem| told != Some(problem)) {
        ctx.ui.warn(problem);
    }
    chosen
}

/// Who is signed in to a Codex home at this moment. What is wrong with its login is nothing to a restore.
fn signed_in(ctx: &Ctx, home: &Path) -> Option<(Account, Stamp)> {
    let (_, login) = home::read_login(home).ok()??;
    Some((login.account, ctx.sighting()))
}

fn warn_of_kept(ctx: &Ctx, plan: &Plan) {
    for kept in &plan.kept {
        ctx.ui.warn(&format!(
            "`{kept}` stays as it is: it is nothing that snapshots replace"
        ));
    }
}

/// Names the databases of the snapshot that stood outside of its home. What stands there now is in no safety copy, may be
/// on another file system and of other homes too: it is no part of the transaction, and stays.
fn warn_of_beside(ctx: &Ctx, snapshot: &Snapshot, prepared: &Prepared, dest: &Path) -> Outcome {
    let entries = prepared.sound.checked.entries.iter();
    let beside: Vec<&str> = entries
        .filter(|entry| home::is_sqlite_home(&entry.path))
        .filter_map(|entry| Some(entry.path.split_once('/')?.1))
        .collect();
    if !prepared.scope.holds(home::SQLITE_HOME_DIR) || beside.is_empty() {
        return Outcome::Done;
    }
    let now = ctx.sqlite_home(dest).unwrap_or_else(|| dest.to_owned());
    let quoted = |path: &Path| shell_words::quote(&path.display().to_string()).into_owned();
    let (place, archive) = (quoted(&now), quoted(&snapshot.archive));
    ctx.ui.warn(&format!(
        "databases that stood outside of the home are not put back: {}; to do so, quit Codex, move the old ones and all \
         that stands beside them out of `{}`, then run `tar -xzf {archive} -C {place} --strip-components=1 {}`",
        beside.join(", "),
        ctx.paths.short(&now),
        home::SQLITE_HOME_DIR
    ));
    Outcome::Partial
}

/// Fails where a restore into `dest` would sweep away what is no Codex home.
fn check_destination(ctx: &Ctx, dest: &Path, backup_dir: &Path, scope: Scope) -> Result<()> {
    let refused = |why: &str| {
        let message = format!("`{}` {why}; nothing was changed", dest.display());
        Err(Error::new(
            Kind::Usage,
            message,
            "name a Codex home with `--dest-dir`",
        ))
    };
    if let Some(why) = ctx.why_no_home(dest, backup_dir) {
        return refused(why);
    }
    if scope.parts == Parts::AUTH || scope.is_session_half || !fsutil::exists_behind(dest)? {
        return Ok(());
    }
    if home::is_like_one(dest)? {
        return Ok(());
    }
    let failed = |error| Error::io("list", dest, error);
    for entry in std::fs::read_dir(dest).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !name.to_string_lossy().starts_with(".codex-manager-") {
            return refused("holds files and looks like no Codex home");
        }
    }
    Ok(())
}

struct Prepared {
    sound: Sound,
    scope: Scope,
    plan: Plan,
}

impl Prepared {
    fn of<'a>(&'a self, snapshot: &'a Snapshot, dest: &'a Path) -> Subject<'a> {
        Subject {
            snapshot,
            sound: &self.sound,
            scope: self.scope,
            plan: &self.plan,
            dest,
        }
    }

    /// Whether the login is among what is restored.
    fn is_of_login(&self) -> bool {
        self.scope.holds(home::AUTH_JSON)
    }
}

fn prepare(
    ctx: &Ctx,
    args: &RestoreArgs,
    snapshot: &Snapshot,
    dest: &Path,
    backup_dir: &Path,
) -> Result<Prepared> {
    // Where large files are not written, there is no later moment to judge them at no cost.
    let sound = {
        let _in_hand = ctx.in_hand();
        let length = snapshot.archive.metadata().map_or(0, |meta| meta.len());
        let told = Watched {
            stop: &ctx.stop(),
            progress: &ctx.ui.progress("checking", length),
        };
        if args.dry_run || args.parts() == Some(Parts::AUTH) {
            snapshot.check(&ctx.limits(), &told)?
        } else {
            snapshot.survey(&ctx.limits(), &told)?
        }
    };
    let scope = parts::scope(args, snapshot, &sound)?;
    check_destination(ctx, dest, backup_dir, scope)?;
    let plan = plan(ctx, &sound, dest, backup_dir, scope)?;
    Ok(Prepared { sound, scope, plan })
}

fn plan(ctx: &Ctx, sound: &Sound, dest: &Path, backup_dir: &Path, scope: Scope) -> Result<Plan> {
    let exclude = &sound.sidecar.excluded_patterns;
    let captured = safety::capture_of(ctx, dest, backup_dir, exclude, scope.parts)?;
    // What the snapshot could not capture it cannot bring back: it stays.
    let lines = sound.sidecar.not_captured.iter();
    let missed: HashSet<&str> = lines.map(|line| Absent::path_of_line(line)).collect();
    let is_missed = |path: &str| {
        // What stands beside a database goes where the database goes.
        let path = home::database_beside(path).unwrap_or(path);
        let ends = path.match_indices('/').map(|(place, _)| place);
        let mut covering = ends.chain([path.len()]).filter_map(|end| path.get(..end));
        !missed.is_empty() && covering.any(|path| missed.contains(&*path_in_line(path)))
    };
    let paths = captured.entries.into_iter().map(|entry| entry.path);
    let captured: HashSet<String> = paths.filter(|path| !is_missed(path)).collect();
    install::plan(dest, &sound.checked, &captured, scope)
}
