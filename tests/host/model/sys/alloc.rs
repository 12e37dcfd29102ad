// SPDX-License-Identifier: GPL-2.0

//! Boxes and vectors of memory that is tracked, and whose allocation may fail.

use crate::host::{context, heap};
use std::{
    alloc::Layout,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// There is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

const BOX: &str = "a box";
const VEC: &str = "a vector";

/// A value on the heap.
pub(crate) struct Box<T>(NonNull<T>, PhantomData<T>);

// SAFETY: As for the box of the standard library.
unsafe impl<T: Send> Send for Box<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Box<T> {}

impl<T> Box<T> {
    pub(crate) fn leak<'a>(this: Self) -> &'a mut T {
        // SAFETY: Nobody frees it any more.
        unsafe { ManuallyDrop::new(this).0.as_mut() }
    }

    /// # Safety
    ///
    /// `raw` came from [`Self::leak`], and is used by nobody else.
    pub(crate) unsafe fn from_raw(raw: *mut T) -> Self {
        Self(NonNull::new(raw).expect("a box at NULL"), PhantomData)
    }
}

impl<T> Deref for Box<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Allocated and initialized.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for Box<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As above.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Box<T> {
    fn drop(&mut self) {
        // SAFETY: Ours, and gone after this.
        unsafe {
            self.0.drop_in_place();
            heap::free(BOX, self.0.cast());
        }
    }
}

pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    context::assert_may_sleep("kmalloc()");
    let memory = heap::alloc(BOX, Layout::new::<T>()).ok_or(NoMemory)?;
    // SAFETY: Just allocated for it.
    unsafe { memory.cast::<T>().write(value) };
    Ok(Box(memory.cast(), PhantomData))
}

/// A vector of a capacity fixed when it is made.
pub(crate) struct Vec<T> {
    start: NonNull<T>,
    len: usize,
    room: usize,
}

// SAFETY: As for the vector of the standard library.
unsafe impl<T: Send> Send for Vec<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Vec<T> {}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: So many elements are initialized.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: As above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Vec<T> {
    fn drop(&mut self) {
        // SAFETY: Ours, and gone after this.
        unsafe {
            std::ptr::drop_in_place(&mut **self);
            if self.room > 0 {
                heap::free(VEC, self.start.cast());
            }
        }
    }
}

pub(crate) fn with_capacity<T>(room: usize) -> Result<Vec<T>, NoMemory> {
    context::assert_may_sleep("kmalloc()");
    let layout = Layout::array::<T>(room).map_err(|_| NoMemory)?;
    let memory = heap::alloc(VEC, layout).ok_or(NoMemory)?;
    Ok(Vec {
        start: memory.cast(),
        len: 0,
        room,
    })
}

pub(crate) fn push<T>(vec: &mut Vec<T>, value: T) -> Result<(), NoMemory> {
    if vec.len == vec.room {
        return Err(NoMemory);
    }
    // SAFETY: There is room.
    unsafe { vec.start.add(vec.len).write(value) };
    vec.len += 1;
    Ok(())
}

pub(crate) const fn empty<T>() -> Vec<T> {
    Vec {
        start: NonNull::dangling(),
        len: 0,
        room: 0,
    }
}
