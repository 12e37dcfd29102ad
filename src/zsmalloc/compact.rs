// SPDX-License-Identifier: GPL-2.0

//! Compaction: objects of the emptiest zspages of a class move to the fullest, until whole zspages
//! are free.

use super::{
    class::{ClassGuard, ListedZspage, SizeClass, WriteLockedZspage},
    pool::Pool,
    stats::Event,
};
use crate::sys::{atomic::Ordering, lock::cond_resched};

/// Zspages with mapped objects that one step passes over before it gives up on the class.
const MAX_SKIPPED: u32 = 8;

/// What one step, done under the class lock, came to.
enum Step {
    /// Nothing is left to gain, or nothing can be moved now.
    Done,
    /// Objects were moved.
    Moved,
    /// Objects were moved, and left a zspage without any.
    Emptied,
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

    /// Pages that [`Self::compact`] could free. Takes no lock.
    pub(crate) fn freeable(&self) -> usize {
        self.classes()
            .iter()
            .map(SizeClass::freeable)
            .fold(0, usize::saturating_add)
    }

    /// Compacts a class and returns how many pages that freed.
    fn compact_class(&self, class: &SizeClass) -> usize {
        let mut pages: usize = 0;
        loop {
            match self.compact_step(&class.lock()) {
                Step::Done => return pages,
                Step::Moved => (),
                Step::Emptied => pages = pages.saturating_add(class.spec().pages()),
            }
            cond_resched();
        }
    }

    /// Moves objects from one zspage to another.
    fn compact_step(&self, guard: &ClassGuard<'_>) -> Step {
        if guard.class().freeable() == 0 {
            return Step::Done;
        }
        let Some(target) = guard.fullest_with_room() else {
            return Step::Done;
        };
        let Some(source) = self.pick_source(guard, &target) else {
            return Step::Done;
        };

        let mut moved: usize = 0;
        let mut from = 0;
        while let Some((index, word)) = source.listed().used_slot(from) {
            from = word;
            if source.move_object(index, &target).is_none() {
                break;
            }
            moved = moved.saturating_add(1);
        }
        self.stats().add(Event::ObjectsCompacted, moved);

        target.fix_fullness();
        if source.unlock().fix_fullness() {
            Step::Emptied
        } else if moved > 0 {
            Step::Moved
        } else {
            Step::Done
        }
    }

    /// The emptiest zspage other than `target` of which no object is mapped, locked.
    fn pick_source<'g>(
        &self,
        guard: &'g ClassGuard<'_>,
        target: &ListedZspage<'_>,
    ) -> Option<WriteLockedZspage<'g>> {
        let mut skipped: u32 = 0;
        for zspage in guard.emptiest() {
            if zspage.zspage().is(target.zspage()) {
                continue;
            }
            if let Some(source) = zspage.try_write() {
                return Some(source);
            }
            self.stats().add(Event::CompactSkippedMapped, 1);
            skipped = skipped.saturating_add(1);
            if skipped == MAX_SKIPPED {
                break;
            }
        }
        None
    }
}
