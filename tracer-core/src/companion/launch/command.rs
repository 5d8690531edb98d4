//! From what the user typed to the file that is executed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::program::{Refusal, check_program};

/// Interpreters of interpreters of scripts: the kernel follows as many.
const DEEPEST_SCRIPT: usize = 4;
/// Bytes of a script's first line that the kernel looks at.
const FIRST_LINE: usize = 256;
/// What execvp executes files with that are neither programs nor say what to execute them with.
const SHELL: &str = "/bin/sh";
/// What execvp searches when PATH is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A command, ready to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The executable: absolute, without symbolic links. An ELF file that can be recorded.
    pub executable: PathBuf,
    /// Its arguments, the first of which is what it believes to be called.
    pub arguments: Vec<OsString>,
}

/// Resolves the command line `arguments` as execvp would, with `path` for the environment's PATH. Scripts
/// become their interpreter with its arguments, so that a replay does not need the script.
pub fn find(arguments: &[OsString], path: Option<&OsStr>) -> Result<Command, Refusal> {
    let name = arguments.first().ok_or(Refusal::NoCommand)?;
    let mut file = search(name, path)?;
    let mut arguments = arguments.to_vec();
    for _ in 0..=DEEPEST_SCRIPT {
        check_executable(&file)?;
        match interpreter(&file)? {
            Some((interpreter, argument)) => {
                // The kernel's rule: the interpreter, its one argument if there is one, the script's path, and
                // the script's arguments.
                let mut line = vec![interpreter.clone().into_os_string()];
                line.extend(argument);
                line.push(file.into_os_string());
                line.extend(arguments.drain(1..));
                arguments = line;
                file = interpreter;
            }
            None => {
                let executable =
                    file.canonicalize().map_err(|error| Refusal::system("find", &file, error))?;
                check_program(&executable)?;
                return Ok(Command { executable, arguments });
            }
        }
    }
    Err(Refusal::ScriptTooDeep { path: file })
}

/// The file that execvp would try: a name with a slash is a path, others are looked for in PATH.
fn search(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Refusal> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut found_but = None;
    for directory in std::env::split_paths(path) {
        // An empty entry means the current directory.
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
        let candidate = directory.join(name);
        match check_executable(&candidate) {
            Ok(()) if !name.is_empty() => return Ok(candidate),
            Err(refusal @ Refusal::NotExecutable { .. }) => found_but = Some(refusal),
            _ => {}
        }
    }
    Err(found_but.unwrap_or_else(|| Refusal::NotFound { name: name.to_owned() }))
}

/// Whether `file` is there and may be executed.
fn check_executable(file: &Path) -> Result<(), Refusal> {
    let metadata = match file.metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(Refusal::NotFound { name: file.into() });
        }
        metadata => metadata.map_err(|error| Refusal::system("look at", file, error))?,
    };
    // For root, access(2) would also want one of the x bits; this says it for everyone alike, and the
    // kernel has the last word at exec.
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 && may_execute(file) {
        Ok(())
    } else {
        Err(Refusal::NotExecutable { path: file.to_owned() })
    }
}

fn may_execute(file: &Path) -> bool {
    let mut path = file.as_os_str().as_bytes().to_vec();
    path.push(0);
    // SAFETY: the path ends with NUL. AT_EACCESS: what counts at exec is the effective user.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr().cast(), libc::X_OK, libc::AT_EACCESS) == 0 }
}

/// The interpreter that `file`'s first line names, with its argument; the shell if it is text without such a
/// line; `None` if it is no script.
fn interpreter(file: &Path) -> Result<Option<(PathBuf, Option<OsString>)>, Refusal> {
    let mut line = Vec::with_capacity(FIRST_LINE);
    let mut take = match File::open(file) {
        Ok(opened) => opened.take(FIRST_LINE as u64),
        // The kernel can execute what we cannot read; what it is, only the kernel knows then.
        Err(error) => return Err(Refusal::system("read", file, error)),
    };
    take.read_to_end(&mut line).map_err(|error| Refusal::system("read", file, error))?;
    let Some(rest) = line.strip_prefix(b"#!") else {
        // What the kernel does not recognise, execvp takes for a shell script, and so do shells if it looks
        // like text.
        return Ok((!line.contains(&0)).then(|| (PathBuf::from(SHELL), None)));
    };
    let rest = rest.split(|&byte| byte == b'\n').next().unwrap_or(rest);
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let trim = |bytes: &[u8]| -> Vec<u8> {
        let start = bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len());
        let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
        bytes[start..end].to_vec()
    };
    let rest = trim(rest);
    let split = rest.iter().position(is_blank).unwrap_or(rest.len());
    let (name, argument) = rest.split_at(split);
    if name.is_empty() {
        return Err(Refusal::BadScript { path: file.to_owned() });
    }
    let argument = trim(argument);
    let argument = (!argument.is_empty()).then(|| OsString::from_vec(argument));
    Ok(Some((PathBuf::from(OsString::from_vec(name.to_vec())), argument)))
}
