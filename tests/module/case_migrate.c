// SPDX-License-Identifier: GPL-2.0
/*
 * Page migration, through the kernel's own migrate_pages(): pages of every
 * class, and a page in use.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "zpool_test.h"

/* Isolate the page of each object that lies in one page. */
unsigned long zt_isolate_all(struct zt_store *store, struct zt_ctx *ctx,
			     struct list_head *pages)
{
	unsigned long i, nr = 0;
	struct page *page;

	for (i = 0; i < store->nr; i++) {
		if (!store->objs[i].size)
			continue;
		page = zt_obj_page(store, i);
		if (!page)
			continue;
		if (zt_isolate(page)) {
			list_add_tail(&page->lru, pages);
			nr++;
		}
		put_page(page);
		cond_resched();
	}
	return nr;
}

static int zt_migrate_run(struct zt_store *store, struct zt_ctx *ctx)
{
	u32 copies = max(zt_num(ctx->run, "copies", 16), 1UL);
	u32 step = max(zt_num(ctx->run, "step", 7), 1UL);
	unsigned long i, isolated, before;
	LIST_HEAD(pages);
	int ret, left;

	for (i = 0; i < store->nr; i++) {
		ret = zt_obj_new(store, ctx, i,
				 min_t(u32, 1 + i / copies * step, PAGE_SIZE));
		if (ret)
			return zt_fail(ctx->run, "object %lu: error %d", i, ret);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	before = zt_store_pages(store);
	isolated = zt_isolate_all(store, ctx, &pages);
	/* All stays usable while it is isolated. */
	ret = zt_store_update(store, ctx);
	left = zt_migrate(&pages, MIGRATE_SYNC);
	zt_putback(&pages);
	zt_note(ctx->run, "%lu pages, %lu isolated, %d not migrated", before,
		isolated, left);
	if (ret)
		return ret;
	if (isolated < before / 4)
		return zt_fail(ctx->run, "only %lu of %lu pages were isolated",
			       isolated, before);
	if (left)
		return zt_fail(ctx->run, "%d pages were not migrated", left);
	if (zt_store_pages(store) != before)
		return zt_fail(ctx->run, "%lu pages became %lu", before,
			       zt_store_pages(store));
	ret = zt_store_verify(store, ctx);
	if (!ret)
		ret = zt_store_update(store, ctx);
	if (!ret)
		ret = zt_store_verify(store, ctx);
	return ret ?: zt_store_empty(store, ctx);
}

/* migrate type= step= copies= seed= settle= */
int zt_case_migrate(struct zt_run *run)
{
	unsigned long copies = max(zt_num(run, "copies", 16), 1UL);
	unsigned long step = max(zt_num(run, "step", 7), 1UL);
	unsigned long sizes = DIV_ROUND_UP(PAGE_SIZE - 1, step) + 1;

	return zt_core_missing(run) ?:
	       zt_with_store(run, "zt-migrate", sizes * copies, zt_migrate_run);
}

/* Somebody who keeps object 0 mapped, on another CPU. */
struct zt_holder {
	struct zt_store *store;
	struct zt_ctx ctx;
	bool running;
	bool stop;
	unsigned int ms;
};

static int zt_holder_thread(void *arg)
{
	struct zt_holder *h = arg;

	WRITE_ONCE(h->running, true);
	zt_obj_hold(h->store, &h->ctx, 0, h->ms * USEC_PER_MSEC, &h->stop);
	while (!kthread_should_stop())
		usleep_range(1000, 2000);
	return 0;
}

/*
 * Try to migrate while the holder maps.  Whether the allocator gives up or
 * waits is its own affair; afterwards the page must be migratable, and the
 * object whole.
 */
static int zt_busy_round(struct zt_holder *h, struct zt_ctx *ctx, int *busy)
{
	struct task_struct *task;
	struct page *page;
	LIST_HEAD(pages);
	int ret;

	page = zt_obj_page(h->store, 0);
	if (!page)
		return zt_fail(ctx->run, "the object spans pages");
	ret = zt_isolate_patiently(ctx->run, page, &pages);
	put_page(page);
	if (ret)
		return ret;

	h->running = false;
	h->stop = false;
	task = zt_thread_elsewhere(ctx->run, "hold", zt_holder_thread, h);
	if (!task) {
		zt_putback(&pages);
		return -EIO;
	}
	while (!READ_ONCE(h->running))
		cond_resched();
	usleep_range(200, 400);
	if (zt_migrate(&pages, MIGRATE_SYNC))
		(*busy)++;
	WRITE_ONCE(h->stop, true);
	kthread_stop(task);

	if (!list_empty(&pages) && zt_migrate(&pages, MIGRATE_SYNC))
		zt_fail(ctx->run, "the page cannot be migrated any more");
	zt_putback(&pages);
	return zt_failed(ctx->run) ? -EIO : zt_obj_verify(h->store, ctx, 0);
}

/* migrate-busy type= rounds= ms= seed= settle= */
int zt_case_migrate_busy(struct zt_run *run)
{
	unsigned long rounds = zt_num(run, "rounds", 5);
	struct zt_holder h = { .ms = min(zt_num(run, "ms", 100), 1000UL) };
	struct zt_store store;
	struct zt_ctx ctx;
	int ret, busy = 0;

	ret = zt_core_missing(run);
	if (ret)
		return ret;
	if (num_online_cpus() < 2)
		return zt_skip(run, "needs two CPUs");
	ret = zt_ctx_init(&ctx, run, 1);
	if (ret)
		return ret;
	ret = zt_ctx_init(&h.ctx, run, 2);
	if (ret)
		goto out_ctx;
	ret = zt_store_init(&store, run, zt_str(run, "type", "zsmalloc_rs"),
			    "zt-busy", 2);
	if (ret)
		goto out_holder;
	h.store = &store;
	ret = zt_store_fill(&store, &ctx, "one", PAGE_SIZE / 2 - 64);
	while (!ret && rounds--)
		ret = zt_busy_round(&h, &ctx, &busy);
	zt_note(run, "busy %d", busy);
	if (!ret)
		ret = zt_store_empty(&store, &ctx);
	zt_store_exit(&store);
out_holder:
	zt_ctx_exit(&h.ctx);
out_ctx:
	zt_ctx_exit(&ctx);
	return ret;
}
