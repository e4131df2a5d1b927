//! Which snapshots go, and why each other one stays: the rules, account by account, and never the newest sound one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::accounts::Known;
use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::exchange::target;
use crate::fsutil;
use crate::metadata::BackupMode;
use crate::retention::{self, Rules};
use crate::snapshots::{SAFETY, Snapshot};
use crate::timeutil::Stamp;

/// What was asked to be kept.
pub fn rules_of(args: &PruneArgs) -> Result<Rules> {
    let latest = args.keep_latest_per_email.then_some(1);
    let rules = Rules {
        last: args.keep_last.max(latest),
        within: args.keep_within,
        daily: args.keep_daily,
        weekly: args.keep_weekly,
        monthly: args.keep_monthly,
    };
    if rules.is_any() {
        return Ok(rules);
    }
    Err(Error::new(
        Kind::Usage,
        "nothing says what to keep",
        "say it by `--keep-last 3`, `--keep-within 30d`, `--keep-weekly 8` or several of these; `--dry-run` shows what goes; `--codex-state` cleans \
         the Codex home instead",
    ))
}

/// One snapshot, and why it is kept.
pub struct Item<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Where it is: `current`, `superseded`, `safety`, `remote`.
    pub kind: &'static str,
    /// The place of its account among those that are known.
    pub account: Option<usize>,
    /// Why it is kept; none for one that goes.
    pub reasons: Vec<String>,
}

/// What is counted together: of one account whole homes, logins and session halves apart, so that the many of one kind do
/// not drive out the few of another; what restores replaced by the home it stood in.
type Group = (Option<usize>, u8, Option<PathBuf>);

impl<'a> Item<'a> {
    /// One of which nothing is decided.
    pub fn of(snapshot: &'a Snapshot, kind: &'static str, account: Option<usize>) -> Self {
        Self {
            snapshot,
            kind,
            account,
            reasons: Vec::new(),
        }
    }

    /// When its content was current.
    pub fn time(&self) -> Option<Stamp> {
        self.snapshot.sidecar.content_time()
    }

    fn group(&self) -> Group {
        if self.kind == SAFETY {
            let home = self.snapshot.sidecar.source_codex_home.as_deref();
            return (
                None,
                3,
                Some(fsutil::real(home.unwrap_or_default().as_ref())),
            );
        }
        (self.account, self.mode(), None)
    }

    fn mode(&self) -> u8 {
        match self.snapshot.sidecar.mode() {
            BackupMode::Full => 0,
            BackupMode::AuthOnly => 1,
            BackupMode::SessionOnly => 2,
        }
    }
}

/// Leaves the items of the one account that was named, where one was.
pub fn only_of_account(args: &PruneArgs, known: &[Known], items: &mut Vec<Item>) -> Result<()> {
    let Some(name) = &args.email else {
        return Ok(());
    };
    let is_meant = |known: &Known| {
        let is_alias = |alias: &str| alias.eq_ignore_ascii_case(name);
        known.is_called(name) || known.alias.as_deref().is_some_and(is_alias)
    };
    if !known.iter().any(is_meant) {
        return Err(target::unknown(name));
    }
    items.retain(|item| {
        let account = item.account.and_then(|account| known.get(account));
        account.is_some_and(is_meant)
    });
    Ok(())
}

/// Finds why each is kept. Of a group from which one goes, the newest that is sound stays, unless none need be left; so
/// does an account's newest where that is a safety copy. `check` tells whether one is sound.
pub fn decide(
    ctx: &Ctx,
    args: &PruneArgs,
    rules: &Rules,
    items: &mut [Item],
    check: &dyn Fn(&Snapshot) -> Result<()>,
) -> Result<()> {
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    let mut accounts: BTreeMap<(usize, u8), Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        groups.entry(item.group()).or_default().push(place);
        if let Some(account) = item.account {
            let theirs = accounts.entry((account, item.mode())).or_default();
            theirs.push(place);
        }
    }
    let mut judged = Judged {
        ctx,
        check,
        known: BTreeMap::new(),
    };
    for mut places in groups.into_values() {
        sort(items, &mut places);
        let times: Vec<_> = places.iter().map(|place| items[*place].time()).collect();
        let reasons = retention::decide(&times, rules, &ctx.zone);
        for (place, reasons) in places.iter().zip(reasons) {
            items[*place].reasons = reasons.iter().map(ToString::to_string).collect();
        }
        let goes = places.iter().any(|place| items[*place].reasons.is_empty());
        if goes && !args.allow_empty {
            judged.keep_newest(items, &places)?;
        }
    }
    for mut places in accounts.into_values() {
        let goes = |item: &Item| item.kind == SAFETY && item.reasons.is_empty();
        if !args.allow_empty && places.iter().any(|place| goes(&items[*place])) {
            sort(items, &mut places);
            judged.keep_newest(items, &places)?;
        }
    }
    Ok(())
}

/// In the order of which, of those of one second, the later is the newer: by name, and what took another's place.
fn sort(items: &[Item], places: &mut [usize]) {
    places.sort_by_key(|place| {
        let item = &items[*place];
        let sequence = item.snapshot.sidecar.safety_sequence;
        (
            item.kind == "current",
            sequence,
            item.snapshot.archive.clone(),
        )
    });
}

/// Which snapshots are sound, each looked at once.
struct Judged<'a> {
    ctx: &'a Ctx,
    check: &'a dyn Fn(&Snapshot) -> Result<()>,
    known: BTreeMap<usize, bool>,
}

impl Judged<'_> {
    /// Keeps the newest of `places` that is sound; each newer one is told.
    fn keep_newest(&mut self, items: &mut [Item], places: &[usize]) -> Result<()> {
        let mut newest_first: Vec<usize> = places.to_vec();
        newest_first.reverse();
        newest_first.sort_by_key(|place| std::cmp::Reverse(items[*place].time()));
        for place in newest_first {
            if self.is_sound(place, &items[place])? {
                let reasons = &mut items[place].reasons;
                if reasons.is_empty() {
                    reasons.push("newest sound one".to_owned());
                }
                break;
            }
        }
        Ok(())
    }

    fn is_sound(&mut self, place: usize, item: &Item) -> Result<bool> {
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let sound = (self.check)(item.snapshot);
        self.ctx.check_stop()?;
        let is_sound = match sound {
            Ok(()) => true,
            Err(error) if error.kind() == Kind::Remote => return Err(error),
            Err(error) => {
                self.ctx.ui.warn(&error.to_string());
                false
            }
        };
        self.known.insert(place, is_sound);
        Ok(is_sound)
    }
}
