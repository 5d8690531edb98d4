//! `imitate rm`.

use super::locate;
use crate::arguments::Remove;
use anyhow::{Result, bail, ensure};
use std::io::IsTerminal;
use std::path::PathBuf;
use tracer_core::trace::directory;
use tracer_core::{message, tell};

/// Removes the traces that are named, or all of the storage directory's after asking. One that cannot be
/// removed is reported, and the others are removed all the same.
pub fn remove(options: &Remove) -> Result<()> {
    let traces: Vec<Result<PathBuf>> = if options.all {
        let listed = directory::list(&directory::root()?)?;
        if !options.yes && !listed.is_empty() {
            confirm(listed.len())?;
        }
        listed.into_iter().map(|trace| Ok(trace.path)).collect()
    } else {
        options.traces.iter().map(|named| locate(Some(named))).collect()
    };
    let mut failed = 0;
    for trace in traces {
        if let Err(error) = trace.and_then(|path| Ok(directory::remove(&path)?)) {
            tell!("{error:#}");
            failed += 1;
        }
    }
    ensure!(failed == 0, "{failed} of the traces could not be removed");
    Ok(())
}

fn confirm(count: usize) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("`rm --all` would remove {count} traces: add --yes, because there is no terminal to ask");
    }
    message::write(format!("Remove {count} traces? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "nothing was removed");
    Ok(())
}
