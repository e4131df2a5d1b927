//! Round trips, everything that can be wrong with what is stored, and an age that is not this crate.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use age::secrecy::ExposeSecret;
use age::x25519;
use proptest::prelude::*;

use super::*;
use crate::error::{Error, Kind, Result};
use crate::timeutil::Stamp;

/// What an age file is encrypted by, a chunk.
const CHUNK: usize = 1 << 16;

/// Enough for a test.
const LITTLE_WORK: u8 = 10;

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn created() -> Stamp {
    Stamp::parse("2026-04-14T15:55:00Z").expect("a time")
}

fn nobody() -> Result<SecretString> {
    panic!("nobody is to be asked")
}

/// A key, and what opens what is encrypted to it.
fn pair() -> (Recipients, Identities) {
    let key = x25519::Identity::generate();
    let recipients = Recipients::parse(&[key.to_public().to_string()]).expect("parses");
    (recipients, Identities::of_keys(vec![Box::new(key)]))
}

fn by_passphrase(text: &str) -> Recipients {
    Recipients::passphrase_with(secret(text), LITTLE_WORK)
}

#[track_caller]
fn opened(identities: &Identities, sealed: &[u8]) -> Vec<u8> {
    let opened = identities.open("it", sealed, u64::MAX >> 1);
    opened.expect("opens").to_vec()
}

/// Why `sealed` is not opened: the part of the message that differs.
#[track_caller]
fn refused(identities: &Identities, sealed: &[u8]) -> String {
    let error = identities
        .open("it", sealed, 1 << 30)
        .expect_err("is refused");
    assert_eq!(error.kind(), Kind::Undecryptable, "{error}");
    assert!(!error.hint().is_empty());
    let message = error.to_string();
    let why = message.strip_prefix("cannot decrypt `it`: ");
    why.unwrap_or_else(|| panic!("{message}")).to_owned()
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(state.to_le_bytes()[3])
    };
    std::iter::repeat_n((), length)
        .scan(7_u32, |state, ()| step(state))
        .collect()
}

fn lengths() -> impl Strategy<Value = usize> {
    let near = |middle: usize| middle.saturating_sub(20)..middle + 20;
    prop_oneof![0..40_usize, near(CHUNK), near(2 * CHUNK), near(3 * CHUNK)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_encrypted_in_pieces_is_decrypted_in_others(
        length in lengths(), written in 1..100_000_usize, read in 1..100_000_usize,
    ) {
        let (recipients, identities) = pair();
        let plain = noise(length);
        let mut sealed = recipients.encrypting(Vec::new()).expect("begins");
        for piece in plain.chunks(written) {
            sealed.write_all(piece).expect("writes");
        }
        let sealed = sealed.finish().expect("ends");
        prop_assert!(sealed.len() < plain.len() + 2000 + 16 * (plain.len() / CHUNK));
        let mut opening = identities.opening("it", &sealed[..]).expect("opens");
        let (mut back, mut piece) = (Vec::new(), vec![0; read]);
        loop {
            let count = opening.read(&mut piece).expect("reads");
            if count == 0 {
                break;
            }
            back.extend_from_slice(&piece[..count]);
        }
        prop_assert!(back == plain);
        // Not an end that a later read takes back.
        prop_assert_eq!(opening.read(&mut piece).expect("reads"), 0);
    }
}

#[test]
fn the_edges_of_the_chunks_are_exact() {
    let (recipients, identities) = pair();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
        let plain = noise(length);
        let sealed = recipients.seal(&plain).expect("seals");
        assert!(opened(&identities, &sealed) == plain, "{length}");
        let most = length as u64;
        let exact = identities.open("it", &sealed, most).expect("opens");
        assert_eq!(exact.len(), length);
        if length > 0 {
            let error = identities.open("it", &sealed, most - 1).expect_err("ends");
            assert_eq!(
                (error.kind(), error.to_string()),
                (
                    Kind::Undecryptable,
                    format!(
                        "cannot decrypt `it`: it holds more than {} bytes, which nothing of its kind does",
                        most - 1
                    )
                )
            );
        }
    }
}

#[test]
fn every_cut_is_told() {
    let (recipients, identities) = pair();
    let sealed = recipients.seal(b"as it was").expect("seals");
    let payload = sealed.len() - 16 - 9;
    for length in 0..sealed.len() {
        let why = refused(&identities, &sealed[..length]);
        let expected = match length {
            _ if length < payload => "it is cut within its header",
            _ if length == payload => "it is cut: its end is missing",
            _ => "it was changed, or is cut",
        };
        assert_eq!(why, expected, "{length}");
    }
    // At the edge of a chunk what stands there is sound, and yet not all.
    let plain = noise(2 * CHUNK + 5);
    let sealed = recipients.seal(&plain).expect("seals");
    let edge = sealed.len() - 5 - 16;
    assert_eq!(
        refused(&identities, &sealed[..edge]),
        "it is cut: its end is missing"
    );
    let mut given = Vec::new();
    let mut opening = identities.opening("it", &sealed[..edge]).expect("opens");
    opening.read_to_end(&mut given).expect_err("ends badly");
    assert!(given == plain[..2 * CHUNK]);
    // It does not end well later either.
    opening.read(&mut [0]).expect_err("stays so");
}

#[test]
fn every_changed_bit_is_told() {
    let (recipients, identities) = pair();
    let sealed = recipients.seal(b"as it was").expect("seals");
    for place in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[place] ^= 1 << bit;
            refused(&identities, &changed);
        }
    }
    let why = |place: usize| {
        let mut changed = sealed.clone();
        // One letter for another of base64.
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        refused(&identities, &changed)
    };
    let line = |start: &[u8]| {
        let mut windows = sealed.windows(start.len());
        windows
            .position(|window| window == start)
            .expect("is there")
    };
    assert_eq!(why(0), "it is no age file");
    assert_eq!(why(line(b"v1\n") + 1), "it is in a newer age format");
    assert_eq!(why(line(b"X25519 ") + 8), "no key at hand opens it");
    assert_eq!(why(line(b"--- ") + 5), "its header was changed");
    assert_eq!(why(sealed.len() - 30), "it was changed, or is cut");
    assert_eq!(why(sealed.len() - 1), "it was changed, or is cut");
}

#[test]
fn what_follows_the_end_is_told() {
    let (recipients, identities) = pair();
    let more = |plain: &[u8]| {
        let mut sealed = recipients.seal(plain).expect("seals");
        sealed.push(b'\n');
        refused(&identities, &sealed)
    };
    assert_eq!(more(b"short"), "it was changed, or is cut");
    assert_eq!(more(&noise(CHUNK)), "something follows its end");
}

#[test]
fn other_keys_and_other_files_are_told_apart() {
    let (recipients, identities) = pair();
    let (_, others) = pair();
    let sealed = recipients.seal(b"x").expect("seals");
    assert_eq!(refused(&others, &sealed), "no key at hand opens it");
    let error = others.open("it", &sealed, 9).expect_err("refuses");
    assert_eq!(
        error.hint(),
        "it was encrypted to other keys: copy the identity file of a machine that can open it, and name it with \
         `codex-manager config set sync.identity PATH`"
    );
    let passphrase = Identities::passphrase(secret("correct horse"));
    assert_eq!(
        refused(&passphrase, &sealed),
        "it was encrypted to keys, and not by a passphrase"
    );
    let sealed = by_passphrase("correct horse").seal(b"x").expect("seals");
    assert_eq!(opened(&passphrase, &sealed), b"x");
    assert_eq!(
        refused(&identities, &sealed),
        "it was encrypted by a passphrase, and not to a key"
    );
    assert_eq!(
        refused(&Identities::passphrase(secret("correct Horse")), &sealed),
        "the passphrase does not open it"
    );
    assert_eq!(refused(&identities, b"\x1f\x8b\x08\0"), "it is no age file");
    assert_eq!(refused(&identities, b""), "it is cut within its header");
}

#[test]
fn a_hostile_header_costs_neither_memory_nor_time() {
    let (_, identities) = pair();
    let mut long = b"age-encryption.org/v1\n".to_vec();
    long.resize(1 << 20, b'-');
    assert_eq!(refused(&identities, &long), "its header is damaged");
    let mut many = b"age-encryption.org/v1\n".to_vec();
    many.extend(b"-> a\n\n".repeat(1 << 15));
    assert_eq!(refused(&identities, &many), "its header is damaged");
    let sealed = by_passphrase("a").seal(b"x").expect("seals");
    let text = String::from_utf8_lossy(&sealed).into_owned();
    let (head, rest) = text.split_once(" 10\n").expect("the factor");
    let prefix = head.len();
    let mut costly = format!("{head} 23\n").into_bytes();
    costly.extend_from_slice(&sealed[prefix + 4..]);
    assert!(!rest.is_empty());
    assert_eq!(
        refused(&Identities::passphrase(secret("a")), &costly),
        "its passphrase asks for 2^23 rounds of work, more than is ever needed"
    );
}

/// Gives `good`, then fails as `fail` says.
struct Failing<'a, F: FnMut() -> io::Error> {
    good: &'a [u8],
    fail: F,
}

impl<F: FnMut() -> io::Error> Read for Failing<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.good.read(buffer) {
            Ok(0) => Err((self.fail)()),
            read => read,
        }
    }
}

/// Is cut short by a signal at every other call.
struct Shy<'a>(&'a [u8], &'a mut bool);

impl Read for Shy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        *self.1 = !*self.1;
        if *self.1 {
            self.0.read(buffer)
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

#[test]
fn a_failure_of_the_reader_below_stays_what_it_is() {
    let (recipients, identities) = pair();
    let sealed = recipients.seal(&noise(CHUNK + 7)).expect("seals");
    let gone = || Error::new(Kind::Remote, "the store went away", "wait");
    for length in [0, 3, 40, 180, 200, CHUNK, sealed.len() - 1] {
        // One that carries a message is no call to be made again, whatever its kind.
        let fails: [&dyn Fn() -> io::Error; 2] = [&|| gone().into(), &|| {
            io::Error::new(io::ErrorKind::Interrupted, gone())
        }];
        for fail in fails {
            let good = &sealed[..length];
            let input = Failing { good, fail };
            let read = identities.opening("it", input).and_then(|mut opening| {
                io::copy(&mut opening, &mut io::sink())
                    .map_err(|error| Error::carried("read", Path::new("it"), error))
            });
            let error = read.expect_err("fails");
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (Kind::Remote, "the store went away"),
                "{length}"
            );
        }
        let mut input = Failing {
            good: &sealed[..length],
            fail: || io::Error::from(io::ErrorKind::UnexpectedEof),
        };
        let read = identities
            .opening("it", &mut input)
            .and_then(|mut opening| {
                io::copy(&mut opening, &mut io::sink())
                    .map_err(|error| Error::carried("read", Path::new("it"), error))
            });
        let error = read.expect_err("fails");
        assert_eq!(
            (error.kind(), error.io_kind()),
            (Kind::Other, Some(io::ErrorKind::UnexpectedEof))
        );
    }
    // What a signal cut short is read again.
    let mut first = true;
    let input = sealed.as_slice();
    let mut opening = identities
        .opening("it", Shy(input, &mut first))
        .expect("opens");
    assert_eq!(
        io::copy(&mut opening, &mut io::sink()).expect("reads"),
        CHUNK as u64 + 7
    );
}

#[test]
fn a_failure_of_the_writer_below_stays_what_it_is() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.0 -= count;
            if count == 0 && !bytes.is_empty() {
                return Err(Error::new(Kind::Remote, "the store is full", "wait").into());
            }
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (recipients, _) = pair();
    for room in [0, 30, 200, CHUNK, 2 * CHUNK] {
        let written = recipients.encrypting(Full(room)).and_then(|mut sealed| {
            let written = sealed.write_all(&noise(2 * CHUNK));
            let finished = written.and_then(|()| sealed.finish());
            finished.map_err(|error| Error::carried("write", Path::new("it"), error))
        });
        let error = written.map(|_| ()).expect_err("fails");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Remote, "the store is full"),
            "{room}"
        );
    }
}

#[test]
fn recipients_are_told_apart_and_a_secret_among_them_is_not_shown() {
    let [a, b] = [(); 2].map(|()| x25519::Identity::generate());
    let texts = [&a, &b, &a].map(|key| format!(" {} ", key.to_public()));
    let recipients = Recipients::parse(&texts).expect("parses");
    let ids = recipients.key_ids();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| id.len() == 16));
    let sealed = recipients.seal(b"x").expect("seals");
    for key in [&a, &b] {
        let identities = Identities::of_keys(vec![Box::new(key.clone())]);
        assert_eq!(opened(&identities, &sealed), b"x");
    }
    assert_eq!(by_passphrase("x").key_ids(), Vec::<String>::new());
    let known = "age1ysxuaeqlk7xd8uqsh8lsnfwt9jzzjlqf49ruhpjrrj5yatlcuf7qke4pqe".to_owned();
    let known = Recipients::parse(&[known]).expect("parses");
    assert_eq!(known.key_ids(), ["b5b85aef0ede5d3f"]);

    let told = |text: &str| {
        let error = Recipients::parse(&[texts[0].clone(), text.to_owned()]);
        let error = error.map(|_| ()).expect_err("refuses");
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    };
    let key = a.to_string();
    assert_eq!(
        told(key.expose_secret()),
        "the recipient number 2 is unusable: it is no public key"
    );
    assert_eq!(
        told("age1ysxuaeqlk7xd8uqsh8lsnfwt9jzzjlqf49ruhpjrrj5yatlcuf7qke4pqf"),
        "the recipient `age1ysxuaeqlk7xd8uqsh8lsnfwt9jzzjlqf49ru…` is unusable: it is mistyped, or of a kind that only newer \
         programs or plugins know"
    );
    assert_eq!(
        told("ssh-ed25519"),
        "the recipient `ssh-ed25519` is unusable: it is no public key"
    );
    let none = Recipients::parse(&[]).map(|_| ()).expect_err("refuses");
    assert_eq!(none.to_string(), "there is nobody to encrypt to");
    let many: Vec<String> = (0..65)
        .map(|_| x25519::Identity::generate().to_public().to_string())
        .collect();
    let most = Recipients::parse(&many[..64]).expect("parses");
    let sealed = most.seal(b"x").expect("seals");
    let (_, others) = pair();
    assert_eq!(refused(&others, &sealed), "no key at hand opens it");
    let more = Recipients::parse(&many).map(|_| ()).expect_err("refuses");
    assert_eq!(more.to_string(), "there are more than 64 recipients");
}

/// A place for an identity file, in a directory that is still to be made.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("home/identity.txt");
    (dir, path)
}

#[track_caller]
fn file(path: &Path) -> IdentityFile {
    let read = IdentityFile::read(path).expect("reads");
    read.expect("is there")
}

/// Why there is no identity file to be had from it.
#[track_caller]
fn unusable(path: &Path) -> (Kind, String) {
    let error = IdentityFile::read(path).map(|_| ()).expect_err("refuses");
    assert!(!error.hint().is_empty());
    (error.kind(), error.to_string())
}

#[cfg(unix)]
fn close(path: &Path) {
    chmod(path, 0o600);
}

#[cfg(not(unix))]
fn close(_: &Path) {}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

#[test]
fn an_identity_file_is_one_of_age() {
    let (_dir, path) = place();
    assert!(IdentityFile::read(&path).expect("looks").is_none());
    let made = IdentityFile::create(&path, created()).expect("makes");
    let text = fs::read_to_string(&path).expect("reads");
    let lines: Vec<&str> = text.lines().collect();
    let public = &made.recipients().expect("known")[0];
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "# created: 2026-04-14T15:55:00+00:00");
    assert_eq!(lines[1], format!("# public key: {public}"));
    assert!(lines[2].starts_with("AGE-SECRET-KEY-1"), "{text}");
    let read = file(&path);
    assert_eq!(read.protection(), Protection::Plain);
    assert_eq!(
        read.recipients().expect("known"),
        made.recipients().expect("known")
    );
    assert!(read.sealed().is_none());
    let recipients = Recipients::parse(made.recipients().expect("known")).expect("parses");
    let sealed = recipients.seal(b"x").expect("seals");
    for key in [&made, &read] {
        assert_eq!(
            opened(&key.unlock(&nobody).expect("unlocks"), &sealed),
            b"x"
        );
    }
    let error = IdentityFile::create(&path, created())
        .map(|_| ())
        .expect_err("refuses");
    assert_eq!(
        error.to_string(),
        format!("`{}` is there already, and is not replaced", path.display())
    );
    assert_eq!(fs::read_to_string(&path).expect("reads"), text);
}

#[test]
fn several_keys_in_one_file_all_open() {
    let (_dir, path) = place();
    IdentityFile::create(&path, created()).expect("makes");
    let more = x25519::Identity::generate();
    let text = fs::read_to_string(&path).expect("reads");
    let second = more.to_string();
    fs::write(
        &path,
        format!("{text}\n# another\r\n{}\r\n", second.expose_secret()),
    )
    .expect("writes");
    let read = file(&path);
    let texts = read.recipients().expect("known");
    assert_eq!(texts.len(), 2);
    let identities = read.unlock(&nobody).expect("unlocks");
    for text in texts {
        let recipients = Recipients::parse(std::slice::from_ref(text)).expect("parses");
        assert_eq!(
            opened(&identities, &recipients.seal(b"x").expect("seals")),
            b"x"
        );
    }
}

#[test]
fn a_file_that_is_none_is_refused_without_a_word_of_it() {
    let (dir, _) = place();
    let path = dir.path().join("key");
    let shown = path.display().to_string();
    let told = |text: &[u8]| {
        fs::write(&path, text).expect("writes");
        close(&path);
        let (kind, message) = unusable(&path);
        assert_eq!(kind, Kind::Undecryptable);
        message.replace(&shown, "KEY")
    };
    assert_eq!(
        told(b""),
        "`KEY` is no identity file: there is no key in it"
    );
    assert_eq!(
        told(b"# a\nAGE-SECRET-KEY-1SECRET\n"),
        "`KEY` is no identity file: line 2 is no age key"
    );
    assert_eq!(
        told(b"AGE-PLUGIN-YUBIKEY-1SECRET\n"),
        "`KEY` is no identity file: line 1 is of a kind that is not supported"
    );
    assert_eq!(
        told(b"\xff\xfe"),
        "`KEY` is no identity file: it is no text"
    );
    assert_eq!(
        told(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
        "the SSH key `KEY` is unusable: it is damaged, or no SSH private key"
    );
    fs::write(&path, vec![b'#'; (1 << 18) + 1]).expect("writes");
    let (kind, message) = unusable(&path);
    assert_eq!(
        (kind, message.replace(&shown, "KEY")),
        (
            Kind::Other,
            "`KEY` is larger than 262144 bytes, which the key that opens what is on the remote never is".to_owned()
        )
    );
}

#[cfg(unix)]
#[test]
fn an_identity_file_is_private_whatever_the_umask_and_refused_where_it_is_not() {
    use std::os::unix::fs::PermissionsExt;
    const HOME: &str = "CODEX_MANAGER_TEST_UMASK";
    // The umask is the process's: one of its own has it.
    if let Some(home) = std::env::var_os(HOME) {
        rustix::process::umask(rustix::fs::Mode::empty());
        let dir = PathBuf::from(home);
        IdentityFile::create(&dir.join("a/plain.txt"), created()).expect("makes");
        let sealed = dir.join("b/sealed.txt");
        IdentityFile::create_sealed(&sealed, created(), &by_passphrase("x")).expect("makes");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let test = "encryption::tests::an_identity_file_is_private_whatever_the_umask_and_refused_where_it_is_not";
    let run = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test])
        .env(HOME, dir.path())
        .output()
        .expect("runs");
    assert!(run.status.success(), "{run:?}");
    let mode = |name: &str| {
        let found = fs::metadata(dir.path().join(name)).expect("stands");
        found.permissions().mode() & 0o777
    };
    let files = ["a/plain.txt", "b/sealed.txt", "b/sealed.txt.pub"];
    assert_eq!(files.map(mode), [0o600; 3]);
    assert_eq!(["a", "b"].map(mode), [0o700; 2]);

    let path = dir.path().join("a/plain.txt");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        chmod(&path, mode);
        let error = IdentityFile::read(&path).map(|_| ()).expect_err("refuses");
        let shown = path.display();
        assert_eq!(
            (error.to_string(), error.hint().to_owned()),
            (
                format!(
                    "`{shown}` is open to other users: the key that opens what is on the remote must be yours alone"
                ),
                format!("close it: `chmod 600 {shown}`")
            )
        );
    }
    chmod(&path, 0o400);
    assert_eq!(file(&path).protection(), Protection::Plain);
    // Only the first of all users can give a file away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), None).expect("gives it away");
        let (_, message) = unusable(&path);
        assert_eq!(
            message,
            format!(
                "`{}` belongs to another user: the key that opens what is on the remote must be your own",
                path.display()
            )
        );
    }
}

#[test]
fn of_many_who_make_the_file_at_once_one_does() {
    let (_dir, path) = place();
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                if let Ok(file) = IdentityFile::create(&path, created()) {
                    made.lock().expect("nobody failed").push(file);
                }
            });
        }
    });
    let made = made.into_inner().expect("nobody failed");
    assert_eq!(made.len(), 1);
    assert_eq!(
        file(&path).recipients().expect("known"),
        made[0].recipients().expect("known")
    );
    let left = fs::read_dir(path.parent().expect("a directory")).expect("lists");
    assert_eq!(left.count(), 1);
}

#[test]
fn a_passphrase_protects_the_file_and_pushing_asks_for_none() {
    let (_dir, path) = place();
    let asked = || Ok(secret("correct horse"));
    let by = by_passphrase("correct horse");
    IdentityFile::create_sealed(&path, created(), &by).expect("makes");
    let text = fs::read_to_string(&path).expect("reads");
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert!(text.ends_with("-----END AGE ENCRYPTED FILE-----\n"));
    let read = file(&path);
    assert_eq!(read.protection(), Protection::Passphrase);
    assert_eq!(read.sealed(), Some(text.as_bytes()));
    let texts = read.recipients().expect("known").to_vec();
    let sealed = Recipients::parse(&texts).and_then(|to| to.seal(b"x"));
    let sealed = sealed.expect("seals");
    assert_eq!(
        opened(&read.unlock(&asked).expect("unlocks"), &sealed),
        b"x"
    );
    let error = read
        .unlock(&|| Ok(secret("wrong")))
        .map(|_| ())
        .expect_err("refuses");
    assert_eq!(
        (error.kind(), error.to_string()),
        (
            Kind::Undecryptable,
            format!(
                "cannot decrypt `{}`: the passphrase does not open it",
                path.display()
            )
        )
    );

    // The public key beside it is made anew where it is gone, and must be its own.
    let beside = path.with_extension("txt.pub");
    assert_eq!(
        fs::read_to_string(&beside).expect("reads"),
        format!("{}\n", texts[0])
    );
    fs::remove_file(&beside).expect("removes");
    let error = file(&path).recipients().map(|_| ()).expect_err("unknown");
    assert!(error.to_string().contains("is not known"), "{error}");
    file(&path).unlock(&asked).expect("unlocks");
    assert_eq!(file(&path).recipients().expect("known"), texts);
    let other = x25519::Identity::generate().to_public();
    fs::write(&beside, format!("{other}\n")).expect("writes");
    let error = file(&path).unlock(&asked).map(|_| ()).expect_err("refuses");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is not the public key of `{}`",
            beside.display(),
            path.display()
        )
    );
    fs::write(&beside, "nonsense\n").expect("writes");
    assert!(unusable(&path).1.contains("is unusable: "));

    // On another machine.
    let (_other, elsewhere) = place();
    IdentityFile::adopt(&elsewhere, text.as_bytes(), secret("wrong"))
        .map(|_| ())
        .expect_err("refuses");
    assert!(!elsewhere.exists());
    let adopted = IdentityFile::adopt(&elsewhere, text.as_bytes(), secret("correct horse"));
    let adopted = adopted.expect("adopts");
    assert_eq!(adopted.recipients().expect("known"), texts);
    assert_eq!(file(&elsewhere).recipients().expect("known"), texts);
    let bytes = fs::read(&elsewhere).expect("reads");
    assert_eq!(bytes, text.as_bytes());
}

/// An SSH key that `ssh-keygen` makes; None, said on stderr, where the machine has none.
fn ssh_key(dir: &Path, kind: &[&str], passphrase: &str) -> Option<PathBuf> {
    let path = dir.join(format!("{}{passphrase}", kind[0]));
    let made = Command::new("ssh-keygen")
        .args(["-q", "-C", "a comment", "-N", passphrase, "-f"])
        .arg(&path)
        .arg("-t")
        .args(kind)
        .output();
    match made {
        Ok(made) if made.status.success() => Some(path),
        made => {
            assert!(std::env::var_os("CI").is_none(), "{made:?}");
            eprintln!("not asked of SSH keys: {made:?}");
            None
        }
    }
}

#[test]
fn ssh_keys_serve_as_well() {
    let dir = tempfile::tempdir().expect("a directory");
    for kind in [&["ed25519"][..], &["rsa", "-b", "2048"]] {
        for passphrase in ["", "correct horse"] {
            let Some(path) = ssh_key(dir.path(), kind, passphrase) else {
                return;
            };
            let key = file(&path);
            let expected = if passphrase.is_empty() {
                Protection::Ssh
            } else {
                Protection::SshPassphrase
            };
            assert_eq!(key.protection(), expected);
            let mut public = path.clone().into_os_string();
            public.push(".pub");
            let line = fs::read_to_string(public).expect("reads");
            let texts = key.recipients().expect("known");
            assert_eq!(line.trim_end(), format!("{} a comment", texts[0]));
            let recipients = Recipients::parse(&[line]).expect("parses");
            assert_eq!(
                recipients.key_ids(),
                Recipients::parse(texts).expect("parses").key_ids()
            );
            let sealed = recipients.seal(b"x").expect("seals");
            let identities = if passphrase.is_empty() {
                key.unlock(&nobody)
            } else {
                let wrong = key.unlock(&|| Ok(secret("wrong")));
                let error = wrong.map(|_| ()).expect_err("refuses");
                assert_eq!(error.kind(), Kind::Undecryptable);
                key.unlock(&|| Ok(secret(passphrase)))
            };
            assert_eq!(opened(&identities.expect("unlocks"), &sealed), b"x");
        }
    }
    let Some(path) = ssh_key(dir.path(), &["ecdsa"], "") else {
        return;
    };
    assert_eq!(
        unusable(&path),
        (
            Kind::Undecryptable,
            format!(
                "the SSH key `{}` is unusable: it is of another kind",
                path.display()
            )
        )
    );
}

/// The package of npm that is asked: the age of its author in another language.
const AGE: &str = "age-encryption@0.3.1";

/// Where it is installed: below `target/age`, by the first test that needs it. None, said on stderr, where the machine
/// cannot have it; a gate must not pass that way.
fn other_age() -> Option<PathBuf> {
    static INSTALLED: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLED.lock();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/age");
    let place = all.join(AGE);
    let install = || -> Result<(), String> {
        let node = Command::new("node").arg("--version").output();
        node.map_err(|error| format!("node: {error}"))?;
        if place.exists() {
            return Ok(());
        }
        fs::create_dir_all(&all).map_err(|error| error.to_string())?;
        // Renamed when whole: a broken install is never taken for one.
        let coming = tempfile::tempdir_in(&all).map_err(|error| error.to_string())?;
        let npm = Command::new("npm")
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .args(["--loglevel", "error", "--prefix"])
            .arg(coming.path())
            .arg(AGE)
            .output();
        let npm = npm.map_err(|error| format!("npm: {error}"))?;
        if !npm.status.success() {
            return Err(format!("{npm:?}"));
        }
        // Another process may have been faster; then its install is as good.
        let renamed = fs::rename(coming.path(), &place);
        if place.exists() {
            Ok(())
        } else {
            Err(format!("{renamed:?}"))
        }
    };
    match install() {
        Ok(()) => Some(place),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not asked of another age: {why}");
            None
        }
    }
}

/// What it answers.
#[track_caller]
fn asked(age: &Path, question: &serde_json::Value) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/encryption/age.mjs");
    let ran = Command::new("node")
        .arg(script)
        .arg(age)
        .arg(question.to_string())
        .output()
        .expect("runs");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn another_age_opens_what_is_encrypted_here_and_the_other_way_round() {
    let Some(age) = other_age() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let plain = noise(2 * CHUNK + 3);
    fs::write(at("plain"), &plain).expect("writes");
    let made = asked(&age, &serde_json::json!({}));
    let (key, recipient) = made.trim_end().split_once(' ').expect("a pair");

    // Its key as our identity file, and our key as its own.
    fs::write(at("theirs.txt"), format!("{key}\n")).expect("writes");
    close(&at("theirs.txt"));
    let theirs = file(&at("theirs.txt"));
    assert_eq!(theirs.recipients().expect("known"), [recipient]);
    let ours = IdentityFile::create(&at("ours.txt"), created()).expect("makes");
    let text = fs::read_to_string(at("ours.txt")).expect("reads");
    let our_key = text.lines().last().expect("a key");
    for (file, key) in [(&theirs, key), (&ours, our_key)] {
        let texts = file.recipients().expect("known");
        let sealed = Recipients::parse(texts).and_then(|to| to.seal(&plain));
        fs::write(at("here.age"), sealed.expect("seals")).expect("writes");
        let question = serde_json::json!({ "key": key, "from": at("here.age"), "to": at("there") });
        asked(&age, &question);
        assert!(fs::read(at("there")).expect("reads") == plain);
        let question = serde_json::json!({ "recipient": texts[0], "from": at("plain"), "to": at("there.age") });
        asked(&age, &question);
        let sealed = fs::read(at("there.age")).expect("reads");
        let identities = file.unlock(&nobody).expect("unlocks");
        assert!(opened(&identities, &sealed) == plain);
    }

    // By a passphrase; an identity file under one opens as an age file that holds an ordinary one.
    let words = "correct horse";
    let sealed = by_passphrase(words).seal(&plain).expect("seals");
    fs::write(at("here.age"), sealed).expect("writes");
    asked(
        &age,
        &serde_json::json!({ "passphrase": words, "from": at("here.age"), "to": at("there") }),
    );
    assert!(fs::read(at("there")).expect("reads") == plain);
    asked(
        &age,
        &serde_json::json!({ "passphrase": words, "from": at("plain"), "to": at("there.age") }),
    );
    let sealed = fs::read(at("there.age")).expect("reads");
    assert!(opened(&Identities::passphrase(secret(words)), &sealed) == plain);
    let locked = at("locked.txt");
    let made =
        IdentityFile::create_sealed(&locked, created(), &by_passphrase(words)).expect("makes");
    asked(
        &age,
        &serde_json::json!({ "passphrase": words, "from": locked, "to": at("unlocked.txt"), "armored": true }),
    );
    close(&at("unlocked.txt"));
    assert_eq!(
        file(&at("unlocked.txt")).recipients().expect("known"),
        made.recipients().expect("known")
    );
}
