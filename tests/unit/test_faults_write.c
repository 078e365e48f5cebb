/* What is written while memory runs out and files cannot be written: results, embeddings,
 * features, converted SAEs, pictures; and what is read back: runs, and the cache of the hub. */
#include <cairo.h>

#include "faults.h"

#define DATA SS_TEST_DATA "/"

static ss_encoder *encoder;
static ss_sae *sae;

static char *in_folder(const char *folder, const char *name)
{
    static char paths[4][600];
    static size_t turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A number made of a file's bytes; the file is removed. 0: it is not there. */
static uint64_t take_file(const char *path)
{
    static char content[1 << 20];
    const int kind = faults.kind;
    faults.kind = FAULTS_OFF;
    FILE *file = fopen(path, "rb");
    uint64_t sum = 0;
    if (file != NULL) {
        sum = faults_mix(1, content, fread(content, 1, sizeof content, file));
        fclose(file);
        assert_int_equal(unlink(path), 0);
    }
    faults.kind = kind;
    return sum;
}

/* The same for all files of a folder but run.json, which holds times. */
static uint64_t take_folder(const char *path)
{
    char names[64][256], file[1000];
    struct stat facts = {0};
    const int kind = faults.kind;
    faults.kind = FAULTS_OFF;
    const size_t n = access(path, F_OK) == 0 ? faults_list(path, names, 64) : 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        assert_int_equal(stat(file, &facts), 0);
        const uint64_t part = S_ISDIR(facts.st_mode) ? take_folder(file) : take_file(file);
        sum = strcmp(names[i], "run.json") == 0 ? sum : faults_mix(sum, &part, sizeof part);
    }
    if (access(path, F_OK) == 0) {
        assert_int_equal(rmdir(path), 0);
    }
    faults.kind = kind;
    return sum;
}

/* Of a file or a folder, where a call has succeeded or could not flush the folder after all was
 * done: then it is whole as well. */
static uint64_t take_output(ss_status status, const char *path, const ss_err *err)
{
    struct stat facts = {0};
    const bool is_done = status == SS_OK || strstr(err->message, "power cut") != NULL;
    if (!is_done || stat(path, &facts) != 0) {
        return 0;
    }
    const uint64_t sum = S_ISDIR(facts.st_mode) ? take_folder(path) : take_file(path);
    assert_true(sum != 0);
    return status == SS_OK ? sum : 0;
}

static ss_status open_rows(const char *path, ss_dataset **out, ss_err *err)
{
    return ss_dataset_open(&path, 1, NULL, out, err);
}

static ss_status run_analyze(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    char *out = in_folder(folder, "run");
    struct ss_analyze_options options = {.struct_size = sizeof options,
                                         .out_dir = self->word == NULL ? NULL : out,
                                         .top_k = 3,
                                         .num_examples = 40,
                                         .n_threads = 1};
    ss_dataset *dataset = NULL;
    ss_run *run = (ss_run *)(uintptr_t)1;
    ss_status status = open_rows(self->path, &dataset, err);
    if (status == SS_OK) {
        status = ss_analyze(encoder, sae, dataset, &options, &run, err);
        assert_true((status == SS_OK) == (run != NULL));
        ss_run_free(run);
    }
    ss_dataset_close(dataset);
    *sum = self->word != NULL ? take_output(status, out, err) : status == SS_OK;
    return status;
}

static ss_status run_embed(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    struct ss_embed_options options = {.struct_size = sizeof options,
                                       .num_examples = 20,
                                       .n_threads = 1,
                                       .null_rule = SS_NULL_SKIP};
    char *out = in_folder(folder, self->word);
    ss_dataset *dataset = NULL;
    ss_status status = open_rows(self->path, &dataset, err);
    if (status == SS_OK) {
        status = ss_embed_file(encoder, dataset, out, &options, NULL, err);
    }
    ss_dataset_close(dataset);
    *sum = take_output(status, out, err);
    return status;
}

static ss_status run_encode(const struct faults_case *self, const char *folder, uint64_t *sum,
                            ss_err *err)
{
    struct ss_encode_options options = {
        .struct_size = sizeof options, .num_examples = 20, .n_threads = 1};
    char *out = in_folder(folder, self->word);
    ss_dataset *dataset = NULL;
    ss_status status = open_rows(self->path, &dataset, err);
    if (status == SS_OK) {
        status = ss_encode_file(encoder, sae, dataset, out, &options, NULL, err);
    }
    ss_dataset_close(dataset);
    *sum = take_output(status, out, err);
    return status;
}

static ss_status run_convert(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    char *out = in_folder(folder, "converted");
    struct ss_convert_result done = {.struct_size = sizeof done, .kind = NULL};
    const ss_status status = ss_sae_convert(self->path, self->word, out, NULL, &done, err);
    *sum = take_output(status, out, err);
    return status;
}

static ss_status run_thresholds(const struct faults_case *self, const char *folder,
                                uint64_t *sum, ss_err *err)
{
    char *out = in_folder(folder, self->word);
    const ss_status status = ss_plot_thresholds(sae, out, NULL, err);
    *sum = take_output(status, out, err) > 0;
    return status;
}

/* ---- a run that was written before ---- */

static char run_folder[600];

static ss_status open_run(ss_run **out, ss_err *err)
{
    return ss_run_open(run_folder, NULL, out, err);
}

static ss_status run_open(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    struct ss_feature_query query = {
        .struct_size = sizeof query, .words = "the", .order = SS_ORDER_TEXTS};
    struct ss_feature_match *matches = NULL;
    size_t n = 0, features[3] = {0};
    ss_run *run = (ss_run *)(uintptr_t)1;
    ss_status status = open_run(&run, err);
    (void)self;
    (void)folder;
    *sum = 0;
    assert_true((status == SS_OK) == (run != NULL));
    if (status == SS_OK) {
        struct ss_run_info info = {.struct_size = sizeof info, .top_k = 0};
        ss_run_describe(run, &info);
        matches = __real_calloc(info.n_features, sizeof *matches);
        assert_non_null(matches);
        status = ss_run_select(run, &query, matches, &n, err);
        *sum = status == SS_OK ? faults_mix(1, &n, sizeof n) : 0;
        assert_int_equal(ss_run_most_frequent(run, 3, features), 3);
        __real_free(matches);
    }
    ss_run_free(run);
    return status;
}

static ss_status run_density(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    char *out = in_folder(folder, self->word);
    ss_run *run = NULL;
    ss_status status = open_run(&run, err);
    if (status == SS_OK) {
        status = ss_plot_density(run, out, NULL, err);
    }
    ss_run_free(run);
    *sum = take_output(status, out, err) > 0;
    return status;
}

static ss_status run_embeddings(const struct faults_case *self, const char *folder,
                                uint64_t *sum, ss_err *err)
{
    struct ss_embeddings_info info = {.struct_size = sizeof info, .width = 0};
    ss_embeddings *embeddings = (ss_embeddings *)(uintptr_t)1;
    const ss_status status = ss_embeddings_open(self->path, NULL, &embeddings, err);
    (void)folder;
    assert_true((status == SS_OK) == (embeddings != NULL));
    if (status == SS_OK) {
        ss_embeddings_describe(embeddings, &info);
        assert_in_range(info.width, 1, 4096);
    }
    ss_embeddings_free(embeddings);
    *sum = status == SS_OK ? 1 + info.width + info.n_rows : 0;
    return status;
}

static const struct faults_case cases[] = {
    {"analyze, in memory", run_analyze, DATA "run/rows.jsonl", NULL},
    {"analyze, into a folder", run_analyze, DATA "run/rows.jsonl", "run"},
    {"embed", run_embed, DATA "run/rows.jsonl", "e.npy"},
    {"encode into npz", run_encode, DATA "run/rows.jsonl", "f.npz"},
    {"encode into arrow", run_encode, DATA "run/rows.jsonl", "f.arrow"},
    {"encode into jsonl", run_encode, DATA "run/rows.jsonl", "f.jsonl"},
    {"convert into the seed's format", run_convert, DATA "run/sae-jumprelu", "seed"},
    {"convert into saelens", run_convert, DATA "run/sae-jumprelu", "saelens"},
    {"plot thresholds, svg", run_thresholds, NULL, "t.svg"},
    {"plot thresholds, png", run_thresholds, NULL, "t.png"},
    {"plot thresholds, pdf", run_thresholds, NULL, "t.pdf"},
    {"open a run and search it", run_open, NULL, NULL},
    {"plot a density, svg", run_density, NULL, "d.svg"},
    {"plot a density, png", run_density, NULL, "d.png"},
    {"embeddings, npy", run_embeddings, DATA "rows/vectors.npy", NULL},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void open_encoder(void)
{
    cairo_debug_reset_static_data(); /* it keeps fonts, with what they hold of the library */
    ss_err err = {0};
    ss_encoder_free(encoder);
    if (ss_encoder_open(DATA "encoder/mpnet-mean", NULL, &encoder, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
}

static int set_up(void **state)
{
    static char beside[] = "/tmp/saescope-faults-run-XXXXXX";
    struct ss_analyze_options options = {
        .struct_size = sizeof options, .out_dir = run_folder, .num_examples = 40};
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    ss_err err = {0};
    if (faults_set_up(state) != 0 || mkdtemp(beside) == NULL) {
        return 1;
    }
    snprintf(run_folder, sizeof run_folder, "%s/run", beside);
    open_encoder();
    faults.settle = open_encoder;
    const bool is_ready = ss_sae_open(DATA "run/sae-jumprelu", NULL, &sae, &err) == SS_OK &&
                          open_rows(DATA "run/rows.jsonl", &dataset, &err) == SS_OK &&
                          ss_analyze(encoder, sae, dataset, &options, &run, &err) == SS_OK;
    print_error("%s", is_ready ? "" : err.message);
    ss_run_free(run);
    ss_dataset_close(dataset);
    return !is_ready;
}

static int tear_down(void **state)
{
    (void)take_folder(run_folder);
    *strrchr(run_folder, '/') = '\0';
    ss_sae_free(sae);
    ss_encoder_free(encoder);
    return faults_tear_down(state) | rmdir(run_folder);
}

static void test_memory(void **state)
{
    faults_try_all(cases, N_CASES, *state, FAULTS_MEMORY);
    assert_int_equal(faults.n_problems, 0);
}

static void test_files(void **state)
{
    faults_try_all(cases, N_CASES, *state, FAULTS_FILES);
    assert_int_equal(faults.n_problems, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
