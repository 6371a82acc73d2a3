/*
 * check_files.h - checks the files and directories that a pool's keys name
 *
 * Used by conf/check only.
 */
#ifndef FCGIPM_CONF_CHECK_FILES_H
#define FCGIPM_CONF_CHECK_FILES_H

struct conf_pool;
struct conf_problems;

void check_files(const struct conf_pool *p, struct conf_problems *ps);

#endif
