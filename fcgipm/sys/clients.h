/*
 * clients.h - who may connect to a TCP listener, enforced by the kernel
 */
#ifndef FCGIPM_SYS_CLIENTS_H
#define FCGIPM_SYS_CLIENTS_H

/*
 * clients_attach - let a listener drop packets of everybody else
 *
 * A classic BPF filter (socket(7), SO_ATTACH_FILTER) looks at the source
 * address, so it holds for every handler, whatever it checks itself.  A
 * stranger gets no answer: his connection times out.
 *
 * family	the listener's, AF_INET or AF_INET6
 * list		networks as cidr.h reads them, valid
 * returns	0, or -1 with errno; ENOBUFS when the list makes more than
 *		the 4096 instructions the kernel takes
 */
int clients_attach(int fd, int family, const char *list);

/*
 * clients_refuse_all - let a TCP listener drop every new connection
 *
 * What it has accepted, and handshakes under way, are not touched.  Replaces
 * a list attached before.
 */
int clients_refuse_all(int fd);

#endif
