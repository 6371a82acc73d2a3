/*
 * peer.c - names the client of a connection in log lines; see peer.h
 *
 * Called by gateway/server, gateway/conn and gateway/writer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/peer.h"

const char *
peer_text(int fd)
{
	static char text[1 + INET6_ADDRSTRLEN];
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *in = (const struct sockaddr_in *)&sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&sa;
	socklen_t len = sizeof(sa);
	const void *ip = &in->sin_addr;
	int family = AF_INET;

	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0 ||
		(sa.ss_family != AF_INET && sa.ss_family != AF_INET6))
		return "";
	if (sa.ss_family == AF_INET6) {
		family = AF_INET6;
		ip = &in6->sin6_addr;
		/* An IPv4 client of a socket that listens on [::]. */
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			family = AF_INET;
			ip = &in6->sin6_addr.s6_addr[12];
		}
	}
	text[0] = ' ';
	return inet_ntop(family, ip, text + 1, sizeof(text) - 1) ? text : "";
}
