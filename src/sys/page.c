// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a page that backs a zspage.  page.rs says in which order these
 * are called; here is why each of them is safe against mm/migrate.c, which may
 * look at the page at any moment and holds, when it does, a reference and (for
 * all that matters) the page lock.
 *
 * Fields of struct page that we use:
 *	page->private	the zspage, published as RCU does, NULL when freed
 *	page->mapping	our movable_operations, with PAGE_MAPPING_MOVABLE
 *	page->page_type	PGTY_zsmalloc, as mm/zsmalloc.c has it
 */

#include <linux/gfp.h>
#include <linux/kmsan.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/vmstat.h>

#include "shim.h"

/* Pages of both allocators are one figure in /proc/zoneinfo, if there is one. */
static void account_page(struct page *page)
{
#if IS_ENABLED(CONFIG_ZSMALLOC)
	inc_zone_page_state(page, NR_ZSPAGES);
#endif
}

static void unaccount_page(struct page *page)
{
#if IS_ENABLED(CONFIG_ZSMALLOC)
	dec_zone_page_state(page, NR_ZSPAGES);
#endif
}

/* Page by page: alloc_pages_bulk_array() does not know of a task's mempolicy. */
static bool one_by_one(void)
{
#ifdef CONFIG_NUMA
	return current->mempolicy;
#else
	return false;
#endif
}

static unsigned int alloc_pages_of(gfp_t gfp, struct page **pages, unsigned int nr)
{
	unsigned int got = 0, before;

	if (nr > 1 && !one_by_one()) {
		/* It may stop early without being out of memory. */
		do {
			before = got;
			got = alloc_pages_bulk_array(gfp, nr, pages);
		} while (got < nr && got > before);
		return got;
	}
	for (; got < nr; got++) {
		pages[got] = alloc_page(gfp);
		if (!pages[got])
			break;
	}
	return got;
}

/*
 * Allocate the pages of a zspage.  In slots[], NULL before, is the address that
 * each is mapped at.  Return: how many there are.
 */
unsigned int zs_rs_pages_alloc(gfp_t gfp, void **slots, unsigned int nr)
{
	unsigned int i, got;
	struct page *page;

	/* Without compaction nobody could move it out of a movable block. */
	if (!IS_ENABLED(CONFIG_COMPACTION))
		gfp &= ~__GFP_MOVABLE;

	got = alloc_pages_of(gfp, (struct page **)slots, nr);
	for (i = 0; i < got; i++) {
		page = slots[i];
		set_page_private(page, 0);
		__SetPageZsmalloc(page);
		account_page(page);
		slots[i] = page_address(page);
	}
	return got;
}

/*
 * On 64-bit the kernel maps all memory: __GFP_HIGHMEM, which together with
 * __GFP_MOVABLE asks for ZONE_MOVABLE, never gives a page without an address.
 */
#ifdef CONFIG_HIGHMEM
#error "zsmalloc_rs needs a 64-bit kernel"
#endif

void *zs_rs_page_address(struct page *page)
{
	return page_address(page);
}

/* The page at an address that zs_rs_page_address() gave. */
struct page *zs_rs_page_of(void *address)
{
	return virt_to_page(address);
}

void zs_rs_page_set_private(struct page *page, void *zspage)
{
	/* Pairs with the load in zs_rs_page_private(). */
	smp_store_release(&page->private, (unsigned long)zspage);
}

/* Under rcu_read_lock(), which keeps what the pointer names alive. */
void *zs_rs_page_private(struct page *page)
{
	/* Pairs with the store in zs_rs_page_set_private(). */
	return (void *)smp_load_acquire(&page->private);
}

/*
 * On a page that nobody else has seen, its lock is free.  Should somebody hold
 * it all the same, the page stays where it is: not being movable costs nothing
 * but that.
 */
bool zs_rs_page_make_movable(struct page *page,
			     const struct movable_operations *ops)
{
	if (!trylock_page(page))
		return false;
	__SetPageMovable(page, ops);
	unlock_page(page);
	return true;
}

/*
 * Make the target of a migration ours.  The caller of the migrate hook holds
 * its lock and keeps its own reference, so we take one more.
 */
void zs_rs_page_adopt(struct page *page, const struct movable_operations *ops)
{
	VM_WARN_ON_ONCE_PAGE(!PageLocked(page), page);

	get_page(page);
	__SetPageZsmalloc(page);
	account_page(page);
	__SetPageMovable(page, ops);
}

void zs_rs_page_copy(struct page *to, struct page *from)
{
	copy_page(page_address(to), page_address(from));
	kmsan_copy_page_meta(to, from);
}

/*
 * Free a page without its lock.
 *
 * __ClearPageMovable() needs the lock: isolate_movable_page(),
 * migrate_movable_ops_page() and putback_movable_pages() check the mapping and
 * load it again under it.  All of them hold a reference, though.  If ours is
 * the last one, and we freeze it, then nobody looks and nobody can begin to,
 * and the mapping may go.  Otherwise it has to stay, and so does our code (see
 * zs_rs_page_disown_all()); free_pages_prepare() clears it with the last
 * reference.  In a page that memory_failure() has marked it does not, but such a
 * page is not allocated again.  Soft offline keeps its reference, and the page
 * isolated, so that nobody isolates it again.
 *
 * Return: true if somebody else held the page.
 */
bool zs_rs_page_free(struct page *page)
{
	bool raced;

	WRITE_ONCE(page->private, 0);
	zs_rs_delay(ZS_RS_DELAY_PRIVATE);
	__ClearPageZsmalloc(page);
	unaccount_page(page);

	raced = !page_ref_freeze(page, 1);
	if (!raced) {
		page->mapping = NULL;
		page_ref_unfreeze(page, 1);
	}
	put_page(page);
	return raced;
}

/* Free the source of a migration, whose lock the migration core holds. */
void zs_rs_page_free_locked(struct page *page)
{
	VM_WARN_ON_ONCE_PAGE(!PageLocked(page), page);

	WRITE_ONCE(page->private, 0);
	__ClearPageMovable(page);
	__ClearPageZsmalloc(page);
	unaccount_page(page);
	put_page(page);
}

/* Free a page that has never had a mapping, nor named a zspage. */
void zs_rs_page_discard(struct page *page)
{
	__ClearPageZsmalloc(page);
	unaccount_page(page);
	put_page(page);
}

static bool page_names(struct page *page, const struct movable_operations *ops)
{
	unsigned long mapping = (unsigned long)READ_ONCE(page->mapping);

	return mapping == ((unsigned long)ops | PAGE_MAPPING_MOVABLE);
}

static bool disown_page(struct page *page, const struct movable_operations *ops)
{
	bool found;

	if (!page_names(page, ops) || !get_page_unless_zero(page))
		return false;

	/*
	 * With a reference the mapping cannot change to ours any more, since
	 * none of our pages is allocated.  That it still is ours means that the
	 * page only waits to be put: whoever locks it gives it back soon.
	 */
	found = page_names(page, ops);
	if (found) {
		lock_page(page);
		found = page_names(page, ops);
		if (found)
			__ClearPageMovable(page);
		unlock_page(page);
	}
	put_page(page);
	return found;
}

/**
 * zs_rs_page_disown_all - take our operations from pages that others hold
 * @ops: our operations
 *
 * Pages that were isolated when we freed them carry our movable_operations
 * until their holder puts them.  Once no page is allocated to us, walk all page
 * frames and clear those: the hooks run under the page lock, so that no CPU is
 * in them, nor can enter them, after that.  As with the kernel's other walkers
 * of page frames, a section that goes offline meanwhile is skipped or its pages
 * found free: a page that is still held keeps its section online.
 *
 * Context: may sleep.
 * Return: how many pages were found.
 */
unsigned long zs_rs_page_disown_all(const struct movable_operations *ops)
{
	unsigned long pfn, end, found = 0;
	struct page *page;
	int nid;

	for_each_online_node(nid) {
		pfn = node_start_pfn(nid);
		end = node_end_pfn(nid);
		for (; pfn < end; pfn++) {
			if (!(pfn % MAX_ORDER_NR_PAGES))
				cond_resched();
			page = pfn_to_online_page(pfn);
			if (page && disown_page(page, ops))
				found++;
		}
	}
	return found;
}
