/*
 * main.c - the program fcgipmctl: its commands and options; fcgipmctl(8)
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/inherit.h"
#include "base/mem.h"
#include "base/util.h"
#include "ctl/ctl.h"

static const char usage_text[] =
	"usage: fcgipmctl status [-jm] [-c FILE | -s SOCKET] [POOL]\n"
	"       fcgipmctl call ADDR [-iv] [-p NAME=VALUE]... [-b FILE] "
	"[-T SEC] URL\n"
	"       fcgipmctl ping ADDR [-T SEC]\n"
	"       fcgipmctl bench ADDR [-c N] -d SEC|-n N [-jk] [-b SIZE]\n"
	"                 [-p NAME=VALUE]... [-T SEC] [URL]\n"
	"\n"
	"  -c FILE        status: the supervisor's configuration\n"
	"  -s SOCKET      status: its control socket\n"
	"  -m             status: CPU and memory of each worker too\n"
	"  -p NAME=VALUE  a parameter, as SCRIPT_FILENAME=/srv/a.cgi\n"
	"  -b FILE        the body (- is standard input); bench: its size\n"
	"  -i             print the header too\n"
	"  -v             tell the exit status and the time\n"
	"  -T SEC         give up after so long (30; ping: 2)\n"
	"  -c N           connections at once (1)\n"
	"  -d SEC, -n N   for so long, or so many requests\n"
	"  -k             keep connections\n"
	"  -j             print JSON\n"
	"\n"
	"ADDR is a path, @name, host:port, [v6]:port or a port; see "
	"fcgipmctl(8).\n";

static const struct {
	const char *name;
	const char *options;	/* for getopt */
	int (*run)(const struct ctl_options *o);
	bool needs_url;
	int64_t timeout_ms;	/* unless -T says otherwise */
} commands[] = {
	{"call", ":p:b:T:iv", ctl_call, true, 30000},
	{"ping", ":T:", ctl_ping, false, 2000},
	{"bench", ":p:b:T:c:d:n:jk", ctl_bench, false, 30000},
};

static int
usage(const char *why)
{
	fprintf(stderr, "fcgipmctl: %s\nTry fcgipmctl -h, or man 8 "
		"fcgipmctl.\n", why);
	return EXIT_USAGE;
}

const char *
ctl_result_name(enum exchange_result r)
{
	static const char *const names[EXCHANGE_RESULTS] = {
		[EXCHANGE_OK] = "ok",
		[EXCHANGE_CONNECT] = "connect",
		[EXCHANGE_RESET] = "reset",
		[EXCHANGE_TRUNCATED] = "truncated",
		[EXCHANGE_PROTOCOL] = "protocol",
		[EXCHANGE_TIMEOUT] = "timeout",
	};

	return names[r];
}

int
ctl_exit_code(enum exchange_result r, unsigned status)
{
	switch (r) {
	case EXCHANGE_OK:
		return status >= 500 ? CTL_SERVER_ERROR :
			status >= 400 ? CTL_CLIENT_ERROR : CTL_OK;
	case EXCHANGE_CONNECT:
		return CTL_CONNECT;
	case EXCHANGE_TIMEOUT:
		return CTL_TIMEOUT;
	default:
		return CTL_PROTOCOL;
	}
}

/* A number above 0 that ends the text; false for anything else. */
static bool
parse_positive(const char *text, double max, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v > 0) || v > max)
		return false;
	*ret = v;
	return true;
}

/* NULL, or what is wrong. */
static const char *
set_option(struct ctl_options *o, int opt, const char *value)
{
	double v = 0;

	switch (opt) {
	case 'p':
		if (!strchr(value, '=') || value[0] == '=')
			return "write -p NAME=VALUE";
		o->params = mem_realloc(o->params, o->nparams + 1,
			sizeof(*o->params));
		o->params[o->nparams++] = value;
		return NULL;
	case 'b':
		o->body = value;
		return NULL;
	case 'i':
		o->headers = true;
		return NULL;
	case 'j':
		o->json = true;
		return NULL;
	case 'k':
		o->keep = true;
		return NULL;
	case 'v':
		o->verbose = true;
		return NULL;
	case 'T':
		if (!parse_positive(value, 86400, &v))
			return "write -T SECONDS";
		o->timeout_ms = (int64_t)(v * 1000) + 1;
		return NULL;
	case 'c':
		if (!parse_positive(value, 10000, &v) || v < 1)
			return "write -c with 1 to 10000 connections";
		o->connections = (unsigned)v;
		return NULL;
	case 'd':
		if (!parse_positive(value, 86400, &v))
			return "write -d SECONDS";
		o->seconds = v;
		return NULL;
	case 'n':
		if (!parse_positive(value, 1e12, &v))
			return "write -n REQUESTS";
		o->requests = (uint64_t)v;
		return NULL;
	}
	return "no such option, or it needs a value";
}

static int
run(size_t command, int argc, char **argv)
{
	struct ctl_options o = {
		.connections = 1,
		.timeout_ms = commands[command].timeout_ms,
	};
	const char *words[3] = {NULL}, *why = NULL;
	size_t n = 0;
	int opt, code;

	/* getopt moves the address and the URL behind the options. */
	while (!why &&
		(opt = getopt(argc, argv, commands[command].options)) != -1)
		why = set_option(&o, opt, optarg);
	for (; optind < argc && n < ARRAY_SIZE(words); optind++)
		words[n++] = argv[optind];
	if (!why && (n < 1 || n > 2))
		why = "write an address, then a URL";
	if (!why && addr_parse(words[0], &o.addr, &why) < 0 && !why)
		why = "write an address";
	if (!why && commands[command].needs_url && !words[1])
		why = "write a URL, as /hello?name=you";
	o.url = words[1] ? words[1] : "/";
	code = why ? usage(why) : commands[command].run(&o);
	free(o.params);
	return code;
}

int
main(int argc, char **argv)
{
	size_t i;

	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return usage("write a command: status, call, ping or bench");
	if (strcmp(argv[1], "-V") == 0) {
		printf("fcgipmctl %s\n", FCGIPM_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		fputs(usage_text, stdout);
		return 0;
	}
	if (strcmp(argv[1], "status") == 0)
		return ctl_status(argc - 1, argv + 1);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[1]) == 0)
			return run(i, argc - 1, argv + 1);
	return usage("no such command; there are status, call, ping "
		"and bench");
}
