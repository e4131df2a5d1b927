//! BLAKE3 of files by their blocks: each block is hashed where it is read, and the file's hash is what any BLAKE3 of the
//! whole file gives. Pure.

use blake3::hazmat::{self, HasherExt, Mode};

use super::member::{BLOCK, Key};

/// A BLAKE3 hash, or a part's share of one.
pub type Hash = [u8; 32];

/// The hash of a block: of a whole file or of anything else that stands for itself, or the share of the file's block
/// with the number `part`.
///
/// Source: the BLAKE3 paper, 2.4: a tree over chunks, of which aligned blocks of a power of two are subtrees.
pub fn of_block(plain: &[u8], part: Option<u32>) -> Hash {
    match part {
        // An empty part has no share; nobody asks for one.
        Some(part) if !plain.is_empty() && plain.len() <= BLOCK => {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(u64::from(part) * BLOCK as u64);
            hasher.update(plain);
            hasher.finalize_non_root()
        }
        _ => *blake3::hash(plain).as_bytes(),
    }
}

/// The hash of a file of more than one block, from the shares of its blocks in order.
pub fn of_parts(parts: &[Hash]) -> Hash {
    match parts {
        [] => *blake3::hash(&[]).as_bytes(),
        [one] => *one,
        _ => {
            let (left, right) = parts.split_at(left_count(parts.len()));
            *hazmat::merge_subtrees_root(&share(left), &share(right), Mode::Hash).as_bytes()
        }
    }
}

/// Hashes a file as it comes, in pieces of any length.
pub struct Hasher {
    size: u64,
    /// Of the blocks before the one under way.
    parts: Vec<Hash>,
    block: blake3::Hasher,
    /// How much of the block under way was hashed.
    filled: usize,
}

impl Hasher {
    /// For a file of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            parts: Vec::new(),
            block: blake3::Hasher::new(),
            filled: 0,
        }
    }

    /// Whether the next bytes, if they are those of `key`, are exactly the next block of the file.
    pub fn is_next(&self, key: &Key) -> bool {
        let done = self.parts.len() as u64 * BLOCK as u64;
        let next = self.size.saturating_sub(done).min(BLOCK as u64);
        self.filled == 0
            && u64::from(key.plain) == next
            && key.part.map(u64::from) == self.is_in_parts().then_some(self.parts.len() as u64)
    }

    /// Takes the next block, which [is the next](Self::is_next), by what `key` says of it.
    pub fn take(&mut self, key: &Key) {
        self.parts.push(key.hash);
    }

    /// Takes the next bytes. Where they are known to be those of `key`, they are not hashed again.
    pub fn update(&mut self, mut bytes: &[u8], key: Option<&Key>) {
        if let Some(key) = key.filter(|key| self.is_next(key)) {
            self.take(key);
            return;
        }
        while !bytes.is_empty() {
            let (now, behind) = bytes
                .split_at_checked(BLOCK - self.filled)
                .unwrap_or((bytes, &[]));
            bytes = behind;
            if self.filled == 0 && self.is_in_parts() {
                self.block = blake3::Hasher::new();
                self.block
                    .set_input_offset(self.parts.len() as u64 * BLOCK as u64);
            }
            self.block.update(now);
            self.filled += now.len();
            if self.filled == BLOCK && self.is_in_parts() {
                self.end_part();
            }
        }
    }

    fn is_in_parts(&self) -> bool {
        self.size > BLOCK as u64
    }

    fn end_part(&mut self) {
        self.parts.push(self.block.finalize_non_root());
        self.filled = 0;
    }

    /// The hash of all that was taken: the file's, where that was all of it.
    pub fn finish(mut self) -> Hash {
        if self.is_in_parts() && self.filled > 0 {
            self.end_part();
        }
        if self.parts.is_empty() {
            return *self.block.finalize().as_bytes();
        }
        of_parts(&self.parts)
    }
}

fn share(parts: &[Hash]) -> Hash {
    match parts {
        [] => Hash::default(),
        [one] => *one,
        _ => {
            let (left, right) = parts.split_at(left_count(parts.len()));
            hazmat::merge_subtrees_non_root(&share(left), &share(right), Mode::Hash)
        }
    }
}

/// How many of `count` blocks, two at least, stand on the left: the largest power of two that leaves one.
fn left_count(count: usize) -> usize {
    count.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_together_give_the_hash_of_the_file() {
        let bytes: Vec<u8> = (0..7 * BLOCK + 5)
            .map(|place| u8::try_from(place % 253).expect("small"))
            .collect();
        for length in [
            BLOCK + 1,
            2 * BLOCK,
            2 * BLOCK + 1,
            3 * BLOCK - 7,
            4 * BLOCK,
            5 * BLOCK + 1024,
            7 * BLOCK + 5,
        ] {
            let file = &bytes[..length];
            let parts: Vec<Hash> = (0..)
                .zip(file.chunks(BLOCK))
                .map(|(part, block)| of_block(block, Some(part)))
                .collect();
            assert_eq!(&of_parts(&parts), blake3::hash(file).as_bytes(), "{length}");
        }
        assert_eq!(&of_parts(&[]), blake3::hash(&[]).as_bytes());
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5] {
            let file = &bytes[..length];
            for step in [1000, BLOCK - 1, BLOCK, 3 * BLOCK] {
                // Keys of blocks are believed, those of other pieces are not.
                for is_known in [false, true] {
                    let mut hasher = Hasher::new(length as u64);
                    for (part, piece) in (0..).zip(file.chunks(step)) {
                        let key = Key::of(piece, Some(part).filter(|_| length > BLOCK), 6);
                        hasher.update(piece, is_known.then_some(&key));
                    }
                    let hash = hasher.finish();
                    assert_eq!(&hash, blake3::hash(file).as_bytes(), "{length} {step}");
                }
            }
        }
        // Blocks of other files, or of other places.
        let file = &bytes[..=BLOCK];
        for (cut, part) in [(1, Some(0)), (1, Some(1)), (BLOCK, None), (BLOCK, Some(1))] {
            let mut hasher = Hasher::new(file.len() as u64);
            for piece in [&file[..cut], &file[cut..]] {
                hasher.update(piece, Some(&Key::of(piece, part, 6)));
            }
            assert_eq!(&hasher.finish(), blake3::hash(file).as_bytes(), "{cut}");
        }
        let mut known = Hasher::new(5);
        known.update(b"other", Some(&Key::of(b"small", None, 6)));
        assert_eq!(&known.finish(), blake3::hash(b"small").as_bytes());
        let small = of_block(b"small", None);
        assert_eq!(&small, blake3::hash(b"small").as_bytes());
        assert_eq!(of_parts(&[small]), small);
    }
}
