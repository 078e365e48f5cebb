/* Rows of Arrow IPC streams, files, and Feather version 2 (see arrow_priv.h).
 *
 * Read: columns of strings or bytes, dictionary-encoded or run-end encoded ones too, such
 * leaves of structs (`a.b`), lists of strings, whose text is the list as JSON; and for rows as
 * JSON also lists and maps of any depth. Columns without text are listed, but not shown. Unions
 * are refused where their values are needed. */
#include <string.h>

#include "arrow/arrow.h"
#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "format/format.h"

/* What one row may grow to: views and dictionaries can be repeated at will. */
enum { ROW_SLACK_BYTES = 32 << 20, ROW_FACTOR = 8 };

struct state {
    struct ss_arrow_file file;
    size_t *kept;             /* fields that are carried along */
    size_t column;            /* a field, or SS_FORMAT_ALL_COLUMNS */
    bool is_list;             /* it is a list of strings */
    struct ss__buf list_text; /* a row of it */
    uint64_t row;             /* 1-based in the batch: the one that was given */
    bool has_failed;
    bool all_columns; /* rows show what is no text, too */
};

static void arrow_close(void *opaque)
{
    struct state *state = opaque;
    if (state != NULL) {
        ss_arrow_close(&state->file);
        ss__free(state->kept);
        ss__buf_release(&state->list_text);
        ss__free(state);
    }
}

static ss_status arrow_open(const struct ss_format_file *source, void **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct state *state = NULL;
    *out = NULL;
    SS_ALLOC(state, 1);
    state->all_columns = source->all_columns;
    SS_TRY(ss_arrow_open(source->name, source->view, &state->file, err));
    *out = state;
    state = NULL;
out:
    ss__free(state);
    return status;
}

static ss_status arrow_columns(void *opaque, const struct ss_format_column **columns,
                               size_t *n_columns, ss_err *err)
{
    const struct state *state = opaque;
    (void)err;
    *columns = state->file.columns.items;
    *n_columns = state->file.columns.n;
    return SS_OK;
}

/* Rows show the columns that have text, or with `all_columns` every one. */
static ss_status select_all(struct state *state, ss_err *err)
{
    const struct ss_arrow_schema *schema = &state->file.schema;
    size_t n = 0;
    state->column = SS_FORMAT_ALL_COLUMNS;
    for (size_t i = 0; i < schema->n_fields; i = schema->fields[i].end) {
        if (schema->fields[i].has_text || state->all_columns) {
            ss_arrow_choose(&state->file, i, state->all_columns);
            n++;
        }
    }
    return n > 0 ? SS_OK
                 : ss__fail_file(err, state->file.name, SS_E_UNSUPPORTED,
                                 "none of its %zu columns holds text", state->file.columns.n);
}

/* Bytes may be chosen too; whether they are text is seen when they are read. */
static ss_status arrow_select(void *opaque, size_t column, ss_err *err)
{
    struct state *state = opaque;
    if (column == SS_FORMAT_ALL_COLUMNS) {
        return select_all(state, err);
    }
    if (column == SS_FORMAT_NO_COLUMN) {
        state->column = column;
        return SS_OK;
    }
    const size_t field = state->file.columns.fields[column];
    const struct ss_format_column *chosen = &state->file.columns.items[column];
    state->is_list = ss_arrow_is_list_of_text(&state->file.schema.fields[field]);
    if (!state->is_list && state->file.schema.fields[field].text == SS_ARROW_OTHER) {
        ss__fail_file(
            err, state->file.name, SS_E_UNSUPPORTED,
            "column '%s' is of type %s, expected one text per row, or a list of strings",
            chosen->name, chosen->type);
        ss__err_about(err, chosen->name);
        return SS_E_UNSUPPORTED;
    }
    ss_arrow_choose(&state->file, field, false);
    state->column = field;
    return SS_OK;
}

/* Step to the next row, through batches. Pages of a mapping that were read leave memory. */
static ss_status step(struct state *state, bool *has_row, ss_err *err)
{
    struct ss_arrow_file *file = &state->file;
    *has_row = state->row < file->batch.n_rows;
    if (*has_row) {
        state->row++;
        return SS_OK;
    }
    const ss_status status = ss_arrow_next_batch(file, has_row, err);
    state->row = *has_row;
    return status;
}

/* The list as JSON. Bounded, since a view list can show the same elements any number of
 * times. */
static ss_status read_list(struct state *state, struct ss_text *text, ss_err *err)
{
    const struct ss_arrow_writer writer = {
        .out = &state->list_text, .most = ROW_SLACK_BYTES + ROW_FACTOR * state->file.n_bytes};
    state->list_text.n_bytes = 0;
    if (!ss_arrow_add_json(&writer, &state->file.batch, state->column, state->row - 1)) {
        return ss__fail_file(err, state->file.name, SS_E_LIMIT,
                             "a list of strings is too large for one text");
    }
    *text = (struct ss_text){state->list_text.data, state->list_text.n_bytes};
    return ss__buf_check(&state->list_text, err);
}

static ss_status read_text(struct state *state, struct ss_format_record *record, ss_err *err)
{
    const struct ss_arrow_place place =
        ss_arrow_column_at(&state->file.batch, state->column, state->row - 1);
    record->is_null = place.is_null;
    record->text = (struct ss_text){"", 0};
    if (!place.is_null && state->is_list) {
        return read_list(state, &record->text, err);
    }
    if (!place.is_null) {
        record->text = ss_arrow_text_at(&place);
    }
    return SS_OK;
}

/* After an error there are no more rows: what follows it in the file may be anything. */
static ss_status arrow_next(void *opaque, struct ss_format_record *record, bool *has_row,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct state *state = opaque;
    *has_row = false;
    *record = (struct ss_format_record){.is_null = false};
    if (state->has_failed) {
        SS_FAIL_FILE(state->file.name, SS_E_DATA, "the rows ended with an error before");
    }
    SS_TRY(step(state, has_row, err));
    record->is_null = state->column == SS_FORMAT_NO_COLUMN;
    if (*has_row && state->column < SS_FORMAT_NO_COLUMN) {
        SS_TRY(read_text(state, record, err));
    }
out:
    state->has_failed |= status != SS_OK;
    return status;
}

static ss_status arrow_add_json(void *opaque, struct ss__buf *out, ss_err *err)
{
    const struct state *state = opaque;
    const struct ss_arrow_schema *schema = &state->file.schema;
    const struct ss_arrow_writer writer = {.out = out,
                                           .most = ROW_SLACK_BYTES +
                                                   ROW_FACTOR * state->file.n_bytes,
                                           .is_whole = state->all_columns};
    const bool as_pairs = state->file.columns.names_repeat;
    const char *before = as_pairs ? "[[" : "{";
    for (size_t i = 0; i < schema->n_fields; i = schema->fields[i].end) {
        if (!schema->fields[i].has_text && !state->all_columns) {
            continue;
        }
        const struct ss_text *name = &schema->fields[i].name;
        ss__buf_add_text(out, before);
        ss_format_add_json_text(out, name->data, name->n_bytes);
        ss__buf_add_text(out, as_pairs ? ", " : ": ");
        if (!ss_arrow_add_json(&writer, &state->file.batch, i, state->row - 1)) {
            return ss__fail_file(err, state->file.name, SS_E_LIMIT,
                                 "the row is too large to be shown");
        }
        before = as_pairs ? "], [" : ", ";
    }
    ss__buf_add_text(out, as_pairs ? "]]" : "}");
    return SS_OK;
}

/* ---- columns that are carried along ---- */

/* The same batch serves the text and what goes with it, so nothing is read twice. */
static ss_status arrow_keep(void *opaque, const size_t *columns, size_t n, ss_err *err)
{
    struct state *state = opaque;
    SS_ALLOC_OR_RETURN(state->kept, n);
    for (size_t i = 0; i < n; i++) {
        state->kept[i] = state->file.columns.fields[columns[i]];
        ss_arrow_choose(&state->file, state->kept[i], true);
    }
    return SS_OK;
}

static ss_status arrow_add_kept(void *opaque, size_t i, struct ss__buf *out, ss_err *err)
{
    const struct state *state = opaque;
    const struct ss_arrow_writer writer = {.out = out,
                                           .most = ROW_SLACK_BYTES +
                                                   ROW_FACTOR * state->file.n_bytes,
                                           .is_whole = true};
    const struct ss_arrow_place place =
        ss_arrow_column_at(&state->file.batch, state->kept[i], state->row - 1);
    if (place.is_null) {
        ss__buf_add_text(out, "null");
        return SS_OK;
    }
    return ss_arrow_add_json(&writer, &state->file.batch, state->kept[i], state->row - 1)
               ? SS_OK
               : ss__fail_file(err, state->file.name, SS_E_LIMIT,
                               "a value that is carried along is too large");
}

static ss_status arrow_add_numbers(void *opaque, size_t i, struct ss_format_numbers *out,
                                   ss_err *err)
{
    const struct state *state = opaque;
    const size_t field = state->kept[i];
    if (ss_arrow_numbers_of(&state->file.schema, field) == SS_FORMAT_NUMBERS_NONE) {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_OTHER);
        return SS_OK;
    }
    const struct ss_arrow_place place =
        ss_arrow_column_at(&state->file.batch, field, state->row - 1);
    return ss_arrow_add_numbers(&place, out) ? SS_OK : ss__fail_nomem(err, "numbers of a row");
}

static uint64_t arrow_n_rows(const void *opaque)
{
    const struct state *state = opaque;
    return state->file.n_rows;
}

const struct ss_format_reader ss_arrow_reader = {
    .format = "arrow",
    .needs_view = true,
    .next_checks = true,
    .open = arrow_open,
    .columns = arrow_columns,
    .select = arrow_select,
    .next = arrow_next,
    .add_json = arrow_add_json,
    .keep = arrow_keep,
    .add_kept = arrow_add_kept,
    .add_numbers = arrow_add_numbers,
    .n_rows = arrow_n_rows,
    .close = arrow_close,
};
