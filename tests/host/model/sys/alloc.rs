// SPDX-License-Identifier: GPL-2.0

//! Boxes and tables of memory that is tracked, and whose allocation may fail.

use super::init::PinInit;
use crate::host::{context, heap, world};
use std::{alloc::Layout, convert::Infallible, marker::PhantomData, ops::Deref, ptr::NonNull};

pub(crate) use std::sync::Arc;

/// There is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl From<Infallible> for NoMemory {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

const BOX: &str = "a box";
const VEC: &str = "a table";

/// A value on the heap.
pub(crate) struct Box<T>(NonNull<T>, PhantomData<T>);

// SAFETY: As for the box of the standard library.
unsafe impl<T: Send> Send for Box<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Box<T> {}

impl<T> Box<T> {
    /// # Safety
    ///
    /// `raw` is the address of a box that was forgotten, and is used by nobody else.
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
    let memory = heap::alloc(BOX, Layout::new::<T>()).ok_or(NoMemory)?.cast();
    // SAFETY: Just allocated for it.
    unsafe { memory.write(value) };
    Ok(Box(memory, PhantomData))
}

pub(crate) fn shared<T>(value: T) -> Result<Arc<T>, NoMemory> {
    context::assert_may_sleep("kmalloc()");
    if world().faults.strike() {
        return Err(NoMemory);
    }
    Ok(Arc::new(value))
}

/// Bytes of `kmalloc()`, zeroed.
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
}

const MEMORY: &str = "kmalloc";

impl Memory {
    /// As the slab allocator has it: powers of two, 96 and 192.
    pub(crate) fn round_up(bytes: usize) -> usize {
        match bytes {
            65..=96 => 96,
            129..=192 => 192,
            _ => bytes.next_power_of_two().max(8),
        }
    }

    pub(crate) fn alloc(len: usize) -> Result<Self, NoMemory> {
        assert_eq!(len, Self::round_up(len), "an odd size");
        let layout = Layout::from_size_align(len, 16).map_err(|_| NoMemory)?;
        let start = heap::alloc_nowait(MEMORY, layout).ok_or(NoMemory)?;
        // SAFETY: Just allocated.
        unsafe { start.write_bytes(0, len) };
        Ok(Self { start, len })
    }

    pub(crate) fn alloc_some(len: usize) -> Result<Option<Self>, NoMemory> {
        match len {
            0 => Ok(None),
            len => Self::alloc(len).map(Some),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).start
    }

    /// # Safety
    ///
    /// See `src/sys/alloc.rs`.
    pub(crate) unsafe fn from_raw(start: NonNull<u8>, len: usize) -> Self {
        Self { start, len }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: Ours, and gone after this.
        unsafe { heap::free(MEMORY, self.start) };
    }
}

/// Values that stay where they are made.
pub(crate) struct Table<T> {
    start: NonNull<T>,
    len: usize,
    room: usize,
}

// SAFETY: As for a vector of the standard library.
unsafe impl<T: Send> Send for Table<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Table<T> {}

impl<T> Table<T> {
    pub(crate) fn with_capacity(room: usize) -> Result<Self, NoMemory> {
        context::assert_may_sleep("kmalloc()");
        let layout = Layout::array::<T>(room).map_err(|_| NoMemory)?;
        let memory = heap::alloc(VEC, layout).ok_or(NoMemory)?;
        Ok(Self {
            start: memory.cast(),
            len: 0,
            room,
        })
    }

    pub(crate) fn push(&mut self, value: impl PinInit<T, NoMemory>) -> Result<(), NoMemory> {
        if self.len == self.room {
            return Err(NoMemory);
        }
        // SAFETY: There is room, and what is made stays there.
        unsafe { value.__pinned_init(self.start.add(self.len).as_ptr())? };
        self.len += 1;
        Ok(())
    }
}

impl<T> Deref for Table<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: So many elements are initialized.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: Ours, and gone after this.
        unsafe {
            std::ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len).drop_in_place();
            heap::free(VEC, self.start.cast());
        }
    }
}
