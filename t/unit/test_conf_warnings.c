/*
 * test_conf_warnings.c - tests the warnings about a valid configuration (conf/)
 */
#include <string.h>

#include "load.h"

TestSuite(conf, .init = load_open, .fini = load_close);

static const struct {
	const char *text, *want;	/* NULL: no warning */
} effects[] = {
	{HEAD "queue_timeout = 1s\n", NULL},
	{HEAD "queue_timeout = 1s\nlisten.backlog = 9000\n",
		"lower listen.backlog"},
	{HEAD "listen.backlog = 9000\n", NULL},
	{DYNAMIC "pm.start_servers = 2\npm.min_spare_servers = 2\n"
		"pm.max_spare_servers = 2\npm.max_spawn_rate = 2\n",
		NULL},
	{HEAD "pm = ondemand\npm.max_spawn_rate = 2\n"
		"pm.process_idle_timeout = 2\n", NULL},
	{HEAD "pm.max_requests = 2\npm.max_retiring = 2\n", NULL},
	{HEAD "pm.start_servers = 2\n",
		":4: [www] pm.start_servers: no effect with pm = "
		"static; remove it, or write pm = dynamic"},
	{HEAD "pm.min_spare_servers = 9\n",
		":4: [www] pm.min_spare_servers: no effect"},
	{HEAD "pm.max_spare_servers = 9\n",
		":4: [www] pm.max_spare_servers: no effect"},
	{HEAD "pm.max_spawn_rate = 2\n",
		":4: [www] pm.max_spawn_rate: no effect with pm = "
		"static; remove it, or write pm = dynamic or pm "
		"= ondemand"},
	{DYNAMIC "pm.process_idle_timeout = 2\n",
		":6: [www] pm.process_idle_timeout: no effect with "
		"pm = dynamic; remove it, or write pm = "
		"ondemand"},
	{HEAD "pm = ondemand\npm.start_servers = 2\n",
		":5: [www] pm.start_servers: no effect with pm = "
		"ondemand"},
	{HEAD "pm.max_requests = 2\nobserve = kernel\n",
		":4: [www] pm.max_requests: no effect with observe = "
		"kernel"},
	{HEAD "slowlog = x.slow\n",
		":4: [www] slowlog: no effect without "
		"request_slowlog_timeout"},
	{HEAD "slowlog = x.slow\nrequest_slowlog_timeout = 5\n"
		"request_terminate_timeout = 5\n",
		":5: [www] request_slowlog_timeout: no effect: requests "
		"end earlier"},
	{HEAD "slowlog = x.slow\nrequest_slowlog_timeout = 4\n"
		"request_terminate_timeout = 5\n", NULL},
	{HEAD "slowlog = /tmp/x.slow\nrequest_slowlog_timeout = 4\n",
		":4: [www] slowlog: /tmp is writable by other users, who "
		"could redirect fcgipm's writes"},
	{HEAD "accelerate = yes\nobserve = kernel\n",
		":4: [www] accelerate: no effect with observe "
		"= kernel; remove it, or write observe = auto"},
	{HEAD "observe = kernel\n", NULL},
	{HEAD "accelerate = no\nobserve = kernel\n", NULL},
	{"[www]\nlisten = 127.0.0.1:9\nhandler = /bin/true\n"
		"accelerate = yes\n",
		":4: [www] accelerate: no effect over TCP; "
		"remove it, or listen on a path"},
	{HEAD "pm.max_retiring = 2\n",
		":4: [www] pm.max_retiring: no effect without "
		"pm.max_requests"},
	{"[fcgipm]\nprocess.max = 4\n" HEAD "pm.max_age = 1h\n",
		":2: [fcgipm] process.max: a recycled worker is replaced only "
		"after it has exited"},
	{"[fcgipm]\nprocess.max = 5\n" HEAD "pm.max_age = 1h\n",
		NULL},
};

Test(conf, keys_without_effect_get_a_warning)
{
	size_t i, j;

	for (i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
		struct conf_problems ps = {0};
		struct conf c;

		cr_expect_eq(conf_load(write_file("a.ini", effects[i].text), &c,
				     &ps), 0);
		for (j = 0; j < ps.n; j++)
			cr_expect(effects[i].want && strstr(ps.v[j].text,
				effects[i].want), "%s", ps.v[j].text);
		cr_expect_eq(ps.n, effects[i].want != NULL, "%s",
			effects[i].text);
		conf_problems_free(&ps);
		conf_free(&c);
	}
}

/* /upload.jpg/x.pl would run upload.jpg. */
Test(conf, one_interpreter_for_all_with_split_path_gets_a_warning)
{
#define SPLIT "[www]\nlisten = /tmp/x.sock\nmode = cgi\ndocroot = /\n" \
	"cgi.split_path = yes\n"
	static const struct {
		const char *text;
		size_t warnings;
	} rows[] = {{SPLIT, 0}, {SPLIT "cgi.interpreter[.a] = /bin/sh\n", 0},
		{SPLIT "cgi.interpreter = /bin/sh\n", 1},
		{SPLIT "cgi.interpreter = /bin/sh\ncgi.extensions = a\n", 0}};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_problems ps = {0};
		struct conf c;

		cr_expect_eq(conf_load(write_file("a.ini", rows[i].text), &c,
				     &ps), 0);
		cr_expect_eq(ps.n, rows[i].warnings, "%s", rows[i].text);
		if (ps.n > 0)
			cr_expect(strstr(ps.v[0].text, ":5: [www] "
				"cgi.split_path: "), "%s", ps.v[0].text);
		conf_problems_free(&ps);
		conf_free(&c);
	}
}
