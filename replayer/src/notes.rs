//! What the options do not say: exit statuses, environment, files. Shown after `--help` and in man pages.

use std::fmt::Write;

/// A heading and its rows: a term and what it means.
pub struct Section {
    /// Without a colon.
    pub title: &'static str,
    /// Terms and their meanings.
    pub rows: &'static [(&'static str, &'static str)],
}

/// How the tool ends.
pub const EXIT_STATUS: Section = Section {
    title: "Exit status",
    rows: &[
        (
            "the program's",
            "record, replay: the program ended so; if a signal killed it, the same signal kills imitate",
        ),
        ("125", "imitate itself failed: bad usage, no such trace, divergence, the trace ends early"),
        (
            "124",
            "replay: the same, if the recorded program itself ended with 125, so that a failed replay is never \
             mistaken for a successful one",
        ),
        ("126, 127", "record, hunt, bisect: the program cannot be executed, was not found"),
        (
            "1",
            "verify: a replay differed; hunt, grep: nothing was found; bisect: no hand-overs make the difference; diff: the traces differ; doctor: recording does \
             not work here",
        ),
    ],
};

/// What `imitate cc` does and needs.
pub const COMPILER: Section = Section {
    title: "Notes",
    rows: &[
        (
            "use",
            "as the compiler in a build, for compiling and for linking: make CC='imitate cc -- gcc'. What it builds runs as \
             any other program, and is ordered in recordings with --order sync",
        ),
        ("exit status", "the compiler's; 125: it is none that imitate knows, or cannot be run"),
        (
            "not seen",
            "what is not compiled so: libraries, assembly, and in Rust the slow paths of the standard library's locks \
             (-Zbuild-std compiles that too)",
        ),
    ],
};

/// What the tool and the library look at.
pub const ENVIRONMENT: Section = Section {
    title: "Environment",
    rows: &[
        (
            "IMITATE_DIR",
            "where traces are kept, named after the program as it was typed (date-1, date-2, ...); else \
             $XDG_DATA_HOME/imitate, else ~/.local/share/imitate",
        ),
        ("IMITATE_LIBRARY", "libimitate.so, if it is not near the tool"),
        (
            "IMITATE_MODE",
            "record, replay or off: what the library does when it is preloaded without the tool, by LD_PRELOAD",
        ),
        ("IMITATE_TRACE", "the trace's directory then"),
        ("IMITATE_CHAOS", "the seed of --chaos then"),
        ("IMITATE_ORDER", "serial or sync, as --order then"),
    ],
};

/// The sections as they follow `--help`, to be wrapped by clap.
pub fn text(sections: &[&Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let separator = if text.is_empty() { "" } else { "\n" };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{separator}{}:", section.title);
        for (term, meaning) in section.rows {
            let _ = writeln!(text, "  {term}: {meaning}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}
