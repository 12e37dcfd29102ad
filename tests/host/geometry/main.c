// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the geometry of C zsmalloc for one page size and chain size, as the
 * kernel's own zs_create_pool() computes it: that function and those it calls
 * are cut out of mm/zsmalloc.c by build.rs and included here.
 *
 * A line for each size at which the class changes:
 *	size index class_size pages objects
 * and a last one "huge" with zs_huge_class_size().
 */

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Given on the command line: PAGE_SHIFT, CONFIG_ZSMALLOC_CHAIN_SIZE, EXTRACT. */
#define PAGE_SIZE			(1ul << PAGE_SHIFT)
#define BITS_PER_LONG			64
#define MAX_POSSIBLE_PHYSMEM_BITS	52
#define _AC(value, suffix)		((unsigned long)(value))
#define MAX(a, b)			((a) > (b) ? (a) : (b))
#define DIV_ROUND_UP(n, d)		(((n) + (d) - 1) / (d))
#define min_t(type, a, b)		((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define likely(condition)		(condition)
#define is_power_of_2(n)		((n) != 0 && ((n) & ((n) - 1)) == 0)

#define GFP_KERNEL			0
#define kzalloc(size, gfp)		calloc(1, size)
#define kstrdup(string, gfp)		strdup(string)
#define rwlock_init(lock)		do { } while (0)
#define spin_lock_init(lock)		do { } while (0)
#define atomic_set(counter, value)	do { } while (0)
#define INIT_LIST_HEAD(list)		do { } while (0)
#define init_deferred_free(pool)	do { } while (0)
#define create_cache(pool)		0
#define zs_pool_stat_create(pool, name)	do { } while (0)
#define zs_register_shrinker(pool)	do { } while (0)
#define zs_destroy_pool(pool)		exit(1)

typedef struct { int unused; } spinlock_t, rwlock_t, atomic_t, atomic_long_t;
struct list_head { int unused; };
struct zs_pool_stats { int unused; };
struct work_struct { int unused; };
struct kmem_cache;
struct shrinker;
struct dentry;

#include EXTRACT

int main(void)
{
	struct zs_pool *pool = zs_create_pool("host");
	struct size_class *last = NULL;
	unsigned int size;

	for (size = 1; size <= PAGE_SIZE; size++) {
		struct size_class *class = lookup_size_class(pool, size);

		if (class == last)
			continue;
		last = class;
		printf("%u %u %d %d %d\n", size, zs_lookup_class_index(pool, size),
		       class->size, class->pages_per_zspage, class->objs_per_zspage);
	}
	printf("huge %zu\n", zs_huge_class_size(pool));
	return 0;
}
