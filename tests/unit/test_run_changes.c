/* Files that others change while they are read: formats × moments × changes, datasets, arrays
 * of embeddings, and a model whose word embeddings are read while texts run. However it ends,
 * it ends with the rows that were there, or with an error that names the file.
 *
 * tests/data/changes is made by tools/make_long_tables.py. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "pass/embeddings.h"
#include "saescope_tools.h"
#include "weights/weights.h"

#define DATA SS_TEST_DATA "/changes/"
enum { N_ROWS = 2000, N_LONG_ROWS = 30000, WIDTH = 16, N_ARRAY_ROWS = 20000 };

static char folder[] = "/tmp/saescope-changes-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left a file */
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static size_t turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void recover(int number, siginfo_t *facts, void *context)
{
    (void)context;
    if (!ss_recover_fault(facts->si_addr)) {
        (void)signal(number, SIG_DFL);
    }
}

static void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = recover, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void copy_file(const char *from, const char *to)
{
    struct ss__buf bytes = {0};
    assert_int_equal(ss__file_read(from, SIZE_MAX >> 1, &bytes, NULL), SS_OK);
    assert_int_equal(ss__file_write(to, bytes.data, bytes.n_bytes, NULL), SS_OK);
    ss__buf_release(&bytes);
}

/* ---- changes ---- */

typedef enum change { CUT, EMPTIED, OVERWRITTEN, REPLACED, REMOVED, N_CHANGES } change;
static const char *const change_names[] = {"cut to a third", "emptied", "overwritten",
                                           "replaced by another", "removed"};

static void make_change(const char *path, change how)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    if (how == CUT || how == EMPTIED) {
        assert_int_equal(truncate(path, how == CUT ? facts.st_size / 3 : 0), 0);
    } else if (how == OVERWRITTEN) { /* as cp does it: the same file, with other bytes */
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        for (off_t i = 0; i < facts.st_size; i++) {
            fputc(0xA5, file);
        }
        fclose(file);
    } else if (how == REPLACED) {
        assert_int_equal(ss__file_write(path, "another file", 12, NULL), SS_OK);
    } else {
        unlink(path);
    }
}

/* ---- datasets ---- */

static void write_lines(const char *path, const char *head, const char *before,
                        const char *after)
{
    struct ss__buf text = {0};
    ss__buf_add_text(&text, head);
    for (int i = 0; i < N_LONG_ROWS; i++) {
        ss__buf_printf(&text, "%srow %d of a table that is read in parts%s\n", before, i,
                       after);
    }
    assert_int_equal(ss__file_write(path, text.data, text.n_bytes, NULL), SS_OK);
    ss__buf_release(&text);
}

static const struct format {
    const char *name;
    const char *from; /* a file of the data; NULL: lines */
    const char *head, *before, *after;
    bool is_stream; /* read from one end to the other: what it is overwritten by may be rows */
} formats[] = {
    {"a.jsonl", NULL, "", "{\"text\": \"", "\"}", true},
    {"a.csv", NULL, "text\n", "", "", true},
    {"a.tsv", NULL, "text\n", "", "", true},
    {"a.txt", NULL, "", "", "", true},
    {"a.parquet", DATA "rows.parquet", NULL, NULL, NULL, false},
    {"a.arrow", DATA "rows.arrow", NULL, NULL, NULL, false},
    {"a.arrows", DATA "rows.arrows", NULL, NULL, NULL, false},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static const int moments[] = {0, 1, 60, 1990}; /* rows that were read before */
enum { N_MOMENTS = sizeof moments / sizeof *moments };

/* Rows until the end, each checked; the number of them in *n. */
static ss_status read_on(ss_dataset *dataset, int end, int *n, bool may_differ, ss_err *err)
{
    bool has_row = true;
    while (has_row && (end < 0 || *n < end)) {
        struct ss_row row = {.struct_size = sizeof row};
        char expected[80];
        const ss_status status = ss_dataset_next(dataset, &row, &has_row, err);
        if (status != SS_OK) {
            return status;
        }
        if (has_row) {
            snprintf(expected, sizeof expected, "row %d of a table that is read in parts", *n);
            const bool is_it = row.text.n_bytes == strlen(expected) &&
                               memcmp(row.text.data, expected, row.text.n_bytes) == 0;
            assert_true(is_it || may_differ);
            ++*n;
        }
    }
    return SS_OK;
}

static void try_dataset(const struct format *format, int moment, change how, bool keeps)
{
    const char *path = in_folder(format->name);
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .keep = keeps ? "text" : NULL};
    ss_dataset *dataset = NULL;
    ss_err err = {0};
    int n = 0;
    if (format->from != NULL) {
        copy_file(format->from, path);
    } else {
        write_lines(path, format->head, format->before, format->after);
    }
    const int n_rows = format->from != NULL ? N_ROWS : N_LONG_ROWS;
    assert_int_equal(ss_dataset_open(&path, 1, &options, &dataset, &err), SS_OK);
    assert_int_equal(read_on(dataset, moment, &n, false, &err), SS_OK);
    make_change(path, how);
    const bool is_other_file = how == REPLACED || how == REMOVED;
    /* of a stream that is overwritten, what was read ahead goes on into what came later */
    const ss_status status =
        read_on(dataset, -1, &n, how == OVERWRITTEN && format->is_stream, &err);
    const char *what = change_names[how];
    if (is_other_file ? status != SS_OK || n != n_rows
                      : status == SS_OK && n < n_rows && !format->is_stream) {
        fail_msg("%s after %d rows, %s: %d rows, %s", format->name, moment, what, n,
                 err.message);
    }
    if (status == SS_OK && !(how == OVERWRITTEN && format->is_stream)) {
        assert_int_equal(n, n_rows);
    }
    if (status != SS_OK && ((status != SS_E_IO && status != SS_E_DATA) ||
                            strstr(err.message, format->name) == NULL)) {
        fail_msg("%s after %d rows, %s: %s: %s", format->name, moment, what,
                 ss_status_name(status), err.message);
    }
    if (how <= EMPTIED && moment < 100 && status != SS_E_IO) {
        fail_msg("%s after %d rows, %s: %d rows and no word of it: %s", format->name, moment,
                 what, n, err.message);
    }
    ss_dataset_close(dataset);
    unlink(path);
}

static void test_datasets_that_change(void **state)
{
    (void)state;
    catch_faults();
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (size_t m = 0; m < N_MOMENTS; m++) {
            for (change how = CUT; how < N_CHANGES; how++) {
                try_dataset(&formats[f], moments[m], how, false);
                if (!formats[f].is_stream) {
                    try_dataset(&formats[f], moments[m], how, true);
                }
            }
        }
    }
}

/* ---- embeddings ---- */

static void write_array(const char *name)
{
    char header[128];
    struct ss__out out = SS__OUT_CLOSED;
    float row[WIDTH];
    const char *path = in_folder(name);
    float *values = calloc((size_t)N_ARRAY_ROWS * WIDTH, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < (size_t)N_ARRAY_ROWS * WIDTH; i++) {
        values[i] = 1 + (float)(i / WIDTH);
    }
    const struct ss_weights_tensor_out tensor = {
        .name = "x", .data = values, .n_dims = 2, .shape = {N_ARRAY_ROWS, WIDTH}};
    if (strstr(name, ".safetensors") != NULL) {
        assert_int_equal(ss_weights_safetensors_write(path, &tensor, 1, NULL), SS_OK);
    } else {
        memset(header, ' ', sizeof header);
        memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
        const int n = snprintf(header + 10, sizeof header - 10,
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }",
                               N_ARRAY_ROWS, WIDTH);
        header[10 + n] = ' ';
        header[127] = '\n';
        assert_int_equal(ss__out_open(path, &out, NULL), SS_OK);
        assert_int_equal(ss__out_write(&out, header, sizeof header, NULL), SS_OK);
        assert_int_equal(ss__out_write(&out, values, N_ARRAY_ROWS * sizeof row, NULL), SS_OK);
        assert_int_equal(ss__out_commit(&out, NULL), SS_OK);
    }
    free(values);
}

static ss_status read_array(ss_embeddings *embeddings, uint64_t end, uint64_t *n, ss_err *err)
{
    enum { PART = 500 };
    static float values[PART * WIDTH];
    static bool is_missing[PART];
    while (*n < end) {
        struct ss_pass_embeddings_part part = {
            .out = values, .is_missing = is_missing, .n = PART};
        const ss_status status = ss_pass_embeddings_next(embeddings, *n, &part, err);
        if (status != SS_OK || part.n_read == 0) {
            return status;
        }
        for (size_t i = 0; i < part.n_read * WIDTH; i++) {
            assert_true(values[i] == (float)(1 + *n + i / WIDTH));
        }
        *n += part.n_read;
    }
    return SS_OK;
}

static void test_embeddings_that_change(void **state)
{
    static const char *const names[] = {"x.npy", "x.safetensors"};
    static const uint64_t read_before[] = {0, 500, N_ARRAY_ROWS - 500};
    (void)state;
    catch_faults();
    for (size_t f = 0; f < 2; f++) {
        for (size_t m = 0; m < 3; m++) {
            for (change how = CUT; how < N_CHANGES; how++) {
                const char *path = in_folder(names[f]);
                ss_embeddings *embeddings = NULL;
                uint64_t n = 0;
                ss_err err = {0};
                write_array(names[f]);
                assert_int_equal(ss_embeddings_open(path, NULL, &embeddings, &err), SS_OK);
                assert_int_equal(read_array(embeddings, read_before[m], &n, &err), SS_OK);
                make_change(path, how);
                const ss_status status = read_array(embeddings, N_ARRAY_ROWS, &n, &err);
                if (status != (how == REPLACED || how == REMOVED ? SS_OK : SS_E_IO)) {
                    fail_msg("%s, %s: %s", names[f], change_names[how], err.message);
                }
                assert_true(status == SS_OK ? n == N_ARRAY_ROWS
                                            : strstr(err.message, names[f]) != NULL);
                ss_embeddings_free(embeddings);
                unlink(path);
            }
        }
    }
}

/* ---- models ---- */

static const struct {
    const char *folder, *weights; /* the latter NULL where the words were copied at opening */
} models[] = {{"mpnet-mean", "model.safetensors"},
              {"distilbert-half", "model.safetensors"}}; /* float16: words are converted */

static void copy_model(const char *from, const char *to)
{
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(mkdir(to, 0777), 0);
    assert_int_equal(ss__list_folder(from, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char *a = ss__path_join(from, names[i]), *b = ss__path_join(to, names[i]);
        if (ss__path_stat(a) == SS__PATH_FOLDER) {
            copy_model(a, b);
        } else {
            copy_file(a, b);
        }
        ss__free(a);
        ss__free(b);
    }
    ss__list_release(names, n);
}

static void remove_model(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(ss__list_folder(path, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char *inner = ss__path_join(path, names[i]);
        if (ss__path_stat(inner) == SS__PATH_FOLDER) {
            remove_model(inner);
        } else {
            unlink(inner);
        }
        ss__free(inner);
    }
    ss__list_release(names, n);
    rmdir(path);
}

static void test_models_that_change(void **state)
{
    (void)state;
    catch_faults();
    const struct ss_text text = {"Stars form in cold clouds.", 26};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        for (change how = CUT; how < N_CHANGES; how++) {
            char from[300];
            float expected[256], found[256];
            ss_encoder *encoder = NULL;
            ss_work *work = NULL;
            struct ss_encoder_info info = {.struct_size = sizeof info};
            ss_err err = {0};
            const char *to = in_folder("model");
            snprintf(from, sizeof from, "%s/encoder/%s", SS_TEST_DATA, models[i].folder);
            copy_model(from, to);
            char *weights = ss__path_join(to, models[i].weights);
            assert_int_equal(ss_encoder_open(to, NULL, &encoder, &err), SS_OK);
            assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
            ss_encoder_describe(encoder, &info);
            assert_true(info.width <= 256);
            assert_int_equal(ss_encoder_embed(encoder, work, &text, 1, expected, NULL, &err),
                             SS_OK);
            make_change(weights, how);
            const ss_status status =
                ss_encoder_embed(encoder, work, &text, 1, found, NULL, &err);
            if (how == REPLACED || how == REMOVED) {
                assert_int_equal(status, SS_OK);
                assert_memory_equal(found, expected, info.width * sizeof *found);
            } else {
                assert_int_equal(status, SS_E_IO);
                assert_string_equal(err.file, weights);
            }
            ss_work_free(work);
            ss_encoder_free(encoder);
            ss__free(weights);
            remove_model(to);
        }
    }
}

/* ---- stopping ---- */

static int yes(void *user, const struct ss_progress *progress)
{
    assert_int_equal(progress->stage, SS_STAGE_WAIT);
    ++*(int *)user;
    return 1;
}

/* Every call that can take long asks, and ends. */
static void test_calls_ask_whether_to_stop(void **state)
{
    (void)state;
    int n_asked = 0;
    const struct ss_progress_callback stop = {yes, &n_asked};
    const char *model = SS_TEST_DATA "/encoder/mpnet-mean";
    const char *sae_path = SS_TEST_DATA "/run/sae-jumprelu";
    const char *rows = DATA "rows.parquet";
    const struct ss_encoder_options encoder_options = {.struct_size = sizeof encoder_options,
                                                       .progress = stop};
    const struct ss_sae_options sae_options = {.struct_size = sizeof sae_options,
                                               .progress = stop};
    const struct ss_dataset_options dataset_options = {.struct_size = sizeof dataset_options,
                                                       .progress = stop};
    const struct ss_inspect_options inspect_options = {
        .struct_size = sizeof inspect_options, .check = true, .progress = stop};
    ss_encoder *encoder = NULL;
    ss_sae *sae = NULL;
    ss_dataset *dataset = NULL;
    ss_work *work = NULL;
    struct ss_report report;
    ss_err err;
    assert_int_equal(ss_encoder_open(model, &encoder_options, &encoder, &err), SS_E_STOPPED);
    assert_int_equal(ss_sae_open(sae_path, &sae_options, &sae, &err), SS_E_STOPPED);
    assert_int_equal(ss_dataset_open(&rows, 1, &dataset_options, &dataset, &err), SS_E_STOPPED);
    assert_int_equal(ss_inspect(rows, &inspect_options, &report, &err), SS_E_STOPPED);
    assert_int_equal(ss_inspect(model, &inspect_options, &report, &err), SS_E_STOPPED);
    assert_int_equal(n_asked, 5);
    assert_int_equal(ss_encoder_open(model, NULL, &encoder, &err), SS_OK);
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    ss_work_set_progress(work, stop);
    const struct ss_text text = {"Stars form in cold clouds.", 26};
    float out[256];
    assert_int_equal(ss_encoder_embed(encoder, work, &text, 1, out, NULL, &err), SS_E_STOPPED);
    ss_work_set_progress(work, (struct ss_progress_callback){NULL, NULL});
    assert_int_equal(ss_encoder_embed(encoder, work, &text, 1, out, NULL, &err), SS_OK);
    ss_work_free(work);
    ss_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datasets_that_change),
        cmocka_unit_test(test_embeddings_that_change),
        cmocka_unit_test(test_models_that_change),
        cmocka_unit_test(test_calls_ask_whether_to_stop),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
