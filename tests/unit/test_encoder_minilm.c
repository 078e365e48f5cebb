/* all-MiniLM-L6-v2 itself, where it has been fetched: golden values, 2,000 abstracts, memory.
 * SAESCOPE_MINILM names its folder, else the cache that the demo fills is looked at. */
#include "encoder_testing.h"

#include "base/file.h"

/* torch's fp32 is 1.5e-7 from float64 on these unit vectors; other orders of summation may
 * differ from it by a few times that. */
static const double tolerance = 2e-6;
static const struct ss_encoder_options highest = {.struct_size = sizeof highest,
                                                  .precision = SS_PRECISION_HIGHEST};

static const char *find_model(void)
{
    static char path[512];
    const char *named = getenv("SAESCOPE_MINILM");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (named != NULL) {
        snprintf(path, sizeof path, "%s", named);
    } else if (cache != NULL) {
        snprintf(path, sizeof path, "%s/saescope/all-MiniLM-L6-v2", cache);
    } else {
        snprintf(path, sizeof path, "%s/.cache/saescope/all-MiniLM-L6-v2", home ? home : "");
    }
    if (ss__path_stat(path) != SS__PATH_FOLDER) {
        print_message("skipped: all-MiniLM-L6-v2 is not at %s (SAESCOPE_MINILM names it)\n",
                      path);
        skip();
    }
    return path;
}

/* First six components, from float64 (docs/spec/encoders.md 4). */
static const struct {
    const char *text;
    size_t n_ids;
    double first[6];
} golden[] = {
    {"Hello, world!",
     6,
     {-0.0381771, 0.0329111, -0.0054594, 0.0143699, -0.0402910, -0.1165325}},
    {"", 2, {-0.1188384, 0.0482987, -0.0025481, -0.0110112, 0.0519508, 0.0102917}},
    {"We present a sparse autoencoder trained on sentence embeddings of arXiv abstracts.",
     23,
     {-0.0413315, -0.0625428, -0.0206710, 0.0849051, 0.0217140, 0.0262181}},
    {"caf\u00e9 na\u00efve \u00dcbergr\u00f6\u00dfe \u6771\u4eac \U0001f600 x\u00b2",
     13,
     {0.0977230, 0.0624592, 0.0632757, 0.0129042, -0.0578588, 0.0434684}},
    {NULL, 256, {-0.0081237, -0.0955860, -0.0386731, 0.0496620, -0.0437937, 0.0237198}},
};

static void golden_values(void **state)
{
    static char words[5001];
    ss_encoder *encoder = open_encoder(find_model(), &highest);
    ss_err err;
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        memcpy(words + 5 * i, "word ", 5);
    }
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        const char *data = golden[i].text == NULL ? words : golden[i].text;
        const struct ss_text text = {data, strlen(data)};
        int32_t *ids = NULL;
        size_t n = 0;
        ss_work *work = NULL;
        assert_int_equal(ss_work_new(1, &work, &err), SS_OK);
        assert_int_equal(ss_encoder_tokenize(encoder, work, text, &ids, &n, &err), SS_OK);
        assert_int_equal(n, golden[i].n_ids);
        ss_ids_free(ids);
        ss_work_free(work);
        float *got = embed(encoder, 2, &text, 1);
        for (size_t k = 0; k < 6; k++) {
            /* the published digits end at the seventh place */
            assert_true(fabs((double)got[k] - golden[i].first[k]) <= tolerance + 5e-8);
        }
        free(got);
    }
    ss_encoder_free(encoder);
}

/* Rows of the abstracts, joined so that views stay valid. */
static struct ss_text *load_abstracts(size_t n, char **block)
{
    const char *path = SS_TEST_SHARED "/data/arxiv-astro.jsonl.xz";
    struct ss_text *texts = calloc(n, sizeof *texts);
    size_t *ends = calloc(n + 1, sizeof *ends);
    struct ss__buf all = {0};
    ss_dataset *dataset = NULL;
    ss_err err;
    assert_true(texts != NULL && ends != NULL);
    if (ss_dataset_open(&path, 1, NULL, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    for (size_t i = 0; i < n; i++) {
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = false;
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        assert_true(has_row);
        ss__buf_add(&all, row.text.data, row.text.n_bytes);
        ends[i + 1] = all.n_bytes;
    }
    assert_false(all.failed);
    for (size_t i = 0; i < n; i++) {
        texts[i] = (struct ss_text){all.data + ends[i], ends[i + 1] - ends[i]};
    }
    ss_dataset_close(dataset);
    free(ends);
    *block = all.data;
    return texts;
}

static void abstracts(void **state)
{
    const char *path = SS_TEST_SHARED "/oracle/astro-2000/embeddings.npy";
    const char *model = find_model();
    size_t n = 0;
    size_t width = 0;
    char *block = NULL;
    double worst = 0;
    (void)state;
    float *want = load_npy(path, &n, &width);
    if (want == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    ss_encoder *encoder = open_encoder(model, &highest);
    struct ss_text *texts = load_abstracts(n, &block);
    float *got = embed(encoder, 2, texts, n);
    for (size_t i = 0; i < n * width; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    }
    print_message("%zu abstracts: largest difference %.3g\n", n, worst);
    assert_true(worst <= tolerance);
    free(got);
    free(want);
    free(texts);
    free(block);
    ss_encoder_free(encoder);
}

/* What every level promises (docs/numerics.md): the least cosine to float64, and the largest
 * relative error. Measured: the table there. */
static const struct {
    ss_precision precision;
    double least_cosine, most_error;
} levels[] = {
    {SS_PRECISION_HIGHEST, 1 - 1e-9, 1e-6},
    {SS_PRECISION_HIGH, 1 - 1e-9, 2e-5},
    {SS_PRECISION_MEDIUM, 0.9999, 8e-3},
    {SS_PRECISION_LOW, 0.998, 7e-2},
};

enum { N_LEVEL_ROWS = 256 };

/* 16-bit whole numbers promise ten times less than bf16, which the level's own promise is for.
 */
static const double LEAST_COSINE_OF_INT16 = 0.99999;

static void check_level(size_t level, const struct ss_text *texts, const float *want,
                        size_t width)
{
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .precision = levels[level].precision};
    const char *name = ss_precision_name(levels[level].precision);
    ss_encoder *encoder = open_encoder(find_model(), &options);
    float *got = embed(encoder, 2, texts, N_LEVEL_ROWS);
    double least = 1, most = 0;
    for (size_t r = 0; r < N_LEVEL_ROWS; r++) {
        double dot = 0, a = 0, b = 0, away = 0;
        for (size_t i = r * width; i < (r + 1) * width; i++) {
            const double x = (double)got[i], y = (double)want[i];
            dot += x * y;
            a += x * x;
            b += y * y;
            away += (x - y) * (x - y);
        }
        least = fmin(least, dot / sqrt(a * b));
        most = fmax(most, sqrt(away / b));
    }
    print_message("%s: least cosine %.7f, largest relative error %.3g\n", name, least, most);
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(encoder, &info);
    assert_true(least >= levels[level].least_cosine);
    assert_true(strcmp(info.numbers, "int16") != 0 || least >= LEAST_COSINE_OF_INT16);
    assert_true(most <= levels[level].most_error);
    free(got);
    ss_encoder_free(encoder);
}

static void keeps_the_promise_of_every_level(void **state)
{
    const char *path = SS_TEST_SHARED "/oracle/astro-2000/embeddings.npy";
    size_t n = 0, width = 0;
    char *block = NULL;
    (void)state;
    (void)find_model();
    float *want = load_npy(path, &n, &width);
    if (want == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    struct ss_text *texts = load_abstracts(N_LEVEL_ROWS, &block);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        check_level(i, texts, want, width);
    }
    free(want);
    free(texts);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_values),
        cmocka_unit_test(abstracts),
        cmocka_unit_test(keeps_the_promise_of_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
