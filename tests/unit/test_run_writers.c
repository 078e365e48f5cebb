/* The bytes of the output folder's files, against numpy and Python (tests/data/run). */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "folder/npy.h"
#include "folder/results.h"

#define DATA SS_TEST_DATA "/run/"

static char folder[] = "/tmp/saescope-run-XXXXXX";

static char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left a file */
}

static void assert_same_files(const char *ours, const char *expected)
{
    struct ss__buf a = {0}, b = {0};
    assert_int_equal(ss__file_read(ours, 1 << 24, &a, NULL), SS_OK);
    assert_int_equal(ss__file_read(expected, 1 << 24, &b, NULL), SS_OK);
    assert_int_equal(a.n_bytes, b.n_bytes);
    assert_memory_equal(a.data, b.data, a.n_bytes);
    ss__buf_release(&a);
    ss__buf_release(&b);
    unlink(ours);
}

/* ---- npy ---- */

static void headers_are_numpys(void **state)
{
    (void)state;
    char line[1024];
    size_t n_lines = 0;
    FILE *file = fopen(DATA "npy_headers.tsv", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t shape[2] = {0};
        char *hex = strchr(line, '\t');
        *hex++ = '\0';
        const int n_dims = sscanf(line, "%" SCNu64 " %" SCNu64, &shape[0], &shape[1]);
        struct ss__buf header = {0};
        ss_folder_npy_add_header(&header, (size_t)n_dims, shape);
        assert_int_equal(2 * header.n_bytes, strcspn(hex, "\n"));
        assert_int_equal(header.n_bytes % 64, 0);
        for (size_t i = 0; i < header.n_bytes; i++) {
            unsigned byte = 0;
            assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
            assert_int_equal((unsigned char)header.data[i], byte);
        }
        ss__buf_release(&header);
        n_lines++;
    }
    fclose(file);
    assert_int_equal(n_lines, 19);
}

static void arrays_are_numpys(void **state)
{
    (void)state;
    struct ss__buf values = {0};
    assert_int_equal(ss__file_read(DATA "rates.f32", 1 << 20, &values, NULL), SS_OK);
    const uint64_t n = values.n_bytes / sizeof(float);
    char *path = path_of("rates.npy");
    assert_int_equal(ss_folder_npy_write(path, (const float *)(void *)values.data, 1, &n, NULL),
                     SS_OK);
    assert_same_files(path, DATA "rates.npy");
    ss__buf_release(&values);
}

static void stream_equals_whole(void **state)
{
    (void)state;
    enum { ROWS = 1000, WIDTH = 5 };
    static float values[ROWS * WIDTH];
    const uint64_t shape[2] = {ROWS, WIDTH};
    struct ss_folder_npy_stream stream = SS_FOLDER_NPY_CLOSED;
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        values[i] = (float)i / 7;
    }
    char *whole = strdup(path_of("whole.npy"));
    char *path = path_of("stream.npy");
    assert_int_equal(ss_folder_npy_write(whole, values, 2, shape, NULL), SS_OK);
    assert_int_equal(ss_folder_npy_open(path, false, WIDTH, &stream, NULL), SS_OK);
    for (size_t at = 0, n = 1; at < ROWS; at += n, n = n % 97 + 1) {
        n = n < ROWS - at ? n : ROWS - at;
        assert_int_equal(ss_folder_npy_add(&stream, values + at * WIDTH, n, NULL), SS_OK);
    }
    assert_int_equal(ss_folder_npy_commit(&stream, NULL), SS_OK);
    assert_same_files(path, whole);
    unlink(whole);
    free(whole);
}

static void full_disk_is_told(void **state)
{
    (void)state;
    const float value = 1;
    const uint64_t n = 1;
    ss_err err;
    assert_int_equal(ss_folder_npy_write("/dev/full", &value, 1, &n, &err), SS_E_IO);
    assert_non_null(strstr(err.message, "/dev/full"));
    assert_int_equal(ss_status_exit_code(err.code), 74);
}

/* ---- top_activations.json ---- */

struct lists {
    struct ss_run run;
    struct ss__buf bytes;
};

static void read_lists(struct lists *lists)
{
    size_t at = 0, n_tops = 0, n_features = 0;
    struct ss_run *run = &lists->run;
    assert_int_equal(ss__file_read(DATA "top.bin", 1 << 20, &lists->bytes, NULL), SS_OK);
    run->features = ss__alloc(100, sizeof *run->features);
    run->top_offsets = ss__alloc(101, sizeof *run->top_offsets);
    run->tops = ss__alloc(100, sizeof *run->tops);
    while (at < lists->bytes.n_bytes) {
        uint32_t n = 0;
        memcpy(&n, lists->bytes.data + at, 4);
        at += 4;
        for (uint32_t i = 0; i < n; i++) {
            struct ss_top_text *top = &run->tops[n_tops++];
            uint32_t n_bytes = 0;
            memcpy(&top->activation, lists->bytes.data + at, 4);
            memcpy(&n_bytes, lists->bytes.data + at + 4, 4);
            top->text = (struct ss_text){lists->bytes.data + at + 8, n_bytes};
            at += 8 + n_bytes;
        }
        struct ss_feature *feature = &run->features[n_features++];
        feature->n_top = n;
        feature->n_fires = n;
        feature->dead = n == 0;
        feature->max_activation = n == 0 ? 0 : run->tops[n_tops - n].activation;
        run->top_offsets[n_features] = n_tops;
    }
    run->info.n_features = n_features;
    run->info.top_k = 10;
}

static void release_lists(struct lists *lists)
{
    ss__free(lists->run.features);
    ss__free(lists->run.top_offsets);
    ss__free(lists->run.tops);
    ss__buf_release(&lists->bytes);
}

static void top_json_is_pythons(void **state)
{
    (void)state;
    struct lists lists = {0};
    read_lists(&lists);
    char *path = path_of("top.json");
    assert_int_equal(ss_folder_top_json_write(&lists.run, path, NULL), SS_OK);
    assert_same_files(path, DATA "top.json");
    release_lists(&lists);
}

static void top_json_is_read_back(void **state)
{
    (void)state;
    struct lists lists = {0};
    read_lists(&lists);
    ss_run *again = ss__alloc(1, sizeof *again);
    again->info = lists.run.info;
    again->features = ss__alloc(lists.run.info.n_features, sizeof *again->features);
    memcpy(again->features, lists.run.features,
           lists.run.info.n_features * sizeof *again->features);
    ss_err err;
    assert_int_equal(ss_folder_top_json_read(again, DATA "top.json", &err), SS_OK);
    for (size_t i = 0; i < lists.run.top_offsets[lists.run.info.n_features]; i++) {
        const struct ss_top_text *a = &lists.run.tops[i], *b = &again->tops[i];
        assert_memory_equal(&a->activation, &b->activation, sizeof a->activation);
        assert_int_equal(a->text.n_bytes, b->text.n_bytes);
        assert_memory_equal(a->text.data, b->text.data, a->text.n_bytes);
    }
    ss_run_free(again);
    release_lists(&lists);
}

static void a_list_without_texts_is_read_back(void **state)
{
    (void)state;
    char *path = path_of("top.json");
    ss_run *run = ss__alloc(1, sizeof *run);
    run->info = (struct ss_run_info){
        .struct_size = sizeof(struct ss_run_info), .n_features = 1, .top_k = 10};
    run->features = ss__alloc(1, sizeof *run->features);
    run->features[0].dead = true;
    assert_int_equal(ss__file_write(path, "[[]]", 4, NULL), SS_OK);
    assert_int_equal(ss_folder_top_json_read(run, path, NULL), SS_OK);
    assert_int_equal(run->features[0].n_top, 0);
    ss_run_free(run);
    unlink(path);
}

static void damaged_top_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[",
        "[]",
        "[[[1.0,\"a\"]]",
        "[[[1.0,\"a\"]]] x",
        "[[[1.0,\"a\"],]]",
        "[[[1.0,\"a\"]],[]]",
        "[[[2.0,\"a\"]]]",        /* not the maximum */
        "[[[1.0,\"a\\ud800\"]]]", /* half a pair */
        "[[[1.0,\"a\xff\"]]]",
        "[[[1.0,\"a\n\"]]]",
        "[[[-1.0,\"a\"]]]",
        "[[[1e999,\"a\"]]]",
        "[[[NaN,\"a\"]]]",
        "[[[1.0,\"a\"],[1.5,\"b\"]]]",                            /* rising */
        "[[[1.0,\"a\"],[0.5,\"b\"],[0.25,\"c\"],[0.125,\"d\"]]]", /* more than fired */
        "[[[1.0,\"a\\u12\"]]]",
        "[[[1.0,\"a\\x\"]]]",
        "[[[1.0]]]",
        "[[\"a\"]]",
        "{}",
    };
    char *path = path_of("top.json");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ss_err err = {0};
        ss_run *run = ss__alloc(1, sizeof *run);
        run->info.n_features = 1;
        run->info.top_k = 10;
        run->features = ss__alloc(1, sizeof *run->features);
        run->features[0] = (struct ss_feature){
            .struct_size = sizeof(struct ss_feature), .n_fires = 3, .max_activation = 1};
        assert_int_equal(ss__file_write(path, texts[i], strlen(texts[i]), NULL), SS_OK);
        assert_int_equal(ss_folder_top_json_read(run, path, &err), SS_E_DATA);
        assert_non_null(strstr(err.message, "top.json: "));
        ss_run_free(run);
    }
    unlink(path);
}

/* ---- features.csv ---- */

static void features_csv_is_read_back(void **state)
{
    (void)state;
    struct ss_feature features[2] = {
        {.n_fires = 1,
         .rate_pct = 33.333332F,
         .rate_low_pct = 6.149,
         .rate_high_pct = 79.2,
         .max_activation = 0.1F,
         .mean_activation = 0.1},
        {.dead = true, .rate_high_pct = 56.15},
    };
    struct ss_run run = {.features = features, .info = {.n_features = 2}};
    static const char expected[] =
        "feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,max_activation,"
        "mean_activation,dead\n"
        "0,1,33.33333206176758,6.149,79.2,0.10000000149011612,0.1,false\n"
        "1,0,0.0,0.0,56.15,0.0,0.0,true\n";
    struct ss__buf bytes = {0};
    char *path = path_of("features.csv");
    assert_int_equal(ss_folder_features_csv_write(&run, path, NULL), SS_OK);
    assert_int_equal(ss__file_read(path, 1 << 20, &bytes, NULL), SS_OK);
    assert_string_equal(ss__buf_text(&bytes), expected);
    struct ss_run again = {.info = {.n_features = 2, .n_rows_used = 3}};
    assert_int_equal(ss_folder_features_csv_read(&again, path, NULL), SS_OK);
    assert_int_equal(again.features[0].n_fires, 1);
    assert_true(again.features[0].rate_pct == features[0].rate_pct);
    assert_true(again.features[1].dead);
    ss__free(again.features);
    /* Every single byte that is damaged gives an error or other numbers, never a crash. */
    for (size_t i = 0; i < sizeof expected - 1; i++) {
        const char kept = bytes.data[i];
        bytes.data[i] ^= 0x15;
        assert_int_equal(ss__file_write(path, bytes.data, sizeof expected - 1, NULL), SS_OK);
        struct ss_run damaged = {.info = {.n_features = 2, .n_rows_used = 3}};
        (void)!ss_folder_features_csv_read(&damaged, path, NULL);
        ss__free(damaged.features);
        bytes.data[i] = kept;
    }
    unlink(path);
    ss__buf_release(&bytes);
}

static void json_is_pretty(void **state)
{
    (void)state;
    struct ss__json_writer writer = {0};
    ss__put_open(&writer, NULL, '{');
    ss__put_text(&writer, "a", "\"");
    ss__put_open(&writer, "list", '[');
    ss__put_count(&writer, NULL, 1);
    ss__put_number(&writer, NULL, 0.5);
    ss__put_close(&writer, ']');
    ss__put_open(&writer, "none", '[');
    ss__put_close(&writer, ']');
    ss__put_null(&writer, "n");
    ss__put_bool(&writer, "b", true);
    ss__put_close(&writer, '}');
    assert_string_equal(ss__buf_text(&writer.buf),
                        "{\n  \"a\": \"\\\"\",\n  \"list\": [\n    1,\n    0.5\n  ],\n"
                        "  \"none\": [],\n  \"n\": null,\n  \"b\": true\n}\n");
    ss__buf_release(&writer.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_numpys),
        cmocka_unit_test(arrays_are_numpys),
        cmocka_unit_test(stream_equals_whole),
        cmocka_unit_test(full_disk_is_told),
        cmocka_unit_test(top_json_is_pythons),
        cmocka_unit_test(top_json_is_read_back),
        cmocka_unit_test(a_list_without_texts_is_read_back),
        cmocka_unit_test(damaged_top_json_is_refused),
        cmocka_unit_test(features_csv_is_read_back),
        cmocka_unit_test(json_is_pretty),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
