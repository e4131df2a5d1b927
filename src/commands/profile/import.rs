//! `profile import`: takes in what another machine exported. Nothing that is newer here, or set here, is replaced.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bundle::{self, Deed, Item, Machine};
use crate::cli::ProfileImport;
use crate::context::Ctx;
use crate::encryption::Identities;
use crate::encryption::passphrase::Purpose;
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, TemporaryDir};
use crate::live;
use crate::lock::Lock;
use crate::parcel::{self, Form, Parcel, Reading, Spread};
use crate::snapshots;
use crate::snapshots::place::{Fate, Here, Incoming, Placed};
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, column, count, lines, long};
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx, args: &ProfileImport) -> Result<()> {
    let shown = ctx.paths.short(&args.file);
    let _in_hand = ctx.in_hand();
    let identities = |is_passphrase: bool| {
        if is_passphrase {
            let passphrase = ctx.passphrase(Purpose::Open(&shown))?;
            return Ok(Identities::passphrase(passphrase));
        }
        let key = ctx.identity_path();
        if !fsutil::exists(&key)? {
            let key = ctx.paths.short(&key);
            return Err(Error::new(
                Kind::Undecryptable,
                format!(
                    "`{shown}` is encrypted to a key, and there is none here: `{key}` does not exist"
                ),
                format!("copy the identity file of the machine that exported it to `{key}`"),
            ));
        }
        ctx.identities()
    };
    let opened = parcel::open(&args.file, &shown, &identities)?;
    let form = opened.form;
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let room = Room::make(&backup_dir)?;
    let parcel = parcel::read(
        opened,
        &Reading {
            what: &shown,
            dir: room.path(),
            limits: &ctx.limits(),
            now: ctx.now,
            stop: &ctx.stop(),
        },
    )?;
    for left in &parcel.left {
        ctx.ui
            .warn(&format!("`{shown}` also holds {left}; it is left out"));
    }
    let items = if args.dry_run {
        plan(ctx, args, &parcel, &backup_dir)?
    } else {
        ctx.check_stop()?;
        let (lock, _in_hand) = ctx.lock("profile import")?;
        perform(ctx, args, &lock, &parcel, &backup_dir)?
    };
    let changes = |item: &Item| matches!(item.deed, Deed::Add | Deed::Update);
    ctx.ui.done(&Answer {
        mode: match (args.dry_run, items.iter().any(changes)) {
            (_, false) => "unchanged",
            (true, true) => "dry-run",
            (false, true) => "imported",
        },
        file: args.file.display().to_string(),
        machine: (form == Form::Ours).then(|| parcel.bundle.machine.clone()),
        written_at: (form == Form::Ours).then_some(parcel.bundle.written_at),
        items,
        shown,
    })
}

/// What would become of everything.
fn plan(ctx: &Ctx, args: &ProfileImport, parcel: &Parcel, backup_dir: &Path) -> Result<Vec<Item>> {
    let places = ctx.places(args.backup_dir.as_deref(), None)?;
    let mut warnings = Vec::new();
    let plan = bundle::plan(
        &ctx.bundle_home(&places, false),
        &parcel.bundle,
        &mut warnings,
    )?;
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    let mut items = plan.items;
    let mut here = Here::read(backup_dir, &ctx.zone)?;
    for spread in &parcel.snapshots {
        let fate = here.expect(&spread.sidecar, &spread.sha256)?;
        items.push(match fate {
            Fate::WasHere(archive) => was_here(&archive),
            Fate::Free(name) => free(name.archive()),
            Fate::Newer(name) => newer(name.archive()),
            Fate::Older(name) => older(name.archive()),
        });
    }
    Ok(items)
}

/// Takes in everything, the snapshots first: what is known of them is of no use without.
fn perform(
    ctx: &Ctx,
    args: &ProfileImport,
    lock: &Lock,
    parcel: &Parcel,
    backup_dir: &Path,
) -> Result<Vec<Item>> {
    let places = ctx.places(args.backup_dir.as_deref(), None)?;
    let home = ctx.bundle_home(&places, false);
    // Refused before anything is written: settings or an inventory here that cannot be read.
    bundle::plan(&home, &parcel.bundle, &mut Vec::new())?;
    snapshots::tidy(backup_dir);
    let mut here = Here::read(backup_dir, &ctx.zone)?;
    let mut come = Vec::new();
    for spread in &parcel.snapshots {
        come.push(place(ctx, &mut here, spread)?);
    }
    let mut warnings = Vec::new();
    let plan = ctx.keeping(lock, |keeper| {
        // One that is signed in here may be newer than the one that is kept.
        let codex_home = &ctx.paths.codex_home;
        live::keep_login(ctx, lock, codex_home, keeper.known);
        bundle::perform(&home, keeper, &parcel.bundle, &mut warnings)
    })?;
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    let mut items = plan.items;
    items.extend(come);
    Ok(items)
}

fn place(ctx: &Ctx, here: &mut Here, spread: &Spread) -> Result<Item> {
    ctx.check_stop()?;
    let placed = here.place(&Incoming {
        archive: &spread.archive,
        sha256: &spread.sha256,
        sidecar: &spread.bytes,
    })?;
    Ok(match placed {
        Placed::WasHere(archive) => was_here(&archive),
        Placed::Current(archive) => free(name_of(&archive)),
        Placed::Superseding { archive, .. } => newer(name_of(&archive)),
        Placed::Superseded(archive) => older(name_of(&archive)),
    })
}

fn name_of(archive: &Path) -> String {
    let name = archive.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn was_here(archive: &Path) -> Item {
    item(name_of(archive), Deed::Keep, "the same is here")
}

fn free(name: String) -> Item {
    item(name, Deed::Add, "there is none of its name")
}

fn newer(name: String) -> Item {
    let why = "newer than the one here, which is kept below `superseded/`";
    item(name, Deed::Update, why)
}

fn older(name: String) -> Item {
    let why = "older than the one here: below `superseded/`";
    item(name, Deed::Add, why)
}

fn item(name: String, deed: Deed, why: &str) -> Item {
    Item {
        what: "snapshot",
        name,
        deed,
        why: why.to_owned(),
    }
}

/// Where the snapshots are spread, beside the backups so that they need only be moved. Dropped it is gone, and so is what
/// had to be made for it and is empty.
struct Room {
    dir: Option<TemporaryDir>,
    made: Vec<PathBuf>,
}

impl Room {
    fn make(backup_dir: &Path) -> Result<Self> {
        let missing = backup_dir.ancestors().take_while(|dir| !dir.exists());
        let mut room = Self {
            made: missing.map(Path::to_owned).collect(),
            dir: None,
        };
        fsutil::create_private_dir(backup_dir)?;
        room.dir = Some(TemporaryDir::make(backup_dir)?);
        Ok(room)
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("."), TemporaryDir::path)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.dir.take());
        for dir in &self.made {
            // Only what is empty can be removed like this.
            let _ = fs::remove_dir(dir);
        }
    }
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    file: String,
    /// Which machine wrote it; null for the Python tool's.
    machine: Option<Machine>,
    written_at: Option<Stamp>,
    items: Vec<Item>,
    #[serde(skip)]
    shown: String,
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let mut pairs = vec![(self.mode, self.shown.clone())];
        if let (Some(machine), Some(at)) = (&self.machine, self.written_at) {
            let name = machine.hostname.as_ref().unwrap_or(&machine.id);
            pairs.push(("from", format!("{name}, {at}")));
        }
        let (kept, told): (Vec<&Item>, Vec<&Item>) =
            self.items.iter().partition(|item| item.deed == Deed::Keep);
        if !kept.is_empty() {
            pairs.push(("kept", format!("{}, as here", count(kept.len(), "thing"))));
        }
        let mut text = lines(&pairs);
        if !told.is_empty() {
            let columns = [
                column("WHAT", 2),
                long("NAME", 0),
                column("DEED", 1),
                column("WHY", 3),
            ];
            let mut table = Table::new(&columns);
            for item in told {
                let tone = match item.deed {
                    Deed::Add | Deed::Update => Tone::Good,
                    Deed::Keep | Deed::Leave => Tone::Dim,
                };
                table.row(tone, [item.what, &item.name, item.deed.word(), &item.why]);
            }
            text.push('\n');
            text.push_str(&table.render(page));
        }
        text
    }
}
