/*
 * vec.h - builds argv and envp arrays
 *
 * The strings are in one block, one after the other.  vec_array() makes the
 * pointers, so growing the block leaves no stale ones.
 */
#ifndef FCGIPM_BASE_VEC_H
#define FCGIPM_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>

struct vec {
	char *text;	/* the strings, each with its NUL */
	size_t len;	/* bytes of text used */
	size_t size;	/* bytes of text allocated */
	size_t n;	/* strings in text */
	char **ptrs;	/* made by vec_array(), n pointers and a NULL */
	bool failed;	/* an addition ran out of memory; sticky */
};

void vec_init(struct vec *v);
void vec_fini(struct vec *v);
/* Removes all strings and keeps the memory. */
void vec_clear(struct vec *v);
/* Adds a copy; after a failure vec_array() returns NULL. */
void vec_add(struct vec *v, const char *s);
void vec_addf(struct vec *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds "name=value" from bytes without a NUL. */
void vec_add_pair(struct vec *v, const char *name, size_t name_len,
	const char *value, size_t value_len);
/*
 * vec_array - returns the strings as argv or envp
 *
 * returns	n pointers and a NULL, valid until the next change of v;
 *		NULL when memory ran out at any time
 */
char **vec_array(struct vec *v);

#endif
