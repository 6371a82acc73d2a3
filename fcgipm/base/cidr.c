/*
 * cidr.c - parses networks and matches addresses; see cidr.h
 *
 * Called by conf/value to validate listen.allowed_clients, by sys/clients to
 * build a socket filter, and by the gateway for FCGI_WEB_SERVER_ADDRS.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cidr.h"

static void
set_mask(struct cidr *c, unsigned bits)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		unsigned n = bits > 32 ? 32 : bits;

		c->mask[i] = n ? ~(uint32_t)0 << (32 - n) : 0;
		bits -= n;
	}
}

static int
parse(char *text, struct cidr *c, const char **ret_why)
{
	char *slash = strchr(text, '/'), *end;
	unsigned long bits, max;
	uint32_t raw[4] = {0};
	unsigned i;

	if (slash)
		*slash++ = '\0';
	c->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	max = c->family == AF_INET6 ? 128 : 32;
	bits = max;
	if (inet_pton(c->family, text, raw) != 1) {
		*ret_why = "write addresses or networks such as 127.0.0.1, "
			   "10.0.0.0/8 or ::1, separated by commas";
		return -1;
	}
	if (slash) {
		bits = strtoul(slash, &end, 10);
		if (*slash < '0' || *slash > '9' || *end || bits > max) {
			*ret_why = "write a prefix length from 0 to 32 (IPv4) "
				   "or 128 (IPv6) after the slash";
			return -1;
		}
	}
	set_mask(c, (unsigned)bits);
	for (i = 0; i < 4; i++) {
		c->net[i] = ntohl(raw[i]);
		if (c->net[i] & ~c->mask[i] && i * 32 < max) {
			*ret_why = "the address has bits set after its prefix "
				   "length; set them to 0";
			return -1;
		}
	}
	return 0;
}

int
cidr_next(const char **list, struct cidr *ret_cidr, const char **ret_why)
{
	struct cidr c = {0};
	char text[64];
	size_t len;

	*list += strspn(*list, " \t,");
	if (!**list)
		return 0;
	len = strcspn(*list, " \t,");
	if (len >= sizeof(text)) {
		*ret_why = "too long for an address; write one such as "
			   "10.0.0.0/8";
		return -1;
	}
	memcpy(text, *list, len);
	text[len] = '\0';
	if (parse(text, &c, ret_why) < 0)
		return -1;
	*list += len;
	*ret_cidr = c;
	return 1;
}

bool
cidr_list_holds(const char *list, const struct sockaddr *sa)
{
	uint32_t raw[4] = {0};
	int family = sa->sa_family;
	struct cidr c;
	const char *why;
	unsigned i;

	if (family == AF_INET) {
		raw[0] = ((const struct sockaddr_in *)sa)->sin_addr.s_addr;
	} else if (family == AF_INET6) {
		const struct in6_addr *a =
			&((const struct sockaddr_in6 *)sa)->sin6_addr;

		memcpy(raw, a, sizeof(raw));
		if (IN6_IS_ADDR_V4MAPPED(a)) {
			family = AF_INET;
			raw[0] = raw[3];
		}
	}
	while (cidr_next(&list, &c, &why) > 0) {
		const unsigned words = c.family == AF_INET6 ? 4 : 1;

		for (i = 0; c.family == family && i < words; i++)
			if ((ntohl(raw[i]) & c.mask[i]) != c.net[i])
				break;
		if (i == words)
			return true;
	}
	return false;
}
