/*
 * hostile.c - CGI: a program that misbehaves as QUERY_STRING says; "" answers
 * and exits
 *
 *	stay=N	answers N bytes and stays; ignores all signals but KILL
 *	big=N	answers N bytes
 *	shout=N	writes N bytes to stderr without a line end, then answers
 *	stop	stops itself, as by SIGSTOP; stop=N after so many bytes
 *	last=N	answers, stops itself, then closes its output and writes N
 *		bytes to stderr
 *	bomb	forks as often as it can; ignores all signals but KILL
 *	env	answers its environment, one variable on each line
 *
 * If STARTED names a file, each start adds a byte to it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER "Content-Type: text/plain\r\n\r\n"

static void
put(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			_exit(1);
		p += n;
		len -= (size_t)n;
	}
}

/* No two kilobytes are equal: a log that counts repeats writes all of them. */
static void
put_many(int fd, unsigned long long left)
{
	static char block[65536];
	unsigned number = 0;
	char text[16];
	size_t n, i;

	memset(block, 'h', sizeof(block));
	for (; left > 0; left -= n) {
		for (i = 0; i < sizeof(block); i += 1024) {
			snprintf(text, sizeof(text), "%010u", number++);
			memcpy(block + i, text, 10);
		}
		n = left < sizeof(block) ? (size_t)left : sizeof(block);
		put(fd, block, n);
	}
}

static void
be_deaf(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void
bomb(void)
{
	const struct timespec pause_ts = {0, 20000000};

	be_deaf();
	/* Without a pause after a failed fork, this would harm the machine. */
	for (;;)
		if (fork() < 0)
			nanosleep(&pause_ts, NULL);
}

static void
note_start(void)
{
	const char *path = getenv("STARTED");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;

	if (fd >= 0) {
		put(fd, "s", 1);
		close(fd);
	}
}

int
main(void)
{
	const char *query = getenv("QUERY_STRING"), *eq;
	unsigned long long n;
	char body[4096];
	char **var;

	note_start();
	query = query ? query : "";
	eq = strchr(query, '=');
	n = eq ? strtoull(eq + 1, NULL, 10) : 0;
	if (strncmp(query, "stay=", 5) == 0) {
		be_deaf();
		if (n > 0) {
			put(1, HEADER, sizeof(HEADER) - 1);
			put_many(1, n);
		}
		for (;;)
			pause();
	} else if (strcmp(query, "bomb") == 0) {
		bomb();
	} else if (strcmp(query, "stop") == 0) {
		raise(SIGSTOP);
	} else if (strncmp(query, "stop=", 5) == 0) {
		put(1, HEADER, sizeof(HEADER) - 1);
		put_many(1, n);
		raise(SIGSTOP);
	} else if (strncmp(query, "last=", 5) == 0) {
		put(1, HEADER "served\n", sizeof(HEADER) - 1 + 7);
		raise(SIGSTOP);
		close(1);
		put_many(2, n);
		return 0;
	} else if (strncmp(query, "shout=", 6) == 0) {
		put_many(2, n);
	}
	while (read(0, body, sizeof(body)) > 0)
		continue;
	put(1, HEADER, sizeof(HEADER) - 1);
	if (strncmp(query, "big=", 4) == 0)
		put_many(1, n);
	for (var = environ; strcmp(query, "env") == 0 && *var; var++) {
		put(1, *var, strlen(*var));
		put(1, "\n", 1);
	}
	put(1, "served\n", 7);
	return 0;
}
