/*
 * ini.h - splits an INI file into sections, keys and values
 */
#ifndef FCGIPM_CONF_INI_H
#define FCGIPM_CONF_INI_H

#include <stddef.h>

/* Longest line accepted, bytes without its end. */
#define INI_LINE_MAX 65536

struct ini_ops {
	/* "[name]" */
	void (*on_section)(void *user, const char *name, unsigned line);
	/* "key = value", in the last section */
	void (*on_key)(void *user, const char *key, const char *value,
		unsigned line);
	/* What is wrong with the line (0: the file), and what to do. */
	void (*on_error)(void *user, const char *what, unsigned line);
};

/*
 * ini_read - reads a file and calls back for each section and key
 *
 * Comments begin with ; or # at the start of a line.  The one exception is the
 * comment that conf_dump() writes after a value: four blanks, ";", a blank, and
 * "default", "option" or "FILE:LINE".  Indentation is
 * ignored.
 * returns	0, or -1 when the file could not be read; on_error was called
 */
int ini_read(const char *path, const struct ini_ops *ops, void *user);

#endif
