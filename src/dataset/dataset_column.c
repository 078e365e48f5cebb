/* Which columns of a file are read: the one that gives the texts, and those carried along.
 *
 * The first file with rows settles them. Its columns may be known only as far as its first rows
 * show (JSON), so a name that was given is looked for in later rows before it is refused; a
 * later file that lacks the column has rows without a text, which is said at the end.
 *
 * Without a name the column "text" is taken, or else the only column of strings: if something
 * speaks against it the user is asked, since a wrong column makes a whole analysis wrong in
 * silence. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "dataset/column_list.h"
#include "dataset/dataset_state_priv.h"

static const struct ss_format_reader *reader_of(const ss_dataset *dataset)
{
    return dataset->files[dataset->current].reader;
}

/* A file may have several columns of one name. */
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

/* Whether a name is that of an object whose keys are columns. */
static bool is_object(const ss_dataset *dataset, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const char *column = dataset->columns[i].name;
        if (strncmp(column, name, n) == 0 && column[n] == '.') {
            return true;
        }
    }
    return false;
}

ss_status ss_dataset_check_text(ss_dataset *dataset, ss_err *err)
{
    bool is_useful = dataset->n_columns == 0 || reader_of(dataset)->stores_text;
    size_t n_numbers = 0;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const char *type = dataset->columns[i].type;
        n_numbers += strcmp(type, "number") == 0;
        is_useful |= dataset->columns[i].is_text || dataset->columns[i].is_doubtful ||
                     strcmp(type, "null") == 0 || strcmp(type, "array") == 0;
    }
    return is_useful || n_numbers > 1
               ? SS_OK
               : ss_dataset_fail_column(dataset, "there is no column of strings", "", err);
}

/* ---- the choice ---- */

/* Whether a column that shows no type yet may turn out to hold the texts: in later rows, or in
 * a later file. */
static bool may_hold_texts(const ss_dataset *dataset, const struct ss_format_column *column)
{
    const struct ss_format_reader *reader = reader_of(dataset);
    const bool is_whole = reader->is_whole == NULL || reader->is_whole(dataset->state);
    const bool is_null = strcmp(column->type, "null") == 0;
    const bool is_last = dataset->current + 1 == dataset->use.paths.n;
    return (column->is_doubtful || is_null) && (!is_null || !is_whole || !is_last);
}

/* What speaks against taking the only column of strings, as a message up to a column's name;
 * NULL if nothing does. */
static const char *find_doubt(const ss_dataset *dataset, const char **about)
{
    double number = 0;
    *about = "";
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const struct ss_format_column *column = &dataset->columns[i];
        *about = column->name;
        if (may_hold_texts(dataset, column)) {
            return "there is no column 'text', and more than one may hold the texts: say which "
                   "with `text_column`; nothing but nulls, or strings and others, was seen yet "
                   "of '";
        }
        if (column->holds_rows) {
            return "there is no column 'text', and one row that holds the list '";
        }
        if (reader_of(dataset)->stores_text && dataset->use.rows.names == NULL &&
            column->name[0] != '\0' &&
            ss__parse_double(column->name, strlen(column->name), &number)) {
            return "the first line does not look like a header, so that no column is taken for "
                   "the texts unasked; say `text_column`, or `csv` "
                   "header=none,column_names=..., "
                   "for there is a column '";
        }
    }
    return NULL;
}

/* The only column of strings. */
static ss_status infer_column(ss_dataset *dataset, const char **name, ss_err *err)
{
    const char *about = NULL;
    size_t at = 0, n_texts = 0;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const bool is_made = strncmp(dataset->columns[i].name, "__", 2) == 0; /* __key__ */
        const bool is_text = dataset->columns[i].is_text && !is_made;
        n_texts += is_text;
        at = is_text ? i : at;
    }
    if (n_texts != 1) {
        return ss_dataset_fail_column(dataset,
                                      n_texts == 0
                                          ? "there is no column of strings"
                                          : "there is no column 'text' and more than one of "
                                            "strings; say which with `text_column`",
                                      "", err);
    }
    const char *doubt = find_doubt(dataset, &about);
    if (doubt != NULL) {
        return ss_dataset_fail_column(dataset, doubt, about, err);
    }
    *name = dataset->columns[at].name;
    dataset->is_inferred = true;
    ss__log(&dataset->log, SS_LEVEL_NOTICE,
            "%s: texts are taken from '%s', the only column of strings", dataset->source.name,
            *name);
    return SS_OK;
}

/* Given, else "text", else the only column of strings. */
static ss_status choose_column(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    size_t at = 0;
    const char *name = dataset->given_column;
    if (name != NULL && name[0] == '\0') {
        status = ss__fail(err, SS_E_USAGE, "the name of the text column is empty");
        ss__err_about(err, "text-column");
        goto out;
    }
    if (name == NULL && count_named(dataset, "text", &at) > 0) {
        name = "text";
    }
    if (name == NULL) {
        SS_TRY(infer_column(dataset, &name, err));
    }
    dataset->text_column = ss__strdup(name);
    if (dataset->text_column == NULL) {
        SS_TRY(ss__fail_nomem(err, "a column name"));
    }
out:
    return status;
}

/* ---- columns that come late ---- */

/* Read the current file to see if a row has a column, then open it again. What cannot be read
 * is left to the rows. */
static ss_status scan_for(ss_dataset *dataset, const char *name, bool *found, ss_err *err)
{
    enum { ROWS_BETWEEN = 4096 };
    ss_status failure = SS_OK;
    const struct ss_format_reader *reader = reader_of(dataset);
    struct ss_format_record record = {0};
    bool has_row = true;
    size_t column = 0;
    SS_RETURN_IF_ERROR(reader->find(dataset->state, name, &column, err));
    SS_RETURN_IF_ERROR(reader->select(dataset->state, column, err));
    for (size_t n = 0; has_row && !reader->has_seen(dataset->state); n++) {
        if (n % ROWS_BETWEEN == 0) {
            SS_RETURN_IF_ERROR(ss_source_halt_check(&dataset->halt, dataset->source.name, err));
        }
        failure = reader->next(dataset->state, &record, &has_row, NULL);
        has_row = has_row || record.fault != SS_FORMAT_FAULT_NONE;
        if (failure != SS_OK && record.fault == SS_FORMAT_FAULT_NONE) {
            break;
        }
    }
    *found = failure != SS_OK || reader->has_seen(dataset->state);
    ss_dataset_close_file(dataset);
    return ss_dataset_open_file(dataset, err);
}

/* The index of a column that the first rows of the current file, the first one, do not have. A
 * stream that cannot be read twice is taken at its word: whether any row had the column is seen
 * at its end. */
static ss_status find_late(ss_dataset *dataset, const char *name, const char *message,
                           size_t *column, ss_err *err)
{
    bool found = is_object(dataset, name);
    const struct ss_format_reader *reader = reader_of(dataset);
    const bool is_whole = reader->is_whole == NULL || reader->is_whole(dataset->state);
    if (!found && reader->find != NULL && !is_whole) {
        if (dataset->can_reopen) {
            SS_RETURN_IF_ERROR(scan_for(dataset, name, &found, err));
        } else {
            found = true;
            dataset->must_see |= name == dataset->text_column;
        }
    }
    if (!found || reader->find == NULL) {
        return ss_dataset_fail_column(dataset, message, name, err);
    }
    return reader->find(dataset->state, name, column, err);
}

/* Whether the current file has columns of strings at all. */
static bool has_texts(const ss_dataset *dataset)
{
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (dataset->columns[i].is_text) {
            return true;
        }
    }
    return false;
}

/* In a file after the first: SS_FORMAT_NO_COLUMN if rows have none. */
static ss_status find_later(ss_dataset *dataset, const char *name, size_t *column, ss_err *err)
{
    const struct ss_format_reader *reader = reader_of(dataset);
    if (reader->find != NULL) {
        return reader->find(dataset->state, name, column, err);
    }
    *column = SS_FORMAT_NO_COLUMN;
    return SS_OK;
}

ss_status ss_dataset_check_seen(ss_dataset *dataset, ss_err *err)
{
    const struct ss_format_reader *reader = reader_of(dataset);
    const bool is_missing =
        dataset->must_see && reader->has_seen != NULL && !reader->has_seen(dataset->state);
    dataset->must_see = false;
    return is_missing ? ss_dataset_fail_column(dataset, "no row has a column '",
                                               dataset->text_column, err)
                      : SS_OK;
}

/* ---- telling the reader ---- */

/* Whether the current file settles which columns there are. */
static bool is_first(const ss_dataset *dataset)
{
    return dataset->current == dataset->first_file;
}

static ss_status check_kept(ss_dataset *dataset, const char *name, bool is_carried, ss_err *err)
{
    size_t column = 0;
    const size_t n = count_named(dataset, name, &column);
    if (n > 1) {
        return ss_dataset_fail_column(dataset,
                                      is_carried ? "there are several columns to keep '"
                                                 : "there are several columns '",
                                      name, err);
    }
    return n == 0 && is_first(dataset) && !ss_dataset_has_partition(dataset, name)
               ? find_late(dataset, name,
                           is_carried ? "there is no column to keep '" : "there is no column '",
                           &column, err)
               : SS_OK;
}

/* A column that was checked: its index, or SS_FORMAT_NO_COLUMN. */
static ss_status locate(ss_dataset *dataset, const char *name, size_t *column, ss_err *err)
{
    return count_named(dataset, name, column) > 0 ? SS_OK
                                                  : find_later(dataset, name, column, err);
}

/* Readers number the columns that they have; others are null in every row of this file. */
static ss_status tell_kept(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_format_reader *reader = reader_of(dataset);
    size_t *columns = NULL, n = 0;
    SS_ALLOC(columns, dataset->n_keep);
    if (dataset->kept_as == NULL) {
        SS_ALLOC(dataset->kept_as, dataset->n_keep);
        SS_ALLOC(dataset->values, dataset->n_keep);
    }
    for (size_t i = 0; i < dataset->n_keep; i++) {
        size_t column = 0;
        if (count_named(dataset, dataset->keep[i], &column) == 0 &&
            ss_dataset_has_partition(dataset, dataset->keep[i])) {
            column = SS_FORMAT_NO_COLUMN;
        } else {
            SS_TRY(locate(dataset, dataset->keep[i], &column, err));
        }
        dataset->kept_as[i] = column == SS_FORMAT_NO_COLUMN ? SS_FORMAT_NO_COLUMN : n;
        columns[n] = column;
        n += column != SS_FORMAT_NO_COLUMN;
    }
    if (reader->keep != NULL) {
        SS_TRY(reader->keep(dataset->state, columns, n, err));
    }
out:
    ss__free(columns);
    return status;
}

/* Say of rows without a text that their file is why. */
static ss_status note_absence(ss_dataset *dataset, bool is_missing, ss_err *err)
{
    struct ss__buf *out = &dataset->absence;
    ss__buf_printf(out,
                   is_missing ? "there is no column '%.100s'"
                              : "the column '%.100s' is of the type null",
                   dataset->text_column);
    ss__buf_add_text(out, "; the columns are ");
    ss_dataset_list_columns(dataset, out);
    (void)ss__buf_text(out);
    if (dataset->first_absent == NULL) {
        dataset->first_absent = dataset->use.paths.items[dataset->current];
    }
    return ss__buf_check(out, err);
}

/* The column of the texts in the current file; SS_FORMAT_NO_COLUMN if its rows have none. */
static ss_status find_text(ss_dataset *dataset, size_t *column, ss_err *err)
{
    const struct ss_format_reader *reader = reader_of(dataset);
    dataset->absence.n_bytes = 0;
    if (dataset->text_column == NULL) {
        SS_RETURN_IF_ERROR(choose_column(dataset, err));
    }
    const char *name = dataset->text_column;
    const size_t n = count_named(dataset, name, column);
    if (n > 1) {
        return ss_dataset_fail_column(dataset, "there are several columns '", name, err);
    }
    /* A column that nobody named does not go before the strings that a file does have. */
    if (n == 0 && dataset->is_inferred && has_texts(dataset)) {
        return ss_dataset_fail_column(dataset, "there is no column '", name, err);
    }
    if (n == 0) {
        SS_RETURN_IF_ERROR(is_first(dataset)
                               ? find_late(dataset, name, "there is no column '", column, err)
                               : find_later(dataset, name, column, err));
    } else if (reader->is_whole == NULL &&
               strcmp(dataset->columns[*column].type, "null") == 0) {
        *column = SS_FORMAT_NO_COLUMN;
    }
    if (*column == SS_FORMAT_NO_COLUMN) {
        SS_RETURN_IF_ERROR(note_absence(dataset, n == 0, err));
    }
    return SS_OK;
}

ss_status ss_dataset_select(ss_dataset *dataset, ss_err *err)
{
    const struct ss_format_reader *reader = reader_of(dataset);
    size_t column =
        dataset->rows == SS_DATASET_ROWS_VALUES ? SS_FORMAT_NO_COLUMN : SS_FORMAT_ALL_COLUMNS;
    const size_t n_keep = dataset->rows == SS_DATASET_ROWS_WHOLE ? 0 : dataset->n_keep;
    dataset->first_file = dataset->has_begun ? dataset->first_file : dataset->current;
    dataset->has_begun = true;
    if (n_keep > 0 && reader->add_kept == NULL) {
        return ss__fail_file(err, dataset->source.name, SS_E_USAGE,
                             "files of the format %s have no columns to keep or compare",
                             reader->format);
    }
    /* Looking for a late column may open the file again, so the reader is told behind that. */
    if (dataset->rows == SS_DATASET_ROWS_TEXTS) {
        SS_RETURN_IF_ERROR(find_text(dataset, &column, err));
    }
    for (size_t i = 0; i < n_keep; i++) {
        SS_RETURN_IF_ERROR(check_kept(dataset, dataset->keep[i], i < dataset->n_carried, err));
    }
    if (column < SS_FORMAT_NO_COLUMN) {
        SS_RETURN_IF_ERROR(locate(dataset, dataset->text_column, &column, err));
    }
    SS_RETURN_IF_ERROR(reader->select(dataset->state, column, err));
    if (n_keep > 0) {
        SS_RETURN_IF_ERROR(tell_kept(dataset, err));
    }
    if (dataset->is_inferred && reader->watch != NULL && column < SS_FORMAT_NO_COLUMN) {
        reader->watch(dataset->state);
    }
    return ss_dataset_select_begin_file(dataset, err);
}
