// SPDX-License-Identifier: GPL-2.0

//! The zspage: pages, a bitmap of the objects in use, and a lock that pins them.
//!
//! It lies in memory of a slab cache, of the least multiple of [`ZSPAGE_ALIGN`] that holds it:
//!
//! ```text
//! | Zspage: link or RCU head, class, lock, slots, anchor or origins | page 0 … page n-1 | bitmap … |
//! ```
//!
//! The part behind the struct has a length that the class knows: [`zspage_size`]. A reference to the
//! struct does not cover it, so that a zspage is never passed on by such a reference but by a
//! [`ZspageRef`], which does.

use super::{
    anchor::Anchor,
    class::SizeClass,
    geometry::ClassSpec,
    handle::ZSPAGE_ALIGN,
    list::{Link, Linked},
    origins::{Origins, OriginsRef},
    slots::Slots,
};
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

/// The first part of a zspage: a run of pages, cut into objects.
///
/// # Invariants
///
/// - It lies in memory of [`zspage_size`] for its class, aligned to [`ZSPAGE_ALIGN`].
/// - The class outlives it.
/// - Bits of the bitmap are set for objects in use, `inuse` of them, and no others.
/// - From its publication to its death all its pages are there.
/// - The anchor, unless there is none any more, is in place here.
#[pin_data]
#[repr(C)]
pub(crate) struct Zspage {
    /// Its links or, once it is off its list, its RCU head.
    link: Link<Zspage>,
    class: NonNull<SizeClass>,
    #[pin]
    lock: RwLock,
    slots: Slots,
    home: Home,
}

/// What leads from a zspage to its anchor.
///
/// # Invariants
///
/// The word is 0, the address of the anchor or, with [`ORIGINS`], that of the origins, which have the
/// anchor then.
struct Home(Cell<usize>);

/// The bit of a [`Home`] that names origins.
const ORIGINS: usize = 1;

const _: () = assert!(mem::size_of::<Link<Zspage>>() >= mem::size_of::<rcu::Head>());
const _: () = assert!(mem::align_of::<Link<Zspage>>() >= mem::align_of::<rcu::Head>());
// What `ZspageRef::tail()` relies on.
const _: () = assert!(mem::size_of::<PageSlot>() == mem::size_of::<usize>());

/// Bytes of a zspage of a class, as its cache has them.
pub(crate) fn zspage_size(spec: &ClassSpec) -> usize {
    let words = [spec.pages(), spec.bitmap_words()];
    let size = words
        .into_iter()
        .fold(mem::size_of::<Zspage>(), |size, words| {
            size.wrapping_add(words.wrapping_mul(mem::size_of::<usize>()))
        });
    // Rounded up to the alignment; a few hundred bytes at most.
    size.wrapping_add(ZSPAGE_ALIGN - 1) & !(ZSPAGE_ALIGN - 1)
}

impl Zspage {
    /// Makes a zspage of `class`, without pages, of the memory at `memory`, in which the objects of
    /// `anchor` are.
    ///
    /// # Safety
    ///
    /// `memory` came from the cache of the class, and `anchor` from that of its anchors, and both are
    /// nobody else's. The class outlives the zspage.
    pub(super) unsafe fn init(
        memory: NonNull<u8>,
        anchor: NonNull<Anchor>,
        class: &SizeClass,
    ) -> NonNull<Self> {
        let zspage = memory.cast::<Self>();
        // SAFETY: The memory has room and alignment. `PageSlot` is a pointer, and one without a page
        // the null one, so zeroes make pages that are not there as well as an empty bitmap.
        // INVARIANT: As the caller promises; no object is in use.
        let made = unsafe {
            memory.as_ptr().write_bytes(0, zspage_size(class.spec()));
            Self::new(class, anchor).__pinned_init(zspage.as_ptr())
        };
        if let Err(never) = made {
            match never {}
        }
        // SAFETY: Both have just been made, and are nobody else's.
        unsafe { anchor.as_ref().set_in_place(ZspageRef::new(zspage)) };
        zspage
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

    fn new(class: &SizeClass, anchor: NonNull<Anchor>) -> impl PinInit<Self> + '_ {
        pin_init!(Self {
            link: Link::default(),
            class: NonNull::from(class),
            lock <- RwLock::new(),
            slots: Slots::default(),
            // Exposes the address: the anchor may be accessed by what `anchor()` makes of it.
            home: Home(Cell::new(anchor.as_ptr() as usize)),
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

    /// The anchor of the objects that are born here, until these have moved.
    #[inline]
    pub(super) fn anchor(self) -> Option<NonNull<Anchor>> {
        match self.origins() {
            None => NonNull::new(self.home().get() as *mut Anchor),
            Some(origins) => origins.anchor().get(),
        }
    }

    /// The same; the zspage has it no more.
    pub(super) fn take_anchor(self) -> Option<NonNull<Anchor>> {
        let anchor = self.anchor();
        match self.origins() {
            None => self.home().set(0),
            Some(origins) => origins.anchor().set(None),
        }
        anchor
    }

    #[inline]
    fn home(self) -> &'a Cell<usize> {
        &self.0.header().home.0
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

    /// The names of the objects that were moved here, if there are any.
    #[inline]
    pub(super) fn origins(self) -> Option<OriginsRef<'a>> {
        let home = self.home().get();
        if home & ORIGINS == 0 {
            return None;
        }
        let origins = NonNull::new((home & !ORIGINS) as *mut Origins)?;
        // SAFETY: They stay as long as the zspage leads to them, and change under the class lock.
        Some(unsafe { OriginsRef::new(origins) })
    }

    /// Gives the zspage other origins, or none; the anchor it keeps.
    pub(super) fn set_origins(self, origins: Option<NonNull<Origins>>) {
        let anchor = self.anchor();
        match origins {
            None => {
                let address = anchor.map_or(0, |anchor| anchor.as_ptr() as usize);
                self.home().set(address);
            }
            Some(origins) => {
                // Exposes the address: all of them may be accessed by what `origins()` makes of it.
                self.home().set(origins.as_ptr() as usize | ORIGINS);
                if let Some(origins) = self.origins() {
                    origins.anchor().set(anchor);
                }
            }
        }
    }
}

impl Linked for Zspage {
    #[inline]
    fn link(this: NonNull<Self>) -> NonNull<Link<Self>> {
        this.cast()
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
