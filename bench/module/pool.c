// SPDX-License-Identifier: GPL-2.0
/*
 * A pool, and what is put into it.
 *
 * Sizes, their order and every random choice come from seed=, so that the work
 * is the same whatever the allocator.  Sizes are, by the row's arguments:
 *	size=N		all the same
 *	sizes=loaded	those that the command "sizes" has found, one after the
 *			other (memory.c)
 *	otherwise	a mixture like that of compressed anonymous memory
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "bench.h"

u32 zb_random(struct zb_pool *pool, u32 below)
{
	return ((u64)prandom_u32_state(&pool->rnd) * below) >> 32;
}

/*
 * A tenth is nearly nothing, half compresses to a third, the rest poorly, one
 * page in twenty hardly.
 */
static u16 zb_mixed_size(struct zb_pool *pool)
{
	static const struct { u8 chance, from, to; } parts[] = {
		{ 10, 1, 3 }, { 60, 15, 40 }, { 95, 40, 75 }, { 100, 75, 99 },
	};
	u32 chance = zb_random(pool, 100);
	int i = 0;

	while (chance >= parts[i].chance)
		i++;
	return PAGE_SIZE * parts[i].from / 100 +
	       zb_random(pool, PAGE_SIZE * (parts[i].to - parts[i].from) / 100);
}

void zb_shuffle(struct zb_pool *pool)
{
	unsigned long i, k;

	for (i = 0; i < pool->nr; i++)
		pool->order[i] = i;
	for (i = pool->nr; i > 1; i--) {
		k = zb_random(pool, i);
		swap(pool->order[i - 1], pool->order[k]);
	}
}

static void zb_choose_sizes(struct zb_pool *pool, struct zb_run *run)
{
	bool loaded = !strcmp(zb_str(run, "sizes", ""), "loaded");
	unsigned long i, fixed = zb_num(run, "size", 0);

	for (i = 0; i < pool->nr; i++)
		pool->sizes[i] = loaded ? zb_loaded_size(i) :
					  fixed ?: zb_mixed_size(pool);
}

int zb_pool_init(struct zb_pool *pool, struct zb_run *run, unsigned long nr)
{
	memset(pool, 0, sizeof(*pool));
	pool->nr = nr;
	pool->handles = vcalloc(nr, sizeof(*pool->handles));
	pool->sizes = vcalloc(nr, sizeof(*pool->sizes));
	pool->order = vcalloc(nr, sizeof(*pool->order));
	pool->buf = (u8 *)__get_free_page(GFP_KERNEL | __GFP_ZERO);
	if (!pool->handles || !pool->sizes || !pool->order || !pool->buf)
		return -ENOMEM;
	prandom_seed_state(&pool->rnd, zb_num(run, "seed", 1));
	zb_choose_sizes(pool, run);
	zb_shuffle(pool);

	rcu_barrier();
	pool->slab_before = zb_slab_pages();
	pool->zpool = zpool_create_pool(zb_str(run, "type", "zsmalloc"),
					"bench", GFP_KERNEL);
	if (!pool->zpool)
		return zb_fail(run, "cannot create a pool of this type");
	/* as zswap does */
	pool->gfp = __GFP_NORETRY | __GFP_NOWARN | __GFP_KSWAPD_RECLAIM;
	if (zpool_malloc_support_movable(pool->zpool))
		pool->gfp |= __GFP_HIGHMEM | __GFP_MOVABLE;
	return 0;
}

/* Frees what is left in the pool, too; a pool that zb_pool_init() left half made is fine. */
void zb_pool_exit(struct zb_pool *pool)
{
	unsigned long i;

	if (pool->zpool) {
		for (i = 0; i < pool->nr; i++) {
			zb_drop(pool, i);
			cond_resched();
		}
		zpool_destroy_pool(pool->zpool);
	}
	vfree(pool->handles);
	vfree(pool->sizes);
	vfree(pool->order);
	free_page((unsigned long)pool->buf);
}

int zb_new(struct zb_pool *pool, unsigned long i)
{
	int ret = zpool_malloc(pool->zpool, pool->sizes[i], pool->gfp,
			       &pool->handles[i]);

	/* C zsmalloc leaves the error there. */
	if (ret)
		pool->handles[i] = 0;
	return ret;
}

void zb_drop(struct zb_pool *pool, unsigned long i)
{
	if (!pool->handles[i])
		return;
	zpool_free(pool->zpool, pool->handles[i]);
	pool->handles[i] = 0;
}

int zb_fill(struct zb_pool *pool)
{
	unsigned long i;
	int ret;

	for (i = 0; i < pool->nr; i++) {
		if (pool->handles[i])
			continue;
		ret = zb_new(pool, i);
		if (ret)
			return ret;
	}
	return 0;
}

void zb_drop_half(struct zb_pool *pool)
{
	unsigned long i;

	for (i = 0; i < pool->nr / 2; i++)
		zb_drop(pool, pool->order[i]);
}

/*
 * The page that an object lies in, with a reference; NULL if it spans two (what
 * is mapped then is a copy).
 */
struct page *zb_page(struct zb_pool *pool, unsigned long i)
{
	void *mem = zpool_map_handle(pool->zpool, pool->handles[i],
				     ZPOOL_MM_RO);
	struct page *page = NULL;

	if (virt_addr_valid(mem) && PageZsmalloc(virt_to_page(mem))) {
		page = virt_to_page(mem);
		get_page(page);
	}
	zpool_unmap_handle(pool->zpool, pool->handles[i]);
	return page;
}

int zb_with_pool(struct zb_run *run, unsigned long nr, bool fill,
		 int (*fn)(struct zb_run *run, struct zb_pool *pool))
{
	struct zb_pool pool;
	int ret;

	ret = zb_pool_init(&pool, run, zb_num(run, "objects", nr));
	if (!ret && fill)
		ret = zb_fill(&pool);
	if (!ret)
		ret = fn(run, &pool);
	zb_pool_exit(&pool);
	return ret;
}
