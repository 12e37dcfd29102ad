// SPDX-License-Identifier: GPL-2.0
/*
 * A pool, and objects in it whose content tells them apart.
 *
 * The content of an object is a stream of pseudo-random words that depends on
 * the seed of the store and on the number of the object: an object that was
 * overwritten, mixed up with another one or torn does not verify.  Its first,
 * middle and last byte also carry the generation, which each update through a
 * read-write mapping raises.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "zpool_test.h"

int zt_ctx_init(struct zt_ctx *ctx, struct zt_run *run, u64 seed)
{
	ctx->run = run;
	prandom_seed_state(&ctx->rnd, seed);
	ctx->buf = (u8 *)__get_free_page(GFP_KERNEL);
	if (!ctx->buf)
		return zt_fail(run, "no memory for the test's own buffer");
	return 0;
}

void zt_ctx_exit(struct zt_ctx *ctx)
{
	free_page((unsigned long)ctx->buf);
	ctx->buf = NULL;
}

/* What zswap asks for: failing is normal, and quiet. */
gfp_t zt_gfp(struct zpool *zpool)
{
	gfp_t gfp = __GFP_NORETRY | __GFP_NOWARN | __GFP_KSWAPD_RECLAIM;

	if (zpool_malloc_support_movable(zpool))
		gfp |= __GFP_HIGHMEM | __GFP_MOVABLE;
	return gfp;
}

int zt_store_init(struct zt_store *store, struct zt_run *run, const char *type,
		  const char *name, unsigned long nr)
{
	memset(store, 0, sizeof(*store));
	store->nr = nr;
	store->seed = zt_num(run, "seed", 1);
	store->objs = kvcalloc(nr, sizeof(*store->objs), GFP_KERNEL);
	if (!store->objs)
		return zt_fail(run, "no memory for %lu objects", nr);

	store->zpool = zpool_create_pool(type, name, GFP_KERNEL);
	if (!store->zpool) {
		zt_store_exit(store);
		return zt_fail(run, "cannot create a pool of type %s", type);
	}
	store->gfp = zt_gfp(store->zpool);
	return 0;
}

void zt_store_exit(struct zt_store *store)
{
	if (store->zpool) {
		zt_store_free_all(store);
		zpool_destroy_pool(store->zpool);
	}
	kvfree(store->objs);
	memset(store, 0, sizeof(*store));
}

unsigned long zt_store_pages(struct zt_store *store)
{
	return zpool_get_total_pages(store->zpool);
}

/* splitmix64: one multiplication chain a word, no state to carry. */
static u64 zt_word(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void zt_stamp(u8 *buf, u32 size, u8 gen)
{
	buf[0] ^= gen;
	buf[size / 2] ^= gen;
	buf[size - 1] ^= gen;
}

static void zt_content(struct zt_store *store, unsigned long i, u8 *buf)
{
	struct zt_obj *obj = &store->objs[i];
	u64 x = zt_word(store->seed + i * 0x9e3779b97f4a7c15ULL);
	u64 *words = (u64 *)buf;
	u32 n;

	for (n = 0; n < DIV_ROUND_UP(obj->size, sizeof(u64)); n++) {
		x += 0x9e3779b97f4a7c15ULL;
		words[n] = zt_word(x);
	}
	zt_stamp(buf, obj->size, obj->gen);
}

static int zt_compare(struct zt_store *store, struct zt_ctx *ctx,
		      unsigned long i, const u8 *mem, const char *when)
{
	struct zt_obj *obj = &store->objs[i];
	u32 off = 0;

	if (likely(!memcmp(mem, ctx->buf, obj->size)))
		return 0;
	while (mem[off] == ctx->buf[off])
		off++;
	return zt_fail(ctx->run,
		       "object %lu (size %u, gen %u) differs %s at byte %u: %#x, should be %#x",
		       i, obj->size, obj->gen, when, off, mem[off],
		       ctx->buf[off]);
}

/* Write the whole object, through a mapping that reads nothing. */
static void zt_obj_write(struct zt_store *store, struct zt_ctx *ctx,
			 unsigned long i)
{
	struct zt_obj *obj = &store->objs[i];
	void *mem;

	zt_content(store, i, ctx->buf);
	mem = zpool_map_handle(store->zpool, obj->handle, ZPOOL_MM_WO);
	memcpy(mem, ctx->buf, obj->size);
	zpool_unmap_handle(store->zpool, obj->handle);
}

/* Returns what zpool_malloc() returned: running out of memory is no failure. */
int zt_obj_new(struct zt_store *store, struct zt_ctx *ctx, unsigned long i,
	       u32 size)
{
	struct zt_obj *obj = &store->objs[i];
	unsigned long handle = 0;
	int ret;

	ret = zpool_malloc(store->zpool, size, store->gfp, &handle);
	if (ret)
		return ret;
	if (!handle)
		return zt_fail(ctx->run, "size %u: success with a zero handle",
			       size);
	obj->handle = handle;
	obj->size = size;
	obj->gen = 0;
	zt_obj_write(store, ctx, i);
	return 0;
}

int zt_obj_verify(struct zt_store *store, struct zt_ctx *ctx, unsigned long i)
{
	struct zt_obj *obj = &store->objs[i];
	void *mem;
	int ret;

	if (!obj->size)
		return 0;
	zt_content(store, i, ctx->buf);
	mem = zpool_map_handle(store->zpool, obj->handle, ZPOOL_MM_RO);
	ret = zt_compare(store, ctx, i, mem, "on reading");
	zpool_unmap_handle(store->zpool, obj->handle);
	return ret;
}

/* Read-write: the old content is there, and a change of three bytes sticks. */
int zt_obj_update(struct zt_store *store, struct zt_ctx *ctx, unsigned long i)
{
	struct zt_obj *obj = &store->objs[i];
	u8 gen = obj->gen + 1;
	void *mem;
	int ret;

	if (!obj->size)
		return 0;
	zt_content(store, i, ctx->buf);
	mem = zpool_map_handle(store->zpool, obj->handle, ZPOOL_MM_RW);
	ret = zt_compare(store, ctx, i, mem, "in a read-write mapping");
	if (!ret)
		zt_stamp(mem, obj->size, obj->gen ^ gen);
	zpool_unmap_handle(store->zpool, obj->handle);
	if (!ret)
		obj->gen = gen;
	return ret;
}

atomic_t zt_held = ATOMIC_INIT(0);

/*
 * Keep the object mapped for a while, or until *stop: it must stay where it is
 * and as it is.  The caller may not sleep meanwhile, so this spins.
 */
int zt_obj_hold(struct zt_store *store, struct zt_ctx *ctx, unsigned long i,
		unsigned int us, const bool *stop)
{
	struct zt_obj *obj = &store->objs[i];
	unsigned int step;
	void *mem;
	int ret;

	if (!obj->size)
		return 0;
	zt_content(store, i, ctx->buf);
	mem = zpool_map_handle(store->zpool, obj->handle, ZPOOL_MM_RO);
	ret = zt_compare(store, ctx, i, mem, "when mapped");
	atomic_inc(&zt_held);
	for (; us && !(stop && READ_ONCE(*stop)); us -= step) {
		step = min(us, 1000U);
		udelay(step);
	}
	atomic_dec(&zt_held);
	if (!ret)
		ret = zt_compare(store, ctx, i, mem, "while mapped");
	zpool_unmap_handle(store->zpool, obj->handle);
	return ret;
}

void zt_obj_free(struct zt_store *store, unsigned long i)
{
	struct zt_obj *obj = &store->objs[i];

	if (!obj->size)
		return;
	zpool_free(store->zpool, obj->handle);
	obj->size = 0;
}

/*
 * The page that an object lies in, with a reference; NULL if the object spans
 * two pages (what is mapped then is a copy).
 */
struct page *zt_obj_page(struct zt_store *store, unsigned long i)
{
	unsigned long handle = store->objs[i].handle;
	struct page *page = NULL;
	void *mem;

	mem = zpool_map_handle(store->zpool, handle, ZPOOL_MM_RO);
	if (virt_addr_valid(mem) && PageZsmalloc(virt_to_page(mem))) {
		page = virt_to_page(mem);
		get_page(page);
	}
	zpool_unmap_handle(store->zpool, handle);
	return page;
}

/* Fill every slot that is empty: less= */
int zt_store_fill(struct zt_store *store, struct zt_ctx *ctx, const char *dist,
		  u32 fixed)
{
	unsigned long i, less = zt_num(ctx->run, "less", 0);
	u32 size;
	int ret;

	for (i = 0; i < store->nr; i++) {
		if (zt_breathe(ctx->run))
			return -EINTR;
		if (store->objs[i].size)
			continue;
		size = zt_less(zt_dist_size(dist, &ctx->rnd, i, fixed), less);
		ret = zt_obj_new(store, ctx, i, size);
		if (ret)
			return zt_fail(ctx->run, "object %lu, size %u: error %d",
				       i, size, ret);
	}
	return 0;
}

static int zt_for_each(struct zt_store *store, struct zt_ctx *ctx,
		       int (*fn)(struct zt_store *store, struct zt_ctx *ctx,
				 unsigned long i))
{
	unsigned long i;
	int ret;

	for (i = 0; i < store->nr; i++) {
		ret = fn(store, ctx, i);
		if (!ret)
			ret = zt_breathe(ctx->run);
		if (ret)
			return ret;
	}
	return 0;
}

int zt_store_verify(struct zt_store *store, struct zt_ctx *ctx)
{
	return zt_for_each(store, ctx, zt_obj_verify);
}

int zt_store_update(struct zt_store *store, struct zt_ctx *ctx)
{
	return zt_for_each(store, ctx, zt_obj_update);
}

/* Give every object the content of another seed. */
int zt_store_rewrite(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long i;

	store->seed += 0x10001;
	for (i = 0; i < store->nr; i++) {
		if (store->objs[i].size)
			zt_obj_write(store, ctx, i);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	return 0;
}

void zt_store_free_all(struct zt_store *store)
{
	unsigned long i;

	for (i = 0; i < store->nr; i++) {
		zt_obj_free(store, i);
		cond_resched();
	}
}

/*
 * Free all; the pool must then own no page.  C zsmalloc frees a zspage later
 * if it did not get the page locks, and a shrinker at work frees what it has
 * emptied: settle=MS allows for that.
 */
int zt_store_empty(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long ms = zt_num(ctx->run, "settle", 0);

	zt_store_free_all(store);
	while (zt_store_pages(store) && ms--)
		usleep_range(1000, 1100);
	if (zt_store_pages(store))
		return zt_fail(ctx->run, "all is freed, the pool keeps %lu pages",
			       zt_store_pages(store));
	return 0;
}

/* A case that is about one store of @nr objects, and one thread: type= seed= */
int zt_with_store(struct zt_run *run, const char *name, unsigned long nr,
		  int (*fn)(struct zt_store *store, struct zt_ctx *ctx))
{
	struct zt_store store;
	struct zt_ctx ctx;
	int ret;

	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	ret = zt_store_init(&store, run, zt_str(run, "type", "zsmalloc_rs"),
			    name, nr);
	if (!ret) {
		ret = fn(&store, &ctx);
		zt_store_exit(&store);
	}
	zt_ctx_exit(&ctx);
	return ret;
}
