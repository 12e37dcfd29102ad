// SPDX-License-Identifier: GPL-2.0

//! Anchors: where the objects that were born in one zspage are now.
//!
//! An anchor is made with a zspage, and named by the handles of all objects that are allocated there
//! while it is the zspage's. It is in one of three states, told by its first word in one load:
//!
//! - *in place*: the word is the address of the zspage, and the index of a name is the slot. So it is
//!   unless compaction comes by. The anchor dies with the zspage.
//! - *moved*: compaction has emptied the zspage. The word leads to a [table](super::table) of the places
//!   of those names that are still in use; the anchor dies with the last of them.
//! - *moved, one name*: the word is the place of the only name in use.
//!
//! Whoever dereferences an anchor has one of its names or, under the class lock, its zspage. So an
//! anchor needs no RCU. What its word leads to does: see [`Anchor::look`].

use super::{
    class::SizeClass,
    handle::{Location, Name, ObjIndex, Place, ANCHOR_ALIGN, PLACE},
    stats::Event,
    table::{Table, TableRef},
    zspage::{Zspage, ZspageRef},
};
use crate::sys::{
    alloc::NoMemory,
    atomic::{AtomicUsize, Ordering},
    page::Gfp,
    rcu::Reading,
    slab::{self, Cache},
};
use core::{cell::Cell, ffi::CStr, mem, ptr::NonNull};

/// The bit of a word that names a table. Both zspages and tables have it clear in their addresses.
const TABLE: usize = 2;

/// Where the objects born in one zspage are.
///
/// # Invariants
///
/// `word` is 0, the address of a zspage, that of a table with [`TABLE`], or a [`Place`]. Once the zspage
/// is published and until the anchor is freed, it and the rest are written under the class lock; to
/// leave a zspage, under its write lock as well.
#[repr(C)]
pub(crate) struct Anchor {
    word: AtomicUsize,
    /// Position of the class in its pool.
    class: u16,
    /// Names in use; counted only once they have moved.
    live: Cell<u16>,
    /// The name in use, if it is one.
    only: Cell<u16>,
}

/// What an anchor's word says.
pub(super) enum State<'a> {
    /// All objects are in the slots that their names say.
    InPlace(ZspageRef<'a>),
    /// The table has the place of each name.
    Moved(TableRef<'a>),
    /// The only name left is that of this place.
    MovedOne(Place),
    /// Nothing: the anchor has been freed.
    Gone,
}

impl State<'_> {
    /// # Safety
    ///
    /// `word` is that of an anchor, and what it leads to stays for the lifetime of the value.
    #[inline]
    unsafe fn decode(word: usize) -> Self {
        if word & (PLACE | TABLE) == 0 {
            return match NonNull::new(word as *mut Zspage) {
                // SAFETY: As the caller promises.
                Some(zspage) => Self::InPlace(unsafe { ZspageRef::new(zspage) }),
                None => Self::Gone,
            };
        }
        if let Some(place) = Place::from_raw(word) {
            return Self::MovedOne(place);
        }
        match NonNull::new((word & !TABLE) as *mut Table) {
            // SAFETY: As the caller promises.
            Some(table) => Self::Moved(unsafe { TableRef::new(table) }),
            None => Self::Gone,
        }
    }
}

/// What a first look at an object's anchor found, without a lock.
pub(super) struct Seen<'r> {
    /// The anchor's word.
    word: usize,
    /// The entry of a table, if the word led to one, and what was in it.
    entry: Option<(&'r AtomicUsize, usize)>,
    /// The place that came of it: true only until compaction moves the object.
    pub(super) location: Location<'r>,
}

impl Seen<'_> {
    /// What it is to find that compaction has moved the object since.
    #[cold]
    pub(super) fn retry(&self) -> Event {
        if self.word & (PLACE | TABLE) == 0 {
            Event::MapRetries
        } else {
            Event::MapRetriesMoved
        }
    }
}

impl Anchor {
    /// Position of the class in its pool.
    #[inline]
    pub(super) fn class(&self) -> usize {
        usize::from(self.class)
    }

    /// Where the object of `index` is now. The place is true only until a compaction moves the object,
    /// but the zspage lives as long as `reading`. `None` if the name is not in use.
    pub(super) fn look<'r>(&'r self, index: ObjIndex, reading: Reading<'r>) -> Option<Seen<'r>> {
        let (word, state) = self.load(reading);
        let (location, entry) = match state {
            State::InPlace(zspage) => (Location { zspage, index }, None),
            State::Moved(table) => {
                let entry = table.entry(index)?;
                let raw = entry.load(Ordering::Acquire);
                // SAFETY: As in `load()`: the place had the object.
                (unsafe { Place::from_raw(raw)?.open() }, Some((entry, raw)))
            }
            // SAFETY: As above.
            State::MovedOne(place) => (unsafe { place.open() }, None),
            State::Gone => return None,
        };
        Some(Seen {
            word,
            entry,
            location,
        })
    }

    /// The same, if the object is where it was born; `None` of any other.
    #[inline]
    pub(super) fn look_in_place<'r>(
        &'r self,
        index: ObjIndex,
        reading: Reading<'r>,
    ) -> Option<Seen<'r>> {
        match self.load(reading) {
            (word, State::InPlace(zspage)) => Some(Seen {
                word,
                entry: None,
                location: Location { zspage, index },
            }),
            _ => None,
        }
    }

    /// The word, and what it says.
    #[inline]
    fn load<'r>(&'r self, _reading: Reading<'r>) -> (usize, State<'r>) {
        let word = self.word.load(Ordering::Acquire);
        // SAFETY: A name is in use, so that what the word led to had its object when it was loaded.
        // Zspages and tables that are replaced are freed after a grace period.
        (word, unsafe { State::decode(word) })
    }

    /// Whether what was seen is true with the lock of the zspage that was seen: then it stays so until
    /// the lock is given back. Both the anchor and the entry are looked at again, since a table that has
    /// been replaced is not kept true.
    #[inline]
    pub(super) fn is_still(&self, seen: &Seen<'_>) -> bool {
        self.word.load(Ordering::Acquire) == seen.word
            && match seen.entry {
                None => true,
                Some((entry, raw)) => entry.load(Ordering::Acquire) == raw,
            }
    }

    /// The state, under the class lock, which the caller holds for `'a`.
    ///
    /// # Safety
    ///
    /// This task holds the lock of the anchor's class for `'a`.
    #[inline]
    pub(super) unsafe fn state<'a>(&self) -> State<'a> {
        // SAFETY: Under the class lock nothing that the word leads to is freed.
        unsafe { State::decode(self.word.load(Ordering::Relaxed)) }
    }

    /// Names in use, if they have moved. Under the class lock.
    pub(super) fn live(&self) -> &Cell<u16> {
        &self.live
    }

    /// The zspage does not lead here any more, only names do.
    pub(super) fn leave_to_names(&self) {
        slab::only_named(NonNull::from(self).cast());
    }

    /// Whether the name `index` is the one that [`State::MovedOne`] has. Under the class lock.
    pub(super) fn is_only(&self, index: ObjIndex) -> bool {
        usize::from(self.only.get()) == index.get()
    }

    /// The objects are in `zspage`, which has been given this anchor: before it is published.
    pub(super) fn set_in_place(&self, zspage: ZspageRef<'_>) {
        let address = zspage.as_non_null().as_ptr() as usize;
        self.word.store(address, Ordering::Release);
    }

    /// The objects have moved to the places of `table`. Under the class lock and, when it is the first
    /// time, the write lock of the zspage that they left.
    pub(super) fn set_table(&self, table: NonNull<Table>) {
        let address = table.as_ptr() as usize;
        self.word.store(address | TABLE, Ordering::Release);
    }

    /// The object of name `index`, the only one, has moved to `place`. As [`Self::set_table`].
    pub(super) fn set_only(&self, index: ObjIndex, place: Place) {
        self.only.set(index.get() as u16);
        self.word.store(place.into_raw(), Ordering::Release);
    }
}

/// Where the anchors of a pool lie.
pub(crate) struct Anchors(Cache);

impl Anchors {
    /// A cache for the anchors of the pool of that name. Sleeps.
    pub(crate) fn new(pool: &CStr) -> Result<Self, NoMemory> {
        let size = mem::size_of::<Anchor>();
        Ok(Self(Cache::new(c"zs_rs_anchor", pool, size, ANCHOR_ALIGN)?))
    }

    /// A new anchor, for zspages of `class`. Sleeps if `gfp` says so.
    pub(super) fn alloc(&self, class: &SizeClass, gfp: Gfp) -> Result<NonNull<Anchor>, NoMemory> {
        let anchor = self.0.alloc(gfp)?.cast::<Anchor>();
        // SAFETY: Just allocated, with room and alignment for it.
        // INVARIANT: The word is 0.
        unsafe {
            anchor.as_ptr().write(Anchor {
                word: AtomicUsize::new(0),
                class: class.position(),
                live: Cell::new(0),
                only: Cell::new(0),
            });
        }
        if !Name::fits(anchor.as_ptr() as usize) {
            // SAFETY: Nobody has seen it.
            unsafe { self.free(anchor) };
            return Err(NoMemory);
        }
        Ok(anchor)
    }

    /// Frees an anchor. Does not sleep.
    ///
    /// # Safety
    ///
    /// None of its names is in use, and no zspage has it.
    pub(super) unsafe fn free(&self, anchor: NonNull<Anchor>) {
        // SAFETY: As the caller promises. A handle that is used after its object has been freed finds,
        // with some luck, that there is nothing.
        unsafe {
            anchor.as_ref().word.store(0, Ordering::Relaxed);
            self.0.free(anchor.cast());
        }
    }
}
