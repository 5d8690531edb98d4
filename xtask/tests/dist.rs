//! What `cargo xtask dist` makes works where it is unpacked.

use flate2::read::GzDecoder;
use pulldown_cmark::{Event, Parser, Tag};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Makes both packages; gives the paths of the archive and the Debian package.
fn packages(out: &Path) -> [PathBuf; 2] {
    let made = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("dist").arg("--out").arg(out).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let lines = String::from_utf8(made.stdout).unwrap();
    let paths: Vec<_> = lines.lines().map(PathBuf::from).collect();
    paths.try_into().expect("dist prints two paths")
}

fn imitate(prefix: &Path, arguments: &[&str]) -> Output {
    Command::new(prefix.join("bin/imitate")).args(arguments).output().unwrap()
}

/// The only entry of a directory.
fn only_entry(directory: &Path) -> PathBuf {
    let mut entries = directory.read_dir().unwrap();
    let entry = entries.next().expect("the archive is empty").unwrap().path();
    assert!(entries.next().is_none(), "the archive has more than one directory at its top");
    entry
}

#[test]
fn the_archive_works_wherever_it_is_unpacked() {
    let place = TempDir::new().unwrap();
    let [archive, package] = packages(place.path());

    let unpacked = place.path().join("elsewhere");
    tar::Archive::new(GzDecoder::new(File::open(archive).unwrap())).unpack(&unpacked).unwrap();
    let prefix = only_entry(&unpacked);
    let doctor = imitate(&prefix, &["doctor"]);
    let report = String::from_utf8(doctor.stdout).unwrap();
    let library = prefix.join("lib/imitate/libimitate.so");
    assert!(
        report.contains(library.to_str().unwrap()),
        "the library was not found beside the tool:\n{report}"
    );

    let trace = place.path().join("trace");
    let trace = trace.to_str().unwrap();
    let recorded = imitate(&prefix, &["record", "--output", trace, "--", "date", "+%N"]);
    let replayed = imitate(&prefix, &["replay", trace]);
    assert_eq!(recorded.status.code(), Some(0), "{}", String::from_utf8_lossy(&recorded.stderr));
    assert_eq!(replayed, recorded);

    assert_debian_package_holds_the_same(&package, &prefix);
    assert_links_lead_somewhere(&prefix.join("share/doc/imitate"));
}

/// The documents are where their links expect each other, from the README on.
fn assert_links_lead_somewhere(documents: &Path) {
    let mut folders = vec![documents.to_owned()];
    let mut followed = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                followed += follow(&path);
            }
        }
    }
    assert!(documents.join("README.md").is_file());
    assert!(followed > 50, "only {followed} links: most of the guide is missing");
}

/// How many links of a document lead to files beside it. Panics if one of these is not there.
fn follow(document: &Path) -> usize {
    let text = std::fs::read_to_string(document).unwrap();
    let targets = Parser::new(&text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url),
        _ => None,
    });
    let near: Vec<_> = targets.filter(|target| !target.contains("://")).collect();
    for target in &near {
        let file = target.split('#').next().unwrap();
        assert!(
            document.parent().unwrap().join(file).exists(),
            "{}: {target} is not there",
            document.display()
        );
    }
    near.len()
}

fn assert_debian_package_holds_the_same(package: &Path, prefix: &Path) {
    let mut archive = ar::Archive::new(File::open(package).unwrap());
    let mut parts = Vec::new();
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        parts.push((String::from_utf8(entry.header().identifier().to_vec()).unwrap(), bytes));
    }
    let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
    assert_eq!(parts[0].1, b"2.0\n");

    let mut files = 0;
    for entry in tar::Archive::new(GzDecoder::new(&*parts[2].1)).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry.path().unwrap().into_owned();
            let below = path.strip_prefix("./usr").or_else(|_| path.strip_prefix("usr")).unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, std::fs::read(prefix.join(&below)).unwrap(), "{}", below.display());
            files += 1;
        }
    }
    assert!(files > 10, "only {files} files: pages or completions are missing");
    assert!(prefix.join("share/man/man1/imitate-record.1").is_file());
    assert!(prefix.join("share/bash-completion/completions/imitate").is_file());
}
