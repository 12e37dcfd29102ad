// SPDX-License-Identifier: GPL-2.0

//! Property tests with pages of 64K.

#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/geometry.rs"]
mod geometry;
#[path = "../model/handles.rs"]
mod handles;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/property.rs"]
mod property;
#[path = "../model/rt/single.rs"]
mod rt;
#[path = "../model/sequence.rs"]
mod sequence;
#[path = "../model/sys/mod.rs"]
mod sys;
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

#[link(name = "zsm_c", kind = "static")]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 16;
