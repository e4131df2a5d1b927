//! The snapshots that can matter to what is known of each account now, without reading every sidecar there is.
//!
//! A name tells when a window opened and whose it is, its owner. Windows follow one another: of two snapshots of one
//! owner whose names are more than [`APART`] from one another, the later named was seen and made later, and what the
//! earlier knew of the account the later knows too. So of each owner the newest names are read, back to [`APART`] before
//! one that tells all there is to tell. Wherever a name may stand for several accounts, or an account for several names,
//! all of them are read; so is whatever is no plain pair of files. CODEX_MANAGER_SPEC.md, "Availability", has the rule.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use chrono::{NaiveDateTime, TimeDelta};

use super::{Depth, Listing, Snapshot, of_orphan, read_halves_into, read_one, read_plain};
use crate::error::{Error, Result};
use crate::fsutil::{Names, OpenDir};
use crate::metadata::{ARCHIVE_SUFFIX, Account, BackupMode, BackupName, SIDECAR_SUFFIX, Sidecar};
use crate::observation::Observation;
use crate::threads;
use crate::timeutil::{Stamp, Zone};

/// How far two names of one owner must be from one another for their order to be that of what they tell: a window lasts
/// a week, and a name is the wall clock of any zone.
const APART: TimeDelta = TimeDelta::days(14);

/// The snapshots that can matter as far as they tell themselves: see [`Newest::beside`].
#[derive(Debug)]
pub struct Newest<'a> {
    dir: Dir<'a>,
    files: Files,
    /// The sidecars of which both files are regular, in the order of the names.
    pairs: Vec<Name>,
    owners: Vec<Owner>,
    /// What was read of the owners.
    found: Vec<Found>,
    /// What stands elsewhere or is no plain pair, and all problems but those of `found`.
    others: Listing,
    /// The same by name.
    odd: Vec<Found>,
    orphans: Vec<String>,
}

/// The directory, and how to read in it.
#[derive(Debug)]
struct Dir<'a> {
    path: &'a Path,
    zone: &'a Zone,
    open: Option<OpenDir>,
}

/// What became of reading one: as [`read_one`] has it.
#[derive(Debug)]
struct Found {
    base: String,
    outcome: Result<(Snapshot, Option<String>), String>,
}

/// Those of one owner.
#[derive(Debug, Default)]
struct Owner {
    name: String,
    /// Which of the pairs, by time.
    pairs: Range<usize>,
    /// How many of them, the oldest, were not read.
    unread: usize,
    said: Said,
}

/// What the sidecars of one owner say, and whatever else is known of it.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Whose they are, brought together.
    account: Account,
    /// Whether they are of several, or not of whom the name tells.
    is_mixed: bool,
    /// From when on names can matter; None until that is known.
    since: Option<NaiveDateTime>,
}

impl Said {
    /// Whether a sidecar of this time must be read.
    fn must_read(&self, clock: NaiveDateTime) -> bool {
        self.is_mixed || self.since.is_none_or(|since| clock >= since)
    }

    /// Takes in what the sidecar of `clock` says.
    fn take(&mut self, owner: &str, clock: NaiveDateTime, sidecar: &Sidecar, latest: Stamp) {
        let account = sidecar.account();
        let who = account.email.as_deref().or(account.user_id.as_deref());
        self.is_mixed |= !who.is_some_and(|who| BackupName::is_owner_of(owner, who));
        self.join(&account);
        if self.since.is_none() {
            self.since = tells_all(sidecar, latest).and_then(|told| {
                let earliest = clock.min(told);
                earliest.checked_sub_signed(APART)
            });
        }
    }

    /// Takes in an account that may be this one.
    fn join(&mut self, account: &Account) {
        let whole = &mut self.account;
        self.is_mixed |= whole.contradicts(account);
        for (known, told) in [
            (&mut whole.email, &account.email),
            (&mut whole.user_id, &account.user_id),
            (&mut whole.account_id, &account.account_id),
        ] {
            if known.is_none() {
                known.clone_from(told);
            }
        }
    }
}

/// The earlier of when the window was seen and the snapshot made, where the sidecar tells all that any could: whose it is,
/// the plan, a window seen by now, a whole home. Other programs know less of whose it is.
fn tells_all(sidecar: &Sidecar, latest: Stamp) -> Option<NaiveDateTime> {
    let account = sidecar.account();
    let is_known = account.is_exact() && (account.email.is_none() || sidecar.plan_type.is_some());
    let is_whole = sidecar.mode() == BackupMode::Full;
    let (seen_at, _) = Observation::seen_in_sidecar(sidecar)?;
    let made_at = sidecar.content_time()?;
    let is_possible = seen_at.max(made_at) <= latest;
    let tells_all = is_whole && is_possible && (is_known || sidecar.schema_version.is_none());
    tells_all.then(|| seen_at.min(made_at).wall_clock())
}

/// The names of archives and sidecars in a directory.
#[derive(Debug, Default)]
struct Files {
    /// All of them without their suffixes, one behind the other: each by itself would cost more than the rest.
    text: String,
    /// By owner and time, each archive behind its sidecar.
    names: Vec<Name>,
    owners: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    owner: usize,
    clock: NaiveDateTime,
    /// Where in the text it is, without its suffix.
    start: usize,
    end: usize,
    is_archive: bool,
    is_file: bool,
}

impl Files {
    /// Those in `dir`. A missing directory holds none.
    fn list(dir: &Path) -> Result<Self> {
        let mut room = Vec::new();
        let mut names = match Names::open(dir, &mut room) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::io("list", dir, error)),
        };
        let mut files = Self::default();
        let mut owners: HashMap<String, usize> = HashMap::new();
        let mut pick = |name: &str, is_file: &dyn Fn() -> bool| {
            let archive = name.strip_suffix(ARCHIVE_SUFFIX);
            let base = archive.or_else(|| name.strip_suffix(SIDECAR_SUFFIX))?;
            let (clock, owner) = BackupName::split(base)?;
            let known = owners.get(owner).copied();
            let owner = known.unwrap_or_else(|| {
                let next = owners.len();
                owners.insert(owner.to_owned(), next);
                next
            });
            let start = files.text.len();
            files.text.push_str(base);
            files.names.push(Name {
                owner,
                clock,
                start,
                end: files.text.len(),
                is_archive: archive.is_some(),
                is_file: is_file(),
            });
            None::<()>
        };
        if let Some(Err(error)) = names.next(&mut pick) {
            return Err(Error::io("list", dir, error));
        }
        files.owners = vec![String::new(); owners.len()];
        for (owner, place) in owners {
            if let Some(name) = files.owners.get_mut(place) {
                *name = owner;
            }
        }
        files.sort();
        Ok(files)
    }

    fn sort(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        names.sort_unstable_by(|a, b| {
            let order = (a.owner, a.clock).cmp(&(b.owner, b.clock));
            // One time may be spelled in two ways.
            let order = order.then_with(|| self.base(a).cmp(self.base(b)));
            order.then(a.is_archive.cmp(&b.is_archive))
        });
        self.names = names;
    }

    /// A name without its suffix.
    fn base(&self, name: &Name) -> &str {
        self.text.get(name.start..name.end).unwrap_or_default()
    }
}

/// Reads what can matter in `backup_dir`, as far as its snapshots tell. A missing directory holds none. `latest` is the
/// latest instant that can be by now: what is from after it is of a clock that was wrong.
pub fn list_newest<'a>(backup_dir: &'a Path, zone: &'a Zone, latest: Stamp) -> Result<Newest<'a>> {
    let dir = Dir {
        path: backup_dir,
        zone,
        open: OpenDir::open(backup_dir).ok(),
    };
    let mut newest = Newest {
        dir,
        files: Files::list(backup_dir)?,
        pairs: Vec::new(),
        owners: Vec::new(),
        found: Vec::new(),
        others: Listing::default(),
        odd: Vec::new(),
        orphans: Vec::new(),
    };
    newest.sort();
    let (dir, files, pairs) = (&newest.dir, &newest.files, &newest.pairs);
    let read = |owners: Vec<Owner>| -> Vec<(Owner, Vec<Found>)> {
        let mut buffer = Vec::new();
        let read = |owner| dir.read_newest(owner, files, pairs, latest, &mut buffer);
        owners.into_iter().map(read).collect()
    };
    for (owner, found) in threads::share(std::mem::take(&mut newest.owners).into_iter(), read) {
        newest.owners.push(owner);
        newest.found.extend(found);
    }
    read_halves_into(backup_dir, zone, Depth::Window, &mut newest.others)?;
    Ok(newest)
}

impl Dir<'_> {
    /// Reads those of `owner` that can matter.
    fn read_newest(
        &self,
        mut owner: Owner,
        files: &Files,
        pairs: &[Name],
        latest: Stamp,
        buffer: &mut Vec<u8>,
    ) -> (Owner, Vec<Found>) {
        let mut found = Vec::new();
        let pairs = pairs.get(owner.pairs.clone()).unwrap_or_default();
        owner.unread = pairs.len();
        for pair in pairs.iter().rev() {
            if !owner.said.must_read(pair.clock) {
                break;
            }
            owner.unread -= 1;
            let one = self.read(files.base(pair), buffer);
            if let Ok((snapshot, _)) = &one.outcome {
                let sidecar = &snapshot.sidecar;
                owner.said.take(&owner.name, pair.clock, sidecar, latest);
            }
            found.push(one);
        }
        (owner, found)
    }

    /// Reads one of which both files are regular.
    fn read(&self, base: &str, buffer: &mut Vec<u8>) -> Found {
        let name = format!("{base}{SIDECAR_SUFFIX}");
        let open = self.open.as_ref();
        match open.and_then(|open| read_plain(open, &name, Depth::Window, buffer)) {
            Some(sidecar) => Found {
                base: base.to_owned(),
                outcome: Ok((
                    Snapshot {
                        archive: self.path.join(format!("{base}{ARCHIVE_SUFFIX}")),
                        sidecar,
                        depth: Depth::Window,
                        is_complete: true,
                    },
                    None,
                )),
            },
            None => self.read_odd(base, true),
        }
    }

    /// Reads one of which anything may be odd.
    fn read_odd(&self, base: &str, has_sidecar: bool) -> Found {
        let archive = self.path.join(format!("{base}{ARCHIVE_SUFFIX}"));
        Found {
            base: base.to_owned(),
            outcome: read_one(&archive, has_sidecar, self.zone),
        }
    }
}

impl Newest<'_> {
    /// Sorts names into pairs, orphans and the rest, which is read.
    fn sort(&mut self) {
        let names = std::mem::take(&mut self.files.owners).into_iter();
        self.owners.extend(names.map(|name| Owner {
            name,
            ..Owner::default()
        }));
        let files = &self.files;
        let mut names = files.names.iter().peekable();
        while let Some(name) = names.next() {
            let base = files.base(name);
            if name.is_archive {
                self.odd.push(self.dir.read_odd(base, false));
                continue;
            }
            match names.next_if(|next| next.is_archive && files.base(next) == base) {
                None => self.orphans.push(base.to_owned()),
                Some(archive) if name.is_file && archive.is_file => {
                    let place = self.pairs.len();
                    self.pairs.push(*name);
                    if let Some(owner) = self.owners.get_mut(name.owner) {
                        if owner.pairs.is_empty() {
                            owner.pairs.start = place;
                        }
                        owner.pairs.end = place + 1;
                    }
                }
                Some(_) => self.odd.push(self.dir.read_odd(base, true)),
            }
        }
        self.owners.retain(|owner| !owner.pairs.is_empty());
    }

    /// All that can matter, where `accounts` are known from elsewhere: the rest is read of each owner that may be several
    /// accounts, or share one with another.
    pub fn beside(mut self, accounts: impl Iterator<Item = Account>) -> Listing {
        self.mark_mixed(accounts);
        let (dir, files) = (&self.dir, &self.files);
        let left = self.owners.iter().filter(|owner| owner.said.is_mixed);
        let left = left.flat_map(|owner| owner.pairs.clone().take(owner.unread));
        let left = left.filter_map(|place| self.pairs.get(place));
        let rest = threads::share(left, |pairs: Vec<&Name>| {
            let mut buffer = Vec::new();
            let read = |pair: &Name| dir.read(files.base(pair), &mut buffer);
            pairs.into_iter().map(read).collect()
        });
        let mut all = self.found;
        all.extend(rest);
        all.extend(self.odd);
        all.sort_unstable_by(|a, b| a.base.cmp(&b.base));
        let mut listing = Listing::default();
        for one in all {
            match one.outcome {
                Ok((snapshot, problem)) => {
                    listing.snapshots.push(snapshot);
                    listing.problems.extend(problem);
                }
                Err(problem) => {
                    listing.problems.push(problem);
                    listing.unreadable += 1;
                }
            }
        }
        self.orphans.sort_unstable();
        for base in self.orphans {
            let path = self.dir.path.join(format!("{base}{SIDECAR_SUFFIX}"));
            listing.problems.push(of_orphan(&path));
        }
        listing.snapshots.extend(self.others.snapshots);
        listing.problems.extend(self.others.problems);
        listing.unreadable += self.others.unreadable;
        listing
    }

    /// Marks the owners of which anything else speaks against their being one account, and all of it.
    fn mark_mixed(&mut self, accounts: impl Iterator<Item = Account>) {
        let mut by_trait: HashMap<Trait, Vec<usize>> = HashMap::new();
        for (place, owner) in self.owners.iter().enumerate() {
            for one in traits(&owner.said.account) {
                by_trait.entry(one).or_default().push(place);
            }
        }
        for sharing in by_trait.values().filter(|owners| owners.len() > 1) {
            for place in sharing {
                if let Some(owner) = self.owners.get_mut(*place) {
                    owner.said.is_mixed = true;
                }
            }
        }
        let odd = self.odd.iter().filter_map(|one| one.outcome.as_ref().ok());
        let odd = odd.map(|(snapshot, _)| snapshot);
        let others = odd.chain(&self.others.snapshots);
        let others: Vec<Account> = others.map(|one| one.sidecar.account()).collect();
        for account in others.into_iter().chain(accounts) {
            for one in traits(&account) {
                for place in by_trait.get(&one).into_iter().flatten() {
                    if let Some(owner) = self.owners.get_mut(*place) {
                        owner.said.join(&account);
                    }
                }
            }
        }
    }
}

/// What an account may be known by beside others; a workspace is of many.
#[derive(PartialEq, Eq, Hash)]
enum Trait {
    Email(String),
    User(String),
}

fn traits(account: &Account) -> impl Iterator<Item = Trait> {
    let email = account.email.as_deref().map(str::to_ascii_lowercase);
    let user = account.user_id.clone().map(Trait::User);
    email.map(Trait::Email).into_iter().chain(user)
}
