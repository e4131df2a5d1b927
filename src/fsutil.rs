//! The one writer of files: private from the first byte, beside the target, synced, renamed, directory synced.
//!
//! Knows nothing of Codex.

mod inspect;
mod temporary;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

pub use inspect::{
    Elsewhere, close, elsewhere, is_mine, is_writable, mode, names_of, open_bits, open_to_others,
};
pub use temporary::{
    TemporaryDir, is_temporary, left_in, sweep, sweep_all, sweep_but, sweep_dirs, temporary_name,
};

/// Makes `dir` and its parents, 0700 each where they are new. An existing one is left as it is.
pub fn create_private_dir(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .map_err(|error| Error::io("make the directory", dir, error))
}

/// A file being written beside its target. Dropped without [`AtomicFile::commit`] it leaves nothing.
pub struct AtomicFile {
    temporary: tempfile::NamedTempFile,
    target: PathBuf,
}

impl AtomicFile {
    /// Opens a private temporary file in the directory of `target`, which is made if it is missing.
    pub fn create(target: &Path) -> Result<Self> {
        let dir = parent_of(target);
        create_private_dir(dir)?;
        Ok(Self {
            temporary: temporary::file(dir)?,
            target: target.to_owned(),
        })
    }

    /// What it is to become.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// The same file, opened once more to be read: where it is written next does not move with it. A clone would share that
    /// place, which on Windows every read moves, also one that names its own.
    pub fn again(&self) -> Result<File> {
        let opened = self.temporary.reopen();
        opened.map_err(|error| Error::io("read back", &self.target, error))
    }

    /// Drops all that was written.
    pub fn empty(&mut self) -> Result<()> {
        let file = self.temporary.as_file_mut();
        let emptied = file.set_len(0).and_then(|()| io::Seek::rewind(file));
        emptied.map_err(|error| Error::io("write", &self.target, error))
    }

    /// Has all that was written on the disk.
    pub fn sync(&self) -> Result<()> {
        let synced = self.temporary.as_file().sync_all();
        synced.map_err(|error| Error::io("write", &self.target, error))
    }

    /// Syncs it to the disk and puts it in the target's place in one step.
    pub fn commit(self) -> Result<()> {
        self.sync()?;
        let target = self.target.clone();
        self.commit_synced()?;
        sync_dir(parent_of(&target))
    }

    /// Puts it in the target's place in one step. That both last is the caller's to see to: it syncs the file before and
    /// the directory after, once for many.
    pub fn commit_synced(self) -> Result<()> {
        let Self { temporary, target } = self;
        let placed = temporary.persist(&target);
        placed.map_err(|error| Error::io("write", &target, error.error))?;
        Ok(())
    }

    /// The same as [`AtomicFile::commit`] where nothing stands; false, with nothing changed, where something does. In a file system that has no such
    /// step it is looked first.
    pub fn commit_new(self) -> Result<bool> {
        self.sync()?;
        let Self { temporary, target } = self;
        let failed = |error| Error::io("write", &target, error);
        match temporary.persist_noclobber(&target) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(_) if exists(&target)? => return Ok(false),
            Err(error) => {
                let persisted = error.file.persist(&target);
                persisted.map_err(|error| failed(error.error))?;
            }
        }
        sync_dir(parent_of(&target))?;
        Ok(true)
    }
}

/// Replaces `target` by `bytes` in one step.
pub fn write_atomically(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.file()
        .write_all(bytes)
        .map_err(|error| Error::io("write", target, error))?;
    file.commit()
}

/// The same for what all may read, and so may the directories that are made for it.
pub fn write_for_all(target: &Path, bytes: &[u8]) -> Result<()> {
    let dir = parent_of(target);
    let new: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    create_private_dir(dir)?;
    let open_up = |path: &Path, mode: u32| -> Result<()> {
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            let opened = fs::set_permissions(path, mode);
            opened.map_err(|error| Error::io("open up", path, error))?;
        }
        #[cfg(not(unix))]
        let _ = (path, mode);
        Ok(())
    };
    new.iter().try_for_each(|dir| open_up(dir, 0o755))?;
    let mut file = AtomicFile::create(target)?;
    let written = file.file().write_all(bytes);
    written.map_err(|error| Error::io("write", target, error))?;
    open_up(file.temporary.path(), 0o644)?;
    file.commit()
}

/// The same for what can be done without: a power cut may leave anything at `target`.
pub fn write_unsynced(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    let written = file.file().write_all(bytes);
    written.map_err(|error| Error::io("write", target, error))?;
    file.commit_synced()
}

/// Has the system begin to send `length` bytes of what was written to the disk, from `offset` on, without waiting for it:
/// a sync at the end then finds little to do.
pub fn begin_to_flush(file: &File, offset: u64, length: u64) {
    // On Linux, to say that a range will not be needed writes it out and drops what is on the disk of it already.
    #[cfg(target_os = "linux")]
    {
        let length = std::num::NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(file, offset, length, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, length);
}

/// Makes renames in `dir` last through a power cut. Systems that cannot sync a directory need not, nor file systems: those
/// of some networks and virtual machines.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps))] // it fails only where it does something
pub fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(dir)
        .and_then(|dir| match dir.sync_all() {
            Err(error) if cannot_sync(&error) => Ok(()),
            synced => synced,
        })
        .map_err(|error| Error::io("sync", dir, error))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Whether a sync failed for that the file system has none of a directory.
#[cfg(unix)]
fn cannot_sync(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| [Errno::INVAL, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&errno))
}

/// How many bytes this user may still write in the file system of `dir`; None where nobody can tell.
pub fn free_bytes(dir: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(dir).ok()?;
        let units = if rustix::process::geteuid().is_root() {
            found.f_bfree
        } else {
            found.f_bavail
        };
        // Some file systems tell nothing.
        (found.f_blocks > 0).then(|| units.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        None
    }
}

/// Has all that was written in the file system of `dir` since `dir` was opened on the disk, by one call, which is far
/// cheaper than one a file. False where that call cannot be relied on to do so and to tell of each failure: then every
/// file is to be synced by itself.
///
/// Source: syncfs(2): failures are told since Linux 5.8. Which file systems do all of it: their `sync_fs` in the kernel.
#[cfg(target_os = "linux")]
pub fn sync_file_system(dir: &File) -> io::Result<bool> {
    const TOLD_SINCE: (u32, u32) = (5, 8);
    // ext2 to ext4, XFS, Btrfs, F2FS, tmpfs.
    const RELIABLE: [u32; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 32 bits, in any type
    let kind = rustix::fs::fstatfs(dir)?.f_type as u32;
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    let is_told = number().zip(number()) >= Some(TOLD_SINCE);
    if !is_told || !RELIABLE.contains(&kind) {
        return Ok(false);
    }
    rustix::fs::syncfs(dir)?;
    Ok(true)
}

/// No system but Linux has such a call.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)] // it fails only where it does something
pub fn sync_file_system(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Moves `from` to `to` on one file system and makes it last.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|error| Error::io(format!("move to `{}`", to.display()), from, error))?;
    sync_dir(parent_of(to))?;
    if parent_of(from) != parent_of(to) {
        sync_dir(parent_of(from))?;
    }
    Ok(())
}

/// [`rename`] to where nothing stands: a failure leaves it where it was, also where only a sync failed.
pub fn rename_or_stay(from: &Path, to: &Path) -> Result<()> {
    rename(from, to).inspect_err(|_| {
        if matches!(exists(from), Ok(false)) {
            let _ = fs::rename(to, from);
        }
    })
}

/// Has the file at `from` at `to` as well: as a link, or as a private copy where the file system has none. Nothing may
/// stand at `to`.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let mut copy = AtomicFile::create(to)?;
    let mut source = open_regular(from).map_err(|error| Error::io("read", from, error))?;
    io::copy(&mut source, copy.file()).map_err(|error| Error::io("write", to, error))?;
    copy.commit()
}

/// Reads a whole file that must not be larger than `most` bytes.
pub fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let file = open_regular(path)?;
        // Room for all of it and the read that finds the end: else the buffer grows, and reads, many times.
        let length = file.metadata()?.len().min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > most {
        return Err(Error::other(
            format!(
                "`{}` is larger than {most} bytes, which no file of its kind is",
                path.display()
            ),
            "check that the path names the right file",
        ));
    }
    Ok(bytes)
}

/// A directory held open, to look at many of its files: a name in it is found sooner than a whole path.
#[derive(Debug)]
pub struct OpenDir {
    #[cfg(unix)]
    dir: rustix::fd::OwnedFd,
    #[cfg(not(unix))]
    dir: PathBuf,
}

impl OpenDir {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        let dir = {
            use rustix::fs::{Mode, OFlags, open};
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            open(path, flags, Mode::empty())?
        };
        #[cfg(not(unix))]
        let dir = path.to_owned();
        Ok(Self { dir })
    }

    /// Reads the file `name` into `buffer`, which grows as it must and is never emptied; the part that was read. None
    /// for one larger than `most` bytes. It must have been a regular file a moment ago: what a pipe would say is not
    /// waited for, and a read that gives less than was asked for is taken for the last. Some file systems of networks
    /// break off sooner: where a whole file is needed and this is none, read it with [`read_limited`].
    pub fn read<'b>(
        &self,
        name: &str,
        buffer: &'b mut Vec<u8>,
        most: usize,
    ) -> io::Result<Option<&'b [u8]>> {
        const FIRST: usize = 1 << 16;
        #[cfg(unix)]
        let mut file = {
            use rustix::fs::{Mode, OFlags, openat};
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            File::from(openat(&self.dir, name, flags, Mode::empty())?)
        };
        #[cfg(not(unix))]
        let mut file = File::open(self.dir.join(name))?;
        let mut length = 0;
        loop {
            if length == buffer.len() {
                buffer.resize((2 * length).max(FIRST), 0);
            }
            let rest = buffer.get_mut(length..).unwrap_or_default();
            let free = rest.len();
            match file.read(rest) {
                Ok(read) if read < free => {
                    let read = length + read;
                    return Ok(buffer.get(..read).filter(|_| read <= most));
                }
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if length > most {
                return Ok(None);
            }
        }
    }

    /// The length of the file `name` in bytes, links followed.
    pub fn length(&self, name: &str) -> io::Result<u64> {
        #[cfg(unix)]
        {
            use rustix::fs::{AtFlags, statat};
            let stat = statat(&self.dir, name, AtFlags::empty())?;
            Ok(u64::try_from(stat.st_size).unwrap_or_default())
        }
        #[cfg(not(unix))]
        Ok(fs::metadata(self.dir.join(name))?.len())
    }
}

/// The names in a directory, as the system tells them and in no order; one whose name is no text is passed over.
pub struct Names<'a> {
    #[cfg(target_os = "linux")]
    path: &'a Path,
    #[cfg(target_os = "linux")]
    entries: rustix::fs::RawDir<'a, rustix::fd::OwnedFd>,
    #[cfg(not(target_os = "linux"))]
    entries: fs::ReadDir,
    #[cfg(not(target_os = "linux"))]
    place: std::marker::PhantomData<&'a Path>,
}

impl<'a> Names<'a> {
    /// Opens the directory at `path`. What the system tells goes into `buffer`, where it can: no name is copied.
    pub fn open(path: &'a Path, buffer: &'a mut Vec<u8>) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags, RawDir, open};
            const ROOM: usize = 1 << 17;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = open(path, flags, Mode::empty())?;
            buffer.clear();
            buffer.reserve(ROOM);
            let entries = RawDir::new(dir, buffer.spare_capacity_mut());
            Ok(Self { path, entries })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = buffer;
            let (entries, place) = (fs::read_dir(path)?, std::marker::PhantomData);
            Ok(Self { entries, place })
        }
    }

    /// What `pick` takes next, and makes of it: it is given a name, and whether that is a regular file. None at the end.
    pub fn next<T>(
        &mut self,
        mut pick: impl FnMut(&str, &dyn Fn() -> bool) -> Option<T>,
    ) -> Option<io::Result<T>> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let name = entry.file_name();
            #[cfg(target_os = "linux")]
            let name = name.to_str().ok();
            #[cfg(not(target_os = "linux"))]
            let name = name.to_str();
            let Some(name) = name else { continue };
            #[cfg(target_os = "linux")]
            let is_file = || match entry.file_type() {
                rustix::fs::FileType::RegularFile => true,
                // Some file systems do not tell it here.
                rustix::fs::FileType::Unknown => {
                    let found = fs::symlink_metadata(self.path.join(name));
                    found.is_ok_and(|found| found.is_file())
                }
                _ => false,
            };
            #[cfg(not(target_os = "linux"))]
            let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
            if let Some(picked) = pick(name, &is_file) {
                return Some(Ok(picked));
            }
        }
    }
}

/// [`read_limited`], or None where there is no such file.
pub fn read_if_present(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    match read_limited(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether anything stands at `path`, be it a link to nowhere. An answer that says neither is an error.
pub fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// Whether anything stands at `path`, links followed: not where one leads to nowhere.
pub fn exists_behind(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// Where what `path` leads to stands, or would: links followed, one to nowhere too.
pub fn behind_links(path: &Path) -> PathBuf {
    /// As many as the system follows.
    const MOST: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&place) else {
            break;
        };
        place = parent_of(&place).join(target);
    }
    place
}

/// Opens what must be a regular file: a pipe would be waited for, and nobody may ever write to it.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        options.custom_flags(i32::try_from(flags).unwrap_or_default());
    }
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !kind.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    Ok(file)
}

/// Whether an error says that nothing stands there, or not any more.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Which file it is, among those of one file system; 0 where the system does not tell.
pub fn inode(meta: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(meta);
    #[cfg(not(unix))]
    {
        let _ = meta;
        0
    }
}

/// The number of the file system a file is in; 0 where the system has no such numbers.
pub fn device(meta: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::dev(meta);
    #[cfg(not(unix))]
    {
        let _ = meta;
        0
    }
}

/// Whether the file is in a file system of which it is known that it notes the time of each change, also where a program
/// sets the other times. Those of other machines, in memory and without such a time are none.
pub fn notes_changes(file: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        // As the kernel numbers them (linux/magic.h): ext2 to ext4, XFS, Btrfs, F2FS, and ZFS from its own sources.
        const KNOWN: [u32; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1];
        let found = rustix::fs::fstatfs(file).ok();
        found.is_some_and(|found| {
            KNOWN
                .iter()
                .any(|known| i128::from(found.f_type) == i128::from(*known))
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        false
    }
}

/// When anything about it was changed last, in seconds and nanoseconds: nobody can set that time back. Always the same
/// where the system does not tell.
pub fn changed_at(meta: &fs::Metadata) -> (i64, i64) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (meta.ctime(), meta.ctime_nsec())
    }
    #[cfg(not(unix))]
    {
        let _ = meta;
        (0, 0)
    }
}

/// Whether its content was written longer ago than `age`; None where its time says nothing, or is still to come.
pub fn is_older_than(meta: &fs::Metadata, age: Duration) -> Option<bool> {
    Some(meta.modified().ok()?.elapsed().ok()? > age)
}

/// Fills `buffer` with the file's bytes from `offset` on. A file that ends before is `UnexpectedEof`. On Windows it moves
/// the place where this handle and its clones read and write next.
pub fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(windows)]
    {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match std::os::windows::fs::FileExt::seek_read(file, rest, offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Writes all of `bytes` at `offset`. On Windows it moves the place where this handle and its clones read and write next.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match std::os::windows::fs::FileExt::seek_write(file, rest, offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The one spelling of a path, links followed; where nothing stands there, the path as it is.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The same where its end is missing: what is there of it without links.
pub fn real_as_far(path: &Path) -> PathBuf {
    let missing = path
        .ancestors()
        .find_map(|there| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?)));
    missing.map_or_else(
        || path.to_owned(),
        |(real, rest)| real.components().chain(rest.components()).collect(),
    )
}

/// The directory a file stands in; the working directory for a bare name.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_directory_of_a_file_system_that_syncs_none_counts_as_synced() {
        let proc = Path::new("/proc");
        let synced = File::open(proc).and_then(|dir| dir.sync_all());
        assert!(cannot_sync(&synced.expect_err("cannot be synced")));
        sync_dir(proc).expect("is done");
        sync_dir(&proc.join("none")).expect_err("is not there");
    }

    #[test]
    fn who_reads_a_file_again_does_not_move_the_place_where_it_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = AtomicFile::create(&dir.path().join("a")).expect("opens");
        file.file().write_all(b"one").expect("writes");
        let mut again = file.again().expect("opens");
        io::Seek::rewind(&mut again).expect("moves");
        let mut text = [0; 3];
        read_exact_at(&again, &mut text, 0).expect("reads");
        assert_eq!(&text, b"one");
        file.file().write_all(b"two").expect("writes");
        let mut all = String::new();
        again.read_to_string(&mut all).expect("reads");
        assert_eq!(all, "onetwo");
    }

    #[test]
    fn an_abandoned_file_leaves_nothing_and_keeps_the_old_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("a");
        write_atomically(&target, b"old").expect("writes");
        let mut file = AtomicFile::create(&target).expect("opens");
        file.file().write_all(b"half").expect("writes");
        drop(file);
        assert_eq!(fs::read(&target).expect("reads"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_and_directories_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("x/y/a");
        write_atomically(&target, b"secret").expect("writes");
        let mode = |path: &Path| fs::metadata(path).expect("stands").permissions().mode() & 0o777;
        assert_eq!(
            (
                mode(&target),
                mode(&dir.path().join("x")),
                mode(&dir.path().join("x/y"))
            ),
            (0o600, 0o700, 0o700)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_is_asked_for_free_space_and_synced_as_a_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(free_bytes(dir.path()).is_some_and(|free| free > 0));
        assert_eq!(free_bytes(&dir.path().join("none")), None);
        let opened = File::open(dir.path()).expect("opens");
        fs::write(dir.path().join("a"), b"x").expect("writes");
        sync_file_system(&opened).expect("syncs, or says that it cannot");
        // Where nothing is kept on a disk there is nothing to be relied on.
        let proc = File::open("/proc").expect("opens");
        assert!(!sync_file_system(&proc).expect("asks"));
    }

    #[test]
    fn too_large_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("big");
        fs::write(&path, b"12345").expect("writes");
        assert_eq!(read_limited(&path, 5).expect("reads"), b"12345");
        assert!(
            read_limited(&path, 4)
                .expect_err("refuses")
                .to_string()
                .contains("big")
        );
        assert_eq!(
            read_if_present(&dir.path().join("none"), 1).expect("reads"),
            None
        );
    }
}
