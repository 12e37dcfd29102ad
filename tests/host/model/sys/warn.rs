// SPDX-License-Identifier: GPL-2.0

//! Warnings: a test in which there is one fails, unless it takes it from the world.

use crate::host::world;
use std::ffi::CStr;

pub(crate) fn warn(what: &'static CStr, _handle: usize) {
    world().warn(what.to_str().expect("a name"));
}

macro_rules! warn_once {
    ($what:expr) => {
        $crate::sys::warn::warn($what, 0)
    };
    ($what:expr, $handle:expr) => {
        $crate::sys::warn::warn($what, $handle)
    };
}
pub(crate) use warn_once;
