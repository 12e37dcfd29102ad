// SPDX-License-Identifier: GPL-2.0
/*
 * No memory: for real, and by fault injection at each allocation in turn.
 * The only answer is -ENOMEM, and nothing is lost or leaked.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "zpool_test.h"

/* No reclaim: what it would free now, it would free again in the test. */
#define ZT_BALLAST_GFP	(__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_NOWARN)

/*
 * Take all memory down to the watermarks.  Not in whole pageblocks: those each
 * processor keeps in a list of its own, 512 MiB each with pages of 64K, and one
 * that is left on a processor that we were on comes back in the test.
 */
static void zt_ballast_take(struct list_head *ballast)
{
	int order = pageblock_order - 1;
	struct page *page;

	while (order >= 0) {
		page = alloc_pages(ZT_BALLAST_GFP, order);
		if (page) {
			set_page_private(page, order);
			list_add(&page->lru, ballast);
		} else {
			order--;
		}
		cond_resched();
	}
}

static void zt_ballast_split(struct list_head *ballast, struct page *page,
			     int order)
{
	unsigned long i;

	split_page(page, order);
	for (i = 0; i < 1UL << order; i++) {
		set_page_private(page + i, 0);
		list_add(&page[i].lru, ballast);
	}
}

/* Give back @nr pages, as far as there are so many. */
static void zt_ballast_release(struct list_head *ballast, unsigned long nr)
{
	struct page *page;
	int order;

	while (nr && !list_empty(ballast)) {
		page = list_first_entry(ballast, struct page, lru);
		list_del(&page->lru);
		order = page_private(page);
		if (1UL << order > nr) {
			zt_ballast_split(ballast, page, order);
			continue;
		}
		set_page_private(page, 0);
		__free_pages(page, order);
		nr -= 1UL << order;
		cond_resched();
	}
}

/* Allocate until @errors mallocs failed; every failure must be -ENOMEM. */
static int zt_exhaust_fill(struct zt_store *store, struct zt_ctx *ctx,
			   unsigned long errors)
{
	unsigned long i = 0, failed = 0;
	u32 size;
	int ret;

	while (i < store->nr && failed < errors) {
		size = zt_dist_size("uniform", &ctx->rnd, i, 0);
		ret = zt_obj_new(store, ctx, i, size);
		if (!ret)
			i++;
		else if (ret == -ENOMEM)
			failed++;
		else
			return zt_fail(ctx->run, "size %u: error %d, should be %d",
				       size, ret, -ENOMEM);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	zt_note(ctx->run, "%lu objects in %lu pages, then %lu times no memory",
		i, zt_store_pages(store), failed);
	if (!failed)
		return zt_fail(ctx->run, "%lu objects fit: memory never ran out",
			       i);
	return 0;
}

/* What is there verifies; a part is freed, and can be allocated again. */
static int zt_exhaust_recover(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long i;
	u32 size;
	int ret;

	ret = zt_store_verify(store, ctx);
	for (i = 0; i < store->nr && !ret; i += 2) {
		size = store->objs[i].size;
		if (!size)
			continue;
		zt_obj_free(store, i);
		ret = zt_obj_new(store, ctx, i, size);
		if (ret == -ENOMEM)
			ret = 0;	/* somebody else was quicker */
		if (!ret)
			ret = zt_breathe(ctx->run);
	}
	return ret ?: zt_store_verify(store, ctx);
}

/* exhaust type= leave= errors= seed= settle= */
int zt_case_exhaust(struct zt_run *run)
{
	unsigned long leave = zt_num(run, "leave", SZ_32M / PAGE_SIZE);
	unsigned long errors = zt_num(run, "errors", 1000);
	struct zt_store store;
	struct zt_ctx ctx;
	LIST_HEAD(ballast);
	int ret;

	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	/* Objects are half a page on average: four times what should fit. */
	ret = zt_store_init(&store, run, zt_str(run, "type", "zsmalloc_rs"),
			    "zt-exhaust", 8 * leave);
	if (ret) {
		zt_ctx_exit(&ctx);
		return ret;
	}
	/* Do not wake reclaim: the ballast left it something to find. */
	store.gfp &= ~__GFP_KSWAPD_RECLAIM;

	zt_ballast_take(&ballast);
	zt_ballast_release(&ballast, leave);
	ret = zt_exhaust_fill(&store, &ctx, errors);
	if (!ret)
		ret = zt_exhaust_recover(&store, &ctx);
	if (!ret)
		ret = zt_store_empty(&store, &ctx);
	zt_store_exit(&store);
	zt_ballast_release(&ballast, ULONG_MAX);
	zt_ctx_exit(&ctx);
	return ret;
}

/*
 * A malloc of @size in a pool that has no zspage of this class, again and
 * again, and each time the next of its allocations fails, until it makes no
 * further one.  Returns how many failed, or an error.
 */
static int zt_faults_size(struct zt_store *store, struct zt_ctx *ctx, u32 size)
{
	unsigned int nth, left;
	int ret, failed = 0;

	for (nth = 1; nth < 1000; nth++) {
		unsigned long handle = 0;

		zt_fail_nth(nth);
		ret = zpool_malloc(store->zpool, size, store->gfp, &handle);
		left = zt_fail_nth_left();
		zt_fail_nth(0);

		if (ret == -ENOMEM)
			failed++;
		else if (ret)
			return zt_fail(ctx->run, "size %u, fault %u: error %d",
				       size, nth, ret);
		else
			zpool_free(store->zpool, handle);
		if (zt_store_empty(store, ctx))
			return -EIO;
		if (left)
			return ret ? zt_fail(ctx->run, "size %u: %d without a fault",
					     size, ret) : failed;
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	return zt_fail(ctx->run, "size %u: no end of allocations", size);
}

/*
 * An anchor, a zspage and its first page are three allocations that have to fail
 * at the least.  Whether slab and its debugging allocate as well changes from
 * one malloc to the next, so that a sweep may miss one: sweep again then.
 */
static int zt_faults_sweep(struct zt_store *store, struct zt_ctx *ctx, u32 size)
{
	int sweep, ret, failed = 0;

	for (sweep = 0; sweep < 5 && failed < 3; sweep++) {
		ret = zt_faults_size(store, ctx, size);
		if (ret < 0)
			return ret;
		failed += ret;
	}
	if (failed < 3)
		return zt_fail(ctx->run, "size %u: only %d faults hit", size,
			       failed);
	return failed;
}

/* faults type= step= settle= */
int zt_case_faults(struct zt_run *run)
{
	unsigned long size, step = max(zt_num(run, "step", 101), 1UL);
	unsigned long sizes = 0, failed = 0;
	struct zt_store store;
	struct zt_ctx ctx;
	int ret;

	if (!IS_ENABLED(CONFIG_FAILSLAB) || !IS_ENABLED(CONFIG_FAIL_PAGE_ALLOC))
		return zt_skip(run, "kernel without FAILSLAB or FAIL_PAGE_ALLOC");
	ret = zt_ctx_init(&ctx, run, 1);
	if (ret)
		return ret;
	ret = zt_store_init(&store, run, zt_str(run, "type", "zsmalloc_rs"),
			    "zt-faults", 1);
	if (ret)
		goto out;
	/* fail_page_alloc leaves highmem alone unless it is told otherwise. */
	store.gfp &= ~__GFP_HIGHMEM;
	for (size = 1; size <= PAGE_SIZE; size += step) {
		ret = zt_faults_sweep(&store, &ctx, size);
		if (ret < 0)
			break;
		sizes++;
		failed += ret;
		ret = 0;
	}
	zt_note(run, "%lu sizes, %lu mallocs failed by fault injection", sizes,
		failed);
	zt_store_exit(&store);
out:
	zt_ctx_exit(&ctx);
	return ret;
}

/*
 * create-faults type= max=
 * User space must have told failslab to consider GFP_KERNEL allocations too.
 */
int zt_case_create_faults(struct zt_run *run)
{
	const char *type = zt_str(run, "type", "zsmalloc_rs");
	unsigned int nth, left, max = zt_num(run, "max", 5000);
	unsigned long failed = 0;
	struct zpool *zpool;

	if (!IS_ENABLED(CONFIG_FAILSLAB))
		return zt_skip(run, "kernel without FAILSLAB");
	for (nth = 1; nth <= max; nth++) {
		zt_fail_nth(nth);
		zpool = zpool_create_pool(type, "zt-create", GFP_KERNEL);
		left = zt_fail_nth_left();
		zt_fail_nth(0);
		if (zpool)
			zpool_destroy_pool(zpool);
		else
			failed++;
		if (left)
			break;
		if (zt_breathe(run))
			return -EINTR;
	}
	zt_note(run, "%u faults, %lu of them made the creation fail", nth - 1,
		failed);
	if (!failed)
		return zt_fail(run, "no creation failed");
	return 0;
}
