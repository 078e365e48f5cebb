/* Text to ids: added tokens are matched in the raw text, then out of the normalised text; what
 * is left between them goes to the kind of pieces.
 *
 * A text is copied once into memory with 64 readable bytes behind it, which all searches by
 * blocks rely on. Ids are gathered in the scratch until the limit is reached, since where a
 * text is cut off is known only then (and on the left only at its end), and are copied behind
 * each other into the batch. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

/* Known words belong to one tokenizer. A buffer that failed once may be used again. */
static void begin_text(const struct ss_tokenizer *self,
                       struct ss_tokenizer_token_scratch *scratch)
{
    if (scratch->cache_fingerprint != self->fingerprint) {
        ss_tokenizer_word_cache_clear(&scratch->cache);
        scratch->cache_fingerprint = self->fingerprint;
    }
    scratch->n_ids = 0;
    scratch->raw.failed = false;
    scratch->raw.n_bytes = 0;
    scratch->segment.failed = false;
    scratch->normalized.failed = false;
}

/* ---- tokens ---- */

void ss_tokenizer_tokens_reset(struct ss_tokenizer_tokens *tokens)
{
    tokens->n_texts = 0;
}

void ss_tokenizer_tokens_release(struct ss_tokenizer_tokens *tokens)
{
    ss__free(tokens->ids);
    ss__free(tokens->offsets);
    *tokens = (struct ss_tokenizer_tokens){0};
}

/* ---- segments ---- */

typedef ss_status (*add_plain_fn)(const struct ss_tokenizer *,
                                  struct ss_tokenizer_token_scratch *, const char *text,
                                  size_t n_bytes, ss_err *err);

/* Cut the tokens of a set out of a text; `add_plain` gets what is between them. */
static ss_status add_between(const struct ss_tokenizer *self,
                             struct ss_tokenizer_token_scratch *scratch,
                             const struct ss_tokenizer_added_set *set, struct ss_text text,
                             add_plain_fn add_plain, ss_err *err)
{
    struct ss_tokenizer_added_walk walk;
    struct ss_tokenizer_added_match match;
    ss_tokenizer_added_walk_init(&walk, &self->added, set, text.data, text.n_bytes);
    while (scratch->n_ids < scratch->max_ids && ss_tokenizer_added_next(&walk, &match)) {
        if (match.before < match.start) {
            SS_RETURN_IF_ERROR(add_plain(self, scratch, text.data + match.before,
                                         match.start - match.before, err));
        }
        SS_RETURN_IF_ERROR(ss_tokenizer_scratch_push(scratch, &match.token->id, 1, err));
    }
    if (walk.done < text.n_bytes) {
        SS_RETURN_IF_ERROR(
            add_plain(self, scratch, text.data + walk.done, text.n_bytes - walk.done, err));
    }
    return SS_OK;
}

/* A stretch of raw text that may hold tokens which are searched in normalised text. */
static ss_status add_with_normalized(const struct ss_tokenizer *self,
                                     struct ss_tokenizer_token_scratch *scratch,
                                     const char *text, size_t n_bytes, ss_err *err)
{
    if (ss_tokenizer_normalizer_keeps(&self->normalizer, text, n_bytes)) {
        return add_between(self, scratch, &self->added.normalized,
                           (struct ss_text){text, n_bytes}, self->model->add_normalized, err);
    }
    scratch->segment.n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_tokenizer_normalize(&self->normalizer, &scratch->normal, text,
                                              n_bytes, &scratch->segment, err));
    scratch->n_segment_start = text == scratch->text_start ? scratch->normal.n_start_bytes : 0;
    const struct ss_text normalized = {scratch->segment.data, scratch->segment.n_bytes};
    return add_between(self, scratch, &self->added.normalized, normalized,
                       self->model->add_normalized, err);
}

/* Copy what the limit leaves, between begin and end. */
static ss_status append_text(const struct ss_tokenizer *self,
                             const struct ss_tokenizer_token_scratch *scratch, size_t n_kept,
                             struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    size_t at = ss_tokenizer_tokens_n_ids(tokens);
    const size_t n_skipped = self->truncates_left ? scratch->n_ids - n_kept : 0;
    SS_GROW_OR_RETURN(tokens->offsets, tokens->offsets_capacity, tokens->n_texts + 2);
    SS_GROW_OR_RETURN(tokens->ids, tokens->ids_capacity,
                      at + self->n_begin + n_kept + self->n_end);
    tokens->offsets[tokens->n_texts] = at;
    for (size_t i = 0; i < self->n_begin; i++) {
        tokens->ids[at++] = self->begin[i];
    }
    for (size_t i = 0; i < n_kept; i++) {
        tokens->ids[at++] = scratch->ids[n_skipped + i];
    }
    for (size_t i = 0; i < self->n_end; i++) {
        tokens->ids[at++] = self->end[i];
    }
    tokens->offsets[++tokens->n_texts] = at;
    return SS_OK;
}

/* The limit holds for all ids of a text, those of the template included. Cut on the left, a
 * text has to be read to its end. */
ss_status ss_tokenizer_tokenize(const struct ss_tokenizer *self,
                                struct ss_tokenizer_token_scratch *scratch, struct ss_text text,
                                size_t max_ids, struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    const size_t n_special = self->n_begin + self->n_end;
    const size_t limit = max_ids == 0 ? SIZE_MAX : max_ids - ss__min_size(n_special, max_ids);
    begin_text(self, scratch);
    scratch->max_ids = self->truncates_left ? SIZE_MAX : limit;
    if (text.n_bytes > 0 && ss__utf8_valid_prefix(text.data, text.n_bytes) < text.n_bytes) {
        (void)ss__utf8_repair(text.data, text.n_bytes, &scratch->raw);
    } else {
        ss__buf_add(&scratch->raw, text.data, text.n_bytes);
    }
    ss_tokenizer_pad_text(&scratch->raw);
    SS_RETURN_IF_ERROR(ss__buf_check(&scratch->raw, err));
    text = (struct ss_text){scratch->raw.data, scratch->raw.n_bytes};
    scratch->text_start = text.data;
    SS_RETURN_IF_ERROR(add_between(
        self, scratch, &self->added.raw, text,
        self->added.normalized.n_tokens > 0 ? add_with_normalized : self->model->add_raw, err));
    return append_text(self, scratch, ss__min_size(scratch->n_ids, limit), tokens, err);
}
