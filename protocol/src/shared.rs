//! A value that several connections are told, and its text in each dialect, which is encoded once.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::dialect::DialectKind;

/// A text that is encoded once. If two threads ask for it at the same time, one encodes it and the
/// other waits for that.
#[expect(
    clippy::disallowed_types,
    reason = "threads share the value, and the first one encodes its text"
)]
type EncodedOnce = std::sync::OnceLock<Bytes>;

/// A value that several connections are told, and its text in each dialect.
#[derive(Debug, Default)]
pub struct Shared<T> {
    value: T,
    /// By [`DialectKind`].
    texts: [EncodedOnce; DialectKind::COUNT],
}

impl<T> Shared<T> {
    /// A value that no dialect has encoded yet.
    pub fn new(value: T) -> Self {
        let texts = Default::default();
        Self { value, texts }
    }

    /// The value, to be changed: its texts are forgotten.
    pub fn get_mut(&mut self) -> &mut T {
        self.texts = Default::default();
        &mut self.value
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The text for one recipient. The last recipient takes it out of the value.
    pub(crate) fn text(
        mut shared: Arc<Self>,
        dialect: DialectKind,
        encode: impl FnOnce(&T) -> Bytes,
    ) -> Bytes {
        // To share a text costs one more allocation, and most messages have one recipient.
        if let Some(Self { value, texts }) = Arc::get_mut(&mut shared) {
            let text = texts[dialect as usize].take();
            return text.unwrap_or_else(|| encode(value));
        }
        let text = &shared.texts[dialect as usize];
        text.get_or_init(|| encode(&shared.value)).clone()
    }

    /// The text, which stays in the value.
    pub(crate) fn kept_text(
        &self,
        dialect: DialectKind,
        encode: impl FnOnce(&T) -> Bytes,
    ) -> &Bytes {
        self.texts[dialect as usize].get_or_init(|| encode(&self.value))
    }
}

impl<T: Clone> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
