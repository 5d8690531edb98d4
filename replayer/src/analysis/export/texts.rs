//! Texts of rows.

use bytes::{Bytes, BytesMut};
use parquet::data_type::ByteArray;
use std::borrow::Cow;

/// A text of which clones share the bytes.
pub type Text = ByteArray;

/// One that is in the program.
pub fn known(text: &'static str) -> Text {
    Bytes::from_static(text.as_bytes()).into()
}

/// One that is in the program, most often.
pub fn mostly_known(text: Cow<'static, str>) -> Text {
    match text {
        Cow::Borrowed(text) => known(text),
        Cow::Owned(text) => Bytes::from(text).into(),
    }
}

/// Makes texts that lie side by side: an allocation for each would be freed by another thread, which takes longer than the rest.
pub struct Texts(BytesMut);

impl Texts {
    /// Bytes that are allocated together.
    const TOGETHER: usize = 1 << 16;

    pub fn new() -> Texts {
        Texts(BytesMut::with_capacity(Texts::TOGETHER))
    }

    /// A copy of `text`.
    pub fn copy(&mut self, text: &str) -> Text {
        self.0.extend_from_slice(text.as_bytes());
        self.0.split().freeze().into()
    }
}
