// SPDX-License-Identifier: GPL-2.0

//! Compaction: objects of the emptiest zspages of a class move to the fullest, until whole zspages
//! are free.

use super::{
    class::{ClassGuard, SizeClass},
    handle::{Handle, ObjIndex},
    object::Place,
    owned::OwnedZspage,
    pool::Pool,
    stats::Event,
    zspage::{WriteGuard, Zspage},
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
    /// Objects were moved, and left this zspage without any.
    Emptied(OwnedZspage),
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
        self.counters().add(Event::PagesCompacted, pages);
        self.counters().add(Event::Compactions, 1);
        self.compacting.store(false, Ordering::Release);
        pages
    }

    /// Pages that [`Self::compact`] could free. Takes the class locks in turn.
    pub(crate) fn freeable(&self) -> usize {
        self.classes()
            .iter()
            .map(|class| class.stats().freeable(class.spec()))
            .fold(0, usize::saturating_add)
    }

    /// Compacts a class and returns how many pages that freed.
    fn compact_class(&self, class: &SizeClass) -> usize {
        let mut pages: usize = 0;
        loop {
            let step = self.compact_step(&mut class.lock());
            match step {
                Step::Done => return pages,
                Step::Moved => (),
                Step::Emptied(zspage) => {
                    drop(zspage);
                    pages = pages.saturating_add(class.spec().pages());
                }
            }
            cond_resched();
        }
    }

    /// Moves objects from one zspage to another.
    fn compact_step(&self, guard: &mut ClassGuard<'_>) -> Step {
        if guard.stats().freeable(guard.spec()) == 0 {
            return Step::Done;
        }
        let Some(target) = guard.fullest_with_room() else {
            return Step::Done;
        };
        let Some((source, writer)) = self.pick_source(guard, target) else {
            return Step::Done;
        };

        let mut moved: usize = 0;
        let mut from = 0;
        while let Some((index, word)) = source.used_slot(from, guard) {
            from = word;
            if move_object(guard, source, index, target, &writer).is_none() {
                break;
            }
            moved = moved.saturating_add(1);
        }
        self.counters().add(Event::ObjectsCompacted, moved);
        drop(writer);

        let emptied = guard.relist(target);
        debug_assert!(emptied.is_none());
        match guard.relist(source) {
            Some(zspage) => Step::Emptied(zspage),
            None if moved > 0 => Step::Moved,
            None => Step::Done,
        }
    }

    /// The emptiest zspage other than `target` of which no object is mapped, locked.
    fn pick_source<'c>(
        &self,
        guard: &ClassGuard<'c>,
        target: &Zspage,
    ) -> Option<(&'c Zspage, WriteGuard<'c>)> {
        let mut skipped: u32 = 0;
        for zspage in guard.emptiest() {
            if core::ptr::eq(zspage, target) {
                continue;
            }
            if let Some(writer) = zspage.try_write() {
                return Some((zspage, writer));
            }
            self.counters().add(Event::CompactSkippedMapped, 1);
            skipped = skipped.saturating_add(1);
            if skipped == MAX_SKIPPED {
                break;
            }
        }
        None
    }
}

/// Moves an object, and lets its handle's word follow it. `None` if `target` is full.
///
/// `_writer` proves that the object is not mapped; whoever wants to map it waits for that lock, and
/// finds the new word after it.
fn move_object(
    guard: &mut ClassGuard<'_>,
    source: &Zspage,
    index: ObjIndex,
    target: &Zspage,
    _writer: &WriteGuard<'_>,
) -> Option<()> {
    let free = target.take_slot(guard)?;
    let from = Place::of(source, index, guard)?;
    Place::of(target, free, guard)?.copy_object(&from, guard);
    // SAFETY: The object is in use, and is not freed without the class lock.
    let handle = unsafe { Handle::from_header(from.read_header(guard)) }?;
    handle.point_at(target, free);
    source.put_slot(index, guard);
    Some(())
}
