// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses and handles: a handle of zsmalloc_rs has 53 bits for the address of
 * an anchor (52 with pages above 4K), which names the zspage of the object.
 * page->private names the same zspage, so that one can be compared with the other,
 * on kernels with addresses of any width.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "zpool_test.h"

/* As in src/zsmalloc/handle.rs. */
#define ZT_ALIGN_BITS	(PAGE_SHIFT > 12 ? 5 : 4)
#define ZT_TAIL_BITS	(ZT_ALIGN_BITS + 7)

static unsigned long zt_anchor_address(unsigned long handle)
{
	return (unsigned long)((long)handle >> ZT_TAIL_BITS) << ZT_ALIGN_BITS;
}

/* The bits that tell addresses of the kernel apart, the sign bit included. */
static unsigned int zt_width(unsigned long address)
{
	return fls64(~address) + 1;
}

/*
 * Return: the address of the object's zspage, 0 if the object spans pages, or
 * an error.  A page that is just being migrated has no zspage: once more.
 */
static long zt_address_of(struct zt_store *store, struct zt_ctx *ctx,
			  unsigned long i)
{
	unsigned long named = 0, private = 0;
	int tries = 100;
	struct page *page;

	do {
		page = zt_obj_page(store, i);
		if (!page)
			return 0;
		private = page_private(page);
		put_page(page);
		/* nothing is compacted here: all objects are where they were born */
		named = *(unsigned long *)zt_anchor_address(store->objs[i].handle);
	} while (named != private && tries--);
	if (named != private)
		return zt_fail(ctx->run, "object %lu: its anchor names %#lx, its page %#lx",
			       i, named, private);
	return private;
}

static int zt_address_run(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned int width = 0;
	unsigned long i, compared = 0;
	long address;
	int ret;

	ret = zt_store_fill(store, ctx, "uniform", 1);
	for (i = 0; i < store->nr && !ret; i++) {
		address = zt_address_of(store, ctx, i);
		if (zt_failed(ctx->run))
			return -EIO;
		if (address) {
			compared++;
			address = zt_anchor_address(store->objs[i].handle);
			width = max(width, zt_width(address));
		}
		ret = zt_breathe(ctx->run);
	}
	if (!ret)
		ret = zt_store_verify(store, ctx);
	zt_note(ctx->run, "compared %lu", compared);
	zt_note(ctx->run, "width %u", width);
	if (!ret && !compared)
		return zt_fail(ctx->run, "every object spans pages");
	return ret ?: zt_store_empty(store, ctx);
}

/* address count= seed= */
int zt_case_address(struct zt_run *run)
{
	return zt_with_store(run, "zt-address", zt_num(run, "count", 1000),
			     zt_address_run);
}
