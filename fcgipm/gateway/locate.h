/*
 * locate.h - from a script's path to the file that may be run
 */
#ifndef FCGIPM_GATEWAY_LOCATE_H
#define FCGIPM_GATEWAY_LOCATE_H

#include <stdbool.h>

struct gateway_opts;
struct refusal;

/* A file beneath docroot, and its folder; both open. */
struct located {
	int fd;			/* open for reading, or O_PATH */
	int dirfd;		/* O_PATH */
	bool script;		/* begins with "#!" */
	char first[128];	/* the line behind "#!", cut, NUL ended */
};

/*
 * locate_open - open what path names, without leaving docroot
 *
 * path		absolute, no ".." (cgi_script_path())
 * runnable	it must be a regular file with an execute bit
 * returns	0; -1 with why
 */
int locate_open(const struct gateway_opts *opts, const char *path,
	bool runnable, struct located *ret, struct refusal *why);
void locate_close(struct located *l);

/* Is path, right now, still the file that was opened? */
bool locate_same(const struct located *l, const char *path);

#endif
