// SPDX-License-Identifier: GPL-2.0
/*
 * Rows about looking at objects.
 */
#include <linux/mm.h>
#include <linux/string.h>

#include "bench.h"

/*
 * map: map and unmap, without a look at the object, each of those that span two
 * pages (spanning=1) or that do not, at random, several times.  write=1 maps
 * write-only.
 */
static int time_map(struct zb_run *run, struct zb_pool *pool)
{
	enum zpool_mapmode mode = zb_num(run, "write", 0) ? ZPOOL_MM_WO :
							    ZPOOL_MM_RO;
	unsigned long spanning = zb_num(run, "spanning", 0);
	unsigned long i, nr = 0, times = 3;
	struct page *page;

	for (i = 0; i < pool->nr; i++) {
		page = zb_page(pool, pool->order[i]);
		if (!page == !!spanning)
			pool->order[nr++] = pool->order[i];
		if (page)
			put_page(page);
	}
	zb_start(run);
	while (times--) {
		for (i = 0; i < nr; i++) {
			unsigned long handle = pool->handles[pool->order[i]];

			zpool_map_handle(pool->zpool, handle, mode);
			zpool_unmap_handle(pool->zpool, handle);
		}
	}
	zb_stop(run, nr * 3);
	return nr ? 0 : zb_fail(run, "no object of that kind");
}

int zb_map(struct zb_run *run)
{
	return zb_with_pool(run, 40000, true, time_map);
}

/* One byte of each cache line: what has to come from memory, and little else. */
static u8 touch(const u8 *mem, size_t size)
{
	u8 sum = 0;
	size_t i;

	for (i = 0; i < size; i += 64)
		sum += READ_ONCE(mem[i]);
	return sum;
}

/* read: read each object of a pool larger than the caches, at random. */
static int time_read(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long i;
	u8 sum = 0;

	zb_start(run);
	for (i = 0; i < pool->nr; i++) {
		unsigned long handle = pool->handles[pool->order[i]];
		const u8 *mem = zpool_map_handle(pool->zpool, handle,
						 ZPOOL_MM_RO);

		sum += touch(mem, pool->sizes[pool->order[i]]);
		zpool_unmap_handle(pool->zpool, handle);
	}
	zb_stop(run, pool->nr);
	pool->buf[0] = sum;
	return 0;
}

int zb_read(struct zb_run *run)
{
	return zb_with_pool(run, 40000, true, time_read);
}

/*
 * copy: no allocator at all, the copy of size= bytes, or of a page.  A guest that
 * counts instructions counts each iteration of a string instruction; this is how
 * many of those there are in a row that copies.
 */
int zb_copy(struct zb_run *run)
{
	size_t size = min(zb_num(run, "size", PAGE_SIZE), PAGE_SIZE);
	void *from = (void *)__get_free_page(GFP_KERNEL | __GFP_ZERO);
	void *to = (void *)__get_free_page(GFP_KERNEL);
	int i;

	if (from && to) {
		zb_start(run);
		for (i = 0; i < 1000; i++) {
			if (size == PAGE_SIZE)
				copy_page(to, from);
			else
				memcpy(to, from, size);
			barrier_data(to);
		}
		zb_stop(run, 1000);
	}
	free_page((unsigned long)from);
	free_page((unsigned long)to);
	return from && to ? 0 : -ENOMEM;
}
