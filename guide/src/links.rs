//! Links between documents: a file that is linked to is there, and so is the heading.

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// A link or a picture in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What is linked to, as it stands there.
    pub target: String,
    /// The line that it is on, from 1.
    pub line: usize,
}

/// What a document has that others can link to, and what it links to itself.
#[derive(Debug, Default)]
pub struct Document {
    /// Names of its headings, as GitHub and mdBook make them.
    pub anchors: Vec<String>,
    /// In their order.
    pub links: Vec<Link>,
}

/// Where the files of the project are for readers of the book.
const OURS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

impl Link {
    /// Whether it leads to another site than the project's.
    pub fn is_external(&self) -> bool {
        self.target.contains("://") && !self.target.starts_with(OURS)
    }

    /// The file that it means in the document at `path`, and the name of the heading, or nothing. Not for external ones.
    pub fn destination(&self, path: &Path) -> (PathBuf, &str) {
        let (file, anchor) = self.target.split_once('#').unwrap_or((&self.target, ""));
        let file = match file.strip_prefix(OURS) {
            Some(ours) => PathBuf::from(ours),
            None if file.is_empty() => path.to_owned(),
            None => beside(path, file),
        };
        (file, anchor)
    }
}

/// Reads Markdown.
pub fn document(text: &str) -> Document {
    let mut document = Document::default();
    let mut heading: Option<String> = None;
    let mut taken: HashMap<String, usize> = HashMap::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
    for (event, place) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push(Link { target: dest_url.into_string(), line: line_of(text, place) });
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                // The second heading of a name gets a number.
                let before = taken.entry(name.clone()).or_insert(0);
                document.anchors.push(if *before == 0 { name } else { format!("{name}-{before}") });
                *before += 1;
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            _ => {}
        }
    }
    document
}

fn line_of(text: &str, place: Range<usize>) -> usize {
    text[..place.start].matches('\n').count() + 1
}

/// The name of a heading in addresses.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " _-".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The Markdown files among `files` and what is in them. Paths are relative to `root`.
pub fn read(root: &Path, files: &[PathBuf]) -> Result<HashMap<PathBuf, Document>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.clone(), document(&text)))
    };
    files.iter().map(read).collect()
}

/// What is wrong with the links of `path`, one line each.
pub fn broken(root: &Path, path: &Path, documents: &HashMap<PathBuf, Document>) -> Vec<String> {
    let own = &documents[path];
    let inside = own.links.iter().filter(|link| !link.is_external());
    let problems = inside.filter_map(|link| {
        let (target, anchor) = link.destination(path);
        let wrong = if !root.join(&target).exists() {
            format!("{} is not there", target.display())
        } else if anchor.is_empty() {
            return None;
        } else {
            match documents.get(&target) {
                None => format!("{} is no document of ours", target.display()),
                Some(other) if other.anchors.iter().any(|known| known == anchor) => return None,
                Some(_) => format!("{} has no heading {anchor}", target.display()),
            }
        };
        Some(format!("{}:{}: {wrong}", path.display(), link.line))
    });
    problems.collect()
}

/// The path that `file` means in the document at `path`.
fn beside(path: &Path, file: &str) -> PathBuf {
    let mut target = path.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                target.pop();
            }
            Component::Normal(name) => target.push(name),
            _ => {}
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_names_that_github_gives_them() {
        let text = "# `--order sync`: which, when?\n\n## A b_c\n\n## A b_c\n";
        assert_eq!(document(text).anchors, ["--order-sync-which-when", "a-b_c", "a-b_c-1"]);
    }

    #[test]
    fn links_are_found_with_their_lines_and_not_in_code() {
        let text =
            "One [a](b.md)\n\n```\n[no](link)\n```\n![p](c.png) and `[no](x)` and [w](https://w.org)\n";
        let links = document(text).links;
        let found: Vec<_> =
            links.iter().map(|link| (link.target.as_str(), link.line, link.is_external())).collect();
        assert_eq!(found, [("b.md", 1, false), ("c.png", 6, false), ("https://w.org", 6, true)]);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("inner")).unwrap();
        std::fs::write(root.path().join("a.md"), "# Here\n[](inner/b.md#there) [](#here) [](gone.md)\n")
            .unwrap();
        let text = format!("# There\n[](../a.md#nowhere) [](../a.md) []({OURS}a.md) []({OURS}c.md)\n");
        std::fs::write(root.path().join("inner/b.md"), text).unwrap();
        let files = [PathBuf::from("a.md"), PathBuf::from("inner/b.md")];
        let documents = read(root.path(), &files).unwrap();
        let broken = |path: &PathBuf| broken(root.path(), path, &documents);
        assert_eq!(broken(&files[0]), ["a.md:2: gone.md is not there"]);
        assert_eq!(
            broken(&files[1]),
            ["inner/b.md:2: a.md has no heading nowhere", "inner/b.md:2: c.md is not there"]
        );
    }
}
