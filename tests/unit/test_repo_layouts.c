/* Which files of a repository make a split, against what the library `datasets` reads: 254 layouts
 * with 924 questions (tests/data/dataset_repos, made by tools/make_dataset_repos.py). The room is pure,
 * so that no file is made here: a list of paths and the text of a card go in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "repo/repo.h"

enum { MOST_PATHS = 256 };

static const char *text_of(const struct ss__json *object, const char *key)
{
    return ss__json_string(ss__json_get(object, key));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files of the expected rows: each file has the rows "PATH 0" and "PATH 1". */
static size_t expected_paths(const struct ss__json *rows, struct ss_text paths[MOST_PATHS])
{
    const struct ss__json *row = NULL;
    size_t i = 0, n = 0;
    SS_JSON_EACH (rows, i, row) {
        const char *text = ss__json_string(row);
        const size_t n_bytes = strcspn(text, "\n"); /* where a row is a whole file */
        if (text[n_bytes - 1] == '0' && n < MOST_PATHS) {
            paths[n++] = (struct ss_text){text, n_bytes - 2};
        }
    }
    return n;
}

static bool is_expected(const struct ss_repo_choice *choice, const struct ss__json *rows)
{
    struct ss_text paths[MOST_PATHS];
    bool is_same = expected_paths(rows, paths) == choice->n;
    for (size_t i = 0; is_same && i < choice->n; i++) {
        is_same = strlen(choice->paths[i]) == paths[i].n_bytes &&
                  memcmp(choice->paths[i], paths[i].data, paths[i].n_bytes) == 0;
    }
    return is_same;
}

struct asking {
    const char *name;
    struct ss_repo repo;
    bool leaves_it; /* a pattern with "..", which is refused here */
    size_t n_rows, n_errors;
};

/* The library reads no split where one of them has no files that it knows, or files of another kind;
 * here the one that is asked for counts. What is wrong within a file is another room's matter. */
static bool is_lenient(const char *error)
{
    static const char *const errors[] = {"ValueError", "DataFilesNotFoundError", "KeyError",
                                         "ArrowInvalid"};
    bool is = false;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0] && !is; i++) {
        is = strcmp(errors[i], error) == 0;
    }
    return is;
}

static void ask(struct asking *asking, const struct ss__json *question, ss_status card,
                const ss_err *card_err)
{
    const struct ss_repo_request request = {text_of(question, "config"),
                                            text_of(question, "split")};
    const struct ss__json *rows = ss__json_get(question, "rows");
    const char *error = text_of(question, "error");
    struct ss_repo_choice choice = {.n = 0};
    ss_err err = *card_err;
    ss_status status = card;
    if (status == SS_OK) {
        status = ss_repo_choose(&asking->repo, &request, &choice, &err);
    }
    if (error == NULL && asking->leaves_it) {
        assert_int_not_equal(status, SS_OK);
        assert_non_null(strstr(err.message, "leaves the repository"));
    } else if (error == NULL) {
        if (status != SS_OK || !is_expected(&choice, rows)) {
            fail_msg("%s, split %s: %s", asking->name,
                     request.split == NULL ? "none" : request.split,
                     status == SS_OK ? "other files" : err.message);
        }
        asking->n_rows++;
    } else if (status == SS_OK) {
        if (!is_lenient(error)) {
            fail_msg("%s, split %s: files were chosen where the library says %s", asking->name,
                     request.split, error);
        }
    } else {
        assert_true(err.message[0] != '\0' && status != SS_E_INTERNAL && status != SS_E_NOMEM);
        assert_int_equal(choice.n, 0);
        asking->n_errors++;
    }
    ss_repo_choice_release(&choice);
}

static void try_case(const struct ss__json *layout, size_t *n_rows, size_t *n_errors)
{
    const char *paths[MOST_PATHS];
    const char *readme = text_of(layout, "readme");
    const struct ss__json *item = NULL;
    struct ss_repo_card card = {.n_configs = 0};
    struct asking asking = {.name = text_of(layout, "name"),
                            .leaves_it =
                                strstr(readme, "..") != NULL && strstr(readme, "../") != NULL};
    ss_err err = {.message = ""};
    size_t i = 0, n = 0;
    SS_JSON_EACH (ss__json_get(layout, "paths"), i, item) {
        assert_true(n < MOST_PATHS);
        paths[n++] = ss__json_string(item);
    }
    qsort(paths, n, sizeof *paths, by_bytes);
    const ss_status status = ss_repo_card_read(
        "README.md", (struct ss_text){readme, strlen(readme)}, false, &card, &err);
    asking.repo =
        (struct ss_repo){.name = asking.name, .paths = paths, .n_paths = n, .card = &card};
    SS_JSON_EACH (ss__json_get(layout, "asks"), i, item) {
        ask(&asking, item, status, &err);
    }
    *n_rows += asking.n_rows;
    *n_errors += asking.n_errors;
    ss_repo_card_release(&card);
}

static void test_layouts(void **state)
{
    const struct ss__json *layout = NULL;
    struct ss__json *root = NULL;
    size_t i = 0, n_rows = 0, n_errors = 0;
    ss_err err;
    (void)state;
    if (ss__json_load(SS_TEST_DATA "/dataset_repos/layouts.json", &root, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    SS_JSON_EACH (ss__json_get(root, "cases"), i, layout) {
        try_case(layout, &n_rows, &n_errors);
    }
    print_message("%zu splits with the same files, %zu refused\n", n_rows, n_errors);
    assert_in_range(n_rows, 230, 239);
    assert_in_range(n_errors, 500, 685);
    ss__json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
