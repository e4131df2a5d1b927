//! Members whose headers lie, and members that are exchanged: what comes of an archive is what any reader of gzip and tar
//! makes of it, or it is refused. A sidecar that vouches for the bytes changes nothing of that.

use std::io::Read;

use flate2::Crc;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use super::damage::of_members;
use super::raw::{Raw, gzip};
use super::{BACKUPS, BASE, Beside, content, hash, put, refused, refused_or_equal, world};
use crate::common::Env;

/// Where what stands in a member's header, and how long that is.
pub const HEAD: usize = 96;
pub const PART: usize = 20;
pub const SIZE: usize = 24;
const PLAIN: usize = 28;
pub const HASH: usize = 32;
pub const PACKED: usize = 64;

pub fn number(member: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(member[place..place + 4].try_into().expect("four bytes"))
}

pub fn set(member: &mut [u8], place: usize, number: u32) {
    member[place..place + 4].copy_from_slice(&number.to_le_bytes());
}

/// The archive's members, each whole.
pub fn members_of(archive: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = archive;
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (member, behind) = rest.split_at(number(rest, SIZE) as usize);
        members.push(member.to_vec());
        rest = behind;
    }
    members
}

pub fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .expect("inflates");
    plain
}

/// The header's hash of the rest made to fit.
pub fn sealed(mut member: Vec<u8>) -> Vec<u8> {
    let packed = *blake3::hash(&member[HEAD..]).as_bytes();
    member[PACKED..HEAD].copy_from_slice(&packed);
    member
}

/// A member of `plain` in which everything fits, its content in one stored block of deflate.
fn honest(plain: &[u8]) -> Vec<u8> {
    let length = u16::try_from(plain.len()).expect("short");
    let mut crc = Crc::new();
    crc.update(plain);
    let mut member = vec![
        0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 84, 0, b'C', b'M', 80, 0, 1, 3, 0, 0,
    ];
    member.resize(HEAD, 0);
    member.push(1);
    member.extend_from_slice(&length.to_le_bytes());
    member.extend_from_slice(&(!length).to_le_bytes());
    member.extend_from_slice(plain);
    member.extend_from_slice(&crc.sum().to_le_bytes());
    member.extend_from_slice(&u32::from(length).to_le_bytes());
    let size = u32::try_from(member.len()).expect("short");
    set(&mut member, SIZE, size);
    set(&mut member, PLAIN, u32::from(length));
    member[HASH..PACKED].copy_from_slice(blake3::hash(plain).as_bytes());
    sealed(member)
}

/// A snapshot of ours, in members, with its sidecar.
struct Sound {
    env: Env,
    members: Vec<Vec<u8>>,
    sidecar: Value,
}

impl Sound {
    fn new() -> Self {
        let (archive, sidecar) = of_members();
        let members = members_of(&archive);
        assert!(members.len() >= 3, "{}", members.len());
        assert_eq!(members.concat(), archive);
        Self {
            env: world(),
            members,
            sidecar: serde_json::from_str(&sidecar).expect("JSON"),
        }
    }

    /// Beside it a sidecar that fits it, and none; whether it was restored, with it.
    #[track_caller]
    fn judge(&self, what: &str, archive: &[u8]) -> bool {
        put(&self.env, BASE, archive, Beside::Nothing);
        refused_or_equal(&self.env, what, archive);
        self.vouch(archive);
        refused_or_equal(&self.env, what, archive)
    }

    fn vouch(&self, archive: &[u8]) {
        let mut sidecar = self.sidecar.clone();
        sidecar["archive_size_bytes"] = json!(archive.len());
        sidecar["archive_sha256"] = json!(hash(archive));
        let below = format!("{BACKUPS}/{BASE}.metadata.json");
        self.env.write(&below, &sidecar.to_string());
    }

    /// With the member at `place` changed.
    fn with(&self, place: usize, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut members = self.members.clone();
        change(&mut members[place]);
        members.concat()
    }
}

#[test]
fn members_made_by_hand_are_taken_where_everything_fits() {
    let sound = Sound::new();
    let archive: Vec<u8> = sound.members.concat();
    assert!(sound.judge("as it was", &archive));
    let by_hand: Vec<Vec<u8>> = sound
        .members
        .iter()
        .map(|member| honest(&inflated(member)))
        .collect();
    assert!(sound.judge("by hand", &by_hand.concat()));
}

#[test]
fn headers_that_lie_change_nothing_of_what_is_restored() {
    let sound = Sound::new();
    let numbers = |old: u32| {
        [
            0,
            1,
            95,
            96,
            104,
            old - 1,
            old + 1,
            old * 2,
            1 << 20,
            (1 << 20) + 1,
            1 << 31,
            u32::MAX,
        ]
    };
    for place in 0..sound.members.len() {
        for field in [PART, SIZE, PLAIN] {
            for lie in numbers(number(&sound.members[place], field).max(1)) {
                let archive = sound.with(place, |member| set(member, field, lie));
                sound.judge(&format!("member {place}, {field}: {lie}"), &archive);
            }
        }
        for at in [3, 10, 12, 14, 16, 17, 18, 19, HASH, PACKED] {
            let archive = sound.with(place, |member| member[at] ^= 1);
            sound.judge(&format!("member {place}, byte {at}"), &archive);
        }
    }
}

#[test]
fn a_body_that_was_exchanged_is_not_restored_as_another() {
    let sound = Sound::new();
    let place = (0..sound.members.len())
        .find(|place| {
            let plain = inflated(&sound.members[*place]);
            plain.windows(11).any(|part| part == b"\"made-up\"\n\0")
        })
        .expect("the settings are somewhere");
    let mut plain = inflated(&sound.members[place]);
    let at = plain
        .windows(7)
        .position(|part| part == b"made-up")
        .expect("there");
    plain[at..at + 7].copy_from_slice(b"changed");
    // Everything in the member fits; only the manifest knows what the file was.
    let archive = sound.with(place, |member| *member = honest(&plain));
    assert!(content(&archive).is_some());
    sound.judge("a changed file", &archive);
    // The body is another's, the hash of the content its own.
    let archive = sound.with(place, |member| {
        let hash = member[HASH..PACKED].to_vec();
        *member = honest(&plain);
        member[HASH..PACKED].copy_from_slice(&hash);
    });
    sound.judge("a changed file under its old hash", &archive);
    // The old sidecar knows it all.
    put(&sound.env, BASE, &archive, Beside::Nothing);
    let below = format!("{BACKUPS}/{BASE}.metadata.json");
    sound.env.write(&below, &sound.sidecar.to_string());
    refused(&sound.env, "a changed file beside the old sidecar");
    // Something between the data and its end, which some readers would pass over.
    let archive = sound.with(place, |member| {
        let end = member.len() - 8;
        member.splice(end..end, [0; 12]);
        let size = u32::try_from(member.len()).expect("short");
        set(member, SIZE, size);
        *member = sealed(std::mem::take(member));
    });
    assert!(!sound.judge("hidden bytes", &archive));
}

#[test]
fn members_that_are_swapped_dropped_doubled_or_slipped_in_change_nothing() {
    let sound = Sound::new();
    let count = sound.members.len();
    let hidden = Raw::default().file("hidden", b"p").bytes();
    let behind = Raw::default().file("hidden", b"p").end();
    let own = &sound.members;
    for place in 0..count {
        let (head, tail) = own.split_at(place);
        let whole = |between: &[u8]| [head.concat(), between.to_vec(), tail.concat()].concat();
        let dropped = [head.concat(), tail[1..].concat()].concat();
        // The first holds nothing but the description.
        let is_taken = sound.judge(&format!("{place} dropped"), &dropped);
        assert!(!is_taken || place == 0);
        assert!(!sound.judge(&format!("{place} doubled"), &whole(&own[place])));
        for other in place + 1..count {
            let mut swapped = own.clone();
            swapped.swap(place, other);
            let is_taken = sound.judge(&format!("{place} and {other} swapped"), &swapped.concat());
            assert!(!is_taken || other + 1 < count);
        }
        for (what, between) in [
            ("a plain member", gzip(&hidden)),
            ("a member by hand", honest(&hidden)),
            ("a plain member of nothing", gzip(b"")),
            ("an end", gzip(&behind)),
            ("garbage", b"GARBAGE".to_vec()),
            ("zeros", vec![0; 512]),
            ("a header alone", own[place][..HEAD].to_vec()),
            ("half a member", own[place][..own[place].len() / 2].to_vec()),
        ] {
            sound.judge(&format!("{what} before {place}"), &whole(&between));
        }
        let plain = inflated(&own[place]);
        for cut in [1, 511, 512, plain.len() - 1] {
            let (one, two) = plain.split_at(cut);
            for parts in [[honest(one), honest(two)], [gzip(one), gzip(two)]] {
                let archive = [head.concat(), parts.concat(), tail[1..].concat()].concat();
                sound.judge(&format!("{place} in two at {cut}"), &archive);
            }
        }
    }
    for (what, behind) in [
        ("its own first", own[0].clone()),
        ("its own last", own[count - 1].clone()),
        ("a plain one", gzip(&behind)),
        ("a plain one of zeros", gzip(&[0; 512])),
        ("a plain one of nothing", gzip(b"")),
        ("one by hand", honest(&behind)),
        ("one by hand of zeros", honest(&[0; 512])),
        ("garbage", b"GARBAGE".to_vec()),
    ] {
        sound.judge(
            &format!("{what} at the end"),
            &[own.concat(), behind].concat(),
        );
    }
}
