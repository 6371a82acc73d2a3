/*
 * test_conf_explain.c - tests the messages for values that other daemons accept
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/amount.h"
#include "conf/conf.h"

/* What is reported for a file; to free(). */
static char *
problems_of(const char *text)
{
	char path[] = "/tmp/fcgipm-explain-XXXXXX", *out = NULL;
	struct conf_problems ps = {0};
	struct conf c;
	size_t size;
	int fd = mkstemp(path);
	FILE *f;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	f = open_memstream(&out, &size);
	(void)conf_load(path, &c, &ps);
	conf_problems_print(&ps, f);
	fclose(f);
	unlink(path);
	conf_problems_free(&ps);
	conf_free(&c);
	return out;
}

static void
expect(const char *text, const char *want)
{
	char *out = problems_of(text);

	cr_expect(strstr(out, want), "%s\n-> no \"%s\" in:\n%s", text, want,
		out);
	free(out);
}

#define POOL "[www]\nlisten = /tmp/x.sock\nhandler = /bin/true\n"
#define LISTEN "[www]\nhandler = /bin/true\nlisten = "

static const struct {
	const char *value, *want;
} times[] = {
	{"30 sec", ":4: error: [www] queue_timeout: \"30 sec\" is not a time; "
		"write 30s\n"},
	{"1min", "\"1min\" is not a time; write 1m\n"},
	{"1m30s", "write 90s\n"},
	{"1h 30min", "write 90m\n"},
	{"1.5s", "write 1500ms\n"},
	{"0.5", "write 500ms\n"},
	{"2 hours", "write 2h\n"},
	{"500 msec", "write 500ms\n"},
	{"1 week", "1 week is out of range; write at most 24h\n"},
	{"2d", "2d is out of range; write at most 24h\n"},
	{"-1", "\"-1\" is not a time; write 0 for no limit, or a time such as "
		"30s\n"},
	{"infinity", "write 0 for no limit"},
	{"soon", "\"soon\" is not a time; write one such as 500ms, 30s or 5m "
		"(at most 24h)\n"},
	{"5s x", "\"5s x\" is not a time; write one such as"},
	{"'30s'", "remove the quotes: queue_timeout = 30s\n"},
	{"30s ; late", "; a comment needs a line of its own\n"},
};

Test(conf_explain, a_time_of_another_daemon_gets_the_one_to_write)
{
	char text[300];
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(text, sizeof(text), POOL "queue_timeout = %s\n",
			times[i].value);
		expect(text, times[i].want);
	}
	expect(POOL "stop_timeout = -1\n", "\"-1\" is not a time; write one "
		"such as 500ms");
	expect(POOL "pm.max_age = 400d\n", "write at most 365d\n");
}

Test(conf_explain, a_size_of_another_daemon_gets_the_one_to_write)
{
	expect(POOL "pm.max_memory = 256 MiB\n",
		"\"256 MiB\" is not a size; write 256M\n");
	expect(POOL "pm.max_memory = 1.5G\n", "write 1536M\n");
	expect(POOL "pm.max_memory = unlimited\n",
		"write 0 for no limit, or a size such as 64M\n");
	expect(POOL "pm.max_memory = much\n",
		"\"much\" is not a size; write one such as 65536, 64K or "
		"10M\n");
	expect("[www]\nmode = cgi\nlisten = /tmp/x.sock\n"
		"handler = /bin/true\ncgi.max_header = 1G\n",
		"1G is out of range; write 256 to 16M\n");
	expect(POOL "rlimit_as = 2 GiB\n", "write 2G\n");
	expect(POOL "rlimit_as = infinity\n", "write unlimited for no limit\n");
	expect(POOL "rlimit_files = 64K\n",
		"\"64K\" is not a number; write 65536\n");
	expect(POOL "rlimit_cpu = 10min\n", "write the seconds, 600\n");
}

static const struct {
	const char *value, *want;
} addresses[] = {
	{"*:9000", "\"*:9000\" is not an address; write 0.0.0.0:9000 or "
		"[::]:9000, and the addresses of the web servers in listen."
		"allowed_clients\n"},
	{"*", "write 0.0.0.0:PORT or [::]:PORT"},
	{"9001, *:9002", "\"*:9002\" is not an address"},
	{":9002", "\":9002\" has no address; write 127.0.0.1:9002, or 9002 for "
		"the same\n"},
	{":x", "\":x\" has no address; write one before the colon"},
	{"tcp://127.0.0.1:9003", "remove tcp://: write 127.0.0.1:9003\n"},
	{"fcgi://127.0.0.1:9003/", "remove fcgi://: write 127.0.0.1:9003\n"},
	{"file:///tmp/x.sock", "remove file://: write /tmp/x.sock\n"},
	{"tcp://*:9003", "\"tcp://*:9003\" is not an address; write one such "
		"as"},
	{"http://127.0.0.1:8000", "\"http://127.0.0.1:8000\": fcgipm speaks "
		"FastCGI, not HTTP; write 127.0.0.1:8000 and let"},
	{"http://unix:/tmp/x.sock", "write unix:/tmp/x.sock and let"},
	{"https://127.0.0.1", "write an address such as 127.0.0.1:9000 and"},
	{"127.0.0.1", "\"127.0.0.1\" has no port; write 127.0.0.1:9000\n"},
	{"[::1]", "\"[::1]\" has no port; write [::1]:9000\n"},
	{"::1:9000", "\"::1:9000\" has no brackets; write [::1]:9000\n"},
	{"9000 default_server", "remove what follows the address: write "
		"9000\n"},
	{"9000 9001", "separate addresses by commas: write 9000, 9001\n"},
	{"\"/tmp/x.sock\"", "remove the quotes: listen = /tmp/x.sock\n"},
	{"\"9000\", \"9001\"", "remove the quotes: listen = 9000, 9001\n"},
	{"\xe2\x80\x9c/tmp/x.sock\xe2\x80\x9d",
		"remove the quotes: listen = /tmp/x.sock\n"},
	{"70000", "a port is 1 to 65535, not \"70000\"\n"},
};

Test(conf_explain, an_address_of_another_daemon_gets_the_one_to_write)
{
	char text[300];
	size_t i;

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		snprintf(text, sizeof(text), LISTEN "%s\n",
			addresses[i].value);
		expect(text, addresses[i].want);
	}
	cr_assert_eq(setenv("FCGIPM_TEST_ADDRESS", "*:9000", 1), 0);
	expect(LISTEN "${FCGIPM_TEST_ADDRESS}\n", "write 0.0.0.0:9000");
}

Test(conf_explain, a_user_that_does_not_exist_is_named)
{
	expect(POOL "user = no-such_\n", "user: there is no user no-such_; "
		"write an existing user, such as ");
	expect(POOL "group = no-such_\n", "group: there is no group no-such_; "
		"write an existing group, such as ");
	expect(POOL "listen.owner = no-such_\n", "there is no user no-such_; "
		"write the user of the web server, such as ");
	expect(POOL "listen.group = no-such_\n", "write a group of the web "
		"server's user, such as ");
	expect(POOL "user = a b_\n", "there is no user \"a b_\"; ");
	expect(POOL "listen.owner = a_:b_\n",
		"write listen.owner = a_ and listen.group = b_, not \"a_:b_\"");
	expect(POOL "user = a_:\n", "write user = a_, not \"a_:\"");
	expect(POOL "user = :b_\n", "write group = b_, not \":b_\"");
	expect("[fcgipm]\ncontrol.owner = a_:b_\n" POOL,
		"write control.owner = a_ and control.group = b_");
}

Test(conf_explain, the_name_of_a_pool_gets_the_one_to_write)
{
	expect("[my app]\n", "[my app]: the name contains a blank; write only "
		"letters, digits, \"-\", \"_\" and dots, such as [my-app]\n");
	expect("[a/b]\n", "the name contains \"/\"; write only");
	expect("[caf\xc3\xa9]\n", "such as [caf]\n");
	expect("[.a]\n", "the name begins with a dot; write a letter or a "
		"digit first, such as [a]\n");
	expect("[]\n", "[]: the name is missing");
	expect("[ ]\n", "such as [app]\n");
	expect("[a2345678901234567890123456789012345678901234567890123456789012"
		"345]\n", "the name has 65 characters; write at most 64\n");
	expect("[app ; the pool\n" "listen = 9000\nhandler = /bin/true\n",
		":1: error: [app: the closing bracket is missing; write "
		"[app]\n");
}

/* Each key that is wrong gets its own line. */
Test(conf_explain, all_wrong_numbers_of_a_dynamic_pool_are_reported)
{
	static const char text[] = POOL "pm = dynamic\npm.max_children = 4\n"
		"pm.start_servers = 6\npm.min_spare_servers = 5\n"
		"pm.max_spare_servers = 3\n";

	expect(text, ":7: error: [www] pm.min_spare_servers: 5 is more than "
		"pm.max_children = 4");
	expect(text, ":7: error: [www] pm.min_spare_servers: 5 is more than "
		"pm.max_spare_servers = 3");
}

Test(conf_explain, a_path_that_is_not_found_names_the_part)
{
	expect("[www]\nlisten = 9000\nhandler = /no_/such/app\n",
		"handler: /no_/such/app: directory /no_ does not exist; name "
		"an existing program\n");
	expect("[www]\nlisten = 9000\nhandler = /bin/sh/app\n",
		"handler: /bin/sh/app: /bin/sh is not a directory; name");
	expect("[www]\nlisten = 9000\nhandler = /usr/no_\n",
		"handler: /usr/no_: No such file or directory; name an "
		"existing program\n");
	expect("[www]\nlisten = 9000\nhandler = /usr\n",
		"handler: /usr is a directory; name a program, or write mode = "
		"cgi and docroot = /usr\n");
	expect("[www]\nmode = cgi\nlisten = 9000\nhandler = /usr\n",
		"name a program, or write docroot = /usr instead of "
		"handler\n");
}

Test(conf_explain, amounts_are_read_and_written)
{
	int64_t v;
	char *text;

	cr_expect_not(amount_read_time("", &v));
	cr_expect_not(amount_read_time("1e3", &v));
	cr_expect_not(amount_read_time("5 5", &v));
	cr_expect_not(amount_read_time("99999999999999999999s", &v));
	cr_expect_not(amount_read_time("0.0001s", &v));
	cr_expect(amount_read_size("1KiB", &v) && v == 1024);
	text = amount_time(0);
	cr_expect_str_eq(text, "0");
	free(text);
	text = amount_time(1500);
	cr_expect_str_eq(text, "1500ms");
	free(text);
	text = amount_size(1025);
	cr_expect_str_eq(text, "1025");
	free(text);
}
