//! One gzip member of an archive of ours, which tells in its header what it holds. Pure: bytes in, bytes out.
//!
//! Any gzip reader takes the members one after another for one stream. An extra field (RFC 1952, 2.3.1.1, `CM`) names
//! each member's length, so that members can be found without inflating, and the hashes of what it holds and of itself,
//! so that a later archive can take it over as it stands.
//!
//! Compressing is left to libdeflate, which gives a smaller member in less time than any other; inflating to zlib-rs,
//! since what is read may come from a stranger.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor};

use super::file_hash::{self, Hash};

/// The most bytes that one member holds. Larger ones compress half a percent better, and more would be done anew for
/// each change.
pub const BLOCK: usize = 1 << 20;

/// The levels that can be asked for, from the fastest to the smallest.
pub const LEVELS: std::ops::RangeInclusive<u8> = 1..=12;

/// What every member starts with: deflate, an extra field, no time, no system.
const FIXED: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];

/// Length of the extra field, and of the one sub-field in it.
const EXTRA: u16 = 84;
const FIELD: u16 = 80;

/// Which compressor made a member, and in which form this header is. Another number for whatever changes the bytes that
/// equal content and level give: members of two kinds never mix in one archive.
const FORM: u8 = 1;

/// Length of a member's header.
pub const HEAD: usize = 96;

/// CRC and length behind the compressed data.
const TAIL: usize = 8;

/// What a member holds: as what its content is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Hash of the plain bytes: of their own, or as a part of a larger file's.
    pub hash: Hash,
    /// Which part of a larger file they are, counted in blocks; None for a whole.
    pub part: Option<u32>,
    /// How many plain bytes.
    pub plain: u32,
    /// The level they are compressed at.
    pub level: u8,
}

impl Key {
    /// The key of `plain`.
    pub fn of(plain: &[u8], part: Option<u32>, level: u8) -> Self {
        Self {
            hash: file_hash::of_block(plain, part),
            part,
            plain: u32::try_from(plain.len()).unwrap_or(u32::MAX),
            level,
        }
    }
}

/// A member's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it holds.
    pub key: Key,
    /// Length of the whole member, this header included.
    pub size: u32,
    /// Hash of all that follows the header.
    pub packed: Hash,
}

impl Head {
    /// The header in `bytes`, which may go on behind it; None where it is none of ours.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEAD] = bytes.get(..HEAD)?.try_into().ok()?;
        let mut rest = bytes.as_slice();
        let mut take = |count: usize| {
            let (taken, behind) = rest.split_at_checked(count)?;
            rest = behind;
            Some(taken)
        };
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes);
        let is_ours = take(10)? == FIXED
            && take(2)? == EXTRA.to_le_bytes()
            && take(2)? == b"CM"
            && take(2)? == FIELD.to_le_bytes()
            && take(1)? == [FORM];
        if !is_ours {
            return None;
        }
        let level = take(1)?.first().copied()?;
        if take(2)? != [0, 0] {
            return None;
        }
        let part = number(take(4)?)?.checked_sub(1);
        let size = number(take(4)?)?;
        let plain = number(take(4)?)?;
        let hash = take(32)?.try_into().ok()?;
        let packed = take(32)?.try_into().ok()?;
        let is_possible =
            size as usize > HEAD + TAIL && (1..=BLOCK).contains(&(plain as usize)) && is_sane(size);
        is_possible.then_some(Self {
            key: Key {
                hash,
                part,
                plain,
                level,
            },
            size,
            packed,
        })
    }

    /// Whether `bytes`, too few for a header, may be the begin of one.
    pub fn may_begin(bytes: &[u8]) -> bool {
        bytes.iter().zip(FIXED).all(|(one, fixed)| *one == fixed)
    }

    /// As it stands in the archive.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.extend_from_slice(&FIXED);
        bytes.extend_from_slice(&EXTRA.to_le_bytes());
        bytes.extend_from_slice(b"CM");
        bytes.extend_from_slice(&FIELD.to_le_bytes());
        bytes.extend_from_slice(&[FORM, self.key.level, 0, 0]);
        let part = self.key.part.map_or(0, |part| part.saturating_add(1));
        bytes.extend_from_slice(&part.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.key.plain.to_le_bytes());
        bytes.extend_from_slice(&self.key.hash);
        bytes.extend_from_slice(&self.packed);
        bytes
    }
}

/// Whether a member of a block at most can be that long: what cannot be compressed grows by five bytes in 64 KiB.
fn is_sane(size: u32) -> bool {
    size as usize <= HEAD + TAIL + BLOCK + BLOCK / 1024
}

/// Makes members of one level.
pub struct Packer {
    compressor: Compressor,
    /// Room for the largest member: to make it anew for each would cost more than to copy what came out.
    room: Vec<u8>,
}

impl Packer {
    /// One for `level`, which is brought within [`LEVELS`].
    pub fn new(level: u8) -> Self {
        let level = level.clamp(*LEVELS.start(), *LEVELS.end());
        let level = CompressionLvl::new(i32::from(level)).unwrap_or_default();
        let mut compressor = Compressor::new(level);
        Self {
            room: vec![0; compressor.deflate_compress_bound(BLOCK)],
            compressor,
        }
    }

    /// Puts the member of `plain`, one block at most, in place of what `out` holds. None where it is no such block.
    pub fn pack(&mut self, key: Key, plain: &[u8], out: &mut Vec<u8>) -> Option<Head> {
        if plain.is_empty() || plain.len() > BLOCK {
            return None;
        }
        let count = self.compressor.deflate_compress(plain, &mut self.room);
        out.clear();
        out.resize(HEAD, 0);
        out.extend_from_slice(self.room.get(..count.ok()?)?);
        let mut crc = Crc::new();
        crc.update(plain);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&key.plain.to_le_bytes());
        let head = Head {
            key,
            size: u32::try_from(out.len()).ok()?,
            packed: *blake3::hash(out.get(HEAD..)?).as_bytes(),
        };
        out.get_mut(..HEAD)?.copy_from_slice(&head.bytes());
        Some(head)
    }
}

/// Why a member is not what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Whether `member` is the one of `head`, byte for byte as it was made.
pub fn is_untouched(head: &Head, member: &[u8]) -> bool {
    member.len() == head.size as usize
        && Head::parse(member).as_ref() == Some(head)
        && member
            .get(HEAD..)
            .is_some_and(|body| *blake3::hash(body).as_bytes() == head.packed)
}

/// Inflates members.
pub struct Unpacker {
    inflater: Decompress,
}

impl Unpacker {
    /// One for any number of members.
    pub fn new() -> Self {
        Self {
            inflater: Decompress::new(false),
        }
    }

    /// Puts what `member` holds in place of what `out` holds. All of the member is looked at: its length, its CRC, both
    /// of its hashes. Nothing of `out` counts where it is damaged.
    pub fn unpack(&mut self, head: &Head, member: &[u8], out: &mut Vec<u8>) -> Result<(), Damaged> {
        let tail = self.unpack_again(head, member, out)?;
        let mut crc = Crc::new();
        crc.update(out);
        let expected = [crc.sum().to_le_bytes(), head.key.plain.to_le_bytes()].concat();
        if tail != expected || file_hash::of_block(out, head.key.part) != head.key.hash {
            return Err(Damaged);
        }
        Ok(())
    }

    /// Does so with a member that passed before, by that very `head`: the hash of the packed bytes tells that they are
    /// the same, and so what they hold. Gives the CRC and the length behind them.
    pub fn unpack_again<'m>(
        &mut self,
        head: &Head,
        member: &'m [u8],
        out: &mut Vec<u8>,
    ) -> Result<&'m [u8], Damaged> {
        if !is_untouched(head, member) {
            return Err(Damaged);
        }
        let body = member.get(HEAD..).ok_or(Damaged)?;
        let (data, tail) = body
            .split_at_checked(body.len().saturating_sub(TAIL))
            .ok_or(Damaged)?;
        let plain = head.key.plain as usize;
        self.inflater.reset(false);
        // One byte more, to see that nothing more would follow. What stood there is overwritten, or not looked at.
        out.resize(plain + 1, 0);
        let status = self
            .inflater
            .decompress(data, out, FlushDecompress::Finish)
            .map_err(|_| Damaged)?;
        let is_whole = status == Status::StreamEnd
            && self.inflater.total_in() == data.len() as u64
            && self.inflater.total_out() == plain as u64;
        if !is_whole {
            return Err(Damaged);
        }
        out.truncate(plain);
        Ok(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn packed(plain: &[u8], part: Option<u32>, level: u8) -> (Head, Vec<u8>) {
        let mut out = vec![7; 3];
        let key = Key::of(plain, part, level);
        let head = Packer::new(level).pack(key, plain, &mut out);
        (head.expect("packs"), out)
    }

    /// Noise and runs, so that both stored and compressed blocks come about.
    fn plain() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec((any::<u8>(), 1..200usize), 1..300).prop_map(|runs| {
            let run = |(byte, count): (u8, usize)| {
                let is_noise = count % 3 == 0;
                (0..count).map(move |place| {
                    let step = if is_noise { place * place * 31 } else { 0 };
                    byte.wrapping_add(u8::try_from(step % 251).unwrap_or_default())
                })
            };
            runs.into_iter().flat_map(run).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_was_packed_is_unpacked_and_any_gzip_reader_takes_it(
            plain in plain(), part in proptest::option::of(0..9u32), level in LEVELS
        ) {
            let (head, member) = packed(&plain, part, level);
            prop_assert_eq!(Head::parse(&member), Some(head));
            prop_assert_eq!((head.size as usize, head.key), (member.len(), Key::of(&plain, part, level)));
            let mut out = Vec::new();
            prop_assert_eq!(Unpacker::new().unpack(&head, &member, &mut out), Ok(()));
            prop_assert_eq!(&out, &plain);
            let mut twice = Vec::new();
            let stream = [member.as_slice(), &member].concat();
            flate2::read::MultiGzDecoder::new(stream.as_slice()).read_to_end(&mut twice).expect("inflates");
            prop_assert_eq!(twice, [plain.as_slice(), &plain].concat());
        }

        #[test]
        fn a_flipped_bit_is_found(plain in plain(), place in any::<prop::sample::Index>(), bit in 0..8u8) {
            let (head, mut member) = packed(&plain, None, 6);
            let place = place.index(member.len());
            member[place] ^= 1 << bit;
            let mut out = Vec::new();
            prop_assert_eq!(Unpacker::new().unpack(&head, &member, &mut out), Err(Damaged));
            let told = Head::parse(&member);
            let is_taken = told.is_some_and(|told| Unpacker::new().unpack(&told, &member, &mut out).is_ok());
            // A level is only what it says of itself.
            prop_assert!(!is_taken || (place == 17 && out == plain));
        }
    }

    #[test]
    fn a_header_that_lies_is_found_though_its_hash_fits() {
        let plain = b"abc".repeat(1000);
        let (head, member) = packed(&plain, None, 6);
        let lie = |key: Key, body: Vec<u8>| {
            let head = Head {
                key,
                size: u32::try_from(HEAD + body.len()).expect("short"),
                packed: *blake3::hash(&body).as_bytes(),
            };
            let member = [head.bytes(), body].concat();
            Unpacker::new().unpack(&head, &member, &mut Vec::new())
        };
        let body = member[HEAD..].to_vec();
        assert_eq!(lie(head.key, body.clone()), Ok(()));
        let shorter = Key {
            plain: head.key.plain - 1,
            ..head.key
        };
        assert_eq!(lie(shorter, body.clone()), Err(Damaged));
        let longer = Key {
            plain: head.key.plain + 1,
            ..head.key
        };
        assert_eq!(lie(longer, body.clone()), Err(Damaged));
        let other = Key::of(b"x", None, 6);
        let other = Key {
            plain: head.key.plain,
            ..other
        };
        assert_eq!(lie(other, body.clone()), Err(Damaged));
        // Something hidden between the data and its end, which another reader would take for a member.
        let mut hiding = body.clone();
        let end = hiding.len() - TAIL;
        hiding.splice(end..end, [0; 12]);
        assert_eq!(lie(head.key, hiding), Err(Damaged));
        let tail = [body, vec![0; 4]].concat();
        assert_eq!(lie(head.key, tail), Err(Damaged));
    }

    /// What earlier archives hold is taken over as if it had been made now, so another outcome is another [`FORM`].
    #[test]
    fn the_form_tells_what_the_compressor_gives() {
        let mut state: u64 = 1;
        let mut text = Vec::new();
        while text.len() < 200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.extend_from_slice(
                format!("{{\"id\":{},\"text\":\"word\"}}\n", state >> 44).as_bytes(),
            );
        }
        let mut all = blake3::Hasher::new();
        for level in LEVELS {
            all.update(&packed(&text, None, level).1);
        }
        assert_eq!(
            (FORM, all.finalize().to_hex().as_str()),
            (
                1,
                "525b746b1497fca49e40ba5edcea2fc1dcb1c72f5d0ec913e107d519a59ba06e"
            ),
            "another outcome needs another form"
        );
    }

    #[test]
    fn equal_content_and_level_give_equal_bytes_and_nothing_is_no_block() {
        let plain = b"line\n".repeat(5000);
        assert_eq!(packed(&plain, None, 3), packed(&plain, None, 3));
        assert_ne!(packed(&plain, None, 3).1, packed(&plain, None, 9).1);
        let key = Key::of(b"", None, 6);
        assert_eq!(Packer::new(6).pack(key, b"", &mut Vec::new()), None);
        let large = vec![0; BLOCK + 1];
        assert_eq!(Packer::new(6).pack(key, &large, &mut Vec::new()), None);
    }
}
