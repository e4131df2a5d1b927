//! `sync init`: makes the key, marks the remote, and remembers it.

use serde::Serialize;

use crate::cli::SyncInit;
use crate::context::Ctx;
use crate::encryption::passphrase::Purpose;
use crate::encryption::{IdentityFile, Protection, Recipients};
use crate::error::{Error, Kind, Outcome, Result};
use crate::remote::{How, Remote};
use crate::settings::{Settings, find_key};
use crate::sync::keys::{IDENTITY, MACHINES, SNAPSHOTS, is_encrypted};
use crate::sync::marker::Marker;
use crate::ui::table::lines;
use crate::ui::{Page, Report};

/// The largest identity under a passphrase that is fetched.
const MOST_BYTES: u64 = 1 << 18;

/// Runs the command.
pub fn run(ctx: &Ctx, args: &SyncInit) -> Result<Outcome> {
    let changes = changes(ctx, args)?;
    let address = ctx.remote(args.remote.as_deref())?;
    let mut access = ctx.access();
    access.endpoint = args.endpoint.clone().or(access.endpoint);
    access.region = args.region.clone().or(access.region);
    let remote = ctx.open_remote(&address, &access)?;
    let _held = (!args.dry_run).then(|| ctx.lock("sync init")).transpose()?;
    let marker = Marker::read(&remote)?;
    let (key, key_ids) = key(ctx, args, &remote, marker.as_ref())?;
    if let Some(marker) = &marker {
        marker.check(&key_ids, &remote)?;
    }
    if !args.dry_run {
        Marker::ensure(marker.as_ref(), &key_ids, &remote)?;
        if let Some(sealed) = key.file.as_ref().and_then(IdentityFile::sealed) {
            remote.put(IDENTITY, sealed.to_vec(), How::IfAbsent)?;
        }
        remember(ctx, &changes)?;
    }
    let file = key.file.as_ref();
    let recipients = match file {
        Some(file) => file.recipients()?.to_vec(),
        None => Vec::new(),
    };
    let is_sealed = file.map_or(args.passphrase, |file| file.sealed().is_some());
    let path = ctx.identity_path();
    ctx.ui.data(&Answer {
        mode: if args.dry_run { "dry-run" } else { "done" },
        remote: remote.to_string(),
        key: path.display().to_string(),
        shown: ctx.paths.short(&path),
        key_is: key.is,
        recipients,
        recovery: recovery(ctx, &remote, is_sealed, file),
    })?;
    Ok(Outcome::Done)
}

/// The settings that are to be remembered.
fn changes<'a>(ctx: &Ctx, args: &'a SyncInit) -> Result<Vec<(&'static str, &'a str)>> {
    let said = [
        ("sync.remote", &args.remote),
        ("sync.endpoint", &args.endpoint),
        ("sync.region", &args.region),
    ];
    let changes: Vec<_> = said
        .into_iter()
        .filter_map(|(name, said)| Some((name, said.as_deref()?)))
        .collect();
    // What cannot be set is refused before anything is made.
    let mut settings = ctx.settings().clone();
    for (name, value) in &changes {
        settings.set(find_key(name)?, value)?;
    }
    Ok(changes)
}

fn remember(ctx: &Ctx, changes: &[(&'static str, &str)]) -> Result<()> {
    let path = ctx.paths.config();
    let mut settings = Settings::load(&path)?;
    let before = settings.text_of_file();
    for (name, value) in changes {
        settings.set(find_key(name)?, value)?;
    }
    if settings.text_of_file() == before {
        return Ok(());
    }
    settings.save(&path)
}

/// The key of this machine.
struct Key {
    /// None where it is not made yet.
    file: Option<IdentityFile>,
    is: &'static str,
}

/// The key that is here; else the one under a passphrase that is on the remote; else a new one.
fn key(
    ctx: &Ctx,
    args: &SyncInit,
    remote: &Remote,
    marker: Option<&Marker>,
) -> Result<(Key, Vec<String>)> {
    let path = ctx.identity_path();
    if let Some(file) = IdentityFile::read(&path)? {
        if args.passphrase && file.protection() == Protection::Plain {
            return Err(Error::new(
                Kind::Usage,
                format!("`{}` is a key without a passphrase", path.display()),
                "leave out `--passphrase` to use it; or move it away to make another, which does not open what is encrypted to this one",
            ));
        }
        let file = if args.dry_run {
            file
        } else {
            noted(ctx, file)?
        };
        let ids = ids_of(&file)?;
        let is = "there already";
        return Ok((
            Key {
                file: Some(file),
                is,
            },
            ids,
        ));
    }
    let is_encrypted = match marker {
        Some(marker) => marker.is_encrypted(),
        None => holds_encrypted(remote)?,
    };
    if is_encrypted {
        let Some(sealed) = remote.get(IDENTITY, MOST_BYTES)? else {
            return Err(Error::new(
                Kind::Undecryptable,
                format!("{remote} is encrypted already, and this machine does not have the key"),
                format!(
                    "copy `identity.txt` from the manager home of a machine that has it to `{}`",
                    path.display()
                ),
            ));
        };
        if args.dry_run {
            let is = "on the remote, under a passphrase";
            return Ok((
                Key { file: None, is },
                marker.map(Marker::ids).unwrap_or_default(),
            ));
        }
        let name = format!("the key on {remote}");
        let passphrase = ctx.passphrase(Purpose::Open(&name))?;
        let file = IdentityFile::adopt(&path, &sealed, passphrase)?;
        let ids = ids_of(&file)?;
        let is = "fetched from the remote";
        return Ok((
            Key {
                file: Some(file),
                is,
            },
            ids,
        ));
    }
    if args.dry_run {
        let is = "would be made";
        return Ok((Key { file: None, is }, Vec::new()));
    }
    let file = if args.passphrase {
        let passphrase = ctx.passphrase(Purpose::Make(&ctx.paths.short(&path)))?;
        IdentityFile::create_with_passphrase(&path, ctx.now, passphrase)?
    } else {
        IdentityFile::create(&path, ctx.now)?
    };
    let ids = ids_of(&file)?;
    Ok((
        Key {
            file: Some(file),
            is: "made",
        },
        ids,
    ))
}

/// Whether anything there is encrypted, where no marker tells: it was lost, and another key would shut out who has that.
fn holds_encrypted(remote: &Remote) -> Result<bool> {
    for dir in [SNAPSHOTS, MACHINES] {
        let mut objects = remote.list(dir)?.into_iter();
        if objects.any(|object| is_encrypted(&object.key)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same file with its public keys beside it, which a run that was killed as it made it may not have noted.
fn noted(ctx: &Ctx, file: IdentityFile) -> Result<IdentityFile> {
    if file.recipients().is_ok() {
        return Ok(file);
    }
    let name = ctx.paths.short(file.path());
    file.unlock(&|| ctx.passphrase(Purpose::Open(&name)))?;
    Ok(IdentityFile::read(file.path())?.unwrap_or(file))
}

fn ids_of(file: &IdentityFile) -> Result<Vec<String>> {
    Ok(Recipients::parse(file.recipients()?)?.key_ids())
}

/// What has to be kept, so that what is on the remote can be read again.
fn recovery(ctx: &Ctx, remote: &Remote, is_sealed: bool, file: Option<&IdentityFile>) -> String {
    let path = format!("`{}`", ctx.paths.short(&ctx.identity_path()));
    if is_sealed {
        return format!(
            "remember the passphrase: with it `codex-manager sync init --remote {}` sets up another machine, without it nothing on the remote can be read",
            shell_words::quote(&remote.address().to_string())
        );
    }
    let ssh = file.is_some_and(|file| file.protection() != Protection::Plain);
    let what = if ssh { "the SSH key" } else { "the key" };
    format!(
        "copy {what} {path} to your other machines and to a safe place: without it nothing on the remote can be read"
    )
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    remote: String,
    key: String,
    key_is: &'static str,
    #[serde(skip)]
    shown: String,
    recipients: Vec<String>,
    recovery: String,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let mut pairs = vec![
            ("remote", self.remote.clone()),
            ("key", format!("{}, {}", self.shown, self.key_is)),
        ];
        for recipient in &self.recipients {
            pairs.push(("recipient", recipient.clone()));
        }
        pairs.push(("recovery", self.recovery.clone()));
        lines(&pairs)
    }
}
