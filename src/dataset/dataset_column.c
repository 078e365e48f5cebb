/* Which columns of a file are read: the one that gives the texts, and those carried along. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset_state_priv.h"

static size_t count_named(const ss_dataset *dataset, const char *name, size_t *last)
{
    size_t n = 0;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (strcmp(dataset->columns[i].name, name) == 0) {
            *last = i;
            n++;
        }
    }
    return n;
}

/* "the columns are 'id' (int64), 'title' (string)", cut where it grows long. */
static void list_columns(const ss_dataset *dataset, struct ss__buf *out)
{
    for (size_t i = 0; i < dataset->n_columns && ss__buf_begin_item(out, i, dataset->n_columns);
         i++) {
        ss__buf_printf(out, "'%.60s' (%s)", dataset->columns[i].name, dataset->columns[i].type);
    }
}

static ss_status fail_column(ss_dataset *dataset, const char *sentence, const char *name,
                             ss_err *err)
{
    struct ss__buf list = {0};
    list_columns(dataset, &list);
    const char *text = ss__buf_text(&list);
    const ss_status status =
        ss__fail_file(err, dataset->source.name, SS_E_DATA, "%s%s%s; the columns are %s",
                      sentence, name, name[0] == '\0' ? "" : "'", text == NULL ? "" : text);
    ss__err_about(err, name);
    ss__buf_release(&list);
    return status;
}

ss_status ss__dataset_check_text(ss_dataset *dataset, ss_err *err)
{
    bool is_text =
        dataset->n_columns == 0 || dataset->files[dataset->current].reader->stores_text;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        is_text |= dataset->columns[i].is_text || strcmp(dataset->columns[i].type, "null") == 0;
    }
    return is_text ? SS_OK : fail_column(dataset, "there is no column of strings", "", err);
}

/* Given, else "text", else the only column of strings. */
static ss_status choose_column(ss_dataset *dataset, ss_err *err)
{
    size_t at = 0, n_texts = 0;
    const char *name = dataset->given_column;
    if (name == NULL && count_named(dataset, "text", &at) > 0) {
        name = "text";
    }
    for (size_t i = 0; name == NULL && i < dataset->n_columns; i++) {
        const bool is_made = strncmp(dataset->columns[i].name, "__", 2) == 0; /* __key__ */
        const bool is_text = dataset->columns[i].is_text && !is_made;
        n_texts += is_text;
        at = is_text ? i : at;
    }
    if (name == NULL && n_texts != 1) {
        return fail_column(dataset,
                           n_texts == 0 ? "there is no column of strings"
                                        : "there is no column 'text' and more than one of "
                                          "strings; say which with --text-column",
                           "", err);
    }
    if (name == NULL) {
        name = dataset->columns[at].name;
        ss__log(&dataset->log, SS_LEVEL_NOTICE,
                "%s: texts are taken from '%s', the only column of strings",
                dataset->source.name, name);
    }
    dataset->text_column = ss__strdup(name);
    return dataset->text_column == NULL ? ss__fail_nomem(err, "a column name") : SS_OK;
}

/* Tell the reader of the current file which columns are carried along. */
ss_status ss__dataset_keep_columns(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    size_t *columns = NULL;
    SS_ALLOC(columns, dataset->n_keep);
    if (reader->add_kept == NULL) {
        SS_FAIL_FILE(dataset->source.name, SS_E_USAGE,
                     "files of the format %s have no columns to keep", reader->format);
    }
    for (size_t i = 0; i < dataset->n_keep; i++) {
        const size_t n = count_named(dataset, dataset->keep[i], &columns[i]);
        if (n != 1) {
            SS_TRY(fail_column(dataset,
                               n == 0 ? "there is no column to keep '"
                                      : "there are several columns to keep '",
                               dataset->keep[i], err));
        }
    }
    if (reader->keep != NULL) {
        SS_TRY(reader->keep(dataset->state, columns, dataset->n_keep, err));
    }
out:
    ss__free(columns);
    return status;
}

ss_status ss__dataset_select(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    size_t column = dataset->rows == SS__ROWS_VALUES ? SS__NO_COLUMN : SS__ALL_COLUMNS;
    if (dataset->rows == SS__ROWS_TEXTS) {
        if (dataset->text_column == NULL) {
            SS_TRY(choose_column(dataset, err));
        }
        const size_t n = count_named(dataset, dataset->text_column, &column);
        if (n != 1) {
            status = fail_column(
                dataset, n == 0 ? "there is no column '" : "there are several columns '",
                dataset->text_column, err);
            goto out;
        }
    }
    SS_TRY(reader->select(dataset->state, column, err));
    if (dataset->n_keep > 0 && dataset->rows != SS__ROWS_WHOLE) {
        SS_TRY(ss__dataset_keep_columns(dataset, err));
    }
out:
    return status;
}
