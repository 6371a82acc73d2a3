/*
 * late.c - FastCGI: requests that never end
 *
 *	late [THREADS]
 *
 * QUERY_STRING says how: sleep, spin, stop (SIGSTOP), stream (for ever), child
 * (waits for one that sleeps).  Any other is answered "pid: N".
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int turns;

/* Its name is looked for in a stack. */
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

static void *
work(void *arg)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	FCGX_Request r;
	int got;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return NULL;
	for (;;) {
		/* libfcgi asks for it where accept(2) is not to be shared. */
		pthread_mutex_lock(&turn);
		got = FCGX_Accept_r(&r);
		pthread_mutex_unlock(&turn);
		if (got < 0)
			return arg;
		serve(&r);
		FCGX_Finish_r(&r);
	}
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t id;

	if (FCGX_Init() != 0)
		return 1;
	for (; n > 1; n--)
		if (pthread_create(&id, NULL, work, NULL) != 0)
			return 1;
	work(NULL);
	return 0;
}
