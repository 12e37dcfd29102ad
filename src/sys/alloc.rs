// SPDX-License-Identifier: GPL-2.0

//! Memory for what lives as long as a pool: the pool itself and its table of classes.
//!
//! What allocates here may sleep (`GFP_KERNEL`).

use super::init::PinInit;
use core::{convert::Infallible, ops::Deref};
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
