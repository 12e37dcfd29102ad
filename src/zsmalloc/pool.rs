// SPDX-License-Identifier: GPL-2.0

//! Pools: creation, allocation, freeing, destruction.

use super::{
    class::SizeClass,
    error::Error,
    geometry::{ClassSpec, Geometry, MAX_CLASSES},
    handle::{Handle, Handles, MAX_OBJECTS},
    owned::OwnedZspage,
    stats::{Counters, Event},
    zspage::{zspage_size, Zspage, ZSPAGE_ALIGN},
};
use crate::sys::{
    alloc::{self, Box, NoMemory, Vec},
    atomic::{AtomicBool, Counter},
    delay::{delay, Point},
    page::{Gfp, PAGE_SIZE},
    rcu,
    slab::Cache,
};
use core::{ffi::CStr, ptr::NonNull};

/// Most slab caches for zspages that a pool may need: they differ by [`ZSPAGE_ALIGN`] in size.
const MAX_CACHES: usize = 16;

/// A pool of objects (`struct zs_pool`).
///
/// # Invariants
///
/// - It lies in a [`Box`] and so does not move.
/// - `classes` does not change after [`Self::new`].
/// - `table` holds, for each class before merging, the index in `classes` of the one that serves it.
pub(crate) struct Pool {
    geometry: Geometry,
    table: [u16; MAX_CLASSES],
    classes: Vec<SizeClass>,
    handles: Handles,
    caches: [Option<Cache>; MAX_CACHES],
    pages: Counter,
    counters: Counters,
    pub(super) compacting: AtomicBool,
}

/// What was left in a pool that was destroyed: it, and the pool, are leaked.
#[must_use]
pub(crate) struct Left {
    /// Objects that had not been freed.
    pub(crate) objects: usize,
}

impl Pool {
    /// A pool without objects, with zspages of at most `chain_size` pages; what it counts is added to
    /// `totals`, too. Sleeps (`zs_create_pool()`).
    pub(crate) fn new(
        name: &CStr,
        chain_size: usize,
        totals: &'static Counters,
    ) -> Result<Box<Self>, NoMemory> {
        let handles = Cache::new(c"zs_rs_handle", name, Handles::SIZE, Handles::SIZE)?;
        let mut pool = alloc::boxed(Self {
            geometry: Geometry::new(PAGE_SIZE, chain_size),
            table: [0; MAX_CLASSES],
            classes: alloc::empty(),
            handles: Handles::new(handles),
            caches: [const { None }; MAX_CACHES],
            pages: Counter::new(),
            counters: Counters::new(Some(totals)),
            compacting: AtomicBool::new(false),
        })?;
        pool.add_classes(name)?;
        Ok(pool)
    }

    /// Makes the classes, largest first, so that each can be merged with the next larger one.
    fn add_classes(&mut self, name: &CStr) -> Result<(), NoMemory> {
        let geometry = self.geometry;
        self.classes = alloc::with_capacity(geometry.distinct_classes())?;
        for spec in geometry.all_classes() {
            let merged = self
                .classes
                .last()
                .is_some_and(|larger| spec.can_merge(larger.spec()));
            if !merged {
                self.add_class(spec, name)?;
            }
            if let Some(entry) = self.table.get_mut(spec.index()) {
                *entry = self.classes.len().saturating_sub(1) as u16;
            }
        }
        for class in self.classes.iter_mut() {
            class.init();
        }
        Ok(())
    }

    /// Adds a class to the table, its lock not initialized.
    fn add_class(&mut self, spec: ClassSpec, name: &CStr) -> Result<(), NoMemory> {
        debug_assert!(spec.objects() <= MAX_OBJECTS);
        let cache = self.zspage_cache(&spec, name)?;
        // SAFETY: The cache was chosen for the class; `add_classes()` initializes it.
        let class = unsafe { SizeClass::uninit(spec, NonNull::from(&*self), cache) };
        alloc::push(&mut self.classes, class)
    }

    /// The cache for the zspages of a class, made if it is the first that needs it.
    fn zspage_cache(&mut self, spec: &ClassSpec, name: &CStr) -> Result<NonNull<Cache>, NoMemory> {
        let size = zspage_size(spec);
        let cache = self.caches.get_mut(size / ZSPAGE_ALIGN).ok_or(NoMemory)?;
        let cache = match cache {
            Some(cache) => cache,
            None => cache.insert(Cache::new(c"zs_rs_zspage", name, size, ZSPAGE_ALIGN)?),
        };
        Ok(NonNull::from(&*cache))
    }

    /// The class for objects of `size` bytes.
    #[inline]
    fn class_for(&self, size: usize) -> Result<&SizeClass, Error> {
        if size == 0 {
            return Err(Error::Empty);
        }
        if size > PAGE_SIZE {
            return Err(Error::TooLarge);
        }
        self.table
            .get(self.geometry.class_index(size))
            .and_then(|&class| self.classes.get(usize::from(class)))
            .ok_or(Error::TooLarge)
    }

    /// The class of a zspage of this pool.
    #[inline]
    fn class_of<'a>(&'a self, zspage: &Zspage) -> &'a SizeClass {
        let class = NonNull::from(zspage.class());
        debug_assert!(self
            .classes
            .as_ptr_range()
            .contains(&class.as_ptr().cast_const()));
        // SAFETY: It is one of `classes`, which stay as they are while the pool is borrowed.
        unsafe { class.as_ref() }
    }

    /// Allocates an object of `size` bytes (`zs_malloc()`). Sleeps if `gfp` says so; takes the class
    /// lock, and allocates nothing under it.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Nothing of a failed attempt is kept.
    pub(crate) fn malloc(&self, size: usize, gfp: Gfp) -> Result<Handle, Error> {
        let class = self.class_for(size)?;
        let handle = self.handles.alloc(gfp)?;
        match Self::place(class, &handle, gfp) {
            Ok(()) => Ok(handle),
            Err(error) => {
                self.handles.free(handle);
                Err(error)
            }
        }
    }

    /// Finds or makes room for the object of `handle`.
    #[inline]
    fn place(class: &SizeClass, handle: &Handle, gfp: Gfp) -> Result<(), Error> {
        let mut guard = class.lock();
        if let Some(zspage) = guard.fullest_with_room() {
            guard.take_slot(zspage, handle).ok_or(Error::NoMemory)?;
            // It has an object, so it stays listed.
            let emptied = guard.relist(zspage);
            debug_assert!(emptied.is_none());
            return Ok(());
        }
        drop(guard);

        let fresh = OwnedZspage::new(class, gfp)?;
        let mut guard = class.lock();
        let zspage = guard.list(fresh);
        let taken = guard.take_slot(zspage, handle);
        // Should a new zspage have no slot, which would be a bug, it is freed again.
        let emptied = guard.relist(zspage);
        drop(guard);
        drop(emptied);
        taken.map(|_| ()).ok_or(Error::NoMemory)
    }

    /// Frees an object, which is not mapped (`zs_free()`). Does not sleep; takes the class lock.
    pub(crate) fn free(&self, handle: Handle) {
        let (word, mut guard) = {
            let rcu = rcu::read_lock();
            let location = handle.locate(&rcu);
            delay(Point::Free);
            (location.word, self.class_of(location.zspage).lock())
        };
        // A compaction may have moved the object meanwhile, though not to another class.
        let location = guard.locate(&handle);
        if location.word != word {
            self.counters.add(Event::FreeRetries, 1);
        }

        guard.put_slot(location.zspage, location.index);
        let emptied = guard.relist(location.zspage);
        drop(guard);
        drop(emptied);
        self.handles.free(handle);
    }

    /// Pages that back the objects (`zs_get_total_pages()`).
    pub(crate) fn total_pages(&self) -> usize {
        self.pages.get()
    }

    /// Objects there are. Takes each class lock in turn.
    pub(crate) fn objects(&self) -> usize {
        let inuse = self.classes.iter().map(|class| class.stats().inuse.get());
        inuse.fold(0, usize::saturating_add)
    }

    /// Smallest size that is stored one to a page (`zs_huge_class_size()`).
    #[allow(dead_code)] // Not every front end asks.
    pub(crate) fn huge_class_size(&self) -> usize {
        self.geometry.huge_class_size()
    }

    /// Index of the class that serves `size`, the same for all sizes that it serves
    /// (`zs_lookup_class_index()`).
    #[allow(dead_code)] // Not every front end asks.
    pub(crate) fn class_index(&self, size: usize) -> usize {
        let size = size.clamp(1, PAGE_SIZE);
        self.class_for(size).map_or(0, |class| class.spec().index())
    }

    /// The classes, largest first.
    pub(crate) fn classes(&self) -> &[SizeClass] {
        &self.classes
    }

    /// What the pool counts.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A page was allocated for the pool.
    pub(super) fn count_page(&self) {
        self.pages.add(1);
    }

    /// A page of the pool was freed.
    pub(super) fn uncount_page(&self) {
        self.pages.sub(1);
    }

    /// Destroys the pool (`zs_destroy_pool()`). Sleeps for a grace period.
    ///
    /// Objects that have not been freed may still be used by somebody: then all is leaked instead,
    /// and the caller has to keep the code of the module, since the pages remain movable.
    pub(crate) fn destroy(pool: Box<Self>) -> Result<(), Left> {
        let objects = pool.objects();
        if objects > 0 {
            Box::leak(pool);
            return Err(Left { objects });
        }
        // No zspage is left. Migration hooks that found one through RCU may still be looking at it,
        // and the callbacks that free the structs may be queued.
        rcu::drain();
        drop(pool);
        Ok(())
    }
}
