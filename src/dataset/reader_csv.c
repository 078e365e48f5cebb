/* Comma- and tab-separated values with a header line.
 *
 * Every record must have as many fields as the header; empty lines are passed over. A field is
 * text, kept as it is; but in the text column a field without quotes that is one of the words
 * by which tables mark missing values (those of pandas.read_csv) is null. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "dataset/csv_scan.h"
#include "dataset/dataset_files.h"

enum { MAX_COLUMNS = 4096, LOOK_ROWS = 100, LOOK_BYTES = 1 << 20 };

struct csv {
    struct ss__stream *stream;
    char delimiter;
    struct ss__csv_record record;
    const char *row;   /* its first byte, in the stream's window */
    uint64_t n_line;   /* 1-based, where the record begins */
    uint64_t n_passed; /* lines that the record and those before it take */
    struct ss__column *columns;
    size_t n_columns;
    size_t *kept; /* columns that are carried along */
    size_t selected;
    struct ss__buf cell; /* a field whose doubled quotes were resolved */
};

/* ---- records ---- */

static ss_status fail_line(const struct csv *csv, uint64_t offset, const char *problem,
                           ss_err *err)
{
    const ss_status status = ss__fail_file(err, csv->stream->name, SS_E_DATA, "line %llu: %s",
                                           (unsigned long long)csv->n_line, problem);
    ss__err_at_offset(err, offset);
    return status;
}

static uint64_t count_lines(const char *data, size_t n)
{
    uint64_t n_lines = 0;
    for (const char *end = data + n; data < end; n_lines++) {
        const char *feed = memchr(data, '\n', (size_t)(end - data));
        data = feed == NULL ? end : feed + 1;
    }
    return n_lines;
}

static ss_status make_fields(struct csv *csv, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(csv->record.fields, csv->record.room, n);
out:
    return status;
}

/* The record at `*at` in the window, which moves behind it; blank lines are passed. */
static ss_status find_record(struct csv *csv, size_t *at, bool *has_record, ss_err *err)
{
    static const char *const problems[] = {
        [SS__CSV_OPEN_QUOTE] = "a field in quotes is not closed before the file ends",
        [SS__CSV_AFTER_QUOTE] = "text follows the closing quote of a field; a quote inside a "
                                "field in quotes is written twice",
    };
    ss_status status = SS_OK;
    struct ss__stream *stream = csv->stream;
    *has_record = false;
    while (!*has_record) {
        SS_TRY(ss__stream_need(stream, *at + 1, err));
        if (*at == stream->n_bytes) {
            break;
        }
        csv->row = stream->data + *at;
        csv->n_line = csv->n_passed + 1;
        const size_t n_left = stream->n_bytes - *at;
        const ss__csv_result result =
            ss__csv_scan(csv->row, n_left, csv->delimiter, stream->at_end, &csv->record);
        if (result == SS__CSV_MORE) {
            SS_TRY(ss__stream_need(stream, *at + 2 * n_left, err));
            continue;
        }
        if (result != SS__CSV_RECORD) {
            SS_TRY(fail_line(csv, stream->offset + *at, problems[result], err));
        }
        if (csv->record.n_fields > csv->record.room && csv->record.room < MAX_COLUMNS) {
            SS_TRY(make_fields(csv, ss__min_size(csv->record.n_fields, MAX_COLUMNS), err));
            continue;
        }
        const struct ss__csv_field *only = &csv->record.fields[0];
        *has_record = csv->record.n_fields > 1 || only->n_bytes > 0 || only->quoted;
        csv->n_passed += count_lines(csv->row, csv->record.n_bytes);
        *at += csv->record.n_bytes;
    }
out:
    return status;
}

/* What a field says, its doubled quotes resolved. */
static struct ss_text field_text(struct csv *csv, size_t i)
{
    const struct ss__csv_field field = csv->record.fields[i];
    const char *at = csv->row + field.start, *end = at + field.n_bytes;
    if (!field.doubled) {
        return (struct ss_text){at, field.n_bytes};
    }
    csv->cell.n_bytes = 0;
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        const char *upto = quote == NULL ? end : quote + 1;
        ss__buf_add(&csv->cell, at, (size_t)(upto - at));
        at = quote == NULL ? end : quote + 2;
    }
    return (struct ss_text){csv->cell.data, csv->cell.n_bytes};
}

static ss_status check_width(const struct csv *csv, uint64_t offset, ss_err *err)
{
    char problem[128];
    if (csv->record.n_fields == csv->n_columns) {
        return SS_OK;
    }
    snprintf(problem, sizeof problem, "there are %zu fields in this row, and %zu in the header",
             csv->record.n_fields, csv->n_columns);
    return fail_line(csv, offset, problem, err);
}

/* ---- header ---- */

static ss_status add_name(struct csv *csv, size_t i, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf name = {0};
    const struct ss_text text = field_text(csv, i);
    if (memchr(text.data, 0, text.n_bytes) != NULL) {
        SS_TRY(fail_line(csv, csv->stream->offset, "a column name holds a NUL byte", err));
    }
    ss__utf8_repair(text.data, text.n_bytes, &name);
    const char *whole = ss__buf_text(&name);
    csv->columns[i].name = whole == NULL ? NULL : ss__strdup(whole);
    if (csv->columns[i].name == NULL) {
        status = ss__fail_nomem(err, "a column name");
        goto out;
    }
    csv->n_columns = i + 1;
out:
    ss__buf_release(&name);
    return status;
}

static ss_status read_header(struct csv *csv, ss_err *err)
{
    ss_status status = SS_OK;
    bool has_record = false;
    size_t at = 0;
    SS_TRY(find_record(csv, &at, &has_record, err));
    if (!has_record) {
        SS_FAIL_FILE(csv->stream->name, SS_E_DATA,
                     "the file is empty, expected a header line with the columns' names");
    }
    if (csv->record.n_fields > MAX_COLUMNS) {
        SS_FAIL_FILE(csv->stream->name, SS_E_LIMIT, "there are %zu columns, the limit is %d",
                     csv->record.n_fields, MAX_COLUMNS);
    }
    SS_ALLOC(csv->columns, csv->record.n_fields);
    for (size_t i = 0; i < csv->record.n_fields; i++) {
        SS_TRY(add_name(csv, i, err));
    }
    ss__stream_take(csv->stream, at);
out:
    return status;
}

static void csv_close(void *state)
{
    struct csv *csv = state;
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
    ss__free(csv);
}

static ss_status open_with(const struct ss__source *source, char delimiter, void **state,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct csv *csv = NULL;
    SS_ALLOC(csv, 1);
    csv->stream = source->stream;
    csv->delimiter = source->delimiter == 0 ? delimiter : source->delimiter;
    SS_TRY(make_fields(csv, 1, err));
    SS_TRY(read_header(csv, err));
    *state = csv;
    csv = NULL;
out:
    csv_close(csv);
    return status;
}

static ss_status csv_open(const struct ss__source *source, void **state, ss_err *err)
{
    return open_with(source, ',', state, err);
}

static ss_status tsv_open(const struct ss__source *source, void **state, ss_err *err)
{
    return open_with(source, '\t', state, err);
}

/* ---- columns ---- */

static bool is_null_word(struct ss_text text)
{
    static const char *const words[] = {
        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A",      "NA",  "NULL",    "NaN",      "None", "n/a",  "nan",    "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == text.n_bytes &&
            memcmp(words[i], text.data, text.n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* A column is of strings once a field of it is neither empty, null nor a number. */
static void note_field(struct csv *csv, size_t i)
{
    double number = 0;
    const struct ss_text text = field_text(csv, i);
    struct ss__column *column = &csv->columns[i];
    if (column->is_text || text.n_bytes == 0 || is_null_word(text)) {
        return;
    }
    column->is_text = !ss__parse_double(text.data, text.n_bytes, &number);
    column->type = column->is_text ? "string" : "number";
    column->numbers = column->is_text ? SS__NUMBERS_NONE : SS__NUMBERS_ONE;
}

/* Look at the first records without taking them; a fault in them is left to next. */
static ss_status csv_columns(void *state, const struct ss__column **columns, size_t *n_columns,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct csv *csv = state;
    const uint64_t n_passed = csv->n_passed;
    bool has_record = true;
    size_t at = 0;
    for (size_t i = 0; i < csv->n_columns; i++) {
        csv->columns[i].type = "null";
    }
    for (size_t n = 0; n < LOOK_ROWS && has_record && at < LOOK_BYTES; n++) {
        status = find_record(csv, &at, &has_record, err);
        if (status == SS_E_NOMEM || status == SS_E_IO) {
            goto out;
        }
        has_record &= status == SS_OK && csv->record.n_fields == csv->n_columns;
        for (size_t i = 0; has_record && i < csv->n_columns; i++) {
            note_field(csv, i);
        }
    }
    status = SS_OK;
    csv->n_passed = n_passed;
    *columns = csv->columns;
    *n_columns = csv->n_columns;
out:
    return status;
}

/* Whole rows become objects, which must not name a column twice. */
static ss_status check_names(const struct csv *csv, ss_err *err)
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
    struct csv *csv = state;
    csv->selected = column == SS__NO_COLUMN ? SS__ALL_COLUMNS : column;
    return column == SS__ALL_COLUMNS ? check_names(csv, err) : SS_OK;
}

/* ---- rows ---- */

static ss_status csv_next(void *state, struct ss__record *record, bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct csv *csv = state;
    size_t at = 0;
    *record = (struct ss__record){.is_null = true};
    SS_TRY(find_record(csv, &at, has_row, err));
    if (*has_row) {
        SS_TRY(check_width(csv, csv->stream->offset + at - csv->record.n_bytes, err));
    }
    if (*has_row && csv->selected != SS__ALL_COLUMNS) {
        record->text = field_text(csv, csv->selected);
        record->is_null =
            !csv->record.fields[csv->selected].quoted && is_null_word(record->text);
        SS_TRY(ss__buf_check(&csv->cell, err));
    }
    ss__stream_take(csv->stream, at);
out:
    return status;
}

static ss_status csv_add_json(void *state, struct ss__buf *out, ss_err *err)
{
    struct csv *csv = state;
    for (size_t i = 0; i < csv->n_columns; i++) {
        const struct ss_text text = field_text(csv, i);
        ss__buf_add_byte(out, i == 0 ? '{' : ',');
        ss__add_json_text(out, csv->columns[i].name, strlen(csv->columns[i].name));
        ss__buf_add_byte(out, ':');
        ss__add_json_text(out, text.data, text.n_bytes);
    }
    ss__buf_add_byte(out, '}');
    return ss__buf_check(&csv->cell, err);
}

/* ---- columns that are carried along ---- */

static ss_status csv_keep(void *state, const size_t *columns, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct csv *csv = state;
    SS_ALLOC(csv->kept, n);
    memcpy(csv->kept, columns, n * sizeof *columns);
out:
    return status;
}

static ss_status csv_add_kept(void *state, size_t i, struct ss__buf *out, ss_err *err)
{
    struct csv *csv = state;
    const size_t column = csv->kept[i];
    const struct ss_text text = field_text(csv, column);
    if (!csv->record.fields[column].quoted && is_null_word(text)) {
        ss__buf_add_text(out, "null");
    } else {
        ss__add_json_text(out, text.data, text.n_bytes);
    }
    return ss__buf_check(&csv->cell, err);
}

const struct ss__reader ss__reader_csv = {
    .format = "csv",
    .stores_text = true,
    .open = csv_open,
    .columns = csv_columns,
    .select = csv_select,
    .next = csv_next,
    .add_json = csv_add_json,
    .keep = csv_keep,
    .add_kept = csv_add_kept,
    .close = csv_close,
};

const struct ss__reader ss__reader_tsv = {
    .format = "tsv",
    .stores_text = true,
    .open = tsv_open,
    .columns = csv_columns,
    .select = csv_select,
    .next = csv_next,
    .add_json = csv_add_json,
    .keep = csv_keep,
    .add_kept = csv_add_kept,
    .close = csv_close,
};
