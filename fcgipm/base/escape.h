/*
 * escape.h - text of unknown origin for terminals, logs and JSON
 *
 * One policy decides what may be shown as it is: valid UTF-8, without control
 * characters and without those that make a line look like another one.
 */
#ifndef FCGIPM_BASE_ESCAPE_H
#define FCGIPM_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * escape_decode - the character that len > 0 bytes begin with (RFC 3629,
 * section 4)
 *
 * returns	its bytes; 0 when they are not UTF-8
 */
size_t escape_decode(const char *text, size_t len, uint32_t *ret_code);

/* Neither a control character, nor one that breaks or reorders a line. */
bool escape_is_printable(uint32_t code);

/*
 * escape_text - a line for a log or a terminal
 *
 * Bytes that are not UTF-8 or not printable become \xNN; a tab stays.
 *
 * returns	the caller's to free(); NULL when memory ran out
 */
char *escape_text(const char *text);

#endif
