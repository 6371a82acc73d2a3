/*
 * own.h - memory and connections that exist until the end of a test
 */
#ifndef FCGIPM_T_OWN_H
#define FCGIPM_T_OWN_H

/* Frees p, from malloc(3), at the end of the test; returns p. */
void *own_memory(void *p);
/* Returns a text as printf(3) formats it; it is freed at the end of the
 * test. */
char *own_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Frees p now; NULL and memory that is not owned are allowed. */
void own_free(void *p);
/* Closes this socket at the end of the test unless the test does; returns
 * fd. */
int own_socket(int fd);

/* Close the sockets, then free the memory; world.c calls these. */
void own_close_sockets(void);
void own_free_all(void);

#endif
