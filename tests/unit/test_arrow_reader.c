/* The Arrow reader against what pyarrow reads (tests/data/arrow, made by
 * tools/make_arrow_files.py), and against damage by rule. */
#include "dataset_helpers.h"

#include <jansson.h>

#include "arrow/arrow.h"
#include "base/mem.h"
#include "dataset/dataset.h"
#include "saescope_tools.h"

#define OWN SS_TEST_DATA "/arrow"

static bool is_data(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strcmp(dot, ".arrow") == 0 || strcmp(dot, ".arrows") == 0;
}

static size_t for_each_own(void (*fn)(const char *path))
{
    char **names = NULL;
    size_t n = 0, n_files = 0;
    assert_int_equal(ss__list_folder(OWN, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", OWN, names[i]);
        if (is_data(names[i])) {
            fn(path);
            n_files++;
        }
    }
    ss__list_release(names, n);
    return n_files;
}

/* ---- rows ---- */

static void compare_lines(const char *path, const struct ss__buf *want,
                          const struct ss__buf *got)
{
    size_t at_want = 0, at_got = 0;
    while (at_want < want->n_bytes && at_got < got->n_bytes) {
        const char *a = want->data + at_want, *b = got->data + at_got;
        const char *end_a = memchr(a, '\n', want->n_bytes - at_want);
        const char *end_b = memchr(b, '\n', got->n_bytes - at_got);
        const size_t n_a = end_a == NULL ? want->n_bytes - at_want : (size_t)(end_a - a);
        const size_t n_b = end_b == NULL ? got->n_bytes - at_got : (size_t)(end_b - b);
        json_t *left = json_loadb(a, n_a, JSON_ALLOW_NUL, NULL);
        json_t *right = json_loadb(b, n_b, JSON_ALLOW_NUL, NULL);
        if (left == NULL || !json_equal(left, right)) {
            fail_msg("%s:\n want %.*s\n got  %.*s", path, (int)n_a, a, (int)n_b, b);
        }
        json_decref(left);
        json_decref(right);
        at_want += n_a + 1;
        at_got += n_b + 1;
    }
    assert_true(at_want >= want->n_bytes && at_got >= got->n_bytes);
}

static void check_rows(const char *path)
{
    char expected[600];
    struct ss__buf want = {0}, got = {0};
    ss_err err;
    snprintf(expected, sizeof expected, "%s.jsonl", path);
    assert_int_equal(ss__file_read(expected, 1 << 24, &want, &err), SS_OK);
    test_json(&path, 1, NULL, 0, &got);
    compare_lines(path, &want, &got);
    ss__buf_release(&want);
    ss__buf_release(&got);
}

static void test_own_files_equal_pyarrow(void **state)
{
    (void)state;
    assert_true(for_each_own(check_rows) >= 40);
}

/* ---- texts of one column ---- */

static json_t *lookup(json_t *row, const char *path)
{
    char name[128];
    const char *dot = strchr(path, '.');
    if (dot == NULL || row == NULL || json_is_null(row)) {
        return json_is_object(row) ? json_object_get(row, path) : row;
    }
    snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
    return lookup(json_object_get(row, name), dot + 1);
}

/* Every column of strings or of lists of them gives, text by text, what the rows show. */
static void check_column(const char *path, const char *column, const json_t *rows)
{
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    ss_err err;
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .text_column = column};
    if (ss_dataset_open(&path, 1, &options, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    for (size_t i = 0; has_row; i++) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        assert_true(has_row == (i < json_array_size(rows)));
        const json_t *want = has_row ? lookup(json_array_get(rows, i), column) : NULL;
        if (has_row && json_is_array(want)) { /* a list of strings is one text, as JSON */
            json_t *got = json_loadb(row.text.data, row.text.n_bytes, JSON_ALLOW_NUL, NULL);
            assert_true(json_equal(got, want));
            json_decref(got);
        } else if (has_row && json_is_string(want)) {
            assert_int_equal(row.text.n_bytes, json_string_length(want));
            assert_memory_equal(row.text.data, json_string_value(want), row.text.n_bytes);
        } else if (has_row) {
            assert_int_equal(row.kind, SS_ROW_NULL);
        }
    }
    ss_dataset_close(dataset);
}

static int add_row(void *user, struct ss_text json)
{
    json_array_append_new(user, json_loadb(json.data, json.n_bytes, JSON_ALLOW_NUL, NULL));
    return 0;
}

static size_t n_lists; /* columns of lists of strings that were checked */

static void check_columns(const char *path)
{
    ss_dataset *dataset = NULL;
    const struct ss_format_column *columns = NULL;
    size_t n = 0;
    ss_err err;
    json_t *rows = json_array();
    assert_int_equal(ss_dataset_each_json(&path, 1, NULL, 0, add_row, rows, &err), SS_OK);
    assert_int_equal(ss_dataset_open_rows(&path, 1, NULL, &dataset, &err), SS_OK);
    ss_dataset_columns(dataset, &columns, &n);
    for (size_t i = 0; i < n; i++) {
        const bool is_list = strcmp(columns[i].type, "list of strings") == 0;
        n_lists += is_list;
        if (is_list || (columns[i].is_text && strcmp(columns[i].type, "string") == 0)) {
            check_column(path, columns[i].name, rows);
        }
    }
    ss_dataset_close(dataset);
    json_decref(rows);
}

static void test_texts_are_those_of_the_rows(void **state)
{
    (void)state;
    n_lists = 0;
    assert_true(for_each_own(check_columns) >= 40);
    assert_true(n_lists > 0);
}

/* ---- damage ---- */

/* All rows of `data`, as far as they go; the message must name the file. */
static void read_damaged(const char *data, size_t n_bytes)
{
    const struct ss_format_reader *reader = &ss_arrow_reader;
    struct ss_source_view view = ss_source_view_of("damaged.arrow", data, n_bytes);
    const struct ss_format_file source = {.name = "damaged.arrow", .view = &view};
    struct ss_format_record record = {.is_null = false};
    struct ss__buf out = {0};
    void *rows = NULL;
    bool has_row = true;
    ss_err err = {.message = ""};
    ss_status status = reader->open(&source, &rows, &err);
    if (status == SS_OK) {
        status = reader->select(rows, SS_FORMAT_ALL_COLUMNS, &err);
    }
    while (status == SS_OK && has_row) {
        status = reader->next(rows, &record, &has_row, &err);
        out.n_bytes = 0;
        if (status == SS_OK && has_row) {
            status = reader->add_json(rows, &out, &err);
        }
    }
    assert_true(status == SS_OK || strstr(err.message, "damaged.arrow") != NULL);
    reader->close(rows);
    ss__buf_release(&out);
}

/* Cut off anywhere, or with a byte changed anywhere, data is read or refused with an error
 * message that names the file. */
static void check_damage(const char *path)
{
    struct ss__buf data = {0};
    ss_err err;
    assert_int_equal(ss__file_read(path, 1 << 24, &data, &err), SS_OK);
    for (size_t at = 0; at < data.n_bytes; at++) {
        char *part = ss__strndup(data.data, at); /* its own block, for sanitizers */
        read_damaged(part, at);
        ss__free(part);
        const char old = data.data[at];
        data.data[at] = (char)(old ^ (0x41 << at % 3));
        read_damaged(data.data, data.n_bytes);
        data.data[at] = old;
    }
    ss__buf_release(&data);
}

static void test_damage_is_told(void **state)
{
    (void)state;
    for_each_own(check_damage);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t n;
        const char *sentence;
    } cases[] = {
        {"ARROW1\0\0", 8, "\"ARROW1\" at the end"},
        {"ARROW1\0\0\1\0\0\0\0\0\0\0\xFF\0\0\0ARROW1", 26, "claims more bytes"},
        {"\xFF\xFF\xFF\xFF\0\0\0\0", 8, "there is none"},
        {"\xFF\xFF\xFF\xFF\xFF\xFF\0\0", 8, "goes beyond the end"},
        {"FEA1....", 8, "Feather file of version 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        struct ss__buf out = {0};
        const char *paths[] = {path};
        test_write(path, sizeof path, "bad.arrow", cases[i].data, cases[i].n);
        test_json(paths, 1, NULL, 0, &out);
        const char *text = ss__buf_text(&out);
        if (text == NULL || strstr(text, cases[i].sentence) == NULL) {
            fail_msg("case %zu: %s", i, text == NULL ? "" : text);
        }
        unlink(path);
        ss__buf_release(&out);
    }
}

/* Twenty buffers of nearly the whole body: what is copied stays within the body. */
static void test_buffers_that_overlap_are_refused(void **state)
{
    (void)state;
    const char *path = OWN "/overlapping.bad";
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .all_columns = true};
    struct ss__buf out = {0};
    test_json(&path, 1, &options, 0, &out);
    const char *text = ss__buf_text(&out);
    assert_non_null(text);
    assert_non_null(strstr(text, "record batch 0"));
    assert_non_null(strstr(text, "its buffers overlap"));
    ss__buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_files_equal_pyarrow),
        cmocka_unit_test(test_texts_are_those_of_the_rows),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_buffers_that_overlap_are_refused),
    };
    return cmocka_run_group_tests(tests, test_make_folder, test_remove_folder);
}
