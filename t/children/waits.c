/*
 * waits.c - a worker that accepts one connection, and then waits in a given way
 *
 *	waits MODE
 *
 * sleep	in nanosleep(2)
 * read, recv, poll	for bytes of the connection
 * pipe		for bytes of a pipe, in read(2)
 * read+pipe	for bytes of the connection, and a thread for bytes of a pipe
 * child-pipe	it sleeps, and a child waits for bytes of a pipe, whose
 *		descriptor there has the connection's number
 * child-holds	it sleeps, and so does a child that also has the connection
 *
 * SIGUSR1 before the connection starts a thread that sleeps, while the first
 * thread stays in accept(2).
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int ends[2];

static void
sleep_long(void)
{
	const struct timespec ts = {1000, 0};

	for (;;)
		(void)nanosleep(&ts, NULL);
}

static void
read_from(int fd)
{
	char byte;

	for (;;)
		(void)!read(fd, &byte, 1);
}

static void *
sleep_thread(void *arg)
{
	(void)arg;
	sleep_long();
	return NULL;
}

/* Not async-signal-safe, which does not harm a task that is in accept(2). */
static void
start_thread(int signo)
{
	pthread_t thread;
	(void)signo;

	(void)pthread_create(&thread, NULL, sleep_thread, NULL);
}

static void *
read_pipe(void *arg)
{
	(void)arg;
	read_from(ends[0]);
	return NULL;
}

static void
run_child(int conn, const char *mode)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(mode, "child-pipe") == 0 && dup2(ends[0], conn) == conn)
		read_from(conn);
	sleep_long();
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "sleep";
	struct sigaction sa = {.sa_handler = start_thread,
		.sa_flags = SA_RESTART};
	struct pollfd p = {.events = POLLPRI};
	pthread_t thread;
	char byte;
	int conn;

	if (sigaction(SIGUSR1, &sa, NULL) < 0 || pipe(ends) < 0 ||
		(conn = accept(0, NULL, NULL)) < 0)
		return 1;
	p.fd = conn;
	/* Drop the request: nothing more comes. */
	while (recv(conn, &byte, 1, MSG_DONTWAIT) > 0)
		;
	if (strncmp(mode, "child-", 6) == 0 && fork() == 0)
		run_child(conn, mode);
	if (strcmp(mode, "read+pipe") == 0 &&
		pthread_create(&thread, NULL, read_pipe, NULL) != 0)
		return 1;
	if (strncmp(mode, "read", 4) == 0)
		read_from(conn);
	for (; strcmp(mode, "recv") == 0;)
		(void)recv(conn, &byte, 1, 0);
	for (; strcmp(mode, "poll") == 0;)
		(void)poll(&p, 1, -1);
	if (strcmp(mode, "pipe") == 0)
		read_from(ends[0]);
	sleep_long();
	return 0;
}
