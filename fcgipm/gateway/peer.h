/*
 * peer.h - names the client of a connection in log lines
 */
#ifndef FCGIPM_GATEWAY_PEER_H
#define FCGIPM_GATEWAY_PEER_H

/*
 * peer_text - a blank and the IP address of the client, to follow "client"
 *
 * The port is left out, so that equal lines of one web server are counted and
 * logged once.
 *
 * returns	valid until the next call; "" for a unix socket, or when the
 *		connection is already reset
 */
const char *peer_text(int fd);

#endif
