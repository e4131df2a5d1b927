//! `sync` where there is no room, here or on the remote: what was there stays, nothing is half there, and with room the next
//! run does the rest.

use crate::common::Env;
use crate::mounts::mounting;
use crate::sync::{give_key, snapshot};

const REMOTE: &str = "~/remote";

/// Noise, so that a snapshot of it needs room.
fn noise(env: &Env, seed: u64) {
    let mut noise = seed;
    let mut text = String::new();
    while text.len() < 60_000 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push_str(&format!("{:08x}", noise >> 32));
    }
    env.write(".codex/sessions/noise.jsonl", &text);
}

/// Three snapshots of some length, of which `pushed` are on the remote in its home.
fn world(pushed: bool) -> Env {
    let mut env = Env::new();
    env.run(&["sync", "init", "--remote", REMOTE]).code(0);
    for (day, name) in [(2, "alice"), (3, "bob"), (4, "carol")] {
        noise(&env, day);
        snapshot(&mut env, name, u8::try_from(day).expect("a day"), name);
    }
    if pushed {
        env.run(&["sync", "push"]).code(0);
    }
    env
}

/// Runs `command` with a file system of each size at `place`, whose exit code then is `code`; `sound` tells of what came.
fn in_every_size(env: &Env, place: &str, command: &str, code: i32, sound: &str) {
    let script = format!(
        r#"
        cp -a {place} from
        size=4
        tried=0
        while [ $size -lt 2000 ]; do
            mount -t tmpfs -o size=${{size}}k,mode=700 none {place}
            if cp -a from/. {place}/ 2>/dev/null; then
                tried=$((tried + 1))
                code=0
                "$MGR" {command} --quiet 2>said || code=$?
                if [ $code = 0 ]; then
                    {sound}
                    echo "enough: $tried"
                    exit 0
                fi
                [ $code = {code} ] || {{ echo "exit code $code"; cat said; exit 1; }}
                grep -qi "no space left" said && grep -q "^hint: " said || {{ cat said; exit 1; }}
                (cd from; find . -type f ! -name lock) | while read -r file; do cmp from/$file {place}/$file; done
                "$MGR" list-backups --all --verify >/dev/null
                find {place} -name '.codex-manager-tmp-*'
                mount -o remount,size=4m {place}
                "$MGR" {command} --quiet
                {sound}
                find {place} -name '.codex-manager-tmp-*'
            fi
            umount {place}
            size=$((size + 4))
        done
        echo "never enough"
        exit 1
        "#
    );
    if let Some(ran) = mounting(env, &script) {
        let ran = ran.code(0).stderr("");
        let tried = ran.stdout.strip_prefix("enough: ");
        let tried: u32 = tried
            .and_then(|tried| tried.trim().parse().ok())
            .unwrap_or_default();
        assert!(tried > 5, "{}", ran.stdout);
    }
}

#[test]
fn a_pull_without_room_here_is_finished_with_room() {
    let desk = world(true);
    let mut laptop = Env::new();
    give_key(&desk, &laptop);
    snapshot(&mut laptop, "dave", 5, "laptop");
    for (name, content) in files(&desk, "remote") {
        let path = laptop.path(&format!("remote/{name}"));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        std::fs::write(path, content).expect("writes");
    }
    laptop
        .run(&["config", "set", "sync.remote", REMOTE])
        .code(0);
    let sound = r#"[ $(ls .codex-manager/backups/*.tar.gz | wc -l) = 4 ]; "$MGR" list-backups --verify >/dev/null"#;
    in_every_size(&laptop, ".codex-manager/backups", "sync pull", 1, sound);
}

#[test]
fn a_push_to_a_full_folder_is_finished_with_room() {
    let desk = world(false);
    let sound = r#"[ $(ls remote/snapshots/*.metadata.json.age | wc -l) = 3 ]; "$MGR" sync pull --backup-dir other --quiet; [ $(ls other/*.tar.gz | wc -l) = 3 ]; rm -r other"#;
    in_every_size(&desk, "remote", "sync push", 16, sound);
}

fn files(env: &Env, below: &str) -> Vec<(String, Vec<u8>)> {
    let names = env.files(below).into_iter();
    names
        .map(|name| {
            let bytes = std::fs::read(env.path(below).join(&name)).expect("reads");
            (name, bytes)
        })
        .collect()
}
