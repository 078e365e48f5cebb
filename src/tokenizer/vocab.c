#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

/* Make all ids up to `id` known, without texts. */
static ss_status reach(struct ss__vocab *vocab, size_t id, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(vocab->texts, vocab->n_texts_room, id + 1);
    for (; vocab->n_ids <= id; vocab->n_ids++) {
        vocab->texts[vocab->n_ids] = (struct ss__vocab_text){.length = SS__NO_TEXT};
    }
out:
    return status;
}

ss_status ss__vocab_add(struct ss__vocab *vocab, const char *text, size_t n_bytes, int64_t id,
                        ss_err *err)
{
    ss_status status = SS_OK;
    const int32_t previous = ss__trie_find(&vocab->trie, text, n_bytes);
    const size_t index = (size_t)id;
    if (id < 0 || id > SS__MAX_VOCAB_ID) {
        SS_FAIL(id < 0 ? SS_E_DATA : SS_E_LIMIT,
                "token '%.64s' has id %" PRId64 ", expected 0 to %d", text, id,
                SS__MAX_VOCAB_ID);
    }
    if (index < vocab->n_ids && vocab->texts[index].length != SS__NO_TEXT) {
        size_t n_other = 0;
        const char *other = ss__vocab_text(vocab, (int32_t)id, &n_other);
        SS_FAIL(SS_E_DATA, "tokens '%.*s' and '%.64s' have the same id %" PRId64,
                (int)ss__min_size(n_other, 64), other, text, id);
    }
    if (vocab->n_bytes + n_bytes >= SS__NO_TEXT) {
        SS_FAIL(SS_E_LIMIT, "the vocabulary has more than 4 GiB of text");
    }
    SS_TRY(reach(vocab, index, err));
    SS_GROW(vocab->bytes, vocab->n_bytes_room, vocab->n_bytes + n_bytes + 1); /* never NULL */
    SS_TRY(ss__trie_add(&vocab->trie, text, n_bytes, (int32_t)id, err));
    memcpy(vocab->bytes + vocab->n_bytes, text, n_bytes);
    vocab->texts[index] =
        (struct ss__vocab_text){.start = (uint32_t)vocab->n_bytes, .length = (uint32_t)n_bytes};
    vocab->n_bytes += n_bytes;
    if (previous >= 0) {
        vocab->texts[previous].length = SS__NO_TEXT;
    } else {
        vocab->n_texts++;
    }
out:
    return status;
}

const char *ss__vocab_text(const struct ss__vocab *vocab, int32_t id, size_t *n_bytes)
{
    if (id < 0 || (size_t)id >= vocab->n_ids || vocab->texts[id].length == SS__NO_TEXT) {
        return NULL;
    }
    *n_bytes = vocab->texts[id].length;
    return vocab->bytes + vocab->texts[id].start;
}

void ss__vocab_release(struct ss__vocab *vocab)
{
    ss__free(vocab->bytes);
    ss__free(vocab->texts);
    ss__trie_release(&vocab->trie);
    *vocab = (struct ss__vocab){0};
}
