//! What a machine and its remote have, with what is encrypted there opened: compared before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;

use age::x25519::Identity;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::carrying::KEY;
use super::world::{World, everything, tokens, without_random};

/// What a machine and its remote have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Each snapshot here by its place, and what its archive is.
    here: BTreeMap<String, String>,
    /// Each snapshot that can be seen on the remote.
    there: BTreeSet<String>,
    /// Each profile's login.
    logins: BTreeMap<String, String>,
    /// The logins that machines tell of on the remote.
    told: BTreeSet<String>,
    /// The identity on the remote, the settings, and whose key the marker tells of.
    pub others: Vec<Option<Vec<u8>>>,
    /// What is wrong with it.
    pub half: BTreeSet<String>,
}

impl State {
    pub fn of(world: &World) -> Self {
        let mut state = Self::default();
        let read = |below: &str| fs::read(world.env.path(below)).ok();
        let key = read(KEY).and_then(|key| identity(&key));
        let (_, files) = everything(&world.env.home());
        for path in &files {
            let name = path.to_string_lossy();
            if let Some(profile) = name.strip_prefix(".codex-manager/profiles/")
                && profile.ends_with("/auth.json")
            {
                let login = world.env.read(&name);
                state.logins.insert(profile.to_owned(), login);
            }
            if let Some(base) = name.strip_suffix(".tar.gz") {
                let bytes = read(&name).expect("reads");
                let sidecar = read(&format!("{base}.metadata.json")).unwrap_or_default();
                let sidecar: Value = serde_json::from_slice(&sidecar).unwrap_or_default();
                let hash = hash(&bytes);
                if sidecar["archive_sha256"] != hash {
                    state
                        .half
                        .insert(format!("half here: {}", without_random(&name)));
                }
                state.here.insert(name.to_string(), hash[..32].to_owned());
            }
            if let (Some(base), Some(key)) = (name.strip_suffix(".tar.gz.age"), &key) {
                if !files.contains(Path::new(&format!("{base}.metadata.json.age"))) {
                    continue;
                }
                let id = base.rsplit('-').next().expect("a hash");
                let opens = |end: &str| open(key, &read(&format!("{base}{end}"))?);
                let is_whole = opens(".tar.gz.age")
                    .is_some_and(|bytes| hash(&bytes).starts_with(id))
                    && opens(".metadata.json.age").is_some_and(|bytes| {
                        let sidecar: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                        let told = sidecar["archive_sha256"].as_str();
                        told.is_some_and(|told| told.starts_with(id))
                    });
                if !is_whole {
                    state.half.insert(format!("half there: {base}"));
                }
                state.there.insert(id.to_owned());
            }
            if name.starts_with("remote/machines/") && !name.contains(".codex-manager-tmp-") {
                let told = key.as_ref().and_then(|key| open(key, &read(&name)?));
                if told.is_none() {
                    let half = "half there: what a machine tells";
                    state.half.insert(half.to_owned());
                }
                state.told.extend(tokens(&told.unwrap_or_default()));
            }
        }
        let marker: Value = read("remote/codex-manager.json")
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let is_keys = key.is_none_or(|key| {
            let id = &hash(key.to_public().to_string().as_bytes())[..16];
            marker.is_null() || marker["key_ids"] == serde_json::json!([id])
        });
        if !is_keys {
            state
                .half
                .insert("half there: the marker is another key's".to_owned());
        }
        state.others = vec![
            read("remote/identity.age"),
            read(".codex-manager/config.toml"),
        ];
        state
    }

    /// Whether both sides have the same snapshots.
    pub fn is_mirror(&self) -> bool {
        self.ids() == self.there
    }

    fn ids(&self) -> BTreeSet<String> {
        self.here.values().cloned().collect()
    }

    /// What it has that has to stay, seen from what it is to become.
    pub fn lost_in(&self, now: &Self, goal: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        let lack = |had: &BTreeSet<String>, has: &BTreeSet<String>, goal: &BTreeSet<String>| {
            had.intersection(goal).any(|id| !has.contains(id))
        };
        if lack(&self.ids(), &now.ids(), &goal.ids()) {
            lost.push("lost: a snapshot here".to_owned());
        }
        if lack(&self.there, &now.there, &goal.there) {
            lost.push("lost: a snapshot there".to_owned());
        }
        for (profile, login) in &self.logins {
            let is = now.logins.get(profile);
            if is != Some(login) && (is.is_none() || is != goal.logins.get(profile)) {
                lost.push(format!("lost: the login of {profile}"));
            }
        }
        lost
    }

    /// What it lacks of what it is to be.
    pub fn lacks(&self, goal: &Self) -> Option<String> {
        let mut lacks = String::new();
        for (what, is_so) in [
            ("snapshots here", self.here == goal.here),
            ("snapshots there", self.there == goal.there),
            ("logins here", self.logins == goal.logins),
            ("logins there", self.told == goal.told),
            ("settings", self.others.get(1) == goal.others.get(1)),
            (
                "the identity there",
                self.others[0].is_some() == goal.others[0].is_some(),
            ),
        ] {
            if !is_so {
                let _ = write!(lacks, " {what}");
            }
        }
        (!lacks.is_empty()).then_some(lacks)
    }
}

fn hash(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// None where it is under a passphrase.
fn identity(file: &[u8]) -> Option<Identity> {
    let text = String::from_utf8_lossy(file);
    text.lines().find_map(|line| line.parse().ok())
}

fn open(key: &Identity, sealed: &[u8]) -> Option<Vec<u8>> {
    let decryptor = age::Decryptor::new_buffered(sealed).ok()?;
    let mut opened = Vec::new();
    let keys = std::iter::once(key as &dyn age::Identity);
    let mut reader = decryptor.decrypt(keys).ok()?;
    reader.read_to_end(&mut opened).ok()?;
    Some(opened)
}
