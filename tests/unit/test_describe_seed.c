/* Keywords as the seed's method gives them: against Python over a stand-in for an encoder. */
#include <math.h>

#include "describe_helpers.h"

/* A rounding to four decimals may flip. */
static const double tolerance = 2e-4;

struct data {
    struct ss__json *texts, *lists, *expected[2];
    struct ss_text *views;
    size_t *offsets;
    uint32_t *list;
    struct ss_describe_lists tops;
};

static void load(struct data *data)
{
    struct json_lines lines = open_lines(SS_TEST_DATA "/describe/keywords.txt");
    size_t n = 0;
    data->texts = next_line(&lines);
    data->lists = next_line(&lines);
    data->expected[SS_DESCRIBE_SEED_TUTORIAL] = next_line(&lines);
    data->expected[SS_DESCRIBE_SEED_EXPLAINER] = next_line(&lines);
    const size_t n_texts = ss__json_count(data->texts);
    const size_t n_features = ss__json_count(data->lists);
    data->views = calloc(n_texts, sizeof *data->views);
    data->offsets = calloc(n_features + 1, sizeof *data->offsets);
    data->list = calloc(1024, sizeof *data->list);
    for (size_t t = 0; t < n_texts; t++) {
        data->views[t] = json_text(ss__json_at(data->texts, t));
    }
    for (size_t f = 0; f < n_features; f++) {
        const struct ss__json *one = ss__json_at(data->lists, f);
        for (size_t i = 0; i < ss__json_count(one); i++) {
            data->list[n++] = (uint32_t)ss__json_integer(ss__json_at(one, i));
        }
        data->offsets[f + 1] = n;
    }
    data->tops = (struct ss_describe_lists){.n_texts = n_texts,
                                            .texts = data->views,
                                            .n_features = n_features,
                                            .offsets = data->offsets,
                                            .list = data->list};
    ss__buf_release(&lines.buf);
}

static void release(struct data *data)
{
    ss__json_free(data->texts);
    ss__json_free(data->lists);
    ss__json_free(data->expected[0]);
    ss__json_free(data->expected[1]);
    free(data->views);
    free(data->offsets);
    free(data->list);
}

static void assert_terms(const struct ss_describe_terms *terms, const struct ss__json *expected)
{
    for (size_t f = 0; f < terms->n_features; f++) {
        const struct ss__json *one = ss__json_at(expected, f);
        assert_int_equal(terms->offsets[f + 1] - terms->offsets[f], ss__json_count(one));
        for (size_t i = 0; i < ss__json_count(one); i++) {
            const struct ss_describe_term *term = &terms->terms[terms->offsets[f] + i];
            const struct ss__json *pair = ss__json_at(one, i);
            double score = 0;
            assert_string_equal(term->text.data, ss__json_string(ss__json_at(pair, 0)));
            score = ss__json_real(ss__json_at(pair, 1));
            assert_true(fabs(score - term->weight) < tolerance);
        }
    }
}

static void both_variants_equal_python(void **state)
{
    struct data data = {0};
    const struct ss_describe_embedder model = {stand_in, NULL, STAND_IN_WIDTH};
    (void)state;
    load(&data);
    for (int variant = 0; variant < 2; variant++) {
        for (int is_one_model = 0; is_one_model < 2; is_one_model++) {
            const struct ss_describe_seed_options options = {
                .variant = (ss_describe_seed_variant)variant,
                .list_model = model,
                .model = model,
                .is_one_model = is_one_model != 0};
            struct ss_describe_terms terms;
            assert_int_equal(ss_describe_seed(&data.tops, &options, &terms, NULL), SS_OK);
            assert_terms(&terms, data.expected[variant]);
            ss_describe_terms_release(&terms);
        }
    }
    release(&data);
}

/* Texts that come with embeddings are not embedded again; a string is embedded once. */
static void nothing_is_embedded_twice(void **state)
{
    struct data data = {0};
    size_t n_first = 0;
    size_t n_second = 0;
    struct ss_describe_seed_options options = {.model = {stand_in, &n_first, STAND_IN_WIDTH},
                                               .is_one_model = true};
    struct ss_describe_terms terms;
    (void)state;
    load(&data);
    assert_int_equal(ss_describe_seed(&data.tops, &options, &terms, NULL), SS_OK);
    ss_describe_terms_release(&terms);
    float *embeddings = calloc(data.tops.n_texts * STAND_IN_WIDTH, sizeof *embeddings);
    assert_int_equal(stand_in(NULL, data.views, data.tops.n_texts, embeddings, NULL), SS_OK);
    data.tops.embeddings = embeddings;
    options.model.user = &n_second;
    assert_int_equal(ss_describe_seed(&data.tops, &options, &terms, NULL), SS_OK);
    assert_terms(&terms, data.expected[SS_DESCRIBE_SEED_TUTORIAL]);
    ss_describe_terms_release(&terms);
    assert_int_equal(n_first, n_second + data.tops.n_texts);
    free(embeddings);
    release(&data);
}

static ss_status failing(void *user, const struct ss_text *texts, size_t n, float *out,
                         ss_err *err)
{
    size_t *n_left = user;
    if (*n_left == 0) {
        return ss__fail(err, SS_E_IO, "no more");
    }
    --*n_left;
    return stand_in(NULL, texts, n, out, err);
}

static void errors_of_the_embedder_are_passed_on(void **state)
{
    struct data data = {0};
    (void)state;
    load(&data);
    for (size_t n = 0; n < 3; n++) {
        size_t n_left = n;
        const struct ss_describe_seed_options options = {
            .model = {failing, &n_left, STAND_IN_WIDTH}, .is_one_model = true};
        struct ss_describe_terms terms;
        assert_int_equal(ss_describe_seed(&data.tops, &options, &terms, NULL), SS_E_IO);
        assert_null(terms.terms);
    }
    release(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_variants_equal_python),
        cmocka_unit_test(nothing_is_embedded_twice),
        cmocka_unit_test(errors_of_the_embedder_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
