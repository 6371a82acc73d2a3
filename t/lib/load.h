/*
 * load.h - loads a configuration file that a unit test writes
 */
#ifndef FCGIPM_T_LOAD_H
#define FCGIPM_T_LOAD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"

/* The beginning of a file with one pool. */
#define HEAD "[www]\nlisten = /tmp/x.sock\nhandler = /bin/true\n"
#define CGI_HEAD HEAD "mode = cgi\n"
#define DYNAMIC HEAD "pm = dynamic\npm.max_children = 8\n"

/* It exists during each test. */
static char dir[] = "/tmp/fcgipm-conf-XXXXXX";

/* For .init of a TestSuite. */
static inline void
load_open(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

/* For .fini of a TestSuite. */
static inline void
load_close(void)
{
	const char *names[] = {"a.ini", "b.ini", "c.ini", "dump.ini",
		"inc/1.ini", "inc/2.ini", "inc"};
	char path[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	cr_expect_eq(rmdir(dir), 0);
}

/* Returns the path of the file in dir. */
static inline const char *
write_file(const char *name, const char *text)
{
	static char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	cr_assert_not_null(f);
	fputs(text, f);
	cr_assert_eq(fclose(f), 0);
	return path;
}

/* Loads a file that must be valid; prints its problems if it is not. */
static inline struct conf
load(const char *text)
{
	struct conf_problems ps = {0};
	struct conf c;

	if (conf_load(write_file("a.ini", text), &c, &ps) < 0) {
		conf_problems_print(&ps, stderr);
		cr_assert_fail("not valid: %s", text);
	}
	conf_problems_free(&ps);
	return c;
}

#endif
