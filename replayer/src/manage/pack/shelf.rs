//! The contents in a packed trace, each of them once.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tracer_core::trace::directory::file_path;
use tracer_core::trace::files::{Kept, ReferencedFile, compress, resolve};
use tracer_core::trace::manifest::Manifest;

/// See the module.
pub struct Shelf {
    trace: PathBuf,
    /// Those that are made for this.
    made: TempDir,
    /// By number.
    contents: BTreeMap<u64, PathBuf>,
    /// Numbers by hash and size.
    known: HashMap<(String, u64), u64>,
    next: u64,
}

impl Shelf {
    /// Of the trace in `directory`. New contents are made in a directory in `beside`.
    pub fn new(directory: &Path, manifest: &Manifest, beside: &Path) -> Result<Shelf> {
        let packed = manifest.packed.iter().flat_map(|packed| &packed.files);
        let numbers = manifest.files.iter().chain(packed).filter_map(|file| match file.kept {
            Kept::Copied(number) | Kept::Reflinked(number) => Some(number),
            Kept::Reference | Kept::Unavailable(_) => None,
        });
        let next = numbers.max().map_or(0, |highest| highest.saturating_add(1));
        let made = TempDir::new_in(beside)
            .with_context(|| format!("cannot create a directory in {}", beside.display()))?;
        let (contents, known) = Default::default();
        Ok(Shelf { trace: directory.to_owned(), made, contents, known, next })
    }

    /// Makes the content of `file` one of the trace.
    ///
    /// Errors: it is not what was recorded, or cannot be read.
    pub fn keep(&mut self, file: &mut ReferencedFile) -> Result<()> {
        if let Kept::Copied(number) = file.kept
            && !self.is_hardly_compressed(number, file.identity.size)?
        {
            let hash = file.hash.clone().unwrap_or_default();
            let known = *self.known.entry((hash, file.identity.size)).or_insert(number);
            self.contents.entry(known).or_insert_with(|| file_path(&self.trace, known));
            file.kept = Kept::Copied(known);
            return Ok(());
        }
        let found = resolve(&self.trace, file)?;
        if let Some(hash) = &file.hash
            && let Some(known) = self.known.get(&(hash.clone(), file.identity.size))
        {
            file.kept = Kept::Copied(*known);
            return Ok(());
        }
        let path = self.made.path().join(self.next.to_string());
        let (hash, size) = compress(&found.file, &path)?;
        let number = *self.known.entry((hash.clone(), size)).or_insert(self.next);
        if number == self.next {
            self.contents.insert(number, path);
            self.next += 1;
        } else {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        file.kept = Kept::Copied(number);
        file.hash = Some(hash);
        Ok(())
    }

    /// Whether the copy of a file of `size` bytes may have been made in a hurry, while the program ran.
    fn is_hardly_compressed(&self, number: u64, size: u64) -> Result<bool> {
        let path = file_path(&self.trace, number);
        let stored = path.metadata().with_context(|| format!("cannot look at {}", path.display()))?;
        Ok(stored.len() > size / 2)
    }

    /// Numbers and where the contents are now.
    pub fn contents(&self) -> impl Iterator<Item = (u64, &Path)> {
        self.contents.iter().map(|(number, path)| (*number, path.as_path()))
    }
}
