// SPDX-License-Identifier: GPL-2.0

//! `struct page`: the memory that objects lie in, and the life cycle that keeps page migration safe.
//!
//! A page of ours is
//!
//! 1. *allocated*: typed as zsmalloc's, accounted in `NR_ZSPAGES`, seen by nobody;
//! 2. *published*: `page->private` names its zspage, the way RCU publishes ([`Page::publish`]);
//! 3. *movable*: it carries our `movable_operations` ([`set_movable_ops`]), so that `mm/migrate.c`
//!    may call the hooks in them ([`Page::make_movable`]);
//! 4. *freed*: private NULL, untyped, unaccounted, reference dropped, in this order and **without the
//!    page lock** (dropping a [`Page`]), or, as the source of a migration, with it
//!    ([`Page::free_locked`]). One that was never published just goes ([`Page::discard`]).
//!
//! Why the fourth step is safe is told beside the C code, in `page.c`.

use super::{
    alloc::NoMemory,
    atomic::{AtomicUsize, Ordering},
    bindings,
    rcu::ReadSection,
};
use core::{
    cell::Cell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::atomic::AtomicPtr,
};

/// log2 of [`PAGE_SIZE`].
pub(crate) const PAGE_SHIFT: usize = bindings::ZS_RS_PAGE_SHIFT as usize;

/// Bytes in a page; 4K, 16K or 64K.
pub(crate) const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

/// Pages that somebody else held when we freed them, since the module was loaded.
static RACED_FREES: AtomicUsize = AtomicUsize::new(0);

/// What pages carry in `page->mapping` once they are movable; NULL until the module has said it.
static MOVABLE_OPS: AtomicPtr<bindings::movable_operations> = AtomicPtr::new(ptr::null_mut());

/// Says which hooks page migration calls for our pages. Once, before the first page is made: the
/// front end has the table, and this layer does not know it.
pub(crate) fn set_movable_ops(ops: &'static bindings::movable_operations) {
    // A constant table, so that there is nothing to order.
    MOVABLE_OPS.store(ptr::from_ref(ops).cast_mut(), Ordering::Relaxed);
}

/// What [`set_movable_ops`] said.
fn movable_ops() -> *const bindings::movable_operations {
    MOVABLE_OPS.load(Ordering::Relaxed)
}

/// How to allocate (`gfp_t`).
#[derive(Clone, Copy)]
pub(crate) struct Gfp(u32);

impl Gfp {
    /// Takes the flags as C has them.
    pub(crate) fn from_raw(bits: u32) -> Self {
        Self(bits)
    }

    /// The flags as C wants them.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// For slab memory, which has no say in where it lies.
    pub(super) fn without_placement(self) -> Self {
        Self(self.0 & !bindings::ZS_RS_GFP_PLACEMENT)
    }
}

/// A page of ours, freed when dropped.
///
/// # Invariants
///
/// `page` points at an allocated page of order 0, and one of its references is ours.
pub(crate) struct Page {
    page: NonNull<bindings::page>,
}

// SAFETY: Pages belong to no task.
unsafe impl Send for Page {}
// SAFETY: What `&Page` allows is atomic, or done under locks of the allocator.
unsafe impl Sync for Page {}

impl Page {
    /// The page that is mapped there.
    ///
    /// # Safety
    ///
    /// [`Self::address`] gave the address, and the page is the caller's.
    unsafe fn at(address: NonNull<u8>) -> Self {
        // SAFETY: As the caller promises.
        let page = unsafe { bindings::zs_rs_page_of(address.as_ptr().cast()) };
        // INVARIANT: As the caller promises.
        Self {
            // SAFETY: What is mapped has a page.
            page: unsafe { NonNull::new_unchecked(page) },
        }
    }

    /// Where the page is mapped.
    pub(crate) fn address(&self) -> NonNull<u8> {
        // SAFETY: By the type invariant the page is ours; it is not in high memory.
        unsafe { NonNull::new_unchecked(bindings::zs_rs_page_address(self.page.as_ptr()).cast()) }
    }

    /// Publishes `zspage` as the owner (`rcu_assign_pointer(page->private, …)`): all that was written
    /// to it before is seen by whoever finds it through [`LockedPage::owner`].
    ///
    /// # Safety
    ///
    /// `zspage` is one, complete, and is freed a grace period after the page at the earliest.
    pub(crate) unsafe fn publish(&self, zspage: NonNull<()>) {
        // SAFETY: By the type invariant the page is ours.
        unsafe {
            bindings::zs_rs_page_set_private(self.page.as_ptr(), zspage.as_ptr().cast());
        }
    }

    /// Whether `zspage` is what [`Self::publish`] said.
    #[cfg(debug_assertions)]
    fn names(&self, zspage: NonNull<()>) -> bool {
        // SAFETY: By the type invariant the page is ours.
        let private = unsafe { bindings::zs_rs_page_private(self.page.as_ptr()) };
        core::ptr::eq(private.cast(), zspage.as_ptr())
    }

    /// Lets page migration have the page, which nobody else has seen. A page that somebody has
    /// locked all the same stays where it is for good. Does not sleep.
    pub(crate) fn make_movable(&self) {
        let ops = movable_ops();
        if !ops.is_null() {
            // SAFETY: By the type invariant the page is ours; the operations are static.
            unsafe { bindings::zs_rs_page_make_movable(self.page.as_ptr(), ops) };
        }
    }

    /// Frees a page that nobody can have isolated: it is no raced free.
    ///
    /// # Safety
    ///
    /// The page has not been published.
    pub(crate) unsafe fn discard(self) {
        let page = ManuallyDrop::new(self).page;
        // SAFETY: By the type invariant the page is ours.
        unsafe { bindings::zs_rs_page_discard(page.as_ptr()) };
    }

    /// Frees the page under its page lock, which the migration core holds for `locked`; if that is
    /// another page, without.
    pub(crate) fn free_locked(self, locked: &LockedPage<'_>) {
        if self.page != locked.page {
            return;
        }
        let page = ManuallyDrop::new(self).page;
        // SAFETY: By the type invariant the page is ours; its lock is held.
        unsafe { bindings::zs_rs_page_free_locked(page.as_ptr()) };
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the page is ours, and gone after this.
        if unsafe { bindings::zs_rs_page_free(self.page.as_ptr()) } {
            RACED_FREES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Where a zspage keeps one of its pages, by its address: map needs that, and nothing else of it.
/// Whoever has a reference to the slot may look at the page; only one who knows that nobody else has
/// one changes it.
///
/// # Invariants
///
/// The address is that of a [`Page`], which is the slot's.
#[derive(Default)]
#[repr(transparent)]
pub(crate) struct PageSlot(Cell<Option<NonNull<u8>>>);

impl PageSlot {
    fn look<T>(&self, look: impl FnOnce(&Page) -> T) -> Option<T> {
        let address = self.0.get()?;
        // SAFETY: By the type invariant the page is ours. It is looked at, and not dropped.
        let page = ManuallyDrop::new(unsafe { Page::at(address) });
        Some(look(&page))
    }

    /// Allocates a page for each of the slots, its contents undefined. Sleeps if `gfp` says so. Without
    /// memory for all of them some have theirs.
    ///
    /// # Safety
    ///
    /// The slots have no pages, and nobody else uses them.
    pub(crate) unsafe fn fill(slots: &[Self], gfp: Gfp) -> Result<(), NoMemory> {
        let (first, number) = (slots.as_ptr().cast_mut().cast(), slots.len() as u32);
        // SAFETY: As the caller promises. A slot is an address or null. The pages are ours.
        // INVARIANT: They are the slots' now.
        let got = unsafe { bindings::zs_rs_pages_alloc(gfp.bits(), first, number) };
        if got == number {
            Ok(())
        } else {
            Err(NoMemory)
        }
    }

    /// Where the page is mapped.
    #[inline]
    pub(crate) fn address(&self) -> Option<NonNull<u8>> {
        self.0.get()
    }

    /// Whether it is that page.
    pub(crate) fn holds(&self, page: &LockedPage<'_>) -> bool {
        self.look(|own| own.page == page.page).unwrap_or(false)
    }

    /// Whether the page names `zspage` as its owner.
    #[cfg(debug_assertions)]
    pub(crate) fn names(&self, zspage: NonNull<()>) -> bool {
        self.look(|own| own.names(zspage)).unwrap_or(false)
    }

    /// Lets page migration find `zspage` by the page, and have the page.
    ///
    /// # Safety
    ///
    /// As for [`Page::publish`].
    pub(crate) unsafe fn publish(&self, zspage: NonNull<()>) {
        self.look(|own| {
            // SAFETY: As the caller promises.
            unsafe { own.publish(zspage) };
            own.make_movable();
        });
    }

    /// Takes the page out.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot.
    pub(crate) unsafe fn take(&self) -> Option<Page> {
        let address = self.0.take()?;
        // SAFETY: By the type invariant the page was the slot's.
        Some(unsafe { Page::at(address) })
    }

    /// Puts `new` in, and takes out what was there.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot.
    pub(crate) unsafe fn replace(&self, new: Page) -> Option<Page> {
        // SAFETY: As the caller promises.
        let old = unsafe { self.take() };
        // INVARIANT: The page is the slot's from here on.
        self.0.set(Some(ManuallyDrop::new(new).address()));
        old
    }
}

/// A page that the migration core has locked and shows to one of our hooks.
///
/// # Invariants
///
/// For `'a`, somebody holds a reference to the page and its page lock. It is what `Role` says.
pub(crate) struct HookPage<'a, Role> {
    page: NonNull<bindings::page>,
    _lock: PhantomData<&'a Role>,
}

/// Role of a page that carries our operations. It may have been freed by us since it was isolated.
pub(crate) enum Ours {}

/// Role of the page that one of ours is to be migrated to. It was allocated for that, nothing else
/// uses it, and no other value wraps it: it is adopted once.
pub(crate) enum Target {}

/// See [`Ours`].
pub(crate) type LockedPage<'a> = HookPage<'a, Ours>;

/// See [`Target`].
pub(crate) type TargetPage<'a> = HookPage<'a, Target>;

impl<Role> HookPage<'_, Role> {
    /// Wraps the argument of a hook.
    ///
    /// # Safety
    ///
    /// The page is referenced and locked by the caller for as long as the value is used. It is what
    /// `Role` says.
    pub(crate) unsafe fn from_raw(page: NonNull<bindings::page>) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            page,
            _lock: PhantomData,
        }
    }

    /// Which page, for as long as the hook runs.
    pub(crate) fn id(&self) -> PageId {
        PageId(self.page.as_ptr())
    }
}

impl LockedPage<'_> {
    /// The zspage that the page belongs to, alive as long as `_rcu`; `None` once it has been freed.
    pub(crate) fn owner(&self, _rcu: &ReadSection) -> Option<NonNull<()>> {
        // SAFETY: By the type invariant the page is referenced.
        NonNull::new(unsafe { bindings::zs_rs_page_private(self.page.as_ptr()) }.cast())
    }
}

impl TargetPage<'_> {
    /// Makes the page one of ours, with the contents of `source`.
    pub(crate) fn adopt(self, source: &LockedPage<'_>) -> Page {
        // SAFETY: By the type invariants both pages are referenced, and this one is locked. A hook is
        // running, so that the operations are known; they are static.
        unsafe {
            bindings::zs_rs_page_copy(self.page.as_ptr(), source.page.as_ptr());
            bindings::zs_rs_page_adopt(self.page.as_ptr(), movable_ops());
        }
        // INVARIANT: `zs_rs_page_adopt()` took a reference for us.
        Page { page: self.page }
    }
}

/// What a page is told by: its number, which is all that is asked of it.
#[derive(Clone, Copy)]
pub(crate) struct PageId(*mut bindings::page);

impl PageId {
    /// As C wants it.
    pub(super) fn as_ptr(self) -> *mut bindings::page {
        self.0
    }
}

/// See `RACED_FREES`.
pub(crate) fn raced_frees() -> usize {
    RACED_FREES.load(Ordering::Relaxed)
}

/// Takes our operations from all pages that were isolated when we freed them, and says how many
/// there were. After that no CPU is in, or can enter, a hook. Sleeps; costs a walk over all page
/// frames, and is needed only if [`raced_frees`] is not zero.
///
/// No page of ours may be allocated.
pub(crate) fn disown_all() -> usize {
    // SAFETY: We may sleep, and the operations are static.
    unsafe { bindings::zs_rs_page_disown_all(movable_ops()) }
}
