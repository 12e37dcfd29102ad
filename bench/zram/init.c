// SPDX-License-Identifier: GPL-2.0
/*
 * What zram costs a page, with the zram module it is given: the whole user
 * space of a guest that bench/zram/overhead boots.
 *
 * For each module in turn, several times over: load it, set up one device,
 * write and read data that compresses, data that does not, and discard it.
 * Each figure is the time stamp counter's: in a guest that counts
 * instructions (QEMU's -icount shift=0) one tick is one instruction.
 *
 * Output, one line a measurement: "result MODULE ALGORITHM PHASE PAGES TICKS".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 1048576
#define DEVICE "/dev/zram0"
#define SYS "/sys/block/zram0/"

static const char *const modules[] = { "direct", "zpool" };
static const char *const algorithms[] = { "lzo-rle", "lz4", "zstd" };

typedef unsigned long long u64;

static long page_size;

static void die(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static u64 ticks(void)
{
#if defined(__x86_64__)
	unsigned int lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
#endif
}

static void set(const char *attr, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), SYS "%s", attr);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

static void load(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/zram-%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || syscall(SYS_finit_module, fd, "num_devices=1", 0))
		die(path);
	close(fd);
}

static void unload(void)
{
	if (syscall(SYS_delete_module, "zram", O_NONBLOCK))
		die("delete_module");
}

static char *read_file(const char *path, size_t *size)
{
	struct stat st;
	char *buf;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		die(path);
	*size = st.st_size / CHUNK * CHUNK;
	if (posix_memalign((void **)&buf, CHUNK, *size))
		die("memory");
	if (read(fd, buf, *size) != (ssize_t)*size)
		die(path);
	close(fd);
	return buf;
}

static void transfer(int fd, char *buf, size_t size, int out)
{
	for (size_t at = 0; at < size; at += CHUNK) {
		ssize_t n = out ? pwrite(fd, buf + at, CHUNK, at) :
				  pread(fd, buf + at, CHUNK, at);
		if (n != CHUNK)
			die(out ? "write" : "read");
	}
}

static void discard(int fd, size_t size)
{
	u64 range[2] = { 0, size };

	if (ioctl(fd, BLKDISCARD, range))
		die("discard");
}

static void print_result(const char *module, const char *alg, const char *data,
			 const char *what, size_t size, u64 spent)
{
	printf("result %s %s %s-%s %zu %llu\n", module, alg, what, data,
	       size / page_size, spent);
	fflush(stdout);
}

/* once to make slabs and page tables, then what is counted */
static void measure(const char *module, const char *alg, const char *name,
		    char *data, char *back, size_t size)
{
	int fd = open(DEVICE, O_RDWR | O_DIRECT);
	u64 t[4];

	if (fd < 0)
		die(DEVICE);
	memset(back, 0, size);
	transfer(fd, data, size, 1);
	discard(fd, size);
	t[0] = ticks();
	transfer(fd, data, size, 1);
	t[1] = ticks();
	transfer(fd, back, size, 0);
	t[2] = ticks();
	discard(fd, size);
	t[3] = ticks();
	/* a second write and read, to compare what comes back */
	transfer(fd, data, size, 1);
	memset(back, 0xaa, size);
	transfer(fd, back, size, 0);
	if (memcmp(data, back, size))
		die("data came back changed");
	discard(fd, size);
	close(fd);
	print_result(module, alg, name, "write", size, t[1] - t[0]);
	print_result(module, alg, name, "read", size, t[2] - t[1]);
	print_result(module, alg, name, "free", size, t[3] - t[2]);
}

static void run(const char *module, const char *alg)
{
	size_t size, random_size = 4 * CHUNK;
	char *data = read_file("/data", &size);
	char *random, *back, *noise;
	u64 x = 88172645463325252ull;

	if (posix_memalign((void **)&back, CHUNK, size) ||
	    posix_memalign((void **)&noise, CHUNK, random_size) ||
	    posix_memalign((void **)&random, CHUNK, random_size))
		die("memory");
	for (size_t i = 0; i < random_size / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		((u64 *)noise)[i] = x;
	}
	load(module);
	set("comp_algorithm", alg);
	set("disksize", "64M");
	measure(module, alg, "text", data, back, size);
	measure(module, alg, "noise", noise, random, random_size);
	set("reset", "1");
	unload();
	free(data);
	free(back);
	free(noise);
	free(random);
}

int main(void)
{
	const char *rounds = getenv("ROUNDS");

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	page_size = sysconf(_SC_PAGESIZE);
	for (int i = rounds ? atoi(rounds) : 3; i > 0; i--)
		for (size_t a = 0; a < 3; a++)
			/* alternate which one goes first */
			for (int m = 0; m < 2; m++)
				run(modules[(m + i) & 1], algorithms[a]);
	puts("finished");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
