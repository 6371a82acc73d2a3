/* fdlist.c - CGI: prints its descriptors, process group and directory. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char cwd[PATH_MAX];
	int fd;

	printf("Content-Type: text/plain\r\n\r\n");
	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd: %d\n", fd);
	printf("leader: %s\n", getpgrp() == getpid() ? "yes" : "no");
	printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "-");
	printf("argc: %d\n", argc);
	printf("argv: %s\n", argv[0]);
	return 0;
}
