/*
 * responder.c - a cgi program for the tests of FastCGI requests; see
 * responder.h
 */
#include "responder.h"

const char responder_script[] = "#!/bin/sh\n"
	"echo $$ >@DIR@/pid.new && mv @DIR@/pid.new @DIR@/pid\n"
	"ok() { printf 'Content-Type: text/plain\\r\\n\\r\\n'; }\n"
	"case $QUERY_STRING in\n"
	"silent) exec sleep 600 ;;\n"
	"ignore) trap '' TERM; exec sleep 600 ;;\n"
	"read) cat; sleep 600 ;;\n"
	"write) ok; exec cat /dev/zero ;;\n"
	"closed) ok; echo out; exec sleep 600 >&- 2>&- ;;\n"
	"exit*) ok; echo out; exit ${QUERY_STRING#exit} ;;\n"
	"kill*) ok; echo out; kill -${QUERY_STRING#kill} $$ ;;\n"
	"none) ok ;;\n"
	"err) echo before >&2; ok; echo one; printf between >&2; echo two ;;\n"
	"*) ok; echo \"$WORD$FCGI_ROLE[$(cat)]\" ;;\n"
	"esac\n";

struct world *
responder_start(const char *keys)
{
	return world_start_script(responder_script, keys);
}

void
responder_expect_served(int fd)
{
	struct answer a;

	client_begin(fd, 1, KEEP_CONN,
		(const char *[]){"CONTENT_LENGTH=4", NULL});
	client_body(fd, "next");
	a = client_read(fd);
	answer_expect(a, "[next]\n");
	cr_expect_eq(a.protocol_status, 0);
}
