/*
 * status.h - a snapshot as JSON
 */
#ifndef FCGIPM_MASTER_STATUS_H
#define FCGIPM_MASTER_STATUS_H

struct emit;
struct snapshot;

/* One object: the fields of a pool, and "processes", an array of its
 * workers'. */
void status_emit(struct emit *e, const struct snapshot *s);

#endif
