/*
 * crash.c - FastCGI: a program that fails until it is repaired
 *
 *	crash WAY STARTS MENDED
 *
 * Adds a byte to the file STARTS.  If the file MENDED exists, it serves.
 * Otherwise it exits by WAY: a number is an exit status, "segv" is a signal,
 * "accept" is that signal at its first connection.
 */
#include <fcgi_stdio.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
break_down(const char *way)
{
	if (strcmp(way, "accept") == 0)
		(void)accept(0, NULL, NULL);
	else if (strcmp(way, "segv") != 0)
		return atoi(way);
	raise(SIGSEGV);
	return 1;
}

int
main(int argc, char **argv)
{
	int fd;

	if (argc < 4)
		return 2;
	fd = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, ".", 1) != 1)
		return 2;
	close(fd);
	if (access(argv[3], F_OK) != 0)
		return break_down(argv[1]);
	while (FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n\r\nmended\n");
	return 0;
}
