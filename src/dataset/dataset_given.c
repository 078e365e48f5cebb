/* Rows that a caller gives one by one, as one file of a dataset: a reader whose state is the
 * caller's function. Nothing is opened, and nothing can be opened again. */
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset_state_priv.h"

#define TEXT_COLUMN "text"

static ss_status given_columns(void *state, const struct ss_format_column **columns,
                               size_t *n_columns, ss_err *err)
{
    struct ss_dataset_given *given = state;
    (void)err;
    *columns = given->columns;
    *n_columns = given->source.n_columns + 1;
    return SS_OK;
}

static ss_status given_select(void *state, size_t column, ss_err *err)
{
    (void)state, (void)column, (void)err;
    return SS_OK;
}

/* The row borrows what the caller gave, until the next call. */
static ss_status given_next(void *state, struct ss_format_record *record, bool *has_row,
                            ss_err *err)
{
    struct ss_dataset_given *given = state;
    given->row = (struct ss_given_row){.struct_size = sizeof given->row, .text = {"", 0}};
    *has_row = false;
    if (given->source.next(given->source.user, &given->row, has_row) != 0) {
        return ss__fail(err, SS_E_STOPPED, "stopped by the function that gives the rows");
    }
    record->text = given->row.text;
    record->is_null = given->row.is_null;
    return SS_OK;
}

/* Column 0 is the text, the caller's columns follow. */
static ss_status given_keep(void *state, const size_t *columns, size_t n, ss_err *err)
{
    struct ss_dataset_given *given = state;
    SS_ALLOC_OR_RETURN(given->kept, n);
    given->n_kept = n;
    memcpy(given->kept, columns, n * sizeof *columns);
    return SS_OK;
}

/* Values are JSON already. */
static ss_status given_add_kept(void *state, size_t i, struct ss__buf *out, ss_err *err)
{
    const struct ss_dataset_given *given = state;
    const size_t column = given->kept[i];
    if (column > 0 && given->row.values != NULL) {
        const struct ss_text value = given->row.values[column - 1];
        ss__buf_add(out, value.data, value.n_bytes);
    } else if (column == 0 && !given->row.is_null) {
        ss_format_add_json_text(out, given->row.text.data, given->row.text.n_bytes);
    } else {
        ss__buf_add_text(out, "null");
    }
    return ss__buf_check(out, err);
}

static uint64_t given_n_rows(const void *state)
{
    return ((const struct ss_dataset_given *)state)->source.n_rows;
}

/* The state is the dataset's. */
static void given_close(void *state)
{
    (void)state;
}

static const struct ss_format_reader reader = {
    .format = "memory",
    .columns = given_columns,
    .select = given_select,
    .next = given_next,
    .keep = given_keep,
    .add_kept = given_add_kept,
    .n_rows = given_n_rows,
    .close = given_close,
};

/* All of the caller's columns are carried along: giving them is asking for them. */
static ss_status copy_columns(struct ss_dataset_given *given, ss_dataset *dataset, ss_err *err)
{
    const size_t n = given->source.n_columns;
    SS_ALLOC_OR_RETURN(given->columns, n + 1);
    SS_ALLOC_OR_RETURN(dataset->keep, n);
    given->columns[0] =
        (struct ss_format_column){.name = TEXT_COLUMN, .type = "string", .is_text = true};
    for (size_t i = 0; i < n; i++) {
        const char *name = given->source.columns[i];
        if (name == NULL || strcmp(name, TEXT_COLUMN) == 0) {
            return ss__fail(
                err, SS_E_USAGE,
                "column %zu must have a name, and another one than '" TEXT_COLUMN "'", i);
        }
        dataset->keep[i] = ss__strdup(name);
        if (dataset->keep[i] == NULL) {
            return ss__fail_nomem(err, "a column name");
        }
        dataset->n_carried = ++dataset->n_keep;
        given->columns[i + 1] =
            (struct ss_format_column){.name = dataset->keep[i], .type = "value"};
    }
    return SS_OK;
}

ss_status ss_dataset_from_rows(const struct ss_row_source *source,
                               const struct ss_dataset_options *options, ss_dataset **out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_row_source read = {.struct_size = sizeof read};
    struct ss_dataset_options how = {.struct_size = sizeof how};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, source, ss_row_source, err));
    SS_TRY(SS_READ_OPTIONS(&how, options, ss_dataset_options, err));
    if (read.next == NULL) {
        SS_FAIL(SS_E_USAGE, "there is no function that gives rows");
    }
    SS_ALLOC(dataset, 1);
    dataset->rows = SS_DATASET_ROWS_TEXTS;
    dataset->given.source = read;
    dataset->log = how.log;
    dataset->halt.asking.stop = how.progress;
    ss_format_row_options_init(&dataset->use.rows);
    dataset->given_column = ss__strdup(TEXT_COLUMN);
    if (dataset->given_column == NULL) {
        SS_TRY(ss__fail_nomem(err, "a column name"));
    }
    SS_TRY(copy_columns(&dataset->given, dataset, err));
    SS_TRY(ss_dataset_take_selection(dataset, &how, err));
    SS_TRY(ss_dataset_file_list_add(&dataset->use.paths,
                                    read.name == NULL ? "memory" : read.name, err));
    SS_ALLOC(dataset->files, 1);
    dataset->files[0].reader = &reader;
    dataset->n_rows = read.n_rows;
    SS_TRY(ss_dataset_select_begin(dataset, err));
    SS_TRY(ss_dataset_start_file(dataset, err));
    *out = dataset;
    dataset = NULL;
out:
    ss_dataset_close(dataset);
    return status;
}
