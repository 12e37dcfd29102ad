// SPDX-License-Identifier: GPL-2.0

//! `crate::front` on the host: the hooks of page migration are the kernel's own file.

#[path = "../../../../src/front/migrate.rs"]
pub(crate) mod migrate;
pub(crate) mod report;
