//! What Linux and Codex tell of processes, and what it means for a Codex home. Pure: the texts come in; asking for them is
//! not done here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Kind, SQLITE_LOCK};

/// What every program file of Codex is called.
const NAME: &[u8] = b"codex";

/// What Linux adds to the path of a program whose file was removed since.
const DELETED: &[u8] = b" (deleted)";

/// The parts of a text in which each ends with a zero byte: a command line or an environment.
pub fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    text.split(|byte| *byte == 0)
}

/// Whether a process is Codex itself, by its program file where that is known, or by the name it was started under.
///
/// The script by which npm starts it is none: its child is.
pub fn is_codex(program: Option<&Path>, command_line: &[u8]) -> bool {
    let is_named = |path: &[u8]| {
        let path = path.strip_suffix(DELETED).unwrap_or(path);
        path.rsplit(|byte| *byte == b'/').next() == Some(NAME)
    };
    program.is_some_and(|program| is_named(program.as_os_str().as_bytes()))
        || parts(command_line).next().is_some_and(is_named)
}

/// What kind of Codex it is, as far as its arguments tell.
pub fn kind(command_line: &[u8]) -> Kind {
    let args: Vec<&[u8]> = parts(command_line)
        .skip(1)
        .take_while(|arg| *arg != b"--")
        .collect();
    let says = |word: &str| args.contains(&word.as_bytes());
    if says("app-server") {
        if says("--managed-daemon") {
            Kind::Daemon
        } else if says("pid-update-loop") {
            Kind::Updater
        } else {
            Kind::AppServer
        }
    } else if says("exec") || says("e") {
        Kind::Exec
    } else if args.first().is_none_or(|arg| arg.starts_with(b"-")) || says("resume") || says("fork")
    {
        Kind::Tui
    } else {
        Kind::Other
    }
}

/// The Codex home that an environment names; a relative one starts at the process's directory. None where it names none.
pub fn home(environment: &[u8]) -> Option<PathBuf> {
    let variable = |name: &[u8]| {
        let values = parts(environment).filter_map(|entry| entry.strip_prefix(name));
        let mut values = values.filter(|value| !value.is_empty());
        values
            .next()
            .map(|value| PathBuf::from(OsStr::from_bytes(value)))
    };
    variable(b"CODEX_HOME=").or_else(|| Some(variable(b"HOME=")?.join(".codex")))
}

/// What `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Whether it has ended already, and only waits for its parent to hear of it.
    pub is_over: bool,
    /// When it was started, in ticks since the system was.
    pub started: u64,
}

/// Reads `/proc/PID/stat`. Source: proc_pid_stat(5).
pub fn stat(text: &str) -> Option<Stat> {
    // The name may hold spaces and brackets itself.
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    Some(Stat {
        is_over: matches!(state, "Z" | "X" | "x"),
        // The 22nd of all, and so the 19th after the state, which is the third.
        started: fields.nth(18)?.parse().ok()?,
    })
}

/// Every process that holds SQLite's lock on the file of that number, of `/proc/locks`; of whatever file system, since not
/// every one tells its own there. Source: proc_locks(5).
pub fn lock_holders(locks: &str, file: u64) -> impl Iterator<Item = i32> {
    locks.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        // Who waits for a lock has an arrow before the kind.
        let ["POSIX", _, _, pid, place, start, _] = fields.get(1..)? else {
            return None;
        };
        let number: u64 = place.rsplit(':').next()?.parse().ok()?;
        let is_sqlites = SQLITE_LOCK.contains(&start.parse().ok()?);
        (number == file && is_sqlites)
            .then(|| pid.parse().ok())
            .flatten()
    })
}

/// What Codex notes of its daemon, or of what keeps that up to date.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Noted {
    /// Its process id.
    pub pid: i32,
    process_identity: Identity,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Identity {
    boot_id: String,
    start_ticks: u64,
}

/// Reads `daemon.pid`. None where it does not say which process it means: the id alone may be another's by now.
pub fn noted(text: &[u8]) -> Option<Noted> {
    serde_json::from_slice(text).ok()
}

impl Noted {
    /// Whether the process that has the id now is the one that was noted, and runs.
    pub fn is(&self, stat: Stat, boot_id: &str) -> bool {
        !stat.is_over
            && stat.started == self.process_identity.start_ticks
            && boot_id.trim() == self.process_identity.boot_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_goes_by_its_file_or_by_the_name_it_was_started_under() {
        let is = |program: Option<&str>, line: &str| {
            is_codex(program.map(Path::new), line.replace(' ', "\0").as_bytes())
        };
        assert!(is(Some("/opt/codex"), "anything "));
        assert!(is(Some("/opt/codex (deleted)"), "x "));
        assert!(is(None, "/usr/bin/codex app-server "));
        assert!(is(None, "codex"));
        for (program, line) in [
            (Some("/usr/bin/node"), "node /usr/bin/codex "),
            (Some("/bin/codex-manager"), "codex-manager restore "),
            (Some("/bin/vi"), "vi codex "),
            (None, "/home/codex/bin/x "),
            (None, ""),
        ] {
            assert!(!is(program, line), "{program:?} {line}");
        }
    }

    #[test]
    fn arguments_tell_what_kind_it_is() {
        for (line, expected) in [
            ("codex", Kind::Tui),
            ("codex -m made-up", Kind::Tui),
            ("codex resume --last", Kind::Tui),
            ("codex app-server", Kind::AppServer),
            ("codex -c a=1 app-server", Kind::AppServer),
            (
                "codex app-server --listen unix:// --managed-daemon",
                Kind::Daemon,
            ),
            ("codex app-server daemon pid-update-loop", Kind::Updater),
            ("codex exec -", Kind::Exec),
            ("codex e hello", Kind::Exec),
            ("codex -- exec", Kind::Tui),
            ("codex login", Kind::Other),
        ] {
            let bytes = format!("{}\0", line.replace(' ', "\0"));
            assert_eq!(kind(bytes.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn the_home_is_the_variables_or_below_the_persons() {
        let named = |text: &[u8]| home(text).map(|path| path.display().to_string());
        let known = |path: &str| Some(path.to_owned());
        assert_eq!(named(b"HOME=/a\0CODEX_HOME=/b\0"), known("/b"));
        assert_eq!(named(b"CODEX_HOME=\0HOME=/a\0"), known("/a/.codex"));
        assert_eq!(named(b"MY_CODEX_HOME=/b\0HOME=/a\0"), known("/a/.codex"));
        assert_eq!(named(b"CODEX_HOME=here\0"), known("here"));
        assert_eq!(named(b"PATH=/bin\0"), None);
        assert_eq!(named(b""), None);
    }

    #[test]
    fn the_state_and_the_start_of_a_process_are_read() {
        let text = |state: &str| {
            format!("7 (a) Z (b) {state} 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 21 0 3774043 46 23\n")
        };
        let started = 3_774_043;
        assert_eq!(
            stat(&text("S")),
            Some(Stat {
                is_over: false,
                started
            })
        );
        assert_eq!(
            stat(&text("Z")),
            Some(Stat {
                is_over: true,
                started
            })
        );
        for broken in [
            "",
            "7 (a",
            "7 (a) S 1",
            "7 (a) S 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 21 0 x",
        ] {
            assert_eq!(stat(broken), None);
        }
    }

    #[test]
    fn every_holder_of_the_lock_is_found() {
        let locks = "1: POSIX  ADVISORY  READ 11 fe:00:77 1073741826 1073742335\n\
                     1: -> POSIX  ADVISORY  WRITE 12 fe:00:77 1073741826 1073742335\n\
                     2: POSIX  ADVISORY  READ 13 00:2a:77 1073741826 1073742335\n\
                     3: POSIX  ADVISORY  READ 14 fe:00:77 128 128\n\
                     4: POSIX  ADVISORY  READ 15 fe:00:78 1073741826 1073742335\n\
                     5: FLOCK  ADVISORY  WRITE 16 fe:00:77 0 EOF\n\
                     6: POSIX\n";
        assert_eq!(lock_holders(locks, 77).collect::<Vec<_>>(), [11, 13]);
    }

    #[test]
    fn a_daemon_is_the_one_that_was_noted() {
        let noted = noted(
            br#"{"pid":7,"processStartTime":"Mon Nov 23 01:51:18 2026","processIdentity":{"bootId":"b-1","startTicks":30},"more":1}"#,
        )
        .expect("reads");
        assert_eq!(noted.pid, 7);
        let now = |is_over, started| Stat { is_over, started };
        assert!(noted.is(now(false, 30), "b-1\n"));
        assert!(!noted.is(now(true, 30), "b-1"));
        assert!(!noted.is(now(false, 31), "b-1"));
        assert!(!noted.is(now(false, 30), "b-2"));
        for without in [
            &b""[..],
            b"7",
            b"{\"pid\":7}",
            b"{\"pid\":7,\"processIdentity\":{}}",
        ] {
            assert_eq!(super::noted(without), None);
        }
    }
}
