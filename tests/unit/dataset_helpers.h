/* What the tests of datasets share: small files in a folder of their own, and rows as text. */
#ifndef SS_TEST_DATASET_HELPERS_H
#define SS_TEST_DATASET_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/output.h"
#include "saescope.h"
#include "saescope_tools.h"

static char test_folder[64];

__attribute__((unused)) static int test_make_folder(void **state)
{
    (void)state;
    snprintf(test_folder, sizeof test_folder, "/tmp/saescope-test-XXXXXX");
    return mkdtemp(test_folder) == NULL ? -1 : 0;
}

__attribute__((unused)) static int test_remove_folder(void **state)
{
    (void)state;
    return rmdir(test_folder);
}

/* Write a file into the test's folder and say its path. */
__attribute__((unused)) static void test_write(char *path, size_t n_path, const char *name,
                                               const void *data, size_t n_bytes)
{
    ss_err err;
    snprintf(path, n_path, "%s/%s", test_folder, name);
    if (ss__file_write(path, data, n_bytes, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
}

__attribute__((unused)) static void test_add_row(struct ss__buf *out, const struct ss_row *row)
{
    static const char kinds[] = {[SS_ROW_TEXT] = 'T',
                                 [SS_ROW_NULL] = 'N',
                                 [SS_ROW_EMPTY] = 'E',
                                 [SS_ROW_BLANK] = 'B',
                                 [SS_ROW_BAD] = 'X'};
    ss__buf_add_text(out, out->n_bytes > 0 ? "|" : "");
    ss__buf_add_text(out, row->repaired ? "R" : "");
    ss__buf_add_byte(out, kinds[row->kind]);
    ss__buf_add_text(out, row->fault);
    for (size_t i = 0; row->kind == SS_ROW_TEXT && i < row->text.n_bytes; i++) {
        const char c = row->text.data[i];
        ss__buf_add(out, c == '\0' ? "\\0" : &c, c == '\0' ? 2 : 1);
    }
}

__attribute__((unused)) static void test_rows(const char *const *paths, size_t n,
                                              const struct ss_dataset_options *options,
                                              struct ss__buf *out)
{
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    ss_err err;
    uint64_t id = 0;
    ss_status status = ss_dataset_open(paths, n, options, &dataset, &err);
    while (status == SS_OK && has_row) {
        status = ss_dataset_next(dataset, &row, &has_row, &err);
        if (status == SS_OK && has_row) {
            assert_int_equal(row.id, id);
            id++;
            test_add_row(out, &row);
        } else if (status != SS_OK) {
            assert_int_equal(err.row, id);
        }
    }
    if (status != SS_OK) {
        ss__buf_printf(out, "!%s", err.message);
        assert_int_equal(err.code, status);
    }
    ss_dataset_close(dataset);
}

__attribute__((unused)) static int test_add_json(void *user, struct ss_text json)
{
    struct ss__buf *out = user;
    ss__buf_add_text(out, out->n_bytes > 0 ? "\n" : "");
    ss__buf_add(out, json.data, json.n_bytes);
    return 0;
}

__attribute__((unused)) static void test_json(const char *const *paths, size_t n,
                                              const struct ss_dataset_options *options,
                                              uint64_t limit, struct ss__buf *out)
{
    ss_err err;
    if (ss_dataset_each_json(paths, n, options, limit, test_add_json, out, &err) != SS_OK) {
        ss__buf_printf(out, "!%s", err.message);
    }
}

/* Equal, or equal up to a "!" and then holding the rest of what is expected. */
__attribute__((unused)) static bool test_compare(const char *name, const char *content,
                                                 const char *found, const char *expected)
{
    const char *mark = strchr(expected, '!');
    const size_t n = mark == NULL ? strlen(expected) + 1 : (size_t)(mark - expected) + 1;
    const bool equal =
        strncmp(found, expected, n) == 0 && (mark == NULL || strstr(found, mark + 1) != NULL);
    if (!equal) {
        print_error("%s with <%s>:\n found    <%s>\n expected <%s>\n", name, content, found,
                    expected);
    }
    return equal;
}

#endif
