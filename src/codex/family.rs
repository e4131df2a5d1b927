//! Ending a child with all that it started, on every path.

use std::ffi::OsStr;
use std::fmt;
#[cfg(windows)]
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal,
}

impl Ending {
    /// From an exit code, where there is one.
    pub fn of_code(code: Option<i32>) -> Self {
        code.map_or(Self::Signal, Self::Code)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal => f.write_str("a signal"),
        }
    }
}

/// A child that can be ended, whoever started it.
pub trait Child {
    /// Its process id; None once it is gone.
    fn id(&self) -> Option<u32>;
    /// How it ended; None as long as it runs. Its id stays its own until [`Child::end`]: nobody else gets it meanwhile, nor
    /// the group that goes by it.
    fn ended(&mut self) -> Option<Ending>;
    /// Ends it at once and waits until it is gone.
    fn end(&mut self);
}

impl Child for std::process::Child {
    fn id(&self) -> Option<u32> {
        Some(self.id())
    }

    #[cfg(unix)]
    fn ended(&mut self) -> Option<Ending> {
        look(Self::id(self))
    }

    #[cfg(not(unix))]
    fn ended(&mut self) -> Option<Ending> {
        let status = self.try_wait().ok().flatten();
        status.map(|status| Ending::of_code(status.code()))
    }

    fn end(&mut self) {
        // One that may not be ended, as one of another user's, is not waited for either.
        if self.kill().is_ok() {
            let _ = self.wait();
        }
    }
}

/// How the child `id` ended, without taking note of it: it stays to be waited for.
#[cfg(unix)]
pub fn look(id: u32) -> Option<Ending> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let id = Pid::from_raw(i32::try_from(id).ok()?)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(id), options) {
        Ok(Some(status)) => Some(Ending::of_code(status.exit_status())),
        Ok(None) | Err(rustix::io::Errno::INTR) => None,
        // It is no child of this process any more.
        Err(_) => Some(Ending::Signal),
    }
}

/// A child that leads a process group of its own. Neither it nor what it started outlives this value.
///
/// On Linux that holds for what left the group too, as a daemon does: orphans come to this process and are ended. What
/// ran before is not touched. On Windows the tree of the child is ended as long as it stands.
pub struct Family<C: Child> {
    /// The child.
    pub leader: C,
    group: Option<u32>,
    /// The children there were before it, where orphans are ended too.
    #[cfg(target_os = "linux")]
    before: Option<Before>,
}

/// What stood before a child that is ended with all it started.
#[cfg(target_os = "linux")]
struct Before {
    children: Vec<rustix::process::Pid>,
    /// What stands in the environment of the child, and so of all it starts.
    mark: Vec<u8>,
    /// Whether orphans of somebody else may come to this process: it had children of its own as it began, whose
    /// children they may be, or it is the first process of all.
    has_others: bool,
}

impl<C: Child> Family<C> {
    /// Runs `spawn`, whose child must lead a group of its own, and have `mark` in its environment.
    pub fn of<E>(
        // Elsewhere orphans do not come to this process, and need no telling apart.
        #[cfg_attr(not(target_os = "linux"), allow(unused_variables))] mark: &OsStr,
        spawn: impl FnOnce() -> Result<C, E>,
    ) -> Result<Self, E> {
        #[cfg(target_os = "linux")]
        let before = {
            // Where this is refused, what left the group is not found.
            let this = rustix::process::getpid();
            let _ = rustix::process::set_child_subreaper(Some(this));
            let children = children();
            Before {
                has_others: !children.is_empty() || this.is_init(),
                children,
                mark: mark.as_encoded_bytes().to_vec(),
            }
        };
        let leader = spawn()?;
        Ok(Self {
            group: leader.id(),
            leader,
            #[cfg(target_os = "linux")]
            before: Some(before),
        })
    }

    /// A child that leads a group of its own; what leaves the group is let go, as a person's own command may want it.
    pub fn of_group(leader: C) -> Self {
        Self {
            group: leader.id(),
            leader,
            #[cfg(target_os = "linux")]
            before: None,
        }
    }

    /// Waits until the child ends by itself, at most until `until`; None where it still runs then.
    pub fn wait(&mut self, until: Instant) -> Option<Ending> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(ending) = self.leader.ended() {
                return Some(ending);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(POLL);
        }
    }

    /// Asks all of it to end.
    #[cfg(unix)]
    pub fn terminate(&mut self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Asks all of it to end; there is no such asking here.
    #[cfg(not(unix))]
    pub fn terminate(&mut self) {}

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let group = self.group.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl<C: Child> Drop for Family<C> {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
        #[cfg(windows)]
        if self.leader.ended().is_none()
            && let Some(id) = self.group
        {
            let mut tree = Command::new("taskkill");
            let _ = tree
                .args(["/F", "/T", "/PID", &id.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        self.leader.end();
        #[cfg(target_os = "linux")]
        if let Some(before) = &self.before {
            end_orphans(before);
        }
    }
}

/// The children of this process, adopted ones too.
#[cfg(target_os = "linux")]
fn children() -> Vec<rustix::process::Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let ids: Vec<String> = lists.collect();
    let ids = ids.iter().flat_map(|list| list.split_ascii_whitespace());
    ids.filter_map(|id| rustix::process::Pid::from_raw(id.parse().ok()?))
        .collect()
}

/// How often orphans are looked for: each may leave its own.
#[cfg(target_os = "linux")]
const MOST_ROUNDS: usize = 64;

/// Ends every child that was not there before and is none of somebody else's. Ending one may bring up its own.
#[cfg(target_os = "linux")]
fn end_orphans(before: &Before) {
    let is_ours = |child: &rustix::process::Pid| {
        let environment = || std::fs::read(format!("/proc/{}/environ", child.as_raw_nonzero()));
        let has_mark = |bytes: Vec<u8>| memchr::memmem::find(&bytes, &before.mark).is_some();
        !before.children.contains(child)
            && (!before.has_others || environment().is_ok_and(has_mark))
    };
    for _ in 0..MOST_ROUNDS {
        let orphans: Vec<_> = children().into_iter().filter(&is_ours).collect();
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            // One that may not be ended is not waited for either.
            if rustix::process::kill_process(orphan, rustix::process::Signal::KILL).is_ok() {
                let options = rustix::process::WaitOptions::empty();
                let _ = rustix::process::waitpid(Some(orphan), options);
            }
        }
    }
}
