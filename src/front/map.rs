// SPDX-License-Identifier: GPL-2.0

//! Mapping, as zpool has it: an address from map to unmap, on the CPU that mapped.
//!
//! The allocator only pins an object, which may lie in two pages. What zpool wants is one address.
//! So an object in one page is used in place; one that spans two is copied to this CPU's buffer by
//! map and, unless it was only read, back by unmap. The pin and the lock of the buffer outlive the
//! call that takes them: between the two calls they are values that have been forgotten, and what
//! unmap needs to know of them lies beside the buffer. Unmap looks nothing up.

use crate::{
    sys::map_area::{MapArea, Mapping},
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
/// Until the [`unmap`] the caller must not sleep (on `PREEMPT_RT`: may), has page faults off, stays on
/// its CPU and maps no other object. Not for interrupt context. `None` only of memory that somebody
/// has overwritten.
///
/// # Safety
///
/// Until the [`unmap`] nobody else writes the object, and nobody frees it.
#[inline]
pub(crate) unsafe fn map(pool: &Pool, handle: &Handle, mode: MapMode) -> Option<NonNull<u8>> {
    let pinned = pool.pin(handle)?;
    let mut area = MapArea::lock();
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
    // SAFETY: As the caller promises, `map()` left both to us.
    let (mut area, pinned, copy_back) = unsafe {
        let (area, mapping) = MapArea::resume();
        (area, Pinned::from_raw(mapping.pinned), mapping.copy_back)
    };
    debug_assert!(pinned.is_of(handle), "unmap of what is not mapped");
    if copy_back {
        // SAFETY: As the caller of `map()` promised.
        unsafe { copy_from_buffer(&pinned, &mut area) };
    }
    // Locks are given back in the order C zsmalloc does: the CPU first.
    drop(area);
    drop(pinned);
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
