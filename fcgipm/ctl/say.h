/*
 * say.h - text for a terminal
 *
 * What a supervisor answers is not ours: with -s it may be anybody's.
 */
#ifndef FCGIPM_CTL_SAY_H
#define FCGIPM_CTL_SAY_H

#include <stdio.h>

/* What is no printable ASCII becomes \xNN; the caller's to free(). */
char *say_escaped(const char *text);

/* As fprintf(3), escaped but for newlines at the end of fmt. */
void say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
