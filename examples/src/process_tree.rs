//! Which processes a process has started.

use std::fs;

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
