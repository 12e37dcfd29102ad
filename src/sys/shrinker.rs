// SPDX-License-Identifier: GPL-2.0

//! A shrinker: reclaim asks it how much it could free, and to free it.
//!
//! C header: `include/linux/shrinker.h`.

use super::bindings;
use core::{ffi::CStr, marker::PhantomData, ptr::NonNull};
use kernel::ffi::c_ulong;

/// `SHRINK_STOP`: nothing could be freed, do not ask again now.
const SHRINK_STOP: c_ulong = !0;

/// What a shrinker calls. Both run in reclaim: may sleep, must not wait for memory.
pub(crate) trait Shrink: Sync {
    /// Pages that [`Self::scan`] could free.
    fn count(&self) -> usize;

    /// Frees what it can and says how many pages that was.
    fn scan(&self) -> usize;
}

/// A registered shrinker of a `T`.
///
/// # Invariants
///
/// `shrinker` is registered, and its private data is a `T` that outlives it.
pub(crate) struct Shrinker<T: Shrink> {
    shrinker: NonNull<bindings::shrinker>,
    _of: PhantomData<T>,
}

// SAFETY: A registration belongs to no task.
unsafe impl<T: Shrink> Send for Shrinker<T> {}
// SAFETY: A registration has no methods.
unsafe impl<T: Shrink> Sync for Shrinker<T> {}

impl<T: Shrink> Shrinker<T> {
    /// Registers `what` under `name`. Sleeps. `None` if there is no memory.
    ///
    /// # Safety
    ///
    /// `what` outlives the returned value.
    pub(crate) unsafe fn register(name: &CStr, what: NonNull<T>) -> Option<Self> {
        // SAFETY: The name is a string, and copied; the callbacks fit the data.
        let shrinker = unsafe {
            bindings::zs_rs_shrinker_register(
                name.as_ptr().cast(),
                what.as_ptr().cast(),
                Some(Self::count),
                Some(Self::scan),
            )
        };
        // INVARIANT: Just registered; `what` lives, as the caller promises.
        NonNull::new(shrinker).map(|shrinker| Self {
            shrinker,
            _of: PhantomData,
        })
    }

    /// # Safety
    ///
    /// `shrinker` is the one of a value of this type.
    unsafe fn data<'a>(shrinker: *mut bindings::shrinker) -> &'a T {
        // SAFETY: By the type invariant; `shrinker_free()` waits for callbacks.
        unsafe { &*bindings::zs_rs_shrinker_pool(shrinker).cast() }
    }

    /// # Safety
    ///
    /// Called by reclaim, with a shrinker that `register()` registered.
    unsafe extern "C" fn count(
        shrinker: *mut bindings::shrinker,
        _sc: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Registered by `register()`.
        unsafe { Self::data(shrinker) }.count() as c_ulong
    }

    /// # Safety
    ///
    /// Called by reclaim, with a shrinker that `register()` registered.
    unsafe extern "C" fn scan(
        shrinker: *mut bindings::shrinker,
        _sc: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Registered by `register()`.
        match unsafe { Self::data(shrinker) }.scan() {
            0 => SHRINK_STOP,
            pages => pages as c_ulong,
        }
    }
}

impl<T: Shrink> Drop for Shrinker<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::zs_rs_shrinker_free(self.shrinker.as_ptr()) };
    }
}
