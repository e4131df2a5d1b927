//! Small archives of each kind, cut at every byte and with a bit flipped in every byte.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::raw::{Raw, gzip};
use super::{BACKUPS, BASE, Beside, alice, all, home, put, refused, refused_or_equal, world};
use crate::common::{Env, Person};

/// How many of the damaged archives are also restored, each in a run of its own: one of so many.
const ONE_OF: usize = 41;

/// An archive as this program writes it, and what it says of itself.
pub fn of_members() -> (Vec<u8>, String) {
    let env = Env::new();
    let person = Person::named("alice");
    env.codex_home(&person);
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let archive = fs::read(env.path(&format!("{BACKUPS}/{BASE}.tar.gz"))).expect("reads");
    (
        archive,
        env.read(&format!("{BACKUPS}/{BASE}.metadata.json")),
    )
}

/// An archive as the older tool writes it: one member, pax headers, its description inside.
fn of_python() -> Vec<u8> {
    let inside = r#"{"product":"codex","email":"alice@example.com"}"#;
    let tar = Raw::default()
        .file(&format!("{BASE}.metadata.json"), inside.as_bytes())
        .pax(&[("mtime", "1776169500.25"), ("path", "auth.json")])
        .file("auth", alice().as_bytes())
        .dir("sessions")
        .file("sessions/1.jsonl", b"{}\n");
    gzip(&tar.end())
}

fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// The name of one of many archives of alice's.
fn numbered(number: usize) -> String {
    let (hours, minutes, seconds) = (number / 3600, number / 60 % 60, number % 60);
    format!("2026-04-14-{hours:02}{minutes:02}{seconds:02}-alice@example.com-codex")
}

/// All of `damaged` lie in one directory; which of them are taken for sound, by number.
fn taken_for_sound(
    damaged: &[Vec<u8>],
    beside: impl Fn(&[u8]) -> Option<String>,
) -> BTreeSet<usize> {
    let env = world();
    for (number, bytes) in damaged.iter().enumerate() {
        put(&env, &numbered(number), bytes, Beside::Nothing);
        if let Some(sidecar) = beside(bytes) {
            env.write(
                &format!("{BACKUPS}/{}.metadata.json", numbered(number)),
                &sidecar,
            );
        }
    }
    let before = all(&env);
    let listed = env.run(&["list-backups", "--verify", "--json"]);
    assert!(all(&env) == before, "something changed");
    assert!(matches!(listed.code, Some(0 | 3)), "{:?}", listed.code);
    let document = listed.json();
    let backups = document["backups"].as_array().expect("a list");
    assert_eq!(backups.len(), damaged.len());
    let sound = backups.iter().filter(|backup| backup["verified"] == true);
    let names: BTreeSet<&str> = sound
        .map(|backup| backup["archive_name"].as_str().expect("a name"))
        .collect();
    (0..damaged.len())
        .filter(|number| names.contains(format!("{}.tar.gz", numbered(*number)).as_str()))
        .collect()
}

fn cuts(archive: &[u8]) -> Vec<Vec<u8>> {
    (0..archive.len())
        .map(|end| archive[..end].to_vec())
        .collect()
}

fn flips(archive: &[u8]) -> Vec<Vec<u8>> {
    let flip = |place: usize| {
        let mut bytes = archive.to_vec();
        bytes[place] ^= 1 << (place * 5 % 8);
        bytes
    };
    (0..archive.len()).map(flip).collect()
}

/// The sidecar that stood beside the whole archive, and no sidecar.
#[track_caller]
fn check(archive: &[u8], own: &str) {
    assert_eq!(
        taken_for_sound(&[archive.to_vec()], |_| Some(own.to_owned())).len(),
        1
    );
    assert_eq!(taken_for_sound(&[archive.to_vec()], |_| None).len(), 1);
    for damaged in [cuts(archive), flips(archive)] {
        let none = taken_for_sound(&damaged, |_| Some(own.to_owned()));
        assert_eq!(none, BTreeSet::new());
        // What only gzip itself vouches for: a bit that tells nothing of the content may be another.
        let plain = inflated(archive);
        let sound = taken_for_sound(&damaged, |_| None);
        for number in &sound {
            assert!(
                inflated(&damaged[*number]) == plain,
                "{number} of {}",
                archive.len()
            );
        }
        assert!(
            sound.len() < archive.len() / 4,
            "{} of {}",
            sound.len(),
            archive.len()
        );
        let env = world();
        for (number, bytes) in damaged.iter().enumerate().step_by(ONE_OF) {
            put(&env, BASE, bytes, Beside::Nothing);
            let is_restored = refused_or_equal(&env, &number.to_string(), bytes);
            assert_eq!(is_restored, sound.contains(&number), "{number}");
            env.write(&format!("{BACKUPS}/{BASE}.metadata.json"), own);
            refused(&env, &number.to_string());
        }
    }
}

#[test]
fn a_snapshot_of_ours_cut_or_flipped_at_any_byte_is_refused() {
    let (archive, sidecar) = of_members();
    check(&archive, &sidecar);
}

#[test]
fn a_snapshot_of_the_python_tool_cut_or_flipped_at_any_byte_is_refused() {
    let archive = of_python();
    let sidecar = super::sidecar(&archive, &serde_json::json!({"schema_version": null}));
    check(&archive, &sidecar.to_string());
}

/// The hash fits whatever the archive became: the archive itself has to be whole.
#[test]
fn a_sidecar_that_vouches_for_damage_does_not_help() {
    let archive = gzip(&home().end());
    let plain = inflated(&archive);
    for damaged in [cuts(&archive), flips(&archive)] {
        let sound = taken_for_sound(&damaged, |bytes| {
            Some(super::sidecar(bytes, &serde_json::json!({})).to_string())
        });
        for number in &sound {
            assert!(inflated(&damaged[*number]) == plain, "{number}");
        }
        assert!(sound.len() < 16, "{}", sound.len());
    }
}
