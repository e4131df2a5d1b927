//! The Codex home: whether it is there, whose it is, what Codex's own settings make of it, and what of the environment beats it.

use std::fs;

use super::check::Check;
use super::facts::Facts;
use super::repair::Repair;
use crate::codex::{home, running};
use crate::context::Ctx;
use crate::fsutil::{self, Elsewhere};

const HOME: &str = "codex-home";
const SETTINGS: &str = "codex-config";
const STORE: &str = "login-store";
const ENVIRONMENT: &str = "environment";
const RUNNING: &str = "running";

/// The home itself.
pub fn home(facts: &Facts) -> Vec<Check> {
    let (ctx, home) = (facts.ctx, &facts.home);
    let (short, typed) = (facts.short(home), facts.typed(home));
    let meta = match fs::metadata(home) {
        Ok(meta) => meta,
        Err(error) if fsutil::is_gone(&error) => {
            return vec![Check::warn(
                HOME,
                format!("`{short}` does not exist"),
                "start Codex once, which makes it, or say where it is with `--codex-home` or CODEX_HOME",
            )];
        }
        Err(error) => {
            let why = crate::error::describe(&error);
            return vec![Check::fail(
                HOME,
                format!("`{short}` cannot be looked at: {why}"),
                format!("see who may use it: `ls -ld {typed}`"),
            )];
        }
    };
    if !meta.is_dir() {
        return vec![Check::fail(
            HOME,
            format!("`{short}` is no directory"),
            "name a Codex home with `--codex-home` or CODEX_HOME",
        )];
    }
    let mut found = Vec::new();
    if fsutil::real(home) == fsutil::real(&ctx.paths.manager_home) {
        found.push(Check::fail(
            HOME,
            format!("`{short}` is the manager home too"),
            "say which is which with `--codex-home` and `--manager-home`",
        ));
    }
    if fs::read_dir(home).is_err() || !fsutil::is_writable(home) {
        found.push(Check::fail(
            HOME,
            format!("`{short}` may not be read and written"),
            format!("see who may use it: `ls -ld {typed}`"),
        ));
    }
    if fsutil::mode(&meta).is_some_and(|mode| mode & 0o022 != 0) {
        found.push(Check::warn(
            HOME,
            format!("others may write in `{short}`, and so exchange the login"),
            format!("`chmod go-w {typed}`"),
        ));
    }
    if Ctx::is_temporary(home) {
        found.push(Check::warn(
            HOME,
            format!("`{short}` lies where temporary files do"),
            "move it, and set CODEX_HOME: what is temporary is removed, and Codex does not start its helpers there",
        ));
    } else {
        found.extend(of_place(HOME, &short, fsutil::elsewhere(home)));
    }
    found.extend(login_file(facts));
    if found.is_empty() {
        let by = Ctx::variable("CODEX_HOME").map_or("", |_| ", as CODEX_HOME says");
        found.push(Check::ok(HOME, format!("{short}{by}")));
    }
    found
}

/// What it means for a directory to be on no disk of this machine.
pub fn of_place(name: &'static str, short: &str, place: Option<Elsewhere>) -> Option<Check> {
    Some(match place? {
        Elsewhere::Network => Check::warn(
            name,
            format!("`{short}` is on another machine's disk"),
            "locks may not hold there: let one machine at a time work with it",
        ),
        Elsewhere::Memory => Check::warn(
            name,
            format!("`{short}` is kept in memory alone"),
            "move it to a disk: it is empty after a restart",
        ),
    })
}

/// The file of the login.
fn login_file(facts: &Facts) -> Vec<Check> {
    let path = home::auth_path(&facts.home);
    let (short, typed) = (facts.short(&path), facts.typed(&path));
    let Ok(meta) = fs::metadata(&path) else {
        return Vec::new();
    };
    // What is none is told as the login, which cannot be read.
    if !meta.is_file() {
        return Vec::new();
    }
    let mut found = Vec::new();
    if fsutil::mode(&meta).is_some_and(|mode| mode & 0o077 != 0) {
        let open = format!("`{short}` is open to other users: whoever reads it is signed in");
        let by_hand = format!("`chmod 600 {typed}`");
        let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
        found.push(if is_link || !fsutil::is_mine(&meta) {
            Check::fail(HOME, open, by_hand)
        } else {
            let hint = format!("{by_hand}, or `codex-manager doctor --fix`");
            Check::fail(HOME, open, hint).repaired_by(Repair::Close(vec![path.clone()]))
        });
    }
    if !fsutil::is_mine(&meta) {
        found.push(Check::fail(
            HOME,
            format!("`{short}` belongs to another user"),
            format!("see who owns it: `ls -l {typed}`"),
        ));
    }
    if fsutil::names_of(&meta) > 1 {
        found.push(Check::fail(
            HOME,
            format!("`{short}` has {} names (hard links): Codex does not write such a file, and loses the login as soon as it renews it", fsutil::names_of(&meta)),
            format!("`cp -p {typed} {typed}.new && mv {typed}.new {typed}`"),
        ));
    }
    found
}

/// Codex's own settings.
pub fn settings(facts: &Facts) -> Vec<Check> {
    let path = facts.home.join(home::CONFIG_TOML);
    let short = facts.short(&path);
    match home::fault_of_settings(&facts.home) {
        Ok(None) => {}
        Ok(Some(why)) => {
            return vec![Check::fail(
                SETTINGS,
                format!("`{short}` cannot be read: {why}"),
                "mend that line: Codex does not start with it",
            )];
        }
        Err(error) => return vec![Check::of_error(SETTINGS, &error)],
    }
    if let Some(dir) = facts.ctx.sqlite_home(&facts.home) {
        let shown = facts.short(&dir);
        return vec![if dir.is_dir() {
            Check::ok(SETTINGS, format!("Codex keeps its databases in {shown}"))
        } else {
            Check::warn(
                SETTINGS,
                format!("Codex is to keep its databases in `{shown}`, which is not there"),
                "mount it or make it; it is named by `sqlite_home` in Codex's config.toml, or by CODEX_SQLITE_HOME",
            )
        }];
    }
    vec![Check::ok(
        SETTINGS,
        if path.exists() {
            short
        } else {
            "none; Codex takes its defaults".to_owned()
        },
    )]
}

/// Where Codex keeps its login.
pub fn store(facts: &Facts) -> Vec<Check> {
    const FIX: &str = "set it to \"file\" there, and sign in again";
    let short = |name: &str| facts.short(&facts.home.join(name));
    if let Some((path, store)) = home::other_store(&facts.home) {
        let what = match store.as_str() {
            "keyring" => "in the system's keyring",
            "auto" => "in the system's keyring where there is one",
            "ephemeral" => "nowhere: it is gone when Codex ends",
            _ => "in a store that it does not know, and does not start",
        };
        return vec![Check::fail(
            STORE,
            format!(
                "`{}` says `cli_auth_credentials_store = \"{store}\"`: Codex keeps the login {what}",
                facts.short(&path)
            ),
            if path.starts_with(&facts.home) {
                FIX
            } else {
                "whoever looks after this machine set it there; this program needs \"file\""
            },
        )];
    }
    let layers = home::other_stores_of_layers(&facts.home).into_iter();
    let mut found: Vec<Check> = layers
        .map(|(name, store)| {
            Check::warn(
                STORE,
                format!(
                    "`{}` says `cli_auth_credentials_store = \"{store}\"`: with it Codex has another login",
                    short(&name)
                ),
                FIX,
            )
        })
        .collect();
    if found.is_empty() {
        found.push(Check::ok(STORE, "auth.json"));
    }
    found
}

/// What of the environment beats what stands in files.
pub fn environment(facts: &Facts) -> Vec<Check> {
    let mut found: Vec<Check> = Ctx::overriding_variables()
        .map(|name| {
            Check::warn(
                ENVIRONMENT,
                format!("{name} is set: a Codex that is started here signs in by it, whoever is in auth.json"),
                format!("`unset {name}`, and take it out of your shell's start file"),
            )
        })
        .collect();
    if let Some(error) = &facts.ctx.unusable.pace {
        found.push(Check::of_error(ENVIRONMENT, error));
    }
    let homes = ["CODEX_MANAGER_HOME", "CODEXMGR_HOME"].map(Ctx::variable);
    if let [Some(new), Some(old)] = homes
        && new != old
    {
        found.push(Check::warn(
            ENVIRONMENT,
            "CODEX_MANAGER_HOME and CODEXMGR_HOME name two places: the first one counts",
            "`unset CODEXMGR_HOME`, which is the older name",
        ));
    }
    if Ctx::variable("CODEX_HOME").is_some()
        && let Some(set) = facts.ctx.place_of("codex_home")
        && fsutil::real(&set) != fsutil::real(&facts.ctx.paths.codex_home)
    {
        found.push(Check::warn(
            ENVIRONMENT,
            format!("CODEX_HOME beats the setting `codex_home`, which is `{}`", facts.short(&set)),
            "unset the one that you do not mean: `unset CODEX_HOME`, or `codex-manager config unset codex_home`",
        ));
    }
    if found.is_empty() {
        found.push(Check::ok(ENVIRONMENT, "nothing in it beats auth.json"));
    }
    found
}

/// Who has the home open.
pub fn running(facts: &Facts) -> Vec<Check> {
    let sqlite_home = facts.ctx.sqlite_home(&facts.home);
    let open = running::look(&facts.home, sqlite_home.as_deref());
    vec![Check::ok(
        RUNNING,
        if open.is_idle_daemon() {
            format!("an idle daemon of Codex's, {open}: `use` and `restore` stop it")
        } else if open.is_any() {
            format!("Codex is open here, {open}: `use` and `restore` wait until it is quit")
        } else if cfg!(windows) {
            "no open Codex is noticed on Windows".to_owned()
        } else {
            "no Codex is open here".to_owned()
        },
    )]
}
