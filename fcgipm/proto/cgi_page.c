/*
 * cgi_page.c - builds error pages (404, 502, 503, ...); see cgi.h
 *
 * Pure.  Called by gateway/answer for a request that failed, and by
 * overload/reject for a client that waited too long.
 */
#include <stdio.h>

#include "base/util.h"
#include "proto/cgi.h"

const char *
cgi_status_text(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 413:
		return "Content Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return "";
	}
}

size_t
cgi_put_page(char p[CGI_PAGE_MAX], unsigned status, int64_t retry_after_s,
	const char *text)
{
	const char *name = cgi_status_text(status);
	char retry[48] = "";
	int n;

	if (status == 503)
		snprintf(retry, sizeof(retry), "Retry-After: %lld\r\n",
			(long long)retry_after_s);
	n = snprintf(p, CGI_PAGE_MAX,
		"Status: %u %s\r\nContent-Type: text/plain\r\n%s\r\n", status,
		name, retry);
	if (text)
		n += snprintf(p + n, CGI_PAGE_MAX - (size_t)n,
			"%u %s\n\n%s\n", status, name, text);
	return (size_t)MIN(n, CGI_PAGE_MAX - 1);
}
