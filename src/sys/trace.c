// SPDX-License-Identifier: GPL-2.0
/*
 * Trace events for the Rust half.  Rust cannot ask without a call whether one is
 * on, so each is a call.  While nobody listens the function returns at once: by a
 * jump that is patched in where the kernel has CONFIG_JUMP_LABEL.  None is called
 * where objects are allocated, mapped or freed.  Without CONFIG_TRACEPOINTS the
 * functions are empty.
 */

#include "shim.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void zs_rs_trace_pool_create(const void *pool, const char *name,
			     unsigned int chain_size)
{
	trace_zs_rs_pool_create(pool, name, chain_size);
}

void zs_rs_trace_pool_destroy(const void *pool, unsigned long leaked)
{
	trace_zs_rs_pool_destroy(pool, leaked);
}

void zs_rs_trace_zspage_birth(const void *pool, const void *zspage,
			      unsigned int size, unsigned int pages,
			      unsigned int objects)
{
	trace_zs_rs_zspage_birth(pool, zspage, size, pages, objects);
}

void zs_rs_trace_zspage_death(const void *pool, const void *zspage,
			      unsigned int size, unsigned int pages)
{
	trace_zs_rs_zspage_death(pool, zspage, size, pages);
}

void zs_rs_trace_compact(const void *pool, unsigned int size,
			 unsigned long moved, unsigned long freed,
			 unsigned long skipped, bool no_memory)
{
	trace_zs_rs_compact(pool, size, moved, freed, skipped, no_memory);
}

void zs_rs_trace_migrate(struct page *from, struct page *to,
			 unsigned int result)
{
	trace_zs_rs_migrate(from, to, result);
}

void zs_rs_trace_isolate_refused(struct page *page)
{
	trace_zs_rs_isolate_refused(page);
}
