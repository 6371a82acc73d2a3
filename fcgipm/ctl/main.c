/*
 * main.c - the program fcgipmctl: parses the command and its options
 *
 * Each command has a table of options and a function that executes it, in a
 * file of its own.  See fcgipmctl(8).
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

/* bench uses -c for --connections, status for --config. */
#define KEY_CONNECTIONS CMDLINE_KEY

#define PARAM_ROW                                                              \
	{"p", "param", "NAME=VALUE", "set a FastCGI parameter, such as\n"      \
		"SCRIPT_FILENAME=/srv/a.cgi", 0, false}
#define TIMEOUT_ROW(seconds)                                                   \
	{"T", "timeout", "SEC", "give up after SEC seconds (default " seconds  \
		")", 0, true}

static const struct cmdline_option status_rows[] = {
	{"c", "config", "FILE", "configuration file of fcgipm", 0,
		true},
	{"s", "socket", "SOCKET", "control socket of fcgipm", 0, true},
	{"m", "measure", NULL, "print CPU time and memory of each worker, too",
		0, false},
	{"j", "json", NULL, "print JSON", 0, false},
	TIMEOUT_ROW("10"),
};

static const struct cmdline_option call_rows[] = {
	PARAM_ROW,
	{"b", "body", "FILE", "send FILE as the body (- is standard input)",
		0, true},
	{"i", "include", NULL, "print the header of the response, too", 0,
		false},
	{"v", "verbose", NULL, "print status, exit status, size and time, too",
		0, false},
	TIMEOUT_ROW("30"),
};

static const struct cmdline_option ping_rows[] = {TIMEOUT_ROW("2")};

static const struct cmdline_option bench_rows[] = {
	{"c", "connections", "N", "number of connections (default 1)",
		KEY_CONNECTIONS, true},
	{"d", "duration", "SEC", "run for SEC seconds", 0, true},
	{"n", "requests", "N", "send N requests", 0, true},
	{"k", "keep-alive", NULL, "use connections for several requests", 0,
		false},
	{"b", "body", "SIZE", "send a body of SIZE bytes, such as 10K or 1M",
		0, true},
	PARAM_ROW,
	TIMEOUT_ROW("30"),
	{"j", "json", NULL, "print JSON", 0, false},
};

/* The arguments of a command. */
enum arguments {
	ARGS_POOL,		/* [POOL] */
	ARGS_ADDR,		/* ADDR */
	ARGS_ADDR_URL,		/* ADDR URL */
	ARGS_ADDR_ANY_URL	/* ADDR [URL] */
};

static struct command {
	int (*run)(const struct ctl_options *o);
	enum arguments arguments;
	int64_t timeout_ms;	/* default of -T */
	const char *summary;
	struct cmdline cmdline;	/* main() sets its program and page */
} commands[] = {
	{ctl_status, ARGS_POOL, 10000, "print the state of pools and workers", {
		.command = "status",
		.usage = "usage: fcgipmctl status [-jm] [-c FILE | -s SOCKET] "
			"[-T SEC] [POOL]\n",
		.notes = "Default FILE: " CONF_INSTALLED "\n",
		.options = status_rows,
		.noptions = ARRAY_SIZE(status_rows)}},
	{ctl_call, ARGS_ADDR_URL, 30000, "send one request", {
		.command = "call",
		.usage = "usage: fcgipmctl call ADDR [-iv] [-p NAME=VALUE]... "
			"[-b FILE] [-T SEC] URL\n",
		.notes = ADDRESS_NOTE,
		.options = call_rows,
		.noptions = ARRAY_SIZE(call_rows)}},
	{ctl_ping, ARGS_ADDR, 2000, "check that a program answers FastCGI", {
		.command = "ping",
		.usage = "usage: fcgipmctl ping ADDR [-T SEC]\n",
		.notes = ADDRESS_NOTE,
		.options = ping_rows,
		.noptions = ARRAY_SIZE(ping_rows)}},
	{ctl_bench, ARGS_ADDR_ANY_URL, 30000, "send many requests and measure "
		"their latency", {
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

/* Parses a number above 0 and at most max; false for any other text. */
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

/* NULL, or an error. */
static const char *
set_number(struct ctl_options *o, int key, const char *value)
{
	double v = 0;

	switch (key) {
	case 'T':
		if (!parse_positive(value, 86400, &v))
			return "-T takes a number of seconds, such as -T 2.5";
		o->timeout_ms = (int64_t)(v * 1000) + 1;
		break;
	case KEY_CONNECTIONS:
		if (!parse_positive(value, 10000, &v) || v < 1)
			return "-c takes 1 to 10000 connections";
		o->connections = (unsigned)v;
		break;
	case 'd':
		if (!parse_positive(value, 86400, &v))
			return "-d takes a number of seconds, such as -d 10";
		o->seconds = v;
		break;
	case 'n':
		if (!parse_positive(value, 1e12, &v))
			return "-n takes a number of requests, such as -n 1000";
		o->requests = (uint64_t)v;
		break;
	}
	return NULL;
}

/* Sets what an option says; NULL, or an error. */
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
			return "-p takes NAME=VALUE";
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

/* The arguments after the options, then NULL; 0, or EXIT_USAGE. */
static int
set_arguments(struct ctl_options *o, const struct command *c, char **argv)
{
	const char *why = NULL;

	if (c->arguments == ARGS_POOL) {
		o->pool = *argv;
		argv += *argv != NULL;
	} else if (!*argv) {
		return cmdline_fail(&c->cmdline, "missing address, such as "
			"fcgipmctl %s /run/fcgipm/app.sock%s",
			c->cmdline.command,
			c->arguments == ARGS_ADDR_URL ? " /hello" : "");
	} else {
		if (addr_parse(*argv, &o->addr, &why) < 0)
			return cmdline_fail(&c->cmdline, "%s: %s", *argv,
				why ? why : "invalid address");
		argv++;
		o->url = *argv && c->arguments != ARGS_ADDR ? *argv++ : NULL;
	}
	if (*argv)
		return cmdline_fail(&c->cmdline, "unexpected argument \"%s\"",
			*argv);
	if (c->arguments == ARGS_ADDR_URL && !o->url)
		return cmdline_fail(&c->cmdline,
			"missing URL, such as /hello?name=you");
	if (!o->url)
		o->url = "/";
	return 0;
}

/* argv[0] is the name of the command. */
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

/* The usage of the program: each command with its summary. */
static char *
list_commands(void)
{
	char *text = mem_strdup("usage: fcgipmctl COMMAND [ARGUMENT | "
		"OPTION]...\n\n"), *more;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		more = mem_printf("%s  %-8s %s\n", text,
			commands[i].cmdline.command, commands[i].summary);
		free(text);
		text = more;
	}
	more = mem_printf("%s  %-8s %s\n", text, "help",
		"print the options of a command");
	free(text);
	return more;
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
		return cmdline_fail(&cmdline, "missing command: give status, "
			"call, ping or bench");
	if (strcmp(argv[0], "help") == 0)
		return run_help(argv[1]);
	c = find_command(argv[0]);
	if (!c)
		return cmdline_fail(&cmdline, "unknown command \"%s\"; give "
			"status, call, ping or bench", argv[0]);
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
