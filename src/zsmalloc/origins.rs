// SPDX-License-Identifier: GPL-2.0

//! Origins: the names of objects that compaction has moved into a zspage.
//!
//! A slot is *native* if the object in it was born there: its name is that of the slot, and is recorded
//! nowhere. It is *foreign* if compaction put the object there. To move or free such an object its name
//! has to be known, and is in the origins of the zspage.
//!
//! ```text
//! | Origins: anchor, sizes | bitmap of the foreign slots | name 0 … name n-1 | room |
//! ```
//!
//! They stand between the zspage and its anchor, so that they take no room in a zspage without. The
//! position of a name is the rank of its slot's bit. All of it is used under the class lock only.

use super::{
    anchor::Anchor,
    bitmap::{bit, rank, WORD},
    geometry::ClassSpec,
    handle::{Name, ObjIndex},
};
use crate::sys::alloc::Memory;
use core::{cell::Cell, marker::PhantomData, mem, ptr::NonNull, slice};

/// The first part of the origins of a zspage.
///
/// # Invariants
///
/// It lies in [`Memory`] of `words` words; behind it are `bitmap_words` words, with `count` bits set,
/// and room for names, of which there are `count`.
#[repr(C)]
pub(crate) struct Origins {
    /// The anchor of the zspage, until its objects have moved.
    anchor: Cell<Option<NonNull<Anchor>>>,
    /// All there is, in words.
    words: u16,
    bitmap_words: u16,
    count: Cell<u16>,
}

/// Bytes of origins for so many foreign objects, as [`Memory`] has them.
pub(super) fn origins_bytes(spec: &ClassSpec, count: usize) -> usize {
    let words = spec.bitmap_words().wrapping_add(count);
    Memory::round_up(HEADER.wrapping_add(words).wrapping_mul(WORD))
}

/// Words before the bitmap.
const HEADER: usize = mem::size_of::<Origins>() / WORD;

/// The origins of a zspage, and all that lies behind the struct.
///
/// # Invariants
///
/// For `'a` they are there, and this task has the class lock of the zspage.
#[derive(Clone, Copy)]
pub(super) struct OriginsRef<'a> {
    origins: NonNull<Origins>,
    _alive: PhantomData<&'a Origins>,
}

impl<'a> OriginsRef<'a> {
    /// # Safety
    ///
    /// For `'a` the origins are there, and this task has the class lock of their zspage.
    #[inline]
    pub(super) unsafe fn new(origins: NonNull<Origins>) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            origins,
            _alive: PhantomData,
        }
    }

    /// New origins of a zspage of that class, without names, as many as fit into the memory.
    pub(super) fn init(memory: Memory, spec: &ClassSpec) -> NonNull<Origins> {
        let words = memory.len() / WORD;
        let origins = memory.into_raw().cast::<Origins>();
        // SAFETY: The memory is ours, and has room for that.
        // INVARIANT: The memory is zero, and so the bitmap empty.
        unsafe {
            origins.as_ptr().write(Origins {
                anchor: Cell::new(None),
                words: words as u16,
                bitmap_words: spec.bitmap_words() as u16,
                count: Cell::new(0),
            });
        }
        origins
    }

    fn header(self) -> &'a Origins {
        // SAFETY: By the type invariant. What changes is in cells.
        unsafe { self.origins.as_ref() }
    }

    /// Foreign objects.
    #[inline]
    pub(super) fn count(self) -> usize {
        usize::from(self.header().count.get())
    }

    /// The anchor of the zspage, until its objects have moved.
    #[inline]
    pub(super) fn anchor(self) -> &'a Cell<Option<NonNull<Anchor>>> {
        &self.header().anchor
    }

    /// How many more there is room for.
    pub(super) fn room(self) -> usize {
        self.names().len().saturating_sub(self.count())
    }

    /// Bytes that they take.
    pub(super) fn bytes(self) -> usize {
        usize::from(self.header().words).wrapping_mul(WORD)
    }

    /// Words `first` to `end` of all that there is.
    fn words(self, first: usize, end: usize) -> &'a [Cell<usize>] {
        let start = self.origins.as_ptr().cast::<Cell<usize>>();
        // SAFETY: Called below with numbers of the struct. By its invariant the words are there.
        unsafe { slice::from_raw_parts(start.wrapping_add(first), end.saturating_sub(first)) }
    }

    fn bitmap(self) -> &'a [Cell<usize>] {
        self.words(HEADER, self.names_begin())
    }

    /// The number of the word that is the first name.
    fn names_begin(self) -> usize {
        HEADER.wrapping_add(usize::from(self.header().bitmap_words))
    }

    /// The bits of word `number` of the bitmap of foreign slots.
    pub(super) fn bits(self, number: usize) -> usize {
        self.bitmap().get(number).map_or(0, Cell::get)
    }

    /// Whether the object in a slot was moved there.
    #[inline]
    pub(super) fn is_foreign(self, slot: ObjIndex) -> bool {
        let (word, mask) = bit(slot);
        self.bits(word) & mask != 0
    }

    /// The position of the name of a slot, were it foreign.
    fn rank(self, slot: ObjIndex) -> usize {
        rank(self.bitmap().iter().map(Cell::get), slot)
    }

    /// The names, with the room behind them.
    fn names(self) -> &'a [Cell<usize>] {
        self.words(self.names_begin(), usize::from(self.header().words))
    }

    /// The name of the object in a foreign slot.
    pub(super) fn get(self, slot: ObjIndex) -> Option<Name> {
        if !self.is_foreign(slot) {
            return None;
        }
        Name::from_raw(self.names().get(self.rank(slot))?.get())
    }

    /// Records the name of an object that is moved into a slot. Whether there was room.
    pub(super) fn insert(self, slot: ObjIndex, name: Name) -> bool {
        let (word, mask) = bit(slot);
        let Some(bits) = self.bitmap().get(word) else {
            return false;
        };
        if self.room() == 0 || bits.get() & mask != 0 {
            return false;
        }
        let count = self.count();
        // Slots are taken in their order, so that mostly this one is behind all others.
        let mut behind = self.bitmap().iter().skip(word.wrapping_add(1));
        let is_last = bits.get() < mask && behind.all(|bits| bits.get() == 0);
        let rank = if is_last { count } else { self.rank(slot) };
        let names = self.names().get(rank..=count).unwrap_or_default();
        // Each takes the value of the one before it.
        let mut carried = name.into_raw();
        for cell in names {
            carried = cell.replace(carried);
        }
        bits.set(bits.get() | mask);
        self.header().count.set(count.wrapping_add(1) as u16);
        true
    }

    /// Forgets the name of a slot that is given back.
    pub(super) fn remove(self, slot: ObjIndex) -> Option<Name> {
        let name = self.get(slot)?;
        let (word, mask) = bit(slot);
        let bits = self.bitmap().get(word)?;
        let (rank, count) = (self.rank(slot), self.count());
        // Each takes the value of the one behind it.
        let mut carried = 0;
        for cell in self.names().get(rank..count)?.iter().rev() {
            carried = cell.replace(carried);
        }
        bits.set(bits.get() & !mask);
        self.header().count.set(count.wrapping_sub(1) as u16);
        Some(name)
    }

    /// Takes over the names that `old` has.
    pub(super) fn take_from(self, old: OriginsRef<'_>) {
        for (to, from) in self.bitmap().iter().zip(old.bitmap()) {
            to.set(from.get());
        }
        for (to, from) in self.names().iter().zip(old.names()).take(old.count()) {
            to.set(from.get());
        }
        self.header().count.set(old.header().count.get());
    }

    /// Frees them.
    ///
    /// # Safety
    ///
    /// No zspage has them any more; this is their last use.
    pub(super) unsafe fn free(self) {
        let bytes = self.bytes();
        // SAFETY: As the caller promises. They came from `Memory`.
        unsafe { drop(Memory::from_raw(self.origins.cast(), bytes)) };
    }
}
