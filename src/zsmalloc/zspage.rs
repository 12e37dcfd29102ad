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
    page::{LockedPage, PageSlot},
    rcu::{self, ReadSection},
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
// What `ZspageRef::tail()` relies on.
const _: () = assert!(mem::size_of::<PageSlot>() == mem::size_of::<usize>());

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
    /// `memory` came from the cache of the class, and is nobody else's. The class outlives the zspage.
    pub(super) unsafe fn init(memory: NonNull<u8>, class: &SizeClass) -> NonNull<Self> {
        let zspage = memory.cast::<Self>();
        // SAFETY: The memory has room and alignment. `PageSlot` is a pointer, and one without a page
        // the null one, so zeroes make pages that are not there as well as an empty bitmap.
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

    /// Gives the memory of a zspage back. The pages are gone.
    ///
    /// # Safety
    ///
    /// Nobody uses the zspage any more.
    pub(super) unsafe fn free_memory(this: NonNull<Self>) {
        // SAFETY: As the caller promises. By the type invariant the class outlives the zspage, whose
        // memory came from its cache.
        unsafe {
            let cache = ZspageRef::new(this).class().cache();
            ptr::drop_in_place(this.as_ptr());
            cache.free(this.cast());
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

/// A zspage, and all that lies behind its struct; but of it only what does not change.
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

    /// The zspage that `page` belongs to, which lives as long as `rcu`; `None` once the page has been
    /// freed.
    pub(super) fn of_page(page: &LockedPage<'_>, rcu: &'a ReadSection) -> Option<Self> {
        let owner = page.owner(rcu)?.cast();
        // SAFETY: Published in `page->private`, and so a zspage; RCU keeps it.
        Some(unsafe { Self::new(owner) })
    }

    /// Its address.
    #[inline]
    pub(super) fn as_non_null(self) -> NonNull<Zspage> {
        self.zspage
    }

    /// Whether `other` is the same zspage.
    #[inline]
    pub(super) fn is(self, other: ZspageRef<'_>) -> bool {
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

    /// The lock that pins objects and pages to each other.
    #[inline]
    pub(super) fn lock(self) -> &'a RwLock {
        &self.header().lock
    }

    /// Its pages, to look at.
    ///
    /// # Safety
    ///
    /// For `'a` no page is replaced: this task has the class lock, or the zspage's.
    #[inline]
    pub(super) unsafe fn pages(self) -> &'a [PageSlot] {
        self.tail(0, self.spec().pages())
    }

    /// All of it.
    ///
    /// # Safety
    ///
    /// For `'a` this task has the class lock, or is the only one who knows of the zspage or may use
    /// it.
    #[inline]
    pub(super) unsafe fn parts(self) -> ZspageParts<'a> {
        // INVARIANT: As the caller promises.
        ZspageParts(self)
    }

    /// Words behind the struct, as what the class says that they are.
    #[inline]
    fn tail<T>(self, first: usize, len: usize) -> &'a [T] {
        let start = self.zspage.as_ptr().wrapping_add(1).cast::<usize>();
        // SAFETY: Called below and above with numbers of the class and the type that belongs to them,
        // which is a cell of the size of a word. By the type invariant the memory is there, as zeroes
        // from the beginning.
        unsafe { slice::from_raw_parts(start.wrapping_add(first).cast(), len) }
    }
}

/// A zspage, and all that lies behind its struct, with what only one task at a time may use.
///
/// # Invariants
///
/// For `'a` this task has the class lock, or is the only one who knows of the zspage or may use it.
#[derive(Clone, Copy)]
pub(super) struct ZspageParts<'a>(ZspageRef<'a>);

impl<'a> ZspageParts<'a> {
    /// The zspage.
    #[inline]
    pub(super) fn zspage(self) -> ZspageRef<'a> {
        self.0
    }

    /// Its links, for the list it is on.
    #[inline]
    pub(super) fn link(self) -> &'a Link {
        &self.0.header().link
    }

    /// How many of its objects are in use, and which list it is on.
    #[inline]
    pub(super) fn slots(self) -> &'a Slots {
        &self.0.header().slots
    }

    /// The bitmap of the objects in use.
    #[inline]
    pub(super) fn bitmap(self) -> &'a [Cell<usize>] {
        let spec = self.0.spec();
        self.0.tail(spec.pages(), spec.bitmap_words())
    }

    /// Its pages.
    #[inline]
    pub(super) fn pages(self) -> &'a [PageSlot] {
        self.0.tail(0, self.0.spec().pages())
    }

    /// The word that holds the handle of a huge object; `None` in any other class.
    #[inline]
    pub(super) fn huge_handle(self) -> Option<&'a Cell<usize>> {
        let spec = self.0.spec();
        let behind = spec.pages().wrapping_add(spec.bitmap_words());
        self.0.tail(behind, usize::from(spec.is_huge())).first()
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
        // SAFETY: A grace period has passed, nobody uses the zspage. The class outlives it.
        let class = unsafe {
            let class = ptr::from_ref(ZspageRef::new(this).class());
            Self::free_memory(this);
            &*class
        };
        class.pool_stats().rcu_freed();
    }
}
