// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that compaction moves, again and again, while another CPU maps them.
 *
 * A round stores objects of one size in a pool without objects, and thins them
 * out twice, with a compaction after each time: the first moves objects from
 * where they were born, the second moves them again and, by then, more than half
 * of the names of each zspage that was emptied are gone.  Some objects stay
 * until the end, and the thread elsewhere reads these all the time.
 *
 * With a delay in map between finding an object and locking its zspage
 * (parameter delay_map_us of zsmalloc_rs) some are moved in between.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "zpool_test.h"

#define ZT_STAY_ONCE	4	/* one of so many stays the first time, */
#define ZT_STAY_TWICE	16	/* and the second */
#define ZT_TRIES	100	/* until something must have been freed */

struct zt_moved {
	struct zt_store *store;
	struct zt_ctx reader;
	struct task_struct *task;
	unsigned long mapped;	/* of the thread, in this round */
	unsigned long pages;	/* that compaction freed, in all rounds */
};

static int zt_moved_reader(void *arg)
{
	struct zt_moved *moved = arg;
	struct zt_ctx *ctx = &moved->reader;
	unsigned long stay = DIV_ROUND_UP(moved->store->nr, ZT_STAY_TWICE);

	while (!kthread_should_stop()) {
		if (!zt_obj_verify(moved->store, ctx,
				   zt_random(&ctx->rnd, stay) * ZT_STAY_TWICE))
			WRITE_ONCE(moved->mapped, moved->mapped + 1);
		cond_resched();
	}
	return 0;
}

/*
 * Free all but one of @stay, and compact the rest.  Before the second time two
 * zspages may be all there are, and the thread can have an object of either
 * mapped at the moment when that one is tried: then again.
 */
static int zt_moved_compact(struct zt_moved *moved, struct zt_ctx *ctx,
			    unsigned int stay)
{
	struct zt_store *store = moved->store;
	unsigned long i, freed = 0;
	int tries = ZT_TRIES;

	for (i = 0; i < store->nr; i++) {
		if (i % stay)
			zt_obj_free(store, i);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	while (!freed && tries--) {
		freed = zpool_compact(store->zpool);
		/* the reader may have an object of each zspage mapped, and not run */
		if (!freed)
			usleep_range(1000, 2000);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	moved->pages += freed;
	if (freed)
		return 0;
	return zt_fail(ctx->run, "one of %u objects stayed, and nothing was freed",
		       stay);
}

static int zt_moved_round(struct zt_moved *moved, struct zt_ctx *ctx, u32 size)
{
	int ret = zt_store_fill(moved->store, ctx, "one", size);

	if (ret)
		return ret;
	moved->mapped = 0;
	moved->task = zt_thread_elsewhere(ctx->run, "moved", zt_moved_reader,
					  moved);
	if (!moved->task)
		return -EIO;
	while (!READ_ONCE(moved->mapped) && !zt_failed(ctx->run))
		cond_resched();
	ret = zt_moved_compact(moved, ctx, ZT_STAY_ONCE);
	if (!ret)
		ret = zt_moved_compact(moved, ctx, ZT_STAY_TWICE);
	kthread_stop(moved->task);
	if (zt_failed(ctx->run))
		return -EIO;
	return ret ?: zt_store_empty(moved->store, ctx);
}

static int zt_moved(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long rounds = zt_num(ctx->run, "rounds", 10);
	u32 size = zt_num(ctx->run, "size", PAGE_SIZE / 25);
	struct zt_moved moved = { .store = store };
	int ret;

	ret = zt_ctx_init(&moved.reader, ctx->run,
			  zt_num(ctx->run, "seed", 1) + 1);
	while (!ret && rounds--)
		ret = zt_moved_round(&moved, ctx, size);
	zt_ctx_exit(&moved.reader);
	zt_note(ctx->run, "freed %lu", moved.pages);
	return ret;
}

/* moved type= count= size= rounds= seed= settle= */
int zt_case_moved(struct zt_run *run)
{
	if (num_online_cpus() < 2)
		return zt_skip(run, "needs two CPUs");
	return zt_with_store(run, "zt-moved", zt_num(run, "count", 2000),
			     zt_moved);
}
