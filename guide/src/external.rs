//! Pages elsewhere. They come and go whatever we do, so this is asked by hand and not by a test.

use crate::{book, links};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// How long a page may take, in seconds.
const PATIENCE: &str = "20";

/// Asks for each page once; fails if one is not there.
pub fn check(root: &Path) -> Result<()> {
    let files = book::documents(root)?;
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for (path, document) in links::read(root, &files)? {
        for link in document.links.into_iter().filter(links::Link::is_external) {
            let page = link.target.split('#').next().unwrap_or_default().to_owned();
            pages.entry(page).or_insert_with(|| format!("{}:{}", path.display(), link.line));
        }
    }
    let mut gone = 0;
    for (page, place) in &pages {
        let there = is_there(page)?;
        gone += usize::from(!there);
        println!("{} {page} ({place})", if there { "ok  " } else { "GONE" });
    }
    ensure!(gone == 0, "{gone} of {} pages are not there", pages.len());
    Ok(())
}

fn is_there(page: &str) -> Result<bool> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--location", "--output", "/dev/null", "--max-time", PATIENCE, page]);
    curl.stdin(Stdio::null()).stderr(Stdio::null());
    Ok(curl.status().context("cannot run curl (apt-get install curl)")?.success())
}
