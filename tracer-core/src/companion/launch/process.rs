//! The last steps, in the process that becomes the program.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::ptr;

use super::disguise;
use super::environment::injected_environment;
use crate::companion::limits::{Limit, Resource};
use crate::session::Mode;

/// A program and all that decides how the kernel lays it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The executable's absolute path.
    pub executable: PathBuf,
    /// Where its content is, if that is not the file at `executable`.
    pub content: Option<PathBuf>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its own environment, each `NAME=value`; what the library needs is added.
    pub environment: Vec<OsString>,
    /// Soft and hard RLIMIT_STACK in bytes; `None` keeps this process's.
    pub stack_limit: Option<[u64; 2]>,
    /// What the processes do.
    pub mode: Mode,
    /// The library's path, padded.
    pub library: Vec<u8>,
    /// The value of [`crate::session::environment::SESSION`].
    pub session: String,
    /// The file tree that it begins in, if that is not this process's.
    pub root: Option<Root>,
}

/// A file tree for a program, which has all that the loader looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Where it is.
    pub path: PathBuf,
    /// The program's current directory, in that tree.
    pub directory: PathBuf,
}

const ADVICE: &str = "a container's seccomp profile usually forbids it: start the container with \
                      `--security-opt seccomp=unconfined`, or with a profile that allows personality(0x0040000); \
                      a systemd unit needs LockPersonality=no";

/// Becomes the program. Returns only if that fails, and says why.
///
/// Meant for the child after fork; what it changes of the process (personality, stack limit) stays changed on
/// failure.
pub fn exec_program(launch: &Launch) -> io::Error {
    match prepare(launch) {
        Ok(block) => block.execute(),
        Err(error) => error,
    }
}

/// The arguments of execve.
struct Block {
    path: CString,
    content: Option<File>,
    root: Option<[CString; 2]>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

fn prepare(launch: &Launch) -> io::Result<Block> {
    let environment =
        injected_environment(&launch.environment, &launch.library, launch.mode, &launch.session);
    let block = Block {
        path: CString::new(launch.executable.as_os_str().as_bytes())?,
        content: launch.content.as_ref().map(File::open).transpose()?,
        root: launch.root.as_ref().map(directories).transpose()?,
        arguments: strings(&launch.arguments)?,
        environment: strings(&environment)?,
    };
    disable_randomisation()?;
    if let Some([soft, hard]) = launch.stack_limit {
        let set = Limit::new(Resource::Stack, soft, hard).apply();
        // Without privilege the hard limit can only be lowered; the layout depends on the soft one alone.
        let set = set.or_else(|_| {
            let present = Limit::of(Resource::Stack)?;
            Limit::new(Resource::Stack, soft, present.hard).apply()
        });
        set.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "cannot set the stack limit to the recorded {soft} bytes, which decides where the program's \
                     memory begins: {error}; raise the hard limit (ulimit -H -s)"
                ),
            )
        })?;
    }
    Ok(block)
}

fn directories(root: &Root) -> io::Result<[CString; 2]> {
    let string = |path: &PathBuf| CString::new(path.as_os_str().as_bytes());
    Ok([string(&root.path)?, string(&root.directory)?])
}

fn strings(list: &[OsString]) -> io::Result<Vec<CString>> {
    list.iter().map(|string| Ok(CString::new(string.clone().into_vec())?)).collect()
}

/// Switches address-space randomisation off for the programs that this process executes.
fn disable_randomisation() -> io::Result<()> {
    switch_off().map_err(|reason| {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("cannot switch address-space randomisation off (personality): {reason}; {ADVICE}"),
        )
    })
}

fn switch_off() -> io::Result<()> {
    const ASK: libc::c_int = -1;
    const OFF: libc::c_int = libc::ADDR_NO_RANDOMIZE;
    let present = personality(ASK)?;
    if present & OFF != 0 {
        return Ok(());
    }
    personality(present | OFF)?;
    // Some sandboxes answer success and do nothing.
    if personality(ASK)? & OFF == 0 {
        return Err(io::Error::other("it had no effect"));
    }
    Ok(())
}

/// personality(2). A service manager may forbid even to ask, and -1 has every flag: so it is no flags that come of a failure.
fn personality(wanted: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: takes no pointers; what changes is what programs find that this process executes.
    match unsafe { libc::personality(libc::c_ulong::from(wanted as u32)) } {
        -1 => Err(io::Error::last_os_error()),
        present => Ok(present),
    }
}

impl Block {
    fn execute(&self) -> io::Error {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        restore_signals();
        if let Some([root, directory]) = &self.root
            && let Err(error) = enter_root(root, directory)
        {
            return io::Error::new(
                error.kind(),
                format!("cannot begin in the replay's own file tree: {error}"),
            );
        }
        let path = match &self.content {
            None => self.path.clone(),
            Some(content) => match enter_disguise(content, &self.path) {
                Ok(path) => path,
                Err(error) => return error,
            },
        };
        // SAFETY: the path and all strings end with NUL, the lists with a null pointer, and all outlive the
        // call.
        unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        io::Error::new(error.kind(), format!("cannot execute {}: {error}", self.path.to_string_lossy()))
    }
}

fn enter_root(root: &CString, directory: &CString) -> io::Result<()> {
    let made = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: the paths end with NUL.
    unsafe {
        made(libc::chroot(root.as_ptr()))?;
        made(libc::chdir(directory.as_ptr()))
    }
}

/// Makes `content` executable by the name that is returned, as long as `path`.
fn enter_disguise(content: &File, path: &CString) -> io::Result<CString> {
    let mut name = vec![0; path.as_bytes().len()];
    let mut descriptor = content.as_raw_fd();
    if !disguise::write(descriptor as u32, &mut name) {
        let minimum = disguise::minimum(descriptor as u32);
        // SAFETY: a plain system call; the duplicate is closed by exec.
        descriptor = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, minimum as libc::c_int) };
        if descriptor < 0 || !disguise::write(descriptor as u32, &mut name) {
            let path = path.to_string_lossy();
            return Err(io::Error::other(format!("the kept copy of {path} has no name as short as that")));
        }
    }
    // SAFETY: the path ends with NUL.
    if unsafe { libc::chdir(disguise::DIRECTORY.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(CString::new(name)?)
}

/// Undoes what Rust's runtime does to SIGPIPE in the tool: a program expects the disposition it would have
/// had without us.
fn restore_signals() {
    // SAFETY: sets a signal's default disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
