//! Every account the manager has evidence of, and how available each is: snapshots, inventory, registry, profiles and
//! the live login brought together.
//!
//! Evidence with both ids is exactly one account. Evidence with only an email (legacy files, older sidecars) belongs
//! to the one account it can be; where it could be several, it stands for itself.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use serde::Serialize;

use crate::inventory::Record;
use crate::metadata::{Account, Limit, Sidecar, StatusSource, ValidationStatus, WindowState};
use crate::observation::{Observation, Rank, Status};
use crate::profiles::Profile;
use crate::registry::Registry;
use crate::snapshots::{self, Snapshot};
use crate::timeutil::{SessionStart, Stamp, Zone, remaining_words};

/// What is known of one account.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who it is: all that is known of it, brought together.
    pub account: Account,
    /// The same as each piece of evidence has it.
    members: Vec<Account>,
    /// Its short name.
    pub alias: Option<String>,
    /// Not to be recommended.
    pub paused: bool,
    /// Its plan.
    pub plan_type: Option<String>,
    /// Whether its login is the live one.
    pub active: bool,
    /// The newest evidence of its window.
    pub observation: Option<Observation>,
    /// The newest that was reported, not guessed.
    pub reported: Option<Observation>,
    /// The snapshot a restore would take.
    pub archive_name: Option<String>,
}

/// Where evidence comes from.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// The current snapshots.
    pub snapshots: &'a [Snapshot],
    /// The inventory's records.
    pub records: &'a [Record],
    /// The registry of observations.
    pub registry: Option<&'a Registry>,
    /// What a person said of accounts.
    pub profiles: &'a [Profile],
    /// Whose login is live, and its plan.
    pub active: Option<(&'a Account, Option<&'a str>)>,
    /// The latest instant that can be by now; None for any. Evidence from after it is of a clock that was wrong.
    pub latest: Option<Stamp>,
}

/// An account as a piece of evidence names it, not copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // `account_id` is Codex's own word
struct Named<'a> {
    email: Option<&'a str>,
    user_id: Option<&'a str>,
    account_id: Option<&'a str>,
}

impl Hash for Named<'_> {
    /// Of whatever tells most accounts apart: a long list asks for thousands, and one email has few workspaces.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.user_id.or(self.email).or(self.account_id).hash(state);
    }
}

impl<'a> Named<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            email: account.email.as_deref(),
            user_id: account.user_id.as_deref(),
            account_id: account.account_id.as_deref(),
        }
    }

    fn of_sidecar(sidecar: &'a Sidecar) -> Self {
        Self {
            email: sidecar.email.as_deref(),
            user_id: sidecar.user_id.as_deref(),
            account_id: sidecar.account_id.as_deref(),
        }
    }

    /// The account a legacy record is evidence of: the one its name says. Where the login inside is another person's,
    /// its ids are not this account's.
    fn of_record(record: &'a Record) -> Self {
        use crate::inventory::IdentityStatus;
        let by_email = Self {
            email: Some(&record.email),
            ..Self::default()
        };
        match record.identity_status {
            IdentityStatus::Match => Self {
                user_id: record.user_id.as_deref(),
                account_id: record.account_id.as_deref(),
                ..by_email
            },
            IdentityStatus::Unreadable if is_of_key(record) => Self {
                user_id: record.user_id.as_deref(),
                ..by_email
            },
            IdentityStatus::Mismatch | IdentityStatus::Unreadable => by_email,
        }
    }

    fn to_account(self) -> Account {
        Account {
            email: self.email.map(str::to_owned),
            user_id: self.user_id.map(str::to_owned),
            account_id: self.account_id.map(str::to_owned),
        }
    }

    /// What is known of it, the email without its case.
    fn traits(self) -> impl Iterator<Item = (Trait, Cow<'a, str>)> {
        let email = self.email.map(|email| {
            let email = if email.bytes().any(|letter| letter.is_ascii_uppercase()) {
                Cow::Owned(email.to_ascii_lowercase())
            } else {
                Cow::Borrowed(email)
            };
            (Trait::Email, email)
        });
        let user = self.user_id.map(|user| (Trait::User, Cow::Borrowed(user)));
        let workspace = self
            .account_id
            .map(|workspace| (Trait::Workspace, Cow::Borrowed(workspace)));
        [email, user, workspace].into_iter().flatten()
    }

    /// Smaller is surer: what is known by email alone comes last.
    fn doubt(self) -> (bool, Reverse<usize>, bool) {
        let known = [self.email, self.user_id, self.account_id];
        let is_exact =
            self.user_id.is_some() && (self.account_id.is_some() || self.email.is_none());
        let count = known.iter().flatten().count();
        (!is_exact, Reverse(count), self.user_id.is_none())
    }
}

/// What an account can be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trait {
    Email,
    User,
    Workspace,
}

/// Groups by each thing known of them: two accounts that may be one agree in one of these.
type ByTrait<'a> = HashMap<(Trait, Cow<'a, str>), Vec<usize>>;

/// Accounts by identity.
#[derive(Debug, Default)]
struct Groups<'a> {
    known: Vec<Known>,
    found: HashMap<Named<'a>, usize>,
    by_trait: ByTrait<'a>,
    /// Whether of any of them no user was known when it was made.
    has_userless: bool,
}

impl<'a> Groups<'a> {
    /// The group of `account`, made where there is none.
    fn of(&mut self, account: Named<'a>) -> usize {
        if let Some(index) = self.found.get(&account) {
            return *index;
        }
        let index = self.place(account);
        self.found.insert(account, index);
        index
    }

    /// The groups of `named`, in its order, and of whoever is `active`.
    ///
    /// The surest are placed first, so that what is known by email alone finds the account it belongs to; of those that
    /// are as sure, whoever is active.
    fn of_all(&mut self, active: Option<Named<'a>>, named: &[Named<'a>]) -> Vec<usize> {
        let active = active.map(|account| (account, None));
        let named = named.iter().enumerate();
        let others = named.map(|(place, account)| (*account, Some(place)));
        let mut order: Vec<(Named, Option<usize>)> = active.into_iter().chain(others).collect();
        order.sort_by_key(|(account, _)| account.doubt());
        let mut groups = vec![0; order.len()];
        for (account, place) in order {
            let group = self.of(account);
            if let Some(place) = place.and_then(|place| groups.get_mut(place)) {
                *place = group;
            }
        }
        groups
    }

    fn place(&mut self, named: Named<'a>) -> usize {
        let account = named.to_account();
        let candidates = self.candidates(named, &account);
        // Of several it could be, the one it is but for the case of the email.
        let same = |index: &&usize| {
            Named::of(&self.known[**index].account)
                .traits()
                .eq(named.traits())
        };
        let only = match candidates.as_slice() {
            [only] => Some(only),
            _ => candidates.iter().find(same),
        };
        let index = only.copied().unwrap_or_else(|| {
            self.has_userless |= named.user_id.is_none();
            self.known.push(Known::default());
            self.known.len() - 1
        });
        let known = &mut self.known[index];
        // What one piece of evidence knows holds for all of them: the next must not contradict it.
        let whole = &mut known.account;
        whole.email = whole.email.take().or_else(|| account.email.clone());
        whole.user_id = whole.user_id.take().or_else(|| account.user_id.clone());
        whole.account_id = whole
            .account_id
            .take()
            .or_else(|| account.account_id.clone());
        known.members.push(account);
        for key in named.traits() {
            let groups = self.by_trait.entry(key).or_default();
            if !groups.contains(&index) {
                groups.push(index);
            }
        }
        index
    }

    /// The groups that `account` may belong to.
    fn candidates(&self, named: Named, account: &Account) -> Vec<usize> {
        // Two users are never one account: where all have one, only that can agree. One email may have many workspaces.
        let by_user = named.user_id.is_some() && !self.has_userless;
        let mut candidates: Vec<usize> = named
            .traits()
            .filter(|(what, _)| !by_user || *what == Trait::User)
            .filter_map(|key| self.by_trait.get(&key))
            .flatten()
            .copied()
            .filter(|index| self.known[*index].may_be(account))
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

/// One piece of evidence of a window, weighed before anything of it is copied.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Record(&'a Record),
    Snapshot(&'a Sidecar),
    Entry(&'a Observation),
}

impl Seen<'_> {
    /// None where it says nothing of a time.
    fn to_observation(self) -> Option<Observation> {
        match self {
            Self::Record(record) => Some(observation_of_record(record)),
            Self::Snapshot(sidecar) => Observation::of_sidecar(sidecar),
            Self::Entry(observation) => Some(observation.clone()),
        }
    }
}

/// What counts of the evidence of one account's window so far.
#[derive(Clone, Default)]
struct Best<'a> {
    newest: Option<(Rank, Seen<'a>)>,
    reported: Option<(Rank, Seen<'a>)>,
    /// Of what says anything of a plan.
    plan_type: Option<(Rank, &'a str)>,
}

impl<'a> Best<'a> {
    fn take(&mut self, rank: Rank, is_guess: bool, plan_type: Option<&'a str>, seen: Seen<'a>) {
        let outranks = |old: Option<Rank>| old.is_none_or(|old| rank > old);
        if !is_guess && outranks(self.reported.map(|(old, _)| old)) {
            self.reported = Some((rank, seen));
        }
        if outranks(self.newest.map(|(old, _)| old)) {
            self.newest = Some((rank, seen));
        }
        if let Some(plan_type) = plan_type
            && outranks(self.plan_type.map(|(old, _)| old))
        {
            self.plan_type = Some((rank, plan_type));
        }
    }
}

/// The accounts that all but snapshots names, as each piece of evidence has it.
pub fn named<'a>(
    registry: &'a Registry,
    records: &'a [Record],
    active: Option<&'a Account>,
) -> impl Iterator<Item = Account> {
    let of_registry = registry.entries.iter();
    let of_registry = of_registry.map(|entry| Named::of(&entry.account));
    let of_records = records.iter().map(Named::of_record);
    let active = active.into_iter().map(Named::of);
    let all = of_registry.chain(of_records).chain(active);
    all.map(Named::to_account)
}

/// Brings all evidence together.
pub fn gather(sources: &Sources) -> Vec<Known> {
    gather_placed(sources).0
}

/// The same, and for each of the snapshots the place of the account that it is evidence of: what a [`Finder`] finds.
pub fn gather_placed(sources: &Sources) -> (Vec<Known>, Vec<Option<usize>>) {
    let of_profiles: Vec<Account> = sources.profiles.iter().map(Profile::account).collect();
    let mut groups = Groups::default();
    let registry = sources
        .registry
        .map(|registry| registry.entries.as_slice())
        .unwrap_or_default();
    let mut named: Vec<Named> = Vec::new();
    named.extend(registry.iter().map(|entry| Named::of(&entry.account)));
    let sidecars = sources.snapshots.iter().map(|snapshot| &*snapshot.sidecar);
    named.extend(sidecars.map(Named::of_sidecar));
    named.extend(sources.records.iter().map(Named::of_record));
    let place_of = groups.of_all(
        sources.active.map(|(account, _)| Named::of(account)),
        &named,
    );
    let (of_entries, rest) = place_of.split_at(registry.len());
    let (of_snapshots, of_records) = rest.split_at(sources.snapshots.len());

    let latest = sources.latest;
    let mut best: Vec<Best> = vec![Best::default(); groups.known.len()];
    let mut snapshots_of: Vec<Vec<&Snapshot>> = vec![Vec::new(); groups.known.len()];
    for (record, place) in sources.records.iter().zip(of_records) {
        // An API key has no window.
        if is_of_key(record) {
            continue;
        }
        let rank = Rank::new(record.quota_end_detected_at, StatusSource::Legacy, latest);
        best[*place].take(rank, true, None, Seen::Record(record));
    }
    for (snapshot, place) in sources.snapshots.iter().zip(of_snapshots) {
        let sidecar = &snapshot.sidecar;
        snapshots_of[*place].push(snapshot);
        if let Some((observed_at, source)) = Observation::seen_in_sidecar(sidecar) {
            let rank = Rank::new(observed_at, source, latest);
            let is_guess = Observation::is_guess_of_sidecar(sidecar);
            let plan_type = sidecar.plan_type.as_deref();
            best[*place].take(rank, is_guess, plan_type, Seen::Snapshot(sidecar));
        }
    }
    for (entry, place) in registry.iter().zip(of_entries) {
        let seen = &entry.observation;
        let plan_type = seen.plan_type.as_deref();
        best[*place].take(
            seen.rank(latest),
            seen.is_guess,
            plan_type,
            Seen::Entry(seen),
        );
    }
    for ((known, best), snapshots) in groups.known.iter_mut().zip(best).zip(snapshots_of) {
        let observation = |best: Option<(Rank, Seen)>| best?.1.to_observation();
        known.observation = observation(best.newest);
        known.reported = observation(best.reported);
        known.plan_type = best.plan_type.map(|(_, plan_type)| plan_type.to_owned());
        let newest = snapshots::newest(snapshots.into_iter(), false);
        known.archive_name = newest.map(Snapshot::archive_name);
    }
    for (profile, account) in sources.profiles.iter().zip(&of_profiles) {
        // A profile by email alone means every account it can be; only one of nobody known makes a row.
        let mut meant = groups.candidates(Named::of(account), account);
        if meant.is_empty() {
            meant.push(groups.place(Named::of(account)));
        }
        for index in meant {
            let known = &mut groups.known[index];
            known.alias = profile.alias.clone().or(known.alias.take());
            known.paused |= profile.paused;
        }
    }
    if let Some((account, plan_type)) = sources.active {
        let index = groups.of(Named::of(account));
        let known = &mut groups.known[index];
        known.active = true;
        if let Some(plan_type) = plan_type {
            known.plan_type = Some(plan_type.to_owned());
        }
    }
    // What says nothing of anybody is no account.
    let mut count = 0;
    let is_somebody = |known: &Known| known.account != Account::default();
    let kept: Vec<Option<usize>> = groups
        .known
        .iter()
        .map(|known| {
            count += usize::from(is_somebody(known));
            is_somebody(known).then(|| count - 1)
        })
        .collect();
    let placed = of_snapshots
        .iter()
        .map(|place| kept.get(*place).copied().flatten());
    let placed = placed.collect();
    groups.known.retain(is_somebody);
    (groups.known, placed)
}

/// The account that `account` is evidence of.
pub fn find<'a>(known: &'a [Known], account: &Account) -> Option<&'a Known> {
    let member = known.iter().find(|known| known.members.contains(account));
    member.or_else(|| known.iter().find(|known| known.may_be(account)))
}

/// The one among `known` that is `account`; None where it could be several of them, or is none.
pub fn only<'a>(known: &'a [Known], account: &Account) -> Option<&'a Known> {
    let same = |known: &&Known| known.account.is_same_as(account);
    let mut meant = known.iter().filter(|known| known.account.may_be(account));
    let only = meant.next().filter(|_| meant.next().is_none());
    known.iter().find(same).or(only)
}

/// Answers what [`find`] does, for many accounts in turn.
#[derive(Debug)]
pub struct Finder<'a> {
    known: &'a [Known],
    members: HashMap<Named<'a>, usize>,
    by_trait: ByTrait<'a>,
}

impl<'a> Finder<'a> {
    /// Looks over `known` once.
    pub fn new(known: &'a [Known]) -> Self {
        let mut members = HashMap::new();
        let mut by_trait = ByTrait::new();
        for (index, known) in known.iter().enumerate() {
            for member in &known.members {
                members.entry(Named::of(member)).or_insert(index);
                for key in Named::of(member).traits() {
                    by_trait.entry(key).or_default().push(index);
                }
            }
        }
        Self {
            known,
            members,
            by_trait,
        }
    }

    /// The place in `known` of the account that a snapshot is evidence of.
    pub fn of_snapshot(&self, snapshot: &Snapshot) -> Option<usize> {
        let named = Named::of_sidecar(&snapshot.sidecar);
        let member = self.members.get(&named).copied();
        member.or_else(|| {
            let account = named.to_account();
            let groups = named
                .traits()
                .filter_map(|key| self.by_trait.get(&key))
                .flatten()
                .copied();
            groups
                .filter(|index| self.known.get(*index).is_some_and(|k| k.may_be(&account)))
                .min()
        })
    }
}

impl Known {
    /// Whether `account` may be this one: under any email it has or had, unless an id contradicts.
    fn may_be(&self, account: &Account) -> bool {
        let differ = |one: &Option<String>, two: &Option<String>| {
            one.is_some() && two.is_some() && one != two
        };
        let contradicts = differ(&self.account.user_id, &account.user_id)
            || differ(&self.account.account_id, &account.account_id);
        let may_be = |member: &Account| member.may_be(account);
        !contradicts && (may_be(&self.account) || self.members.iter().any(may_be))
    }

    /// Whether a person may mean it by this name: an email it has or had, or the fingerprint of its API key.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// By what a person may mean it: the emails it has or had, or the fingerprint of its API key.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.members.iter();
        members.filter_map(|member| member.email.as_deref().or(member.user_id.as_deref()))
    }
}

/// Whether the login inside is an API key.
fn is_of_key(record: &Record) -> bool {
    record.auth_email.is_none()
        && record
            .user_id
            .as_deref()
            .is_some_and(|user| user.starts_with("apikey-"))
}

fn observation_of_record(record: &Record) -> Observation {
    Observation {
        source: StatusSource::Legacy,
        observed_at: record.quota_end_detected_at,
        session_start_at: Some(record.session_start_at),
        reset_at: None,
        window_state: WindowState::Running,
        quota_percent_left: None,
        quota_text: None,
        limits: Vec::new(),
        quota_end_detected_at: Some(record.quota_end_detected_at),
        is_guess: true,
        is_refused: false,
        validation_status: record.validation_status,
        plan_type: None,
        rest: serde_json::Map::new(),
    }
}

/// One account as `cooldown` and `recommend` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its email.
    pub email: Option<String>,
    /// Its workspace.
    pub account_id: Option<String>,
    /// Its short name.
    pub alias: Option<String>,
    /// Its plan.
    pub plan_type: Option<String>,
    /// Whether it can be used.
    pub status: Status,
    /// Whether its login is the live one.
    pub active: bool,
    /// When its window opened; null when none has.
    pub session_start_at: Option<SessionStart>,
    /// When the window is over.
    pub next_available_at: Option<Stamp>,
    /// Since or from when no known window is exhausted.
    pub usable_at: Option<Stamp>,
    /// Seconds until then; 0 for usable now, null where nobody says until when it is held back.
    pub remaining_seconds: Option<i64>,
    /// When the quota was seen to be exhausted.
    pub quota_end_detected_at: Option<Stamp>,
    /// Weekly quota left when last seen.
    pub quota_percent_left: Option<u8>,
    /// When that was.
    pub observed_at: Option<Stamp>,
    /// Who said it.
    pub source: Option<StatusSource>,
    /// Whether a legacy file's name agrees with its window.
    pub validation_status: ValidationStatus,
    /// Every window reported when it was last seen.
    pub limits: Vec<Limit>,
    /// The snapshot a restore would take.
    pub archive_name: Option<String>,
    /// What its window is doing.
    #[serde(skip)]
    pub window_state: WindowState,
    /// Not to be recommended.
    #[serde(skip)]
    pub paused: bool,
    /// The user, to name an API key.
    #[serde(skip)]
    pub user_id: Option<String>,
    /// Whether a login of it is known: it is live, or a snapshot holds it. What profiles keep is noted by who looks there.
    #[serde(skip)]
    pub has_login: bool,
}

/// Smaller is sooner: usable now; known when; by when.
pub type UsableOrder = (bool, bool, Option<Stamp>);

impl Row {
    /// Whether the account can be used now.
    pub fn is_usable(&self) -> bool {
        self.status != Status::Cooldown
    }

    /// Where it stands by when it can be used; where nobody says when, last.
    pub fn usable_order(&self) -> UsableOrder {
        let is_held = !self.is_usable();
        (is_held, is_held && self.usable_at.is_none(), self.usable_at)
    }

    /// How long until it can be used, in words; `-` where nobody says.
    pub fn usable_in(&self) -> String {
        self.remaining_seconds
            .map_or("-".to_owned(), remaining_words)
    }

    /// Who it is.
    pub fn account(&self) -> Account {
        Account {
            email: self.email.clone(),
            user_id: self.user_id.clone(),
            account_id: self.account_id.clone(),
        }
    }

    /// What to call it.
    pub fn name(&self) -> &str {
        self.email
            .as_deref()
            .or(self.user_id.as_deref())
            .unwrap_or("an unknown account")
    }

    /// What to call it among `rows`: where its email is in several workspaces, with its own.
    pub fn name_among(&self, rows: &[Self]) -> String {
        let mut twins = rows.iter().filter(|other| other.email == self.email);
        let has_twins = self.email.is_some() && twins.nth(1).is_some();
        let workspace = self.account_id.as_deref();
        match workspace.filter(|id| has_twins && !id.is_empty()) {
            Some(workspace) => format!("{} [{workspace}]", self.name()),
            None => self.name().to_owned(),
        }
    }
}

/// The accounts as of `now`: usable ones first, then by when they are, then by email.
pub fn rows(known: &[Known], now: Stamp, zone: &Zone) -> Vec<Row> {
    let mut rows: Vec<Row> = known.iter().map(|known| row(known, now, zone)).collect();
    rows.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    rows
}

/// The ids make one order of it, whatever order the evidence came in.
fn sort_key(row: &Row) -> (UsableOrder, [Option<&str>; 3]) {
    let ids = [&row.email, &row.account_id, &row.user_id];
    let ids = ids.map(|text| text.as_deref());
    (row.usable_order(), ids)
}

/// One account as of `now`.
pub fn row(known: &Known, now: Stamp, zone: &Zone) -> Row {
    let observation = known.observation.as_ref();
    let availability = observation.map(|observation| observation.judge(now, zone));
    let started =
        observation.filter(|observation| observation.window_state != WindowState::Unstarted);
    let usable_at = availability.and_then(|availability| availability.usable_at);
    let shown = |stamp: Stamp| stamp.in_zone(zone);
    Row {
        email: known.account.email.clone(),
        account_id: known.account.account_id.clone(),
        alias: known.alias.clone(),
        plan_type: known.plan_type.clone(),
        status: availability.map_or(Status::Ready, |availability| availability.status),
        active: known.active,
        session_start_at: started
            .and_then(|seen| seen.session_start_at)
            .map(|start| SessionStart(shown(start.0))),
        next_available_at: started.and_then(|seen| seen.next_available_at(zone)),
        usable_at: usable_at.map(shown),
        remaining_seconds: match availability {
            Some(availability) if availability.status == Status::Cooldown => availability
                .usable_at
                .map(|at| at.since(now).num_seconds().max(0)),
            _ => Some(0),
        },
        quota_end_detected_at: observation
            .and_then(|seen| seen.quota_end_detected_at)
            .map(shown),
        quota_percent_left: observation.and_then(|seen| seen.quota_percent_left),
        observed_at: observation.map(|seen| shown(seen.observed_at)),
        source: observation.map(|seen| seen.source),
        validation_status: observation.map_or(ValidationStatus::Ok, |seen| seen.validation_status),
        limits: observation.map_or(Vec::new(), |seen| shown_limits(&seen.limits, zone)),
        archive_name: known.archive_name.clone(),
        window_state: observation.map_or(WindowState::Unknown, |seen| seen.state_at(now, zone)),
        paused: known.paused,
        user_id: known.account.user_id.clone(),
        has_login: known.active || known.archive_name.is_some(),
    }
}

/// The windows with their resets in `zone`.
fn shown_limits(limits: &[Limit], zone: &Zone) -> Vec<Limit> {
    let shown = limits.iter().cloned().map(|mut limit| {
        limit.reset_at = limit.reset_at.map(|reset| reset.in_zone(zone));
        limit
    });
    shown.collect()
}

#[cfg(test)]
mod tests;
