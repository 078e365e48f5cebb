/* Plain stretches of text through normaliser, splitters and model, word by word, and the memory
 * of the words that were met before. */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

/* ---- known words ---- */

static bool is_word(const struct ss__known_word *known, uint64_t hash,
                    const struct ss_text *word)
{
    return known->hash == hash && known->n_bytes == word->n_bytes &&
           memcmp(known->bytes, word->data, word->n_bytes) == 0;
}

struct ss__known_word *ss__known_word(struct ss__token_scratch *scratch,
                                      const struct ss_text *word, bool *is_known)
{
    *is_known = false;
    if (word->n_bytes == 0 || word->n_bytes > sizeof scratch->known->bytes) {
        return NULL;
    }
    const uint64_t hash = ss__hash64(word->data, word->n_bytes);
    struct ss__known_word *pair = &scratch->known[hash % SS__N_KNOWN_WORDS & ~(uint64_t)1];
    scratch->known_hash = hash;
    for (size_t i = 0; i < 2 && !*is_known; i++) {
        *is_known = is_word(&pair[i], hash, word);
        pair += *is_known ? i : 0;
    }
    return pair;
}

void ss__known_keep(struct ss__token_scratch *scratch, struct ss__known_word *place,
                    const struct ss_text *word, size_t n_before)
{
    const size_t n = scratch->n_ids - n_before;
    if (place == NULL || n > sizeof place->ids / sizeof place->ids[0] ||
        scratch->n_ids >= scratch->max_ids) {
        return;
    }
    place[1] = place[0]; /* of two that share a place the newer one stays longer */
    place->hash = scratch->known_hash;
    place->n_bytes = (uint8_t)word->n_bytes;
    place->n_ids = (uint8_t)n;
    memcpy(place->bytes, word->data, word->n_bytes);
    memcpy(place->ids, scratch->ids + n_before, n * sizeof place->ids[0]);
}

ss_status ss__add_known_word(const struct ss__tokenizer *self,
                             struct ss__token_scratch *scratch, const struct ss_text *word,
                             ss_err *err)
{
    bool is_known = false;
    const size_t n_before = scratch->n_ids;
    struct ss__known_word *place = ss__known_word(scratch, word, &is_known);
    if (is_known) {
        return ss__scratch_push(scratch, place->ids, place->n_ids, err);
    }
    const ss_status status = self->kind->add_word(self, scratch, word, err);
    if (status == SS_OK) {
        ss__known_keep(scratch, place, word, n_before);
    }
    return status;
}

/* ---- stretches ---- */

ss_status ss__add_words(const struct ss__tokenizer *self, struct ss__token_scratch *scratch,
                        const char *text, size_t n_bytes, ss_err *err)
{
    const bool at_start = text == scratch->text_start ||
                          (text == scratch->segment.data && scratch->segment_at_start);
    const struct ss__piece piece = {.text = {text, n_bytes}, .at_start = at_start};
    return n_bytes == 0 ? SS_OK : ss__split(self, scratch, 0, piece, err);
}

ss_status ss__add_words_raw(const struct ss__tokenizer *self, struct ss__token_scratch *scratch,
                            const char *text, size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    if (ss__normalizer_keeps(&self->normalizer, text, n_bytes)) {
        return ss__add_words(self, scratch, text, n_bytes, err);
    }
    scratch->segment.n_bytes = 0;
    SS_TRY(ss__normalize(&self->normalizer, &scratch->normal, text, n_bytes, &scratch->segment,
                         err));
    scratch->segment_at_start = text == scratch->text_start && !scratch->normal.lost_start;
    SS_TRY(ss__add_words(self, scratch, scratch->segment.data, scratch->segment.n_bytes, err));
out:
    return status;
}
