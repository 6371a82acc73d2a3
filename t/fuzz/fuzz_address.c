/*
 * fuzz_address.c - fuzzes the parsers of addresses and networks
 *
 * Each line of the input is an address; the whole input is a list of networks.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/cidr.h"
#include "fuzz.h"

static struct sockaddr_storage host;
static struct addrinfo info;

/* The C library's function would send every name to a name server. */
int
getaddrinfo(const char *node, const char *service,
	const struct addrinfo *hints, struct addrinfo **ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&host;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&host;

	CHECK(node && !service && hints->ai_socktype == SOCK_STREAM);
	memset(&host, 0, sizeof(host));
	info = (struct addrinfo){.ai_addr = (struct sockaddr *)&host};
	if (inet_pton(AF_INET, node, &in->sin_addr) == 1) {
		host.ss_family = AF_INET;
		info.ai_addrlen = sizeof(*in);
	} else if (inet_pton(AF_INET6, node, &in6->sin6_addr) == 1) {
		host.ss_family = AF_INET6;
		info.ai_addrlen = sizeof(*in6);
	} else {
		return EAI_NONAME;
	}
	*ret = &info;
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	CHECK(list == &info);
}

/* A parsed address, formatted again, must parse to the same address. */
static void
check_addr(const char *text)
{
	struct addr a, b;
	const char *why = NULL;
	int rc;

	memset(&a, 0x55, sizeof(a));
	b = a;
	rc = addr_parse(text, &a, &why);
	CHECK(rc == 0 || rc == -1);
	CHECK((rc != 0) == (why != NULL));
	if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	if (text[0] == '/')
		CHECK((rc == 0) == (strlen(text) <= 107));
	if (text[0] == '@')
		CHECK((rc == 0) == (strlen(text) <= 107 && text[1]));
	if (rc != 0) {
		CHECK(memcmp(&a, &b, sizeof(a)) == 0);
		return;
	}
	CHECK(memchr(a.text, '\0', sizeof(a.text)));
	CHECK(a.len > 0 && a.len <= sizeof(a.sa));
	CHECK(addr_is_path(&a) + addr_is_abstract(&a) + addr_is_tcp(&a) == 1);
	CHECK(addr_is_path(&a) == (text[0] == '/'));
	CHECK(addr_is_abstract(&a) == (text[0] == '@'));
	CHECK(strcmp(addr_path(&a), addr_is_path(&a) ? text : "") == 0);
	CHECK(addr_is_tcp(&a) || !addr_is_loopback(&a));
	CHECK(addr_parse(a.text, &b, &why) == 0);
	CHECK(addr_equal(&a, &b) && a.len == b.len);
	CHECK(memcmp(&a.sa, &b.sa, a.len) == 0);
}

static void
check_cidr(const struct cidr *c)
{
	char text[INET6_ADDRSTRLEN], list[INET6_ADDRSTRLEN + 5];
	const char *at = list, *why;
	uint32_t raw[4];
	struct cidr again;
	unsigned i, bits = 0;

	CHECK(c->family == AF_INET || c->family == AF_INET6);
	for (i = 0; i < 4; i++) {
		/* Ones, then zeros, from the first word to the last. */
		CHECK((~c->mask[i] & (~c->mask[i] + 1)) == 0);
		CHECK(i == 0 || c->mask[i] == 0 || ~c->mask[i - 1] == 0);
		CHECK((c->net[i] & ~c->mask[i]) == 0);
		bits += (unsigned)__builtin_popcount(c->mask[i]);
		raw[i] = htonl(c->net[i]);
	}
	CHECK(bits <= (c->family == AF_INET ? 32 : 128));
	CHECK(inet_ntop(c->family, raw, text, sizeof(text)));
	snprintf(list, sizeof(list), "%s/%u", text, bits);
	CHECK(cidr_next(&at, &again, &why) == 1 && *at == '\0');
	CHECK(memcmp(c, &again, sizeof(again)) == 0);
}

static void
check_list(const char *text)
{
	const char *at = text, *before, *why = NULL;
	struct cidr c;
	int rc;

	do {
		before = at;
		memset(&c, 0, sizeof(c));
		rc = cidr_next(&at, &c, &why);
		CHECK(rc >= -1 && rc <= 1);
		if (rc == 1) {
			CHECK(at > before);
			check_cidr(&c);
		}
	} while (rc == 1);
	CHECK((rc == -1) == (why != NULL));
	CHECK(rc != 0 || *at == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), *rest = text, *line;

	CHECK(text);
	check_list(text);
	while ((line = strsep(&rest, "\n")))
		check_addr(line);
	free(text);
	return 0;
}
