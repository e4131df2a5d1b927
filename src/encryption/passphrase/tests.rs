//! Each source of a passphrase, in its turn, and what is wrong with it.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use super::*;

/// Asks nobody.
const NONE: Sources = Sources {
    file_of_environment: None,
    file: None,
    command: None,
    prompt: None,
    is_stopped: &|| false,
};

const OPEN: Purpose = Purpose::Open("identity.txt");

#[track_caller]
fn told(sources: &Sources) -> String {
    let passphrase = sources.passphrase(OPEN).expect("tells it");
    passphrase.expose_secret().to_owned()
}

#[track_caller]
fn refused(sources: &Sources, purpose: Purpose) -> (Kind, String) {
    let error = sources.passphrase(purpose).map(|_| ()).expect_err("fails");
    assert!(!error.hint().is_empty());
    (error.kind(), error.to_string())
}

fn file(dir: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("writes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closes");
    }
    path
}

#[cfg(unix)]
#[test]
fn the_first_source_that_is_there_tells_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let of_environment = file(dir.path(), "a", b"of the environment\nmore\n");
    let of_settings = file(dir.path(), "b", b"of the settings\r\n");
    let prompt = |_: &str| Ok(SecretString::from("typed"));
    let mut sources = Sources {
        file_of_environment: Some(&of_environment),
        file: Some(&of_settings),
        command: Some("printf 'of a %s\\nmore' 'command'"),
        prompt: Some(&prompt),
        ..NONE
    };
    assert_eq!(told(&sources), "of the environment");
    sources.file_of_environment = None;
    assert_eq!(told(&sources), "of the settings");
    sources.file = None;
    assert_eq!(told(&sources), "of a command");
    sources.command = None;
    assert_eq!(told(&sources), "typed");
    sources.prompt = None;
    let error = sources.passphrase(OPEN).map(|_| ()).expect_err("fails");
    assert_eq!(
        (error.kind(), error.to_string().as_str(), error.hint()),
        (
            Kind::Usage,
            "`identity.txt` needs a passphrase, and nobody is there to be asked",
            "run it on a terminal, set CODEX_MANAGER_PASSPHRASE_FILE or the setting `sync.passphrase_file` to a file whose \
             first line it is, or `sync.passphrase_command` to a command that prints it"
        )
    );
}

#[test]
fn a_file_without_a_passphrase_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let told = |text: &[u8]| {
        let path = file(dir.path(), "a", text);
        let sources = Sources {
            file: Some(&path),
            ..NONE
        };
        let (kind, message) = refused(&sources, OPEN);
        assert_eq!(kind, Kind::Other);
        message.replace(&path.display().to_string(), "FILE")
    };
    let empty = "there is no passphrase in `FILE`: its first line is empty";
    assert_eq!(told(b""), empty);
    assert_eq!(told(b"\r\nsecret\n"), empty);
    assert_eq!(
        told(b"\xff\n"),
        "there is no passphrase in `FILE`: its first line is no UTF-8 text"
    );
    let none = dir.path().join("none");
    let sources = Sources {
        file: Some(&none),
        ..NONE
    };
    let (_, message) = refused(&sources, OPEN);
    assert!(message.starts_with("cannot read `"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = file(dir.path(), "a", b"secret\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opens");
    let sources = Sources {
        file_of_environment: Some(&path),
        ..NONE
    };
    let shown = path.display();
    assert_eq!(
        refused(&sources, OPEN).1,
        format!(
            "`{shown}` is open to other users: the file with the passphrase must be yours alone"
        )
    );
}

#[test]
fn a_new_one_is_asked_for_twice_and_never_empty() {
    let typed = RefCell::new(Vec::new());
    let asked = RefCell::new(Vec::new());
    let prompt = |text: &str| {
        asked.borrow_mut().push(text.to_owned());
        let next: Option<&str> = typed.borrow_mut().pop();
        Ok(SecretString::from(next.expect("is not asked so often")))
    };
    let sources = Sources {
        prompt: Some(&prompt),
        ..NONE
    };
    let make = Purpose::Make("the key");
    *typed.borrow_mut() = vec!["a", "a"];
    let passphrase = sources.passphrase(make).expect("tells it");
    assert_eq!(passphrase.expose_secret(), "a");
    assert_eq!(
        asked.take(),
        ["New passphrase of the key: ", "The same again: "]
    );
    *typed.borrow_mut() = vec!["b", "a"];
    assert_eq!(
        refused(&sources, make),
        (Kind::Usage, "the two passphrases differ".to_owned())
    );
    for purpose in [make, OPEN] {
        *typed.borrow_mut() = vec![""];
        assert_eq!(
            refused(&sources, purpose),
            (Kind::Usage, "no passphrase was given".to_owned())
        );
    }
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_is_told_of_without_its_words() {
    let told = |command: &str| {
        let sources = Sources {
            command: Some(command),
            ..NONE
        };
        refused(&sources, OPEN).1
    };
    assert_eq!(
        told("sh -c 'echo secret; exit 7'"),
        "the passphrase command ended with exit code 7"
    );
    assert_eq!(
        told("sh -c 'kill -9 $$'"),
        "the passphrase command ended with a signal"
    );
    assert_eq!(
        told("true"),
        "the passphrase command gave none: its first line is empty"
    );
    assert_eq!(
        told("no-such-program"),
        "the passphrase command cannot be started: no such file or directory"
    );
    let unclear =
        "the passphrase command cannot be understood: a quote is not closed, or it is empty";
    assert_eq!([told("a 'b"), told(" ")], [unclear; 2]);
    // More than a pipe holds.
    let sources = Sources {
        command: Some("sh -c 'echo secret; head -c 1000000 /dev/zero'"),
        ..NONE
    };
    assert_eq!(super::tests::told(&sources), "secret");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_command() {
    let sources = Sources {
        command: Some("sleep 600"),
        is_stopped: &|| true,
        ..NONE
    };
    assert_eq!(refused(&sources, OPEN).0, Kind::Interrupted);
}
