//! Which bytes of a file are worth writing: long runs of zeros are left out, so that sparse files stay sparse. Pure.

/// The shortest run that is left out, at a multiple of its own length. File systems keep units of 4 to 64 KiB.
pub(super) const HOLE: usize = 64 * 1024;

/// The most bytes of one run: 1 MiB ones were measured erratic to write.
const RUN: usize = 256 * 1024;

static ZEROS: [u8; HOLE] = [0; HOLE];

/// What of `bytes`, which stand at `offset` of their file, is to be written: places in `bytes`, and what stands there.
pub(super) fn solid(bytes: &[u8], offset: u64) -> impl Iterator<Item = (usize, &[u8])> {
    let mut place = 0;
    std::iter::from_fn(move || {
        let start = loop {
            let unit = unit(bytes, offset, place)?;
            if unit != ZEROS {
                break place;
            }
            place += unit.len();
        };
        while let Some(unit) = unit(bytes, offset, place) {
            if unit == ZEROS || place + unit.len() > start + RUN {
                break;
            }
            place += unit.len();
        }
        Some((start, bytes.get(start..place)?))
    })
}

/// The bytes from `place` on, up to the next multiple of [`HOLE`] in the file; None behind the last.
fn unit(bytes: &[u8], offset: u64, place: usize) -> Option<&[u8]> {
    let rest = bytes.get(place..).filter(|rest| !rest.is_empty())?;
    let within = usize::try_from((offset + place as u64) % HOLE as u64).unwrap_or_default();
    Some(rest.get(..HOLE - within).unwrap_or(rest))
}

/// How many bytes of them are to be written.
pub(super) fn solid_bytes(bytes: &[u8], offset: u64) -> u64 {
    solid(bytes, offset).map(|(_, run)| run.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn runs_and_zeros_between_them_are_all_of_it(
            parts in prop::collection::vec((any::<bool>(), 1..200_000usize), 0..8), offset in 0..300_000u64
        ) {
            let bytes: Vec<u8> = parts
                .iter()
                .flat_map(|(is_zero, count)| std::iter::repeat_n(u8::from(!is_zero), *count))
                .collect();
            let mut again = vec![0; bytes.len()];
            let mut end = 0;
            for (place, run) in solid(&bytes, offset) {
                prop_assert!(place >= end && !run.is_empty() && run.len() <= RUN);
                end = place + run.len();
                again[place..end].copy_from_slice(run);
            }
            prop_assert!(again == bytes);
        }
    }

    #[test]
    fn only_whole_units_are_left_out() {
        let runs = |bytes: &[u8], offset| -> Vec<(usize, usize)> {
            solid(bytes, offset)
                .map(|(place, run)| (place, run.len()))
                .collect()
        };
        assert_eq!(runs(&[], 0), []);
        assert_eq!(runs(&vec![0; HOLE], 0), []);
        assert_eq!(runs(&vec![0; HOLE - 1], 0), [(0, HOLE - 1)]);
        assert_eq!(runs(&vec![0; HOLE], 1), [(0, HOLE)]);
        let mut bytes = vec![0; 6 * HOLE];
        bytes[HOLE] = 1;
        assert_eq!(runs(&bytes, 0), [(HOLE, HOLE)]);
        assert_eq!(runs(&bytes, 7 * HOLE as u64), [(HOLE, HOLE)]);
        assert_eq!(solid_bytes(&bytes, 0), HOLE as u64);
        bytes.fill(1);
        assert_eq!(runs(&bytes, 0), [(0, RUN), (RUN, 2 * HOLE)]);
    }
}
