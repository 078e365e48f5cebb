/* What is read while memory runs out and files cannot be read: encoders, SAEs, datasets,
 * arrays. */
#include "faults.h"

#define DATA SS_TEST_DATA "/"

/* ---- encoders ---- */

static const struct ss_text texts[] = {{"The galaxy's 12 stars", 21}, {"na\xC3\xAFve", 6}};

static ss_status open_encoder(const char *path, ss_encoder **out, ss_err *err)
{
    const ss_status status = ss_encoder_open(path, NULL, out, err);
    assert_true((status == SS_OK) == (*out != NULL));
    return status;
}

static ss_status run_encoder(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    static float out[2 * 1024];
    ss_encoder *encoder = (ss_encoder *)(uintptr_t)1;
    ss_work *work = (ss_work *)(uintptr_t)1;
    ss_status status = open_encoder(self->path, &encoder, err);
    (void)folder;
    *sum = 0;
    if (status == SS_OK) {
        status = ss_work_new(1, &work, err);
        assert_true((status == SS_OK) == (work != NULL));
        if (status == SS_OK) {
            memset(out, 0, sizeof out);
            status = ss_encoder_embed(encoder, work, texts, 2, out, NULL, err);
            *sum = status == SS_OK ? faults_mix(1, out, sizeof out) : 0;
        }
        ss_work_free(work);
    }
    ss_encoder_free(encoder);
    return status;
}

static ss_encoder *shared_encoder;

static ss_status run_tokenize(const struct faults_case *self, const char *folder, uint64_t *sum,
                              ss_err *err)
{
    int32_t *ids = NULL;
    size_t n = 9;
    ss_work *work = NULL;
    ss_status status = ss_work_new(1, &work, err);
    if (status != SS_OK) {
        *sum = 0;
        return status;
    }
    status = ss_encoder_tokenize(shared_encoder, work, texts[0], &ids, &n, err);
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (ids != NULL) && (ids != NULL || n == 0));
    *sum = status == SS_OK ? faults_mix(1, ids, n * sizeof *ids) : 0;
    ss_ids_free(ids);
    ss_work_free(work);
    return status;
}

static ss_status run_fill_mask(const struct faults_case *self, const char *folder,
                               uint64_t *sum, ss_err *err)
{
    struct ss_encoder_options options = {.struct_size = sizeof options, .with_mask_head = true};
    const struct ss_text text = {self->word, strlen(self->word)};
    struct ss_mask_result out = {0};
    ss_encoder *encoder = NULL;
    ss_work *work = NULL;
    ss_status status = ss_encoder_open(self->path, &options, &encoder, err);
    (void)folder;
    *sum = 0;
    if (status == SS_OK && (status = ss_work_new(1, &work, err)) == SS_OK) {
        status = ss_fill_mask(encoder, work, text, 3, &out, err);
        assert_true((status == SS_OK) == (out.candidates != NULL));
        for (size_t i = 0; i < out.n_masks * out.n_candidates; i++) {
            const char *sequence = out.candidates[i].sequence;
            *sum = faults_mix(*sum, sequence, strlen(sequence));
        }
    }
    ss_mask_result_release(&out);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return status;
}

/* ---- SAEs ---- */

static ss_status run_sae(const struct faults_case *self, const char *folder, uint64_t *sum,
                         ss_err *err)
{
    static float x[4 * 1024];
    struct ss_sae_options options = {.struct_size = sizeof options,
                                     .batchtopk_rule = SS_BATCHTOPK_ROW_TOPK};
    struct ss_sae_info info = {.struct_size = sizeof info, .width = 0};
    struct ss_sparse out = {0};
    ss_sae *sae = (ss_sae *)(uintptr_t)1;
    ss_work *work = NULL;
    ss_status status = ss_sae_open(self->path, &options, &sae, err);
    (void)folder;
    *sum = 0;
    assert_true((status == SS_OK) == (sae != NULL));
    if (status == SS_OK && (status = ss_work_new(1, &work, err)) == SS_OK) {
        ss_sae_describe(sae, &info);
        assert_in_range(info.width, 1, 1024);
        for (size_t i = 0; i < 4 * info.width; i++) {
            x[i] = (float)(i * 7919 % 1000) / 500.0F - 1.0F;
        }
        status = ss_sae_encode(sae, work, x, 4, &out, err);
        *sum = status == SS_OK ? faults_mix(1, out.values, out.offsets[4] * sizeof *out.values)
                               : 0;
    }
    ss_sparse_release(&out);
    ss_work_free(work);
    ss_sae_free(sae);
    return status;
}

/* ---- datasets ---- */

static ss_status run_dataset(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    struct ss_dataset_options options = {.struct_size = sizeof options,
                                         .text_column = self->word};
    ss_dataset *dataset = (ss_dataset *)(uintptr_t)1;
    bool has_row = true;
    ss_status status = ss_dataset_open(&self->path, 1, &options, &dataset, err);
    (void)folder;
    assert_true((status == SS_OK) == (dataset != NULL));
    uint64_t found = status == SS_OK ? 1 + ss_dataset_n_rows(dataset) : 0;
    while (status == SS_OK && has_row) {
        struct ss_row row = {.struct_size = sizeof row};
        status = ss_dataset_next(dataset, &row, &has_row, err);
        if (status == SS_OK && has_row) {
            found = faults_mix(found, row.text.data, row.text.n_bytes);
        }
    }
    ss_dataset_close(dataset);
    *sum = status == SS_OK ? found : 0;
    return status;
}

/* The same with rows that are chosen, twice: by an expression, and a sample that waits. */
static ss_status run_selection(const struct faults_case *self, const char *folder,
                               uint64_t *sum, ss_err *err)
{
    struct ss_dataset_options options = {.struct_size = sizeof options,
                                         .where = "id >= 1 and not text in ('x', \"it's\")",
                                         .sample = 3,
                                         .seed = 2};
    ss_dataset *dataset = NULL;
    bool has_row = true;
    ss_status status = ss_dataset_open(&self->path, 1, &options, &dataset, err);
    uint64_t found = 1;
    (void)folder;
    while (status == SS_OK && has_row) {
        struct ss_row row = {.struct_size = sizeof row};
        status = ss_dataset_next(dataset, &row, &has_row, err);
        if (status == SS_OK && has_row) {
            found = faults_mix(found, row.text.data, row.text.n_bytes);
        }
    }
    ss_dataset_close(dataset);
    *sum = status == SS_OK ? found : 0;
    return status;
}

static int add_line(void *user, struct ss_text json)
{
    *(uint64_t *)user = faults_mix(*(uint64_t *)user, json.data, json.n_bytes);
    return 0;
}

static ss_status run_lines(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .all_columns = true};
    uint64_t found = 1;
    const ss_status status =
        ss_dataset_each_json(&self->path, 1, &options, 0, add_line, &found, err);
    (void)folder;
    *sum = status == SS_OK ? found : 0;
    return status;
}

static ss_status run_inspect(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    struct ss_inspect_options options = {
        .struct_size = sizeof options, .as = self->word, .check = true};
    struct ss_report report = {.title = NULL};
    const ss_status status = ss_inspect(self->path, &options, &report, err);
    (void)folder;
    assert_true((status == SS_OK) == (report.n_facts > 0));
    *sum = 0;
    for (size_t i = 0; i < report.n_facts; i++) {
        *sum = faults_mix(*sum, report.facts[i].value, strlen(report.facts[i].value));
    }
    ss_report_release(&report);
    return status;
}

/* ---- cases ---- */

static const struct faults_case cases[] = {
    {"tokenize", run_tokenize, NULL, NULL},
    {"mpnet", run_encoder, DATA "encoder/mpnet-mean", NULL},
    {"bert in shards, with dense layers", run_encoder, DATA "encoder/bert-dense", NULL},
    {"bert, old", run_encoder, DATA "encoder/bert-old", NULL},
    {"camembert", run_encoder, DATA "encoder/camembert-plain", NULL},
    {"distilbert", run_encoder, DATA "encoder/distilbert-half", NULL},
    {"modernbert", run_encoder, DATA "encoder/modernbert-new", NULL},
    {"nomic", run_encoder, DATA "encoder/nomic-published", NULL},
    {"roberta", run_encoder, DATA "encoder/roberta-files", NULL},
    {"xlm-roberta", run_encoder, DATA "encoder/xlm-roberta-model", NULL},
    {"jsonl", run_dataset, DATA "dataset/rows.jsonl", NULL},
    {"json", run_dataset, DATA "dataset/rows.json", NULL},
    {"csv", run_dataset, DATA "dataset/rows.csv", NULL},
    {"tsv", run_dataset, DATA "dataset/rows.tsv", NULL},
    {"gzip", run_dataset, DATA "dataset/rows.jsonl.gz", NULL},
    {"bzip2", run_dataset, DATA "dataset/rows.jsonl.bz2", NULL},
    {"xz", run_dataset, DATA "dataset/rows.jsonl.xz", NULL},
    {"zstd", run_dataset, DATA "dataset/rows.jsonl.zst", NULL},
    {"parquet", run_dataset, DATA "changes/rows.parquet", NULL},
    {"arrow", run_dataset, DATA "changes/rows.arrow", NULL},
    {"rows chosen of jsonl", run_selection, DATA "dataset/rows.jsonl", NULL},
    {"rows chosen of csv", run_selection, DATA "dataset/rows.csv", NULL},
    {"json lines of jsonl", run_lines, DATA "dataset/rows.jsonl", NULL},
    {"json lines of csv", run_lines, DATA "dataset/rows.csv", NULL},
    {"json lines of parquet, brotli", run_lines, DATA "parquet/brotli-dict-v1.parquet", NULL},
    {"json lines of parquet, delta", run_lines, DATA "parquet/brotli-delta-v2.parquet", NULL},
    {"json lines of arrow", run_lines, DATA "arrow/random-000.arrow", NULL},
    {"json lines of an arrow stream", run_lines, DATA "arrow/random-003.arrows", NULL},
    {"json lines of parquet, nested", run_lines, DATA "parquet/nested-v1.parquet", NULL},
    {"json lines of parquet, categories", run_lines, DATA "parquet/category.parquet", NULL},
    {"json lines of parquet, row groups", run_lines, DATA "parquet/empty-groups.parquet", NULL},
    {"json lines of a JSON table", run_lines, DATA "rows/table-columns.json", NULL},
    {"nomic, prefixes", run_encoder, DATA "encoder/nomic-native", NULL},
    {"bert, many languages", run_encoder, DATA "encoder/bert-multilingual", NULL},
    {"inspect an encoder", run_inspect, DATA "encoder/mpnet-mean", NULL},
    {"inspect an SAE", run_inspect, DATA "run/sae-jumprelu", NULL},
    {"inspect a dataset", run_inspect, DATA "dataset/rows.csv", NULL},
    {"inspect weights", run_inspect, DATA "encoder/mpnet-mean/model.safetensors", NULL},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void open_again(void)
{
    ss_err err = {0};
    ss_encoder_free(shared_encoder);
    if (open_encoder(DATA "encoder/mpnet-mean", &shared_encoder, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
}

static int open_shared(void **state)
{
    faults.settle = open_again;
    open_again();
    return faults_set_up(state);
}

static int close_shared(void **state)
{
    ss_encoder_free(shared_encoder);
    return faults_tear_down(state);
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

/* Every SAE in a folder of the test data. */
static void try_saes(const char *place, const char *folder, size_t least)
{
    static char names[128][256];
    const size_t n = faults_list(place, names, 128);
    size_t n_tried = 0;
    for (size_t i = 0; i < n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", place, names[i]);
        const struct faults_case c = {names[i], run_sae, path, NULL};
        n_tried += faults_try_if(&c, folder, FAULTS_MEMORY, true) &&
                   faults_try_if(&c, folder, FAULTS_FILES, true);
    }
    assert_in_range(n_tried, least, n); /* the rest is made of several, or asks for options */
}

/* Every Arrow file of the test data. */
static void test_arrow_files(void **state)
{
    static char names[128][256];
    const size_t n = faults_list(DATA "arrow", names, 128);
    size_t n_tried = 0;
    faults.n_problems = 0;
    for (size_t i = 0; i < n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", DATA "arrow", names[i]);
        const struct faults_case c = {names[i], run_lines, path, NULL};
        if (strstr(names[i], ".arrow") != NULL && strstr(names[i], ".jsonl") == NULL) {
            n_tried += faults_try_if(&c, *state, FAULTS_MEMORY, true);
        }
    }
    assert_in_range(n_tried, 40, n);
    assert_int_equal(faults.n_problems, 0);
}

static void test_saes(void **state)
{
    faults.n_problems = 0;
    try_saes(DATA "sae/good", *state, 8);
    try_saes(DATA "sae/formats", *state, 10);
    assert_int_equal(faults.n_problems, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_arrow_files),
        cmocka_unit_test(test_saes),
    };
    (void)run_fill_mask;
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
