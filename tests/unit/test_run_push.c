/* Rows that a caller hands over: split among analyses whose states are merged, in whatever order, they
 * give the run of one analysis over all of them, byte for byte, and that of ss_analyze over a file of
 * the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "saescope.h"

#include "base/file.h"
#include "base/mem.h"

enum { N_ROWS = 90, N_PARTS = 4, TEXT_BYTES = 64 };

static char folder[] = "/tmp/saescope-push-XXXXXX";
static ss_encoder *encoder;
static ss_sae *sae;
static char texts[N_ROWS][TEXT_BYTES];
static struct ss_text rows[N_ROWS];
static uint64_t numbers[N_ROWS];

static void check(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fail_msg("%s", err->message);
    }
}

/* Row 7 is null, row 8 empty; texts come again. */
static bool is_null[N_ROWS] = {[7] = true};

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < N_ROWS; i++) {
        if (is_null[i]) {
            fprintf(file, "{\"text\": null}\n");
        } else {
            fprintf(file, "{\"text\": \"%s\"}\n", texts[i]);
        }
    }
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const nouns[] = {"star", "galaxy", "dust", "gas", "orbit"};
    ss_err err = {0};
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i != 8) { /* which stays empty */
            snprintf(texts[i], TEXT_BYTES, "the %s of a %s %zu", nouns[i % 5], nouns[i * 7 % 5],
                     i % 40);
        }
        rows[i] = (struct ss_text){texts[i], strlen(texts[i])};
        numbers[i] = i;
    }
    check(ss_encoder_open(SS_TEST_DATA "/encoder/mpnet-mean", NULL, &encoder, &err), &err);
    check(ss_sae_open(SS_TEST_DATA "/run/sae-jumprelu", NULL, &sae, &err), &err);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    ss_sae_free(sae);
    ss_encoder_free(encoder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static size_t turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static ss_analysis *begin(const char *out)
{
    ss_err err;
    ss_analysis *analysis = NULL;
    static const char *file;
    static const uint64_t n_rows = N_ROWS;
    file = in_folder("rows.jsonl");
    const struct ss_analyze_options options = {
        .struct_size = sizeof options, .out_dir = out, .n_threads = 1, .top_k = 5};
    const struct ss_push_options push = {.struct_size = sizeof push,
                                         .name = "rows",
                                         .files = &file,
                                         .file_rows = &n_rows,
                                         .n_files = 1};
    check(ss_analysis_open(encoder, sae, &options, &push, &analysis, &err), &err);
    return analysis;
}

static ss_status add(ss_analysis *analysis, size_t first, size_t n, ss_err *err)
{
    const struct ss_pushed_rows some = {.struct_size = sizeof some,
                                        .n = n,
                                        .texts = rows + first,
                                        .is_null = is_null + first,
                                        .rows = numbers + first};
    return ss_analysis_add(analysis, &some, err);
}

static void finish(ss_analysis *analysis)
{
    ss_err err;
    ss_run *run = NULL;
    check(ss_analysis_finish(analysis, &run, &err), &err);
    ss_run_free(run);
    ss_analysis_free(analysis);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    struct ss__buf x = {0}, y = {0};
    char path[512];
    ss_err err;
    snprintf(path, sizeof path, "%s/%s", a, name);
    check(ss__file_read(path, 1 << 26, &x, &err), &err);
    snprintf(path, sizeof path, "%s/%s", b, name);
    check(ss__file_read(path, 1 << 26, &y, &err), &err);
    if (x.n_bytes != y.n_bytes || memcmp(x.data, y.data, x.n_bytes) != 0) {
        fail_msg("%s of %s and %s differ", name, a, b);
    }
    ss__buf_release(&x);
    ss__buf_release(&y);
}

static void assert_same_runs(const char *a, const char *b)
{
    static const char *const names[] = {
        "fire_rate.npy",  "top_activations.json", "features.csv",
        "histograms.npz", "evidence/texts.arrow", "evidence/samples.arrow",
        "centroids.npz",  "coactivation.npz",     "evidence/embeddings.npy"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_same_file(a, b, names[i]);
    }
}

static void test_rows_that_are_handed_over_give_the_run_of_their_file(void **state)
{
    (void)state;
    ss_err err;
    ss_run *run = NULL;
    ss_dataset *dataset = NULL;
    const char *path = in_folder("rows.jsonl");
    write_file(path);
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .out_dir = in_folder("file"),
                                               .n_threads = 1,
                                               .top_k = 5};
    check(ss_dataset_open(&path, 1, NULL, &dataset, &err), &err);
    check(ss_analyze(encoder, sae, dataset, &options, &run, &err), &err);
    ss_dataset_close(dataset);
    ss_run_free(run);
    ss_analysis *analysis = begin(in_folder("pushed"));
    for (size_t first = 0; first < N_ROWS; first += 30) {
        check(add(analysis, first, 30, &err), &err);
    }
    finish(analysis);
    assert_same_runs(in_folder("file"), in_folder("pushed"));
}

/* States of quarters, whose rows are dealt out. */
static void make_states(char *states[N_PARTS], size_t n_bytes[N_PARTS])
{
    ss_err err;
    for (size_t part = 0; part < N_PARTS; part++) {
        ss_analysis *analysis = begin(NULL);
        for (size_t i = part; i < N_ROWS; i += N_PARTS) {
            check(add(analysis, i, 1, &err), &err);
        }
        check(ss_analysis_state(analysis, &states[part], &n_bytes[part], &err), &err);
        ss_analysis_free(analysis);
    }
}

static void test_states_merge_in_any_order(void **state)
{
    (void)state;
    ss_err err;
    char *states[N_PARTS], *left = NULL, *sums[2] = {NULL, NULL};
    size_t n_bytes[N_PARTS], n_left = 0, n_sum[2] = {0, 0};
    make_states(states, n_bytes);
    const struct ss_text first[] = {{states[2], n_bytes[2]}, {states[0], n_bytes[0]}};
    check(ss_states_merge(first, 2, 0, &left, &n_left, &err), &err);
    const struct ss_text tree[] = {
        {states[3], n_bytes[3]}, {left, n_left}, {states[1], n_bytes[1]}};
    check(ss_states_merge(tree, 3, 0, &sums[0], &n_sum[0], &err), &err);
    struct ss_text flat[N_PARTS + 1];
    for (size_t i = 0; i < N_PARTS; i++) {
        flat[i] = (struct ss_text){states[i], n_bytes[i]};
    }
    flat[N_PARTS] = flat[1]; /* a task that was done twice */
    check(ss_states_merge(flat, N_PARTS + 1, 0, &sums[1], &n_sum[1], &err), &err);
    ss_analysis *analysis = begin(in_folder("merged"));
    check(ss_analysis_merge(analysis, (struct ss_text){sums[0], n_sum[0]}, &err), &err);
    check(ss_analysis_merge(analysis, flat[2], &err), &err); /* it is in */
    finish(analysis);
    ss_analysis *other = begin(in_folder("merged2"));
    check(add(other, 0, 0, &err), &err);
    check(ss_analysis_merge(other, (struct ss_text){sums[1], n_sum[1]}, &err), &err);
    finish(other);
    ss_analysis *whole = begin(in_folder("whole"));
    check(add(whole, 0, N_ROWS, &err), &err);
    finish(whole);
    assert_same_runs(in_folder("merged"), in_folder("whole"));
    assert_same_runs(in_folder("merged2"), in_folder("whole"));
    for (size_t i = 0; i < N_PARTS; i++) {
        ss_analysis_free_state(states[i]);
    }
    ss_analysis_free_state(left);
    ss_analysis_free_state(sums[0]);
    ss_analysis_free_state(sums[1]);
}

static void test_equal_rows_have_equal_states(void **state)
{
    (void)state;
    ss_err err;
    char *states[2];
    size_t n_bytes[2];
    for (size_t i = 0; i < 2; i++) {
        ss_analysis *analysis = begin(NULL);
        check(add(analysis, i * 45, 45, &err), &err);
        check(ss_analysis_state(analysis, &states[i], &n_bytes[i], &err), &err);
        ss_analysis_free_state(states[i]);
        check(add(analysis, 45 - i * 45, 45, &err), &err); /* goes on after a state was taken */
        check(ss_analysis_state(analysis, &states[i], &n_bytes[i], &err), &err);
        ss_analysis_free(analysis);
    }
    /* All sections but the record, which has seconds. */
    const size_t n_tail = 9 * 16 + 64 + 8;
    uint64_t ends[2];
    for (size_t i = 0; i < 2; i++) {
        memcpy(&ends[i], states[i] + n_bytes[i] - n_tail + 8 * 16, sizeof ends[i]);
    }
    assert_int_equal(ends[0], ends[1]);
    assert_memory_equal(states[0], states[1], ends[0]);
    ss_analysis_free_state(states[0]);
    ss_analysis_free_state(states[1]);
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    ss_err err;
    char *bytes = NULL;
    size_t n_bytes = 0;
    ss_analysis *analysis = NULL;
    struct ss_analyze_options options = {.struct_size = sizeof options, .num_examples = 5};
    assert_int_equal(ss_analysis_open(encoder, sae, &options, NULL, &analysis, &err),
                     SS_E_USAGE);
    assert_null(analysis);
    options.num_examples = 0;
    options.part = options.n_parts = 1;
    assert_int_equal(ss_analysis_open(encoder, sae, &options, NULL, &analysis, &err),
                     SS_E_USAGE);
    analysis = begin(NULL);
    assert_int_equal(ss_analysis_state(analysis, &bytes, &n_bytes, &err), SS_E_USAGE);
    const uint32_t no_file = 3;
    const struct ss_pushed_rows wrong = {
        .struct_size = sizeof wrong, .n = 1, .texts = rows, .files = &no_file};
    assert_int_equal(ss_analysis_add(analysis, &wrong, &err), SS_E_USAGE);
    check(add(analysis, 0, 5, &err), &err); /* still good */
    check(ss_analysis_state(analysis, &bytes, &n_bytes, &err), &err);
    for (size_t n = 0; n < n_bytes; n += 997) { /* cut off, and a bit turned */
        assert_int_equal(ss_analysis_merge(analysis, (struct ss_text){bytes, n}, &err),
                         SS_E_DATA);
        bytes[n] ^= 4;
        assert_int_not_equal(
            ss_analysis_merge(analysis, (struct ss_text){bytes, n_bytes}, &err), SS_OK);
        bytes[n] ^= 4;
    }
    bytes[8] = 9; /* of a later version */
    assert_int_equal(ss_analysis_merge(analysis, (struct ss_text){bytes, n_bytes}, &err),
                     SS_E_UNSUPPORTED);
    check(add(analysis, 5, 5, &err), &err); /* as it was */
    ss_analysis_free_state(bytes);
    options.part = options.n_parts = 0;
    options.top_k = 7;
    ss_analysis *other = NULL;
    check(ss_analysis_open(encoder, sae, &options, NULL, &other, &err), &err);
    check(ss_analysis_add(other,
                          &(struct ss_pushed_rows){.struct_size = sizeof(struct ss_pushed_rows),
                                                   .n = 2,
                                                   .texts = rows},
                          &err),
          &err);
    check(ss_analysis_state(other, &bytes, &n_bytes, &err), &err);
    assert_int_equal(ss_analysis_merge(analysis, (struct ss_text){bytes, n_bytes}, &err),
                     SS_E_DATA);
    assert_non_null(strstr(err.message, "top_k"));
    ss_analysis_free_state(bytes);
    ss_analysis_free(other);
    ss_run *run = NULL;
    check(ss_analysis_finish(analysis, &run, &err), &err);
    assert_int_equal(add(analysis, 0, 1, &err), SS_E_USAGE); /* its run was made */
    ss_run_free(run);
    ss_analysis_free(analysis);
    ss_analysis_free(NULL);
    ss_analysis_free_state(NULL);
    assert_int_equal(ss_states_merge(NULL, 0, 0, &bytes, &n_bytes, &err), SS_E_USAGE);
}

/* Names that nobody gave, columns that go along, and rows that are numbered as they come. */
static void test_defaults_and_columns(void **state)
{
    (void)state;
    ss_err err;
    ss_run *run = NULL;
    ss_analysis *analysis = NULL;
    static const char *const columns[] = {"id"};
    static const struct ss_text values[] = {{"1", 1}, {"2", 1}, {"\"x\"", 3}};
    const struct ss_push_options push = {
        .struct_size = sizeof push, .columns = columns, .n_columns = 1};
    const struct ss_analyze_options options = {.struct_size = sizeof options};
    check(ss_analysis_open(encoder, sae, &options, &push, &analysis, &err), &err);
    const struct ss_pushed_rows some = {
        .struct_size = sizeof some, .n = 3, .texts = rows, .values = values};
    check(ss_analysis_add(analysis, &some, &err), &err);
    check(ss_analysis_add(analysis, &some, &err), &err);
    check(ss_analysis_finish(analysis, &run, &err), &err);
    struct ss_run_info info = {.struct_size = sizeof info};
    ss_run_describe(run, &info);
    assert_int_equal(info.n_rows_used, 6);
    bool found = false;
    for (size_t f = 0; f < info.n_features; f++) {
        struct ss_top_text top = {.struct_size = sizeof top};
        if (ss_run_top(run, f, 0, &top) == SS_OK) {
            assert_true(top.row < 6);
            found = true;
        }
    }
    assert_true(found);
    ss_run_free(run);
    ss_analysis_free(analysis);
}

/* The command's own test has the rest (tests/cli/test_parts.py). */
static void test_a_plan_is_of_files_that_can_be_cut(void **state)
{
    (void)state;
    ss_err err;
    ss_dataset *dataset = NULL;
    const char *path = in_folder("planned.jsonl"), *out = in_folder("plan.json");
    write_file(path);
    check(ss_dataset_open(&path, 1, NULL, &dataset, &err), &err);
    check(ss_plan_write(dataset, 3, out, false, &err), &err);
    ss_dataset_close(dataset);
    check(ss_dataset_open(&path, 1, NULL, &dataset, &err), &err);
    assert_int_equal(ss_plan_write(dataset, 3, out, false, &err), SS_E_EXISTS);
    assert_int_equal(ss_plan_write(dataset, 0, out, true, &err), SS_E_USAGE);
    ss_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_that_are_handed_over_give_the_run_of_their_file),
        cmocka_unit_test(test_states_merge_in_any_order),
        cmocka_unit_test(test_equal_rows_have_equal_states),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_defaults_and_columns),
        cmocka_unit_test(test_a_plan_is_of_files_that_can_be_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
