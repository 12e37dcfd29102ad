// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory a pool takes, for sizes as a compressor really makes them.
 *
 * Slab is counted as what the kernel's whole slab memory has grown by since
 * before the pool was made.  So everything counts that an allocator takes there
 * (pools, classes, handles, zspages, tables), by whatever name, for each
 * allocator in the same way.  It takes a guest with nothing else to do, and one
 * CPU, since counters of several lag behind.
 */
#include <linux/crypto.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "bench.h"

static u16 *loaded;
static unsigned long nr_loaded;

u16 zb_loaded_size(unsigned long i)
{
	return nr_loaded ? loaded[i % nr_loaded] : 1;
}

void zb_sizes_exit(void)
{
	vfree(loaded);
	loaded = NULL;
	nr_loaded = 0;
}

/* zram and zswap keep no object for a page that is one word repeated. */
static bool same_filled(const unsigned long *page)
{
	return !memcmp(page, page + 1, PAGE_SIZE - sizeof(*page));
}

/* From this size on an object takes a page: the same in both allocators. */
static size_t huge_size(void)
{
	struct zpool *zpool = zpool_create_pool("zsmalloc", "sizes", GFP_KERNEL);
	size_t size = PAGE_SIZE;

	if (zpool) {
		size = zpool_huge_class_size(zpool);
		zpool_destroy_pool(zpool);
	}
	return size;
}

/* As zram: what does not compress below the huge class is stored as it is. */
static void load(struct file *file, struct crypto_comp *comp, u8 *src, u8 *dst,
		 unsigned long max)
{
	size_t huge = huge_size();
	unsigned int len;
	loff_t pos = 0;
	int ret;

	while (nr_loaded < max &&
	       kernel_read(file, src, PAGE_SIZE, &pos) == PAGE_SIZE) {
		cond_resched();
		if (same_filled((unsigned long *)src))
			continue;
		len = 2 * PAGE_SIZE;
		ret = crypto_comp_compress(comp, src, PAGE_SIZE, dst, &len);
		loaded[nr_loaded++] = ret || len >= huge ? PAGE_SIZE : len;
	}
}

/* sizes alg= file= objects=: compress the file's pages, remember the sizes. */
int zb_sizes(struct zb_run *run)
{
	unsigned long max = zb_num(run, "objects", 40000), i;
	struct crypto_comp *comp;
	struct file *file;
	u64 sum = 0;
	u8 *buf;

	zb_sizes_exit();
	loaded = vcalloc(max, sizeof(*loaded));
	buf = vmalloc(3 * PAGE_SIZE);
	comp = crypto_alloc_comp(zb_str(run, "alg", "lz4"), 0, 0);
	file = filp_open(zb_str(run, "file", ""), O_RDONLY, 0);
	if (!loaded || !buf || IS_ERR(comp) || IS_ERR(file))
		zb_fail(run, "no such file, or no such algorithm");
	else
		load(file, comp, buf, buf + PAGE_SIZE, max);
	if (!IS_ERR(file))
		filp_close(file, NULL);
	if (!IS_ERR(comp))
		crypto_free_comp(comp);
	vfree(buf);
	for (i = 0; i < nr_loaded; i++)
		sum += loaded[i];
	zb_note(run, " loaded=%lu bytes=%llu", nr_loaded, sum);
	return 0;
}

unsigned long zb_slab_pages(void)
{
	return global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
	       global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

static void note_memory(struct zb_run *run, struct zb_pool *pool,
			const char *when)
{
	rcu_barrier();
	zb_note(run, " %s_pages=%llu %s_slab=%ld", when,
		zpool_get_total_pages(pool->zpool), when,
		(long)(zb_slab_pages() - pool->slab_before));
}

/* Free 40 % at random, compact, refill with other sizes. */
static int cycle(struct zb_pool *pool, unsigned long *next)
{
	unsigned long i;

	zb_shuffle(pool);
	for (i = 0; i < pool->nr * 4 / 10; i++) {
		zb_drop(pool, pool->order[i]);
		pool->sizes[pool->order[i]] = zb_loaded_size((*next)++);
	}
	zpool_compact(pool->zpool);
	return zb_fill(pool);
}

/*
 * memory objects= cycles= [sizes=loaded]: pages, and slab, when the pool is
 * full, when half is freed at random, and after cycles.
 */
static int measure(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long cycles = zb_num(run, "cycles", 25), next = 0;
	int ret;

	note_memory(run, pool, "fresh");
	zb_drop_half(pool);
	note_memory(run, pool, "half");
	ret = zb_fill(pool);
	while (!ret && cycles--)
		ret = cycle(pool, &next);
	note_memory(run, pool, "cycled");
	return ret;
}

int zb_memory(struct zb_run *run)
{
	return zb_with_pool(run, nr_loaded ?: 40000, true, measure);
}
