/*
 * main.c - the program fcgipm: options, configuration, daemon mode (-D)
 *
 * Reads the configuration file, or makes a configuration of one pool from the
 * options (-l).  Everything after that is left to super_run().  See fcgipm(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cmdline.h"
#include "base/fd.h"
#include "base/inherit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/notify.h"
#include "master/preflight.h"
#include "master/super.h"

/* -c is --config; with -l it is --chroot, as in spawn-fcgi. */
#define KEY_CHROOT CMDLINE_KEY

static const struct cmdline_option option_rows[] = {
	{"c", "config", "FILE", "read the configuration from FILE", 0, true},
	{"D", "daemon", NULL, "run as a daemon; return when every pool is "
		"ready", 0, false},
	{"t", "test", NULL, "check the configuration; given twice, print it",
		0, false},
	{NULL, NULL, NULL, "without a configuration file:", 0, false},
	{"l", "listen", "ADDR", "serve one handler at this address", 0, true},
	{"m", "mode", "MODE", "prefork (default) or cgi", 0, true},
	{"n", "workers", "N", "number of workers (cgi: of programs at once)",
		0, true},
	{"u", "user", "USER", "user that the handler runs as", 0, true},
	{"g", "group", "GROUP", "group that the handler runs as", 0, true},
	{"M", "socket-mode", "MODE", "mode of a unix socket, such as 0660", 0,
		true},
	{"U", "socket-owner", "OWNER", "owner of a unix socket", 0,
		true},
	{"G", "socket-group", "GROUP", "group of a unix socket", 0,
		true},
	{"c", "chroot", "DIR", "root directory of the handler", KEY_CHROOT,
		true},
	{"P", "pidfile", "FILE", "write the PID to FILE", 0, true},
};

static struct cmdline cmdline = {
	.program = "fcgipm",
	.page = "8 fcgipm",
	.usage = "usage: fcgipm [-D] -c FILE\n"
		"       fcgipm -t|-tt [-c FILE]\n"
		"       fcgipm -l ADDR [OPTION]... [--] HANDLER [ARG]...\n",
	.notes = "Default FILE of -t: " CONF_INSTALLED "\n"
		"ADDR is a path, @name, host:port, [v6]:port or a port; see "
		"fcgipm.ini(5).\n",
	.options = option_rows,
	.noptions = ARRAY_SIZE(option_rows),
};

/* What the command line says. */
struct options {
	const char *file;	/* -c without -l */
	bool daemon;
	unsigned test;		/* 1 check, 2 and dump */
	bool direct;		/* -l */
	bool needs_listen;	/* an option that requires -l was given */
	const char *c_value;	/* of -c: a file, or with -l a directory */
	/* Keys of the pool, in the order of the options. */
	struct {
		const char *key, *value;
	} set[ARRAY_SIZE(option_rows)];
	size_t nset;
	const char *pidfile;
	char **handler;		/* program and arguments, then NULL */
};

static void
add_pool_key(struct options *o, const char *key, const char *value)
{
	if (o->nset == ARRAY_SIZE(o->set))
		BUG("an option was given twice");
	o->set[o->nset].key = key;
	o->set[o->nset++].value = value;
}

/* Checks the combination of options.  rest: the arguments after them. */
static int
check_options(struct options *o, char **rest)
{
	if (o->direct && o->file)
		return cmdline_fail(&cmdline, "--config and -l cannot be used "
			"together");
	if (o->direct) {
		if (o->c_value)
			add_pool_key(o, "chroot", o->c_value);
		if (!*rest)
			return cmdline_fail(&cmdline, "missing handler: give "
				"-- HANDLER [ARG]... after the options");
		o->handler = rest;
		return 0;
	}
	if (o->c_value)
		o->file = o->c_value;
	if (o->needs_listen)
		return cmdline_fail(&cmdline, "-m, -n, -u, -g, -M, -U, -G, "
			"--chroot and -P require -l ADDR; with -c FILE, set "
			"the keys in the file");
	if (*rest)
		return cmdline_fail(&cmdline, "unexpected argument \"%s\": "
			"give -c FILE, or -l ADDR -- HANDLER", *rest);
	if (!o->file && o->test > 0)
		o->file = CONF_INSTALLED;
	if (!o->file)
		return cmdline_fail(&cmdline, "missing -c FILE or -l ADDR -- "
			"HANDLER");
	return 0;
}

/* The pool key that an option sets; NULL = none. */
static const char *
pool_key(int key)
{
	static const struct {
		int option;
		const char *key;
	} keys[] = {{'l', "listen"}, {'m', "mode"}, {'n', "pm.max_children"},
		{'u', "user"}, {'g', "group"}, {'M', "listen.mode"},
		{'U', "listen.owner"}, {'G', "listen.group"},
		{KEY_CHROOT, "chroot"}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].option == key)
			return keys[i].key;
	return NULL;
}

static void
set_option(struct options *o, int key, const char *value)
{
	if (pool_key(key)) {
		add_pool_key(o, pool_key(key), value);
		o->needs_listen = true;
	}
	switch (key) {
	case 'c':
		if (cmdline.by_name)
			o->file = value;
		else
			o->c_value = value;
		break;
	case 'l':
		o->direct = true;
		break;
	case 'P':
		o->pidfile = value;
		o->needs_listen = true;
		break;
	case 'D':
		o->daemon = true;
		break;
	case 't':
		o->test++;
		break;
	}
}

/* 0; or CMDLINE_EXIT, and cmdline.status is the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	int key;

	cmdline_begin(&cmdline);
	while ((key = cmdline_next(&cmdline, argc, argv)) > 0)
		set_option(o, key, optarg);
	if (key == CMDLINE_END)
		cmdline.status = check_options(o, argv + optind);
	return key == CMDLINE_EXIT || cmdline.status ? CMDLINE_EXIT : 0;
}

/* The handler's arguments as a value of handler_args, each in quotes. */
static char *
quote_args(char **args)
{
	char *text = mem_strdup(""), *more;
	const char *p;

	for (; *args; args++) {
		more = mem_printf("%s '", text);
		free(text);
		text = more;
		for (p = *args; *p; p++) {
			more = *p == '\'' ? mem_printf("%s'\\''", text) :
					    mem_printf("%s%c", text, *p);
			free(text);
			text = more;
		}
		more = mem_printf("%s'", text);
		free(text);
		text = more;
	}
	return text;
}

static int
conf_from_options(const struct options *o, struct conf *c,
	struct conf_problems *ps)
{
	const char *base;
	struct conf_pool *p;
	char *args;
	size_t i;

	if (!o->handler)
		BUG("-l without a handler");
	base = strrchr(o->handler[0], '/');
	conf_init(c);
	p = conf_add_pool(c, base ? base + 1 : o->handler[0]);
	for (i = 0; i < o->nset; i++)
		(void)conf_pool_set(c, p, o->set[i].key, o->set[i].value, ps);
	(void)conf_pool_set(c, p, "handler", o->handler[0], ps);
	if (o->handler[1]) {
		args = quote_args(o->handler + 1);
		(void)conf_pool_set(c, p, "handler_args", args, ps);
		free(args);
	}
	/* Several of these may run, and would use the same path. */
	(void)conf_set(c, "control", "none", ps);
	if (o->pidfile)
		(void)conf_set(c, "pid", o->pidfile, ps);
	return conf_check(c, ps);
}

static int
read_conf(const struct options *o, struct conf *c)
{
	struct conf_problems ps = {0};
	int rc = o->direct ? conf_from_options(o, c, &ps) :
			     conf_load(o->file, c, &ps);

	if (o->test > 0)
		preflight_check(c, &ps);
	if (ps.nerrors > 0)
		rc = -1;
	/* -tt prints a configuration, of which warnings are comments. */
	if (o->test > 1 && rc == 0)
		conf_problems_comment(&ps, stdout);
	else
		conf_problems_print(&ps, stderr);
	if (rc < 0)
		fprintf(stderr, "fcgipm: %zu error%s in the configuration\n",
			ps.nerrors, ps.nerrors == 1 ? "" : "s");
	conf_problems_free(&ps);
	return rc;
}

/* In the parent process of -D: waits for the result of the start, which becomes
 * its exit status. */
static int
wait_for_daemon(int fd)
{
	unsigned char code;
	ssize_t n;

	do {
		n = read(fd, &code, 1);
	} while (n < 0 && errno == EINTR);
	/* End of file: the daemon died.  The reason is on the same stderr. */
	return n == 1 ? code : EXIT_INTERNAL;
}

/*
 * Starts the daemon process.  It redirects its standard streams when it reports
 * the result of the start.
 * returns -1 in the daemon, with *ret_reportfd; the exit code in the parent.
 */
static int
become_daemon(int *ret_reportfd)
{
	int readfd = -1, writefd = -1;
	pid_t pid;

	if (fd_pipe(0, 0, &readfd, &writefd) < 0) {
		/* Action: raise the limit of open files (LimitNOFILE=). */
		log_error("-D: cannot create a pipe: %s; fcgipm exits", strerror(errno));
		return EXIT_SYSTEM;
	}
	pid = fork();
	if (pid < 0) {
		/* Action: free memory or raise the limit of processes
		 * (TasksMax=). */
		log_error("-D: cannot fork: %s; fcgipm exits", strerror(errno));
		return EXIT_SYSTEM;
	}
	if (pid > 0) {
		fd_close(&writefd);
		return wait_for_daemon(readfd);
	}
	fd_close(&readfd);
	if (setsid() < 0 || chdir("/") < 0) {
		/* Action: start fcgipm without -D, in a service manager, and
		 * report it. */
		log_error("-D: cannot detach from the terminal (setsid or "
			"chdir to /): %s; fcgipm exits", strerror(errno));
		_exit(EXIT_SYSTEM);
	}
	*ret_reportfd = writefd;
	return -1;
}

static int
serve(const struct options *o, const struct conf *c)
{
	struct super_opts so = {.reportfd = -1};
	const char *target = c->log;
	int code;

	/* The stderr of a daemon is /dev/null. */
	if (o->daemon && strcmp(target, "stderr") == 0)
		target = "syslog";
	if (log_open(target, (enum log_level)c->log_level,
		    (enum log_format)c->log_format) < 0) {
		fprintf(stderr, "fcgipm: log: %s: %s; set log to a writable "
			"path\n", target, strerror(errno));
		return EXIT_SYSTEM;
	}
	if (o->daemon) {
		log_echo(true);
		code = become_daemon(&so.reportfd);
		if (code >= 0)
			return code;
	}
	so.nofile = fd_raise_limit();
	return super_run(c, &so);
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct conf c = {0};
	int code = 0;

	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	log_ident("fcgipm");
	if (parse_options(argc, argv, &o) == CMDLINE_EXIT)
		return cmdline.status;
	notify_init();
	if (read_conf(&o, &c) < 0) {
		code = EXIT_CONFIG;
	} else if (o.test > 0) {
		if (o.test > 1)
			conf_dump(&c, stdout);
		else
			fprintf(stderr, "fcgipm: %s%sthe configuration is "
				"valid\n", o.file ? o.file : "",
				o.file ? ": " : "");
	} else {
		code = serve(&o, &c);
	}
	conf_free(&c);
	return code;
}
