//! Paths, arguments and other byte strings in JSON.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Bytes that are UTF-8 almost always but not by any rule: what the kernel calls a string.
///
/// In JSON it is a string if it is UTF-8, and `{"bytes": "<hexadecimal>"}` otherwise, so that nothing is lost.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteString(pub Vec<u8>);

impl ByteString {
    /// The bytes as a path.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The bytes as text, with U+FFFD for what is not UTF-8.
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&[u8]> for ByteString {
    fn from(bytes: &[u8]) -> ByteString {
        ByteString(bytes.to_vec())
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> ByteString {
        ByteString(text.as_bytes().to_vec())
    }
}

impl From<OsString> for ByteString {
    fn from(string: OsString) -> ByteString {
        ByteString(string.into_vec())
    }
}

impl From<PathBuf> for ByteString {
    fn from(path: PathBuf) -> ByteString {
        path.into_os_string().into()
    }
}

impl fmt::Debug for ByteString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.escape_ascii())
    }
}

/// How a [`ByteString`] looks in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form<'a> {
    Text(Cow<'a, str>),
    Bytes { bytes: Cow<'a, str> },
}

impl Serialize for ByteString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match std::str::from_utf8(&self.0) {
            Ok(text) => Form::Text(text.into()),
            Err(_) => Form::Bytes { bytes: to_hexadecimal(&self.0).into() },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteString, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(ByteString(text.into_owned().into_bytes())),
            Form::Bytes { bytes } => from_hexadecimal(&bytes)
                .map(ByteString)
                .ok_or_else(|| D::Error::custom(format!("{bytes:?} is not hexadecimal"))),
        }
    }
}

/// Two lower-case digits a byte.
pub(crate) fn to_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that `digits` stand for, `None` if they are not pairs of hexadecimal digits.
pub(crate) fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(value(high)? << 4 | value(low)?)).collect()
}
