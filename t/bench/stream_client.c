/*
 * stream_client.c - makes one large FastCGI request at little cost
 *
 * stream_client SOCKET BYTES <PREAMBLE.  Sends standard input (BEGIN_REQUEST
 * and parameters) and a body of BYTES, and reads the answer.  Prints the
 * duration in seconds, the bytes of FCGI_STDOUT, appStatus and, on further
 * lines, the beginning of the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/fcgi.h"

/* Records of 64 KiB with their header, sent in pieces of a MiB. */
#define RECORD 65536
#define CONTENT (RECORD - FCGI_HEADER_LEN)
#define RECORDS 16

struct answer {
	unsigned long long bytes;	/* of FCGI_STDOUT */
	uint8_t end[FCGI_BODY_LEN];
	size_t end_len;
	char head[256];			/* its first bytes, a string */
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
send_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
	}
}

static void
send_body(int fd, unsigned long long left)
{
	static uint8_t block[RECORDS * RECORD];
	size_t i, n;

	memset(block, 'b', sizeof(block));
	for (i = 0; i < RECORDS; i++)
		fcgi_put_header(block + i * RECORD, FCGI_STDIN, 1, CONTENT, 0);
	for (; left >= RECORDS * CONTENT; left -= RECORDS * CONTENT)
		send_all(fd, block, sizeof(block));
	for (; left > 0; left -= n) {
		n = left < CONTENT ? left : CONTENT;
		fcgi_put_header(block, FCGI_STDIN, 1, n, 0);
		send_all(fd, block, FCGI_HEADER_LEN + n);
	}
	fcgi_put_header(block, FCGI_STDIN, 1, 0, 0);
	send_all(fd, block, FCGI_HEADER_LEN);
}

static void
take(struct answer *a, unsigned type, const struct fcgi_chunk *c)
{
	size_t n;

	if (type == FCGI_STDOUT) {
		if (a->bytes < sizeof(a->head) - 1) {
			n = sizeof(a->head) - 1 - a->bytes;
			memcpy(a->head + a->bytes, c->p,
				n < c->len ? n : c->len);
		}
		a->bytes += c->len;
	} else if (type == FCGI_END_REQUEST) {
		n = sizeof(a->end) - a->end_len;
		n = n < c->len ? n : c->len;
		memcpy(a->end + a->end_len, c->p, n);
		a->end_len += n;
	}
}

/* Reads until END_REQUEST. */
static void
receive(int fd, struct answer *a)
{
	static uint8_t buf[256 * 1024];
	struct fcgi_reader reader;
	struct fcgi_chunk chunk;
	const uint8_t *p;
	size_t len;
	ssize_t n;
	int ev;

	fcgi_reader_init(&reader);
	while (a->end_len < sizeof(a->end)) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			die("the answer is incomplete");
		p = buf;
		len = (size_t)n;
		while ((ev = fcgi_reader_next(&reader, &p, &len, &chunk)) > 0)
			if (ev == FCGI_EVENT_CONTENT)
				take(a, reader.header.type, &chunk);
		if (ev < 0)
			die("not FastCGI");
	}
}

int
main(int argc, char **argv)
{
	static uint8_t preamble[4096];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timespec begin, end;
	struct answer answer = {0};
	struct fcgi_end status;
	size_t len;
	int fd;

	if (argc != 3)
		return 64;
	len = fread(preamble, 1, sizeof(preamble), stdin);
	strncpy(sa.sun_path, argv[1], sizeof(sa.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("connect");
	send_all(fd, preamble, len);
	send_body(fd, strtoull(argv[2], NULL, 10));
	receive(fd, &answer);
	clock_gettime(CLOCK_MONOTONIC, &end);
	fcgi_parse_end(answer.end, &status);
	printf("%.6f %llu %u\n%s\n", (double)(end.tv_sec - begin.tv_sec) +
		(double)(end.tv_nsec - begin.tv_nsec) / 1e9, answer.bytes,
		status.app_status, answer.head);
	return 0;
}
