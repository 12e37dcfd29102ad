// SPDX-License-Identifier: GPL-2.0

//! The slots of a zspage: which of its objects are in use, under the class lock.

use super::{
    bitmap::{self, bit},
    class::ListedZspage,
    fullness::Fullness,
    geometry::{ClassSpec, WORD_BITS},
    handle::ObjIndex,
};
use core::cell::Cell;

/// Whether a zspage can be found under its class lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Membership {
    /// On the list of that group: alive as long as the class lock is held.
    Listed(Fullness),
    /// On no list: not born yet, or dead.
    #[default]
    Unlisted,
}

/// What the class lock protects in a zspage, besides its bitmap.
#[derive(Default)]
pub(crate) struct Slots {
    /// Objects in use.
    inuse: Cell<u16>,
    /// No word of the bitmap before this one has a free slot.
    first_free: Cell<u16>,
    /// Which list.
    pub(super) membership: Cell<Membership>,
}

impl Slots {
    /// Objects in use.
    #[inline]
    pub(crate) fn inuse(&self) -> u16 {
        self.inuse.get()
    }
}

/// The object of a bit, if the word has such a bit, and the class such an object.
#[inline]
fn object(word: usize, bit: u32, spec: &ClassSpec) -> Option<ObjIndex> {
    if bit < usize::BITS {
        let index = word.wrapping_mul(WORD_BITS).wrapping_add(bit as usize);
        ObjIndex::new(index, spec)
    } else {
        None
    }
}

impl ListedZspage<'_> {
    /// Takes a free slot. `None` if there is none.
    #[inline]
    pub(crate) fn take_slot(&self) -> Option<ObjIndex> {
        let (slots, bitmap) = (self.slots(), self.parts().bitmap());
        let spec = self.zspage().spec();
        if slots.membership.get() == Membership::Unlisted {
            return None;
        }
        let first_free = usize::from(slots.first_free.get());
        let (index, word) = (first_free..bitmap.len()).find_map(|word| {
            let bit = bitmap.get(word)?.get().trailing_ones();
            Some((object(word, bit, spec)?, word))
        })?;

        let (_, mask) = bit(index);
        let bits = bitmap.get(word)?;
        bits.set(bits.get() | mask);
        slots.first_free.set(word as u16);
        slots.inuse.set(slots.inuse.get().wrapping_add(1));
        Some(index)
    }

    /// Gives a slot back. Whether it was in use.
    #[inline]
    pub(crate) fn put_slot(&self, index: ObjIndex) -> bool {
        let (word, mask) = bit(index);
        match self.parts().bitmap().get(word) {
            Some(bits) if bits.get() & mask != 0 => bits.set(bits.get() & !mask),
            _ => return false,
        }
        let slots = self.slots();
        slots
            .first_free
            .set(slots.first_free.get().min(word as u16));
        slots.inuse.set(slots.inuse.get().wrapping_sub(1));
        true
    }

    /// Gives all slots back.
    pub(crate) fn put_all_slots(&self) {
        for bits in self.parts().bitmap() {
            bits.set(0);
        }
        self.slots().first_free.set(0);
        self.slots().inuse.set(0);
    }

    /// The slots that are in use. Those already passed may be given back meanwhile.
    pub(crate) fn used_slots(&self) -> impl Iterator<Item = ObjIndex> + '_ {
        bitmap::objects(self.parts().bitmap().iter().map(Cell::get))
    }

    /// Slots that are free.
    pub(crate) fn free_slots(&self) -> usize {
        let spec = self.zspage().spec();
        spec.objects()
            .saturating_sub(usize::from(self.slots().inuse()))
    }
}
