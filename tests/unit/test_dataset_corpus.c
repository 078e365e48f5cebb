/* Corpora of others: every file must have the outcome that its manifest says. */
#include "dataset_helpers.h"

#include "base/mem.h"
#include "dataset/dataset.h"
#include "saescope_tools.h"

#include <jansson.h>

struct entry {
    char *
        fields[8]; /* path sha256 origin licence outcome reason expected_file expected_sha256 */
};
enum { PATH = 0, OUTCOME = 4, EXPECTED = 6 };

/* Whether what a file gave is what it must; says why not. */
typedef bool (*check_fn)(const char *family, const struct entry *entry);

static bool outcome_fits(const struct entry *entry, ss_status status, const ss_err *err)
{
    const bool accepted = status == SS_OK;
    const bool fits = strcmp(entry->fields[OUTCOME], "either") == 0 ||
                      accepted == (strcmp(entry->fields[OUTCOME], "accept") == 0);
    const bool told = accepted || (ss_status_exit_code(status) == 65 &&
                                   strstr(err->message, entry->fields[PATH]) != NULL);
    if (!fits || !told) {
        print_error("%s: must %s, got: %s\n", entry->fields[PATH], entry->fields[OUTCOME],
                    accepted ? "accepted" : err->message);
    }
    return fits && told;
}

static void corpus_path(char *path, size_t n, const char *family, const char *name)
{
    snprintf(path, n, "%s/corpora/%s/%s", SS_TEST_SHARED, family, name);
}

static json_t *load(const char *family, const char *name)
{
    char path[600];
    corpus_path(path, sizeof path, family, name);
    json_t *value = json_load_file(path, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

/* ---- json: the checker ---- */

static bool check_json(const char *family, const struct entry *entry)
{
    char path[600];
    ss_err err;
    corpus_path(path, sizeof path, family, entry->fields[PATH]);
    return outcome_fits(
        entry,
        ss_dataset_json_check_file(path, (struct ss_progress_callback){NULL, NULL}, &err),
        &err);
}

/* ---- csv, text: rows ---- */

static int gather(void *user, struct ss_text json)
{
    json_t *row = json_loadb(json.data, json.n_bytes, JSON_ALLOW_NUL, NULL);
    assert_non_null(row);
    assert_null(memchr(json.data, '\n', json.n_bytes));
    json_array_append_new(user, row);
    return 0;
}

static bool check_csv(const char *family, const struct entry *entry)
{
    char path[600];
    ss_err err;
    json_t *rows = json_array();
    const char *paths[] = {path};
    corpus_path(path, sizeof path, family, entry->fields[PATH]);
    const struct ss_dataset_options options = {.struct_size = sizeof options, .format = "csv"};
    const ss_status status = ss_dataset_each_json(paths, 1, &options, 0, gather, rows, &err);
    bool good = outcome_fits(entry, status, &err);
    if (good && status == SS_OK && strcmp(entry->fields[EXPECTED], "-") != 0) {
        json_t *expected = load(family, entry->fields[EXPECTED]);
        good = json_equal(rows, expected);
        if (!good) {
            print_error("%s: other rows than expected\n", entry->fields[PATH]);
        }
        json_decref(expected);
    }
    json_decref(rows);
    return good;
}

/* Texts of every form of a part equal the strings of its .json. */
static bool check_text(const char *family, const struct entry *entry)
{
    char path[600], part[64];
    ss_err err;
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true, good = true;
    const char *paths[] = {path};
    corpus_path(path, sizeof path, family, entry->fields[PATH]);
    snprintf(part, sizeof part, "%.7s.json", entry->fields[PATH]);
    json_t *expected = load(family, part);
    ss_status status = ss_dataset_open(paths, 1, NULL, &dataset, &err);
    for (size_t i = 0; status == SS_OK && has_row && good; i++) {
        status = ss_dataset_next(dataset, &row, &has_row, &err);
        const json_t *text = json_array_get(expected, i);
        good = has_row == (i < json_array_size(expected)) &&
               (!has_row ||
                (row.kind != SS_ROW_NULL && !row.repaired &&
                 row.text.n_bytes == json_string_length(text) &&
                 memcmp(row.text.data, json_string_value(text), row.text.n_bytes) == 0));
        if (!good) {
            print_error("%s: row %zu differs\n", entry->fields[PATH], i);
        }
    }
    ss_dataset_close(dataset);
    json_decref(expected);
    return outcome_fits(entry, status, &err) && good;
}

/* ---- manifests ---- */

static void run_family(const char *family, check_fn check)
{
    char path[600], *place = NULL;
    struct ss__buf text = {0};
    int n_wrong = 0, n = 0;
    corpus_path(path, sizeof path, family, "MANIFEST.tsv");
    if (ss__path_stat(path) != SS__PATH_FILE) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    ss_err err;
    assert_int_equal(ss__file_read(path, 1 << 24, &text, &err), SS_OK);
    char *copy = ss__strndup(text.data, text.n_bytes);
    char *line = strtok_r(copy, "\n", &place); /* the header */
    while ((line = strtok_r(NULL, "\n", &place)) != NULL) {
        struct entry entry = {0};
        char *inner = NULL;
        for (size_t i = 0; i < 8; i++) {
            entry.fields[i] = strtok_r(i == 0 ? line : NULL, "\t", &inner);
            assert_non_null(entry.fields[i]);
        }
        n_wrong += !check(family, &entry);
        n++;
    }
    print_message("%s: %d files, %d wrong\n", family, n, n_wrong);
    ss__free(copy);
    ss__buf_release(&text);
    assert_int_equal(n_wrong, 0);
}

static void test_json_family(void **state)
{
    (void)state;
    run_family("json", check_json);
}

static void test_csv_family(void **state)
{
    (void)state;
    run_family("csv", check_csv);
}

static void test_text_family(void **state)
{
    (void)state;
    run_family("text", check_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json_family),
                                       cmocka_unit_test(test_csv_family),
                                       cmocka_unit_test(test_text_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
