/* The Parquet reader against what pyarrow reads (tests/data/parquet, made by
 * tools/make_parquet_files.py; the shared corpus), and against damage by rule. */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset.h"
#include "parquet/parquet.h"
#include "parquet/parquet_priv.h"
#include "saescope_tools.h"

#define OWN SS_TEST_DATA "/parquet"
#define CORPUS SS_TEST_SHARED "/corpora/parquet"

/* ---- rows compared with a file of JSON lines ---- */

struct expected {
    struct ss__buf text;
    size_t at, n_rows;
    bool differs;
};

static const char *next_line(struct expected *expected, size_t *n_bytes)
{
    const char *line = expected->text.data + expected->at;
    const size_t n_left = expected->text.n_bytes - expected->at;
    const char *end = n_left == 0 ? NULL : memchr(line, '\n', n_left);
    if (end == NULL) {
        return NULL;
    }
    *n_bytes = (size_t)(end - line);
    expected->at += *n_bytes + 1;
    return line;
}

static int compare_row(void *user, struct ss_text json)
{
    struct expected *expected = user;
    size_t n_line = 0;
    const char *line = next_line(expected, &n_line);
    if (line == NULL) {
        return 1; /* no more are expected than there are lines */
    }
    json_t *want = json_loadb(line, n_line, JSON_ALLOW_NUL, NULL);
    json_t *got = json_loadb(json.data, json.n_bytes, JSON_ALLOW_NUL, NULL);
    expected->differs |= want == NULL || got == NULL || !json_equal(want, got);
    if (expected->differs) {
        print_message("row %zu\n  want %.*s\n  got  %.*s\n", expected->n_rows, (int)n_line,
                      line, (int)json.n_bytes, json.data);
    }
    json_decref(want);
    json_decref(got);
    expected->n_rows++;
    return expected->differs;
}

static ss_status read_rows(const char *path, const char *expected_path,
                           struct expected *expected, ss_err *err)
{
    *expected = (struct expected){.at = 0};
    if (expected_path != NULL) {
        assert_int_equal(ss__file_read(expected_path, 64 << 20, &expected->text, err), SS_OK);
    }
    struct ss_dataset_options options = {.struct_size = sizeof options, .format = NULL};
    const uint64_t limit = 0;
    return ss_dataset_each_json(&path, 1, &options, limit, compare_row, expected, err);
}

static void assert_rows_equal(const char *path, const char *expected_path)
{
    struct expected expected;
    size_t n = 0;
    ss_err err = {.message = ""};
    if (read_rows(path, expected_path, &expected, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    if (expected.differs || next_line(&expected, &n) != NULL) {
        fail_msg("%s: rows differ from %s", path, expected_path);
    }
    ss__buf_release(&expected.text);
}

/* ---- own files ---- */

static size_t for_each_own(void (*fn)(const char *name, const char *path))
{
    char **names = NULL;
    size_t n = 0, n_files = 0;
    assert_int_equal(ss__list_folder(OWN, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        const char *dot = strrchr(names[i], '.');
        if (dot != NULL && strcmp(dot, ".parquet") == 0) {
            char path[512], name[128];
            snprintf(path, sizeof path, "%s/%s", OWN, names[i]);
            snprintf(name, sizeof name, "%.*s", (int)(dot - names[i]), names[i]);
            fn(name, path);
            n_files++;
        }
    }
    ss__list_release(names, n);
    return n_files;
}

/* Decode every row of a file whole. */
static ss_status check_view(struct ss_source_view *view, ss_err *err)
{
    const struct ss_format_file file = {.name = view->name, .view = view};
    struct ss_format_record record;
    void *state = NULL;
    bool has_row = true;
    ss_status status = ss_parquet_reader.open(&file, &state, err);
    if (status == SS_OK) {
        status = ss_parquet_reader.select(state, SS_FORMAT_ALL_COLUMNS, err);
    }
    while (status == SS_OK && has_row) {
        status = ss_parquet_reader.next(state, &record, &has_row, err);
    }
    ss_parquet_reader.close(state);
    return status;
}

static ss_status check_bytes(const char *name, const uint8_t *data, size_t n_bytes, ss_err *err)
{
    struct ss_source_view view = ss_source_view_of(name, data, n_bytes);
    return check_view(&view, err);
}

static ss_status check_file(const char *path, ss_err *err)
{
    struct ss_source_stream stream = {.data = NULL};
    struct ss_source_view view = {.name = NULL};
    ss_status status = ss_source_stream_open(path, NULL, &stream, err);
    if (status == SS_OK) {
        status = ss_source_view_stream(&stream, &view, err);
    }
    if (status == SS_OK) {
        status = check_view(&view, err);
    }
    ss_source_view_close(&view);
    ss_source_stream_close(&stream);
    return status;
}

static void check_own(const char *name, const char *path)
{
    char expected[512];
    ss_err err = {.message = ""};
    snprintf(expected, sizeof expected, "%s/%s.jsonl", OWN, name);
    if (check_file(path, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    assert_rows_equal(path, expected);
}

static void test_own_files_equal_pyarrow(void **context)
{
    (void)context;
    assert_true(for_each_own(check_own) >= 55);
}

/* ---- one text column ---- */

static void add_text(struct ss__buf *out, const char *text, size_t n_bytes)
{
    ss__buf_add(out, text == NULL ? "-" : text, text == NULL ? 1 : n_bytes);
    ss__buf_add_byte(out, '|');
}

/* The texts of a column, each with '|' behind it, nulls as "-". */
static struct ss__buf join_texts(const char *path, const char *column)
{
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .text_column = column};
    ss_dataset *dataset = NULL;
    struct ss__buf out = {.data = NULL};
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    ss_err err;
    if (ss_dataset_open(&path, 1, &options, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    while (has_row) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        if (has_row && row.kind == SS_ROW_NULL) {
            add_text(&out, NULL, 0);
        } else if (has_row) {
            add_text(&out, row.text.n_bytes == 0 ? "" : row.text.data, row.text.n_bytes);
        }
    }
    ss_dataset_close(dataset);
    return out;
}

/* The same from the expected rows: the member `outer`, or `inner` of it. */
static struct ss__buf join_expected(const char *path, const char *outer, const char *inner)
{
    struct expected expected = {.at = 0};
    struct ss__buf out = {.data = NULL};
    size_t n = 0;
    assert_int_equal(ss__file_read(path, 1 << 20, &expected.text, NULL), SS_OK);
    for (const char *line = next_line(&expected, &n); line != NULL;
         line = next_line(&expected, &n)) {
        json_t *row = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
        const json_t *value = json_object_get(row, outer);
        value = inner == NULL ? value : json_object_get(value, inner);
        add_text(&out, json_string_value(value), json_string_length(value));
        json_decref(row);
    }
    ss__buf_release(&expected.text);
    return out;
}

static void test_text_column_gives_the_same_texts(void **context)
{
    static const struct {
        const char *name, *column, *outer, *inner;
    } cases[] = {
        {"snappy-plain-v1", NULL, "text", NULL},
        {"zstd-delta-v2", "note", "note", NULL},
        {"gzip-deltalen-v1", "nothing", "nothing", NULL},
        {"fallback", NULL, "text", NULL},
        {"nested-v1", "meta.title", "meta", "title"},
        {"nested-v2", "text", "text", NULL},
        {"brotli-dict-v2", "note", "note", NULL},
        {"empty-groups", NULL, "text", NULL},
    };
    (void)context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512], expected[512];
        snprintf(path, sizeof path, "%s/%s.parquet", OWN, cases[i].name);
        snprintf(expected, sizeof expected, "%s/%s.jsonl", OWN, cases[i].name);
        struct ss__buf got = join_texts(path, cases[i].column);
        struct ss__buf want = join_expected(expected, cases[i].outer, cases[i].inner);
        assert_int_equal(got.n_bytes, want.n_bytes);
        assert_memory_equal(got.data, want.data, want.n_bytes);
        ss__buf_release(&got);
        ss__buf_release(&want);
    }
}

/* A list of strings is one text, as JSON; below a struct that is null it is null. */
static void test_lists_of_strings_are_texts(void **context)
{
    static const char want[] = "[\"a\", null]|[]|-|[\"b\"]|";
    struct ss__buf got = join_texts(OWN "/large-list.parquet", "tags");
    (void)context;
    assert_int_equal(got.n_bytes, sizeof want - 1);
    assert_memory_equal(got.data, want, sizeof want - 1);
    ss__buf_release(&got);
}

/* ---- random files: texts, and all columns carried along ---- */

static void compare_text(const struct ss_row *row, const json_t *want)
{
    if (json_is_array(want)) {
        json_t *got = json_loadb(row->text.data, row->text.n_bytes, JSON_ALLOW_NUL, NULL);
        assert_true(json_equal(got, want));
        json_decref(got);
        return;
    }
    assert_int_equal(row->kind == SS_ROW_NULL, json_is_null(want));
    assert_int_equal(row->text.n_bytes, json_string_length(want));
    if (row->text.n_bytes > 0) {
        assert_memory_equal(row->text.data, json_string_value(want), row->text.n_bytes);
    }
}

static bool compare_kept(const struct ss_row *row, const json_t *want)
{
    json_t *got = json_loadb(row->kept.data, row->kept.n_bytes, JSON_ALLOW_NUL, NULL);
    const bool is_equal = json_equal(got, want);
    if (!is_equal) {
        print_message("row %llu: %.*s\n", (unsigned long long)row->id, (int)row->kept.n_bytes,
                      row->kept.data);
    }
    json_decref(got);
    return is_equal;
}

/* The first line of `expected` names the text column and all columns; each other is a row. */
static void compare_kept_rows(const char *path, struct expected *expected)
{
    size_t n = 0;
    ss_err err = {.message = ""};
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = false;
    ss_dataset *dataset = NULL;
    const char *line = next_line(expected, &n);
    json_t *names = json_loadb(line, n, 0, NULL);
    const struct ss_dataset_options options = {
        .struct_size = sizeof options,
        .text_column = json_string_value(json_object_get(names, "text")),
        .keep = json_string_value(json_object_get(names, "keep"))};
    if (ss_dataset_open(&path, 1, &options, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    for (line = next_line(expected, &n); line != NULL; line = next_line(expected, &n)) {
        json_t *want = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        assert_true(has_row);
        compare_text(&row, json_object_get(want, "text"));
        if (!compare_kept(&row, json_object_get(want, "kept"))) {
            fail_msg("%s: want %.*s", path, (int)n, line);
        }
        json_decref(want);
    }
    assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
    assert_false(has_row);
    ss_dataset_close(dataset);
    json_decref(names);
}

static void test_random_files_equal_pyarrow(void **context)
{
    char **names = NULL;
    size_t n = 0, n_files = 0;
    (void)context;
    assert_int_equal(ss__list_folder(OWN "/random", &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char path[512], rows[512];
        struct expected expected = {.at = 0};
        const char *dot = strstr(names[i], ".kept.jsonl");
        if (dot == NULL) {
            continue;
        }
        const int n_name = (int)(dot - names[i]);
        snprintf(path, sizeof path, "%s/random/%.*s.parquet", OWN, n_name, names[i]);
        snprintf(rows, sizeof rows, "%s/random/%.*s.jsonl", OWN, n_name, names[i]);
        assert_rows_equal(path, rows);
        snprintf(rows, sizeof rows, "%s/random/%s", OWN, names[i]);
        assert_int_equal(ss__file_read(rows, 1 << 20, &expected.text, NULL), SS_OK);
        compare_kept_rows(path, &expected);
        ss__buf_release(&expected.text);
        n_files++;
    }
    ss__list_release(names, n);
    assert_true(n_files >= 20);
}

static void test_refused_columns_are_named(void **context)
{
    static const struct {
        const char *column, *part;
    } cases[] = {{"deep", "column 'deep' is of type list"},
                 {"count", "column 'count' is of type int32"},
                 {"map", "column 'map' is of type map"},
                 {"entries", "column 'entries' is of type list"},
                 {"meta.year", "column 'meta.year' is of type int32"}};
    const char *path = OWN "/nested-v1.parquet";
    (void)context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ss_dataset_options options = {.struct_size = sizeof options,
                                                   .text_column = cases[i].column};
        ss_dataset *dataset = NULL;
        ss_err err = {.message = ""};
        const ss_status status = ss_dataset_open(&path, 1, &options, &dataset, &err);
        assert_int_equal(ss_status_exit_code(status), 65);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("'%s' lacks '%s'", err.message, cases[i].part);
        }
        assert_null(dataset);
    }
}

/* A text of 1 MiB that 4 million rows share: counted without being written out, which would
 * take hours. */
static void test_shared_texts_cost_no_time(void **context)
{
    const char *path = OWN "/large/shared-text.parquet";
    const struct ss_dataset_options options = {.struct_size = sizeof options, .format = NULL};
    ss_dataset *dataset = NULL;
    uint64_t n_rows = 0;
    ss_err err;
    (void)context;
    assert_int_equal(ss_dataset_open_rows(&path, 1, &options, &dataset, &err), SS_OK);
    assert_int_equal(ss_dataset_read_all(dataset, &n_rows, &err), SS_OK);
    assert_int_equal(n_rows, 4000000);
    ss_dataset_close(dataset);
}

/* ---- damage by rule ---- */

static uint8_t *copy_file(const char *path, size_t *n_bytes)
{
    struct ss__map map = {.data = NULL};
    assert_int_equal(ss__file_map(path, &map, NULL), SS_OK);
    uint8_t *copy = ss__alloc(map.n_bytes, 1);
    memcpy(copy, map.data, map.n_bytes);
    *n_bytes = map.n_bytes;
    ss__map_release(&map);
    return copy;
}

static ss_status check_copy(const uint8_t *data, size_t n_bytes)
{
    /* A block of its own size, so that the sanitizer sees a byte too many. */
    uint8_t *copy = ss__alloc(n_bytes, 1);
    ss_err err = {.message = ""};
    memcpy(copy, data, n_bytes);
    const ss_status status = check_bytes("t", copy, n_bytes, &err);
    if (status != SS_OK) {
        assert_int_equal(ss_status_exit_code(status), 65);
        assert_true(strncmp(err.message, "t: ", 3) == 0);
        assert_null(strchr(err.message, '\n'));
    }
    ss__free(copy);
    return status;
}

static void damage_own(const char *name, const char *path)
{
    size_t n_bytes = 0;
    uint8_t *data = copy_file(path, &n_bytes);
    const size_t step = n_bytes / 150 + 1;
    (void)name;
    for (size_t n = 0; n < n_bytes; n += n < n_bytes - 20 ? step : 1) {
        assert_int_not_equal(check_copy(data, n), SS_OK);
    }
    for (size_t i = 0; i < n_bytes; i += step) {
        const unsigned bit = (unsigned)(i * 7 + n_bytes) % 8;
        data[i] ^= (uint8_t)(1u << bit);
        (void)check_copy(data, n_bytes);
        data[i] = (uint8_t)(data[i] ^ 1u << bit ^ 0xFF);
        (void)check_copy(data, n_bytes);
        data[i] ^= 0xFF;
    }
    ss__free(data);
}

static void test_damage_is_refused_or_read(void **context)
{
    (void)context;
    assert_true(for_each_own(damage_own) > 0);
}

/* Where pages have checksums no flipped bit of a page's body goes unseen. */
static void test_checksums_catch_flipped_bits(void **context)
{
    enum { N_HIT_BYTES = 2000 };
    static const char begin[] = "every bit of this text";
    size_t n_bytes = 0, n_passed = 0, at = 0;
    uint8_t *data = copy_file(OWN "/checksum.parquet", &n_bytes);
    (void)context;
    while (at + N_HIT_BYTES < n_bytes && memcmp(data + at, begin, sizeof begin - 1) != 0) {
        at++;
    }
    assert_true(at + N_HIT_BYTES < n_bytes);
    for (size_t bit = 0; bit < N_HIT_BYTES * 8; bit++) {
        data[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        n_passed += check_bytes("t", data, n_bytes, NULL) == SS_OK;
        data[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ss__free(data);
    assert_int_equal(n_passed, 0);
}

/* ---- hand-made faults ---- */

static void test_faults_have_sentences(void **context)
{
    static const struct {
        const char *data;
        size_t n_bytes;
        ss_status status;
        const char *part;
    } cases[] = {
        {"", 0, SS_E_DATA, "not a Parquet file"},
        {"PAR1PAR1", 8, SS_E_DATA, "too short"},
        {"PAR1\0\0\0\0\0\0\0\0PARX", 16, SS_E_DATA, "no \"PAR1\" at its end"},
        {"PAR1\0\0\0\0\0\0\0\0PARE", 16, SS_E_UNSUPPORTED, "encrypted"},
        {"PAR1\xFF\xFF\xFF\x7FPAR1", 12, SS_E_DATA, "claims 2147483647 bytes of 12"},
        {"PAR1\0\1\0\0\0PAR1", 13, SS_E_DATA, "a needed field of the metadata is missing"},
        /* A list of 2^31 elements in a few bytes. */
        {"PAR1\x29\xFC\xFF\xFF\xFF\xFF\x07\x07\0\0\0PAR1", 19, SS_E_DATA,
         "a list in the metadata is longer than the metadata"},
    };
    (void)context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_err err = {.message = ""};
        const ss_status status =
            check_bytes("t.parquet", (const uint8_t *)cases[i].data, cases[i].n_bytes, &err);
        assert_int_equal(status, cases[i].status);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("'%s' lacks '%s'", err.message, cases[i].part);
        }
    }
}

/* Rows of one column "value", whatever its type, carried along and compared. */
static ss_status keep_rows(const char *path, struct expected *expected, ss_err *err)
{
    static const size_t columns[] = {0};
    size_t n_bytes = 0;
    uint8_t *data = copy_file(path, &n_bytes);
    struct ss_source_view view = ss_source_view_of(path, data, n_bytes);
    const struct ss_format_file source = {.name = path, .view = &view};
    const struct ss_format_reader *reader = &ss_parquet_reader;
    struct ss_format_record record = {.is_null = false};
    struct ss__buf row = {.data = NULL};
    void *state = NULL;
    bool has_row = true;
    assert_int_equal(reader->open(&source, &state, err), SS_OK);
    assert_int_equal(reader->select(state, SS_FORMAT_NO_COLUMN, err), SS_OK);
    assert_int_equal(reader->keep(state, columns, 1, err), SS_OK);
    ss_status status = reader->next(state, &record, &has_row, err);
    while (status == SS_OK && has_row) {
        row.n_bytes = 0;
        ss__buf_add_text(&row, "{\"value\": ");
        status = reader->add_kept(state, 0, &row, err);
        ss__buf_add_text(&row, "}");
        if (status == SS_OK) {
            compare_row(expected, (struct ss_text){row.data, row.n_bytes});
            status = reader->next(state, &record, &has_row, err);
        }
    }
    reader->close(state);
    ss__buf_release(&row);
    ss__free(data);
    return status;
}

/* Values that their type cannot have: pyarrow refuses a decimal of no bytes, and reads a date
 * of eight bytes as a number. */
static void test_odd_types(void **context)
{
    struct expected expected = {.at = 0};
    ss_err err = {.message = ""};
    (void)context;
    assert_int_equal(keep_rows(OWN "/odd/empty-decimal.parquet", &expected, &err), SS_E_DATA);
    assert_non_null(strstr(err.message, "row group 0, row 2: a decimal has no digits"));
    expected = (struct expected){.at = 0};
    assert_int_equal(ss__file_read(OWN "/odd/long-date.jsonl", 1 << 20, &expected.text, &err),
                     SS_OK);
    assert_int_equal(keep_rows(OWN "/odd/long-date.parquet", &expected, &err), SS_OK);
    assert_int_equal(expected.n_rows, 4);
    assert_false(expected.differs);
    ss__buf_release(&expected.text);
}

/* Packed groups of eight 2-bit values: one may lack padding at the end of its last group, but
 * no group may be missing, even if its values are not asked for. */
static void test_packed_groups_must_be_there(void **context)
{
    static const struct {
        const char *data;
        size_t n_bytes, n_values;
    } cases[] = {{"\x03\xE4\x1B", 3, 8},      {"\x03\xE4", 2, 4},
                 {"\x05\xE4\x1B\xE4", 4, 12}, {"\x05\xE4\x1B", 3, 0},
                 {"\x23\xE4\x1B\xE4", 4, 0},  {"\x03", 1, 0}};
    (void)context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss_parquet_runs runs;
        uint32_t value = 0;
        size_t n = 0;
        ss_parquet_runs_init(&runs, (const uint8_t *)cases[i].data, cases[i].n_bytes, 2);
        while (ss_parquet_runs_next(&runs, &value)) {
            n++;
        }
        assert_int_equal(n, cases[i].n_values);
    }
}

/* The header of a page without nulls: 15 VALUES 15 NULLS 15 ROWS. Columns of numbers are not
 * read. */
static void test_counts_of_a_page_must_fit(void **context)
{
    size_t n_bytes = 0, n_refused = 0;
    uint8_t *data = copy_file(OWN "/none-plain-v2.parquet", &n_bytes);
    (void)context;
    for (size_t at = 4; at + 6 < n_bytes; at++) {
        const uint8_t *head = data + at;
        if (head[0] != 0x15 || head[2] != 0x15 || head[3] != 0 || head[4] != 0x15 ||
            head[5] != head[1]) {
            continue;
        }
        for (size_t i = at + 3; i <= at + 5; i += 2) {
            const uint8_t old = data[i];
            ss_err err = {.message = ""};
            data[i] = 0x7E; /* 63 */
            (void)!check_bytes("t", data, n_bytes, &err);
            n_refused += strstr(err.message, "claims more rows or nulls than it has") != NULL;
            data[i] = old;
        }
    }
    ss__free(data);
    assert_true(n_refused >= 2);
}

/* ---- the shared corpus ---- */

struct manifest_line {
    char path[256], outcome[16], reason[1024], expected[256];
};

static bool read_line(FILE *file, struct manifest_line *line)
{
    char text[4096];
    if (fgets(text, sizeof text, file) == NULL) {
        return false;
    }
    return sscanf(text, "%255[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%15[^\t]\t%1023[^\t]\t%255[^\t]",
                  line->path, line->outcome, line->reason, line->expected) == 4;
}

static bool is_fine(const struct manifest_line *line, ss_status status)
{
    if (status != SS_OK) {
        return strcmp(line->outcome, "accept") != 0 && ss_status_exit_code(status) == 65;
    }
    return strcmp(line->outcome, "reject") != 0;
}

static void check_corpus_file(const struct manifest_line *line, size_t counts[2])
{
    char path[1024], expected_path[1024];
    struct expected expected;
    ss_err err = {.message = ""};
    snprintf(path, sizeof path, "%s/%s", CORPUS, line->path);
    snprintf(expected_path, sizeof expected_path, "%s/%s", CORPUS, line->expected);
    const ss_status checked = check_file(path, &err);
    if (!is_fine(line, checked)) {
        fail_msg("%s: %s, but: %s", line->path, line->outcome, err.message);
    }
    if (checked != SS_OK && strstr(line->reason, "\"encrypted\" error") != NULL) {
        assert_non_null(strstr(err.message, "encrypted"));
    }
    const bool has_expected = strcmp(line->expected, "-") != 0;
    const ss_status status =
        read_rows(path, has_expected ? expected_path : NULL, &expected, &err);
    ss__buf_release(&expected.text);
    /* Without expected rows only the first is asked for, which damage behind it leaves whole.
     */
    if (expected.differs || (has_expected && (status == SS_OK) != (checked == SS_OK))) {
        fail_msg("%s: rows differ: %s", line->path, err.message);
    }
    counts[checked == SS_OK]++;
}

static void test_corpus(void **context)
{
    FILE *manifest = fopen(CORPUS "/MANIFEST.tsv", "r");
    struct manifest_line line;
    size_t counts[2] = {0, 0};
    (void)context;
    if (manifest == NULL) {
        print_message("SKIP: no shared corpus at %s\n", CORPUS);
        skip();
    }
    (void)read_line(manifest, &line);
    while (read_line(manifest, &line)) {
        check_corpus_file(&line, counts);
    }
    fclose(manifest);
    print_message("corpus: %zu read, %zu refused\n", counts[1], counts[0]);
    assert_true(counts[0] + counts[1] >= 100);
}

/* All of the above, bombs included, within 64 MiB and twice the largest file: refused files
 * must not need more. Sanitizers keep freed memory, so they are left out. */
static void test_memory_stayed_small(void **context)
{
    struct rusage usage;
    (void)context;
    getrusage(RUSAGE_SELF, &usage);
    print_message("peak resident memory: %ld KiB\n", usage.ru_maxrss);
#ifndef __SANITIZE_ADDRESS__
    assert_true(usage.ru_maxrss < 65 * 1024);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_files_equal_pyarrow),
        cmocka_unit_test(test_text_column_gives_the_same_texts),
        cmocka_unit_test(test_lists_of_strings_are_texts),
        cmocka_unit_test(test_random_files_equal_pyarrow),
        cmocka_unit_test(test_refused_columns_are_named),
        cmocka_unit_test(test_shared_texts_cost_no_time),
        cmocka_unit_test(test_damage_is_refused_or_read),
        cmocka_unit_test(test_checksums_catch_flipped_bits),
        cmocka_unit_test(test_faults_have_sentences),
        cmocka_unit_test(test_odd_types),
        cmocka_unit_test(test_packed_groups_must_be_there),
        cmocka_unit_test(test_counts_of_a_page_must_fit),
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_memory_stayed_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
