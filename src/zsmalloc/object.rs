// SPDX-License-Identifier: GPL-2.0

//! Where an object lies in the pages of its zspage, and the copying of objects.
//!
//! All bytes of an object are the user's.

use super::{class::ListedZspage, geometry::ClassSpec, handle::ObjIndex};
use crate::sys::{
    page::{PageSlot, PAGE_SIZE},
    warn::warn_once,
};
use core::{cell::Cell, marker::PhantomData, ptr::NonNull};

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
    /// Copies as many bytes of `from` as there are in both, and returns how many.
    ///
    /// # Safety
    ///
    /// As for [`Segments::copy_from`].
    #[inline]
    unsafe fn copy_from(self, from: Segment<'_>) -> usize {
        let len = self.len.min(from.len);
        // SAFETY: By the type invariants both have `len` bytes. As the caller promises.
        unsafe { self.start.copy_from_nonoverlapping(from.start, len) };
        len
    }

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
    /// Object `index` of a zspage that has these pages. `None` only if there is no such object.
    #[inline]
    pub(super) fn of_object(
        pages: &'a [PageSlot],
        spec: &ClassSpec,
        index: ObjIndex,
    ) -> Option<Self> {
        let size = spec.size();
        let start = index.get() * size;
        let (number, offset) = (start / PAGE_SIZE, start % PAGE_SIZE);
        let first_len = size.min(PAGE_SIZE - offset);
        let segment = |number: usize, offset: usize, len: usize| {
            let Some(page) = pages.get(number).and_then(PageSlot::address) else {
                warn_once!(c"an object outside of its zspage");
                return None;
            };
            // INVARIANT: The offset is within a page, and what does not fit into it is at the start of
            // the next. The borrow of `pages` keeps both.
            Some(Segment {
                start: page.as_ptr().wrapping_add(offset),
                len,
                _memory: PhantomData,
            })
        };
        let first = segment(number, offset, first_len)?;
        let second = match size - first_len {
            0 => None,
            left => Some(segment(number + 1, 0, left)?),
        };
        Some(Self { first, second })
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
    #[inline]
    pub(crate) unsafe fn copy_from(&self, from: &Segments<'_>) {
        if self.second.is_none() && from.second.is_none() {
            // SAFETY: As the caller promises.
            unsafe { self.first.copy_from(from.first) };
        } else {
            // SAFETY: As the caller promises.
            unsafe { self.copy_runs(from) };
        }
    }

    /// The same, where one of them spans two pages.
    ///
    /// # Safety
    ///
    /// As for [`Self::copy_from`].
    unsafe fn copy_runs(&self, from: &Segments<'_>) {
        let mut targets = self.parts();
        for mut source in from.parts() {
            for target in &mut targets {
                // SAFETY: As the caller promises.
                let len = unsafe { target.copy_from(source) };
                source = source.skip(len);
                *target = target.skip(len);
            }
        }
    }
}

impl ListedZspage<'_> {
    /// All of object `index`.
    #[inline]
    pub(super) fn object(&self, index: ObjIndex) -> Option<Segments<'_>> {
        Segments::of_object(self.parts().pages(), self.zspage().spec(), index)
    }
}
