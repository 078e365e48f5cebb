/* Embedding texts: two halves, tokenising and the forward pass, which pass/ overlaps;
 * ss_encoder_embed does both for one batch after the other. */
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

static ss_status fail_without_row(const ss_encoder *encoder,
                                  const struct ss_tokenizer *tokenizer, int32_t id, ss_err *err)
{
    char *name = NULL;
    const bool named = ss_tokenizer_detokenize(tokenizer, &id, 1, false, &name, NULL) == SS_OK;
    const ss_status status =
        ss__fail(err, SS_E_DATA,
                 "the text has the token '%.80s' (id %d), but %s has only %zu rows of word "
                 "embeddings; leave the token out, or resize the model's embeddings",
                 named ? name : "", id, encoder->path, encoder->config.n_vocab);
    ss__free(name);
    return status;
}

/* Ids are compared only where the tokenizer has more of them than the model has rows. */
ss_status ss_encoder_check_ids(const ss_encoder *encoder, const struct ss_tokenizer *tokenizer,
                               const int32_t *ids, size_t n_ids, ss_err *err)
{
    const size_t n_rows = encoder->config.n_vocab;
    if (ss_tokenizer_has_types(tokenizer) && encoder->transformer.type != NULL) {
        return ss__fail(err, SS_E_UNSUPPORTED,
                        "%s: the tokenizer gives tokens of a single text other types than 0 "
                        "(token_type_ids), which are not read",
                        encoder->path);
    }
    for (size_t i = 0; ss_tokenizer_n_vocab(tokenizer) > n_rows && i < n_ids; i++) {
        if ((size_t)ids[i] >= n_rows) {
            return fail_without_row(encoder, tokenizer, ids[i], err);
        }
    }
    return SS_OK;
}

/* The ids of a text, of which the model need not have all. */
static ss_status tokenize(const ss_encoder *encoder, struct ss_tokenizer_token_scratch *scratch,
                          struct ss_text text, struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf whole = {0};
    if (encoder->prompt[0] != '\0') {
        ss__buf_add_text(&whole, encoder->prompt);
        ss__buf_add(&whole, text.data, text.n_bytes);
        SS_TRY(ss__buf_check(&whole, err));
        text = (struct ss_text){whole.data, whole.n_bytes};
    }
    SS_TRY(ss_tokenizer_tokenize(encoder->tokenizer, scratch, text, encoder->max_tokens, tokens,
                                 err));
out:
    ss__buf_release(&whole);
    return status;
}

ss_status ss_encoder_tokenize_text(const ss_encoder *encoder,
                                   struct ss_tokenizer_token_scratch *scratch,
                                   struct ss_text text, struct ss_tokenizer_tokens *tokens,
                                   ss_err *err)
{
    const size_t n_before = ss_tokenizer_tokens_n_ids(tokens);
    SS_RETURN_IF_ERROR(tokenize(encoder, scratch, text, tokens, err));
    return ss_encoder_check_ids(encoder, encoder->tokenizer, tokens->ids + n_before,
                                ss_tokenizer_tokens_n_ids(tokens) - n_before, err);
}

/* A row's result does not depend on its batch, so that cutting texts into batches is free to
 * serve speed and memory alone. An error names the text by its index. */
ss_status ss_encoder_embed(const ss_encoder *encoder, ss_work *work,
                           const struct ss_text *texts, size_t n, float *out,
                           uint64_t *n_tokens, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t budget = ss_encoder_batch_tokens(encoder);
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    uint64_t total = 0;
    SS_TRY(ss_encoder_scratch(work, &scratch, err));
    for (size_t i = 0; i < n;) {
        const size_t first = i;
        ss_tokenizer_tokens_reset(&tokens);
        /* one text more than fits would be a batch of its own: stop short of it */
        while (i < n && ss_tokenizer_tokens_n_ids(&tokens) + encoder->max_tokens <=
                            ss__max_size(budget, encoder->max_tokens)) {
            status = ss_encoder_tokenize_text(encoder, scratch, texts[i], &tokens, err);
            if (status != SS_OK) {
                ss__err_at_row(err, i);
                goto out;
            }
            i++;
        }
        SS_TRY(ss_encoder_forward(encoder, work, &tokens, out + first * encoder->width, err));
        total += ss_tokenizer_tokens_n_ids(&tokens);
    }
    if (n_tokens != NULL) {
        *n_tokens = total;
    }
out:
    ss_tokenizer_tokens_release(&tokens);
    ss_encoder_scratch_end(work, status);
    return status;
}

ss_status ss_encoder_tokenize(const ss_encoder *encoder, ss_work *work, struct ss_text text,
                              int32_t **ids, size_t *n_ids, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    *ids = NULL;
    *n_ids = 0;
    SS_TRY(ss_encoder_scratch(work, &scratch, err));
    SS_TRY(tokenize(encoder, scratch, text, &tokens, err));
    *n_ids = ss_tokenizer_tokens_n_ids(&tokens);
    *ids = tokens.ids;
    tokens.ids = NULL;
out:
    ss_tokenizer_tokens_release(&tokens);
    ss_encoder_scratch_end(work, status);
    return status;
}

void ss_ids_free(int32_t *ids)
{
    ss__free(ids);
}
