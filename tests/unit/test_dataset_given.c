/* Rows that a caller gives: what is read, and the same statistics as from a file of these rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "saescope.h"

#define MODEL SS_TEST_DATA "/encoder/mpnet-mean"
#define DATA SS_TEST_DATA "/run/"

static struct ss_text text_of(const char *text)
{
    return (struct ss_text){text, strlen(text)};
}

/* ---- a table of rows ---- */

struct table {
    const struct ss_given_row *rows;
    size_t n, next, stop_at;
};

static int next_of_table(void *user, struct ss_given_row *row, bool *has_row)
{
    struct table *table = user;
    assert_int_equal(row->struct_size, sizeof *row);
    assert_false(*has_row);
    if (table->stop_at > 0 && table->next == table->stop_at) {
        return 1;
    }
    *has_row = table->next < table->n;
    if (*has_row) {
        *row = table->rows[table->next++];
    }
    return 0;
}

static ss_dataset *open_table(struct table *table, const char *const *columns, size_t n_columns)
{
    const struct ss_row_source source = {
        .struct_size = sizeof source,
        .next = next_of_table,
        .user = table,
        .columns = columns,
        .n_columns = n_columns,
        .n_rows = table->n,
    };
    ss_dataset *dataset = NULL;
    ss_err err = {0};
    if (ss_dataset_from_rows(&source, NULL, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return dataset;
}

static void rows_are_what_was_given(void **state)
{
    (void)state;
    const struct ss_text values[2] = {text_of("7"), text_of("[\"a\", null]")};
    const struct ss_given_row rows[] = {
        {.text = text_of("one"), .values = values},
        {.is_null = true},
        {.text = {"a\0b", 3}},
        {.text = text_of("bad \xff byte")},
        {.text = text_of("")},
        {.text = text_of("  \n")},
    };
    static const struct {
        ss_row_kind kind;
        const char *text;
        size_t n_bytes;
        const char *kept;
        bool repaired;
    } expected[] = {
        {SS_ROW_TEXT, "one", 3, "{\"id\": 7, \"tags\": [\"a\", null]}", false},
        {SS_ROW_NULL, "", 0, "{\"id\": null, \"tags\": null}", false},
        {SS_ROW_TEXT, "a\0b", 3, "{\"id\": null, \"tags\": null}", false},
        {SS_ROW_TEXT, "bad \xef\xbf\xbd byte", 12, "{\"id\": null, \"tags\": null}", true},
        {SS_ROW_EMPTY, "", 0, "{\"id\": null, \"tags\": null}", false},
        {SS_ROW_BLANK, "  \n", 3, "{\"id\": null, \"tags\": null}", false},
    };
    static const char *const columns[] = {"id", "tags"};
    struct table table = {.rows = rows, .n = sizeof rows / sizeof rows[0]};
    ss_dataset *dataset = open_table(&table, columns, 2);
    struct ss_dataset_info info = {.struct_size = sizeof info};
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = false;
    assert_int_equal(ss_dataset_n_rows(dataset), table.n);
    for (size_t i = 0; i < table.n; i++) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, NULL), SS_OK);
        assert_true(has_row);
        assert_int_equal(row.id, i);
        assert_int_equal(row.kind, expected[i].kind);
        assert_int_equal(row.repaired, expected[i].repaired);
        assert_int_equal(row.text.n_bytes, expected[i].n_bytes);
        assert_memory_equal(row.text.data, expected[i].text, row.text.n_bytes);
        assert_int_equal(row.kept.n_bytes, strlen(expected[i].kept));
        assert_memory_equal(row.kept.data, expected[i].kept, row.kept.n_bytes);
        assert_string_equal(row.file, "memory");
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, NULL), SS_OK);
        assert_false(has_row);
    }
    assert_int_equal(ss_dataset_describe(dataset, &info), SS_OK);
    assert_string_equal(info.format, "memory");
    assert_string_equal(info.text_column, "text");
    ss_dataset_close(dataset);
}

static void a_source_may_stop(void **state)
{
    (void)state;
    const struct ss_given_row rows[] = {{.text = text_of("one")}, {.text = text_of("two")}};
    struct table table = {.rows = rows, .n = 2, .stop_at = 1};
    ss_dataset *dataset = open_table(&table, NULL, 0);
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = false;
    ss_err err;
    assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_OK);
    assert_int_equal(row.kept.n_bytes, 0);
    assert_int_equal(ss_dataset_next(dataset, &row, &has_row, &err), SS_E_STOPPED);
    assert_false(has_row);
    assert_int_equal(err.row, 1);
    ss_dataset_close(dataset);
}

static void wrong_sources_are_refused(void **state)
{
    (void)state;
    static const char *const text[] = {"text"}, *const nameless[] = {NULL};
    const struct ss_row_source sources[] = {
        {.struct_size = sizeof sources[0]},
        {.struct_size = sizeof sources[0],
         .next = next_of_table,
         .columns = text,
         .n_columns = 1},
        {.struct_size = sizeof sources[0],
         .next = next_of_table,
         .columns = nameless,
         .n_columns = 1},
        {.struct_size = 0, .next = next_of_table},
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        ss_dataset *dataset = NULL;
        ss_err err;
        assert_int_equal(ss_dataset_from_rows(&sources[i], NULL, &dataset, &err), SS_E_USAGE);
        assert_null(dataset);
    }
}

/* ---- the rows of a file ---- */

static int next_of_file(void *user, struct ss_given_row *row, bool *has_row)
{
    struct ss_row read = {.struct_size = sizeof read};
    if (ss_dataset_next(user, &read, has_row, NULL) != SS_OK) {
        return 1;
    }
    row->text = read.text;
    row->is_null = read.kind == SS_ROW_NULL;
    return 0;
}

static void an_analysis_is_that_of_the_file(void **state)
{
    (void)state;
    const char *path = DATA "rows.jsonl";
    ss_encoder *encoder = NULL;
    ss_sae *sae = NULL;
    ss_dataset *file = NULL, *behind = NULL, *given = NULL;
    ss_run *runs[2] = {NULL, NULL};
    struct ss_run_info info[2] = {{.struct_size = sizeof info[0]},
                                  {.struct_size = sizeof info[1]}};
    assert_int_equal(ss_encoder_open(MODEL, NULL, &encoder, NULL), SS_OK);
    assert_int_equal(ss_sae_open(DATA "sae-jumprelu", NULL, &sae, NULL), SS_OK);
    assert_int_equal(ss_dataset_open(&path, 1, NULL, &file, NULL), SS_OK);
    assert_int_equal(ss_dataset_open(&path, 1, NULL, &behind, NULL), SS_OK);
    const struct ss_row_source source = {
        .struct_size = sizeof source, .next = next_of_file, .user = behind, .name = "a query"};
    assert_int_equal(ss_dataset_from_rows(&source, NULL, &given, NULL), SS_OK);
    ss_dataset *const datasets[2] = {file, given};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ss_analyze(encoder, sae, datasets[i], NULL, &runs[i], NULL), SS_OK);
        ss_run_describe(runs[i], &info[i]);
    }
    assert_true(info[0].n_rows_used > 0);
    assert_int_equal(info[0].n_rows_used, info[1].n_rows_used);
    assert_string_equal(info[1].dataset_name, "a query");
    for (size_t f = 0; f < info[0].n_features; f++) {
        struct ss_feature a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
        ss_run_feature(runs[0], f, &a);
        ss_run_feature(runs[1], f, &b);
        assert_int_equal(a.n_fires, b.n_fires);
        assert_true(a.mean_activation == b.mean_activation);
        assert_int_equal(a.n_top, b.n_top);
    }
    for (size_t i = 0; i < 2; i++) {
        ss_run_free(runs[i]);
        ss_dataset_close(datasets[i]);
    }
    ss_dataset_close(behind);
    ss_sae_free(sae);
    ss_encoder_free(encoder);
}

/* Values that came with the rows are compared, and rows keep their numbers. */
static void rows_are_chosen(void **state)
{
    (void)state;
    struct ss_text values[6][1];
    struct ss_given_row rows[6];
    static const char *const years[] = {"2005", "2007", "null", "\"2008\"", "2009.5", "1e4"};
    static const uint64_t wanted[][3] = {{1, 4, 5}, {0, 1, 5}};
    for (size_t i = 0; i < 6; i++) {
        values[i][0] = text_of(years[i]);
        rows[i] = (struct ss_given_row){
            .struct_size = sizeof rows[i], .text = text_of("a"), .values = values[i]};
    }
    for (int k = 0; k < 2; k++) {
        struct table table = {.rows = rows, .n = 6};
        const struct ss_dataset_options options = {
            .struct_size = sizeof options,
            .where = k == 0 ? "year >= 2007 and text = 'a'" : NULL,
            .sample = k == 0 ? 0 : 3,
            .seed = 1};
        const struct ss_row_source source = {.struct_size = sizeof source,
                                             .next = next_of_table,
                                             .user = &table,
                                             .columns = (const char *const[]){"year"},
                                             .n_columns = 1,
                                             .n_rows = k == 0 ? 6 : 0};
        ss_dataset *dataset = NULL;
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = false;
        size_t n = 0;
        assert_int_equal(ss_dataset_from_rows(&source, &options, &dataset, NULL), SS_OK);
        assert_int_equal(ss_dataset_n_rows(dataset), 0);
        while (ss_dataset_next(dataset, &row, &has_row, NULL) == SS_OK && has_row) {
            assert_true(n < 3);
            assert_int_equal(row.id, wanted[k][n]);
            assert_int_equal(row.kept.n_bytes,
                             strlen("{\"year\": ") + 1 + strlen(years[row.id]));
            n++;
        }
        assert_int_equal(n, 3);
        ss_dataset_close(dataset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_what_was_given),         cmocka_unit_test(a_source_may_stop),
        cmocka_unit_test(wrong_sources_are_refused),       cmocka_unit_test(rows_are_chosen),
        cmocka_unit_test(an_analysis_is_that_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
