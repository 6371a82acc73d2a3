/*
 * amount.h - finds which time or size a text such as "30 sec" or "256 MiB"
 * means, and how fcgipm.ini(5) writes it
 *
 * Used by conf/explain only.
 */
#ifndef FCGIPM_CONF_AMOUNT_H
#define FCGIPM_CONF_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Reads numbers with units in the words of other daemons: "1min 30s" is 90000
 * ms, "1.5G" a number of bytes.  False = it is nothing of this kind. */
bool amount_read_time(const char *text, int64_t *ret_ms);
bool amount_read_size(const char *text, int64_t *ret_bytes);

/* The value as the file has it, in the largest unit without a remainder; the
 * caller's to free(). */
char *amount_time(int64_t ms);
char *amount_size(int64_t bytes);

/* Is it "-1", "none" or another word for "no limit"? */
bool amount_is_unlimited(const char *text);

#endif
