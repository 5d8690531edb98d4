//! Compiles the programs in `examples/programs`, each a single file, on first use, and finds those that Cargo builds.

use crate::case::Rebuilt;
use crate::settings::target_directory;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The directory of the sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The executable for `path`, compiled with `flags`, separated by spaces. It is compiled only if there is none that
/// is newer than the source. An error has the compiler's messages.
pub fn executable(path: &Path, flags: &str) -> Result<PathBuf> {
    compiled(path, flags, None)
}

/// As [`executable`], by way of `imitate cc`; it is also to be newer than that, which is `tool`.
pub fn rebuilt(path: &Path, flags: &str, how: Rebuilt, tool: &Path) -> Result<PathBuf> {
    compiled(path, flags, Some((how, tool)))
}

fn compiled(path: &Path, flags: &str, rebuilt: Option<(Rebuilt, &Path)>) -> Result<PathBuf> {
    let source = path.strip_prefix(sources()).unwrap_or(path).display();
    let directory = target_directory()?.join("example-programs");
    let way =
        rebuilt.map_or_else(String::new, |(Rebuilt { mode, compiler }, _)| format!(" {mode} {compiler}"));
    let stem: String = format!("{source} {flags}{way}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect();
    let finished = directory.join(&stem);
    if is_newer(&finished, path)?
        && headers_beside(path)?.iter().all(|header| is_newer(&finished, header).unwrap_or(false))
        && rebuilt.is_none_or(|(_, tool)| is_newer(&finished, tool).unwrap_or(false))
    {
        return Ok(finished);
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    // Several tests may want the same program at once: each compiles its own and the last one stays.
    let unfinished = tempfile::Builder::new().prefix(&stem).tempdir_in(&directory)?;
    let compiled = unfinished.path().join("program");
    let mut command = compiler(path, rebuilt)?;
    command.args(flags.split_whitespace()).arg("-o").arg(&compiled).arg(path);
    let output = command.output().with_context(|| format!("cannot run the compiler: {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    fs::rename(&compiled, &finished).with_context(|| format!("cannot rename to {}", finished.display()))?;
    Ok(finished)
}

/// A binary of this package, which Cargo has put beside the tests or above them. An error if it is not there.
pub fn built(binary: &str) -> Result<PathBuf> {
    let executable = env::current_exe().context("cannot find the path of the running program")?;
    executable
        .ancestors()
        .skip(1)
        .map(|directory| directory.join(binary))
        .find(|path| path.is_file())
        .with_context(|| format!("there is no {binary} beside {}", executable.display()))
}

/// What a source file may include of its own folder.
fn headers_beside(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = path.parent().context("a source file is in a folder")?;
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "h")).collect())
}

fn is_newer(executable: &Path, source: &Path) -> Result<bool> {
    let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let source = written(source).with_context(|| format!("there is no program {}", source.display()))?;
    Ok(written(executable).is_ok_and(|executable| executable > source))
}

fn compiler(source: &Path, rebuilt: Option<(Rebuilt, &Path)>) -> Result<Command> {
    let extension = source.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    // No warnings: much of what the programs show is what compilers warn of.
    let (usual, options): (&str, &[&str]) = match extension {
        "c" => ("cc", &["-std=gnu17", "-O1", "-g", "-w", "-D_GNU_SOURCE"]),
        "cc" => ("c++", &["-std=c++17", "-O1", "-g", "-w"]),
        "rs" => ("rustc", &["--edition=2024", "-O"]),
        _ => bail!("no compiler is known for {}", source.display()),
    };
    let mut command = match rebuilt {
        None => Command::new(usual),
        Some((Rebuilt { mode, compiler }, tool)) => {
            let mut command = Command::new(tool);
            command.args(["cc", "--mode", mode, "--", compiler]);
            command
        }
    };
    command.args(options);
    Ok(command)
}
