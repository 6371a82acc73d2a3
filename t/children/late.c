/*
 * late.c - FastCGI: requests that never end
 *
 *	late [THREADS]
 *
 * QUERY_STRING says how: sleep, spin, stop (SIGSTOP), stream (answers
 * endlessly), child (waits for a child that sleeps).  Any other query is
 * answered "pid: N".
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threaded.h"

static volatile int turns;

/* The tests search for its name in a stack. */
__attribute__((noinline)) static void
sleeps_for_ever(void)
{
	for (;;)
		turns += (int)sleep(1000);
}

static void
spin(void)
{
	for (;;)
		turns++;
}

static void
stream(FCGX_Request *r)
{
	char block[1000];

	memset(block, 'x', sizeof(block));
	while (FCGX_PutStr(block, sizeof(block), r->out) >= 0 &&
		FCGX_FFlush(r->out) >= 0)
		usleep(10000);
}

static void
serve(FCGX_Request *r)
{
	const char *how = FCGX_GetParam("QUERY_STRING", r->envp);
	pid_t child;

	how = how ? how : "";
	while (FCGX_GetChar(r->in) >= 0)
		continue;
	FCGX_FPrintF(r->out, "Content-Type: text/plain\r\n\r\npid: %d\n\n",
		(int)getpid());
	if (strcmp(how, "sleep") == 0)
		sleeps_for_ever();
	if (strcmp(how, "spin") == 0)
		spin();
	if (strcmp(how, "stop") == 0)
		raise(SIGSTOP);
	if (strcmp(how, "stream") == 0)
		stream(r);
	if (strcmp(how, "child") == 0) {
		child = fork();
		if (child == 0)
			sleeps_for_ever();
		(void)waitpid(child, NULL, 0);
	}
}

int
main(int argc, char **argv)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

	return threaded_main(argc, argv, serve, &turn);
}
