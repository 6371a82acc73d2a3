/*
 * cmdline.c - parses command lines; see cmdline.h
 *
 * Called by main() of each program, which interprets its own options.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cmdline.h"
#include "base/util.h"

#define OPTIONS_MAX 64
#define LETTERS_MAX (4 * OPTIONS_MAX)

static const struct cmdline_option common[] = {
	{"h", "help", NULL, "print this help", 0, false},
	{"V", "version", NULL, "print the version", 0, false},
};

/* The i-th row; the common ones follow those of the program.  NULL = none. */
static const struct cmdline_option *
row(const struct cmdline *c, size_t i)
{
	if (i < c->noptions)
		return &c->options[i];
	i -= c->noptions;
	return i < ARRAY_SIZE(common) ? &common[i] : NULL;
}

static int
key_of(const struct cmdline_option *o)
{
	return o->key || !o->letters ? o->key : o->letters[0];
}

/* The index of the option with this key or letter; headings have neither.
 * -1 = none. */
static int
find(const struct cmdline *c, int key)
{
	const struct cmdline_option *o;
	size_t i;

	for (i = 0; (o = row(c, i)) != NULL; i++)
		if (o->name && key_of(o) == key)
			return (int)i;
	for (i = 0; key > 0 && key < CMDLINE_KEY && (o = row(c, i)); i++)
		if (o->letters && strchr(o->letters, key))
			return (int)i;
	return -1;
}

/* -- messages -------------------------------------------------------------- */

void
cmdline_vfail(const struct cmdline *c, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: ", c->program);
	if (c->command)
		fprintf(stderr, "%s: ", c->command);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nTry %s%s%s --help, or man %s.\n", c->program,
		c->command ? " " : "", c->command ? c->command : "", c->page);
}

int
cmdline_fail(const struct cmdline *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cmdline_vfail(c, fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

static int
end_output(const struct cmdline *c)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "%s: stdout: %s\n", c->program, strerror(errno));
	return EXIT_SYSTEM;
}

int
cmdline_version(const struct cmdline *c)
{
	printf("%s %s\n", c->program, FCGIPM_VERSION);
	return end_output(c);
}

/* Formats "-l, -s, --listen ADDR"; returns its length. */
static int
print_names(const struct cmdline_option *o, char *to, size_t size)
{
	const char *letter = o->letters ? o->letters : "";
	size_t n = 0;

	to[0] = '\0';
	for (; *letter && n < size; letter++)
		n += (size_t)snprintf(to + n, size - n, "-%c%s", *letter,
			letter[1] || o->name ? ", " : "");
	/* Long names are aligned. */
	if (n < size)
		n += (size_t)snprintf(to + n, size - n, "%s--%s%s%s",
			n == 0 ? "    " : "", o->name, o->value ? " " : "",
			o->value ? o->value : "");
	return (int)n;
}

/* Prints one row; the lines of its help are aligned. */
static void
print_option(const struct cmdline_option *o, int width)
{
	const char *line = o->help;
	char names[128];
	size_t len;

	(void)print_names(o, names, sizeof(names));
	printf("  %-*s", width, names);
	for (;; line += len + 1) {
		len = strcspn(line, "\n");
		printf("  %.*s\n", (int)len, line);
		if (!line[len])
			return;
		printf("  %*s", width, "");
	}
}

int
cmdline_help(const struct cmdline *c)
{
	const struct cmdline_option *o;
	char names[128];
	int width = 0;
	size_t i;

	for (i = 0; (o = row(c, i)) != NULL; i++)
		if (o->name)
			width = MAX(width,
				print_names(o, names, sizeof(names)));
	printf("%s\n", c->usage);
	for (i = 0; (o = row(c, i)) != NULL; i++) {
		/* The common options are not part of the last heading. */
		if (i == c->noptions && i > 0)
			putchar('\n');
		if (o->name)
			print_option(o, width);
		else
			printf("\n%s\n", o->help);
	}
	if (c->notes)
		printf("\n%s", c->notes);
	return end_output(c);
}

/* -- parsing --------------------------------------------------------------- */

void
cmdline_begin(struct cmdline *c)
{
	c->seen = 0;
	c->status = 0;
	optind = 0;	/* getopt(3): as if it were never called */
	opterr = 0;
}

/* The long option that is being parsed, without its value: "--name". */
static const char *
typed_name(char **argv, char *to, size_t size)
{
	const char *text = argv[optind - 1];

	snprintf(to, size, "%.*s", (int)strcspn(text, "="), text);
	return to;
}

/* Lists the names that begin with what was typed; false if that is one. */
static bool
list_names(const struct cmdline *c, const char *typed, char *to, size_t size)
{
	const struct cmdline_option *o;
	size_t i, n = 0, found = 0;

	for (i = 0; (o = row(c, i)) != NULL; i++)
		if (o->name && strstr(o->name, typed + 2) == o->name &&
			n < size) {
			n += (size_t)snprintf(to + n, size - n, "%s--%s",
				found > 0 ? ", " : "", o->name);
			found++;
		}
	return found > 1;
}

/* getopt_long(3) returned '?'. */
static int
fail_unknown(const struct cmdline *c, char **argv)
{
	char typed[64], names[256];
	int i = find(c, optopt);

	if (optopt == 0) {
		typed_name(argv, typed, sizeof(typed));
		if (list_names(c, typed, names, sizeof(names)))
			return cmdline_fail(c, "option %s is ambiguous: %s",
				typed, names);
		return cmdline_fail(c, "unknown option %s", typed);
	}
	if (i >= 0 && !row(c, (size_t)i)->value)
		return cmdline_fail(c, "option %s takes no value",
			typed_name(argv, typed, sizeof(typed)));
	if (optopt < '!' || optopt > '~')
		return cmdline_fail(c, "unknown option -\\x%02x",
			(unsigned char)optopt);
	return cmdline_fail(c, "unknown option -%c", optopt);
}

/* The two lists of options that getopt_long(3) needs. */
struct lists {
	char letters[LETTERS_MAX];
	struct option names[OPTIONS_MAX + 1];
};

/* l is empty. */
static void
make_lists(const struct cmdline *c, struct lists *l)
{
	const struct cmdline_option *o;
	const char *letter;
	char *to = l->letters;
	size_t i, n = 0;

	if (!c->permute)
		*to++ = '+';
	*to++ = ':';
	for (i = 0; (o = row(c, i)) != NULL; i++) {
		if (!o->name)
			continue;
		if (n == OPTIONS_MAX ||
			to + 2 * strlen(o->letters ? o->letters : "") + 1 >
				l->letters + LETTERS_MAX)
			BUG("too many options");
		l->names[n++] = (struct option){.name = o->name,
			.has_arg = o->value ? required_argument : no_argument,
			.val = key_of(o)};
		for (letter = o->letters; letter && *letter; letter++) {
			*to++ = *letter;
			if (o->value)
				*to++ = ':';
		}
	}
}

/* The key or letter that getopt_long(3) found. */
static int
accept_option(struct cmdline *c, int key)
{
	int i = find(c, key);
	const struct cmdline_option *o;

	if (i < 0 || i >= OPTIONS_MAX)
		BUG("an option that is in no table");
	o = row(c, (size_t)i);
	if (o->once && (c->seen & (UINT64_C(1) << i))) {
		c->status = c->by_name || !o->letters ?
			cmdline_fail(c, "--%s may be given once", o->name) :
			cmdline_fail(c, "-%c may be given once",
				o->letters[0]);
		return CMDLINE_EXIT;
	}
	c->seen |= UINT64_C(1) << i;
	return key_of(o);
}

int
cmdline_next(struct cmdline *c, int argc, char **argv)
{
	struct lists l = {.letters = ""};
	char typed[64];
	int key, name = -1;

	make_lists(c, &l);
	key = getopt_long(argc, argv, l.letters, l.names, &name);
	c->by_name = name >= 0;
	switch (key) {
	case -1:
		return CMDLINE_END;
	case 'h':
		c->status = cmdline_help(c);
		return CMDLINE_EXIT;
	case 'V':
		c->status = cmdline_version(c);
		return CMDLINE_EXIT;
	case ':':
		/* An option without its value is the last argument. */
		snprintf(typed, sizeof(typed), "-%c", optopt);
		if (strncmp(argv[optind - 1], "--", 2) == 0)
			typed_name(argv, typed, sizeof(typed));
		c->status = cmdline_fail(c, "%s needs a value", typed);
		return CMDLINE_EXIT;
	case '?':
		c->status = fail_unknown(c, argv);
		return CMDLINE_EXIT;
	}
	return accept_option(c, key);
}
