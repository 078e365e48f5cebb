/* The seed's keywords with all-MiniLM-L6-v2 itself: 40 features of a real run, both variants,
 * as KeyBERT and the seed's code give them. Skipped where the model or the texts are not. */
#include <math.h>

#include "describe_helpers.h"
#include "saescope.h"

#define KEYWORDS SS_TEST_SHARED "/oracle/keywords/expected.json"
#define TEXTS SS_TEST_SHARED "/data/arxiv-astro.jsonl.xz"

enum { N_ROWS = 2000, N_FEATURES = 40 };

/* A score rounded to four decimals may flip, then sums move by half of its last place. */
static const double tolerance = 2e-4;

static const char *find_model(void)
{
    static char path[512];
    const char *named = getenv("SAESCOPE_MINILM");
    const char *home = getenv("HOME");
    snprintf(path, sizeof path, named != NULL ? "%s" : "%s/.cache/saescope/all-MiniLM-L6-v2",
             named != NULL  ? named
             : home != NULL ? home
                            : "");
    if (ss__path_stat(path) != SS__PATH_FOLDER || ss__path_stat(KEYWORDS) != SS__PATH_FILE ||
        ss__path_stat(TEXTS) != SS__PATH_FILE) {
        print_message("skipped: no model at %s (SAESCOPE_MINILM names it), or no texts\n",
                      path);
        skip();
    }
    return path;
}

struct real {
    ss_encoder *encoder;
    ss_work *work;
    size_t n_embedded;
};

static ss_status embed(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err)
{
    struct real *real = user;
    real->n_embedded += n;
    return ss_encoder_embed(real->encoder, real->work, texts, n, out, NULL, err);
}

static void read_texts(struct ss_text *texts, struct ss__arena *arena)
{
    const char *path = TEXTS;
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    assert_int_equal(ss_dataset_open(&path, 1, NULL, &dataset, NULL), SS_OK);
    for (size_t i = 0; i < N_ROWS; i++) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, NULL), SS_OK);
        texts[i].data = ss__arena_strndup(arena, row.text.data, row.text.n_bytes);
        texts[i].n_bytes = row.text.n_bytes;
    }
    ss_dataset_close(dataset);
}

static void assert_feature(const struct ss_describe_terms *terms, size_t f,
                           const struct ss__json *expected)
{
    assert_int_equal(terms->offsets[f + 1] - terms->offsets[f], ss__json_count(expected));
    for (size_t i = 0; i < ss__json_count(expected); i++) {
        const struct ss_describe_term *term = &terms->terms[terms->offsets[f] + i];
        const struct ss__json *pair = ss__json_at(expected, i);
        assert_string_equal(term->text.data, ss__json_string(ss__json_at(pair, 0)));
        assert_true(fabs(ss__json_real(ss__json_at(pair, 1)) - term->weight) < tolerance);
    }
}

static void keywords_equal_the_seed(void **state)
{
    static struct ss_text texts[N_ROWS];
    static uint32_t list[N_FEATURES * 10];
    size_t offsets[N_FEATURES + 1] = {0};
    const char *names[] = {"tutorial", "explainer"};
    struct ss__arena arena = {0};
    struct real real = {0};
    struct ss__json *features = NULL;
    const char *path = find_model();
    (void)state;
    assert_int_equal(ss_encoder_open(path, NULL, &real.encoder, NULL), SS_OK);
    assert_int_equal(ss_work_new(0, &real.work, NULL), SS_OK);
    assert_int_equal(ss__json_load(KEYWORDS, &features, NULL), SS_OK);
    read_texts(texts, &arena);
    for (size_t f = 0; f < N_FEATURES; f++) {
        const struct ss__json *rows = ss__json_get(ss__json_at(features, f), "rows");
        offsets[f + 1] = offsets[f] + ss__json_count(rows);
        for (size_t i = 0; i < ss__json_count(rows); i++) {
            list[offsets[f] + i] = (uint32_t)ss__json_integer(ss__json_at(rows, i));
        }
    }
    /* only the texts that are asked for */
    static uint32_t number[N_ROWS];
    static struct ss_text asked[N_ROWS];
    size_t n_asked = 0;
    for (size_t i = 0; i < offsets[N_FEATURES]; i++) {
        if (number[list[i]] == 0) {
            asked[n_asked++] = texts[list[i]];
            number[list[i]] = (uint32_t)n_asked;
        }
        list[i] = number[list[i]] - 1;
    }
    for (int variant = 0; variant < 2; variant++) {
        const struct ss_describe_lists tops = {.n_texts = n_asked,
                                               .texts = asked,
                                               .n_features = N_FEATURES,
                                               .offsets = offsets,
                                               .list = list};
        const struct ss_describe_seed_options options = {.variant =
                                                             (ss_describe_seed_variant)variant,
                                                         .model = {embed, &real, 384},
                                                         .is_one_model = true};
        struct ss_describe_terms terms;
        real.n_embedded = 0;
        assert_int_equal(ss_describe_seed(&tops, &options, &terms, NULL), SS_OK);
        for (size_t f = 0; f < N_FEATURES; f++) {
            assert_feature(&terms, f, ss__json_get(ss__json_at(features, f), names[variant]));
        }
        assert_int_equal(real.n_embedded, 9647); /* every distinct string once */
        ss_describe_terms_release(&terms);
    }
    ss__json_free(features);
    ss__arena_release(&arena);
    ss_encoder_free(real.encoder);
    ss_work_free(real.work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keywords_equal_the_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
