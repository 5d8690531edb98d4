//! Where traces live: names, locks, listing, and what is never removed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::Scratch;
use tracer_core::trace::byte_string::ByteString;
use tracer_core::trace::chunk::Writer;
use tracer_core::trace::directory::{
    TraceDirectory, create_in, events_path, file_path, is_being_recorded, latest, list, remove, root_from,
    wait_until_recorded,
};
use tracer_core::trace::manifest::{Ended, Manifest};

fn manifest() -> Manifest {
    Manifest::begin(Default::default(), vec!["date".into()], "/".into(), Default::default(), "serial")
}

/// A finished trace of `program` under `root`, and its path.
fn record(root: &Path, program: &str) -> PathBuf {
    let directory = create_in(root, Path::new(program)).unwrap();
    let mut manifest = manifest();
    manifest.store(directory.path()).unwrap();
    Writer::create(&events_path(directory.path())).unwrap().finish().unwrap();
    fs::write(file_path(directory.path(), 3), "kept").unwrap();
    manifest.end(Ended::Complete);
    manifest.store(directory.path()).unwrap();
    directory.path().to_owned()
}

#[test]
fn the_environment_says_where_traces_live() {
    let root = |set: &[(&str, &str)]| {
        let set: HashMap<_, _> = set.iter().copied().collect();
        root_from(|name| set.get(name).map(OsString::from))
    };
    let home = ("HOME", "/home/me");
    for (set, expected) in [
        (&[("IMITATE_DIR", "/traces"), ("XDG_DATA_HOME", "/data"), home][..], "/traces"),
        (&[("XDG_DATA_HOME", "/data"), home], "/data/imitate"),
        (&[("XDG_DATA_HOME", "relative"), home], "/home/me/.local/share/imitate"),
        (&[("IMITATE_DIR", ""), home], "/home/me/.local/share/imitate"),
    ] {
        assert_eq!(root(set).unwrap(), Path::new(expected), "{set:?}");
    }
    assert!(root(&[]).unwrap_err().to_string().contains("set IMITATE_DIR"));
}

#[test]
fn traces_are_numbered_private_and_latest_follows() {
    let scratch = Scratch::new();
    let root = scratch.path("deep/root");
    assert!(latest(&root).unwrap_err().to_string().contains("no trace is here yet"));
    let names = [
        ("/bin/ls", "ls-1"),
        ("./ls", "ls-2"),
        ("/usr/bin/date", "date-1"),
        ("ls", "ls-3"),
        ("-bash", "bash-1"),
        ("--", "program-1"),
        ("", "program-2"),
    ];
    for (program, name) in names {
        let path = record(&root, program);
        assert_eq!(path, root.join(name));
        assert_eq!(latest(&root).unwrap(), path);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for file in ["manifest.json", "events", "lock"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
    }
    let listed = list(&root).unwrap();
    let listed_names: Vec<_> =
        listed.iter().map(|trace| trace.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(listed_names, names.map(|(_, name)| name));
    assert!(listed.iter().all(|trace| trace.size > 0 && !trace.being_recorded));
    assert!(listed.iter().all(|trace| trace.manifest.as_ref().unwrap().ended == Ended::Complete));
}

#[test]
fn many_recorders_at_once_get_different_names() {
    let scratch = Scratch::new();
    let root = scratch.path("root");
    let create = || (0..20).map(|_| record(&root, "sh")).collect::<Vec<_>>();
    let mut paths: Vec<_> = std::thread::scope(|scope| {
        let recorders: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        recorders.into_iter().flat_map(|recorder| recorder.join().unwrap()).collect()
    });
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 80);
    assert!(paths.contains(&latest(&root).unwrap()));
}

#[test]
fn what_a_recorder_leaves_that_is_killed_at_once_can_be_removed() {
    let scratch = Scratch::new();
    for files in [&["lock"][..], &["lock", "reserve"]] {
        let path = scratch.path("trace");
        fs::create_dir_all(path.join("files")).unwrap();
        files.iter().for_each(|file| fs::write(path.join(file), "").unwrap());
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn the_lock_tells_recording_from_recorded() {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let directory = TraceDirectory::create_at(&path).unwrap();
    manifest().store(&path).unwrap();
    assert!(is_being_recorded(&path).unwrap());
    assert!(list(scratch.path(".").as_path()).unwrap()[0].being_recorded);
    let refused = remove(&path).unwrap_err();
    assert!(refused.to_string().contains("is being recorded"), "{refused}");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            wait_until_recorded(&path).unwrap();
            Manifest::load(&path).unwrap().ended
        });
        let mut manifest = manifest();
        manifest.end(Ended::Early("disk full".into()));
        manifest.store(&path).unwrap();
        drop(directory);
        assert_eq!(waiter.join().unwrap(), Ended::Early("disk full".into()));
    });
    assert!(!is_being_recorded(&path).unwrap());
    assert!(is_being_recorded(&scratch.path("nowhere")).is_err());
}

#[test]
fn a_directory_that_is_in_the_way_is_refused() {
    let scratch = Scratch::new();
    let full = scratch.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.txt"), "years of work").unwrap();
    let file = scratch.path("file");
    fs::write(&file, "").unwrap();
    for (path, expected) in [
        (&full, "this directory is not empty; choose another"),
        (&file, "this exists and is not a directory"),
        (&scratch.path("no/parent"), "No such file or directory"),
        (&PathBuf::from("/proc/trace"), "cannot create the trace directory /proc/trace"),
    ] {
        let error = TraceDirectory::create_at(path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(fs::read(full.join("thesis.txt")).unwrap(), b"years of work");
    let empty = scratch.path("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, Permissions::from_mode(0o755)).unwrap();
    TraceDirectory::create_at(&empty).unwrap();
    assert_eq!(fs::metadata(&empty).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn removal_takes_traces_and_nothing_else() {
    let scratch = Scratch::new();
    let root = scratch.path("root");
    let (first, second) = (record(&root, "ls"), record(&root, "ls"));
    let link = root.join("link");
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let other = root.join("other");
    fs::create_dir(&other).unwrap();
    for path in [&link, &other, &root] {
        assert!(remove(path).is_err(), "{}", path.display());
        assert!(path.exists());
    }
    for intruder in ["notes.txt", "files/notes.txt"] {
        fs::write(second.join(intruder), "mine").unwrap();
        let error = remove(&second).unwrap_err().to_string();
        assert!(error.contains("notes.txt: this is not part of a trace"), "{error}");
        assert!(events_path(&second).exists());
        fs::remove_file(second.join(intruder)).unwrap();
    }
    remove(&second).unwrap();
    assert!(!second.exists());
    assert_eq!(latest(&root).unwrap(), first);
    remove(&first).unwrap();
    assert!(list(&root).unwrap().is_empty());
    assert!(fs::symlink_metadata(root.join("latest")).is_err());
}

#[test]
fn a_recording_that_was_killed_at_once_can_be_removed() {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    drop(TraceDirectory::create_at(&path).unwrap());
    remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn damaged_traces_are_listed_and_can_be_removed() {
    let scratch = Scratch::new();
    let root = scratch.path("root");
    let path = record(&root, "ls");
    fs::write(path.join("manifest.json"), "{\"format\": \"imi").unwrap();
    let listed = list(&root).unwrap();
    let error = listed[0].manifest.as_ref().unwrap_err().to_string();
    assert!(error.contains("manifest.json is damaged or not part of a trace: at byte"), "{error}");
    remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_manifest_of_another_version_is_named() {
    let scratch = Scratch::new();
    let mut future = manifest();
    future.version = 99;
    future.directory = ByteString(vec![0xff, b'/']);
    future.store(&scratch.path("")).unwrap();
    let error = Manifest::load(&scratch.path("")).unwrap_err().to_string();
    assert!(error.contains("has trace format 99, but this imitate reads format 1"), "{error}");
    let fifo = std::ffi::CString::new(scratch.path("fifo").to_str().unwrap()).unwrap();
    fs::create_dir(scratch.path("hostile")).unwrap();
    // SAFETY: the path is a NUL-terminated string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    fs::rename(scratch.path("fifo"), scratch.path("hostile/manifest.json")).unwrap();
    let error = Manifest::load(&scratch.path("hostile")).unwrap_err().to_string();
    assert!(error.contains("this is not a regular file"), "{error}");
}
