/*
 * addr.c - parses and formats socket addresses; see addr.h
 *
 * Called by conf/value for listen, and by the programs for addresses on their
 * command lines.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/fd.h"

/* The longest path that a peer can connect to: sun_path ends in a NUL. */
#define PATH_CAP (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static int
parse_unix(const char *path, struct addr *a, const char **ret_why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->sa;
	size_t len = strlen(path);

	if (len > PATH_CAP) {
		*ret_why = "shorten the path: that of a unix socket has at "
			   "most 107 bytes";
		return -1;
	}
	if (path[0] == '@' && len == 1) {
		*ret_why = "write a name after the @";
		return -1;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len);
	if (path[0] == '@') {
		/* unix(7): a leading NUL, and no NUL at its end */
		un->sun_path[0] = '\0';
		a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			len);
	} else {
		a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			len + 1);
	}
	memcpy(a->text, path, len + 1);
	return 0;
}

/* Splits "host:port", "[v6]:port" or "port"; false for other text. */
static bool
split_host(const char *text, char host[256], const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon) {
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
		*ret_port = text;
		return true;
	}
	*ret_port = colon + 1;
	if (text[0] == '[') {
		if (colon == text || colon[-1] != ']')
			return false;
		text++;
		colon--;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return false;
	}
	len = (size_t)(colon - text);
	if (len == 0 || len > 255)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static void
format_tcp(struct addr *a)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->sa.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;

		(void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(a->text, sizeof(a->text), "%s:%u", ip,
			ntohs(in->sin_port));
	} else {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&a->sa;

		(void)inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof(ip));
		snprintf(a->text, sizeof(a->text), "[%s]:%u", ip,
			ntohs(in->sin6_port));
	}
}

static int
parse_tcp(const char *text, struct addr *a, const char **ret_why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	const char *port;
	char host[256], *end;
	unsigned long n;

	if (!split_host(text, host, &port)) {
		*ret_why = "write a path, @name, host:port, [v6]:port or a "
			   "port";
		return -1;
	}
	n = strtoul(port, &end, 10);
	if (port[0] < '0' || port[0] > '9' || *end || n < 1 || n > 65535) {
		*ret_why = strchr(text, ':') ?
			"write a port from 1 to 65535 after the colon" :
			"write a path that begins with /, @name, host:port, "
			"[v6]:port or a port";
		return -1;
	}
	if (getaddrinfo(host, NULL, &hints, &found) != 0 || !found) {
		*ret_why = "no such host; write an IP address";
		return -1;
	}
	memcpy(&a->sa, found->ai_addr, found->ai_addrlen);
	a->len = found->ai_addrlen;
	freeaddrinfo(found);
	if (a->sa.ss_family == AF_INET)
		((struct sockaddr_in *)&a->sa)->sin_port = htons((uint16_t)n);
	else
		((struct sockaddr_in6 *)&a->sa)->sin6_port =
			htons((uint16_t)n);
	format_tcp(a);
	return 0;
}

int
addr_parse(const char *text, struct addr *ret_addr, const char **ret_why)
{
	struct addr a = {0};
	int rc;

	if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	if (text[0] == '/' || text[0] == '@') {
		rc = parse_unix(text, &a, ret_why);
	} else {
		/* The prefixes of fcgiwrap. */
		if (strncmp(text, "tcp6:[", 6) == 0)
			text += 5;
		else if (strncmp(text, "tcp:", 4) == 0)
			text += 4;
		rc = parse_tcp(text, &a, ret_why);
	}
	if (rc == 0)
		*ret_addr = a;
	return rc;
}

bool
addr_is_path(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;

	return a->sa.ss_family == AF_UNIX && un->sun_path[0] != '\0';
}

bool
addr_is_abstract(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;

	return a->sa.ss_family == AF_UNIX && un->sun_path[0] == '\0';
}

bool
addr_is_tcp(const struct addr *a)
{
	return a->sa.ss_family == AF_INET || a->sa.ss_family == AF_INET6;
}

bool
addr_is_loopback(const struct addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&a->sa)
				       ->sin_addr.s_addr) >>
			24 == 127;
	if (a->sa.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(
			&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
	return false;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return strcmp(a->text, b->text) == 0;
}

const char *
addr_path(const struct addr *a)
{
	return addr_is_path(a) ? a->text : "";
}

int
addr_connect(const struct addr *a, int flags)
{
	int one = 1;
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags,
		0);

	if (fd < 0)
		return -1;
	/* A request is small writes that wait for an answer: no Nagle. */
	if (addr_is_tcp(a) && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				      sizeof(one)) < 0)
		goto fail;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 &&
		errno != EINPROGRESS)
		goto fail;
	return fd;
fail:
	fd_close(&fd);
	return -1;
}
