// SPDX-License-Identifier: GPL-2.0
/*
 * Rows about allocating and freeing.  objects= is 40,000 unless said otherwise.
 */
#include <linux/string.h>

#include "bench.h"

#define OBJECTS	40000

/* malloc: fill a new pool. */
static int time_malloc(struct zb_run *run, struct zb_pool *pool)
{
	int ret;

	zb_start(run);
	ret = zb_fill(pool);
	zb_stop(run, pool->nr);
	return ret;
}

int zb_malloc(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, false, time_malloc);
}

/* malloc-write: the same, and each object written as zswap writes it. */
static int time_malloc_write(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;
	void *mem;
	int ret;

	zb_start(run);
	for (i = 0; i < pool->nr; i++) {
		ret = zb_new(pool, i);
		if (ret)
			return ret;
		mem = zpool_map_handle(pool->zpool, pool->handles[i],
				       ZPOOL_MM_WO);
		memcpy(mem, pool->buf, pool->sizes[i]);
		zpool_unmap_handle(pool->zpool, pool->handles[i]);
	}
	zb_stop(run, pool->nr);
	return 0;
}

int zb_malloc_write(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, false, time_malloc_write);
}

/* free-order: free a full pool in the order in which it was filled. */
static int time_free_order(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;

	zb_start(run);
	for (i = 0; i < pool->nr; i++)
		zb_drop(pool, i);
	zb_stop(run, pool->nr);
	return 0;
}

int zb_free_order(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_free_order);
}

/* free-random: free a full pool at random. */
static int time_free_random(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;

	zb_start(run);
	for (i = 0; i < pool->nr; i++)
		zb_drop(pool, pool->order[i]);
	zb_stop(run, pool->nr);
	return 0;
}

int zb_free_random(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_free_random);
}

/* free-half: free half of a full pool at random; few pages become free. */
static int time_free_half(struct zb_run *run, struct zb_pool *pool)
{
	zb_start(run);
	zb_drop_half(pool);
	zb_stop(run, pool->nr / 2);
	return 0;
}

int zb_free_half(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_free_half);
}

/* refill: allocate again what free-half has freed, into the gaps. */
static int time_refill(struct zb_run *run, struct zb_pool *pool)
{
	int ret;

	zb_drop_half(pool);
	zb_start(run);
	ret = zb_fill(pool);
	zb_stop(run, pool->nr / 2);
	return ret;
}

int zb_refill(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_refill);
}

/* fill-free: fill a new pool, then free all of it. */
static int time_fill_free(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;
	int ret;

	zb_start(run);
	ret = zb_fill(pool);
	for (i = 0; i < pool->nr; i++)
		zb_drop(pool, i);
	zb_stop(run, pool->nr);
	return ret;
}

int zb_fill_free(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, false, time_fill_free);
}

/* churn: in a full pool, free an object at random and allocate another size. */
static int time_churn(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;
	int ret;

	zb_start(run);
	for (i = 0; i + 1 < pool->nr; i++) {
		zb_drop(pool, pool->order[i]);
		swap(pool->sizes[pool->order[i]],
		     pool->sizes[pool->order[i + 1]]);
		ret = zb_new(pool, pool->order[i]);
		if (ret)
			return ret;
	}
	zb_stop(run, pool->nr - 1);
	return 0;
}

int zb_churn(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_churn);
}
