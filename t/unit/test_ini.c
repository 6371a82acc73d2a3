/*
 * test_ini.c - tests conf/ini, and that it avoids the limits of inih
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/ini.h"

/* The calls back, one a line: "3 key=value", "2 [name]", "4 !error". */
static char calls[400000];

__attribute__((format(printf, 1, 2)))
static void
add(const char *fmt, ...)
{
	size_t at = strlen(calls);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(calls + at, sizeof(calls) - at, fmt, ap);
	va_end(ap);
}

static void
on_section(void *user, const char *name, unsigned line)
{
	(void)user;
	add("%u [%s]\n", line, name);
}

static void
on_key(void *user, const char *key, const char *value, unsigned line)
{
	(void)user;
	add("%u %s=%s\n", line, key, value);
}

static void
on_error(void *user, const char *what, unsigned line)
{
	(void)user;
	add("%u !%s\n", line, what);
}

static const char *
read_text(const char *text, size_t len)
{
	static const struct ini_ops ops = {on_section, on_key, on_error};
	char path[] = "/tmp/fcgipm-ini-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	calls[0] = '\0';
	ini_read(path, &ops, NULL);
	unlink(path);
	return calls;
}

#define READ(text) read_text(text, sizeof(text) - 1)

Test(ini, reports_sections_and_keys_with_their_lines)
{
	cr_expect_str_eq(READ("; a comment\n[a]\nx = 1\n\n"
			      "# another\n[b]\ny=2\n"),
		"2 [a]\n3 x=1\n6 [b]\n7 y=2\n");
}

Test(ini, an_indented_key_is_a_key)
{
	cr_expect_str_eq(READ("[a]\nx = 1\n  y = 2\n\tz = 3\n"),
		"1 [a]\n2 x=1\n3 y=2\n4 z=3\n");
}

Test(ini, a_semicolon_stays_in_its_value)
{
	cr_expect_str_eq(READ("[a]\nx = one ; two\ny = a;b # c\n"),
		"1 [a]\n2 x=one ; two\n3 y=a;b # c\n");
}

Test(ini, a_line_of_64_KiB_is_whole_and_the_next_has_its_number)
{
	static char text[70000];
	const char *got;
	size_t n = (size_t)sprintf(text, "[a]\nx = ");

	memset(text + n, 'v', 65000);
	n += 65000;
	n += (size_t)sprintf(text + n, "\ny = 2\nno key here\n");
	got = read_text(text, n);
	cr_expect(strncmp(got, "1 [a]\n2 x=vvvv", 14) == 0);
	cr_expect_eq(strspn(strstr(got, "x=") + 2, "v"), 65000);
	cr_expect(strstr(got, "v\n3 y=2\n4 !write KEY = VALUE"));
}

Test(ini, a_longer_line_is_an_error_with_its_number)
{
	static char text[80000];
	size_t n = (size_t)sprintf(text, "[a]\nx = ");

	memset(text + n, 'v', 66000);
	n += 66000;
	n += (size_t)sprintf(text + n, "\ny = 2\n");
	cr_expect_str_eq(read_text(text, n),
		"1 [a]\n2 !shorten the line to 64 KiB\n3 y=2\n");
}

Test(ini, a_byte_order_mark_and_cr_are_not_part_of_the_text)
{
	cr_expect_str_eq(READ("\xef\xbb\xbf[a]\r\nx = 1\r\n"),
		"1 [a]\n2 x=1\n");
}

Test(ini, a_nul_byte_is_an_error)
{
	cr_expect_str_eq(READ("[a]\nx = 1\0 2\ny = 3\n"),
		"1 [a]\n2 !remove the NUL byte: this is not text\n3 y=3\n");
}

Test(ini, wrong_lines_are_errors_and_the_rest_is_read)
{
	cr_expect_str_eq(READ("[a\nnothing\n[b] junk\n= 3\nx = 1\n"),
		"1 ![a: the closing bracket is missing; write [a]\n"
		"1 [a]\n"
		"2 !write KEY = VALUE, or [SECTION]\n"
		"3 !remove what follows the ]: comments and keys need lines "
		"of their own\n"
		"3 [b]\n"
		"4 !write a key before the =\n"
		"5 x=1\n");
}

/* conf_dump() writes them; anything else belongs to the value. */
Test(ini, an_origin_after_a_value_is_a_comment)
{
	cr_expect_str_eq(READ("[a]\n"
			      "a = 1    ; default\n"
			      "b = 1    ; option\n"
			      "c = 1    ; /x y/z.ini:12\n"
			      "d =     ; x.ini:3\n"
			      "e = 1 ; default\n"
			      "f = 1    ; defaults\n"
			      "g = 1    ; :3\n"
			      "h = 1    ; x.ini:\n"
			      "i = 1    ; default    ; x.ini:4\n"
			      "j = 1    ; two  \n"),
		"1 [a]\n2 a=1\n3 b=1\n4 c=1\n5 d=\n6 e=1 ; default\n"
		"7 f=1    ; defaults\n8 g=1    ; :3\n9 h=1    ; x.ini:\n"
		"10 i=1    ; default\n11 j=1    ; two\n");
}

Test(ini, an_empty_value_and_a_last_line_without_end_are_read)
{
	cr_expect_str_eq(READ("[a]\nx =\ny = 1"), "1 [a]\n2 x=\n3 y=1\n");
}

Test(ini, a_directory_or_a_missing_file_is_an_error_without_a_line)
{
	static const struct ini_ops ops = {on_section, on_key, on_error};

	calls[0] = '\0';
	cr_expect_eq(ini_read("/tmp", &ops, NULL), -1);
	cr_expect_str_eq(calls, "0 !is a directory; name a file\n");
	calls[0] = '\0';
	cr_expect_eq(ini_read("/nonexistent.ini", &ops, NULL), -1);
	cr_expect_str_eq(calls, "0 !No such file or directory\n");
}
