/*
 * bare_spawner.c - the least a CGI server can do: the limit of `make
 * bench-gateway`
 *
 * bare_spawner SOCKET PROGRAM.  No parameters, body, stderr, timeouts or
 * checks; a process blocks for each of 8 requests at once, which costs less
 * than an event loop.  A request costs 13 system calls: here accept4, read,
 * pipe2, vfork, close, read, read, close, wait4, sendto, close, and dup2,
 * execve in the child.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "bare.h"

int
main(int argc, char **argv)
{
	static char *const envp[] = {"GATEWAY_INTERFACE=CGI/1.1",
		"REQUEST_METHOD=GET", "SCRIPT_NAME=/hello",
		"SERVER_PROTOCOL=HTTP/1.1", NULL};
	static uint8_t buf[BARE_BUFFER];
	int listener, fd, status, out[2];
	size_t len;
	ssize_t n;
	pid_t pid;

	if (argc != 3)
		return 64;
	listener = bare_listen(argv[1], 8);
	for (;;) {
		fd = bare_accept(listener, buf);
		if (pipe2(out, O_CLOEXEC) < 0)
			return 71;
		pid = vfork();
		if (pid == 0) {
			dup2(out[1], STDOUT_FILENO);
			execve(argv[2], argv + 2, envp);
			_exit(127);
		}
		close(out[1]);
		for (len = 0; (n = read(out[0], buf + 8 + len,
				       65535 - len)) > 0;)
			len += (size_t)n;
		close(out[0]);
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return 71;
		bare_answer(fd, buf, len, WEXITSTATUS(status));
	}
}
