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

#include "base/fd.h"
#include "base/inherit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "master/notify.h"
#include "master/super.h"

static const char usage_text[] =
	"usage: fcgipm [-D] -c FILE         serve what FILE says\n"
	"       fcgipm -t -c FILE           check FILE; -tt prints what holds\n"
	"       fcgipm -l ADDR [OPTION...] -- HANDLER [ARG...]\n"
	"                                   serve one handler without a file\n"
	"\n"
	"  -D          become a daemon; returns when every pool is up\n"
	"  -V, -h      print the version, this help\n"
	"\n"
	"with -l:\n"
	"  -m MODE     prefork (default) or cgi\n"
	"  -n N        workers; in cgi mode programs at once\n"
	"  -u USER     -g GROUP   whom the handler runs as\n"
	"  -M MODE     -U OWNER   -G GROUP   of a unix socket\n"
	"  -c CHROOT   root folder of the handler\n"
	"  -P PIDFILE  where to write our process number\n"
	"\n"
	"ADDR is a path, @name, host:port, [v6]:port or a port; see "
	"fcgipm(8).\n";

/* What the command line says. */
struct options {
	const char *file;	/* -c without -l */
	bool daemon;
	unsigned test;		/* 1 check, 2 and dump */
	bool direct;		/* -l */
	/* Keys of the one pool, in the order given. */
	struct {
		const char *key, *value;
	} set[16];
	size_t nset;
	const char *pidfile;
	char **handler;		/* program and arguments, NULL ended */
};

static int
usage(const char *why)
{
	fprintf(stderr, "fcgipm: %s\nTry fcgipm -h, or man 8 fcgipm.\n", why);
	return EXIT_USAGE;
}

static void
set(struct options *o, const char *key, const char *value)
{
	if (o->nset == ARRAY_SIZE(o->set))
		o->nset--;
	o->set[o->nset].key = key;
	o->set[o->nset++].value = value;
}

/* Does it go together?  rest is what stands behind the options. */
static int
check(struct options *o, char **rest, const char *c_value, bool needs_l)
{
	if (o->direct) {
		if (c_value)
			set(o, "chroot", c_value);
		if (!*rest)
			return usage("write the handler behind the options: "
				"-- HANDLER [ARG...]");
		o->handler = rest;
		return 0;
	}
	o->file = c_value;
	if (needs_l)
		return usage("these options go with -l ADDR; with -c FILE the "
			"file says it");
	if (*rest)
		return usage("arguments without -l ADDR: what are they for?");
	if (!o->file)
		return usage("name a configuration file with -c FILE, or an "
			"address with -l ADDR");
	return 0;
}

/* 0 go on, -1 done with status 0, else an exit code. */
static int
parse(int argc, char **argv, struct options *o)
{
	static const struct {
		char opt;
		const char *key;
	} direct[] = {{'m', "mode"}, {'n', "pm.max_children"}, {'u', "user"},
		{'g', "group"}, {'M', "listen.mode"}, {'U', "listen.owner"},
		{'G', "listen.group"}};
	const char *c_value = NULL;
	bool needs_l = false;
	char why[32];
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "+:c:l:n:m:u:g:M:U:G:P:DtVh")) != -1) {
		for (i = 0; i < ARRAY_SIZE(direct); i++)
			if (direct[i].opt == opt) {
				set(o, direct[i].key, optarg);
				needs_l = true;
			}
		switch (opt) {
		case 'c':
			c_value = optarg;
			break;
		case 'l':
			if (o->direct)
				return usage("write -l once");
			o->direct = true;
			set(o, "listen", optarg);
			break;
		case 'P':
			o->pidfile = optarg;
			needs_l = true;
			break;
		case 'D':
			o->daemon = true;
			break;
		case 't':
			o->test++;
			break;
		case 'V':
			printf("fcgipm %s\n", FCGIPM_VERSION);
			return -1;
		case 'h':
			fputs(usage_text, stdout);
			return -1;
		case ':':
			snprintf(why, sizeof(why), "-%c needs a value", optopt);
			return usage(why);
		case '?':
			snprintf(why, sizeof(why), "-%c is no option", optopt);
			return usage(why);
		}
	}
	return check(o, argv + optind, c_value, needs_l);
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
	const char *base = strrchr(o->handler[0], '/');
	struct conf_pool *p;
	char *args;
	size_t i;

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
	int code;

	if (inherit_nothing() < 0)
		return EXIT_SYSTEM;
	log_ident("fcgipm");
	code = parse(argc, argv, &o);
	if (code != 0)
		return code < 0 ? 0 : code;
	notify_init();
	if (read_conf(&o, &c) < 0) {
		code = EXIT_CONFIG;
	} else if (o.test > 0) {
		if (o.test > 1)
			conf_dump(&c, stdout);
		else
			fprintf(stderr, "fcgipm: the configuration is good\n");
	} else {
		code = serve(&o, &c);
	}
	conf_free(&c);
	return code;
}
