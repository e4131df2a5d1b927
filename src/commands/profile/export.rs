//! `profile export`: all that is known in one file, for another machine.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::bundle::{self, Bundle, Include, Machine};
use crate::cli::ProfileExport;
use crate::context::Ctx;
use crate::encryption::Recipients;
use crate::encryption::passphrase::Purpose;
use crate::error::{Error, Kind, Outcome, Result};
use crate::fsutil::{self, AtomicFile};
use crate::live;
use crate::parcel;
use crate::snapshots::{self, Depth, Listing, SUPERSEDED, Snapshot};
use crate::ui::progress::Watched;
use crate::ui::table::{count, lines, size_words};
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx, args: &ProfileExport) -> Result<Outcome> {
    let file = args.file.as_path();
    check(ctx, args)?;
    if !fsutil::exists(&ctx.paths.manager_home)? {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "nothing is known yet: `{}` does not exist",
                ctx.paths.short(&ctx.paths.manager_home)
            ),
            "run `codex-manager backup` first, or name another home with `--manager-home`",
        ));
    }
    let encryption = match (args.no_encrypt, args.passphrase) {
        (true, _) => "none",
        (_, true) => "passphrase",
        _ => "recipients",
    };
    let recipients = if args.dry_run {
        None
    } else {
        recipients(ctx, args)?
    };
    let bundle = gather(ctx, args)?;
    let (listing, mut left_out) = snapshots_of(ctx, args)?;
    let sound = sound(ctx, &listing, &mut left_out)?;
    let length = if args.dry_run {
        None
    } else {
        Some(write(
            ctx,
            args,
            recipients.as_ref(),
            &bundle.bytes()?,
            &sound,
        )?)
    };
    let outcome = if left_out.is_empty() {
        Outcome::Done
    } else {
        Outcome::Partial
    };
    ctx.ui.done(&Answer {
        mode: if args.dry_run { "dry-run" } else { "exported" },
        file: file.display().to_string(),
        bytes: length,
        encryption,
        accounts: bundle.accounts.len(),
        profiles: bundle.profiles.len(),
        logins: bundle
            .profiles
            .iter()
            .filter(|told| told.login.is_some())
            .count(),
        inventory_records: bundle.inventory.len(),
        snapshots: sound.len(),
        left_out,
        has_backups: args.with_backups,
        shown: ctx.paths.short(file),
    })?;
    Ok(outcome)
}

/// Writes the file; how long it is.
fn write(
    ctx: &Ctx,
    args: &ProfileExport,
    recipients: Option<&Recipients>,
    bytes: &[u8],
    sound: &[&Snapshot],
) -> Result<u64> {
    let file = args.file.as_path();
    // What a killed run left of one: it may hold logins.
    fsutil::sweep(fsutil::parent_of(file));
    let mut target = AtomicFile::create(file)?;
    let _in_hand = ctx.in_hand();
    let now = ctx.now.unix();
    let write = |out: &mut dyn Write| -> Result<()> {
        parcel::write(out, file, bytes, sound, now, &ctx.stop()).map(|_| ())
    };
    let failed = |error| Error::carried("write", file, error);
    if let Some(recipients) = recipients {
        let mut out = recipients.encrypting(target.file())?;
        write(&mut out)?;
        out.finish().map_err(failed)?;
    } else {
        let mut out = BufWriter::new(target.file());
        write(&mut out)?;
        out.flush().map_err(failed)?;
    }
    let meta = target.file().metadata().map_err(failed)?;
    ctx.check_stop()?;
    // Whatever came there meanwhile.
    check(ctx, args)?;
    target.commit()?;
    Ok(meta.len())
}

/// Fails where the file must not be written.
fn check(ctx: &Ctx, args: &ProfileExport) -> Result<()> {
    let file = args.file.as_path();
    let shown = ctx.paths.short(file);
    if file == Path::new("-") || file.file_name().is_none() {
        return Err(Error::new(
            Kind::Usage,
            format!("`{shown}` is no name of a file to write"),
            "name one, such as `codex-manager.age`",
        ));
    }
    let dir = fsutil::parent_of(file);
    if !dir.is_dir() {
        return Err(Error::other(
            format!("`{}` is no directory", ctx.paths.short(dir)),
            "make it first, or name another place",
        ));
    }
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    ctx.keep_out_of_homes(file, "an exported file", &backup_dir)?;
    if file.is_dir() || (!args.force && fsutil::exists(file)?) {
        return Err(Error::other(
            format!("`{shown}` exists; nothing was written"),
            "name another file; `--force` replaces a file",
        ));
    }
    Ok(())
}

/// To whom it is encrypted; None where it is not.
fn recipients(ctx: &Ctx, args: &ProfileExport) -> Result<Option<Recipients>> {
    if args.no_encrypt {
        return Ok(None);
    }
    if args.passphrase {
        let name = ctx.paths.short(&args.file);
        let passphrase = ctx.passphrase(Purpose::Make(&name))?;
        return Ok(Some(Recipients::passphrase(passphrase)));
    }
    let recipients = ctx.recipients().map_err(|error| match error.kind() {
        Kind::Undecryptable => error.with_hint(format!(
            "say `--passphrase`, or make a key with `{}`; `--no-encrypt` leaves out all logins",
            ctx.sync_init()
        )),
        _ => error,
    })?;
    Ok(Some(recipients))
}

/// What is known, the login that is signed in among it.
fn gather(ctx: &Ctx, args: &ProfileExport) -> Result<Bundle> {
    let machine = if args.dry_run {
        Machine {
            id: ctx.machine_id().unwrap_or_else(|| "0".repeat(16)),
            hostname: ctx.hostname(),
        }
    } else {
        let home = &ctx.paths.codex_home;
        ctx.mend_home(home)?;
        let (lock, _in_hand) = ctx.lock("profile export")?;
        ctx.keeping(&lock, |keeper| {
            live::keep_login(ctx, &lock, home, keeper.known)
        });
        ctx.machine(&lock)?
    };
    let include = Include {
        credentials: !args.no_encrypt,
        settings: true,
    };
    let mut warnings = Vec::new();
    let places = ctx.places(args.backup_dir.as_deref(), None)?;
    let bundle = bundle::gather(&places, &machine, ctx.now, include, &mut warnings)?;
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    Ok(bundle)
}

/// The snapshots that are to be taken along, and what cannot be.
fn snapshots_of(ctx: &Ctx, args: &ProfileExport) -> Result<(Vec<Snapshot>, Vec<String>)> {
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    if !args.with_backups {
        return Ok((all, left_out));
    }
    let dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let current = snapshots::list(&dir, &ctx.zone, Depth::Whole)?;
    let earlier = snapshots::list_kept(&dir, SUPERSEDED, &ctx.zone)?;
    for Listing {
        snapshots,
        problems,
        ..
    } in [current, earlier]
    {
        left_out.extend(problems);
        for snapshot in snapshots {
            if !snapshot.is_complete {
                // Watched among the problems.
            } else if parcel::is_named(&snapshot) {
                all.push(snapshot);
            } else {
                left_out.push(format!(
                    "`{}` is of the layout of another program",
                    ctx.paths.short(&snapshot.archive)
                ));
            }
        }
    }
    Ok((all, left_out))
}

/// Those of them that are sound: one that is not would have all of the file refused.
fn sound<'a>(
    ctx: &Ctx,
    snapshots: &'a [Snapshot],
    left_out: &mut Vec<String>,
) -> Result<Vec<&'a Snapshot>> {
    if !snapshots.is_empty() {
        let what = count(snapshots.len(), "snapshot");
        ctx.ui.note(&format!("reading and checking {what}"));
    }
    let _in_hand = ctx.in_hand();
    let lengths = snapshots
        .iter()
        .filter_map(|snapshot| snapshot.archive.metadata().ok());
    let progress = &ctx
        .ui
        .progress("checking", lengths.map(|meta| meta.len()).sum());
    let stop = &ctx.stop();
    let mut sound = Vec::new();
    for snapshot in snapshots {
        ctx.check_stop()?;
        match snapshot.check(&ctx.limits(), &Watched { stop, progress }) {
            Ok(_) => sound.push(snapshot),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => left_out.push(error.to_string()),
        }
    }
    for why in left_out {
        ctx.ui.warn(&format!("{why}; it is left out"));
    }
    Ok(sound)
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    file: String,
    /// None in a dry run.
    bytes: Option<u64>,
    /// `recipients`, `passphrase` or `none`.
    encryption: &'static str,
    accounts: usize,
    profiles: usize,
    logins: usize,
    inventory_records: usize,
    snapshots: usize,
    left_out: Vec<String>,
    #[serde(skip)]
    has_backups: bool,
    #[serde(skip)]
    shown: String,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let encryption = match self.encryption {
            "recipients" => {
                "encrypted to the keys of this machine: the other one needs `identity.txt`"
            }
            "passphrase" => "encrypted by the passphrase",
            _ => "none: the logins are not in it",
        };
        let length = self.bytes.map(|bytes| format!(", {}", size_words(bytes)));
        let mut pairs = vec![
            (
                self.mode,
                format!("{}{}", self.shown, length.unwrap_or_default()),
            ),
            ("secret", encryption.to_owned()),
            ("accounts", self.accounts.to_string()),
            (
                "profiles",
                format!("{}, {} of them with a login", self.profiles, self.logins),
            ),
        ];
        if self.has_backups {
            pairs.push(("snapshots", self.snapshots.to_string()));
        }
        lines(&pairs)
    }
}
