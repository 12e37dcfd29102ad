// SPDX-License-Identifier: GPL-2.0

//! Where an object lies in the pages of its zspage, and the copying of objects.
//!
//! An object of a class other than the huge one begins with a header of 8 bytes that holds its
//! handle, so that compaction can rewrite the handle's word. The bytes after the header are the
//! user's. A huge object has all of its page, and its handle is kept in the zspage.

use super::{
    class::ClassGuard,
    geometry::HEADER_SIZE,
    handle::{Handle, ObjIndex},
    zspage::{PagesPinned, Zspage},
};
use crate::sys::page::PAGE_SIZE;
use core::ptr::NonNull;

/// One object's memory: a run of bytes in one page, or in two.
///
/// # Invariants
///
/// For `'a`, `first` to `first + first_len` and `second` to `second + second_len` are memory of the
/// object, in pages that are not replaced. `first_len` is at least [`HEADER_SIZE`].
pub(crate) struct Place<'a> {
    zspage: &'a Zspage,
    first: *mut u8,
    first_len: usize,
    second: Option<(*mut u8, usize)>,
}

impl<'a> Place<'a> {
    /// The place of object `index` of `zspage`, whose pages `pinned` keeps where they are.
    #[inline]
    pub(crate) fn of(
        zspage: &'a Zspage,
        index: ObjIndex,
        pinned: &'a impl PagesPinned,
    ) -> Option<Self> {
        let size = zspage.spec().size();
        let start = index.get() * size;
        let (number, offset) = (start / PAGE_SIZE, start % PAGE_SIZE);
        let first_len = size.min(PAGE_SIZE - offset);
        let first = zspage.page(number, pinned)?.address().as_ptr();
        let second = if first_len < size {
            let next = zspage.page(number + 1, pinned)?;
            Some((next.address().as_ptr(), size - first_len))
        } else {
            None
        };
        // INVARIANT: Sizes and so offsets are multiples of the header's size. `pinned` keeps the
        // pages.
        Some(Self {
            zspage,
            // SAFETY: `offset` is less than the size of the page.
            first: unsafe { first.add(offset) },
            first_len,
            second,
        })
    }

    /// Bytes in front of the user's.
    #[inline]
    fn header_len(&self) -> usize {
        if self.zspage.spec().is_huge() {
            0
        } else {
            HEADER_SIZE
        }
    }

    /// Where the user's bytes begin, if none of them lies in a second page.
    #[inline]
    pub(crate) fn contiguous(&self) -> Option<NonNull<u8>> {
        match self.second {
            // SAFETY: By the type invariant the header lies in the first page.
            None => NonNull::new(unsafe { self.first.add(self.header_len()) }),
            Some(_) => None,
        }
    }

    /// Copies all of an object that spans two pages, header included, to `buffer`.
    pub(crate) fn copy_to(&self, buffer: &mut [u8]) {
        let Some((second, second_len)) = self.second else {
            return;
        };
        if buffer.len() < self.first_len.wrapping_add(second_len) {
            return;
        }
        let to = buffer.as_mut_ptr();
        // SAFETY: By the type invariant, and the length just checked. The caller has the object
        // mapped, so that by contract with the user nobody writes it.
        unsafe {
            to.copy_from_nonoverlapping(self.first, self.first_len);
            to.add(self.first_len)
                .copy_from_nonoverlapping(second, second_len);
        }
    }

    /// Copies `buffer` to an object that spans two pages, less the header: that belongs to whoever
    /// holds the class lock, not to the user.
    pub(crate) fn copy_from(&self, buffer: &[u8]) {
        let Some((second, second_len)) = self.second else {
            return;
        };
        if buffer.len() < self.first_len.wrapping_add(second_len) {
            return;
        }
        let from = buffer.as_ptr();
        let first_len = self.first_len.saturating_sub(HEADER_SIZE);
        // SAFETY: By the type invariant, and the length just checked. The caller has the object
        // mapped for writing, so that by contract with the user nobody else reads or writes it.
        unsafe {
            self.first
                .add(HEADER_SIZE)
                .copy_from_nonoverlapping(from.add(HEADER_SIZE), first_len);
            second.copy_from_nonoverlapping(from.add(self.first_len), second_len);
        }
    }

    /// Where the handle is recorded.
    #[inline]
    fn header(&self) -> *mut usize {
        match self.zspage.huge_handle() {
            Some(word) => word,
            None => self.first.cast(),
        }
    }

    /// Records the handle in the object. The guard proves the class lock.
    #[inline]
    pub(crate) fn write_header(&self, handle: &Handle, _guard: &ClassGuard<'_>) {
        // SAFETY: By the type invariant the header lies in the first page; objects are aligned to
        // its size. Under the class lock nobody else uses it.
        unsafe { self.header().write(handle.to_header()) };
    }

    /// What is recorded in the object, which is in use. The guard proves the class lock.
    #[inline]
    pub(crate) fn read_header(&self, _guard: &ClassGuard<'_>) -> usize {
        // SAFETY: As above; the header of an object in use has been written.
        unsafe { self.header().read() }
    }

    /// Copies the object `from`, of the same class and not mapped, to this place, which is free: the
    /// user's bytes and the header (`zs_object_copy()`).
    pub(crate) fn copy_object(&self, from: &Place<'_>, _guard: &ClassGuard<'_>) {
        let mut to = [
            (self.first, self.first_len),
            self.second.unwrap_or((self.first, 0)),
        ];
        for mut source in [
            (from.first, from.first_len),
            from.second.unwrap_or((from.first, 0)),
        ] {
            for target in &mut to {
                let len = source.1.min(target.1);
                // SAFETY: By the type invariants both runs have `len` bytes left; different objects
                // do not overlap. Nobody has them mapped, and under the class lock nobody frees them.
                unsafe {
                    target.0.copy_from_nonoverlapping(source.0, len);
                    source.0 = source.0.add(len);
                    target.0 = target.0.add(len);
                }
                source.1 = source.1.saturating_sub(len);
                target.1 = target.1.saturating_sub(len);
            }
        }
    }
}
