// SPDX-License-Identifier: GPL-2.0

//! Memory for what lives as long as a pool: the pool itself and its table of classes.
//!
//! Both functions may sleep (`GFP_KERNEL`).

use kernel::alloc::{flags::GFP_KERNEL, KBox, KVVec};

/// The kernel could not give the memory that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

/// A value on the heap, at an address that does not change.
pub(crate) type Box<T> = KBox<T>;

/// A vector of a capacity fixed when it is made; its elements stay where they are.
pub(crate) type Vec<T> = KVVec<T>;

/// Puts `value` on the heap.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    KBox::new(value, GFP_KERNEL).map_err(|_| NoMemory)
}

/// A vector without elements, and without room for any.
pub(crate) const fn empty<T>() -> Vec<T> {
    KVVec::new()
}

/// A vector with room for so many elements.
pub(crate) fn with_capacity<T>(capacity: usize) -> Result<Vec<T>, NoMemory> {
    KVVec::with_capacity(capacity, GFP_KERNEL).map_err(|_| NoMemory)
}

/// Appends `value`; there has to be room.
pub(crate) fn push<T>(vec: &mut Vec<T>, value: T) -> Result<(), NoMemory> {
    // Not `KVVec::push()`, which grows the vector, by arithmetic that could panic.
    let len = vec.len();
    if len >= vec.capacity() {
        return Err(NoMemory);
    }
    // SAFETY: There is room for one more element, and with that one written the vector is longer.
    unsafe {
        vec.as_mut_ptr().add(len).write(value);
        vec.set_len(len.wrapping_add(1));
    }
    Ok(())
}
