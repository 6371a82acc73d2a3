/*
 * ini.h - an INI file, line by line
 */
#ifndef FCGIPM_CONF_INI_H
#define FCGIPM_CONF_INI_H

#include <stddef.h>

/* Longest line accepted, bytes without its end. */
#define INI_LINE_MAX 65536

struct ini_ops {
	/* "[name]"; key and value NULL.  Else key = value, in the section
	 * told last. */
	void (*on_section)(void *user, const char *name, unsigned line);
	void (*on_key)(void *user, const char *key, const char *value,
		unsigned line);
	/* The line, or with 0 the file, is wrong; what to do about it. */
	void (*on_error)(void *user, const char *what, unsigned line);
};

/*
 * ini_read - read path and tell what stands there
 *
 * Comments begin with ; or # at the start of a line and nowhere else, an
 * indented key is a key, every line has its true number.
 * returns	0, or -1 when the file could not be read; on_error was called
 */
int ini_read(const char *path, const struct ini_ops *ops, void *user);

#endif
