//! The lines of a file that hold a given text, last first, in little memory however long file and lines are.

use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at first: most files hold what is looked for in their last few lines.
const FIRST_BLOCK: u64 = 32 << 10;

/// How much is read at once from then on.
const BLOCK: u64 = 256 << 10;

/// How far the text may stand from either end of its line. A line of rate limits has some 2 KiB; longer lines hold what
/// was said.
const REACH: u64 = 64 << 10;

/// Passes each line among the first `length` bytes that holds `needle` to `take`, the last one first, until it returns
/// true. The last line may lack its end. Lines longer than [`REACH`] on either side of the text are passed over.
pub fn lines_backwards(
    file: &mut (impl Read + Seek),
    length: u64,
    needle: &[u8],
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let finder = memchr::memmem::Finder::new(needle);
    let overlap = (needle.len() as u64).saturating_sub(1);
    let mut block = Vec::new();
    let mut around = Vec::new();
    let mut end = length;
    // From here on every line is dealt with.
    let mut dealt = length;
    let mut size = FIRST_BLOCK;
    while end > 0 {
        let start = end.saturating_sub(size);
        // A text that begins in this block may end in the one after it.
        read_at(file, start, (end + overlap).min(length), &mut block)?;
        let hits: Vec<usize> = finder.find_iter(&block).collect();
        for hit in hits.into_iter().rev() {
            let at = start + hit as u64;
            if at >= dealt {
                continue;
            }
            let from = at.saturating_sub(REACH);
            read_at(file, from, (at + REACH).min(length), &mut around)?;
            // Cut short since, the file may end before the text does.
            let place = usize::try_from(at - from).map_or(around.len(), |at| at.min(around.len()));
            let (before, after) = around.split_at(place);
            let line_start = memchr::memrchr(b'\n', before).map(|place| place + 1);
            dealt = from + line_start.unwrap_or(0) as u64;
            let line_end = memchr::memchr(b'\n', after).map(|place| before.len() + place);
            let begins = line_start.or((from == 0).then_some(0));
            let ends = line_end.or((at + REACH >= length).then_some(around.len()));
            let line = begins
                .zip(ends)
                .and_then(|(begins, ends)| around.get(begins..ends));
            if line.is_some_and(&mut *take) {
                return Ok(());
            }
        }
        end = start;
        size = BLOCK;
    }
    Ok(())
}

/// The bytes from `start` to `end`, or fewer where the file was cut short since.
fn read_at(
    file: &mut (impl Read + Seek),
    start: u64,
    end: u64,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    bytes.clear();
    file.seek(SeekFrom::Start(start))?;
    file.take(end.saturating_sub(start)).read_to_end(bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn found(content: &[u8], needle: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut take = |line: &[u8]| {
            lines.push(line.to_vec());
            false
        };
        lines_backwards(
            &mut Cursor::new(content),
            content.len() as u64,
            needle,
            &mut take,
        )
        .expect("reads");
        lines
    }

    #[test]
    fn lines_come_last_first_and_each_once() {
        let content = b"a X\nb\nc X X\nd\ne X";
        let lines = found(content, b"X");
        assert_eq!(lines, [&b"e X"[..], b"c X X", b"a X"]);
    }

    #[test]
    fn it_stops_where_it_is_told() {
        let mut seen = 0;
        let content = b"X1\nX2\nX3\n";
        lines_backwards(&mut Cursor::new(content), 9, b"X", &mut |_| {
            seen += 1;
            seen == 2
        })
        .expect("reads");
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_line_of_many_megabytes_is_passed_over_with_all_it_holds() {
        let mut content = b"first X\n".to_vec();
        for _ in 0..300_000 {
            content.extend_from_slice(b"long X and on ");
        }
        content.extend_from_slice(b"\nlast X\n");
        assert_eq!(found(&content, b"X"), [&b"last X"[..], b"first X"]);
    }

    #[test]
    fn a_text_across_the_ends_of_blocks_is_found() {
        for boundary in [FIRST_BLOCK, FIRST_BLOCK + BLOCK] {
            for before in 0..8 {
                let after = usize::try_from(boundary).expect("small") - before;
                let mut content = b"needle".to_vec();
                content.resize(after + 6, b'\n');
                content.splice(0..0, *b"first\n");
                assert_eq!(
                    found(&content, b"needle"),
                    [b"needle"],
                    "{boundary} {before}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Wherever blocks end.
        #[test]
        fn no_line_is_missed(lengths in prop::collection::vec((0_usize..60_000, any::<bool>()), 0..20), is_ended: bool) {
            let mut content = Vec::new();
            let mut expected = Vec::new();
            for (count, (length, has_needle)) in lengths.iter().enumerate() {
                if count > 0 {
                    content.push(b'\n');
                }
                let mut line = vec![b'.'; *length];
                if *has_needle {
                    line.splice(length / 2..length / 2, *b"needle");
                    expected.push(line.clone());
                }
                content.extend_from_slice(&line);
            }
            if is_ended {
                content.push(b'\n');
            }
            expected.reverse();
            prop_assert!(found(&content, b"needle") == expected);
        }
    }
}
