// SPDX-License-Identifier: GPL-2.0

//! Handles: what the user of the allocator holds in place of a pointer.
//!
//! A handle is the address of a word; the word says where the object is, as (zspage, index), and is
//! rewritten when compaction moves the object. It need not change when a page migrates, since it
//! names no page, and finding an object reads no `struct page`.
//!
//! Zspages are aligned to 64 bytes, so that the low 6 bits of their address are zero, and addresses
//! of the kernel repeat bit 56 in all bits above it even with five-level page tables: shifted left by
//! 7 bits, an address loses nothing, and leaves 13 bits for the index.

use super::{
    geometry::ClassSpec,
    zspage::{Zspage, ZSPAGE_ALIGN},
};
use crate::sys::{
    alloc::NoMemory,
    atomic::{AtomicUsize, Ordering},
    page::Gfp,
    rcu::ReadSection,
    slab::Cache,
};
use core::{mem, ptr::NonNull};

/// Bits of a word that hold the index.
const INDEX_BITS: u32 = 13;

/// By how much an address is shifted to make room for the index.
const SHIFT: u32 = INDEX_BITS - ZSPAGE_ALIGN.trailing_zeros();

/// Most objects that a zspage may have.
pub(crate) const MAX_OBJECTS: usize = 1 << INDEX_BITS;

/// Which object of its zspage.
///
/// # Invariants
///
/// Less than the number of objects of the zspage it is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjIndex(u16);

impl ObjIndex {
    /// An index into a zspage of the class `spec`; `None` if it has no such object.
    #[inline]
    pub(crate) fn new(index: usize, spec: &ClassSpec) -> Option<Self> {
        if index < spec.objects() {
            // INVARIANT: Just checked.
            u16::try_from(index).ok().map(Self)
        } else {
            None
        }
    }

    /// The index as a number.
    #[inline]
    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// The contents of a handle's word: which object it names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(usize);

impl Word {
    /// A word that names nothing: a handle between its allocation and that of its object.
    const NONE: Self = Self(0);

    /// The word for an object.
    #[inline]
    pub(crate) fn new(zspage: &Zspage, index: ObjIndex) -> Self {
        let address = core::ptr::from_ref(zspage) as usize;
        Self((address << SHIFT) | index.get())
    }

    /// The zspage that the object is in.
    #[inline]
    fn zspage(self) -> *const Zspage {
        let address = (self.0 as isize >> INDEX_BITS) << ZSPAGE_ALIGN.trailing_zeros();
        address as usize as *const Zspage
    }

    /// Which object of it.
    #[inline]
    fn index(self) -> ObjIndex {
        // INVARIANT: Words are made of a valid index, in `new()`.
        ObjIndex((self.0 & (MAX_OBJECTS - 1)) as u16)
    }
}

/// A handle: the right to map and free one object.
///
/// Not `Clone`: whoever has one is the owner of the object. A reference to one is enough to map.
///
/// # Invariants
///
/// The word at the address came from [`Handles::alloc`], has not been freed, and names an object that
/// is allocated.
pub(crate) struct Handle(NonNull<AtomicUsize>);

// SAFETY: A handle belongs to no task; its word is atomic.
unsafe impl Send for Handle {}
// SAFETY: As above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes back what [`Self::into_raw`] gave away.
    ///
    /// # Safety
    ///
    /// `raw` came from `into_raw()`, and its object has not been freed. Of several handles made of
    /// the same number at most one is freed, and after the last use of any other.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: usize) -> Option<Self> {
        // INVARIANT: As the caller promises.
        NonNull::new(raw as *mut AtomicUsize).map(Self)
    }

    /// The handle as a number, never 0.
    #[inline]
    pub(crate) fn into_raw(self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The handle as it is recorded in its object.
    #[inline]
    pub(crate) fn to_header(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The handle recorded in an object.
    ///
    /// # Safety
    ///
    /// `header` is the header of an object that is allocated, and stays so while the value is used.
    pub(crate) unsafe fn from_header(header: usize) -> Option<mem::ManuallyDrop<Self>> {
        // SAFETY: As the caller promises.
        unsafe { Self::from_raw(header) }.map(mem::ManuallyDrop::new)
    }

    /// What the word says now.
    ///
    /// Pairs with [`Self::point_at`]: whoever sees the new word sees the object at its new place.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        // SAFETY: By the type invariant the word is allocated.
        Word(unsafe { self.0.as_ref() }.load(Ordering::Acquire))
    }

    /// Where the object is now: a place that is true only until a compaction moves it, but a zspage
    /// that lives as long as `_rcu`.
    #[inline]
    pub(crate) fn locate<'r>(&self, _rcu: &'r ReadSection) -> Location<'r> {
        // SAFETY: The object is allocated, so its zspage was listed when the word was loaded; when
        // it is taken off its list, RCU keeps the struct for us.
        unsafe { Location::from_word(self.word()) }
    }

    /// As [`Self::locate`], where something stronger keeps the object in its place.
    ///
    /// # Safety
    ///
    /// For `'a`, the caller holds the class lock of the object, or the lock of its zspage.
    #[inline]
    pub(crate) unsafe fn locate_pinned<'a>(&self) -> Location<'a> {
        // SAFETY: While the object does not move its zspage has an object and is alive.
        unsafe { Location::from_word(self.word()) }
    }

    /// Makes the word name another object. Under the class lock and, when it named an object before,
    /// the write lock of the zspage of that one.
    #[inline]
    pub(crate) fn point_at(&self, zspage: &Zspage, index: ObjIndex) {
        // SAFETY: By the type invariant the word is allocated.
        unsafe { self.0.as_ref() }.store(Word::new(zspage, index).0, Ordering::Release);
    }
}

/// A place that a handle's word names.
pub(crate) struct Location<'a> {
    /// The word itself.
    pub(crate) word: Word,
    /// The zspage.
    pub(crate) zspage: &'a Zspage,
    /// The object in it.
    pub(crate) index: ObjIndex,
}

impl Location<'_> {
    /// # Safety
    ///
    /// The word names an object, and its zspage is alive for the lifetime of the value.
    #[inline]
    unsafe fn from_word(word: Word) -> Self {
        Self {
            word,
            // SAFETY: As the caller promises; words are made of references to zspages.
            zspage: unsafe { &*word.zspage() },
            index: word.index(),
        }
    }
}

/// Where the words of a pool's handles lie.
pub(crate) struct Handles(Cache);

impl Handles {
    /// Bytes and alignment of a word, for the cache.
    pub(crate) const SIZE: usize = mem::size_of::<AtomicUsize>();

    /// Words from `cache`, whose objects have [`Self::SIZE`].
    pub(crate) fn new(cache: Cache) -> Self {
        Self(cache)
    }

    /// A new handle, whose word the caller lets name an object before anybody else has it. Sleeps if
    /// `gfp` says so.
    #[inline]
    pub(crate) fn alloc(&self, gfp: Gfp) -> Result<Handle, NoMemory> {
        let word = self.0.alloc(gfp)?.cast::<AtomicUsize>();
        // SAFETY: Just allocated, with room and alignment for a word.
        unsafe { word.as_ptr().write(AtomicUsize::new(Word::NONE.0)) };
        // INVARIANT: The caller lets it name an object.
        Ok(Handle(word))
    }

    /// Frees a handle whose object has been freed, or never was. Does not sleep.
    #[inline]
    pub(crate) fn free(&self, handle: Handle) {
        // SAFETY: By its invariant the handle's word came from `alloc()`; being its owner, we are
        // the last to use it.
        unsafe {
            handle.0.as_ptr().drop_in_place();
            self.0.free(handle.0.cast());
        }
    }
}
