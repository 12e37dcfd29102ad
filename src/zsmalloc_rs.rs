// SPDX-License-Identifier: GPL-2.0

//! zsmalloc_rs: the allocator under Linux's compressed memory, with RCU in place of page locks.
//!
//! | where | what |
//! |---|---|
//! | [`front`] | what the kernel calls: tables of functions, files in debugfs |
//! | [`zsmalloc`] | the allocator; start there |
//! | [`sys`] | all that touches the kernel |

mod front;
mod sys;
mod zsmalloc;

use crate::{
    front::{migrate::MOVABLE_OPERATIONS, report, zpool},
    sys::{debugfs::Dir, map_area::MapAreas, page, rcu},
};
use kernel::prelude::*;

module! {
    type: Module,
    name: "zsmalloc_rs",
    author: "zsmalloc_rs developers",
    description: "zsmalloc with RCU in place of page locks",
    license: "GPL",
    alias: ["zpool-zsmalloc_rs"],
}

/// All that is set up while the module is loaded, in the order in which it is taken down.
struct Module {
    driver: Option<zpool::Driver>,
    debugfs: Option<Dir>,
    _areas: MapAreas,
}

impl kernel::Module for Module {
    fn init(module: &'static ThisModule) -> Result<Self> {
        page::set_movable_ops(&MOVABLE_OPERATIONS);
        let areas = MapAreas::new()?;
        let debugfs = report::module_dir();
        let driver = zpool::Driver::register(module);
        sys::module::log_version();
        Ok(Self {
            driver: Some(driver),
            debugfs: Some(debugfs),
            _areas: areas,
        })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // No pool exists: each holds a reference to the module.
        self.driver = None;
        self.debugfs = None;

        // Callbacks and readers are gone with the last pool, or go now; then the hooks, which are
        // called for as long as somebody holds a page that names them.
        rcu::drain();
        if page::raced_frees() > 0 {
            match page::disown_all() {
                0 => (),
                pages => pr_info!("{pages} freed pages were still held by page migration\n"),
            }
        }
    }
}
