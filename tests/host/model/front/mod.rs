// SPDX-License-Identifier: GPL-2.0

//! `crate::front` on the host: mapping and the hooks of page migration are the kernel's own files.

#[path = "../../../../src/front/map.rs"]
pub(crate) mod map;
#[path = "../../../../src/front/migrate.rs"]
pub(crate) mod migrate;
pub(crate) mod report;
