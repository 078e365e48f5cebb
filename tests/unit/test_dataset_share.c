/* Parts of a dataset: every row is in one of them, with the number that it has in its file, and
 * none is much larger than the others. */
#include "dataset/dataset.h"
#include "dataset_helpers.h"

enum { MAX_FILES = 6, MAX_ROWS = 4000, MAX_PARTS = 40 };

/* Rows of each file, by the part that gave them; 0: none yet. */
struct seen {
    uint32_t part_of[MAX_FILES][MAX_ROWS];
    size_t n_rows[MAX_FILES], n_of_part[MAX_PARTS + 1], n_files;
    char texts[MAX_FILES][MAX_ROWS][16];
};

static struct seen whole, cut;

static void read_part(const char *const *paths, size_t n, uint32_t part, uint32_t n_parts,
                      struct seen *seen)
{
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    struct ss_dataset_options options = {.struct_size = sizeof options,
                                         .on_bad_row = SS_BAD_ROWS_SKIP};
    bool has_row = true;
    ss_err err;
    if (ss_dataset_open(paths, n, &options, &dataset, &err) != SS_OK ||
        (n_parts > 0 && ss_dataset_take_part(dataset, part, n_parts, &err) != SS_OK)) {
        fail_msg("%s", err.message);
    }
    for (;;) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
        if (!has_row) {
            break;
        }
        assert_true(row.file_row < MAX_ROWS);
        assert_int_equal(seen->part_of[row.file_index][row.file_row], 0);
        seen->part_of[row.file_index][row.file_row] = part;
        snprintf(seen->texts[row.file_index][row.file_row], 16, "%d%.*s", (int)row.kind,
                 (int)(row.text.n_bytes < 12 ? row.text.n_bytes : 12), row.text.data);
        seen->n_rows[row.file_index]++;
        seen->n_of_part[part]++;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t n_rows = 0;
        if (ss_dataset_file_rows(dataset, i, &n_rows) && n_parts > 0) {
            assert_int_equal(n_rows, whole.n_rows[i]);
        }
        assert_true(n_parts > 0 || ss_dataset_share_begins(dataset, i));
    }
    ss_dataset_close(dataset);
}

static void check_parts(const char *const *paths, size_t n)
{
    memset(&whole, 0, sizeof whole);
    read_part(paths, n, 1, 0, &whole);
    for (uint32_t n_parts = 1; n_parts <= MAX_PARTS; n_parts++) {
        memset(&cut, 0, sizeof cut);
        for (uint32_t part = n_parts; part > 0; part--) {
            read_part(paths, n, part, n_parts, &cut);
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(cut.n_rows[i], whole.n_rows[i]);
            assert_memory_equal(cut.texts[i], whole.texts[i], sizeof whole.texts[i]);
        }
    }
}

static void write_lines(char *path, size_t n_path, const char *name, size_t n_rows)
{
    struct ss__buf buf = {0};
    for (size_t i = 0; i < n_rows; i++) {
        const size_t form = i % 17 == 3 ? 1 : i % 17 == 5 ? 2 : i % 29 == 7 ? 3 : 0;
        ss__buf_printf(&buf,
                       form == 0   ? "{\"text\": \"row %zu\"}\n"
                       : form == 1 ? "{\"text\": null, \"n\": %zu}\n"
                       : form == 2 ? "{\"text\": \"\", \"n\": %zu}\n"
                                   : "{\"text\": \"%zu\n",
                       i);
    }
    test_write(path, n_path, name, buf.data, buf.n_bytes);
    ss__buf_release(&buf);
}

static void lines_of_several_files(void **state)
{
    (void)state;
    char paths[4][128];
    const char *const given[] = {paths[0], paths[1], paths[2], paths[3]};
    write_lines(paths[0], sizeof paths[0], "a.jsonl", 1000);
    write_lines(paths[1], sizeof paths[1], "b.jsonl", 1);
    test_write(paths[2], sizeof paths[2], "c.jsonl", "", 0);
    write_lines(paths[3], sizeof paths[3], "d.jsonl", 700);
    check_parts(given, 4);
    for (size_t i = 0; i < 4; i++) {
        unlink(paths[i]);
    }
}

static void rows_that_the_file_counts(void **state)
{
    (void)state;
    const char *const parquet[] = {SS_TEST_DATA "/changes/rows.parquet"};
    check_parts(parquet, 1);
}

/* Blocks are dealt out so that no part has more than twice its share. */
static void shares_are_alike(void **state)
{
    (void)state;
    char path[128];
    const char *const given[] = {path};
    write_lines(path, sizeof path, "large.jsonl", MAX_ROWS);
    for (uint32_t n_parts = 2; n_parts <= 20; n_parts++) {
        memset(&cut, 0, sizeof cut);
        memset(&whole, 0, sizeof whole);
        whole.n_rows[0] = MAX_ROWS;
        for (uint32_t part = 1; part <= n_parts; part++) {
            read_part(given, 1, part, n_parts, &cut);
        }
        for (uint32_t part = 1; part <= n_parts; part++) {
            assert_in_range(cut.n_of_part[part], MAX_ROWS / n_parts / 2,
                            2 * MAX_ROWS / n_parts);
        }
    }
    unlink(path);
}

static void parts_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const uint64_t wrong[][2] = {{0, 3}, {4, 3}, {1, 0}, {1, 1000001}};
    char path[128];
    const char *const given[] = {path};
    write_lines(path, sizeof path, "a.jsonl", 10);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ss_dataset *dataset = NULL;
        ss_err err;
        struct ss_dataset_options options = {.struct_size = sizeof options,
                                             .on_bad_row = SS_BAD_ROWS_SKIP};
        assert_int_equal(ss_dataset_open(given, 1, &options, &dataset, &err), SS_OK);
        assert_int_equal(ss_dataset_take_part(dataset, wrong[i][0], wrong[i][1], &err),
                         SS_E_USAGE);
        assert_string_equal(err.item, "part");
        ss_dataset_close(dataset);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_several_files),
        cmocka_unit_test(rows_that_the_file_counts),
        cmocka_unit_test(shares_are_alike),
        cmocka_unit_test(parts_that_do_not_exist_are_refused),
    };
    return cmocka_run_group_tests(tests, test_make_folder, test_remove_folder);
}
