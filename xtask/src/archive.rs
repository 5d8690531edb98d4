//! Writing .tar.gz and .deb files: the same tree, twice.

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// One file of a package.
pub struct Member {
    /// Path below the installation prefix: `bin/imitate`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Contents.
    pub data: Vec<u8>,
}

impl Member {
    /// A file that anybody may read.
    pub fn document(path: impl Into<String>, data: Vec<u8>) -> Member {
        Member { path: path.into(), mode: 0o644, data }
    }

    /// A copy of the built file `from`.
    pub fn built(path: impl Into<String>, mode: u32, from: &Path) -> Result<Member> {
        let data = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        Ok(Member { path: path.into(), mode, data })
    }
}

/// The bytes of a compressed tar archive of `members`, below `prefix` (which ends in `/`), with an entry for
/// every directory on the way. Owner, group and times are fixed, so that the same input gives the same bytes.
pub fn tar_gz(prefix: &str, members: &[Member]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let mut directories = std::collections::BTreeSet::new();
    for member in members {
        let path = format!("{prefix}{}", member.path);
        for (end, _) in path.match_indices('/') {
            let directory = &path[..=end];
            if directory != "./" && directories.insert(directory.to_owned()) {
                append(&mut archive, directory, tar::EntryType::Directory, 0o755, &[])?;
            }
        }
        append(&mut archive, &path, tar::EntryType::Regular, member.mode, &member.data)?;
    }
    Ok(archive.into_inner()?.finish()?)
}

fn append(
    archive: &mut tar::Builder<GzEncoder<Vec<u8>>>,
    path: &str,
    kind: tar::EntryType,
    mode: u32,
    mut data: &[u8],
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(data.len() as u64);
    let reader: &mut dyn Read = &mut data;
    archive.append_data(&mut header, path, reader).with_context(|| format!("cannot add {path} to an archive"))
}

/// Writes a Debian package: `control` is the text of its control file.
pub fn write_deb(path: &Path, control: &str, members: &[Member]) -> Result<()> {
    let control = tar_gz("./", &[Member::document("control", control.as_bytes().to_vec())])?;
    let data = tar_gz("./usr/", members)?;
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut archive = ar::Builder::new(file);
    let parts: [(&str, &[u8]); 3] =
        [("debian-binary", b"2.0\n"), ("control.tar.gz", &control), ("data.tar.gz", &data)];
    for (name, bytes) in parts {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        archive.append(&header, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    archive.into_inner()?.flush().with_context(|| format!("cannot write {}", path.display()))
}
