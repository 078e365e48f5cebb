/* What the public header promises of itself: versions, names of enums, options in errors, and
 * the allocator that a program brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void test_version(void **state)
{
    (void)state;
    unsigned major = 0, minor = 0, patch = 0;
    assert_string_equal(ss_version(), SS_VERSION);
    assert_int_equal(ss_version_number(), SS_VERSION_NUMBER);
    assert_int_equal(sscanf(SS_VERSION, "%u.%u.%u", &major, &minor, &patch), 3);
    assert_int_equal(SS_VERSION_NUMBER, 10000 * major + 100 * minor + patch);
}

static void test_features(void **state)
{
    (void)state;
    assert_false(ss_has_feature("cuda"));
    assert_false(ss_has_feature("poem"));
    assert_false(ss_has_feature(NULL));
    assert_true(ss_has_feature("reference"));
    assert_true(!ss_has_feature("avx512-vnni") || ss_has_feature("avx512"));
    assert_true(!ss_has_feature("avx512") || ss_has_feature("avx2"));
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SS_N_PRECISIONS; i++) {
        ss_precision found = SS_N_PRECISIONS;
        assert_true(ss_precision_parse(ss_precision_name((ss_precision)i), &found));
        assert_int_equal(found, i);
    }
    for (int i = SS_OPTION_NONE + 1; i < SS_N_OPTIONS; i++) {
        ss_option found = SS_OPTION_NONE;
        assert_true(ss_option_parse(ss_option_name((ss_option)i), &found));
        assert_int_equal(found, i);
    }
    ss_precision precision = SS_PRECISION_LOW;
    assert_false(ss_precision_parse("lowest", &precision));
    assert_false(ss_precision_parse(NULL, &precision));
    assert_int_equal(precision, SS_PRECISION_LOW);
    assert_string_equal(ss_precision_name((ss_precision)99), "unknown");
}

static void test_errors_carry_options(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        ss_option option;
    } cases[] = {
        {"say which with `text_column`", SS_OPTION_TEXT_COLUMN},
        {"`split` and `config` choose", SS_OPTION_SPLIT},
        {"`poem` is none, `force` is", SS_OPTION_FORCE},
        {"an open `force", SS_OPTION_NONE},
        {"``force``", SS_OPTION_FORCE},
        {"`", SS_OPTION_NONE},
        {"nothing", SS_OPTION_NONE},
    };
    ss_err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&err, 0xAA, sizeof err);
        ss__fail(&err, SS_E_DATA, "%s", cases[i].message);
        assert_int_equal(err.option, cases[i].option);
        ss__fail_file(&err, "a.csv", SS_E_DATA, "%s", cases[i].message);
        assert_int_equal(err.option, cases[i].option);
    }
    ss__fail(&err, SS_E_DATA, "too many fields");
    ss__err_append(&err, "; `on_bad_row` skip leaves it out");
    assert_int_equal(err.option, SS_OPTION_ON_BAD_ROW);
    assert_string_equal(err.message, "too many fields; `on_bad_row` skip leaves it out");
}

/* ---- memory ---- */

static size_t n_live, n_given, most_alignment;

static void *count_allocate(void *user, size_t n_bytes, size_t alignment)
{
    void *block = NULL;
    assert_string_equal(user, "mine");
    if (posix_memalign(&block, alignment, n_bytes) != 0) {
        return NULL;
    }
    memset(block, 0xAA, n_bytes);
    most_alignment = alignment > most_alignment ? alignment : most_alignment;
    n_live++;
    n_given++;
    return block;
}

static void *count_reallocate(void *user, void *block, size_t n_bytes)
{
    assert_string_equal(user, "mine");
    n_live += block == NULL;
    n_given++;
    return realloc(block, n_bytes);
}

static void count_release(void *user, void *block)
{
    assert_string_equal(user, "mine");
    n_live -= block != NULL;
    free(block);
}

/* Runs first, since it is of no use later. */
static void test_allocator(void **state)
{
    (void)state;
    char user[] = "mine";
    struct ss_allocator allocator = {count_allocate, count_reallocate, NULL, user};
    ss_err err;
    assert_int_equal(ss_set_allocator(&allocator, &err), SS_E_USAGE);
    allocator.release = count_release;
    assert_int_equal(ss_set_allocator(&allocator, &err), SS_OK);
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    assert_true(n_live > 0);
    ss_work_free(work);
    assert_int_equal(n_live, 0);
    unsigned char *zeroed = ss__alloc(100, 1);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(zeroed[i], 0);
    }
    ss__free(zeroed);
    ss__free(ss__alloc_aligned(4 << 20, 1));
    assert_int_equal(most_alignment, 64);
    const size_t n_before = n_given;
    ss_dataset *dataset = NULL;
    const char *path = SS_TEST_DATA "/rows";
    (void)!ss_dataset_open(&path, 1, NULL, &dataset, NULL);
    ss_dataset_close(dataset);
    assert_true(n_given > n_before);
    assert_int_equal(n_live, 0);
    assert_int_equal(ss_set_allocator(&allocator, &err), SS_E_USAGE);
    assert_non_null(strstr(err.message, "before the first call"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocator),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_errors_carry_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
