// SPDX-License-Identifier: GPL-2.0

//! Where threads meet: the steps that are interleaved.

use super::{mutex::grab, world::world};
use crate::rt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Part of every lock, atomic and page frame: a step at one conflicts with every other step at it.
#[derive(Default)]
pub(crate) struct Point {
    /// Which slot of which world; 0 if none yet.
    slot: AtomicUsize,
}

const SLOT_BITS: u32 = 8;

impl Point {
    /// A point that has not been used.
    pub(crate) const fn new() -> Self {
        Self {
            slot: AtomicUsize::new(0),
        }
    }

    /// A step here. What is done before the next step is one with it.
    #[inline]
    pub(crate) fn step(&self) {
        if rt::THREADS {
            self.interleave();
        }
    }

    fn interleave(&self) {
        let world = world();
        if rt::QUARANTINE {
            grab(&world.heap).assert_not_freed(std::ptr::from_ref(self) as usize);
        }
        let mut slot = self.slot.load(Ordering::Relaxed);
        if slot >> SLOT_BITS != world.id() {
            slot = world.id() << SLOT_BITS | world.new_slot();
            self.slot.store(slot, Ordering::Relaxed);
        }
        world.step(slot & ((1 << SLOT_BITS) - 1));
        if rt::QUARANTINE {
            grab(&world.heap).assert_not_freed(std::ptr::from_ref(self) as usize);
        }
    }
}
