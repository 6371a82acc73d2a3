/*
 * look.c - measures the cost of inspecting workers
 *
 *	look [WORKERS [ROUNDS]]
 *
 * Starts workers without a supervisor; each sleeps in accept(2).  Prints the
 * time of each inspection.  One measurement is a round over all workers; the
 * minimum and the median of the rounds are printed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "observe/kernel.h"

#define ROUNDS_MAX 1000

static struct sockdiag diag;
static struct kernel_observer observe;
static struct kernel_worker *workers;
static unsigned nworkers, rounds;

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
die(const char *what)
{
	fprintf(stderr, "look: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Opens a unix socket without a path, or one on 127.0.0.1. */
static int
listen_on(int family)
{
	struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa,
			      family == AF_INET ? sizeof(*in) :
						  sizeof(sa.ss_family)) < 0 ||
		listen(fd, 128) < 0)
		die("listen");
	return fd;
}

static void
start_workers(int fd)
{
	unsigned i;

	for (i = 0; i < nworkers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (dup2(fd, 0) < 0)
				_exit(1);
			for (;;)
				(void)accept(0, NULL, NULL);
		}
		kernel_worker_init(&workers[i], pid);
	}
	for (i = 0; i < nworkers; i++)
		while (kernel_check(&observe, &workers[i], 0)->state !=
			KERNEL_IDLE)
			;
}

static void
end_workers(void)
{
	unsigned i;

	for (i = 0; i < nworkers; i++) {
		(void)kill(workers[i].pid, SIGKILL);
		(void)waitpid(workers[i].pid, NULL, 0);
		kernel_worker_fini(&workers[i]);
	}
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
measure(const char *what, void (*fn)(unsigned i), unsigned each)
{
	static double us[ROUNDS_MAX];
	unsigned r, i;

	for (r = 0; r < rounds; r++) {
		double start = now_us();

		for (i = 0; i < each; i++)
			fn(i);
		us[r] = (now_us() - start) / each;
	}
	qsort(us, rounds, sizeof(*us), compare);
	printf("%-44s %8.2f %8.2f\n", what, us[0], us[rounds / 2]);
}

static void
look(unsigned i)
{
	(void)kernel_check(&observe, &workers[i], 0);
}

static void
look_closely(unsigned i)
{
	(void)kernel_inspect(&observe, &workers[i], 0);
}

static void
queue(unsigned i)
{
	struct sockdiag_queue q;

	(void)i;
	if (kernel_read_queue(&observe, &q) < 0)
		die("queue");
}

static void
list(unsigned i)
{
	(void)i;
	if (sockdiag_tcp_accepted(&diag, &observe.listeners[0], false,
		    &observe.sockets.sets[0]) < 0)
		die("list");
}

static void
run(int family, const char *name)
{
	int fd = listen_on(family);

	if (kernel_init(&observe, &diag, &fd, 1, geteuid(), getegid()) < 0)
		die("observe");
	start_workers(fd);
	printf("%-44s %8s %8s\n", name, "minimum", "median");
	measure("  inspect an idle worker", look, nworkers);
	measure("  the same, with details", look_closely, nworkers);
	measure("  read the queue length", queue, 100);
	if (family == AF_INET)
		measure("  list accepted connections", list, 1);
	end_workers();
	kernel_fini(&observe);
	close(fd);
}

int
main(int argc, char **argv)
{
	struct rlimit lim;

	nworkers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100;
	rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200;
	if (nworkers < 1 || nworkers > 10000 || rounds < 1 ||
		rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: look [WORKERS [ROUNDS]]\n");
		return 64;
	}
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	workers = calloc(nworkers, sizeof(*workers));
	if (!workers || sockdiag_open(&diag) < 0)
		die("start");
	printf("%u workers, microseconds each\n", nworkers);
	run(AF_UNIX, "unix");
	run(AF_INET, "TCP");
	sockdiag_close(&diag);
	free(workers);
	return 0;
}
