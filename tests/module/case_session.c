// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: a pool that stays between commands, so that user space can make
 * the kernel compact, reclaim or migrate in between.  slot=N chooses one of a
 * few, so that several pools can be in use at once.
 */
#include <linux/kernel.h>
#include <linux/mm.h>

#include "zpool_test.h"

#define ZT_SLOTS	4

static struct zt_session {
	struct mutex lock;	/* held for the length of a command */
	struct zt_store store;
} zt_sessions[ZT_SLOTS] = {
	{ .lock = __MUTEX_INITIALIZER(zt_sessions[0].lock) },
	{ .lock = __MUTEX_INITIALIZER(zt_sessions[1].lock) },
	{ .lock = __MUTEX_INITIALIZER(zt_sessions[2].lock) },
	{ .lock = __MUTEX_INITIALIZER(zt_sessions[3].lock) },
};

/* Run @fn on the session's store, which must (or must not) exist already. */
static int zt_session(struct zt_run *run, bool exists,
		      int (*fn)(struct zt_store *store, struct zt_ctx *ctx))
{
	unsigned long slot = zt_num(run, "slot", 0);
	struct zt_session *session;
	struct zt_ctx ctx;
	int ret;

	if (slot >= ZT_SLOTS)
		return zt_fail(run, "no slot %lu", slot);
	session = &zt_sessions[slot];
	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	mutex_lock(&session->lock);
	if (exists != !!session->store.zpool)
		ret = zt_fail(run, exists ? "slot %lu has no pool" :
			      "slot %lu has a pool already", slot);
	else
		ret = fn(&session->store, &ctx);
	mutex_unlock(&session->lock);
	zt_ctx_exit(&ctx);
	return ret;
}

static int zt_fill(struct zt_store *store, struct zt_ctx *ctx)
{
	struct zt_run *run = ctx->run;
	const char *dist = zt_str(run, "dist", "compressed");
	int ret;

	ret = zt_dist_check(run, dist);
	if (!ret)
		ret = zt_store_fill(store, ctx, dist, zt_num(run, "size", 1));
	zt_note(run, "pages %lu", zt_store_pages(store));
	return ret;
}

static int zt_create_and_fill(struct zt_store *store, struct zt_ctx *ctx)
{
	struct zt_run *run = ctx->run;
	int ret;

	ret = zt_store_init(store, run, zt_str(run, "type", "zsmalloc_rs"),
			    zt_str(run, "name", "zt-session"),
			    zt_num(run, "count", 10000));
	if (ret)
		return ret;
	ret = zt_fill(store, ctx);
	if (ret)
		zt_store_exit(store);
	return ret;
}

/* fill type= name= slot= count= dist= size= less= seed= */
int zt_case_fill(struct zt_run *run)
{
	return zt_session(run, false, zt_create_and_fill);
}

/* refill slot= dist= size= less= seed= */
int zt_case_refill(struct zt_run *run)
{
	return zt_session(run, true, zt_fill);
}

/*
 * Free percent of the objects at random, or (burst=N) of the runs of N objects
 * that were stored one after the other: those empty whole zspages.
 */
static int zt_thin(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned int percent = zt_num(ctx->run, "percent", 66);
	unsigned long burst = max(zt_num(ctx->run, "burst", 1), 1UL);
	unsigned long i, freed = 0;
	bool chosen = false;

	for (i = 0; i < store->nr; i++) {
		if (i % burst == 0)
			chosen = zt_random(&ctx->rnd, 100) < percent;
		if (chosen && store->objs[i].size) {
			zt_obj_free(store, i);
			freed++;
		}
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	zt_note(ctx->run, "freed %lu", freed);
	zt_note(ctx->run, "pages %lu", zt_store_pages(store));
	return 0;
}

/* thin slot= percent= burst= seed= */
int zt_case_thin(struct zt_run *run)
{
	return zt_session(run, true, zt_thin);
}

static int zt_verify(struct zt_store *store, struct zt_ctx *ctx)
{
	zt_note(ctx->run, "pages %lu", zt_store_pages(store));
	return zt_store_verify(store, ctx);
}

/* verify slot= */
int zt_case_verify(struct zt_run *run)
{
	return zt_session(run, true, zt_verify);
}

/*
 * Compact the pool.  With fault=N the Nth of the allocations that this makes
 * fails, if user space has told failslab which count; "left" is not 0 if there
 * are not so many.
 */
static int zt_compact(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned int nth = zt_num(ctx->run, "fault", 0), left;
	unsigned long freed;

	if (nth && !IS_ENABLED(CONFIG_FAILSLAB))
		return zt_skip(ctx->run, "kernel without FAILSLAB");
	zt_fail_nth(nth);
	freed = zpool_compact(store->zpool);
	left = zt_fail_nth_left();
	zt_fail_nth(0);
	zt_note(ctx->run, "freed %lu", freed);
	zt_note(ctx->run, "pages %lu", zt_store_pages(store));
	zt_note(ctx->run, "left %u", left);
	return 0;
}

/* compact slot= fault= */
int zt_case_compact(struct zt_run *run)
{
	return zt_session(run, true, zt_compact);
}

/* Map objects that are picked at random, one after the other. */
static int zt_hold(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long rounds = zt_num(ctx->run, "rounds", 10);
	unsigned int ms = min(zt_num(ctx->run, "ms", 50), 500UL);
	unsigned long i;
	int ret;

	while (rounds--) {
		i = zt_random(&ctx->rnd, store->nr);
		while (!store->objs[i].size)
			i = (i + 1) % store->nr;
		ret = zt_obj_hold(store, ctx, i, ms * USEC_PER_MSEC, NULL);
		if (!ret)
			ret = zt_breathe(ctx->run);
		if (ret)
			return ret;
	}
	return 0;
}

/* hold slot= rounds= ms= seed= */
int zt_case_hold(struct zt_run *run)
{
	return zt_session(run, true, zt_hold);
}

static int zt_drop(struct zt_store *store, struct zt_ctx *ctx)
{
	int ret = zt_store_empty(store, ctx);

	zt_store_exit(store);
	return ret;
}

/* drop slot= settle= */
int zt_case_drop(struct zt_run *run)
{
	return zt_session(run, true, zt_drop);
}

/*
 * Destroy the pool with all its objects in it, which no user of zpool may do.
 * Ours warns, and keeps what they lie in; so the pool is gone for zpool, but the
 * module can never be unloaded again.  With migrate=1 pages are isolated before,
 * and migrated afterwards.
 */
static int zt_abandon(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long i, isolated = 0, nr = 0;
	LIST_HEAD(pages);
	int left;

	if (zt_num(ctx->run, "migrate", 0))
		isolated = zt_isolate_all(store, ctx, &pages);
	for (i = 0; i < store->nr; i++) {
		nr += !!store->objs[i].size;
		store->objs[i].size = 0;
	}
	zt_note(ctx->run, "pages %lu", zt_store_pages(store));
	zt_note(ctx->run, "objects %lu", nr);
	zt_store_exit(store);
	if (!isolated)
		return 0;
	left = zt_migrate(&pages, MIGRATE_SYNC);
	zt_putback(&pages);
	zt_note(ctx->run, "migrated %lu", isolated - left);
	return left ? zt_fail(ctx->run, "%d pages were not migrated", left) : 0;
}

/* abandon slot= migrate= */
int zt_case_abandon(struct zt_run *run)
{
	int ret = zt_num(run, "migrate", 0) ? zt_core_missing(run) : 0;

	return ret ?: zt_session(run, true, zt_abandon);
}

/*
 * Free object 0 twice.  Others of its zspage are in use, so that its anchor is
 * still there to say where the object was.  The pool has to say so, with a
 * warning, and to leave everything as it is.
 *
 * scripts/scan-log lets pass the warning that is announced here, with this
 * function in its back trace, and complains if it does not come.
 */
static noinline int zt_double_free(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long handle, pages;

	if (!store->objs[0].size)
		return zt_fail(ctx->run, "there is no object 0");
	handle = store->objs[0].handle;
	zt_obj_free(store, 0);
	pages = zt_store_pages(store);
	pr_info("zpool_test: expected in %s: %s\n", __func__,
		"free of what is not allocated");
	zpool_free(store->zpool, handle);
	if (zt_store_pages(store) != pages)
		return zt_fail(ctx->run, "%lu pages, there were %lu",
			       zt_store_pages(store), pages);
	return 0;
}

/* double-free slot= */
int zt_case_double_free(struct zt_run *run)
{
	return zt_session(run, true, zt_double_free);
}

/* Whatever a case has left behind when it failed, and on unload. */
void zt_session_drop_all(void)
{
	int i;

	for (i = 0; i < ZT_SLOTS; i++) {
		mutex_lock(&zt_sessions[i].lock);
		zt_store_exit(&zt_sessions[i].store);
		mutex_unlock(&zt_sessions[i].lock);
	}
}

/* let-go: as unloading does, which takes longer than many a test */
int zt_case_let_go(struct zt_run *run)
{
	zt_raced_let_go(run);
	zt_session_drop_all();
	return 0;
}
