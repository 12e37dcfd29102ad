// SPDX-License-Identifier: GPL-2.0

//! The zspage: pages, a bitmap of the objects in use, and a lock that pins them.
//!
//! Memory layout, from a slab cache of the least multiple of 64 bytes that holds it:
//!
//! ```text
//! | node | class | lock | slots | page 0 … page n-1 | bitmap … | handle, if huge |
//! ```
//!
//! The part behind the header has a length that the class knows: [`zspage_size`].

use super::{
    class::{ClassGuard, SizeClass},
    geometry::ClassSpec,
    list::Link,
    slots::Slots,
};
use crate::sys::{
    lock::RwLock,
    page::{LockedPage, Page},
    rcu,
};
use core::{
    cell::UnsafeCell,
    mem,
    ptr::{self, NonNull},
    slice,
};

/// Alignment of a zspage: what a handle's word saves of an address.
pub(crate) const ZSPAGE_ALIGN: usize = 64;

/// Where a zspage's link or, once it is off its list, its RCU head is.
pub(super) union Node {
    link: mem::ManuallyDrop<Link>,
    pub(super) rcu: mem::ManuallyDrop<rcu::Head>,
}

/// Runs of pages, cut into objects.
///
/// # Invariants
///
/// - It lies in memory of [`zspage_size`] for its class, aligned to [`ZSPAGE_ALIGN`].
/// - The class outlives it.
/// - Bits of the bitmap are set for objects in use, `inuse` of them, and no others.
/// - From its publication to its death all its pages are there.
#[repr(C, align(64))]
pub(crate) struct Zspage {
    pub(super) node: UnsafeCell<Node>,
    class: NonNull<SizeClass>,
    lock: RwLock,
    slots: UnsafeCell<Slots>,
    tail: [UnsafeCell<usize>; 0],
}

/// Bytes of a zspage of a class, as its cache has them.
pub(crate) fn zspage_size(spec: &ClassSpec) -> usize {
    let words = [
        spec.pages(),
        spec.bitmap_words(),
        usize::from(spec.is_huge()),
    ];
    let size = words
        .into_iter()
        .fold(mem::offset_of!(Zspage, tail), |size, words| {
            size.wrapping_add(words.wrapping_mul(mem::size_of::<usize>()))
        });
    // Rounded up to the alignment; a few hundred bytes at most.
    size.wrapping_add(ZSPAGE_ALIGN - 1) & !(ZSPAGE_ALIGN - 1)
}

/// Proof that the pages of the zspages in question cannot be replaced: the class lock, or the
/// zspage's lock held shared.
pub(crate) trait PagesPinned {
    /// Whether this is proof for that zspage (checked on debug builds only).
    fn pins(&self, zspage: &Zspage) -> bool;
}

impl Zspage {
    /// Makes a zspage of `class`, without pages, of the memory at `memory`.
    ///
    /// # Safety
    ///
    /// `memory` has [`zspage_size`] bytes for the class, aligned to [`ZSPAGE_ALIGN`], which the caller
    /// owns. The class outlives the zspage.
    pub(super) unsafe fn init(memory: NonNull<u8>, class: &SizeClass) -> NonNull<Self> {
        let zspage = memory.cast::<Self>();
        let header = mem::ManuallyDrop::new(Self {
            node: UnsafeCell::new(Node {
                link: mem::ManuallyDrop::new(Link::NONE),
            }),
            class: NonNull::from(class),
            // SAFETY: Initialized below.
            lock: unsafe { RwLock::uninit() },
            slots: UnsafeCell::new(Slots::none()),
            tail: [],
        });
        // SAFETY: The memory is ours. `Option<Page>` is a pointer, and `None` the null one, so zeroes
        // make pages that are not there as well as an empty bitmap. Of the header only the fields are
        // copied: in the padding behind them lies the tail.
        unsafe {
            memory.as_ptr().write_bytes(0, zspage_size(class.spec()));
            ptr::copy_nonoverlapping(
                ptr::from_ref(&*header).cast::<u8>(),
                memory.as_ptr(),
                mem::offset_of!(Zspage, tail),
            );
            (*zspage.as_ptr()).lock.init();
        }
        // INVARIANT: As the caller promises; no object is in use.
        zspage
    }

    /// Its class.
    #[inline]
    pub(crate) fn class(&self) -> &SizeClass {
        // SAFETY: By the type invariant the class outlives the zspage.
        unsafe { self.class.as_ref() }
    }

    /// What its class says of its shape.
    #[inline]
    pub(crate) fn spec(&self) -> &ClassSpec {
        self.class().spec()
    }

    /// Its links, for the list it is on.
    #[inline]
    pub(crate) fn link(&self) -> *mut Link {
        self.node.get().cast()
    }

    /// What the class lock protects.
    #[inline]
    pub(crate) fn slots<'a>(&'a self, guard: &'a ClassGuard<'_>) -> &'a Slots {
        debug_assert!(guard.pins(self));
        // SAFETY: The guard proves the class lock, and its borrow that nobody changes the slots.
        unsafe { &*self.slots.get() }
    }

    /// What the class lock protects, to change it.
    #[inline]
    pub(crate) fn slots_mut<'a>(&'a self, guard: &'a mut ClassGuard<'_>) -> &'a mut Slots {
        debug_assert!(guard.pins(self));
        // SAFETY: The guard proves the class lock, and its exclusive borrow that there is no other
        // reference to the slots of any zspage of the class.
        unsafe { &mut *self.slots.get() }
    }

    /// The lock that pins objects and pages to each other, for [`super::map`] and compaction.
    #[inline]
    pub(crate) fn lock(&self) -> &RwLock {
        &self.lock
    }

    /// Page number `index`. `None` only if there is no such page.
    #[inline]
    pub(crate) fn page<'a>(
        &'a self,
        index: usize,
        pinned: &'a impl PagesPinned,
    ) -> Option<&'a Page> {
        debug_assert!(pinned.pins(self));
        // SAFETY: `pinned` proves that no migration replaces a page while it is borrowed.
        unsafe { &*self.pages() }.get(index)?.as_ref()
    }

    /// Which of its pages the migration core has locked.
    pub(crate) fn position_of(
        &self,
        page: &LockedPage<'_>,
        guard: &ClassGuard<'_>,
    ) -> Option<usize> {
        (0..self.spec().pages()).find(|&index| self.page(index, guard).is_some_and(|p| p.is(page)))
    }

    /// Puts `new` in the place of page number `index`, and gives back the one that was there.
    ///
    /// The guard and the write lock prove that nobody has a page borrowed.
    pub(crate) fn replace_page(
        &self,
        index: usize,
        new: Page,
        guard: &mut ClassGuard<'_>,
        writer: &WriteGuard<'_>,
    ) -> Option<Page> {
        debug_assert!(guard.pins(self) && ptr::eq(writer.zspage, self));
        // SAFETY: See above.
        unsafe { &mut *self.pages() }.get_mut(index)?.replace(new)
    }

    /// Its pages; `None` only while it is being made or freed.
    pub(super) fn pages(&self) -> *mut [Option<Page>] {
        ptr::slice_from_raw_parts_mut(self.tail_word(0).cast(), self.spec().pages())
    }

    /// Takes the lock alone, unless somebody has an object mapped; never waits.
    pub(crate) fn try_write(&self) -> Option<WriteGuard<'_>> {
        if self.lock.try_write_lock() {
            // INVARIANT: Just locked.
            Some(WriteGuard { zspage: self })
        } else {
            None
        }
    }

    /// The word that holds the handle of a huge object; `None` in any other class. Under the class
    /// lock, like the header of an object.
    #[inline]
    pub(crate) fn huge_handle(&self) -> Option<*mut usize> {
        let spec = self.spec();
        if spec.is_huge() {
            Some(self.tail_word(spec.pages() + spec.bitmap_words()))
        } else {
            None
        }
    }

    /// The bitmap of the objects in use.
    #[inline]
    pub(super) fn bitmap<'a>(&'a self, guard: &'a ClassGuard<'_>) -> &'a [usize] {
        debug_assert!(guard.pins(self));
        // SAFETY: By the type invariant the words are there. The guard proves the class lock, and its
        // borrow that nobody changes them.
        unsafe { slice::from_raw_parts(self.bitmap_start(), self.spec().bitmap_words()) }
    }

    /// The bitmap of the objects in use, to change it.
    #[inline]
    pub(super) fn bitmap_mut<'a>(&'a self, guard: &'a mut ClassGuard<'_>) -> &'a mut [usize] {
        debug_assert!(guard.pins(self));
        // SAFETY: As above; the exclusive borrow proves that there is no other reference to the
        // bitmap of any zspage of the class.
        unsafe { slice::from_raw_parts_mut(self.bitmap_start(), self.spec().bitmap_words()) }
    }

    #[inline]
    fn bitmap_start(&self) -> *mut usize {
        self.tail_word(self.spec().pages())
    }

    /// Address of a word behind the header; in bounds if `index` is within the class's [`Layout`].
    #[inline]
    fn tail_word(&self, index: usize) -> *mut usize {
        // Not through `self.tail`, whose type says that nothing is there.
        let base = ptr::from_ref(self).cast::<u8>().cast_mut();
        base.wrapping_add(mem::offset_of!(Zspage, tail))
            .cast::<usize>()
            .wrapping_add(index)
    }
}

/// A zspage's lock, held alone: no object of it is mapped.
///
/// # Invariants
///
/// This task holds the lock of `zspage` alone.
pub(crate) struct WriteGuard<'a> {
    zspage: &'a Zspage,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { self.zspage.lock.write_unlock() };
    }
}
