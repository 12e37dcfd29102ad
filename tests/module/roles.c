// SPDX-License-Identifier: GPL-2.0
/*
 * What the threads of the case stress do.  Some use single objects, and now and
 * then a run of them; some do nothing but store and free runs of objects at
 * once, so that whole zspages go; some compact the pool; some do what page
 * migration does, at the worst moment: they hold pages, isolate them, let time
 * pass, migrate them or put them back.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "stress.h"

#define ZT_BURST	64

static int zt_role_store(struct zt_thread *t, unsigned long i, u32 size)
{
	int ret = zt_obj_new(&t->stress->store, &t->ctx, i, size);

	if (ret == -ENOMEM) {
		t->nomem++;
		return 0;
	}
	if (ret)
		zt_fail(t->ctx.run, "size %u: error %d", size, ret);
	return ret;
}

static u32 zt_role_size(struct zt_thread *t, unsigned long i)
{
	return zt_dist_size(t->stress->dist, &t->ctx.rnd, i, 0);
}

/* One object, which is ours for now: store it, or verify, update or free it. */
static void zt_use_one(struct zt_thread *t, unsigned long i)
{
	struct zt_store *store = &t->stress->store;
	int ret;

	if (!store->objs[i].size) {
		zt_role_store(t, i, zt_role_size(t, i));
		return;
	}
	switch (zt_random(&t->ctx.rnd, 8)) {
	case 0:
	case 1:
		zt_obj_verify(store, &t->ctx, i);
		break;
	case 2:
	case 3:
		zt_obj_update(store, &t->ctx, i);
		break;
	case 4:
		zt_obj_hold(store, &t->ctx, i,
			    zt_random(&t->ctx.rnd, t->stress->hold_us + 1), NULL);
		break;
	default:
		ret = zt_obj_verify(store, &t->ctx, i);
		zt_obj_free(store, i);
		/* Its slot in the zspage is likely to be taken at once. */
		if (!ret && zt_random(&t->ctx.rnd, 2))
			zt_role_store(t, i, zt_role_size(t, i));
	}
}

/* Objects of one size, stored one after the other, then freed at once. */
static void zt_step_burst(struct zt_thread *t)
{
	struct zt_store *store = &t->stress->store;
	unsigned long i, first = zt_random(&t->ctx.rnd, store->nr);
	u32 size = zt_role_size(t, first);
	DECLARE_BITMAP(mine, ZT_BURST);
	int k, ret = 0;

	bitmap_zero(mine, ZT_BURST);
	for (k = 0; k < ZT_BURST && !ret; k++) {
		i = (first + k) % store->nr;
		if (test_and_set_bit_lock(i, t->stress->busy))
			continue;
		__set_bit(k, mine);
		zt_obj_free(store, i);
		ret = zt_role_store(t, i, size);
	}
	for_each_set_bit(k, mine, ZT_BURST) {
		i = (first + k) % store->nr;
		if (!ret)
			ret = zt_obj_verify(store, &t->ctx, i);
		zt_obj_free(store, i);
		clear_bit_unlock(i, t->stress->busy);
	}
}

static void zt_step_use(struct zt_thread *t)
{
	unsigned long i = zt_random(&t->ctx.rnd, t->stress->store.nr);

	if (!zt_random(&t->ctx.rnd, 256)) {
		zt_step_burst(t);
		return;
	}
	if (test_and_set_bit_lock(i, t->stress->busy))
		return;
	zt_use_one(t, i);
	clear_bit_unlock(i, t->stress->busy);
}

static void zt_step_compact(struct zt_thread *t)
{
	t->moved += zpool_compact(t->stress->store.zpool);
	usleep_range(100, 100 + zt_random(&t->ctx.rnd, 5000));
}

/* The page of some object, with a reference; the object is not ours after. */
static struct page *zt_some_page(struct zt_thread *t)
{
	struct zt_store *store = &t->stress->store;
	unsigned long i = zt_random(&t->ctx.rnd, store->nr);
	struct page *page = NULL;

	if (test_and_set_bit_lock(i, t->stress->busy))
		return NULL;
	if (store->objs[i].size)
		page = zt_obj_page(store, i);
	clear_bit_unlock(i, t->stress->busy);
	return page;
}

/* Let others free what is around. */
static void zt_pause(struct zt_thread *t, unsigned int us)
{
	usleep_range(us / 8 + 1, us / 8 + 2 + zt_random(&t->ctx.rnd, us));
}

/*
 * Either the reference is only for the isolation, and the core sees when the
 * page is freed, or it is kept until the end, and the core has to ask.  Either
 * the page is freed before it is isolated, perhaps, or after.
 */
static void zt_step_migrate(struct zt_thread *t)
{
	bool keep = zt_random(&t->ctx.rnd, 2);
	struct page *page = zt_some_page(t);
	LIST_HEAD(pages);

	if (!page) {
		cond_resched();
		return;
	}
	if (zt_random(&t->ctx.rnd, 2))
		zt_pause(t, 4000);
	if (zt_isolate(page))
		list_add(&page->lru, &pages);
	if (!keep)
		put_page(page);
	if (!list_empty(&pages)) {
		if (zt_random(&t->ctx.rnd, 2))
			zt_pause(t, 4000);
		if (zt_random(&t->ctx.rnd, 4) &&
		    !zt_migrate(&pages, zt_random(&t->ctx.rnd, 2) ?
				MIGRATE_ASYNC : MIGRATE_SYNC))
			t->moved++;
		zt_putback(&pages);
	}
	if (keep)
		put_page(page);
}

const struct zt_role zt_roles[ZT_NR_ROLES] = {
	{ "threads", 4, zt_step_use },
	{ "bursts", 0, zt_step_burst },
	{ "compactors", 0, zt_step_compact },
	{ "migrators", 0, zt_step_migrate },
};
