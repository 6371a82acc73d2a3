/*
 * options.c - the command line of fcgipm-cgi; see options.h
 *
 * Called by gateway/main.  Values become pool keys, so that the table of keys
 * checks them and says what to write.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "gateway/options.h"

static const char usage_text[] =
	"usage: fcgipm-cgi [-l ADDR]... [-d DOCROOT] [-j MAX] [-e NAME]...\n"
	"                  [-p PROGRAM]... [-o KEY=VALUE]... [HANDLER]\n"
	"\n"
	"  -l ADDR       listen there; without it the listener is fd 0, or\n"
	"                what systemd hands on\n"
	"  -d DOCROOT    folder that every script must lie in\n"
	"  -p PROGRAM    run no other than this one\n"
	"  -j MAX        programs at once (pm.max_children)\n"
	"  -e NAME       hand on this variable of our environment\n"
	"  -o KEY=VALUE  a key of fcgipm.ini(5), as cgi.idle_timeout=30s\n"
	"  -s, -c, -f    as fcgiwrap has them: -l, -j, and what is so anyway\n"
	"  -P POOL -L N  as the supervisor starts it: N listeners\n"
	"  --refuse      as the supervisor starts it: 503 for who waits "
	"longer\n"
	"                than queue_timeout\n"
	"  -V, -h        print the version, this help\n"
	"  HANDLER       the program for every request\n"
	"\n"
	"ADDR is a path, @name, host:port, [v6]:port or a port; see "
	"fcgipm-cgi(8).\n";

int
options_usage(const char *fmt, const char *what)
{
	fputs("fcgipm-cgi: ", stderr);
	fprintf(stderr, fmt, what);
	fputs("\nTry fcgipm-cgi -h, or man 8 fcgipm-cgi.\n", stderr);
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
		return options_usage("-L %s: a number from 1 to 64", text);
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
	case 's':
		if (o->nlisten == LISTENERS_MAX)
			return options_usage("-l %s: too many", arg);
		o->listen[o->nlisten++] = arg;
		return 0;
	case 'd':
		set_key(o, "docroot", arg, ps);
		return 0;
	case 'j':
	case 'c':
		set_key(o, "pm.max_children", arg, ps);
		return 0;
	case 'p':
		if (arg[0] != '/')
			return options_usage("-p %s: write a program's whole "
				"path; the name of a pool is -P", arg);
		vec_add(&o->programs, arg);
		return 0;
	case 'e':
		vec_add(&o->env_names, arg);
		return 0;
	case 'o':
		return set_pair(o, arg, ps);
	case 'L':
		return set_inherited(o, arg);
	case 'R':
		o->refuse = true;
		return 0;
	case 'V':
		printf("fcgipm-cgi %s\n", FCGIPM_VERSION);
		exit(0);
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	case 'P':		/* read before */
	case 'f':		/* stderr goes to the web server always */
		return 0;
	default:
		return options_usage(opt == ':' ? "-%s needs a value" :
						  "-%s is no option",
			(const char[]){(char)optopt, 0});
	}
}

/* Which programs may be run must be said by somebody. */
static int
check_programs(struct options *o, struct conf_problems *ps)
{
	if (o->supervised || o->keys->docroot || o->keys->handler ||
		ps->nerrors > 0)
		return 0;
	if (o->programs.n == 0)
		return options_usage("which programs may run? write -d "
			"DOCROOT (%s allows every file), -p PROGRAM or "
			"HANDLER", "-d /");
	set_key(o, "docroot", "/", ps);
	return 0;
}

int
options_parse(int argc, char **argv, struct options *o,
	struct conf_problems *ps)
{
	static const char letters[] = "+:l:s:d:j:c:p:fe:o:P:L:Vh";
	static const struct option words[] = {
		{"refuse", no_argument, NULL, 'R'}, {0}};
	const char *pool = "cgi";
	int opt, status = 0;

	/* Two passes: the pool's name stands in what the second one says. */
	while ((opt = getopt_long(argc, argv, letters, words,
			NULL)) != -1)
		if (opt == 'P') {
			o->supervised = true;
			pool = optarg;
		}
	conf_init(&o->conf);
	o->keys = conf_add_pool(&o->conf, pool);
	set_key(o, "mode", "cgi", ps);
	optind = 1;
	while (!status && (opt = getopt_long(argc, argv, letters, words,
				   NULL)) != -1)
		status = set_option(o, opt, optarg, ps);
	if (status)
		return status;
	if (optind < argc)
		set_key(o, "handler", argv[optind++], ps);
	if (optind < argc)
		return options_usage("%s: one HANDLER; its arguments go into "
			"-o handler_args=...", argv[optind]);
	return check_programs(o, ps);
}
