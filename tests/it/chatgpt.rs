//! A ChatGPT back end of the tests' own, on this machine alone: what the real Codex asks for when it is asked whose
//! login it has and how much quota is left, to sign somebody in who types a code elsewhere, and to say a word in a turn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::common::{Env, Person, SECRET};

/// Minutes of the windows that Codex names.
pub const FIVE_HOURS: i64 = 300;
pub const WEEK: i64 = 10_080;
pub const MONTH: i64 = 43_200;

/// Seconds since 1970 on the machine's clock, which Codex reads too.
pub fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_secs()).expect("in range")
}

/// One rate limit window as the back end has it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub minutes: i64,
    /// Percent used.
    pub used: i32,
    /// Seconds since 1970.
    pub resets_at: i64,
}

impl Window {
    fn payload(window: Option<&Self>) -> Value {
        window.map_or(Value::Null, |window| {
            json!({
                "used_percent": window.used,
                "limit_window_seconds": window.minutes * 60,
                "reset_after_seconds": (window.resets_at - unix_now()).max(0),
                "reset_at": window.resets_at,
            })
        })
    }
}

/// A limit beside the one that counts, of one model.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub id: &'static str,
    pub name: &'static str,
    pub primary: Option<Window>,
    pub secondary: Option<Window>,
}

/// What ChatGPT knows of a person, and how it answers for them.
#[derive(Clone, Debug)]
pub struct Account {
    pub person: Person,
    pub primary: Option<Window>,
    pub secondary: Option<Window>,
    pub additional: Vec<Bucket>,
    pub credits: Value,
    /// The plan that usage is reported for, where it is not the login's.
    pub usage_plan: Option<&'static str>,
    /// The HTTP status of usage.
    pub usage_status: u16,
    /// The body of usage where its status is not 200.
    pub usage_body: Value,
    pub usage_delay: Duration,
    /// The code of OAuth that every refresh is refused with.
    pub refresh_error: Option<&'static str>,
    pub refresh_delay: Duration,
    /// The HTTP status of the question which workspaces the login may use.
    pub check_status: u16,
}

impl Account {
    /// Signed up, with no limits.
    pub fn of(person: &Person) -> Self {
        Self {
            person: person.clone(),
            primary: None,
            secondary: None,
            additional: Vec::new(),
            credits: Value::Null,
            usage_plan: None,
            usage_status: 200,
            usage_body: json!({"detail": "made up"}),
            usage_delay: Duration::ZERO,
            refresh_error: None,
            refresh_delay: Duration::ZERO,
            check_status: 200,
        }
    }

    fn usage(&self) -> Value {
        let limit = |primary: Option<&Window>, secondary: Option<&Window>| {
            let full = [primary, secondary]
                .into_iter()
                .flatten()
                .any(|w| w.used >= 100);
            json!({
                "allowed": !full,
                "limit_reached": full,
                "primary_window": Window::payload(primary),
                "secondary_window": Window::payload(secondary),
            })
        };
        let additional: Vec<Value> = self
            .additional
            .iter()
            .map(|bucket| {
                json!({
                    "limit_name": bucket.name,
                    "metered_feature": bucket.id,
                    "rate_limit": limit(bucket.primary.as_ref(), bucket.secondary.as_ref()),
                })
            })
            .collect();
        json!({
            "user_id": self.person.user,
            "account_id": self.person.workspace,
            "email": self.person.email,
            "plan_type": self.usage_plan.unwrap_or(&self.person.plan),
            "rate_limit": limit(self.primary.as_ref(), self.secondary.as_ref()),
            "credits": self.credits,
            "spend_control": null,
            "additional_rate_limits": additional,
            "rate_limit_reached_type": null,
            "rate_limit_reset_credits": {"available_count": 0},
        })
    }
}

/// What stands in `auth.json`.
#[derive(Clone, Copy, Debug)]
pub enum Login {
    /// Everything in order.
    Valid,
    /// The access token has expired, the refresh token has not been used.
    Expired,
    /// The access token is good, somebody else has used the refresh token.
    RefreshUsed,
    /// The access token has expired, and somebody else has used the refresh token.
    Dead,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Without what follows a `?`.
    pub path: String,
    /// Whose access token came with it.
    pub user: Option<String>,
    pub status: u16,
    /// The code of OAuth it was refused with.
    pub refused: Option<&'static str>,
}

/// The back end. It ends when dropped.
pub struct ChatGpt {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    accounts: Vec<Account>,
    /// Counts the logins that were given out.
    serial: u64,
    /// Whose refresh token each is, until it is used.
    refresh_tokens: BTreeMap<String, (String, String)>,
    used: BTreeSet<String>,
    /// The last serial of a user whose access token answers 401.
    revoked: BTreeMap<String, u64>,
    /// Who signs in with the next code.
    visitor: Option<Person>,
    log: Vec<Asked>,
    externals: Vec<String>,
    open: Vec<TcpStream>,
}

impl ChatGpt {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let of_listener = Arc::clone(&shared);
        let listening = std::thread::spawn(move || listen(&listener, &of_listener));
        Self {
            address,
            shared,
            listening: Some(listening),
        }
    }

    /// Adds an account, or changes what is known of it, also while Codex runs.
    pub fn set(&self, account: Account) {
        let mut state = self.shared.state();
        state.accounts.retain(|known| {
            (&known.person.user, &known.person.workspace)
                != (&account.person.user, &account.person.workspace)
        });
        state.accounts.push(account);
    }

    /// Whoever runs `codex login --device-auth` with these arguments next is this person, and types the code at once.
    pub fn lets_in(&self, person: &Person) -> [String; 3] {
        self.shared.state().visitor = Some(person.clone());
        let issuer = format!("http://{}", self.address);
        [
            "--device-auth".to_owned(),
            "--experimental_issuer".to_owned(),
            issuer,
        ]
    }

    /// Every access token this person has answers 401 from now on; their refresh tokens work.
    pub fn revoke(&self, person: &Person) {
        let mut state = self.shared.state();
        let serial = state.serial;
        state.revoked.insert(person.user.clone(), serial);
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Asked> {
        self.shared.state().log.clone()
    }

    /// How often a path that ends so was asked for.
    pub fn count(&self, ending: &str) -> usize {
        let log = self.log();
        log.iter()
            .filter(|asked| asked.path.ends_with(ending))
            .count()
    }

    /// Whatever a proxy was asked for: nothing may be asked of another machine.
    pub fn externals(&self) -> Vec<String> {
        self.shared.state().externals.clone()
    }

    /// Signs this person in at `~/.codex`, as Codex would have written it, with a configuration that asks us alone.
    pub fn sign_in(&self, env: &Env, person: &Person, login: Login) {
        let expires = match login {
            Login::Valid | Login::RefreshUsed => unix_now() + 864_000,
            Login::Expired | Login::Dead => unix_now() - 60,
        };
        let mut state = self.shared.state();
        let tokens = state.issue(
            &person.user,
            &person.workspace,
            &person.email,
            &person.plan,
            expires,
        );
        if matches!(login, Login::RefreshUsed | Login::Dead) {
            let refresh = tokens["refresh_token"]
                .as_str()
                .expect("a token")
                .to_owned();
            state.refresh_tokens.remove(&refresh);
            state.used.insert(refresh);
        }
        drop(state);
        let mut tokens = tokens;
        tokens["account_id"] = json!(person.workspace);
        let auth = json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": tokens,
            // Old releases renew whatever is older than a week, and ask nobody here.
            "last_refresh": (chrono::Utc::now() - chrono::TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Nanos, true),
        });
        self.configure(env);
        write_auth(env, &auth);
    }

    /// A good access token of this person's, as a program may have it in its environment.
    pub fn access_token(&self, person: &Person) -> String {
        let expires = unix_now() + 864_000;
        let mut state = self.shared.state();
        let tokens = state.issue(
            &person.user,
            &person.workspace,
            &person.email,
            &person.plan,
            expires,
        );
        tokens["access_token"].as_str().expect("a token").to_owned()
    }

    /// An API key in place of a person.
    pub fn sign_in_with_key(&self, env: &Env) {
        self.configure(env);
        let auth = json!({"auth_mode": "apikey", "OPENAI_API_KEY": format!("sk-{SECRET}")});
        write_auth(env, &auth);
    }

    /// A Codex home whose configuration asks us alone, with nobody signed in.
    pub fn configure(&self, env: &Env) {
        let port = self.address.port();
        // The two must not look like one origin, or Codex leads turns elsewhere.
        let config = format!(
            "chatgpt_base_url = \"http://127.0.0.1:{port}/backend-api\"\n\
             openai_base_url = \"http://localhost:{port}/backend-api/codex\"\n\
             cli_auth_credentials_store = \"file\"\n\
             check_for_update_on_startup = false\n\
             \n[analytics]\nenabled = false\n\
             \n[feedback]\nenabled = false\n"
        );
        env.write(".codex/config.toml", &config);
    }

    /// Has whatever `command` starts ask us, and only us.
    pub fn reach(&self, command: &mut Command) {
        let itself = format!("http://{}", self.address);
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(proxy, &itself);
            command.env(proxy.to_lowercase(), &itself);
        }
        command
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .env(
                "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
                format!("{itself}/oauth/token"),
            )
            .env(
                "CODEX_REVOKE_TOKEN_URL_OVERRIDE",
                format!("{itself}/oauth/revoke"),
            );
    }
}

impl Drop for ChatGpt {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // A thread that waits for a connection looks up at the next one.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        for stream in self.shared.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn write_auth(env: &Env, auth: &Value) {
    let text = serde_json::to_string_pretty(auth).expect("serializes");
    let path = env.write(".codex/auth.json", &text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let owners = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, owners).expect("sets");
    }
    #[cfg(not(unix))]
    let _ = path;
}

impl State {
    /// Tokens never given out before, as they stand in `auth.json` and in the answer to a refresh.
    fn issue(
        &mut self,
        user: &str,
        workspace: &str,
        email: &str,
        plan: &str,
        expires: i64,
    ) -> Value {
        self.serial += 1;
        let serial = self.serial;
        let ids = json!({
            "chatgpt_account_id": workspace,
            "chatgpt_plan_type": plan,
            "chatgpt_user_id": user,
            "user_id": user,
        });
        let claims = |audience: &str| {
            json!({
                "iss": "https://auth.openai.com",
                "sub": format!("auth0|{user}"),
                "aud": [audience],
                "iat": unix_now() - 3600,
                "exp": expires,
                "jti": serial.to_string(),
                "https://api.openai.com/auth": ids,
            })
        };
        let mut id = claims("app_made_up");
        id["email"] = json!(email);
        let mut access = claims("https://api.openai.com/v1");
        access["https://api.openai.com/profile"] = json!({"email": email});
        let refresh = format!("rt_{SECRET}_{user}_{serial}");
        self.refresh_tokens
            .insert(refresh.clone(), (user.to_owned(), workspace.to_owned()));
        json!({
            "id_token": jwt(&id),
            "access_token": jwt(&access),
            "refresh_token": refresh,
        })
    }

    fn account(&self, user: &str, workspace: &str) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|known| known.person.user == user && known.person.workspace == workspace)
    }

    /// Whose access token came with a request; else the body of a 401.
    fn caller(&self, request: &Request) -> Result<Account, Value> {
        let unauthorized = json!({"detail": "Unauthorized"});
        let (Some(claims), Some((user, workspace))) = (request.claims(), request.ids()) else {
            return Err(unauthorized);
        };
        if request
            .headers
            .get("chatgpt-account-id")
            .is_some_and(|named| *named != workspace)
        {
            return Err(unauthorized);
        }
        let serial: u64 = claims["jti"]
            .as_str()
            .and_then(|jti| jti.parse().ok())
            .unwrap_or(0);
        if claims["exp"].as_i64().unwrap_or(0) <= unix_now() {
            return Err(json!({
                "error": {
                    "message": "Provided authentication token is expired. Please try signing in again.",
                    "type": null,
                    "code": "token_expired",
                    "param": null,
                },
                "status": 401,
            }));
        }
        if self.revoked.get(&user).is_some_and(|last| serial <= *last) {
            return Err(json!({
                "error": {
                    "message": "Encountered invalidated oauth token for user, failing request",
                    "code": "token_revoked",
                },
                "status": 401,
            }));
        }
        self.account(&user, &workspace).cloned().ok_or(unauthorized)
    }

    /// The login of whoever typed the code.
    fn visit(&mut self) -> (u16, Value) {
        let Some(person) = self.visitor.take() else {
            return (403, json!({"detail": "nobody typed the code"}));
        };
        let expires = unix_now() + 864_000;
        let (user, workspace) = (&person.user, &person.workspace);
        (
            200,
            self.issue(user, workspace, &person.email, &person.plan, expires),
        )
    }

    /// The answer to a refresh: status, body, code of OAuth where refused.
    fn refresh(&mut self, token: &str) -> (u16, Value, Option<&'static str>) {
        let refused = |code: &'static str, message: &str| {
            let body = json!({"error": {
                "message": message,
                "type": "invalid_request_error",
                "param": null,
                "code": code,
            }});
            (401, body, Some(code))
        };
        if self.used.contains(token) {
            return refused(
                "refresh_token_reused",
                "Your refresh token has already been used to generate a new access token. Please try signing in again.",
            );
        }
        let known = self.refresh_tokens.get(token);
        let account = known.and_then(|(user, workspace)| self.account(user, workspace));
        let Some(account) = account.cloned() else {
            return refused(
                "refresh_token_invalidated",
                "Your session has ended. Please log in again.",
            );
        };
        if let Some(code) = account.refresh_error {
            return refused(code, "made up");
        }
        self.refresh_tokens.remove(token);
        self.used.insert(token.to_owned());
        let person = &account.person;
        let expires = unix_now() + 864_000;
        let body = self.issue(
            &person.user,
            &person.workspace,
            &person.email,
            &person.plan,
            expires,
        );
        (200, body, None)
    }
}

/// The signature is no signature: nobody looks at it but the check that no token is printed.
fn jwt(claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({"alg": "RS256", "typ": "JWT"}));
    format!("{header}.{}.{SECRET}", encode(claims))
}

struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// The next one on a connection; None at its end.
    fn read(from: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        if headers
            .get("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"))
        {
            loop {
                let mut size = String::new();
                from.read_line(&mut size).ok()?;
                let digits = size.trim().split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(digits, 16).ok()?;
                from.by_ref().take(size).read_to_end(&mut body).ok()?;
                let mut end = String::new();
                from.read_line(&mut end).ok()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = headers.get("content-length") {
            let length = length.parse().ok()?;
            from.by_ref().take(length).read_to_end(&mut body).ok()?;
        }
        Some(Self {
            method,
            target,
            headers,
            body,
        })
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What the access token says.
    fn claims(&self) -> Option<Value> {
        let token = self.headers.get("authorization")?.strip_prefix("Bearer ")?;
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    /// The user and the workspace that it says.
    fn ids(&self) -> Option<(String, String)> {
        let claims = self.claims()?;
        let ids = &claims["https://api.openai.com/auth"];
        let of = |key: &str| ids[key].as_str().map(str::to_owned);
        of("chatgpt_user_id").zip(of("chatgpt_account_id"))
    }

    fn is_for_a_proxy(&self) -> bool {
        self.method == "CONNECT" || !self.target.starts_with('/')
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(kept) = stream.try_clone() else {
            continue;
        };
        shared.state().open.push(kept);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || serve(&stream, &shared));
    }
}

/// Answers everything on one connection.
fn serve(stream: &TcpStream, shared: &Shared) {
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let mut reading = BufReader::new(reading);
    let mut writing = stream;
    while let Some(request) = Request::read(&mut reading) {
        let is_for_a_proxy = request.is_for_a_proxy();
        let (status, body) = if is_for_a_proxy {
            shared.state().externals.push(request.target.clone());
            (403, json!({"detail": "this machine only"}))
        } else {
            answer(&request, shared)
        };
        let (kind, body) = match body {
            Value::String(events) => ("text/event-stream", events),
            document => ("application/json", document.to_string()),
        };
        let answer = format!(
            "HTTP/1.1 {status} {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            reason(status),
            body.len()
        );
        if writing.write_all(answer.as_bytes()).is_err() || is_for_a_proxy {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        _ => "Made Up",
    }
}

/// Status and body, with the request in the log before they are sent.
fn answer(request: &Request, shared: &Shared) -> (u16, Value) {
    let mut state = shared.state();
    let mut delay = Duration::ZERO;
    let mut refused = None;
    let (status, body) = match request.path() {
        "/api/accounts/deviceauth/usercode" => (
            200,
            json!({"device_auth_id": "made-up", "user_code": "MADE-UP", "interval": "1"}),
        ),
        "/api/accounts/deviceauth/token" => (
            200,
            json!({"authorization_code": "made-up", "code_challenge": "made-up", "code_verifier": "made-up"}),
        ),
        "/oauth/token" if request.body.starts_with(b"grant_type=authorization_code&") => {
            state.visit()
        }
        "/oauth/token" => {
            let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let token = asked["refresh_token"].as_str().unwrap_or_default();
            if let Some((user, workspace)) = state.refresh_tokens.get(token)
                && let Some(account) = state.account(user, workspace)
            {
                delay = account.refresh_delay;
            }
            let (status, body, code) = state.refresh(token);
            refused = code;
            (status, body)
        }
        "/oauth/revoke" => (200, json!({})),
        _ if request.headers.contains_key("upgrade") => {
            (426, json!({"detail": "no websockets here"}))
        }
        path => {
            if path.ends_with("/usage")
                && let Some((user, workspace)) = request.ids()
                && let Some(account) = state.account(&user, &workspace)
            {
                delay = account.usage_delay;
            }
            match state.caller(request) {
                Ok(account) => of_account(path, &account),
                Err(body) => (401, body),
            }
        }
    };
    state.log.push(Asked {
        path: request.path().to_owned(),
        user: request.ids().map(|(user, _)| user),
        status,
        refused,
    });
    drop(state);
    std::thread::sleep(delay);
    (status, body)
}

/// What somebody who is signed in can ask for.
fn of_account(path: &str, account: &Account) -> (u16, Value) {
    let below = ["/backend-api/wham/", "/api/codex/", "/wham/"]
        .into_iter()
        .find_map(|above| path.strip_prefix(above));
    match below {
        Some("usage") if account.usage_status == 200 => (200, account.usage()),
        Some("usage") => (account.usage_status, account.usage_body.clone()),
        Some("accounts/check") if account.check_status != 200 => {
            (account.check_status, json!({"detail": "made up"}))
        }
        Some("accounts/check") => {
            let workspace = &account.person.workspace;
            // Codex takes no origin but https; nobody goes there.
            let entry = json!({
                "id": workspace,
                "account_id": workspace,
                "name": null,
                "profile_picture_url": null,
                "plan_type": account.person.plan,
                "workspace_backend_origin": "https://127.0.0.1:1",
                "account_routing_override": "NO_CONSTRAINT",
                "structure": "personal",
            });
            let body = json!({
                "accounts": [entry],
                "account_ordering": [workspace],
                "default_account_id": workspace,
            });
            (200, body)
        }
        Some("rate-limit-reset-credits") => (200, json!({"available_count": 0, "credits": []})),
        Some("config/bundle") => (200, json!({})),
        Some("workspace-messages") => (200, json!({"messages": []})),
        _ if path.ends_with("/models") => (200, json!({"models": []})),
        _ if path.ends_with("/responses") => (200, Value::String(turn())),
        _ => (404, json!({"detail": "Not Found"})),
    }
}

/// One word of the model, as the events of a turn.
fn turn() -> String {
    let said = json!({
        "type": "message",
        "id": "msg_made_up",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hello", "annotations": []}],
    });
    let usage = json!({
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    });
    let response =
        json!({"id": "resp_made_up", "status": "completed", "output": [said], "usage": usage});
    let events = [
        json!({"type": "response.created", "response": {"id": "resp_made_up", "status": "in_progress"}}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": said}),
        json!({"type": "response.completed", "response": response}),
    ];
    let lines = events.iter().map(|event| {
        let kind = event["type"].as_str().expect("a kind");
        format!("event: {kind}\ndata: {event}\n\n")
    });
    lines.collect()
}

/// What comes back for this text on one connection, until the other side has no more to say.
fn raw(chatgpt: &ChatGpt, text: &str) -> String {
    let mut stream = TcpStream::connect(chatgpt.address).expect("connects");
    stream.write_all(text.as_bytes()).expect("writes");
    stream.shutdown(Shutdown::Write).expect("ends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    answer
}

/// The statuses in what came back.
fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines
        .map(|answer| answer.get(..3).expect("a status"))
        .collect()
}

#[test]
fn connections_are_kept_and_bodies_may_come_in_chunks() {
    let chatgpt = ChatGpt::start();
    let alice = Person::named("alice");
    chatgpt.set(Account::of(&alice));
    let access = chatgpt.access_token(&alice);
    let usage = format!(
        "GET /backend-api/wham/usage?made=up HTTP/1.1\r\nAuthorization: Bearer {access}\r\n\r\n"
    );
    let refresh = format!("{{\"refresh_token\":\"rt_{SECRET}_{}_1\"}}", alice.user);
    let (one, other) = refresh.split_at(7);
    let refresh = format!(
        "POST /oauth/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
        one.len(),
        other.len()
    );
    let upgrade = "GET /backend-api/made/up HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let answers = raw(
        &chatgpt,
        &[&usage, &refresh, &refresh, upgrade, &usage].concat(),
    );
    assert_eq!(statuses(&answers), ["200", "200", "401", "426", "200"]);
    let asked: Vec<_> = chatgpt
        .log()
        .into_iter()
        .map(|asked| (asked.path, asked.user, asked.status, asked.refused))
        .collect();
    let usage = (
        "/backend-api/wham/usage".to_owned(),
        Some(alice.user.clone()),
        200,
        None,
    );
    assert_eq!(
        asked,
        [
            usage.clone(),
            ("/oauth/token".to_owned(), None, 200, None),
            (
                "/oauth/token".to_owned(),
                None,
                401,
                Some("refresh_token_reused")
            ),
            ("/backend-api/made/up".to_owned(), None, 426, None),
            usage
        ]
    );
    chatgpt.revoke(&alice);
    let usage = format!("GET /api/codex/usage HTTP/1.1\r\nAuthorization: Bearer {access}\r\n\r\n");
    assert_eq!(statuses(&raw(&chatgpt, &usage)), ["401"]);
}

#[test]
fn it_is_no_proxy_and_ends_when_dropped() {
    let chatgpt = ChatGpt::start();
    let connect = "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";
    let plain = "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n";
    for request in [connect, plain] {
        assert_eq!(statuses(&raw(&chatgpt, request)), ["403"]);
    }
    assert_eq!(
        chatgpt.externals(),
        ["example.com:443", "http://example.com/"]
    );
    assert!(chatgpt.log().is_empty());
    let mut open = TcpStream::connect(chatgpt.address).expect("connects");
    drop(chatgpt);
    // The port itself may be another test's by now.
    assert_eq!(open.read(&mut [0; 8]).unwrap_or(0), 0);
}
