//! The files that were mapped executable, described as soon as the writer has time: at the end, the launcher waits.

use std::collections::BTreeMap;
use std::io;

use crate::companion::objects;
use crate::trace::byte_string::ByteString;
use crate::trace::manifest::MappedObject;

/// What they are, by path.
#[derive(Default)]
pub struct Mapped {
    described: BTreeMap<Vec<u8>, io::Result<MappedObject>>,
}

impl Mapped {
    /// Describes those that have not been; `paths` are all that there are so far, none of which goes away.
    pub fn describe<'a>(&mut self, paths: impl ExactSizeIterator<Item = &'a [u8]>) {
        if paths.len() == self.described.len() {
            return;
        }
        for path in paths {
            if !self.described.contains_key(path) {
                let object = objects::describe(ByteString::from(path));
                self.described.insert(path.to_vec(), object);
            }
        }
    }

    /// The descriptions, and why the others are missing.
    pub fn finish(self) -> (Vec<MappedObject>, Vec<String>) {
        let (mut objects, mut notes) = (Vec::new(), Vec::new());
        for (path, described) in self.described {
            match described {
                Ok(object) => objects.push(object),
                Err(error) => {
                    let path = String::from_utf8_lossy(&path);
                    notes.push(format!("{path} was mapped, but cannot be looked at: {error}"));
                }
            }
        }
        (objects, notes)
    }
}
