//! What the machine and the container are.

use super::Finding;
use crate::run;
use indicatif::HumanBytes;
use rustix::fs::{Access, access, statvfs};
use std::fs;
use std::path::Path;
use tracer_core::trace::directory;

/// Version of the kernel: Syscall User Dispatch came with 5.11.
pub fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_err(|error| format!("cannot read /proc/sys/kernel/osrelease: {error}"))?;
    let release = release.trim();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|digits| digits.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 11) { Ok(format!("Linux {release}")) } else { Err(format!("this is Linux {release}")) }
}

/// Whether this process, and so all its children, is filtered.
pub fn seccomp() -> Finding {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("cannot read /proc/self/status: {error}"))?;
    match status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim) {
        Some("0") => Ok("no filter".to_owned()),
        Some(mode) => Ok(format!(
            "mode {mode} is in force (a container?); if another check fails, it may be the reason"
        )),
        None => Ok("the kernel has none".to_owned()),
    }
}

/// Where libimitate.so is.
pub fn library() -> Finding {
    run::library().map(|path| path.display().to_string()).map_err(|error| error.to_string())
}

/// Where gdb is.
pub fn gdb() -> Finding {
    which::which("gdb").map(|path| path.display().to_string()).map_err(|_| "gdb is not installed".to_owned())
}

/// Where traces go, and how much room there is.
pub fn storage() -> Finding {
    let root = directory::root().map_err(|error| error.to_string())?;
    // What does not exist yet will be made in the nearest directory that does.
    let existing = root.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    access(existing, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{} is not writable: {error}", existing.display()))?;
    Ok(match statvfs(existing) {
        Ok(system) => format!("{}, {} free", root.display(), HumanBytes(system.f_bavail * system.f_frsize)),
        Err(_) => root.display().to_string(),
    })
}
