//! BLAKE3 of files by their blocks: each block is hashed where it is read, and the file's hash is what any BLAKE3 of the
//! whole file gives. Pure.

use blake3::hazmat::{self, HasherExt, Mode};

use super::member::BLOCK;

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
        let small = of_block(b"small", None);
        assert_eq!(&small, blake3::hash(b"small").as_bytes());
        assert_eq!(of_parts(&[small]), small);
    }
}
