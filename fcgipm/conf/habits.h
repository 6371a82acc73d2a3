/*
 * habits.h - knows key and section names of other daemons, and what to write
 * here instead
 *
 * Used by the files of conf/ only.
 */
#ifndef FCGIPM_CONF_HABITS_H
#define FCGIPM_CONF_HABITS_H

struct habit {
	const char *name;
	const char *means;	/* our key of a pool; NULL = none */
	const char *hint;	/* what to write */
};

/* A key of PHP-FPM, uWSGI, supervisord, systemd or spawn-fcgi; what follows a
 * "[" in it does not count.  NULL = unknown. */
const struct habit *habit_of_key(const char *key);

/* What to write instead of such a section; NULL = unknown.  A pool may have the
 * name, so only a section that is not a pool is meant. */
const char *habit_of_section(const char *name);

#endif
