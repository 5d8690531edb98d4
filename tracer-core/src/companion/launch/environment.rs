//! The environment block that a recorded or replayed program starts with.
//!
//! The kernel puts the block's strings above the stack, so the stack begins where the block's size says. The
//! block is therefore the same in both modes except for bytes that never change its size:
//!
//! 1. the program's variables, in their order, without `LD_PRELOAD` and our own ([`own_environment`]);
//! 2. `LD_PRELOAD=` and the library's path in [`LIBRARY_PATH_BYTES`] bytes, then, if the program has an
//!    LD_PRELOAD of its own, `:` and that;
//! 3. `IMITATE_MODE=record` or `IMITATE_MODE=replay`;
//! 4. `IMITATE_SESSION=MMMM,SSSS,IIII`, as [`crate::session::environment::SESSION`] says;
//! 5. [`crate::session::environment::PADDING`], if the program has no LD_PRELOAD of its own.
//!
//! The library's hook of execve builds the same block for a child. It cannot allocate, so it has its own code.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::session::{Mode, environment};

/// Bytes of the library's path in LD_PRELOAD, however long it really is: leading slashes make up the rest, so
/// that a replay with a library at another place leaves the stack where it was.
pub const LIBRARY_PATH_BYTES: usize = 200;

const PRELOAD: &[u8] = b"LD_PRELOAD=";
/// Names of our own variables begin with this.
const OURS: &[u8] = b"IMITATE_";

/// The library's path as LD_PRELOAD has it.
///
/// Errors: the path is not absolute, longer than [`LIBRARY_PATH_BYTES`], or holds a character by which the
/// dynamic linker divides LD_PRELOAD.
pub fn padded_library_path(library: &Path) -> io::Result<Vec<u8>> {
    let path = library.as_os_str().as_bytes();
    let refuse = |what: String| {
        let message = format!("the library cannot be loaded from {}: {what}", library.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    };
    if path.first() != Some(&b'/') {
        return refuse("the path is not absolute".into());
    }
    if path.iter().any(|&byte| byte == b' ' || byte == b':') {
        return refuse("LD_PRELOAD cannot name a path with a space or a colon; install it elsewhere".into());
    }
    match LIBRARY_PATH_BYTES.checked_sub(path.len()) {
        Some(missing) => Ok([&vec![b'/'; missing], path].concat()),
        None => refuse(format!("the path is longer than {LIBRARY_PATH_BYTES} bytes; install it elsewhere")),
    }
}

/// What a program's environment is without our doing: `variables`, each `NAME=value`, without those of ours,
/// and with our library taken out of LD_PRELOAD.
pub fn own_environment(variables: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    variables
        .into_iter()
        .filter(|variable| !variable.as_bytes().starts_with(OURS))
        .filter_map(|variable| match variable.as_bytes().strip_prefix(PRELOAD) {
            None => Some(variable),
            Some(value) => without_library(value).map(|rest| OsString::from_vec([PRELOAD, &rest].concat())),
        })
        .collect()
}

/// An LD_PRELOAD value without our library; `None` if nothing else is in it.
fn without_library(value: &[u8]) -> Option<Vec<u8>> {
    let is_ours = |entry: &&[u8]| {
        Path::new(OsStr::from_bytes(entry)).file_name() == Some(OsStr::new(super::library::NAME))
    };
    if !value.split(|&byte| byte == b':' || byte == b' ').any(|entry| is_ours(&entry)) {
        return Some(value.to_vec());
    }
    let others: Vec<&[u8]> = value
        .split(|&byte| byte == b':' || byte == b' ')
        .filter(|entry| !entry.is_empty() && !is_ours(entry))
        .collect();
    (!others.is_empty()).then(|| others.join(&b':'))
}

/// The block for a program whose own environment is `variables`, each `NAME=value`. `library` is its padded
/// path, `session` the value of [`environment::SESSION`].
pub fn injected_environment(
    variables: &[OsString],
    library: &[u8],
    mode: Mode,
    session: &str,
) -> Vec<OsString> {
    let is_preload = |variable: &&OsString| variable.as_bytes().starts_with(PRELOAD);
    let mut block: Vec<OsString> =
        variables.iter().filter(|variable| !is_preload(variable)).cloned().collect();
    let mut preload = [PRELOAD, library].concat();
    if let Some(own) = variables.iter().find(is_preload) {
        preload.push(b':');
        preload.extend_from_slice(&own.as_bytes()[PRELOAD.len()..]);
    }
    block.push(OsString::from_vec(preload));
    let mode = match mode {
        Mode::Record => "record",
        Mode::Replay => "replay",
    };
    block.push(format!("{}={mode}", environment::MODE).into());
    block.push(format!("{}={session}", environment::SESSION).into());
    // An LD_PRELOAD of the program's own stays.
    if !variables.iter().any(|variable| is_preload(&variable)) {
        block.push(OsString::from_vec(environment::PADDING.to_bytes().to_vec()));
    }
    block
}
