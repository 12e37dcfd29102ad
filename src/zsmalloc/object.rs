// SPDX-License-Identifier: GPL-2.0

//! Where an object lies in the pages of its zspage, and the copying of objects.
//!
//! An object of a class other than the huge one begins with a header of 8 bytes that holds its
//! handle, so that compaction can rewrite the handle's word. The bytes after the header are the
//! user's. A huge object has all of its page, and its handle is kept in the zspage.

use super::{class::ListedZspage, geometry::HEADER_SIZE, handle::ObjIndex, zspage::PagesPinned};
use crate::sys::{
    page::{Page, PAGE_SIZE},
    warn::warn_once,
};
use core::{marker::PhantomData, ptr::NonNull};

/// A run of bytes of an object, in one page.
///
/// # Invariants
///
/// For `'a`, `start` to `start + len` is memory of one object, in a page that is not replaced.
#[derive(Clone, Copy)]
struct Segment<'a> {
    start: *mut u8,
    len: usize,
    _page: PhantomData<&'a Page>,
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

/// Bytes of an object: one run of them or, where it spans two pages, two.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'a> {
    first: Segment<'a>,
    second: Option<Segment<'a>>,
}

impl<'a> Segments<'a> {
    /// All of object `index`, its header included. `None` only if the zspage has no such object.
    #[inline]
    pub(super) fn of_object(pinned: &'a impl PagesPinned, index: ObjIndex) -> Option<Self> {
        let size = pinned.zspage().spec().size();
        let start = index.get() * size;
        let (number, offset) = (start / PAGE_SIZE, start % PAGE_SIZE);
        let first_len = size.min(PAGE_SIZE - offset);
        let first = pinned.page_address(number);
        let second = if first_len < size {
            pinned.page_address(number + 1)
        } else {
            first
        };
        let (Some(first), Some(second)) = (first, second) else {
            warn_once!(c"an object outside of its zspage");
            return None;
        };
        // INVARIANT: The offset is within a page, and what does not fit into it is at the start of
        // the next. `pinned` keeps both.
        Some(Self {
            first: Segment {
                start: first.as_ptr().wrapping_add(offset),
                len: first_len,
                _page: PhantomData,
            },
            second: (first_len < size).then_some(Segment {
                start: second.as_ptr(),
                len: size - first_len,
                _page: PhantomData,
            }),
        })
    }

    /// What is the user's of object `index`.
    #[inline]
    pub(super) fn of_user(pinned: &'a impl PagesPinned, index: ObjIndex) -> Option<Self> {
        let all = Self::of_object(pinned, index)?;
        if pinned.zspage().spec().is_huge() {
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

    /// Copies the bytes to the start of `buffer`, which has room for a page.
    ///
    /// # Safety
    ///
    /// Nobody writes the object meanwhile.
    pub(crate) unsafe fn read(&self, buffer: &mut [u8; PAGE_SIZE]) {
        let mut to = buffer.as_mut_ptr();
        for from in self.parts() {
            // SAFETY: By the type invariant, and as the caller promises. Together the segments are
            // not longer than a page.
            unsafe {
                to.copy_from_nonoverlapping(from.start, from.len);
                to = to.add(from.len);
            }
        }
    }

    /// Copies as many bytes from the start of `buffer`.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes the object meanwhile.
    pub(crate) unsafe fn write(&self, buffer: &[u8; PAGE_SIZE]) {
        let mut from = buffer.as_ptr();
        for to in self.parts() {
            // SAFETY: As above.
            unsafe {
                to.start.copy_from_nonoverlapping(from, to.len);
                from = from.add(to.len);
            }
        }
    }

    /// Copies the object `from`, of the same class, to this place, which is free: the user's bytes
    /// and the header (`zs_object_copy()`).
    ///
    /// # Safety
    ///
    /// This task holds the class lock; neither object is mapped.
    pub(super) unsafe fn copy_object(&self, from: &Segments<'_>) {
        let mut targets = self.parts();
        for mut source in from.parts() {
            for target in &mut targets {
                let len = source.len.min(target.len);
                // SAFETY: By the type invariants both have `len` bytes left; different objects do not
                // overlap. As the caller promises nobody else uses them.
                unsafe { target.start.copy_from_nonoverlapping(source.start, len) };
                source = source.skip(len);
                *target = target.skip(len);
            }
        }
    }
}

impl ListedZspage<'_> {
    /// Records the handle of object `index`, as [`Handle::to_header`](super::Handle) has it. Whether
    /// there is such an object.
    #[inline]
    pub(super) fn write_header(&self, index: ObjIndex, handle: usize) -> bool {
        // SAFETY: The word is there, and under the class lock nobody else uses it.
        self.header(index)
            .map(|word| unsafe { word.write(handle) })
            .is_some()
    }

    /// The handle that is recorded for object `index`, which is in use.
    #[inline]
    pub(super) fn read_header(&self, index: ObjIndex) -> Option<usize> {
        // SAFETY: As above; that of an object in use has been written.
        self.header(index).map(|word| unsafe { word.read() })
    }

    /// The word that holds the handle of object `index`. `None` only if there is no such object.
    #[inline]
    fn header(&self, index: ObjIndex) -> Option<*mut usize> {
        if let Some(word) = self.huge_handle() {
            return Some(word.as_ptr());
        }
        // Sizes, and so offsets, are multiples of the size of the header: it lies in the first page,
        // and is aligned.
        Some(Segments::of_object(self, index)?.first.start.cast())
    }
}
