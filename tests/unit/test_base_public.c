/* What the public header promises of itself: versions, names of enums, options in errors, and
 * the allocator that a program brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sized.h"
#include "saescope_tools.h"

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

/* Every value of an enum up to `n` has a name, by which it is found again. */
#define CHECK_NAMES(kind, n)                                                                   \
    do {                                                                                       \
        for (int i = 0; i < (n); i++) {                                                        \
            ss_##kind found_ = (ss_##kind)(i == 0);                                            \
            assert_string_not_equal(ss_##kind##_name((ss_##kind)i), "unknown");                \
            assert_true(ss_##kind##_parse(ss_##kind##_name((ss_##kind)i), &found_));           \
            assert_int_equal(found_, i);                                                       \
        }                                                                                      \
        ss_##kind kept_ = (ss_##kind)1;                                                        \
        assert_string_equal(ss_##kind##_name((ss_##kind)(n)), "unknown");                      \
        assert_false(ss_##kind##_parse("poem", &kept_));                                       \
        assert_false(ss_##kind##_parse(NULL, &kept_));                                         \
        assert_int_equal(kept_, 1);                                                            \
    } while (0)

static void test_names_of_enums(void **state)
{
    (void)state;
    CHECK_NAMES(precision, SS_N_PRECISIONS);
    CHECK_NAMES(fetch_kind, SS_FETCH_DATASET + 1);
    CHECK_NAMES(batchtopk_rule, SS_BATCHTOPK_BATCH + 1);
    CHECK_NAMES(text_unit, SS_UNIT_DOCUMENT + 1);
    CHECK_NAMES(bad_rows, SS_BAD_ROWS_SKIP + 1);
    CHECK_NAMES(row_kind, SS_N_ROW_KINDS);
    CHECK_NAMES(feature_order, SS_ORDER_TEXTS + 1);
    CHECK_NAMES(null_rule, SS_NULL_NAN + 1);
    ss_null_rule rule = SS_NULL_DEFAULT;
    assert_true(ss_null_rule_parse("zero", &rule) && rule == SS_NULL_ZERO);
    ss_batchtopk_rule batchtopk = SS_BATCHTOPK_REFUSE;
    assert_true(ss_batchtopk_rule_parse("row-topk", &batchtopk) &&
                batchtopk == SS_BATCHTOPK_ROW_TOPK);
}

/* By the definition: insert, drop, change, swap of neighbours cost 1 each. */
static void test_edit_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t n;
    } cases[] = {{"", "", 0},          {"", "abc", 3},      {"kitten", "sitting", 3},
                 {"ab", "ba", 1},      {"gzip", "gizp", 1}, {"describe", "desrcibe", 1},
                 {"train", "rain", 1}, {"abc", "xyz", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ss_edit_distance(cases[i].a, cases[i].b), cases[i].n);
        assert_int_equal(ss_edit_distance(cases[i].b, cases[i].a), cases[i].n);
    }
}

/* ---- structs that grow ---- */

struct grown { /* what the library has */
    size_t struct_size;
    int a;
    const char *b;
    double c;
};

struct old { /* what a program was compiled with */
    size_t struct_size;
    int a;
};

struct newer {
    struct grown known;
    int d;
};

static void test_options_are_read_as_far_as_they_go(void **state)
{
    (void)state;
    struct grown read;
    ss_err err;
    const struct {
        struct old old;
        unsigned char behind[64];
    } from = {{sizeof(struct old), 7}, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
    assert_int_equal(SS_READ_OPTIONS(&read, &from.old, grown, &err), SS_OK);
    assert_int_equal(read.struct_size, sizeof read);
    assert_int_equal(read.a, 7);
    assert_null(read.b);
    assert_true(read.c == 0);
    assert_int_equal(SS_READ_OPTIONS(&read, NULL, grown, &err), SS_OK);
    assert_int_equal(read.a, 0);
    struct newer newer;
    memset(&newer, 0, sizeof newer); /* what is between members, too */
    newer.known = (struct grown){sizeof newer, 7, "b", 2};
    assert_int_equal(SS_READ_OPTIONS(&read, &newer, grown, &err), SS_OK);
    assert_string_equal(read.b, "b");
    newer.d = 1;
    assert_int_equal(SS_READ_OPTIONS(&read, &newer, grown, &err), SS_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "newer"));
    const size_t unset[] = {0, sizeof(size_t), 1 << 20, SIZE_MAX};
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) {
        struct grown given = {.struct_size = unset[i], .a = 7};
        assert_int_equal(SS_READ_OPTIONS(&read, &given, grown, &err), SS_E_USAGE);
        assert_non_null(strstr(err.message, "grown_init"));
        assert_int_equal(read.a, 0);
    }
}

static void test_results_are_written_as_far_as_they_go(void **state)
{
    (void)state;
    const struct grown result = {0, 7, "b", 2};
    struct {
        struct old old;
        unsigned char behind[16];
    } to;
    memset(&to, 0xAA, sizeof to);
    to.old.struct_size = sizeof to.old;
    assert_int_equal(ss__result_write(&to.old, &result, sizeof result), SS_OK);
    assert_int_equal(to.old.struct_size, sizeof to.old);
    assert_int_equal(to.old.a, 7);
    for (size_t i = 0; i < sizeof to.behind; i++) {
        assert_int_equal(to.behind[i], 0xAA);
    }
    struct newer newer = {{.struct_size = sizeof newer}, 9};
    assert_int_equal(ss__result_write(&newer, &result, sizeof result), SS_OK);
    assert_int_equal(newer.known.struct_size, sizeof newer);
    assert_string_equal(newer.known.b, "b");
    assert_int_equal(newer.d, 0);
    struct grown unset = {0, 3, NULL, 0};
    assert_int_equal(ss__result_write(&unset, &result, sizeof result), SS_E_USAGE);
    assert_int_equal(unset.a, 3);
    assert_int_equal(ss__result_check(&unset, "grown", NULL), SS_E_USAGE);
    assert_int_equal(ss__result_check(NULL, "grown", NULL), SS_OK);
}

static void test_ids_of_options(void **state)
{
    (void)state;
    for (int i = SS_OPTION_NONE + 1; i < SS_N_OPTIONS; i++) {
        ss_option found = SS_OPTION_NONE;
        assert_true(ss_option_parse(ss_option_name((ss_option)i), &found));
        assert_int_equal(found, i);
    }
    assert_string_equal(ss_option_name(SS_OPTION_NONE), "");
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
        cmocka_unit_test(test_ids_of_options),
        cmocka_unit_test(test_names_of_enums),
        cmocka_unit_test(test_edit_distance),
        cmocka_unit_test(test_options_are_read_as_far_as_they_go),
        cmocka_unit_test(test_results_are_written_as_far_as_they_go),
        cmocka_unit_test(test_errors_carry_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
