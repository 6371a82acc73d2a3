/*
 * inherit.h - what a careless parent may have left us
 */
#ifndef FCGIPM_BASE_INHERIT_H
#define FCGIPM_BASE_INHERIT_H

/*
 * inherit_nothing - the first thing a program of ours does
 *
 * Opens /dev/null on those of 0, 1 and 2 that are closed, else the first
 * socket opened could become fd 2 and be written to by a library's message.
 * Makes what else is open close-on-exec and gives every signal its default
 * disposition, so that no child of ours inherits them in turn.
 *
 * returns	0, or -1 with errno
 */
int inherit_nothing(void);

#endif
