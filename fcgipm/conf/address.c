/*
 * address.c - explains addresses that fcgipm does not accept; see address.h
 *
 * Called by conf/value to refuse an address, and by conf/explain for the
 * message.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/mem.h"
#include "conf/address.h"

static bool
is_address(const char *text)
{
	const char *why;
	struct addr a;

	return *text && text[0] != '*' && addr_parse(text, &a, &why) == 0;
}

static bool
is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* What follows "tcp:" in a URL: a path, or a host and port without what
 * follows them. */
static char *
without_scheme(const char *rest)
{
	if (strncmp(rest, "//", 2) == 0)
		rest += 2;
	return rest[0] == '/' || strncmp(rest, "unix:", 5) == 0 ?
		mem_strdup(rest) : mem_strndup(rest, strcspn(rest, "/"));
}

/* "http://127.0.0.1:8000", "tcp://127.0.0.1:9000"; NULL = no scheme. */
static char *
explain_scheme(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool http = (len == 4 && strncasecmp(text, "http", 4) == 0) ||
		(len == 5 && strncasecmp(text, "https", 5) == 0);
	char *rest, *message;

	if (len == 0 || strncmp(text, "unix:", 5) == 0 ||
		!(http || strncmp(colon, "://", 3) == 0))
		return NULL;
	rest = without_scheme(colon + 1);
	if (http)
		message = mem_printf("\"%s\": fcgipm speaks FastCGI, not HTTP; "
			"write %s and let the web server connect to it (nginx: "
			"fastcgi_pass)", text, is_address(rest) ? rest :
				"an address such as 127.0.0.1:9000");
	else if (is_address(rest))
		message = mem_printf("remove %.*s://: write %s", (int)len, text,
			rest);
	else
		message = mem_printf("\"%s\" is not an address; write one such "
			"as 127.0.0.1:9000 or /run/fcgipm/%%n.sock, without "
			"%.*s://", text, (int)len, text);
	free(rest);
	return message;
}

/* "127.0.0.1", "::1", "[::1]", "::1:9000", "localhost". */
static char *
explain_port(const char *text)
{
	size_t len = text[0] == '[' ? strlen(text) : 0;
	char *ip = len > 2 && text[len - 1] == ']' ?
		mem_strndup(text + 1, len - 2) : mem_strdup(text);
	char *message = NULL, *colon;
	struct in6_addr in;

	if (inet_pton(AF_INET, ip, &in) == 1 || strcmp(ip, "localhost") == 0) {
		message = mem_printf("\"%s\" has no port; write %s:9000", text,
			ip);
	} else if (inet_pton(AF_INET6, ip, &in) == 1) {
		colon = strrchr(ip, ':');
		*colon = '\0';
		/* Is the last group a port? */
		if (len == 0 && strlen(colon + 1) >= 4 &&
			is_number(colon + 1) &&
			inet_pton(AF_INET6, ip, &in) == 1)
			message = mem_printf("\"%s\" has no brackets; write "
				"[%s]:%s", text, ip, colon + 1);
		*colon = ':';
		if (!message)
			message = mem_printf("\"%s\" has no port; write "
				"[%s]:9000", text, ip);
	}
	free(ip);
	return message;
}

/* "127.0.0.1:9000 9001", "127.0.0.1:9000 default_server". */
static char *
explain_words(const char *text)
{
	char *copy = mem_strdup(text), *rest = copy, *word, *more, *message;
	char *first = NULL, *list = mem_strdup("");
	bool all = true;

	while ((word = strsep(&rest, " \t")) != NULL) {
		if (!*word)
			continue;
		first = first ? first : word;
		all = all && is_address(word);
		more = mem_printf("%s%s%s", list, *list ? ", " : "", word);
		free(list);
		list = more;
	}
	if (!all && first && is_address(first))
		message = mem_printf("remove what follows the address: write "
			"%s", first);
	else
		message = mem_printf("separate addresses by commas%s%s",
			all ? ": write " : "", all ? list : "");
	free(list);
	free(copy);
	return message;
}

char *
address_explain(const char *text)
{
	char *message = explain_scheme(text);
	const char *port;

	if (message)
		return message;
	if (strcmp(text, "*") == 0 || strncmp(text, "*:", 2) == 0) {
		port = text[1] == ':' && text[2] ? text + 2 : "PORT";
		return mem_printf("\"%s\" is not an address; write 0.0.0.0:%s "
			"or [::]:%s, and the addresses of the web servers in "
			"listen.allowed_clients", text, port, port);
	}
	if (text[0] == ':' && is_number(text + 1) && is_address(text + 1))
		return mem_printf("\"%s\" has no address; write 127.0.0.1%s, "
			"or %s for the same", text, text, text + 1);
	if (text[0] == ':' && text[1] && !strchr(text + 1, ':'))
		return mem_printf("\"%s\" has no address; write one before the "
			"colon, such as 127.0.0.1:9000", text);
	if (is_number(text) && !is_address(text))
		return mem_printf("a port is 1 to 65535, not \"%s\"", text);
	if (text[0] != '/' && text[0] != '@' && strpbrk(text, " \t") &&
		!strpbrk(text, ";#"))
		return explain_words(text);
	return explain_port(text);
}
