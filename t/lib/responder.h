/*
 * responder.h - a cgi program for the tests of FastCGI requests
 */
#ifndef FCGIPM_T_RESPONDER_H
#define FCGIPM_T_RESPONDER_H

#include "world.h"

/* Writes its PID to the file pid, then does what the query says; without one,
 * it answers WORD, the role, and the body in brackets. */
extern const char responder_script[];

/* Makes a world with a cgi pool that runs it for every request. */
struct world *responder_start(const char *keys);
/* Asserts that the connection serves another request, and keeps it open. */
void responder_expect_served(int fd);

#endif
