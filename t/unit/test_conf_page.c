/*
 * test_conf_page.c - tests that fcgipm.ini(5) documents the keys of the table,
 * and no other keys
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/habits.h"
#include "conf/table.h"

static char *
read_page(void)
{
	const char *src = getenv("FCGIPM_SRC");
	char path[PATH_MAX];
	size_t n;
	char *text = calloc(1, 200000);
	FILE *f;

	snprintf(path, sizeof(path), "%s/man/fcgipm.ini.5", src ? src : ".");
	f = fopen(path, "re");
	cr_assert_not_null(f, "%s", path);
	n = fread(text, 1, 199999, f);
	fclose(f);
	cr_assert_gt(n, 1000);
	return text;
}

/* The entry of a key, from its name to the next key or the end of the list;
 * free() it.  NULL = there is none. */
static char *
entry_of(const char *page, const char *key)
{
	char head[100];
	const char *at, *end, *list;

	snprintf(head, sizeof(head), "\n.It Ic %s\n", key);
	at = strstr(page, head);
	if (!at)
		return NULL;
	at += strlen(head);
	end = strstr(at, "\n.It Ic ");
	list = strstr(at, "\n.Ss ");
	if (!end || (list && list < end))
		end = list;
	return end ? strndup(at, (size_t)(end - at) + 1) : strdup(at);
}

/* "(type, default ...)" is the line after ".It Ic key". */
static void
expect_documented(const char *page, const struct conf_key *k)
{
	char want[400], *at, *entry = entry_of(page, k->name);

	snprintf(want, sizeof(want), "\n.It Ic %s\n(%s, default %s)\n.br\n",
		k->name, k->type, k->dflt);
	at = strstr(page, want);
	cr_expect_not_null(at, "not in the page:%s", want);
	if (at)
		cr_expect_null(strstr(at + 1, want), "twice: %s", k->name);
	/* After the type and its .br, a sentence. */
	if (entry)
		cr_expect_not_null(strstr(entry, ".\n"),
			"%s has no sentence", k->name);
	free(entry);
}

Test(conf_page, the_page_has_the_type_and_the_default_of_every_key)
{
	char *page = read_page();
	const struct conf_key *k;
	size_t i;

	for (i = 0; (k = conf_pool_key(i)) != NULL; i++)
		expect_documented(page, k);
	for (i = 0; (k = conf_global_key(i)) != NULL; i++)
		expect_documented(page, k);
	free(page);
}

static bool
is_key(const char *name)
{
	const struct conf_key *k;
	size_t i;

	for (i = 0; (k = conf_pool_key(i)) != NULL; i++)
		if (strcmp(k->name, name) == 0)
			return true;
	for (i = 0; (k = conf_global_key(i)) != NULL; i++)
		if (strcmp(k->name, name) == 0)
			return true;
	/* conf/load handles it: it is not in the table. */
	return strcmp(name, "include") == 0;
}

Test(conf_page, the_page_has_no_key_that_the_table_lacks)
{
	char *page = read_page(), *at = page, *next, name[64];
	int n = 0;

	while ((at = strstr(at, "\n.It Ic ")) != NULL) {
		at += strlen("\n.It Ic ");
		next = at + strcspn(at, "\n");
		/* Lines of the tables of other programs' names have columns. */
		if (!memmem(at, (size_t)(next - at), " Ta ", 4)) {
			snprintf(name, sizeof(name), "%.*s",
				(int)(next - at), at);
			cr_expect(is_key(name), "%s is not a key", name);
			n++;
		}
		at = next;
	}
	cr_expect_gt(n, 30);
	free(page);
}

/* The heading of the section that a key's entry is in; free() it. */
static char *
section_of(const char *page, const char *key)
{
	char head[100];
	const char *end, *at, *next;

	snprintf(head, sizeof(head), "\n.It Ic %s\n", key);
	end = strstr(page, head);
	if (!end)
		return NULL;
	for (at = page; (next = strstr(at + 1, "\n.Ss ")) && next < end;)
		at = next;
	at += strlen("\n.Ss ");
	return strndup(at, strcspn(at, "\n"));
}

Test(conf_page, the_page_says_which_pools_a_key_is_for)
{
	char *page = read_page(), *entry, *section;
	const struct table_row *rows;
	size_t n, i;

	rows = table_pool_rows(&n);
	for (i = 0; i < n; i++) {
		const char *name = rows[i].key.name;
		bool prefork, cgi;

		entry = entry_of(page, name);
		section = section_of(page, name);
		if (!entry || !section)
			continue;	/* another test's failure */
		prefork = strstr(entry, "Prefork pools only") != NULL;
		cgi = strcmp(section, "CGI") == 0;
		cr_expect_eq(prefork, rows[i].scope == TABLE_PREFORK, "%s",
			name);
		cr_expect_eq(cgi, rows[i].scope == TABLE_CGI, "%s", name);
		free(section);
		free(entry);
	}
	free(page);
}

Test(conf_page, keys_of_the_fcgipm_section_are_marked)
{
	char *page = read_page(), *entry, *section;
	const struct conf_key *k;
	size_t i;

	for (i = 0; (k = conf_global_key(i)) != NULL; i++) {
		entry = entry_of(page, k->name);
		section = section_of(page, k->name);
		cr_assert_not_null(entry, "%s", k->name);
		cr_assert_not_null(section, "%s", k->name);
		cr_expect(strcmp(section, "The fcgipm section") == 0 ||
				strstr(entry, "It belongs to\n.Ic [fcgipm]"),
			"%s", k->name);
		free(section);
		free(entry);
	}
	free(page);
}

Test(conf_page, names_from_php_fpm_that_do_not_exist_here_have_a_hint)
{
	char *page = read_page(), *at, *end, name[64];
	int n = 0;

	at = strstr(page, "\n.It Em \"PHP-FPM\"");
	cr_assert_not_null(at);
	end = strstr(at, "\n.El");
	cr_assert_not_null(end);
	while ((at = strstr(at, "\n.It Ic ")) != NULL && at < end) {
		at += strlen("\n.It Ic ");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, " "),
			at);
		/* [global] and $pool are not keys. */
		if (name[0] == '[' || name[0] == '$')
			continue;
		cr_expect(!is_key(name), "%s is a key", name);
		cr_expect_not_null(habit_of_key(name), "%s", name);
		n++;
	}
	cr_expect_gt(n, 8);
	free(page);
}
