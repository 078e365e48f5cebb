/* Rows of features as an Arrow IPC file, which is a Feather file of version 2 too:
 *
 *   row          int64
 *   features     list<uint32>
 *   activations  list<float>
 *   text         string, if asked for
 *   …            a column for each that is carried along; where it is called like one of those
 *                above, "kept." stands before its name
 *
 * The metadata says n_features. A column that is carried along has the type that fits all its
 * values, and nulls: bool, int64, double (whole numbers up to 2^53 among others), string; where
 * values are of several kinds, or lists or objects, it is a string that holds each as JSON;
 * with no value but null it is of the type null. So the schema, which comes first in the file,
 * is known last: the rows wait in a file without a name. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arrow/arrow.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/spool.h"
#include "folder/sparse_file.h"
#include "format/format.h"

enum { N_FIXED = 3, MAX_FIXED = 4 };
#define MOST_EXACT 9007199254740992 /* 2^53 */

/* What was seen in a column. */
enum seen {
    SEEN_BOOL = 1,
    SEEN_INT = 2,   /* a whole number */
    SEEN_BIG = 4,   /* … beyond 2^53 */
    SEEN_HUGE = 8,  /* … beyond int64 */
    SEEN_REAL = 16, /* a number with a point or an exponent */
    SEEN_STRING = 32,
    SEEN_OTHER = 64
};

struct state {
    const struct ss_folder_sparse_options *options;
    struct ss__spool rows;
    uint64_t n_rows;
    unsigned *seen; /* [n_kept] */
    struct ss_arrow_output *output;
    struct ss__buf features, values, text, kept, string; /* of a row */
};

/* What is before each row in the spool. */
struct head {
    uint64_t id, n, n_text, n_kept, is_null;
};

static void arrow_close(void *opaque)
{
    struct state *state = opaque;
    if (state != NULL) {
        ss__spool_close(&state->rows);
        ss_arrow_output_free(state->output);
        ss__free(state->seen);
        ss__buf_release(&state->features);
        ss__buf_release(&state->values);
        ss__buf_release(&state->text);
        ss__buf_release(&state->kept);
        ss__buf_release(&state->string);
        ss__free(state);
    }
}

/* ---- columns that are carried along ---- */

/* A whole number as int64; false beyond that, or if it is none. */
static bool parse_int(struct ss_text text, int64_t *value)
{
    uint64_t size = 0;
    const size_t sign = text.n_bytes > 0 && text.data[0] == '-';
    if (!ss__parse_u64(text.data + sign, text.n_bytes - sign, &size) ||
        size > (uint64_t)INT64_MAX + sign) {
        return false;
    }
    *value = sign ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

static unsigned number_seen(struct ss_text text)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (strchr(".eE", text.data[i]) != NULL) {
            return SEEN_REAL;
        }
    }
    return !parse_int(text, &value)                    ? SEEN_HUGE
           : value > MOST_EXACT || value < -MOST_EXACT ? SEEN_BIG
                                                       : SEEN_INT;
}

/* Pass the value of the next column; `text` is how it stands there. */
static bool next_value(struct ss_format_scan *scan, bool is_first, ss_format_json_kind *kind,
                       struct ss_text *text)
{
    struct ss_format_scan_string key;
    bool has_key = false;
    if (!ss_format_scan_key(scan, is_first, &key, &has_key) || !has_key) {
        return false;
    }
    *kind = ss_format_scan_peek(scan);
    text->data = scan->at;
    const bool is_good = ss_format_scan_value(scan);
    text->n_bytes = (size_t)(scan->at - text->data);
    return is_good;
}

static ss_status look_at(struct state *state, struct ss_text kept, ss_err *err)
{
    static const unsigned seen[SS_FORMAT_N_JSON_KINDS] = {[SS_FORMAT_JSON_OBJECT] = SEEN_OTHER,
                                                          [SS_FORMAT_JSON_ARRAY] = SEEN_OTHER,
                                                          [SS_FORMAT_JSON_STRING] = SEEN_STRING,
                                                          [SS_FORMAT_JSON_BOOL] = SEEN_BOOL};
    struct ss_format_scan scan = {.at = kept.data, .end = kept.data + kept.n_bytes};
    if (kept.n_bytes == 0 || !ss_format_scan_char(&scan, '{')) {
        return SS_OK;
    }
    for (size_t i = 0; i < state->options->n_kept; i++) {
        ss_format_json_kind kind = SS_FORMAT_JSON_NULL;
        struct ss_text text;
        if (!next_value(&scan, i == 0, &kind, &text)) {
            return ss__fail(err, SS_E_INTERNAL, "the columns that are kept are no JSON object");
        }
        state->seen[i] |= kind == SS_FORMAT_JSON_NUMBER ? number_seen(text) : seen[kind];
    }
    return SS_OK;
}

static ss_arrow_value value_of(unsigned seen)
{
    const bool is_real =
        (seen & SEEN_REAL) != 0 && (seen & ~(unsigned)(SEEN_REAL | SEEN_INT)) == 0;
    const bool is_int = seen != 0 && (seen & ~(unsigned)(SEEN_INT | SEEN_BIG)) == 0;
    return seen == 0           ? SS_ARROW_VALUE_NULL
           : seen == SEEN_BOOL ? SS_ARROW_VALUE_BOOL
           : is_int            ? SS_ARROW_VALUE_I64
           : is_real           ? SS_ARROW_VALUE_F64
                               : SS_ARROW_VALUE_UTF8;
}

static ss_status add_string(struct state *state, size_t column, struct ss_text text,
                            ss_err *err)
{
    struct ss_format_scan scan = {.at = text.data, .end = text.data + text.n_bytes};
    struct ss_format_scan_string string;
    if (!ss_format_scan_string(&scan, &string)) {
        return ss__fail(err, SS_E_INTERNAL, "a string that is kept is malformed");
    }
    state->string.n_bytes = 0;
    (void)ss_format_scan_unescape(string, &state->string);
    const ss_status status = ss__buf_check(&state->string, err);
    return status != SS_OK ? status
                           : ss_arrow_output_add(state->output, column, state->string.data,
                                                 state->string.n_bytes, err);
}

static ss_status add_value(struct state *state, size_t i, size_t column,
                           ss_format_json_kind kind, struct ss_text text, ss_err *err)
{
    const bool is_true = text.data[0] == 't';
    int64_t whole = 0;
    double number = 0;
    if (kind == SS_FORMAT_JSON_NULL) {
        return ss_arrow_output_add_null(state->output, column, err);
    }
    switch (value_of(state->seen[i])) {
    case SS_ARROW_VALUE_BOOL:
        return ss_arrow_output_add(state->output, column, &is_true, 1, err);
    case SS_ARROW_VALUE_I64:
        (void)parse_int(text, &whole);
        return ss_arrow_output_add(state->output, column, &whole, 1, err);
    case SS_ARROW_VALUE_F64:
        (void)ss__parse_double(text.data, text.n_bytes, &number);
        return ss_arrow_output_add(state->output, column, &number, 1, err);
    default:
        return state->seen[i] == SEEN_STRING
                   ? add_string(state, column, text, err)
                   : ss_arrow_output_add(state->output, column, text.data, text.n_bytes, err);
    }
}

static ss_status add_kept(struct state *state, size_t column, struct ss_text kept, ss_err *err)
{
    struct ss_format_scan scan = {.at = kept.data, .end = kept.data + kept.n_bytes};
    const bool has_values = kept.n_bytes > 0 && ss_format_scan_char(&scan, '{');
    for (size_t i = 0; i < state->options->n_kept; i++) {
        ss_format_json_kind kind = SS_FORMAT_JSON_NULL;
        struct ss_text text = {"null", 4};
        if (has_values && !next_value(&scan, i == 0, &kind, &text)) {
            return ss__fail(err, SS_E_INTERNAL, "the columns that are kept are no JSON object");
        }
        SS_RETURN_IF_ERROR(add_value(state, i, column + i, kind, text, err));
    }
    return SS_OK;
}

/* ---- rows ---- */

static ss_status arrow_open(const struct ss_folder_sparse_options *options, void **out,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct state *state = NULL;
    SS_ALLOC(state, 1);
    state->options = options;
    SS_ALLOC(state->seen, options->n_kept + 1);
    SS_TRY(ss__spool_open(&state->rows, err));
    *out = state;
    state = NULL;
out:
    arrow_close(state);
    return status;
}

static ss_status arrow_add(void *opaque, const struct ss_folder_sparse_row *row, ss_err *err)
{
    struct state *state = opaque;
    const struct head head = {row->id, row->n, state->options->has_text ? row->text.n_bytes : 0,
                              row->kept.n_bytes, row->is_null};
    SS_RETURN_IF_ERROR(look_at(state, row->kept, err));
    SS_RETURN_IF_ERROR(ss__spool_add(&state->rows, &head, sizeof head, err));
    SS_RETURN_IF_ERROR(
        ss__spool_add(&state->rows, row->features, row->n * sizeof *row->features, err));
    SS_RETURN_IF_ERROR(
        ss__spool_add(&state->rows, row->values, row->n * sizeof *row->values, err));
    SS_RETURN_IF_ERROR(ss__spool_add(&state->rows, row->text.data, head.n_text, err));
    SS_RETURN_IF_ERROR(ss__spool_add(&state->rows, row->kept.data, head.n_kept, err));
    state->n_rows++;
    return SS_OK;
}

/* So many bytes of the spool in a buffer of their own. */
static ss_status read_part(struct state *state, struct ss__buf *buf, size_t n, ss_err *err)
{
    buf->n_bytes = 0;
    void *place = ss__buf_reserve(buf, n + 1);
    SS_RETURN_IF_ERROR(ss__buf_check(buf, err));
    SS_RETURN_IF_ERROR(ss__spool_read(&state->rows, place, n, err));
    buf->n_bytes = n;
    return SS_OK;
}

static ss_status put_row(struct state *state, ss_err *err)
{
    struct head head;
    const bool has_text = state->options->has_text;
    SS_RETURN_IF_ERROR(ss__spool_read(&state->rows, &head, sizeof head, err));
    SS_RETURN_IF_ERROR(read_part(state, &state->features, head.n * sizeof(uint32_t), err));
    SS_RETURN_IF_ERROR(read_part(state, &state->values, head.n * sizeof(float), err));
    SS_RETURN_IF_ERROR(read_part(state, &state->text, head.n_text, err));
    SS_RETURN_IF_ERROR(read_part(state, &state->kept, head.n_kept, err));
    SS_RETURN_IF_ERROR(ss_arrow_output_add(state->output, 0, &head.id, 1, err));
    SS_RETURN_IF_ERROR(
        ss_arrow_output_add(state->output, 1, state->features.data, head.n, err));
    SS_RETURN_IF_ERROR(ss_arrow_output_add(state->output, 2, state->values.data, head.n, err));
    if (has_text) {
        SS_RETURN_IF_ERROR(head.is_null
                               ? ss_arrow_output_add_null(state->output, N_FIXED, err)
                               : ss_arrow_output_add(state->output, N_FIXED, state->text.data,
                                                     head.n_text, err));
    }
    const struct ss_text kept = {state->kept.data, head.n_kept};
    SS_RETURN_IF_ERROR(add_kept(state, N_FIXED + has_text, kept, err));
    return ss_arrow_output_end_row(state->output, err);
}

/* ---- the file ---- */

static const struct ss_arrow_output_column fixed[MAX_FIXED] = {
    {.name = "row", .value = SS_ARROW_VALUE_I64},
    {.name = "features", .value = SS_ARROW_VALUE_U32, .is_list = true},
    {.name = "activations", .value = SS_ARROW_VALUE_F32, .is_list = true},
    {.name = "text", .value = SS_ARROW_VALUE_UTF8, .is_nullable = true},
};

static const char *name_of(const char *name, size_t n_fixed, char *room, size_t n_room)
{
    for (size_t i = 0; i < n_fixed; i++) {
        if (strcmp(name, fixed[i].name) == 0) {
            snprintf(room, n_room, "kept.%s", name);
            return room;
        }
    }
    return name;
}

static ss_status open_output(struct state *state, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_sparse_options *options = state->options;
    struct ss_arrow_output_column *columns = NULL;
    char n_features[24], names[MAX_FIXED][24];
    const size_t n_fixed = options->has_text ? MAX_FIXED : N_FIXED;
    const struct ss_arrow_note notes[] = {{"n_features", n_features}};
    size_t n_renamed = 0;
    SS_ALLOC(columns, n_fixed + options->n_kept);
    snprintf(n_features, sizeof n_features, "%zu", options->n_features);
    memcpy(columns, fixed, n_fixed * sizeof *columns);
    for (size_t i = 0; i < options->n_kept; i++) {
        char *room = names[n_renamed < MAX_FIXED ? n_renamed : MAX_FIXED - 1];
        const char *name = name_of(options->kept[i], n_fixed, room, sizeof names[0]);
        n_renamed += name == room;
        columns[n_fixed + i] = (struct ss_arrow_output_column){
            .name = name, .value = value_of(state->seen[i]), .is_nullable = true};
    }
    const struct ss_arrow_output_options made = {.columns = columns,
                                                 .n_columns = n_fixed + options->n_kept,
                                                 .notes = notes,
                                                 .n_notes = 1};
    SS_TRY(ss_arrow_output_new(state->options->out, &made, &state->output, err));
out:
    ss__free(columns);
    return status;
}

static ss_status arrow_commit(void *opaque, ss_err *err)
{
    struct state *state = opaque;
    SS_RETURN_IF_ERROR(open_output(state, err));
    SS_RETURN_IF_ERROR(ss__spool_rewind(&state->rows, err));
    for (uint64_t i = 0; i < state->n_rows; i++) {
        SS_RETURN_IF_ERROR(put_row(state, err));
    }
    SS_RETURN_IF_ERROR(ss_arrow_output_finish(state->output, err));
    return ss__out_commit(state->options->out, err);
}

#define ARROW_FILE(name_end)                                                                   \
    {                                                                                          \
        .extension = (name_end), .holds_columns = true, .open = arrow_open, .add = arrow_add,  \
        .commit = arrow_commit, .close = arrow_close                                           \
    }

const struct ss_folder_sparse_format ss_run_sparse_arrow = ARROW_FILE(".arrow");
const struct ss_folder_sparse_format ss_run_sparse_feather = ARROW_FILE(".feather");
