//! `cargo xtask dist`: one archive and one Debian package that install everything.

use crate::archive::{Member, tar_gz, write_deb};
use crate::commands::{build_release, run as run_command};
use crate::documents;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where each shell looks for completions, below the prefix.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "share/bash-completion/completions/imitate"),
    ("zsh", "share/zsh/vendor-completions/_imitate"),
    ("fish", "share/fish/vendor_completions.d/imitate.fish"),
];

/// Builds, and writes the archive and the package into `out`.
pub fn run(out: Option<PathBuf>) -> Result<()> {
    let built = build_release()?;
    let out = out.unwrap_or_else(|| built.join("../dist"));
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make the directory {}", out.display()))?;
    let out = out.canonicalize().with_context(|| format!("cannot find {}", out.display()))?;
    let members = members(&built)?;

    let name = format!("imitate-{VERSION}-x86_64");
    let archive = out.join(format!("{name}.tar.gz"));
    let bytes = tar_gz(&format!("{name}/"), &members)?;
    std::fs::write(&archive, bytes).with_context(|| format!("cannot write {}", archive.display()))?;
    println!("{}", archive.display());

    let package = out.join(format!("imitate_{VERSION}_amd64.deb"));
    write_deb(&package, &control(&members), &members)?;
    println!("{}", package.display());
    Ok(())
}

fn members(built: &Path) -> Result<Vec<Member>> {
    let tool = built.join("imitate");
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut members = Vec::new();
    for (path, mode) in [("bin/imitate", 0o755), ("lib/imitate/libimitate.so", 0o644)] {
        let name = Path::new(path).file_name().context("a file of the package has no name")?;
        let stripped = scratch.path().join(name);
        strip(&built.join(name), &stripped)?;
        members.push(Member::built(path, mode, &stripped)?);
    }
    for (shell, path) in COMPLETIONS {
        members.push(Member::document(*path, output(&tool, &["completions", shell])?));
    }
    let pages = scratch.path().join("pages");
    let directory = pages.to_str().context("the temporary directory's name is not UTF-8")?;
    output(&tool, &["man", "--out", directory])?;
    let mut names = std::fs::read_dir(&pages)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let page = pages.join(&name);
        members.push(Member::built(format!("share/man/man1/{name}"), 0o644, &page)?);
    }
    members.extend(documents::members()?);
    Ok(members)
}

/// Copies an ELF file without its debug information, which is many times as large as the rest. Its symbols
/// stay: backtraces need them.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(to).arg(from);
    run_command(strip).context("`strip` belongs to binutils: apt-get install binutils")
}

fn output(tool: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(tool)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {}", tool.display()))?;
    let words = arguments.join(" ");
    ensure!(output.status.success(), "`imitate {words}` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// The package's control file. It needs the glibc that it was built against, which Debian 12 has.
fn control(members: &[Member]) -> String {
    let kibibytes = members.iter().map(|member| member.data.len()).sum::<usize>().div_ceil(1024);
    format!(
        "Package: imitate\n\
         Version: {VERSION}\n\
         Architecture: amd64\n\
         Maintainer: The Imitate contributors <imitate@localhost>\n\
         Installed-Size: {kibibytes}\n\
         Depends: libc6 (>= 2.36), libgcc-s1\n\
         Suggests: gdb\n\
         Section: devel\n\
         Priority: optional\n\
         Description: record unmodified Linux programs and replay them exactly\n \
         Imitate records what a program cannot compute by itself (results of system calls,\n \
         time, random numbers) and runs it again with the same results, addresses, output and\n \
         exit status. It needs neither root nor a kernel module nor hardware counters.\n"
    )
}
