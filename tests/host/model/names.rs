// SPDX-License-Identifier: GPL-2.0

//! What a test may know of the anchor of an object: its first word, as memory.

use crate::{
    sys::atomic::AtomicUsize,
    zsmalloc::{Handle, ANCHOR_ALIGN},
};
use std::sync::atomic::Ordering;

/// The word of the anchor.
pub(super) fn anchor_word(handle: &Handle) -> &AtomicUsize {
    let low = ANCHOR_ALIGN.trailing_zeros();
    let address = (handle.as_number() as isize >> (low + 7)) << low;
    // SAFETY: The object is allocated, and the anchor with it.
    unsafe { &*(address as *const AtomicUsize) }
}

/// Whether compaction has moved the object: the word is not the address of its zspage any more.
pub(super) fn has_moved(handle: &Handle) -> bool {
    anchor_word(handle).load(Ordering::Relaxed) & 3 != 0
}
