//! Property tests of every reader of what strangers, crashes and bad disks can hand in: inputs made by mutation of those in
//! `fixtures/fuzz`, which must neither panic nor work without end, and what passes must be what it says.
//!
//! Few rounds by default. Many, as long as is wanted (here some minutes), in one command:
//!
//! ```sh
//! CODEX_MANAGER_FUZZ_ROUNDS=100000 cargo test --release --bin codex-manager fuzz:: -- --nocapture
//! ```
//!
//! A failure tells target and round; `CODEX_MANAGER_FUZZ_FROM=ROUND` begins there.

mod archives;
mod bundles;
mod mutate;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use self::mutate::Mutator;

/// How often each target is tried by default: all of them together take some seconds.
const ROUNDS: u64 = 300;

/// Inputs do not grow beyond this.
const MOST_BYTES: usize = 64 << 10;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The inputs in `fixtures/<dir>`, by name.
fn seeds(dir: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(dir);
    let listing = fs::read_dir(&dir).expect("a directory of inputs");
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    assert!(!paths.is_empty(), "{}", dir.display());
    paths
        .iter()
        .map(|path| fs::read(path).expect("reads"))
        .collect()
}

/// What to say when a round fails.
struct Round<'a> {
    target: &'a str,
    number: u64,
    input: &'a [u8],
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = self.input.get(..300).unwrap_or(self.input);
            eprintln!(
                "target {}, round {}: {}",
                self.target,
                self.number,
                shown.escape_ascii()
            );
        }
    }
}

/// Tries `judge` with the seeds and with what becomes of them, also with `words` put in; with None it makes the changes
/// itself. It says whether the input was taken, which is counted: a
/// target that takes nothing tests nothing.
fn run(
    target: &str,
    seeds: &[Vec<u8>],
    words: Option<&[&str]>,
    judge: impl Fn(&mut Mutator, &[u8]) -> bool,
) {
    let start = number("CODEX_MANAGER_FUZZ_FROM").unwrap_or_default();
    let rounds = number("CODEX_MANAGER_FUZZ_ROUNDS").unwrap_or(ROUNDS);
    let mut taken = 0;
    for number in start..start + rounds {
        let mut mutator = Mutator::new(target, number);
        let place = mutator.below(seeds.len());
        let mut input = seeds[place].clone();
        // The seeds themselves come first, as they are.
        match usize::try_from(number)
            .ok()
            .and_then(|number| seeds.get(number))
        {
            Some(seed) => input.clone_from(seed),
            None => {
                if let Some(words) = words {
                    mutator.mutate(&mut input, seeds, words);
                }
            }
        }
        input.truncate(MOST_BYTES);
        let round = Round {
            target,
            number,
            input: &input,
        };
        taken += u64::from(judge(&mut mutator, round.input));
    }
    println!("{target}: {rounds} rounds, {taken} taken");
    assert!(taken > 0 || start > 0, "{target} takes nothing");
}
