/* What the tests of the encoder share: reading expected values, and comparing. */
#ifndef ENCODER_TESTING_H
#define ENCODER_TESTING_H

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "saescope.h"

/* At the highest precision the kernels sum in fp32: about 1e-7 of the largest value per layer,
 * measured 3e-7 for torch's own fp32 against float64 on these models; ten times that leaves
 * room for other orders of summation and none for a wrong formula (the tanh form of GELU alone
 * differs by 4.7e-4). */
static const double tolerance_of_largest = 1e-5;

/* NULL where there is no such file. */
static inline json_t *load_json(const char *folder, const char *name)
{
    char path[600];
    json_error_t problem;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &problem);
    if (json == NULL && json_error_code(&problem) != json_error_cannot_open_file) {
        fail_msg("%s: %s", path, problem.text);
    }
    return json;
}

/* A two-dimensional f32 array of numpy's format 1: magic, length and text of the header, data.
 */
static inline float *load_npy(const char *path, size_t *n_rows, size_t *width)
{
    unsigned char start[10];
    char header[1024] = "";
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    assert_int_equal(fread(start, 1, sizeof start, file), sizeof start);
    const size_t n = start[8] + 256U * start[9];
    assert_true(start[6] == 1 && n < sizeof header);
    assert_int_equal(fread(header, 1, n, file), n);
    assert_non_null(strstr(header, "'<f4'"));
    const char *shape = strstr(header, "'shape': (");
    assert_non_null(shape);
    assert_int_equal(sscanf(shape, "'shape': (%zu, %zu)", n_rows, width), 2);
    float *values = calloc(*n_rows * *width, sizeof *values);
    assert_non_null(values);
    assert_int_equal(fread(values, sizeof *values, *n_rows * *width, file), *n_rows * *width);
    fclose(file);
    return values;
}

static inline struct ss_text *texts_of(const json_t *list)
{
    const size_t n = json_array_size(list);
    struct ss_text *texts = calloc(n + 1, sizeof *texts);
    assert_non_null(texts);
    for (size_t i = 0; i < n; i++) {
        const json_t *text = json_array_get(list, i);
        texts[i] = (struct ss_text){json_string_value(text), json_string_length(text)};
    }
    return texts;
}

static inline ss_encoder *open_encoder(const char *path,
                                       const struct ss_encoder_options *options)
{
    ss_encoder *encoder = NULL;
    ss_err err;
    if (ss_encoder_open(path, options, &encoder, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return encoder;
}

static inline float *embed(const ss_encoder *encoder, size_t n_threads,
                           const struct ss_text *texts, size_t n)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_work *work = NULL;
    ss_err err;
    ss_encoder_describe(encoder, &info);
    float *out = calloc(n * info.width + 1, sizeof *out);
    assert_non_null(out);
    assert_int_equal(ss_work_new(n_threads, &work, &err), SS_OK);
    if (ss_encoder_embed(encoder, work, texts, n, out, NULL, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_work_free(work);
    return out;
}

static inline void check_ids(const ss_encoder *encoder, const struct ss_text *texts,
                             const json_t *expected)
{
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
    for (size_t i = 0; i < json_array_size(expected); i++) {
        const json_t *want = json_array_get(expected, i);
        int32_t *ids = NULL;
        size_t n = 0;
        ss_err err;
        assert_int_equal(ss_encoder_tokenize(encoder, work, texts[i], &ids, &n, &err), SS_OK);
        assert_int_equal(n, json_array_size(want));
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(ids[k], json_integer_value(json_array_get(want, k)));
        }
        ss_ids_free(ids);
    }
    ss_work_free(work);
}

/* Largest difference over the largest expected value. */
static inline double relative_difference(const float *got, const double *want, size_t n)
{
    double worst = 0;
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, isfinite(got[i]) ? fabs((double)got[i] - want[i]) : INFINITY);
        largest = fmax(largest, fabs(want[i]));
    }
    return worst / largest;
}

static inline void check_embeddings(const char *name, const ss_encoder *encoder,
                                    const struct ss_text *texts, size_t n, const double *want)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(encoder, &info);
    float *got = embed(encoder, 2, texts, n);
    const double difference = relative_difference(got, want, n * info.width);
    print_message("%s: largest difference %.2g of the largest value\n", name, difference);
    assert_true(difference <= tolerance_of_largest);
    free(got);
}

static inline void check_candidate(const struct ss_mask_candidate *got, const json_t *want)
{
    const double score = json_number_value(json_object_get(want, "score"));
    assert_true(fabs((double)got->score - score) <= tolerance_of_largest);
    assert_int_equal(got->token, json_integer_value(json_object_get(want, "token")));
    assert_string_equal(got->token_str, json_string_value(json_object_get(want, "token_str")));
    assert_string_equal(got->sequence, json_string_value(json_object_get(want, "sequence")));
}

/* One answer of the reference: a list of candidates, or a list of such lists. */
static inline void check_filling(const ss_encoder *encoder, ss_work *work, const char *text,
                                 const json_t *answer)
{
    const bool has_one = json_is_object(json_array_get(answer, 0));
    const size_t n_masks = has_one ? 1 : json_array_size(answer);
    struct ss_mask_result result = {0};
    ss_err err;
    const json_t *first = has_one ? answer : json_array_get(answer, 0);
    const size_t k = json_array_size(first);
    if (ss_fill_mask(encoder, work, (struct ss_text){text, strlen(text)}, k, &result, &err) !=
        SS_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(result.n_masks, n_masks);
    assert_int_equal(result.n_candidates, k);
    for (size_t m = 0; m < n_masks; m++) {
        const json_t *row = has_one ? answer : json_array_get(answer, m);
        for (size_t i = 0; i < k; i++) {
            check_candidate(&result.candidates[m * k + i], json_array_get(row, i));
        }
    }
    ss_mask_result_release(&result);
}

static inline void check_fillings(const ss_encoder *encoder, const json_t *list,
                                  const char *text_key)
{
    ss_work *work = NULL;
    ss_err err;
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        check_filling(encoder, work, json_string_value(json_object_get(item, text_key)),
                      json_object_get(item, "answer"));
    }
    ss_work_free(work);
}

#endif
