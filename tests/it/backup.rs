//! `backup`: what is captured, what is refused and how it is told, and that a failure leaves nothing behind.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Env, Person, Ran, SECRET};

const BACKUPS: &str = ".codex-manager/backups";
const BASE: &str = ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex";
const RESET: &str = "15:55 on 21 Apr";
const NO_WINDOW_HINT: &str = "hint: run `/status` in Codex until it shows the weekly limit, and pass that text on; or say `--offline` to take the last known window\n";
const NO_SOURCE: &str = "error: codex is not installed: there is no `codex` on PATH\nhint: install Codex, or say where it is with `--codex-command` or `codex-manager config set codex_command PATH`; or say `--offline` to take the last known window\n";
const OFFLINE_UNKNOWN: &str = "error: no window of alice@example.com is known yet; there are no rate limits in the session files of `~/.codex`\nhint: make a first backup without `--offline`, or run `codex-manager normalize` on legacy files\n";
const FROM_FILE: [&str; 3] = ["backup", "--status-file", "status.txt"];

/// A world with alice signed in and her status at hand.
fn world() -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, RESET));
    (env, alice)
}

/// What an archive holds, in its order; directories end in `/`. Its own description is left out.
fn archived(path: &Path) -> Vec<(String, String)> {
    let file = fs::File::open(path).expect("opens");
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let mut entries = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let mut name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_dir() && !name.ends_with('/') {
            name.push('/');
        }
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("text");
        if !name.ends_with(".metadata.json") {
            entries.push((name, content));
        }
    }
    entries
}

fn names(path: &Path) -> Vec<String> {
    archived(path).into_iter().map(|(name, _)| name).collect()
}

/// The text without the sizes behind the count of files: an archive's length depends on the machine's name.
fn without_sizes(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once(", ") {
            Some((count, _)) if line.starts_with("files") => format!("{count}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[track_caller]
fn created(ran: &Ran, files: u32, rest: &str) {
    assert_eq!(
        without_sizes(&ran.stdout),
        format!(
            "created   ~/{BASE}.tar.gz\naccount   alice@example.com (plus)\nwindow    2026-04-14T15:55:00+05:30 to \
             2026-04-21T15:55:00+05:30, 66% left\nfiles     {files}\n{rest}"
        )
    );
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn a_snapshot_and_its_sidecar() {
    let (env, alice) = world();
    let ran = env.run(&FROM_FILE).code(0).stderr("");
    assert!(ran.stdout.contains("\nfiles     5, "), "{}", ran.stdout);
    created(&ran, 5, "");
    assert_eq!(
        env.files(".codex-manager"),
        [
            "backups/2026-04-14-155500-alice@example.com-codex.metadata.json",
            "backups/2026-04-14-155500-alice@example.com-codex.tar.gz",
            "cooldown.json",
            "lock",
            "machine-id",
            "profiles/alice/auth.json",
            "profiles/alice/profile.toml"
        ]
    );
    let archive = env.path(&format!("{BASE}.tar.gz"));
    let inside = archived(&archive);
    let paths: Vec<&str> = inside.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        paths,
        [
            "auth.json",
            "config.toml",
            "history.jsonl",
            "installation_id",
            "sessions/",
            "sessions/2026/",
            "sessions/2026/04/",
            "sessions/2026/04/14/",
            "sessions/2026/04/14/rollout-1.jsonl"
        ]
    );
    assert_eq!(inside[0].1, alice.auth_json());
    let text = env.read(&format!("{BASE}.metadata.json"));
    assert!(!text.contains(SECRET) && !env.read(".codex-manager/cooldown.json").contains(SECRET));
    let mut sidecar: Value = serde_json::from_str(&text).expect("JSON");
    let bytes = fs::read(&archive).expect("reads");
    let hash = sha256(&bytes);
    let fields = sidecar.as_object_mut().expect("an object");
    assert_eq!(fields.remove("archive_sha256"), Some(hash.into()));
    assert_eq!(
        fields.remove("archive_size_bytes"),
        Some(bytes.len().into())
    );
    let total: usize = inside.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(fields.remove("total_bytes"), Some(total.into()));
    for of_machine in ["hostname", "content_sha256", "plan_sha256"] {
        assert!(fields.remove(of_machine).is_some_and(|v| v.is_string()));
    }
    assert_eq!(
        sidecar,
        json!({
            "product": "codex",
            "schema_version": 1,
            "email": "alice@example.com",
            "account_id": "ws-alice",
            "user_id": "user-alice",
            "plan_type": "plus",
            "auth_mode": "chatgpt",
            "login_refreshed_at": "2026-04-14T17:55:00+05:30",
            "session_start_at": "2026-04-14T15:55:00+05:30",
            "next_available_at": "2026-04-21T15:55:00+05:30",
            "reset_at": "2026-04-21T15:55:00+05:30",
            "window_state": "running",
            "quota_end_detected_at": null,
            "inferred_session_duration_seconds": null,
            "inference_basis": null,
            "legacy_auth_filename": null,
            "legacy_quota_day_token": null,
            "quota_percent_left": 66,
            "quota_text": "[█████████████░░░░░░░] 66% left (resets 15:55 on 21 Apr)",
            "limits": [
                {"name": "Weekly limit", "window_minutes": 10080, "percent_left": 66,
                 "reset_at": "2026-04-21T15:55:00+05:30"},
                {"name": "5h limit", "window_minutes": 300, "percent_left": 88,
                 "reset_at": "2026-04-19T17:40:00+05:30"},
            ],
            "status_source": "status-file",
            "observed_at": "2026-04-19T15:30:00+05:30",
            "validation_status": "ok",
            "backup_mode": "full",
            "archive_name": "2026-04-14-155500-alice@example.com-codex.tar.gz",
            "archive_format": 2,
            "file_count": 5,
            "captured_files": ["auth.json", "config.toml", "history.jsonl", "installation_id", "sessions/"],
            "excluded_patterns": [],
            "not_captured": [],
            "source_codex_home": env.path(".codex").display().to_string(),
            "codex_version": null,
            "created_at": "2026-04-19T15:30:00+05:30",
            "manager_version": env!("CARGO_PKG_VERSION"),
        })
    );
}

#[test]
fn json_is_one_document_with_the_sidecar_in_it() {
    let (env, _) = world();
    let answer = env
        .run(&["--json", "backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("")
        .json();
    let sidecar: Value =
        serde_json::from_str(&env.read(&format!("{BASE}.metadata.json"))).expect("JSON");
    // `~` stands for HOME in what the program printed.
    let sidecar: Value = serde_json::from_str(
        &sidecar
            .to_string()
            .replace(&env.home().display().to_string(), "~"),
    )
    .expect("JSON");
    assert_eq!(
        answer,
        json!({
            "archive": format!("~/{BASE}.tar.gz"),
            "metadata": format!("~/{BASE}.metadata.json"),
            "mode": "created",
            "superseded": null,
            "snapshot": sidecar,
        })
    );
}

/// Runs and expects a refusal that writes no snapshot at all.
#[track_caller]
fn refused(env: &Env, args: &[&str], code: i32, stderr: &str) {
    env.run(args).code(code).stdout("").stderr(stderr);
    assert_eq!(env.files(BACKUPS), Vec::<String>::new());
}

#[test]
fn without_a_window_of_this_account_nothing_is_written() {
    let (env, alice) = world();
    refused(&env, &["backup"], 14, NO_SOURCE);
    refused(&env, &["backup", "--offline"], 14, OFFLINE_UNKNOWN);
    env.write("status.txt", &Person::named("bob").panel(66, RESET));
    refused(
        &env,
        &FROM_FILE,
        12,
        "error: the status is of the account `bob@example.com`, the login in auth.json is of `alice@example.com`\nhint: take the status again with the account that is signed in now\n",
    );
    let head = "  >_ OpenAI Codex (v0.169.0)\n\n  Account:             alice@example.com (Plus)\n";
    let weekly = |reset: &str| {
        format!("{head}  Weekly limit:        [████████████████████] 66% left{reset}\n")
    };
    for (text, reason) in [
        (String::new(), "the text is empty"),
        ("\n \n".to_owned(), "the text is empty"),
        (
            "bash: codex: command not found\n".to_owned(),
            "there is no status panel in the text",
        ),
        (head.to_owned(), "the status panel shows no limits"),
        (
            format!("{head}  5h limit:            [██] 88% left (resets 17:40)\n"),
            "it shows only the 5h limit",
        ),
        (
            format!("{head}  Monthly limit:       [██] 88% left (resets 17:40 on 2 May)\n"),
            "it shows only the monthly limit",
        ),
        (
            format!("{head}  Limits:              data not available yet\n"),
            "codex says \"data not available yet\"",
        ),
        (
            format!("{head}  Limits:              not available for this account\n"),
            "codex says \"not available for this account\"",
        ),
        (weekly(""), "the weekly limit shows no reset time"),
        (
            weekly(" (resets soon)"),
            "the weekly limit's reset, `soon`, is no time",
        ),
        (
            weekly(" (resets 10:00 on 31 Apr)"),
            "the weekly limit's reset, `10:00 on 31 Apr`, is no date of that year",
        ),
        (
            weekly(" (resets 15:55 on 17 Apr)"),
            "the weekly limit's reset, `15:55 on 17 Apr`, is past or more than 8 days after 2026-04-19 15:30: the text is stale or from another time; run /status anew",
        ),
    ] {
        env.write("status.txt", &text);
        refused(
            &env,
            &FROM_FILE,
            14,
            &format!("error: no live status in `status.txt`: {reason}\n{NO_WINDOW_HINT}"),
        );
    }
    env.run_with_input(&["backup", "--status-file", "-"], head)
        .code(14)
        .stdout("")
        .stderr(&format!(
            "error: no live status in standard input: the status panel shows no limits\n{NO_WINDOW_HINT}"
        ));
    refused(
        &env,
        &["--json", "backup", "--offline"],
        14,
        "{\"error\":{\"kind\":\"no-status\",\"message\":\"no window of alice@example.com is known yet; there are no rate limits in the session files of `~/.codex`\",\"hint\":\"make a first backup without `--offline`, or run `codex-manager normalize` on legacy files\"}}\n",
    );
    // The workspace tells accounts of one email apart.
    let other = format!(
        "{}  ChatGPT workspace:   Acme (22222222-2222-4222-8222-222222222222)\n",
        alice.panel(66, RESET)
    );
    env.write("status.txt", &other);
    refused(
        &env,
        &FROM_FILE,
        12,
        "error: the status is of the workspace `22222222-2222-4222-8222-222222222222`, the login in auth.json is of `ws-alice`\nhint: take the status again with the account that is signed in now\n",
    );
}

#[test]
fn usage_and_missing_files_are_told_with_the_next_step() {
    let (env, alice) = world();
    refused(
        &env,
        &["backup", "--status-file", "none.txt"],
        1,
        "error: cannot read the status text `none.txt`: no such file or directory\nhint: check the path for a typing mistake\n",
    );
    refused(
        &env,
        &["backup", "--status-file", "status.txt", "--exclude", "["],
        2,
        "error: the pattern `[` cannot be used: unclosed character class; missing ']'\nhint: write it as in `--exclude 'sessions/**'`\n",
    );
    for conflict in [
        ["--offline", "--status-file=status.txt"],
        ["--offline", "--status-command=true"],
        ["--status-command=true", "--status-file=status.txt"],
    ] {
        let ran = env
            .run(&["backup", conflict[0], conflict[1]])
            .code(2)
            .stdout("");
        assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
    let with_source =
        |dir: &'static str| ["backup", "--status-file", "status.txt", "--source-dir", dir];
    refused(
        &env,
        &with_source("nowhere"),
        1,
        "error: there is no Codex home at `~/nowhere`\nhint: start Codex once and sign in, or say where its home is with `--source-dir` or CODEX_HOME\n",
    );
    refused(
        &env,
        &with_source("status.txt"),
        1,
        "error: cannot read `~/status.txt/auth.json`: not a directory\nhint: a part of that path is a file; name a directory\n",
    );
    fs::create_dir(env.path("empty")).expect("makes");
    refused(
        &env,
        &with_source("empty"),
        1,
        "error: nobody is signed in: `~/empty/auth.json` does not exist\nhint: sign in with `CODEX_HOME=~/empty codex login`; if Codex keeps logins in the system's keyring, set `cli_auth_credentials_store = \"file\"` in its config.toml\n",
    );
    let no_id_token = json!({"tokens": {"access_token": SECRET}}).to_string();
    let nobody = json!({"tokens": {"id_token": "e30.e30.x"}}).to_string();
    for (text, reason) in [
        ("", "it is empty"),
        (
            "garbage made-up-secret",
            "it is no login of Codex (line 1, column 1)",
        ),
        ("{}", "it holds no login"),
        (no_id_token.as_str(), "its id_token cannot be read"),
        (nobody.as_str(), "it names nobody"),
    ] {
        env.write(".codex/auth.json", text);
        refused(
            &env,
            &FROM_FILE,
            1,
            &format!(
                "error: cannot tell whose login `~/.codex/auth.json` is: {reason}\nhint: sign in with Codex, or restore a snapshot\n"
            ),
        );
    }
    // Where a torn file ends depends on the length of a token.
    let whole = alice.auth_json();
    env.write(".codex/auth.json", &whole[..whole.len() / 2]);
    let ran = env.run(&FROM_FILE).code(1).stdout("");
    assert!(
        ran.stderr.starts_with(
            "error: cannot tell whose login `~/.codex/auth.json` is: it is no login of Codex (line "
        ),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_login_that_codex_is_just_writing_is_waited_for() {
    let (env, alice) = world();
    let whole = alice.auth_json();
    let path = env.write(".codex/auth.json", &whole[..whole.len() / 2]);
    let child = env
        .command(&FROM_FILE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    std::thread::sleep(Duration::from_millis(150));
    fs::write(path, whole).expect("writes");
    assert!(child.wait_with_output().expect("ends").status.success());
}

#[test]
fn an_api_key_needs_no_status_and_has_no_window() {
    let (env, _) = world();
    env.write(
        ".codex/auth.json",
        &json!({"auth_mode": "apikey", "OPENAI_API_KEY": format!("sk-{SECRET}")}).to_string(),
    );
    let ran = env.run(&["backup"]).code(0).stderr("");
    let text = without_sizes(&ran.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "account   ".to_owned() + &user(&env),
            "window    none: an API key".to_owned(),
            "files     5".to_owned()
        ]
    );
    let sidecar = only_sidecar(&env);
    for unknown in [
        "email",
        "account_id",
        "session_start_at",
        "next_available_at",
        "reset_at",
        "quota_percent_left",
        "status_source",
        "observed_at",
    ] {
        assert_eq!(sidecar[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(sidecar["auth_mode"], "apikey");
    assert_eq!(sidecar["window_state"], "unknown");
    assert!(!sidecar.to_string().contains(SECRET));
    let name = sidecar["archive_name"].as_str().expect("a name");
    assert!(name.starts_with("2026-04-19-153000-apikey-"), "{name}");
    env.run(&["restore", name, "--yes"]).code(0).stderr("");
}

fn user(env: &Env) -> String {
    only_sidecar(env)["user_id"]
        .as_str()
        .expect("a user")
        .to_owned()
}

fn only_sidecar(env: &Env) -> Value {
    let found: Vec<String> = env
        .files(BACKUPS)
        .into_iter()
        .filter(|name| name.ends_with(".metadata.json"))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    serde_json::from_str(&env.read(&format!("{BACKUPS}/{}", found[0]))).expect("JSON")
}

#[test]
fn offline_takes_the_last_known_window_and_says_so() {
    let (mut env, _) = world();
    env.run(&FROM_FILE).code(0);
    env.set_now("2026-04-20T09:00:00+05:30");
    env.write(".codex/config.toml", "changed\n");
    let ran = env.run(&["backup", "--offline"]).code(0).stderr("");
    assert_eq!(
        without_sizes(&ran.stdout),
        format!(
            "created   ~/{BASE}.tar.gz\naccount   alice@example.com (plus)\nwindow    2026-04-14T15:55:00+05:30 to \
             2026-04-21T15:55:00+05:30, 66% left, as last known on 2026-04-19 15:30\nfiles     5\nearlier   \
             ~/.codex-manager/backups/superseded/2026-04-19-153000/2026-04-14-155500-alice@example.com-codex.tar.gz\n"
        )
    );
    let sidecar: Value =
        serde_json::from_str(&env.read(&format!("{BASE}.metadata.json"))).expect("JSON");
    assert_eq!(sidecar["status_source"], "offline");
    assert_eq!(sidecar["observed_at"], "2026-04-19T15:30:00+05:30");
    assert_eq!(sidecar["created_at"], "2026-04-20T09:00:00+05:30");
    // What was only remembered is no new observation.
    assert!(
        env.read(".codex-manager/cooldown.json")
            .contains("\"status-file\"")
    );
    // Another account's window is not borrowed.
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    env.run(&["backup", "--offline"])
        .code(14)
        .stdout("")
        .stderr(&OFFLINE_UNKNOWN.replace("alice", "bob"));
}

#[cfg(unix)]
#[test]
fn a_status_command_is_run_and_timed() {
    let (env, _) = world();
    env.write(
        ".codex-manager/config.toml",
        "[status]\ntimeout_seconds = 1\n",
    );
    let with = |command: &'static str| ["backup", "--status-command", command];
    refused(
        &env,
        &with("echo made-up >&2; exit 3"),
        14,
        "error: the status command ended with exit code 3\nhint: run it by hand to see why; or say `--offline` to take the last known window\n",
    );
    let started = Instant::now();
    refused(
        &env,
        &with("sleep 30"),
        14,
        "error: the status command took longer than 1 s and was ended\nhint: run it by hand to see why, or raise the setting `status.timeout_seconds`; or say `--offline` to take the last known window\n",
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    let ran = env.run(&with("no-such-command-at-all")).code(14).stdout("");
    assert!(
        ran.stderr
            .starts_with("error: the status command ended with exit code 127\n")
            && ran.stderr.ends_with("\nhint: run it by hand to see why; or say `--offline` to take the last known window\n"),
        "{}",
        ran.stderr
    );
    refused(
        &env,
        &with("true"),
        14,
        &format!(
            "error: no live status in the status command's output: the text is empty\n{NO_WINDOW_HINT}"
        ),
    );
    created(&env.run(&with("cat status.txt")).code(0).stderr(""), 5, "");
    assert_eq!(only_sidecar(&env)["status_source"], "status-command");
}

#[test]
fn a_status_that_names_nobody_is_taken_with_a_warning() {
    let (env, alice) = world();
    let text = alice
        .panel(66, RESET)
        .replace("alice@example.com (Plus)", "Plus");
    env.write("status.txt", &text);
    created(
        &env.run(&FROM_FILE).code(0).stderr(
            "warning: the status text names no account; it is taken to be of alice@example.com, who is signed in\n",
        ),
        5,
        "",
    );
}

#[test]
fn flags_choose_what_is_captured() {
    let (env, _) = world();
    let archive = env.path(&format!("{BASE}.tar.gz"));
    let run = |flags: &[&str]| {
        let args: Vec<&str> = FROM_FILE.iter().chain(flags).copied().collect();
        env.run(&args).code(0).stderr("");
        names(&archive)
    };
    assert_eq!(run(&["--auth-only"]), ["auth.json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&env.read(&format!("{BASE}.metadata.json"))).expect("JSON")["backup_mode"],
        "auth-only"
    );
    let all = [
        "auth.json",
        "config.toml",
        "history.jsonl",
        "installation_id",
        "sessions/",
        "sessions/2026/",
        "sessions/2026/04/",
        "sessions/2026/04/14/",
        "sessions/2026/04/14/rollout-1.jsonl",
    ];
    assert_eq!(
        run(&["--exclude", "sessions", "--exclude", "*.toml"]),
        ["auth.json", "history.jsonl", "installation_id"]
    );
    // The login is what a snapshot is for: no pattern takes it out.
    assert_eq!(run(&["--exclude", "*"]), ["auth.json"]);
    assert_eq!(run(&[]), all);
    let with_tmp = run(&["--include-tmp"]);
    assert_eq!(with_tmp[..9], all);
    assert_eq!(with_tmp[9..], ["tmp/", "tmp/scratch"]);
}

#[test]
fn a_dry_run_prints_the_same_plan_and_writes_nothing() {
    let (env, _) = world();
    let before = env.tree("");
    let dry = ["backup", "--status-file", "status.txt", "--dry-run"];
    let ran = env.run(&dry).code(0).stderr("");
    assert_eq!(
        without_sizes(&ran.stdout),
        format!(
            "dry-run   ~/{BASE}.tar.gz\naccount   alice@example.com (plus)\nwindow    2026-04-14T15:55:00+05:30 to \
             2026-04-21T15:55:00+05:30, 66% left\nfiles     5\n          auth.json\n          config.toml\n          \
             history.jsonl\n          installation_id\n          sessions/\n"
        )
    );
    let mut planned = env
        .run(&[
            "backup",
            "--json",
            "--status-file",
            "status.txt",
            "--dry-run",
        ])
        .code(0)
        .json();
    assert_eq!(env.tree(""), before);
    assert!(!env.path(".codex-manager").exists());
    let mut made = env
        .run(&["backup", "--json", "--status-file", "status.txt"])
        .code(0)
        .json();
    assert_eq!(
        (planned["mode"].take(), made["mode"].take()),
        (json!("dry-run"), json!("created"))
    );
    for known_after in ["archive_size_bytes", "archive_sha256", "content_sha256"] {
        assert_eq!(planned["snapshot"][known_after].take(), Value::Null);
        made["snapshot"][known_after].take();
    }
    assert_eq!(planned, made);
    // A refusal is refused the same way, and writes nothing either.
    let before = env.tree("");
    env.run(&["backup", "--dry-run"]).code(14).stderr(NO_SOURCE);
    assert_eq!(env.tree(""), before);
}

#[test]
fn a_second_snapshot_of_the_window_keeps_the_first_whole() {
    let (mut env, _) = world();
    env.run(&FROM_FILE).code(0);
    let first = [
        fs::read(env.path(&format!("{BASE}.tar.gz"))).expect("reads"),
        fs::read(env.path(&format!("{BASE}.metadata.json"))).expect("reads"),
    ];
    env.set_now("2026-04-19T18:00:00+05:30");
    env.write(".codex/history.jsonl", "{\"text\":\"more\"}\n");
    let kept =
        format!("{BACKUPS}/superseded/2026-04-19-153000/2026-04-14-155500-alice@example.com-codex");
    created(
        &env.run(&FROM_FILE).code(0).stderr(""),
        5,
        &format!("earlier   ~/{kept}.tar.gz\n"),
    );
    assert_eq!(
        first,
        [
            fs::read(env.path(&format!("{kept}.tar.gz"))).expect("reads"),
            fs::read(env.path(&format!("{kept}.metadata.json"))).expect("reads"),
        ]
    );
    for name in [
        format!(
            "superseded/2026-04-19-153000/{}.tar.gz",
            &BASE[BACKUPS.len() + 1..]
        ),
        format!(
            "superseded/2026-04-19-153000/{}",
            &BASE[BACKUPS.len() + 1..]
        ),
    ] {
        env.write(".codex/history.jsonl", "lost\n");
        env.run(&["restore", &name, "--yes"]).code(0).stderr("");
        assert_eq!(env.read(".codex/history.jsonl"), "{\"text\":\"hello\"}\n");
    }
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    assert_eq!(env.read(".codex/history.jsonl"), "{\"text\":\"more\"}\n");
}

#[test]
fn an_unchanged_home_is_not_written_twice_unless_forced() {
    let (mut env, _) = world();
    env.run(&FROM_FILE).code(0);
    let before = env.tree(BACKUPS);
    env.set_now("2026-04-19T18:00:00+05:30");
    let ran = env.run(&FROM_FILE).code(0).stderr("");
    assert!(
        ran.stdout
            .starts_with(&format!("unchanged ~/{BASE}.tar.gz\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(env.tree(BACKUPS), before);
    // A damaged one does not stand for the new one.
    fs::write(env.path(&format!("{BASE}.tar.gz")), "damaged").expect("writes");
    let ran = env.run(&FROM_FILE).code(0).stderr("");
    assert!(ran.stdout.starts_with("created "), "{}", ran.stdout);
    let forced = ["backup", "--status-file", "status.txt", "--force"];
    let ran = env.run(&forced).code(0).stderr("");
    assert!(ran.stdout.starts_with("created "), "{}", ran.stdout);
    assert_eq!(env.files(BACKUPS).len(), 6);
}

#[test]
fn a_reset_that_jitters_keeps_the_window_and_its_name() {
    for (reset, same) in [
        ("15:55 on 21 Apr", true),
        ("16:05 on 21 Apr", true),
        ("15:45 on 21 Apr", true),
        ("16:06 on 21 Apr", false),
        ("15:44 on 21 Apr", false),
    ] {
        let (env, alice) = world();
        env.run(&FROM_FILE).code(0);
        env.write(".codex/history.jsonl", "more\n");
        env.write("status.txt", &alice.panel(60, reset));
        let answer = env
            .run(&["--json", "backup", "--status-file", "status.txt"])
            .code(0)
            .json();
        assert_eq!(
            answer["archive"] == format!("~/{BASE}.tar.gz"),
            same,
            "{reset}"
        );
        let snapshot = &answer["snapshot"];
        assert_eq!(
            snapshot["session_start_at"] == "2026-04-14T15:55:00+05:30",
            same
        );
        // The reported reset is kept as it was reported.
        let minutes = &reset[..5];
        assert_eq!(
            snapshot["reset_at"],
            format!("2026-04-21T{minutes}:00+05:30")
        );
    }
}

#[test]
fn two_workspaces_of_one_email_do_not_collide() {
    let (env, alice) = world();
    env.run(&FROM_FILE).code(0);
    let before = env.tree(BACKUPS);
    let team = alice.clone().in_workspace("team-0123456789");
    env.write(".codex/auth.json", &team.auth_json());
    let answer = env
        .run(&["--json", "backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("")
        .json();
    let archive = "2026-04-14-155500-alice@example.com~team-012-codex.tar.gz";
    assert_eq!(answer["archive"], format!("~/{BACKUPS}/{archive}"));
    assert_eq!(answer["superseded"], Value::Null);
    let after = env.tree(BACKUPS);
    assert!(before.iter().all(|file| after.contains(file)));
    for (name, person) in [
        (archive, &team),
        (&format!("{}.tar.gz", &BASE[BACKUPS.len() + 1..]), &alice),
    ] {
        env.run(&["restore", name, "--yes"]).code(0).stderr("");
        assert_eq!(env.read(".codex/auth.json"), person.auth_json());
    }
}

#[test]
fn the_names_of_an_email_are_of_one_workspace_whatever_the_window() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    let team = alice.clone().in_workspace("team-0123456789");
    for (person, resets, now) in [
        (&alice, "15:55 on 21 Apr", "2026-04-19T10:00:00+05:30"),
        (&team, "12:00 on 22 Apr", "2026-04-19T11:00:00+05:30"),
        (&alice, "15:55 on 28 Apr", "2026-04-22T10:00:00+05:30"),
        (&team, "12:00 on 29 Apr", "2026-04-23T11:00:00+05:30"),
    ] {
        crate::worlds::snapshot(&mut env, person, &person.panel(50, resets), now);
    }
    let tree = env.tree(BACKUPS);
    let archives = tree.iter().filter(|(name, _)| name.ends_with(".tar.gz"));
    let names: Vec<&str> = archives
        .filter_map(|(name, _)| name.rsplit('/').next())
        .collect();
    assert_eq!(
        names,
        [
            "2026-04-14-155500-alice@example.com-codex.tar.gz",
            "2026-04-15-120000-alice@example.com~team-012-codex.tar.gz",
            "2026-04-21-155500-alice@example.com-codex.tar.gz",
            "2026-04-22-120000-alice@example.com~team-012-codex.tar.gz",
        ]
    );
}

#[cfg(unix)]
#[test]
fn what_is_not_captured_is_told_and_what_passes_is_left() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let (env, alice) = world();
    let bob = Person::named("bob");
    for (name, content) in [
        ("21apr_alice@example.com_auth.json", alice.auth_json()),
        ("21apr_bob@example.com_auth.json", bob.auth_json()),
        ("skills/.system/s", "x".to_owned()),
        ("skills/mine/s", "x".to_owned()),
        ("auth.json.lock", String::new()),
        (".tmp/x", "x".to_owned()),
        ("log/x", "x".to_owned()),
        ("version.json", "{}".to_owned()),
        ("app-server-control/x", "x".to_owned()),
    ] {
        env.write(&format!(".codex/{name}"), &content);
    }
    env.write("dotfiles/config.toml", "model = \"linked\"\n");
    fs::remove_file(env.path(".codex/config.toml")).expect("removes");
    symlink(
        env.path("dotfiles/config.toml"),
        env.path(".codex/config.toml"),
    )
    .expect("links");
    let _socket = std::os::unix::net::UnixListener::bind(env.path(".codex/ipc")).expect("binds");
    symlink(env.path("dotfiles"), env.path(".codex/memories")).expect("links");
    env.run(&["-v", "backup", "--status-file", "status.txt"])
        .code(0)
        .stderr(
            "left out: .tmp\nleft out: 21apr_bob@example.com_auth.json\nleft out: app-server-control\nleft out: \
             auth.json.lock\nleft out: auth.lock\nleft out: log\nleft out: packages\nleft out: skills/.system\nleft \
             out: tmp\nleft out: version.json\ntaken over from earlier snapshots: 0 of 3 members\nnot captured: ipc: \
             it is a socket\nwarning: not captured: memories: it is a link, which is not followed\nthe login of \
             alice@example.com is kept in the profile `alice`\n",
        );
    let archive = env.path(&format!("{BASE}.tar.gz"));
    let inside = archived(&archive);
    let paths: Vec<&str> = inside.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        paths,
        [
            "21apr_alice@example.com_auth.json",
            "auth.json",
            "config.toml",
            "history.jsonl",
            "installation_id",
            "sessions/",
            "sessions/2026/",
            "sessions/2026/04/",
            "sessions/2026/04/14/",
            "sessions/2026/04/14/rollout-1.jsonl",
            "skills/",
            "skills/mine/",
            "skills/mine/s",
        ]
    );
    assert_eq!(inside[2].1, "model = \"linked\"\n");
    // Names that no archive can hold are data lost from sight: told, and exit code 3.
    fs::write(
        env.path(".codex")
            .join(std::ffi::OsStr::from_bytes(b"bad\xff")),
        "x",
    )
    .expect("writes");
    env.write(".codex/history.jsonl", "changed\n");
    env.write(".codex/a:b", "x");
    env.write(".codex/x.metadata.json", "x");
    env.run(&FROM_FILE).code(3).stderr(
        "warning: not captured: a:b: its name holds a colon, which names a drive or a stream on Windows\nwarning: not \
         captured: bad\\xff: its name is not UTF-8\nwarning: not captured: memories: it is a link, which is not \
         followed\nwarning: not captured: x.metadata.json: snapshots use that name themselves\n",
    );
    let sidecar: Value =
        serde_json::from_str(&env.read(&format!("{BASE}.metadata.json"))).expect("JSON");
    assert_eq!(sidecar["not_captured"].as_array().map(Vec::len), Some(5));
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

#[cfg(unix)]
#[test]
fn everything_is_private_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let (env, _) = world();
    let program = env.command(&FROM_FILE);
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .current_dir(env.home())
        .stdin(Stdio::null());
    for (key, value) in program.get_envs() {
        shell.env(key, value.expect("set"));
    }
    for round in ["one", "two"] {
        env.write(".codex/history.jsonl", &format!("{round}\n"));
        env.ran(&mut shell, &FROM_FILE).code(0).stderr("");
    }
    let mut dirs = vec![env.path(".codex-manager")];
    let mut seen = 0;
    while let Some(dir) = dirs.pop() {
        let mode = |path: &Path| fs::metadata(path).expect("stands").permissions().mode() & 0o7777;
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        for entry in fs::read_dir(&dir).expect("lists") {
            let path = entry.expect("an entry").path();
            seen += 1;
            if path.is_dir() {
                dirs.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    // Four of them the profile with its login.
    assert_eq!(seen, 14);
}

#[test]
fn a_backup_directory_that_is_a_file_is_refused_and_kept() {
    let (env, _) = world();
    env.write(".codex-manager/backups", "not a directory");
    let before = env.tree(".codex-manager/backups");
    let ran = env.run(&FROM_FILE).code(1).stdout("");
    assert!(
        ran.stderr.contains("`~/.codex-manager/backups`") && ran.stderr.contains("\nhint: "),
        "{}",
        ran.stderr
    );
    assert_eq!(env.tree(".codex-manager/backups"), before);
    assert_eq!(env.read(".codex-manager/backups"), "not a directory");
    assert!(!env.path(".codex-manager/cooldown.json").exists());
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let (env, _) = world();
    env.run(&FROM_FILE).code(0);
    env.write(".codex/history.jsonl", "more\n");
    let before = env.tree(BACKUPS);
    let dir = env.path(BACKUPS);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o500)).expect("sets");
    let mut command = env.command(&FROM_FILE);
    crate::unprivileged::run_as_nobody(&env, &mut command);
    env.ran(&mut command, &FROM_FILE)
        .code(1)
        .stdout("")
        .stderr(
            "error: cannot write in `~/.codex-manager/backups`: permission denied\nhint: see who may use it: `ls -ld ~/.codex-manager/backups`\n",
        );
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("sets");
    assert_eq!(env.tree(BACKUPS), before);
}

/// Bytes that do not compress, the same in every run.
#[cfg(unix)]
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_backup_with_nothing_left_behind() {
    use rustix::process::{Pid, Signal, kill_process};
    let (env, _) = world();
    env.run(&FROM_FILE).code(0);
    let before = env.tree(BACKUPS);
    fs::write(env.path(".codex/sessions/big.jsonl"), noise(48 << 20)).expect("writes");
    for signal in [Signal::INT, Signal::TERM] {
        let child = env
            .command(&FROM_FILE)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let end = Instant::now() + Duration::from_mins(1);
        while env.files(BACKUPS).len() == before.len() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("sends");
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "error: interrupted\nhint: what was finished stays, what was not is gone; run the command again when it suits\n"
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(env.tree(BACKUPS), before);
    }
}

#[cfg(unix)]
#[test]
fn other_tools_read_the_archive() {
    let (env, _) = world();
    env.run(&FROM_FILE).code(0);
    let archive = env.path(&format!("{BASE}.tar.gz"));
    let archive = archive.to_str().expect("text");
    let mut inside: Vec<String> = names(Path::new(archive))
        .iter()
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect();
    for part in ["", ".manifest"] {
        inside.push(format!(
            "2026-04-14-155500-alice@example.com-codex{part}.metadata.json"
        ));
    }
    inside.sort();
    let python =
        "import sys, tarfile\nfor m in tarfile.open(sys.argv[1], 'r:gz'):\n    print(m.name)";
    for (tool, args) in [
        ("gzip", vec!["-t", archive]),
        ("tar", vec!["tzf", archive]),
        ("python3", vec!["-c", python, archive]),
    ] {
        let output = match std::process::Command::new(tool).args(&args).output() {
            Ok(output) => output,
            Err(error) => {
                eprintln!("SKIPPED: `{tool}` cannot be run here: {error}");
                continue;
            }
        };
        assert!(output.status.success(), "{tool}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let mut listed: Vec<&str> = text
            .lines()
            .map(|name| name.trim_end_matches('/'))
            .collect();
        listed.sort_unstable();
        if tool != "gzip" {
            assert_eq!(listed, inside, "{tool}");
        }
    }
}
