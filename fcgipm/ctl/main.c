/*
 * main.c - the program fcgipmctl: its commands and options; fcgipmctl(8)
 *
 * Each command has a table of options and a function that runs it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cmdline.h"
#include "base/inherit.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "ctl/ctl.h"

#define ADDRESS_NOTE "ADDR is a path, @name, host:port, [v6]:port or a port; " \
	"see fcgipmctl(8).\n"

/* -c is --config elsewhere. */
#define KEY_CONNECTIONS CMDLINE_KEY

#define PARAM_ROW                                                              \
	{"p", "param", "NAME=VALUE", "a parameter, such as\n"                  \
		"SCRIPT_FILENAME=/srv/a.cgi", 0, false}
#define TIMEOUT_ROW(seconds)                                                   \
	{"T", "timeout", "SEC", "give up after SEC seconds (" seconds ")",     \
		0, true}

static const struct cmdline_option status_rows[] = {
	{"c", "config", "FILE", "the supervisor's configuration", 0, true},
	{"s", "socket", "SOCKET", "its control socket", 0, true},
	{"m", "measure", NULL, "CPU time and memory of each worker too", 0,
		false},
	{"j", "json", NULL, "print JSON", 0, false},
	TIMEOUT_ROW("10"),
};

static const struct cmdline_option call_rows[] = {
	PARAM_ROW,
	{"b", "body", "FILE", "send FILE as the body (- is standard input)",
		0, true},
	{"i", "include", NULL, "print the header of the answer too", 0,
		false},
	{"v", "verbose", NULL, "print exit status, size and time too", 0,
		false},
	TIMEOUT_ROW("30"),
};

static const struct cmdline_option ping_rows[] = {TIMEOUT_ROW("2")};

static const struct cmdline_option bench_rows[] = {
	{"c", "connections", "N", "connections at once (1)",
		KEY_CONNECTIONS, true},
	{"d", "duration", "SEC", "run for SEC seconds", 0, true},
	{"n", "requests", "N", "send N requests", 0, true},
	{"k", "keep-alive", NULL, "keep connections", 0, false},
	{"b", "body", "SIZE", "send a body of SIZE bytes; K and M are units",
		0, true},
	PARAM_ROW,
	TIMEOUT_ROW("30"),
	{"j", "json", NULL, "print JSON", 0, false},
};

/* How many arguments a command takes, and what they are. */
enum arguments {
	ARGS_POOL,		/* [POOL] */
	ARGS_ADDR,		/* ADDR */
	ARGS_ADDR_URL,		/* ADDR URL */
	ARGS_ADDR_ANY_URL	/* ADDR [URL] */
};

static struct command {
	int (*run)(const struct ctl_options *o);
	enum arguments arguments;
	int64_t timeout_ms;	/* unless -T says otherwise */
	const char *summary;
	struct cmdline cmdline;	/* main() fills in the program */
} commands[] = {
	{ctl_status, ARGS_POOL, 10000, "print what a supervisor's workers do", {
		.command = "status",
		.usage = "usage: fcgipmctl status [-jm] [-c FILE | -s SOCKET] "
			"[-T SEC] [POOL]\n",
		.notes = "Without -c and -s, FILE is " CONF_INSTALLED ".\n",
		.options = status_rows,
		.noptions = ARRAY_SIZE(status_rows)}},
	{ctl_call, ARGS_ADDR_URL, 30000, "send one request", {
		.command = "call",
		.usage = "usage: fcgipmctl call ADDR [-iv] [-p NAME=VALUE]... "
			"[-b FILE] [-T SEC] URL\n",
		.notes = ADDRESS_NOTE,
		.options = call_rows,
		.noptions = ARRAY_SIZE(call_rows)}},
	{ctl_ping, ARGS_ADDR, 2000, "ask whether a program speaks FastCGI", {
		.command = "ping",
		.usage = "usage: fcgipmctl ping ADDR [-T SEC]\n",
		.notes = ADDRESS_NOTE,
		.options = ping_rows,
		.noptions = ARRAY_SIZE(ping_rows)}},
	{ctl_bench, ARGS_ADDR_ANY_URL, 30000, "send many requests and time "
		"them", {
		.command = "bench",
		.usage = "usage: fcgipmctl bench ADDR [-c N] -d SEC|-n N [-jk] "
			"[-b SIZE]\n"
			"                       [-p NAME=VALUE]... [-T SEC] "
			"[URL]\n",
		.notes = ADDRESS_NOTE,
		.options = bench_rows,
		.noptions = ARRAY_SIZE(bench_rows)}},
};

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
set_number(struct ctl_options *o, int key, const char *value)
{
	double v = 0;

	switch (key) {
	case 'T':
		if (!parse_positive(value, 86400, &v))
			return "write -T SECONDS";
		o->timeout_ms = (int64_t)(v * 1000) + 1;
		break;
	case KEY_CONNECTIONS:
		if (!parse_positive(value, 10000, &v) || v < 1)
			return "write -c with 1 to 10000 connections";
		o->connections = (unsigned)v;
		break;
	case 'd':
		if (!parse_positive(value, 86400, &v))
			return "write -d SECONDS";
		o->seconds = v;
		break;
	case 'n':
		if (!parse_positive(value, 1e12, &v))
			return "write -n REQUESTS";
		o->requests = (uint64_t)v;
		break;
	}
	return NULL;
}

/* The same for every option. */
static const char *
set_option(struct ctl_options *o, int key, const char *value)
{
	switch (key) {
	case 'c':
		o->supervisor.config = value;
		return NULL;
	case 's':
		o->supervisor.socket = value;
		return NULL;
	case 'm':
		o->measure = true;
		return NULL;
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
	}
	return set_number(o, key, value);
}

/* NULL, or what is wrong with the address. */
static const char *
set_address(struct ctl_options *o, const char *text)
{
	const char *why = NULL;

	if (!text)
		return "missing address, such as /run/fcgipm/app.sock";
	if (addr_parse(text, &o->addr, &why) < 0)
		return why ? why : "write an address";
	return NULL;
}

/* What follows the options, NULL at its end; 0, or EXIT_USAGE. */
static int
set_arguments(struct ctl_options *o, const struct command *c, char **argv)
{
	const char *why = NULL;

	if (c->arguments == ARGS_POOL) {
		o->pool = *argv;
		argv += *argv != NULL;
	} else {
		why = set_address(o, *argv);
		argv += *argv != NULL;
		o->url = *argv && c->arguments != ARGS_ADDR ? *argv++ : NULL;
	}
	if (!why && *argv)
		return cmdline_fail(&c->cmdline, "unexpected argument \"%s\"",
			*argv);
	if (!why && c->arguments == ARGS_ADDR_URL && !o->url)
		why = "missing URL, such as /hello?name=you";
	if (!o->url)
		o->url = "/";
	return why ? cmdline_fail(&c->cmdline, "%s", why) : 0;
}

/* argv[0] is the command's name. */
static int
run_command(struct command *c, int argc, char **argv)
{
	struct ctl_options o = {
		.connections = 1,
		.timeout_ms = c->timeout_ms,
	};
	const char *why = NULL;
	int key = 0, code;

	/* getopt moves the address and the URL after the options. */
	cmdline_begin(&c->cmdline);
	while (!why && (key = cmdline_next(&c->cmdline, argc, argv)) > 0)
		why = set_option(&o, key, optarg);
	if (why)
		code = cmdline_fail(&c->cmdline, "%s", why);
	else if (key == CMDLINE_EXIT)
		code = c->cmdline.status;
	else
		code = set_arguments(&o, c, argv + optind);
	o.supervisor.timeout_ms = o.timeout_ms;
	if (code == 0 && key == CMDLINE_END)
		code = c->run(&o);
	free(o.params);
	return code;
}

/* -- the program itself ---------------------------------------------------- */

static struct cmdline cmdline = {
	.program = "fcgipmctl",
	.page = "8 fcgipmctl",
	.notes = "fcgipmctl COMMAND --help prints the options of a command.\n",
};

/* Commands are what they are in their own help. */
static char *
list_commands(void)
{
	char *text = mem_strdup("usage: fcgipmctl COMMAND [OPTION]... "
		"[ARGUMENT]...\n\n"), *more;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		more = mem_printf("%s  %-8s %s\n", text,
			commands[i].cmdline.command, commands[i].summary);
		free(text);
		text = more;
	}
	return text;
}

static struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].cmdline.command, name) == 0)
			return &commands[i];
	return NULL;
}

/* help [COMMAND] */
static int
run_help(const char *name)
{
	const struct command *c = name ? find_command(name) : NULL;

	if (name && !c)
		return cmdline_fail(&cmdline, "unknown command \"%s\"", name);
	return cmdline_help(c ? &c->cmdline : &cmdline);
}

static int
run_program(int argc, char **argv)
{
	struct command *c;
	int key;

	cmdline_begin(&cmdline);
	key = cmdline_next(&cmdline, argc, argv);
	if (key == CMDLINE_EXIT)
		return cmdline.status;
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return cmdline_fail(&cmdline, "missing command: status, call, "
			"ping or bench");
	if (strcmp(argv[0], "help") == 0)
		return run_help(argv[1]);
	c = find_command(argv[0]);
	if (!c)
		return cmdline_fail(&cmdline, "unknown command \"%s\"; there "
			"are status, call, ping and bench", argv[0]);
	return run_command(c, argc, argv);
}

int
main(int argc, char **argv)
{
	char *usage;
	size_t i;
	int code;

	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		commands[i].cmdline.program = cmdline.program;
		commands[i].cmdline.page = cmdline.page;
		commands[i].cmdline.permute = true;
	}
	usage = list_commands();
	cmdline.usage = usage;
	code = run_program(argc, argv);
	free(usage);
	return code;
}
