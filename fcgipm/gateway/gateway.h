/*
 * gateway.h - what all parts of fcgipm-cgi share: its options
 */
#ifndef FCGIPM_GATEWAY_GATEWAY_H
#define FCGIPM_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_pool;
struct privs;

/* Everything main() decided; read only from then on. */
struct gateway_opts {
	const struct conf_pool *pool;	/* its cgi.* keys and max_children */
	const char *docroot;	/* no trailing slash, "" = /; NULL = none */
	char *const *handler;	/* its argv, for every request; NULL = none */
	const char *handler_dir;	/* its folder, NULL without handler */
	char *const *programs;	/* no other is run; NULL = no such list */
	char *const *own_env;	/* the administrator's NAME=VALUE, NULL ended */
	char *const *base_env;	/* what a parameter may replace; NULL ended */
	const struct privs *child;	/* limits of a program */
	const char *user;	/* whom we and programs run as, for messages */
	const char *peers;	/* FCGI_WEB_SERVER_ADDRS, NULL = anybody */
	int nullfd;		/* /dev/null, the body of a request without */
};

#endif
