// SPDX-License-Identifier: GPL-2.0

//! What cannot be, and is all the same: a bug of ours or of the user's, or memory that somebody has
//! overwritten. It is said once, as a kernel warning with a back trace, and then survived.

use super::bindings;
use core::{
    ffi::CStr,
    sync::atomic::{AtomicBool, Ordering},
};

/// A place in the code that warns the first time that it is reached (`WARN_ON_ONCE()`).
pub(crate) struct Once(AtomicBool);

impl Once {
    /// A place that has not been reached.
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Warns, if it is the first time. `handle` is the handle concerned, or 0 without one.
    #[cold]
    pub(crate) fn warn(&self, what: &'static CStr, handle: usize) {
        if !self.0.swap(true, Ordering::Relaxed) {
            // SAFETY: `what` is a string. May be called in any context.
            unsafe { bindings::zs_rs_warn(what.as_ptr().cast(), handle) };
        }
    }
}

/// Warns of what cannot be, once for each place: `warn_once!(c"what is wrong", handle)`.
macro_rules! warn_once {
    ($what:expr) => {
        $crate::sys::warn::warn_once!($what, 0)
    };
    ($what:expr, $handle:expr) => {{
        static HERE: $crate::sys::warn::Once = $crate::sys::warn::Once::new();
        HERE.warn($what, $handle);
    }};
}
pub(crate) use warn_once;
