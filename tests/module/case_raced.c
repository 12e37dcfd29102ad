// SPDX-License-Identifier: GPL-2.0
/*
 * Zspages that are freed while somebody else holds or has isolated one of
 * their pages: the races of page migration against freeing, made certain.
 *
 * op=putback  isolated, then freed, then put back
 * op=isolate  held, then freed, then tried to isolate
 * op=migrate  isolated and held, then freed, then tried to migrate
 *
 * In each, the pool must give up the zspage at once, and the page must be free
 * when the last holder lets go.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "zpool_test.h"

#define ZT_MAX_KEPT	256

/* Pages that hold=1 keeps beyond the command; some are isolated as well. */
static LIST_HEAD(zt_kept_isolated);
static struct page *zt_kept[ZT_MAX_KEPT];
static unsigned int zt_nr_kept;
static DEFINE_MUTEX(zt_kept_lock);	/* protects the three above */

/* The page of object 0, referenced; its zspage holds nothing else. */
static struct page *zt_raced_page(struct zt_store *store, struct zt_ctx *ctx,
				  u32 size)
{
	struct page *page;
	int ret;

	ret = zt_obj_new(store, ctx, 0, size);
	if (ret) {
		zt_fail(ctx->run, "size %u: error %d", size, ret);
		return NULL;
	}
	page = zt_obj_page(store, 0);
	if (!page)
		zt_fail(ctx->run, "size %u: object spans pages", size);
	return page;
}

static int zt_raced_freed(struct zt_store *store, struct zt_ctx *ctx)
{
	zt_obj_free(store, 0);
	return zt_store_empty(store, ctx);
}

/*
 * Ours must be the last reference: drop it.  Whoever scans memory takes one
 * for an instant, hence the patience.
 */
static int zt_raced_last(struct zt_run *run, struct page *page)
{
	int tries = 1000, refs;

	while ((refs = page_ref_count(page)) != 1 && tries--)
		usleep_range(1000, 1100);
	put_page(page);
	if (refs != 1)
		return zt_fail(run, "a freed page has %d references, should have ours only",
			       refs);
	return 0;
}

static int zt_raced_putback(struct zt_store *store, struct zt_ctx *ctx,
			    struct page *page)
{
	LIST_HEAD(pages);

	if (zt_isolate_patiently(ctx->run, page, &pages)) {
		put_page(page);
		return -EIO;
	}
	zt_raced_freed(store, ctx);
	zt_putback(&pages);
	return zt_raced_last(ctx->run, page);
}

static int zt_raced_isolate(struct zt_store *store, struct zt_ctx *ctx,
			    struct page *page)
{
	LIST_HEAD(pages);

	zt_raced_freed(store, ctx);
	if (zt_isolate(page)) {
		list_add(&page->lru, &pages);
		zt_putback(&pages);
		zt_fail(ctx->run, "a freed page was isolated");
	}
	return zt_raced_last(ctx->run, page);
}

static int zt_raced_migrate(struct zt_store *store, struct zt_ctx *ctx,
			    struct page *page)
{
	LIST_HEAD(pages);

	if (zt_isolate_patiently(ctx->run, page, &pages)) {
		put_page(page);
		return -EIO;
	}
	zt_raced_freed(store, ctx);
	/*
	 * Our reference keeps the core from seeing that the page is free, so
	 * it asks the allocator; refused or not, the page ends up with us.
	 */
	zt_migrate(&pages, MIGRATE_SYNC);
	zt_putback(&pages);
	return zt_raced_last(ctx->run, page);
}

/* Keep the page for later. */
static int zt_raced_keep(struct zt_store *store, struct zt_ctx *ctx,
			 struct page *page, bool isolate)
{
	int ret = 0;

	mutex_lock(&zt_kept_lock);
	if (zt_nr_kept == ZT_MAX_KEPT)
		ret = zt_fail(ctx->run, "no room to keep another page");
	else if (isolate)
		ret = zt_isolate_patiently(ctx->run, page, &zt_kept_isolated);
	if (!ret)
		zt_kept[zt_nr_kept++] = page;
	else
		put_page(page);
	mutex_unlock(&zt_kept_lock);
	return ret ?: zt_raced_freed(store, ctx);
}

static int zt_raced_one(struct zt_store *store, struct zt_ctx *ctx,
			unsigned long i)
{
	const char *op = zt_str(ctx->run, "op", "putback");
	struct page *page;

	/* One object a zspage, then two, then a zspage of several pages. */
	static const u16 hundredths[] = { 100, 49, 33, 4 };

	page = zt_raced_page(store, ctx,
			     PAGE_SIZE * hundredths[i % ARRAY_SIZE(hundredths)] / 100);
	if (!page)
		return -EIO;
	if (zt_num(ctx->run, "hold", 0))
		return zt_raced_keep(store, ctx, page, i % 2);
	if (!strcmp(op, "putback"))
		return zt_raced_putback(store, ctx, page);
	if (!strcmp(op, "isolate"))
		return zt_raced_isolate(store, ctx, page);
	if (!strcmp(op, "migrate"))
		return zt_raced_migrate(store, ctx, page);
	put_page(page);
	return zt_fail(ctx->run, "no op %s", op);
}

static int zt_raced_run(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long i, rounds = zt_num(ctx->run, "rounds", 20);

	for (i = 0; i < rounds && !zt_failed(ctx->run); i++) {
		zt_raced_one(store, ctx, i);
		if (zt_breathe(ctx->run))
			break;
	}
	return 0;
}

/* raced type= op= rounds= hold= settle= */
int zt_case_raced(struct zt_run *run)
{
	return zt_core_missing(run) ?:
	       zt_with_store(run, "zt-raced", 1, zt_raced_run);
}

/* The allocator that the pages came from may be gone by now. */
void zt_raced_let_go(struct zt_run *run)
{
	mutex_lock(&zt_kept_lock);
	if (!list_empty(&zt_kept_isolated))
		zt_putback(&zt_kept_isolated);
	zt_note(run, "released %u", zt_nr_kept);
	while (zt_nr_kept)
		zt_raced_last(run, zt_kept[--zt_nr_kept]);
	mutex_unlock(&zt_kept_lock);
}

/* raced-release */
int zt_case_raced_release(struct zt_run *run)
{
	zt_raced_let_go(run);
	return 0;
}

/* On unload: as above, with nobody to report to. */
void zt_raced_release(void)
{
	static struct zt_run nobody = {
		.lock = __SPIN_LOCK_UNLOCKED(nobody.lock),
	};

	zt_raced_let_go(&nobody);
	WARN_ON(zt_failed(&nobody));
}
