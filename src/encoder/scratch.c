/* The scratch of a tokenizer, which a workspace keeps from one call into an encoder to the
 * next: it takes longer to make than a text to tokenize. Words that it remembers are told apart
 * by the tokenizer they were met with, so that encoders may share a workspace. */
#include "encoder/encoder_priv.h"
#include "tensor/tensor.h"

/* A scratch that an unusually long text made large is not cached. */
enum { MAX_KEPT_BYTES = 16 << 20 };

static void release(void *scratch)
{
    ss_tokenizer_token_scratch_free(scratch);
}

ss_status ss_encoder_scratch(ss_work *work, struct ss_tokenizer_token_scratch **out,
                             ss_err *err)
{
    *out = ss_tensor_work_object(work);
    if (*out == NULL) {
        SS_RETURN_IF_ERROR(ss_tokenizer_token_scratch_new(out, err));
        ss_tensor_work_set_object(work, *out, release);
    }
    return SS_OK;
}

void ss_encoder_scratch_end(ss_work *work, ss_status status)
{
    const struct ss_tokenizer_token_scratch *scratch = ss_tensor_work_object(work);
    if (scratch != NULL &&
        (status != SS_OK || ss_tokenizer_token_scratch_bytes(scratch) > MAX_KEPT_BYTES)) {
        ss_tensor_work_set_object(work, NULL, NULL);
    }
}
