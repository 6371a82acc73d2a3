/*
 * options.h - parses the command line of fcgipm-cgi(8)
 *
 * It accepts the options of fcgipm-cgi, those of fcgiwrap, and those that the
 * supervisor passes.
 */
#ifndef FCGIPM_GATEWAY_OPTIONS_H
#define FCGIPM_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"
#include "conf/conf.h"

#define LISTENERS_MAX 64

struct options {
	bool supervised;	/* started by the supervisor (-P) */
	bool refuse;		/* --refuse */
	int inherited;		/* -L: sockets the supervisor passes */
	const char *listen[LISTENERS_MAX];	/* -l, -s; borrowed */
	size_t nlisten;
	struct vec env_names;	/* -e */
	struct vec programs;	/* -p: the only ones that may run */
	struct conf conf;
	struct conf_pool *keys;	/* -o, -d, -j and HANDLER, in conf */
};

/*
 * options_parse - parse argv
 *
 * Exits after --help, --version and an unknown option.
 *
 * ps		collects invalid values of keys
 * returns	0, or EXIT_USAGE after a message
 */
int options_parse(int argc, char **argv, struct options *ret_o,
	struct conf_problems *ps);

/* Prints an error of the command line; returns EXIT_USAGE. */
int options_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
