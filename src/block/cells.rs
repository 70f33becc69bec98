//! Values in memory, or in a file that is mapped into it.

use std::{fmt, fs::File, io, marker::PhantomData, ops::Deref, ops::Range, sync::Arc};

use bytemuck::Pod;
use memmap2::Mmap;

/// A file's bytes.
///
/// Mapping a file is safe only while nobody shortens or rewrites it under the reader. Files of blocks are written under
/// another name, get their own by a rename when they are complete, and are never opened for writing again: what replaces one
/// is a new file, and whoever still has the old one mapped keeps it until the last reader is gone, removed or not. The folder
/// is for its owner's eyes only, and one process at a time holds its lock.
#[expect(unsafe_code, reason = "the only way to map a file")]
pub(super) fn map(file: &File) -> io::Result<Arc<Mmap>> {
    // SAFETY: see above: no file of blocks is ever shortened or rewritten in place.
    unsafe { Mmap::map(file) }.map(Arc::new)
}

/// A slice that is owned or mapped.
pub(super) enum Cells<T> {
    Owned(Vec<T>),
    Mapped { map: Arc<Mmap>, bytes: Range<usize>, of: PhantomData<T> },
}

impl<T: Pod> Cells<T> {
    /// The bytes of a mapped file as values; `None` where they do not lie as values must, or beyond the file.
    pub(super) fn mapped(map: &Arc<Mmap>, bytes: Range<usize>) -> Option<Self> {
        bytemuck::try_cast_slice::<u8, T>(map.get(bytes.clone())?).ok()?;
        Some(Self::Mapped { map: Arc::clone(map), bytes, of: PhantomData })
    }

    /// The memory that they take, which for a mapped file is the system's to give and to take.
    pub(super) fn owned_bytes(&self) -> u64 {
        match self {
            Self::Owned(values) => size_of_val(values.as_slice()) as u64,
            Self::Mapped { .. } => 0,
        }
    }

    /// The bytes that they take in a file.
    pub(super) fn mapped_bytes(&self) -> u64 {
        match self {
            Self::Owned(_) => 0,
            Self::Mapped { bytes, .. } => bytes.len() as u64,
        }
    }

    /// Whether they lie in a file.
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped { .. })
    }

    /// As they are written.
    pub(super) fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl<T: Pod> Deref for Cells<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Owned(values) => values,
            Self::Mapped { map, bytes, .. } => map.get(bytes.clone()).map(bytemuck::cast_slice).unwrap_or_default(),
        }
    }
}

impl<T> From<Vec<T>> for Cells<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Owned(values)
    }
}

impl<T> fmt::Debug for Cells<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owned(_) => "Owned(..)",
            Self::Mapped { .. } => "Mapped(..)",
        })
    }
}
