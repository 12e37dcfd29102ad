// SPDX-License-Identifier: GPL-2.0
/*
 * What memory is swapped to: a zram device, or zswap in front of a disk.
 *
 * device=zram|zswap type=TYPE alg=ALGORITHM say which, with which allocator.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <linux/fs.h>
#include <unistd.h>

#include "guest.h"

#define ZRAM "/sys/block/zram0/"
#define ZSWAP "/sys/module/zswap/parameters/"

static bool is_zram(char **args)
{
	return !strcmp(arg(args, "device", "zram"), "zram");
}

static const char *device(char **args)
{
	return is_zram(args) ? "/dev/zram0" : arg(args, "disk", "/dev/ubda");
}

/* A swap header, as mkswap writes it: version 1, all pages but the first. */
static int make_swap(const char *path)
{
	static union {
		char page[4096];
		struct {
			char boot[1024];
			unsigned int version, last_page, nr_bad;
		} info;
	} header;
	u64 size;
	int fd = open(path, O_RDWR), ret = -1;

	memset(&header, 0, sizeof(header));
	if (fd >= 0 && !ioctl(fd, BLKGETSIZE64, &size)) {
		header.info.version = 1;
		header.info.last_page = size / sizeof(header.page) - 1;
		memcpy(header.page + sizeof(header.page) - 10, "SWAPSPACE2", 10);
		ret = pwrite(fd, &header, sizeof(header), 0) < 0 ? -1 : fsync(fd);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

int zram_begin(char **args, const char *size, struct result *r)
{
	if (write_file(ZRAM "comp_algorithm", arg(args, "alg", "lz4")) ||
	    write_file(ZRAM "allocator", arg(args, "type", "zsmalloc")) ||
	    write_file(ZRAM "disksize", size)) {
		r->failed = "cannot set up zram";
		return -1;
	}
	return 0;
}

void zram_end(void)
{
	write_file(ZRAM "reset", "1");
}

static int zswap_begin(char **args, struct result *r)
{
	if (write_file(ZSWAP "compressor", arg(args, "alg", "lz4")) ||
	    write_file(ZSWAP "zpool", arg(args, "type", "zsmalloc")) ||
	    write_file(ZSWAP "max_pool_percent", "90") ||
	    write_file(ZSWAP "enabled", "Y")) {
		r->failed = "cannot set up zswap";
		return -1;
	}
	return 0;
}

int swap_begin(char **args, struct result *r)
{
	if (is_zram(args) ? zram_begin(args, "700M", r) : zswap_begin(args, r))
		return -1;
	if (make_swap(device(args)) || swapon(device(args), 0)) {
		r->failed = "swapon";
		return -1;
	}
	return 0;
}

void swap_end(char **args)
{
	swapoff(device(args));
	if (is_zram(args)) {
		zram_end();
		return;
	}
	write_file(ZSWAP "enabled", "N");
	/* the pool that is in use stays, and with it the module */
	write_file(ZSWAP "zpool", "zsmalloc");
}
