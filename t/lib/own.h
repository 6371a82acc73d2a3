/*
 * own.h - memory and connections that last until the end of a test
 */
#ifndef FCGIPM_T_OWN_H
#define FCGIPM_T_OWN_H

/* Frees p, of malloc(3), at the end of the test; p. */
void *own_memory(void *p);
/* A text like printf(3)'s that lasts as long. */
char *own_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Frees it now; NULL and what is not owned are allowed. */
void own_free(void *p);
/* Closes this socket at the end of the test unless the test does; fd. */
int own_socket(int fd);

/* Both are done now, sockets first: world.c calls these. */
void own_close_sockets(void);
void own_free_all(void);

#endif
