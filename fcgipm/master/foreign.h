/*
 * foreign.h - knows programs that cannot be the handler of a prefork pool,
 * because they do not accept FastCGI connections on descriptor 0
 */
#ifndef FCGIPM_MASTER_FOREIGN_H
#define FCGIPM_MASTER_FOREIGN_H

#include <stdbool.h>

struct conf_pool;

/*
 * foreign_handler - what is wrong with a handler that fcgipm knows by name
 *
 * Programs of other names, or outside of the system's directories of programs,
 * are not judged.
 *
 * returns	what it is and what to write, a static text; NULL = nothing
 * ret_sure	false: most programs of that directory are so
 */
const char *foreign_handler(const struct conf_pool *p, bool *ret_sure);

/* The script that a handler such as /usr/bin/perl is to run: the first word of
 * handler_args; NULL when it is an option, or handler is another program. */
const char *foreign_script(const struct conf_pool *p);

/* As foreign_handler(), for the first wrong word of handler_args. */
const char *foreign_argument(const struct conf_pool *p, const char **ret_word);

#endif
