// SPDX-License-Identifier: GPL-2.0

//! Handles: what the user of the allocator holds in place of a pointer.
//!
//! A handle is the *name* of an object, (anchor, index), packed into one integer. The
//! [anchor](super::anchor) says where the objects born with it are now; the index says which of them it
//! is. A name never changes. Neither the object nor anything beside it records the name: an object has
//! no header.
//!
//! A *place* is where an object is, (zspage, index), packed the same way.
//!
//! ```text
//! name:   | address of the anchor, without the 7 highest bits and the 4 lowest | index: 11 bits |
//! place:  | address of the zspage, without the 7 highest bits and the 5 lowest | index: 11 bits | 1 |
//! ```
//!
//! Addresses of the kernel repeat bit 56 in all bits above it even with five-level page tables: shifted
//! left by 7 bits, an address loses nothing. With pages of 16K and 64K a zspage may have more than 2048
//! objects; there both are aligned to twice as much, and an index has 12 bits. Where addresses are
//! others the module does not build: `src/sys/shim.h`.

use super::{
    anchor::Anchor,
    geometry::{most_objects, ClassSpec, WORD_BITS},
    zspage::{Zspage, ZspageRef},
};
use crate::sys::page::PAGE_SIZE;
use core::{num::NonZeroUsize, ptr::NonNull};

/// By how much an address can be shifted to the left without loss.
const HIGH_BITS: u32 = 7;

/// Alignment of an anchor: it and [`HIGH_BITS`] make room for the index in a name.
pub(crate) const ANCHOR_ALIGN: usize = if most_objects(PAGE_SIZE) <= 1 << (4 + HIGH_BITS) {
    16
} else {
    32
};

/// Alignment of a zspage: a place has a tag besides the index.
pub(crate) const ZSPAGE_ALIGN: usize = 2 * ANCHOR_ALIGN;

/// Bits of an index.
const INDEX_BITS: u32 = ANCHOR_ALIGN.trailing_zeros() + HIGH_BITS;

/// Most objects that a zspage may have.
pub(crate) const MAX_OBJECTS: usize = 1 << INDEX_BITS;

const _: () = assert!(most_objects(PAGE_SIZE) <= MAX_OBJECTS);

/// The least of the integers that the kernel takes for an error (`IS_ERR_VALUE()`).
const FIRST_ERROR: usize = 4095_usize.wrapping_neg();

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

    /// The object of a bit that is set in a bitmap.
    pub(super) fn of_bit(word: usize, bit: usize) -> Self {
        // INVARIANT: Bits are set for objects only.
        Self::unpack(word.wrapping_mul(WORD_BITS).wrapping_add(bit))
    }

    /// The lowest bits of a packed word.
    #[inline]
    fn unpack(bits: usize) -> Self {
        // INVARIANT: Names and places are made of a valid index.
        Self((bits & (MAX_OBJECTS - 1)) as u16)
    }
}

/// An address, aligned to `align`, shifted so that its highest bits are gone and its lowest free.
#[inline]
const fn pack(address: usize) -> usize {
    address << HIGH_BITS
}

/// The address that was packed.
#[inline]
const fn unpack(word: usize, align: usize) -> usize {
    let low = align.trailing_zeros();
    (((word as isize) >> (low + HIGH_BITS)) << low) as usize
}

/// Where an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroUsize);

/// The bit that tells a place from an address.
pub(super) const PLACE: usize = 1;

impl Place {
    /// The place of an object.
    #[inline]
    pub(crate) fn new(zspage: ZspageRef<'_>, index: ObjIndex) -> Self {
        // Exposes the address: all of the zspage may be accessed by what `zspage()` makes of it.
        let address = zspage.as_non_null().as_ptr() as usize;
        let word = pack(address) | (index.get() << 1);
        Self(NonZeroUsize::MIN | word)
    }

    /// Takes back what [`Self::into_raw`] gave; `None` of any other number.
    #[inline]
    pub(super) fn from_raw(raw: usize) -> Option<Self> {
        match NonZeroUsize::new(raw) {
            Some(word) if raw & PLACE != 0 => Some(Self(word)),
            _ => None,
        }
    }

    /// The place as a number, whose lowest bit is set.
    #[inline]
    pub(super) fn into_raw(self) -> usize {
        self.0.get()
    }

    /// Looks at the place.
    ///
    /// # Safety
    ///
    /// The place came from [`Self::new`], and RCU or a lock keeps its zspage for the lifetime of the
    /// value.
    #[inline]
    pub(super) unsafe fn open<'a>(self) -> Location<'a> {
        let zspage = unpack(self.0.get(), ZSPAGE_ALIGN) as *mut Zspage;
        Location {
            // SAFETY: As the caller promises; places are made of the addresses of zspages.
            zspage: unsafe { ZspageRef::new(NonNull::new_unchecked(zspage)) },
            index: ObjIndex::unpack(self.0.get() >> 1),
        }
    }
}

/// A place, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Location<'a> {
    /// The zspage.
    pub(crate) zspage: ZspageRef<'a>,
    /// The object in it.
    pub(crate) index: ObjIndex,
}

impl Location<'_> {
    /// The place itself.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        Place::new(self.zspage, self.index)
    }

    /// The same, for as long as the object keeps the zspage.
    ///
    /// # Safety
    ///
    /// For `'b` the object stays where it is, so that its zspage is not freed.
    #[inline]
    pub(super) unsafe fn with_object<'b>(self) -> Location<'b> {
        Location {
            // SAFETY: As the caller promises.
            zspage: unsafe { ZspageRef::new(self.zspage.as_non_null()) },
            index: self.index,
        }
    }
}

/// The name of an object, which may be gone: what a [`Handle`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(NonZeroUsize);

impl Name {
    /// The name (`anchor`, `index`). The anchor was checked by [`Self::fits`].
    #[inline]
    pub(super) fn new(anchor: NonNull<Anchor>, index: ObjIndex) -> Self {
        // Exposes the address: the anchor may be accessed by what `anchor()` makes of it.
        Self(
            NonZeroUsize::new(pack(anchor.as_ptr() as usize) | index.get())
                .unwrap_or(NonZeroUsize::MAX),
        )
    }

    /// Whether names can be made of an anchor at `address`: none of them is 0, or an error to the
    /// kernel. Linear addresses, which slab memory has, are far from both ends.
    pub(super) const fn fits(address: usize) -> bool {
        let last = pack(address) | (MAX_OBJECTS - 1);
        address % ANCHOR_ALIGN == 0
            && unpack(last, ANCHOR_ALIGN) == address
            && pack(address) != 0
            && last < FIRST_ERROR
    }

    /// Takes back what [`Self::into_raw`] gave.
    #[inline]
    pub(super) fn from_raw(raw: usize) -> Option<Self> {
        NonZeroUsize::new(raw).map(Self)
    }

    /// The name as a number.
    #[inline]
    pub(crate) fn into_raw(self) -> usize {
        self.0.get()
    }

    /// Which of the objects that were born with the anchor.
    #[inline]
    pub(crate) fn index(self) -> ObjIndex {
        ObjIndex::unpack(self.0.get())
    }

    /// Where the anchor is, or was.
    #[inline]
    pub(super) fn anchor_address(self) -> NonNull<Anchor> {
        // SAFETY: Names are made of the addresses of anchors.
        unsafe { NonNull::new_unchecked(unpack(self.0.get(), ANCHOR_ALIGN) as *mut Anchor) }
    }

    /// The anchor.
    ///
    /// # Safety
    ///
    /// The object has not been freed, and is not for `'a`.
    #[inline]
    pub(super) unsafe fn anchor<'a>(self) -> &'a Anchor {
        // SAFETY: As long as one of its names is in use an anchor is not freed; what changes in it is in
        // cells.
        unsafe { self.anchor_address().as_ref() }
    }
}

/// A handle: the right to map and free one object.
///
/// Not `Clone`: whoever has one is the owner of the object. A reference to one is enough to map.
///
/// # Invariants
///
/// The name is that of an object that is allocated.
pub(crate) struct Handle(Name);

impl Handle {
    /// The handle of a new object.
    #[inline]
    pub(super) fn of(name: Name) -> Self {
        // INVARIANT: As the caller promises.
        Self(name)
    }

    /// Takes back what [`Self::into_raw`] gave away.
    ///
    /// # Safety
    ///
    /// `raw` came from `into_raw()`, and its object has not been freed. Of several handles made of
    /// the same number at most one is freed, and after the last use of any other.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: usize) -> Option<Self> {
        // INVARIANT: As the caller promises.
        Name::from_raw(raw).map(Self)
    }

    /// The handle as a number, never 0 and never one that the kernel takes for an error.
    #[inline]
    pub(crate) fn into_raw(self) -> usize {
        self.0.into_raw()
    }

    /// The same number.
    #[inline]
    pub(crate) fn as_number(&self) -> usize {
        self.0.into_raw()
    }

    /// The object's name.
    #[inline]
    pub(crate) fn name(&self) -> Name {
        self.0
    }

    /// The anchor of the object, which stays at least as long as the handle.
    #[inline]
    pub(super) fn anchor(&self) -> &Anchor {
        // SAFETY: By the type invariant the object is allocated, and only its handle's owner frees it.
        unsafe { self.0.anchor() }
    }
}
