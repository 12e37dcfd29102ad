// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs files whose text Rust writes: see debugfs.rs.
 */

#include <linux/debugfs.h>
#include <linux/module.h>

#include "shim.h"

struct zs_rs_file {
	zs_rs_show_fn show;
	void *data;
};

static int file_show(struct seq_file *seq, void *unused)
{
	struct zs_rs_file *file = seq->private;

	file->show(seq, file->data);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(file);

/* Set while the module is loaded, and so whenever there is a pool. */
static struct dentry *root;

struct dentry *zs_rs_debugfs_root(void)
{
	root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	return root;
}

struct dentry *zs_rs_debugfs_dir(const char *name)
{
	return debugfs_create_dir(name, root);
}

/*
 * The returned object has to outlive the file: free it after
 * zs_rs_debugfs_remove() of the directory.
 */
struct zs_rs_file *zs_rs_debugfs_file(const char *name, struct dentry *parent,
				      zs_rs_show_fn show, void *data)
{
	struct zs_rs_file *file;

	file = kmalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return NULL;

	file->show = show;
	file->data = data;
	debugfs_create_file(name, 0444, parent, file, &file_fops);
	return file;
}

void zs_rs_debugfs_file_free(struct zs_rs_file *file)
{
	kfree(file);
}

/* Waits for readers of the files below. */
void zs_rs_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove_recursive(dentry);
}

void zs_rs_seq_write(struct seq_file *seq, const void *text, size_t len)
{
	seq_write(seq, text, len);
}
