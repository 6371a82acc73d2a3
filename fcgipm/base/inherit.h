/*
 * inherit.h - resets process state inherited from the parent: closed or open
 * descriptors, ignored signals
 */
#ifndef FCGIPM_BASE_INHERIT_H
#define FCGIPM_BASE_INHERIT_H

/*
 * inherit_nothing - called first by main() of every program
 *
 * Opens /dev/null on closed descriptors of 0, 1 and 2: otherwise the first
 * socket could become descriptor 2, and a library would write its messages to
 * it.  Makes all other descriptors close-on-exec and sets every signal to its
 * default disposition, so that children do not inherit them.
 *
 * returns	0, or -1 with errno
 */
int inherit_nothing(void);

#endif
