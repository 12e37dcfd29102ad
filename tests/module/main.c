// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: zpool_test/run takes commands, zpool_test/cases lists them, and
 * zpool_test/held says how many objects are kept mapped at the moment.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "zpool_test.h"

static const struct zt_case zt_cases[] = {
	{ "core", zt_case_core, "learn where the migration core's functions are" },
	{ "sizes", zt_case_sizes, "every size: store, map in each mode, free in an order" },
	{ "errors", zt_case_errors, "sizes that must be refused, and those that must not" },
	{ "pages", zt_case_pages, "page count beside that of a reference allocator" },
	{ "exhaust", zt_case_exhaust, "allocate until there is no memory" },
	{ "faults", zt_case_faults, "let each allocation of a malloc fail in turn" },
	{ "create-faults", zt_case_create_faults, "let each allocation of a create fail in turn" },
	{ "address", zt_case_address, "compare handles with the addresses they stand for" },
	{ "fill", zt_case_fill, "session: create a pool and fill it" },
	{ "thin", zt_case_thin, "session: free a part of the objects" },
	{ "refill", zt_case_refill, "session: store objects again where they were freed" },
	{ "verify", zt_case_verify, "session: verify all objects" },
	{ "compact", zt_case_compact, "session: compact the pool, without memory if so told" },
	{ "hold", zt_case_hold, "session: keep objects mapped for a while" },
	{ "drop", zt_case_drop, "session: free all and destroy the pool" },
	{ "double-free", zt_case_double_free, "session: free an object twice" },
	{ "abandon", zt_case_abandon, "session: destroy the pool with the objects in it" },
	{ "stress", zt_case_stress, "threads that share a pool: use, free, compact, migrate" },
	{ "moved", zt_case_moved, "compact while objects that have moved are mapped" },
	{ "pools", zt_case_pools, "create, fill, empty and destroy pools in a loop" },
	{ "handover", zt_case_handover, "empty a pool on one CPU, destroy it on another" },
	{ "churn", zt_case_churn, "zspages that come and go as fast as they can" },
	{ "migrate", zt_case_migrate, "migrate pages of every class" },
	{ "migrate-busy", zt_case_migrate_busy, "migrate a page whose object is mapped" },
	{ "birth", zt_case_birth, "migrate pages of zspages that are being made" },
	{ "race", zt_case_race, "migrate and free at the same instant" },
	{ "raced", zt_case_raced, "free zspages whose pages somebody holds" },
	{ "preempt", zt_case_preempt, "migrate pages whose freer is preempted" },
	{ "raced-release", zt_case_raced_release, "let go of pages that raced hold=1 kept" },
	{ "let-go", zt_case_let_go, "let go of those and of all pools" },
};

static struct dentry *zt_dir;

static const struct zt_case *zt_find_case(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(zt_cases); i++)
		if (!strcmp(zt_cases[i].name, name))
			return &zt_cases[i];
	return NULL;
}

static void zt_run_reset(struct zt_run *run)
{
	kfree(run->line);
	memset(run, 0, sizeof(*run));
	spin_lock_init(&run->lock);
}

static int zt_run_open(struct inode *inode, struct file *file)
{
	struct zt_run *run = kzalloc(sizeof(*run), GFP_KERNEL);

	if (!run)
		return -ENOMEM;
	zt_run_reset(run);
	file->private_data = run;
	return nonseekable_open(inode, file) ?: 0;
}

static int zt_run_release(struct inode *inode, struct file *file)
{
	struct zt_run *run = file->private_data;

	kfree(run->line);
	kfree(run);
	return 0;
}

static ssize_t zt_run_write(struct file *file, const char __user *ubuf,
			    size_t len, loff_t *ppos)
{
	struct zt_run *run = file->private_data;
	const struct zt_case *found;
	char *line;
	int ret;

	if (!len || len > PAGE_SIZE)
		return -EINVAL;
	line = memdup_user_nul(ubuf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);

	zt_run_reset(run);
	ret = zt_run_parse(run, line);
	if (ret)
		return ret;
	found = zt_find_case(run->line);
	if (!found)
		return -ENOENT;

	ret = found->fn(run);
	if (ret && !zt_failed(run))
		zt_fail(run, "error %d", ret);
	zt_check_args(run);
	*ppos = 0;
	return len;
}

static ssize_t zt_run_read(struct file *file, char __user *ubuf, size_t len,
			   loff_t *ppos)
{
	static const char * const verdicts[] = { "ok", "fail ", "skip " };
	struct zt_run *run = file->private_data;
	ssize_t ret;
	char *text;

	text = kasprintf(GFP_KERNEL, "%s%s\n%s", verdicts[run->verdict],
			 run->reason, run->notes);
	if (!text)
		return -ENOMEM;
	ret = simple_read_from_buffer(ubuf, len, ppos, text, strlen(text));
	kfree(text);
	return ret;
}

static const struct file_operations zt_run_fops = {
	.owner = THIS_MODULE,
	.open = zt_run_open,
	.release = zt_run_release,
	.write = zt_run_write,
	.read = zt_run_read,
};

static int zt_cases_show(struct seq_file *m, void *v)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(zt_cases); i++)
		seq_printf(m, "%-14s %s\n", zt_cases[i].name, zt_cases[i].help);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(zt_cases);

static int __init zt_init(void)
{
	zt_dir = debugfs_create_dir("zpool_test", NULL);
	debugfs_create_file("run", 0600, zt_dir, NULL, &zt_run_fops);
	debugfs_create_atomic_t("held", 0400, zt_dir, &zt_held);
	debugfs_create_file("cases", 0400, zt_dir, NULL, &zt_cases_fops);
	return 0;
}
module_init(zt_init);

static void __exit zt_exit(void)
{
	debugfs_remove_recursive(zt_dir);
	zt_raced_release();
	zt_session_drop_all();
}
module_exit(zt_exit);

MODULE_AUTHOR("zsmalloc_rs developers");
MODULE_DESCRIPTION("Drives zpool allocators for tests");
MODULE_LICENSE("GPL");
