/* Every file of the corpora of weights must have the outcome that its manifest gives it: values
 * equal to those of the reference libraries, or one clear sentence. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "corpora.h"
#include "source/source.h"
#include "weights/weights.h"

enum { PATH_BYTES = 1024, LINE_BYTES = 4096 };

struct corpus_case {
    const char *path;     /* of the input */
    const char *expected; /* of the expected file, or NULL */
};

/* Reads a file; on success compares it with what is expected. */
typedef ss_status run_fn(const struct corpus_case *it, ss_err *err);

static json_t *load_json(const char *path)
{
    json_error_t problem;
    json_t *document = json_load_file(path, JSON_DECODE_INT_AS_REAL, &problem);
    if (document == NULL) {
        fail_msg("%s: %s", path, problem.text);
    }
    return document;
}

static void sha256_hex(const void *data, size_t n_bytes, char hex[SS__SHA256_HEX_BYTES])
{
    struct ss__hash *hash = NULL;
    assert_int_equal(ss__hash_new(SS__HASH_SHA256, &hash, NULL), SS_OK);
    ss__hash_add(hash, data, n_bytes);
    ss__hash_finish(hash, hex);
    ss__hash_free(hash);
}

/* The elements of a tensor in row-major order as little-endian bytes; give (ss__free). */
static uint8_t *tensor_bytes(const struct ss_weights_tensor *tensor, size_t *n_bytes)
{
    const size_t size = ss_weights_dtype_bytes(tensor->dtype);
    *n_bytes = (size_t)tensor->n_elements * size;
    uint8_t *bytes = ss__alloc(*n_bytes, 1);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < tensor->n_elements; i++) {
        int64_t place = 0;
        uint64_t rest = i;
        for (size_t d = tensor->n_dims; d-- > 0;) {
            place += (int64_t)(rest % tensor->shape[d]) * tensor->strides[d];
            rest /= tensor->shape[d];
        }
        const uint8_t *element = (const uint8_t *)tensor->data + place * (int64_t)size;
        for (size_t b = 0; b < size; b++) {
            bytes[i * size + b] = element[tensor->swaps ? size - 1 - b : b];
        }
    }
    return bytes;
}

static void check_shape(const char *path, const struct ss_weights_tensor *tensor,
                        const json_t *shape)
{
    if (tensor->n_dims != json_array_size(shape)) {
        fail_msg("%s: '%s' has %zu dimensions", path, tensor->name, tensor->n_dims);
    }
    for (size_t d = 0; d < tensor->n_dims; d++) {
        const double size = json_number_value(json_array_get(shape, d));
        if ((double)tensor->shape[d] != size) {
            fail_msg("%s: '%s' differs in dimension %zu", path, tensor->name, d);
        }
    }
}

/* ---- safetensors ---- */

static void check_listed(const char *path, const struct ss_weights *weights,
                         const json_t *expected)
{
    const json_t *tensors = json_object_get(expected, "tensors");
    json_t *metadata = json_object_get(expected, "metadata");
    const char *key;
    json_t *value;
    assert_int_equal(ss_weights_n(weights), json_object_size(tensors));
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        const json_t *facts = json_object_get(tensors, tensor->name);
        char hex[SS__SHA256_HEX_BYTES];
        size_t n_bytes = 0;
        if (facts == NULL || ss_weights_find(weights, tensor->name) != tensor) {
            fail_msg("%s: '%s' is not expected", path, tensor->name);
        }
        assert_string_equal(tensor->dtype_name,
                            json_string_value(json_object_get(facts, "dtype")));
        check_shape(path, tensor, json_object_get(facts, "shape"));
        uint8_t *bytes = tensor_bytes(tensor, &n_bytes);
        sha256_hex(bytes, n_bytes, hex);
        ss__free(bytes);
        assert_string_equal(hex, json_string_value(json_object_get(facts, "sha256")));
    }
    json_object_foreach(metadata, key, value)
    {
        assert_string_equal(ss_weights_metadata(weights, key), json_string_value(value));
    }
}

static ss_status run_safetensors(const struct corpus_case *it, ss_err *err)
{
    struct ss_weights *weights = NULL;
    const ss_status status = ss_weights_open(it->path, NULL, &weights, err);
    if (status == SS_OK && it->expected != NULL) {
        json_t *expected = load_json(it->expected);
        check_listed(it->path, weights, expected);
        json_decref(expected);
    }
    ss_weights_close(weights);
    return status;
}

/* ---- torch ---- */

/* The expected file is a safetensors file, whose reader is held to its own corpus. */
static void check_same_tensors(const char *path, const struct ss_weights *weights,
                               const struct ss_weights *expected)
{
    if (ss_weights_n(weights) != ss_weights_n(expected)) {
        fail_msg("%s: has %zu tensors", path, ss_weights_n(weights));
    }
    for (size_t i = 0; i < ss_weights_n(expected); i++) {
        const struct ss_weights_tensor *right = ss_weights_at(expected, i);
        const struct ss_weights_tensor *tensor = ss_weights_find(weights, right->name);
        size_t n_bytes = 0, n_right = 0;
        if (tensor == NULL || tensor->dtype != right->dtype ||
            tensor->n_dims != right->n_dims ||
            memcmp(tensor->shape, right->shape, tensor->n_dims * sizeof *tensor->shape) != 0) {
            fail_msg("%s: '%s' is missing or has another form", path, right->name);
        }
        uint8_t *bytes = tensor_bytes(tensor, &n_bytes);
        uint8_t *right_bytes = tensor_bytes(right, &n_right);
        assert_int_equal(n_bytes, n_right);
        assert_memory_equal(bytes, right_bytes, n_bytes);
        ss__free(bytes);
        ss__free(right_bytes);
    }
}

static ss_status run_torch(const struct corpus_case *it, ss_err *err)
{
    struct ss_weights *weights = NULL, *expected = NULL;
    const ss_status status = ss_weights_open(it->path, NULL, &weights, err);
    if (status == SS_OK) {
        assert_int_equal(ss_weights_verify(weights, err), SS_OK);
    }
    if (status == SS_OK && it->expected != NULL) {
        assert_int_equal(ss_weights_open(it->expected, NULL, &expected, err), SS_OK);
        check_same_tensors(it->path, weights, expected);
    }
    ss_weights_close(expected);
    ss_weights_close(weights);
    return status;
}

/* ---- npy ---- */

static float expected_number(const json_t *value)
{
    static const struct {
        const char *text;
        float number;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words && json_is_string(value); i++) {
        if (strcmp(json_string_value(value), words[i].text) == 0) {
            return words[i].number;
        }
    }
    return json_is_boolean(value) ? (float)json_is_true(value)
                                  : (float)json_number_value(value);
}

static void check_array(const char *path, const struct ss_weights_tensor *tensor,
                        const json_t *expected)
{
    const json_t *values = json_object_get(expected, "values_row_major");
    check_shape(path, tensor, json_object_get(expected, "shape"));
    assert_int_equal(tensor->n_elements, json_array_size(values));
    float *numbers = ss__alloc((size_t)tensor->n_elements, sizeof *numbers);
    assert_int_equal(ss_weights_tensor_to_f32(tensor, numbers, NULL), SS_OK);
    for (size_t i = 0; i < tensor->n_elements; i++) {
        const float right = expected_number(json_array_get(values, i));
        if (isnan(right) ? !isnan(numbers[i]) : numbers[i] != right) {
            fail_msg("%s: element %zu is %g, expected %g", path, i, (double)numbers[i],
                     (double)right);
        }
    }
    ss__free(numbers);
}

static ss_status run_npy(const struct corpus_case *it, ss_err *err)
{
    struct ss_weights *weights = NULL;
    const ss_status status = ss_weights_open(it->path, NULL, &weights, err);
    if (status == SS_OK && it->expected != NULL) {
        json_t *expected = load_json(it->expected);
        assert_int_equal(ss_weights_n(weights), 1);
        check_array(it->path, ss_weights_at(weights, 0), expected);
        json_decref(expected);
    }
    ss_weights_close(weights);
    return status;
}

/* ---- zip ---- */

struct zip_check {
    const char *path;
    const json_t *expected; /* array, or NULL */
    size_t n;
};

static int check_zip_entry(void *user, const struct ss_source_zip_entry *entry)
{
    struct zip_check *check = user;
    const json_t *facts = json_array_get(check->expected, check->n++);
    char hex[SS__SHA256_HEX_BYTES], crc[16];
    sha256_hex(entry->data, (size_t)entry->n_bytes, hex);
    snprintf(crc, sizeof crc, "%08x", (unsigned)entry->crc32);
    if (check->expected == NULL) {
        return 0;
    }
    if (facts == NULL) {
        fail_msg("%s: has an entry too many", check->path);
    }
    const char *name = json_string_value(json_object_get(facts, "name"));
    if (ss__utf8_valid_prefix(entry->name, strlen(entry->name)) == strlen(entry->name)) {
        assert_string_equal(entry->name, name);
    }
    assert_int_equal(entry->n_bytes, json_number_value(json_object_get(facts, "size")));
    assert_string_equal(crc, json_string_value(json_object_get(facts, "crc32")));
    assert_string_equal(hex, json_string_value(json_object_get(facts, "sha256")));
    return 0;
}

static ss_status run_zip(const struct corpus_case *it, ss_err *err)
{
    json_t *expected = it->expected == NULL ? NULL : load_json(it->expected);
    struct zip_check check = {.path = it->path, .expected = expected};
    const ss_status status = ss_source_zip_each(it->path, check_zip_entry, &check, NULL, err);
    if (status == SS_OK && expected != NULL) {
        assert_int_equal(check.n, json_array_size(expected));
    }
    json_decref(expected);
    return status;
}

/* ---- the manifest ---- */

/* Errors are one message that begins with the file and have the exit code of bad data. */
static void check_error(const char *path, ss_status status, const ss_err *err)
{
    const size_t n = strlen(err->message);
    if (ss_status_exit_code(status) != 65 || err->code != status || n < strlen(path) + 10 ||
        strncmp(err->message, path, strlen(path)) != 0 || strchr(err->message, '\n') != NULL) {
        fail_msg("%s: status %d, not one clear sentence: %s", path, (int)status, err->message);
    }
}

static void run_case(const char *folder, char *line, run_fn *run)
{
    const char *fields[8] = {0};
    char path[2 * PATH_BYTES], expected[2 * PATH_BYTES];
    ss_err err;
    for (size_t i = 0; i < 8; i++) {
        fields[i] = strsep(&line, "\t");
        assert_non_null(fields[i]);
    }
    snprintf(path, sizeof path, "%s/%s", folder, fields[0]);
    snprintf(expected, sizeof expected, "%s/%s", folder, fields[6]);
    const struct corpus_case it = {.path = path,
                                   .expected = strcmp(fields[6], "-") == 0 ? NULL : expected};
    const ss_status status = run(&it, &err);
    if (status != SS_OK) {
        check_error(path, status, &err);
    }
    if (strcmp(fields[4], "accept") == 0 && status != SS_OK) {
        fail_msg("must be accepted (%s): %s", fields[5], err.message);
    }
    if (strcmp(fields[4], "reject") == 0 && status == SS_OK) {
        fail_msg("%s: must be refused: %s", path, fields[5]);
    }
}

static void run_family(const char *family, run_fn *run)
{
    char folder[PATH_BYTES], manifest[PATH_BYTES], line[LINE_BYTES];
    size_t n = 0;
    corpora_folder(folder, sizeof folder, family);
    snprintf(manifest, sizeof manifest, "%.900s/MANIFEST.tsv", folder);
    FILE *file = fopen(manifest, "r");
    if (file == NULL) {
        print_message("skipped: there is no %s\n", manifest);
        skip();
    }
    assert_non_null(fgets(line, sizeof line, file));
    for (; fgets(line, sizeof line, file) != NULL; n++) {
        line[strcspn(line, "\n")] = '\0';
        run_case(folder, line, run);
    }
    fclose(file);
    print_message("%s: %zu files\n", family, n);
}

static void test_safetensors(void **state)
{
    (void)state;
    run_family("safetensors", run_safetensors);
}

static void test_zip(void **state)
{
    (void)state;
    run_family("zip", run_zip);
}

static void test_torch(void **state)
{
    (void)state;
    run_family("torch", run_torch);
}

static void test_pickle(void **state)
{
    (void)state;
    run_family("pickle", run_torch);
}

static void test_npy(void **state)
{
    (void)state;
    run_family("npy", run_npy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors), cmocka_unit_test(test_zip),
        cmocka_unit_test(test_torch),       cmocka_unit_test(test_pickle),
        cmocka_unit_test(test_npy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
