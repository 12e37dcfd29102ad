// SPDX-License-Identifier: GPL-2.0
/*
 * loadmod FILE N [PARAMETERS]: load a module while the Nth allocation of that fails (kernels with
 * FAULT_INJECTION).  Prints "ok" or the error, and what is left of N: 0 if there
 * were as many allocations.  Exit code 1 if there was an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char left[32] = "";
	int module, nth, err = 0;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: %s FILE N [PARAMETERS]\n", argv[0]);
		return 2;
	}
	module = open(argv[1], O_RDONLY);
	nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (module < 0 || nth < 0 || write(nth, argv[2], strlen(argv[2])) < 0) {
		perror("loadmod");
		return 2;
	}
	if (syscall(SYS_finit_module, module, argc == 4 ? argv[3] : "", 0))
		err = errno;
	if (pread(nth, left, sizeof(left) - 1, 0) < 0 || pwrite(nth, "0", 1, 0) < 0) {
		perror("loadmod: fail-nth");
		return 2;
	}
	printf("%s %d\n", !err ? "ok" : err == ENOMEM ? "ENOMEM" : strerror(err), atoi(left));
	return !!err;
}
