//! What a snapshot says of itself: the sidecar's fields, the archive's name, whose account it is.
//!
//! Pure: bytes in, values out. Reads the sidecars of the Python codex-manager 1.0.0 to 23.0.0 too.

mod brief;

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDateTime;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::timeutil::{SessionStart, Stamp, Zone, parse_file_name_form};

/// The sidecar schema this program writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The form of archive this program writes: members that tell what they hold, and a manifest as the last entry.
pub const ARCHIVE_FORMAT: u32 = 2;

/// What every archive name ends in.
pub const ARCHIVE_SUFFIX: &str = ".tar.gz";

/// What the name of the manifest inside an archive ends in. It is a name of a description too, so that older programs
/// leave it out of a home.
pub const MANIFEST_SUFFIX: &str = ".manifest.metadata.json";

/// What every sidecar name ends in.
pub const SIDECAR_SUFFIX: &str = ".metadata.json";

/// Whose an account is: who logged in, and the workspace they logged in to.
///
/// Neither the email nor the workspace alone tells accounts apart: one email can sit in several workspaces, and one
/// workspace has several members. Source: auth.json's id_token claims, CODEX_MANAGER_SPEC.md, "Words".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(clippy::struct_field_names)] // `account_id` is Codex's own word
pub struct Account {
    /// What people type. None for an API key.
    pub email: Option<String>,
    /// `chatgpt_user_id`; for an API key `apikey-` and the first eight hex digits of the key's SHA-256.
    pub user_id: Option<String>,
    /// `chatgpt_account_id`: the workspace.
    pub account_id: Option<String>,
}

impl Account {
    /// An account of which only the email is known, as legacy files and older sidecars have it.
    pub fn of_email(email: &str) -> Self {
        Self {
            email: Some(email.to_owned()),
            ..Self::default()
        }
    }

    /// Whether both ids are known, so that this is exactly one account.
    pub fn is_exact(&self) -> bool {
        self.user_id.is_some() && (self.account_id.is_some() || self.email.is_none())
    }

    /// Whether both are one account for sure: by their ids, else by all that is known.
    pub fn is_same_as(&self, other: &Self) -> bool {
        if self.is_exact() && other.is_exact() {
            // A person may change the email of an account.
            return self.user_id == other.user_id && self.account_id == other.account_id;
        }
        self == other
    }

    /// Whether nothing known of the two contradicts their being one account, and something known agrees.
    pub fn may_be(&self, other: &Self) -> bool {
        let agrees = |what, fold| Self::compared(what, fold) == Some(true);
        let [user, workspace, email] = self.beside(other);
        !self.contradicts(other)
            && (agrees(user, false) || agrees(workspace, false) || agrees(email, true))
    }

    /// Whether something known of the two contradicts their being one account.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differs = |what, fold| Self::compared(what, fold) == Some(false);
        let [user, workspace, email] = self.beside(other);
        // A person may change the email of an account; two exact accounts are told apart by their ids.
        let are_exact = self.is_exact() && other.is_exact();
        differs(user, false) || differs(workspace, false) || (!are_exact && differs(email, true))
    }

    fn beside<'a>(&'a self, other: &'a Self) -> [Both<'a>; 3] {
        [
            (&self.user_id, &other.user_id),
            (&self.account_id, &other.account_id),
            (&self.email, &other.email),
        ]
    }

    /// Whether both are the same; None where either is not known.
    fn compared((one, two): Both, fold: bool) -> Option<bool> {
        let (one, two) = (one.as_deref()?, two.as_deref()?);
        Some(if fold {
            one.eq_ignore_ascii_case(two)
        } else {
            one == two
        })
    }
}

/// One thing that may be known of each of two accounts.
type Both<'a> = (&'a Option<String>, &'a Option<String>);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.email
                .as_deref()
                .or(self.user_id.as_deref())
                .unwrap_or("an unknown account"),
        )
    }
}

/// One quota window as a source reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What Codex calls it: `Weekly limit`, `5h limit`, `GPT-5.3-Codex-Spark Weekly limit`.
    pub name: String,
    /// Length of the window in minutes: 300, 10080, 43200.
    pub window_minutes: Option<u32>,
    /// 0 to 100; 0 is exhausted.
    pub percent_left: Option<u8>,
    /// When it starts anew.
    pub reset_at: Option<Stamp>,
}

/// What an account's weekly window was doing when it was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowState {
    /// Begun and not yet over.
    Running,
    /// Its reset has passed.
    Over,
    /// Nothing used and the reset a full week away: nothing has begun.
    Unstarted,
    /// No window is known.
    Unknown,
}

/// Where the knowledge of a window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusSource {
    /// Codex's app-server.
    AppServer,
    /// Codex's `/status` panel read from a terminal, as the Python codex-manager did.
    #[serde(alias = "live_codex_status")]
    Panel,
    /// Text of Codex's `/status` panel in a file.
    StatusFile,
    /// Text of Codex's `/status` panel from a command.
    StatusCommand,
    /// The newest rate limits in Codex's session files: a hint only.
    Rollout,
    /// A legacy auth file's name and mtime.
    Legacy,
    /// The last known window, taken without asking Codex.
    Offline,
}

impl StatusSource {
    /// Whether Codex itself reported the window (as against a guess or a memory).
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Legacy | Self::Offline | Self::Rollout)
    }
}

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupMode {
    /// The whole capturable Codex home.
    Full,
    /// The login alone.
    AuthOnly,
    /// All but the login: the session half of the Python 23.0.0's split layout.
    SessionOnly,
}

/// How a database came into an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseMethod {
    /// By SQLite's own backup, while somebody may have written to it.
    Backup,
    /// From its files, which nobody had open and which did not move meanwhile.
    Copy,
    /// As its files lie, which may not fit together.
    Raw,
}

/// One database of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its path in the archive.
    pub path: String,
    /// How it came there.
    pub method: DatabaseMethod,
    /// Which of SQLite's checks the copy passed: `quick_check`; null where none was made.
    pub check: Option<String>,
    /// Its version of the schema, as SQLite has it.
    pub user_version: Option<i64>,
}

/// A snapshot's sidecar, `<base>.metadata.json`. Its presence is what makes a snapshot complete.
///
/// Unknown is null. Times are RFC 3339 with offset, sizes bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sidecar {
    /// Always `codex`.
    pub product: String,
    /// [`SCHEMA_VERSION`]; None in sidecars of the Python codex-manager.
    pub schema_version: Option<u32>,
    /// The account's email.
    #[serde(deserialize_with = "known_text")]
    pub email: Option<String>,
    /// The account's workspace.
    #[serde(alias = "chatgpt_account_id", deserialize_with = "known_text")]
    pub account_id: Option<String>,
    /// The account's user.
    #[serde(alias = "chatgpt_user_id", deserialize_with = "known_text")]
    pub user_id: Option<String>,
    /// Plan as the login's token names it.
    #[serde(deserialize_with = "known_text")]
    pub plan_type: Option<String>,
    /// Codex's `auth_mode`: `chatgpt`, `apikey`….
    pub auth_mode: Option<String>,
    /// When the login in it was renewed, else when its newest token was issued: which of several is the newest.
    #[serde(deserialize_with = "known_stamp")]
    pub login_refreshed_at: Option<Stamp>,
    /// When the weekly window opened.
    #[serde(deserialize_with = "known_stamp")]
    pub session_start_at: Option<SessionStart>,
    /// `session_start_at` and exactly 604 800 s.
    #[serde(deserialize_with = "known_stamp")]
    pub next_available_at: Option<Stamp>,
    /// What Codex reported as the reset.
    #[serde(deserialize_with = "known_stamp")]
    pub reset_at: Option<Stamp>,
    /// State of the window when it was observed.
    #[serde(deserialize_with = "known_word")]
    pub window_state: Option<WindowState>,
    /// When the quota was seen to be exhausted; for a legacy file its mtime.
    #[serde(deserialize_with = "known_stamp")]
    pub quota_end_detected_at: Option<Stamp>,
    /// Assumed length of the session before the quota ended (legacy only).
    pub inferred_session_duration_seconds: Option<i64>,
    /// How `session_start_at` was inferred (legacy only).
    pub inference_basis: Option<String>,
    /// Original name of the legacy file (legacy only).
    pub legacy_auth_filename: Option<String>,
    /// Its day token, `21apr` (legacy only).
    pub legacy_quota_day_token: Option<String>,
    /// Weekly quota left in percent when observed.
    #[serde(deserialize_with = "known_percent")]
    pub quota_percent_left: Option<u8>,
    /// The status row as Codex printed it.
    #[serde(deserialize_with = "known_text")]
    pub quota_text: Option<String>,
    /// Every window the source reported.
    pub limits: Vec<Limit>,
    /// Whether Codex's service said that the account may not be used just then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub usage_refused: bool,
    /// Where the window comes from.
    #[serde(deserialize_with = "known_word")]
    pub status_source: Option<StatusSource>,
    /// When the window was observed.
    #[serde(deserialize_with = "known_stamp")]
    pub observed_at: Option<Stamp>,
    /// `ok`, or `mismatch` for a legacy file whose name contradicts its window.
    #[serde(deserialize_with = "known_word")]
    pub validation_status: Option<ValidationStatus>,
    /// The parts of the home that it is of, in a safety copy of some; empty for one of all that its mode says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// What the archive holds.
    #[serde(deserialize_with = "known_word")]
    pub backup_mode: Option<BackupMode>,
    /// The archive's file name.
    pub archive_name: Option<String>,
    /// The archive's length in bytes.
    pub archive_size_bytes: Option<u64>,
    /// SHA-256 of the archive, in hex.
    pub archive_sha256: Option<String>,
    /// SHA-256 over the captured paths, kinds and bytes, in hex: equal for two snapshots of equal files.
    pub content_sha256: Option<String>,
    /// SHA-256 over what was planned to be captured (paths, lengths, times), in hex. It stands inside the archive as well:
    /// where the two differ, the archive is newer than its sidecar.
    pub plan_sha256: Option<String>,
    /// How the archive is built: [`ARCHIVE_FORMAT`]; None in those of before, and of other programs. It stands inside the
    /// archive as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_format: Option<u32>,
    /// How many files the archive holds, its own metadata not counted.
    pub file_count: Option<u64>,
    /// Their length together, unpacked.
    pub total_bytes: Option<u64>,
    /// Top-level names captured; directories end in `/`.
    pub captured_files: Vec<String>,
    /// The databases, and how each was captured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
    /// The directory outside of the home that its `sqlite_home` named, whose databases the archive holds below
    /// `.codex-manager-sqlite-home/`; None where it holds none of such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite_home: Option<String>,
    /// Patterns that were left out on request; a restore leaves what they match in place.
    pub excluded_patterns: Vec<String>,
    /// What stood in the home and could not be captured, each with its reason.
    pub not_captured: Vec<String>,
    /// The Codex home that was captured.
    pub source_codex_home: Option<String>,
    /// Name of the machine.
    pub hostname: Option<String>,
    /// Version of Codex, where it is known.
    pub codex_version: Option<String>,
    /// When the snapshot was made.
    #[serde(deserialize_with = "known_stamp")]
    pub created_at: Option<Stamp>,
    /// Counts the safety copies of one backup directory; None for any other snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_sequence: Option<u64>,
    /// How many snapshots of this name and second its machine made before; None for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// When the Python 23.0.0 wrote a newer window into it; None in those of others.
    #[serde(
        deserialize_with = "known_stamp",
        skip_serializing_if = "Option::is_none"
    )]
    pub updated_at: Option<Stamp>,
    /// Version of codex-manager that made it.
    pub manager_version: Option<String>,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            product: "codex".to_owned(),
            schema_version: None,
            email: None,
            account_id: None,
            user_id: None,
            plan_type: None,
            auth_mode: None,
            login_refreshed_at: None,
            session_start_at: None,
            next_available_at: None,
            reset_at: None,
            window_state: None,
            quota_end_detected_at: None,
            inferred_session_duration_seconds: None,
            inference_basis: None,
            legacy_auth_filename: None,
            legacy_quota_day_token: None,
            quota_percent_left: None,
            quota_text: None,
            limits: Vec::new(),
            usage_refused: false,
            status_source: None,
            observed_at: None,
            validation_status: None,
            parts: Vec::new(),
            backup_mode: None,
            archive_name: None,
            archive_size_bytes: None,
            archive_sha256: None,
            content_sha256: None,
            plan_sha256: None,
            file_count: None,
            total_bytes: None,
            captured_files: Vec::new(),
            databases: Vec::new(),
            archive_format: None,
            sqlite_home: None,
            excluded_patterns: Vec::new(),
            not_captured: Vec::new(),
            source_codex_home: None,
            hostname: None,
            codex_version: None,
            created_at: None,
            safety_sequence: None,
            generation: None,
            updated_at: None,
            manager_version: None,
        }
    }
}

impl Sidecar {
    /// Reads a sidecar; the error says in words what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err("it is no JSON object".to_owned());
        }
        let sidecar: Self = serde_json::from_slice(bytes)
            .or_else(|error| {
                let mended = mended(bytes).ok_or(error)?;
                serde_json::from_slice(&mended)
            })
            .map_err(|error| {
                format!(
                    "it is no sidecar (line {}, column {})",
                    error.line(),
                    error.column()
                )
            })?;
        if sidecar.product != "codex" {
            return Err(format!("it is of another product, `{}`", sidecar.product));
        }
        if let Some(form) = sidecar.schema_version.filter(|form| *form > SCHEMA_VERSION) {
            return Err(format!(
                "it is of form {form}, this program knows {SCHEMA_VERSION}"
            ));
        }
        Ok(sidecar)
    }

    /// Whose snapshot it is.
    pub fn account(&self) -> Account {
        Account {
            email: self.email.clone(),
            user_id: self.user_id.clone(),
            account_id: self.account_id.clone(),
        }
    }

    /// When its content was current: for a legacy file the mtime, else when it was made.
    pub fn content_time(&self) -> Option<Stamp> {
        match self.status_source {
            Some(StatusSource::Legacy) => self.quota_end_detected_at.or(self.created_at),
            _ => self.created_at,
        }
    }

    /// What it holds; sidecars without the field are whole homes.
    pub fn mode(&self) -> BackupMode {
        self.backup_mode.unwrap_or(BackupMode::Full)
    }
}

/// A sidecar of another program that has null for a list, a word for a percentage, or an id by both of its names, without
/// these: what is not known is no error. None for any other.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut said: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let count = said.len();
    said.retain(|key, value| {
        !value.is_null() && (key != "quota_percent_left" || !value.is_string())
    });
    for (name, other) in [
        ("account_id", "chatgpt_account_id"),
        ("user_id", "chatgpt_user_id"),
    ] {
        if said.contains_key(name) && said.contains_key(other) {
            let is_known = !said[name].as_str().is_some_and(is_missing);
            said.remove(if is_known { other } else { name });
        }
    }
    (said.len() < count).then(|| serde_json::to_vec(&said).ok())?
}

/// Whether a legacy file's name agrees with the window computed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidationStatus {
    /// It agrees, or there was nothing to check.
    Ok,
    /// The day in its name is another than the computed one.
    Mismatch,
}

impl ValidationStatus {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Mismatch => "mismatch",
        }
    }
}

/// Whether the window beside this text was reported, in what the Python codex-manager wrote: where its 23.0.0 could not
/// ask Codex, it made a window up, a week from that moment, and the text has no reset in it.
pub fn is_python_report(quota_text: Option<&str>) -> bool {
    const RESETS: &[u8] = b"resets";
    quota_text.is_none_or(|text| {
        let text = text.as_bytes();
        memchr::memchr_iter(b' ', text).any(|space| {
            let word = space
                .checked_sub(RESETS.len())
                .and_then(|start| text.get(start..space));
            word.is_some_and(|word| word.eq_ignore_ascii_case(RESETS))
                && text.get(space + 1).is_some_and(u8::is_ascii_digit)
        })
    })
}

/// A snapshot's base name: `YYYY-MM-DD-HHMMSS-<email>-codex`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupName(String);

impl BackupName {
    /// How many bytes the time in a name takes: the owner follows it.
    pub const CLOCK: usize = "2026-04-14-155500".len();

    /// The name for a window that opened at `start`, as the wall clock it is shown in. `who` is the email, made safe
    /// as a part of a path: whatever is not a letter, digit or one of `@ . _ + - ~ ' = #` becomes `%XX`.
    pub fn new(start: Stamp, who: &str) -> Self {
        Self(format!(
            "{}-{}-codex",
            start.file_name_form(),
            safe_part(who)
        ))
    }

    /// The base name of an archive or sidecar of this form. A path is none, on no system.
    pub fn of_file(file_name: &str) -> Option<Self> {
        let base = file_name
            .strip_suffix(ARCHIVE_SUFFIX)
            .or_else(|| file_name.strip_suffix(SIDECAR_SUFFIX))?;
        Self::split(base)?;
        (!base.contains(['/', '\\', '\0'])).then(|| Self(base.to_owned()))
    }

    /// Whether `base` is of this form.
    pub fn is_base(base: &str) -> bool {
        Self::split(base).is_some()
    }

    /// The time and the owner that a base name of this form tells. None for any other.
    pub fn split(base: &str) -> Option<(NaiveDateTime, &str)> {
        let rest = base.strip_suffix("-codex")?;
        let (clock, email) = (rest.get(..Self::CLOCK)?, rest.get(Self::CLOCK..)?);
        let email = email.strip_prefix('-').filter(|email| !email.is_empty())?;
        Some((parse_file_name_form(clock)?, email))
    }

    /// The instant the name tells, read as wall clock of `zone`; only for files whose sidecar is lost.
    pub fn session_start_at(&self, zone: &Zone) -> Option<SessionStart> {
        zone.resolve(Self::split(&self.0)?.0).map(SessionStart)
    }

    /// Whether a name of `owner` is one that a snapshot of `who` may have been given, by [`BackupName::new`], with
    /// something behind a `~` or without.
    pub fn is_owner_of(owner: &str, who: &str) -> bool {
        let part = safe_part(who);
        let rest = owner
            .get(..part.len())
            .filter(|start| start.eq_ignore_ascii_case(&part))
            .and_then(|start| owner.strip_prefix(start));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
    }

    /// The name of the same time for another owner.
    #[must_use]
    pub fn for_owner(&self, who: &str) -> Self {
        let clock = self.0.get(..Self::CLOCK).unwrap_or_default();
        Self(format!("{clock}-{}-codex", safe_part(who)))
    }

    /// Whether it is spelled as [`BackupName::new`] spells names: one that came from elsewhere can then be no path.
    pub fn is_safe(&self) -> bool {
        const MOST: usize = 255 - SIDECAR_SUFFIX.len(); // what any file system takes
        let is_safe = |letter: char| letter == '%' || is_safe_letter(letter);
        self.0.len() <= MOST && self.0.chars().all(is_safe)
    }

    /// The email in the name.
    pub fn email(&self) -> &str {
        Self::split(&self.0).map_or("", |(_, email)| email)
    }

    /// The archive's file name.
    pub fn archive(&self) -> String {
        format!("{}{ARCHIVE_SUFFIX}", self.0)
    }

    /// The sidecar's file name.
    pub fn sidecar(&self) -> String {
        format!("{}{SIDECAR_SUFFIX}", self.0)
    }

    /// The name of the manifest inside the archive.
    pub fn manifest(&self) -> String {
        format!("{}{MANIFEST_SUFFIX}", self.0)
    }
}

/// Whether a file name on any system may hold it.
fn is_safe_letter(letter: char) -> bool {
    letter.is_alphanumeric() || "@._+-~'=#".contains(letter)
}

/// `text` as a part of a file name on any system.
fn safe_part(text: &str) -> String {
    const MOST: usize = 180; // a name may have 255 bytes; what is cut here is still whole in the sidecar
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        let start = safe.len();
        if is_safe_letter(letter) {
            safe.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                safe.push_str(&format!("%{byte:02X}"));
            }
        }
        if safe.len() > MOST {
            safe.truncate(start);
            break;
        }
    }
    if safe.is_empty() {
        "unknown".to_owned()
    } else {
        safe
    }
}

/// A text that is copied only where it is kept, or where it holds an escape.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Python sidecars write `"unknown"` where a value is missing.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'de>>, D::Error> {
    let text = Option::<Text>::deserialize(deserializer)?;
    Ok(text.filter(|Text(text)| !is_missing(text)))
}

fn is_missing(text: &str) -> bool {
    matches!(text, "" | "unknown" | "None" | "null")
}

/// A text, or null for one of Python's words for "missing".
fn known_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(known(deserializer)?.map(|Text(text)| text.into_owned()))
}

/// A time, or null for one of Python's words for "missing".
fn known_stamp<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<Stamp>,
{
    match known(deserializer)? {
        None => Ok(None),
        Some(Text(text)) => text
            .parse::<Stamp>()
            .map(|stamp| Some(T::from(stamp)))
            .map_err(serde::de::Error::custom),
    }
}

impl From<Stamp> for SessionStart {
    fn from(stamp: Stamp) -> Self {
        Self(stamp)
    }
}

/// One of a list of words; one that this version does not know is no knowledge, not an error.
fn known_word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let word = Option::<Text>::deserialize(deserializer)?;
    let parse = |Text(word): Text| {
        T::deserialize(StrDeserializer::<serde::de::value::Error>::new(&word)).ok()
    };
    Ok(word.and_then(parse))
}

/// A percentage; out of range is no knowledge.
fn known_percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    let percent = number
        .and_then(|number| number.as_u64())
        .and_then(|number| u8::try_from(number).ok());
    Ok(percent.filter(|percent| *percent <= 100))
}

#[cfg(test)]
mod tests;
