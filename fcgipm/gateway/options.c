/*
 * options.c - parses the command line of fcgipm-cgi; see options.h
 *
 * Called by gateway/main.  Values are stored under pool keys, so that the table
 * of keys (conf/table) validates them and says what to write.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cmdline.h"
#include "base/mem.h"
#include "base/util.h"
#include "gateway/options.h"

#define KEY_REFUSE CMDLINE_KEY

static const struct cmdline_option option_rows[] = {
	{"ls", "listen", "ADDR", "listen on this address (default: the "
		"sockets\npassed by systemd, or descriptor 0)", 0, false},
	{"d", "docroot", "DIR", "run only files beneath this directory", 0,
		true},
	{"p", "program", "PATH", "run only this program", 0, false},
	{"jc", "jobs", "MAX", "run at most MAX programs at once (default: 32)",
		0, true},
	{"e", "env", "NAME", "pass this environment variable to programs", 0,
		false},
	{"o", "option", "KEY=VALUE", "set a key of fcgipm.ini(5), such as\n"
		"cgi.idle_timeout=30s", 0, false},
	{"f", "forward-stderr", NULL, "fcgiwrap compatibility: accepted and "
		"ignored\n(always on)", 0, false},
	{NULL, NULL, NULL, "used by fcgipm(8):", 0, false},
	{"P", "pool", "POOL", "name of the pool", 0, false},
	{"L", "listeners", "N", "number of listening sockets passed", 0, false},
	{NULL, "refuse", NULL, "answer 503 to clients that wait longer than\n"
		"queue_timeout", KEY_REFUSE, false},
};

static struct cmdline cmdline = {
	.program = "fcgipm-cgi",
	.page = "8 fcgipm-cgi",
	.usage = "usage: fcgipm-cgi [-l ADDR]... [-d DIR] [-j MAX] "
		"[-e NAME]... [-p PATH]...\n"
		"                  [-o KEY=VALUE]... [HANDLER]\n",
	.notes = "HANDLER is the program for every request.\n"
		"ADDR is a path, @name, host:port, [v6]:port or a port; see "
		"fcgipm-cgi(8).\n",
	.options = option_rows,
	.noptions = ARRAY_SIZE(option_rows),
};

int
options_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cmdline_vfail(&cmdline, fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

static void
set_key(struct options *o, const char *key, const char *value,
	struct conf_problems *ps)
{
	(void)conf_pool_set(&o->conf, o->keys, key, value, ps);
}

/* -o KEY=VALUE; 0 or an exit code. */
static int
set_pair(struct options *o, const char *pair, struct conf_problems *ps)
{
	const char *eq = strchr(pair, '=');
	char *key;

	if (!eq)
		return options_usage("-o %s: write KEY=VALUE", pair);
	key = mem_strndup(pair, (size_t)(eq - pair));
	set_key(o, key, eq + 1, ps);
	free(key);
	return 0;
}

static int
set_inherited(struct options *o, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1 || n > LISTENERS_MAX)
		return options_usage("-L %s: write a number from 1 to 64",
			text);
	o->inherited = (int)n;
	return 0;
}

/* One option; 0 or an exit code. */
static int
set_option(struct options *o, int opt, const char *arg,
	struct conf_problems *ps)
{
	switch (opt) {
	case 'l':
		if (o->nlisten == LISTENERS_MAX)
			return options_usage("-l %s: more than %d addresses",
				arg, LISTENERS_MAX);
		o->listen[o->nlisten++] = arg;
		return 0;
	case 'd':
		set_key(o, "docroot", arg, ps);
		return 0;
	case 'j':
		set_key(o, "pm.max_children", arg, ps);
		return 0;
	case 'p':
		if (arg[0] != '/')
			return options_usage("-p %s: write the absolute path "
				"of a program (a pool is named by -P)", arg);
		vec_add(&o->programs, arg);
		return 0;
	case 'e':
		vec_add(&o->env_names, arg);
		return 0;
	case 'o':
		return set_pair(o, arg, ps);
	case 'L':
		return set_inherited(o, arg);
	case KEY_REFUSE:
		o->refuse = true;
		return 0;
	default:		/* -P was read before, -f is always on */
		return 0;
	}
}

/* Requires an option that says which programs may run. */
static int
check_programs(struct options *o, struct conf_problems *ps)
{
	if (o->supervised || o->keys->docroot || ps->nerrors > 0)
		return 0;
	/* Without docroot, the file of a request is not opened for HANDLER. */
	if (o->programs.n > 0)
		set_key(o, "docroot", "/", ps);
	else if (!o->keys->handler)
		return options_usage("no program is allowed to run: give "
			"-d DIR (-d / allows every file), -p PATH or HANDLER");
	return 0;
}

int
options_parse(int argc, char **argv, struct options *o,
	struct conf_problems *ps)
{
	const char *pool = "cgi";
	int key, status = 0;

	/* Two passes: messages of the second one contain the pool's name. */
	cmdline_begin(&cmdline);
	while ((key = cmdline_next(&cmdline, argc, argv)) > 0)
		if (key == 'P') {
			o->supervised = true;
			pool = optarg;
		}
	if (key == CMDLINE_EXIT)
		exit(cmdline.status);
	conf_init(&o->conf);
	o->keys = conf_add_pool(&o->conf, pool);
	set_key(o, "mode", "cgi", ps);
	cmdline_begin(&cmdline);
	while (!status && (key = cmdline_next(&cmdline, argc, argv)) > 0)
		status = set_option(o, key, optarg, ps);
	if (status)
		return status;
	if (optind < argc)
		set_key(o, "handler", argv[optind++], ps);
	if (optind < argc)
		return options_usage("unexpected argument \"%s\": arguments of "
			"HANDLER go into -o handler_args=...", argv[optind]);
	return check_programs(o, ps);
}
