//! The snapshots that can matter to what is known of each account now, without reading every sidecar there is.
//!
//! A name tells when a window opened and whose it is, its owner. Windows follow one another: of two snapshots of one
//! owner whose names are more than [`APART`] seconds from one another, the later named was seen and made later, and what
//! the earlier knew of the account the later knows too. So of each owner the newest names are read, back to that long
//! before one that tells all there is to tell. Wherever a name may stand for several accounts, or an account for several
//! names, all of them are read; so is whatever is no plain pair of files. CODEX_MANAGER_SPEC.md, "Availability", has the
//! rule.

use std::collections::HashMap;
use std::path::Path;

use super::{Depth, Listing, Snapshot, of_orphan, read_halves_into, read_one, read_plain};
use crate::error::{Error, Result};
use crate::fsutil::{Names, OpenDir};
use crate::metadata::{ARCHIVE_SUFFIX, Account, BackupMode, BackupName, SIDECAR_SUFFIX, Sidecar};
use crate::observation::Observation;
use crate::threads;
use crate::timeutil::{Stamp, Zone};

/// How far two names of one owner must be from one another for their order to be that of what they tell, in seconds: a
/// window lasts a week, and a name is the wall clock of any zone.
const APART: i64 = 14 * 86_400;

/// How many owners are handed to a thread at once: each may have thousands of names.
const PART: usize = 4;

/// The snapshots that can matter as far as they tell themselves: see [`Newest::beside`].
#[derive(Debug)]
pub struct Newest<'a> {
    dir: Dir<'a>,
    owners: Vec<Owner>,
    /// What stands elsewhere.
    others: Listing,
}

/// The directory, and how to read in it.
#[derive(Debug)]
struct Dir<'a> {
    path: &'a Path,
    zone: &'a Zone,
    open: Option<OpenDir>,
    /// All names without their suffixes, one behind the other: each by itself would cost more than the rest.
    text: String,
}

/// The name of an archive or a sidecar.
#[derive(Debug)]
struct Name {
    /// The wall clock it tells, in seconds.
    clock: i64,
    /// Where in the text it is, without its suffix.
    start: usize,
    length: u16,
    is_archive: bool,
    is_file: bool,
}

/// The names of one owner, and what was read of them.
#[derive(Debug, Default)]
struct Owner {
    name: String,
    /// Those not looked at; after that, the sidecars not read, by time.
    names: Vec<Name>,
    found: Vec<Found>,
    /// Sidecars without an archive.
    orphans: Vec<String>,
    said: Said,
}

/// What became of reading one: as [`read_one`] has it.
#[derive(Debug)]
struct Found {
    base: String,
    outcome: Result<(Snapshot, Option<String>), String>,
}

/// What the sidecars of one owner say, and whatever else is known of it.
#[derive(Debug, Default)]
struct Said {
    /// Whose they are, brought together.
    account: Account,
    /// Whether they are of several, or not of whom the name tells.
    is_mixed: bool,
    /// From when on names can matter; None until that is known.
    since: Option<i64>,
}

impl Said {
    /// Whether a sidecar of this time must be read.
    fn must_read(&self, clock: i64) -> bool {
        self.is_mixed || self.since.is_none_or(|since| clock >= since)
    }

    /// Takes in what the sidecar of `clock` says.
    fn take(&mut self, owner: &str, clock: i64, sidecar: &Sidecar, latest: Stamp) {
        let account = sidecar.account();
        let who = account.email.as_deref().or(account.user_id.as_deref());
        self.is_mixed |= !who.is_some_and(|who| BackupName::is_owner_of(owner, who));
        self.join(&account);
        if self.since.is_none() {
            let told = tells_all(sidecar, latest);
            self.since = told.map(|told| clock.min(told) - APART);
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

/// The earlier of when the window was seen and the snapshot made, in seconds, where the sidecar tells all that any could:
/// whose it is, the plan, a window seen by now, a whole home. Other programs know less of whose it is.
fn tells_all(sidecar: &Sidecar, latest: Stamp) -> Option<i64> {
    let account = sidecar.account();
    let is_known = account.is_exact() && (account.email.is_none() || sidecar.plan_type.is_some());
    let is_whole = sidecar.mode() == BackupMode::Full;
    let (seen_at, _) = Observation::seen_in_sidecar(sidecar)?;
    let made_at = sidecar.content_time()?;
    let is_possible = seen_at.max(made_at) <= latest;
    let tells_all = is_whole && is_possible && (is_known || sidecar.schema_version.is_none());
    tells_all.then(|| seen_at.min(made_at).unix())
}

/// Reads what can matter in `backup_dir`, as far as its snapshots tell. A missing directory holds none. `latest` is the
/// latest instant that can be by now: what is from after it is of a clock that was wrong.
pub fn list_newest<'a>(backup_dir: &'a Path, zone: &'a Zone, latest: Stamp) -> Result<Newest<'a>> {
    let mut dir = Dir {
        path: backup_dir,
        zone,
        open: OpenDir::open(backup_dir).ok(),
        text: String::new(),
    };
    let owners = dir.list()?;
    let owners = threads::share_parts(owners.into_iter(), PART, |mut part| {
        let mut buffer = Vec::new();
        for owner in &mut part {
            dir.read_newest(owner, latest, &mut buffer);
        }
        part
    });
    let mut others = Listing::default();
    read_halves_into(backup_dir, zone, Depth::Window, &mut others)?;
    Ok(Newest {
        dir,
        owners,
        others,
    })
}

impl Dir<'_> {
    /// The owners of what stands in it, with their names.
    fn list(&mut self) -> Result<Vec<Owner>> {
        let mut owners: Vec<Owner> = Vec::new();
        let mut room = Vec::new();
        let mut names = match Names::open(self.path, &mut room) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(owners),
            Err(error) => return Err(Error::io("list", self.path, error)),
        };
        let mut place_of: HashMap<String, usize> = HashMap::new();
        let text = &mut self.text;
        let all = names.next(|name, is_file| {
            let archive = name.strip_suffix(ARCHIVE_SUFFIX);
            let base = archive.or_else(|| name.strip_suffix(SIDECAR_SUFFIX))?;
            let (clock, owner) = BackupName::split(base)?;
            let place = place_of.get(owner).copied().unwrap_or_else(|| {
                place_of.insert(owner.to_owned(), owners.len());
                owners.push(Owner {
                    name: owner.to_owned(),
                    ..Owner::default()
                });
                owners.len() - 1
            });
            let start = text.len();
            text.push_str(base);
            owners.get_mut(place)?.names.push(Name {
                clock: clock.and_utc().timestamp(),
                start,
                length: u16::try_from(base.len()).ok()?,
                is_archive: archive.is_some(),
                is_file: is_file(),
            });
            None::<()>
        });
        match all {
            Some(Err(error)) => Err(Error::io("list", self.path, error)),
            _ => Ok(owners),
        }
    }

    /// A name without its suffix.
    fn base(&self, name: &Name) -> &str {
        let end = name.start + usize::from(name.length);
        self.text.get(name.start..end).unwrap_or_default()
    }

    /// Reads those of `owner` that can matter.
    fn read_newest(&self, owner: &mut Owner, latest: Stamp, buffer: &mut Vec<u8>) {
        self.pair(owner);
        while let Some(name) = owner.names.pop_if(|name| owner.said.must_read(name.clock)) {
            let one = self.read(self.base(&name), buffer);
            if let Ok((snapshot, _)) = &one.outcome {
                let sidecar = &snapshot.sidecar;
                owner.said.take(&owner.name, name.clock, sidecar, latest);
            }
            owner.found.push(one);
        }
    }

    /// Leaves of the names of `owner` the sidecars, by time, of which both files are regular; what is odd is read.
    fn pair(&self, owner: &mut Owner) {
        let mut names = std::mem::take(&mut owner.names);
        names.sort_unstable_by(|a, b| {
            // One time may be spelled in two ways.
            let order = a.clock.cmp(&b.clock);
            let order = order.then_with(|| self.base(a).cmp(self.base(b)));
            order.then(a.is_archive.cmp(&b.is_archive))
        });
        owner.names.reserve(names.len().div_ceil(2));
        let mut names = names.into_iter().peekable();
        while let Some(name) = names.next() {
            let base = self.base(&name);
            let odd = if name.is_archive {
                self.read_odd(base, false)
            } else {
                match names.next_if(|next| next.is_archive && self.base(next) == base) {
                    None => {
                        owner.orphans.push(base.to_owned());
                        continue;
                    }
                    Some(archive) if name.is_file && archive.is_file => {
                        owner.names.push(name);
                        continue;
                    }
                    Some(_) => self.read_odd(base, true),
                }
            };
            if let Ok((snapshot, _)) = &odd.outcome {
                owner.said.join(&snapshot.sidecar.account());
            }
            owner.found.push(odd);
        }
    }

    /// Reads one of which both files are regular.
    fn read(&self, base: &str, buffer: &mut Vec<u8>) -> Found {
        let name = format!("{base}{SIDECAR_SUFFIX}");
        let open = self.open.as_ref();
        let Some(sidecar) = open.and_then(|open| read_plain(open, &name, Depth::Window, buffer))
        else {
            return self.read_odd(base, true);
        };
        let snapshot = Snapshot {
            archive: self.path.join(format!("{base}{ARCHIVE_SUFFIX}")),
            sidecar,
            depth: Depth::Window,
            is_complete: true,
        };
        Found {
            base: base.to_owned(),
            outcome: Ok((snapshot, None)),
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
    /// All that can matter, where `accounts` are known from elsewhere: the rest is read of each owner that may be several
    /// accounts, or share one with another.
    pub fn beside(mut self, accounts: impl Iterator<Item = Account>) -> Listing {
        self.mark_mixed(accounts);
        let dir = &self.dir;
        let mixed = self.owners.iter().filter(|owner| owner.said.is_mixed);
        let rest = threads::share(mixed.flat_map(|owner| &owner.names), |part| {
            let mut buffer = Vec::new();
            let read = |name: &Name| dir.read(dir.base(name), &mut buffer);
            part.into_iter().map(read).collect()
        });
        let (mut found, mut orphans) = (rest, Vec::new());
        for owner in self.owners {
            found.extend(owner.found);
            orphans.extend(owner.orphans);
        }
        found.sort_unstable_by(|a, b| a.base.cmp(&b.base));
        orphans.sort_unstable();
        let mut listing = Listing::default();
        for one in found {
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
        for base in orphans {
            let path = dir.path.join(format!("{base}{SIDECAR_SUFFIX}"));
            listing.problems.push(of_orphan(&path));
        }
        listing.snapshots.extend(self.others.snapshots);
        listing.problems.extend(self.others.problems);
        listing.unreadable += self.others.unreadable;
        listing
    }

    /// Marks the owners of which anything else speaks against their being one account, and all of it.
    fn mark_mixed(&mut self, accounts: impl Iterator<Item = Account>) {
        // None is asked of thousands of legacy files where there is no snapshot.
        if self.owners.is_empty() {
            return;
        }
        let mut sharing: HashMap<Trait, Vec<usize>> = HashMap::new();
        for (place, owner) in self.owners.iter().enumerate() {
            for one in traits(&owner.said.account) {
                sharing.entry(one).or_default().push(place);
            }
        }
        for places in sharing.values().filter(|places| places.len() > 1) {
            for place in places {
                if let Some(owner) = self.owners.get_mut(*place) {
                    owner.said.is_mixed = true;
                }
            }
        }
        let others = self.others.snapshots.iter();
        let others = others.map(|one| one.sidecar.account());
        for account in others.chain(accounts) {
            for place in traits(&account)
                .filter_map(|one| sharing.get(&one))
                .flatten()
            {
                if let Some(owner) = self.owners.get_mut(*place) {
                    owner.said.join(&account);
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
