//! `auth.json`: whose login it is. Reads claims only; no token leaves this file.
//!
//! Source: Codex's `login/src/auth/storage.rs` and `login/src/token_data.rs`. Signatures are not checked: the file is
//! the user's own, and only Codex's service can say whether a token is good.

use base64::Engine;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fsutil;
use crate::metadata::Account;
use crate::timeutil::{Stamp, Zone};

/// The largest login that is read; real ones have a few KiB.
pub const MOST_BYTES: u64 = 1 << 20;

/// What a login says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Whose it is.
    pub account: Account,
    /// Plan as the token names it; may be stale.
    pub plan_type: Option<String>,
    /// Codex's word for the kind of login: `chatgpt`, `apikey`….
    pub auth_mode: String,
    /// When Codex last renewed the tokens.
    pub last_refresh: Option<Stamp>,
    /// The same in Unix seconds and nanoseconds: two renewals may share a second.
    renewed_at: Option<(i64, u32)>,
    /// When the newest of its tokens was issued, Unix seconds; None where none says.
    issued_at: Option<i64>,
    /// When the access token ends, Unix seconds; None where it does not say.
    access_ends_at: Option<i64>,
    /// Whether there are tokens that end, as against a key that does not.
    has_tokens: bool,
    /// Whether Codex can renew them.
    is_renewable: bool,
}

/// Whether a login still signs in, as far as it can be told without asking the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Its access token has not ended; or it is a key, which does not end.
    Valid,
    /// The access token has ended, or does not say when it does; Codex renews it at the next use.
    Renewable,
    /// The same, and there is nothing to renew it with.
    Expired,
}

/// How fresh a login is. Of two of one account the greater one is the newer: Codex's refresh tokens work once, so the
/// other may no longer sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Freshness {
    /// When it was renewed; where that is not to be known, when a token was issued.
    renewed_at: Option<(i64, u32)>,
    issued_at: Option<i64>,
}

impl Freshness {
    /// Whether it was renewed after that second since 1970.
    pub fn is_after(&self, second: i64) -> bool {
        self.renewed_at.is_some_and(|(at, _)| at > second)
    }
}

impl Login {
    /// Whether it is an API key, which has no weekly window.
    pub fn is_api_key(&self) -> bool {
        self.account.email.is_none() && self.account.account_id.is_none()
    }

    /// How fresh it is, `latest` being the latest instant that can be by now: a renewal after it was noted by a clock
    /// that was wrong, and must not beat all that come.
    pub fn freshness(&self, latest: Stamp) -> Freshness {
        let is_past = |(second, _): &(i64, u32)| *second <= latest.unix();
        let issued = || self.issued_at.map(|second| (second, 0));
        Freshness {
            renewed_at: self.renewed_at.filter(is_past).or_else(issued),
            issued_at: self.issued_at,
        }
    }

    /// When it was renewed; where that is not to be known, when its newest token was issued.
    pub fn refreshed_at(&self, zone: &Zone) -> Option<Stamp> {
        let renewed = self.renewed_at.map(|(second, _)| second);
        Stamp::from_unix(renewed.or(self.issued_at)?, zone)
    }

    /// When its access token ends; None where it has none, or does not say.
    pub fn access_ends_at(&self, zone: &Zone) -> Option<Stamp> {
        Stamp::from_unix(self.access_ends_at?, zone)
    }

    /// Whether it still signs in at `now`.
    pub fn validity(&self, now: Stamp) -> Validity {
        if !self.has_tokens || self.access_ends_at.is_some_and(|end| end > now.unix()) {
            Validity::Valid
        } else if self.is_renewable {
            Validity::Renewable
        } else {
            Validity::Expired
        }
    }

    /// Whether a Codex that is started at `now` may renew it by itself, with some room for clocks: five minutes before
    /// the access token ends; where that does not say when, eight days after the last time.
    pub fn is_due_for_renewal(&self, now: Stamp) -> bool {
        const BEFORE_END: i64 = 10 * 60;
        const AFTER_LAST: i64 = 7 * 24 * 3600;
        match (self.access_ends_at, self.last_refresh) {
            (Some(end), _) => end.saturating_sub(BEFORE_END) <= now.unix(),
            (None, Some(last)) => last.unix().saturating_add(AFTER_LAST) <= now.unix(),
            (None, None) => true,
        }
    }
}

#[derive(Deserialize)]
struct AuthJson<'a> {
    auth_mode: Option<String>,
    #[serde(rename = "OPENAI_API_KEY")]
    api_key: Option<String>,
    #[serde(borrow)]
    tokens: Option<Tokens<'a>>,
    last_refresh: Option<String>,
    agent_identity: Option<Value>,
    personal_access_token: Option<String>,
}

#[derive(Deserialize)]
struct Tokens<'a> {
    #[serde(borrow)]
    id_token: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    access_token: Option<std::borrow::Cow<'a, str>>,
    /// Whatever it is: a login is read without it too.
    refresh_token: Option<Value>,
    account_id: Option<String>,
}

impl Tokens<'_> {
    fn access_ends_at(&self) -> Option<i64> {
        claims_of(self.access_token.as_deref()?)?["exp"].as_i64()
    }

    fn is_renewable(&self) -> bool {
        let token = self.refresh_token.as_ref().and_then(Value::as_str);
        token.is_some_and(|token| !token.is_empty())
    }
}

/// Whether the two files are renewed with one and the same token, which works once.
pub fn have_one_renewal(one: &[u8], other: &[u8]) -> bool {
    let of = |bytes| {
        let auth: AuthJson = serde_json::from_slice(bytes).ok()?;
        auth.tokens.filter(Tokens::is_renewable)?.refresh_token
    };
    of(one).is_some_and(|token| Some(token) == of(other))
}

/// Reads a login; the error says in words what is wrong, without quoting the file.
pub fn parse(bytes: &[u8]) -> Result<Login, String> {
    let auth: AuthJson = serde_json::from_slice(bytes).map_err(|error| {
        if bytes.is_empty() {
            "it is empty".to_owned()
        } else {
            // serde's text may quote a value; the place alone is safe to show.
            format!(
                "it is no login of Codex (line {}, column {})",
                error.line(),
                error.column()
            )
        }
    })?;
    let last_refresh = auth.last_refresh.as_deref().and_then(Stamp::parse);
    let renewed_at = auth.last_refresh.as_deref().and_then(|text| {
        let instant = chrono::DateTime::parse_from_rfc3339(text.trim()).ok();
        let nanos = instant.map_or(0, |instant| instant.timestamp_subsec_nanos());
        Some((Stamp::parse(text)?.unix(), nanos))
    });
    let tokens = auth.tokens.as_ref().map(|tokens| {
        let token = |token: &Option<std::borrow::Cow<str>>| claims_of(token.as_deref()?);
        [token(&tokens.id_token), token(&tokens.access_token)]
    });
    let identity = auth.agent_identity.as_ref().and_then(Value::as_str);
    let tokens = tokens.into_iter().flatten().flatten();
    let issued_at = tokens
        .chain(identity.and_then(claims_of))
        .filter_map(|claims| claims["iat"].as_i64())
        .max();
    let login = |account, plan_type, mode: &str| Login {
        renewed_at,
        issued_at,
        account,
        plan_type,
        auth_mode: auth.auth_mode.clone().unwrap_or_else(|| mode.to_owned()),
        last_refresh,
        access_ends_at: auth.tokens.as_ref().and_then(Tokens::access_ends_at),
        has_tokens: !["apikey", "personalAccessToken", "agentIdentity"].contains(&mode),
        is_renewable: auth.tokens.as_ref().is_some_and(Tokens::is_renewable),
    };
    // Codex goes by auth_mode; without one a personal token beats a key, and a key beats a ChatGPT login.
    let has = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let mode = match auth.auth_mode.as_deref() {
        Some(mode) => mode,
        None if has(&auth.personal_access_token) => "personalAccessToken",
        None if has(&auth.api_key) => "apikey",
        None if auth.tokens.is_none() && auth.agent_identity.is_some() => "agentIdentity",
        None => "chatgpt",
    };
    let nothing = || "it holds no login".to_owned();
    let named = |account: Account| match account {
        Account {
            email: None,
            user_id: None,
            ..
        } => Err("it names nobody".to_owned()),
        account => Ok(account),
    };
    match mode {
        "apikey" => {
            let key = auth
                .api_key
                .as_deref()
                .filter(|key| !key.is_empty())
                .ok_or_else(nothing)?;
            Ok(login(account_of_key(key), None, mode))
        }
        "personalAccessToken" => {
            let token = auth
                .personal_access_token
                .as_deref()
                .filter(|token| !token.is_empty())
                .ok_or_else(nothing)?;
            Ok(login(account_of_key(token), None, mode))
        }
        "agentIdentity" => {
            let identity = auth.agent_identity.as_ref().ok_or_else(nothing)?;
            let claims = identity.as_str().and_then(claims_of);
            let account = claims
                .as_ref()
                .map_or_else(|| account_of_record(identity), account_of);
            let plan_type = text_at(identity, "plan_type");
            Ok(login(named(account)?, plan_type, mode))
        }
        _ => {
            let tokens = auth.tokens.as_ref().ok_or_else(nothing)?;
            let claims = tokens
                .id_token
                .as_deref()
                .and_then(claims_of)
                .ok_or("its id_token cannot be read")?;
            let mut account = account_of(&claims);
            account.account_id = account.account_id.or_else(|| tokens.account_id.clone());
            Ok(login(
                named(account)?,
                text_at(&claims[AUTH_CLAIM], "chatgpt_plan_type"),
                mode,
            ))
        }
    }
}

const AUTH_CLAIM: &str = "https://api.openai.com/auth";
const PROFILE_CLAIM: &str = "https://api.openai.com/profile";

/// The payload of a JSON web token.
fn claims_of(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()?;
    serde_json::from_slice::<Value>(&bytes)
        .ok()
        .filter(Value::is_object)
}

fn account_of(claims: &Value) -> Account {
    let auth = &claims[AUTH_CLAIM];
    Account {
        email: text_at(claims, "email").or_else(|| text_at(&claims[PROFILE_CLAIM], "email")),
        user_id: text_at(auth, "chatgpt_user_id").or_else(|| text_at(auth, "user_id")),
        account_id: text_at(auth, "chatgpt_account_id"),
    }
}

fn account_of_record(record: &Value) -> Account {
    Account {
        email: text_at(record, "email"),
        user_id: text_at(record, "chatgpt_user_id"),
        account_id: text_at(record, "account_id"),
    }
}

/// A key names nobody: eight hex digits of its hash tell two keys apart and give neither away.
fn account_of_key(key: &str) -> Account {
    let hash = Sha256::digest(key.as_bytes());
    let digits = fsutil::hex(hash.get(..4).unwrap_or_default());
    Account {
        user_id: Some(format!("apikey-{digits}")),
        ..Account::default()
    }
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    value[key]
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(claims: &Value) -> String {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.{}",
            encode(r#"{"alg":"none"}"#),
            encode(&claims.to_string()),
            encode("sig")
        )
    }

    fn chatgpt(claims: &Value, rest: &str) -> Result<Login, String> {
        parse(
            format!(
                r#"{{"tokens":{{"id_token":"{}","access_token":"x","refresh_token":"y"{rest}}}}}"#,
                token(claims)
            )
            .as_bytes(),
        )
    }

    fn claims() -> Value {
        serde_json::json!({"email": "alice@example.com", AUTH_CLAIM:
            {"chatgpt_user_id": "user-a", "chatgpt_account_id": "ws-1", "chatgpt_plan_type": "plus"}})
    }

    #[test]
    fn a_chatgpt_login_names_user_workspace_and_plan() {
        let login = chatgpt(&claims(), "").expect("reads");
        assert_eq!(login.account.email.as_deref(), Some("alice@example.com"));
        assert_eq!(login.account.user_id.as_deref(), Some("user-a"));
        assert_eq!(login.account.account_id.as_deref(), Some("ws-1"));
        assert_eq!(
            (login.plan_type.as_deref(), login.auth_mode.as_str()),
            (Some("plus"), "chatgpt")
        );
        assert!(!login.is_api_key());
    }

    #[test]
    fn a_renewal_is_due_before_the_end() {
        let now = Stamp::parse("2026-04-14T12:00:00Z").expect("a time");
        let due = |access: &str, last_refresh: &str| {
            let id = token(&claims());
            let text = format!(
                r#"{{"tokens":{{"id_token":"{id}","access_token":"{access}"}},"last_refresh":{last_refresh}}}"#
            );
            parse(text.as_bytes())
                .expect("reads")
                .is_due_for_renewal(now)
        };
        let ends_in = |seconds: i64| token(&serde_json::json!({"exp": now.unix() + seconds}));
        let (yesterday, long_ago) = (r#""2026-04-13T12:00:00Z""#, r#""2026-04-01T12:00:00Z""#);
        assert!(due(&ends_in(600), yesterday) && due(&ends_in(-5), yesterday));
        assert!(!due(&ends_in(601), long_ago));
        assert!(due("no token", long_ago) && due("no token", "null"));
        assert!(!due("no token", yesterday));
    }

    #[test]
    fn a_login_is_valid_to_the_end_of_its_access_token_and_then_as_its_refresh_token_allows() {
        let now = Stamp::parse("2026-04-14T12:00:00Z").expect("a time");
        let of = |text: &str| parse(text.as_bytes()).expect("reads").validity(now);
        let tokens = |access: &str, refresh: Value| {
            let tokens = serde_json::json!({"id_token": token(&claims()), "access_token": access, "refresh_token": refresh});
            of(&serde_json::json!({ "tokens": tokens }).to_string())
        };
        let ends_in = |seconds: i64| token(&serde_json::json!({"exp": now.unix() + seconds}));
        assert_eq!(tokens(&ends_in(1), Value::Null), Validity::Valid);
        for ended in [ends_in(0), "no token".to_owned()] {
            assert_eq!(tokens(&ended, "rt".into()), Validity::Renewable);
            for none in ["".into(), Value::Null, 7.into()] {
                assert_eq!(tokens(&ended, none), Validity::Expired);
            }
        }
        for key in [
            r#"{"OPENAI_API_KEY":"sk-x"}"#,
            r#"{"personal_access_token":"at-x"}"#,
            r#"{"agent_identity":{"email":"alice@example.com"}}"#,
        ] {
            assert_eq!(of(key), Validity::Valid);
        }
    }

    /// A login that was renewed then, with an id token and an access token issued then.
    fn issued(last_refresh: Option<&str>, id: Option<i64>, access: Option<i64>) -> Login {
        let mut of_id = claims();
        if let Some(id) = id {
            of_id["iat"] = id.into();
        }
        let access = access.map_or("x".to_owned(), |at| {
            token(&serde_json::json!({ "iat": at }))
        });
        let auth = serde_json::json!({"tokens": {"id_token": token(&of_id), "access_token": access},
            "last_refresh": last_refresh});
        parse(auth.to_string().as_bytes()).expect("reads")
    }

    #[test]
    fn the_fresher_login_is_told_by_its_renewal_and_then_by_its_tokens() {
        let latest = Stamp::parse("2026-04-14T12:00:00Z").expect("a time");
        let fresh = |last, id, access| issued(last, id, access).freshness(latest);
        let noon = latest.unix();
        // From the oldest to the newest, each by another sign.
        let order = [
            fresh(None, None, None),
            fresh(None, Some(noon - 900), None),
            fresh(None, Some(noon - 900), Some(noon - 800)),
            fresh(Some("2026-04-14T11:50:00Z"), None, None),
            fresh(Some("2026-04-14T11:50:00Z"), None, Some(noon - 600)),
            fresh(Some("2026-04-14T11:50:00.1Z"), None, None),
            fresh(Some("2026-04-14T13:50:00.25+02:00"), None, None),
            // Of a clock that was wrong: the tokens say when.
            fresh(Some("2027-01-01T00:00:00Z"), Some(noon - 500), None),
            fresh(Some("2026-04-14T11:59:00Z"), None, None),
        ];
        for pair in order.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// A renewal makes every login fresher than it was, whatever its tokens say of themselves.
        #[test]
        fn a_renewal_is_always_fresher(
            (first, later) in (0_i64..1_000_000_000, 1_i64..1_000_000_000),
            tokens in proptest::array::uniform4(proptest::option::of(0_i64..3_000_000_000)),
        ) {
            let latest = Stamp::parse("2096-01-01T00:00:00Z").expect("a time");
            let text = |nanos: i64| {
                let (seconds, nanos) = (1_700_000_000 + nanos / 1000, (nanos % 1000) * 1_000_000);
                let instant = chrono::DateTime::from_timestamp(seconds, u32::try_from(nanos).expect("fits"));
                instant.expect("a time").to_rfc3339()
            };
            let (old, new) = (text(first), text(first + later));
            let old = issued(Some(&old), tokens[0], tokens[1]);
            let new = issued(Some(&new), tokens[2], tokens[3]);
            prop_assert!(old.freshness(latest) < new.freshness(latest));
        }
    }

    #[test]
    fn missing_claims_fall_back() {
        let claims = serde_json::json!({PROFILE_CLAIM: {"email": "alice@example.com"}, AUTH_CLAIM: {"user_id": "user-a"}});
        let login = chatgpt(&claims, r#","account_id":"ws-9""#).expect("reads");
        assert_eq!(login.account.email.as_deref(), Some("alice@example.com"));
        assert_eq!(login.account.user_id.as_deref(), Some("user-a"));
        assert_eq!(login.account.account_id.as_deref(), Some("ws-9"));
    }

    #[test]
    fn the_mode_decides_and_without_one_codexs_order() {
        let token = token(&claims());
        let with = |rest: &str| {
            let text = format!(
                r#"{{"tokens":{{"id_token":"{token}"}},"OPENAI_API_KEY":"sk-made-up"{rest}}}"#
            );
            parse(text.as_bytes()).map(|login| (login.auth_mode.clone(), login.is_api_key()))
        };
        assert_eq!(
            with(r#","auth_mode":"chatgpt""#),
            Ok(("chatgpt".to_owned(), false))
        );
        assert_eq!(
            with(r#","auth_mode":"apikey""#),
            Ok(("apikey".to_owned(), true))
        );
        assert_eq!(with(""), Ok(("apikey".to_owned(), true)));
        assert_eq!(
            with(r#","personal_access_token":"at-x""#),
            Ok(("personalAccessToken".to_owned(), true))
        );
        assert_eq!(
            with(r#","auth_mode":"agentIdentity""#),
            Err("it holds no login".to_owned())
        );
        assert_eq!(
            parse(br#"{"agent_identity":{}}"#),
            Err("it names nobody".to_owned())
        );
    }

    #[test]
    fn an_api_key_is_an_account_that_gives_nothing_away() {
        let login = parse(br#"{"OPENAI_API_KEY":"sk-made-up-key"}"#).expect("reads");
        assert!(login.is_api_key());
        assert_eq!(login.auth_mode, "apikey");
        let user = login.account.user_id.expect("a user");
        assert!(user.starts_with("apikey-") && user.len() == 15 && !user.contains("made"));
    }

    #[test]
    fn what_is_no_login_says_why_without_quoting_it() {
        for (text, reason) in [
            ("", "it is empty"),
            ("{}", "it holds no login"),
            (
                r#"{"tokens":{"id_token":"secret-token"}}"#,
                "its id_token cannot be read",
            ),
            (
                r#"{"tokens":"secret-token"}"#,
                "it is no login of Codex (line 1, column 24)",
            ),
            (
                r#"{"tokens":{"id_token":"e30.e30.e30"}}"#,
                "it names nobody",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(reason.to_owned()), "{text}");
        }
    }
}
