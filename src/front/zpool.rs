// SPDX-License-Identifier: GPL-2.0

//! Front end: the `zpool_driver` table, by which zswap and zram allocate.
//!
//! C header: `include/linux/zpool.h`. The operations that zram needs exist only in kernels with our
//! patches (`patches/linux-6.12/`); `cfg(ZPOOL_ZRAM_OPS)` says whether this is one.
//!
//! This is the only file that makes a [`Handle`] of an integer.

use super::report::{self, POOLS, TOTALS};
use crate::{
    sys::{
        alloc::{self, Box},
        bindings,
        debugfs::Dir,
        module,
        page::Gfp,
        shrinker::{Shrink, Shrinker},
    },
    zsmalloc::{Error, Handle, MapMode, Pool},
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
struct Front {
    shrinker: Option<Shrinker<Pool>>,
    debugfs: Option<Dir>,
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

impl Front {
    fn new(name: &CStr) -> Option<Box<Self>> {
        let pool = Pool::new(name, module::chain_size(), &TOTALS).ok()?;
        let address = NonNull::from(&*pool);
        let mut front = alloc::boxed(Self {
            shrinker: None,
            debugfs: None,
            pool,
        })
        .ok()?;
        // SAFETY: `destroy()` drops both before the pool, which stays at its address. Without
        // memory for them the pool works all the same, so neither is checked (as in C zsmalloc).
        unsafe {
            front.debugfs = Some(report::pool_dir(name, address));
            front.shrinker = Shrinker::register(name, address);
        }
        POOLS.add(1);
        Some(front)
    }

    fn destroy(front: Box<Self>) {
        let Self {
            shrinker,
            debugfs,
            pool,
        } = Box::into_inner(front);
        drop(shrinker);
        drop(debugfs);
        POOLS.sub(1);
        if let Err(left) = Pool::destroy(pool) {
            pr_warn!(
                "pool destroyed with {} objects in it: leaked, and the module stays\n",
                left.objects
            );
            module::leak_pool();
        }
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
    map: Some(map),
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
    unsafe { &(*pool.cast::<Front>()).pool }
}

/// Makes a pool; NULL without memory. Sleeps, whatever the flags: as in C zsmalloc they are ignored,
/// being those of zpool's own allocation.
///
/// # Safety
///
/// `name` is a string.
unsafe extern "C" fn create(name: *const c_char, _gfp: bindings::gfp_t) -> *mut c_void {
    // SAFETY: As the caller promises.
    match Front::new(unsafe { module::c_str(name.cast()) }) {
        Some(front) => Box::into_raw(front).cast(),
        None => ptr::null_mut(),
    }
}

/// Destroys a pool. Sleeps.
///
/// # Safety
///
/// `front` came from [`create`]; this is its last use.
unsafe extern "C" fn destroy(front: *mut c_void) {
    // SAFETY: As the caller promises.
    Front::destroy(unsafe { Box::from_raw(front.cast()) });
}

/// Allocates an object. Sleeps if `gfp` says so.
///
/// # Safety
///
/// See [`pool()`]; `handle` may be written.
unsafe extern "C" fn malloc(
    front: *mut c_void,
    size: usize,
    gfp: bindings::gfp_t,
    handle: *mut c_ulong,
) -> c_int {
    // SAFETY: As the caller promises.
    match unsafe { pool(front) }.malloc(size, Gfp::from_raw(gfp)) {
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
unsafe extern "C" fn free(front: *mut c_void, handle: c_ulong) {
    // SAFETY: As the caller promises.
    if let Some(handle) = unsafe { Handle::from_raw(handle) } {
        // SAFETY: As the caller promises.
        unsafe { pool(front) }.free(handle);
    }
}

/// Maps an object. See [`Pool::map`] for the context until [`unmap`].
///
/// # Safety
///
/// See [`pool()`]; `handle` came from [`malloc`] of this pool and is not freed before [`unmap`].
unsafe extern "C" fn map(
    front: *mut c_void,
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
        .and_then(|handle| unsafe { pool(front) }.map(&handle, mode));
    match address {
        Some(address) => address.as_ptr().cast(),
        None => ptr::null_mut(),
    }
}

/// Ends what [`map`] began, on the same CPU.
///
/// # Safety
///
/// See [`pool()`]; this task mapped `handle`, and nothing since.
unsafe extern "C" fn unmap(front: *mut c_void, handle: c_ulong) {
    // SAFETY: As the caller promises.
    if let Some(handle) = unsafe { Handle::from_raw(handle) } {
        // SAFETY: As the caller promises.
        unsafe { pool(front).unmap(&handle) };
    }
}

/// Pages that back the pool's objects. Any context.
///
/// # Safety
///
/// See [`pool()`].
unsafe extern "C" fn total_pages(front: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    unsafe { pool(front) }.total_pages() as u64
}

/// Compacts the pool and returns how many pages that freed. Sleeps.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn compact(front: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    unsafe { pool(front) }.compact() as u64
}

/// Pages that compaction has freed since the pool was made. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn pages_compacted(front: *mut c_void) -> u64 {
    // SAFETY: As the caller promises.
    let pool = unsafe { pool(front) };
    pool.counters().get(crate::zsmalloc::Event::PagesCompacted) as u64
}

/// Size from which on an object takes a page by itself. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn huge_class_size(front: *mut c_void) -> usize {
    // SAFETY: As the caller promises.
    unsafe { pool(front) }.huge_class_size()
}

/// The class that serves `size`: a larger index takes more memory an object. Any context.
///
/// # Safety
///
/// See [`pool()`].
#[cfg(ZPOOL_ZRAM_OPS)]
unsafe extern "C" fn class_index(front: *mut c_void, size: usize) -> u32 {
    // SAFETY: As the caller promises.
    unsafe { pool(front) }.class_index(size) as u32
}
