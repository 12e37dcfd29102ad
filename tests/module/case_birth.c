// SPDX-License-Identifier: GPL-2.0
/*
 * Migration of pages whose zspage is only being made: one CPU makes and frees
 * zspages of one page, for which the page allocator has the same page again and
 * again, while another CPU isolates and migrates that page whenever it can.
 *
 * With a delay between the publication of a zspage and its listing (parameter
 * delay_publish_us of zsmalloc_rs) most attempts come within it.
 */
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "zpool_test.h"

struct zt_birth {
	struct page *page;		/* where the last object was */
	unsigned long isolated;		/* of the thread */
	unsigned long migrated;
};

/* The page may be anybody's by now, which the core finds out. */
static int zt_birth_mover(void *arg)
{
	struct zt_birth *birth = arg;
	struct page *page;
	LIST_HEAD(pages);

	while (!kthread_should_stop()) {
		page = READ_ONCE(birth->page);
		if (page && zt_isolate(page)) {
			birth->isolated++;
			list_add(&page->lru, &pages);
			if (!zt_migrate(&pages, MIGRATE_ASYNC))
				birth->migrated++;
			zt_putback(&pages);
		}
		cond_resched();
	}
	return 0;
}

static int zt_birth_round(struct zt_birth *birth, struct zt_store *store,
			  struct zt_ctx *ctx)
{
	struct page *page;
	int ret;

	ret = zt_obj_new(store, ctx, 0, PAGE_SIZE);
	if (ret)
		return zt_fail(ctx->run, "size %lu: error %d", PAGE_SIZE, ret);
	page = zt_obj_page(store, 0);
	if (!page)
		return zt_fail(ctx->run, "an object of a page spans pages");
	WRITE_ONCE(birth->page, page);
	put_page(page);
	ret = zt_obj_verify(store, ctx, 0);
	zt_obj_free(store, 0);
	return ret ?: zt_breathe(ctx->run);
}

static int zt_birth(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long rounds = zt_num(ctx->run, "rounds", 1000);
	struct zt_birth birth = {};
	struct task_struct *task;
	int ret = 0;

	task = zt_thread_elsewhere(ctx->run, "birth", zt_birth_mover, &birth);
	if (!task)
		return -EIO;
	while (!ret && rounds--)
		ret = zt_birth_round(&birth, store, ctx);
	kthread_stop(task);
	zt_note(ctx->run, "isolated %lu, migrated %lu", birth.isolated,
		birth.migrated);
	return ret ?: zt_store_empty(store, ctx);
}

/* birth type= rounds= seed= settle= */
int zt_case_birth(struct zt_run *run)
{
	if (zt_core_missing(run))
		return -EOPNOTSUPP;
	if (num_online_cpus() < 2)
		return zt_skip(run, "needs two CPUs");
	return zt_with_store(run, "zt-birth", 1, zt_birth);
}
