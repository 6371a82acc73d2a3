/*
 * self_talk.c - a FastCGI program that is its own client, so that only its
 * calls are measured: no other process, no wake-up
 *
 *	self_talk PATH COUNT [keep] <listener
 *
 * It makes the calls that libfcgi makes for a request, COUNT times.  It prints
 * the nanoseconds of CPU time per request, including the client's part.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Approximately what nginx sends. */
static const char *const pairs[][2] = {
	{"QUERY_STRING", "a=b&c=d"}, {"REQUEST_METHOD", "GET"},
	{"CONTENT_TYPE", ""}, {"CONTENT_LENGTH", ""},
	{"SCRIPT_FILENAME", "/usr/local/libexec/fcgipm/handlers/hello"},
	{"SCRIPT_NAME", "/prefork/hello"},
	{"REQUEST_URI", "/prefork/hello?a=b&c=d"},
	{"DOCUMENT_URI", "/prefork/hello"}, {"DOCUMENT_ROOT", "/var/www/html"},
	{"SERVER_PROTOCOL", "HTTP/1.1"}, {"REQUEST_SCHEME", "http"},
	{"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_SOFTWARE", "nginx/1.22.1"},
	{"REMOTE_ADDR", "127.0.0.1"}, {"REMOTE_PORT", "51234"},
	{"SERVER_ADDR", "127.0.0.1"}, {"SERVER_PORT", "8080"},
	{"SERVER_NAME", "localhost"}, {"REDIRECT_STATUS", "200"},
	{"HTTP_HOST", "127.0.0.1:8080"}, {"HTTP_ACCEPT", "*/*"},
	{"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:102.0) "
		"Gecko/20100101 Firefox/102.0"},
	{"HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5"},
	{"HTTP_ACCEPT_ENCODING", "gzip, deflate"},
	{"HTTP_COOKIE", "session=0123456789abcdef0123456789abcdef"},
};

static const char answer[] =
	"\1\6\0\1\0\61\7\0"
	"Content-Type: text/plain\r\n\r\nHello from fcgipm.\n--"
	"\0\0\0\0\0\0\0\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0";

static unsigned char request[4096];
static size_t request_len;

static void
put_header(int type, size_t len)
{
	const unsigned char h[8] = {1, (unsigned char)type, 0, 1,
		(unsigned char)(len >> 8), (unsigned char)len, 0, 0};

	memcpy(request + request_len, h, 8);
	request_len += 8;
}

static void
put_request(int keep)
{
	const unsigned char begin[8] = {0, 1, (unsigned char)keep};
	size_t i, at, start;

	put_header(1, 8);
	memcpy(request + request_len, begin, 8);
	request_len += 8;
	start = request_len;
	request_len += 8;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		request[request_len++] = (unsigned char)strlen(pairs[i][0]);
		request[request_len++] = (unsigned char)strlen(pairs[i][1]);
		memcpy(request + request_len, pairs[i][0],
			strlen(pairs[i][0]));
		request_len += strlen(pairs[i][0]);
		memcpy(request + request_len, pairs[i][1],
			strlen(pairs[i][1]));
		request_len += strlen(pairs[i][1]);
	}
	at = request_len;
	request_len = start;
	put_header(4, at - start - 8);
	request_len = at;
	put_header(4, 0);
	put_header(5, 0);
}

static void
need(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static int
connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	need(fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0,
		"connect");
	return fd;
}

static void
talk(int client, int conn)
{
	static char p[8192];

	need(write(client, request, request_len) == (ssize_t)request_len,
		"client");
	need(read(conn, p, sizeof(p)) == (ssize_t)request_len, "read");
	need(write(conn, answer, sizeof(answer)) == sizeof(answer), "write");
	need(read(client, p, sizeof(p)) == sizeof(answer), "answer");
}

/* The lingering close of libfcgi. */
static void
end(int client, int conn)
{
	struct pollfd p = {.fd = conn, .events = POLLIN};
	char c[16];

	need(shutdown(conn, SHUT_WR) == 0, "shutdown");
	close(client);
	need(poll(&p, 1, 2000) == 1, "poll");
	need(read(conn, c, sizeof(c)) == 0, "end");
	close(conn);
}

int
main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0, i;
	int keep = argc > 3, client = -1, conn = -1;
	struct timespec a, b;

	put_request(keep);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (i = 0; i < count; i++) {
		if (conn < 0) {
			client = connect_to(argv[1]);
			conn = accept(0, NULL, NULL);
			need(conn >= 0, "accept");
		}
		talk(client, conn);
		if (!keep) {
			end(client, conn);
			conn = -1;
		}
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return printf("%.1f\n", (double)((b.tv_sec - a.tv_sec) * 1000000000 +
		b.tv_nsec - a.tv_nsec) / (double)(count ? count : 1)) < 0;
}
