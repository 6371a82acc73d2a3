/* words.h - iterates over lists separated by blanks or commas; no .c file. */
#ifndef FCGIPM_BASE_WORDS_H
#define FCGIPM_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * words_next - returns the next word of a list such as "a, b c"
 *
 * list		moved past the word
 * returns	the word, in the list and without a NUL after it; NULL after
 *		the last one
 */
static inline const char *
words_next(const char **list, size_t *ret_len)
{
	const char *word = *list + strspn(*list, ", \t");

	*ret_len = strcspn(word, ", \t");
	*list = word + *ret_len;
	return *ret_len ? word : NULL;
}

/* Is this one of its words? */
static inline bool
words_hold(const char *list, const char *text, size_t len)
{
	const char *word;
	size_t n;

	while ((word = words_next(&list, &n)) != NULL)
		if (n == len && memcmp(word, text, n) == 0)
			return true;
	return false;
}

#endif
