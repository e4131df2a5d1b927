//! A sidecar read in brief: whose it is and its account's window, for whoever reads thousands.
//!
//! Pure. Whatever the whole reading refuses is refused here too, by the same fields; what is not wanted is not kept.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    BackupMode, Database, Limit, SCHEMA_VERSION, Sidecar, StatusSource, Text, ValidationStatus,
    WindowState, is_python_report, known, known_percent, known_stamp, known_text, known_word,
    mended,
};
use crate::timeutil::{SessionStart, Stamp};

impl Sidecar {
    /// What [`Sidecar::parse`] reads, but only whose snapshot it is, its account's window, its mode and its times: the
    /// rest is checked as there and not kept, for whoever reads thousands. The status row is kept where it tells that the
    /// window was made up, see [`is_python_report`]. None where `parse` fails, and it may be where it does not.
    pub fn parse_window(bytes: &[u8]) -> Option<Self> {
        Self::brief_of(bytes).or_else(|| Self::brief_of(&mended(bytes)?))
    }

    fn brief_of(bytes: &[u8]) -> Option<Self> {
        // Looked over once as a text, and not each string of it by itself.
        let text = std::str::from_utf8(bytes).ok()?;
        let brief: Brief = serde_json::from_str(text).ok()?;
        let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let is_known = is_object && brief.product.0 == "codex";
        let sidecar = is_known.then(|| brief.into_sidecar()).flatten()?;
        let is_later = sidecar.schema_version > Some(SCHEMA_VERSION);
        (!is_later).then_some(sidecar)
    }
}

/// The fields of a [`Sidecar`], of which only those of the window are kept.
#[derive(Deserialize)]
struct Brief<'a> {
    #[serde(borrow, default = "codex")]
    product: Text<'a>,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default, deserialize_with = "known_text")]
    email: Option<String>,
    #[serde(default, alias = "chatgpt_account_id", deserialize_with = "known_text")]
    account_id: Option<String>,
    #[serde(default, alias = "chatgpt_user_id", deserialize_with = "known_text")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "known_text")]
    plan_type: Option<String>,
    #[serde(default, rename = "auth_mode")]
    _auth_mode: Option<Unkept>,
    #[serde(default, deserialize_with = "known_stamp")]
    login_refreshed_at: Option<Stamp>,
    #[serde(default, deserialize_with = "known_stamp")]
    session_start_at: Option<SessionStart>,
    #[serde(default, deserialize_with = "known_stamp")]
    next_available_at: Option<Stamp>,
    #[serde(default, deserialize_with = "known_stamp")]
    reset_at: Option<Stamp>,
    #[serde(default, deserialize_with = "known_word")]
    window_state: Option<WindowState>,
    #[serde(default, deserialize_with = "known_stamp")]
    quota_end_detected_at: Option<Stamp>,
    #[serde(default, rename = "inferred_session_duration_seconds")]
    _inferred_session_duration_seconds: Option<i64>,
    #[serde(default)]
    inference_basis: Option<String>,
    #[serde(default, rename = "legacy_auth_filename")]
    _legacy_auth_filename: Option<Unkept>,
    #[serde(default, rename = "legacy_quota_day_token")]
    _legacy_quota_day_token: Option<Unkept>,
    #[serde(default, deserialize_with = "known_percent")]
    quota_percent_left: Option<u8>,
    #[serde(borrow, default)]
    quota_text: Option<&'a RawValue>,
    #[serde(default)]
    limits: Vec<Limit>,
    #[serde(default)]
    usage_refused: bool,
    #[serde(default, deserialize_with = "known_word")]
    status_source: Option<StatusSource>,
    #[serde(default, deserialize_with = "known_stamp")]
    observed_at: Option<Stamp>,
    #[serde(default, deserialize_with = "known_word")]
    validation_status: Option<ValidationStatus>,
    #[serde(default, deserialize_with = "known_word")]
    backup_mode: Option<BackupMode>,
    #[serde(default)]
    parts: Vec<String>,
    #[serde(default, rename = "archive_name")]
    _archive_name: Option<Unkept>,
    #[serde(default, rename = "archive_size_bytes")]
    _archive_size_bytes: Option<u64>,
    #[serde(default, rename = "archive_sha256")]
    _archive_sha256: Option<Unkept>,
    #[serde(default, rename = "content_sha256")]
    _content_sha256: Option<Unkept>,
    #[serde(default, rename = "plan_sha256")]
    _plan_sha256: Option<Unkept>,
    #[serde(default, rename = "file_count")]
    _file_count: Option<u64>,
    #[serde(default, rename = "total_bytes")]
    _total_bytes: Option<u64>,
    #[serde(default, rename = "captured_files")]
    _captured_files: Vec<Unkept>,
    #[serde(default, rename = "databases")]
    _databases: Vec<Database>,
    #[serde(default, rename = "excluded_patterns")]
    _excluded_patterns: Vec<Unkept>,
    #[serde(default, rename = "not_captured")]
    _not_captured: Vec<Unkept>,
    #[serde(default, rename = "source_codex_home")]
    _source_codex_home: Option<Unkept>,
    #[serde(default, rename = "hostname")]
    _hostname: Option<Unkept>,
    #[serde(default, rename = "codex_version")]
    _codex_version: Option<Unkept>,
    #[serde(default, deserialize_with = "known_stamp")]
    created_at: Option<Stamp>,
    #[serde(default, rename = "safety_sequence")]
    _safety_sequence: Option<u64>,
    #[serde(default, rename = "generation")]
    _generation: Option<u64>,
    #[serde(default, deserialize_with = "known_stamp")]
    updated_at: Option<Stamp>,
    #[serde(default, rename = "manager_version")]
    _manager_version: Option<Unkept>,
}

fn codex() -> Text<'static> {
    Text(Cow::Borrowed("codex"))
}

impl Brief<'_> {
    fn into_sidecar(self) -> Option<Sidecar> {
        let is_python = self.schema_version.is_none();
        let quota_text = match self.quota_text {
            Some(raw) => made_up(raw.get(), is_python).ok()?,
            None => None,
        };
        Some(Sidecar {
            schema_version: self.schema_version,
            email: self.email,
            account_id: self.account_id,
            user_id: self.user_id,
            plan_type: self.plan_type,
            login_refreshed_at: self.login_refreshed_at,
            session_start_at: self.session_start_at,
            next_available_at: self.next_available_at,
            reset_at: self.reset_at,
            window_state: self.window_state,
            quota_end_detected_at: self.quota_end_detected_at,
            inference_basis: self.inference_basis,
            quota_percent_left: self.quota_percent_left,
            quota_text,
            limits: self.limits,
            usage_refused: self.usage_refused,
            status_source: self.status_source,
            observed_at: self.observed_at,
            validation_status: self.validation_status,
            backup_mode: self.backup_mode,
            parts: self.parts,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ..Sidecar::default()
        })
    }
}

/// The status row `raw`, as it stands in the JSON, where it tells that the window was made up. Fails where it is no text.
fn made_up(raw: &str, is_python: bool) -> serde_json::Result<Option<String>> {
    // Python escapes each block of the bar that Codex draws, and to read twenty of them takes as long as all the rest. No
    // other escape may be passed over: it could stand for a letter, or for nothing.
    let mut escapes = memchr::memchr_iter(b'\\', raw.as_bytes());
    let is_block = |escape| raw.as_bytes().get(escape + 1..escape + 3) == Some(b"u2");
    let is_plain = raw.starts_with('"') && escapes.all(is_block);
    if is_plain && (!is_python || is_python_report(Some(raw))) {
        return Ok(None);
    }
    let text = known(&mut serde_json::Deserializer::from_str(raw))?;
    let text = text.filter(|Text(text)| is_python && !is_python_report(Some(text)));
    Ok(text.map(|Text(text)| text.into_owned()))
}

/// A text that must be one, and is not kept.
struct Unkept;

impl<'de> Deserialize<'de> for Unkept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;
        impl Visitor<'_> for AnyText {
            type Value = Unkept;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, _: &str) -> Result<Unkept, E> {
                Ok(Unkept)
            }
        }
        deserializer.deserialize_str(AnyText)
    }
}
