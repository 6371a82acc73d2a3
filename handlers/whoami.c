/*
 * whoami.c - shows what a handler gets: IDs, directory, descriptors, slot
 *
 * Try: /prefork/whoami, then /cgi/whoami, and compare PID and descriptor 0.
 */
#include <dirent.h>
#include <fcgi_stdio.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static void
show_fds(void)
{
	char path[300], target[PATH_MAX];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	ssize_t n;

	while (dir && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0)
			printf("fd %s: %.*s\n", e->d_name, (int)n, target);
	}
	if (dir)
		closedir(dir);
}

int
main(void)
{
	/* Read before the first request; after it, the environment contains the
	 * variables of the request. */
	const char *pool = getenv("FCGIPM_POOL");
	const char *slot = getenv("FCGIPM_WORKER");
	char cwd[PATH_MAX];

	while (FCGI_Accept() >= 0) {
		printf("Content-Type: text/plain\r\n\r\n");
		printf("pid: %d\nppid: %d\n", (int)getpid(), (int)getppid());
		printf("uid: %d\ngid: %d\n", (int)getuid(), (int)getgid());
		printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "-");
		printf("mode: %s\n", FCGX_IsCGI() ? "cgi" : "prefork");
		printf("pool: %s\n", pool ? pool : "-");
		printf("slot: %s\n", slot ? slot : "-");
		show_fds();
	}
	return 0;
}
