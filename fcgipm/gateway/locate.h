/*
 * locate.h - opens the file that a script path names, beneath docroot
 */
#ifndef FCGIPM_GATEWAY_LOCATE_H
#define FCGIPM_GATEWAY_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct gateway_opts;
struct failure;

/* An open file beneath docroot, and its directory. */
struct located {
	int fd;			/* open for reading, or O_PATH */
	int dirfd;		/* O_PATH; may be rootfd */
	int rootfd;		/* docroot, -1 for the root directory */
	dev_t dev;		/* identify the file, see locate_same() */
	ino_t ino;
	mode_t mode;		/* type and permissions */
	bool readable;		/* by the gateway; else fd is O_PATH */
	bool script;		/* locate_look_inside(): begins with "#!" */
	char first[128];	/* the line after "#!", truncated, NUL ended */
};

/*
 * locate_open - open what a path names, without leaving docroot
 *
 * path, size	absolute, no ".." (cgi_script_path()); shortened to the script
 *		by cgi.split_path, extended by the index file of a directory by
 *		cgi.index
 * ret		a file of any type, also a directory
 * returns	0; -1 with why
 */
int locate_open(const struct gateway_opts *opts, char *path, size_t size,
	struct located *ret, struct failure *why);
void locate_init(struct located *l);
void locate_close(struct located *l);

/* Reads the first line of a regular file. */
void locate_look_inside(struct located *l);

/* Does path still name the file that was opened? */
bool locate_same(const struct located *l, const char *path);

#endif
