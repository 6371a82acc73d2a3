/*
 * print.h - what fcgipmctl prints of what others sent
 *
 * What a supervisor or a server answers is not ours: it may be anybody's.
 */
#ifndef FCGIPM_CTL_PRINT_H
#define FCGIPM_CTL_PRINT_H

#include <stdio.h>

/* As fprintf(3); the text is escaped (base/escape) but for newlines at the end
 * of fmt. */
void print_escaped(FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
