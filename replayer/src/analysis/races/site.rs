//! What is known of a place in code, worked out once for each.

use super::super::watched::{Code, Images, Space};
use tracer_core::session::functions::{self, Deed, FUNCTIONS};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Whose code it is.
    pub code: Option<Code>,
    /// It belongs to a language's library of atomic accesses.
    pub is_library_of_atomics: bool,
    /// It belongs to a function of libc's that only works on the memory that it is given.
    pub only_works_on_memory: bool,
    /// What the function of libc's does to an object that it belongs to.
    pub function: Option<Deed>,
}

impl Site {
    /// The place at `address`.
    pub fn of(images: &Images, space: Space, address: u64) -> Site {
        let code = images.code(space, address);
        let mut site =
            Site { code, is_library_of_atomics: false, only_works_on_memory: false, function: None };
        if site.in_libc() {
            let name = images.function(space, address);
            site.only_works_on_memory = name.as_deref().is_none_or(only_works_on_memory);
            let number = name.and_then(|name| functions::number(name.as_bytes()));
            site.function = number.map(|number| FUNCTIONS[usize::from(number)].deed);
        } else {
            site.is_library_of_atomics = images.is_library_of_atomics(space, address);
        }
        site
    }

    /// Whether it is in libc, or in the loader.
    pub fn in_libc(&self) -> bool {
        self.code == Some(Code::Libc)
    }
}

/// Whether libc's function of this name does. The variants for certain processors have no names in Debian's libc.
fn only_works_on_memory(name: &str) -> bool {
    const NAMES: [&str; 5] = ["mem", "str", "wmem", "wcs", "pthread_spin_"];
    let name = name.trim_start_matches('_');
    NAMES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_on_memory_are_known_by_their_names() {
        assert!(only_works_on_memory("__memmove_avx_unaligned_erms"));
        assert!(only_works_on_memory("strlen"));
        assert!(!only_works_on_memory("_IO_getc"));
    }
}
