// SPDX-License-Identifier: GPL-2.0

//! Handles: what the user of the allocator holds in place of a pointer.
//!
//! A handle is the address of a word; the word says where the object is, as (zspage, index), and is
//! rewritten when compaction moves the object. It need not change when a page migrates, since it
//! names no page, and finding an object reads no `struct page`.
//!
//! Zspages are aligned to 64 bytes, so that the low 6 bits of their address are zero, and addresses
//! of the kernel repeat bit 56 in all bits above it even with five-level page tables: shifted left by
//! 7 bits, an address loses nothing, and leaves 13 bits: 12 for the index, and one that says that
//! there is an object. Where addresses are others the module does not build: `src/sys/shim.h`.

use super::{
    geometry::ClassSpec,
    zspage::{Zspage, ZspageRef, ZSPAGE_ALIGN},
};
use crate::sys::{
    alloc::NoMemory,
    atomic::{AtomicUsize, Ordering},
    page::Gfp,
    rcu::ReadSection,
    slab::Cache,
    warn::warn_once,
};
use core::{ffi::CStr, mem, ptr::NonNull};

/// Bits of a word that hold the index.
const INDEX_BITS: u32 = 12;

/// The bit of a word that names an object.
const LIVE: usize = 1;

/// Bits of a word that hold no address.
const TAIL_BITS: u32 = INDEX_BITS + 1;

/// By how much an address is shifted to make room for them.
const SHIFT: u32 = TAIL_BITS - ZSPAGE_ALIGN.trailing_zeros();

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
///
/// ```text
/// | address of the zspage, without the 7 highest bits and the 6 lowest | index: 12 bits | 1 |
/// ```
///
/// The last bit says that the word names an object. It is clear in memory that has not been written,
/// and in most of what the slab allocator writes to memory that has been freed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(usize);

impl Word {
    /// A word that names nothing: a handle between its allocation and that of its object.
    const NONE: Self = Self(0);

    /// The word for an object.
    #[inline]
    pub(crate) fn new(zspage: ZspageRef<'_>, index: ObjIndex) -> Self {
        // Exposes the address: all of the zspage may be accessed by what `zspage()` makes of it.
        let address = zspage.as_non_null().as_ptr() as usize;
        Self((address << SHIFT) | (index.get() << 1) | LIVE)
    }

    /// Takes back what [`Self::into_raw`] gave.
    #[inline]
    pub(super) fn from_raw(raw: usize) -> Self {
        Self(raw)
    }

    /// The word as a number.
    #[inline]
    pub(super) fn into_raw(self) -> usize {
        self.0
    }

    /// The zspage that the object is in.
    #[inline]
    fn zspage(self) -> *mut Zspage {
        let address = (self.0 as isize >> TAIL_BITS) << ZSPAGE_ALIGN.trailing_zeros();
        address as usize as *mut Zspage
    }

    /// Which object of it.
    #[inline]
    fn index(self) -> ObjIndex {
        // INVARIANT: Words are made of a valid index, in `new()`.
        ObjIndex(((self.0 >> 1) & (MAX_OBJECTS - 1)) as u16)
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

    /// The same number, as it is recorded with the object.
    #[inline]
    pub(crate) fn as_number(&self) -> usize {
        self.0.as_ptr() as usize
    }

    #[inline]
    fn atomic(&self) -> &AtomicUsize {
        // SAFETY: By the type invariant the word is allocated.
        unsafe { self.0.as_ref() }
    }

    /// What the word says now. `None` if it names no object: somebody has overwritten it, or goes on
    /// using a handle that has been freed.
    ///
    /// Pairs with [`Self::point_at`]: whoever sees the new word sees the object at its new place.
    #[inline]
    pub(crate) fn word(&self) -> Option<Word> {
        let word = self.atomic().load(Ordering::Acquire);
        if word & LIVE == 0 || word >> TAIL_BITS == 0 {
            warn_once!(c"a handle that names no object", self.as_number());
            return None;
        }
        Some(Word(word))
    }

    /// Where the object is now: a place that is true only until a compaction moves it, but a zspage
    /// that lives as long as `_rcu`.
    #[inline]
    pub(crate) fn locate<'r>(&self, _rcu: &'r ReadSection) -> Option<Location<'r>> {
        // SAFETY: The object is allocated, so its zspage was listed when the word was loaded; when
        // it is taken off its list, RCU keeps the struct for us.
        Some(unsafe { Location::new(self.word()?) })
    }

    /// Makes the word name another object. Under the class lock and, when it named an object before,
    /// the write lock of the zspage of that one.
    #[inline]
    pub(crate) fn point_at(&self, zspage: ZspageRef<'_>, index: ObjIndex) {
        self.atomic()
            .store(Word::new(zspage, index).0, Ordering::Release);
    }
}

/// A place that a handle's word names.
pub(crate) struct Location<'a> {
    /// The word itself.
    pub(crate) word: Word,
    /// The zspage.
    pub(crate) zspage: ZspageRef<'a>,
    /// The object in it.
    pub(crate) index: ObjIndex,
}

impl Location<'_> {
    /// # Safety
    ///
    /// The word came from a handle or [`Word::new`], and RCU or a lock keeps the zspage that it names
    /// for the lifetime of the value.
    #[inline]
    pub(super) unsafe fn new(word: Word) -> Self {
        Self {
            word,
            // SAFETY: As the caller promises; words are made of the addresses of zspages.
            zspage: unsafe { ZspageRef::new(NonNull::new_unchecked(word.zspage())) },
            index: word.index(),
        }
    }
}

/// Where the words of a pool's handles lie.
pub(crate) struct Handles(Cache);

impl Handles {
    /// A cache for the words of the pool of that name. Sleeps.
    pub(crate) fn new(pool: &CStr) -> Result<Self, NoMemory> {
        const SIZE: usize = mem::size_of::<AtomicUsize>();
        Ok(Self(Cache::new(c"zs_rs_handle", pool, SIZE, SIZE)?))
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
        unsafe { self.0.free(handle.0.cast()) };
    }
}
