/*
 * siblings.h - finds other files of this installation, such as fcgipm-cgi,
 * relative to the running executable
 */
#ifndef FCGIPM_BASE_SIBLINGS_H
#define FCGIPM_BASE_SIBLINGS_H

/*
 * siblings_find - returns the first of several files that may be accessed
 *
 * near		paths from the directory of the running executable, such as
 *		"/fcgipm-cgi"; NULL ended
 * mode		as of access(2)
 * returns	the path, the caller's to free(); NULL when there is none
 */
char *siblings_find(const char *const *near, int mode);

#endif
