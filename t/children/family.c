/*
 * family.c - FastCGI: a worker whose children interfere with signals
 *
 *	family session
 *		the process that accepts is a child in its own session, which
 *		signals to the worker's process group do not reach
 *	family vfork
 *		each request waits for a child of vfork(2) that sleeps for two
 *		seconds; meanwhile SIGSTOP has no effect on the worker
 */
#include <fcgiapp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLEEP_S 2

static void
wait_for_sleeper(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		sleep(SLEEP_S);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

static int
serve(int sleeps)
{
	FCGX_Request r;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&r) >= 0) {
		if (sleeps)
			wait_for_sleeper();
		FCGX_FPrintF(r.out,
			"Content-Type: text/plain\r\n\r\npid: %d\n",
			(int)getpid());
		FCGX_Finish_r(&r);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 2 || strcmp(argv[1], "session") != 0)
		return serve(1);
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		setsid();
		return serve(0);
	}
	return waitpid(pid, &status, 0) == pid ? status : 1;
}
