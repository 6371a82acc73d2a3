/*
 * test_locate.c - the opened file stays the same whatever happens to its path
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "gateway/gateway.h"
#include "gateway/locate.h"
#include "gateway/failure.h"

static char root[] = "/tmp/fcgipm-locate-XXXXXX";
static struct conf_pool pool;
static struct gateway_opts opts = {.pool = &pool, .docroot = root,
	.user = "me"};

static const char *
in_root(const char *name)
{
	static char path[4][300];
	static unsigned at;
	char *p = path[at++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", root, name);
	return p;
}

static void
put(const char *name, const char *text)
{
	int fd = open(in_root(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		0755);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
make_root(void)
{
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(mkdir(in_root("d"), 0755), 0);
	put("a", "#!/bin/first\nrest\n");
	put("b", "#!/bin/second\n");
	put("d/c", "no script\n");
}

static void
remove_root(void)
{
	static const char *const names[] = {"a", "b", "d/c", "d", "link"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(in_root(names[i]));
	cr_expect_eq(rmdir(root), 0);
}

TestSuite(locate, .init = make_root, .fini = remove_root);

static struct located
locate(const char *name)
{
	struct failure why = {0};
	struct located l;
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	cr_assert_eq(locate_open(&opts, path, sizeof(path), &l, &why), 0, "%s",
		why.why);
	cr_expect_str_eq(path, in_root(name));
	return l;
}

Test(locate, a_replaced_file_is_detected)
{
	struct located l = locate("a");
	char path[300];

	snprintf(path, sizeof(path), "%s", in_root("a"));
	locate_look_inside(&l);
	cr_expect(l.script);
	cr_expect_str_eq(l.first, "/bin/first");
	cr_expect(locate_same(&l, path));
	put("a", "#!/bin/third\n");
	cr_expect(locate_same(&l, path), "new content, same file");
	cr_assert_eq(rename(in_root("b"), path), 0);
	cr_expect_not(locate_same(&l, path), "another file has its path");
	cr_assert_eq(unlink(path), 0);
	cr_expect_not(locate_same(&l, path), "the path was removed");
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	cr_expect_not(locate_same(&l, path), "a link to another file");
	locate_close(&l);
}

/* The number of an inode that is not open is reused by the next file. */
Test(locate, an_open_file_keeps_its_inode_number)
{
	struct located l = locate("a");
	int i;

	for (i = 0; i < 100; i++) {
		cr_assert_eq(unlink(in_root("a")), 0);
		put("a", "#!/bin/other\n");
		cr_expect_not(locate_same(&l, in_root("a")));
	}
	locate_close(&l);
}

Test(locate, dirfd_is_the_directory_of_the_file)
{
	struct located l = locate("d/c"), top = locate("a");
	struct stat want, got;

	cr_assert_eq(stat(in_root("d"), &want), 0);
	cr_assert_eq(fstat(l.dirfd, &got), 0);
	cr_expect_eq(got.st_ino, want.st_ino);
	locate_look_inside(&l);
	cr_expect_not(l.script);
	cr_assert_eq(stat(root, &want), 0);
	cr_assert_eq(fstat(top.dirfd, &got), 0);
	cr_expect_eq(got.st_ino, want.st_ino);
	locate_close(&l);
	locate_close(&top);
	cr_expect_eq(l.fd, -1);
	cr_expect_eq(l.dirfd, -1);
	cr_expect_eq(l.rootfd, -1);
}

/* For paths that exist and paths that do not. */
Test(locate, no_descriptor_stays_open)
{
	static const char *const paths[] = {"a", "d/c", "d", "a/x", "d/c/x/y",
		"d/missing", "missing", "missing/x", "link", ""};
	struct failure why;
	static char no_c[] = "no, c";
	struct located l;
	char path[300];
	int first, last;
	size_t i, keys;

	cr_assert_eq(symlink("/etc", in_root("link")), 0);
	first = dup(0);
	close(first);
	for (keys = 0; keys < 4; keys++) {
		pool.cgi_split_path = keys & 1;
		pool.cgi_index = keys & 2 ? no_c : NULL;
		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			snprintf(path, sizeof(path), "%s%s%s", root,
				*paths[i] ? "/" : "", paths[i]);
			if (locate_open(&opts, path, sizeof(path), &l, &why) ==
				0)
				locate_close(&l);
			last = dup(0);
			close(last);
			cr_assert_eq(last, first, "%s", paths[i]);
		}
	}
}

Test(locate, split_and_index_change_the_path)
{
	static const struct {
		const char *asked, *found;
	} rows[] = {
		{"a", "a"}, {"a/x", "a"}, {"a/x/y/z", "a"}, {"d/c/x", "d/c"},
		{"d", "d/c"}, {"d/c", "d/c"}, {"missing", NULL},
		{"missing/x", NULL}, {"d/x/y", NULL},
	};
	struct failure why;
	static char names[] = " no,c\tb";
	struct located l;
	char path[300];
	size_t i;
	int got;

	pool.cgi_split_path = true;
	pool.cgi_index = names;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s", in_root(rows[i].asked));
		got = locate_open(&opts, path, sizeof(path), &l, &why);
		cr_expect_eq(got, rows[i].found ? 0 : -1, "%s",
			rows[i].asked);
		if (got == 0) {
			cr_expect_str_eq(path, in_root(rows[i].found));
			locate_close(&l);
		} else {
			cr_expect_eq(why.status, 404, "%s", rows[i].asked);
		}
	}
}

Test(locate, an_index_that_does_not_fit_is_refused)
{
	struct failure why;
	static char name[] = "c";
	struct located l;
	char path[300];
	size_t len;

	snprintf(path, sizeof(path), "%s", in_root("d"));
	len = strlen(path);
	pool.cgi_index = name;
	cr_expect_eq(locate_open(&opts, path, len + 2, &l, &why), -1);
	cr_expect_eq(why.status, 404);
	cr_assert_eq(locate_open(&opts, path, len + 3, &l, &why), 0);
	cr_expect_str_eq(path, in_root("d/c"));
	locate_close(&l);
}
