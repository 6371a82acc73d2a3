/*
 * test_conf_page.c - fcgipm.ini(5) documents the table of keys, and no more
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

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

/* "(type, default ...)" stands in the line behind ".It Ic key". */
static void
expect_documented(const char *page, const struct conf_key *k)
{
	char want[400], *at;

	snprintf(want, sizeof(want), "\n.It Ic %s\n(%s, default %s)\n",
		k->name, k->type, k->dflt);
	at = strstr(page, want);
	cr_expect_not_null(at, "the page does not say:%s", want);
	if (at)
		cr_expect_null(strstr(at + 1, want), "twice: %s", k->name);
}

Test(conf_page, the_manual_page_documents_every_key)
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
	/* The loader's own: it sets nothing. */
	return strcmp(name, "include") == 0;
}

Test(conf_page, the_manual_page_documents_no_other_key)
{
	char *page = read_page(), *at = page, *next, name[64];
	int n = 0;

	while ((at = strstr(at, "\n.It Ic ")) != NULL) {
		at += strlen("\n.It Ic ");
		next = at + strcspn(at, "\n");
		/* Lines of the table of PHP-FPM's names have columns. */
		if (!memmem(at, (size_t)(next - at), " Ta ", 4)) {
			snprintf(name, sizeof(name), "%.*s",
				(int)(next - at), at);
			cr_expect(is_key(name), "%s is no key", name);
			n++;
		}
		at = next;
	}
	cr_expect_gt(n, 30);
	free(page);
}
