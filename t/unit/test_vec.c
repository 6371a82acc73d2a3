/*
 * test_vec.c - tests base/vec: building argv and envp
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

Test(vec, an_empty_vector_is_one_null_pointer)
{
	struct vec v;
	char **a;

	vec_init(&v);
	a = vec_array(&v);
	cr_assert_not_null(a);
	cr_expect_null(a[0]);
	vec_fini(&v);
	vec_fini(&v);
}

Test(vec, keeps_strings_in_order)
{
	struct vec v;
	char **a;

	vec_init(&v);
	vec_add(&v, "hello");
	vec_add(&v, "");
	vec_addf(&v, "-%c%d", 'n', 4);
	vec_add_pair(&v, "NAMEXX", 4, "valueXX", 5);
	vec_add_pair(&v, "EMPTY", 5, NULL, 0);
	a = vec_array(&v);
	cr_assert_not_null(a);
	cr_expect_eq(v.n, 5);
	cr_expect_str_eq(a[0], "hello");
	cr_expect_str_eq(a[1], "", "an empty argument is an argument");
	cr_expect_str_eq(a[2], "-n4");
	cr_expect_str_eq(a[3], "NAME=value", "only the bytes given");
	cr_expect_str_eq(a[4], "EMPTY=");
	cr_expect_null(a[5]);
	vec_fini(&v);
}

Test(vec, copies_its_strings)
{
	char text[] = "before";
	struct vec v;

	vec_init(&v);
	vec_add(&v, text);
	memcpy(text, "after!", 6);
	cr_expect_str_eq(vec_array(&v)[0], "before");
	vec_fini(&v);
}

Test(vec, its_array_is_valid_after_growth)
{
	struct vec v;
	char want[32], **a;
	int i, round;

	vec_init(&v);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 5000; i++) {
			vec_addf(&v, "string %d", i);
			/* An earlier array must not be returned again. */
			if (i == 10)
				(void)vec_array(&v);
		}
		a = vec_array(&v);
		cr_assert_not_null(a);
		for (i = 0; i < 5000; i++) {
			snprintf(want, sizeof(want), "string %d", i);
			cr_assert_str_eq(a[i], want);
		}
		cr_expect_null(a[5000]);
		vec_clear(&v);
		cr_expect_eq(v.n, 0);
		cr_expect_null(vec_array(&v)[0]);
	}
	vec_fini(&v);
}

Test(vec, takes_a_string_larger_than_its_block)
{
	size_t len = 1 << 20;
	char *big = malloc(len + 1);
	struct vec v;

	cr_assert_not_null(big);
	memset(big, 'x', len);
	big[len] = '\0';
	vec_init(&v);
	vec_add(&v, "small");
	vec_add(&v, big);
	vec_add(&v, "last");
	cr_assert_not_null(vec_array(&v));
	cr_expect_str_eq(vec_array(&v)[0], "small");
	cr_expect_str_eq(vec_array(&v)[1], big);
	cr_expect_str_eq(vec_array(&v)[2], "last");
	vec_fini(&v);
	free(big);
}

/* An argv without its middle must never be used. */
Test(vec, a_failed_addition_is_remembered_until_cleared)
{
	struct vec v;

	vec_init(&v);
	vec_add(&v, "one");
	vec_add_pair(&v, "N", (size_t)-1, "v", 1);
	vec_add(&v, "three");
	cr_expect(v.failed);
	cr_expect_null(vec_array(&v));
	vec_clear(&v);
	vec_add(&v, "again");
	cr_assert_not_null(vec_array(&v));
	cr_expect_str_eq(vec_array(&v)[0], "again");
	vec_fini(&v);
}
