// SPDX-License-Identifier: GPL-2.0

//! The buffer behind map and unmap: each thread is a CPU and has its own.

use super::page::PAGE_SIZE;
use std::{cell::RefCell, collections::HashMap, marker::PhantomData, ptr::NonNull};

struct Area {
    buffer: Box<[u8]>,
    mapped: bool,
    read_only: bool,
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
        let cpu = (crate::host::world().id(), crate::rt::task());
        AREAS.with_borrow_mut(|areas| {
            areas.retain(|&(world, _), _| world == cpu.0);
            let area = areas.entry(cpu).or_insert_with(|| {
                Box::new(Area {
                    buffer: vec![0; PAGE_SIZE].into(),
                    mapped: false,
                    read_only: false,
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
        // What an earlier object left must not matter.
        this.buffer.fill(0x5a);
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    /// # Safety
    ///
    /// This thread called [`Self::lock`] and [`Self::leave_locked`] last.
    pub(crate) unsafe fn resume() -> Self {
        let area = Self::current();
        // SAFETY: As above.
        assert!(
            unsafe { area.as_ref() }.mapped,
            "nothing is mapped on this CPU"
        );
        Self {
            area,
            _not_send: PhantomData,
        }
    }

    pub(crate) fn leave_locked(mut self, read_only: bool) {
        // SAFETY: As above.
        unsafe { self.area.as_mut() }.read_only = read_only;
        std::mem::forget(self);
    }

    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: As above.
        unsafe { self.area.as_ref() }.read_only
    }

    pub(crate) fn buffer(&mut self, len: usize) -> &mut [u8] {
        // SAFETY: As above; the buffer is borrowed as long as `self` is.
        &mut unsafe { self.area.as_mut() }.buffer[..len.min(PAGE_SIZE)]
    }
}

impl Drop for MapArea {
    fn drop(&mut self) {
        // SAFETY: As above.
        unsafe { self.area.as_mut() }.mapped = false;
    }
}
