/*
 * addr.h - parses and formats socket addresses
 *
 *	/run/app.sock  unix:/run/app.sock	a path
 *	@name					the abstract namespace
 *	127.0.0.1:9000  [::1]:9000  localhost:9000  9000 (127.0.0.1)
 *	tcp:127.0.0.1:9000  tcp6:[::1]:9000
 */
#ifndef FCGIPM_BASE_ADDR_H
#define FCGIPM_BASE_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
	char text[sizeof(struct sockaddr_un) + 16]; /* canonical, for logs */
};

/*
 * addr_parse - parses an address
 *
 * returns	0; -1 and *ret_why, a static text that says what to write
 */
int addr_parse(const char *text, struct addr *ret_addr, const char **ret_why);

bool addr_is_path(const struct addr *a);	/* a unix socket with a path */
bool addr_is_abstract(const struct addr *a);
bool addr_is_tcp(const struct addr *a);
/* 127.0.0.0/8 or ::1; false for unix sockets. */
bool addr_is_loopback(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* The path; "" unless addr_is_path(). */
const char *addr_path(const struct addr *a);

/*
 * addr_connect - connects a stream socket
 *
 * flags	SOCK_NONBLOCK or 0; close-on-exec always
 * returns	a descriptor, which with SOCK_NONBLOCK may still be connecting;
 *		-1 with errno
 */
int addr_connect(const struct addr *a, int flags);

#endif
