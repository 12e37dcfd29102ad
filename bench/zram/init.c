// SPDX-License-Identifier: GPL-2.0
/*
 * What zram costs a page, with the zram module it is given: the whole user
 * space of a guest that bench/zram/overhead boots.
 *
 * For each module in turn, ROUNDS times: load it, set up one device, and REPEATS
 * times write, read and discard data that compresses, and data that does not.
 * Each figure is the time stamp counter's: in a guest that counts instructions
 * (QEMU's -icount shift=0) one tick is one instruction, in User Mode Linux it
 * is time.  It is taken for each request of 1 MiB, and the least of the repeats
 * counts: what disturbs only adds.
 *
 * Output, one line a measurement: "result MODULE ALGORITHM PHASE PAGES TICKS",
 * and "copy FUNCTION TICKS" for a copy of one page.  The modules are in $DIR.
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
#define NOISE_SIZE (4 * CHUNK)
#define MAX_CHUNKS 64
#define DEVICE "/dev/zram0"
#define SYS "/sys/block/zram0/"

static const char *const modules[] = { "direct", "zpool" };
static const char *const algorithms[] = { "lzo-rle", "lz4", "zstd" };

typedef unsigned long long u64;

static long page_size;
static const char *dir;
static int repeats;

/* QEMU is told to end at a reboot; User Mode Linux would do all of it again. */
static void end(void)
{
	fflush(stdout);
	reboot(dir && strcmp(dir, "/") ? RB_POWER_OFF : RB_AUTOBOOT);
}

static void die(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	end();
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

static void load(const char *name, const char *parameters)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
		die(path);
	close(fd);
}

static void unload(void)
{
	if (syscall(SYS_delete_module, "zram", O_NONBLOCK))
		die("delete_module");
}

static char *read_data(size_t *size)
{
	struct stat st;
	char *buf, path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/data", dir);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		die(path);
	*size = st.st_size / CHUNK * CHUNK;
	if (*size > MAX_CHUNKS * (size_t)CHUNK)
		*size = MAX_CHUNKS * (size_t)CHUNK;
	if (posix_memalign((void **)&buf, CHUNK, *size))
		die("memory");
	if (read(fd, buf, *size) != (ssize_t)*size)
		die(path);
	close(fd);
	return buf;
}

/* Ticks of a request, the least of all repeats, by chunk. */
enum phase { WRITE, READ, DISCARD, PHASES };

static const char *const phase_names[] = { "write", "read", "free" };
static u64 least[PHASES][MAX_CHUNKS];

static void request(int fd, enum phase phase, char *buf, size_t chunk)
{
	u64 range[2] = { chunk * CHUNK, CHUNK }, t = ticks();
	int ok;

	switch (phase) {
	case WRITE:
		ok = pwrite(fd, buf + range[0], CHUNK, range[0]) == CHUNK;
		break;
	case READ:
		ok = pread(fd, buf + range[0], CHUNK, range[0]) == CHUNK;
		break;
	default:
		ok = !ioctl(fd, BLKDISCARD, range);
	}
	t = ticks() - t;
	if (!ok)
		die(phase_names[phase]);
	if (!least[phase][chunk] || t < least[phase][chunk])
		least[phase][chunk] = t;
}

/* The first time makes slabs and page tables, and is never the least. */
static void measure(const char *module, const char *alg, const char *name,
		    char *data, char *back, size_t size)
{
	int fd = open(DEVICE, O_RDWR | O_DIRECT);
	size_t chunks = size / CHUNK;

	if (fd < 0)
		die(DEVICE);
	memset(least, 0, sizeof(least));
	for (int i = 0; i <= repeats; i++) {
		memset(back, i, size);
		for (int phase = WRITE; phase < PHASES; phase++) {
			for (size_t n = 0; n < chunks; n++)
				request(fd, phase, phase == READ ? back : data, n);
			if (phase == READ && memcmp(data, back, size))
				die("data came back changed");
		}
	}
	close(fd);
	for (int phase = WRITE; phase < PHASES; phase++) {
		u64 sum = 0;

		for (size_t n = 0; n < chunks; n++)
			sum += least[phase][n];
		printf("result %s %s %s-%s %zu %llu\n", module, alg, phase_names[phase],
		       name, size / page_size, sum);
	}
}

static void *pages(size_t size)
{
	void *p;

	if (posix_memalign(&p, CHUNK, size))
		die("memory");
	return p;
}

static u64 *make_noise(size_t size)
{
	u64 x = 88172645463325252ull, *noise = pages(size);

	for (size_t i = 0; i < size / sizeof(*noise); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = x;
	}
	return noise;
}

static void run(const char *module, const char *alg, char *text, size_t size)
{
	static char *back, *noise;
	char name[64];

	if (!back) {
		back = pages(size);
		noise = (char *)make_noise(NOISE_SIZE);
	}
	snprintf(name, sizeof(name), "zram-%s", module);
	load(name, "num_devices=1");
	set("comp_algorithm", alg);
	set("disksize", "64M");
	measure(module, alg, "text", text, back, size);
	measure(module, alg, "noise", noise, back, NOISE_SIZE);
	set("reset", "1");
	unload();
}

/* What copying a page takes, since an emulator counts each step of "rep movs". */
static void copies(void)
{
	static const char *const functions[] = { "copy_page", "memcpy" };
	char path[128], value[32];

	load("copy", "");
	for (int i = 0; i < 2; i++) {
		int fd;
		ssize_t n;

		snprintf(path, sizeof(path), "/sys/module/copy/parameters/%s", functions[i]);
		fd = open(path, O_RDONLY);
		n = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
		if (n < 0)
			die(path);
		value[n] = '\0';
		close(fd);
		printf("copy %s %s", functions[i], value);
	}
}

static long number(const char *name, long value)
{
	const char *s = getenv(name);

	return s ? atol(s) : value;
}

int main(void)
{
	char *text;
	size_t size;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	page_size = sysconf(_SC_PAGESIZE);
	dir = getenv("DIR") ?: "";
	repeats = number("REPEATS", 1);
	text = read_data(&size);
	copies();
	for (int i = number("ROUNDS", 3); i > 0; i--)
		for (size_t a = 0; a < 3; a++)
			/* alternate which one goes first */
			for (int m = 0; m < 2; m++)
				run(modules[(m + i) & 1], algorithms[a], text, size);
	puts("finished");
	end();
	return 0;
}
