// SPDX-License-Identifier: GPL-2.0

//! Pools: creation, allocation, freeing, destruction.

use super::{
    class::{ListedZspage, SizeClass},
    error::Error,
    geometry::{ClassSpec, Geometry, MAX_CLASSES},
    handle::{Handle, Handles, MAX_OBJECTS},
    owned::NewZspage,
    stats::{Counters, Event},
    zspage::{zspage_size, ZSPAGE_ALIGN},
};
use crate::sys::{
    alloc::{self, Arc, Box, NoMemory, Table},
    atomic::{AtomicBool, Counter},
    delay::{delay, Point},
    init::{pin_data, try_pin_init},
    page::{Gfp, PAGE_SIZE},
    preempt::PreemptOff,
    rcu,
    slab::Cache,
    warn::warn_once,
};
use core::{
    ffi::CStr,
    marker::PhantomPinned,
    mem,
    pin::Pin,
    ptr::{self, NonNull},
};

/// A pool of objects (`struct zs_pool`).
///
/// Made in place, and never moved: its classes know where it is.
#[pin_data]
pub(crate) struct Pool {
    geometry: Geometry,
    classes: Classes,
    handles: Handles,
    pages: Counter,
    counters: Counters,
    pub(super) compacting: AtomicBool,
    #[pin]
    _pinned: PhantomPinned,
}

/// Why a pool cannot be destroyed: it has objects. It is leaked, with them.
#[must_use]
#[derive(Debug)]
pub(crate) struct PoolInUse {
    /// Objects that had not been freed.
    pub(crate) objects: usize,
}

/// The classes of a pool.
///
/// # Invariants
///
/// `of_index` holds, for each class before merging, the position in `classes` of the one that serves
/// it.
struct Classes {
    of_index: [u16; MAX_CLASSES],
    classes: Table<SizeClass>,
}

impl Classes {
    /// All classes of `pool`, largest first, so that each can be merged with the next larger one.
    ///
    /// # Safety
    ///
    /// The value becomes that of `pool`.
    unsafe fn new(pool: NonNull<Pool>, geometry: Geometry, name: &CStr) -> Result<Self, NoMemory> {
        let mut of_index = [0; MAX_CLASSES];
        let mut classes = Table::with_capacity(geometry.distinct_classes())?;
        for spec in geometry.all_classes() {
            let last = classes.last().map(SizeClass::spec);
            if !last.is_some_and(|larger| spec.can_merge(larger)) {
                debug_assert!(spec.objects() <= MAX_OBJECTS);
                let cache = Self::zspage_cache(&classes, &spec, name)?;
                // SAFETY: The table is that of the pool, as the caller promises; the cache was chosen
                // for the class.
                classes.push(unsafe { SizeClass::new(spec, pool, cache) })?;
            }
            if let Some(entry) = of_index.get_mut(spec.index()) {
                *entry = classes.len().saturating_sub(1) as u16;
            }
        }
        Ok(Self { of_index, classes })
    }

    /// The cache for the zspages of a class: that of a class with zspages of the same size, or a new
    /// one.
    fn zspage_cache(
        classes: &[SizeClass],
        spec: &ClassSpec,
        name: &CStr,
    ) -> Result<Arc<Cache>, NoMemory> {
        let size = zspage_size(spec);
        match classes
            .iter()
            .find(|class| zspage_size(class.spec()) == size)
        {
            Some(class) => Ok(class.cache().clone()),
            None => alloc::shared(Cache::new(c"zs_rs_zspage", name, size, ZSPAGE_ALIGN)?),
        }
    }

    /// The class that serves those of that index before merging.
    #[inline]
    fn get(&self, index: usize) -> Option<&SizeClass> {
        self.classes.get(usize::from(*self.of_index.get(index)?))
    }
}

impl Pool {
    /// A pool without objects, with zspages of at most `chain_size` pages. Sleeps
    /// (`zs_create_pool()`).
    pub(crate) fn new(name: &CStr, chain_size: usize) -> Result<Pin<Box<Self>>, NoMemory> {
        let shape = Geometry::new(PAGE_SIZE, chain_size);
        alloc::pinned(try_pin_init!(&this in Self {
            geometry: shape,
            // SAFETY: They are those of this pool.
            classes: unsafe { Classes::new(this, shape, name)? },
            handles: Handles::new(name)?,
            pages: Counter::new(),
            counters: Counters::new(),
            compacting: AtomicBool::new(false),
            _pinned: PhantomPinned,
        }? NoMemory))
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
        match self.classes.get(self.geometry.class_index(size)) {
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
            warn_once!(c"free of what is not allocated", handle.to_header());
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
        if !ptr::eq(class.pool(), self) {
            return None;
        }
        let guard = class.lock();

        // A compaction may have moved the object meanwhile, though not to another class.
        let (word, zspage, index) = guard.locate(handle)?;
        if word != seen.word {
            self.counters.add(Event::FreeRetries, 1);
        }
        let was_used = zspage.free_object(index);
        zspage.fix_fullness();
        was_used.then_some(())
    }

    /// Pages that back the objects (`zs_get_total_pages()`).
    pub(crate) fn total_pages(&self) -> usize {
        self.pages.get()
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
        &self.classes.classes
    }

    /// What the pool counts.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A zspage of `n` pages has been made.
    pub(super) fn count_pages(&self, n: usize) {
        self.pages.add(n);
    }

    /// The `n` pages of a zspage have been freed.
    pub(super) fn uncount_pages(&self, n: usize) {
        self.pages.sub(n);
    }

    /// Destroys the pool (`zs_destroy_pool()`). Sleeps for a grace period. `at_end` is called when all
    /// has been counted, and before the pool is gone.
    ///
    /// Objects that have not been freed may still be used by somebody: then all is leaked instead,
    /// and the caller has to keep the code of the module, since the pages remain movable.
    pub(crate) fn destroy(pool: Pin<Box<Self>>, at_end: impl FnOnce()) -> Result<(), PoolInUse> {
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
