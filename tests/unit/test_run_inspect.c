/* Every file of the corpora has the outcome of its manifest through ss_inspect with `check`,
 * and the kinds of paths are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "corpora.h"
#include "saescope.h"
#include "saescope_tools.h"

enum { PATH_BYTES = 1024, LINE_BYTES = 4096 };

/* Which file of a manifest line is inspected and what must come out. */
static bool is_right(const char *outcome, ss_status status)
{
    const bool accepted = status == SS_OK;
    const bool refused = ss_status_exit_code(status) == 65;
    if (strcmp(outcome, "either") == 0) {
        return accepted || refused;
    }
    return strcmp(outcome, "accept") == 0 ? accepted : refused;
}

static void check_family(const char *family)
{
    char folder[PATH_BYTES], path[2 * PATH_BYTES], line[LINE_BYTES];
    size_t n_cases = 0, n_wrong = 0;
    corpora_folder(folder, sizeof folder, family);
    snprintf(path, sizeof path, "%s/MANIFEST.tsv", folder);
    FILE *manifest = fopen(path, "r");
    if (manifest == NULL) {
        print_message("skipped: there is no %s\n", path);
        skip();
    }
    assert_non_null(fgets(line, sizeof line, manifest)); /* the header */
    while (fgets(line, sizeof line, manifest) != NULL) {
        char *fields[8] = {0}, *rest = line;
        for (size_t i = 0; i < 8; i++) {
            fields[i] = strsep(&rest, "\t\n");
        }
        ss_err err = {0};
        struct ss_report report = {0};
        const struct ss_inspect_options options = {.struct_size = sizeof options,
                                                   .check = true};
        snprintf(path, sizeof path, "%s/%s", folder, fields[0]);
        const ss_status status = ss_inspect(path, &options, &report, &err);
        n_cases++;
        if (!is_right(fields[4], status)) {
            n_wrong++;
            print_error("%s/%s: must be %s (%s), is %s %s\n", family, fields[0], fields[4],
                        fields[5], status == SS_OK ? "accepted as" : "refused:",
                        status == SS_OK ? report.title : err.message);
        }
        if (status != SS_OK && strstr(err.message, ss__path_name(path)) == NULL) {
            n_wrong++;
            print_error("%s/%s: the sentence names no file: %s\n", family, fields[0],
                        err.message);
        }
        ss_report_release(&report);
    }
    fclose(manifest);
    print_message("%s: %zu files, %zu wrong\n", family, n_cases, n_wrong);
    assert_int_equal(n_wrong, 0);
}

#define FAMILY_TEST(name)                                                                      \
    static void name##_corpus(void **state)                                                    \
    {                                                                                          \
        (void)state;                                                                           \
        check_family(#name);                                                                   \
    }

FAMILY_TEST(arrow)
FAMILY_TEST(csv)
FAMILY_TEST(json)
FAMILY_TEST(npy)
FAMILY_TEST(parquet)
FAMILY_TEST(pickle)
FAMILY_TEST(safetensors)
FAMILY_TEST(text)
FAMILY_TEST(torch)
FAMILY_TEST(zip)

static void expect_kind(const char *path, ss_path_kind kind)
{
    ss_err err = {0};
    struct ss_report report = {0};
    const struct ss_inspect_options options = {.struct_size = sizeof options, .check = true};
    if (ss_inspect(path, &options, &report, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(report.kind, kind);
    assert_true(report.n_facts > 0);
    ss_report_release(&report);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    expect_kind(SS_TEST_DATA "/encoder/mpnet-mean", SS_PATH_ENCODER);
    expect_kind(SS_TEST_DATA "/run/sae-jumprelu", SS_PATH_SAE);
    expect_kind(SS_TEST_DATA "/run/sae-batchtopk", SS_PATH_SAE);
    expect_kind(SS_TEST_DATA "/run/sae-jumprelu/sae.safetensors", SS_PATH_WEIGHTS);
    expect_kind(SS_TEST_DATA "/run/rates.npy", SS_PATH_WEIGHTS);
    expect_kind(SS_TEST_DATA "/run/rows.jsonl", SS_PATH_DATASET);
    expect_kind(SS_TEST_DATA "/run/sae-jumprelu/config.json", SS_PATH_JSON);
    expect_kind(SS_TEST_DATA "/run/top.json", SS_PATH_JSON);
}

static void rows_are_counted(void **state)
{
    (void)state;
    struct ss_report report = {0};
    const struct ss_inspect_options options = {.struct_size = sizeof options, .check = true};
    assert_int_equal(ss_inspect(SS_TEST_DATA "/run/rows.jsonl", &options, &report, NULL),
                     SS_OK);
    bool found = false;
    for (size_t i = 0; i < report.n_facts; i++) {
        found = found || (strcmp(report.facts[i].name, "rows") == 0 &&
                          strcmp(report.facts[i].value, "300") == 0);
    }
    assert_true(found);
    assert_int_equal(report.n_table_columns, 3);
    assert_int_equal(report.n_table_rows, 3); /* the header, id and text */
    ss_report_release(&report);
}

static void missing_and_unknown_are_refused(void **state)
{
    (void)state;
    struct ss_report report = {0};
    ss_err err = {0};
    const struct ss_inspect_options wrong = {.struct_size = sizeof wrong, .as = "poem"};
    assert_int_equal(ss_inspect("/nowhere/at/all", NULL, &report, &err), SS_E_NOINPUT);
    assert_int_equal(ss_inspect("/dev/null", NULL, &report, &err), SS_E_DATA);
    assert_int_equal(ss_inspect(SS_TEST_DATA "/run/rows.jsonl", &wrong, &report, &err),
                     SS_E_USAGE);
    assert_null(report.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrow_corpus),
        cmocka_unit_test(csv_corpus),
        cmocka_unit_test(json_corpus),
        cmocka_unit_test(npy_corpus),
        cmocka_unit_test(parquet_corpus),
        cmocka_unit_test(pickle_corpus),
        cmocka_unit_test(safetensors_corpus),
        cmocka_unit_test(text_corpus),
        cmocka_unit_test(torch_corpus),
        cmocka_unit_test(zip_corpus),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(rows_are_counted),
        cmocka_unit_test(missing_and_unknown_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
