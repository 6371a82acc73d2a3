/*
 * many_sockets.c - FastCGI: a worker and its children, with sockets of their
 * own
 *
 *	many_sockets SOCKETS CHILDREN
 *
 * Each process opens that many sockets after the fork, in addition to the
 * listening socket, so that they share none.  Children only sleep.  The worker
 * accepts when all of them exist.
 */
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void
open_sockets(long n)
{
	long i;

	for (i = 0; i < n; i++)
		if (socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
			_exit(1);
}

int
main(int argc, char **argv)
{
	long sockets = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long children = argc > 2 ? strtol(argv[2], NULL, 10) : 0, i;
	struct rlimit limit;
	FCGX_Request r;
	int ready[2];
	char byte;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* A child that exits is reaped at once. */
	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || pipe(ready) < 0)
		return 1;
	for (i = 0; i < children; i++)
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			open_sockets(sockets);
			(void)!write(ready[1], "r", 1);
			for (;;)
				pause();
		}
	open_sockets(sockets);
	for (i = 0; i < children; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 1;
	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&r) >= 0) {
		FCGX_FPrintF(r.out, "Content-Type: text/plain\r\n\r\nok\n");
		FCGX_Finish_r(&r);
	}
	return 0;
}
