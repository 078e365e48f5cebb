/* The Parquet reader of this room.
 *
 * Read: flat columns of strings or bytes, such leaves of structs (`a.b`), lists of strings,
 * whose text is the list as JSON; and for rows as JSON also lists and maps of any depth.
 * Columns without text are listed, but not shown. Choosing a map or a list of anything else as
 * the text column is refused, whatever its rows hold, so that the outcome does not depend on
 * the data.
 *
 * Only the chunks of the columns that are asked for are read; memory is a page and a dictionary
 * per column. */
#include <string.h>

#include "base/mem.h"
#include "parquet/parquet_priv.h"

struct state {
    struct ss_parquet file;
    struct ss_parquet_groups groups;
    struct ss_parquet_chunk *chunks;   /* [n_texts] of the row group */
    struct ss_parquet_column *columns; /* [n_texts] */
    size_t text_leaf;                  /* or SS_FORMAT_ALL_COLUMNS */
    size_t list_node;                  /* of a list of strings that is the text, else 0 */
    struct ss__buf list_text;          /* a row of it */
    size_t group;                      /* the one under way */
    uint64_t n_rows_left;              /* in it */
    uint64_t n_rows_done;
    bool is_started; /* the columns stand at the row that was given */
    bool has_failed;
    struct state *kept; /* the same file once more, for columns that are carried along */
    struct ss_source_view kept_view;
    size_t *kept_nodes;   /* [n_kept], in `kept` the nodes of these columns */
    size_t *kept_columns; /* [n_kept] */
    size_t n_kept;
};

static void state_free(void *opaque)
{
    struct state *state = opaque;
    if (state == NULL) {
        return;
    }
    state_free(state->kept);
    ss__free(state->kept_nodes);
    ss__free(state->kept_columns);
    ss__buf_release(&state->list_text);
    for (size_t i = 0; state->columns != NULL && i < state->file.n_texts; i++) {
        ss_parquet_column_release(&state->columns[i]);
    }
    ss__free(state->columns);
    ss__free(state->chunks);
    ss_parquet_release(&state->file);
    ss_source_view_close(&state->kept_view);
    ss__free(state);
}

/* The first bytes and the footer, which are there already if the file was planned. A local file
 * is read where it is needed; opening needs these two parts. */
static ss_status read_ends(const struct ss_source_view *view, ss_err *err)
{
    enum { MAGIC_BYTES = 4, TRAILER_BYTES = 8 };
    const size_t n = view->n_bytes;
    size_t until = 0;
    if (ss_source_view_plans(view)) {
        return SS_OK;
    }
    const size_t n_magic = ss__min_size(n, MAGIC_BYTES);
    SS_RETURN_IF_ERROR(ss_source_view_need(view, 0, n_magic, n_magic, &until, err));
    if (n < MAGIC_BYTES + TRAILER_BYTES) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_source_view_need(view, n - TRAILER_BYTES, TRAILER_BYTES, n, &until, err));
    const uint8_t *trailer = view->data + n - TRAILER_BYTES;
    const size_t n_footer = (size_t)trailer[0] | (size_t)trailer[1] << 8 |
                            (size_t)trailer[2] << 16 | (size_t)trailer[3] << 24;
    const size_t end = n - TRAILER_BYTES;
    return n_footer <= end - MAGIC_BYTES
               ? ss_source_view_need(view, end - n_footer, n_footer, end, &until, err)
               : SS_OK;
}

static ss_status state_new(const char *name, const uint8_t *data, size_t n_bytes,
                           bool has_all_leaves, struct state **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct state *state = NULL;
    *out = NULL;
    SS_ALLOC(state, 1);
    SS_TRY(ss_parquet_open(name, data, n_bytes, has_all_leaves, &state->file, err));
    SS_ALLOC(state->chunks, state->file.n_texts);
    SS_ALLOC(state->columns, state->file.n_texts);
    ss_parquet_groups_init(&state->file, &state->groups);
    *out = state;
    state = NULL;
out:
    state_free(state);
    return status;
}

/* The reader of a file that is seen through a view. */
static ss_status state_of(const struct ss_source_view *view, bool has_all_leaves,
                          struct state **out, ss_err *err)
{
    *out = NULL;
    SS_RETURN_IF_ERROR(read_ends(view, err));
    SS_RETURN_IF_ERROR(
        state_new(view->name, view->data, view->n_bytes, has_all_leaves, out, err));
    (*out)->file.forgets = true;
    (*out)->file.view = view;
    return SS_OK;
}

static ss_status parquet_open(const struct ss_format_file *source, void **out, ss_err *err)
{
    struct state *state = NULL;
    const ss_status status = state_of(source->view, source->all_columns, &state, err);
    *out = state;
    return status;
}

static ss_status parquet_columns(void *opaque, const struct ss_format_column **columns,
                                 size_t *n_columns, ss_err *err)
{
    const struct state *state = opaque;
    (void)err;
    *columns = state->file.columns;
    *n_columns = state->file.n_columns;
    return SS_OK;
}

static ss_status need_text(const struct ss_parquet *file, ss_err *err)
{
    return file->n_texts > 0
               ? SS_OK
               : ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                               "none of its %zu columns holds text", file->n_columns);
}

/* Tell the source what of the text column will be read, in order. */
static ss_status plan_text(const struct state *state, ss_err *err)
{
    struct ss_source_ranges ranges = {.items = NULL};
    const struct ss_parquet *file = &state->file;
    if (file->view == NULL || !ss_source_view_plans(file->view)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_parquet_plan_leaf(file, state->text_leaf, &ranges, err));
    ss_source_view_will_need(file->view, &ranges);
    return SS_OK;
}

static ss_status parquet_select(void *opaque, size_t column, ss_err *err)
{
    struct state *state = opaque;
    const struct ss_parquet *file = &state->file;
    state->text_leaf = SS_FORMAT_ALL_COLUMNS;
    if (column == SS_FORMAT_ALL_COLUMNS) {
        return need_text(file, err);
    }
    if (column == SS_FORMAT_NO_COLUMN) {
        state->text_leaf = SS_FORMAT_NO_COLUMN;
        return SS_OK;
    }
    const size_t index = file->column_nodes[column];
    const struct ss_parquet_node *node = &file->nodes[index];
    const bool is_list = ss_parquet_is_list_of_text(file, index);
    if (!is_list && (!ss_parquet_node_is_text(node) || node->max_rep > 0)) {
        const ss_status status = ss__fail_file(
            err, file->name, SS_E_UNSUPPORTED,
            "column '%s' is of type %s, expected one text per row, or a list of strings",
            file->columns[column].name, file->columns[column].type);
        ss__err_about(err, file->columns[column].name);
        return status;
    }
    state->list_node = is_list ? index : 0;
    state->text_leaf = node->first_text;
    return plan_text(state, err);
}

/* ---- row groups ---- */

static ss_status start_group(struct state *state, size_t first, size_t n, ss_err *err)
{
    for (size_t i = first; i < first + n; i++) {
        SS_RETURN_IF_ERROR(ss_parquet_column_start(&state->columns[i], &state->file, i,
                                                   &state->chunks[i], state->group,
                                                   state->n_rows_done, err));
    }
    return SS_OK;
}

/* Values that are left over would be a shift of all rows that follow: the file contradicts
 * itself. */
static ss_status check_ended(const struct state *state, size_t first, size_t n, ss_err *err)
{
    for (size_t i = first; i < first + n; i++) {
        if (!state->columns[i].at_end) {
            return ss_parquet_column_fail(&state->columns[i], err, SS_E_DATA,
                                          "it has more values than the row group has rows");
        }
    }
    return SS_OK;
}

static ss_status next_group(struct state *state, ss_err *err)
{
    state->group = state->groups.index;
    return ss_parquet_groups_next(&state->file, &state->groups, &state->n_rows_left,
                                  state->chunks, err);
}

/* Go on to a row group that has rows; at the end of the file none are left. */
static ss_status need_rows(struct state *state, ss_err *err)
{
    const bool all = state->text_leaf == SS_FORMAT_ALL_COLUMNS;
    const bool none = state->text_leaf == SS_FORMAT_NO_COLUMN;
    const size_t first = all || none ? 0 : state->text_leaf;
    const size_t n = all ? state->file.n_texts : !none;
    while (state->n_rows_left == 0) {
        if (state->group != state->groups.index) {
            SS_RETURN_IF_ERROR(check_ended(state, first, n, err));
        }
        state->group = state->groups.index;
        if (state->groups.index == state->groups.n_groups) {
            break;
        }
        SS_RETURN_IF_ERROR(next_group(state, err));
        SS_RETURN_IF_ERROR(start_group(state, first, n, err));
    }
    return SS_OK;
}

/* Leave the row that was given. */
static ss_status finish_row(struct state *state, ss_err *err)
{
    if (!state->is_started || state->text_leaf == SS_FORMAT_NO_COLUMN) {
        return SS_OK;
    }
    state->is_started = false;
    if (state->list_node > 0) {
        return SS_OK; /* reading a list went behind it */
    }
    return state->text_leaf == SS_FORMAT_ALL_COLUMNS
               ? ss_parquet_record_row(&state->file, state->columns, NULL, err)
               : ss_parquet_column_next(&state->columns[state->text_leaf], err);
}

/* The list as JSON. One that must be there is null where the struct that it is in is. */
static ss_status read_list(struct state *state, struct ss_format_record *record, ss_err *err)
{
    const struct ss_parquet_node *nodes = state->file.nodes;
    const struct ss_parquet_node *node = &nodes[state->list_node];
    record->is_null =
        state->columns[state->text_leaf].def <
        nodes[node->repetition == SS_PARQUET_REPEATED ? node->parent : state->list_node]
            .max_def;
    state->list_text.n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_parquet_record_take(&state->file, state->list_node, state->columns,
                                              &state->list_text, err));
    SS_RETURN_IF_ERROR(ss__buf_check(&state->list_text, err));
    if (!record->is_null) {
        record->text = (struct ss_text){state->list_text.data, state->list_text.n_bytes};
    }
    return SS_OK;
}

static ss_status read_text(struct state *state, struct ss_format_record *record, ss_err *err)
{
    const struct ss_parquet_column *column = &state->columns[state->text_leaf];
    if (column->at_end) {
        return ss_parquet_column_fail(column, err, SS_E_DATA,
                                      "it has fewer values than the row group has rows");
    }
    if (state->list_node > 0) {
        return read_list(state, record, err);
    }
    record->is_null = column->def < column->node->max_def;
    if (!record->is_null) {
        record->text = column->text;
    }
    return SS_OK;
}

/* The row before is stepped over only now: its text is borrowed until the next call. */
static ss_status next_row(struct state *state, struct ss_format_record *record, bool *has_row,
                          ss_err *err)
{
    SS_RETURN_IF_ERROR(finish_row(state, err));
    SS_RETURN_IF_ERROR(need_rows(state, err));
    if (state->n_rows_left == 0) {
        return SS_OK;
    }
    record->is_null = state->text_leaf == SS_FORMAT_NO_COLUMN;
    if (state->text_leaf < SS_FORMAT_NO_COLUMN) {
        SS_RETURN_IF_ERROR(read_text(state, record, err));
    }
    state->n_rows_left--;
    state->n_rows_done++;
    state->is_started = *has_row = true;
    return SS_OK;
}

/* Cursors that failed stand nowhere, so nothing more is read from them. */
static ss_status fail_again(const struct state *state, ss_err *err)
{
    return ss__fail_file(err, state->file.name, SS_E_DATA,
                         "the rows ended with an error before");
}

static ss_status parquet_next(void *opaque, struct ss_format_record *record, bool *has_row,
                              ss_err *err)
{
    struct state *state = opaque;
    *has_row = false;
    *record = (struct ss_format_record){.is_null = false};
    const ss_status status =
        state->has_failed ? fail_again(state, err) : next_row(state, record, has_row, err);
    state->has_failed |= status != SS_OK;
    return status;
}

static ss_status parquet_add_json(void *opaque, struct ss__buf *out, ss_err *err)
{
    struct state *state = opaque;
    if (state->has_failed || !state->is_started) {
        return fail_again(state, err);
    }
    state->is_started = false;
    const ss_status status = ss_parquet_record_row(&state->file, state->columns, out, err);
    state->has_failed |= status != SS_OK;
    return status;
}

/* ---- columns that are carried along ---- */

/* Two views of one column of a remote file must not forget what the other still needs. */
static void share_text(struct state *state)
{
    const struct ss_parquet *file = &state->file;
    const bool has_text = state->text_leaf < SS_FORMAT_NO_COLUMN;
    for (size_t i = 0; file->view != NULL && ss_source_view_plans(file->view) && has_text &&
                       i < state->n_kept;
         i++) {
        const size_t kept = state->kept_nodes[i];
        const size_t text = file->text_nodes[state->text_leaf];
        if (kept <= text && text < file->nodes[kept].end) {
            state->file.forgets = state->kept->file.forgets = false;
        }
    }
}

/* All leaves of the second view are read, so whatever the type of a column, it has values. */
static ss_status parquet_keep(void *opaque, const size_t *columns, size_t n, ss_err *err)
{
    struct state *state = opaque;
    const struct ss_parquet *file = &state->file;
    SS_RETURN_IF_ERROR(ss_source_view_again(file->view, &state->kept_view, err));
    SS_RETURN_IF_ERROR(state_of(&state->kept_view, true, &state->kept, err));
    state->kept->file.forgets = file->forgets;
    SS_ALLOC_OR_RETURN(state->kept_nodes, n);
    SS_ALLOC_OR_RETURN(state->kept_columns, n);
    for (size_t i = 0; i < n; i++) {
        state->kept_columns[i] = columns[i];
        state->kept_nodes[i] = file->column_nodes[columns[i]];
    }
    state->n_kept = n;
    share_text(state);
    return SS_OK;
}

/* Stand at the first row of a group, unless one is under way. */
static ss_status need_kept_rows(struct state *state, ss_err *err)
{
    struct state *kept = state->kept;
    while (kept->n_rows_left == 0 && kept->groups.index < kept->groups.n_groups) {
        SS_RETURN_IF_ERROR(next_group(kept, err));
        for (size_t i = 0; i < state->n_kept; i++) {
            const struct ss_parquet_node *node = &kept->file.nodes[state->kept_nodes[i]];
            SS_RETURN_IF_ERROR(start_group(kept, node->first_text, node->n_texts, err));
        }
    }
    return SS_OK;
}

/* Behind the last column the row is done. */
static void finish_kept(struct state *state, size_t i)
{
    if (i + 1 == state->n_kept) {
        state->kept->n_rows_left--;
        state->kept->n_rows_done++;
    }
}

static ss_status parquet_add_kept(void *opaque, size_t i, struct ss__buf *out, ss_err *err)
{
    struct state *state = opaque, *kept = state->kept;
    const size_t node = state->kept_nodes[i];
    SS_RETURN_IF_ERROR(need_kept_rows(state, err));
    SS_RETURN_IF_ERROR(ss_parquet_record_take(&kept->file, node, kept->columns, out, err));
    finish_kept(state, i);
    return SS_OK;
}

static ss_status parquet_add_numbers(void *opaque, size_t i, struct ss_format_numbers *out,
                                     ss_err *err)
{
    struct state *state = opaque, *kept = state->kept;
    const size_t node = state->kept_nodes[i];
    if (kept->file.columns[state->kept_columns[i]].numbers == SS_FORMAT_NUMBERS_NONE) {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_OTHER);
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(need_kept_rows(state, err));
    SS_RETURN_IF_ERROR(ss_parquet_take_numbers(
        &kept->file, node, &kept->columns[kept->file.nodes[node].first_text], out, err));
    finish_kept(state, i);
    return SS_OK;
}

static uint64_t parquet_n_rows(const void *opaque)
{
    const struct state *state = opaque;
    return state->file.n_rows;
}

const struct ss_format_reader ss_parquet_reader = {
    .format = "parquet",
    .needs_view = true,
    .next_checks = true,
    .open = parquet_open,
    .columns = parquet_columns,
    .select = parquet_select,
    .next = parquet_next,
    .add_json = parquet_add_json,
    .keep = parquet_keep,
    .add_kept = parquet_add_kept,
    .add_numbers = parquet_add_numbers,
    .n_rows = parquet_n_rows,
    .close = state_free,
};
