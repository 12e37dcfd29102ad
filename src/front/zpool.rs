// SPDX-License-Identifier: GPL-2.0

//! Front end: the `zpool_driver` table, by which zswap and zram allocate.
//!
//! C header: `include/linux/zpool.h`. The operations that zram needs exist only in kernels with our
//! patches (`patches/linux-6.12/`); `cfg(ZPOOL_ZRAM_OPS)` says whether this is one.
//!
//! This is the only file that makes a [`Handle`] of an integer.

use super::{
    map::{self, MapMode},
    report,
};
use crate::{
    sys::{
        alloc::{self, Box, NoMemory},
        bindings,
        debugfs::Dir,
        module,
        page::Gfp,
        shrinker::{Shrink, Shrinker},
        trace::{self, PoolId},
    },
    zsmalloc::{Error, Handle, Pool, PoolInUse},
};
use core::{
    cell::UnsafeCell,
    ffi::{c_void, CStr},
    ptr::{self, NonNull},
};
use kernel::{
    error::code::{EINVAL, ENOMEM, ENOSPC},
    ffi::{c_char, c_int, c_ulong},
    prelude::*,
};

/// A pool, as zpool has it: with the things that show and shrink it, which go first.
struct ZpoolPool {
    shrinker: Option<Shrinker<Pool>>,
    debugfs: Option<Dir>,
    counted: report::LivePool,
    pool: Box<Pool>,
}

impl Shrink for Pool {
    fn count(&self) -> usize {
        self.freeable()
    }

    fn scan(&self) -> usize {
        self.compact()
    }
}

impl ZpoolPool {
    fn new(name: &CStr) -> Result<Box<Self>, NoMemory> {
        let chain_size = module::chain_size();
        let pool = Pool::new(name, chain_size)?;
        let address = NonNull::from(&*pool);
        let id = PoolId::of(pool.stats());
        // SAFETY: `destroy()` drops all three before the pool, which stays at its address, or leaks
        // the last one with it. Without memory for the first two the pool works all the same, so
        // neither is checked (as in C zsmalloc).
        let this = unsafe {
            alloc::boxed(Self {
                shrinker: Shrinker::register(name, address),
                debugfs: Some(report::pool_dir(name, address)),
                counted: report::add_pool(address)?,
                pool,
            })
        }?;
        trace::pool_create(id, name, chain_size);
        Ok(this)
    }

    fn destroy(this: Box<Self>) {
        let Self {
            shrinker,
            debugfs,
            counted,
            pool,
        } = Box::into_inner(this);
        drop(shrinker);
        drop(debugfs);
        let id = PoolId::of(pool.stats());
        let leaked = match Pool::destroy(pool, counted) {
            Ok(()) => 0,
            Err(PoolInUse { objects }) => {
                pr_warn!(
                    "pool destroyed with {objects} objects in it: leaked, and the module stays\n"
                );
                module::leak_pool();
                objects
            }
        };
        trace::pool_destroy(id, leaked);
    }
}

/// The table that the kernel has while the driver is registered.
struct Table(UnsafeCell<bindings::zpool_driver>);

// SAFETY: Written by `Driver::register()` before, and by the kernel, under its lock, while the driver
// is registered.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new(DRIVER));

const DRIVER: bindings::zpool_driver = bindings::zpool_driver {
    // The kernel never writes to it.
    type_: c"zsmalloc_rs".as_ptr().cast::<c_char>().cast_mut(),
    create: Some(create),
    destroy: Some(destroy),
    malloc_support_movable: true,
    #[cfg(ZPOOL_ZRAM_OPS)]
    malloc_whole_page: true,
    malloc: Some(malloc),
    free: Some(free),
    // Calls `map()`; its type is that of the table, which has an enum.
    map: Some(bindings::zs_rs_hook_map),
    unmap: Some(unmap),
    total_pages: Some(total_pages),
    #[cfg(ZPOOL_ZRAM_OPS)]
    compact: Some(compact),
    #[cfg(ZPOOL_ZRAM_OPS)]
    pages_compacted: Some(pages_compacted),
    #[cfg(ZPOOL_ZRAM_OPS)]
    huge_class_size: Some(huge_class_size),
    #[cfg(ZPOOL_ZRAM_OPS)]
    class_index: Some(class_index),
    // SAFETY: The rest (owner, reference count, list) may be zero, and is set on registration.
    ..unsafe { core::mem::zeroed() }
};

/// Registration with zpool: while it lasts, pools can be made.
pub(crate) struct Driver(());

impl Driver {
    /// Registers the driver (`zpool_register_driver()`). Sleeps; called once.
    pub(crate) fn register(module: &'static ThisModule) -> Self {
        // SAFETY: Not registered yet, so nobody else uses the table; it is static.
        unsafe {
            (*TABLE.0.get()).owner = module.as_ptr().cast();
            bindings::zpool_register_driver(TABLE.0.get());
        }
        Self(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // SAFETY: Registered by `register()`. Cannot fail with -EBUSY: each pool holds a reference
        // to the module.
        let ret = unsafe { bindings::zpool_unregister_driver(TABLE.0.get()) };
        if ret != 0 {
            pr_err!("zpool_unregister_driver: {ret}\n");
        }
    }
}

/// The pool behind the pointer that zpool has.
///
/// # Safety
///
/// `pool` came from [`create`] and has not been destroyed.
unsafe fn pool<'a>(pool: *mut c_void) -> &'a Pool {
    // SAFETY: As the caller promises. Operations run concurrently and get a shared reference.
    unsafe { &(*pool.cast::<ZpoolPool>()).pool }
}

/// Makes a pool; NULL without memory. Sleeps, whatever the flags: as in C zsmalloc they are ignored,
/// being those of zpool's own allocation.
///
/// # Safety
///
/// `name` is a string.
unsafe extern "C" fn create(name: *const c_char, _gfp: bindings::gfp_t) -> *mut c_void {
    // SAFETY: As the caller promises.
    match ZpoolPool::new(unsafe { module::c_str(name.cast()) }) {
        Ok(pool) => Box::into_raw(pool).cast(),
        Err(NoMemory) => ptr::null_mut(),
    }
}

/// Destroys a pool. Sleeps.
///
/// # Safety
///
/// `zpool` came from [`create`]; this is its last use.
unsafe extern "C" fn destroy(zpool: *mut c_void) {
    // SAFETY: As the caller promises.
    ZpoolPool::destroy(unsafe { Box::from_raw(zpool.cast()) });
}

/// Allocates an object. Sleeps if `gfp` says so.
///
/// # Safety
///
/// See [`pool()`]; `handle` may be written.
unsafe extern "C" fn malloc(
    zpool: *mut c_void,
    size: usize,
    gfp: bindings::gfp_t,
    handle: *mut c_ulong,
) -> c_int {
    // SAFETY: As the caller promises.
    match unsafe { pool(zpool) }.malloc(size, Gfp::from_raw(gfp)) {
        Ok(object) => {
            // SAFETY: As the caller promises.
            unsafe { handle.write(object.into_raw()) };
            0
        }
        Err(Error::Empty) => EINVAL.to_errno(),
        Err(Error::TooLarge) => ENOSPC.to_errno(),
        Err(Error::NoMemory) => ENOMEM.to_errno(),
    }
}

/// Frees an object. Does not sleep.
///
/// # Safety
///
/// See [`pool()`]; `handle` came from [`malloc`] of this pool, its object is not mapped, and this is
/// its last use.
unsafe extern "C" fn free(zpool: *mut c_void, handle: c_ulong) {
    // SAFETY: As the caller promises.
    if let Some(handle) = unsafe { Handle::from_raw(handle) } {
        // SAFETY: As the caller promises.
        unsafe { pool(zpool) }.free(handle);
    }
}

/// Maps an object. See [`map::map`] for the context until [`unmap`].
///
/// # Safety
///
/// See [`pool()`]; `handle` came from [`malloc`] of this pool; until [`unmap`] it is not freed, and
/// nobody else writes its object.
#[export_name = "zs_rs_map"]
unsafe extern "C" fn map(
    zpool: *mut c_void,
    handle: c_ulong,
    mode: bindings::zpool_mapmode,
) -> *mut c_void {
    let mode = match mode {
        bindings::zpool_mapmode_ZPOOL_MM_RO => MapMode::ReadOnly,
        bindings::zpool_mapmode_ZPOOL_MM_WO => MapMode::WriteOnly,
        _ => MapMode::ReadWrite,
    };
    // SAFETY: As the caller promises.
    let address = unsafe { Handle::from_raw(handle) }
        // SAFETY: As the caller promises.
        .and_then(|handle| unsafe { map::map(pool(zpool), &handle, mode) });
    match address {
        Some(address) => address.as_ptr().cast(),
        None => ptr::null_mut(),
    }
}

// `hooks.c` calls it by the same type.
const _: () = {
    if true {
        bindings::zs_rs_map
    } else {
        map
    };
};

/// Ends what [`map`] began, on the same CPU.
///
/// # Safety
///
/// See [`pool()`]; this task mapped `handle`, and nothing since.
unsafe extern "C" fn unmap(_zpool: *mut c_void, handle: c_ulong) {
    // SAFETY: As the caller promises.
    if let Some(handle) = unsafe { Handle::from_raw(handle) } {
        // SAFETY: As the caller promises.
        unsafe { map::unmap(&handle) };
    }
}

/// Pages that back the pool's objects. Any context.
///
/// # Safety
///
/// See [`pool()`].
unsafe extern "C" fn total_pages(zpool: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    unsafe { pool(zpool) }.total_pages() as u64
}

/// Compacts the pool and returns how many pages that freed. Sleeps.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn compact(zpool: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    unsafe { pool(zpool) }.compact() as u64
}

/// Pages that compaction has freed since the pool was made. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn pages_compacted(zpool: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    let pool = unsafe { pool(zpool) };
    pool.stats().get(crate::zsmalloc::Event::PagesCompacted) as u64
}

/// Size from which on an object takes a page by itself. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn huge_class_size(zpool: *mut c_void) -> usize {
    // SAFETY: As the caller promises.
    unsafe { pool(zpool) }.huge_class_size()
}

/// The class that serves `size`: a larger index takes more memory an object. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn class_index(zpool: *mut c_void, size: usize) -> u32 {
    // SAFETY: As the caller promises.
    unsafe { pool(zpool) }.class_index(size) as u32
}
