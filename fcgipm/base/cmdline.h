/*
 * cmdline.h - options of a command line, by one table for each program
 *
 * The table is what getopt_long(3) gets and what --help prints, so neither
 * can have an option that the other lacks.  --help and --version are in
 * every table.
 */
#ifndef FCGIPM_BASE_CMDLINE_H
#define FCGIPM_BASE_CMDLINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys of options that have no letter begin here. */
#define CMDLINE_KEY 256

/* What cmdline_next() returns instead of an option's key. */
enum cmdline_end {
	CMDLINE_END = 0,	/* no more options */
	CMDLINE_EXIT = -1	/* exit with status: --help, or a mistake */
};

/* One option, or with help alone a heading of --help. */
struct cmdline_option {
	const char *letters;	/* each of them means it, unless an earlier
				 * option has it; NULL = none */
	const char *name;	/* without "--"; NULL = none */
	const char *value;	/* its value's name, NULL = takes none */
	const char *help;	/* lines of --help, \n between them */
	int key;		/* 0 = the first letter */
	bool once;		/* a second one is a mistake */
};

struct cmdline {
	const char *program;	/* "fcgipmctl" */
	const char *command;	/* "call", or NULL */
	const char *page;	/* of the manual, "8 fcgipmctl" */
	const char *usage;	/* the first lines of --help */
	const char *notes;	/* its last ones, or NULL */
	const struct cmdline_option *options;
	size_t noptions;
	bool permute;		/* options may follow arguments */
	bool by_name;		/* the last option was given as --name */
	uint64_t seen;		/* a bit for each option that was given */
	int status;		/* valid with CMDLINE_EXIT */
};

/* Makes the next cmdline_next() begin with argv[1]. */
void cmdline_begin(struct cmdline *c);

/*
 * cmdline_next - the next option of argv, its value in optarg
 *
 * returns	the option's key; CMDLINE_END, and the arguments begin at
 *		argv[optind]; CMDLINE_EXIT, when stdout got what --help or
 *		--version print, or stderr what is wrong
 */
int cmdline_next(struct cmdline *c, int argc, char **argv);

/* Prints what is wrong with a command line and where to read what is right;
 * EXIT_USAGE. */
int cmdline_fail(const struct cmdline *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cmdline_vfail(const struct cmdline *c, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Prints what --help prints; an exit status. */
int cmdline_help(const struct cmdline *c);
/* The same for --version. */
int cmdline_version(const struct cmdline *c);

#endif
