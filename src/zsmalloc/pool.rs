// SPDX-License-Identifier: GPL-2.0

//! Pools: creation, allocation, freeing, destruction.

use super::{
    anchor::Anchors,
    class::{ListedZspage, Located, SizeClass},
    error::Error,
    geometry::{Geometry, MAX_CLASSES},
    handle::{Handle, MAX_OBJECTS},
    owned::NewZspage,
    stats::PoolStats,
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
use core::{ffi::CStr, mem};

/// A pool of objects (`struct zs_pool`).
pub(crate) struct Pool {
    geometry: Geometry,
    /// For each class before merging, the position in `classes` of the one that serves it.
    class_of_index: [u16; MAX_CLASSES],
    classes: Table<SizeClass>,
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
        let anchors = alloc::shared(Anchors::new(name)?)?;
        let mut class_of_index = [0; MAX_CLASSES];
        let mut classes = Table::<SizeClass>::with_capacity(geometry.distinct_classes())?;
        for spec in geometry.all_classes() {
            debug_assert!(spec.objects() <= MAX_OBJECTS);
            let last = classes.last().map(SizeClass::spec);
            if !last.is_some_and(|larger| spec.can_merge(larger)) {
                let class = SizeClass::new(spec, &stats, &anchors, &classes, name)?;
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
        let guard = class.lock();
        if let Some(zspage) = guard.fullest_with_room() {
            return Self::malloc_in(zspage);
        }
        drop(guard);
        Self::malloc_in_new(class, gfp)
    }

    /// Allocates an object in a zspage of its own.
    #[inline(never)] // Most objects find room.
    fn malloc_in_new(class: &SizeClass, gfp: Gfp) -> Result<Handle, Error> {
        let new = NewZspage::alloc(class, gfp)?;
        // A zspage that is published and not listed cannot be migrated, either.
        let _preempt = PreemptOff::new();
        let new = new.publish();
        let guard = class.lock();
        match guard.insert(new) {
            Some(zspage) => Self::malloc_in(zspage),
            None => Err(Error::NoMemory),
        }
    }

    /// Allocates an object in a zspage that has room.
    #[inline]
    fn malloc_in(zspage: ListedZspage<'_>) -> Result<Handle, Error> {
        let handle = zspage.alloc_object();
        zspage.fix_fullness();
        handle.ok_or_else(|| {
            warn_once!(c"a zspage with room has none");
            Error::NoMemory
        })
    }

    /// Frees an object, which is not mapped (`zs_free()`). Does not sleep; takes the class lock.
    ///
    /// If it turns out that there is no such object, nothing is freed.
    pub(crate) fn free(&self, handle: Handle) {
        if self.free_object(&handle).is_none() {
            warn_once!(c"free of what is not allocated", handle.as_number());
        }
    }

    /// Frees the object of `handle`. `None` if there is none.
    ///
    /// Objects move, though not to another class. So the anchor says which lock to take, and under it
    /// where the object is.
    #[inline]
    fn free_object(&self, handle: &Handle) -> Option<()> {
        let class = self.classes.get(handle.anchor().class())?;
        delay(Point::Free);
        let guard = class.lock();
        let Located {
            zspage,
            index,
            moved,
        } = guard.locate(handle.name())?;
        if !zspage.free_object(index) {
            return None;
        }
        if moved {
            zspage.forget_moved(index, handle.name());
        }
        zspage.fix_fullness();
        Some(())
    }

    /// Pages that back the objects (`zs_get_total_pages()`).
    pub(crate) fn total_pages(&self) -> usize {
        self.stats.pages()
    }

    /// Objects there are. Takes no lock.
    pub(crate) fn objects(&self) -> usize {
        self.sum(|stats| &stats.inuse)
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

    /// Destroys the pool (`zs_destroy_pool()`). Sleeps for a grace period. `counted` is dropped when
    /// all has been counted, and before the pool is gone.
    ///
    /// Objects that have not been freed may still be used by somebody: then all is leaked instead,
    /// `counted` too, and the caller has to keep the code of the module, since the pages remain
    /// movable.
    pub(crate) fn destroy<C>(pool: Box<Self>, counted: C) -> Result<(), PoolInUse> {
        // Without objects no zspage is left. Migration hooks that found one through RCU may still be
        // looking at it, and the callbacks that free the structs may be queued.
        rcu::drain();
        match pool.objects() {
            0 => {
                drop(counted);
                drop(pool);
                Ok(())
            }
            objects => {
                mem::forget((pool, counted));
                Err(PoolInUse { objects })
            }
        }
    }
}
