/* Analyses with a tiny encoder and autoencoder: the same bytes whatever the threads and the
 * token budget, and nothing half-written when something goes wrong. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "folder/manifest_read.h"
#include "saescope_tools.h"
#include "unit/sized.h"

#define MODEL SS_TEST_DATA "/encoder/mpnet-mean"
#define DATA SS_TEST_DATA "/run/"

static const char *const result_files[] = {"fire_rate.npy",         "top_activations.json",
                                           "features.csv",          "density.svg",
                                           "density.png",           "histograms.npz",
                                           "centroids.npz",         "coactivation.npz",
                                           "evidence/texts.arrow",  "evidence/embeddings.npy",
                                           "evidence/samples.arrow"};
enum {
    N_RESULT_FILES = sizeof result_files / sizeof result_files[0],
    N_NAMES = N_RESULT_FILES + 2 - 2 /* with run.json and the state; three are in one folder */
};

static char folder[] = "/tmp/saescope-analyze-XXXXXX";
static ss_encoder *encoder;
static ss_sae *sae;

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static size_t turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    ss_err err = {0};
    if (mkdtemp(folder) == NULL || ss_encoder_open(MODEL, NULL, &encoder, &err) != SS_OK ||
        ss_sae_open(DATA "sae-jumprelu", NULL, &sae, &err) != SS_OK) {
        print_error("%s\n", err.message);
        return 1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ss_encoder_free(encoder);
    ss_sae_free(sae);
    return rmdir(folder); /* fails when a test left a file */
}

static ss_dataset *open_rows(const char *path)
{
    ss_dataset *dataset = NULL;
    ss_err err = {0};
    if (ss_dataset_open(&path, 1, NULL, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return dataset;
}

static ss_status analyze(const ss_sae *with, const char *rows,
                         const struct ss_analyze_options *options, ss_run **run, ss_err *err)
{
    ss_dataset *dataset = open_rows(rows);
    const ss_status status = ss_analyze(encoder, with, dataset, options, run, err);
    ss_dataset_close(dataset);
    return status;
}

static size_t n_names(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    if (ss__path_stat(path) == SS__PATH_NONE) {
        return 0;
    }
    assert_int_equal(ss__list_folder(path, &names, &n, NULL), SS_OK);
    ss__list_release(names, n);
    return n;
}

static void remove_run(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(ss__list_folder(path, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char *file = ss__path_join(path, names[i]);
        if (ss__path_stat(file) == SS__PATH_FOLDER) {
            remove_run(file);
        } else {
            unlink(file);
        }
        ss__free(file);
    }
    ss__list_release(names, n);
    assert_int_equal(rmdir(path), 0);
}

static void assert_same_results(const char *a, const char *b)
{
    for (size_t i = 0; i < N_RESULT_FILES; i++) {
        struct ss__buf x = {0}, y = {0};
        char *path_a = ss__path_join(a, result_files[i]);
        char *path_b = ss__path_join(b, result_files[i]);
        assert_int_equal(ss__file_read(path_a, 1 << 26, &x, NULL), SS_OK);
        assert_int_equal(ss__file_read(path_b, 1 << 26, &y, NULL), SS_OK);
        if (x.n_bytes != y.n_bytes || memcmp(x.data, y.data, x.n_bytes) != 0) {
            fail_msg("%s and %s differ", path_a, path_b);
        }
        ss__buf_release(&x);
        ss__buf_release(&y);
        ss__free(path_a);
        ss__free(path_b);
    }
}

static void results_depend_on_rows_alone(void **state)
{
    (void)state;
    static const size_t threads[] = {1, 2, 3}, budgets[] = {1, 256, 4096, 65536};
    char *first = strdup(in_folder("first"));
    ss_run *run = NULL;
    ss_err err = {0};
    struct ss_analyze_options options = {
        .struct_size = sizeof options, .out_dir = first, .n_threads = 1};
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
    ss_run_free(run);
    assert_int_equal(n_names(first), N_NAMES);
    for (size_t t = 0; t < 3; t++) {
        for (size_t b = 0; b < 4; b++) {
            options.out_dir = in_folder("again");
            options.n_threads = threads[t];
            options.batch_tokens = budgets[b];
            assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
            ss_run_free(run);
            assert_same_results(first, options.out_dir);
            remove_run(options.out_dir);
        }
    }
    remove_run(first);
    free(first);
}

static void rows_are_accounted_for(void **state)
{
    (void)state;
    struct ss_run_info info = {.struct_size = sizeof info};
    ss_run *run = NULL;
    struct ss_analyze_options options = {.struct_size = sizeof options, .n_threads = 1};
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, NULL), SS_OK);
    ss_run_describe(run, &info);
    assert_int_equal(info.n_rows_read, 300);
    assert_int_equal(info.n_rows_used, 282);
    assert_int_equal(info.n_rows_skipped[SS_ROW_NULL], 6);
    assert_int_equal(info.n_rows_skipped[SS_ROW_EMPTY], 6);
    assert_int_equal(info.n_rows_skipped[SS_ROW_BLANK], 6);
    assert_int_equal(info.n_features, 24);
    assert_string_equal(info.title, "Log Feature Fire Rate Distribution (rows)");
    ss_run_free(run);
    options.num_examples = 10; /* used rows: rows 7, 8 and 9 are skipped */
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, NULL), SS_OK);
    ss_run_describe(run, &info);
    assert_int_equal(info.n_rows_used, 10);
    assert_int_equal(info.n_rows_read, 13);
    ss_run_free(run);
}

static void run_is_read_back(void **state)
{
    (void)state;
    const char *out = in_folder("run");
    ss_run *run = NULL, *again = NULL;
    ss_err err = {0};
    struct ss_run_info a = {.struct_size = sizeof a}, b = a;
    const struct ss_option_record record = {"top-k", "3", "command line", SS_VALUE_NUMBER};
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .out_dir = out,
                                               .top_k = 3,
                                               .records = &record,
                                               .n_records = 1};
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
    if (ss_folder_run_open_checked(out, true, NULL, &again, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_run_describe(run, &a);
    ss_run_describe(again, &b);
    assert_int_equal(a.n_rows_used, b.n_rows_used);
    assert_int_equal(a.n_dead, b.n_dead);
    assert_true(a.median_rate_pct == b.median_rate_pct);
    assert_string_equal(a.title, b.title);
    for (size_t f = 0; f < a.n_features; f++) {
        struct ss_feature x = {.struct_size = sizeof x}, y = x;
        ss_run_feature(run, f, &x);
        ss_run_feature(again, f, &y);
        assert_int_equal(x.n_fires, y.n_fires);
        assert_true(x.rate_low_pct == y.rate_low_pct && x.mean_activation == y.mean_activation);
        assert_int_equal(x.n_top, y.n_top);
        for (size_t rank = 0; rank < x.n_top; rank++) {
            struct ss_top_text s = {.struct_size = sizeof s}, t = s;
            ss_run_top(run, f, rank, &s);
            ss_run_top(again, f, rank, &t);
            assert_true(s.activation == t.activation);
            assert_int_equal(s.text.n_bytes, t.text.n_bytes);
            assert_memory_equal(s.text.data, t.text.data, s.text.n_bytes);
        }
    }
    ss_run_free(run);
    ss_run_free(again);
    /* Another value in a result file is noticed. */
    char *rates = ss__path_join(out, "fire_rate.npy");
    struct ss__buf bytes = {0};
    assert_int_equal(ss__file_read(rates, 1 << 20, &bytes, NULL), SS_OK);
    bytes.data[bytes.n_bytes - 30] ^= 1;
    assert_int_equal(ss__file_write(rates, bytes.data, bytes.n_bytes, NULL), SS_OK);
    assert_int_equal(ss_run_open(out, NULL, &again, &err), SS_E_DATA);
    unlink(rates);
    assert_int_equal(ss_run_open(out, NULL, &again, &err), SS_E_DATA);
    assert_null(again);
    ss__free(rates);
    ss__buf_release(&bytes);
    remove_run(out);
}

static void full_folder_is_kept(void **state)
{
    (void)state;
    ss_run *run = NULL;
    ss_err err = {0};
    char *out = strdup(in_folder("kept"));
    char *file = ss__path_join(out, "fire_rate.npy");
    struct ss_analyze_options options = {.struct_size = sizeof options, .out_dir = out};
    assert_int_equal(mkdir(out, 0777), 0);
    assert_int_equal(ss__file_write(file, "mine", 4, NULL), SS_OK);
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_E_EXISTS);
    assert_non_null(strstr(err.message, out));
    assert_int_equal(n_names(out), 1);
    options.force = true;
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
    ss_run_free(run);
    assert_int_equal(n_names(out), N_NAMES);
    remove_run(out);
    ss__free(file);
    free(out);
}

static int stop_soon(void *user, const struct ss_progress *progress)
{
    (void)progress;
    return ++*(int *)user >= 2;
}

static void stop_leaves_nothing(void **state)
{
    (void)state;
    int n_calls = 1; /* the next call stops */
    ss_run *run = NULL;
    ss_err err = {0};
    struct ss_analyze_options options = {.struct_size = sizeof options,
                                         .out_dir = in_folder("stopped"),
                                         .progress = {stop_soon, &n_calls}};
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_E_STOPPED);
    assert_null(run);
    assert_int_equal(ss__path_stat(options.out_dir), SS__PATH_NONE);
    assert_int_equal(ss_status_exit_code(err.code), 75);
}

/* A limit on the size of files stands in for a disk that fills: it needs no mount. */
static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    ss_run *run = NULL;
    ss_err err = {0};
    struct rlimit before, small;
    char *kept = strdup(in_folder("kept"));
    struct ss_analyze_options options = {.struct_size = sizeof options, .out_dir = kept};
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
    ss_run_free(run);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 4000; bytes += 1500) {
        small.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        options = (struct ss_analyze_options){.struct_size = sizeof(struct ss_analyze_options),
                                              .out_dir = in_folder("full")};
        const ss_status fresh = analyze(sae, DATA "rows.jsonl", &options, &run, &err);
        options = (struct ss_analyze_options){
            .struct_size = sizeof(struct ss_analyze_options), .out_dir = kept, .force = true};
        const ss_status again = analyze(sae, DATA "rows.jsonl", &options, &run, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(fresh, SS_E_IO);
        assert_int_equal(again, SS_E_IO);
        assert_null(run);
        assert_int_equal(ss_status_exit_code(err.code), 74);
        assert_int_equal(ss__path_stat(in_folder("full")), SS__PATH_NONE);
    }
    signal(SIGXFSZ, SIG_DFL);
    /* What was there before is whole. */
    assert_int_equal(n_names(kept), N_NAMES);
    assert_int_equal(ss_folder_run_open_checked(kept, true, NULL, &run, &err), SS_OK);
    ss_run_free(run);
    remove_run(kept);
    free(kept);
}

static void wrong_places_are_refused(void **state)
{
    (void)state;
    ss_run *run = NULL;
    ss_err err = {0};
    struct ss_analyze_options options = {.struct_size = sizeof options,
                                         .out_dir = "/proc/saescope-run"};
    assert_int_not_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_OK);
    assert_null(run);
    options.out_dir = DATA "rows.jsonl"; /* a file */
    assert_int_equal(analyze(sae, DATA "rows.jsonl", &options, &run, &err), SS_E_EXISTS);
}

/* A pipe that stays open and silent must not hold up a stop. */
static void silent_pipe_can_be_stopped(void **state)
{
    (void)state;
    int ends[2], n_calls = 0;
    ss_run *run = NULL;
    ss_err err = {0};
    static char rows[100000];
    const char row[] = "{\"text\": \"the galaxy is bright\"}\n";
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = row[i % (sizeof row - 1)];
    }
    const int kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 18) >= (int)sizeof rows);
    assert_int_equal(write(ends[1], rows, sizeof rows), sizeof rows);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .out_dir = in_folder("stopped"),
                                               .progress = {stop_soon, &n_calls}};
    assert_int_equal(analyze(sae, "-", &options, &run, &err), SS_E_STOPPED);
    assert_int_equal(ss__path_stat(options.out_dir), SS__PATH_NONE);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

static void rows_without_text_are_an_error(void **state)
{
    (void)state;
    static const char rows[] = "{\"text\": \"\"}\n{\"text\": null}\n{\"text\": \" \"}\n";
    ss_run *run = NULL;
    ss_err err = {0};
    const char *path = in_folder("empty.jsonl");
    struct ss_analyze_options options = {.struct_size = sizeof options,
                                         .out_dir = in_folder("none")};
    assert_int_equal(ss__file_write(path, rows, sizeof rows - 1, NULL), SS_OK);
    assert_int_equal(analyze(sae, path, &options, &run, &err), SS_E_DATA);
    assert_non_null(strstr(err.message, "3 rows read"));
    assert_int_equal(ss__path_stat(options.out_dir), SS__PATH_NONE);
    unlink(path);
}

static void error_of_a_row_comes_through(void **state)
{
    (void)state;
    ss_run *run = NULL;
    ss_err err = {0};
    struct ss__buf rows = {0};
    const char *path = in_folder("broken.jsonl");
    for (int i = 0; i < 500; i++) {
        ss__buf_add_text(&rows, "{\"text\": \"the galaxy is bright\"}\n");
    }
    ss__buf_add_text(&rows, "{\"text\": \"half\n");
    assert_int_equal(ss__file_write(path, rows.data, rows.n_bytes, NULL), SS_OK);
    struct ss_analyze_options options = {.struct_size = sizeof options, .batch_tokens = 64};
    assert_int_equal(analyze(sae, path, &options, &run, &err), SS_E_DATA);
    assert_non_null(strstr(err.message, "broken.jsonl"));
    ss__buf_release(&rows);
    unlink(path);
}

static void other_width_is_refused_first(void **state)
{
    (void)state;
    ss_sae *other = NULL;
    ss_run *run = NULL;
    ss_err err = {0};
    struct stat facts;
    if (stat(SS_TEST_SHARED "/oracle/sae/jumprelu-1536", &facts) != 0) {
        skip();
    }
    assert_int_equal(
        ss_sae_open(SS_TEST_SHARED "/oracle/sae/jumprelu-1536", NULL, &other, &err), SS_OK);
    struct ss_analyze_options options = {.struct_size = sizeof options,
                                         .out_dir = in_folder("width")};
    assert_int_equal(analyze(other, DATA "rows.jsonl", &options, &run, &err), SS_E_SHAPE);
    assert_non_null(strstr(err.message, "384"));
    assert_non_null(strstr(err.message, "16"));
    assert_int_equal(ss__path_stat(options.out_dir), SS__PATH_NONE);
    ss_sae_free(other);
}

/* ---- batch-top-k ---- */

static void batchtopk_rules_do_not_see_batches(void **state)
{
    (void)state;
    static const struct ss_sae_options rules[] = {
        {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .calibration_rows = 100},
        {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD},
        {.batchtopk_rule = SS_BATCHTOPK_ROW_TOPK},
        {.batchtopk_rule = SS_BATCHTOPK_BATCH, .batch_rows = 64},
    };
    static const size_t budgets[] = {256, 65536};
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        char *outs[2] = {strdup(in_folder("a")), strdup(in_folder("b"))};
        for (size_t b = 0; b < 2; b++) {
            ss_sae *other = NULL;
            ss_run *run = NULL;
            ss_err err = {0};
            const struct ss_sae_options rule = sized_sae_options(&rules[r]);
            assert_int_equal(ss_sae_open(DATA "sae-batchtopk", &rule, &other, &err), SS_OK);
            const struct ss_analyze_options options = {
                .struct_size = sizeof options, .out_dir = outs[b], .batch_tokens = budgets[b]};
            if (analyze(other, DATA "rows.jsonl", &options, &run, &err) != SS_OK) {
                fail_msg("%s", err.message);
            }
            ss_run_free(run);
            ss_sae_free(other);
        }
        assert_same_results(outs[0], outs[1]);
        for (size_t b = 0; b < 2; b++) {
            remove_run(outs[b]);
            free(outs[b]);
        }
    }
}

/* ---- embeddings ---- */

static void embeddings_keep_rows(void **state)
{
    (void)state;
    const char *out = in_folder("embeddings.npy");
    struct ss_embed_result done = {.struct_size = sizeof done};
    ss_err err = {0};
    struct ss_embed_options options = {.struct_size = sizeof options, .n_threads = 1};
    ss_dataset *dataset = open_rows(DATA "rows.jsonl");
    assert_int_equal(ss_embed_file(encoder, dataset, out, &options, &done, &err), SS_E_DATA);
    assert_int_equal(err.row, 7);
    assert_int_equal(ss__path_stat(out), SS__PATH_NONE);
    ss_dataset_close(dataset);

    options.skip_empty = true; /* null rows only: empty ones are embedded */
    struct ss__buf first = {0}, second = {0};
    dataset = open_rows(DATA "rows.jsonl");
    assert_int_equal(ss_embed_file(encoder, dataset, out, &options, &done, &err), SS_OK);
    ss_dataset_close(dataset);
    assert_int_equal(done.n_rows, 294);
    assert_int_equal(ss__file_read(out, 1 << 24, &first, NULL), SS_OK);
    assert_int_equal(first.n_bytes, 128 + 294 * 16 * 4);

    dataset = open_rows(DATA "rows.jsonl");
    assert_int_equal(ss_embed_file(encoder, dataset, out, &options, &done, &err), SS_E_EXISTS);
    options.force = true;
    options.n_threads = 2;
    options.batch_tokens = 256;
    assert_int_equal(ss_embed_file(encoder, dataset, out, &options, &done, &err), SS_OK);
    ss_dataset_close(dataset);
    assert_int_equal(ss__file_read(out, 1 << 24, &second, NULL), SS_OK);
    assert_int_equal(first.n_bytes, second.n_bytes);
    assert_memory_equal(first.data, second.data, first.n_bytes);
    ss__buf_release(&first);
    ss__buf_release(&second);
    unlink(out);

    dataset = open_rows(DATA "rows.jsonl");
    assert_int_equal(ss_embed_file(encoder, dataset, "/dev/full", &options, &done, &err),
                     SS_E_IO);
    assert_int_equal(ss_status_exit_code(err.code), 74);
    ss_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_depend_on_rows_alone),
        cmocka_unit_test(rows_are_accounted_for),
        cmocka_unit_test(run_is_read_back),
        cmocka_unit_test(full_folder_is_kept),
        cmocka_unit_test(stop_leaves_nothing),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(wrong_places_are_refused),
        cmocka_unit_test(silent_pipe_can_be_stopped),
        cmocka_unit_test(rows_without_text_are_an_error),
        cmocka_unit_test(error_of_a_row_comes_through),
        cmocka_unit_test(other_width_is_refused_first),
        cmocka_unit_test(batchtopk_rules_do_not_see_batches),
        cmocka_unit_test(embeddings_keep_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
