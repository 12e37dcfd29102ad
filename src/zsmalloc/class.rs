// SPDX-License-Identifier: GPL-2.0

//! Size classes, and the guard that proves a class lock.

use super::{
    fullness::{Fullness, GroupMask, GROUPS},
    geometry::ClassSpec,
    handle::{Handle, Location, ObjIndex, Word},
    list::ZspageList,
    owned::OwnedZspage,
    pool::Pool,
    slots::{Membership, Slots},
    stats::Stat,
    zspage::{PagesPinned, ZspageRef},
};
use crate::sys::{
    alloc::{Arc, NoMemory},
    init::{pin_data, try_pin_init, PinInit},
    lock::{new_spinlock, SpinGuard, SpinLock, WriteGuard},
    page::Page,
    preempt::PreemptOff,
    slab::Cache,
    warn::warn_once,
};
use core::{
    cell::Cell,
    ptr::{self, NonNull},
};

/// Objects of one size, and the zspages that hold them (`struct size_class`).
///
/// # Invariants
///
/// It is an element of its pool's table of classes, and the pool outlives it. `cache` has room for
/// the zspages of this class.
#[pin_data]
pub(crate) struct SizeClass {
    spec: ClassSpec,
    pool: NonNull<Pool>,
    cache: Arc<Cache>,
    stats: ClassStats,
    #[pin]
    lists: SpinLock<Lists>,
}

// SAFETY: The pool may be shared; the rest is atomic, or locked.
unsafe impl Send for SizeClass {}
// SAFETY: As above.
unsafe impl Sync for SizeClass {}

/// The lists of a class, which its lock protects, and with them the
/// [`Slots`] of the zspages on them.
struct Lists {
    groups: [ZspageList; GROUPS],
    occupied: Cell<GroupMask>,
}

/// Counts of a class: written under its lock, read by anybody.
#[derive(Default)]
pub(crate) struct ClassStats {
    /// Zspages in each fullness group.
    pub(crate) zspages: [Stat; GROUPS],
    /// Objects that the zspages have room for (`ZS_OBJS_ALLOCATED`).
    pub(crate) allocated: Stat,
    /// Objects in use (`ZS_OBJS_INUSE`).
    pub(crate) inuse: Stat,
}

impl SizeClass {
    /// A class without zspages.
    ///
    /// # Safety
    ///
    /// The value is made in the table of classes of `pool`, and `cache` has room for its zspages.
    pub(super) unsafe fn new(
        spec: ClassSpec,
        pool: NonNull<Pool>,
        cache: Arc<Cache>,
    ) -> impl PinInit<Self, NoMemory> {
        // INVARIANT: As the caller promises.
        try_pin_init!(Self {
            spec,
            pool,
            cache,
            stats: ClassStats::default(),
            lists <- new_spinlock!(
                Lists {
                    groups: [const { ZspageList::new() }; GROUPS],
                    occupied: Cell::default(),
                },
                "zs_rs_class"
            ),
        }? NoMemory)
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
    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The counts as they are now. Those of a class in use may not agree with each other.
    #[inline]
    pub(crate) fn stats(&self) -> &ClassStats {
        &self.stats
    }

    /// Pages that compaction could free, if no object is mapped (`zs_can_compact()`).
    pub(crate) fn freeable(&self) -> usize {
        let (allocated, inuse) = (self.stats.allocated.get(), self.stats.inuse.get());
        let spare = allocated.saturating_sub(inuse);
        let zspages = self.spec.zspages_filled_by(spare);
        zspages.saturating_mul(self.spec.pages())
    }

    /// Takes the class lock. Spins (on `PREEMPT_RT`: sleeps); no other class lock may be held.
    #[inline]
    pub(crate) fn lock(&self) -> ClassGuard<'_> {
        ClassGuard {
            class: self,
            // INVARIANT: Just locked.
            lists: self.lists.lock(),
            emptied: Cell::new(None),
        }
    }
}

/// A class lock, held: the way to the zspages of the class.
///
/// All that it hands out borrows it, and so is gone before the lock is given back. A zspage that loses
/// its last object is kept here until after that, and then freed: see [`Emptied`].
///
/// # Invariants
///
/// `lists` is the lock of `class`, held by this task.
pub(crate) struct ClassGuard<'c> {
    class: &'c SizeClass,
    // The order of these two is that in which they are dropped.
    lists: SpinGuard<'c, Lists>,
    emptied: Cell<Option<Emptied>>,
}

/// A zspage that has just lost its last object. It is freed once the class lock has been given back,
/// and preemption is off all that time: until the pages are freed, page migration is refused for good
/// (`-EINVAL`), and must not have to wait for a task that is not running.
struct Emptied {
    // The order of these two is that in which they are dropped.
    _zspage: OwnedZspage,
    _preempt: PreemptOff,
}

impl<'c> ClassGuard<'c> {
    /// The class.
    #[inline]
    pub(crate) fn class(&self) -> &'c SizeClass {
        self.class
    }

    /// A zspage that was found otherwise than through this guard: by a handle, or a page. `None` if it
    /// is on no list of this class.
    #[inline]
    pub(crate) fn open(&self, zspage: ZspageRef<'_>) -> Option<ListedZspage<'_>> {
        if !ptr::eq(zspage.class(), self.class) {
            warn_once!(c"a zspage of another class");
            return None;
        }
        // SAFETY: It is of this class, whose lock we hold.
        if unsafe { zspage.slots() }.membership.get() == Membership::Unlisted {
            return None;
        }
        Some(ListedZspage {
            // SAFETY: Listed, and so alive for as long as we hold the class lock.
            zspage: unsafe { ZspageRef::new(zspage.as_non_null()) },
            // INVARIANT: Just checked.
            guard: self,
        })
    }

    /// Where the object of `handle`, which is of this class, is: it moves only under this lock. `None`
    /// if the handle is not one of an object of this class.
    #[inline]
    pub(crate) fn locate(&self, handle: &Handle) -> Option<(Word, ListedZspage<'_>, ObjIndex)> {
        // SAFETY: We hold the class lock of the object, so that its zspage stays.
        let location = unsafe { Location::new(handle.word()?) };
        let zspage = self.open(location.zspage)?;
        Some((location.word, zspage, location.index))
    }

    /// The zspage to allocate from: the fullest with room (`find_get_zspage()`).
    #[inline]
    pub(crate) fn fullest_with_room(&self) -> Option<ListedZspage<'_>> {
        let group = self.lists.occupied.get().fullest_with_room()?;
        let zspage = self.lists.groups[group.slot()].first()?;
        // INVARIANT: Just found on one of our lists.
        Some(ListedZspage {
            zspage,
            guard: self,
        })
    }

    /// Zspages with room, the emptiest group first: candidates to be emptied.
    pub(crate) fn emptiest(&self) -> impl Iterator<Item = ListedZspage<'_>> + '_ {
        let groups = self.lists.occupied.get().emptiest_first();
        groups.flat_map(|group| self.group(group))
    }

    /// The zspages of a group.
    pub(crate) fn group(&self, group: Fullness) -> impl Iterator<Item = ListedZspage<'_>> + '_ {
        // INVARIANT: Just found on one of our lists.
        self.lists.groups[group.slot()]
            .iter()
            .map(|zspage| ListedZspage {
                zspage,
                guard: self,
            })
    }

    /// Puts a new zspage of this class on the list of the emptiest (`insert_zspage()`): the caller
    /// takes a slot at once.
    pub(crate) fn insert(&self, zspage: OwnedZspage) -> Option<ListedZspage<'_>> {
        if !ptr::eq(zspage.get().class(), self.class) {
            warn_once!(c"a new zspage of another class");
            self.free_after_unlock(zspage);
            return None;
        }
        self.class.stats.allocated.add(self.class.spec.objects());
        // SAFETY: It was owned, and so stays until it is owned again.
        let zspage = unsafe { ZspageRef::new(zspage.into_raw()) };
        // INVARIANT: It is of this class, and is now on the list.
        let listed = ListedZspage {
            zspage,
            guard: self,
        };
        // SAFETY: It was owned, and so on no list.
        unsafe { listed.push(Fullness::Below10) };
        Some(listed)
    }

    /// Frees a zspage as soon as the class lock has been given back.
    fn free_after_unlock(&self, zspage: OwnedZspage) {
        let earlier = self.emptied.replace(Some(Emptied {
            _zspage: zspage,
            _preempt: PreemptOff::new(),
        }));
        // Otherwise it is freed now: under the lock, which is only impolite.
        debug_assert!(earlier.is_none(), "two zspages emptied under one lock");
    }
}

/// A zspage that is on a list of its class, whose lock is held.
///
/// # Invariants
///
/// `zspage` is of the class of `guard`, and was on one of its lists when the value was made. Since
/// then it may have lost its last object, by another value: it is then kept by the guard, and is given
/// no object any more ([`Self::take_slot`]).
pub(crate) struct ListedZspage<'g> {
    zspage: ZspageRef<'g>,
    guard: &'g ClassGuard<'g>,
}

// SAFETY: Pages are replaced under the class lock only, by `WriteLockedZspage`.
unsafe impl PagesPinned for ListedZspage<'_> {
    #[inline]
    fn zspage(&self) -> ZspageRef<'_> {
        self.zspage
    }
}

impl<'g> ListedZspage<'g> {
    /// What the class lock protects.
    #[inline]
    pub(super) fn slots(&self) -> &Slots {
        // SAFETY: The guard proves the class lock.
        unsafe { self.zspage.slots() }
    }

    /// The bitmap of the objects in use.
    #[inline]
    pub(super) fn bitmap(&self) -> &[Cell<usize>] {
        // SAFETY: As above.
        unsafe { self.zspage.bitmap() }
    }

    /// Where a huge object has its handle.
    #[inline]
    pub(super) fn huge_handle(&self) -> Option<&Cell<usize>> {
        // SAFETY: As above.
        unsafe { self.zspage.huge_handle() }
    }

    /// Takes a slot for the object of `handle`, and makes each name the other (`obj_malloc()`). `None`
    /// if there is no slot.
    ///
    /// The zspage may have to change its list: [`Self::fix_fullness`].
    #[inline]
    pub(crate) fn alloc_object(&self, handle: &Handle) -> Option<ObjIndex> {
        let index = self.take_slot()?;
        self.write_header(index, handle.to_header());
        handle.point_at(self.zspage, index);
        self.guard.class.stats.inuse.add(1);
        Some(index)
    }

    /// Gives back the slot of an object that is freed (`obj_free()`). Whether it was in use.
    ///
    /// The zspage may have to change its list: [`Self::fix_fullness`].
    #[inline]
    #[must_use = "to free an object that is not in use is a bug, which must not go unnoticed"]
    pub(crate) fn free_object(&self, index: ObjIndex) -> bool {
        let was_used = self.put_slot(index);
        if was_used {
            self.guard.class.stats.inuse.sub(1);
        }
        was_used
    }

    /// Moves the zspage to the list that its fullness asks for now (`fix_fullness_group()`). Without
    /// objects it is taken off the lists, and freed once the lock has been given back; whether that is
    /// so.
    #[inline]
    pub(crate) fn fix_fullness(self) -> bool {
        let Membership::Listed(old) = self.slots().membership.get() else {
            warn_once!(c"an unlisted zspage on a list");
            return false;
        };
        let new = self.fullness();
        if new == Some(old) {
            return false;
        }
        // SAFETY: By the type invariant it is on the list it says it is on; just removed, it is on
        // none.
        unsafe {
            self.remove(old);
            if let Some(new) = new {
                self.push(new);
                return false;
            }
        }
        let class = self.guard.class;
        class.stats.allocated.sub(class.spec.objects());
        // SAFETY: Just removed, under the class lock, without objects.
        let owned = unsafe { OwnedZspage::from_raw(self.zspage.as_non_null()) };
        self.guard.free_after_unlock(owned);
        true
    }

    /// The group that the zspage belongs to; `None` without objects.
    #[inline]
    pub(crate) fn fullness(&self) -> Option<Fullness> {
        self.guard.class.spec.fullness(self.slots().inuse())
    }

    /// Takes the zspage's lock as well, unless somebody has an object mapped; never waits.
    pub(crate) fn try_write(self) -> Option<WriteLockedZspage<'g>> {
        // INVARIANT: Just locked.
        Some(WriteLockedZspage {
            writer: self.zspage.lock().try_write()?,
            listed: self,
        })
    }

    /// # Safety
    ///
    /// The zspage is on no list.
    #[inline]
    unsafe fn push(&self, group: Fullness) {
        let Lists { groups, occupied } = &*self.guard.lists;
        // SAFETY: As the caller promises; alive until it is removed.
        unsafe { groups[group.slot()].push(self.zspage) };
        occupied.set(occupied.get().with(group, true));
        self.guard.class.stats.zspages[group.slot()].add(1);
        self.slots().membership.set(Membership::Listed(group));
    }

    /// # Safety
    ///
    /// The zspage is on the list of `group`.
    #[inline]
    unsafe fn remove(&self, group: Fullness) {
        let Lists { groups, occupied } = &*self.guard.lists;
        let list = &groups[group.slot()];
        // SAFETY: As the caller promises.
        unsafe { list.remove(self.zspage) };
        occupied.set(occupied.get().with(group, !list.is_empty()));
        self.guard.class.stats.zspages[group.slot()].sub(1);
        self.slots().membership.set(Membership::Unlisted);
    }
}

/// A listed zspage whose own lock is held alone as well: no object of it is mapped, and none can be.
///
/// # Invariants
///
/// `writer` is the lock of the zspage.
pub(crate) struct WriteLockedZspage<'g> {
    listed: ListedZspage<'g>,
    writer: WriteGuard<'g>,
}

impl<'g> WriteLockedZspage<'g> {
    /// The zspage, listed.
    pub(crate) fn listed(&self) -> &ListedZspage<'g> {
        &self.listed
    }

    /// Gives the zspage's lock back.
    pub(crate) fn unlock(self) -> ListedZspage<'g> {
        drop(self.writer);
        self.listed
    }

    /// Puts `new` in the place of page number `index`, and gives back the one that was there.
    pub(crate) fn replace_page(&self, index: usize, new: Page) -> Option<Page> {
        // SAFETY: Whoever else uses pages has the class lock, or the zspage's: we have both.
        let pages = unsafe { self.listed.zspage.pages() };
        pages.get(index)?.replace(Some(new))
    }
}
