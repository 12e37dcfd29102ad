// SPDX-License-Identifier: GPL-2.0
/*
 * The migration core's functions.  None of them is exported, and a patch that
 * exports them for a test would be wrong, so user space takes their addresses
 * from /proc/kallsyms and passes them in; sprint_symbol() confirms that each
 * address is the beginning of the function it is said to be.
 *
 * Nobody in the kernel calls them through pointers, so with CONFIG_CFI_CLANG it
 * makes sure at boot that nobody can: hence __nocfi.
 */
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "zpool_test.h"

static bool (*isolate_fn)(struct page *page, isolate_mode_t mode);
static void (*putback_fn)(struct list_head *l);
static int (*migrate_fn)(struct list_head *l, new_folio_t new,
			 free_folio_t free, unsigned long private,
			 enum migrate_mode mode, int reason,
			 unsigned int *ret_succeeded);

static unsigned long zt_symbol(struct zt_run *run, const char *name)
{
	char found[KSYM_SYMBOL_LEN], wanted[KSYM_NAME_LEN];
	const char *value = zt_str(run, name, NULL);
	unsigned long addr;

	if (!value || kstrtoul(value, 16, &addr)) {
		zt_fail(run, "%s= is not a hexadecimal address", name);
		return 0;
	}
	sprint_symbol(found, addr);
	snprintf(wanted, sizeof(wanted), "%s+0x0/", name);
	if (!strstarts(found, wanted)) {
		zt_fail(run, "%s is not %s but %s", value, name, found);
		return 0;
	}
	return addr;
}

/* core isolate_movable_page= putback_movable_pages= migrate_pages= */
int zt_case_core(struct zt_run *run)
{
	if (!IS_ENABLED(CONFIG_COMPACTION))
		return zt_skip(run, "kernel without CONFIG_COMPACTION");
	isolate_fn = (void *)zt_symbol(run, "isolate_movable_page");
	putback_fn = (void *)zt_symbol(run, "putback_movable_pages");
	migrate_fn = (void *)zt_symbol(run, "migrate_pages");
	return 0;
}

int zt_core_missing(struct zt_run *run)
{
	if (!IS_ENABLED(CONFIG_COMPACTION))
		return zt_skip(run, "kernel without CONFIG_COMPACTION");
	if (!isolate_fn || !putback_fn || !migrate_fn)
		return zt_fail(run, "the case core must come first");
	return 0;
}

bool __nocfi zt_isolate(struct page *page)
{
	return isolate_fn(page, 0);
}

/* Compaction in the background may have isolated it: wait for the page. */
int zt_isolate_patiently(struct zt_run *run, struct page *page,
			 struct list_head *pages)
{
	int tries = 1000;

	while (!zt_isolate(page)) {
		if (!tries--)
			return zt_fail(run, "cannot isolate a page");
		usleep_range(1000, 1100);
	}
	list_add_tail(&page->lru, pages);
	return 0;
}

static struct folio *zt_new_folio(struct folio *old, unsigned long private)
{
	return folio_alloc(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN, 0);
}

/* Returns how many pages were not migrated; those stay on the list. */
int __nocfi zt_migrate(struct list_head *pages, enum migrate_mode mode)
{
	return migrate_fn(pages, zt_new_folio, NULL, 0, mode, MR_COMPACTION,
			  NULL);
}

void __nocfi zt_putback(struct list_head *pages)
{
	putback_fn(pages);
}
