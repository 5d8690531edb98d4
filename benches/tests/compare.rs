//! That a recorder which does more for each call is found to be slower.

use examples::settings::Settings;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Its program is told by its last argument how often it reads a clock.
const ROW: &str = "clock_gettime";

fn benches(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_benches")).args(arguments).output();
    output.expect("benches can be executed")
}

/// Measures one row with `tool`; the JSON file.
fn measured(tool: &Path, directory: &Path) -> PathBuf {
    let (tool, output) = (tool.to_str().unwrap(), directory.to_str().unwrap());
    let run = benches(&[ROW, "--quick", "-r", "1", "--tool", tool, "--output", output]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    directory.join("results.json")
}

fn compared(first: &Path, second: &Path) -> (Option<i32>, String) {
    let output = benches(&["compare", first.to_str().unwrap(), second.to_str().unwrap()]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_slowed_hook_is_detected() {
    let tool = Settings::from_environment().expect("there is a tool to test").tool.canonicalize().unwrap();
    let root = tempfile::tempdir().unwrap();
    // A hundred times as many calls cost what as many calls would that take a hundred times as long: so much that even the
    // noise of a busy machine hides it in no run. In serial order only, which has no option: one proof is enough.
    let slow = root.path().join("slow");
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in 'record -o') exec {tool} \"$@\"00;; esac\nexec {tool} \"$@\"\n",
        tool = tool.display()
    );
    fs::write(&slow, script).unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let usual = measured(&tool, &root.path().join("usual"));
    let slowed = measured(&slow, &root.path().join("slowed"));

    let (status, table) = compared(&usual, &slowed);
    assert_eq!(status, Some(1), "{table}");
    let row = table.lines().find(|line| line.contains("serial | recorded")).unwrap_or_default();
    assert!(row.contains(ROW) && row.contains("**slower**"), "{table}");

    // A run is not slower than itself, and one that was not made is an error.
    let (status, table) = compared(&usual, &usual);
    assert_eq!(status, Some(0), "{table}");
    assert!(table.contains(" 0 slower") || table.contains("\n0 slower"), "{table}");
    assert_eq!(compared(&usual, &root.path().join("absent")).0, Some(2));
}
