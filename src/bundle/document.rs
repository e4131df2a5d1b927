//! The document: written, and read from anywhere. Pure. Nothing in it counts before all of it was judged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Bundle, FORMAT, MOST_BYTES, Machine, Told, machine};
use crate::codex::auth;
use crate::error::{Error, Kind, Result};
use crate::inventory::Record;
use crate::metadata::{Account, BackupName};
use crate::profiles::last_use::LastUse;
use crate::profiles::{self, Profile, names};
use crate::registry::Entry;
use crate::timeutil::Stamp;

/// Whose document it is.
const PRODUCT: &str = "codex-manager";

/// The longest email, id and name of a machine.
const MOST_LETTERS: usize = 512;

/// The largest settings file that is taken in.
const MOST_SETTINGS: usize = 1 << 20;

/// What is read first: a later form may have anything else.
#[derive(Deserialize)]
struct Head {
    product: Option<String>,
    format: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    product: String,
    format: u32,
    machine: Machine,
    written_at: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manager_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    registry: Registry,
    #[serde(default)]
    inventory: Vec<Record>,
    #[serde(default)]
    profiles: Vec<Written>,
}

#[derive(Serialize, Deserialize)]
struct Registry {
    accounts: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile_toml: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_json: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_use: Option<LastUse>,
}

impl Written {
    fn of(told: &Told) -> Self {
        Self {
            name: told.name.clone(),
            profile_toml: told.text.clone(),
            auth_json: told.login.as_ref().map(|(bytes, _)| STANDARD.encode(bytes)),
            last_use: told.last_use.clone(),
        }
    }
}

impl Bundle {
    /// Drops what of accounts and records nobody would read back; how many those are.
    pub fn drop_what_cannot_be(&mut self) -> usize {
        let before = self.accounts.len() + self.inventory.len();
        self.accounts
            .retain(|entry| check_account(&entry.account).is_ok());
        self.inventory.retain(|record| check_record(record).is_ok());
        before - self.accounts.len() - self.inventory.len()
    }

    /// Its bytes.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let profiles = self.profiles.iter().map(Written::of);
        let document = Document {
            product: PRODUCT.to_owned(),
            format: FORMAT,
            machine: self.machine.clone(),
            written_at: self.written_at,
            manager_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            settings: self.settings.clone(),
            registry: Registry {
                accounts: self.accounts.clone(),
            },
            inventory: self.inventory.clone(),
            profiles: profiles.collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::other(
                format!(
                    "what is known takes more than {MOST_BYTES} bytes, which nobody reads back"
                ),
                "see how large `inventory.json` and `cooldown.json` are",
            ));
        }
        Ok(bytes)
    }

    /// Reads and judges a document that came from `what`. Fails as `ArchiveDamaged` where anything in it cannot be what
    /// this program writes.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self> {
        parse(bytes).map_err(|why| {
            Error::new(
                Kind::ArchiveDamaged,
                format!("{what} cannot be used: {why}; nothing was changed"),
                "write it anew where it comes from, with a codex-manager of the same version",
            )
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Bundle, String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes"));
    }
    // Without the words of the parser: they may quote a token.
    let place = |error: serde_json::Error| {
        format!(
            "it is damaged in line {}, column {}",
            error.line(),
            error.column()
        )
    };
    let head: Head = serde_json::from_slice(bytes).map_err(place)?;
    if head.product.as_deref() != Some(PRODUCT) {
        return Err("it is no document of codex-manager".to_owned());
    }
    match head.format {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            return Err(format!(
                "it is of form {format}, this program knows {FORMAT}"
            ));
        }
        None => return Err("it does not say of which form it is".to_owned()),
    }
    let document: Document = serde_json::from_slice(bytes).map_err(place)?;
    if !machine::is_id(&document.machine.id) {
        return Err("the machine's id is none".to_owned());
    }
    check_line("the machine's name", document.machine.hostname.as_deref())?;
    if document
        .settings
        .as_ref()
        .is_some_and(|text| text.len() > MOST_SETTINGS)
    {
        return Err("its settings are too large".to_owned());
    }
    for entry in &document.registry.accounts {
        check_account(&entry.account)?;
    }
    for record in &document.inventory {
        check_record(record)?;
    }
    let mut profiles: Vec<Told> = Vec::new();
    for written in document.profiles {
        let told = told(written)?;
        if profiles
            .iter()
            .any(|other| names::is_same(&other.name, &told.name))
        {
            return Err(format!("two of its profiles are called `{}`", told.name));
        }
        profiles.push(told);
    }
    profiles.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(Bundle {
        machine: document.machine,
        written_at: document.written_at,
        settings: document.settings,
        accounts: document.registry.accounts,
        inventory: document.inventory,
        profiles,
    })
}

/// Why a profile cannot be read back once it is written.
pub(super) fn check(told: &Told) -> Result<(), String> {
    self::told(Written::of(told)).map(|_| ())
}

fn told(written: Written) -> Result<Told, String> {
    let name = written.name;
    if let Some(why) = names::not_a_name(&name) {
        // Not quoted: it may be anything.
        return Err(format!("a profile has a name that cannot be one: {why}"));
    }
    let broken = |why: &str| format!("the profile `{name}` in it cannot be read: {why}");
    let profile = match &written.profile_toml {
        Some(text) if text.len() as u64 > profiles::MOST_BYTES => {
            return Err(broken("it is too large"));
        }
        Some(text) => toml::from_str::<Profile>(text).map_err(|error| broken(error.message()))?,
        None => Profile::default(),
    };
    let account = profile.account();
    check_account(&account).map_err(|why| broken(&why))?;
    for (what, line) in [
        ("the plan", &profile.plan_type),
        ("the alias", &profile.alias),
        ("the machine", &profile.last_used_on),
        ("the machine", &profile.last_used_machine),
    ] {
        check_line(what, line.as_deref()).map_err(|why| broken(&why))?;
    }
    let is_steering = |letter: char| letter.is_control() && !"\n\r\t".contains(letter);
    if profile.note.is_some_and(|note| note.contains(is_steering)) {
        return Err(broken("its note holds control letters"));
    }
    let login = match &written.auth_json {
        None => None,
        Some(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| broken("its login is no base64"))?;
            if bytes.len() as u64 > auth::MOST_BYTES {
                return Err(broken("its login is too large"));
            }
            let login = auth::parse(&bytes).map_err(|why| broken(&format!("its login: {why}")))?;
            check_account(&login.account).map_err(|why| broken(&why))?;
            if login.account.contradicts(&account) {
                return Err(broken("its login is of another account"));
            }
            Some((bytes, login))
        }
    };
    if let Some(used) = &written.last_use {
        if !machine::is_id(&used.machine) {
            return Err(broken("the id of the machine it was used on is none"));
        }
        check_line("the machine", used.hostname.as_deref()).map_err(|why| broken(&why))?;
    }
    Ok(Told {
        text: written.profile_toml,
        login,
        last_use: written.last_use,
        name,
    })
}

/// Why a record cannot be one.
fn check_record(record: &Record) -> Result<(), String> {
    let name = &record.legacy_auth_filename;
    let is_legacy = crate::legacy::parse_name(name).is_some_and(|name| name.is_ok());
    let archive = BackupName::of_file(&record.proposed_archive_name);
    if !is_legacy || !archive.is_some_and(|name| name.is_safe()) {
        return Err("a record of its inventory is of no legacy file".to_owned());
    }
    let texts = [
        Some(&record.email),
        record.auth_email.as_ref(),
        record.account_id.as_ref(),
        record.user_id.as_ref(),
    ];
    for text in texts.into_iter().flatten() {
        check_line("a record of its inventory", Some(text))?;
    }
    if record.source_path.chars().any(char::is_control)
        || record.validation_details.chars().any(char::is_control)
    {
        return Err("a record of its inventory holds control letters".to_owned());
    }
    Ok(())
}

/// Why an account cannot be one.
fn check_account(account: &Account) -> Result<(), String> {
    for text in [&account.email, &account.user_id, &account.account_id] {
        check_line("an account", text.as_deref())?;
    }
    Ok(())
}

/// What is shown in a line: nothing in it may steer a terminal.
fn check_line(what: &str, text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) if text.len() > MOST_LETTERS => Err(format!("{what} in it is too long")),
        Some(text) if text.chars().any(char::is_control) => {
            Err(format!("{what} in it holds control letters"))
        }
        _ => Ok(()),
    }
}
