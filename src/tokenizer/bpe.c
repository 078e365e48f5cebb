/* Byte-pair encoding: a word is a row of symbols, and of the neighbours that the vocabulary can
 * merge those of the lowest rank are merged first, the leftmost of equal ones, until none are
 * left. Candidates lie in a heap, so a long word costs n log n. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

enum { FIRST_SLOTS = 1 << 10, MAX_PROBES = 1 << 12 };
#define NO_SYMBOL UINT32_MAX

/* ---- the table of merges ---- */

static size_t slot_of(const struct ss__bpe *bpe, uint64_t pair)
{
    pair *= UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(pair ^ pair >> 29) & (bpe->n_slots - 1);
}

/* The slot of a pair, or the free one where it belongs; NULL far from its place, which only a
 * file made to collide comes to. */
static struct ss__merge *find_slot(const struct ss__bpe *bpe, uint64_t pair)
{
    size_t slot = slot_of(bpe, pair);
    for (size_t probes = 0; probes < MAX_PROBES; probes++) {
        struct ss__merge *merge = &bpe->merges[slot];
        if (merge->id < 0 || merge->pair == pair) {
            return merge;
        }
        slot = (slot + 1) & (bpe->n_slots - 1);
    }
    return NULL;
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* NULL if two ids can not be merged. */
static const struct ss__merge *find_merge(const struct ss__bpe *bpe, int32_t left,
                                          int32_t right)
{
    const struct ss__merge *merge =
        bpe->n_slots == 0 ? NULL : find_slot(bpe, pair_of(left, right));
    return merge == NULL || merge->id < 0 ? NULL : merge;
}

static ss_status grow(struct ss__bpe *bpe, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__bpe bigger = {.n_slots = bpe->n_slots == 0 ? FIRST_SLOTS : bpe->n_slots * 2};
    SS_ALLOC(bigger.merges, bigger.n_slots);
    for (size_t slot = 0; slot < bigger.n_slots; slot++) {
        bigger.merges[slot].id = -1;
    }
    for (size_t slot = 0; slot < bpe->n_slots; slot++) {
        const struct ss__merge *merge = &bpe->merges[slot];
        struct ss__merge *place = merge->id < 0 ? NULL : find_slot(&bigger, merge->pair);
        if (merge->id >= 0 && place == NULL) {
            ss__free(bigger.merges);
            SS_FAIL(SS_E_LIMIT, "the merges can not be indexed");
        }
        if (place != NULL) {
            *place = *merge;
        }
    }
    ss__free(bpe->merges);
    bpe->merges = bigger.merges;
    bpe->n_slots = bigger.n_slots;
out:
    return status;
}

ss_status ss__bpe_add_merge(struct ss__bpe *bpe, int32_t left, int32_t right, int32_t id,
                            uint32_t rank, ss_err *err)
{
    ss_status status = SS_OK;
    if (bpe->n_merges * 2 >= bpe->n_slots) {
        SS_TRY(grow(bpe, err));
    }
    struct ss__merge *place = find_slot(bpe, pair_of(left, right));
    if (place == NULL) {
        SS_FAIL(SS_E_LIMIT, "the merges can not be indexed");
    }
    bpe->n_merges += place->id < 0;
    *place = (struct ss__merge){.pair = pair_of(left, right), .id = id, .rank = rank};
out:
    return status;
}

/* ---- bytes as text ---- */

static bool is_plain_byte(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* A byte as byte-level models write it, 1 or 2 bytes of UTF-8: those that are not plain follow
 * each other from U+0100 on. */
static size_t byte_text(uint8_t byte, char out[4])
{
    uint32_t n_before = 0;
    for (unsigned other = 0; other < byte; other++) {
        n_before += !is_plain_byte(other);
    }
    return ss__utf8_encode(is_plain_byte(byte) ? byte : 0x100 + n_before, out);
}

int ss__byte_of_text(uint32_t code_point)
{
    uint32_t next = 0x100;
    if (code_point < 256 && is_plain_byte(code_point)) {
        return (int)code_point;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        if (!is_plain_byte(byte) && next++ == code_point) {
            return (int)byte;
        }
    }
    return -1;
}

void ss__find_fallback_ids(const struct ss__vocab *vocab, int32_t ids[256])
{
    static const char hex[] = "0123456789ABCDEF";
    for (unsigned byte = 0; byte < 256; byte++) {
        const char text[] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
        ids[byte] = ss__trie_find(&vocab->trie, text, sizeof text);
    }
}

void ss__bpe_prepare(struct ss__bpe *bpe, const struct ss__vocab *vocab)
{
    ss__find_fallback_ids(vocab, bpe->fallback_ids);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        const size_t n = byte_text((uint8_t)byte, text);
        bpe->byte_ids[byte] = ss__trie_find(&vocab->trie, text, n);
    }
}

/* ---- the symbols of a word ---- */

/* A word on its way to symbols. */
struct making {
    const struct ss__tokenizer *self;
    struct ss__token_scratch *scratch;
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
        (struct ss__symbol){id, (uint32_t)making->n - 1, (uint32_t)making->n + 1};
    making->n++;
}

/* -1 if the vocabulary does not have it. */
static int32_t symbol_id(const struct ss__trie *trie, const struct symbol_text *symbol)
{
    uint32_t node = SS__TRIE_ROOT;
    for (size_t part = 0; part < 3; part++) {
        const struct ss_text *text = &symbol->parts[part];
        for (size_t i = 0; i < text->n_bytes; i++) {
            node = trie->n_nodes == 0 ? 0 : ss__trie_step(trie, node, (uint8_t)text->data[i]);
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
    const struct ss__bpe *bpe = &making->self->bpe;
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
static size_t next_symbol(const struct ss__bpe *bpe, const struct ss_text *word, size_t at,
                          char place[4], struct symbol_text *symbol)
{
    const struct ss_text none = {"", 0};
    uint32_t c = 0;
    size_t n = 1, n_text = 0;
    if (bpe->byte_level) {
        n_text = byte_text((uint8_t)word->data[at], place);
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

static ss_status make_symbols(struct making *making, const struct ss_text *word, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__bpe *bpe = &making->self->bpe;
    struct ss__token_scratch *scratch = making->scratch;
    const bool direct = bpe->byte_level && bpe->prefix[0] == '\0' && bpe->suffix[0] == '\0';
    const size_t n_more = strlen(bpe->prefix) + 2; /* a byte as text can fall back to two */
    size_t n_room = 0;
    if (word->n_bytes >= NO_SYMBOL / n_more - strlen(bpe->suffix)) {
        SS_FAIL(SS_E_LIMIT, "a word of %zu bytes is too long", word->n_bytes);
    }
    n_room = word->n_bytes * n_more + strlen(bpe->suffix) + 1;
    SS_GROW(scratch->symbols, scratch->n_symbols_room, n_room);
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
out:
    return status;
}

/* ---- merging ---- */

static bool comes_first(const struct ss__candidate *a, const struct ss__candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push_candidate(struct ss__token_scratch *scratch, struct ss__candidate candidate)
{
    struct ss__candidate *heap = scratch->candidates;
    size_t at = scratch->n_candidates++;
    for (; at > 0 && comes_first(&candidate, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = candidate;
}

static struct ss__candidate pop_candidate(struct ss__token_scratch *scratch)
{
    struct ss__candidate *heap = scratch->candidates;
    const struct ss__candidate top = heap[0], moving = heap[--scratch->n_candidates];
    size_t at = 0;
    for (size_t child = 1; child < scratch->n_candidates; child = 2 * at + 1) {
        child +=
            child + 1 < scratch->n_candidates && comes_first(&heap[child + 1], &heap[child]);
        if (!comes_first(&heap[child], &moving)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
    return top;
}

static void consider(const struct ss__bpe *bpe, struct ss__token_scratch *scratch, uint32_t at)
{
    const struct ss__symbol *left = &scratch->symbols[at];
    const struct ss__merge *merge = find_merge(bpe, left->id, scratch->symbols[left->next].id);
    if (merge != NULL) {
        push_candidate(scratch, (struct ss__candidate){merge->rank, at, merge->id});
    }
}

/* Merge the symbol at `at` with the next; both are there. */
static void merge_at(const struct ss__bpe *bpe, struct ss__token_scratch *scratch, uint32_t at,
                     int32_t id)
{
    struct ss__symbol *symbols = scratch->symbols, *left = &symbols[at];
    struct ss__symbol *right = &symbols[left->next];
    left->id = id;
    left->next = right->next;
    right->id = -1;
    if (right->next != NO_SYMBOL) {
        symbols[right->next].previous = at;
    }
    if (left->previous != NO_SYMBOL) {
        consider(bpe, scratch, left->previous);
    }
    if (left->next != NO_SYMBOL) {
        consider(bpe, scratch, at);
    }
}

static ss_status merge_symbols(const struct ss__bpe *bpe, struct ss__token_scratch *scratch,
                               size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__symbol *symbols = scratch->symbols;
    SS_GROW(scratch->candidates, scratch->n_candidates_room, 3 * n); /* one, and two a merge */
    scratch->n_candidates = 0;
    symbols[0].previous = NO_SYMBOL;
    symbols[n - 1].next = NO_SYMBOL;
    for (uint32_t at = 0; at + 1 < n; at++) {
        consider(bpe, scratch, at);
    }
    while (scratch->n_candidates > 0) {
        const struct ss__candidate top = pop_candidate(scratch);
        const struct ss__symbol *left = &symbols[top.at];
        if (left->id < 0 || left->next == NO_SYMBOL) {
            continue;
        }
        const struct ss__merge *merge = find_merge(bpe, left->id, symbols[left->next].id);
        if (merge != NULL && merge->id == top.id) { /* still the pair that it was */
            merge_at(bpe, scratch, top.at, top.id);
        }
    }
out:
    return status;
}

/* The id of a word that the vocabulary has as a whole, -1 if it has not. */
static int32_t whole_word(const struct ss__tokenizer *self, const struct ss_text *word)
{
    const struct ss__trie *trie = &self->vocab.trie;
    uint32_t node = SS__TRIE_ROOT;
    if (!self->bpe.byte_level) {
        return ss__trie_find(trie, word->data, word->n_bytes);
    }
    for (size_t i = 0; i < word->n_bytes; i++) {
        char text[4];
        const size_t n = byte_text((uint8_t)word->data[i], text);
        for (size_t j = 0; j < n; j++) {
            node = trie->n_nodes == 0 ? 0 : ss__trie_step(trie, node, (uint8_t)text[j]);
            if (node == 0) {
                return -1;
            }
        }
    }
    return trie->values[node];
}

static ss_status add_word(const struct ss__tokenizer *self, struct ss__token_scratch *scratch,
                          const struct ss_text *word, ss_err *err)
{
    ss_status status = SS_OK;
    struct making making = {.self = self, .scratch = scratch};
    const int32_t whole = self->bpe.takes_whole_words ? whole_word(self, word) : -1;
    if (whole >= 0) {
        return ss__scratch_push(scratch, &whole, 1, err);
    }
    SS_TRY(make_symbols(&making, word, err));
    if (making.n == 0) {
        goto out;
    }
    SS_TRY(merge_symbols(&self->bpe, scratch, making.n, err));
    SS_GROW(scratch->ids, scratch->n_ids_room, scratch->n_ids + making.n);
    for (uint32_t at = 0; at != NO_SYMBOL; at = scratch->symbols[at].next) {
        scratch->ids[scratch->n_ids++] = scratch->symbols[at].id;
    }
out:
    return status;
}

const struct ss__piece_kind ss__bpe_kind = {.name = "BPE",
                                            .add_raw = ss__add_words_raw,
                                            .add_normalized = ss__add_words,
                                            .add_word = add_word};
