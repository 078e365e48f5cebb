/* Memory of one thread that tokenizes: buffers that grow to the longest text, and the cache of words
 * (word_cache.c), which is nearly all of it. It outlives a text and may serve several tokenizers, one
 * after another: tokenize.c empties the cache where it is of another one. */
#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

enum { FIRST_IDS = 1 << 10 };

ss_status ss_tokenizer_token_scratch_new(struct ss_tokenizer_token_scratch **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    *out = NULL;
    SS_ALLOC(scratch, 1);
    SS_GROW(scratch->ids, scratch->ids_capacity, FIRST_IDS);
    SS_TRY(ss_tokenizer_word_cache_init(&scratch->cache, err));
    *out = scratch;
    scratch = NULL;
out:
    ss_tokenizer_token_scratch_free(scratch);
    return status;
}

void ss_tokenizer_token_scratch_free(struct ss_tokenizer_token_scratch *scratch)
{
    if (scratch == NULL) {
        return;
    }
    ss_tokenizer_word_cache_release(&scratch->cache);
    ss__free(scratch->ids);
    ss_tokenizer_normal_scratch_release(&scratch->normal);
    ss__buf_release(&scratch->raw);
    ss__buf_release(&scratch->segment);
    ss__buf_release(&scratch->normalized);
    for (size_t i = 0; i < SS_TOKENIZER_MAX_SPLITTERS; i++) {
        ss__buf_release(&scratch->edited[i]);
    }
    ss__free(scratch->symbols);
    ss__free(scratch->candidates);
    ss__free(scratch->lattice);
    ss__free(scratch);
}

size_t ss_tokenizer_token_scratch_bytes(const struct ss_tokenizer_token_scratch *scratch)
{
    size_t n = sizeof *scratch +
               SS_TOKENIZER_N_SHORT_ENTRIES * sizeof(struct ss_tokenizer_short_entry) +
               SS_TOKENIZER_N_LONG_ENTRIES * sizeof(struct ss_tokenizer_long_entry);
    n += scratch->ids_capacity * sizeof *scratch->ids + scratch->raw.capacity +
         scratch->segment.capacity + scratch->normalized.capacity;
    n += scratch->symbols_capacity * sizeof *scratch->symbols +
         scratch->candidates_capacity * sizeof *scratch->candidates +
         scratch->lattice_capacity * sizeof *scratch->lattice +
         ss_tokenizer_normal_scratch_bytes(&scratch->normal);
    for (size_t i = 0; i < SS_TOKENIZER_MAX_SPLITTERS; i++) {
        n += scratch->edited[i].capacity;
    }
    return n;
}

ss_status ss_tokenizer_scratch_push(struct ss_tokenizer_token_scratch *scratch,
                                    const int32_t *ids, size_t n, ss_err *err)
{
    SS_GROW_OR_RETURN(scratch->ids, scratch->ids_capacity, scratch->n_ids + n);
    for (size_t i = 0; i < n; i++) {
        scratch->ids[scratch->n_ids + i] = ids[i];
    }
    scratch->n_ids += n;
    return SS_OK;
}
