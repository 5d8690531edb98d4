//! What was looked for and found, for people and for programs.

use crate::pager;
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use tracer_core::tell;

/// Prints each finding: as JSON, one object a line, or as `print` does; `nothing` if there is none. Gives whether there is one.
pub fn show<T: Serialize>(
    findings: &[T],
    json: bool,
    nothing: &str,
    print: fn(&T, &mut dyn Write) -> Result<()>,
) -> Result<bool> {
    pager::begin();
    let mut out = anstream::stdout().lock();
    for finding in findings {
        if json {
            writeln!(out, "{}", serde_json::to_string(finding).context("cannot write JSON")?)?;
        } else {
            print(finding, &mut out)?;
        }
    }
    if findings.is_empty() && !json {
        tell!("{nothing}");
    }
    Ok(!findings.is_empty())
}
