/* Public functions over an SAE and a run, against what they are made of: the file of features
 * against ss_sae_encode, the features that are found against a plain search, and pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "folder/npy.h"

#define DATA SS_TEST_DATA "/run/"
#define ROWS DATA "rows.jsonl"

enum { N_ROWS = 40 };

static char folder[] = "/tmp/saescope-public-XXXXXX";
static ss_run *run;
static ss_sae *sae;

static void check(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fail_msg("%s", err->message);
    }
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static size_t turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static ss_dataset *open_rows(const char *path)
{
    ss_err err;
    ss_dataset *dataset = NULL;
    check(ss_dataset_open(&path, 1, NULL, &dataset, &err), &err);
    return dataset;
}

static int set_up(void **state)
{
    (void)state;
    ss_err err = {0};
    ss_encoder *encoder = NULL;
    ss_dataset *dataset = open_rows(ROWS);
    const bool is_made =
        mkdtemp(folder) != NULL &&
        ss_encoder_open(SS_TEST_DATA "/encoder/mpnet-mean", NULL, &encoder, &err) == SS_OK &&
        ss_sae_open(DATA "sae-jumprelu", NULL, &sae, &err) == SS_OK &&
        ss_analyze(encoder, sae, dataset, NULL, &run, &err) == SS_OK;
    if (!is_made) {
        print_error("%s\n", err.message);
    }
    ss_dataset_close(dataset);
    ss_encoder_free(encoder);
    return !is_made;
}

static int tear_down(void **state)
{
    (void)state;
    ss_run_free(run);
    ss_sae_free(sae);
    return rmdir(folder); /* fails when a test left a file */
}

/* ---- embeddings, and features of them ---- */

/* Numbers in which a few features fire, as a file; the caller frees them. */
static float *make_embeddings(const char *path)
{
    ss_err err;
    struct ss_sae_info info = {.struct_size = sizeof info};
    uint64_t seed = 11;
    ss_sae_describe(sae, &info);
    float *x = ss__alloc(N_ROWS * info.width, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < N_ROWS * info.width; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        x[i] = (float)(seed >> 40) / 8388608.0F - 1.0F;
    }
    const uint64_t shape[2] = {N_ROWS, info.width};
    check(ss_folder_npy_write(path, x, 2, shape, &err), &err);
    return x;
}

static void embeddings_and_datasets_tell_what_they_are(void **state)
{
    (void)state;
    ss_err err;
    ss_embeddings *embeddings = NULL;
    struct ss_embeddings_info info = {.struct_size = sizeof info};
    struct ss_sae_info expected = {.struct_size = sizeof expected};
    const char *path = in_folder("x.npy");
    ss__free(make_embeddings(path));
    ss_sae_describe(sae, &expected);
    check(ss_embeddings_open(path, NULL, &embeddings, &err), &err);
    ss_embeddings_describe(embeddings, &info);
    assert_string_equal(info.path, path);
    assert_string_equal(info.format, "npy");
    assert_string_equal(info.column, "");
    assert_int_equal(info.n_rows, N_ROWS);
    assert_int_equal(info.width, expected.width);
    ss_embeddings_free(embeddings);
    assert_int_equal(unlink(path), 0);
    ss_dataset *dataset = open_rows(ROWS);
    assert_int_equal(ss_dataset_n_rows(dataset), 0); /* lines are not counted before */
    ss_dataset_close(dataset);
}

/* A line of the file against a row of ss_sae_encode. */
static void check_line(const char *line, size_t n_bytes, const struct ss_sparse *rows, size_t r)
{
    ss_err err;
    struct ss__json *document = NULL;
    check(ss__json_parse("line", line, n_bytes, &document, &err), &err);
    const struct ss__json *features = ss__json_get(document, "features");
    const struct ss__json *values = ss__json_get(document, "activations");
    const size_t start = rows->offsets[r], n = rows->offsets[r + 1] - start;
    assert_int_equal(ss__json_integer(ss__json_get(document, "row")), r);
    assert_int_equal(ss__json_count(features), n);
    assert_int_equal(ss__json_count(values), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ss__json_integer(ss__json_at(features, i)), rows->features[start + i]);
        assert_true((float)ss__json_real(ss__json_at(values, i)) == rows->values[start + i]);
    }
    ss__json_free(document);
}

static void a_file_of_features_holds_what_encoding_gives(void **state)
{
    (void)state;
    ss_err err;
    ss_work *work = NULL;
    ss_embeddings *embeddings = NULL;
    struct ss_sparse rows = {0};
    struct ss__buf text = {0};
    struct ss_encode_result done = {.struct_size = sizeof done};
    const char *path = in_folder("x.npy"), *out = in_folder("features.jsonl");
    float *x = make_embeddings(path);
    check(ss_embeddings_open(path, NULL, &embeddings, &err), &err);
    const struct ss_encode_options options = {.struct_size = sizeof options,
                                              .embeddings = embeddings};
    check(ss_encode_file(NULL, sae, NULL, out, &options, &done, &err), &err);
    check(ss_work_new(1, &work, &err), &err);
    check(ss_sae_encode(sae, work, x, N_ROWS, &rows, &err), &err);
    assert_int_equal(done.n_rows, N_ROWS);
    assert_int_equal(done.n_activations, rows.offsets[N_ROWS]);
    assert_true(done.n_activations > N_ROWS);
    check(ss__file_read(out, 1 << 24, &text, &err), &err);
    const char *at = text.data, *end = text.data + text.n_bytes;
    for (size_t r = 0; r < N_ROWS; r++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(line_end);
        check_line(at, (size_t)(line_end - at), &rows, r);
        at = line_end + 1;
    }
    assert_ptr_equal(at, end);
    assert_int_equal(ss_encode_file(NULL, sae, NULL, out, &options, NULL, &err), SS_E_EXISTS);
    assert_int_equal(
        ss_encode_file(NULL, sae, NULL, in_folder("features.xls"), &options, NULL, &err),
        SS_E_USAGE);
    assert_int_equal(unlink(out), 0);
    assert_int_equal(unlink(path), 0);
    ss__buf_release(&text);
    ss_sparse_release(&rows);
    ss_work_free(work);
    ss_embeddings_free(embeddings);
    ss__free(x);
}

/* ---- finding features ---- */

static struct ss_feature feature(size_t f)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    ss_run_feature(run, f, &facts);
    return facts;
}

static size_t n_features(void)
{
    struct ss_run_info info = {.struct_size = sizeof info};
    ss_run_describe(run, &info);
    return info.n_features;
}

static void the_most_frequent_come_first(void **state)
{
    (void)state;
    const size_t n = n_features();
    size_t found[1024];
    assert_true(n <= 1024);
    for (size_t wanted = 0; wanted <= n; wanted += 1 + wanted / 2) {
        assert_int_equal(ss_run_most_frequent(run, wanted, found), wanted);
        for (size_t i = 0; i < wanted; i++) {
            size_t n_before = 0; /* features that belong before this one */
            for (size_t f = 0; f < n; f++) {
                const uint64_t a = feature(f).n_fires, b = feature(found[i]).n_fires;
                n_before += a > b || (a == b && f < found[i]);
            }
            assert_int_equal(n_before, i);
        }
    }
    assert_int_equal(ss_run_most_frequent(run, 1024, found), n);
}

/* Top texts that hold a word of ASCII letters. */
static size_t n_texts_with(size_t f, const char *word)
{
    size_t n = 0;
    for (size_t rank = 0; rank < feature(f).n_top; rank++) {
        struct ss_top_text top = {.struct_size = sizeof top};
        char text[2000];
        ss_run_top(run, f, rank, &top);
        snprintf(text, sizeof text, "%.*s", (int)top.text.n_bytes, top.text.data);
        n += strcasestr(text, word) != NULL;
    }
    return n;
}

static double key_of(ss_feature_order order, const struct ss_feature_match *match)
{
    const struct ss_feature facts = feature(match->feature);
    return order == SS_ORDER_RATE    ? (double)facts.n_fires
           : order == SS_ORDER_MAX   ? (double)facts.max_activation
           : order == SS_ORDER_MEAN  ? facts.mean_activation
           : order == SS_ORDER_TEXTS ? (double)match->n_texts
                                     : 0;
}

static void check_query(const struct ss_feature_query *query)
{
    ss_err err;
    struct ss_feature_match found[1024];
    size_t n_found = 0, n_expected = 0;
    check(ss_run_select(run, query, found, &n_found, &err), &err);
    for (size_t f = 0; f < n_features(); f++) {
        const struct ss_feature facts = feature(f);
        const double rate = (double)facts.rate_pct;
        const bool fits = (!query->is_dead || facts.dead) &&
                          (!query->has_rate ||
                           (rate >= query->rate_least_pct && rate <= query->rate_most_pct)) &&
                          (query->words == NULL || n_texts_with(f, query->words) > 0);
        bool is_found = false;
        for (size_t i = 0; i < n_found; i++) {
            is_found |= found[i].feature == f;
        }
        assert_int_equal(is_found, fits);
        n_expected += fits;
    }
    assert_int_equal(n_found, n_expected);
    for (size_t i = 0; i < n_found; i++) {
        if (query->words != NULL) {
            assert_int_equal(found[i].n_texts, n_texts_with(found[i].feature, query->words));
        }
        if (i > 0) {
            const double a = key_of(query->order, &found[i - 1]);
            const double b = key_of(query->order, &found[i]);
            assert_true(a > b || (a == b && found[i - 1].feature < found[i].feature));
        }
    }
}

static void features_are_found_by_what_is_asked_for(void **state)
{
    (void)state;
    static const char *const words[] = {NULL, "star", "STAR", "plan", "zebra"};
    ss_err err;
    struct ss_feature_match found[1024];
    size_t n_found = 1;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        for (int order = SS_ORDER_INDEX; order <= SS_ORDER_TEXTS; order++) {
            struct ss_feature_query query = {.struct_size = sizeof query,
                                             .words = words[w],
                                             .order = (ss_feature_order)order};
            check_query(&query);
            query.has_rate = true;
            query.rate_least_pct = 2;
            query.rate_most_pct = 30;
            check_query(&query);
            query = (struct ss_feature_query){.struct_size = sizeof(struct ss_feature_query),
                                              .words = words[w],
                                              .is_dead = true};
            check_query(&query);
        }
    }
    const struct ss_feature_query empty = {.struct_size = sizeof empty, .words = "  "},
                                  broken = {.words = "\xff"};
    assert_int_equal(ss_run_select(run, &empty, found, &n_found, &err), SS_E_USAGE);
    assert_int_equal(n_found, 0);
    assert_int_equal(ss_run_select(run, &broken, found, &n_found, &err), SS_E_USAGE);
    check(ss_run_select(run, NULL, found, &n_found, &err), &err);
    assert_int_equal(n_found, n_features());
}

/* ---- pictures ---- */

static void assert_svg(const char *path, const char *title)
{
    ss_err err;
    struct ss__buf text = {0};
    check(ss__file_read(path, 1 << 24, &text, &err), &err);
    assert_non_null(ss__buf_text(&text));
    assert_non_null(strstr(text.data, "<svg"));
    assert_non_null(strstr(text.data, title));
    ss__buf_release(&text);
    assert_int_equal(unlink(path), 0);
}

static void pictures_are_drawn_or_refused(void **state)
{
    (void)state;
    ss_err err;
    ss_sae *topk = NULL;
    const char *svg = in_folder("picture.svg");
    const struct ss_plot_options titled = {
        .struct_size = sizeof titled, .title = "Some title", .force = true};
    check(ss_plot_density(run, svg, NULL, &err), &err);
    assert_int_equal(ss_plot_density(run, svg, NULL, &err), SS_E_EXISTS);
    check(ss_plot_density(run, svg, &titled, &err), &err);
    assert_svg(svg, "Some title");
    assert_int_equal(ss_plot_density(run, in_folder("picture.gif"), NULL, &err), SS_E_USAGE);
    check(ss_plot_thresholds(sae, svg, NULL, &err), &err);
    check(ss_plot_thresholds(sae, svg, &titled, &err), &err);
    assert_svg(svg, "Some title");
    check(ss_sae_open(SS_TEST_DATA "/sae/good/topk", NULL, &topk, &err), &err);
    assert_int_equal(ss_plot_thresholds(topk, svg, NULL, &err), SS_E_UNSUPPORTED);
    ss_sae_free(topk);
}

static void the_version_is_told(void **state)
{
    (void)state;
    int major = -1, minor = -1, patch = -1;
    assert_int_equal(sscanf(ss_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    assert_true(major >= 0 && minor >= 0 && patch >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_and_datasets_tell_what_they_are),
        cmocka_unit_test(a_file_of_features_holds_what_encoding_gives),
        cmocka_unit_test(the_most_frequent_come_first),
        cmocka_unit_test(features_are_found_by_what_is_asked_for),
        cmocka_unit_test(pictures_are_drawn_or_refused),
        cmocka_unit_test(the_version_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
