/* The rule "batch" of a batch-top-k SAE: of every batch of B rows in order the k B largest
 * activations stay, as in training. */
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

/* Append the rows of `part` to `out`. */
static ss_status append_rows(struct ss_sparse *out, const struct ss_sparse *part, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_before = out->offsets[out->n_rows];
    const size_t n_more = part->offsets[part->n_rows];
    size_t room = out->n_values_room;
    SS_GROW(out->features, room, n_before + n_more);
    room = out->n_values_room;
    SS_GROW(out->values, room, n_before + n_more);
    out->n_values_room = room;
    if (n_more > 0) {
        memcpy(out->features + n_before, part->features, n_more * sizeof *part->features);
        memcpy(out->values + n_before, part->values, n_more * sizeof *part->values);
    }
    for (size_t r = 0; r < part->n_rows; r++) {
        out->offsets[out->n_rows + r + 1] = n_before + part->offsets[r + 1];
    }
    out->n_rows += part->n_rows;
out:
    return status;
}

ss_status ss__sae_encode_batches(const struct ss_sae *sae, ss_work *work,
                                 const struct ss__rows *rows, struct ss_sparse *out,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sparse part = {0};
    const size_t batch_rows = sae->options.batch_rows, n = rows->n;
    out->n_rows = 0;
    SS_GROW(out->offsets, out->n_rows_room, n + 1);
    out->offsets[0] = 0;
    for (size_t at = 0; at < n; at += batch_rows) {
        const size_t n_batch = ss__min_size(batch_rows, n - at);
        const struct ss__rows batch = {
            .x = rows->x + at * sae->width, .n = n_batch, .first = at};
        size_t n_kept = 0;
        SS_TRY(ss__sae_encode_part(sae, SS__SELECT_ABOVE, work, &batch, &part, NULL, err));
        if (ss__mul(sae->top_k, n_batch, &n_kept)) {
            SS_TRY(ss__sparse_keep_strongest(&part, n_kept, err));
        }
        SS_TRY(append_rows(out, &part, err));
    }
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    ss_sparse_release(&part);
    return status;
}
