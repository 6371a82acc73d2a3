/*
 * options.h - the command line of fcgipm-cgi(8)
 *
 * Our own letters, those of fcgiwrap, and what the supervisor passes.
 */
#ifndef FCGIPM_GATEWAY_OPTIONS_H
#define FCGIPM_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"
#include "conf/conf.h"

#define LISTENERS_MAX 64

struct options {
	bool supervised;	/* a pool's worker (-P), not by hand */
	bool refuse;		/* --refuse: 503 for who waits too long */
	int inherited;		/* -L: sockets the supervisor hands on */
	const char *listen[LISTENERS_MAX];	/* -l, -s; borrowed */
	size_t nlisten;
	struct vec env_names;	/* -e */
	struct vec programs;	/* -p: the only ones that are run */
	struct conf conf;
	struct conf_pool *keys;	/* -o, -d, -j and HANDLER, in conf */
};

/*
 * options_parse - argv to options
 *
 * Ends the process after --help, --version and what is no option.
 *
 * ps		gets what is wrong with values of keys
 * returns	0, or EXIT_USAGE after a message
 */
int options_parse(int argc, char **argv, struct options *ret_o,
	struct conf_problems *ps);

/* Prints what is wrong with the command line; EXIT_USAGE. */
int options_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
