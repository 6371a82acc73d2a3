/*
 * cidr.h - parses networks (10.0.0.0/8, 2001:db8::/32, 127.0.0.1) and matches
 * addresses against them
 */
#ifndef FCGIPM_BASE_CIDR_H
#define FCGIPM_BASE_CIDR_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

struct cidr {
	int family;		/* AF_INET or AF_INET6 */
	uint32_t net[4];	/* host byte order; after the prefix 0 */
	uint32_t mask[4];	/* host byte order; AF_INET uses [0] only */
};

/*
 * cidr_next - parses the first network of a comma separated list
 *
 * list		moved past what was read; at its end it points to the NUL
 * returns	1 with *ret_cidr, 0 at the end, -1 and *ret_why, a static
 *		text; bits after the prefix must be 0, as in ip-route(8)
 */
int cidr_next(const char **list, struct cidr *ret_cidr, const char **ret_why);

/*
 * cidr_list_holds - is this address in one of the networks of a list?
 *
 * list		as for cidr_next(); what follows an error is ignored
 * sa		of any family: an IPv4 address mapped to IPv6 is matched as
 *		IPv4; that of a unix socket is in no network
 */
bool cidr_list_holds(const char *list, const struct sockaddr *sa);

#endif
