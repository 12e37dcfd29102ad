// SPDX-License-Identifier: GPL-2.0

//! Tables: the places of objects that compaction has moved, for one anchor.
//!
//! A table has an entry for each name that was in use when it was made. Which names these are does not
//! change: a bitmap, and the rank of a name's bit is the position of its entry. Entries change, to
//! another place when the object moves again, or to 0 when it is freed.
//!
//! ```text
//! | Table: links or RCU head, anchor, sizes | bitmap | entry 0 … entry n-1 |
//! ```
//!
//! Map reads a table in an RCU read section, without a lock. So a table that is replaced by a smaller
//! one is freed after a grace period. One whose last name is freed is not: only the owner of a name may
//! be looking into it.

use super::{
    anchor::Anchor,
    bitmap::{self, bit, rank, set_bits, WORD},
    geometry::ClassSpec,
    handle::{ObjIndex, Place},
    list::{Link, Linked},
};
use crate::sys::{
    alloc::Memory,
    atomic::{AtomicUsize, Ordering},
    rcu,
};
use core::{cell::Cell, marker::PhantomData, mem, ptr::NonNull, slice};

/// The first part of a table.
///
/// # Invariants
///
/// It lies in [`Memory`] of `words` words; behind it are `bitmap_words` words, with `names` bits set, and so
/// many entries. Entries are 0 or places.
#[repr(C)]
pub(crate) struct Table {
    /// Its links, while it is worth repacking; its RCU head, once it has been replaced.
    link: Link<Table>,
    anchor: NonNull<Anchor>,
    /// Its size, in words.
    words: u16,
    names: u16,
    bitmap_words: u16,
    /// Whether the links are in use.
    listed: Cell<bool>,
}

const _: () = assert!(mem::size_of::<Link<Table>>() >= mem::size_of::<rcu::Head>());
const _: () = assert!(mem::align_of::<Link<Table>>() >= mem::align_of::<rcu::Head>());

/// Bytes of a table for `names` names of a class, as [`Memory`] has them; 0 if none is needed, because
/// a single name is kept in the anchor itself.
pub(super) fn table_bytes(spec: &ClassSpec, names: usize) -> usize {
    if names < 2 {
        return 0;
    }
    Memory::round_up(size(spec.bitmap_words(), names))
}

/// Bytes of a table, and of what lies behind its struct.
fn size(bitmap_words: usize, names: usize) -> usize {
    mem::size_of::<Table>()
        .wrapping_add(bitmap_words.wrapping_mul(WORD))
        .wrapping_add(names.wrapping_mul(mem::size_of::<AtomicUsize>()))
}

/// A table that is being made, and is seen by nobody yet.
pub(super) struct NewTable<'a> {
    table: TableRef<'a>,
    /// Entries that are filled.
    filled: Cell<usize>,
}

impl<'a> NewTable<'a> {
    /// A table for the names whose bits are set in `bitmap`. `None` if it does not fit into the memory.
    pub(super) fn new(
        memory: Memory,
        anchor: NonNull<Anchor>,
        bitmap: impl Iterator<Item = usize> + Clone,
    ) -> Option<Self> {
        let (bitmap_words, names) =
            bitmap
                .clone()
                .fold((0_usize, 0_usize), |(words, names), bits| {
                    let more = bits.count_ones() as usize;
                    (words.wrapping_add(1), names.wrapping_add(more))
                });
        let bytes = memory.len();
        if size(bitmap_words, names) > bytes {
            return None;
        }
        let table = memory.into_raw().cast::<Table>();
        // SAFETY: The memory is ours, and large enough for the table and what lies behind it.
        // INVARIANT: So it is filled.
        let table = unsafe {
            table.as_ptr().write(Table {
                link: Link::default(),
                anchor,
                words: (bytes / WORD) as u16,
                names: names as u16,
                bitmap_words: bitmap_words as u16,
                listed: Cell::new(false),
            });
            let words = table.as_ptr().wrapping_add(1).cast::<usize>();
            for (number, word) in (0..bitmap_words).zip(bitmap) {
                words.wrapping_add(number).write(word);
            }
            let entries = words.wrapping_add(bitmap_words).cast::<AtomicUsize>();
            for number in 0..names {
                entries.wrapping_add(number).write(AtomicUsize::new(0));
            }
            TableRef::new(table)
        };
        Some(Self {
            table,
            filled: Cell::new(0),
        })
    }

    /// Says where the object of the next name is, the lowest first.
    pub(super) fn push(&self, place: Place) {
        let number = self.filled.get();
        if let Some(entry) = self.table.entries().get(number) {
            // Seen by others once the anchor leads to the table, and not before.
            entry.store(place.into_raw(), Ordering::Relaxed);
        }
        self.filled.set(number.wrapping_add(1));
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Frees the table, which nobody has seen.
    pub(super) fn discard(self) {
        // SAFETY: No anchor leads to it.
        unsafe { self.table.free() };
    }

    /// Gives the table to its anchor.
    pub(super) fn into_raw(self) -> NonNull<Table> {
        self.table.table
    }
}

/// A table, and all that lies behind its struct.
///
/// # Invariants
///
/// For `'a` the table is there.
#[derive(Clone, Copy)]
pub(super) struct TableRef<'a> {
    table: NonNull<Table>,
    _alive: PhantomData<&'a Table>,
}

impl<'a> TableRef<'a> {
    /// # Safety
    ///
    /// The table is there for `'a`: under the class lock, or RCU.
    #[inline]
    pub(super) unsafe fn new(table: NonNull<Table>) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            table,
            _alive: PhantomData,
        }
    }

    /// Its address.
    pub(super) fn as_non_null(self) -> NonNull<Table> {
        self.table
    }

    fn header(self) -> &'a Table {
        // SAFETY: By the type invariant. What changes is in cells.
        unsafe { self.table.as_ref() }
    }

    /// The anchor.
    pub(super) fn anchor(self) -> NonNull<Anchor> {
        self.header().anchor
    }

    /// Bytes that it takes.
    pub(super) fn bytes(self) -> usize {
        usize::from(self.header().words).wrapping_mul(WORD)
    }

    /// Names that it has an entry for.
    pub(super) fn names(self) -> usize {
        usize::from(self.header().names)
    }

    /// Whether its links are in use. Under the class lock.
    pub(super) fn listed(self) -> &'a Cell<bool> {
        &self.header().listed
    }

    fn bitmap(self) -> &'a [usize] {
        let start = self.table.as_ptr().wrapping_add(1).cast();
        // SAFETY: By the invariant of the table.
        unsafe { slice::from_raw_parts(start, usize::from(self.header().bitmap_words)) }
    }

    fn entries(self) -> &'a [AtomicUsize] {
        let words = self.table.as_ptr().wrapping_add(1).cast::<usize>();
        let start = words.wrapping_add(usize::from(self.header().bitmap_words));
        // SAFETY: By the invariant of the table.
        unsafe { slice::from_raw_parts(start.cast(), self.names()) }
    }

    /// The entry of a name; `None` if it had been freed when the table was made.
    pub(super) fn entry(self, index: ObjIndex) -> Option<&'a AtomicUsize> {
        let (word, mask) = bit(index);
        let bitmap = self.bitmap();
        if bitmap.get(word)? & mask == 0 {
            return None;
        }
        self.entries().get(rank(bitmap.iter().copied(), index))
    }

    /// The place of a name in use. Under the class lock.
    pub(super) fn place(self, index: ObjIndex) -> Option<Place> {
        Place::from_raw(self.entry(index)?.load(Ordering::Relaxed))
    }

    /// Changes the place of a name. Under the class lock and the write lock of the zspage that the
    /// object leaves.
    pub(super) fn set(self, index: ObjIndex, place: Place) {
        if let Some(entry) = self.entry(index) {
            entry.store(place.into_raw(), Ordering::Release);
        }
    }

    /// Forgets a name that is freed. Under the class lock.
    pub(super) fn clear(self, index: ObjIndex) {
        if let Some(entry) = self.entry(index) {
            entry.store(0, Ordering::Relaxed);
        }
    }

    /// The names in use, and their places. Under the class lock.
    pub(super) fn live_names(self) -> impl Iterator<Item = (ObjIndex, Place)> + 'a {
        let set = bitmap::objects(self.bitmap().iter().copied());
        set.zip(self.entries()).filter_map(|(index, entry)| {
            Some((index, Place::from_raw(entry.load(Ordering::Relaxed))?))
        })
    }

    /// The bits of word `number` of a bitmap of the names in use. Under the class lock.
    fn live_bits(self, number: usize) -> usize {
        let bitmap = self.bitmap();
        let before = rank(bitmap.iter().copied(), ObjIndex::of_bit(number, 0));
        let bits = bitmap.get(number).copied().unwrap_or(0);
        set_bits(bits)
            .zip(self.entries().iter().skip(before))
            .filter(|(_, entry)| entry.load(Ordering::Relaxed) != 0)
            .fold(0, |live, (bit, _)| live | 1 << bit)
    }

    /// A bitmap of the names in use. Under the class lock.
    pub(super) fn live_bitmap(self) -> impl Iterator<Item = usize> + Clone + 'a {
        (0..self.bitmap().len()).map(move |number| self.live_bits(number))
    }

    /// Frees the table at once.
    ///
    /// # Safety
    ///
    /// No anchor leads to it, none of its names is in use, and it is on no list.
    pub(super) unsafe fn free(self) {
        // SAFETY: As the caller promises.
        unsafe { <Table as rcu::Deferred>::free(self.table) };
    }

    /// Frees the table after a grace period.
    ///
    /// # Safety
    ///
    /// No anchor leads to it any more, and it is on no list.
    pub(super) unsafe fn free_deferred(self) {
        // SAFETY: As the caller promises; whoever found it is in an RCU read section.
        unsafe { rcu::free_deferred(self.table) };
    }
}

impl Linked for Table {
    fn link(this: NonNull<Self>) -> NonNull<Link<Self>> {
        this.cast()
    }
}

// SAFETY: The head is at the address of the field `link`, which is the first, and is used for nothing
// else once the table is on no list.
unsafe impl rcu::Deferred for Table {
    fn head(this: NonNull<Self>) -> NonNull<rcu::Head> {
        this.cast()
    }

    fn from_head(head: NonNull<rcu::Head>) -> NonNull<Self> {
        head.cast()
    }

    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: Nobody uses the table any more. It has its size in it, and came from `Memory`.
        unsafe {
            let bytes = TableRef::new(this).bytes();
            drop(Memory::from_raw(this.cast(), bytes));
        }
    }
}
