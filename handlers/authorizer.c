/*
 * authorizer.c - a FastCGI authorizer that checks a token (FastCGI 1.0, section
 * 6.3)
 *
 * Try: curl -i -H 'Authorization: Bearer sesame' http://.../cgi/authorizer
 * and the same without the header.  The pool needs env[AUTHORIZER_TOKEN] =
 * sesame.
 *
 * A web server asks it before it serves something else: lighttpd and Apache's
 * mod_authnz_fcgi in the role of an authorizer, nginx's auth_request like any
 * other program.  Status 200 allows the request, and the Variable-NAME headers
 * are added to it.  Every other answer is sent to the client instead.
 */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>

/* The comparison takes the same time wherever the strings differ. */
static int
same(const char *got, const char *want)
{
	size_t len = strlen(got), i;
	int differ = len != strlen(want);

	for (i = 0; want[i]; i++)
		differ |= want[i] ^ (i < len ? got[i] : 0);
	return !differ;
}

static int
passes(const char *token)
{
	static const char scheme[] = "Bearer ";
	const char *got = getenv("HTTP_AUTHORIZATION");

	return token && *token && got &&
		strncmp(got, scheme, strlen(scheme)) == 0 &&
		same(got + strlen(scheme), token);
}

int
main(void)
{
	/* A variable of the pool, so it is read before the first request. */
	const char *token = getenv("AUTHORIZER_TOKEN");

	while (FCGI_Accept() >= 0) {
		const char *role = getenv("FCGI_ROLE");

		if (passes(token))
			printf("Status: 200 OK\r\n"
			       "Variable-AUTH_METHOD: token\r\n"
			       "Variable-AUTH_ROLE: %s\r\n"
			       "\r\n", role ? role : "RESPONDER");
		else
			printf("Status: 401 Unauthorized\r\n"
			       "WWW-Authenticate: Bearer\r\n"
			       "Content-Type: text/plain\r\n"
			       "\r\n"
			       "The token is missing or wrong.\n");
	}
	return 0;
}
