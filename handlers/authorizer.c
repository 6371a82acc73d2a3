/*
 * authorizer.c - may this request pass?  (FastCGI 1.0, section 6.3)
 *
 * Try: curl -i -H 'Authorization: Bearer sesame' http://.../cgi/authorizer
 * and without the header; the pool says env[AUTHORIZER_TOKEN] = sesame.
 *
 * A web server asks it before it serves something else: lighttpd and Apache's
 * mod_authnz_fcgi in the role of an authorizer, nginx's auth_request as any
 * program.  Status 200 lets the request pass and takes what Variable-NAME says
 * along; every other answer goes to the client instead.
 */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its time tells nothing of where they differ. */
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
	/* Of the pool, not of the request: asked before the first one. */
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
			       "No entry without the token.\n");
	}
	return 0;
}
