//! The sections of docs/GALLERY.md: their programs fail, and their commands lead to the guilty line.

use crate::document::blocks;
use crate::walk::Walk;

const DOCUMENT: &str = include_str!("../../../docs/GALLERY.md");

/// The title and the text of each section.
fn sections() -> Vec<(&'static str, &'static str)> {
    let all = DOCUMENT.split("\n## ").skip(1);
    all.map(|section| section.split_once('\n').unwrap()).collect()
}

/// What a section says, done.
fn walk(title: &str) {
    let (_, section) = sections().into_iter().find(|(known, _)| *known == title).unwrap();
    Walk::new().follow(title, &blocks(section));
}

/// A test for each section, and one that none is missing.
macro_rules! walks {
    ($($name:ident: $title:literal,)*) => {
        $(
            #[test]
            fn $name() {
                walk($title);
            }
        )*

        #[test]
        fn every_section_is_a_test() {
            let titles: Vec<_> = sections().into_iter().map(|(title, _)| title).collect();
            assert_eq!(titles, [$($title),*]);
        }
    };
}

walks! {
    data_race: "A data race",
    atomicity_violation: "An atomicity violation",
    order_violation: "An order violation",
    deadlock: "A deadlock",
    lost_wake_up: "A lost wake-up",
    use_after_free: "A use after free",
    closed_twice: "A descriptor that is closed twice",
    unsafe_handler: "A handler that is not safe",
    file_gone_after_the_check: "A file that is gone after the check",
    sums_that_differ: "Sums that differ",
}
