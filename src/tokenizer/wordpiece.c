/* WordPiece: words become the longest pieces of the vocabulary that fit, left to right.
 *
 * Printable ASCII needs no normaliser but lower-casing, and neither ASCII white space nor ASCII
 * punctuation can be changed by what stands beside it. So raw text is cut at those, and each
 * stretch between them is a unit: pure ASCII ones are split at once, others go through the
 * normaliser, and the ids of both are remembered by the stretch's raw bytes.
 * docs/spec/encoders.md, §6. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer/unicode.h"

typedef enum byte_class {
    BYTE_WORD, /* printable ASCII */
    BYTE_SLOW, /* a control, or part of a longer code point: for the normaliser */
    BYTE_SPACE,
    BYTE_PUNCTUATION
} byte_class;

ss_status ss_tokenizer_wordpiece_prepare(struct ss_tokenizer *self, ss_err *err)
{
    const size_t n_prefix = strlen(self->prefix);
    self->continuing = ss_tokenizer_trie_walk(&self->vocab.trie, self->prefix, n_prefix);
    if (self->continuing == SS_TOKENIZER_TRIE_ROOT && n_prefix > 0) {
        self->continuing = SS_TOKENIZER_NO_NODE;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        const bool printable = byte >= 0x20 && byte < 0x7F;
        self->byte_class[byte] = printable ? BYTE_WORD : BYTE_SLOW;
        if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
            self->byte_class[byte] = BYTE_SPACE;
        } else if (printable && ss_tokenizer_char_class_of(byte) == SS_TOKENIZER_CHAR_PUNCT) {
            const char text = (char)byte;
            const int32_t id = ss_tokenizer_trie_find(&self->vocab.trie, &text, 1);
            self->byte_class[byte] = BYTE_PUNCTUATION;
            self->punctuation[byte] = id < 0 || self->max_word_points == 0 ? self->unknown : id;
        }
    }
    if (self->vocab.n_texts == 0) {
        return ss__fail(err, SS_E_DATA, "the vocabulary is empty");
    }
    return SS_OK;
}

/* Append the pieces of a normalised word; n_points is the number of its code points. */
static ss_status add_word(const struct ss_tokenizer *self,
                          struct ss_tokenizer_token_scratch *scratch, const char *word,
                          size_t n_bytes, size_t n_points, ss_err *err)
{
    const struct ss_tokenizer_trie *trie = &self->vocab.trie;
    const size_t n_before = scratch->n_ids;
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    bool fits = n_points <= self->max_word_points;
    SS_GROW_OR_RETURN(scratch->ids, scratch->ids_capacity, n_before + n_bytes);
    for (size_t at = 0; at < n_bytes && fits;) {
        size_t n_matched = 0;
        const int32_t id =
            node == SS_TOKENIZER_NO_NODE
                ? -1
                : ss_tokenizer_trie_longest(trie, node, word + at, n_bytes - at, &n_matched);
        scratch->ids[scratch->n_ids] = id;
        scratch->n_ids++;
        at += n_matched;
        fits = id >= 0;
        node = self->continuing;
    }
    if (!fits) { /* one unknown part makes the whole word unknown */
        scratch->ids[n_before] = self->unknown;
        scratch->n_ids = n_before + 1;
    }
    return SS_OK;
}

/* Split normalised text at white space and around punctuation. */
static ss_status add_normalized(const struct ss_tokenizer *self,
                                struct ss_tokenizer_token_scratch *scratch, const char *text,
                                size_t n_bytes, ss_err *err)
{
    size_t start = 0, n_points = 0; /* of the word that is being read */
    for (size_t at = 0; at < n_bytes && scratch->n_ids < scratch->max_ids;) {
        uint32_t c = SS__REPLACEMENT;
        const size_t n = ss__max_size(ss__utf8_decode(text + at, n_bytes - at, &c), 1);
        const bool space = ss__is_white_space(c);
        const bool cuts = space || ss_tokenizer_char_class_of(c) == SS_TOKENIZER_CHAR_PUNCT;
        if (cuts && n_points > 0) {
            SS_RETURN_IF_ERROR(
                add_word(self, scratch, text + start, at - start, n_points, err));
            n_points = 0;
        }
        if (cuts && !space) {
            SS_RETURN_IF_ERROR(add_word(self, scratch, text + at, n, 1, err));
        } else if (!cuts) {
            start = n_points == 0 ? at : start;
            n_points++;
        }
        at += n;
    }
    if (n_points > 0) {
        SS_RETURN_IF_ERROR(
            add_word(self, scratch, text + start, n_bytes - start, n_points, err));
    }
    return SS_OK;
}

/* Append the ids of a stretch of printable ASCII without punctuation. */
static ss_status add_ascii(const struct ss_tokenizer *self,
                           struct ss_tokenizer_token_scratch *scratch, const char *text,
                           size_t n_bytes, ss_err *err)
{
    struct ss__buf *lowered = &scratch->normalized;
    if (!self->normalizer.lowers_ascii || n_bytes > self->max_word_points) {
        return add_word(self, scratch, text, n_bytes, n_bytes, err);
    }
    lowered->n_bytes = 0;
    char *place = ss__buf_reserve(lowered, n_bytes);
    if (place == NULL) {
        return ss__buf_check(lowered, err);
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const char c = text[i];
        place[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return add_word(self, scratch, place, n_bytes, n_bytes, err);
}

/* Append the ids of a stretch without ASCII white space or punctuation. */
static ss_status add_stretch(const struct ss_tokenizer *self,
                             struct ss_tokenizer_token_scratch *scratch, const char *text,
                             size_t n_bytes, bool slow, ss_err *err)
{
    if (!slow) {
        return add_ascii(self, scratch, text, n_bytes, err);
    }
    scratch->normalized.n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_tokenizer_normalize(&self->normalizer, &scratch->normal, text,
                                              n_bytes, &scratch->normalized, err));
    return add_normalized(self, scratch, scratch->normalized.data, scratch->normalized.n_bytes,
                          err);
}

/* The same through the memory of the words that were met before. */
static ss_status add_known(const struct ss_tokenizer *self,
                           struct ss_tokenizer_token_scratch *scratch,
                           const struct ss_text *text, bool slow, ss_err *err)
{
    const size_t n_before = scratch->n_ids;
    if (ss_tokenizer_scratch_push_cached(scratch, text)) {
        return SS_OK;
    }
    const ss_status status = add_stretch(self, scratch, text->data, text->n_bytes, slow, err);
    if (status == SS_OK) {
        ss_tokenizer_scratch_cache_word(scratch, text, n_before);
    }
    return status;
}

static ss_status add_raw(const struct ss_tokenizer *self,
                         struct ss_tokenizer_token_scratch *scratch, const char *text,
                         size_t n_bytes, ss_err *err)
{
    const uint8_t *class_of = self->byte_class;
    for (size_t at = 0; at < n_bytes && scratch->n_ids < scratch->max_ids;) {
        const uint8_t byte = (uint8_t)text[at];
        if (class_of[byte] == BYTE_SPACE) {
            at++;
            continue;
        }
        if (class_of[byte] == BYTE_PUNCTUATION) {
            SS_RETURN_IF_ERROR(
                ss_tokenizer_scratch_push(scratch, &self->punctuation[byte], 1, err));
            at++;
            continue;
        }
        const size_t start = at;
        unsigned seen = 0;
        /* words and what is slow are the two lowest classes */
        for (; at < n_bytes && class_of[(uint8_t)text[at]] <= BYTE_SLOW; at++) {
            seen |= class_of[(uint8_t)text[at]];
        }
        const struct ss_text stretch = {text + start, at - start};
        SS_RETURN_IF_ERROR(add_known(self, scratch, &stretch, seen == BYTE_SLOW, err));
    }
    return SS_OK;
}

/* A word that a splitter left. */
static ss_status add_split_word(const struct ss_tokenizer *self,
                                struct ss_tokenizer_token_scratch *scratch,
                                const struct ss_text *word, ss_err *err)
{
    size_t n_points = 0;
    for (size_t i = 0; i < word->n_bytes; i++) {
        n_points += ((uint8_t)word->data[i] & 0xC0) != 0x80;
    }
    return add_word(self, scratch, word->data, word->n_bytes, n_points, err);
}

/* WordLevel: a word as a whole. */
static ss_status add_whole_word(const struct ss_tokenizer *self,
                                struct ss_tokenizer_token_scratch *scratch,
                                const struct ss_text *word, ss_err *err)
{
    const int32_t id = ss_tokenizer_trie_find(&self->vocab.trie, word->data, word->n_bytes);
    return ss_tokenizer_scratch_push(scratch, id < 0 ? &self->unknown : &id, 1, err);
}

const struct ss_tokenizer_model ss_tokenizer_wordlevel_model = {
    .name = "WordLevel",
    .add_raw = ss_tokenizer_add_words_raw,
    .add_normalized = ss_tokenizer_add_words,
    .add_word = add_whole_word};
const struct ss_tokenizer_model ss_tokenizer_bert_model = {.name = "WordPiece",
                                                           .add_raw = add_raw,
                                                           .add_normalized = add_normalized,
                                                           .add_word = add_split_word};
const struct ss_tokenizer_model ss_tokenizer_wordpiece_model = {
    .name = "WordPiece",
    .add_raw = ss_tokenizer_add_words_raw,
    .add_normalized = ss_tokenizer_add_words,
    .add_word = add_split_word};
