// SPDX-License-Identifier: GPL-2.0
/*
 * What a migration core makes of the answer that the migrate hook gives for a
 * page that its owner has just freed.
 *
 * migrate_pages() looks for such pages itself, by their reference count, before
 * it asks for a page to migrate to; after that it calls the hook.  So the page is
 * freed in between, by the function that is asked: each time, and not as luck
 * has it.  All else is as the kernel's three callers do it.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>

#include "bench.h"

struct owner {
	struct zb_pool *pool;
	struct xarray objects;	/* frame number to object */
};

static struct folio *free_old_alloc_new(struct folio *old, unsigned long private)
{
	struct owner *owner = (struct owner *)private;
	void *entry = xa_load(&owner->objects, folio_pfn(old));

	if (entry)
		zb_drop(owner->pool, xa_to_value(entry));
	return folio_alloc(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN, 0);
}

/* Huge objects: each has a page of its own. */
static int isolate_all(struct owner *owner, struct list_head *pages)
{
	struct zb_pool *pool = owner->pool;
	struct page *page;
	unsigned long i;
	int nr = 0;

	for (i = 0; i < pool->nr; i++) {
		page = zb_page(pool, i);
		if (!page)
			continue;
		if (zb_isolate(page, pages)) {
			xa_store(&owner->objects, page_to_pfn(page),
				 xa_mk_value(i), GFP_KERNEL);
			nr++;
		}
		put_page(page);
	}
	return nr;
}

/* One migrate_pages(), then all that is left is put back. */
static int compact_once(struct owner *owner, struct list_head *pages,
			enum migrate_mode mode)
{
	int left = zb_migrate_with(pages, free_old_alloc_new,
				   (unsigned long)owner, mode);

	zb_putback(pages);
	return left;
}

/* As __alloc_contig_migrate_range(): as long as any is left, five times at most. */
static int contig_tries(struct owner *owner, struct list_head *pages)
{
	int tries = 0;

	while (!list_empty(pages) && tries < 5) {
		zb_migrate_with(pages, free_old_alloc_new, (unsigned long)owner,
				MIGRATE_SYNC);
		tries++;
	}
	return tries;
}

/*
 * freed caller=direct|compaction|offline|contig objects=
 *
 * Compaction (direct: asynchronous at first) and offlining put back what
 * migrate_pages() leaves, and go on.
 */
static enum migrate_mode mode_of(const char *caller)
{
	if (!strcmp(caller, "direct"))
		return MIGRATE_ASYNC;
	if (!strcmp(caller, "compaction"))
		return MIGRATE_SYNC_LIGHT;
	return MIGRATE_SYNC;
}

struct migrations {
	unsigned long success, fail;
};

/* Migrations from @before to @after: none where the kernel counts none. */
static struct migrations migrations(const unsigned long *before,
				    const unsigned long *after)
{
	struct migrations n = { };

#ifdef CONFIG_MIGRATION
	n.success = after[PGMIGRATE_SUCCESS] - before[PGMIGRATE_SUCCESS];
	n.fail = after[PGMIGRATE_FAIL] - before[PGMIGRATE_FAIL];
#endif
	return n;
}

static int time_freed(struct zb_run *run, struct zb_pool *pool)
{
	const char *caller = zb_str(run, "caller", "compaction");
	struct owner owner = { .pool = pool };
	unsigned long before[NR_VM_EVENT_ITEMS], after[NR_VM_EVENT_ITEMS];
	struct migrations n;
	LIST_HEAD(pages);
	int nr, left = 0, tries = 1;

	xa_init(&owner.objects);
	nr = isolate_all(&owner, &pages);
	all_vm_events(before);
	zb_start(run);
	if (!strcmp(caller, "contig"))
		tries = contig_tries(&owner, &pages);
	else
		left = compact_once(&owner, &pages, mode_of(caller));
	zb_stop(run, nr);
	all_vm_events(after);
	n = migrations(before, after);
	zb_note(run, " left=%d tries=%d stuck=%d success=%lu fail=%lu", left,
		tries, !list_empty(&pages), n.success, n.fail);
	zb_putback(&pages);
	xa_destroy(&owner.objects);
	return 0;
}

int zb_freed(struct zb_run *run)
{
	if (!zb_can_migrate())
		return zb_fail(run, "the command core must come first");
	return zb_with_pool(run, 1000, true, time_freed);
}
