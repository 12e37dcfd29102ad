// SPDX-License-Identifier: GPL-2.0

//! Size classes, and the guard that proves a class lock.

use super::{
    fullness::{Fullness, GroupMask, GROUPS},
    geometry::ClassSpec,
    handle::{Handle, Location, ObjIndex},
    list::ZspageList,
    object::Place,
    owned::OwnedZspage,
    pool::Pool,
    slots::Membership,
    stats::Tally,
    zspage::{PagesPinned, Zspage},
};
use crate::sys::{
    lock::{SpinGuard, SpinLock},
    slab::Cache,
};
use core::ptr::NonNull;

/// Objects of one size, and the zspages that hold them (`struct size_class`).
///
/// # Invariants
///
/// - It is an element of its pool's table of classes, and the pool outlives it.
/// - `cache` is one of the pool's, with room for the zspages of this class.
#[repr(align(64))]
pub(crate) struct SizeClass {
    spec: ClassSpec,
    pool: NonNull<Pool>,
    cache: NonNull<Cache>,
    state: SpinLock<ClassState>,
}

// SAFETY: The pointers lead to what may be shared, by the type invariants; the rest is locked.
unsafe impl Send for SizeClass {}
// SAFETY: As above.
unsafe impl Sync for SizeClass {}

/// What the class lock protects, besides the [`Slots`](super::slots::Slots) of the zspages.
struct ClassState {
    lists: [ZspageList; GROUPS],
    occupied: GroupMask,
    stats: ClassStats,
}

/// Counts of a class, consistent with each other under its lock.
#[derive(Clone, Copy, Default)]
pub(crate) struct ClassStats {
    /// Zspages in each fullness group.
    pub(crate) zspages: [Tally; GROUPS],
    /// Objects that the zspages have room for (`ZS_OBJS_ALLOCATED`).
    pub(crate) allocated: Tally,
    /// Objects in use (`ZS_OBJS_INUSE`).
    pub(crate) inuse: Tally,
}

impl ClassStats {
    /// Pages that compaction could free, if no object is mapped (`zs_can_compact()`).
    pub(crate) fn freeable(&self, spec: &ClassSpec) -> usize {
        let spare = self.allocated.get().saturating_sub(self.inuse.get());
        spec.zspages_filled_by(spare).saturating_mul(spec.pages())
    }
}

impl SizeClass {
    /// A class without zspages; [`Self::init`] makes it ready.
    ///
    /// # Safety
    ///
    /// The value is put into the table of `pool`, whose `cache` has room for its zspages, and there
    /// initialized before it is used.
    pub(crate) unsafe fn uninit(
        spec: ClassSpec,
        pool: NonNull<Pool>,
        cache: NonNull<Cache>,
    ) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            spec,
            pool,
            cache,
            // SAFETY: Initialized by `init()`, as the caller promises.
            state: unsafe {
                SpinLock::uninit(ClassState {
                    lists: [const { ZspageList::new() }; GROUPS],
                    occupied: GroupMask::default(),
                    stats: ClassStats::default(),
                })
            },
        }
    }

    /// Initializes the lock, at its final address.
    pub(crate) fn init(&mut self) {
        self.state.init();
    }

    /// Its shape.
    #[inline]
    pub(crate) fn spec(&self) -> &ClassSpec {
        &self.spec
    }

    /// The pool it belongs to.
    #[inline]
    pub(crate) fn pool(&self) -> &Pool {
        // SAFETY: By the type invariant the pool outlives the class.
        unsafe { self.pool.as_ref() }
    }

    /// Where its zspages lie.
    #[inline]
    pub(crate) fn cache(&self) -> &Cache {
        // SAFETY: By the type invariant the cache is the pool's, which outlives the class.
        unsafe { self.cache.as_ref() }
    }

    /// Takes the class lock. Spins (on `PREEMPT_RT`: sleeps); no other class lock may be held.
    #[inline]
    pub(crate) fn lock(&self) -> ClassGuard<'_> {
        // INVARIANT: Just locked.
        ClassGuard {
            class: self,
            state: self.state.lock(),
        }
    }

    /// The counts as they are now.
    pub(crate) fn stats(&self) -> ClassStats {
        self.lock().stats()
    }
}

/// A class lock, held: the way to all that it protects.
///
/// References to zspages that the methods return, or that are passed to them, are to zspages of this
/// class. They are listed, and so alive, until the guard is dropped or they are unlisted, and are not
/// used after that.
///
/// # Invariants
///
/// `state` is the lock of `class`, held by this task.
pub(crate) struct ClassGuard<'c> {
    class: &'c SizeClass,
    state: SpinGuard<'c, ClassState>,
}

impl PagesPinned for ClassGuard<'_> {
    fn pins(&self, zspage: &Zspage) -> bool {
        core::ptr::eq(zspage.class(), self.class)
    }
}

impl<'c> ClassGuard<'c> {
    /// The class.
    #[inline]
    pub(crate) fn spec(&self) -> &'c ClassSpec {
        &self.class.spec
    }

    /// The counts.
    pub(crate) fn stats(&self) -> ClassStats {
        self.state.stats
    }

    /// Where the object of `handle`, which is of this class, is: it moves only under this lock.
    #[inline]
    pub(crate) fn locate(&self, handle: &Handle) -> Location<'c> {
        // SAFETY: We hold the class lock of the object.
        unsafe { handle.locate_pinned() }
    }

    /// The zspage to allocate from: the fullest with room (`find_get_zspage()`).
    #[inline]
    pub(crate) fn fullest_with_room(&self) -> Option<&'c Zspage> {
        let group = self.state.occupied.fullest_with_room()?;
        let zspage = self.state.lists[group.slot()].first()?;
        // SAFETY: Listed, and we hold the class lock.
        Some(unsafe { zspage.as_ref() })
    }

    /// Zspages with room, the emptiest group first: candidates to be emptied.
    pub(crate) fn emptiest(&self) -> impl Iterator<Item = &'c Zspage> + '_ {
        self.state
            .occupied
            .emptiest_first()
            .flat_map(|group| self.state.lists[group.slot()].iter())
            // SAFETY: Listed, and we hold the class lock.
            .map(|zspage| unsafe { zspage.as_ref() })
    }

    /// The zspages of a group.
    #[cfg(debug_assertions)]
    pub(crate) fn group(&self, group: Fullness) -> impl Iterator<Item = &'c Zspage> + '_ {
        self.state.lists[group.slot()]
            .iter()
            // SAFETY: Listed, and we hold the class lock.
            .map(|zspage| unsafe { zspage.as_ref() })
    }

    /// Takes a slot of `zspage` for the object of `handle`, and makes each name the other
    /// (`obj_malloc()`). `None` if there is no slot.
    ///
    /// The zspage may have to change its list: [`Self::relist`].
    #[inline]
    pub(crate) fn take_slot(&mut self, zspage: &Zspage, handle: &Handle) -> Option<ObjIndex> {
        let index = zspage.take_slot(self)?;
        Place::of(zspage, index, self)?.write_header(handle, self);
        handle.point_at(zspage, index);
        self.state.stats.inuse.add(1);
        Some(index)
    }

    /// Gives back the slot of an object that is freed, or has moved away (`obj_free()`).
    ///
    /// The zspage may have to change its list: [`Self::relist`].
    #[inline]
    pub(crate) fn put_slot(&mut self, zspage: &Zspage, index: ObjIndex) {
        let was_used = zspage.put_slot(index, self);
        debug_assert!(was_used);
        if was_used {
            self.state.stats.inuse.sub(1);
        }
    }

    /// Lists a zspage of this class that was unlisted, on the list that its fullness asks for. One
    /// without objects is put with the emptiest: the caller takes a slot at once.
    pub(crate) fn list(&mut self, zspage: OwnedZspage) -> &'c Zspage {
        let group = self.fullness(zspage.get()).unwrap_or(Fullness::Below10);
        let zspage = zspage.into_raw();
        self.state.stats.allocated.add(self.class.spec.objects());
        // SAFETY: Was owned, so on no list; stays alive until `unlist()` makes it owned again.
        unsafe { self.push(zspage, group) };
        // SAFETY: Listed, and we hold the class lock.
        unsafe { zspage.as_ref() }
    }

    /// Moves a zspage to the list that its fullness asks for now (`fix_fullness_group()`); if it has
    /// no object left, takes it off the lists, to be dropped after the lock.
    #[inline]
    #[must_use = "a zspage without objects is freed by dropping it, after the class lock"]
    pub(crate) fn relist(&mut self, zspage: &Zspage) -> Option<OwnedZspage> {
        let Membership::Listed(old) = zspage.slots(self).membership else {
            debug_assert!(false, "an unlisted zspage under its class lock");
            return None;
        };
        let new = self.fullness(zspage);
        if new == Some(old) {
            return None;
        }

        let zspage = NonNull::from(zspage);
        // SAFETY: It is on the list it says it is on.
        unsafe { self.remove(zspage, old) };
        if let Some(new) = new {
            // SAFETY: Just removed; alive until it is removed again.
            unsafe { self.push(zspage, new) };
            return None;
        }
        self.state.stats.allocated.sub(self.class.spec.objects());
        // SAFETY: Just removed, under the class lock.
        Some(unsafe { OwnedZspage::from_raw(zspage) })
    }

    /// The group that a zspage belongs to; `None` without objects.
    #[inline]
    pub(crate) fn fullness(&self, zspage: &Zspage) -> Option<Fullness> {
        self.class.spec.fullness(zspage.slots(self).inuse)
    }

    /// # Safety
    ///
    /// `zspage` is of this class, alive, and on no list.
    #[inline]
    unsafe fn push(&mut self, zspage: NonNull<Zspage>, group: Fullness) {
        // SAFETY: As the caller promises.
        unsafe { self.state.lists[group.slot()].push(zspage) };
        self.state.occupied.set(group, true);
        self.state.stats.zspages[group.slot()].add(1);
        // SAFETY: As the caller promises.
        unsafe { zspage.as_ref() }.slots_mut(self).membership = Membership::Listed(group);
    }

    /// # Safety
    ///
    /// `zspage` is on the list of `group`.
    #[inline]
    unsafe fn remove(&mut self, zspage: NonNull<Zspage>, group: Fullness) {
        // SAFETY: As the caller promises.
        unsafe { self.state.lists[group.slot()].remove(zspage) };
        let empty = self.state.lists[group.slot()].is_empty();
        self.state.occupied.set(group, !empty);
        self.state.stats.zspages[group.slot()].sub(1);
        // SAFETY: As the caller promises.
        unsafe { zspage.as_ref() }.slots_mut(self).membership = Membership::Unlisted;
    }
}
