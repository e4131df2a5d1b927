//! What is known of accounts, as commands read it: what is wrong with any of it is told.

use std::io;
use std::path::Path;

use super::Ctx;
use crate::accounts::{self, Row};
use crate::cli::LegacyArgs;
use crate::error::{Error, Kind, Result};
use crate::evidence::{Evidence, Places, Reach};
use crate::inventory::{self, Inventory, Scan};
use crate::lock::Lock;
use crate::metadata::Account;
use crate::observation::Observation;
use crate::profiles::view::All;
use crate::profiles::{self, Found};
use crate::snapshots::Depth;

impl Ctx {
    /// The profiles as they stand.
    pub fn all_profiles(&self) -> Result<All> {
        All::load(&self.paths.profiles(), &self.paths.codex_home)
    }

    /// Where all evidence lies, given the flags.
    pub fn places(&self, backup_dir: Option<&Path>, inventory: Option<&Path>) -> Result<Places> {
        Ok(Places {
            manager_home: self.paths.manager_home.clone(),
            backup_dir: self.backup_dir(backup_dir)?,
            inventory: self.inventory_path(inventory)?,
            registry: self.paths.registry(),
            profiles: self.paths.profiles(),
            codex_home: self.paths.codex_home.clone(),
        })
    }

    /// All evidence, what is wrong with it told.
    pub fn evidence(
        &self,
        backup_dir: Option<&Path>,
        inventory: Option<&Path>,
        depth: Depth,
        may_write: bool,
    ) -> Result<Evidence> {
        let reach = Reach::Every(depth);
        self.evidence_with(backup_dir, inventory, reach, may_write, None)
    }

    /// The same for a command that holds the lock.
    pub fn evidence_with(
        &self,
        backup_dir: Option<&Path>,
        inventory: Option<&Path>,
        reach: Reach,
        may_write: bool,
        held: Option<&Lock>,
    ) -> Result<Evidence> {
        let places = self.places(backup_dir, inventory)?;
        let mut evidence = Evidence::load(&places, self.now, &self.zone, reach, may_write, held)?;
        evidence.latest = Some(self.latest());
        for warning in &evidence.warnings {
            self.ui.warn(warning);
        }
        Ok(evidence)
    }

    /// Reads the legacy files; with them comes what is wrong with profiles, which may say how.
    pub fn scan_legacy(&self, args: &LegacyArgs) -> Result<(Scan, Vec<String>)> {
        let dir = self.legacy_dir(args.source_dir.as_deref())?;
        let (profiles, broken) = profiles::load_all(&self.paths.profiles());
        let rules_of = |email: &str| self.legacy_rules(args, &profiles, email);
        let scan = inventory::scan(&dir, &rules_of, &self.zone).map_err(|error| {
            match error.io_kind() {
                Some(io::ErrorKind::NotFound) => {
                    error.with_hint("say where the legacy files lie with `--source-dir`")
                }
                _ => error,
            }
        })?;
        Ok((scan, broken))
    }

    /// Every account as of now, the usable ones first. `refresh` reads the legacy files before; a
    /// `dry_run` writes nothing; `live` is what was just observed; `ends_soon` says that the process does. Fails where nobody is known.
    pub fn rows(
        &self,
        legacy: &LegacyArgs,
        refresh: bool,
        dry_run: bool,
        backup_dir: Option<&Path>,
        live: Vec<(Account, Observation)>,
        ends_soon: bool,
    ) -> Result<Vec<Row>> {
        let refreshed = refresh
            .then(|| self.refresh_inventory(legacy, dry_run))
            .transpose()?;
        let inventory = legacy.inventory_path.as_deref();
        // What only the legacy files say may speak of accounts that nothing else does.
        let reach = match refreshed {
            Some(_) => Reach::Every(Depth::Window),
            None => Reach::Newest {
                latest: self.latest(),
            },
        };
        let mut evidence = self.evidence_with(backup_dir, inventory, reach, !dry_run, None)?;
        if let Some(refreshed) = refreshed {
            evidence.records = refreshed.records;
        }
        // Kept already, unless it is a dry run.
        for (account, observation) in live {
            let latest = Some(self.latest());
            evidence.registry.record(&account, observation, latest);
        }
        let rows = accounts::rows(&evidence.accounts(), self.now, &self.zone);
        if ends_soon {
            // To give thousands of texts back one by one takes as long as to read them.
            std::mem::forget(evidence);
        }
        if rows.is_empty() {
            return Err(self.no_accounts());
        }
        Ok(rows)
    }

    /// Notes of whom a profile keeps a login. Fails where these cannot be listed: then it is not known who is paused either.
    pub fn note_kept_logins(&self, rows: &mut [Row]) -> Result<()> {
        let found = profiles::look(&self.paths.profiles())?;
        let kept = found
            .iter()
            .filter(|found| matches!(found.login, Ok(Some(_))));
        let kept: Vec<Account> = kept.map(Found::account).collect();
        for row in rows.iter_mut().filter(|row| !row.has_login) {
            let account = row.account();
            row.has_login = kept.iter().any(|kept| kept.may_be(&account));
        }
        Ok(())
    }

    /// Every account as of now, as far as it can be read: nothing is told or written.
    pub fn rows_in_silence(&self, backup_dir: Option<&Path>) -> Vec<Row> {
        let reach = Reach::Newest {
            latest: self.latest(),
        };
        let evidence = self
            .places(backup_dir, None)
            .and_then(|places| Evidence::load(&places, self.now, &self.zone, reach, false, None));
        let Ok(mut evidence) = evidence else {
            return Vec::new();
        };
        evidence.latest = Some(self.latest());
        accounts::rows(&evidence.accounts(), self.now, &self.zone)
    }

    /// The inventory brought up to date with the legacy files; written unless it is a dry run.
    fn refresh_inventory(&self, args: &LegacyArgs, dry_run: bool) -> Result<Inventory> {
        // What is wrong with profiles is told with the rest of the evidence.
        let (scan, _) = self.scan_legacy(args)?;
        let path = self.inventory_path(args.inventory_path.as_deref())?;
        let _lock = (!dry_run).then(|| self.lock("refresh")).transpose()?;
        let before = Inventory::load(&path)?;
        let mut after = before.clone();
        after.merge(&scan);
        if !dry_run {
            after.save(&path, &before, self.now)?;
        }
        for skipped in &scan.skipped {
            self.ui
                .warn(&format!("skipped `{}`: {}", skipped.file, skipped.reason));
        }
        Ok(after)
    }

    /// Nothing is known of anybody.
    pub fn no_accounts(&self) -> Error {
        Error::new(
            Kind::NotFound,
            format!(
                "no account is known yet: `{}` holds no evidence of any",
                self.paths.manager_home.display()
            ),
            "run `codex-manager backup`, or `codex-manager normalize` where hand-named login copies lie",
        )
    }
}
