//! A file that is put together from pieces, some of which come later or never.

use anyhow::{Context, Result};
use rangemap::RangeMap;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What is known of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Known,
    /// They are those of a piece that began at `begin`.
    Missing {
        piece: usize,
        begin: u64,
    },
}

/// A file being put together.
pub struct Image {
    path: PathBuf,
    /// Bytes that were read or written; others are holes.
    ranges: RangeMap<u64, State>,
    size: u64,
}

/// Bytes that are not there yet.
pub struct Missing {
    /// Number of the piece that they are of.
    pub piece: usize,
    /// Where in the piece they begin.
    pub within: u64,
    /// Where in the file they are.
    pub range: Range<u64>,
}

impl Image {
    /// An empty file at `path`, which must not exist, for its owner only.
    pub fn create(path: PathBuf) -> Result<Image> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        created.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Image { path, ranges: RangeMap::new(), size: 0 })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it another path.
    pub fn rename(&mut self, path: PathBuf) -> Result<()> {
        std::fs::rename(&self.path, &path).with_context(|| format!("cannot name {}", path.display()))?;
        self.path = path;
        Ok(())
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// These bytes are at `at` now.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.mark(at, bytes.len() as u64, State::Known);
        self.put(at, bytes)
    }

    /// As many bytes of `source`, from `from` on, are at `at` now.
    pub fn copy(&mut self, at: u64, source: &File, from: u64, length: u64) -> Result<()> {
        let mut buffer = vec![0; length.min(1 << 20) as usize];
        let mut done = 0;
        while done < length {
            let most = (length - done).min(buffer.len() as u64) as usize;
            let piece = match source.read_at(&mut buffer[..most], from + done) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot read a file that the trace refers to"),
            };
            self.write(at.saturating_add(done), &buffer[..piece])?;
            done += piece as u64;
        }
        Ok(())
    }

    /// Bytes of `piece` are at `at` now, whatever they are.
    pub fn miss(&mut self, at: u64, length: u64, piece: usize) -> Result<()> {
        let before = self.size;
        self.mark(at, length, State::Missing { piece, begin: at });
        if self.size > before { self.resize(self.size) } else { Ok(()) }
    }

    /// It has so many bytes now.
    pub fn resize(&mut self, size: u64) -> Result<()> {
        if size < self.size {
            self.ranges.remove(size..self.size);
        }
        self.size = size;
        self.open()?.set_len(size).with_context(|| format!("cannot resize {}", self.path.display()))
    }

    /// What is missing.
    pub fn missing(&self) -> Vec<Missing> {
        let of = |(range, state): (&Range<u64>, &State)| match *state {
            State::Known => None,
            State::Missing { piece, begin } => {
                Some(Missing { piece, within: range.start - begin, range: range.clone() })
            }
        };
        self.ranges.iter().filter_map(of).collect()
    }

    /// Bytes that nobody read or wrote.
    pub fn holes(&self) -> Vec<Range<u64>> {
        self.ranges.gaps(&(0..self.size)).collect()
    }

    fn mark(&mut self, at: u64, length: u64, state: State) {
        let end = at.saturating_add(length);
        if at < end {
            self.ranges.insert(at..end, state);
            self.size = self.size.max(end);
        }
    }

    fn put(&self, at: u64, bytes: &[u8]) -> Result<()> {
        // Open for no longer than that: there may be more files than descriptors.
        let written = self.open()?.write_all_at(bytes, at);
        written.with_context(|| format!("cannot write {} at byte {at}", self.path.display()))
    }

    fn open(&self) -> Result<File> {
        let opened = OpenOptions::new().write(true).open(&self.path);
        opened.with_context(|| format!("cannot open {}", self.path.display()))
    }
}
