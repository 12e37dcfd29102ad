// SPDX-License-Identifier: GPL-2.0

//! Page frames: `struct page`, and what `src/sys/page.c` calls (`include/host.h`).
//!
//! The C code is compiled as it is; every function it calls is here, one step each.

use super::{
    context::{self, Rank},
    heap,
    lock::RawLock,
    mutex::grab,
    point::Point,
    world::world,
};
use crate::{rt::park, sys::bindings::movable_operations, PAGE_SHIFT};
use std::{
    alloc::Layout,
    ffi::{c_char, c_int, c_uint, c_ulong, c_void, CStr},
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering},
};

const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
const OWNER: &str = "a page";

/// How often another task may run before a passing reference has to be gone: longer than a thread of
/// the host stays preempted. The models of threads end such a wait by themselves.
const PATIENCE: usize = 1 << 20;

/// Bits of `page->mapping` (`PAGE_MAPPING_FLAGS`), and what they are for a movable page.
const MAPPING_FLAGS: usize = 3;
const MAPPING_MOVABLE: usize = 2;

/// `struct page`. C knows the first two fields.
#[allow(non_camel_case_types)]
#[repr(C)]
pub(crate) struct page {
    private: AtomicUsize,
    mapping: AtomicUsize,
    refs: AtomicUsize,
    lock: RawLock,
    isolated: AtomicBool,
    zsmalloc: AtomicBool,
    accounted: AtomicIsize,
    memory: AtomicPtr<u8>,
    point: Point,
}

/// All page frames of a machine. The first are in use, or were.
#[derive(Default)]
pub(crate) struct Frames {
    all: Vec<NonNull<page>>,
    free: Vec<NonNull<page>>,
    /// A page could not be had when others had been already.
    exhausted: bool,
}

// SAFETY: Frames belong to no thread.
unsafe impl Send for Frames {}

impl Frames {
    /// Panics if a frame is in use.
    pub(crate) fn assert_free(&self) {
        assert_eq!(self.free.len(), self.all.len(), "page frames leaked");
    }

    /// Frames in use.
    pub(crate) fn used(&self) -> usize {
        self.all.len() - self.free.len()
    }

    fn take(&mut self) -> NonNull<page> {
        // The one that was freed last, which is most likely to be known to somebody.
        self.free.pop().unwrap_or_else(|| {
            let frame = NonNull::from(Box::leak(Box::new(page {
                private: AtomicUsize::new(0),
                mapping: AtomicUsize::new(0),
                refs: AtomicUsize::new(0),
                lock: RawLock::new(Rank::Page),
                isolated: AtomicBool::new(false),
                zsmalloc: AtomicBool::new(false),
                accounted: AtomicIsize::new(0),
                memory: AtomicPtr::new(ptr::null_mut()),
                point: Point::new(),
            })));
            self.all.push(frame);
            frame
        })
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for frame in self.all.drain(..) {
            // SAFETY: Leaked in `take()`; the machine is gone.
            drop(unsafe { Box::from_raw(frame.as_ptr()) });
        }
    }
}

/// The frame of that number, if there is one.
pub(crate) fn frame(number: usize) -> Option<&'static page> {
    let frame = *grab(&world().frames).all.get(number)?;
    // SAFETY: Frames are there until the end of the machine.
    Some(unsafe { frame.as_ref() })
}

/// How many page frames there are.
pub(crate) fn frames() -> usize {
    grab(&world().frames).all.len()
}

impl page {
    /// A page for somebody else than the allocator, say as the target of a migration.
    pub(crate) fn alloc() -> Option<&'static Self> {
        context::assert_no_spinlock("page allocation");
        assert!(
            !world().rcu.reading(),
            "page allocation in an RCU read section"
        );
        if world().faults.strike() {
            return None;
        }
        let layout = Layout::from_size_align(PAGE_SIZE, PAGE_SIZE).ok()?;
        let memory = heap::take(OWNER, layout);
        let frame = grab(&world().frames).take();
        // SAFETY: Frames are there until the end of the machine.
        let frame = unsafe { frame.as_ref() };
        frame.point.step();
        frame.memory.store(memory.as_ptr(), Ordering::Relaxed);
        frame.private.store(0, Ordering::Relaxed);
        frame.refs.store(1, Ordering::Release);
        Some(frame)
    }

    /// Takes a reference unless there is none (`get_page_unless_zero()`).
    pub(crate) fn try_get(&self) -> bool {
        self.point.step();
        self.refs
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |refs| {
                (refs > 0).then_some(refs + 1)
            })
            .is_ok()
    }

    /// Drops a reference, and frees the page with the last.
    pub(crate) fn put(&self) {
        self.point.step();
        context::assert_no_spinlock("freeing a page");
        let refs = self.refs.fetch_sub(1, Ordering::AcqRel);
        assert!(refs > 0, "more references dropped than taken");
        if refs == 1 {
            self.free();
        }
    }

    /// `free_pages_prepare()`, with the checks of a debug kernel.
    fn free(&self) {
        assert!(!self.lock.is_locked(), "a page is freed while locked");
        assert!(
            !self.zsmalloc.load(Ordering::Relaxed),
            "a page is freed with the type of zsmalloc"
        );
        assert_eq!(
            self.private.load(Ordering::Relaxed),
            0,
            "a page is freed while it names a zspage"
        );
        assert_eq!(
            self.accounted.load(Ordering::Relaxed),
            0,
            "a page is freed while accounted"
        );
        self.mapping.store(0, Ordering::Relaxed);
        self.isolated.store(false, Ordering::Relaxed);
        let memory = self.memory.swap(ptr::null_mut(), Ordering::Relaxed);
        if let Some(memory) = NonNull::new(memory) {
            // SAFETY: The last reference is gone.
            unsafe { heap::free(OWNER, memory) };
        }
        grab(&world().frames).free.push(NonNull::from(self));
    }

    /// References, at the moment.
    pub(crate) fn refs(&self) -> usize {
        self.point.step();
        self.refs.load(Ordering::Acquire)
    }

    /// Whether it is typed as movable (`__PageMovable()`), now.
    pub(crate) fn is_typed_movable(&self) -> bool {
        self.point.step();
        self.mapping.load(Ordering::Acquire) & MAPPING_FLAGS == MAPPING_MOVABLE
    }

    /// The operations, now (`page_movable_ops()`).
    pub(crate) fn operations(&self) -> Option<&'static movable_operations> {
        self.point.step();
        let mapping = self.mapping.load(Ordering::Acquire);
        // SAFETY: The mapping of a movable page names operations, which are static, or nothing.
        unsafe { (mapping.wrapping_sub(MAPPING_MOVABLE) as *const movable_operations).as_ref() }
    }

    /// Whether it can be called for (`PageMovable()`), under its lock.
    pub(crate) fn is_movable(&self) -> bool {
        assert!(self.lock.is_locked(), "PageMovable() without the page lock");
        self.is_typed_movable() && self.operations().is_some()
    }

    /// The page lock.
    pub(crate) fn lock(&self) -> &RawLock {
        &self.lock
    }

    /// The flag `PG_isolated`, which the page lock protects.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolated.load(Ordering::Relaxed)
    }

    /// See [`Self::is_isolated`].
    pub(crate) fn set_isolated(&self, isolated: bool) {
        self.isolated.store(isolated, Ordering::Relaxed);
    }

    /// Whether it is one of ours and not freed by us.
    pub(crate) fn is_owned(&self) -> bool {
        self.private.load(Ordering::Relaxed) != 0
    }

    /// Panics unless it is as it was allocated, but for its lock.
    ///
    /// Whoever walks the page frames may hold it for a moment (`get_page_unless_zero()`), and drops it
    /// once it turns out not to be movable: a reference that stays is one that our hook has taken.
    pub(crate) fn assert_pristine(&self) {
        let mut patience = PATIENCE;
        while self.refs() != 1 {
            assert!(patience > 0, "target page: references");
            patience -= 1;
            park();
        }
        assert_eq!(
            self.private.load(Ordering::Relaxed),
            0,
            "target page: private"
        );
        assert_eq!(
            self.mapping.load(Ordering::Relaxed),
            0,
            "target page: mapping"
        );
        assert_eq!(
            self.accounted.load(Ordering::Relaxed),
            0,
            "target page: accounting"
        );
        assert!(!self.zsmalloc.load(Ordering::Relaxed), "target page: type");
    }

    fn count(&self, n: isize) {
        self.accounted.fetch_add(n, Ordering::Relaxed);
        world().zone_pages.fetch_add(n, Ordering::Relaxed);
    }
}

/// What the C code calls.
///
/// # Safety
///
/// C passes pages that are frames of this machine, and fields of them.
mod ffi {
    use super::*;

    #[no_mangle]
    unsafe extern "C-unwind" fn alloc_page(_gfp: c_uint) -> *mut page {
        match page::alloc() {
            Some(page) => ptr::from_ref(page).cast_mut(),
            None => ptr::null_mut(),
        }
    }

    /// As many as there are at once; the kernel may stop before the last as well. A page that cannot
    /// be had fails the next call, too: it would have been the first thing there.
    #[no_mangle]
    unsafe extern "C-unwind" fn alloc_pages_bulk_array(
        _gfp: c_uint,
        nr: c_ulong,
        pages: *mut *mut page,
    ) -> c_ulong {
        let (world, nr) = (world(), nr as usize);
        // SAFETY: The caller has so many.
        let pages = unsafe { std::slice::from_raw_parts_mut(pages, nr) };
        let before = pages.iter().take_while(|page| !page.is_null()).count();
        let mut got = before;
        if std::mem::take(&mut grab(&world.frames).exhausted) {
            return got as c_ulong;
        }
        let stops_at = nr.min(before + 2);
        while got < stops_at {
            let Some(page) = page::alloc() else {
                grab(&world.frames).exhausted = got > before;
                break;
            };
            pages[got] = ptr::from_ref(page).cast_mut();
            got += 1;
        }
        got as c_ulong
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn page_address(page: &page) -> *mut c_void {
        page.memory.load(Ordering::Relaxed).cast()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn virt_to_page(address: *mut c_void) -> *mut page {
        let world = world();
        let frames = grab(&world.frames);
        let mapped = |frame: &&NonNull<page>| {
            // SAFETY: Frames are there as long as the machine is.
            let frame = unsafe { frame.as_ref() };
            frame.refs.load(Ordering::Relaxed) > 0
                && frame.memory.load(Ordering::Relaxed).cast() == address
        };
        let found = frames.all.iter().find(mapped);
        found.expect("an address without a page").as_ptr()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn copy_page(to: *mut u8, from: *const u8) {
        // SAFETY: Two different pages.
        unsafe { to.copy_from_nonoverlapping(from, PAGE_SIZE) };
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn get_page(page: &page) {
        assert!(page.try_get(), "a reference to a page without any");
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn get_page_unless_zero(page: &page) -> bool {
        page.try_get()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn put_page(page: &page) {
        page.put();
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn page_ref_freeze(page: &page, count: c_int) -> bool {
        page.point.step();
        context::assert_no_spinlock("freeing a page");
        context::assert_not_preempted_since_unlisting();
        page.refs
            .compare_exchange(count as usize, 0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn page_ref_unfreeze(page: &page, count: c_int) {
        page.point.step();
        let refs = page.refs.swap(count as usize, Ordering::AcqRel);
        assert_eq!(refs, 0, "a frozen page has got references");
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn trylock_page(page: &page) -> bool {
        page.lock.try_lock()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn lock_page(page: &page) {
        context::assert_may_sleep("lock_page()");
        page.lock.lock();
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn unlock_page(page: &page) {
        page.lock.unlock();
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn PageLocked(page: &page) -> bool {
        page.lock.is_locked()
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn __SetPageZsmalloc(page: &page) {
        let old = page.zsmalloc.swap(true, Ordering::Relaxed);
        assert!(!old, "a page that has the type already");
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn __ClearPageZsmalloc(page: &page) {
        let old = page.zsmalloc.swap(false, Ordering::Relaxed);
        assert!(old, "a page that has not the type");
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn __SetPageMovable(page: &page, ops: *const movable_operations) {
        assert!(
            page.lock.is_locked(),
            "__SetPageMovable() without the page lock"
        );
        page.point.step();
        page.mapping
            .store(ops as usize | MAPPING_MOVABLE, Ordering::Release);
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn __ClearPageMovable(page: &page) {
        assert!(
            page.is_movable(),
            "__ClearPageMovable() on a page that is not"
        );
        page.mapping.store(MAPPING_MOVABLE, Ordering::Release);
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn inc_zone_page_state(page: &page, _item: c_int) {
        page.count(1);
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn dec_zone_page_state(page: &page, _item: c_int) {
        page.count(-1);
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn set_page_private(page: &page, private: c_ulong) {
        page.point.step();
        page.private.store(private as usize, Ordering::Relaxed);
    }

    /// The first two fields of a page are what C loads and stores by itself.
    unsafe fn owner<'a>(field: *const AtomicUsize) -> Option<&'a page> {
        let world = world();
        let frames = grab(&world.frames);
        let found = frames.all.iter().find(|frame| {
            let start = frame.as_ptr() as usize;
            (start..start + size_of::<page>()).contains(&(field as usize))
        })?;
        // SAFETY: Frames are there until the end of the machine.
        Some(unsafe { found.as_ref() })
    }

    unsafe fn step_at(field: *const AtomicUsize) {
        if crate::rt::THREADS {
            // SAFETY: As for the module.
            if let Some(page) = unsafe { owner(field) } {
                page.point.step();
            }
        }
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn host_load(field: *const AtomicUsize) -> c_ulong {
        // SAFETY: As for the module.
        unsafe {
            step_at(field);
            (*field).load(Ordering::Acquire) as c_ulong
        }
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn host_store(field: *const AtomicUsize, value: c_ulong) {
        // SAFETY: As for the module.
        unsafe {
            step_at(field);
            (*field).store(value as usize, Ordering::Release);
        }
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn host_bug(what: *const c_char) {
        // SAFETY: C passes a string.
        panic!(
            "VM_BUG_ON_PAGE({})",
            unsafe { CStr::from_ptr(what) }.to_string_lossy()
        );
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn host_frames() -> c_ulong {
        frames() as c_ulong
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn pfn_to_online_page(pfn: c_ulong) -> *mut page {
        frame(pfn as usize).map_or(ptr::null_mut(), |frame| ptr::from_ref(frame).cast_mut())
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn synchronize_rcu() {
        world().rcu.synchronize();
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn rcu_barrier() {
        world().rcu.barrier();
    }

    #[no_mangle]
    unsafe extern "C-unwind" fn cond_resched() {
        context::assert_may_sleep("cond_resched()");
    }
}
