/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the kernel that src/sys/page.c is compiled against on the host.
 * Every function here is implemented in model/host/frame.rs, as one step that
 * the model checker may interleave with the steps of other threads.
 */

#ifndef _ZSMALLOC_HOST_H
#define _ZSMALLOC_HOST_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned int u32;
typedef unsigned int gfp_t;
typedef struct { int unused; } spinlock_t;
typedef struct { int unused; } rwlock_t;

struct rcu_head;
struct kmem_cache;
struct seq_file;
struct shrinker;
struct shrink_control;
struct dentry;
struct movable_operations;

/* The head of `page` in model/host/frame.rs. */
struct page {
	unsigned long private;
	void *mapping;
};

/* An architecture that shim.h knows. */
#define CONFIG_X86_64		1

#define __force
#define __GFP_HIGHMEM		0x02u
#define __GFP_MOVABLE		0x08u
#define PAGE_SHIFT		12	/* page.c makes no use of it */
#define PAGE_MAPPING_MOVABLE	0x2ul
#define MAX_ORDER_NR_PAGES	64ul
#define IS_ENABLED(option)	1

enum zone_stat_item { NR_ZSPAGES };

struct page *alloc_page(gfp_t gfp);
unsigned long alloc_pages_bulk_array(gfp_t gfp, unsigned long nr, struct page **pages);
void *page_address(struct page *page);
struct page *virt_to_page(void *address);
void copy_page(void *to, void *from);
void get_page(struct page *page);
bool get_page_unless_zero(struct page *page);
void put_page(struct page *page);
bool page_ref_freeze(struct page *page, int count);
void page_ref_unfreeze(struct page *page, int count);
bool trylock_page(struct page *page);
void lock_page(struct page *page);
void unlock_page(struct page *page);
bool PageLocked(struct page *page);
void __SetPageZsmalloc(struct page *page);
void __ClearPageZsmalloc(struct page *page);
void __SetPageMovable(struct page *page, const struct movable_operations *ops);
void __ClearPageMovable(struct page *page);
void inc_zone_page_state(struct page *page, enum zone_stat_item item);
void dec_zone_page_state(struct page *page, enum zone_stat_item item);
void set_page_private(struct page *page, unsigned long private);
void cond_resched(void);
void synchronize_rcu(void);
void rcu_barrier(void);

/* Whether the mutant of that name is wanted; only in mutated copies. */
bool host_mutant(const char *name);

unsigned long host_load(unsigned long *address);
void host_store(unsigned long *address, unsigned long value);
void host_bug(const char *what);
unsigned long host_frames(void);
struct page *pfn_to_online_page(unsigned long pfn);

#define smp_store_release(address, value)	host_store(address, value)
#define smp_load_acquire(address)		host_load(address)
#define READ_ONCE(place)			host_load((unsigned long *)&(place))
#define WRITE_ONCE(place, value) \
	host_store((unsigned long *)&(place), (unsigned long)(value))
#define VM_BUG_ON_PAGE(condition, page) \
	do { if (condition) host_bug(#condition); } while (0)
#define VM_WARN_ON_ONCE_PAGE(condition, page)	VM_BUG_ON_PAGE(condition, page)
#define kmsan_copy_page_meta(to, from)		do { } while (0)

#define for_each_online_node(nid)		for ((nid) = 0; (nid) < 1; (nid)++)
#define node_start_pfn(nid)			0ul
#define node_end_pfn(nid)			host_frames()

#endif /* _ZSMALLOC_HOST_H */
