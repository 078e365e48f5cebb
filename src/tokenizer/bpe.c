/* Byte-pair encoding: a word becomes a row of symbols, and neighbours are merged (bpe_merge.c).
 *
 * Byte-level models write each byte as a printable character, so that a vocabulary is text: the
 * 188 bytes that are printable in Latin-1 stand for themselves, the others are U+0100 and the
 * following. Symbols of other models are code points, perhaps with a prefix or suffix; what the
 * vocabulary lacks becomes its bytes, an unknown token, or nothing. Reference: the BPE model of
 * the tokenizers library; docs/spec/encoders.md, §7. A short word of plain bytes, which nearly
 * all are, takes a way without symbols (add_few). */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

/* ---- ids of bytes ---- */

void ss_tokenizer_find_fallback_ids(const struct ss_tokenizer_vocab *vocab, int32_t ids[256])
{
    static const char hex[] = "0123456789ABCDEF";
    for (unsigned byte = 0; byte < 256; byte++) {
        const char text[] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
        ids[byte] = ss_tokenizer_trie_find(&vocab->trie, text, sizeof text);
    }
}

void ss_tokenizer_bpe_prepare(struct ss_tokenizer_bpe *bpe,
                              const struct ss_tokenizer_vocab *vocab)
{
    ss_tokenizer_find_fallback_ids(vocab, bpe->fallback_ids);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        const size_t n = ss_tokenizer_byte_text((uint8_t)byte, text);
        bpe->byte_ids[byte] = ss_tokenizer_trie_find(&vocab->trie, text, n);
    }
}

/* ---- the symbols of a word ---- */

/* A word on its way to symbols. */
struct making {
    const struct ss_tokenizer *self;
    struct ss_tokenizer_token_scratch *scratch;
    size_t n;         /* symbols made */
    bool has_unknown; /* one is held back, to be fused */
};

/* A symbol as it stands in the vocabulary, in up to three parts. */
struct symbol_text {
    struct ss_text parts[3];
};

static void add_symbol(struct making *making, int32_t id)
{
    making->scratch->symbols[making->n] =
        (struct ss_tokenizer_symbol){id, (uint32_t)making->n - 1, (uint32_t)making->n + 1};
    making->n++;
}

/* -1 if the vocabulary does not have it. */
static int32_t symbol_id(const struct ss_tokenizer_trie *trie, const struct symbol_text *symbol)
{
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    for (size_t part = 0; part < 3; part++) {
        const struct ss_text *text = &symbol->parts[part];
        for (size_t i = 0; i < text->n_bytes; i++) {
            node = trie->n_nodes == 0
                       ? 0
                       : ss_tokenizer_trie_step(trie, node, (uint8_t)text->data[i]);
            if (node == 0) {
                return -1;
            }
        }
    }
    return trie->values[node];
}

/* The bytes of an unknown symbol one by one, if the vocabulary has them all. */
static bool add_bytes(struct making *making, const struct symbol_text *symbol)
{
    const int32_t *ids = making->self->bpe.fallback_ids;
    const size_t n_before = making->n;
    for (size_t part = 0; part < 3; part++) {
        const struct ss_text *text = &symbol->parts[part];
        for (size_t i = 0; i < text->n_bytes; i++) {
            const int32_t id = ids[(uint8_t)text->data[i]];
            if (id < 0) {
                making->n = n_before;
                return false;
            }
            add_symbol(making, id);
        }
    }
    return true;
}

/* Add the unknown symbol that was held back. */
static void flush_unknown(struct making *making)
{
    if (making->has_unknown) {
        making->has_unknown = false;
        add_symbol(making, making->self->bpe.unknown);
    }
}

/* An unknown symbol is held back while it may be fused with the next; bytes in the place of
 * another go before it, as in the reference. */
static void make_symbol(struct making *making, const struct symbol_text *symbol)
{
    const struct ss_tokenizer_bpe *bpe = &making->self->bpe;
    const int32_t id = symbol_id(&making->self->vocab.trie, symbol);
    if (id >= 0) {
        flush_unknown(making);
        add_symbol(making, id);
    } else if (!(bpe->falls_back_to_bytes && add_bytes(making, symbol)) && bpe->unknown >= 0) {
        if (!bpe->fuses_unknown) {
            flush_unknown(making);
        }
        making->has_unknown = true;
    }
}

/* The next symbol of a word at `at`: a byte as text, or a code point. */
static size_t next_symbol(const struct ss_tokenizer_bpe *bpe, const struct ss_text *word,
                          size_t at, char place[4], struct symbol_text *symbol)
{
    const struct ss_text none = {"", 0};
    uint32_t c = 0;
    size_t n = 1, n_text = 0;
    if (bpe->byte_level) {
        n_text = ss_tokenizer_byte_text((uint8_t)word->data[at], place);
    } else {
        n = ss__max_size(ss__utf8_decode(word->data + at, word->n_bytes - at, &c), 1);
        n_text = n;
        memcpy(place, word->data + at, n);
    }
    const bool is_last = at + n >= word->n_bytes;
    symbol->parts[0] = at == 0 ? none : (struct ss_text){bpe->prefix, strlen(bpe->prefix)};
    symbol->parts[1] = (struct ss_text){place, n_text};
    symbol->parts[2] = is_last ? (struct ss_text){bpe->suffix, strlen(bpe->suffix)} : none;
    return n;
}

/* Whether a byte is a symbol wherever it stands in a word. */
static bool has_plain_bytes(const struct ss_tokenizer_bpe *bpe)
{
    return bpe->byte_level && bpe->prefix[0] == '\0' && bpe->suffix[0] == '\0';
}

/* Memory for the worst case first, so that adding a symbol cannot fail. */
static ss_status make_symbols(struct making *making, const struct ss_text *word, ss_err *err)
{
    const struct ss_tokenizer_bpe *bpe = &making->self->bpe;
    struct ss_tokenizer_token_scratch *scratch = making->scratch;
    const bool direct = has_plain_bytes(bpe);
    const size_t n_more = strlen(bpe->prefix) + 2; /* a byte as text can fall back to two */
    size_t capacity = 0;
    if (word->n_bytes >= SS_TOKENIZER_NO_SYMBOL / n_more - strlen(bpe->suffix)) {
        return ss__fail(err, SS_E_LIMIT, "a word of %zu bytes is too long", word->n_bytes);
    }
    capacity = word->n_bytes * n_more + strlen(bpe->suffix) + 1;
    SS_GROW_OR_RETURN(scratch->symbols, scratch->symbols_capacity, capacity);
    for (size_t at = 0; at < word->n_bytes;) {
        const int32_t id = direct ? bpe->byte_ids[(uint8_t)word->data[at]] : -1;
        char place[4];
        struct symbol_text symbol;
        if (id >= 0) {
            flush_unknown(making);
            add_symbol(making, id);
            at++;
        } else {
            at += next_symbol(bpe, word, at, place, &symbol);
            make_symbol(making, &symbol);
        }
    }
    flush_unknown(making);
    return SS_OK;
}

/* The id of a word that the vocabulary has as a whole, -1 if it has not. */
static int32_t whole_word(const struct ss_tokenizer *self, const struct ss_text *word)
{
    const struct ss_tokenizer_trie *trie = &self->vocab.trie;
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    if (!self->bpe.byte_level) {
        return ss_tokenizer_trie_find(trie, word->data, word->n_bytes);
    }
    for (size_t i = 0; i < word->n_bytes; i++) {
        char text[4];
        const size_t n = ss_tokenizer_byte_text((uint8_t)word->data[i], text);
        for (size_t j = 0; j < n; j++) {
            node =
                trie->n_nodes == 0 ? 0 : ss_tokenizer_trie_step(trie, node, (uint8_t)text[j]);
            if (node == 0) {
                return -1;
            }
        }
    }
    return trie->values[node];
}

/* Write the ids of a short word of plain bytes; false, and ids of no use, if it is none. */
static bool add_few(const struct ss_tokenizer_bpe *bpe, const struct ss_text *word,
                    int32_t *ids, size_t *n)
{
    bool is_few = word->n_bytes <= SS_TOKENIZER_BPE_FEW && has_plain_bytes(bpe);
    for (size_t i = 0; is_few && i < word->n_bytes; i++) {
        ids[i] = bpe->byte_ids[(uint8_t)word->data[i]];
        is_few = ids[i] >= 0;
    }
    *n = is_few ? ss_tokenizer_bpe_merge_few(bpe, ids, word->n_bytes) : 0;
    return is_few;
}

/* The word as a whole where the model says so, words of few symbols without a heap, all others
 * with it (bpe_merge.c). */
static ss_status add_word(const struct ss_tokenizer *self,
                          struct ss_tokenizer_token_scratch *scratch,
                          const struct ss_text *word, ss_err *err)
{
    struct making making = {.self = self, .scratch = scratch};
    int32_t few[SS_TOKENIZER_BPE_FEW];
    size_t n_few = 0;
    const int32_t whole = self->bpe.takes_whole_words ? whole_word(self, word) : -1;
    if (whole >= 0) {
        return ss_tokenizer_scratch_push(scratch, &whole, 1, err);
    }
    if (add_few(&self->bpe, word, few, &n_few)) {
        return ss_tokenizer_scratch_push(scratch, few, n_few, err);
    }
    SS_RETURN_IF_ERROR(make_symbols(&making, word, err));
    if (making.n == 0) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_bpe_merge(&self->bpe, scratch, making.n, err));
    SS_GROW_OR_RETURN(scratch->ids, scratch->ids_capacity, scratch->n_ids + making.n);
    for (uint32_t at = 0; at != SS_TOKENIZER_NO_SYMBOL; at = scratch->symbols[at].next) {
        scratch->ids[scratch->n_ids++] = scratch->symbols[at].id;
    }
    return SS_OK;
}

const struct ss_tokenizer_model ss_tokenizer_bpe_model = {.name = "BPE",
                                                          .add_raw = ss_tokenizer_add_words_raw,
                                                          .add_normalized =
                                                              ss_tokenizer_add_words,
                                                          .add_word = add_word};
