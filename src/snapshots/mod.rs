//! The snapshots in a backup directory: finding, reading and choosing them. The sidecar beats the file name.
//!
//! Knows the layouts: ours (`<base>.tar.gz` and `<base>.metadata.json`, older ones under `superseded/`, replaced homes
//! under `safety/`), the same flat one of the Python 1.0.0, and the split one of the Python 23.0.0.

pub mod commit;
pub mod make;
mod newest;
pub mod place;
mod remove;
mod tidy;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::limits::{Limits, Told};
use crate::archive::read::{self, Caps, Checked, Maker};
use crate::codex::{auth, home};
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, Names, OpenDir};
use crate::metadata::{
    ARCHIVE_FORMAT, ARCHIVE_SUFFIX, Account, BackupMode, BackupName, SIDECAR_SUFFIX, Sidecar,
};
use crate::stop::Watch;
use crate::threads;
use crate::timeutil::{Stamp, Zone};

pub use newest::{Newest, list_newest};
pub use remove::remove;
pub use tidy::{sha256, tidy};

/// The largest sidecar that is read.
pub const MOST_BYTES: u64 = 16 << 20;

/// Why an archive that lost its sidecar is refused.
const NOBODYS: &str = "it has no sidecar beside it and none inside: nothing says whose it is";

/// Where earlier snapshots of a window go, below the backup directory.
pub const SUPERSEDED: &str = "superseded";

/// Where replaced homes go, below the backup directory.
pub const SAFETY: &str = "safety";

/// One snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The archive.
    pub archive: PathBuf,
    /// What its sidecar says. Where it has none, what the archive begins with says of it, else what its name says.
    pub sidecar: Box<Sidecar>,
    /// How much of the sidecar that is.
    pub depth: Depth,
    /// Whether it has a sidecar.
    pub is_complete: bool,
}

/// How much of each sidecar is kept. All of it is read and must be sound either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Whole,
    /// What [`Sidecar::parse_window`] keeps: whose it is, and what it says of the account's window.
    Window,
}

/// An archive that passed every check, and whose it is.
#[derive(Debug)]
pub struct Sound {
    /// What it holds.
    pub checked: Checked,
    /// What it says of itself: its sidecar, or the copy inside where the sidecar is lost.
    pub sidecar: Sidecar,
}

/// [`read::check`] or [`read::survey`].
type Gate = fn(&Path, Maker, &Caps, &dyn Watch) -> Result<Checked>;

impl Snapshot {
    /// Reads every byte and checks it: the archive's own form, its length and hash as the sidecar has them, and that
    /// the login inside is the one the sidecar names.
    pub fn check(&self, limits: &Limits, watch: &dyn Watch) -> Result<Sound> {
        self.judge(read::check, limits, watch)
    }

    /// [`check`](Self::check) for a snapshot that is to be restored next, which judges the rest: the content of large
    /// files, and where such were left out, the archive's hash.
    pub fn survey(&self, limits: &Limits, watch: &dyn Watch) -> Result<Sound> {
        self.judge(read::survey, limits, watch)
    }

    fn judge(&self, gate: Gate, limits: &Limits, watch: &dyn Watch) -> Result<Sound> {
        if self.is_complete && self.depth == Depth::Window {
            let whole = Self {
                sidecar: Box::new(read_sidecar(&sidecar_path(&self.archive))?),
                depth: Depth::Whole,
                ..self.clone()
            };
            return whole.judge(gate, limits, watch);
        }
        let maker = if self.is_complete && self.sidecar.schema_version.is_some() {
            Maker::Ours
        } else {
            Maker::Foreign(|path| home::is_passing(path, true))
        };
        let caps = limits.caps(Told {
            files: self.sidecar.file_count,
            bytes: self.sidecar.total_bytes,
        });
        let mut checked = gate(&self.archive, maker, &caps, watch)?;
        let inside = checked
            .metadata_json
            .as_deref()
            .and_then(|inside| Sidecar::parse(inside).ok());
        let sidecar = match inside {
            Some(inside) if !self.is_complete || self.is_newer_inside(&inside) => inside,
            _ if self.is_complete => Sidecar::clone(&self.sidecar),
            _ => return Err(self.damaged(NOBODYS)),
        };
        if sidecar
            .archive_format
            .is_some_and(|form| form > ARCHIVE_FORMAT)
        {
            return Err(self.damaged("it is of a later form than this program knows"));
        }
        if sidecar
            .archive_size_bytes
            .is_some_and(|size| size != checked.size_bytes)
        {
            return Err(self.damaged("its length is not the one its sidecar has"));
        }
        if sidecar
            .archive_sha256
            .as_ref()
            .is_some_and(|hash| !checked.has_sha256(hash))
        {
            return Err(self.damaged(read::NOT_THE_HASH));
        }
        // Ours may hold one, where its home did: it comes back as it was, without the database it could spoil.
        if sidecar.file_count.is_none()
            && let Some(log) = log_alone(&checked)
        {
            let why = format!("`{log}` is the log of a database that it does not hold");
            return Err(self.damaged(&why));
        }
        self.check_login(&checked, &sidecar)?;
        self.check_manifest(&checked, &sidecar)?;
        let is_as_told = [
            (sidecar.file_count, checked.file_count),
            (sidecar.total_bytes, checked.total_bytes),
        ]
        .iter()
        .all(|(told, found)| told.is_none_or(|told| told == *found));
        if !is_as_told {
            return Err(self.damaged("it does not hold as much as its sidecar tells"));
        }
        Ok(Sound { checked, sidecar })
    }

    /// Whether the archive took the place of an earlier one and was cut short before its sidecar followed: then what it
    /// says of itself holds.
    fn is_newer_inside(&self, inside: &Sidecar) -> bool {
        inside.plan_sha256.is_some()
            && inside.plan_sha256 != self.sidecar.plan_sha256
            && inside.archive_name == self.sidecar.archive_name
            && inside.account() == self.sidecar.account()
    }

    /// What the manifest says of the files was compared when the archive was read.
    fn check_manifest(&self, checked: &Checked, sidecar: &Sidecar) -> Result<()> {
        let Some(told) = &checked.manifest_of else {
            return if sidecar.archive_format >= Some(ARCHIVE_FORMAT) {
                Err(self.damaged("its sidecar tells of a manifest, and it has none"))
            } else {
                Ok(())
            };
        };
        let account = sidecar.account();
        // A sidecar of another program may know less of the account.
        let may_be = !account.is_exact() && (account == Account::default() || account.may_be(told));
        if *told == account || may_be {
            Ok(())
        } else {
            Err(self.damaged(&format!(
                "its manifest is of {told}, its sidecar names {account}"
            )))
        }
    }

    fn check_login(&self, checked: &Checked, sidecar: &Sidecar) -> Result<()> {
        let account = sidecar.account();
        let is_nobodys = account == Account::default();
        let Some(bytes) = &checked.auth_json else {
            return if is_nobodys || sidecar.mode() == BackupMode::SessionOnly {
                Ok(())
            } else {
                Err(self.damaged("it holds no auth.json"))
            };
        };
        match auth::parse(bytes) {
            Ok(login) if is_nobodys || login.account.may_be(&account) => Ok(()),
            Ok(login) => Err(self.damaged(&format!(
                "it holds the login of {}, its sidecar names {account}",
                login.account
            ))),
            Err(_) if is_nobodys => Ok(()),
            Err(reason) => Err(self.damaged(&format!("its auth.json is unusable: {reason}"))),
        }
    }

    fn damaged(&self, why: &str) -> Error {
        read::untrusted(&self.archive, why)
    }

    /// The archive's directory and its name there.
    fn place(&self) -> Option<(&Path, &OsStr)> {
        Some((self.archive.parent()?, self.archive.file_name()?))
    }

    /// The archive's file name.
    pub fn archive_name(&self) -> String {
        self.archive
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

/// A file that SQLite would take for the log of whatever database it comes to lie beside.
fn log_alone(checked: &Checked) -> Option<&str> {
    let paths = checked.entries.iter().map(|entry| entry.path.as_str());
    let mut logs = paths
        .clone()
        .filter(|path| home::database_beside(path).is_some())
        .peekable();
    logs.peek()?;
    let all: HashSet<&str> = paths.collect();
    logs.find(|log| home::database_beside(log).is_some_and(|database| !all.contains(database)))
}

/// What a directory holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// The snapshots, by file name.
    pub snapshots: Vec<Snapshot>,
    /// What could not be read or is not complete, each with its path.
    pub problems: Vec<String>,
    /// How many archives could not be read at all.
    pub unreadable: usize,
    /// Why each of them could not, which stands among the problems too.
    pub broken: Vec<String>,
    /// The sidecars that have no archive beside them, which stand there too.
    pub orphans: Vec<PathBuf>,
}

/// The current snapshots in `backup_dir`. A missing directory holds none.
pub fn list(backup_dir: &Path, zone: &Zone, depth: Depth) -> Result<Listing> {
    let mut listing = Listing::default();
    read_dir_into(backup_dir, zone, depth, &is_flat, &mut listing)?;
    read_halves_into(backup_dir, zone, depth, &mut listing)?;
    Ok(listing)
}

/// The snapshots in the split layout of the Python 23.0.0.
fn read_halves_into(
    backup_dir: &Path,
    zone: &Zone,
    depth: Depth,
    listing: &mut Listing,
) -> Result<()> {
    for (half, wanted) in [
        ("auth", &is_python_auth as &dyn Fn(&str) -> bool),
        ("sessions", &is_python_session),
    ] {
        for account in subdirectories(&backup_dir.join(half))? {
            read_dir_into(&account, zone, depth, wanted, listing)?;
        }
    }
    Ok(())
}

/// The names of the current archives in `backup_dir`, sorted, none of them read. None where it cannot be listed.
pub fn archive_names(backup_dir: &Path) -> Vec<String> {
    let mut room = Vec::new();
    let mut found = Vec::new();
    if let Ok(mut names) = Names::open(backup_dir, &mut room) {
        let _: Option<std::io::Result<()>> = names.next(|name, _| {
            if name.strip_suffix(ARCHIVE_SUFFIX).is_some_and(is_flat) {
                found.push(name.to_owned());
            }
            None
        });
    }
    found.sort_unstable();
    found
}

/// The snapshots below `backup_dir/<part>/<time>/`, for `superseded` and `safety`.
pub fn list_kept(backup_dir: &Path, part: &str, zone: &Zone) -> Result<Listing> {
    let mut listing = Listing::default();
    for dir in subdirectories(&backup_dir.join(part))? {
        read_dir_into(&dir, zone, Depth::Whole, &is_flat, &mut listing)?;
    }
    Ok(listing)
}

/// Tells the lengths of many archives, one after the other.
#[derive(Default)]
pub struct Lengths<'a> {
    /// Where the last one was.
    last: Option<(&'a Path, OpenDir)>,
}

impl<'a> Lengths<'a> {
    /// The length of the archive now, in bytes. None where it is gone since it was listed.
    pub fn of(&mut self, snapshot: &'a Snapshot) -> Option<u64> {
        let (dir, name) = snapshot.place()?;
        let last = self.last.as_ref();
        // As they are spelled, which is sooner compared than paths.
        if last.is_none_or(|(last, _)| last.as_os_str() != dir.as_os_str()) {
            self.last = Some((dir, OpenDir::open(dir).ok()?));
        }
        let (_, open) = self.last.as_ref()?;
        open.length(name.to_str()?).ok()
    }
}

fn is_flat(base: &str) -> bool {
    BackupName::is_base(base)
}

fn is_python_auth(base: &str) -> bool {
    base == "latest"
}

fn is_python_session(base: &str) -> bool {
    base.starts_with("backup-") && base.ends_with("-codex")
}

fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir, error)),
    };
    let mut dirs = Vec::new();
    for entry in listing {
        let path = entry.map_err(|error| Error::io("list", dir, error))?.path();
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => dirs.push(path),
            Ok(_) => {}
            Err(error) if fsutil::is_gone(&error) => {}
            // What may be a directory of snapshots is not taken for nothing.
            Err(error) => return Err(Error::io("look at", &path, error)),
        }
    }
    dirs.sort();
    Ok(dirs)
}

/// A file's name in a directory.
struct Name {
    /// Its first bytes, so that nearly all comparisons are of two numbers.
    head: u128,
    file: String,
    /// How long it is without its suffix.
    base: usize,
    /// Whether the directory says that it is a regular file: then nobody else need be asked.
    is_file: bool,
}

impl Name {
    fn new(file: &str, base: &str, is_file: bool) -> Self {
        let mut head = [0; size_of::<u128>()];
        for (place, byte) in head.iter_mut().zip(base.bytes()) {
            *place = byte;
        }
        Self {
            head: u128::from_be_bytes(head),
            file: file.to_owned(),
            base: base.len(),
            is_file,
        }
    }

    /// Without its suffix.
    fn base(&self) -> &str {
        self.file.get(..self.base).unwrap_or_default()
    }

    /// As their bases compare.
    fn compare(&self, other: &Self) -> Ordering {
        self.head
            .cmp(&other.head)
            .then_with(|| self.base().cmp(other.base()))
    }

    /// Its path in `dir`.
    fn path(&self, dir: &Path) -> PathBuf {
        let mut path = PathBuf::with_capacity(dir.as_os_str().len() + 1 + self.file.len());
        path.push(dir);
        path.push(&self.file);
        path
    }
}

fn read_dir_into(
    dir: &Path,
    zone: &Zone,
    depth: Depth,
    wanted: &dyn Fn(&str) -> bool,
    listing: &mut Listing,
) -> Result<()> {
    let mut room = Vec::new();
    let mut names = match Names::open(dir, &mut room) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("list", dir, error)),
    };
    let mut archives: Vec<Name> = Vec::new();
    let mut failed = None;
    let names = std::iter::from_fn(|| {
        let sidecar = names.next(|name, is_file| {
            if let Some(base) = name.strip_suffix(ARCHIVE_SUFFIX) {
                if wanted(base) {
                    archives.push(Name::new(name, base, is_file()));
                }
            } else if let Some(base) = name.strip_suffix(SIDECAR_SUFFIX)
                && wanted(base)
            {
                return Some(Name::new(name, base, is_file()));
            }
            None
        })?;
        match sidecar {
            Ok(sidecar) => Some(sidecar),
            Err(error) => {
                failed = Some(Error::io("list", dir, error));
                None
            }
        }
    });
    // Read as they come: which of them have an archive is known only at the end, and nearly all have.
    let open = OpenDir::open(dir).ok();
    let mut sidecars = threads::share(names, |part: Vec<Name>| {
        let mut buffer = Vec::new();
        let read = |name: Name| {
            let open = open.as_ref().filter(|_| name.is_file);
            let sidecar = open.and_then(|open| read_plain(open, &name.file, depth, &mut buffer));
            (name, sidecar)
        };
        part.into_iter().map(read).collect()
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    archives.sort_unstable_by(Name::compare);
    sidecars.sort_unstable_by(|(a, _), (b, _)| a.compare(b));
    listing.snapshots.reserve(archives.len());
    let mut sidecars = sidecars.into_iter().peekable();
    let mut orphans: Vec<Name> = Vec::new();
    for name in archives {
        while let Some((orphan, _)) = sidecars.next_if(|(other, _)| other.compare(&name).is_lt()) {
            orphans.push(orphan);
        }
        let sidecar = sidecars.next_if(|(other, _)| other.compare(&name).is_eq());
        let has_sidecar = sidecar.is_some();
        let archive = name.path(dir);
        match sidecar.and_then(|(_, sidecar)| sidecar) {
            Some(sidecar) if name.is_file => listing.snapshots.push(Snapshot {
                archive,
                sidecar,
                depth,
                is_complete: true,
            }),
            _ => match read_one(&archive, has_sidecar, zone) {
                Ok((snapshot, problem)) => {
                    listing.snapshots.push(snapshot);
                    listing.problems.extend(problem);
                }
                Err(problem) => {
                    listing.problems.push(problem.clone());
                    listing.broken.push(problem);
                    listing.unreadable += 1;
                }
            },
        }
    }
    orphans.extend(sidecars.map(|(orphan, _)| orphan));
    for orphan in orphans {
        let path = orphan.path(dir);
        listing.problems.push(of_orphan(&path));
        listing.orphans.push(path);
    }
    Ok(())
}

fn of_orphan(sidecar: &Path) -> String {
    format!(
        "the sidecar `{}` has no archive beside it",
        sidecar.display()
    )
}

/// Reads a sidecar that is a regular file. None where anything is odd: [`read_one`] says what, or finds that it is not.
fn read_plain(
    dir: &OpenDir,
    name: &str,
    depth: Depth,
    buffer: &mut Vec<u8>,
) -> Option<Box<Sidecar>> {
    let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
    let bytes = dir.read(name, buffer, most).ok()??;
    match depth {
        Depth::Whole => Sidecar::parse(bytes).ok().map(Box::new),
        Depth::Window => Sidecar::parse_window(bytes).map(Box::new),
    }
}

fn read_one(
    archive: &Path,
    has_sidecar: bool,
    zone: &Zone,
) -> Result<(Snapshot, Option<String>), String> {
    let meta = fs::metadata(archive).map_err(|error| {
        format!(
            "cannot read `{}`: {}",
            archive.display(),
            crate::error::describe(&error)
        )
    })?;
    if !meta.is_file() {
        return Err(format!("`{}` is no regular file", archive.display()));
    }
    let (sidecar, problem) = if has_sidecar {
        (
            read_sidecar(&sidecar_path(archive)).map_err(|error| error.to_string())?,
            None,
        )
    } else {
        let inside = read::description(archive);
        let inside = inside.and_then(|inside| Sidecar::parse(&inside).ok());
        let problem = format!(
            "the archive `{}` has no sidecar: it is unfinished or foreign, and what {} is shown",
            archive.display(),
            if inside.is_some() {
                "it says of itself"
            } else {
                "its name says"
            }
        );
        let sidecar = inside.unwrap_or_else(|| sidecar_of_name(archive, zone));
        (sidecar, Some(problem))
    };
    Ok((
        Snapshot {
            archive: archive.to_owned(),
            sidecar: Box::new(sidecar),
            depth: Depth::Whole,
            is_complete: has_sidecar,
        },
        problem,
    ))
}

/// Reads one sidecar.
pub fn read_sidecar(path: &Path) -> Result<Sidecar> {
    let bytes = fsutil::read_limited(path, MOST_BYTES)?;
    Sidecar::parse(&bytes).map_err(|why| {
        Error::new(
            Kind::ArchiveDamaged,
            format!("the sidecar `{}` cannot be read: {why}", path.display()),
            "move it away to list the archive by its name alone",
        )
    })
}

/// Where an archive's sidecar stands.
pub fn sidecar_path(archive: &Path) -> PathBuf {
    let name = archive
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let base = name.strip_suffix(ARCHIVE_SUFFIX).unwrap_or(&name);
    archive.with_file_name(format!("{base}{SIDECAR_SUFFIX}"))
}

/// The directory of snapshots and those below it where others are kept: whatever is on its way is on its way there.
pub fn dirs_of(backup_dir: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![backup_dir.to_owned()];
    for part in [SAFETY, SUPERSEDED] {
        dirs.extend(subdirectories(&backup_dir.join(part)).unwrap_or_default());
    }
    dirs
}

/// Whether a sidecar stands at `path` and no archive beside it.
pub fn is_orphan(path: &Path) -> Result<bool> {
    let name = path.file_name().map(OsStr::to_string_lossy);
    let base = name.as_deref().unwrap_or_default();
    let Some(base) = base.strip_suffix(SIDECAR_SUFFIX) else {
        return Ok(false);
    };
    let archive = path.with_file_name(format!("{base}{ARCHIVE_SUFFIX}"));
    Ok(fsutil::exists(path)? && !fsutil::exists(&archive)?)
}

/// What an archive's name alone tells.
fn sidecar_of_name(archive: &Path, zone: &Zone) -> Sidecar {
    let name = archive
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some(base) = BackupName::of_file(&name) else {
        return Sidecar::default();
    };
    let session_start_at = base.session_start_at(zone);
    Sidecar {
        email: Some(base.email().to_owned()),
        session_start_at,
        next_available_at: session_start_at.map(|start| start.next_available_at(zone)),
        created_at: session_start_at.map(|start| start.0),
        archive_name: Some(name),
        ..Sidecar::default()
    }
}

/// One snapshot by the path of its archive.
pub fn open(archive: &Path, zone: &Zone) -> Result<Snapshot> {
    let has_sidecar = sidecar_path(archive).exists();
    let damaged = |why: String| {
        Error::new(
            Kind::ArchiveDamaged,
            why,
            "choose another one: `codex-manager list-backups`",
        )
    };
    read_one(archive, has_sidecar, zone)
        .map(|(snapshot, _)| snapshot)
        .map_err(damaged)
}

/// The one to restore: the newest whole home; where there is none, the newest login.
///
/// A session half without a login is taken only by its name.
pub fn newest<'a>(
    snapshots: impl Iterator<Item = &'a Snapshot>,
    auth_only: bool,
) -> Option<&'a Snapshot> {
    let rank = |snapshot: &'a Snapshot| -> (bool, Option<Stamp>, &'a Path) {
        let whole = auth_only || snapshot.sidecar.mode() == BackupMode::Full;
        (whole, snapshot.sidecar.content_time(), &snapshot.archive)
    };
    snapshots
        .filter(|snapshot| snapshot.sidecar.mode() != BackupMode::SessionOnly)
        .max_by_key(|s| rank(s))
}

/// The archives among `snapshots` whose members a new snapshot of `account` may take over, the likeliest first: the
/// newest of that account, then the newest of all. Accounts on one machine share their sessions.
pub fn earlier(snapshots: &[Snapshot], account: &Account) -> Vec<PathBuf> {
    const MOST: usize = 4;
    let is_whole = |snapshot: &&Snapshot| {
        snapshot.is_complete
            && snapshot.sidecar.mode() == BackupMode::Full
            && snapshot.sidecar.archive_format == Some(ARCHIVE_FORMAT)
    };
    let mut earlier: Vec<&Snapshot> = snapshots.iter().filter(is_whole).collect();
    let age = |snapshot: &Snapshot| {
        let made = snapshot.sidecar.created_at;
        (std::cmp::Reverse(made), snapshot.archive.clone())
    };
    earlier.sort_by_cached_key(|snapshot| age(snapshot));
    let own = |snapshot: &&&Snapshot| snapshot.sidecar.account().may_be(account);
    let newest = earlier.iter().find(own).map(|one| one.archive.clone());
    let mut paths: Vec<PathBuf> = newest.into_iter().collect();
    for snapshot in earlier {
        if paths.len() < MOST && !paths.contains(&snapshot.archive) {
            paths.push(snapshot.archive.clone());
        }
    }
    paths
}

#[cfg(test)]
mod tests;
