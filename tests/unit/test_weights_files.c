/* The small files of tests/data/weights: values that the reference libraries wrote
 * (tools/make_weight_files.py), damage of every kind, shards, and tensors that must be there.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "weights/weights_priv.h"

#define DATA SS_TEST_DATA "/weights"

enum { PATH_BYTES = 1024 };

static struct ss_weights *open_good(const char *name)
{
    char path[PATH_BYTES];
    struct ss_weights *weights = NULL;
    ss_err err;
    snprintf(path, sizeof path, "%s/good/%s", DATA, name);
    if (ss_weights_open(path, NULL, &weights, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return weights;
}

/* ---- values ---- */

static void check_values(const struct ss_weights *weights, const char *name,
                         const struct ss__json *expected)
{
    const struct ss_weights_tensor *tensor = ss_weights_find(weights, name);
    const struct ss__json *shape = ss__json_get(expected, "shape");
    const struct ss__json *values = ss__json_get(expected, "values");
    uint64_t sizes[SS_WEIGHTS_MAX_DIMS] = {0};
    float *numbers = NULL;
    assert_non_null(tensor);
    for (size_t d = 0; d < ss__json_count(shape); d++) {
        sizes[d] = (uint64_t)ss__json_integer(ss__json_at(shape, d));
    }
    assert_int_equal(
        ss_weights_need_f32(weights, name, ss__json_count(shape), sizes, &numbers, NULL),
        SS_OK);
    assert_int_equal(tensor->n_elements, ss__json_count(values));
    for (size_t i = 0; i < tensor->n_elements; i++) {
        assert_true(numbers[i] == (float)ss__json_real(ss__json_at(values, i)));
    }
    ss__free(numbers);
}

static void test_values(void **state)
{
    struct ss__json *expected = NULL, *tensors = NULL, *facts = NULL;
    const char *file = NULL, *name = NULL;
    (void)state;
    assert_int_equal(ss__json_load(DATA "/expected.json", &expected, NULL), SS_OK);
    SS_JSON_EACH_MEMBER (expected, file, tensors) {
        struct ss_weights *weights = open_good(file);
        assert_int_equal(ss_weights_n(weights), ss__json_count(tensors));
        SS_JSON_EACH_MEMBER (tensors, name, facts) {
            check_values(weights, name, facts);
        }
        assert_int_equal(ss_weights_verify(weights, NULL), SS_OK);
        ss_weights_close(weights);
    }
    ss__json_free(expected);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *file, *kind;
    } kinds[] = {
        {"good/state.safetensors", "safetensors"},
        {"good/state.pt", "torch zip"},
        {"good/stream.pt", "torch stream"},
        {"good/array.npy", "npy"},
        {"good/arrays.npz", "npz"},
        {"broken/lone.pkl", "pickle"},
        {"broken/empty.npy", NULL},
        {"expected.json", NULL},
    };
    char path[PATH_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/%s", DATA, kinds[i].file);
        const char *found = "none";
        ss_err err;
        assert_int_equal(ss_weights_sniff(path, &found, &err), SS_OK);
        assert_true(found == NULL ? kinds[i].kind == NULL : strcmp(found, kinds[i].kind) == 0);
    }
    const char *found = "none";
    assert_int_equal(ss_weights_sniff(DATA "/absent", &found, NULL), SS_E_NOINPUT);
    assert_null(found);
}

static void test_metadata(void **state)
{
    struct ss_weights *weights = open_good("state.safetensors");
    (void)state;
    assert_string_equal(ss_weights_metadata(weights, "kind"), "test");
    assert_null(ss_weights_metadata(weights, "absent"));
    assert_null(ss_weights_find(weights, "absent"));
    assert_string_equal(ss_weights_format(weights), "safetensors");
    assert_int_equal(ss_weights_n_files(weights), 1);
    assert_string_equal(ss_weights_file(weights, 0), ss_weights_path(weights));
    ss_weights_close(weights);
}

/* ---- plain values ---- */

/* Whether a value under a key is what Python has there; null in `right` means that it is there
 * and cannot be read, the text "absent" that nothing is. */
static bool is_right_value(const struct ss_weights *weights, const char *key,
                           const struct ss__json *right)
{
    const char *text = ss_weights_metadata(weights, key);
    const char *what = ss_weights_unreadable(weights, key);
    double number = 0;
    if (ss__json_is_null(right)) {
        return text == NULL && what != NULL;
    }
    if (ss__json_is_string(right) && strcmp(ss__json_string(right), "absent") == 0) {
        return text == NULL && what == NULL;
    }
    if (text == NULL || what != NULL) {
        return false;
    }
    if (ss__json_is_boolean(right)) {
        return strcmp(text, ss__json_is_true(right) ? "true" : "false") == 0;
    }
    if (ss__json_is_string(right)) {
        return strcmp(text, ss__json_string(right)) == 0;
    }
    return ss__parse_double(text, strlen(text), &number) && number == ss__json_real(right);
}

/* Numbers, texts and what else may lie beside tensors, in dictionaries of all kinds and in both
 * forms of torch's files, by numpy 1 and 2 and by Pythons whose paths are elsewhere. */
static void test_plain_values(void **state)
{
    static const char *const files[] = {"zip.pt", "stream.pt", "protocol4.pt", "protocol5.pt",
                                        "other-names.pt"};
    struct ss__json *expected = NULL;
    const struct ss__json *right = NULL;
    const char *key = NULL;
    (void)state;
    assert_int_equal(ss__json_load(DATA "/values/expected.json", &expected, NULL), SS_OK);
    assert_true(ss__json_count(expected) > 400);
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[PATH_BYTES];
        struct ss_weights *weights = NULL;
        ss_err err;
        snprintf(path, sizeof path, "%s/values/%s", DATA, files[f]);
        if (ss_weights_open(path, NULL, &weights, &err) != SS_OK) {
            fail_msg("%s", err.message);
        }
        SS_JSON_EACH_MEMBER (expected, key, right) {
            if (!is_right_value(weights, key, right)) {
                const char *text = ss_weights_metadata(weights, key);
                const char *what = ss_weights_unreadable(weights, key);
                fail_msg("%s: '%s' reads as '%s' (%s)", files[f], key, text == NULL ? "" : text,
                         what == NULL ? "" : what);
            }
        }
        const struct ss_weights_tensor *fortran = ss_weights_find(weights, "fortran");
        const struct ss_weights_tensor *array = ss_weights_find(weights, "array");
        const uint64_t shape[2] = {2, 3};
        float *numbers = NULL;
        assert_true(fortran != NULL && array != NULL && array->dtype == SS_WEIGHTS_I16);
        assert_int_equal(ss_weights_need_f32(weights, "array", 2, shape, &numbers, NULL),
                         SS_OK);
        for (size_t i = 0; i < 6; i++) {
            assert_true(numbers[i] == (float)i);
        }
        ss__free(numbers);
        assert_int_equal(ss_weights_need_f32(weights, "fortran", 2, shape, &numbers, NULL),
                         SS_OK);
        assert_true(numbers[1] == 0.5F && numbers[3] == 1.25F); /* i 7 mod 11 - 5, over 4 */
        ss__free(numbers);
        ss_weights_close(weights);
    }
    ss__json_free(expected);
}

/* An array of texts beside numbers is there for whoever asks for it by name. */
static void test_arrays_beside(void **state)
{
    struct ss_weights *weights = open_good("beside.npz");
    const uint64_t shape[1] = {3};
    float *numbers = NULL;
    ss_err err;
    (void)state;
    assert_int_equal(ss_weights_need_f32(weights, "ids", 1, shape, &numbers, &err),
                     SS_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'ids' is no tensor of real numbers"));
    assert_non_null(strstr(ss_weights_unreadable(weights, "meta"), "never run"));
    ss_weights_close(weights);
}

/* ---- damage ---- */

static void test_broken(void **state)
{
    char **names = NULL;
    size_t n = 0;
    (void)state;
    assert_int_equal(ss__list_folder(DATA "/broken", &names, &n, NULL), SS_OK);
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        struct ss_weights *weights = NULL;
        char path[PATH_BYTES];
        ss_err err;
        snprintf(path, sizeof path, "%s/broken/%s", DATA, names[i]);
        const ss_status status = ss_weights_open(path, NULL, &weights, &err);
        if (ss_status_exit_code(status) != 65 || strstr(err.message, names[i]) == NULL) {
            fail_msg("%s: status %d", path, (int)status);
        }
        assert_null(weights);
    }
    ss__list_release(names, n);
}

/* Open changed bytes; if they are accepted, all numbers must still be readable. *content mixes
 * all names and numbers. */
static bool is_read(const char *name, const uint8_t *data, size_t n_bytes, uint64_t *content)
{
    *content = 0;
    struct ss_weights *weights = NULL;
    ss_err err;
    if (ss_weights_open_memory(name, data, n_bytes, &weights, &err) != SS_OK) {
        assert_true(err.message[0] != '\0');
        return false;
    }
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        float *numbers = ss__alloc((size_t)tensor->n_elements, sizeof *numbers);
        assert_non_null(numbers);
        if (ss_weights_tensor_to_f32(tensor, numbers, &err) == SS_OK) {
            *content = *content * 31 + ss__hash64(tensor->name, strlen(tensor->name));
            *content = *content * 31 + ss__hash64(numbers, tensor->n_elements * sizeof(float));
        }
        ss__free(numbers);
    }
    ss_weights_close(weights);
    return true;
}

static const char *const good_files[] = {"state.safetensors", "state.pt", "stream.pt",
                                         "array.npy", "arrays.npz"};
enum { N_GOOD_FILES = sizeof good_files / sizeof *good_files };

/* No beginning of a file is a file. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_GOOD_FILES; f++) {
        struct ss_weights *weights = open_good(good_files[f]);
        const struct ss_source_bytes *source = &weights->source;
        uint64_t content = 0;
        for (size_t n = 0; n < source->n_bytes; n++) {
            /* A copy of exact size lets a sanitizer see reads beyond it. */
            uint8_t *copy = ss__alloc(n, 1);
            memcpy(copy, source->data, n);
            if (is_read(good_files[f], copy, n, &content)) {
                fail_msg("%s: its first %zu bytes are accepted", good_files[f], n);
            }
            ss__free(copy);
        }
        ss_weights_close(weights);
    }
}

/* Any single bit may change: never a crash, and never another value where there are checksums.
 */
static void test_bit_flips(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_GOOD_FILES; f++) {
        struct ss_weights *weights = open_good(good_files[f]);
        const size_t n = weights->source.n_bytes;
        uint8_t *copy = ss__alloc(n, 1);
        assert_non_null(copy);
        memcpy(copy, weights->source.data, n);
        const bool is_archive = copy[0] == 'P';
        uint64_t right = 0, content = 0;
        assert_true(is_read(good_files[f], copy, n, &right));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (is_read(good_files[f], copy, n, &content) && is_archive && content != right) {
                fail_msg("%s: bit %zu changes values unnoticed", good_files[f], bit);
            }
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        ss__free(copy);
        ss_weights_close(weights);
    }
}

/* ---- shards ---- */

static void test_shards(void **state)
{
    const uint64_t two = 2, three = 3;
    struct ss_weights *weights = NULL;
    float *numbers = NULL;
    ss_err err;
    (void)state;
    assert_int_equal(ss_weights_open_model(DATA "/sharded", NULL, &weights, &err), SS_OK);
    assert_int_equal(ss_weights_n(weights), 2);
    assert_int_equal(ss_weights_n_files(weights), 2);
    assert_non_null(strstr(ss_weights_file(weights, 1), "model-2-of-2.safetensors"));
    assert_non_null(strstr(ss_weights_path(weights), "index.json"));
    assert_int_equal(ss_weights_need_f32(weights, "a", 1, &two, &numbers, &err), SS_OK);
    ss__free(numbers);
    assert_int_equal(ss_weights_need_f32(weights, "b", 1, &three, &numbers, &err), SS_OK);
    ss__free(numbers);
    assert_int_equal(ss_weights_verify(weights, &err), SS_OK);
    ss_weights_close(weights);
}

static void test_bad_shards(void **state)
{
    struct ss_weights *weights = NULL;
    ss_err err;
    (void)state;
    assert_int_equal(ss_weights_open_model(DATA "/sharded-outside", NULL, &weights, &err),
                     SS_E_DATA);
    assert_non_null(strstr(err.message, "leaves the folder"));
    assert_int_equal(ss_weights_open_model(DATA "/sharded-missing", NULL, &weights, &err),
                     SS_E_NOINPUT);
    assert_int_equal(ss_weights_open_model(DATA "/good", NULL, &weights, &err), SS_E_NOINPUT);
    assert_int_equal(ss_weights_open(DATA "/absent", NULL, &weights, &err), SS_E_NOINPUT);
    assert_null(weights);
}

/* ---- tensors that must be there ---- */

static struct ss_weights *open_text(const char *header, const void *data, size_t n_bytes,
                                    uint8_t *room)
{
    struct ss_weights *weights = NULL;
    const size_t n_header = strlen(header);
    memset(room, 0, 8);
    room[0] = (uint8_t)n_header;
    memcpy(room + 8, header, n_header);
    memcpy(room + 8 + n_header, data, n_bytes);
    assert_int_equal(
        ss_weights_open_memory("memory", room, 8 + n_header + n_bytes, &weights, NULL), SS_OK);
    return weights;
}

static void test_need(void **state)
{
    static const float values[] = {1, NAN, 3, -INFINITY};
    const uint64_t square[] = {2, 2}, flat = 4;
    _Alignas(16) uint8_t room[256];
    float *numbers = NULL;
    ss_err err;
    (void)state;
    struct ss_weights *weights =
        open_text("{\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}  ",
                  values, sizeof values, room);
    assert_int_equal(ss_weights_need_f32(weights, "w", 2, square, &numbers, &err),
                     SS_E_NONFINITE);
    assert_string_equal(err.item, "w");
    assert_non_null(strstr(err.message, "holds 2 numbers"));
    assert_non_null(strstr(err.message, "first at index 1"));
    assert_int_equal(ss_weights_need_f32(weights, "w", 1, &flat, &numbers, &err), SS_E_SHAPE);
    assert_string_equal(err.message, "memory: tensor 'w' is [2,2], expected [4]");
    assert_int_equal(ss_weights_need_f32(weights, "v", 1, &flat, &numbers, &err), SS_E_DATA);
    assert_string_equal(err.message,
                        "memory: tensor 'v' is missing; among the 1 that are there is 'w'");
    assert_null(numbers);
    ss_weights_close(weights);
}

/* A view is taken where the bytes allow it, else a copy. */
static void test_view(void **state)
{
    static const float values[] = {1, 2};
    static const char *const headers[] = {
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} ",
    };
    const uint64_t two = 2;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        _Alignas(16) uint8_t room[256];
        const bool is_aligned = strlen(headers[i]) % 4 == 0;
        const float *numbers = NULL;
        float *owned = NULL;
        struct ss_weights *weights = open_text(headers[i], values, sizeof values, room);
        assert_int_equal(ss_weights_view_f32(weights, "w", 1, &two, &numbers, &owned, NULL),
                         SS_OK);
        assert_memory_equal(numbers, values, sizeof values);
        assert_true(is_aligned ? owned == NULL : owned == numbers);
        ss__free(owned);
        ss_weights_close(weights);
    }
}

/* Rows of float32 at any alignment, of halves, and none where a number is not finite. */
static void test_table(void **state)
{
    static const float values[] = {1, 2, 3, 4, 5, INFINITY};
    static const uint16_t halves[] = {0x3C00, 0x4000, 0x4200, 0x4400};
    static const struct {
        const char *header;
        const void *data;
        size_t n_bytes;
    } cases[] = {
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}  ", values, 16},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}} ", values, 16},
        {"{\"w\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}   ", halves, 8},
    };
    const uint64_t square[] = {2, 2}, tall[] = {3, 2};
    struct ss_weights_table table = {0};
    ss_err err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        _Alignas(16) uint8_t room[256];
        float row[2] = {0}, rows[4] = {0};
        struct ss_weights *weights =
            open_text(cases[i].header, cases[i].data, cases[i].n_bytes, room);
        assert_int_equal(ss_weights_need_table(weights, "w", square, NULL, &table, NULL),
                         SS_OK);
        assert_int_equal(ss_weights_table_rows(&table, 1, 1, row, NULL), SS_OK);
        assert_int_equal(ss_weights_table_rows(&table, 0, 2, rows, NULL), SS_OK);
        assert_memory_equal(row, values + 2, sizeof row);
        assert_memory_equal(rows, values, sizeof rows);
        ss_weights_table_release(&table);
        assert_int_equal(ss_weights_need_table(weights, "w", tall, NULL, &table, &err),
                         SS_E_SHAPE);
        ss_weights_close(weights);
    }
    _Alignas(16) uint8_t room[256];
    struct ss_weights *weights =
        open_text("{\"w\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}}  ",
                  values, sizeof values, room);
    assert_int_equal(ss_weights_need_table(weights, "w", tall, NULL, &table, &err),
                     SS_E_NONFINITE);
    assert_non_null(strstr(err.message, "holds 1 numbers"));
    assert_non_null(strstr(err.message, "first at index 5"));
    ss_weights_close(weights);
}

/* ---- conversion ---- */

/* The value of a half by its definition: sign, exponent - 15, fraction of 10 bits. */
static float half_by_definition(unsigned half)
{
    const int exponent = (int)(half >> 10 & 31);
    const float fraction = (float)(half & 1023);
    const float size = exponent == 31  ? (fraction == 0 ? INFINITY : NAN)
                       : exponent == 0 ? ldexpf(fraction, -24)
                                       : ldexpf(1024 + fraction, exponent - 25);
    return half >> 15 != 0 ? -size : size;
}

static void test_halves(void **state)
{
    enum { N = 1 << 16 };
    static uint16_t halves[N];
    static float numbers[N];
    (void)state;
    for (size_t i = 0; i < N; i++) {
        halves[i] = (uint16_t)i;
    }
    struct ss_weights_tensor tensor = {
        .name = "halves", .dtype = SS_WEIGHTS_F16, .n_dims = 1, .shape = {N}, .data = halves};
    assert_true(ss_weights_tensor_set_row_major(&tensor));
    assert_int_equal(ss_weights_tensor_to_f32(&tensor, numbers, NULL), SS_OK);
    for (unsigned i = 0; i < N; i++) {
        const float expected = half_by_definition(i);
        assert_true(isnan(expected)
                        ? isnan(numbers[i])
                        : numbers[i] == expected && signbit(numbers[i]) == signbit(expected));
    }
}

static void test_nonfinite(void **state)
{
    enum { N = 10000 };
    static float numbers[N];
    size_t first = 0;
    (void)state;
    assert_int_equal(ss_weights_count_nonfinite(numbers, N, &first), 0);
    assert_int_equal(first, N);
    numbers[9001] = -INFINITY;
    numbers[5000] = NAN;
    numbers[4999] = 3.4e38f;
    assert_int_equal(ss_weights_count_nonfinite(numbers, N, &first), 2);
    assert_int_equal(first, 5000);
}

/* Each bound of a torch archive is told by its name, before anything is written. */
static void test_bounds_of_a_torch_archive(void **state)
{
    (void)state;
    enum { N = 65 };
    static const float number = 1;
    struct ss_weights_tensor_out tensors[N];
    const char *path = "/tmp/saescope-bounds.pt";
    ss_err err;
    for (size_t i = 0; i < N; i++) {
        tensors[i] = (struct ss_weights_tensor_out){
            .name = "x", .data = &number, .n_dims = 1, .shape = {1}};
    }
    assert_int_equal(ss_weights_torch_write(path, tensors, N, &err), SS_E_LIMIT);
    assert_non_null(strstr(err.message, "65 tensors"));
    tensors[0].n_dims = 2;
    tensors[0].shape[0] = 1 << 20;
    tensors[0].shape[1] = 1 << 10;
    assert_int_equal(ss_weights_torch_write(path, tensors, 1, &err), SS_E_LIMIT);
    assert_non_null(strstr(err.message, "need 4296015872 bytes"));
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_metadata),      cmocka_unit_test(test_broken),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_shards),        cmocka_unit_test(test_bad_shards),
        cmocka_unit_test(test_need),          cmocka_unit_test(test_view),
        cmocka_unit_test(test_halves),        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_table),         cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_arrays_beside), cmocka_unit_test(test_bounds_of_a_torch_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
