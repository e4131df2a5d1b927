//! Codex homes that are links, mount points, read-only or on a file system that is too small.

use std::fs;
use std::process::Command;

use crate::common::{Env, Person, Ran};

const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];
const RESTORE: [&str; 3] = ["restore", "alice@example.com", "--yes"];
const RESTAGE: &str = ".codex-manager-restore";

/// A world whose home changed since its snapshot: `old` is what the snapshot holds, `new` what stands.
fn world() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    // More and smaller files than a full disk is foreseen by.
    for file in 0..40 {
        env.write(&format!(".codex/sessions/2026/{file}.jsonl"), "old\n");
    }
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&BACKUP).code(0).stderr("");
    copy(&env, "old");
    // Noise, so that a copy of it needs room.
    let mut noise = 1_u64;
    for file in 0..40 {
        let mut text = String::new();
        while text.len() < 3000 {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(&format!("{:08x}", noise >> 32));
        }
        env.write(&format!(".codex/sessions/2026/{file}.jsonl"), &text);
    }
    env.write(".codex/config.toml", "model = \"since\"\n");
    copy(&env, "new");
    env
}

fn copy(env: &Env, to: &str) {
    for (path, content) in env.tree(".codex") {
        env.write(&format!("{to}/{path}"), &content);
    }
}

/// Runs a script of the shell where it may mount, in the world and with the program as `$MGR`. None, and a word on it, where
/// the system lets nobody.
pub fn mounting(env: &Env, script: &str) -> Option<Ran> {
    let may = Command::new("unshare").args(["-rm", "true"]).output();
    if !may.is_ok_and(|may| may.status.success()) {
        eprintln!("skipped: this system has no namespaces for everybody (`unshare -rm`)");
        return None;
    }
    let program = env.command(&[]).get_program().to_owned();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-euc", script]).env_clear();
    env.surround(&mut command);
    command
        .env("MGR", program)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("CODEX_MANAGER_NOW", crate::common::NOW);
    Some(env.ran(&mut command, &["script"]))
}

#[test]
fn a_home_that_is_a_mount_point_is_restored() {
    let env = world();
    let script = r#"
        mount -t tmpfs none .codex
        cp -a new/. .codex/
        "$MGR" restore alice@example.com --yes --quiet
        diff -r old .codex
        "$MGR" restore --undo --yes --quiet
        diff -r new .codex
        umount .codex
    "#;
    if let Some(ran) = mounting(&env, script) {
        ran.code(0).stdout("").stderr("");
    }
}

#[test]
fn what_is_mounted_inside_is_told_before_anything_changes() {
    let env = world();
    let refused = |place: &str| {
        format!(
            "error: something is mounted on `~/.codex/{place}`, which would have to be moved; nothing was changed\n\
             hint: unmount it, or say with `--only` which other parts to restore\n"
        )
    };
    for place in ["sessions", "sessions/2026"] {
        let script = format!(
            r#"
            mount -t tmpfs none .codex/{place}
            cp -a new/{place}/. .codex/{place}/
            code=0
            "$MGR" restore alice@example.com --yes || code=$?
            diff -r new .codex
            "$MGR" restore alice@example.com --yes --quiet --only config
            diff old/config.toml .codex/config.toml
            diff -r new/sessions .codex/sessions
            "$MGR" restore --undo --yes --quiet
            diff -r new .codex
            exit $code
            "#
        );
        if let Some(ran) = mounting(&env, &script) {
            ran.code(1).stdout("").stderr(&refused(place));
        }
    }
    // A file of its own, as containers have it.
    let script = r#"
        mount --bind old/config.toml .codex/config.toml
        "$MGR" restore alice@example.com --dry-run || "$MGR" restore alice@example.com --yes
    "#;
    if let Some(ran) = mounting(&env, script) {
        let twice = refused("config.toml").repeat(2);
        ran.code(1).stdout("").stderr(&twice);
    }
    // What no snapshot holds may be anything.
    let script = r#"
        mount -t tmpfs none .codex/packages
        mount -t tmpfs none .codex/tmp
        echo x > .codex/tmp/x
        "$MGR" restore alice@example.com --yes --quiet
        diff -r old/sessions .codex/sessions
        cat .codex/tmp/x
    "#;
    if let Some(ran) = mounting(&env, script) {
        ran.code(0).stdout("x\n").stderr("");
    }
}

/// A container whose image holds the home: its directories cannot be moved until they are copied.
#[test]
fn a_home_of_a_container_s_image_stays_as_it_is_until_it_is_copied() {
    let env = world();
    let overlay = r"
        mkdir disk
        mount -t tmpfs none disk
        mkdir disk/upper disk/work
        mount -t overlay -o lowerdir=new,upperdir=disk/upper,workdir=disk/work,userxattr none .codex
    ";
    if mounting(&env, overlay).is_none_or(|ran| ran.code != Some(0)) {
        eprintln!("skipped: nobody may mount an overlay here");
        return;
    }
    let script = r#"
        code=0
        "$MGR" restore alice@example.com --yes || code=$?
        diff -r new .codex
        cp -a .codex/sessions .codex/copy
        rm -r .codex/sessions
        mv .codex/copy .codex/sessions
        "$MGR" restore alice@example.com --yes --quiet
        diff -r old .codex
        "$MGR" restore --undo --yes --quiet
        diff -r new .codex
        exit $code
    "#;
    let script = [&overlay.replace("mkdir disk\n", "\n"), script].concat();
    if let Some(ran) = mounting(&env, &script) {
        ran.code(1).stdout("").stderr(
            "error: cannot move to `~/.codex/.codex-manager-restore/old/sessions` `~/.codex/sessions`: invalid cross-device \
             link\nhint: what is of a container's image, or on another file system, cannot be moved: put a copy in its \
             place (`cp -a`), and run the command again\n",
        );
    }
}

#[test]
fn a_home_that_is_read_only_stays_as_it_is() {
    let env = world();
    let script = r#"
        mount -t tmpfs none .codex
        cp -a new/. .codex/
        mount -o remount,ro .codex
        code=0
        "$MGR" restore alice@example.com --yes || code=$?
        diff -r new .codex
        ls .codex-manager/backups
        exit $code
    "#;
    if let Some(ran) = mounting(&env, script) {
        ran.code(1)
            .stdout(
                "2026-04-14-155500-alice@example.com-codex.metadata.json\n\
                 2026-04-14-155500-alice@example.com-codex.tar.gz\n",
            )
            .stderr(
                "error: cannot make the directory `~/.codex/.codex-manager-restore/new`: read-only file system\n\
                 hint: choose a place that can be written\n",
            );
    }
}

/// Whatever there is room for: the home is wholly old, and nothing else stands in it, or wholly new. `place` is what stands
/// on the small file system, filled anew from `from` each time.
fn in_every_size(place: &str, from: &str) {
    let env = world();
    let script = format!(
        r#"
        [ -d {from} ] || cp -a {place} {from}
        size=4
        tried=0
        failed=0
        while [ $size -lt 2000 ]; do
            mount -t tmpfs -o size=${{size}}k none {place}
            if cp -a {from}/. {place}/ 2>/dev/null; then
                tried=$((tried + 1))
                code=0
                "$MGR" restore alice@example.com --yes --quiet 2>said || code=$?
                if [ $code = 0 ]; then
                    diff -r old .codex
                    echo "enough: $tried sizes tried, $failed too small"
                    exit 0
                fi
                failed=$((failed + 1))
                [ $code = 1 ] || {{ echo "exit code $code"; cat said; exit 1; }}
                grep -q "no space left\|are free" said || {{ cat said; exit 1; }}
                diff -r new .codex
                # What a failed one left is gone with the next command at the latest.
                "$MGR" normalize --source-dir .codex --quiet --inventory-path inventory.json 2>/dev/null || true
                find .codex-manager -name '.codex-manager-tmp-*'
                ls -A .codex-manager/backups | grep safety || true
            fi
            umount {place}
            rm -rf .codex && cp -a new .codex
            size=$((size + 4))
        done
        echo "never enough"
        exit 1
        "#
    );
    if let Some(ran) = mounting(&env, &script) {
        let ran = ran.code(0).stderr("");
        let numbers = ran
            .stdout
            .strip_prefix("enough: ")
            .unwrap_or_else(|| panic!("{}", ran.stdout));
        eprintln!("{place}: {numbers}");
        let tried: u32 = numbers
            .split(' ')
            .next()
            .expect("a word")
            .parse()
            .expect("a number");
        assert!(tried > 5, "{numbers}");
    }
}

#[test]
fn a_home_on_a_full_file_system_stays_as_it_is() {
    in_every_size(".codex", "new");
}

#[test]
fn without_room_for_the_safety_copy_nothing_changes() {
    in_every_size(".codex-manager", "manager");
}

#[test]
fn a_home_that_is_a_link_to_nowhere_is_made_there() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let env = world();
    fs::remove_dir_all(env.path(".codex")).expect("removes");
    for link in [
        "disk/codex/home".to_owned(),
        env.path("disk/codex/home").display().to_string(),
    ] {
        symlink(&link, env.path(".codex")).expect("links");
        // An archive that is refused while it is unpacked leaves the link leading to nowhere.
        let archive =
            env.path(".codex-manager/backups/2026-04-14-155500-alice@example.com-codex.tar.gz");
        let bytes = fs::read(&archive).expect("reads");
        fs::write(&archive, &bytes[..bytes.len() - 100]).expect("writes");
        env.run(&RESTORE).code(13);
        assert!(!env.path("disk").exists());
        fs::write(&archive, &bytes).expect("writes");
        env.run(&[&RESTORE[..], &["--dry-run"]].concat())
            .code(0)
            .stderr("");
        assert!(!env.path("disk").exists());
        env.run(&RESTORE).code(0).stderr("");
        assert_eq!(
            fs::read_link(env.path(".codex"))
                .expect("a link")
                .display()
                .to_string(),
            link
        );
        assert_eq!(
            env.read("disk/codex/home/config.toml"),
            "model = \"made-up\"\n"
        );
        let mode = fs::metadata(env.path("disk/codex"))
            .expect("stands")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir_all(env.path("disk")).expect("removes");
        fs::remove_file(env.path(".codex")).expect("removes");
    }
}

#[test]
fn a_home_behind_two_links_and_one_that_leads_in_a_circle() {
    use std::os::unix::fs::symlink;
    let env = world();
    fs::rename(env.path(".codex"), env.path("real")).expect("moves");
    symlink("real", env.path("first")).expect("links");
    symlink(env.path("first"), env.path(".codex")).expect("links");
    env.run(&RESTORE).code(0).stderr("");
    assert_eq!(env.read("real/config.toml"), "model = \"made-up\"\n");
    assert!(env.path("first").is_symlink() && env.path(".codex").is_symlink());
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(env.tree("real"), env.tree("new"));
    assert!(!env.path("real").join(RESTAGE).exists());
    fs::remove_file(env.path("first")).expect("removes");
    symlink(".codex", env.path("first")).expect("links");
    let ran = env.run(&RESTORE).code(1).stdout("");
    let end = "error: cannot look at `~/.codex`: too many levels of symbolic links\nhint: the system's own message says \
               why; mend it and run the command again\n";
    assert!(ran.stderr.ends_with(end), "{}", ran.stderr);
}
