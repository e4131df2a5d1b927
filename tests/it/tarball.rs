//! Archives built by hand, header by header: also those that no polite tool writes.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// An archive in the making.
#[derive(Default)]
pub struct Tarball {
    raw: Vec<u8>,
}

impl Tarball {
    /// With this file.
    pub fn file(self, name: &str, content: &str) -> Self {
        self.entry(name, EntryType::Regular, "", content)
    }

    /// With this link of any kind.
    pub fn link(self, name: &str, kind: EntryType, target: &str) -> Self {
        self.entry(name, kind, target, "")
    }

    /// With an entry whose name and type nobody checks.
    pub fn entry(self, name: &str, kind: EntryType, target: &str, content: &str) -> Self {
        self.bytes(name, kind, target, content.as_bytes())
    }

    /// The same of any bytes.
    pub fn bytes(mut self, name: &str, kind: EntryType, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o600);
        header.set_mtime(1_776_169_500);
        header.set_size(content.len() as u64);
        let gnu = header.as_gnu_mut().expect("GNU");
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.raw.extend_from_slice(header.as_bytes());
        self.raw.extend_from_slice(content);
        self.raw.resize(self.raw.len().next_multiple_of(512), 0);
        self
    }

    /// Ends it: what it is without compression.
    pub fn ended(mut self) -> Vec<u8> {
        self.raw.resize(self.raw.len() + 1024, 0);
        self.raw
    }

    /// Ends it and writes it compressed.
    pub fn write(self, path: &Path) {
        let raw = self.ended();
        let file = fs::File::create(path).expect("creates");
        let mut gzip = GzEncoder::new(file, Compression::fast());
        gzip.write_all(&raw).expect("writes");
        gzip.finish().expect("writes");
    }
}
