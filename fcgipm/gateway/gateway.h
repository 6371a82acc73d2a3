/*
 * gateway.h - what all parts of fcgipm-cgi share
 *
 * Modules of this directory, each above all that it includes:
 *
 *	script, capacity, writer	one process; what may be open; output
 *	reaper, failure		its end; what goes wrong, in words
 *	locate, program		which file a request runs
 *	body, answer		in and out of the program
 *	request, request_run	one request
 *	conn, conn_records	one connection
 *	server			listeners
 *	options, listeners, main	the command line
 *
 * What a lower one has to say to a higher one it says by callbacks.
 */
#ifndef FCGIPM_GATEWAY_GATEWAY_H
#define FCGIPM_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capacity;
struct conf_pool;
struct loop;
struct privs;
struct reaper;

/* Everything main() decided; read only from then on. */
struct gateway_opts {
	const struct conf_pool *pool;	/* its cgi.* keys and max_children */
	const char *docroot;	/* no trailing slash, "" = /; NULL = none */
	char *const *handler;	/* its argv, for every request; NULL = none */
	const char *handler_dir;	/* its directory, NULL without */
	char *const *programs;	/* no other is run; NULL = no such list */
	char *const *own_env;	/* the administrator's NAME=VALUE, NULL ended */
	char *const *base_env;	/* what a parameter may replace; NULL ended */
	const struct privs *child;	/* limits of a program */
	const char *user;	/* that we and programs run as, for messages */
	const char *peers;	/* FCGI_WEB_SERVER_ADDRS, NULL = all */
	int nullfd;		/* /dev/null, the body of a request without */
};

/* Programs whose file has the same key share what is remembered of them; that
 * confuses nothing but how soon they are watched. */
#define GATEWAY_KEYS 256

/* What the connections and requests of the process share. */
struct gateway {
	struct loop *loop;
	const struct gateway_opts *opts;
	struct capacity *capacity;	/* what may be open at once */
	struct reaper *reaper;	/* the programs that run */
	bool brief[GATEWAY_KEYS];	/* did the last run of the program end
					 * at once? */
};

#endif
