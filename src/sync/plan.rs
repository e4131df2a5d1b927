//! What is here, what is there, and what either lacks. Pure.

use std::collections::BTreeSet;

use super::keys::{Carried, Id, Listing};
use super::local::Local;

/// Which snapshots stand where.
#[derive(Debug, Default)]
pub struct Difference<'a> {
    /// On this machine alone.
    pub here: Vec<&'a Local>,
    /// On the remote alone, the earlier made first.
    pub there: Vec<&'a Carried>,
    /// In both places.
    pub both: Vec<(&'a Local, &'a Carried)>,
}

impl<'a> Difference<'a> {
    /// Compares the two.
    pub fn of(locals: &'a [Local], listing: &'a Listing) -> Self {
        let mut difference = Self::default();
        let mut seen: BTreeSet<&Id> = BTreeSet::new();
        for local in locals {
            let id = &local.stem.id;
            let is_first = seen.insert(id);
            match listing.whole.get(id) {
                Some(carried) => difference.both.push((local, carried)),
                // The same archive may stand in two places here; one is enough there.
                None if is_first => difference.here.push(local),
                None => {}
            }
        }
        difference.there = listing
            .whole
            .values()
            .filter(|carried| !seen.contains(&carried.stem.id))
            .collect();
        difference.there.sort_by(|a, b| a.stem.cmp(&b.stem));
        difference
    }
}
