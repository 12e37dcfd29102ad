// SPDX-License-Identifier: GPL-2.0
/*
 * fio rw=randread|randwrite compress=PERCENT type= alg= : 4K, direct, on zram.
 *
 * The device is filled first; then a fixed number of random requests is timed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define REQUESTS "32768"

static void exec_fio(const char *rw, const char *compress, bool timed)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 1);
	dup2(null, 2);
	execlp("fio", "fio", "--name=zram", "--filename=/dev/zram0", "--size=64M",
	       "--bs=4k", "--direct=1", "--ioengine=io_uring", "--iodepth=64",
	       "--iodepth_batch_submit=64", "--iodepth_batch_complete_min=64",
	       "--thread", "--norandommap",
	       "--randseed=1", "--allrandrepeat=1", "--refill_buffers",
	       "--buffer_compress_chunk=4k", "--output=/tmp/fio.out", rw, compress,
	       timed ? "--number_ios=" REQUESTS : NULL, NULL);
	_exit(127);
}

static bool run_fio(const char *rw, long percent, bool timed)
{
	char what[64], compress[64];
	int status = -1;
	pid_t pid;

	snprintf(what, sizeof(what), "--rw=%s", rw);
	snprintf(compress, sizeof(compress), "--buffer_compress_percentage=%ld", percent);
	pid = fork();
	if (!pid)
		exec_fio(what, compress, timed);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void do_fio(char **args, struct result *r)
{
	const char *rw = arg(args, "rw", "randread");
	long percent = arg_num(args, "compress", 60);
	u64 t;

	if (zram_begin(args, "64M", r))
		return;
	if (run_fio("write", percent, false)) {
		t = kernel_clock();
		if (!run_fio(rw, percent, true))
			r->failed = "fio";
		r->ns = kernel_clock() - t;
		r->ops = atol(REQUESTS);
	} else {
		r->failed = "fio could not fill the device";
	}
	zram_end();
}
