// SPDX-License-Identifier: GPL-2.0

//! Mapping, as zpool has it: an address from map to unmap, on the CPU that mapped.
//!
//! The allocator only pins an object, which may lie in two pages. What zpool wants is one address.
//! So an object in one page is used in place; one that spans two is copied to this CPU's buffer by
//! map and, unless it was only read, back by unmap. The pin and the lock of the buffer outlive the
//! call that takes them: between the two calls they are values that have been forgotten, and what
//! unmap needs to know of them lies beside the buffer. Unmap looks nothing up.

use crate::{
    sys::{
        map_area::{MapArea, Mapping},
        warn::warn_once,
    },
    zsmalloc::{Handle, Pinned, Pool, Segments},
};
use core::ptr::NonNull;

/// What the owner is going to do with an object (`enum zpool_mapmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapMode {
    /// Read and write.
    ReadWrite,
    /// Read only: nothing written is kept.
    ReadOnly,
    /// Write all of it: what was there may be lost.
    WriteOnly,
}

/// Maps an object and returns the address of its first byte (`zs_map_object()`).
///
/// Until the [`unmap`] the caller must not sleep (on `PREEMPT_RT` it may wait for a spinlock, and be
/// preempted), has page faults off, stays on its CPU and maps no other object. Not for interrupt
/// context. `None` only of memory that somebody has overwritten, or while another object is mapped.
///
/// # Safety
///
/// Until the [`unmap`] nobody else writes the object, and nobody frees it.
#[inline]
pub(crate) unsafe fn map(pool: &Pool, handle: &Handle, mode: MapMode) -> Option<NonNull<u8>> {
    // First the buffer's lock, since the object is looked for under RCU, which the lock stands for.
    let mut area = MapArea::lock();
    if area.is_mapped() {
        warn_once!(c"a second object is mapped on this CPU", handle.as_number());
        return None;
    }
    let pinned = pool.pin(handle, area.reading())?;
    let segments = pinned.segments()?;
    let (address, copy_back) = match segments.contiguous() {
        Some(address) => (address, false),
        None => {
            if mode != MapMode::WriteOnly {
                // SAFETY: As the caller promises.
                unsafe { copy_to_buffer(segments, &mut area) };
            }
            let buffer = NonNull::from(area.buffer()).cast();
            (buffer, mode != MapMode::ReadOnly)
        }
    };
    area.leave_locked(Mapping {
        pinned: pinned.into_raw(),
        copy_back,
    });
    Some(address)
}

/// Ends what [`map`] began (`zs_unmap_object()`). Does not sleep.
///
/// # Safety
///
/// This task mapped the object of `handle`, and nothing since, on this CPU.
#[inline]
pub(crate) unsafe fn unmap(handle: &Handle) {
    // SAFETY: As the caller promises, `map()` left it to us.
    let Some((mut area, mapping)) = (unsafe { MapArea::resume() }) else {
        warn_once!(c"unmap of what is not mapped", handle.as_number());
        return;
    };
    // SAFETY: `map()` left the pin in the area, which gives it out once.
    let Some(pinned) = (unsafe { Pinned::from_raw(mapping.pinned) }) else {
        warn_once!(c"unmap of what is not mapped", handle.as_number());
        return;
    };
    debug_assert!(pinned.is_of(handle), "unmap of another object");
    if mapping.copy_back {
        // SAFETY: As the caller of `map()` promised.
        unsafe { copy_from_buffer(&pinned, &mut area) };
    }
    area.unlock_with(pinned.into_reader());
}

/// Copies an object to the buffer.
///
/// # Safety
///
/// Nobody writes the object meanwhile.
#[inline(never)] // Most objects lie in one page: nothing of this on their way.
unsafe fn copy_to_buffer(segments: Segments<'_>, area: &mut MapArea) {
    // SAFETY: As the caller promises; the buffer is ours.
    unsafe { Segments::of_buffer(area.buffer()).copy_from(&segments) };
}

/// Copies the buffer to the object that is pinned.
///
/// # Safety
///
/// Nobody else uses the object meanwhile.
#[inline(never)]
unsafe fn copy_from_buffer(pinned: &Pinned<'_>, area: &mut MapArea) {
    if let Some(segments) = pinned.segments() {
        // SAFETY: As the caller promises; the buffer is ours.
        unsafe { segments.copy_from(&Segments::of_buffer(area.buffer())) };
    }
}
