/* count_static.c - count.c without shared libraries: nothing can be preloaded
 * into it. */
#include "count.c"
