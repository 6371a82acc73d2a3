/*
 * cmdline.h - parses the command line of a program from its table of options
 *
 * getopt_long(3) and --help use the same table, so neither can have an option
 * that the other lacks.  Every table has --help and --version.
 */
#ifndef FCGIPM_BASE_CMDLINE_H
#define FCGIPM_BASE_CMDLINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first key for options without a letter. */
#define CMDLINE_KEY 256

/* What cmdline_next() returns instead of an option's key. */
enum cmdline_end {
	CMDLINE_END = 0,	/* no more options */
	CMDLINE_EXIT = -1	/* exit with status: --help, or an error */
};

/* One option; a row with only help is a heading of --help. */
struct cmdline_option {
	const char *letters;	/* its letters, except those of earlier
				 * options; NULL = none */
	const char *name;	/* without "--"; NULL = none */
	const char *value;	/* name of its value; NULL = it has none */
	const char *help;	/* lines of --help, \n between them */
	int key;		/* 0 = the first letter */
	bool once;		/* giving it twice is an error */
};

struct cmdline {
	const char *program;	/* "fcgipmctl" */
	const char *command;	/* "call", or NULL */
	const char *page;	/* its manual page, "8 fcgipmctl" */
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
 * cmdline_next - returns the next option of argv, its value in optarg
 *
 * returns	the option's key; CMDLINE_END when arguments begin, at
 *		argv[optind]; CMDLINE_EXIT after --help or --version, or after
 *		an error was printed to stderr
 */
int cmdline_next(struct cmdline *c, int argc, char **argv);

/* Prints an error of the command line and refers to --help and the manual
 * page; returns EXIT_USAGE. */
int cmdline_fail(const struct cmdline *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cmdline_vfail(const struct cmdline *c, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Prints the text of --help; returns an exit status. */
int cmdline_help(const struct cmdline *c);
/* The same for --version. */
int cmdline_version(const struct cmdline *c);

#endif
