/*
 * print.h - prints text from a supervisor or server, escaped
 *
 * Neither is trusted: the text may contain control sequences for a terminal.
 */
#ifndef FCGIPM_CTL_PRINT_H
#define FCGIPM_CTL_PRINT_H

#include <stdio.h>

/* As fprintf(3).  The text is escaped (base/escape), except for newlines at the
 * end of fmt. */
void print_escaped(FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
