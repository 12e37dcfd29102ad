// SPDX-License-Identifier: GPL-2.0

//! Pools: creation, allocation, freeing, destruction.

use super::{
    class::{ListedZspage, SizeClass},
    error::Error,
    geometry::{Geometry, MAX_CLASSES},
    handle::{Handle, Handles, MAX_OBJECTS},
    owned::NewZspage,
    stats::{Event, PoolStats},
};
use crate::sys::{
    alloc::{self, Arc, Box, NoMemory, Table},
    atomic::AtomicBool,
    delay::{delay, Point},
    page::{Gfp, PAGE_SIZE},
    preempt::PreemptOff,
    rcu,
    warn::warn_once,
};
use core::{ffi::CStr, mem, ptr};

/// A pool of objects (`struct zs_pool`).
pub(crate) struct Pool {
    geometry: Geometry,
    /// For each class before merging, the position in `classes` of the one that serves it.
    class_of_index: [u16; MAX_CLASSES],
    classes: Table<SizeClass>,
    handles: Handles,
    stats: Arc<PoolStats>,
    pub(super) compacting: AtomicBool,
}

/// Why a pool cannot be destroyed: it has objects. It is leaked, with them.
#[must_use]
#[derive(Debug)]
pub(crate) struct PoolInUse {
    /// Objects that had not been freed.
    pub(crate) objects: usize,
}

impl Pool {
    /// A pool without objects, with zspages of at most `chain_size` pages. Sleeps
    /// (`zs_create_pool()`).
    ///
    /// The largest class is made first, so that each can be merged with the next larger one.
    pub(crate) fn new(name: &CStr, chain_size: usize) -> Result<Box<Self>, NoMemory> {
        let geometry = Geometry::new(PAGE_SIZE, chain_size);
        let stats = alloc::shared(PoolStats::new())?;
        let mut class_of_index = [0; MAX_CLASSES];
        let mut classes = Table::<SizeClass>::with_capacity(geometry.distinct_classes())?;
        for spec in geometry.all_classes() {
            debug_assert!(spec.objects() <= MAX_OBJECTS);
            let last = classes.last().map(SizeClass::spec);
            if !last.is_some_and(|larger| spec.can_merge(larger)) {
                let class = SizeClass::new(spec, &stats, &classes, name)?;
                classes.push(class)?;
            }
            if let Some(position) = class_of_index.get_mut(spec.index()) {
                *position = classes.len().saturating_sub(1) as u16;
            }
        }
        alloc::boxed(Self {
            geometry,
            class_of_index,
            classes,
            handles: Handles::new(name)?,
            stats,
            compacting: AtomicBool::new(false),
        })
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
        let position = self.class_of_index.get(self.geometry.class_index(size));
        match position.and_then(|&position| self.classes.get(usize::from(position))) {
            Some(class) => Ok(class),
            None => {
                warn_once!(c"a size without a class");
                Err(Error::TooLarge)
            }
        }
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
        let guard = class.lock();
        if let Some(zspage) = guard.fullest_with_room() {
            return Self::place_in(zspage, handle);
        }
        drop(guard);

        let new = NewZspage::alloc(class, gfp)?;
        // A zspage that is published and not listed cannot be migrated, either.
        let _preempt = PreemptOff::new();
        let new = new.publish();
        let guard = class.lock();
        match guard.insert(new) {
            Some(zspage) => Self::place_in(zspage, handle),
            None => Err(Error::NoMemory),
        }
    }

    /// Places the object of `handle` in a zspage that has room.
    #[inline]
    fn place_in(zspage: ListedZspage<'_>, handle: &Handle) -> Result<(), Error> {
        let placed = zspage.alloc_object(handle);
        zspage.fix_fullness();
        match placed {
            Some(_) => Ok(()),
            None => {
                warn_once!(c"a zspage with room has none");
                Err(Error::NoMemory)
            }
        }
    }

    /// Frees an object, which is not mapped (`zs_free()`). Does not sleep; takes the class lock.
    ///
    /// The handle of an object that turns out not to be in use is left alone, and so is the object.
    pub(crate) fn free(&self, handle: Handle) {
        if self.free_object(&handle).is_some() {
            self.handles.free(handle);
        } else {
            warn_once!(c"free of what is not allocated", handle.as_number());
        }
    }

    /// Frees the object of `handle`. `None` if there is none.
    ///
    /// The first look is for the class only, which RCU keeps until we have its lock.
    #[inline]
    fn free_object(&self, handle: &Handle) -> Option<()> {
        let rcu = rcu::read_lock();
        let seen = handle.locate(&rcu)?;
        delay(Point::Free);
        let class = seen.zspage.class();
        if !ptr::eq(class.pool_stats(), self.stats()) {
            return None;
        }
        let guard = class.lock();

        // A compaction may have moved the object meanwhile, though not to another class.
        let (word, zspage, index) = guard.locate(handle)?;
        if word != seen.word {
            self.stats.add(Event::FreeRetries, 1);
        }
        let was_used = zspage.free_object(index);
        zspage.fix_fullness();
        was_used.then_some(())
    }

    /// Pages that back the objects (`zs_get_total_pages()`).
    pub(crate) fn total_pages(&self) -> usize {
        self.stats.pages()
    }

    /// Objects there are. Takes no lock.
    pub(crate) fn objects(&self) -> usize {
        let inuse = self.classes().iter().map(|class| class.stats().inuse.get());
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
    #[inline]
    pub(crate) fn stats(&self) -> &PoolStats {
        &self.stats
    }

    /// Destroys the pool (`zs_destroy_pool()`). Sleeps for a grace period. `at_end` is called when all
    /// has been counted, and before the pool is gone.
    ///
    /// Objects that have not been freed may still be used by somebody: then all is leaked instead,
    /// and the caller has to keep the code of the module, since the pages remain movable.
    pub(crate) fn destroy(pool: Box<Self>, at_end: impl FnOnce()) -> Result<(), PoolInUse> {
        // Without objects no zspage is left. Migration hooks that found one through RCU may still be
        // looking at it, and the callbacks that free the structs may be queued.
        rcu::drain();
        at_end();
        match pool.objects() {
            0 => Ok(()),
            objects => {
                mem::forget(pool);
                Err(PoolInUse { objects })
            }
        }
    }
}
