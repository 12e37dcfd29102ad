// SPDX-License-Identifier: GPL-2.0
/*
 * init of a benchmark's guest.  Executes a plan, line by line, in order:
 *
 *	load FILE [PARAMETERS]	insert a module
 *	use FILE		insert one in place of that of the last "use"
 *	row ID COMMAND		a row of the kernel module (bench/module)
 *	read ID FILE		lines of "name value", as name=value
 *	swap ID ARGUMENTS	swap.c
 *	pressure ID ARGUMENTS	pressure.c
 *	fio ID ARGUMENTS	fio.c
 *
 * In a command, @name stands for the kernel's symbol of that name.  For each ID
 * one line is written: "ID ok ns=N ops=N ..." or "ID fail REASON", and "finished"
 * when all is done.  The plan, and the modules, are in $ZB_DIR and the results go
 * to $ZB_DIR/results, if ZB_DIR is on the kernel's command line (User Mode Linux
 * sees the host's files); otherwise in / and to the console.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define DEBUGFS "/sys/kernel/debug/zpool_bench/"
#define MAX_WORDS 20

static FILE *out;
static const char *dir;	/* $ZB_DIR, or "" */

const char *arg(char **args, const char *key, const char *def)
{
	size_t len = strlen(key);

	for (; *args; args++)
		if (!strncmp(*args, key, len) && (*args)[len] == '=')
			return *args + len + 1;
	return def;
}

long arg_num(char **args, const char *key, long def)
{
	const char *value = arg(args, key, NULL);

	return value ? atol(value) : def;
}

int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	ssize_t ret = fd < 0 ? -1 : write(fd, value, strlen(value));

	if (fd >= 0)
		close(fd);
	return ret < 0 ? -1 : 0;
}

int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t ret = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[ret < 0 ? 0 : ret] = '\0';
	return ret < 0 ? -1 : 0;
}

u64 kernel_clock(void)
{
	char buf[32];

	read_file(DEBUGFS "clock", buf, sizeof(buf));
	return strtoull(buf, NULL, 10);
}

/* The address of a kernel's symbol, in hexadecimal. */
static void symbol(const char *name, char *to, size_t size)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], address[32], found[256], type;

	snprintf(to, size, "?");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %c %255s", address, &type, found) == 3 &&
		    !strcmp(found, name)) {
			snprintf(to, size, "%s", address);
			break;
		}
	}
	if (f)
		fclose(f);
}

/* "key=@name" becomes "key=ADDRESS". */
static void replace_symbols(const char *from, char *to, size_t size)
{
	size_t n = 0, len;

	while (*from && n + 20 < size) {
		char name[64];

		if (*from != '@') {
			to[n++] = *from++;
			continue;
		}
		len = strcspn(++from, " ");
		snprintf(name, sizeof(name), "%.*s", (int)len, from);
		symbol(name, to + n, size - n);
		n += strlen(to + n);
		from += len;
	}
	to[n] = '\0';
}

/* Both the write and the read are of the same open file: see bench/module. */
static void do_row(const char *id, const char *command)
{
	char line[1024], answer[2048] = "";
	int fd = open(DEBUGFS "run", O_RDWR);

	replace_symbols(command, line, sizeof(line));
	if (fd < 0 || write(fd, line, strlen(line)) < 0 ||
	    read(fd, answer, sizeof(answer) - 1) < 0)
		snprintf(answer, sizeof(answer), "fail %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	fprintf(out, "%s %s", id, answer);
}

/* A statistics file of debugfs. */
static void do_read(const char *id, const char *path)
{
	FILE *f = fopen(path, "r");
	char name[64];
	u64 value;

	fprintf(out, "%s %s", id, f ? "ok" : "fail no such file");
	while (f && fscanf(f, "%63s %llu", name, &value) == 2)
		fprintf(out, " %s=%llu", name, value);
	fprintf(out, "\n");
	if (f)
		fclose(f);
}

static void do_command(const char *id, char **args,
		       void (*fn)(char **args, struct result *r))
{
	struct result r = { 0 };

	fn(args, &r);
	if (r.failed)
		fprintf(out, "%s fail %s (%s)\n", id, r.failed, strerror(errno));
	else
		fprintf(out, "%s ok ns=%llu ops=%llu%s\n", id, r.ns, r.ops, r.notes);
}

static void insert(const char *file, const char *parameters)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
		fprintf(out, "load fail %s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/*
 * Our module, of this tree or of another commit: both have the same name, and so
 * one goes before the other comes.  zswap gives up its last pool a little later
 * than it is told to.
 */
static void use(const char *file)
{
	static char used[64];
	int tries = 500;

	if (!strcmp(used, file))
		return;
	while (*used && syscall(SYS_delete_module, "zsmalloc_rs", O_NONBLOCK)) {
		if (!tries--) {
			fprintf(out, "unload fail %s: %s\n", used, strerror(errno));
			return;
		}
		usleep(10000);
	}
	snprintf(used, sizeof(used), "%s", file);
	insert(file, "");
}

static void execute(char *line)
{
	char *words[MAX_WORDS + 1] = { 0 }, *what, *id, *rest;
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	what = strsep(&line, " ");
	id = strsep(&line, " ");
	rest = line ? line : "";
	if (!id)
		return;
	if (!strcmp(what, "load")) {
		insert(id, rest);
		return;
	}
	if (!strcmp(what, "use")) {
		use(id);
		return;
	}
	if (!strcmp(what, "row")) {
		do_row(id, rest);
		return;
	}
	if (!strcmp(what, "read")) {
		do_read(id, rest);
		return;
	}
	while (n < MAX_WORDS && (words[n] = strsep(&rest, " ")))
		n++;
	if (!strcmp(what, "swap"))
		do_command(id, words, do_swap);
	else if (!strcmp(what, "pressure"))
		do_command(id, words, do_pressure);
	else if (!strcmp(what, "fio"))
		do_command(id, words, do_fio);
	else
		fprintf(out, "%s fail no command %s\n", id, what);
}

/*
 * Give every page of the guest a page of the host, so that no row pays for that:
 * take three quarters of what is free, and give it back.
 */
static void touch_memory(void)
{
	size_t size = (size_t)sysconf(_SC_AVPHYS_PAGES) / 4 * 3 * 4096;
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem != MAP_FAILED)
		munmap(mem, size);
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

int main(void)
{
	bool hostfs = getenv("ZB_DIR");
	char path[512], line[1024];
	FILE *plan;

	dir = hostfs ? getenv("ZB_DIR") : "";
	mount_all();
	touch_memory();
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	snprintf(path, sizeof(path), "%s/results", dir);
	out = hostfs ? fopen(path, "w") : stdout;
	snprintf(path, sizeof(path), "%s/plan", dir);
	plan = fopen(path, "r");
	if (out && plan) {
		setvbuf(out, NULL, _IOLBF, 0);
		while (fgets(line, sizeof(line), plan))
			execute(line);
		fprintf(out, "finished\n");
		fflush(out);
	}
	sync();
	reboot(hostfs ? RB_POWER_OFF : RB_AUTOBOOT);
	return 1;
}
