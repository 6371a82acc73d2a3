/*
 * activate.c - passes listening sockets to a program, as systemd and spawn-fcgi
 * do
 *
 *	activate FIRST FD... -- PROGRAM [ARGUMENT]...
 *
 * Descriptors FD become FIRST, FIRST + 1 and so on.  If FIRST is 3, LISTEN_FDS
 * and LISTEN_PID are set (sd_listen_fds(3)).  If WRONG_PID is set, LISTEN_PID
 * is the PID of another process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int first, i;
	char text[16];

	if (argc < 4)
		return 64;
	first = atoi(argv[1]);
	for (i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (dup2(atoi(argv[i]), first + i - 2) < 0)
			return 71;
	if (i + 1 >= argc)
		return 64;
	if (first == 3) {
		snprintf(text, sizeof(text), "%d", i - 2);
		setenv("LISTEN_FDS", text, 1);
		snprintf(text, sizeof(text), "%d",
			getenv("WRONG_PID") ? (int)getppid() : (int)getpid());
		setenv("LISTEN_PID", text, 1);
	}
	execv(argv[i + 1], argv + i + 1);
	return 127;
}
