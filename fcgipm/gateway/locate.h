/*
 * locate.h - from a script's path to the file that may be run
 */
#ifndef FCGIPM_GATEWAY_LOCATE_H
#define FCGIPM_GATEWAY_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct gateway_opts;
struct failure;

/* A file beneath docroot, and its folder; both open. */
struct located {
	int fd;			/* open for reading, or O_PATH */
	int dirfd;		/* O_PATH; may be rootfd */
	int rootfd;		/* docroot, -1 for the root folder */
	dev_t dev;		/* which file it is, */
	ino_t ino;
	mode_t mode;		/* of what kind, and who may run it */
	bool readable;		/* by us; else fd is O_PATH */
	bool script;		/* locate_look_inside(): begins with "#!" */
	char first[128];	/* the line behind "#!", cut, NUL ended */
};

/*
 * locate_open - open what a path names, without leaving docroot
 *
 * path, size	absolute, no ".." (cgi_script_path()).  With cgi.split_path
 *		it is cut behind the name that is no folder, with cgi.index
 *		a folder has the name of its index put behind it
 * ret		of any kind, a folder too
 * returns	0; -1 with why
 */
int locate_open(const struct gateway_opts *opts, char *path, size_t size,
	struct located *ret, struct failure *why);
void locate_init(struct located *l);
void locate_close(struct located *l);

/* Reads the first line of a regular file. */
void locate_look_inside(struct located *l);

/* Is path, right now, still the file that was opened? */
bool locate_same(const struct located *l, const char *path);

#endif
