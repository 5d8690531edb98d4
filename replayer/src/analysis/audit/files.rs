//! What the trace knows of executables and libraries.

use super::super::recording::Recording;
use std::collections::HashMap;

/// Hashes and build ids by path.
pub struct Images {
    known: HashMap<Vec<u8>, String>,
}

impl Images {
    /// Those that the manifest has.
    pub fn new(recording: &Recording) -> Images {
        let mut known = HashMap::<Vec<u8>, String>::new();
        for object in recording.manifest.objects.iter().filter(|object| !object.build_id.is_empty()) {
            known.insert(object.path.0.clone(), format!("build id {}", object.build_id));
        }
        for file in &recording.manifest.files {
            let Some(hash) = &file.hash else { continue };
            let entry = known.entry(file.path.0.clone()).or_default();
            let separator = if entry.is_empty() { "" } else { ", " };
            *entry = format!("XXH3-128 {hash}{separator}{entry}");
        }
        Images { known }
    }

    /// What tells the file at `path` from others, in words.
    pub fn identity(&self, path: &[u8]) -> &str {
        self.known.get(path).map_or("", String::as_str)
    }
}
