/*
 * preflight.h - finds what a start would fail on or warn of, for fcgipm -t
 */
#ifndef FCGIPM_MASTER_PREFLIGHT_H
#define FCGIPM_MASTER_PREFLIGHT_H

struct conf;
struct conf_problems;

/*
 * preflight_check - adds to ps what conf_check() leaves to the start
 *
 * c may have errors.  Nothing is created, bound or started.
 */
void preflight_check(const struct conf *c, struct conf_problems *ps);

#endif
