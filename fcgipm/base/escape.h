/*
 * escape.h - escapes untrusted text for terminals, logs and JSON
 *
 * One rule for all of them: valid UTF-8 stays, except control characters and
 * characters that make a line look like another one.
 */
#ifndef FCGIPM_BASE_ESCAPE_H
#define FCGIPM_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * escape_decode - decodes the first character of len > 0 bytes (RFC 3629,
 * section 4)
 *
 * returns	its length in bytes; 0 when it is not UTF-8
 */
size_t escape_decode(const char *text, size_t len, uint32_t *ret_code);

/* Is it neither a control character nor one that breaks or reorders a line? */
bool escape_is_printable(uint32_t code);

/*
 * escape_text - escapes a line for a log or a terminal
 *
 * Bytes that are not UTF-8 or not printable become \xNN; a tab stays.
 *
 * returns	the caller's to free(); NULL when memory ran out
 */
char *escape_text(const char *text);

#endif
