//! The documents of a package: the README and what it leads to, as they lie in the source, so that the links between them hold.

use crate::archive::Member;
use crate::commands::workspace;
use anyhow::{Context, Result};
use std::path::Path;

const FOLDER: &str = "docs";
const FILES: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];
/// What the README links to and only readers of the source need.
const ELSEWHERE: &[&str] = &["CONTRIBUTING.md", "examples/README.md"];
/// Where that is.
const SOURCE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// All of them.
pub fn members() -> Result<Vec<Member>> {
    let mut members = FILES.iter().map(|name| member(name)).collect::<Result<Vec<_>>>()?;
    add(FOLDER, &mut members)?;
    Ok(members)
}

/// Adds what is in a folder and below.
fn add(folder: &str, members: &mut Vec<Member>) -> Result<()> {
    let entries = workspace().join(folder).read_dir().with_context(|| format!("cannot read {folder}"))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if workspace().join(&path).is_dir() {
            add(&path, members)?;
        } else {
            members.push(member(&path)?);
        }
    }
    Ok(())
}

fn member(path: &str) -> Result<Member> {
    let mut member = Member::built(format!("share/doc/imitate/{path}"), 0o644, &workspace().join(path))?;
    if Path::new(path).extension().is_some_and(|extension| extension == "md") {
        let text = String::from_utf8(member.data).with_context(|| format!("{path} is not UTF-8"))?;
        member.data = with_links_to_source(text).into_bytes();
    }
    Ok(member)
}

/// A document whose links to what is not in the package lead to the project's site.
fn with_links_to_source(text: String) -> String {
    ELSEWHERE
        .iter()
        .fold(text, |text, path| text.replace(&format!("]({path})"), &format!("]({SOURCE}{path})")))
}
