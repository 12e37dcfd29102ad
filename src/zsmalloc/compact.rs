// SPDX-License-Identifier: GPL-2.0

//! Compaction: the emptiest zspages of a class are emptied, one at a time and each entirely, into others.
//!
//! A zspage is emptied under the class lock and its own write lock, without a break: its anchor says in
//! one word where all of its objects are. What is needed to remember where they went is allocated first,
//! under the class lock as well, and so without waiting: were the lock given back for it, what to move
//! where would have to be found out once more. Without memory compaction of the class ends; nothing is
//! half moved.
//!
//! What is remembered takes memory as well, for as long as the objects live. So a zspage is emptied only
//! if what its pages are worth is much more than that: see [`WORTH`].

use super::{
    class::{ClassGuard, SizeClass, WriteLockedZspage},
    pool::Pool,
    stats::Event,
    table::table_bytes,
    targets::Targets,
};
use crate::sys::{
    alloc::{Memory, NoMemory},
    atomic::Ordering,
    lock::cond_resched,
    page::PAGE_SIZE,
    trace::{self, Compacted, PoolId},
};

/// How many times what the new names take, at least, the pages of a zspage have to be that is emptied.
const WORTH: usize = 8;

/// Zspages that are looked at to find one to empty.
const MAX_LOOKS: u32 = 8;

/// What one step, done under the class lock, came to.
enum Step {
    /// Nothing is left to gain, or nothing can be moved now.
    Done,
    /// A zspage has been emptied, or a table has been made smaller.
    Moved,
}

impl Pool {
    /// Compacts all classes, and returns how many pages that freed (`zs_compact()`). Sleeps between
    /// zspages; takes the class locks in turn. One at a time: a second caller has nothing to do, and
    /// would only take locks from others.
    pub(crate) fn compact(&self) -> usize {
        if self.compacting.swap(true, Ordering::Acquire) {
            return 0;
        }
        let pages = self
            .classes()
            .iter()
            .map(|class| self.compact_class(class))
            .fold(0, usize::saturating_add);
        self.stats().add(Event::PagesCompacted, pages);
        self.stats().add(Event::Compactions, 1);
        self.compacting.store(false, Ordering::Release);
        pages
    }

    /// Pages that [`Self::compact`] could free at most: if all of it were worth it, and could go to
    /// few enough zspages. Takes no lock.
    pub(crate) fn freeable(&self) -> usize {
        self.classes()
            .iter()
            .map(SizeClass::freeable)
            .fold(0, usize::saturating_add)
    }

    /// Compacts a class and returns how many pages that freed.
    fn compact_class(&self, class: &SizeClass) -> usize {
        let mut came_to = Compacted::default();
        loop {
            // The lock is given back before the step is looked at.
            let step = Self::compact_step(&class.lock(), &mut came_to);
            match step {
                Ok(Step::Moved) => cond_resched(),
                Ok(Step::Done) => break,
                Err(NoMemory) => {
                    came_to.no_memory = true;
                    break;
                }
            }
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
    fn compact_step(guard: &ClassGuard<'_>, came_to: &mut Compacted) -> Result<Step, NoMemory> {
        if guard.repack()? {
            return Ok(Step::Moved);
        }
        if guard.class().freeable() == 0 {
            return Ok(Step::Done);
        }
        let Some(source) = pick_source(guard, came_to) else {
            return Ok(Step::Done);
        };
        let Some(targets) = Targets::pick(guard, source.listed()) else {
            return Ok(Step::Done);
        };
        let Some(natives) = source.listed().checked_natives() else {
            return Ok(Step::Done);
        };
        let spec = guard.class().spec();
        let table = table_bytes(spec, natives);
        let names = table.saturating_add(targets.names_bytes());
        if names.saturating_mul(WORTH) > spec.pages().saturating_mul(PAGE_SIZE) {
            return Ok(Step::Done);
        }
        let table = Memory::alloc_some(table)?;
        targets.make_room()?;
        let moved = source.move_all(table, &targets);
        came_to.moved = came_to.moved.saturating_add(moved);

        targets.fix_fullness();
        if !source.unlock().fix_fullness() {
            return Ok(Step::Done);
        }
        came_to.freed = came_to.freed.saturating_add(spec.pages());
        Ok(Step::Moved)
    }
}

/// A zspage to empty, locked: of the emptiest of which no object is mapped the one with the fewest
/// objects that were born there. The others have been moved before; to move them again takes no
/// more memory.
fn pick_source<'g>(
    guard: &'g ClassGuard<'_>,
    came_to: &mut Compacted,
) -> Option<WriteLockedZspage<'g>> {
    let bit = |number| 1_u32.wrapping_shl(number);
    let mut tried = 0;
    loop {
        let candidates = (0..MAX_LOOKS).map(bit).zip(guard.emptiest());
        let left = candidates.filter(|(bit, _)| tried & bit == 0);
        let (bit, zspage) = left.min_by_key(|(_, zspage)| zspage.natives())?;
        tried |= bit;
        if let Some(source) = zspage.try_write() {
            return Some(source);
        }
        came_to.skipped = came_to.skipped.saturating_add(1);
    }
}
