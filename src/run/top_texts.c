/* top_texts.jsonl: where the top texts come from, a line for each of top_activations.json, in
 * the same order. Written when columns of the dataset are carried along (docs/formats.md). */
#include <inttypes.h>

#include "base/json_write.h"
#include "base/number.h"
#include "base/output.h"
#include "run/results.h"

bool ss__run_has_kept(const struct ss_run *run)
{
    return run->top_offsets[run->info.n_features] > 0 && run->tops[0].kept.n_bytes > 0;
}

static void add_line(struct ss__buf *buf, size_t feature, size_t rank,
                     const struct ss_top_text *top)
{
    char number[SS__DOUBLE_TEXT_BYTES];
    ss__buf_printf(buf, "{\"feature\": %zu, \"rank\": %zu, \"activation\": ", feature, rank);
    ss__buf_add(buf, number, ss__format_double((double)top->activation, number));
    ss__buf_printf(buf, ", \"row\": %" PRIu64 ", \"text\": ", top->row);
    ss__json_add_string(buf, top->text.data, top->text.n_bytes, false);
    ss__buf_add_text(buf, ", ");
    ss__buf_add(buf, top->kept.data + 1, top->kept.n_bytes - 1); /* but for its "{" */
    ss__buf_add_byte(buf, '\n');
}

ss_status ss__top_texts_write(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf buf = {0};
    SS_TRY(ss__out_open(path, &out, err));
    for (size_t f = 0; f < run->info.n_features; f++) {
        SS_TRY(ss__check_stop(run->asking, err));
        for (size_t rank = 0; rank < run->features[f].n_top; rank++) {
            add_line(&buf, f, rank, &run->tops[run->top_offsets[f] + rank]);
        }
        SS_TRY(ss__buf_check(&buf, err));
        SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
        buf.n_bytes = 0;
    }
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&buf);
    return status;
}
