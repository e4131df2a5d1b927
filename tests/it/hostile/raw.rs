//! Tar archives block by block, so that they can be wrong in any way.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::Header;

/// A tar in the making.
#[derive(Clone, Default)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// With this file.
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name.as_bytes(), content)
    }

    /// With this file of this mode.
    pub fn mode(self, name: &str, content: &[u8], mode: u32) -> Self {
        let mut header = gnu(b'0', name.as_bytes(), content.len() as u64);
        header.set_mode(mode);
        self.raw(&header, content)
    }

    /// With this directory.
    pub fn dir(self, name: &str) -> Self {
        self.entry(b'5', name.as_bytes(), b"")
    }

    /// With this link of either kind.
    pub fn link(self, kind: u8, name: &str, target: &str) -> Self {
        let mut header = gnu(kind, name.as_bytes(), 0);
        write_at(&mut header, 157, target.as_bytes());
        self.raw(&header, b"")
    }

    /// With an entry of any type.
    pub fn entry(self, kind: u8, name: &[u8], content: &[u8]) -> Self {
        self.raw(&gnu(kind, name, content.len() as u64), content)
    }

    /// With a long name or target before the next entry.
    pub fn long(self, kind: u8, name: &str) -> Self {
        self.entry(kind, b"././@LongLink", format!("{name}\0").as_bytes())
    }

    /// With pax records before the next entry.
    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = key.len() + value.len() + 3;
            let length = (rest..rest + 9).find(|length| rest + length.to_string().len() == *length);
            format!("{} {key}={value}\n", length.expect("there is one"))
        };
        let records: String = records.iter().map(record).collect();
        self.raw(
            &ustar(b'x', "pax", records.len() as u64),
            records.as_bytes(),
        )
    }

    /// With a sparse file of GNU's that claims `real` bytes and holds one block.
    pub fn sparse(self, name: &str, real: u64) -> Self {
        let mut header = gnu(b'S', name.as_bytes(), 512);
        for (place, number) in [(386, 0), (398, 512), (410, real), (422, 0), (483, real)] {
            write_at(&mut header, place, format!("{number:011o}\0").as_bytes());
        }
        self.raw(&header, &[b's'; 512])
    }

    /// With an empty file whose header's checksum is wrong by one.
    pub fn bad_checksum(mut self, name: &str) -> Self {
        self = self.file(name, b"");
        let end = self.0.len() - 512;
        // Its mode is another than the one that was summed up.
        self.0[end + 106] ^= 1;
        self
    }

    /// The header with its checksum set, and the content filled up to a whole block.
    pub fn raw(mut self, header: &Header, content: &[u8]) -> Self {
        let mut header = header.clone();
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// What there is up to now.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// With the end mark.
    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A header as GNU's tar and this program write it.
pub fn gnu(kind: u8, name: &[u8], size: u64) -> Header {
    filled(Header::new_gnu(), kind, name, size)
}

/// As Python's `tarfile` writes it under a pax header.
pub fn ustar(kind: u8, name: &str, size: u64) -> Header {
    filled(Header::new_ustar(), kind, name.as_bytes(), size)
}

/// As before any of the formats.
pub fn old(kind: u8, name: &str) -> Header {
    filled(Header::new_old(), kind, name.as_bytes(), 0)
}

fn filled(mut header: Header, kind: u8, name: &[u8], size: u64) -> Header {
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(1_776_169_500);
    write_at(&mut header, 0, name);
    write_at(&mut header, 156, &[kind]);
    header
}

/// Puts `bytes` into the header at this place, whatever that is.
pub fn write_at(header: &mut Header, place: usize, bytes: &[u8]) {
    header.as_mut_bytes()[place..place + bytes.len()].copy_from_slice(bytes);
}

/// One member of gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}
