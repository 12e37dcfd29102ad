/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events: what happens to pools, zspages and pages.  None is on the way of
 * malloc, map or free of an object.
 *
 * A pool is told by the address of its statistics, which all its classes know;
 * zs_rs_pool_create says whose it is.  Sizes are bytes, pages are counted.
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM zsmalloc_rs

#if !defined(_ZSMALLOC_RS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ZSMALLOC_RS_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

#include "shim.h"

TRACE_EVENT(zs_rs_pool_create,

	TP_PROTO(const void *pool, const char *name, unsigned int chain_size),

	TP_ARGS(pool, name, chain_size),

	TP_STRUCT__entry(
		__field(const void *, pool)
		__field(unsigned int, chain_size)
		__string(name, name)
	),

	TP_fast_assign(
		__entry->pool = pool;
		__entry->chain_size = chain_size;
		__assign_str(name);
	),

	TP_printk("pool=%p name=%s chain_size=%u",
		  __entry->pool, __get_str(name), __entry->chain_size)
);

TRACE_EVENT(zs_rs_pool_destroy,

	TP_PROTO(const void *pool, unsigned long leaked),

	TP_ARGS(pool, leaked),

	TP_STRUCT__entry(
		__field(const void *, pool)
		__field(unsigned long, leaked)
	),

	TP_fast_assign(
		__entry->pool = pool;
		__entry->leaked = leaked;
	),

	TP_printk("pool=%p leaked=%lu", __entry->pool, __entry->leaked)
);

/* A zspage is complete, and about to be published. */
TRACE_EVENT(zs_rs_zspage_birth,

	TP_PROTO(const void *pool, const void *zspage, unsigned int size,
		 unsigned int pages, unsigned int objects),

	TP_ARGS(pool, zspage, size, pages, objects),

	TP_STRUCT__entry(
		__field(const void *, pool)
		__field(const void *, zspage)
		__field(unsigned int, size)
		__field(unsigned int, pages)
		__field(unsigned int, objects)
	),

	TP_fast_assign(
		__entry->pool = pool;
		__entry->zspage = zspage;
		__entry->size = size;
		__entry->pages = pages;
		__entry->objects = objects;
	),

	TP_printk("pool=%p zspage=%p size=%u pages=%u objects=%u",
		  __entry->pool, __entry->zspage, __entry->size,
		  __entry->pages, __entry->objects)
);

/* A zspage is on no list any more, and its pages are about to be freed. */
TRACE_EVENT(zs_rs_zspage_death,

	TP_PROTO(const void *pool, const void *zspage, unsigned int size,
		 unsigned int pages),

	TP_ARGS(pool, zspage, size, pages),

	TP_STRUCT__entry(
		__field(const void *, pool)
		__field(const void *, zspage)
		__field(unsigned int, size)
		__field(unsigned int, pages)
	),

	TP_fast_assign(
		__entry->pool = pool;
		__entry->zspage = zspage;
		__entry->size = size;
		__entry->pages = pages;
	),

	TP_printk("pool=%p zspage=%p size=%u pages=%u", __entry->pool,
		  __entry->zspage, __entry->size, __entry->pages)
);

/* A class has been compacted, and something was done or could not be. */
TRACE_EVENT(zs_rs_compact,

	TP_PROTO(const void *pool, unsigned int size, unsigned long moved,
		 unsigned long freed, unsigned long skipped, bool no_memory),

	TP_ARGS(pool, size, moved, freed, skipped, no_memory),

	TP_STRUCT__entry(
		__field(const void *, pool)
		__field(unsigned int, size)
		__field(unsigned long, moved)
		__field(unsigned long, freed)
		__field(unsigned long, skipped)
		/* not bool, which bpftrace does not know without BTF */
		__field(int, no_memory)
	),

	TP_fast_assign(
		__entry->pool = pool;
		__entry->size = size;
		__entry->moved = moved;
		__entry->freed = freed;
		__entry->skipped = skipped;
		__entry->no_memory = no_memory;
	),

	TP_printk("pool=%p size=%u moved=%lu freed=%lu skipped=%lu no_memory=%d",
		  __entry->pool, __entry->size, __entry->moved,
		  __entry->freed, __entry->skipped, __entry->no_memory)
);

TRACE_DEFINE_ENUM(ZS_RS_MIGRATED);
TRACE_DEFINE_ENUM(ZS_RS_MIGRATE_BUSY);
TRACE_DEFINE_ENUM(ZS_RS_MIGRATE_UNLISTED);
TRACE_DEFINE_ENUM(ZS_RS_MIGRATE_FREED);

/* The hook migrate_page has been called for the page at from. */
TRACE_EVENT(zs_rs_migrate,

	TP_PROTO(struct page *from, struct page *to, unsigned int result),

	TP_ARGS(from, to, result),

	TP_STRUCT__entry(
		__field(unsigned long, from)
		__field(unsigned long, to)
		__field(unsigned int, result)
	),

	TP_fast_assign(
		__entry->from = page_to_pfn(from);
		__entry->to = page_to_pfn(to);
		__entry->result = result;
	),

	TP_printk("from=0x%lx to=0x%lx result=%s", __entry->from, __entry->to,
		  __print_symbolic(__entry->result,
				   { ZS_RS_MIGRATED, "migrated" },
				   { ZS_RS_MIGRATE_BUSY, "busy" },
				   { ZS_RS_MIGRATE_UNLISTED, "unlisted" },
				   { ZS_RS_MIGRATE_FREED, "freed" }))
);

/* The hook isolate_page has refused a page, because we had freed it. */
TRACE_EVENT(zs_rs_isolate_refused,

	TP_PROTO(struct page *page),

	TP_ARGS(page),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
	),

	TP_fast_assign(
		__entry->pfn = page_to_pfn(page);
	),

	TP_printk("pfn=0x%lx", __entry->pfn)
);

#endif /* _ZSMALLOC_RS_TRACE_H */

/* Found by the -I of the Kbuild. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
