// SPDX-License-Identifier: GPL-2.0

//! Compaction: the emptiest zspages of a class are emptied, one at a time and each entirely, into others.
//!
//! A zspage is emptied under the class lock and its own write lock, without a break: its anchor says in
//! one word where all of its objects are. What is needed to remember where they went is allocated
//! before: a step that finds that it needs memory says so, the lock is given back, and the step is tried
//! again with the memory in hand. Without memory compaction ends; nothing is half moved.
//!
//! What is remembered takes memory as well, for as long as the objects live. So a zspage is emptied only
//! if what its pages are worth is much more than that: see [`WORTH`].

use super::{
    class::{ClassGuard, ListedZspage, SizeClass, WriteLockedZspage},
    moved::Repack,
    pool::Pool,
    stats::Event,
    table::table_bytes,
    targets::{Targets, MAX_TARGETS},
};
use crate::sys::{
    alloc::{Memory, NoMemory},
    atomic::Ordering,
    lock::cond_resched,
    page::{Gfp, PAGE_SIZE},
};

/// How many times what the new names take, at least, the pages of a zspage have to be that is emptied.
const WORTH: usize = 8;

/// Zspages that are looked at to find one to empty.
const MAX_LOOKS: usize = 8;

/// How often a step is tried again because what it needs has changed while memory was allocated.
const MAX_TRIES: u32 = 4;

/// What one step, done under the class lock, came to.
enum Step {
    /// Nothing is left to gain, or nothing can be moved now.
    Done,
    /// A zspage has been emptied.
    Emptied,
    /// A table has been made smaller.
    Repacked,
    /// Nothing was done, for want of memory of these sizes.
    Needs(Needs),
}

/// Sizes of what a step has to allocate; 0 where it is nothing.
#[derive(Clone, Copy, Default)]
struct Needs {
    table: usize,
    origins: [usize; MAX_TARGETS],
}

impl Needs {
    /// All bytes.
    fn bytes(&self) -> usize {
        self.origins
            .iter()
            .fold(self.table, |sum, &bytes| sum.saturating_add(bytes))
    }
}

/// Memory in hand.
#[derive(Default)]
struct Spares {
    table: Option<Memory>,
    origins: [Option<Memory>; MAX_TARGETS],
}

impl Spares {
    /// Allocates what is needed.
    fn new(needs: &Needs, gfp: Gfp) -> Result<Self, NoMemory> {
        let alloc = |bytes: usize| match bytes {
            0 => Ok(None),
            bytes => Memory::alloc(bytes, gfp).map(Some),
        };
        let mut spares = Self {
            table: alloc(needs.table)?,
            ..Self::default()
        };
        for (spare, &bytes) in spares.origins.iter_mut().zip(&needs.origins) {
            *spare = alloc(bytes)?;
        }
        Ok(spares)
    }

    /// Whether it is what is needed, to the byte.
    fn are(&self, needs: &Needs) -> bool {
        let bytes = |spare: &Option<Memory>| spare.as_ref().map_or(0, Memory::len);
        let mut origins = self.origins.iter().zip(&needs.origins);
        bytes(&self.table) == needs.table && origins.all(|(spare, &needed)| bytes(spare) == needed)
    }
}

impl Pool {
    /// Compacts all classes, and returns how many pages that freed (`zs_compact()`). Sleeps between
    /// zspages; takes the class locks in turn. One at a time: a second caller has nothing to do, and
    /// would only take locks from others.
    ///
    /// `gfp` says how to allocate what is remembered of objects that are moved.
    pub(crate) fn compact(&self, gfp: Gfp) -> usize {
        if self.compacting.swap(true, Ordering::Acquire) {
            return 0;
        }
        let pages = self
            .classes()
            .iter()
            .map(|class| self.compact_class(class, gfp))
            .fold(0, usize::saturating_add);
        self.stats().add(Event::PagesCompacted, pages);
        self.stats().add(Event::Compactions, 1);
        self.compacting.store(false, Ordering::Release);
        pages
    }

    /// Pages that [`Self::compact`] could free, if all of it were worth it. Takes no lock.
    pub(crate) fn freeable(&self) -> usize {
        self.classes()
            .iter()
            .map(SizeClass::freeable)
            .fold(0, usize::saturating_add)
    }

    /// Compacts a class and returns how many pages that freed.
    fn compact_class(&self, class: &SizeClass, gfp: Gfp) -> usize {
        let mut pages: usize = 0;
        let mut spares = Spares::default();
        let mut tries: u32 = 0;
        loop {
            let step = self.compact_step(&class.lock(), &mut spares);
            match step {
                Step::Done => return pages,
                Step::Emptied => pages = pages.saturating_add(class.spec().pages()),
                Step::Repacked => (),
                Step::Needs(_) if tries == MAX_TRIES => return pages,
                Step::Needs(needs) => {
                    // Those of before are of no use.
                    drop(core::mem::take(&mut spares));
                    let Ok(new) = Spares::new(&needs, gfp) else {
                        self.stats().add(Event::CompactNoMemory, 1);
                        return pages;
                    };
                    spares = new;
                    tries = tries.wrapping_add(1);
                    continue;
                }
            }
            tries = 0;
            cond_resched();
        }
    }

    /// Makes one table smaller, or empties one zspage.
    fn compact_step(&self, guard: &ClassGuard<'_>, spares: &mut Spares) -> Step {
        match guard.repack(&mut spares.table) {
            Repack::Done => return Step::Repacked,
            Repack::Needs(table) => {
                return Step::Needs(Needs {
                    table,
                    ..Needs::default()
                })
            }
            Repack::Nothing => (),
        }
        if guard.class().freeable() == 0 {
            return Step::Done;
        }
        let Some(source) = self.pick_source(guard) else {
            return Step::Done;
        };
        let Some(targets) = Targets::pick(guard, source.listed()) else {
            return Step::Done;
        };
        let spec = guard.class().spec();
        let needs = Needs {
            table: table_bytes(spec, source.listed().natives()),
            origins: targets.origins_needed(),
        };
        if needs.bytes().saturating_mul(WORTH) > spec.pages().saturating_mul(PAGE_SIZE) {
            return Step::Done;
        }
        if !spares.are(&needs) {
            return Step::Needs(needs);
        }
        targets.give_origins(&mut spares.origins);
        let moved = source.move_all(spares.table.take(), &targets);
        self.stats().add(Event::ObjectsCompacted, moved);

        targets.fix_fullness();
        if source.unlock().fix_fullness() {
            Step::Emptied
        } else {
            Step::Done
        }
    }

    /// A zspage to empty, locked: of the emptiest of which no object is mapped the one with the fewest
    /// objects that were born there. The others have been moved before; to move them again takes no
    /// more memory.
    fn pick_source<'g>(&self, guard: &'g ClassGuard<'_>) -> Option<WriteLockedZspage<'g>> {
        let mut fewest: usize = 0;
        loop {
            // Those with fewer natives than that have been tried.
            let left = guard
                .emptiest()
                .take(MAX_LOOKS)
                .filter(|zspage| zspage.natives() >= fewest);
            let zspage = left.min_by_key(ListedZspage::natives)?;
            fewest = zspage.natives().wrapping_add(1);
            if let Some(source) = zspage.try_write() {
                return Some(source);
            }
            self.stats().add(Event::CompactSkippedMapped, 1);
        }
    }
}
