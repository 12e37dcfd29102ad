// SPDX-License-Identifier: GPL-2.0

//! A kernel on the host: memory, locks, RCU, page frames and the migration core, as far as the
//! allocator can tell, with the checks of a debug kernel built in.

pub(crate) mod context;
pub(crate) mod frame;
pub(crate) mod heap;
pub(crate) mod lock;
pub(crate) mod mm;
pub(crate) mod mutex;
pub(crate) mod point;
pub(crate) mod rcu;
pub(crate) mod world;

pub(crate) use world::{world, World};
