/*
 * mem.h - allocates memory; exits if there is none
 *
 * Request data is kept in a struct buf of limited size.  If its allocation
 * fails, only that request fails.
 */
#ifndef FCGIPM_BASE_MEM_H
#define FCGIPM_BASE_MEM_H

#include <stddef.h>

/* Zeroed; never NULL.  Exits as well when n * size overflows. */
void *mem_calloc(size_t n, size_t size);
/* As reallocarray(3); never NULL for a size above 0. */
void *mem_realloc(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);
/* As asprintf(3), but returns the text. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
