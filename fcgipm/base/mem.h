/*
 * mem.h - memory at startup, which either is there or ends the process
 *
 * Request memory does not come from here: it lives in a struct buf with a
 * cap, and running out of it ends one request.
 */
#ifndef FCGIPM_BASE_MEM_H
#define FCGIPM_BASE_MEM_H

#include <stddef.h>

/* Zeroed; never NULL.  A product that overflows ends the process too. */
void *mem_calloc(size_t n, size_t size);
/* As reallocarray(3); never NULL for a size above 0. */
void *mem_realloc(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);
/* As asprintf(3), the text returned. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
