// SPDX-License-Identifier: GPL-2.0

//! Values made in place: the crate that the kernel's macros come from.

pub(crate) use pinned_init::{pin_data, pin_init, try_pin_init, PinInit};
