// SPDX-License-Identifier: GPL-2.0

//! The slots of a zspage: which of its objects are in use, under the class lock.

use super::{
    class::ClassGuard,
    fullness::Fullness,
    geometry::{ClassSpec, WORD_BITS},
    handle::ObjIndex,
    zspage::Zspage,
};

/// Whether a zspage can be found under its class lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// On the list of that group: alive as long as the class lock is held.
    Listed(Fullness),
    /// On no list: not born yet, or dead.
    Unlisted,
}

/// What the class lock protects in a zspage.
pub(crate) struct Slots {
    /// Objects in use.
    pub(crate) inuse: u16,
    /// No word of the bitmap before this one has a free slot.
    first_free: u16,
    /// Which list.
    pub(crate) membership: Membership,
}

impl Slots {
    /// Those of a new zspage.
    pub(super) fn none() -> Self {
        Self {
            inuse: 0,
            first_free: 0,
            membership: Membership::Unlisted,
        }
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

/// The bit of an object: which word, and its mask.
#[inline]
fn bit(index: ObjIndex) -> (usize, usize) {
    (index.get() / WORD_BITS, 1 << (index.get() % WORD_BITS))
}

impl Zspage {
    /// Takes a free slot. `None` if there is none.
    #[inline]
    pub(crate) fn take_slot(&self, guard: &mut ClassGuard<'_>) -> Option<ObjIndex> {
        let first_free = usize::from(self.slots(guard).first_free);
        let bitmap = self.bitmap_mut(guard);
        let (index, word) = (first_free..bitmap.len()).find_map(|word| {
            let bit = bitmap.get(word)?.trailing_ones();
            Some((object(word, bit, self.spec())?, word))
        })?;

        let (_, mask) = bit(index);
        *bitmap.get_mut(word)? |= mask;
        let slots = self.slots_mut(guard);
        slots.first_free = word as u16;
        slots.inuse = slots.inuse.wrapping_add(1);
        Some(index)
    }

    /// Gives a slot back. Whether it was in use.
    #[inline]
    pub(crate) fn put_slot(&self, index: ObjIndex, guard: &mut ClassGuard<'_>) -> bool {
        let (word, mask) = bit(index);
        match self.bitmap_mut(guard).get_mut(word) {
            Some(bits) if *bits & mask != 0 => *bits &= !mask,
            _ => return false,
        }
        let slots = self.slots_mut(guard);
        slots.first_free = slots.first_free.min(word as u16);
        slots.inuse = slots.inuse.wrapping_sub(1);
        true
    }

    /// Whether a slot is in use.
    #[cfg(debug_assertions)]
    pub(crate) fn is_used(&self, index: ObjIndex, guard: &ClassGuard<'_>) -> bool {
        let (word, mask) = bit(index);
        let bits = self.bitmap(guard).get(word);
        bits.is_some_and(|bits| bits & mask != 0)
    }

    /// The first slot in use, from word `from` of the bitmap on, and its word.
    pub(crate) fn used_slot(
        &self,
        from: usize,
        guard: &ClassGuard<'_>,
    ) -> Option<(ObjIndex, usize)> {
        let bitmap = self.bitmap(guard);
        (from..bitmap.len()).find_map(|word| {
            let bit = bitmap.get(word)?.trailing_zeros();
            Some((object(word, bit, self.spec())?, word))
        })
    }
}
