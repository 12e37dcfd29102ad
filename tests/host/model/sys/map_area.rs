// SPDX-License-Identifier: GPL-2.0

//! The buffer behind map and unmap: each thread is a CPU and has its own. Its lock is an RCU read
//! section, as the kernel's is.

use super::{lock::ReadGuard, page::PAGE_SIZE, rcu::Reading};
use crate::host::world;
use std::{cell::RefCell, collections::HashMap, marker::PhantomData, ptr::NonNull};

/// What a map leaves for its unmap.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) pinned: usize,
    pub(crate) copy_back: bool,
}

struct Area {
    buffer: Box<[u8; PAGE_SIZE]>,
    mapped: bool,
    mapping: Option<Mapping>,
}

thread_local! {
    // Threads of a model share a thread of the host, but not a machine or a name.
    static AREAS: RefCell<HashMap<(usize, crate::rt::TaskId), Box<Area>>> = RefCell::default();
}

/// This CPU's buffer, locked.
pub(crate) struct MapArea {
    area: NonNull<Area>,
    _not_send: PhantomData<*mut ()>,
}

impl MapArea {
    fn current() -> NonNull<Area> {
        let cpu = (world().id(), crate::rt::task());
        AREAS.with_borrow_mut(|areas| {
            areas.retain(|&(world, _), _| world == cpu.0);
            let area = areas.entry(cpu).or_insert_with(|| {
                Box::new(Area {
                    buffer: Box::new([0; PAGE_SIZE]),
                    mapped: false,
                    mapping: None,
                })
            });
            NonNull::from(&mut **area)
        })
    }

    pub(crate) fn lock() -> Self {
        let mut area = Self::current();
        // SAFETY: Areas are their thread's, and stay where they are.
        let this = unsafe { area.as_mut() };
        assert!(!this.mapped, "a second object is mapped on this CPU");
        this.mapped = true;
        world().rcu.read_lock();
        // What an earlier object left must not matter.
        this.buffer.fill(0x5a);
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    /// `lock()` has seen to it.
    pub(crate) fn is_mapped(&self) -> bool {
        false
    }

    pub(crate) fn leave_locked(mut self, mapping: Mapping) {
        // SAFETY: As above.
        unsafe { self.area.as_mut() }.mapping = Some(mapping);
        std::mem::forget(self);
    }

    /// # Safety
    ///
    /// This thread called [`Self::lock`] and [`Self::leave_locked`] last.
    pub(crate) unsafe fn resume() -> Option<(Self, Mapping)> {
        let mut area = Self::current();
        // SAFETY: As above.
        let mapping = unsafe { area.as_mut() }.mapping.take();
        let this = Self {
            area,
            _not_send: PhantomData,
        };
        Some((this, mapping.expect("nothing is mapped on this CPU")))
    }

    pub(crate) fn reading(&self) -> Reading<'_> {
        // SAFETY: `lock()` entered the section.
        unsafe { Reading::by(self) }
    }

    pub(crate) fn unlock_with(self, reader: ReadGuard<'_>) {
        drop(self);
        drop(reader);
    }

    pub(crate) fn buffer(&mut self) -> &mut [u8; PAGE_SIZE] {
        // SAFETY: As above; the buffer is borrowed as long as `self` is.
        &mut unsafe { self.area.as_mut() }.buffer
    }
}

impl Drop for MapArea {
    fn drop(&mut self) {
        // SAFETY: As above.
        unsafe { self.area.as_mut() }.mapped = false;
        world().rcu.read_unlock();
    }
}
