// SPDX-License-Identifier: GPL-2.0
/*
 * Rows about moving: compaction moves objects, migration moves pages.
 *
 * The migration core exports nothing to modules.  As for tests/module, user
 * space takes the addresses from /proc/kallsyms and passes them in, and
 * sprint_symbol() confirms each; and CONFIG_CFI_CLANG knows of no such call,
 * hence __nocfi.
 */
#include <linux/kallsyms.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "bench.h"

static bool (*isolate_fn)(struct page *page, isolate_mode_t mode);
static void (*putback_fn)(struct list_head *l);
static int (*migrate_fn)(struct list_head *l, new_folio_t new,
			 free_folio_t free, unsigned long private,
			 enum migrate_mode mode, int reason,
			 unsigned int *ret_succeeded);

unsigned long zb_symbol(struct zb_run *run, const char *name)
{
	char found[KSYM_SYMBOL_LEN], wanted[KSYM_NAME_LEN];
	const char *value = zb_str(run, name, "");
	unsigned long addr;

	if (!kstrtoul(value, 16, &addr)) {
		sprint_symbol(found, addr);
		snprintf(wanted, sizeof(wanted), "%s+0x0/", name);
		if (strstarts(found, wanted))
			return addr;
	}
	zb_fail(run, "an address is not that of the function");
	return 0;
}

/* core isolate_movable_page= putback_movable_pages= migrate_pages= */
int zb_core(struct zb_run *run)
{
	isolate_fn = (void *)zb_symbol(run, "isolate_movable_page");
	putback_fn = (void *)zb_symbol(run, "putback_movable_pages");
	migrate_fn = (void *)zb_symbol(run, "migrate_pages");
	return 0;
}

bool zb_can_migrate(void)
{
	return isolate_fn && putback_fn && migrate_fn;
}

static struct folio *new_folio(struct folio *old, unsigned long private)
{
	return folio_alloc(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN, 0);
}

/* Isolate the page: true, and it is on the list. */
bool __nocfi zb_isolate(struct page *page, struct list_head *pages)
{
	if (!isolate_fn(page, 0))
		return false;
	list_add_tail(&page->lru, pages);
	return true;
}

/* How many pages were not migrated; those stay on the list. */
int __nocfi zb_migrate_with(struct list_head *pages, new_folio_t new,
			    unsigned long private, enum migrate_mode mode)
{
	return migrate_fn(pages, new, NULL, private, mode, MR_COMPACTION, NULL);
}

void __nocfi zb_putback(struct list_head *pages)
{
	putback_fn(pages);
}

int zb_migrate(struct list_head *pages)
{
	int left = zb_migrate_with(pages, new_folio, 0, MIGRATE_SYNC);

	zb_putback(pages);
	return left;
}

/* Every page in which an object of the pool lies whole. */
int zb_isolate_pool(struct zb_pool *pool, struct list_head *pages)
{
	struct page *page;
	unsigned long i;
	int nr = 0;

	for (i = 0; i < pool->nr; i++) {
		page = pool->handles[i] ? zb_page(pool, i) : NULL;
		if (!page)
			continue;
		nr += zb_isolate(page, pages);
		put_page(page);
		cond_resched();
	}
	return nr;
}

/* migrate: the kernel's migrate_pages() on every page of a full pool. */
static int time_migrate(struct zb_run *run, struct zb_pool *pool)
{
	LIST_HEAD(pages);
	int nr, left;

	nr = zb_isolate_pool(pool, &pages);
	zb_start(run);
	left = zb_migrate(&pages);
	zb_stop(run, nr - left);
	zb_note(run, " pages=%llu left=%d", zpool_get_total_pages(pool->zpool),
		left);
	return 0;
}

int zb_migrate_row(struct zb_run *run)
{
	if (!zb_can_migrate())
		return zb_fail(run, "the command core must come first");
	return zb_with_pool(run, 4000, true, time_migrate);
}

/* compact: of a pool of which 40 % were freed at random; ops are pages freed. */
static int time_compact(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;
	u64 before;

	for (i = 0; i < pool->nr * 4 / 10; i++)
		zb_drop(pool, pool->order[i]);
	before = zpool_get_total_pages(pool->zpool);
	zb_start(run);
	zpool_compact(pool->zpool);
	zb_stop(run, before - zpool_get_total_pages(pool->zpool));
	zb_note(run, " before=%llu", before);
	return 0;
}

int zb_compact(struct zb_run *run)
{
	return zb_with_pool(run, 40000, true, time_compact);
}
