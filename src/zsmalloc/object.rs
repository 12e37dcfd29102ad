// SPDX-License-Identifier: GPL-2.0

//! Where an object lies in the pages of its zspage, and the copying of objects.
//!
//! An object of a class other than the huge one begins with a header of 8 bytes that holds its
//! handle, so that compaction can rewrite the handle's word. The bytes after the header are the
//! user's. A huge object has all of its page, and its handle is kept in the zspage.

use super::{
    class::{ListedZspage, WriteLockedZspage},
    geometry::{ClassSpec, HEADER_SIZE},
    handle::{Handle, ObjIndex},
};
use crate::sys::{
    page::{PageSlot, PAGE_SIZE},
    warn::warn_once,
};
use core::{cell::Cell, marker::PhantomData, ops::Deref, ptr::NonNull};

/// A run of bytes that do not move for `'a`.
///
/// # Invariants
///
/// For `'a`, `start` to `start + len` is memory of an object, in a page that is not replaced, or of a
/// buffer.
#[derive(Clone, Copy)]
struct Segment<'a> {
    start: *mut u8,
    len: usize,
    _memory: PhantomData<&'a Cell<u8>>,
}

impl Segment<'_> {
    /// What is left after the first `n` bytes.
    #[inline]
    fn skip(self, n: usize) -> Self {
        let n = n.min(self.len);
        // INVARIANT: Still within the segment.
        Self {
            start: self.start.wrapping_add(n),
            len: self.len.wrapping_sub(n),
            ..self
        }
    }
}

/// The bytes of an object: one run of them or, where it spans two pages, two.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'a> {
    first: Segment<'a>,
    second: Option<Segment<'a>>,
}

impl<'a> Segments<'a> {
    /// All of object `index` of a zspage that has these pages, its header included. `None` only if
    /// there is no such object.
    #[inline]
    fn of_object(pages: &'a [PageSlot], spec: &ClassSpec, index: ObjIndex) -> Option<Self> {
        let size = spec.size();
        let start = index.get() * size;
        let (number, offset) = (start / PAGE_SIZE, start % PAGE_SIZE);
        let first_len = size.min(PAGE_SIZE - offset);
        let address = |number: usize| pages.get(number)?.address();
        let first = address(number);
        let second = if first_len < size {
            address(number + 1)
        } else {
            first
        };
        let (Some(first), Some(second)) = (first, second) else {
            warn_once!(c"an object outside of its zspage");
            return None;
        };
        // INVARIANT: The offset is within a page, and what does not fit into it is at the start of
        // the next. The borrow of `pages` keeps both.
        Some(Self {
            first: Segment {
                start: first.as_ptr().wrapping_add(offset),
                len: first_len,
                _memory: PhantomData,
            },
            second: (first_len < size).then_some(Segment {
                start: second.as_ptr(),
                len: size - first_len,
                _memory: PhantomData,
            }),
        })
    }

    /// What is the user's of object `index`.
    #[inline]
    pub(super) fn of_user(
        pages: &'a [PageSlot],
        spec: &ClassSpec,
        index: ObjIndex,
    ) -> Option<Self> {
        let all = Self::of_object(pages, spec, index)?;
        if spec.is_huge() {
            return Some(all);
        }
        let first = all.first.skip(HEADER_SIZE);
        Some(match all.second {
            Some(second) if first.len == 0 => Self {
                first: second,
                second: None,
            },
            second => Self { first, second },
        })
    }

    /// A buffer, to copy to or from.
    pub(crate) fn of_buffer(buffer: &'a mut [u8; PAGE_SIZE]) -> Self {
        // INVARIANT: The buffer is borrowed.
        Self {
            first: Segment {
                start: buffer.as_mut_ptr(),
                len: PAGE_SIZE,
                _memory: PhantomData,
            },
            second: None,
        }
    }

    /// Where the bytes begin, if all of them lie in one page.
    #[inline]
    pub(crate) fn contiguous(&self) -> Option<NonNull<u8>> {
        match self.second {
            None => NonNull::new(self.first.start),
            Some(_) => None,
        }
    }

    /// Both runs, of which the second may have no bytes.
    fn parts(&self) -> [Segment<'a>; 2] {
        let nothing = self.first.skip(usize::MAX);
        [self.first, self.second.unwrap_or(nothing)]
    }

    /// Copies as many bytes of `from` as there are in both.
    ///
    /// # Safety
    ///
    /// They do not overlap. Meanwhile nobody else writes `from`, or reads or writes `self`.
    pub(crate) unsafe fn copy_from(&self, from: &Segments<'_>) {
        let mut targets = self.parts();
        for mut source in from.parts() {
            for target in &mut targets {
                let len = source.len.min(target.len);
                if len == 0 {
                    continue;
                }
                // SAFETY: By the type invariants both have `len` bytes left. As the caller promises.
                unsafe { target.start.copy_from_nonoverlapping(source.start, len) };
                source = source.skip(len);
                *target = target.skip(len);
            }
        }
    }
}

/// The handle that is recorded for an object, as long as the class lock keeps the object.
pub(super) struct RecordedHandle<'a>(Handle, PhantomData<&'a Handle>);

impl Deref for RecordedHandle<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl ListedZspage<'_> {
    /// All of object `index`.
    #[inline]
    fn object(&self, index: ObjIndex) -> Option<Segments<'_>> {
        Segments::of_object(self.parts().pages(), self.zspage().spec(), index)
    }

    /// The word that holds the handle of object `index`. `None` only if there is no such object.
    #[inline]
    fn header(&self, index: ObjIndex) -> Option<&Cell<usize>> {
        if let Some(word) = self.parts().huge_handle() {
            return Some(word);
        }
        let start = self.object(index)?.first.start;
        // SAFETY: Sizes, and so offsets, are multiples of the size of the header: it lies in the
        // first page, and is aligned. Under the class lock nobody else uses it.
        Some(unsafe { &*start.cast() })
    }

    /// Records the handle of object `index`.
    #[inline]
    pub(super) fn record_handle(&self, index: ObjIndex, handle: &Handle) {
        if let Some(header) = self.header(index) {
            header.set(handle.as_number());
        }
    }

    /// The handle that is recorded for object `index`, which is in use. `None` only of memory that
    /// somebody has overwritten.
    pub(super) fn recorded_handle(&self, index: ObjIndex) -> Option<RecordedHandle<'_>> {
        let number = self.header(index)?.get();
        // SAFETY: The object is in use, and is not freed without the class lock.
        let handle = unsafe { Handle::from_raw(number) };
        if handle.is_none() {
            warn_once!(c"an object without a handle");
        }
        handle.map(|handle| RecordedHandle(handle, PhantomData))
    }
}

impl WriteLockedZspage<'_> {
    /// Moves an object, which is in use, to a zspage of the same class, and lets its handle's word
    /// follow it (`zs_object_copy()`). `None` if `target` is full.
    ///
    /// The object is not mapped; whoever wants to map it waits for our lock, and finds the new word
    /// after it.
    pub(super) fn move_object(&self, index: ObjIndex, target: &ListedZspage<'_>) -> Option<()> {
        let source = self.listed();
        let handle = source.recorded_handle(index)?;
        let from = source.object(index)?;
        let free = target.take_slot()?;
        let Some(to) = target.object(free) else {
            target.put_slot(free);
            return None;
        };
        // SAFETY: Nobody has the one object mapped, and nobody knows of the other, which is in a slot
        // that was free. So they are different, and do not overlap.
        unsafe { to.copy_from(&from) };
        handle.point_at(target.zspage(), free);
        source.put_slot(index);
        Some(())
    }
}
