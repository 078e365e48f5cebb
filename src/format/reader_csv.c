/* Comma- and tab-separated values, and what else is parted by one character.
 *
 * The first record names the columns, unless a card or a caller says otherwise; empty lines are
 * passed over. Fields that a record does not have are null; more fields than there are columns
 * are an error. A field is text, kept as it is; but a field without quotes that is one of the
 * words by which tables mark missing values (those of pandas.read_csv) is null. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "format/csv_priv.h"

enum { LOOK_ROWS = 100, LOOK_BYTES = 1 << 20 };

/* ---- columns' names ---- */

/* Names are C strings from here on, so NUL is refused and invalid UTF-8 repaired. */
static ss_status add_name(struct ss_format_csv *csv, struct ss_text text, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf name = {0};
    if (memchr(text.data, 0, text.n_bytes) != NULL) {
        SS_TRY(ss_format_csv_fail(csv, csv->stream->offset, "a column name holds a NUL byte",
                                  err));
    }
    ss__utf8_repair(text.data, text.n_bytes, &name);
    const char *whole = ss__buf_text(&name);
    csv->columns[csv->n_columns].name = whole == NULL ? NULL : ss__strdup(whole);
    if (csv->columns[csv->n_columns].name == NULL) {
        status = ss__fail_nomem(err, "a column name");
        goto out;
    }
    csv->n_columns++;
out:
    ss__buf_release(&name);
    return status;
}

/* A file that is no table, or has another delimiter, may have a million "columns" in its first
 * record. */
static ss_status check_count(const struct ss_format_csv *csv, size_t n, ss_err *err)
{
    return n <= SS_FORMAT_CSV_MAX_COLUMNS
               ? SS_OK
               : ss__fail_file(err, csv->stream->name, SS_E_LIMIT,
                               "there are %zu columns, the limit is %d", n,
                               SS_FORMAT_CSV_MAX_COLUMNS);
}

/* The names that were given, those of the record that was found, or its fields by number. A
 * column whose name is empty is called as pandas calls it. */
static ss_status name_columns(struct ss_format_csv *csv, bool by_number, ss_err *err)
{
    const struct ss_format_row_options *options = csv->options;
    const bool given = options->names != NULL;
    const size_t n = given ? options->n_names : csv->record.n_fields;
    SS_RETURN_IF_ERROR(check_count(csv, n, err));
    SS_ALLOC_OR_RETURN(csv->columns, n);
    for (size_t i = 0; i < n; i++) {
        char number[40];
        const bool is_unnamed =
            !given && !by_number && ss_format_csv_field_text(csv, i).n_bytes == 0;
        snprintf(number, sizeof number, is_unnamed ? "Unnamed: %zu" : "%zu", i);
        const char *word = given ? options->names[i] : number;
        const bool by_word = given || by_number || is_unnamed;
        SS_RETURN_IF_ERROR(add_name(csv,
                                    by_word ? (struct ss_text){word, strlen(word)}
                                            : ss_format_csv_field_text(csv, i),
                                    err));
    }
    return SS_OK;
}

/* Find the record of names, and take the stream up to the first of rows. In pandas' order:
 * lines are skipped first, then records up to the header. */
static ss_status read_header(struct ss_format_csv *csv, ss_err *err)
{
    const struct ss_format_row_options *options = csv->options;
    const bool infers = options->header == SS_FORMAT_HEADER_INFER;
    const bool has_header = infers ? options->names == NULL : options->header >= 0;
    bool has_record = false;
    size_t at = 0;
    for (uint64_t i = 0; i < options->skip_lines && !csv->stream->at_end; i++) {
        SS_RETURN_IF_ERROR(ss_format_csv_skip_line(csv, 0, err));
    }
    if (!options->has_delimiter) {
        SS_RETURN_IF_ERROR(ss_format_csv_find_delimiter(csv, err));
    }
    ss_format_csv_prepare(&csv->syntax);
    for (int64_t i = 0; i < options->header; i++) {
        SS_RETURN_IF_ERROR(ss_format_csv_find_record(csv, &at, &has_record, NULL, err));
    }
    const uint64_t n_passed = csv->n_passed;
    SS_RETURN_IF_ERROR(ss_format_csv_find_record(csv, &at, &has_record, NULL, err));
    if (!has_record && (has_header || options->names == NULL)) {
        return ss__fail_file(
            err, csv->stream->name, SS_E_DATA,
            "the file is empty, expected a header line with the columns' names");
    }
    SS_RETURN_IF_ERROR(name_columns(csv, !has_header, err));
    if (has_header) {
        ss_source_stream_take(csv->stream, at);
    } else {
        csv->n_passed = n_passed;
    }
    return SS_OK;
}

static void csv_close(void *state)
{
    struct ss_format_csv *csv = state;
    if (csv == NULL) {
        return;
    }
    for (size_t i = 0; i < csv->n_columns; i++) {
        ss__free((void *)(uintptr_t)csv->columns[i].name);
    }
    ss__free(csv->columns);
    ss__free(csv->record.fields);
    ss__free(csv->kept);
    ss__buf_release(&csv->cell);
    ss_format_row_options_release(&csv->usual);
    ss__free(csv);
}

static ss_status open_with(const struct ss_format_file *source, char delimiter, void **state,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_csv *csv = NULL;
    SS_ALLOC(csv, 1);
    ss_format_row_options_init(&csv->usual);
    csv->stream = source->stream;
    csv->log = source->log;
    csv->options = source->rows == NULL ? &csv->usual : source->rows;
    csv->syntax = csv->options->csv;
    csv->syntax.quote = csv->options->no_quotes ? 0 : csv->syntax.quote;
    if (!csv->options->has_delimiter) {
        csv->syntax.delimiter[0] = delimiter;
        csv->syntax.n_delimiter = 1;
    }
    ss_format_csv_prepare(&csv->syntax);
    SS_GROW(csv->record.fields, csv->record.capacity, 1);
    SS_TRY(read_header(csv, err));
    *state = csv;
    csv = NULL;
out:
    csv_close(csv);
    return status;
}

static ss_status csv_open(const struct ss_format_file *source, void **state, ss_err *err)
{
    return open_with(source, ',', state, err);
}

static ss_status tsv_open(const struct ss_format_file *source, void **state, ss_err *err)
{
    return open_with(source, '\t', state, err);
}

/* ---- values ---- */

static bool is_word(struct ss_text text, const char *word)
{
    return strlen(word) == text.n_bytes && memcmp(word, text.data, text.n_bytes) == 0;
}

/* pandas' list, but the empty field: that is an empty text. */
static bool is_null_word(const struct ss_format_csv *csv, struct ss_text text)
{
    static const char *const words[] = {
        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A",      "NA",  "NULL",    "NaN",      "None", "n/a",  "nan",    "null"};
    const struct ss_format_row_options *options = csv->options;
    bool found = false;
    for (size_t i = 0; i < options->n_null_words && !found; i++) {
        found = is_word(text, options->null_words[i]);
    }
    for (size_t i = 0;
         i < sizeof words / sizeof words[0] && !found && !options->no_usual_null_words; i++) {
        found = is_word(text, words[i]);
    }
    return found && !options->no_null_words;
}

/* The field of a column in the record: null if the record ends before it. */
static struct ss_text read_field(struct ss_format_csv *csv, size_t i, bool *is_null)
{
    *is_null = i >= csv->record.n_fields;
    const struct ss_text text =
        *is_null ? (struct ss_text){"", 0} : ss_format_csv_field_text(csv, i);
    *is_null = *is_null || (!csv->record.fields[i].quoted && is_null_word(csv, text));
    return text;
}

/* The usual cause in the first row is an index without a name, which pandas takes and others do
 * not. */
static ss_status check_width(const struct ss_format_csv *csv, uint64_t offset, ss_err *err)
{
    char problem[256];
    snprintf(problem, sizeof problem, "there are %zu fields in this row, and %zu columns%s",
             csv->record.n_fields, csv->n_columns,
             csv->n_rows > 0
                 ? ""
                 : "; if all rows begin with a field that the header does not name, "
                   "name all: `csv` header=0,column_names=index|...");
    return csv->record.n_fields <= csv->n_columns
               ? SS_OK
               : ss_format_csv_fail(csv, offset, problem, err);
}

/* ---- columns ---- */

/* A column is of strings once a field of it is neither empty, null nor a number. */
static void note_field(struct ss_format_csv *csv, size_t i)
{
    double number = 0;
    bool is_null = false;
    struct ss_format_column *column = &csv->columns[i];
    if (column->is_text) {
        return;
    }
    const struct ss_text text = read_field(csv, i, &is_null);
    if (text.n_bytes > 0 && !is_null) {
        column->is_text = !ss__parse_double(text.data, text.n_bytes, &number);
        column->type = column->is_text ? "string" : "number";
        column->numbers = column->is_text ? SS_FORMAT_NUMBERS_NONE : SS_FORMAT_NUMBERS_ONE;
    }
}

/* Look at the first records without taking them; a fault in them is left to next. */
static ss_status csv_columns(void *state, const struct ss_format_column **columns,
                             size_t *n_columns, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_csv *csv = state;
    const uint64_t n_passed = csv->n_passed;
    bool has_record = true;
    size_t at = 0;
    for (size_t i = 0; i < csv->n_columns; i++) {
        csv->columns[i].type = "null";
    }
    for (size_t n = 0; n < LOOK_ROWS && has_record && at < LOOK_BYTES; n++) {
        status = ss_format_csv_find_record(csv, &at, &has_record, NULL, err);
        if (status == SS_E_NOMEM || status == SS_E_IO) {
            goto out;
        }
        has_record &= status == SS_OK;
        const bool is_good = has_record && csv->record.n_fields <= csv->n_columns;
        for (size_t i = 0; is_good && i < csv->n_columns; i++) {
            note_field(csv, i);
        }
    }
    csv->has_all = status == SS_OK && !has_record;
    status = SS_OK;
    csv->n_passed = n_passed;
    for (size_t i = 0; i < csv->n_columns; i++) {
        csv->columns[i].is_doubtful = strcmp(csv->columns[i].type, "null") == 0;
    }
    *columns = csv->columns;
    *n_columns = csv->n_columns;
out:
    return status;
}

/* Whether the columns were found from all rows: then a type that was seen is certain. */
static bool csv_is_whole(const void *state)
{
    return ((const struct ss_format_csv *)state)->has_all;
}

/* Whole rows become objects, which must not name a column twice. */
static ss_status check_names(const struct ss_format_csv *csv, ss_err *err)
{
    for (size_t i = 0; i < csv->n_columns; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(csv->columns[i].name, csv->columns[j].name) == 0) {
                const ss_status status = ss__fail_file(err, csv->stream->name, SS_E_DATA,
                                                       "the header names column '%.200s' twice",
                                                       csv->columns[i].name);
                ss__err_about(err, csv->columns[i].name);
                return status;
            }
        }
    }
    return SS_OK;
}

static ss_status csv_select(void *state, size_t column, ss_err *err)
{
    struct ss_format_csv *csv = state;
    csv->selected = column == SS_FORMAT_NO_COLUMN ? SS_FORMAT_ALL_COLUMNS : column;
    return column == SS_FORMAT_ALL_COLUMNS ? check_names(csv, err) : SS_OK;
}

/* ---- rows ---- */

/* Leave the bad row behind; its error stays. */
static void pass_bad_row(struct ss_format_csv *csv, size_t at, struct ss_format_record *record)
{
    if (ss_format_csv_skip_line(csv, at, NULL) != SS_OK) {
        record->fault = SS_FORMAT_FAULT_NONE;
    }
}

/* A row that was refused is taken all the same, so that the next one can be read. */
static ss_status csv_next(void *state, struct ss_format_record *record, bool *has_row,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_csv *csv = state;
    size_t at = 0;
    *record = (struct ss_format_record){.is_null = true};
    *has_row = false;
    if (csv->n_rows == csv->options->n_rows) {
        goto out;
    }
    status = ss_format_csv_find_record(csv, &at, has_row, &record->fault, err);
    if (status != SS_OK) {
        *has_row = false;
        if (record->fault != SS_FORMAT_FAULT_NONE) {
            csv->n_rows++;
            pass_bad_row(csv, at, record);
        }
        goto out;
    }
    if (*has_row) {
        status = check_width(csv, csv->stream->offset + at - csv->record.n_bytes, err);
        record->fault = status == SS_OK ? SS_FORMAT_FAULT_NONE : SS_FORMAT_FAULT_LONG_ROW;
        csv->n_rows++;
    }
    if (*has_row && status == SS_OK && csv->selected != SS_FORMAT_ALL_COLUMNS) {
        record->text = read_field(csv, csv->selected, &record->is_null);
        SS_TRY(ss__buf_check(&csv->cell, err));
    }
    ss_source_stream_take(csv->stream, at);
out:
    return status;
}

/* A value as JSON: null where texts are, so that what is shown, kept and compared is the same. */
static void add_value(struct ss_format_csv *csv, size_t column, struct ss__buf *out)
{
    bool is_null = false;
    const struct ss_text text = read_field(csv, column, &is_null);
    if (is_null) {
        ss__buf_add_text(out, "null");
    } else {
        ss_format_add_json_text(out, text.data, text.n_bytes);
    }
}

static ss_status csv_add_json(void *state, struct ss__buf *out, ss_err *err)
{
    struct ss_format_csv *csv = state;
    for (size_t i = 0; i < csv->n_columns; i++) {
        ss__buf_add_byte(out, i == 0 ? '{' : ',');
        ss_format_add_json_text(out, csv->columns[i].name, strlen(csv->columns[i].name));
        ss__buf_add_byte(out, ':');
        add_value(csv, i, out);
    }
    ss__buf_add_byte(out, '}');
    return ss__buf_check(&csv->cell, err);
}

/* ---- columns that are carried along ---- */

static ss_status csv_keep(void *state, const size_t *columns, size_t n, ss_err *err)
{
    struct ss_format_csv *csv = state;
    SS_ALLOC_OR_RETURN(csv->kept, n);
    memcpy(csv->kept, columns, n * sizeof *columns);
    return SS_OK;
}

static ss_status csv_add_kept(void *state, size_t i, struct ss__buf *out, ss_err *err)
{
    struct ss_format_csv *csv = state;
    add_value(csv, csv->kept[i], out);
    return ss__buf_check(&csv->cell, err);
}

const struct ss_format_reader ss_format_reader_csv = {
    .format = "csv",
    .stores_text = true,
    .open = csv_open,
    .columns = csv_columns,
    .is_whole = csv_is_whole,
    .select = csv_select,
    .next = csv_next,
    .add_json = csv_add_json,
    .keep = csv_keep,
    .add_kept = csv_add_kept,
    .close = csv_close,
};

const struct ss_format_reader ss_format_reader_tsv = {
    .format = "tsv",
    .stores_text = true,
    .open = tsv_open,
    .columns = csv_columns,
    .is_whole = csv_is_whole,
    .select = csv_select,
    .next = csv_next,
    .add_json = csv_add_json,
    .keep = csv_keep,
    .add_kept = csv_add_kept,
    .close = csv_close,
};
