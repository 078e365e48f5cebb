/* The scratch of a tokenizer between two calls into an encoder. */
#include <stdatomic.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

/* What a text of unusual length made larger is not kept. */
enum { MAX_SPARE_BYTES = 16 << 20 };

struct ss_encoder_spare {
    _Atomic(struct ss_tokenizer_token_scratch *) scratch; /* NULL: in use, or none yet */
};

ss_status ss_encoder_spare_new(struct ss_encoder_spare **out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(*out, 1);
    return SS_OK;
}

void ss_encoder_spare_free(struct ss_encoder_spare *spare)
{
    if (spare != NULL) {
        ss_tokenizer_token_scratch_free(atomic_load(&spare->scratch));
        ss__free(spare);
    }
}

ss_status ss_encoder_spare_take(struct ss_encoder_spare *spare,
                                struct ss_tokenizer_token_scratch **out, ss_err *err)
{
    *out = atomic_exchange(&spare->scratch, NULL);
    return *out != NULL ? SS_OK : ss_tokenizer_token_scratch_new(out, err);
}

void ss_encoder_spare_give(struct ss_encoder_spare *spare,
                           struct ss_tokenizer_token_scratch *scratch, ss_status status)
{
    struct ss_tokenizer_token_scratch *none = NULL;
    if (scratch == NULL || status != SS_OK ||
        ss_tokenizer_token_scratch_bytes(scratch) > MAX_SPARE_BYTES ||
        !atomic_compare_exchange_strong(&spare->scratch, &none, scratch)) {
        ss_tokenizer_token_scratch_free(scratch);
    }
}
