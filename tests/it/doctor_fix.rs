//! `doctor --fix`: each thing that it repairs, and what stays.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::common::Person;
use crate::doctor::{BACKUPS, BASE, doctor, empty, finds, healthy, private, set_mode, told};
use crate::unprivileged::run_as_nobody;
use crate::worlds::{json_error, mode, prints};

#[test]
fn what_is_open_to_others_is_closed() {
    let env = healthy();
    let toml = ".codex-manager/profiles/alice/auth.json";
    set_mode(&env, toml, 0o644);
    let closed = "hint: there are logins in it: `codex-manager doctor --fix` closes them\n";
    finds(
        &env,
        "modes",
        &format!("warn  modes         `~/{toml}` is open to other users\n      {closed}"),
    );
    set_mode(&env, ".codex-manager", 0o755);
    env.write("dotfiles/config.toml", "color = \"never\"\n");
    symlink(
        env.path("dotfiles/config.toml"),
        env.path(".codex-manager/config.toml"),
    )
    .expect("links");
    let open = format!(
        "fail  modes         2 files and directories are open to other users, `~/.codex-manager` first\n      {closed}"
    );
    finds(&env, "modes", &open);
    let before = prints(&env.home());
    let ran = doctor(&env, &["--fix", "--dry-run"]).code(1).stderr("");
    assert_eq!(
        told(&ran, "modes"),
        format!(
            "{open}      would fix: close 2 files and directories to others: `~/.codex-manager`, `~/{toml}`\n"
        )
    );
    assert!(prints(&env.home()) == before, "something was changed");
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(
        told(&ran, "modes"),
        "ok    modes         yours alone\n      fixed: 2 files and directories were closed to others\n"
    );
    assert_eq!(
        (
            mode(&env.path(".codex-manager")) & 0o777,
            mode(&env.path(toml)) & 0o777
        ),
        (0o700, 0o600)
    );
    assert_eq!(mode(&env.path("dotfiles/config.toml")) & 0o077, 0o044);
    // Elsewhere only what is ours is looked at.
    env.run(&["config", "set", "backup.dir", "~/shared"])
        .code(0);
    env.write("shared/letter.txt", "x");
    set_mode(&env, "shared", 0o700);
    let kept = format!("shared/{BASE}");
    for end in ["tar.gz", "metadata.json"] {
        fs::rename(
            env.path(&format!("{BACKUPS}/{BASE}.{end}")),
            env.path(&format!("{kept}.{end}")),
        )
        .expect("moves");
    }
    finds(&env, "modes", "ok    modes         yours alone\n");
    set_mode(&env, &format!("{kept}.tar.gz"), 0o640);
    finds(
        &env,
        "modes",
        &format!("fail  modes         `~/{kept}.tar.gz` is open to other users\n      {closed}"),
    );
}

#[test]
fn what_is_kept_behind_links_and_elsewhere_is_closed_too() {
    let env = healthy();
    let auth = "profiles/alice/auth.json";
    fs::rename(env.path(".codex-manager"), env.path("cm")).expect("moves");
    symlink(env.path("cm"), env.path(".codex-manager")).expect("links");
    set_mode(&env, "cm", 0o777);
    set_mode(&env, &format!("cm/{auth}"), 0o666);
    let closed = "hint: there are logins in it: `codex-manager doctor --fix` closes them\n";
    let ran = doctor(&env, &[]).code(1);
    let open = "2 files and directories are open to other users, `~/cm` first";
    assert_eq!(
        told(&ran, "modes"),
        format!("fail  modes         {open}\n      {closed}")
    );
    doctor(&env, &["--fix"]).code(0).stderr("");
    let bits = |below: &str| mode(&env.path(below)) & 0o7777;
    assert_eq!((bits("cm"), bits(&format!("cm/{auth}"))), (0o700, 0o600));
    // What earlier snapshots are in, where these are kept elsewhere.
    for is_link in [true, false] {
        let (kept, dir) = (env.path("cm/backups"), env.path("drive"));
        if is_link {
            fs::rename(&kept, &dir).expect("moves");
            symlink(&dir, &kept).expect("links");
        } else {
            fs::remove_file(&kept).expect("removes");
            env.run(&["config", "set", "backup.dir", "~/drive"]).code(0);
        }
        let earlier = "drive/superseded/2026-04-14-155500";
        let copy = format!("{earlier}/{BASE}.tar.gz");
        fs::create_dir_all(env.path(earlier)).expect("makes");
        fs::copy(env.path(&format!("drive/{BASE}.tar.gz")), env.path(&copy)).expect("copies");
        set_mode(&env, "drive/superseded", 0o700);
        set_mode(&env, earlier, 0o700);
        set_mode(&env, &copy, 0o644);
        let ran = doctor(&env, &[]).code(1);
        assert_eq!(
            told(&ran, "modes"),
            format!("fail  modes         `~/{copy}` is open to other users\n      {closed}")
        );
        doctor(&env, &["--fix"]);
        assert_eq!(bits(&copy), 0o600);
    }
}

#[test]
fn what_others_keep_stays_open() {
    let env = healthy();
    let bits = |below: &str| mode(&env.path(below)) & 0o7777;
    // A directory that many share.
    fs::rename(env.path(BACKUPS), env.path("shared")).expect("moves");
    env.write("shared/letter.txt", "x");
    set_mode(&env, "shared/letter.txt", 0o644);
    set_mode(&env, "shared", 0o755);
    env.run(&["config", "set", "backup.dir", "~/shared"])
        .code(0);
    finds(&env, "modes", "ok    modes         yours alone\n");
    set_mode(&env, "shared", 0o3777);
    let written = "warn  modes         others may write in `~/shared`, and so put snapshots there\n      hint: \
                   `chmod go-w ~/shared`, or keep them elsewhere: `codex-manager config set backup.dir PATH`\n";
    finds(&env, "modes", written);
    set_mode(&env, &format!("shared/{BASE}.tar.gz"), 0o644);
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(
        told(&ran, "modes"),
        format!("{written}      fixed: `~/shared/{BASE}.tar.gz` was closed to others\n")
    );
    let modes = [
        "shared",
        "shared/letter.txt",
        &format!("shared/{BASE}.tar.gz"),
    ]
    .map(bits);
    assert_eq!(modes, [0o3777, 0o644, 0o600]);
    // A home directory that is the manager home too.
    let files = [
        "profiles/notes.txt",
        "backups/photo.jpg",
        "tmp/x",
        "lock",
        "public/index.html",
    ];
    for file in files {
        env.write(file, "x");
        set_mode(&env, file, 0o644);
    }
    let dirs = ["", "profiles", "backups", "tmp", "public"];
    for dir in dirs {
        set_mode(&env, dir, 0o755);
    }
    let home = env.home().display().to_string();
    let ran = doctor(&env, &["--manager-home", &home, "--fix"]);
    assert_eq!(told(&ran, "modes"), "ok    modes         yours alone\n");
    assert_eq!(
        told(&ran, "manager-home"),
        "warn  manager-home  `~` is your home directory: what else is in it is not told from what is kept there\n      hint: \
         name a directory of its own with `--manager-home` or CODEX_MANAGER_HOME\n"
    );
    assert_eq!((files.map(bits), dirs.map(bits)), ([0o644; 5], [0o755; 5]));
    let profile = "profiles/bob/auth.json";
    env.write(profile, &Person::named("bob").auth_json());
    set_mode(&env, profile, 0o644);
    set_mode(&env, "profiles/bob", 0o700);
    let ran = doctor(&env, &["--manager-home", &home, "--fix"]);
    assert!(told(&ran, "modes").ends_with(&format!("fixed: `~/{profile}` was closed to others\n")));
    assert_eq!((bits(profile), bits("profiles")), (0o600, 0o755));
    fs::create_dir(env.path("both")).expect("makes");
    fs::rename(env.path(".codex"), env.path("both/codex")).expect("moves");
    let args = ["--manager-home", "~/both", "--codex-home", "~/both/codex"];
    assert!(
        told(&doctor(&env, &args), "manager-home")
            .starts_with("warn  manager-home  the Codex home lies in `~/both`\n")
    );
}

#[test]
fn what_cannot_be_closed_does_not_keep_the_rest_open() {
    let env = healthy();
    let names = ["cooldown.json", "machine-id", "profiles/alice/auth.json"];
    let paths = names.map(|name| format!(".codex-manager/{name}"));
    env.write(&paths[1], "0123456789abcdef\n");
    for path in &paths {
        set_mode(&env, path, 0o644);
    }
    let mut command = crate::doctor::command(&env, &["--fix"]);
    run_as_nobody(&env, &mut command);
    if fs::metadata(env.path(&paths[1])).expect("stands").uid()
        == rustix::process::geteuid().as_raw()
    {
        return; // only root can give a file to somebody else
    }
    std::os::unix::fs::chown(env.path(&paths[1]), Some(0), Some(0)).expect("gives");
    let ran = env.ran(&mut command, &["doctor"]).code(0).stderr(
        "warning: cannot close to others `~/.codex-manager/machine-id`: operation not permitted; see who may use it: `ls -ld \
         ~/.codex-manager/machine-id`\n",
    );
    assert_eq!(
        told(&ran, "modes"),
        "warn  modes         `~/.codex-manager/machine-id` is open to other users\n      hint: there are logins in it: \
         `codex-manager doctor --fix` closes them\n      fixed: 2 files and directories were closed to others\n"
    );
}

#[test]
fn a_home_that_is_missing_is_made() {
    let env = empty();
    env.codex_home(&Person::named("alice"));
    private(&env, ".codex/auth.json");
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(
        told(&ran, "manager-home"),
        "ok    manager-home  ~/.codex-manager\n      fixed: `~/.codex-manager` was made\n"
    );
    assert_eq!(mode(&env.path(".codex-manager")) & 0o777, 0o700);
    assert_eq!(
        told(&ran, "snapshots"),
        "warn  snapshots     there is none of alice@example.com, who is signed in\n      hint: `codex-manager backup`\n"
    );
}

#[test]
fn sidecars_without_archive_are_set_aside_and_kept() {
    let env = healthy();
    let orphan = BASE.replace("alice", "bob");
    let text = env
        .read(&format!("{BACKUPS}/{BASE}.metadata.json"))
        .replace("alice", "bob");
    env.write(&format!("{BACKUPS}/{orphan}.metadata.json"), &text);
    private(&env, &format!("{BACKUPS}/{orphan}.metadata.json"));
    let hint =
        "hint: put the archive back, or have `codex-manager doctor --fix` set the sidecar aside\n";
    finds(
        &env,
        "snapshots",
        &format!(
            "warn  snapshots     no archive is beside the sidecar `~/{BACKUPS}/{orphan}.metadata.json`\n      {hint}"
        ),
    );
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    let aside = format!("{BACKUPS}/orphaned/2026-04-19-153000/{orphan}.metadata.json");
    assert!(
        told(&ran, "snapshots")
            .ends_with(&format!("\n      fixed: the sidecar is `~/{aside}` now\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(env.read(&aside), text);
    assert_eq!(mode(&env.path(&aside)) & 0o777, 0o600);
    doctor(&env, &["--quiet"]).code(0).stdout("");
    env.run(&["list-backups"]).code(0).stderr("");
}

#[test]
fn broken_records_are_told_and_the_registry_is_set_aside() {
    let env = healthy();
    env.write(".codex-manager/inventory.json", "{");
    private(&env, ".codex-manager/inventory.json");
    let text = told(&doctor(&env, &[]).code(1), "records");
    assert!(text.starts_with("fail  records       "), "{text}");
    assert!(text.contains("`~/.codex-manager/inventory.json`"), "{text}");
    fs::remove_file(env.path(".codex-manager/inventory.json")).expect("removes");
    env.write(".codex-manager/cooldown.json", "{\"accounts\":[");
    finds(
        &env,
        "records",
        "fail  records       the registry `~/.codex-manager/cooldown.json` cannot be read: it is damaged in line 1, column 13\n      \
         hint: `codex-manager doctor --fix` sets it aside, as the next command that reads it does\n",
    );
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(
        told(&ran, "records"),
        "ok    records       0 legacy files in the inventory, 0 accounts in the registry\n      fixed: the broken registry is \
         `~/.codex-manager/cooldown.json.broken-2026-04-19-153000` now\n"
    );
    assert_eq!(
        env.read(".codex-manager/cooldown.json.broken-2026-04-19-153000"),
        "{\"accounts\":["
    );
}

#[test]
fn a_restore_that_was_cut_short_is_finished() {
    let env = healthy();
    let stage = ".codex/.codex-manager-restore";
    env.write(&format!("{stage}/old/history.jsonl"), "old\n");
    env.write(&format!("{stage}/new/history.jsonl"), "new\n");
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"history.jsonl","action":"replace"}]"#,
    );
    fs::remove_file(env.path(".codex/history.jsonl")).expect("removes");
    let failed = "fail  restore       one into `~/.codex` was cut short\n      hint: `codex-manager doctor --fix` finishes or drops \
                  it, as the next `backup` or `restore` does\n";
    finds(&env, "restore", failed);
    let ran = doctor(&env, &["--fix", "--dry-run"]).code(1).stderr("");
    assert_eq!(
        told(&ran, "restore"),
        format!("{failed}      would fix: finish or drop the restore into `~/.codex`\n")
    );
    let ran = doctor(&env, &["--fix"])
        .code(0)
        .stderr("warning: a restore into `~/.codex` that was cut short was finished first\n");
    assert_eq!(
        told(&ran, "restore"),
        "ok    restore       none was cut short\n      fixed: the restore into `~/.codex` was dealt with\n"
    );
    assert_eq!(env.read(".codex/history.jsonl"), "new\n");
    assert!(!env.path(stage).exists());
    env.write(".codex/.codex-manager-kept/1/history.jsonl", "mine\n");
    finds(
        &env,
        "leftovers",
        "warn  leftovers     `~/.codex/.codex-manager-kept` holds what was in the way of a restore, and is in no snapshot\n      \
         hint: look through it, and remove it\n",
    );
    env.write(".codex/.codex-manager-kept/2/auth.json", "{}");
    finds(
        &env,
        "leftovers",
        "warn  leftovers     `~/.codex/.codex-manager-kept` holds what was in the way of a restore, and is in no snapshot\n      \
         hint: the next `codex-manager backup` keeps the login that is there; then look through it, and remove it\n",
    );
}

#[test]
fn what_killed_runs_left_goes_and_logins_are_kept() {
    let env = healthy();
    for left in [
        ".codex-manager",
        BACKUPS,
        ".codex-manager/profiles/alice",
        ".codex",
    ] {
        env.write(&format!("{left}/.codex-manager-tmp-x"), "half");
        private(&env, &format!("{left}/.codex-manager-tmp-x"));
    }
    let bob = Person::named("bob");
    let probe = ".codex-manager/tmp/login-bob-AbCdEf";
    env.write(&format!("{probe}/auth.json"), &bob.auth_json());
    private(&env, &format!("{probe}/auth.json"));
    for dir in [probe, ".codex-manager/tmp"] {
        set_mode(&env, dir, 0o700);
    }
    env.write(
        ".codex-manager/lock",
        "4242 backup\n2026-04-19T15:00:00+05:30",
    );
    let ran = doctor(&env, &[]).code(0).stderr("");
    assert_eq!(
        told(&ran, "leftovers"),
        format!(
            "warn  leftovers     a killed run left a login in `~/{probe}`: it may be the newest of its account\n      hint: \
             `codex-manager doctor --fix` keeps it in its profile, as the next command that writes does\n\
             warn  leftovers     killed runs left 4 temporary files, `~/.codex-manager/.codex-manager-tmp-x` first\n      hint: \
             `codex-manager doctor --fix` removes it, as the next `backup` does\n"
        )
    );
    assert_eq!(
        told(&ran, "locks"),
        "warn  locks         process 4242 (`codex-manager backup`) since 2026-04-19T15:00:00+05:30 was ended while it worked\n      \
         hint: `codex-manager doctor --fix` tidies up after it, as the next command that writes does\n"
    );
    let ran = doctor(&env, &["--fix"]).code(0).stderr(
        "warning: a run that was cut short left a login of bob@example.com: it is kept in the profile `bob` now\n",
    );
    assert_eq!(
        told(&ran, "leftovers"),
        "ok    leftovers     none\n      fixed: what a killed run left is kept\n      fixed: 4 leftovers of killed runs went\n"
    );
    assert_eq!(
        told(&ran, "locks"),
        "ok    locks         free\n      fixed: what it left was tidied up\n"
    );
    assert_eq!(
        env.read(".codex-manager/profiles/bob/auth.json"),
        bob.auth_json()
    );
    let files = env.files("");
    assert!(
        !files.iter().any(|file| file.contains("-tmp-x")),
        "{files:?}"
    );
    doctor(&env, &["--quiet"]).code(0).stdout("");
}

#[test]
fn who_holds_the_lock_is_told_and_waited_for() {
    let env = healthy();
    let path = env.path(".codex-manager/lock");
    fs::write(&path, "4242 backup\n2026-04-19T15:00:00+05:30").expect("writes");
    let file = fs::File::options().write(true).open(&path).expect("opens");
    file.try_lock().expect("free");
    // Held since long before the clock of the machine.
    let held = "held by process 4242 (`codex-manager backup`) since 2026-04-19T15:00:00+05:30\n";
    finds(
        &env,
        "locks",
        &format!(
            "warn  locks         {held}      hint: see whether it still works, and end it where it does not\n"
        ),
    );
    set_mode(&env, ".codex/auth.json", 0o644);
    let ran = doctor(&env, &["--fix", "--wait", "0", "--json"])
        .code(11)
        .stdout("");
    let (kind, message, _) = json_error(&ran);
    assert_eq!(
        (kind.as_str(), message),
        (
            "locked",
            format!("`~/.codex-manager/lock` is {}", held.trim_end())
        )
    );
    assert_eq!(mode(&env.path(".codex/auth.json")) & 0o777, 0o644);
}

#[test]
fn a_lock_that_nobody_can_take_is_told_and_the_report_is_given() {
    let env = healthy();
    let lock = env.path(".codex-manager/lock");
    set_mode(&env, ".codex/auth.json", 0o644);
    let fifo = || {
        let made = rustix::fs::mkfifoat(rustix::fs::CWD, &lock, rustix::fs::Mode::RWXU);
        made.expect("makes");
    };
    let link = || symlink(env.path("nowhere"), &lock).expect("links");
    let dir = || fs::create_dir(&lock).expect("makes");
    let kinds: [(&dyn Fn(), &str); 3] = [
        (&dir, "is a directory"),
        (&link, "symbolic link"),
        (&fifo, "it is no regular file"),
    ];
    for (make, why) in kinds {
        let _ = fs::remove_file(&lock);
        make();
        let ran = doctor(&env, &[]).code(1).stderr("");
        let said = told(&ran, "locks");
        assert!(
            said.starts_with("fail  locks         cannot open `~/.codex-manager/lock`: ")
                && said.contains(why)
                && said.ends_with(
                    "\n      hint: whoever writes takes it: see what it is and whose, and move it away\n"
                ),
            "{said}"
        );
        let ran = doctor(&env, &["--fix"]).code(1);
        assert_eq!(told(&ran, "locks"), said);
        let warned = "warning: nothing was repaired: cannot open `~/.codex-manager/lock`: ";
        assert!(ran.stderr.starts_with(warned), "{}", ran.stderr);
        assert_eq!(mode(&env.path(".codex/auth.json")) & 0o777, 0o644);
        let _ = fs::remove_dir(&lock);
    }
}

#[test]
fn a_pipe_in_place_of_a_home_is_waited_for_by_nobody() {
    let env = healthy();
    let pipe = rustix::fs::mkfifoat(rustix::fs::CWD, env.path("pipe"), rustix::fs::Mode::RWXU);
    pipe.expect("makes");
    let ran = doctor(&env, &["--codex-home", "~/pipe"]).code(1);
    assert_eq!(
        told(&ran, "codex-home"),
        "fail  codex-home    `~/pipe` is no directory\n      hint: name a Codex home with `--codex-home` or CODEX_HOME\n"
    );
    let ran = env.run(&["--codex-home", "~/pipe", "backup", "--offline"]);
    assert!(ran.stderr.contains("pipe"), "{}", ran.stderr);
    ran.code(1);
}

#[test]
fn a_home_of_codexs_without_a_login_is_no_login_and_nothing_foreign_is_lost() {
    let env = healthy();
    let probe = ".codex-manager/tmp/probe-alice-abcdef";
    fs::create_dir_all(env.path(probe)).expect("makes");
    for dir in [probe, ".codex-manager/tmp"] {
        set_mode(&env, dir, 0o700);
    }
    finds(
        &env,
        "leftovers",
        &format!(
            "warn  leftovers     a killed run left `~/{probe}`\n      hint: `codex-manager doctor --fix` removes it, as the \
             next `backup` does\n"
        ),
    );
    let ran = doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(
        told(&ran, "leftovers"),
        "ok    leftovers     none\n      fixed: 1 leftover of killed runs went\n"
    );
    assert!(!env.path(probe).exists());
    // What somebody else put there under such a name.
    let notes = format!("{probe}/notes");
    env.write(&notes, "mine\n");
    for path in [&notes, probe] {
        set_mode(&env, path, 0o700);
    }
    finds(&env, "leftovers", "ok    leftovers     none\n");
    set_mode(&env, ".codex/auth.json", 0o644);
    doctor(&env, &["--fix"]).code(0).stderr("");
    assert_eq!(env.files(probe), ["notes"]);
    let bob = Person::named("bob");
    env.write(&format!("{probe}/auth.json"), &bob.auth_json());
    private(&env, &format!("{probe}/auth.json"));
    doctor(&env, &["--fix"]).code(0);
    assert_eq!(env.read(&notes), "mine\n");
    assert_eq!(env.files(probe), ["notes"]);
    assert_eq!(
        env.read(".codex-manager/profiles/bob/auth.json"),
        bob.auth_json()
    );
}
