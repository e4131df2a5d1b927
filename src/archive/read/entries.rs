//! The tar side of an archive: headers to [`Entry`]s, strictly, in order, with a limit on everything.
//!
//! The blocks are walked here rather than by the `tar` crate, which allocates long names whole, cannot skip an entry
//! whose size stands in its pax record and stops at the first zero block. Two formats are read: GNU (ours) and
//! ustar with pax records (Python's). What neither tool writes is refused: a reader that takes less has less to
//! take in two ways.

use tar::{Header, UstarHeader};

use super::holes::solid_bytes;
use super::stream::Stream;
use super::{Caps, Entry, EntryKind, Maker, damaged};
use crate::archive::entry_name::{self, shown};
use crate::archive::file_hash::{Hash, Hasher};
use crate::archive::member::Key;
use crate::error::Result;

const BLOCK: usize = 512;

/// Later than any true time of change, and what every file system of the three takes: the end of the year 9999.
const LATEST_MTIME: i64 = 253_402_300_799;

/// The entries of one archive, in order.
pub(super) struct Entries<'a> {
    stream: Stream<'a>,
    maker: Maker,
    caps: Caps,
    count: u64,
    /// Bytes of the current entry that were not read yet.
    left: u64,
    /// Bytes up to the next block behind the current entry's content.
    padding: u64,
}

/// What the headers before an entry say about it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<i64>,
    pax: bool,
    any: bool,
}

impl<'a> Entries<'a> {
    pub fn new(stream: Stream<'a>, maker: Maker, caps: &Caps) -> Self {
        Self {
            stream,
            maker,
            caps: *caps,
            count: 0,
            left: 0,
            padding: 0,
        }
    }

    /// How many bytes were inflated up to now.
    pub fn total(&self) -> u64 {
        self.stream.total()
    }

    /// Where the current entry's content begins, in inflated bytes, before any of it was taken.
    pub fn position(&self) -> u64 {
        self.stream.position()
    }

    /// The next entry, or None behind the last one, when the whole rest of the file has been read and was sound.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        while !self.piece()?.is_empty() {}
        self.skip_padding()?;
        let mut extended = Extended::default();
        loop {
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                if extended.any {
                    return Err(self.refuse("a header without its entry stands at the end"));
                }
                self.end()?;
                return Ok(None);
            }
            self.count += 1;
            if self.count > self.caps.entries {
                let most = self.caps.entries;
                return Err(self.refuse(&format!(
                    "it holds more entries than `archive.max_entries` allows, {most}"
                )));
            }
            let header = Header::from_byte_slice(&block);
            if number(&header.as_old().cksum) != Some(checksum(&block)) {
                return Err(self.refuse("the checksum of a header is wrong"));
            }
            // Of the headers before an entry too: another reader would pass over them.
            if header.as_ustar().is_none() && header.as_gnu().is_none() {
                return Err(self.refuse("a header is neither of GNU's nor of the ustar format"));
            }
            let Some(size) = number(&header.as_old().size) else {
                return Err(self.refuse("a header tells no valid size"));
            };
            match header.as_old().linkflag {
                [b'L'] => {
                    let name = self.long_name(size)?;
                    self.set_once(&mut extended, |extended| &mut extended.path, name)?;
                }
                [b'K'] => {
                    let name = self.long_name(size)?;
                    self.set_once(&mut extended, |extended| &mut extended.link, name)?;
                }
                [b'x'] => {
                    let records = self.extension(size)?;
                    self.pax(&mut extended, &records)?;
                }
                [b'g'] => {
                    return Err(
                        self.refuse("it holds a global pax header, which would bend every entry")
                    );
                }
                [kind] => return self.entry(header, kind, size, extended).map(Some),
            }
            extended.any = true;
        }
    }

    /// The next bytes of the current entry's content; an empty slice is its end.
    pub fn piece(&mut self) -> Result<&[u8]> {
        self.keyed_piece().map(|(piece, _)| piece)
    }

    /// The same, and what it is where it is the whole of a member of ours.
    pub fn keyed_piece(&mut self) -> Result<(&[u8], Option<Key>)> {
        if self.left == 0 {
            return Ok((&[], None));
        }
        let path = self.stream.path();
        let (piece, key) = self.stream.next(self.left)?;
        if piece.is_empty() {
            return Err(damaged(path, None, "it ends in the middle of an entry"));
        }
        self.left -= piece.len() as u64;
        Ok((piece, key))
    }

    /// The rest of the current entry's content. The caller has looked at its size.
    pub fn content(&mut self) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        // So that it need not move as it grows; a header that lies costs no memory that is used.
        let _ = content.try_reserve_exact(usize::try_from(self.left).unwrap_or_default());
        loop {
            let piece = self.piece()?;
            if piece.is_empty() {
                return Ok(content);
            }
            content.extend_from_slice(piece);
        }
    }

    /// Reads the rest of the current entry's content, a file of `size` bytes. Gives its BLAKE3, and how many of its bytes
    /// are worth writing.
    pub fn hash(&mut self, size: u64) -> Result<(Hash, u64)> {
        let mut hasher = Hasher::new(size);
        let mut solid = 0;
        let mut offset = 0;
        loop {
            let left = self.left;
            let is_next = |key: &Key| u64::from(key.plain) <= left && hasher.is_next(key);
            if left > 0
                && let Some(key) = self.stream.believe(is_next)?
            {
                hasher.take(&key);
                let length = u64::from(key.plain);
                self.left -= length;
                solid += length;
                offset += length;
                continue;
            }
            let (piece, key) = self.keyed_piece()?;
            if piece.is_empty() {
                return Ok((hasher.finish(), solid));
            }
            hasher.update(piece, key.as_ref());
            solid += solid_bytes(piece, offset);
            offset += piece.len() as u64;
        }
    }

    fn claims_too_much(&self) -> String {
        format!(
            "it claims more bytes than `archive.max_bytes` allows, {}",
            self.caps.total_bytes
        )
    }

    fn refuse(&self, reason: &str) -> crate::error::Error {
        damaged(self.stream.path(), None, reason)
    }

    fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let path = self.stream.path();
            let (piece, _) = self.stream.next(rest.len() as u64)?;
            if piece.is_empty() {
                return Err(damaged(path, None, "it ends without its end mark"));
            }
            for (to, from) in rest.iter_mut().zip(piece) {
                *to = *from;
            }
            filled += piece.len();
        }
        Ok(block)
    }

    fn skip_padding(&mut self) -> Result<()> {
        while self.padding > 0 {
            let path = self.stream.path();
            let (piece, _) = self.stream.next(self.padding)?;
            if piece.is_empty() {
                return Err(damaged(path, None, "it ends in the middle of an entry"));
            }
            self.padding -= piece.len() as u64;
        }
        Ok(())
    }

    /// The second zero block of the end mark, then only zeros, in whole blocks, to the end of the file.
    fn end(&mut self) -> Result<()> {
        let mut zeros = self.block()?.iter().all(|byte| *byte == 0);
        let mut size: u64 = 0;
        while zeros {
            let (piece, _) = self.stream.next(u64::MAX)?;
            if piece.is_empty() {
                if !size.is_multiple_of(BLOCK as u64) {
                    return Err(self.refuse("it ends in the middle of a block"));
                }
                return Ok(());
            }
            size += piece.len() as u64;
            zeros = piece.iter().all(|byte| *byte == 0);
        }
        Err(self.refuse("data follows its end mark"))
    }

    /// The content of a header that describes the entry after it.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > self.caps.header_bytes {
            return Err(self.refuse("a long name or pax header is larger than is allowed"));
        }
        self.start_content(size)?;
        let content = self.content()?;
        self.skip_padding()?;
        Ok(content)
    }

    fn start_content(&mut self, size: u64) -> Result<()> {
        if size > self.stream.room() {
            return Err(self.refuse(&self.claims_too_much()));
        }
        self.left = size;
        let block = BLOCK as u64;
        self.padding = (block - size % block) % block;
        Ok(())
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut name = self.extension(size)?;
        // The one NUL that ends it; any other is in the name and refused with it.
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn set_once(
        &self,
        extended: &mut Extended,
        slot: impl Fn(&mut Extended) -> &mut Option<Vec<u8>>,
        name: Vec<u8>,
    ) -> Result<()> {
        if slot(extended).replace(name).is_some() {
            return Err(self.refuse("an entry is named twice by the headers before it"));
        }
        Ok(())
    }

    /// Takes the records of a pax header: `LENGTH KEY=VALUE\n`, the length counting itself and the line's end.
    fn pax(&self, extended: &mut Extended, records: &[u8]) -> Result<()> {
        const MALFORMED: &str = "a pax header is malformed";
        if std::mem::replace(&mut extended.pax, true) {
            return Err(self.refuse("an entry has two pax headers"));
        }
        let mut rest = records;
        while !rest.is_empty() {
            let Some((key, value, behind)) = pax_record(rest) else {
                return Err(self.refuse(MALFORMED));
            };
            rest = behind;
            let twice = match key {
                b"path" => extended.path.replace(value.to_vec()).is_some(),
                b"linkpath" => extended.link.replace(value.to_vec()).is_some(),
                b"size" => {
                    let Some(size) = decimal(value) else {
                        return Err(self.refuse("a pax header tells no valid size"));
                    };
                    extended.size.replace(size).is_some()
                }
                b"mtime" => {
                    let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
                    let negative = whole.first() == Some(&b'-');
                    let seconds = if negative { Some(0) } else { decimal(whole) };
                    let Some(seconds) = seconds else {
                        return Err(self.refuse(MALFORMED));
                    };
                    extended.mtime.replace(clamp(seconds)).is_some()
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(self.refuse("it holds a sparse file"));
                }
                // Owners, access times and extended attributes are not restored.
                _ => false,
            };
            if twice {
                return Err(self.refuse("an entry is described twice by the headers before it"));
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: u8,
        header_size: u64,
        extended: Extended,
    ) -> Result<Entry> {
        let old = header.as_old();
        let prefix = header.as_ustar().map_or(&[][..], prefix);
        let name = extended.path.unwrap_or_else(|| {
            let name = until_nul(&old.name);
            if prefix.is_empty() {
                name.to_vec()
            } else {
                [prefix, b"/", name].concat()
            }
        });
        let archive = self.stream.path();
        let refuse = |reason: &str| damaged(archive, Some(&name), reason);
        let path = entry_name::check(&name).map_err(refuse)?;
        let size = match extended.size {
            Some(size) if header_size != 0 && header_size != size => {
                return Err(refuse("its two sizes differ"));
            }
            Some(size) => size,
            None => header_size,
        };
        let kind = match kind {
            kind if kind != b'5' && name.ends_with(b"/") => {
                return Err(refuse("it is named as a directory and is none"));
            }
            b'0' => EntryKind::File,
            b'5' => EntryKind::Dir,
            b'2' if matches!(self.maker, Maker::Ours) => {
                return Err(refuse(
                    "it is a symbolic link, which our archives never hold",
                ));
            }
            b'2' => {
                let target = extended
                    .link
                    .unwrap_or_else(|| until_nul(&old.linkname).to_vec());
                let target = String::from_utf8(target)
                    .map_err(|_| refuse("it is a link whose target is not UTF-8"))?;
                EntryKind::Symlink(target)
            }
            b'1' => return Err(refuse("it is a hard link")),
            b'3' | b'4' => return Err(refuse("it is a device")),
            b'6' => return Err(refuse("it is a named pipe")),
            b'S' => return Err(refuse("it is a sparse file")),
            _ => return Err(refuse("it is of an unknown type")),
        };
        if size != 0 && kind != EntryKind::File {
            return Err(refuse("it has content although it is no file"));
        }
        let Some(mode) = number(&old.mode) else {
            return Err(refuse("its mode is no number"));
        };
        let mtime = extended
            .mtime
            .unwrap_or_else(|| clamp(number(&old.mtime).unwrap_or(0)));
        self.start_content(size)
            .map_err(|_| refuse(&self.claims_too_much()))?;
        Ok(Entry {
            path,
            executable: kind == EntryKind::File && mode & 0o100 != 0,
            kind,
            size,
            mtime,
        })
    }
}

fn clamp(seconds: u64) -> i64 {
    i64::try_from(seconds).map_or(LATEST_MTIME, |seconds| seconds.min(LATEST_MTIME))
}

fn prefix(header: &UstarHeader) -> &[u8] {
    until_nul(&header.prefix)
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The sum of a header's bytes, its own checksum field counted as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            }
        })
        .map(u64::from)
        .sum()
}

/// A number in a header: octal digits, or GNU's big-endian form behind a set first bit. None for anything else, also
/// for a negative one.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, bytes)) = field.split_first() {
        return bytes.iter().try_fold(0u64, |value, byte| {
            value.checked_mul(256).map(|value| value | u64::from(*byte))
        });
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, b' ' | 0));
    let (digits, rest) = digits.split_at(end.unwrap_or(digits.len()));
    if digits.is_empty() || !rest.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Digits only: no sign, no space.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// The first record, as key and value, and what follows it.
fn pax_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(records.get(..space)?)?).ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let line = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (key, value) = line.split_at_checked(equals)?;
    if key.is_empty() {
        return None;
    }
    Some((key, value.get(1..)?, rest))
}

/// The name as it may be shown, in backticks.
pub(super) fn quoted(name: &[u8]) -> String {
    format!("`{}`", shown(name))
}
