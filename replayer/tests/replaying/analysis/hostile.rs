//! Traces that somebody has tampered with: they are well-formed down to the checksums, but what they say is nonsense.

use crate::{Place, altered, imitate, text};
use std::path::Path;

/// What reads a trace, with arguments that stand for a place to write to and for the trace as it was.
const COMMANDS: &[&[&str]] = &[
    &["ps"],
    &["dump", "--interleave"],
    &["stats", "--by", "object"],
    &["stats", "--json"],
    &["extract"],
    &["extract", "--output", "TARGET"],
    &["audit", "--failed"],
    &["grep", "o"],
    &["diff", "--all", "ORIGINAL"],
    &["export", "--name", "hostile", "--parquet", "TARGET"],
    &["timeline", "--format", "html", "--output", "TARGET"],
    &["timeline", "--format", "json", "--output", "TARGET"],
];

/// Changes from one seed: numbers in the events become others, small, large, or those of other places.
fn tampered(bytes: &[u8], mut seed: u64) -> Vec<u8> {
    let mut random = || {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random() % 40 {
        let at = (random() % (bytes.len() as u64 / 8)) as usize * 8;
        let number = match random() % 6 {
            0 => random(),
            1 => u64::MAX - random() % 4,
            2 => random() % 8,
            3 => 1 << (random() % 64),
            4 => {
                let from = (random() % (bytes.len() as u64 / 8)) as usize * 8;
                u64::from_le_bytes(*bytes[from..].first_chunk().unwrap())
            }
            _ => u64::from_le_bytes(*bytes[at..].first_chunk().unwrap()) ^ (1 << (random() % 64)),
        };
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

#[test]
fn tampered_traces_are_read_or_refused() {
    let place = Place::new();
    let script = "echo one | cat; cat /etc/hostname > copy; exec date";
    let mut recorded = imitate();
    recorded.arg("record").arg("--output").arg(place.trace()).args(["--", "sh", "-c", script]);
    let recorded = recorded.current_dir(place.directory.path()).output().unwrap();
    assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    let streams = altered::streams(&place.trace());
    std::fs::create_dir(place.path("original")).unwrap();
    for file in ["events", "manifest.json"] {
        std::fs::copy(place.trace().join(file), place.path("original").join(file)).unwrap();
    }
    for seed in 1..=40 {
        let changed: Vec<_> = streams
            .iter()
            .map(|(stream, bytes)| (*stream, tampered(bytes, seed * 1000 + u64::from(*stream))))
            .collect();
        altered::rewrite(&place.trace(), &changed, seed % 3 != 0);
        for command in COMMANDS {
            check(&place, command, seed);
        }
    }
}

/// It ends in an orderly way: with what it found, or with an error.
fn check(place: &Place, command: &[&str], seed: u64) {
    let target = place.path("target");
    let original = place.path("original");
    let words = command.iter().map(|word| match *word {
        "TARGET" => target.as_path(),
        "ORIGINAL" => original.as_path(),
        word => Path::new(word),
    });
    // What it writes may be as long as a number in the trace says.
    let output = imitate().args(words).arg(place.trace()).output().unwrap();
    let said = text(&output.stderr);
    let orderly = matches!(output.status.code(), Some(0 | 1 | 125)) && !said.contains("panicked");
    assert!(orderly, "{command:?} with seed {seed}: {:?}\n{said}", output.status);
    let _ = std::fs::remove_dir_all(&target);
    let _ = std::fs::remove_file(&target);
}
