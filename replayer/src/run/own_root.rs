//! A replay in a file tree of its own: the loader finds there what it found when the program was recorded, by the same names.
//!
//! It is a file system in memory, in a mount namespace of this process, which becomes the root of the program alone. For
//! users without privileges that takes a user namespace. The companion has to be in it, too, since the program opens its
//! descriptors; so this process enters it before it starts anything.

use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change, unmount,
};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use tracer_core::companion::launch::RecordedStart;
use tracer_core::trace::files::resolve;
use tracer_core::trace::manifest::Manifest;
use tracer_core::trace::packed::Packed;

/// A tree, mounted for as long as this value lives.
pub struct OwnRoot {
    place: PathBuf,
}

impl OwnRoot {
    /// Makes the tree of `packed` and the kept programs, which the trace in `directory` has, with `library` and the directory that the program
    /// was started in.
    ///
    /// To be called while this process has one thread. Errors: the machine does not permit it, or a content is damaged.
    pub fn enter(
        directory: &Path,
        manifest: &Manifest,
        packed: &Packed,
        library: &Path,
        recorded: &RecordedStart,
    ) -> Result<OwnRoot> {
        separate()?;
        let place = tempfile::Builder::new().prefix("imitate-root-").tempdir();
        // What is mounted there is not to be removed file by file.
        let root = OwnRoot { place: place.context("cannot make a temporary directory")?.keep() };
        let options = if aligns_large_files(&recorded.maps) { c"mode=755,huge=advise" } else { c"mode=755" };
        mount("imitate", root.path(), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
            .context("cannot mount a file system in memory")?;
        for file in packed.files.iter().chain(manifest.kept_programs()) {
            let content = resolve(directory, file)?;
            root.write(file.path.as_path(), &content.file)?;
        }
        root.make_directory(&recorded.directory)?;
        root.write(
            library,
            &File::open(library).with_context(|| format!("cannot open {}", library.display()))?,
        )?;
        let processes = root.make_directory(Path::new("/proc"))?;
        mount_bind_recursive("/proc", &processes).context("cannot mount /proc in the replay's file tree")?;
        for link in &packed.links {
            root.link(link.path.as_path(), link.target.as_path())?;
        }
        Ok(root)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Where an absolute path of the program's is. There are no links in the tree before its last ones are made.
    fn inside(&self, path: &Path) -> Result<PathBuf> {
        let mut place = self.path().to_owned();
        for part in path.components() {
            match part {
                Component::RootDir => {}
                Component::Normal(name) => place.push(name),
                _ => bail!("the trace names a file {}, which is no absolute path", path.display()),
            }
        }
        Ok(place)
    }

    fn make_directory(&self, path: &Path) -> Result<PathBuf> {
        let place = self.inside(path)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&place)
            .with_context(|| format!("cannot create {} in the replay's file tree", path.display()))?;
        Ok(place)
    }

    fn write(&self, path: &Path, content: &File) -> Result<()> {
        let directory = path.parent().with_context(|| format!("{} names no file", path.display()))?;
        self.make_directory(directory)?;
        let place = self.inside(path)?;
        let copy = || -> io::Result<u64> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&place)?;
            io::copy(&mut &*content, &mut file)
        };
        copy().with_context(|| format!("cannot create {} in the replay's file tree", path.display()))?;
        Ok(())
    }

    /// Makes a link. By those that were made before, a trace from elsewhere could lead out of the tree.
    fn link(&self, path: &Path, target: &Path) -> Result<()> {
        let place = self.inside(path)?;
        let directory = place.parent().with_context(|| format!("{} names no file", path.display()))?;
        let made = || {
            DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            directory.canonicalize()
        };
        // A directory that is a link to nowhere in the tree is not needed.
        let Ok(real) = made() else { return Ok(()) };
        ensure!(
            real.starts_with(self.path().canonicalize()?),
            "the trace has a link {} that leads out of its file tree",
            path.display()
        );
        match symlink(target, &place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error)
                .with_context(|| format!("cannot create {} in the replay's file tree", path.display())),
            _ => Ok(()),
        }
    }
}

impl Drop for OwnRoot {
    fn drop(&mut self) {
        // What fails leaves an empty directory.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
        let _ = std::fs::remove_dir(self.path());
    }
}

/// Whether files of two megabytes and more were mapped at multiples of that: some file systems (ext4, XFS, Btrfs) choose
/// such addresses, others (overlayfs) do not, and one in memory does if it may have huge pages.
fn aligns_large_files(maps: &[u8]) -> bool {
    const HUGE: u64 = 2 << 20;
    let mappings: Vec<_> = kmod_shim::maps::parse(maps).collect();
    mappings.chunk_by(|one, next| one.name == next.name).any(|file| match file {
        [first, .., last] => {
            let size = last.end.saturating_sub(first.begin);
            first.name.starts_with(b"/") && first.offset == 0 && size >= HUGE && first.begin % HUGE == 0
        }
        _ => false,
    })
}

/// Gives this process mounts of its own.
fn separate() -> Result<()> {
    // SAFETY: plain system calls.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: the process has one thread, and shares no file-system state.
    let unshare = |flags| unsafe { libc::unshare(flags) } == 0;
    if !unshare(libc::CLONE_NEWNS) {
        if !unshare(libc::CLONE_NEWNS | libc::CLONE_NEWUSER) {
            return Err(io::Error::last_os_error()).context(
                "programs or libraries of this trace are not here as they were, and the replay cannot get a file tree of its \
                 own: that takes a mount namespace, which this machine does not permit; run it as root, or permit user \
                 namespaces",
            );
        }
        let write = |path: &str, text: String| {
            std::fs::write(path, text).with_context(|| format!("cannot write {path}"))
        };
        write("/proc/self/setgroups", "deny".to_owned())?;
        write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .context("cannot make this process's mounts its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_show_how_they_are_placed() {
        let maps = |begin: u64, size: u64| {
            let (middle, end) = (begin + 0x1000, begin + size);
            let line = |from, to, offset| {
                format!("{from:x}-{to:x} r--p {offset:08x} fd:00 12                     /usr/lib/some.so\n")
            };
            line(begin, middle, 0) + &line(middle, end, 0x1000)
        };
        assert!(aligns_large_files(maps(0x7ffff7a00000, 0x200000).as_bytes()));
        assert!(!aligns_large_files(maps(0x7ffff7a00000, 0x1ff000).as_bytes()), "too small");
        assert!(!aligns_large_files(maps(0x7ffff7a01000, 0x200000).as_bytes()));
        assert!(!aligns_large_files(b""));
    }
}
