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
    class::{ClassGuard, SizeClass, WriteLockedZspage},
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
    trace::{self, Compacted, PoolId},
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
    /// A zspage has been emptied, or a table has been made smaller.
    Moved,
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
        let mut came_to = Compacted::default();
        let mut spares = Spares::default();
        let mut tries: u32 = 0;
        loop {
            // The lock is given back before anything is allocated.
            let step = Self::compact_step(&class.lock(), &mut spares, &mut came_to);
            match step {
                Step::Done => break,
                Step::Moved => tries = 0,
                Step::Needs(_) if tries == MAX_TRIES => break,
                Step::Needs(needs) => {
                    // Those of before are of no use.
                    drop(core::mem::take(&mut spares));
                    let Ok(new) = Spares::new(&needs, gfp) else {
                        came_to.no_memory = true;
                        break;
                    };
                    spares = new;
                    tries = tries.wrapping_add(1);
                    continue;
                }
            }
            cond_resched();
        }
        let stats = self.stats();
        for (event, n) in [
            (Event::ObjectsCompacted, came_to.moved),
            (Event::CompactSkippedMapped, came_to.skipped),
            (Event::CompactNoMemory, usize::from(came_to.no_memory)),
        ] {
            if n > 0 {
                stats.add(event, n);
            }
        }
        trace::compact(PoolId::of(stats), class.spec().size(), came_to);
        came_to.freed
    }

    /// Makes one table smaller, or empties one zspage.
    fn compact_step(guard: &ClassGuard<'_>, spares: &mut Spares, came_to: &mut Compacted) -> Step {
        match guard.repack(&mut spares.table) {
            Repack::Done => return Step::Moved,
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
        let Some(source) = pick_source(guard, came_to) else {
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
        let names = needs.bytes().saturating_sub(targets.origins_replaced());
        if names.saturating_mul(WORTH) > spec.pages().saturating_mul(PAGE_SIZE) {
            return Step::Done;
        }
        if !spares.are(&needs) {
            return Step::Needs(needs);
        }
        targets.give_origins(&mut spares.origins);
        let moved = source.move_all(spares.table.take(), &targets);
        came_to.moved = came_to.moved.saturating_add(moved);

        targets.fix_fullness();
        if !source.unlock().fix_fullness() {
            return Step::Done;
        }
        came_to.freed = came_to.freed.saturating_add(spec.pages());
        Step::Moved
    }
}

/// A zspage to empty, locked: of the emptiest of which no object is mapped the one with the fewest
/// objects that were born there. The others have been moved before; to move them again takes no
/// more memory.
fn pick_source<'g>(
    guard: &'g ClassGuard<'_>,
    came_to: &mut Compacted,
) -> Option<WriteLockedZspage<'g>> {
    let mut tried: u32 = 0;
    loop {
        let candidates = guard.emptiest().take(MAX_LOOKS).enumerate();
        let left = candidates.filter(|(number, _)| tried & 1 << number == 0);
        let (number, zspage) = left.min_by_key(|(_, zspage)| zspage.natives())?;
        tried |= 1 << number;
        if let Some(source) = zspage.try_write() {
            return Some(source);
        }
        came_to.skipped = came_to.skipped.saturating_add(1);
    }
}
