/*
 * clients.h - limits a TCP listener to allowed networks, by a socket filter
 */
#ifndef FCGIPM_SYS_CLIENTS_H
#define FCGIPM_SYS_CLIENTS_H

/*
 * clients_attach - drop connection attempts from all other addresses
 *
 * A classic BPF filter (socket(7), SO_ATTACH_FILTER) checks the source address
 * in the kernel, so it protects every handler.  A client that is not allowed
 * gets no answer: its connection attempt times out.
 *
 * family	of the listener, AF_INET or AF_INET6
 * list		networks as cidr.h parses them, valid
 * returns	0, or -1 with errno; ENOBUFS when the list needs more than
 *		the 4096 instructions that the kernel accepts
 */
int clients_attach(int fd, int family, const char *list);

/*
 * clients_refuse_all - drop every new connection attempt
 *
 * Accepted connections and handshakes in progress are not affected.  Replaces
 * the filter of clients_attach().
 */
int clients_refuse_all(int fd);

#endif
