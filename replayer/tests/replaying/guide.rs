//! The chapters of docs/guide: what they say is done, one chapter after the other as a reader would.

use crate::document::blocks;
use crate::walk::Walk;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/guide")
}

fn text(chapter: &str) -> String {
    std::fs::read_to_string(folder().join(chapter)).unwrap()
}

fn walk(chapter: &str) {
    Walk::new().with_source("imitate").follow(chapter, &blocks(&text(chapter)));
}

/// The chapters that have commands, below the folder.
fn with_commands() -> BTreeSet<String> {
    let mut folders = vec![folder()];
    let mut found = BTreeSet::new();
    while let Some(at) = folders.pop() {
        for entry in at.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
            if blocks(&text(&name)).iter().any(|block| block.language != "text") {
                found.insert(name);
            }
        }
    }
    found
}

/// A test for each chapter, and one that none is missing.
macro_rules! chapters {
    ($($name:ident: $chapter:literal,)*) => {
        $(
            #[test]
            fn $name() {
                walk($chapter);
            }
        )*

        #[test]
        fn every_chapter_with_commands_is_a_test() {
            assert_eq!(with_commands(), BTreeSet::from([$($chapter.to_owned()),*]));
        }
    };
}

chapters! {
    install: "install.md",
    quick_start: "quick-start.md",
    sessions: "sessions.md",
    orders: "orders.md",
    recorded: "recorded.md",
    limits: "limits.md",
    ci: "recipes/ci.md",
    production: "recipes/production.md",
    containers: "recipes/containers.md",
    systemd: "recipes/systemd.md",
    languages: "recipes/languages.md",
    questions: "recipes/questions.md",
    security: "security.md",
    faq: "faq.md",
    benchmarks: "benchmarks.md",
    commands: "commands.md",
}
