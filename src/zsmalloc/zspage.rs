// SPDX-License-Identifier: GPL-2.0

//! The zspage: pages, a bitmap of the objects in use, and a lock that pins them.
//!
//! It lies in memory of a slab cache, of the least multiple of [`ZSPAGE_ALIGN`] that holds it:
//!
//! ```text
//! | Zspage: link or RCU head, class, lock, slots | page 0 … page n-1 | bitmap … | handle, if huge |
//! ```
//!
//! The part behind the struct has a length that the class knows: [`zspage_size`]. A reference to the
//! struct does not cover it, so that a zspage is never passed on by such a reference but by a
//! [`ZspageRef`], which does.

use super::{class::SizeClass, geometry::ClassSpec, list::Link, slots::Slots};
use crate::sys::{
    init::{pin_data, pin_init, PinInit},
    lock::RwLock,
    page::{LockedPage, Page},
    rcu,
};
use core::{
    cell::Cell,
    marker::PhantomData,
    mem,
    ptr::{self, NonNull},
    slice,
};

/// Alignment of a zspage: what a handle's word saves of an address.
pub(crate) const ZSPAGE_ALIGN: usize = 64;

/// The first part of a zspage: a run of pages, cut into objects.
///
/// # Invariants
///
/// - It lies in memory of [`zspage_size`] for its class, aligned to [`ZSPAGE_ALIGN`].
/// - The class outlives it.
/// - Bits of the bitmap are set for objects in use, `inuse` of them, and no others.
/// - From its publication to its death all its pages are there.
#[pin_data]
#[repr(C)]
pub(crate) struct Zspage {
    /// Its links or, once it is off its list, its RCU head.
    link: Link,
    class: NonNull<SizeClass>,
    #[pin]
    lock: RwLock,
    slots: Slots,
}

const _: () = assert!(mem::size_of::<Link>() >= mem::size_of::<rcu::Head>());
const _: () = assert!(mem::align_of::<Link>() >= mem::align_of::<rcu::Head>());

/// Bytes of a zspage of a class, as its cache has them.
pub(crate) fn zspage_size(spec: &ClassSpec) -> usize {
    let words = [
        spec.pages(),
        spec.bitmap_words(),
        usize::from(spec.is_huge()),
    ];
    let size = words
        .into_iter()
        .fold(mem::size_of::<Zspage>(), |size, words| {
            size.wrapping_add(words.wrapping_mul(mem::size_of::<usize>()))
        });
    // Rounded up to the alignment; a few hundred bytes at most.
    size.wrapping_add(ZSPAGE_ALIGN - 1) & !(ZSPAGE_ALIGN - 1)
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
        // SAFETY: The memory is ours, and has room and alignment. `Option<Page>` is a pointer, and
        // `None` the null one, so zeroes make pages that are not there as well as an empty bitmap.
        // The struct cannot fail to be made.
        // INVARIANT: As the caller promises; no object is in use.
        let made = unsafe {
            memory.as_ptr().write_bytes(0, zspage_size(class.spec()));
            Self::new(class).__pinned_init(zspage.as_ptr())
        };
        match made {
            Ok(()) => zspage,
            Err(never) => match never {},
        }
    }

    fn new(class: &SizeClass) -> impl PinInit<Self> + '_ {
        pin_init!(Self {
            link: Link::default(),
            class: NonNull::from(class),
            lock <- RwLock::new(),
            slots: Slots::default(),
        })
    }
}

/// A zspage, and all that lies behind its struct.
///
/// # Invariants
///
/// For `'a` the memory of the zspage is there, and `zspage` may be used to access all of it.
#[derive(Clone, Copy)]
pub(crate) struct ZspageRef<'a> {
    zspage: NonNull<Zspage>,
    _alive: PhantomData<&'a Zspage>,
}

impl<'a> ZspageRef<'a> {
    /// The zspage at that address.
    ///
    /// # Safety
    ///
    /// The pointer came from [`Zspage::init`], and RCU, a lock or ownership keeps the zspage's memory
    /// for `'a`.
    #[inline]
    pub(super) unsafe fn new(zspage: NonNull<Zspage>) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            zspage,
            _alive: PhantomData,
        }
    }

    /// Its address.
    #[inline]
    pub(crate) fn as_non_null(self) -> NonNull<Zspage> {
        self.zspage
    }

    /// Whether `other` is the same zspage.
    #[inline]
    pub(crate) fn is(self, other: ZspageRef<'_>) -> bool {
        self.zspage == other.zspage
    }

    #[inline]
    fn header(self) -> &'a Zspage {
        // SAFETY: By the type invariant. What changes in the struct is in cells.
        unsafe { self.zspage.as_ref() }
    }

    /// Its class.
    #[inline]
    pub(crate) fn class(self) -> &'a SizeClass {
        // SAFETY: By the invariant of `Zspage` the class outlives the zspage.
        unsafe { self.header().class.as_ref() }
    }

    /// What its class says of its shape.
    #[inline]
    pub(crate) fn spec(self) -> &'a ClassSpec {
        self.class().spec()
    }

    /// Its links, for the list it is on.
    #[inline]
    pub(super) fn link(self) -> &'a Link {
        &self.header().link
    }

    /// The lock that pins objects and pages to each other.
    #[inline]
    pub(crate) fn lock(self) -> &'a RwLock {
        &self.header().lock
    }

    /// What the class lock protects.
    ///
    /// # Safety
    ///
    /// For `'a` this task holds the class lock.
    #[inline]
    pub(super) unsafe fn slots(self) -> &'a Slots {
        &self.header().slots
    }

    /// The bitmap of the objects in use.
    ///
    /// # Safety
    ///
    /// For `'a` this task holds the class lock.
    #[inline]
    pub(super) unsafe fn bitmap(self) -> &'a [Cell<usize>] {
        // SAFETY: By the invariants the words are there, as zeroes from the beginning. As the caller
        // promises nobody else uses them.
        unsafe { slice::from_raw_parts(self.tail(self.spec().pages()), self.spec().bitmap_words()) }
    }

    /// The word that holds the handle of a huge object; `None` in any other class.
    ///
    /// # Safety
    ///
    /// For `'a` this task holds the class lock.
    #[inline]
    pub(super) unsafe fn huge_handle(self) -> Option<&'a Cell<usize>> {
        let spec = self.spec();
        if spec.is_huge() {
            // SAFETY: As above.
            Some(unsafe { &*self.tail(spec.pages().wrapping_add(spec.bitmap_words())) })
        } else {
            None
        }
    }

    /// Its pages; `None` only while it is being made or freed.
    ///
    /// # Safety
    ///
    /// For `'a` no other task replaces a page.
    #[inline]
    pub(super) unsafe fn pages(self) -> &'a [Cell<Option<Page>>] {
        // SAFETY: By the invariants the pointers are there, as NULL from the beginning. As the caller
        // promises nobody changes them.
        unsafe { slice::from_raw_parts(self.tail(0), self.spec().pages()) }
    }

    /// Looks at page number `index`. `None` only if there is no such page.
    #[inline]
    fn look_at_page<T>(
        self,
        _pinned: &(impl PagesPinned + ?Sized),
        index: usize,
        look: impl FnOnce(&Page) -> T,
    ) -> Option<T> {
        // SAFETY: As `_pinned` proves no other task replaces a page; nor do we, in `look`.
        unsafe { (*self.pages().get(index)?.as_ptr()).as_ref() }.map(look)
    }

    /// Address of a word behind the struct; in bounds if the class has so many.
    #[inline]
    fn tail<T>(self, index: usize) -> *const T {
        let start = self.zspage.as_ptr().wrapping_add(1).cast::<usize>();
        start.wrapping_add(index).cast::<T>().cast_const()
    }
}

/// Proof that the pages of a zspage are not replaced: the class lock, or the zspage's lock held
/// shared.
///
/// # Safety
///
/// While a value exists, no other task replaces a page of [`Self::zspage`].
pub(crate) unsafe trait PagesPinned {
    /// Which zspage.
    fn zspage(&self) -> ZspageRef<'_>;

    /// Where page number `index` is mapped. `None` only if there is no such page.
    #[inline]
    fn page_address(&self, index: usize) -> Option<NonNull<u8>> {
        self.zspage().look_at_page(self, index, Page::address)
    }

    /// Whether page number `index` is `page`.
    fn page_is(&self, index: usize, page: &LockedPage<'_>) -> bool {
        let is = self.zspage().look_at_page(self, index, |own| own.is(page));
        is.unwrap_or(false)
    }

    /// Whether page number `index` names the zspage as its owner.
    #[cfg(debug_assertions)]
    fn page_names_zspage(&self, index: usize) -> bool {
        let zspage = self.zspage().as_non_null().cast();
        let names = |own: &Page| own.names(zspage);
        self.zspage()
            .look_at_page(self, index, names)
            .unwrap_or(false)
    }
}

// SAFETY: The head is at the address of the field `link`, which is the first, and is used for nothing
// else once the zspage is off its list.
unsafe impl rcu::Deferred for Zspage {
    fn head(this: NonNull<Self>) -> NonNull<rcu::Head> {
        this.cast()
    }

    fn from_head(head: NonNull<rcu::Head>) -> NonNull<Self> {
        head.cast()
    }

    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: A grace period has passed, nobody uses the zspage.
        let class = unsafe { ZspageRef::new(this) }.class();
        // SAFETY: As above.
        unsafe { Self::free_memory(this, class) };
        class.pool().counters().rcu_freed();
    }
}

impl Zspage {
    /// Gives the memory back. The pages are gone.
    ///
    /// # Safety
    ///
    /// The zspage is of `class`; nobody uses it any more.
    pub(super) unsafe fn free_memory(this: NonNull<Self>, class: &SizeClass) {
        // SAFETY: As the caller promises; the memory came from this cache.
        unsafe {
            ptr::drop_in_place(this.as_ptr());
            class.cache().free(this.cast());
        }
    }
}
