//! Which snapshots go, and why each other one stays: the rules, account by account, and never the newest sound one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::accounts::Known;
use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
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
        "say it by `--keep-last 3`, `--keep-within 30d`, `--keep-weekly 8` or several of these; `--dry-run` shows what goes",
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
        let sidecar = &self.snapshot.sidecar;
        if self.kind == SAFETY {
            let home = sidecar.source_codex_home.as_deref().unwrap_or_default();
            return (None, 3, Some(fsutil::real(home.as_ref())));
        }
        let mode = match sidecar.mode() {
            BackupMode::Full => 0,
            BackupMode::AuthOnly => 1,
            BackupMode::SessionOnly => 2,
        };
        (self.account, mode, None)
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
        return Err(Error::new(
            Kind::NotFound,
            format!("no account is called `{name}`"),
            "`codex-manager list-backups` shows every account that has snapshots",
        ));
    }
    items.retain(|item| {
        let account = item.account.and_then(|account| known.get(account));
        account.is_some_and(is_meant)
    });
    Ok(())
}

/// Finds why each is kept. Of the snapshots of an account from which one goes, the newest that is sound stays, unless none
/// need be left. `check` tells whether one is sound.
pub fn decide(
    ctx: &Ctx,
    args: &PruneArgs,
    rules: &Rules,
    items: &mut [Item],
    check: &dyn Fn(&Snapshot) -> Result<()>,
) -> Result<()> {
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        groups.entry(item.group()).or_default().push(place);
    }
    for ((_, _, home), mut places) in groups {
        // Of one second the later by name, and what took another's place, is the newer.
        places.sort_by_key(|place| {
            let item = &items[*place];
            let sequence = item.snapshot.sidecar.safety_sequence;
            (
                item.kind == "current",
                sequence,
                item.snapshot.archive.clone(),
            )
        });
        let times: Vec<_> = places.iter().map(|place| items[*place].time()).collect();
        let reasons = retention::decide(&times, rules, &ctx.zone);
        for (place, reasons) in places.iter().zip(reasons) {
            items[*place].reasons = reasons.iter().map(ToString::to_string).collect();
        }
        let is_of_account = home.is_none();
        let goes = places.iter().any(|place| items[*place].reasons.is_empty());
        if !is_of_account || !goes || args.allow_empty {
            continue;
        }
        let mut newest_first: Vec<usize> = places.clone();
        newest_first.reverse();
        newest_first.sort_by_key(|place| std::cmp::Reverse(items[*place].time()));
        for place in newest_first {
            let item = &mut items[place];
            let sound = check(item.snapshot);
            ctx.check_stop()?;
            match sound {
                Ok(()) => {
                    if item.reasons.is_empty() {
                        item.reasons.push("newest sound one".to_owned());
                    }
                    break;
                }
                Err(error) if error.kind() == Kind::Remote => return Err(error),
                Err(error) => ctx.ui.warn(&error.to_string()),
            }
        }
    }
    Ok(())
}
