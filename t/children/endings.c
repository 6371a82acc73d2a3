/*
 * endings.c - FastCGI by direct calls: answers 204, then ends the connection
 *
 *	endings WAY
 *
 *	linger	like libfcgi: shutdown, poll, read, close
 *	fork	the same, while a child holds it until its client closes
 *	dup	the same, while another descriptor of it is open, until the
 *		next one is answered
 *	stdio	reads and writes it by stdio
 *	unseen	shuts it down and closes it by syscall(2), then opens a file at
 *		its number, polls and reads that: 500 if the bytes do not come
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned char answer[] =
	"\1\6\0\1\0\17\0\0Status: 204\r\n\r\n"
	"\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0";

/* A STDIN record without content ends the request. */
static int
is_whole(const unsigned char *p, size_t len)
{
	return len >= 8 && p[len - 7] == 5 && p[len - 4] == 0 &&
		p[len - 3] == 0;
}

static int
talk(int conn)
{
	unsigned char p[65536];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(p) && !is_whole(p, len)) {
		n = read(conn, p + len, sizeof(p) - len);
		if (n <= 0)
			return -1;
		len += (size_t)n;
	}
	return write(conn, answer, sizeof(answer)) == sizeof(answer) ? 0 : -1;
}

static int
talk_by_stdio(int conn)
{
	FILE *in = fdopen(conn, "r"), *out = fdopen(dup(conn), "w");
	unsigned char p[65536];
	size_t len = 0;
	int c;

	if (!in || !out)
		exit(1);
	while (len < sizeof(p) && !is_whole(p, len) && (c = getc(in)) != EOF)
		p[len++] = (unsigned char)c;
	if (is_whole(p, len))
		fwrite(answer, sizeof(answer), 1, out);
	fflush(out);
	shutdown(conn, SHUT_WR);
	while (getc(in) != EOF)
		;
	return fclose(out) | fclose(in);
}

/* Reads until the end; returns the number of bytes. */
static ssize_t
linger(int conn)
{
	struct pollfd p = {.fd = conn, .events = POLLIN};
	char trash[1024];
	ssize_t n, all = 0;

	while (poll(&p, 1, 60000) > 0 &&
		(n = read(conn, trash, sizeof(trash))) > 0)
		all += n;
	return all;
}

/* Runs in a child, until the client closes. */
static void
hold(int conn)
{
	pid_t pid = fork();

	if (pid < 0)
		exit(1);
	if (pid > 0)
		return;
	_exit(linger(conn) < 0);
}

/* Opens a file at the number of the connection. */
static void
close_unseen(int conn)
{
	int file = memfd_create("file", MFD_CLOEXEC), got;

	if (file < 0 || write(file, "bytes", 5) != 5 ||
		lseek(file, 0, SEEK_SET) != 0)
		exit(1);
	syscall(SYS_close, conn);
	got = dup(file);
	close(file);
	if (got != conn || linger(got) != 5)
		memcpy(answer + 16, "500", 3);
	close(got);
}

int
main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "linger";
	int conn, other = -1;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	while ((conn = accept(0, NULL, NULL)) >= 0) {
		if (strcmp(way, "stdio") == 0) {
			if (talk_by_stdio(conn) != 0)
				return 1;
			continue;
		}
		if (talk(conn) < 0) {
			close(conn);
			continue;
		}
		close(other);
		other = strcmp(way, "dup") == 0 ? dup(conn) : -1;
		if (strcmp(way, "fork") == 0)
			hold(conn);
		shutdown(conn, SHUT_WR);
		if (strcmp(way, "unseen") == 0) {
			close_unseen(conn);
			continue;
		}
		linger(conn);
		close(conn);
	}
	return 0;
}
