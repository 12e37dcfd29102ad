// SPDX-License-Identifier: GPL-2.0
/*
 * The least a zpool driver can be and still serve zram: whole pages, and none of
 * the optional operations.  Objects come from kmalloc(), which takes neither
 * highmem nor movable flags, so a user that passes them without having asked
 * zpool_malloc_support_movable() gets nothing.
 *
 * With parameters it is less than that, or stands in for another driver: one of
 * the same type that does not claim to store whole pages.
 */
#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/zpool.h>

static char *type = "zpool_plain";
module_param(type, charp, 0444);
MODULE_PARM_DESC(type, "Name of the driver");

static bool whole_page = true;
module_param(whole_page, bool, 0444);
MODULE_PARM_DESC(whole_page, "Claim to store whole pages");

struct plain_pool {
	atomic_long_t bytes;
	atomic_long_t objects;
};

struct plain_object {
	size_t size;
	char data[];
};

static void *plain_create(const char *name, gfp_t gfp)
{
	return kzalloc(sizeof(struct plain_pool), gfp);
}

static void plain_destroy(void *data)
{
	struct plain_pool *pool = data;

	WARN_ON(atomic_long_read(&pool->objects));
	kfree(pool);
}

static int plain_malloc(void *data, size_t size, gfp_t gfp,
			unsigned long *handle)
{
	struct plain_pool *pool = data;
	struct plain_object *object;

	if (!size || gfp & (__GFP_HIGHMEM | __GFP_MOVABLE))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -ENOSPC;

	object = kmalloc(struct_size(object, data, size), gfp);
	if (!object)
		return -ENOMEM;

	object->size = size;
	atomic_long_add(size, &pool->bytes);
	atomic_long_inc(&pool->objects);
	*handle = (unsigned long)object;
	return 0;
}

static void plain_free(void *data, unsigned long handle)
{
	struct plain_object *object = (struct plain_object *)handle;
	struct plain_pool *pool = data;

	atomic_long_sub(object->size, &pool->bytes);
	atomic_long_dec(&pool->objects);
	kfree(object);
}

static void *plain_map(void *data, unsigned long handle, enum zpool_mapmode mm)
{
	return ((struct plain_object *)handle)->data;
}

static void plain_unmap(void *data, unsigned long handle)
{
}

static u64 plain_total_pages(void *data)
{
	struct plain_pool *pool = data;

	return DIV_ROUND_UP(atomic_long_read(&pool->bytes), PAGE_SIZE);
}

static struct zpool_driver plain_driver = {
	.owner = THIS_MODULE,
	.create = plain_create,
	.destroy = plain_destroy,
	.malloc = plain_malloc,
	.free = plain_free,
	.map = plain_map,
	.unmap = plain_unmap,
	.total_pages = plain_total_pages,
};

static int __init plain_init(void)
{
	plain_driver.type = type;
	plain_driver.malloc_whole_page = whole_page;
	zpool_register_driver(&plain_driver);
	return 0;
}

static void __exit plain_exit(void)
{
	zpool_unregister_driver(&plain_driver);
}

module_init(plain_init);
module_exit(plain_exit);

MODULE_ALIAS("zpool-zpool_plain");
MODULE_DESCRIPTION("zpool driver without optional operations, for tests");
MODULE_LICENSE("GPL");
