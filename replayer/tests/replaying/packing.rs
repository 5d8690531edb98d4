//! `pack` and `unpack`: traces that are replayed where what was recorded is not.

use crate::{FAILED, Place, imitate, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tracer_core::trace::directory::file_path;
use tracer_core::trace::files::Kept;
use tracer_core::trace::manifest::Manifest;

/// Prints what its library says, and the names by which both are known.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
const char *word(void);
int main(void) {
    Dl_info library;
    dladdr((void *)word, &library);
    printf("%s %s %s %p\n", word(), library.dli_fname, (char *)getauxval(AT_EXECFN), (void *)printf);
    FILE *self = fopen("/proc/self/maps", "r");
    for (int c; (c = getc(self)) != EOF;) putchar(c);
    return 5;
}
"#;

fn compile(arguments: &[&str], source: &Path, output: &Path) {
    assert!(Command::new("cc").args(arguments).arg("-o").arg(output).arg(source).status().unwrap().success());
}

/// A program with a library of its own, which is found by a link. Gives its path.
fn build(directory: &Path) -> PathBuf {
    std::fs::create_dir(directory).unwrap();
    let [source, library] = ["word.c", "libword.so.1.2"].map(|name| directory.join(name));
    std::fs::write(&source, "const char *word(void) { return \"kept\"; }").unwrap();
    compile(&["-shared", "-fPIC", "-Wl,-soname,libword.so.1"], &source, &library);
    std::os::unix::fs::symlink("libword.so.1.2", directory.join("libword.so.1")).unwrap();
    let [source, program] = ["program.c", "program"].map(|name| directory.join(name));
    std::fs::write(&source, PROGRAM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.arg(&source).arg(&library).arg("-Wl,-rpath,$ORIGIN").arg("-o").arg(&program);
    assert!(compiler.status().unwrap().success());
    program
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{command:?}: {}", text(&output.stderr));
    output
}

/// Packs the trace in `place`, removes it, and unpacks it elsewhere.
fn move_away(place: &Place) -> PathBuf {
    let (file, unpacked) = (place.path("packed"), place.path("unpacked"));
    succeeds(imitate().arg("pack").arg(place.trace()).arg("--output").arg(&file));
    std::fs::remove_dir_all(place.trace()).unwrap();
    succeeds(imitate().arg("unpack").arg(&file).arg("--output").arg(&unpacked));
    std::fs::remove_file(&file).unwrap();
    unpacked
}

fn replay(trace: &Path) -> Output {
    imitate().arg("replay").arg(trace).output().unwrap()
}

#[test]
fn a_packed_trace_needs_neither_the_program_nor_its_library() {
    let place = Place::new();
    let program = build(&place.path("built"));
    let recorded = place.record(&[program.to_str().unwrap()]);
    assert_eq!(recorded.status.code(), Some(5), "{}", text(&recorded.stderr));
    let said = text(&recorded.stdout);
    let expected = format!("kept {0}/libword.so.1 {0}/program", place.path("built").display());
    assert!(said.starts_with(&expected), "{said}");
    let unpacked = move_away(&place);
    std::fs::remove_dir_all(place.path("built")).unwrap();
    for _ in 0..3 {
        let replayed = replay(&unpacked);
        assert_eq!(text(&replayed.stderr), "");
        assert_eq!(text(&replayed.stdout), said);
        assert_eq!(replayed.status.code(), Some(5));
    }
    // What is not where it was must be there as it was.
    std::fs::create_dir(place.path("built")).unwrap();
    std::fs::write(place.path("built").join("libword.so.1.2"), "another one").unwrap();
    assert_eq!(text(&replay(&unpacked).stdout), said);
    let removed = imitate().arg("rm").arg(&unpacked).output().unwrap();
    assert_eq!(removed.status.code(), Some(0), "{}", text(&removed.stderr));
}

/// Runs a line of shell with mounts of its own.
fn with_own_mounts(line: &str, arguments: &[&Path]) -> Output {
    let tool = imitate();
    let library = tool.get_envs().find_map(|(_, value)| value).unwrap().to_owned();
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-ec",
        line,
        tool.get_program().to_str().unwrap(),
    ]);
    command.env("IMITATE_LIBRARY", library).args(arguments).output().unwrap()
}

#[test]
fn an_installed_program_replays_with_other_libraries_in_the_system() {
    let place = Place::new();
    std::fs::create_dir(place.path("listed")).unwrap();
    std::fs::write(place.path("listed/file"), "content").unwrap();
    let recorded = place.record(&["ls", "-l", place.path("listed").to_str().unwrap()]);
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let manifest = Manifest::load(&place.trace()).unwrap();
    let unpacked = move_away(&place);
    let objects = manifest.objects.iter().map(|object| object.path.as_path());
    // Those that the tool itself does not need.
    let own = std::fs::read_to_string("/proc/self/maps").unwrap();
    let is_other = |path: &&Path| !own.contains(path.to_str().unwrap()) && !path.ends_with("libimitate.so");
    let others: Vec<&Path> = objects.filter(is_other).collect();
    assert!(others.len() > 1, "ls has a library beside libc: {others:?}");
    for other in others {
        let line = "mount --bind /dev/null \"$1\"; exec \"$0\" replay \"$2\"";
        let replayed = with_own_mounts(line, &[other, &unpacked]);
        assert_eq!(text(&replayed.stderr), "", "without {}", other.display());
        assert_eq!(text(&replayed.stdout), text(&recorded.stdout));
    }
    let line = "mount --bind /dev/null /etc/ld.so.cache; exec \"$0\" replay \"$1\"";
    let replayed = with_own_mounts(line, &[&unpacked]);
    assert_eq!(text(&replayed.stdout), text(&recorded.stdout), "{}", text(&replayed.stderr));
}

#[test]
fn a_change_of_the_cache_of_libraries_is_named() {
    let place = Place::new();
    let recorded = place.record(&["true"]);
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let line = "mount --bind /dev/null /etc/ld.so.cache; exec \"$0\" replay \"$1\"";
    let replayed = with_own_mounts(line, &[&place.trace()]);
    assert_eq!(replayed.status.code(), FAILED);
    let told = text(&replayed.stderr);
    assert!(told.contains("/etc/ld.so.cache has 0 bytes and had ") && told.contains("packages"), "{told}");
}

#[test]
fn children_and_what_they_execute_are_in_it() {
    let place = Place::new();
    let program = build(&place.path("built"));
    let script = format!("{0}; date +%N; {0} | tail -n 3; exit 3", program.display());
    let recorded = place.record(&["bash", "-c", &script]);
    assert_eq!(recorded.status.code(), Some(3), "{}", text(&recorded.stderr));
    let unpacked = move_away(&place);
    std::fs::remove_dir_all(place.path("built")).unwrap();
    let replayed = replay(&unpacked);
    assert_eq!(text(&replayed.stderr), "");
    assert_eq!(text(&replayed.stdout), text(&recorded.stdout));
    assert_eq!(replayed.status.code(), Some(3));
}

#[test]
fn every_content_is_there_once() {
    let place = Place::new();
    let content = (0..200_000).map(|line| format!("{line}\n")).collect::<String>().into_bytes();
    for name in ["one", "other"] {
        std::fs::write(place.path(name), &content).unwrap();
    }
    let [one, other] = ["one", "other"].map(|name| place.path(name));
    assert!(place.record(&["cat", one.to_str().unwrap(), other.to_str().unwrap()]).status.success());
    let stored = |trace: &Path, path: &Path| {
        let manifest = Manifest::load(trace).unwrap();
        let file = manifest.files.iter().find(|file| file.path.as_path() == path).unwrap();
        let (Kept::Copied(number) | Kept::Reflinked(number)) = file.kept else { panic!("{:?}", file.kept) };
        (file.kept.clone(), file_path(trace, number).metadata().unwrap().len())
    };
    // While the program runs there is no time for more than copies.
    let (_, recorded) = stored(&place.trace(), &one);
    let unpacked = move_away(&place);
    let ((kept, packed), (other_kept, _)) = (stored(&unpacked, &one), stored(&unpacked, &other));
    assert!(matches!(kept, Kept::Copied(_)), "{kept:?}");
    assert_eq!(kept, other_kept);
    assert!(packed < recorded / 2, "{packed} of {recorded} bytes");
    for path in [one, other] {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(replay(&unpacked).stdout, [&content[..], &content].concat());
}

#[test]
fn what_is_no_packed_trace_leaves_nothing() {
    let place = Place::new();
    let target = place.path("target");
    let tried = |file: &Path| {
        let output = imitate().arg("unpack").arg(file).arg("--output").arg(&target).output().unwrap();
        assert_eq!(output.status.code(), FAILED);
        assert!(!target.exists());
        text(&output.stderr)
    };
    let file = place.path("file");
    std::fs::write(&file, "not one").unwrap();
    assert!(tried(&file).contains("is no trace that `imitate pack` has made"));
    std::fs::write(place.path("manifest.json"), "{}").unwrap();
    std::fs::write(place.path("stranger"), "").unwrap();
    for name in ["stranger", "manifest.json"] {
        let made = Command::new("tar")
            .arg("-C")
            .arg(place.directory.path())
            .arg("-cf")
            .arg(&file)
            .arg(name)
            .status();
        assert!(made.unwrap().success());
        assert!(tried(&file).contains("is no trace that `imitate pack` has made"));
    }
    let outside =
        Command::new("tar").args(["-P", "-C", "/", "-cf"]).arg(&file).arg(place.path("stranger")).status();
    assert!(outside.unwrap().success());
    assert!(tried(&file).contains("stranger"));
}

#[test]
fn another_build_of_the_library_is_named() {
    let place = Place::new();
    assert_eq!(place.record(&["true"]).status.code(), Some(0));
    let id = Manifest::load(&place.trace()).unwrap().recorder.build_id;
    let bytes: Vec<u8> =
        (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
    let library = imitate().get_envs().find_map(|(_, value)| value).unwrap().to_owned();
    let mut other = std::fs::read(library).unwrap();
    let note = other.windows(bytes.len()).position(|part| part == bytes).expect("the note with the id");
    other[note] ^= 1;
    std::fs::write(place.path("libimitate.so"), other).unwrap();
    let replayed = imitate()
        .env("IMITATE_LIBRARY", place.path("libimitate.so"))
        .arg("replay")
        .arg(place.trace())
        .output()
        .unwrap();
    let said = text(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(125), "{said}");
    assert!(said.contains("recorded by another build of imitate (") && said.contains(&id), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
