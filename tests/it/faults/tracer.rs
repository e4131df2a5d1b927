//! Runs the program under ptrace and strikes at one of the system calls that change the disk: ends the process there as
//! `kill -9` does, or has the call fail.
//!
//! Needs no privileges and no other program: a child that asks for it may be traced by its parent.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::power::{Disk, Loss, Pending};

/// What a system call does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Create,
    Write,
    Copy,
    Length,
    Rename,
    Link,
    Remove,
    MakeDir,
    Sync,
    Attributes,
    Map,
}

impl Kind {
    /// What a disk may answer, the likeliest first.
    pub fn errors(self) -> &'static [Errno] {
        match self {
            Self::Create | Self::MakeDir => &[Errno::ENOSPC, Errno::EACCES, Errno::EIO],
            Self::Write | Self::Length => &[Errno::ENOSPC, Errno::EIO],
            Self::Copy => &[Errno::ENOSPC, Errno::EXDEV, Errno::EIO],
            Self::Rename => &[Errno::EACCES, Errno::EIO, Errno::EXDEV, Errno::ENOSPC],
            Self::Link => &[Errno::EPERM, Errno::ENOSPC, Errno::EIO],
            Self::Remove => &[Errno::EACCES, Errno::EIO],
            Self::Sync => &[Errno::EIO, Errno::ENOSPC],
            Self::Attributes => &[Errno::EPERM, Errno::EIO],
            Self::Map => &[Errno::ENOMEM],
        }
    }

    /// Whether it needs room.
    fn grows(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Write | Self::Copy | Self::Length | Self::Link | Self::MakeDir
        )
    }
}

/// One call that changes the disk.
#[derive(Clone, Debug)]
pub struct Call {
    pub kind: Kind,
    /// Its name and the path it is about.
    pub words: String,
    pub path: PathBuf,
}

/// Where and how to strike; calls are numbered from 0 as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    Nowhere,
    /// Ends the process before the call is made.
    KillBefore(usize),
    /// Ends it when the call was made.
    KillAfter(usize),
    /// This call fails, and no other.
    Fail(usize, Errno),
    /// From this call on there is no room for anything.
    Full(usize),
    /// From this call on nothing can be changed any more.
    ReadOnly(usize),
    /// Ends the process before the call, or when it has made that many, and the power is cut.
    Cut(usize, Loss),
}

impl Strike {
    /// The call that it is about.
    pub fn place(self) -> Option<usize> {
        match self {
            Self::Nowhere => None,
            Self::KillBefore(at)
            | Self::KillAfter(at)
            | Self::Fail(at, _)
            | Self::Full(at)
            | Self::ReadOnly(at)
            | Self::Cut(at, _) => Some(at),
        }
    }

    /// Whether the process does not outlive it.
    pub fn is_deadly(self) -> bool {
        matches!(
            self,
            Self::KillBefore(_) | Self::KillAfter(_) | Self::Cut(..)
        )
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Traced {
    /// Every call that changes the disk, as far as the process came.
    pub calls: Vec<Call>,
    /// Whether the call to strike at was made.
    pub struck: bool,
    /// None where it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `command`, which must not need its standard input, and strikes. What is below `root` is the disk.
///
/// Calls of its children are not looked at.
pub fn run(command: &Command, root: &Path, strike: Strike) -> Traced {
    let capture = || tempfile::tempfile().expect("a file");
    let (stdout, stderr) = (capture(), capture());
    let mut shell = Command::new("/bin/sh");
    // It waits here until it is traced.
    shell
        .args(["-c", r#"read -r _ && exec "$0" "$@" </dev/null"#])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .stdin(Stdio::piped())
        .stdout(stdout.try_clone().expect("a file"))
        .stderr(stderr.try_clone().expect("a file"));
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    // It is waited for where it is followed.
    #[allow(clippy::zombie_processes)]
    let mut child = shell.spawn().expect("starts");
    let main = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    let seized = ptrace::seize(main, options);
    assert!(
        seized.is_ok(),
        "this system does not let a process be traced by its parent, so that no fault can be tried: {seized:?}"
    );
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"\n").expect("goes on");
    drop(stdin);
    let mut tracer = Tracer {
        main,
        root,
        strike,
        calls: Vec::new(),
        struck: false,
        has_begun: false,
        at_exit: HashMap::new(),
        disk: matches!(strike, Strike::Cut(..)).then(|| Disk::new(root)),
    };
    let code = tracer.follow();
    if let (Strike::Cut(at, loss), Some(disk)) = (strike, tracer.disk.take()) {
        let is_over = !tracer.struck && at == tracer.calls.len();
        tracer.struck |= is_over;
        if tracer.struck {
            disk.cut(root, loss, is_over);
        }
    }
    Traced {
        calls: tracer.calls,
        struck: tracer.struck,
        code,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().expect("rewinds");
    file.read_to_string(&mut text).expect("UTF-8");
    text
}

/// What to do when a call that is under way is over.
enum AtExit {
    Answer(Errno),
    Kill,
    Note(Pending),
}

struct Tracer<'a> {
    main: Pid,
    root: &'a Path,
    strike: Strike,
    calls: Vec<Call>,
    struck: bool,
    /// Whether the shell has become the program.
    has_begun: bool,
    at_exit: HashMap<Pid, AtExit>,
    /// Where the power is to be cut.
    disk: Option<Disk>,
}

impl Tracer<'_> {
    /// Until all of it has ended. The exit code, None where it was killed.
    fn follow(&mut self) -> Option<i32> {
        // Other threads of the tests have children of their own.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let mut code = None;
        loop {
            // A thread that is killed while it is looked at is gone: nothing that is asked of it then matters.
            let resumed = match waitpid(None, Some(flags)) {
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return code,
                Err(error) => panic!("waits: {error}"),
                Ok(WaitStatus::Exited(pid, told)) => {
                    if pid == self.main {
                        code = Some(told);
                    }
                    continue;
                }
                Ok(
                    WaitStatus::Signaled(..) | WaitStatus::StillAlive | WaitStatus::Continued(_),
                ) => {
                    continue;
                }
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    // Dead already, it may be.
                    let _ = self.at_call(pid);
                    ptrace::syscall(pid, None)
                }
                Ok(WaitStatus::PtraceEvent(pid, _, event)) => {
                    self.has_begun |= event == libc::PTRACE_EVENT_EXEC;
                    self.resume(pid, None)
                }
                Ok(WaitStatus::Stopped(pid, signal)) => self.resume(pid, Some(signal)),
            };
            assert!(
                matches!(resumed, Ok(()) | Err(Errno::ESRCH)),
                "goes on: {resumed:?}"
            );
        }
    }

    fn resume(&self, pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
        if self.has_begun {
            ptrace::syscall(pid, signal)
        } else {
            ptrace::cont(pid, signal)
        }
    }

    /// A thread stands before or behind a call.
    fn at_call(&mut self, pid: Pid) -> nix::Result<()> {
        let op = ptrace::syscall_info(pid)?.op;
        if op == libc::PTRACE_SYSCALL_INFO_EXIT {
            return match self.at_exit.remove(&pid) {
                Some(AtExit::Kill) => self.kill(),
                Some(AtExit::Answer(errno)) => {
                    let mut registers = ptrace::getregs(pid)?;
                    registers.rax = (-i64::from(errno as i32)).cast_unsigned();
                    ptrace::setregs(pid, registers)
                }
                Some(AtExit::Note(pending)) => {
                    let returned = ptrace::getregs(pid)?.rax.cast_signed();
                    if let Some(disk) = self.disk.as_mut().filter(|_| returned >= 0) {
                        disk.after(pending, &descriptor(pid, returned.cast_unsigned()));
                    }
                    Ok(())
                }
                None => Ok(()),
            };
        }
        if op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(());
        }
        let registers = ptrace::getregs(pid)?;
        let asked = Asked {
            pid,
            number: registers.orig_rax.cast_signed(),
            arguments: [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ],
        };
        let Some((call, is_new)) = asked.change_below(self.root) else {
            return Ok(());
        };
        let place = self.calls.len();
        let kind = call.kind;
        let is_cut = matches!(self.strike, Strike::Cut(at, _) if at == place);
        if let Some(disk) = self.disk.as_mut().filter(|_| !is_cut && !self.struck)
            && let Some(pending) = disk.before(&asked, &call)
        {
            self.at_exit.insert(pid, AtExit::Note(pending));
        }
        self.calls.push(call);
        let errno = match self.strike {
            Strike::KillBefore(at) | Strike::Cut(at, _) if at == place => {
                self.struck = true;
                return self.kill();
            }
            Strike::KillAfter(at) if at == place => {
                self.struck = true;
                self.at_exit.insert(pid, AtExit::Kill);
                return Ok(());
            }
            Strike::Fail(at, errno) if at == place => errno,
            Strike::Full(at) if at <= place && kind.grows() && is_new => Errno::ENOSPC,
            Strike::ReadOnly(at) if at <= place && is_new => Errno::EROFS,
            _ => return Ok(()),
        };
        self.struck = true;
        // A call of no number does nothing.
        let mut registers = registers;
        registers.orig_rax = u64::MAX;
        ptrace::setregs(pid, registers)?;
        self.at_exit.insert(pid, AtExit::Answer(errno));
        Ok(())
    }

    fn kill(&self) -> nix::Result<()> {
        kill(self.main, Signal::SIGKILL)
    }
}

/// A call that is about to be made.
pub struct Asked {
    pid: Pid,
    pub number: i64,
    arguments: [u64; 6],
}

impl Asked {
    /// What it changes below `root`, and whether a disk that is full or read-only would keep it from that: what stands there
    /// already need not be made.
    fn change_below(&self, root: &Path) -> Option<(Call, bool)> {
        const FICLONE: u64 = 0x4004_9409;
        const FICLONERANGE: u64 = 0x4020_940D;
        let at = |place: usize| self.arguments[place];
        let create = |name, path: PathBuf, flags: u64| {
            let flags = i32::try_from(flags & 0xFFFF_FFFF).unwrap_or_default();
            (flags & (libc::O_CREAT | libc::O_TRUNC) != 0
                || flags & libc::O_TMPFILE == libc::O_TMPFILE)
                .then_some((Kind::Create, name, path))
        };
        let (kind, name, path) = match self.number {
            libc::SYS_open => create("open", self.path(0, None)?, at(1))?,
            libc::SYS_openat => create("openat", self.path(1, Some(0))?, at(2))?,
            libc::SYS_creat => (Kind::Create, "creat", self.path(0, None)?),
            libc::SYS_write => (Kind::Write, "write", self.file(0)?),
            libc::SYS_pwrite64 => (Kind::Write, "pwrite64", self.file(0)?),
            libc::SYS_writev => (Kind::Write, "writev", self.file(0)?),
            libc::SYS_pwritev => (Kind::Write, "pwritev", self.file(0)?),
            libc::SYS_pwritev2 => (Kind::Write, "pwritev2", self.file(0)?),
            libc::SYS_copy_file_range => (Kind::Copy, "copy_file_range", self.file(2)?),
            libc::SYS_sendfile => (Kind::Copy, "sendfile", self.file(0)?),
            libc::SYS_splice => (Kind::Copy, "splice", self.file(2)?),
            libc::SYS_ioctl if [FICLONE, FICLONERANGE].contains(&at(1)) => {
                (Kind::Copy, "ioctl", self.file(0)?)
            }
            libc::SYS_ftruncate => (Kind::Length, "ftruncate", self.file(0)?),
            libc::SYS_fallocate => (Kind::Length, "fallocate", self.file(0)?),
            libc::SYS_truncate => (Kind::Length, "truncate", self.path(0, None)?),
            libc::SYS_rename => (Kind::Rename, "rename", self.path(1, None)?),
            libc::SYS_renameat => (Kind::Rename, "renameat", self.path(3, Some(2))?),
            libc::SYS_renameat2 => (Kind::Rename, "renameat2", self.path(3, Some(2))?),
            libc::SYS_link => (Kind::Link, "link", self.path(1, None)?),
            libc::SYS_linkat => (Kind::Link, "linkat", self.path(3, Some(2))?),
            libc::SYS_symlink => (Kind::Link, "symlink", self.path(1, None)?),
            libc::SYS_symlinkat => (Kind::Link, "symlinkat", self.path(2, Some(1))?),
            libc::SYS_unlink => (Kind::Remove, "unlink", self.path(0, None)?),
            libc::SYS_unlinkat => (Kind::Remove, "unlinkat", self.path(1, Some(0))?),
            libc::SYS_rmdir => (Kind::Remove, "rmdir", self.path(0, None)?),
            libc::SYS_mkdir => (Kind::MakeDir, "mkdir", self.path(0, None)?),
            libc::SYS_mkdirat => (Kind::MakeDir, "mkdirat", self.path(1, Some(0))?),
            libc::SYS_fsync => (Kind::Sync, "fsync", self.file(0)?),
            libc::SYS_fdatasync => (Kind::Sync, "fdatasync", self.file(0)?),
            libc::SYS_syncfs => (Kind::Sync, "syncfs", self.file(0)?),
            libc::SYS_sync_file_range => (Kind::Sync, "sync_file_range", self.file(0)?),
            libc::SYS_chmod => (Kind::Attributes, "chmod", self.path(0, None)?),
            libc::SYS_fchmod => (Kind::Attributes, "fchmod", self.file(0)?),
            libc::SYS_fchmodat | libc::SYS_fchmodat2 => {
                (Kind::Attributes, "fchmodat", self.path(1, Some(0))?)
            }
            libc::SYS_chown | libc::SYS_lchown => (Kind::Attributes, "chown", self.path(0, None)?),
            libc::SYS_fchown => (Kind::Attributes, "fchown", self.file(0)?),
            libc::SYS_fchownat => (Kind::Attributes, "fchownat", self.path(1, Some(0))?),
            libc::SYS_utimensat if at(1) == 0 => (Kind::Attributes, "utimensat", self.file(0)?),
            libc::SYS_utimensat => (Kind::Attributes, "utimensat", self.path(1, Some(0))?),
            libc::SYS_setxattr | libc::SYS_lsetxattr => {
                (Kind::Attributes, "setxattr", self.path(0, None)?)
            }
            libc::SYS_fsetxattr => (Kind::Attributes, "fsetxattr", self.file(0)?),
            libc::SYS_mmap
                if at(2) & libc::PROT_WRITE as u64 != 0
                    && at(3) & 0xF == libc::MAP_SHARED as u64
                    && at(3) & libc::MAP_ANONYMOUS as u64 == 0 =>
            {
                (Kind::Map, "mmap", self.file(4)?)
            }
            _ => return None,
        };
        let below = path.strip_prefix(root).ok()?;
        let words = format!("{name} {}", below.display());
        let is_made = matches!(kind, Kind::Create | Kind::MakeDir);
        let is_new = !is_made || fs::symlink_metadata(&path).is_err();
        Some((Call { kind, words, path }, is_new))
    }

    /// Where the file is found that it changes or syncs, whatever its name is now; None where it is asked for by name.
    pub fn descriptor(&self) -> Option<PathBuf> {
        let place = match self.number {
            libc::SYS_truncate => return None,
            libc::SYS_copy_file_range | libc::SYS_splice => 2,
            _ => 0,
        };
        Some(descriptor(self.pid, self.arguments[place] & 0xFFFF_FFFF))
    }

    /// The path that it takes away, where it is one that renames.
    pub fn renamed(&self) -> Option<PathBuf> {
        match self.number {
            libc::SYS_rename => self.path(0, None),
            _ => self.path(1, Some(0)),
        }
    }

    /// The file that the descriptor in that argument is of; None where it is none that a name leads to.
    fn file(&self, place: usize) -> Option<PathBuf> {
        let target = descriptor(self.pid, self.arguments[place] & 0xFFFF_FFFF);
        let target = fs::read_link(target).ok()?;
        target.is_absolute().then_some(target)
    }

    /// The path in that argument, which starts at the directory that the descriptor in the other is of.
    fn path(&self, place: usize, dir: Option<usize>) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(self.arguments[place])?);
        if path.is_absolute() {
            return Some(path);
        }
        let of_working_dir = |dir: &usize| {
            let descriptor = self.arguments[*dir] & 0xFFFF_FFFF;
            descriptor == u64::from(libc::AT_FDCWD.cast_unsigned())
        };
        let start = match dir.filter(|dir| !of_working_dir(dir)) {
            Some(dir) => self.file(dir)?,
            None => fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()?,
        };
        Some(start.join(path))
    }

    /// The text at an address of the process, up to its zero.
    fn text(&self, address: u64) -> Option<String> {
        const PAGE: u64 = 4096;
        let memory = File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        let mut bytes = Vec::new();
        let mut address = address;
        while bytes.len() < libc::PATH_MAX as usize {
            // What follows a page may not be there.
            let length = usize::try_from(PAGE - address % PAGE).ok()?;
            let mut part = vec![0; length];
            memory.read_exact_at(&mut part, address).ok()?;
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&part[..end]);
                return String::from_utf8(bytes).ok();
            }
            bytes.extend(part);
            address += length as u64;
        }
        None
    }
}

/// What leads to what a descriptor of a process is of.
fn descriptor(pid: Pid, number: u64) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/fd/{number}"))
}

/// A script of three calls: a file is made, written, and another one is made. All of it is the shell's own.
const SCRIPT: &str = "echo new > one; : > two";

/// What the script did before it was struck.
fn script(strike: Strike) -> (Traced, Vec<(String, String)>) {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().canonicalize().expect("stands");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT]).current_dir(&root);
    let traced = run(&command, &root, strike);
    let listing = fs::read_dir(&root).expect("lists").flatten();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a name");
        (name, fs::read_to_string(entry.path()).expect("reads"))
    };
    let mut files: Vec<_> = listing.map(read).collect();
    files.sort();
    (traced, files)
}

#[test]
fn each_call_is_seen_and_struck() {
    let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
    let (traced, files) = script(Strike::Nowhere);
    let words: Vec<&str> = traced
        .calls
        .iter()
        .map(|call| call.words.as_str())
        .collect();
    assert_eq!(words, ["openat one", "write one", "openat two"]);
    assert_eq!((traced.code, traced.struck), (Some(0), false));
    assert_eq!(files, [file("one", "new\n"), file("two", "")]);
    for (strike, left) in [
        (Strike::KillBefore(0), vec![]),
        (Strike::KillAfter(0), vec![file("one", "")]),
        (Strike::KillBefore(1), vec![file("one", "")]),
        (Strike::KillAfter(1), vec![file("one", "new\n")]),
        (Strike::KillBefore(2), vec![file("one", "new\n")]),
    ] {
        let (traced, files) = script(strike);
        assert_eq!((traced.code, traced.struck), (None, true), "{strike:?}");
        assert_eq!(files, left, "{strike:?}");
    }
    // Shells do not tell why they could not write.
    let (traced, files) = script(Strike::Fail(1, Errno::ENOSPC));
    assert!(traced.struck && !traced.stderr.is_empty(), "{traced:?}");
    assert_eq!(files, [file("one", ""), file("two", "")]);
    let (traced, files) = script(Strike::Fail(0, Errno::ENOSPC));
    assert!(
        traced.struck && traced.stderr.contains("No space left"),
        "{traced:?}"
    );
    assert_eq!(files, [file("two", "")]);
    let (traced, files) = script(Strike::Full(1));
    assert!(traced.struck && traced.code != Some(0), "{traced:?}");
    assert_eq!(files, [file("one", "")]);
    let (traced, files) = script(Strike::Fail(3, Errno::EIO));
    assert_eq!(
        (traced.code, traced.struck, files.len()),
        (Some(0), false, 2)
    );
}

#[test]
fn a_power_cut_takes_what_is_not_synced() {
    let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
    let zeros = "\0\0\0\0";
    for (at, [all, content, half, zeroed]) in [
        (0, [vec![], vec![], vec![], vec![]]),
        (
            2,
            [
                vec![],
                vec![file("one", "")],
                vec![],
                vec![file("one", zeros)],
            ],
        ),
        (
            3,
            [
                vec![],
                vec![file("one", ""), file("two", "")],
                vec![file("one", zeros)],
                vec![file("one", zeros), file("two", "")],
            ],
        ),
    ] {
        for (loss, left) in Loss::EACH.into_iter().zip([all, content, half, zeroed]) {
            let (traced, files) = script(Strike::Cut(at, loss));
            assert!(traced.struck, "{at} {loss:?}");
            assert_eq!(traced.code, (at == 3).then_some(0), "{at} {loss:?}");
            assert_eq!(files, left, "{at} {loss:?}");
        }
    }
}
