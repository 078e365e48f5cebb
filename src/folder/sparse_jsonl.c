/* Rows of features as JSON lines:
 *
 *   {"row": 7, "features": [3, 41], "activations": [0.5, 1.25], "text": "…", "kept": {"id": 9}}
 *
 * Activations are f32 values widened to double, as in top_activations.json; text and kept are
 * there where they were asked for. */
#include <inttypes.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "folder/sparse_file.h"

struct state {
    const struct ss_folder_sparse_options *options;
    struct ss__buf line;
};

static void jsonl_close(void *opaque)
{
    struct state *state = opaque;
    if (state != NULL) {
        ss__buf_release(&state->line);
        ss__free(state);
    }
}

static ss_status jsonl_open(const struct ss_folder_sparse_options *options, void **out,
                            ss_err *err)
{
    struct state *state = NULL;
    SS_ALLOC_OR_RETURN(state, 1);
    state->options = options;
    *out = state;
    return SS_OK;
}

static ss_status jsonl_add(void *opaque, const struct ss_folder_sparse_row *row, ss_err *err)
{
    struct state *state = opaque;
    struct ss__buf *line = &state->line;
    char number[SS__DOUBLE_TEXT_BYTES];
    line->n_bytes = 0;
    ss__buf_printf(line, "{\"row\": %" PRIu64 ", \"features\": [", row->id);
    for (size_t i = 0; i < row->n; i++) {
        ss__buf_printf(line, "%s%" PRIu32, i == 0 ? "" : ", ", row->features[i]);
    }
    ss__buf_add_text(line, "], \"activations\": [");
    for (size_t i = 0; i < row->n; i++) {
        ss__buf_add_text(line, i == 0 ? "" : ", ");
        ss__buf_add(line, number, ss__format_double((double)row->values[i], number));
    }
    ss__buf_add_text(line, "]");
    if (state->options->has_text && row->is_null) {
        ss__buf_add_text(line, ", \"text\": null");
    } else if (state->options->has_text) {
        ss__buf_add_text(line, ", \"text\": ");
        ss__json_add_string(line, row->text.data, row->text.n_bytes, false);
    }
    if (row->kept.n_bytes > 0) {
        ss__buf_add_text(line, ", \"kept\": ");
        ss__buf_add(line, row->kept.data, row->kept.n_bytes);
    }
    ss__buf_add_text(line, "}\n");
    const ss_status status = ss__buf_check(line, err);
    return status != SS_OK ? status
                           : ss__out_write(state->options->out, line->data, line->n_bytes, err);
}

static ss_status jsonl_commit(void *opaque, ss_err *err)
{
    struct state *state = opaque;
    return ss__out_commit(state->options->out, err);
}

const struct ss_folder_sparse_format ss_folder_sparse_jsonl = {
    .extension = ".jsonl",
    .holds_columns = true,
    .open = jsonl_open,
    .add = jsonl_add,
    .commit = jsonl_commit,
    .close = jsonl_close,
};
