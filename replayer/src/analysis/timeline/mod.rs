//! `imitate timeline`.

mod chart;
mod html;
mod perfetto;

use super::family::Family;
use super::recording::Recording;
use crate::arguments::{PictureFormat, Timeline};
use crate::manage::locate;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;

/// Writes a picture of a trace.
pub fn timeline(options: &Timeline) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let path = &options.output;
    let by_name = if path.extension().is_some_and(|end| end == "json") {
        PictureFormat::Json
    } else {
        PictureFormat::Html
    };
    // What a program read is in it.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut out = BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?);
    match options.format.unwrap_or(by_name) {
        PictureFormat::Html => {
            let title = directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy().into_owned();
            html::write(&recording, &family, title, &mut out)?;
        }
        PictureFormat::Json => perfetto::write(&recording, &family, &mut out)?,
    }
    out.flush().with_context(|| format!("cannot write {}", path.display()))?;
    recording.warn_if_it_ends_early();
    Ok(())
}
