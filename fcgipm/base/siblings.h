/*
 * siblings.h - files that came with this program
 */
#ifndef FCGIPM_BASE_SIBLINGS_H
#define FCGIPM_BASE_SIBLINGS_H

/*
 * siblings_find - the first of some files that may be accessed
 *
 * near		paths from the folder of our own program file, "/fcgipm-cgi";
 *		NULL ended
 * mode		as of access(2)
 * returns	the path, for the caller to free; NULL when there is none
 */
char *siblings_find(const char *const *near, int mode);

#endif
