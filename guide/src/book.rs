//! The book: what belongs to it, and how it is made.

use crate::links::{self, Document};
use anyhow::{Context, Result, bail, ensure};
use mdbook_driver::MDBook;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Documents that are read where they are, beside those of the book.
const OTHERS: &[&str] = &["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"];
/// The book's sources.
const SOURCES: &str = "docs";
/// What mdBook reads first.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Every document that is checked, relative to `root`.
pub fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = OTHERS.iter().map(PathBuf::from).collect();
    let mut folders = vec![PathBuf::from(SOURCES)];
    while let Some(folder) = folders.pop() {
        let entries = root.join(&folder).read_dir();
        for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Checks the links and writes the book; gives the path of its first page.
pub fn build(root: &Path, out: Option<PathBuf>) -> Result<PathBuf> {
    let files = documents(root)?;
    let known = links::read(root, &files)?;
    let mut problems: Vec<String> = files.iter().flat_map(|path| links::broken(root, path, &known)).collect();
    problems.extend(files.iter().flat_map(|path| astray(path, &known)));
    ensure!(problems.is_empty(), "the documents have broken links:\n{}", problems.join("\n"));

    let mut book = MDBook::load(root.join(SOURCES))?;
    if let Some(out) = out {
        book.config.build.build_dir = std::path::absolute(&out)?;
    }
    book.build()?;
    let built = book.build_dir_for("html");
    pages_have_what_is_linked_to(&built, &known)?;
    let index = built.join("index.html");
    index.canonicalize().with_context(|| format!("cannot find {}", index.display()))
}

/// Chapters of the book, as its summary has them.
fn chapters(known: &HashMap<PathBuf, Document>) -> Vec<PathBuf> {
    let summary = &known[Path::new(SUMMARY)];
    summary.links.iter().map(|link| link.destination(Path::new(SUMMARY)).0).collect()
}

/// Links of a chapter that lead out of the book, where no reader of the book could follow; and documents that are in no chapter.
fn astray(path: &Path, known: &HashMap<PathBuf, Document>) -> Vec<String> {
    let chapters = chapters(known);
    if !path.starts_with(SOURCES) || path == Path::new(SUMMARY) {
        return Vec::new();
    }
    if !chapters.iter().any(|chapter| chapter == path) {
        return vec![format!("{}: is not in {SUMMARY}", path.display())];
    }
    let near = known[path].links.iter().filter(|link| !link.target.contains("://"));
    let outside = near.filter(|link| !link.destination(path).0.starts_with(SOURCES));
    outside
        .map(|link| format!("{}:{}: {} is outside of the book", path.display(), link.line, link.target))
        .collect()
}

/// mdBook has made the headings' names that the links expect.
fn pages_have_what_is_linked_to(built: &Path, known: &HashMap<PathBuf, Document>) -> Result<()> {
    for path in chapters(known) {
        let inside = path.strip_prefix(SOURCES).context("a chapter is outside of the book")?;
        let page = built.join(inside).with_extension("html");
        let text =
            std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        for anchor in &known[&path].anchors {
            if !text.contains(&format!("id=\"{anchor}\"")) {
                bail!("{} has no heading {anchor}", page.display());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_is_built_and_its_links_lead_somewhere() {
        let place = tempfile::tempdir().unwrap();
        let index = build(crate::workspace(), Some(place.path().to_owned())).unwrap();
        let text = std::fs::read_to_string(index).unwrap();
        assert!(text.contains("<title>"), "{text}");
    }
}
