/* Ids need not be contiguous: published vocabularies have gaps, and tokens that were added
 * behind others. A gap is an id without a text, which is no error until a text needs it. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

/* Make all ids up to `id` known, without texts. */
static ss_status reach(struct ss_tokenizer_vocab *vocab, size_t id, ss_err *err)
{
    SS_GROW_OR_RETURN(vocab->texts, vocab->texts_capacity, id + 1);
    for (; vocab->n_ids <= id; vocab->n_ids++) {
        vocab->texts[vocab->n_ids] =
            (struct ss_tokenizer_vocab_text){.length = SS_TOKENIZER_NO_TEXT};
    }
    return SS_OK;
}

/* Of a text that comes twice the later id counts, and the earlier becomes a gap, as in the
 * reference's map. */
ss_status ss_tokenizer_vocab_add(struct ss_tokenizer_vocab *vocab, const char *text,
                                 size_t n_bytes, int64_t id, ss_err *err)
{
    const int32_t previous = ss_tokenizer_trie_find(&vocab->trie, text, n_bytes);
    const size_t index = (size_t)id;
    if (id < 0 || id > SS_TOKENIZER_MAX_VOCAB_ID) {
        return ss__fail(err, id < 0 ? SS_E_DATA : SS_E_LIMIT,
                        "token '%.64s' has id %" PRId64 ", expected 0 to %d", text, id,
                        SS_TOKENIZER_MAX_VOCAB_ID);
    }
    if (index < vocab->n_ids && vocab->texts[index].length != SS_TOKENIZER_NO_TEXT) {
        size_t n_other = 0;
        const char *other = ss_tokenizer_vocab_text(vocab, (int32_t)id, &n_other);
        return ss__fail(err, SS_E_DATA, "tokens '%.*s' and '%.64s' have the same id %" PRId64,
                        (int)ss__min_size(n_other, 64), other, text, id);
    }
    if (vocab->n_bytes + n_bytes >= SS_TOKENIZER_NO_TEXT) {
        return ss__fail(err, SS_E_LIMIT, "the vocabulary has more than 4 GiB of text");
    }
    SS_RETURN_IF_ERROR(reach(vocab, index, err));
    SS_GROW_OR_RETURN(vocab->bytes, vocab->bytes_capacity,
                      vocab->n_bytes + n_bytes + 1); /* never NULL */
    SS_RETURN_IF_ERROR(ss_tokenizer_trie_add(&vocab->trie, text, n_bytes, (int32_t)id, err));
    memcpy(vocab->bytes + vocab->n_bytes, text, n_bytes);
    vocab->texts[index] = (struct ss_tokenizer_vocab_text){.start = (uint32_t)vocab->n_bytes,
                                                           .length = (uint32_t)n_bytes};
    vocab->n_bytes += n_bytes;
    if (previous >= 0) {
        vocab->texts[previous].length = SS_TOKENIZER_NO_TEXT;
    } else {
        vocab->n_texts++;
    }
    return SS_OK;
}

const char *ss_tokenizer_vocab_text(const struct ss_tokenizer_vocab *vocab, int32_t id,
                                    size_t *n_bytes)
{
    if (id < 0 || (size_t)id >= vocab->n_ids ||
        vocab->texts[id].length == SS_TOKENIZER_NO_TEXT) {
        return NULL;
    }
    *n_bytes = vocab->texts[id].length;
    return vocab->bytes + vocab->texts[id].start;
}

void ss_tokenizer_vocab_release(struct ss_tokenizer_vocab *vocab)
{
    ss__free(vocab->bytes);
    ss__free(vocab->texts);
    ss_tokenizer_trie_release(&vocab->trie);
    *vocab = (struct ss_tokenizer_vocab){0};
}

size_t ss_tokenizer_n_vocab(const struct ss_tokenizer *self)
{
    return ss__max_size(self->vocab.n_ids, self->added.end_id);
}
