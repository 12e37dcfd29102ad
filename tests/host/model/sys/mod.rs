// SPDX-License-Identifier: GPL-2.0

//! `crate::sys` on the host: the names and signatures of `src/sys/`, on top of [`crate::host`].
//!
//! [`page`] is the kernel's own file, and so is the C code behind it: what matters most about pages,
//! the order in which they are freed, is theirs.

pub(crate) mod alloc;
pub(crate) mod atomic;
pub(crate) mod bindings;
pub(crate) mod delay;
pub(crate) mod init;
pub(crate) mod lock;
pub(crate) mod map_area;
#[path = "../../../../src/sys/page.rs"]
pub(crate) mod page;
#[cfg(miri)]
pub(crate) mod page_c;
pub(crate) mod preempt;
pub(crate) mod rcu;
pub(crate) mod slab;
pub(crate) mod trace;
pub(crate) mod warn;
