/*
 * test_addr.c - tests base/addr and base/cidr
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cidr.h"
#include "base/util.h"

static struct addr
parse(const char *text)
{
	const char *why = NULL;
	struct addr a = {0};

	cr_assert_eq(addr_parse(text, &a, &why), 0, "%s: %s", text, why);
	return a;
}

Test(addr, parses_every_form_of_an_address)
{
	static const struct {
		const char *text, *canonical;
		int family;
		const char *why;
	} rows[] = {
		{"/run/app.sock", "/run/app.sock", AF_UNIX, "a path"},
		{"unix:/run/app.sock", "/run/app.sock", AF_UNIX,
			"as nginx writes it"},
		{"@name", "@name", AF_UNIX, "abstract"},
		{"unix:@name", "@name", AF_UNIX, "abstract, prefixed"},
		{"127.0.0.1:9000", "127.0.0.1:9000", AF_INET, "IPv4"},
		{"tcp:127.0.0.1:9000", "127.0.0.1:9000", AF_INET, "prefixed"},
		{"9000", "127.0.0.1:9000", AF_INET, "a port is loopback"},
		{"0.0.0.0:1", "0.0.0.0:1", AF_INET, "all, first port"},
		{"10.1.2.3:65535", "10.1.2.3:65535", AF_INET, "last port"},
		{"[::1]:9000", "[::1]:9000", AF_INET6, "IPv6"},
		{"tcp6:[::1]:9000", "[::1]:9000", AF_INET6,
			"as fcgiwrap writes it"},
		{"[2001:DB8::0:1]:80", "[2001:db8::1]:80", AF_INET6,
			"RFC 5952 spelling"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a = parse(rows[i].text);

		cr_expect_str_eq(a.text, rows[i].canonical, "%s",
			rows[i].why);
		cr_expect_eq(a.sa.ss_family, rows[i].family, "%s",
			rows[i].why);
	}
}

Test(addr, fills_the_structures_of_the_kernel)
{
	struct addr a = parse("1.2.3.4:258");
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a.sa;
	static const uint8_t ip[] = {1, 2, 3, 4}, port[] = {1, 2};
	const struct sockaddr_un *un;

	cr_expect_eq(a.len, sizeof(*in));
	cr_expect_eq(memcmp(&in->sin_addr, ip, 4), 0);
	cr_expect_eq(memcmp(&in->sin_port, port, 2), 0);

	a = parse("/run/x");
	un = (const struct sockaddr_un *)&a.sa;
	cr_expect_str_eq(un->sun_path, "/run/x");
	cr_expect_eq(a.len, offsetof(struct sockaddr_un, sun_path) + 7,
		"a path with its NUL");

	a = parse("@ab");
	un = (const struct sockaddr_un *)&a.sa;
	cr_expect_eq(memcmp(un->sun_path, "\0ab", 3), 0);
	cr_expect_eq(a.len, offsetof(struct sockaddr_un, sun_path) + 3,
		"a NUL, then the name without one (unix(7))");
}

Test(addr, rejects_other_text_and_says_what_to_write)
{
	static const struct {
		const char *text, *hint;
	} rows[] = {
		{"", "write a path"},
		{"app.sock", "begins with /"},
		{"unix:app.sock", "begins with /"},
		{"@", "after the @"},
		{"0", "port"},
		{"65536", "port"},
		{"-1", "port"},
		{"127.0.0.1:", "port"},
		{"127.0.0.1:0", "port"},
		{"127.0.0.1:65536", "port"},
		{"127.0.0.1:80x", "port"},
		{"127.0.0.1: 80", "port"},
		{"127.0.0.1:99999999999999999999", "port"},
		{":80", "host:port"},
		{"::1:80", "[v6]:port"},
		{"[::1]", "[v6]:port"},
		{"[::1", "[v6]:port"},
		{"[::1]80", "[v6]:port"},
		{"[]:80", "[v6]:port"},
		{"[:80", "[v6]:port"},
		{"256.0.0.1:80", "no such host"},
		{"[::g]:80", "no such host"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL;
		struct addr a;

		cr_expect_eq(addr_parse(rows[i].text, &a, &why), -1, "'%s'",
			rows[i].text);
		cr_expect(why && strstr(why, rows[i].hint), "'%s': %s",
			rows[i].text, why);
	}
}

Test(addr, a_path_may_be_107_bytes_long)
{
	const char *why = NULL;
	char text[110] = "/";
	struct addr a;

	memset(text + 1, 'p', 106);
	cr_expect_eq(addr_parse(text, &a, &why), 0, "107 bytes fit");
	cr_expect_eq(a.len, sizeof(struct sockaddr_un));
	text[107] = 'p';
	cr_expect_eq(addr_parse(text, &a, &why), -1, "108 do not");
	cr_expect(why && strstr(why, "107"));
	text[0] = '@';
	text[107] = '\0';
	cr_expect_eq(addr_parse(text, &a, &why), 0, "106 after the NUL");
}

Test(addr, a_long_host_does_not_overflow_its_buffer)
{
	const char *why = NULL;
	char text[600];
	struct addr a;

	memset(text, 'h', sizeof(text));
	memcpy(text + 256, ":80", 4);
	cr_expect_eq(addr_parse(text, &a, &why), -1);
	memset(text, '9', sizeof(text));
	text[599] = '\0';
	cr_expect_eq(addr_parse(text, &a, &why), -1);
}

Test(addr, tells_paths_abstract_names_and_tcp_apart)
{
	struct addr path = parse("/a"), abstract = parse("@a");
	struct addr v4 = parse("127.9.9.9:1"), v6 = parse("[::1]:1");
	struct addr far4 = parse("10.0.0.1:1"), far6 = parse("[::]:1");

	cr_expect(addr_is_path(&path) && !addr_is_path(&abstract) &&
		!addr_is_path(&v4));
	cr_expect(addr_is_abstract(&abstract) && !addr_is_abstract(&path) &&
		!addr_is_abstract(&v6));
	cr_expect(addr_is_tcp(&v4) && addr_is_tcp(&v6) &&
		!addr_is_tcp(&path) && !addr_is_tcp(&abstract));
	cr_expect(addr_is_loopback(&v4) && addr_is_loopback(&v6));
	cr_expect(!addr_is_loopback(&far4) && !addr_is_loopback(&far6) &&
		!addr_is_loopback(&path));
	cr_expect_str_eq(addr_path(&path), "/a");
	cr_expect_str_eq(addr_path(&abstract), "");
	cr_expect_str_eq(addr_path(&v4), "");
}

Test(addr, two_spellings_of_one_address_are_equal)
{
	struct addr a = parse("9000"), b = parse("127.0.0.1:9000");
	struct addr c = parse("127.0.0.1:9001"), d = parse("[0:0::1]:9000");
	struct addr e = parse("[::1]:9000"), f = parse("unix:/x"),
		    g = parse("/x"), h = parse("@x");

	cr_expect(addr_equal(&a, &b) && addr_equal(&d, &e) &&
		addr_equal(&f, &g));
	cr_expect(!addr_equal(&b, &c) && !addr_equal(&b, &e) &&
		!addr_equal(&g, &h));
}

Test(addr, connects_or_fails_with_errno)
{
	char name[64];
	struct addr a;
	int listenfd, fd;

	snprintf(name, sizeof(name), "@fcgipm-test-addr-%d", (int)getpid());
	a = parse(name);
	errno = 0;
	cr_expect_eq(addr_connect(&a, 0), -1);
	cr_expect_eq(errno, ECONNREFUSED);
	listenfd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(listenfd, 0);
	cr_assert_eq(bind(listenfd, (struct sockaddr *)&a.sa, a.len), 0);
	cr_assert_eq(listen(listenfd, 1), 0);
	fd = addr_connect(&a, SOCK_NONBLOCK);
	cr_assert_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	fd = addr_connect(&a, 0);
	cr_assert_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_not(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(listenfd);
}

Test(cidr, parses_a_list)
{
	const char *list = "127.0.0.1, 10.0.0.0/8,::1 2001:db8::/33 "
			   "0.0.0.0/0,::/0";
	const char *why = NULL;
	struct cidr c;

	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect_eq(c.family, AF_INET);
	cr_expect_eq(c.net[0], 0x7f000001);
	cr_expect_eq(c.mask[0], 0xffffffff);
	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect_eq(c.net[0], 0x0a000000);
	cr_expect_eq(c.mask[0], 0xff000000);
	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect_eq(c.family, AF_INET6);
	cr_expect(c.net[0] == 0 && c.net[3] == 1);
	cr_expect(c.mask[0] == 0xffffffff && c.mask[3] == 0xffffffff);
	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect_eq(c.net[0], 0x20010db8);
	cr_expect(c.mask[0] == 0xffffffff && c.mask[1] == 0x80000000 &&
		c.mask[2] == 0 && c.mask[3] == 0);
	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect(c.net[0] == 0 && c.mask[0] == 0);
	cr_assert_eq(cidr_next(&list, &c, &why), 1);
	cr_expect(c.mask[0] == 0 && c.mask[3] == 0);
	cr_expect_eq(cidr_next(&list, &c, &why), 0);
	cr_expect_eq(*list, '\0');
}

Test(cidr, matches_addresses_in_its_networks)
{
	static const struct {
		const char *list, *address;
		bool want;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1, 192.0.2.2", "192.0.2.2", true},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"0.0.0.0/0", "203.0.113.7", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"::/0", "192.0.2.1", false},
		{"::1", "::1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"192.0.2.1,2001:db8::1", "2001:db8::1", true},
		{"", "192.0.2.1", false},
		{"what, 192.0.2.1", "192.0.2.1", false},
	};
	const struct sockaddr un = {.sa_family = AF_UNIX};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
		struct sockaddr_in in = {.sin_family = AF_INET};
		bool is6 = strchr(rows[i].address, ':') != NULL;

		cr_assert_eq(inet_pton(is6 ? AF_INET6 : AF_INET,
				     rows[i].address, is6 ?
				     (void *)&in6.sin6_addr : &in.sin_addr),
			1);
		cr_expect_eq(cidr_list_holds(rows[i].list,
				     is6 ? (struct sockaddr *)&in6 :
					   (struct sockaddr *)&in),
			rows[i].want, "%s in %s", rows[i].address,
			rows[i].list);
	}
	cr_expect_not(cidr_list_holds("0.0.0.0/0, ::/0", &un));
}

Test(cidr, rejects_what_is_not_a_network)
{
	static const struct {
		const char *text, *hint;
	} rows[] = {
		{"localhost", "write addresses"},
		{"10.0.0", "write addresses"},
		{"10.0.0.0/33", "prefix length"},
		{"10.0.0.0/", "prefix length"},
		{"10.0.0.0/-1", "prefix length"},
		{"10.0.0.0/8x", "prefix length"},
		{"10.0.0.0/99999999999999999999", "prefix length"},
		{"::/129", "prefix length"},
		{"10.0.0.1/8", "after its prefix"},
		{"2001:db8::1/64", "after its prefix"},
		{"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:"
		 "1111:1111", "too long"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL, *list = rows[i].text;
		struct cidr c;

		cr_expect_eq(cidr_next(&list, &c, &why), -1, "%s",
			rows[i].text);
		cr_expect(why && strstr(why, rows[i].hint), "%s: %s",
			rows[i].text, why);
	}
}
