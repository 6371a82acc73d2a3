/*
 * test_help.c - --help, manual pages and completions have the same options
 */
#include "conf/conf.h"
#include "world.h"

TestSuite(help, .timeout = 60);

/* Every --help. */
static const struct line {
	const char *program, *command;	/* command NULL = of the program */
} lines[] = {
	{"fcgipm", NULL},
	{"fcgipm-cgi", NULL},
	{"fcgipmctl", NULL},
	{"fcgipmctl", "status"},
	{"fcgipmctl", "call"},
	{"fcgipmctl", "ping"},
	{"fcgipmctl", "bench"},
};

static const char *const commands[] = {"status", "call", "ping", "bench"};

static char *
run(struct world *w, const char *program, const char *one, const char *two,
	int status)
{
	const char *argv[] = {program, one, one ? two : NULL, NULL};
	char *out;
	int code;

	if (!one)
		argv[1] = two;
	code = world_run(w, argv, &out);
	cr_expect_eq(code, status, "%s %s %s: exit status %d, not %d: %s",
		program, one ? one : "", two ? two : "", code, status, out);
	return out;
}

static void
expect(struct world *w, const char *program, const char *one, const char *two,
	int status, const char *want)
{
	char *out = run(w, program, one, two, status);

	cr_expect(strstr(out, want), "%s %s %s: no \"%s\" in:\n%s", program,
		one ? one : "", two ? two : "", want, out);
}

static char *
read_source(const char *name)
{
	char path[700];
	size_t size = 1 << 20, n;
	char *text = malloc(size);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", getenv("FCGIPM_SRC"), name);
	f = fopen(path, "re");
	cr_assert(f && text, "%s", path);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	cr_assert_eq(fclose(f), 0);
	return text;
}

/* The next option of a --help, "-c" or "--config"; false at the end.  The row of
 * an option begins with two blanks; at is after the usage. */
static bool
next_option(const char **at, char *to, size_t size)
{
	const char *p = *at;

	for (; *p; p++) {
		const char *line = p;
		size_t len;

		while (line[-1] != '\n')
			line--;
		if (*p != '-' || p[-1] != ' ' || p - line > 12 ||
			strncmp(line, "  ", 2) != 0)
			continue;
		len = strcspn(p, " ,\n");
		snprintf(to, size, "%.*s", (int)len, p);
		*at = p + len;
		return true;
	}
	return false;
}

/* What bash offers for this word, one word a line. */
static char *
complete(struct world *w, const char *program, const char *command,
	const char *word)
{
	char script[2000], *out;
	const char *argv[] = {"/bin/bash", "-c", script, NULL};
	int code;

	snprintf(script, sizeof(script), ". '%s/etc/completion/fcgipm.bash'\n"
		"COMP_WORDS=(%s %s '%s')\n"
		"COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
		"f=$(complete -p %s) && f=${f#* -F } && ${f%%%% *}\n"
		"printf '%%s\\n' '' \"${COMPREPLY[@]}\"\n",
		getenv("FCGIPM_SRC"), program, command ? command : "", word,
		program);
	code = world_run(w, argv, &out);
	cr_assert_eq(code, 0, "%s %s %s: %s", program, command ? command : "",
		word, out);
	return out;
}

/* Is word a line of text? */
static bool
has_line(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (text = strstr(text, word); text; text = strstr(text + 1, word))
		if (text[-1] == '\n' && (text[len] == '\n' || !text[len]))
			return true;
	return false;
}

static void
expect_offered(struct world *w, const struct line *l, const char *option)
{
	char *offered = complete(w, l->program, l->command,
		option[1] == '-' ? "--" : "-");

	/* fcgipm -c is offered as --config and --chroot. */
	cr_expect(has_line(offered, option), "bash: %s %s %s is not offered:%s",
		l->program, l->command ? l->command : "", option, offered);
}

/* The part of the zsh completions that belongs to a program or a command. */
static char *
zsh_part(const char *text, const struct line *l)
{
	const char *at, *end;

	if (l->command) {
		at = strstr(text, own_text("\t%s)\n", l->command));
		end = at ? strstr(at, ";;\n") : NULL;
	} else {
		at = strstr(text, strcmp(l->program, "fcgipm") == 0 ?
				"_fcgipm_master() {" :
			strcmp(l->program, "fcgipmctl") == 0 ?
				"_fcgipmctl() {" : "_fcgipm_gateway() {");
		end = at ? strstr(at, "\n}\n") : NULL;
	}
	cr_assert(at && end, "zsh: no completion for %s %s", l->program,
		l->command ? l->command : "");
	return strndup(at, (size_t)(end - at));
}

/* An option is written as '{-c+,--config=}' or '--refuse[...'. */
static bool
zsh_has(const char *part, const char *option)
{
	size_t len = strlen(option);

	for (part = strstr(part, option); part;
		part = strstr(part + 1, option))
		if (strchr("{,'", part[-1]) && strchr("+=,}[", part[len]))
			return true;
	return false;
}

static void
expect_known(struct world *w, const struct line *l, const char *option,
	const char *zsh, const char *page)
{
	char want[80], *part = zsh_part(zsh, l);

	expect_offered(w, l, option);
	/* Options of all commands stand before the commands. */
	cr_expect(zsh_has(part, option) || (l->command &&
		(strstr("-h --help -V --version", option) != NULL)),
		"zsh: no %s for %s %s", option, l->program,
		l->command ? l->command : "");
	snprintf(want, sizeof(want), "Fl %s", option + 1);
	cr_expect(strstr(page, want), "%s(8) has no %s", l->program, option);
	free(part);
}

Test(help, every_option_is_documented_and_completed)
{
	struct world *w = world_open();
	char *zsh = read_source("etc/completion/_fcgipm"), option[64];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct line *l = &lines[i];
		char *out = run(w, l->program, l->command, "--help", 0);
		char *page;
		const char *at = strstr(out, "\n\n");

		cr_assert_not_null(at, "%s", out);
		at += 2;
		page = read_source(own_text("man/%s.8", l->program));
		for (n = 0; next_option(&at, option, sizeof(option)); n++)
			expect_known(w, l, option, zsh, page);
		cr_expect_geq(n, 4, "%s %s: %zu options in:\n%s", l->program,
			l->command ? l->command : "", n, out);
		free(page);
	}
	free(zsh);
}

Test(help, bash_completes_only_existing_options)
{
	struct world *w = world_open();

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct line *l = &lines[i];
		char *out = run(w, l->program, l->command, "--help", 0);
		char *offered = complete(w, l->program, l->command, "-");
		char *word, *rest = offered, want[64];

		while ((word = strsep(&rest, "\n")) != NULL) {
			if (!*word || strcmp(word, "--") == 0 ||
				strcmp(word, "-tt") == 0)
				continue;
			snprintf(want, sizeof(want), "%s%s", word,
				word[1] == '-' ? "" : ", -");
			cr_expect(strstr(out, want), "%s %s has no %s:\n%s",
				l->program, l->command ? l->command : "", word,
				out);
		}
	}
}

Test(help, every_command_is_documented_and_completed)
{
	struct world *w = world_open();
	char *out = run(w, "fcgipmctl", NULL, "--help", 0);
	char *offered = complete(w, "fcgipmctl", NULL, "");
	char *zsh = read_source("etc/completion/_fcgipm");
	char *page = read_source("man/fcgipmctl.8"), want[64];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(want, sizeof(want), "\n  %s ", commands[i]);
		cr_expect(strstr(out, want), "no %s in:\n%s", commands[i], out);
		snprintf(want, sizeof(want), "usage: fcgipmctl %s ",
			commands[i]);
		expect(w, "fcgipmctl", commands[i], "-h", 0, want);
		expect(w, "fcgipmctl", "help", commands[i], 0, want);
		cr_expect(has_line(offered, commands[i]), "bash: no %s",
			commands[i]);
		snprintf(want, sizeof(want), "%s:", commands[i]);
		cr_expect(strstr(zsh, want), "zsh: no %s", commands[i]);
		snprintf(want, sizeof(want), ".It Cm %s\n", commands[i]);
		cr_expect(strstr(page, want), "the page has no %s",
			commands[i]);
	}
	free(page);
	free(zsh);
}

/* The keys come from the table of keys, so that a new one must be completed. */
Test(help, every_key_of_the_gateway_is_completed)
{
	struct world *w = world_open();
	char *offered = complete(w, "fcgipm-cgi", "-o", "");
	char *zsh = read_source("etc/completion/_fcgipm"), want[64];
	const struct conf_key *key;
	size_t i, n = 0;

	for (i = 0; (key = conf_pool_key(i)) != NULL; i++) {
		if (!key->gateway || strchr(key->name, '['))
			continue;
		n++;
		snprintf(want, sizeof(want), "%s=", key->name);
		cr_expect(has_line(offered, want), "bash: no %s", key->name);
		cr_expect(strstr(zsh, key->name), "zsh: no %s", key->name);
	}
	cr_expect_geq(n, 20);
	free(zsh);
}

Test(help, all_programs_print_version_and_help_alike)
{
	static const char *const programs[] = {"fcgipm", "fcgipm-cgi",
		"fcgipmctl"};
	struct world *w = world_open();
	char want[64];

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		snprintf(want, sizeof(want), "%s " FCGIPM_VERSION "\n",
			programs[i]);
		expect(w, programs[i], NULL, "--version", 0, want);
		expect(w, programs[i], NULL, "-V", 0, want);
		snprintf(want, sizeof(want), "usage: %s ", programs[i]);
		expect(w, programs[i], NULL, "--help", 0, want);
		expect(w, programs[i], NULL, "-h", 0, want);
		expect(w, programs[i], NULL, "--hel", 0, want);
	}
	expect(w, "fcgipmctl", "bench", "-V", 0, "fcgipmctl 0.");
	expect(w, "fcgipmctl", "help", NULL, 0, "usage: fcgipmctl COMMAND");
}

Test(help, a_wrong_option_is_named)
{
	static const struct {
		const char *program, *one, *two, *want;
	} rows[] = {
		{"fcgipm", "--foo", NULL, "fcgipm: unknown option --foo\n"
			"Try fcgipm --help, or man 8 fcgipm.\n"},
		{"fcgipm", "--foo=bar", NULL, "unknown option --foo\n"},
		{"fcgipm", "-Dx", NULL, "unknown option -x\n"},
		{"fcgipm", "--config", NULL, "--config needs a value\n"},
		{"fcgipm", "-Dc", NULL, "-c needs a value\n"},
		{"fcgipm", "--daemon=yes", NULL,
			"option --daemon takes no value\n"},
		{"fcgipm", "--socket", "1", "option --socket is ambiguous: "
			"--socket-mode, --socket-owner, --socket-group\n"},
		{"fcgipm", "start", NULL, "unexpected argument \"start\": "
			"give -c FILE, or -l ADDR -- HANDLER\n"},
		{"fcgipm", "--config=x", "-l1", "cannot be used together"},
		{"fcgipm", "-m", "cgi", "require -l ADDR"},
		{"fcgipm-cgi", "--foo", NULL, "unknown option --foo\n"},
		{"fcgipm-cgi", "-d/", "-d/", "-d may be given once\n"},
		{"fcgipm-cgi", "-j1", "--jobs=2", "--jobs may be given once\n"},
		{"fcgipm-cgi", "/bin/true", "x", "unexpected argument \"x\""},
		{"fcgipmctl", "--foo", NULL, "fcgipmctl: unknown option --foo"},
		{"fcgipmctl", "foo", NULL, "unknown command \"foo\""},
		{"fcgipmctl", "help", "foo", "unknown command \"foo\""},
		{"fcgipmctl", NULL, NULL, "missing command: "},
		{"fcgipmctl", "ping", NULL, "fcgipmctl: ping: missing address, "
			"such as fcgipmctl ping /run/fcgipm/app.sock\n"
			"Try fcgipmctl ping --help, or man 8 fcgipmctl.\n"},
		{"fcgipmctl", "call", "/a", "missing URL"},
		{"fcgipmctl", "bench", "--keep=x",
			"option --keep takes no value\n"},
		{"fcgipmctl", "status", "-k",
			"fcgipmctl: status: unknown option -k\n"},
		{"fcgipmctl", "ping", "-T0", "-T takes a number of seconds"},
		{"fcgipmctl", "bench", "-c0", "-c takes 1 to 10000 connections"},
	};
	struct world *w = world_open();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(w, rows[i].program, rows[i].one, rows[i].two, 64,
			rows[i].want);
}

Test(help, t_reads_the_installed_file_by_default)
{
	struct world *w = world_open();
	const char *argv[] = {"fcgipm", "-t", NULL};
	char *out;

	/* The message names this file, whether it exists or not. */
	(void)world_run(w, argv, &out);
	cr_expect(strstr(out, CONF_INSTALLED ":"), "%s", out);
	expect(w, "fcgipm", NULL, NULL, 64, "missing -c FILE or -l ADDR");
}

Test(help, output_that_cannot_be_written_is_an_error)
{
	static const char *const options[] = {"--help", "--version"};
	struct world *w = world_open();
	char script[700], *out;
	const char *argv[] = {"/bin/sh", "-c", script, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		snprintf(script, sizeof(script), "'%s/fcgipm' %s >/dev/full",
			getenv("FCGIPM_BIN"), options[i]);
		cr_expect_eq(world_run(w, argv, &out), 71, "%s", out);
		cr_expect(strstr(out, "fcgipm: stdout: No space left"), "%s",
			out);
	}
}
