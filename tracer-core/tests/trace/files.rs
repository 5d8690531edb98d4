//! Files kept by reference: what is kept how, and when a replay finds them again.

use std::fs::{self, File, FileTimes};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{Scratch, noise};
use tracer_core::trace::Result;
use tracer_core::trace::directory::{TraceDirectory, file_path};
use tracer_core::trace::files::{Identity, Keeper, Kept, Policy, ReferencedFile, Resolved, resolve};

/// A scratch directory with a trace in it.
struct Stage {
    scratch: Scratch,
    trace: TraceDirectory,
}

impl Stage {
    fn new() -> Stage {
        let scratch = Scratch::new();
        let trace = TraceDirectory::create_at(&scratch.path("trace")).unwrap();
        Stage { scratch, trace }
    }

    /// Writes a file and keeps it under `policy`.
    fn keep(&self, content: &[u8], policy: Policy) -> ReferencedFile {
        let path = self.scratch.path("input");
        fs::write(&path, content).unwrap();
        keep(&mut Keeper::new(self.trace.path(), policy), 5, &File::open(path).unwrap())
    }

    fn resolve(&self, file: &ReferencedFile) -> Result<Vec<u8>> {
        resolve(self.trace.path(), file).map(contents)
    }
}

fn keep(keeper: &mut Keeper, id: u64, file: &File) -> ReferencedFile {
    keeper.keep(id, file, Identity::from(&file.metadata().unwrap())).unwrap()
}

/// The content by way of the path, as the program's mapping will see it.
fn contents(resolved: Resolved) -> Vec<u8> {
    fs::read(&resolved.path).unwrap()
}

const NO_COPY_BUT_HASH: Policy = Policy { copy_limit: 0, hash_limit: 1 << 30 };
const NO_COPY: Policy = Policy { copy_limit: 0, hash_limit: 1 << 20 };

/// Whether the file system of the scratch directory can share blocks; then files are reflinked first.
fn is_in_trace(kept: &Kept) -> bool {
    matches!(kept, Kept::Copied(5) | Kept::Reflinked(5))
}

#[test]
fn a_small_file_is_in_the_trace_and_outlives_the_original() {
    let stage = Stage::new();
    let content = b"some input, ".repeat(100_000);
    let kept = stage.keep(&content, Policy::default());
    assert!(is_in_trace(&kept.kept), "{kept:?}");
    fs::remove_file(stage.scratch.path("input")).unwrap();
    assert!(stage.resolve(&kept).unwrap() == content);
}

#[test]
fn a_damaged_copy_is_noticed() {
    let stage = Stage::new();
    let kept = stage.keep(&noise(10_000), Policy::default());
    let path = file_path(stage.trace.path(), 5);
    let mut bytes = fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = stage.resolve(&kept).unwrap_err().to_string();
    assert!(error.contains("trace's copy of it") && error.contains("record again"), "{error}");
    fs::write(&path, "not zstd").unwrap();
    assert!(stage.resolve(&kept).is_err());
}

#[test]
fn installed_files_are_by_reference() {
    let stage = Stage::new();
    let path = fs::canonicalize("/usr/bin/env").unwrap();
    let kept = keep(&mut Keeper::new(stage.trace.path(), Policy::default()), 1, &File::open(&path).unwrap());
    assert_eq!(kept.kept, Kept::Reference);
    assert_eq!(kept.path.as_path(), path);
    assert_eq!(resolve(stage.trace.path(), &kept).unwrap().path, path);
    assert_eq!(fs::read_dir(stage.trace.path().join("files")).unwrap().count(), 0);
}

/// What happens to an input between recording and replay.
fn after(stage: &Stage, change: impl FnOnce(&Path)) -> Result<Vec<u8>> {
    let kept = stage.keep(b"the input", NO_COPY);
    change(&stage.scratch.path("input"));
    stage.resolve(&kept)
}

#[test]
fn a_reference_survives_what_leaves_the_content() {
    for change in [
        (|_| {}) as fn(&Path),
        |path| {
            let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
            File::options().write(true).open(path).unwrap().set_times(times).unwrap();
        },
        |path| {
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::copy(path.with_extension("old"), path).unwrap();
        },
    ] {
        assert_eq!(after(&Stage::new(), change).unwrap(), b"the input");
    }
}

#[test]
fn a_reference_to_something_else_is_refused() {
    for (change, expected) in [
        ((|path| fs::write(path, "the_input").unwrap()) as fn(&Path), "has changed since: expected 9 bytes"),
        (|path| fs::write(path, "short").unwrap(), "found 5 bytes"),
        (|path| fs::remove_file(path).unwrap(), "not there any more"),
        (
            |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "this is not a regular file",
        ),
    ] {
        let stage = Stage::new();
        // Where blocks can be shared the trace has its own, and nothing outside matters.
        match after(&stage, change) {
            Ok(content) => assert!(content == b"the input" && file_path(stage.trace.path(), 5).exists()),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(expected), "{error}");
                assert!(error.contains("(file 5 of the trace)"), "{error}");
                assert!(error.contains("put it back as it was, or record again"), "{error}");
            }
        }
    }
}

#[test]
fn a_file_met_twice_is_kept_once() {
    let stage = Stage::new();
    let path = stage.scratch.path("input");
    fs::write(&path, "twice").unwrap();
    let mut keeper = Keeper::new(stage.trace.path(), Policy::default());
    let first = keep(&mut keeper, 5, &File::open(&path).unwrap());
    let size = keeper.kept_bytes();
    let second = keep(&mut keeper, 6, &File::open(&path).unwrap());
    assert_eq!(second, ReferencedFile { id: 6, ..first });
    assert_eq!(keeper.kept_bytes(), size);
    assert_eq!(stage.resolve(&second).unwrap(), b"twice");
}

#[test]
fn keeping_leaves_the_offset_alone() {
    let stage = Stage::new();
    let path = stage.scratch.path("input");
    fs::write(&path, "0123456789").unwrap();
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    keep(&mut Keeper::new(stage.trace.path(), Policy::default()), 5, &file);
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "456789");
}

#[test]
fn what_cannot_be_kept_says_why() {
    let stage = Stage::new();
    let path = stage.scratch.path("input");
    fs::write(&path, "gone").unwrap();
    let file = File::open(&path).unwrap();
    let met = Identity::from(&file.metadata().unwrap());
    fs::write(&path, "gone!").unwrap();
    let mut keeper = Keeper::new(stage.trace.path(), NO_COPY);
    let changed = keeper.keep(1, &file, met).unwrap();
    fs::remove_file(&path).unwrap();
    let deleted = keep(&mut keeper, 2, &file);
    let directory = keep(&mut keeper, 3, &File::open(stage.trace.path()).unwrap());
    for (kept, expected) in [
        (changed, "it changed before it could be kept"),
        (deleted, "it was deleted and is larger than the 0 bytes that are copied"),
        (directory, "it is not a regular file"),
    ] {
        let error = stage.resolve(&kept).map_err(|error| error.to_string());
        match kept.kept {
            Kept::Unavailable(_) => assert!(error.unwrap_err().contains(expected)),
            // A deleted file's blocks can be shared too.
            kept => assert!(matches!(kept, Kept::Reflinked(2)) && error.unwrap() == b"gone!"),
        }
    }
}

#[test]
fn a_file_with_holes_is_hashed_as_the_zeros_that_it_reads_as() {
    use std::os::unix::fs::FileExt;
    const FAR: u64 = 3 << 20;
    let stage = Stage::new();
    let (sparse, full) = (stage.scratch.path("sparse"), stage.scratch.path("full"));
    let file = File::create(&sparse).unwrap();
    file.write_all_at(b"in the middle", FAR).unwrap();
    file.set_len(3 * FAR + 5).unwrap();
    fs::write(&full, fs::read(&sparse).unwrap()).unwrap();
    let mut keeper = Keeper::new(stage.trace.path(), NO_COPY_BUT_HASH);
    let [sparse, full] =
        [(6, sparse), (7, full)].map(|(id, path)| keep(&mut keeper, id, &File::open(path).unwrap()));
    assert!(sparse.hash.is_some());
    assert_eq!(sparse.hash, full.hash);
}
