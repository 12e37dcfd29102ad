// SPDX-License-Identifier: GPL-2.0

//! Values that must not move, made in place at the address where they stay: the kernel's pin-init.
//!
//! On the host these are the macros of the crate `pinned-init`, from which the kernel's come.

pub(crate) use kernel::{
    init::PinInit,
    prelude::{pin_data, pin_init, try_pin_init},
};
