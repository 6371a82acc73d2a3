/*
 * main.c - the program fcgipm: its options, and becoming a daemon
 *
 * fcgipm(8).  Reads the configuration or makes one from options, then leaves
 * everything to super_run().
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
#include "master/super.h"

/* -c means --config, but with -l --chroot, as spawn-fcgi has it. */
#define KEY_CHROOT CMDLINE_KEY

static const struct cmdline_option option_rows[] = {
	{"c", "config", "FILE", "serve what FILE says", 0, true},
	{"D", "daemon", NULL, "become a daemon; returns when every pool is "
		"up", 0, false},
	{"t", "test", NULL, "check the configuration; given twice, print it",
		0, false},
	{NULL, NULL, NULL, "without a file:", 0, false},
	{"l", "listen", "ADDR", "serve one handler at this address", 0, true},
	{"m", "mode", "MODE", "prefork (default) or cgi", 0, true},
	{"n", "workers", "N", "workers; in cgi mode programs at once", 0,
		true},
	{"u", "user", "USER", "user the handler runs as", 0, true},
	{"g", "group", "GROUP", "group the handler runs as", 0, true},
	{"M", "socket-mode", "MODE", "mode of a unix socket, such as 0660", 0,
		true},
	{"U", "socket-owner", "OWNER", "its owner", 0, true},
	{"G", "socket-group", "GROUP", "its group", 0, true},
	{"c", "chroot", "DIR", "root directory of the handler", KEY_CHROOT,
		true},
	{"P", "pidfile", "FILE", "write the process number to FILE", 0,
		true},
};

static struct cmdline cmdline = {
	.program = "fcgipm",
	.page = "8 fcgipm",
	.usage = "usage: fcgipm [-D] -c FILE\n"
		"       fcgipm -t|-tt [-c FILE]\n"
		"       fcgipm -l ADDR [OPTION]... -- HANDLER [ARG]...\n",
	.notes = "With -t, FILE is " CONF_INSTALLED " unless given.\n"
		"ADDR is a path, @name, host:port, [v6]:port or a port; see "
		"fcgipm(8).\n",
	.options = option_rows,
	.noptions = ARRAY_SIZE(option_rows),
};

/* What the command line says. */
struct options {
	const char *file;	/* -c without -l */
	bool daemon;
	unsigned test;		/* 1 check, 2 and dump */
	bool direct;		/* -l */
	bool needs_listen;	/* an option that goes with -l */
	const char *c_value;	/* -c: a file, or with -l the root */
	/* Keys of the one pool, in the order given. */
	struct {
		const char *key, *value;
	} set[ARRAY_SIZE(option_rows)];
	size_t nset;
	const char *pidfile;
	char **handler;		/* program and arguments, NULL ended */
};

static void
add_pool_key(struct options *o, const char *key, const char *value)
{
	if (o->nset == ARRAY_SIZE(o->set))
		BUG("an option was given twice");
	o->set[o->nset].key = key;
	o->set[o->nset++].value = value;
}

/* Does it go together?  rest is what stands behind the options. */
static int
check_options(struct options *o, char **rest)
{
	if (o->direct && o->file)
		return cmdline_fail(&cmdline, "--config and -l exclude each "
			"other");
	if (o->direct) {
		if (o->c_value)
			add_pool_key(o, "chroot", o->c_value);
		if (!*rest)
			return cmdline_fail(&cmdline, "missing handler: write "
				"-- HANDLER [ARG...] after the options");
		o->handler = rest;
		return 0;
	}
	if (o->c_value)
		o->file = o->c_value;
	if (o->needs_listen)
		return cmdline_fail(&cmdline, "these options go with -l ADDR; "
			"with -c FILE the file says it");
	if (*rest)
		return cmdline_fail(&cmdline, "unexpected argument \"%s\": "
			"give -c FILE, or -l ADDR -- HANDLER", *rest);
	if (!o->file && o->test > 0)
		o->file = CONF_INSTALLED;
	if (!o->file)
		return cmdline_fail(&cmdline, "name a configuration file with "
			"-c FILE, or an address with -l ADDR");
	return 0;
}

/* The key of the pool that an option gives; NULL = it gives none. */
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

/* 0, or CMDLINE_EXIT and an exit status. */
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

/* The handler's arguments as a value of handler_args, each one quoted. */
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
	/* Many run at once in the manner of spawn-fcgi. */
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

	conf_problems_print(&ps, stderr);
	if (rc < 0)
		fprintf(stderr, "fcgipm: %zu error%s in the configuration\n",
			ps.nerrors, ps.nerrors == 1 ? "" : "s");
	conf_problems_free(&ps);
	return rc;
}

/* The parent of -D: waits for the daemon's word and ends with it. */
static int
wait_for_daemon(int fd)
{
	unsigned char code;
	ssize_t n;

	do {
		n = read(fd, &code, 1);
	} while (n < 0 && errno == EINTR);
	/* No word at all: it died, and said why on the same stderr. */
	return n == 1 ? code : EXIT_INTERNAL;
}

/*
 * Into the background, standard streams to /dev/null once the caller is told.
 * returns -1 in the daemon with *ret_tellfd, else the caller's exit code.
 */
static int
become_daemon(int *ret_tellfd)
{
	int readfd = -1, writefd = -1;
	pid_t pid;

	if (fd_pipe(0, 0, &readfd, &writefd) < 0) {
		log_error("pipe: %s", strerror(errno));
		return EXIT_SYSTEM;
	}
	pid = fork();
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return EXIT_SYSTEM;
	}
	if (pid > 0) {
		fd_close(&writefd);
		return wait_for_daemon(readfd);
	}
	fd_close(&readfd);
	if (setsid() < 0 || chdir("/") < 0) {
		log_error("setsid, chdir: %s", strerror(errno));
		_exit(EXIT_SYSTEM);
	}
	*ret_tellfd = writefd;
	return -1;
}

static int
serve(const struct options *o, const struct conf *c)
{
	struct super_opts so = {.tellfd = -1};
	const char *target = c->log;
	int code;

	/* A daemon has no stderr. */
	if (o->daemon && strcmp(target, "stderr") == 0)
		target = "syslog";
	if (log_open(target, (enum log_level)c->log_level,
		    (enum log_format)c->log_format) < 0) {
		fprintf(stderr, "fcgipm: log: %s: %s\n", target,
			strerror(errno));
		return EXIT_SYSTEM;
	}
	if (o->daemon) {
		log_echo(true);
		code = become_daemon(&so.tellfd);
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
				"good\n", o.file ? o.file : "",
				o.file ? ": " : "");
	} else {
		code = serve(&o, &c);
	}
	conf_free(&c);
	return code;
}
