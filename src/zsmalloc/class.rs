// SPDX-License-Identifier: GPL-2.0

//! Size classes, and the guard that proves a class lock.

use super::{
    anchor::{Anchors, State},
    fullness::{Fullness, GroupMask, GROUPS},
    geometry::ClassSpec,
    handle::{Handle, Location, Name, ObjIndex, Place, ZSPAGE_ALIGN},
    list::List,
    owned::OwnedZspage,
    slots::{Membership, Slots},
    stats::{PoolStats, Stat},
    table::Table,
    zspage::{zspage_size, Zspage, ZspageParts, ZspageRef},
};
use crate::sys::{
    alloc::{self, Arc, NoMemory},
    init::{pin_data, try_pin_init, PinInit},
    lock::{new_spinlock, SpinGuard, SpinLock, WriteGuard},
    page::Page,
    preempt::PreemptOff,
    slab::Cache,
    warn::warn_once,
};
use core::{
    cell::Cell,
    ffi::CStr,
    ptr::{self, NonNull},
};

/// Objects of one size, and the zspages that hold them (`struct size_class`).
///
/// What malloc and free look at first comes first, and no two classes share a cache line.
///
/// # Invariants
///
/// `cache` has room for the zspages of this class.
#[pin_data]
#[repr(C, align(64))]
pub(crate) struct SizeClass {
    spec: ClassSpec,
    pool_stats: Arc<PoolStats>,
    cache: Arc<Cache>,
    anchors: Arc<Anchors>,
    position: u16,
    #[pin]
    lists: SpinLock<Lists>,
    stats: ClassStats,
}

/// The lists of a class, which its lock protects, and with them the [`Slots`] of the zspages on them.
struct Lists {
    groups: [List<Zspage>; GROUPS],
    occupied: Cell<GroupMask>,
    /// Tables of which at most half is in use.
    sparse: List<Table>,
}

/// Counts of a class: written under its lock, read by anybody.
#[derive(Default)]
pub(crate) struct ClassStats {
    /// Objects in use (`ZS_OBJS_INUSE`).
    pub(crate) inuse: Stat,
    /// Objects that the zspages have room for (`ZS_OBJS_ALLOCATED`).
    pub(crate) allocated: Stat,
    /// Zspages in each fullness group.
    pub(crate) zspages: [Stat; GROUPS],
    /// Anchors whose objects have moved, and names of these in use.
    pub(crate) anchors_moved: Stat,
    pub(crate) names_moved: Stat,
    /// Bytes that their tables take, and the origins of zspages.
    pub(crate) tables_bytes: Stat,
    pub(crate) origins_bytes: Stat,
}

impl SizeClass {
    /// A class without zspages, that shares its cache with those of `others` whose zspages are as
    /// large. Sleeps.
    pub(super) fn new<'a>(
        spec: ClassSpec,
        pool_stats: &'a Arc<PoolStats>,
        anchors: &'a Arc<Anchors>,
        others: &'a [SizeClass],
        name: &'a CStr,
    ) -> Result<impl PinInit<Self, NoMemory>, NoMemory> {
        let size = zspage_size(&spec);
        let same = |class: &&SizeClass| zspage_size(&class.spec) == size;
        let cache = match others.iter().find(same) {
            Some(class) => class.cache.clone(),
            None => alloc::shared(Cache::new(c"zs_rs_zspage", name, size, ZSPAGE_ALIGN)?)?,
        };
        let pool_stats = pool_stats.clone();
        let anchors = anchors.clone();
        let position = others.len() as u16;
        // INVARIANT: The cache was chosen for zspages of that size.
        Ok(try_pin_init!(Self {
            spec,
            pool_stats,
            cache,
            anchors,
            position,
            lists <- new_spinlock!(
                Lists {
                    groups: [const { List::new() }; GROUPS],
                    occupied: Cell::default(),
                    sparse: List::new(),
                },
                "zs_rs_class"
            ),
            stats: ClassStats::default(),
        }? NoMemory))
    }

    /// Its shape.
    #[inline]
    pub(crate) fn spec(&self) -> &ClassSpec {
        &self.spec
    }

    /// What its pool counts.
    #[inline]
    pub(crate) fn pool_stats(&self) -> &PoolStats {
        &self.pool_stats
    }

    /// Where its zspages lie.
    #[inline]
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Where the anchors of its pool lie.
    #[inline]
    pub(crate) fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// Its position among the classes of its pool.
    #[inline]
    pub(crate) fn position(&self) -> u16 {
        self.position
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
        // SAFETY: It is alive now, and of this class, whose lock we hold. The parts are not used for
        // longer than this function unless it is listed, and so stays until we unlist it.
        let parts = unsafe { ZspageRef::new(zspage.as_non_null()).parts() };
        if parts.slots().membership.get() == Membership::Unlisted {
            return None;
        }
        // INVARIANT: Just checked.
        Some(ListedZspage { parts, guard: self })
    }

    /// Where the object of `name` is, which is of this class: it moves only under this lock. `None` if
    /// there is no such object of this class.
    #[inline]
    pub(super) fn locate(&self, name: Name) -> Option<Located<'_>> {
        let index = name.index();
        // SAFETY: The owner of the name has not given it away. We hold the class lock of the anchor,
        // unless `open()` says that it is another's.
        let (location, moved) = match unsafe { name.anchor().state() } {
            State::InPlace(zspage) => (Location { zspage, index }, false),
            // SAFETY: As above.
            state => (unsafe { moved_place(state, name)?.open() }, true),
        };
        let zspage = self.open(location.zspage)?;
        // In place, the slot must not have been given to an object that was moved there.
        if !moved && zspage.is_foreign(index) {
            return None;
        }
        Some(Located {
            zspage,
            index: location.index,
            moved,
        })
    }

    /// Whether the object of `handle` is of this class.
    #[cfg(debug_assertions)]
    #[allow(dead_code)] // For tests.
    pub(crate) fn opens(&self, handle: &Handle) -> bool {
        self.locate(handle.name()).is_some()
    }

    /// Tables of which at most half is in use.
    pub(super) fn sparse_tables(&self) -> &List<Table> {
        &self.lists.sparse
    }

    /// The zspage to allocate from: the fullest with room (`find_get_zspage()`).
    #[inline]
    pub(crate) fn fullest_with_room(&self) -> Option<ListedZspage<'_>> {
        let group = self.lists.occupied.get().fullest_with_room()?;
        self.first(group)
    }

    /// The zspage of a group that was put there last.
    #[inline]
    fn first(&self, group: Fullness) -> Option<ListedZspage<'_>> {
        let zspage = self.lists.groups[group.slot()].first()?;
        Some(self.listed(zspage))
    }

    /// A zspage that is on one of our lists.
    #[inline]
    fn listed(&self, zspage: NonNull<Zspage>) -> ListedZspage<'_> {
        // SAFETY: What is on our lists is alive, and stays as long as we hold the lock.
        // INVARIANT: As the callers found.
        let parts = unsafe { ZspageRef::new(zspage).parts() };
        ListedZspage { parts, guard: self }
    }

    /// The first two zspages of each group in which there may be room for `objects` more, the fullest
    /// first: one of them may be the one that is being emptied.
    pub(crate) fn fullest_of_each_group(
        &self,
        objects: usize,
    ) -> impl Iterator<Item = ListedZspage<'_>> + '_ {
        let spec = &self.class.spec;
        let inuse = spec.objects().saturating_sub(objects) as u16;
        let most = spec.fullness(inuse, Fullness::Below50);
        let groups = most.map(|most| self.lists.occupied.get().fullest_first(most));
        let groups = groups.into_iter().flatten();
        groups.flat_map(|group| self.group(group).take(2))
    }

    /// Zspages with room, the emptiest group first: candidates to be emptied.
    pub(crate) fn emptiest(&self) -> impl Iterator<Item = ListedZspage<'_>> + '_ {
        let groups = self.lists.occupied.get().emptiest_first();
        groups.flat_map(|group| self.group(group))
    }

    /// The zspages of a group.
    pub(crate) fn group(&self, group: Fullness) -> impl Iterator<Item = ListedZspage<'_>> + '_ {
        let list = &self.lists.groups[group.slot()];
        list.iter().map(|zspage| self.listed(zspage))
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
        self.push(zspage, Fullness::Below10);
        self.first(Fullness::Below10)
    }

    /// Puts a zspage of this class on the list of a group.
    #[inline]
    fn push(&self, zspage: OwnedZspage, group: Fullness) {
        let Lists {
            groups, occupied, ..
        } = &*self.lists;
        // SAFETY: It was owned, and so is alive and on no list. Whoever frees it removes it first.
        unsafe { groups[group.slot()].push(zspage.into_raw()) };
        occupied.set(occupied.get().with(group, true));
        self.class.stats.zspages[group.slot()].add(1);
        if let Some(listed) = self.first(group) {
            listed.slots().membership.set(Membership::Listed(group));
        }
    }

    /// Frees a zspage as soon as the class lock has been given back.
    fn free_after_unlock(&self, zspage: OwnedZspage) {
        let earlier = self.emptied.replace(Some(Emptied {
            _zspage: zspage,
            _preempt: PreemptOff::new(),
        }));
        // An earlier one would be freed here, under the lock: others would wait, and that is all.
        debug_assert!(earlier.is_none(), "two zspages emptied under one lock");
    }
}

/// A zspage that is on a list of its class, whose lock is held.
///
/// # Invariants
///
/// The zspage is of the class of `guard`, and was on one of its lists when the value was made. Since
/// then it may have lost its last object, by another value: it is then kept by the guard, and is given
/// no object any more ([`Self::take_slot`]).
pub(crate) struct ListedZspage<'g> {
    parts: ZspageParts<'g>,
    guard: &'g ClassGuard<'g>,
}

impl<'g> ListedZspage<'g> {
    /// The zspage.
    #[inline]
    pub(crate) fn zspage(&self) -> ZspageRef<'g> {
        self.parts.zspage()
    }

    /// What the class lock protects.
    #[inline]
    pub(super) fn parts(&self) -> ZspageParts<'_> {
        self.parts
    }

    /// How many of its objects are in use, and which list it is on.
    #[inline]
    pub(super) fn slots(&self) -> &Slots {
        self.parts.slots()
    }

    /// Takes a slot for a new object, which gives it its name (`obj_malloc()`). `None` if there is no
    /// slot.
    ///
    /// The zspage may have to change its list: [`Self::fix_fullness`].
    #[inline]
    pub(crate) fn alloc_object(&self) -> Option<Handle> {
        let anchor = self.parts.anchor()?;
        let index = self.take_slot()?;
        self.guard.class.stats.inuse.add(1);
        Some(Handle::of(Name::new(anchor, index)))
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

    /// The class lock.
    pub(super) fn guard(&self) -> &'g ClassGuard<'g> {
        self.guard
    }

    /// Moves the zspage to the list that its fullness asks for now (`fix_fullness_group()`). Without
    /// objects it is taken off the lists, and freed once the lock has been given back; whether that is
    /// so.
    #[inline]
    pub(crate) fn fix_fullness(self) -> bool {
        let Membership::Listed(old) = self.slots().membership.get() else {
            warn_once!(c"a zspage that is on no list");
            return false;
        };
        let new = self.fullness(old);
        if new == Some(old) {
            return false;
        }
        let class = self.guard.class;
        let Lists {
            groups, occupied, ..
        } = &*self.guard.lists;
        let list = &groups[old.slot()];
        // SAFETY: By the type invariant it is of this class; it is on the list that it names.
        let owned = unsafe {
            let zspage = self.zspage().as_non_null();
            list.remove(zspage);
            OwnedZspage::from_raw(zspage)
        };
        occupied.set(occupied.get().with(old, !list.is_empty()));
        class.stats.zspages[old.slot()].sub(1);
        if let Some(new) = new {
            self.guard.push(owned, new);
            return false;
        }
        self.slots().membership.set(Membership::Unlisted);
        class.stats.allocated.sub(class.spec.objects());
        self.guard.free_after_unlock(owned);
        true
    }

    /// The group that the zspage belongs to; `None` without objects. Its group was `last`.
    #[inline]
    pub(crate) fn fullness(&self, last: Fullness) -> Option<Fullness> {
        self.guard.class.spec.fullness(self.slots().inuse(), last)
    }

    /// Takes the zspage's lock as well, unless somebody has an object mapped; never waits.
    pub(crate) fn try_write(self) -> Option<WriteLockedZspage<'g>> {
        // INVARIANT: Just locked.
        Some(WriteLockedZspage {
            writer: self.zspage().lock().try_write()?,
            listed: self,
        })
    }
}

/// Where an object is, under the lock of its class.
pub(super) struct Located<'g> {
    /// The zspage.
    pub(super) zspage: ListedZspage<'g>,
    /// The object in it.
    pub(super) index: ObjIndex,
    /// Whether the object was born elsewhere.
    pub(super) moved: bool,
}

/// The place of an object that has moved.
fn moved_place(state: State<'_>, name: Name) -> Option<Place> {
    let index = name.index();
    match state {
        State::Moved(table) => table.place(index),
        // SAFETY: As the caller of `locate()`.
        State::MovedOne(place) => unsafe { name.anchor() }.is_only(index).then_some(place),
        State::InPlace(_) | State::Gone => None,
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
        let slot = self.listed.parts.pages().get(index)?;
        // SAFETY: Whoever else looks at pages has the class lock, or the zspage's: we have both.
        unsafe { slot.replace(new) }
    }
}
