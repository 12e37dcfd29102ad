// SPDX-License-Identifier: GPL-2.0

//! Memory for what lives as long as a pool, the pool itself and its table of classes, and for what
//! compaction has to remember.
//!
//! What allocates here may sleep (`GFP_KERNEL`); [`Memory`] does not.

use super::{bindings, init::PinInit};
use core::{convert::Infallible, mem, ops::Deref, ptr::NonNull};
use kernel::alloc::{flags::GFP_KERNEL, AllocError, KBox, KVVec};

pub(crate) use kernel::sync::Arc;

/// The kernel could not give the memory that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl From<AllocError> for NoMemory {
    fn from(_: AllocError) -> Self {
        Self
    }
}

impl From<Infallible> for NoMemory {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A value on the heap.
pub(crate) type Box<T> = KBox<T>;

/// Puts `value` on the heap.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    Ok(KBox::new(value, GFP_KERNEL)?)
}

/// Puts `value` on the heap, to be shared.
pub(crate) fn shared<T>(value: T) -> Result<Arc<T>, NoMemory> {
    Ok(Arc::new(value, GFP_KERNEL)?)
}

/// Bytes of `kmalloc()`, zeroed, aligned at least as words are; freed when dropped.
///
/// # Invariants
///
/// `start` came from `kzalloc()` of `len` bytes.
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
}

impl Memory {
    /// What `bytes` really take (`kmalloc_size_roundup()`).
    pub(crate) fn round_up(bytes: usize) -> usize {
        // SAFETY: May be called in any context.
        unsafe { bindings::zs_rs_kmalloc_size(bytes) }
    }

    /// That many bytes: a number that [`Self::round_up`] gave. Does not sleep.
    pub(crate) fn alloc(len: usize) -> Result<Self, NoMemory> {
        // SAFETY: Allocation has no conditions.
        let start = unsafe { bindings::zs_rs_kzalloc(len) };
        // INVARIANT: Just allocated.
        let start = NonNull::new(start.cast()).ok_or(NoMemory)?;
        Ok(Self { start, len })
    }

    /// The same; nothing, if it is to be of no bytes.
    pub(crate) fn alloc_some(len: usize) -> Result<Option<Self>, NoMemory> {
        match len {
            0 => Ok(None),
            len => Self::alloc(len).map(Some),
        }
    }

    /// Bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Gives the memory away.
    pub(crate) fn into_raw(self) -> NonNull<u8> {
        mem::ManuallyDrop::new(self).start
    }

    /// Takes the memory back.
    ///
    /// # Safety
    ///
    /// `start` came from [`Self::into_raw`] of memory of `len` bytes, and nobody else uses it.
    pub(crate) unsafe fn from_raw(start: NonNull<u8>, len: usize) -> Self {
        // INVARIANT: As the caller promises.
        Self { start, len }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody uses it any more.
        unsafe { bindings::zs_rs_kfree(self.start.as_ptr().cast()) };
    }
}

/// Values on the heap, one after the other, which stay where they are made.
///
/// # Invariants
///
/// The vector has had its capacity from the beginning, so that no element has moved.
pub(crate) struct Table<T>(KVVec<T>);

impl<T> Table<T> {
    /// A table with room for so many values.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, NoMemory> {
        // INVARIANT: Nothing has been added yet.
        Ok(Self(KVVec::with_capacity(capacity, GFP_KERNEL)?))
    }

    /// Makes one more value at the end. Fails without room for it.
    pub(crate) fn push(&mut self, value: impl PinInit<T, NoMemory>) -> Result<(), NoMemory> {
        // Not `KVVec::push()`, which moves the value in and, by arithmetic that could panic, the
        // vector to where there is room.
        let len = self.0.len();
        if len >= self.0.capacity() {
            return Err(NoMemory);
        }
        // SAFETY: There is room for one more value; by the type invariant it stays there, and it is
        // dropped before its memory is used again. With it the vector is longer.
        unsafe {
            value.__pinned_init(self.0.as_mut_ptr().add(len))?;
            self.0.set_len(len.wrapping_add(1));
        }
        Ok(())
    }
}

impl<T> Deref for Table<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.0
    }
}
