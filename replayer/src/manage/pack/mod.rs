//! `imitate pack` and `imitate unpack`: a trace as one file, with all that its replay needs.
//!
//! It is a tar archive of the trace's directory, in which every file that the trace refers to is kept, and besides the programs
//! and libraries that the loader maps before anything is recorded. Each content is there once, compressed.

mod loaded;
mod shelf;

use super::locate;
use crate::arguments::{Pack, Unpack};
use anyhow::{Context, Result, bail, ensure};
use loaded::loaded;
use shelf::Shelf;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tracer_core::companion::writer::host::processor_flags;
use tracer_core::tell;
use tracer_core::trace::directory::{
    self, EVENTS, FILES, TraceDirectory, events_path, file_path, is_being_recorded,
};
use tracer_core::trace::files::Kept;
use tracer_core::trace::manifest::{FILE_NAME, Manifest};
use tracer_core::trace::packed::Packed;

/// How the files are called that packing makes.
const EXTENSION: &str = "imitate";

/// Packs a trace.
pub fn pack(options: &Pack) -> Result<()> {
    let trace = locate(options.which.trace.as_deref())?;
    ensure!(!is_being_recorded(&trace)?, "{} is still being recorded", trace.display());
    let mut manifest = Manifest::load(&trace)?;
    let output = output(options.output.as_deref(), &trace)?;
    let beside = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut shelf = Shelf::new(&trace, &manifest, beside)?;
    for file in &mut manifest.files {
        if !matches!(file.kept, Kept::Unavailable(_)) {
            shelf.keep(file)?;
        }
    }
    if manifest.packed.is_none() {
        let (mut files, links) = loaded(&manifest)?;
        files.iter_mut().try_for_each(|file| shelf.keep(file))?;
        manifest.packed = Some(Packed { files, links, processor_flags: processor_flags() });
    }
    let temporary = NamedTempFile::new_in(beside)
        .with_context(|| format!("cannot create a file in {}", beside.display()))?;
    write(&trace, &manifest, &shelf, temporary.as_file())
        .with_context(|| format!("cannot write {}", output.display()))?;
    let size = temporary.as_file().metadata().context("cannot look at what was written")?.len();
    temporary
        .persist_noclobber(&output)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot create {}", output.display()))?;
    tell!("{} ({})", output.display(), indicatif::HumanBytes(size));
    Ok(())
}

fn output(named: Option<&Path>, trace: &Path) -> Result<PathBuf> {
    let path = match named {
        Some(named) => named.to_owned(),
        None => {
            let name = trace.canonicalize().context("cannot find the trace")?;
            let mut name = name.file_name().context("the trace has no name; add --output")?.to_owned();
            name.push(".");
            name.push(EXTENSION);
            name.into()
        }
    };
    ensure!(!path.try_exists().unwrap_or(true), "{} exists already", path.display());
    Ok(path)
}

fn write(trace: &Path, manifest: &Manifest, shelf: &Shelf, file: &File) -> Result<()> {
    let mut archive = tar::Builder::new(BufWriter::new(file));
    let text = serde_json::to_vec_pretty(manifest).context("cannot write the manifest as JSON")?;
    append(&mut archive, FILE_NAME, text.len() as u64, &text[..])?;
    let stored = shelf.contents().map(|(number, path)| (format!("{FILES}/{number}"), path.to_owned()));
    for (name, path) in [(EVENTS.to_owned(), events_path(trace))].into_iter().chain(stored) {
        let content = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let size = content.metadata().with_context(|| format!("cannot look at {}", path.display()))?.len();
        append(&mut archive, &name, size, content.take(size))?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, size: u64, content: impl Read) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    archive.append_data(&mut header, name, content).with_context(|| format!("cannot add {name}"))
}

/// Unpacks a trace.
pub fn unpack(options: &Unpack) -> Result<()> {
    let source = &options.file;
    let file = File::open(source).with_context(|| format!("cannot open {}", source.display()))?;
    let named = source.file_stem().map_or("trace".into(), PathBuf::from);
    let directory = match &options.output {
        Some(path) => TraceDirectory::create_at(path)?,
        None => directory::create_in(&directory::root()?, &named)?,
    };
    let unpacked = extract(file, directory.path())
        .and_then(|()| Ok(Manifest::load(directory.path())?))
        .with_context(|| format!("{} is no trace that `imitate pack` has made", source.display()));
    if let Err(error) = unpacked {
        // What there is of it helps nobody.
        let _ = std::fs::remove_dir_all(directory.path());
        return Err(error);
    }
    tell!("{}", directory.path().display());
    Ok(())
}

/// Takes out what a trace has, and nothing else.
fn extract(file: File, directory: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let number = name.strip_prefix(FILES).and_then(|rest| rest.strip_prefix('/'));
        let number = number.map(str::parse::<u64>).transpose().ok().flatten();
        let path = match (name.as_str(), number) {
            (FILE_NAME | EVENTS, _) => directory.join(&name),
            (_, Some(number)) => file_path(directory, number),
            _ => bail!("it has a {name:?}"),
        };
        ensure!(entry.header().entry_type().is_file(), "{name} is no file");
        let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        io::copy(&mut entry, &mut target)?;
    }
    Ok(())
}
