/* Filling masks: the language-model head at the mask tokens of one text, the best
 * candidates, and the text with each of them in place (docs/spec/encoders.md, §3.1). The
 * rules are those of transformers' fill-mask pipeline: a softmax over the whole vocabulary,
 * of equal scores the lower id, and a text of one mask is decoded without special tokens,
 * one of several with them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "encoder/encoder_priv.h"

/* One text on its way. */
struct filling {
    const ss_encoder *encoder;
    struct ss_tokenizer_tokens tokens;
    size_t *masks; /* where the masks stand */
    size_t n_masks;
    float *scores; /* [n_masks, n_vocab] */
};

/* Without a limit: a text that is cut might lose its mask, so a long one is an error
 * instead. */
static ss_status tokenize(struct filling *f, ss_work *work, struct ss_text text, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    const size_t limit = ss_encoder_config_max_tokens(&f->encoder->config);
    SS_TRY(ss_encoder_scratch(work, &scratch, err));
    SS_TRY(
        ss_tokenizer_tokenize(f->encoder->mask_tokenizer, scratch, text, 0, &f->tokens, err));
    const size_t n = ss_tokenizer_tokens_n_ids(&f->tokens);
    SS_TRY(ss_encoder_check_ids(f->encoder, f->encoder->mask_tokenizer, f->tokens.ids, n, err));
    if (n > limit) {
        SS_FAIL(
            SS_E_DATA,
            "the text has %zu tokens, but the model has positions for %zu; shorten the text", n,
            limit);
    }
out:
    ss_encoder_scratch_end(work, status);
    return status;
}

/* Say how this model spells its mask. */
static ss_status fail_without_mask(const ss_encoder *encoder, int32_t mask, ss_err *err)
{
    char *name = NULL;
    ss_status status =
        ss_tokenizer_detokenize(encoder->mask_tokenizer, &mask, 1, false, &name, err);
    if (status == SS_OK) {
        status = ss__fail(err, SS_E_DATA,
                          "the text holds no mask; write %s where a word is to be found", name);
    }
    ss__free(name);
    return status;
}

static ss_status find_masks(struct filling *f, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = ss_tokenizer_tokens_n_ids(&f->tokens);
    const int32_t mask = ss_tokenizer_specials(f->encoder->mask_tokenizer).mask;
    if (mask < 0) {
        SS_FAIL(SS_E_UNSUPPORTED, "%s: the tokenizer has no mask token", f->encoder->path);
    }
    SS_ALLOC(f->masks, n);
    for (size_t i = 0; i < n; i++) {
        if (f->tokens.ids[i] == mask) {
            f->masks[f->n_masks++] = i;
        }
    }
    if (f->n_masks == 0) {
        status = fail_without_mask(f->encoder, mask, err);
    }
out:
    return status;
}

/* The head runs for the masks' rows alone, which are copied together since masks may be far
 * apart. */
static ss_status score(struct filling *f, ss_work *work, ss_err *err)
{
    const size_t width = f->encoder->config.width;
    const size_t n_vocab = f->encoder->config.n_vocab;
    const size_t offsets[2] = {0, ss_tokenizer_tokens_n_ids(&f->tokens)};
    const struct ss_encoder_batch batch = {
        .ids = f->tokens.ids, .offsets = offsets, .n_sequences = 1};
    float *hidden = NULL;
    float *rows = NULL;
    SS_RETURN_IF_ERROR(ss_encoder_transformer_run(f->encoder, work, &batch, &hidden, err));
    rows =
        ss_tensor_work_scratch(work, SS_TENSOR_SLOT_POOLED, f->n_masks * width * sizeof *rows);
    if (rows == NULL) {
        return ss__fail_nomem(err, "mask rows");
    }
    for (size_t i = 0; i < f->n_masks; i++) {
        memcpy(rows + i * width, hidden + f->masks[i] * width, width * sizeof *rows);
    }
    SS_ALLOC_OR_RETURN(f->scores, f->n_masks * n_vocab);
    return ss_encoder_mask_head_run(f->encoder, work, rows, f->n_masks, f->scores, err);
}

/* A total order, so that qsort gives one result everywhere. */
static int compare_candidates(const void *a, const void *b)
{
    const struct ss_mask_candidate *x = a;
    const struct ss_mask_candidate *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->token > y->token) - (x->token < y->token);
}

/* The k best of every mask, best first, lower id first among equals. */
static ss_status pick_best(const struct filling *f, struct ss_mask_result *result, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_vocab = f->encoder->config.n_vocab;
    struct ss_mask_candidate *all = NULL;
    SS_ALLOC(all, n_vocab);
    for (size_t i = 0; i < f->n_masks; i++) {
        for (size_t id = 0; id < n_vocab; id++) {
            all[id].score = f->scores[i * n_vocab + id];
            all[id].token = (int32_t)id;
        }
        ss__sort(all, n_vocab, sizeof *all, compare_candidates);
        memcpy(result->candidates + i * result->n_candidates, all,
               result->n_candidates * sizeof *all);
    }
out:
    ss__free(all);
    return status;
}

/* The text of all ids with `token` at mask `at`, without padding. */
static ss_status put_in_place(const struct filling *f, size_t at, int32_t token, char **out,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = ss_tokenizer_tokens_n_ids(&f->tokens);
    const int32_t pad = ss_tokenizer_specials(f->encoder->mask_tokenizer).pad;
    int32_t *ids = NULL;
    size_t n_kept = 0;
    SS_ALLOC(ids, n);
    for (size_t i = 0; i < n; i++) {
        const int32_t id = i == at ? token : f->tokens.ids[i];
        if (id != pad) {
            ids[n_kept++] = id;
        }
    }
    SS_TRY(ss_tokenizer_detokenize(f->encoder->mask_tokenizer, ids, n_kept, f->n_masks == 1,
                                   out, err));
out:
    ss__free(ids);
    return status;
}

static ss_status name_candidates(const struct filling *f, struct ss_mask_result *result,
                                 ss_err *err)
{
    for (size_t i = 0; i < result->n_masks * result->n_candidates; i++) {
        struct ss_mask_candidate *c = &result->candidates[i];
        SS_RETURN_IF_ERROR(ss_tokenizer_detokenize(f->encoder->mask_tokenizer, &c->token, 1,
                                                   false, &c->token_str, err));
        SS_RETURN_IF_ERROR(
            put_in_place(f, f->masks[i / result->n_candidates], c->token, &c->sequence, err));
    }
    return SS_OK;
}

ss_status ss_fill_mask(const ss_encoder *encoder, ss_work *work, struct ss_text text,
                       size_t top_k, struct ss_mask_result *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct filling f = {.encoder = encoder};
    *out = (struct ss_mask_result){0};
    if (!encoder->has_head) {
        SS_FAIL(SS_E_UNSUPPORTED, "%s was opened without its language-model head",
                encoder->path);
    }
    if (top_k == 0) {
        SS_FAIL(SS_E_USAGE, "at least one candidate must be asked for");
    }
    SS_TRY(tokenize(&f, work, text, err));
    SS_TRY(find_masks(&f, err));
    SS_TRY(score(&f, work, err));
    const size_t k = ss__min_size(top_k, encoder->config.n_vocab);
    SS_ALLOC(out->candidates, f.n_masks * k);
    out->n_masks = f.n_masks;
    out->n_candidates = k;
    SS_TRY(pick_best(&f, out, err));
    SS_TRY(name_candidates(&f, out, err));
out:
    if (status != SS_OK) {
        ss_mask_result_release(out);
    }
    ss_tokenizer_tokens_release(&f.tokens);
    ss__free(f.masks);
    ss__free(f.scores);
    return status;
}

void ss_mask_result_release(struct ss_mask_result *result)
{
    for (size_t i = 0; i < result->n_masks * result->n_candidates; i++) {
        ss__free(result->candidates[i].token_str);
        ss__free(result->candidates[i].sequence);
    }
    ss__free(result->candidates);
    *result = (struct ss_mask_result){0};
}
