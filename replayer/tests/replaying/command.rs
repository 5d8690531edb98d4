//! The command line that is recorded: it begins where the tool's own options end, and the trace is called after it.

use crate::{Place, imitate, text};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

#[test]
fn options_behind_the_program_are_its_own() {
    for words in [&["echo", "-q", "--", "-v"][..], &["--", "echo", "-q", "--", "-v"]] {
        let place = Place::new();
        let recorded =
            imitate().arg("record").arg("--output").arg(place.trace()).args(words).output().unwrap();
        assert_eq!(text(&recorded.stdout), "-q -- -v\n", "{}", text(&recorded.stderr));
    }
}

#[test]
fn a_trace_is_called_after_what_was_typed() {
    let place = Place::new();
    let storage = place.path("storage");
    let script = place.path("script");
    std::fs::write(&script, "#!/usr/bin/env sh\n:\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    symlink("/bin/true", place.path("linked")).unwrap();
    // What these lead to has another name.
    for (program, name) in [("sh", "sh-1"), ("./script", "script-1"), ("./linked", "linked-1")] {
        let mut command = imitate();
        command.env("IMITATE_DIR", &storage).current_dir(place.path(""));
        let recorded = command.args(["record", "--", program]).output().unwrap();
        assert!(recorded.status.success(), "{}", text(&recorded.stderr));
        assert_eq!(storage.join("latest").read_link().unwrap(), Path::new(name));
    }
}
