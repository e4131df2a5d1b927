//! Small changes of bytes as damage and malice make them. The same target and round give the same changes.

/// Numbers at which readers go wrong.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "7",
    "8",
    "00000000000",
    "77777777777",
    "255",
    "256",
    "65535",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e999",
];

/// Bytes at which readers go wrong.
const BYTES: [u8; 16] = [
    0, 1, b'\t', b'\n', b'\r', 0x1b, b' ', b'"', b'/', b'.', b'0', b'\\', 0x7f, 0x80, 0xc3, 0xff,
];

/// Where randomness comes from: the splitmix64 of Steele, Lea and Flood.
pub struct Mutator(u64);

impl Mutator {
    /// The changes of one round of one target.
    pub fn new(target: &str, round: u64) -> Self {
        let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in target.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(state)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// Whether one of so many times.
    pub fn one_of(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn choose<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> Option<&'a T> {
        let place = self.below(among.len());
        among.get(place).copied()
    }

    /// A place and an end in `bytes`, mostly close together.
    fn range(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.below(bytes.len() + 1);
        let most = if self.one_of(4) { bytes.len() } else { 40 };
        let length = self.below(most + 1);
        (start, bytes.len().min(start + length))
    }

    /// The same in whole blocks of tar.
    fn blocks(&mut self, bytes: &[u8]) -> (usize, usize) {
        let count = bytes.len() / 512;
        let start = self.below(count + 1);
        let length = 1 + self.below(3);
        (start * 512, bytes.len().min((start + length) * 512))
    }

    /// Changes `bytes` once or a few times, perhaps with a part of one of `seeds` or with one of `words`.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
        let times = if self.one_of(2) { 1 } else { 1 + self.below(4) };
        for _ in 0..times {
            self.change(bytes, seeds, words);
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
        let at = self.below(bytes.len() + 1);
        let (start, end) = self.range(bytes);
        match self.below(14) {
            0 | 1 => {
                let bit = self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            2 => {
                let place = self.below(BYTES.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = BYTES[place];
                }
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(start..end)),
            5 => {
                let copied = bytes[start..end].to_vec();
                bytes.splice(at..at, copied);
            }
            6 | 7 => {
                let (start, end) = self.blocks(bytes);
                let start = start.min(end);
                let block = bytes[start..end].to_vec();
                if self.one_of(3) {
                    bytes.drain(start..end);
                } else {
                    let at = at / 512 * 512;
                    bytes.splice(at..at, block);
                }
            }
            8 => {
                let place = self.below(seeds.len());
                let other = seeds.get(place).cloned().unwrap_or_default();
                let (from, to) = self.range(&other);
                let aligned = if self.one_of(2) { 512 } else { 1 };
                let (from, at) = (from / aligned * aligned, at / aligned * aligned);
                let replaced = if self.one_of(2) {
                    at
                } else {
                    bytes.len().min(at + to - from)
                };
                bytes.splice(at..replaced.max(at), other[from..to].iter().copied());
            }
            9 | 10 => self.number(bytes, at),
            11 => {
                if let Some(word) = self.choose(words) {
                    let replaced = if self.one_of(2) {
                        at
                    } else {
                        bytes.len().min(at + word.len())
                    };
                    bytes.splice(at..replaced, word.bytes());
                }
            }
            12 => {
                let number = 1u64.checked_shl(u32::try_from(self.below(65)).unwrap_or_default());
                let number = number.unwrap_or(u64::MAX).wrapping_sub(self.next() % 2);
                let width = [2, 4, 8][self.below(3)];
                let mut raw = number.to_le_bytes();
                if self.one_of(2) {
                    raw.reverse();
                }
                for (to, from) in bytes.iter_mut().skip(at).zip(raw.iter().take(width)) {
                    *to = *from;
                }
            }
            _ => {
                let times = 1 << self.below(12);
                let filling = BYTES[self.below(BYTES.len())];
                bytes.splice(at..at, std::iter::repeat_n(filling, times));
            }
        }
    }

    /// Puts another number in place of the first one behind `at`, of the same width or of its own.
    fn number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let Some(start) = bytes
            .iter()
            .skip(at)
            .position(is_digit)
            .map(|found| at + found)
        else {
            return;
        };
        let width = bytes[start..]
            .iter()
            .take_while(|byte| is_digit(byte))
            .count();
        let mut text = self.choose(&NUMBERS).unwrap_or_default().to_owned();
        if self.one_of(2) {
            text = format!("{text:0>width$}");
            text = text.split_off(text.len() - width);
        }
        bytes.splice(start..start + width, text.into_bytes());
    }
}
