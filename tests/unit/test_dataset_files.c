/* Files of datasets: compression, folders, patterns, standard input, damage, and long rows. The
 * files and their texts are made by tools/make_dataset_files.py. */
#include "dataset_helpers.h"

#include "base/mem.h"
#include "dataset/dataset.h"
#include "source/source.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/wait.h>

#define DATA SS_TEST_DATA "/dataset/"

/* ---- the same texts in every form ---- */

static void check_texts(const char *const *paths, size_t n, const char *format)
{
    ss_err err;
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    struct ss_dataset_info info = {.struct_size = sizeof info};
    bool has_row = true;
    json_t *expected = json_load_file(DATA "expected.json", 0, NULL);
    assert_non_null(expected);
    if (ss_dataset_open(paths, n, NULL, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_dataset_describe(dataset, &info);
    assert_string_equal(info.format, format);
    assert_string_equal(info.text_column, "text");
    for (size_t i = 0; has_row; i++) {
        const json_t *text = json_array_get(expected, i % json_array_size(expected));
        if (ss_dataset_next(dataset, &row, &has_row, &err) != SS_OK) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(has_row, i < json_array_size(expected) * n);
        if (has_row) {
            assert_int_equal(row.id, i);
            assert_int_equal(row.text.n_bytes, json_string_length(text));
            assert_memory_equal(row.text.data, json_string_value(text), row.text.n_bytes);
        }
    }
    ss_dataset_close(dataset);
    json_decref(expected);
}

static void test_forms(void **state)
{
    static const struct {
        const char *path, *format, *codec;
    } forms[] = {
        {DATA "rows.jsonl", "jsonl", NULL},
        {DATA "rows.json", "json", NULL},
        {DATA "strings.json", "json", NULL},
        {DATA "rows.csv", "csv", NULL},
        {DATA "rows.tsv", "tsv", NULL},
        {DATA "rows.jsonl.gz", "jsonl", "gzip"},
        {DATA "rows.jsonl.zst", "jsonl", "zstd"},
        {DATA "rows.jsonl.bz2", "jsonl", "bzip2"},
        {DATA "rows.jsonl.xz", "jsonl", "xz"},
        {DATA "unnamed-gz", "jsonl", "gzip"},
        {DATA "unnamed-zst", "jsonl", "zstd"},
        {DATA "unnamed-bz2", "jsonl", "bzip2"},
        {DATA "unnamed-xz", "jsonl", "xz"},
        {DATA "rows.csv.gz", "csv", "gzip"},
        {DATA "rows.json.xz", "json", "xz"},
        {DATA "blocked.jsonl.gz", "jsonl", "gzip"},
        {DATA "padded.jsonl.gz", "jsonl", "gzip"},
        {DATA "padded.jsonl.xz", "jsonl", "xz"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct ss_dataset_sniffer sniff;
        ss_err err;
        check_texts(&forms[i].path, 1, forms[i].format);
        assert_int_equal(ss_dataset_sniff(forms[i].path, &sniff, &err), SS_OK);
        assert_string_equal(sniff.format, forms[i].format);
        assert_int_equal(sniff.codec == NULL, forms[i].codec == NULL);
        if (sniff.codec != NULL) {
            assert_string_equal(sniff.codec, forms[i].codec);
        }
    }
}

/* ---- damage ---- */

static void test_damage(void **state)
{
    static const char *const endings[] = {"gz", "zst", "bz2", "xz"};
    static const char *const damages[] = {"cut", "flip", "junk"};
    (void)state;
    for (size_t i = 0; i < 12; i++) {
        char path[600];
        const char *paths[] = {path};
        struct ss__buf rows = {0};
        snprintf(path, sizeof path, DATA "broken/%s.jsonl.%s", damages[i / 4], endings[i % 4]);
        test_rows(paths, 1, NULL, &rows);
        const char *found = strrchr(ss__buf_text(&rows), '!');
        if (found == NULL || strstr(found, path) == NULL ||
            strstr(found, " data is ") == NULL) {
            fail_msg("%s: %s", path, found == NULL ? "no error" : found);
        }
        ss__buf_release(&rows);
    }
}

static void test_bombs(void **state)
{
    static const struct {
        const char *path, *sentence;
    } bombs[] = {
        {DATA "broken/one-line.jsonl.zst", "one row is longer than 48 MiB"},
        {DATA "broken/many-lines.txt.zst", "grows to more than 1000 times"},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ss_err err;
        ss_dataset *dataset = NULL;
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = true;
        const struct ss_dataset_options options = {.struct_size = sizeof options,
                                                   .text_column = "text"};
        ss_status status = ss_dataset_open(&bombs[i].path, 1, &options, &dataset, &err);
        while (status == SS_OK && has_row) {
            status = ss_dataset_next(dataset, &row, &has_row, &err);
        }
        assert_int_equal(status, SS_E_LIMIT);
        assert_non_null(strstr(err.message, bombs[i].sentence));
        ss_dataset_close(dataset);
    }
}

/* ---- several files ---- */

static void test_several(void **state)
{
    static const struct {
        const char *paths[3];
        const char *rows;
    } cases[] = {
        {{DATA "tree"}, "TThe galaxy turns slowly."}, /* of three kinds, as the reference */
        {{DATA "tree/b/*"}, "Tfrom b/1|TThe galaxy turns slowly."},
        {{DATA "tree/**/[12]*"}, "Tfrom b/1|TThe galaxy turns slowly."},
        {{DATA "tree/**"}, "Tfrom a|Tfrom b/1|TThe galaxy turns slowly."},
        {{DATA "tree/b/2.jsonl.gz", DATA "tree/a.csv"}, "TThe galaxy turns slowly.|Tfrom a"},
        {{DATA "tree/a.csv", DATA "tree/?.csv"}, "Tfrom a|Tfrom a"},
        {{DATA "tree/a.csv", DATA "tree/b/1.txt", DATA "tree/a.csv"},
         "Tfrom a|Tfrom b/1|Tfrom a"},
        {{DATA "tree/*.nothing"}, "!no file matches"},
        {{DATA "tree/none.csv"}, "!there is no such file"},
        {{DATA "tree/.folder"}, "Tnot a row"},
        {{DATA "tree/README.md"}, "Tnot a row"},
        {{DATA "tree/__x", DATA "tree/none"}, "!there is no such file"},
        {{NULL}, "!no dataset was given"},
    };
    (void)state;
    int n_wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss__buf rows = {0};
        size_t n = 0;
        while (n < 3 && cases[i].paths[n] != NULL) {
            n++;
        }
        test_rows(cases[i].paths, n, NULL, &rows);
        n_wrong += !test_compare("paths", n > 0 ? cases[i].paths[0] : "", ss__buf_text(&rows),
                                 cases[i].rows);
        ss__buf_release(&rows);
    }
    assert_int_equal(n_wrong, 0);
}

static void test_mixed(void **state)
{
    (void)state;
    const char *same[] = {DATA "rows.jsonl", DATA "rows.jsonl.gz"};
    check_texts(same, 2, "jsonl");
    const char *mixed[] = {DATA "rows.csv", DATA "rows.jsonl", DATA "strings.json"};
    check_texts(mixed, 3, "mixed");
}

/* The column that the first file settles must be in every file. */
static void test_column_rule(void **state)
{
    char a[600], b[600];
    struct ss__buf rows = {0};
    (void)state;
    test_write(a, sizeof a, "a.jsonl", "{\"abstract\":\"x\"}\n", 17);
    test_write(b, sizeof b, "b.csv", "text\ny\n", 7);
    const char *paths[] = {a, b};
    test_rows(paths, 2, NULL, &rows);
    assert_true(test_compare("two files", "", ss__buf_text(&rows),
                             "Tx!b.csv: there is no column 'abstract'"));
    ss__buf_release(&rows);
    remove(a);
    remove(b);
}

/* ---- standard input ---- */

/* Put a pipe in place of standard input, which a child fills from a file, slowly at first. */
static pid_t feed(const char *path, int *saved)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        char bytes[1000];
        const int file = open(path, O_RDONLY);
        ssize_t n = read(file, bytes, 3);
        for (; n > 0; n = read(file, bytes, sizeof bytes)) {
            if (write(ends[1], bytes, (size_t)n) != n) {
                _exit(1);
            }
        }
        _exit(0);
    }
    close(ends[1]);
    *saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    return child;
}

static void test_standard_input(void **state)
{
    static const char *const files[][2] = {{DATA "rows.jsonl", "jsonl"},
                                           {DATA "rows.jsonl.gz", "jsonl"},
                                           {DATA "rows.jsonl.xz", "jsonl"},
                                           {DATA "rows.csv", "csv"},
                                           {DATA "strings.json", "json"}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int saved = -1, result = -1;
        const char *paths[] = {"-"};
        const pid_t child = feed(files[i][0], &saved);
        check_texts(paths, 1, files[i][1]);
        dup2(saved, STDIN_FILENO);
        close(saved);
        waitpid(child, &result, 0);
        assert_int_equal(result, 0);
    }
}

/* ---- long rows, and rows across every edge of the window ---- */

static void test_long_rows(void **state)
{
    enum { LONG_BYTES = 3 << 20, N_ROWS = 3000 };
    char path[600];
    ss_err err;
    struct ss__buf lines = {0};
    struct ss_row row = {.struct_size = sizeof row};
    ss_dataset *dataset = NULL;
    bool has_row = true;
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        const size_t n = i == 1000 ? LONG_BYTES : i * 37 % 1021;
        ss__buf_printf(&lines, "{\"n\":%zu,\"text\":\"", n);
        for (size_t k = 0; k < n; k++) {
            ss__buf_add_byte(&lines, (char)('a' + k % 26));
        }
        ss__buf_add_text(&lines, "\\n\"}\r\n");
    }
    test_write(path, sizeof path, "long.jsonl", lines.data, lines.n_bytes);
    const char *paths[] = {path};
    assert_int_equal(ss_dataset_open(paths, 1, NULL, &dataset, &err), SS_OK);
    for (size_t i = 0; i < N_ROWS; i++) {
        const size_t n = i == 1000 ? LONG_BYTES : i * 37 % 1021;
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        assert_true(has_row);
        assert_int_equal(row.text.n_bytes, n + 1);
        assert_true(n == 0 || row.text.data[n - 1] == (char)('a' + (n - 1) % 26));
    }
    ss_dataset_close(dataset);
    ss__buf_release(&lines);
    remove(path);
}

/* ---- columns ---- */

static void test_columns(void **state)
{
    ss_err err;
    ss_dataset *dataset = NULL;
    const struct ss_format_column *columns = NULL;
    size_t n = 0;
    const char *paths[] = {DATA "rows.jsonl"};
    (void)state;
    assert_int_equal(ss_dataset_open_rows(paths, 1, NULL, &dataset, &err), SS_OK);
    ss_dataset_columns(dataset, &columns, &n);
    assert_int_equal(n, 3);
    assert_string_equal(columns[0].name, "id");
    assert_string_equal(columns[0].type, "number");
    assert_false(columns[0].is_text);
    assert_string_equal(columns[1].name, "text");
    assert_true(columns[1].is_text);
    assert_string_equal(columns[2].name, "more.a"); /* as a columnar format has it */
    assert_string_equal(columns[2].type, "array");
    ss_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bombs),          cmocka_unit_test(test_several),
        cmocka_unit_test(test_mixed),          cmocka_unit_test(test_column_rule),
        cmocka_unit_test(test_standard_input), cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, test_make_folder, test_remove_folder);
}
