/* count_static.c - count.c as a static program: nothing can be preloaded into
 * it. */
#include "count.c"
