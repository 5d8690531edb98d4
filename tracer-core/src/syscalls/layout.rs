//! What bytes in memory mean, for printing: the rows are in [`super::structures`].

use super::names::NameSet;

/// What the bytes of a buffer mean.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// Anything: shown as a string with escapes.
    Bytes,
    /// A string, up to its NUL if it has one.
    Text,
    /// One structure, or several of the same kind one after another.
    Structure(&'static Structure),
    /// One signed 32-bit number, or several.
    Ints,
    /// One unsigned 64-bit number, or several, in hexadecimal.
    Words,
    /// One signed 64-bit number, or several.
    Longs,
    /// A signal set.
    Signals,
    /// An `fd_set`.
    Descriptors,
    /// A `struct sockaddr` of some family.
    SocketAddress,
    /// `struct linux_dirent64` records.
    DirectoryEntries,
    /// A status as `wait4` stores it.
    WaitStatus,
}

/// A C structure.
#[derive(Debug)]
pub struct Structure {
    /// Bytes.
    pub size: u32,
    /// The fields worth showing, in order.
    pub fields: &'static [Field],
}

impl Structure {
    /// Whether two arrays of it, as far as both are there, have the same values in all fields. What lies between fields, and
    /// those that are not worth showing, is what the stack happened to have.
    pub fn has_same_fields(&self, one: &[u8], other: &[u8]) -> bool {
        let size = self.size as usize;
        one.chunks(size).zip(other.chunks(size)).all(|(one, other)| {
            self.fields.iter().all(|field| {
                let start = field.offset as usize;
                let end = (start + field.form.size()).min(one.len()).min(other.len());
                start >= end || one[start..end] == other[start..end]
            })
        })
    }
}

/// A field of a structure.
#[derive(Debug)]
pub struct Field {
    /// Its name in the manual page.
    pub name: &'static str,
    /// Bytes from the structure's start.
    pub offset: u32,
    /// What it is.
    pub form: Form,
}

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A signed number of 1, 2, 4 or 8 bytes.
    Signed(u8),
    /// An unsigned number of 1, 2, 4 or 8 bytes.
    Unsigned(u8),
    /// A number of 1, 2, 4 or 8 bytes, shown in hexadecimal.
    Hex(u8),
    /// A 32-bit number, shown in octal.
    Octal,
    /// A `st_mode`: file type and permissions.
    FileMode,
    /// An unsigned number of 1, 2, 4 or 8 bytes that has names.
    Named(u8, &'static NameSet),
    /// A string in so many bytes.
    Text(u32),
    /// A 32-bit signal number.
    Signal,
    /// Another structure.
    Structure(&'static Structure),
}

impl Form {
    /// Bytes that it takes.
    pub(super) fn size(self) -> usize {
        match self {
            Form::Signed(size) | Form::Unsigned(size) | Form::Hex(size) | Form::Named(size, _) => {
                size as usize
            }
            Form::FileMode => 2,
            Form::Octal | Form::Signal => 4,
            Form::Text(size) => size as usize,
            Form::Structure(structure) => structure.size as usize,
        }
    }
}
