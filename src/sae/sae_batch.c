/* The rule "batch" of a batch-top-k SAE: of every batch of B rows in order the k B largest
 * activations stay, as in training. */
#include "base/mem.h"
#include "sae/sae_priv.h"

ss_status ss_sae_encode_batches(const struct ss_sae *sae, ss_work *work,
                                const struct ss_sae_rows *rows, struct ss_sparse *out,
                                ss_err *err)
{
    const size_t batch_rows = sae->options.batch_rows, n = rows->n;
    for (size_t at = 0; at < n; at += batch_rows) {
        const struct ss_sae_rows batch = {
            .x = rows->x + at * sae->width, .n = ss__min_size(batch_rows, n - at), .first = at};
        const size_t first_row = out->n_rows;
        size_t n_kept = 0;
        SS_RETURN_IF_ERROR(
            ss_sae_encode_part(sae, SS_SAE_SELECT_ABOVE, work, &batch, out, NULL, err));
        if (ss__mul(sae->top_k, batch.n, &n_kept)) {
            ss_sae_sparse_keep_strongest(out, first_row, n_kept);
        }
    }
    return SS_OK;
}
