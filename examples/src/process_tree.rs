//! Finds processes by what they have to do with each other, and with a test.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// All living descendants of `process`, as the kernel lists them; those that have lost their parent are not found.
pub fn descendants(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut unexplored = vec![process];
    while let Some(parent) = unexplored.pop() {
        let children = children(parent);
        unexplored.extend_from_slice(&children);
        found.extend(children);
    }
    found
}

/// The children of all threads of `process`; none if it has ended.
fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// All processes that run in `directory` or below, or have its path in their arguments. For a directory of ours with
/// a name that nobody else has, those are all that were started there, whoever their parents are now.
pub fn concerned_with(directory: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, process)| {
            let runs_there = fs::read_link(process.join("cwd")).is_ok_and(|at| at.starts_with(directory));
            let name = directory.as_os_str().as_bytes();
            let mentions = |arguments: Vec<u8>| arguments.windows(name.len()).any(|window| window == name);
            runs_there || fs::read(process.join("cmdline")).is_ok_and(mentions)
        })
        .map(|(id, _)| id)
        .collect()
}
