/*
 * address.h - explains addresses of listen that fcgipm does not accept, in the
 * forms that other daemons have
 *
 * Used by the files of conf/ only.
 */
#ifndef FCGIPM_CONF_ADDRESS_H
#define FCGIPM_CONF_ADDRESS_H

/*
 * address_explain - finds what is wrong with one address
 *
 * returns	what is wrong and what to write, the caller's to free(); NULL =
 *		nothing known: addr_parse() decides
 */
char *address_explain(const char *text);

#endif
