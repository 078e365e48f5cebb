/* Unigram: of all ways to cut a word into pieces the one with the best total score is taken,
 * found from left to right (Viterbi): for each place the best way to come there. Sums are in
 * float64 and in this order, and of equal ones the first found stays, as in the reference.
 *
 * A place is a byte of the word; ends[place] holds the best score of a way to it and the piece
 * that it ends with. Pieces that begin at a place are found by one walk down the trie. A
 * character that is no piece by itself gets the unknown one, with a score below all others, so
 * every word has a way; unknown neighbours then become one. At the end the chain from the last
 * place is turned round in the same array. Nearly equal sums turn on the last bit:
 * load_unigram.c reads scores as the reference does (docs/numerics.md, "Encoders"). */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

/* Come to `stop` by a piece from `start`, if that is better. */
static void reach(struct ss_tokenizer_lattice_node *ends, size_t start, size_t stop, int32_t id,
                  double score)
{
    struct ss_tokenizer_lattice_node *end = &ends[stop];
    const double total = score + ends[start].score;
    if (end->id < 0 || total > end->score) {
        *end = (struct ss_tokenizer_lattice_node){total, start, id};
    }
}

/* All pieces that start at a place; a character that is none gets the unknown one. */
static void reach_from(const struct ss_tokenizer *self, struct ss_tokenizer_lattice_node *ends,
                       const struct ss_text *word, size_t start, size_t n_point)
{
    const struct ss_tokenizer_unigram *unigram = &self->unigram;
    const struct ss_tokenizer_trie *trie = &self->vocab.trie;
    bool has_single = false;
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    for (size_t at = start; at < word->n_bytes; at++) {
        node = ss_tokenizer_trie_step(trie, node, (uint8_t)word->data[at]);
        if (node == 0) {
            break;
        }
        const int32_t id = trie->values[node];
        if (id >= 0) {
            reach(ends, start, at + 1, id, unigram->scores[id]);
            has_single = has_single || at + 1 - start == n_point;
        }
    }
    if (!has_single) {
        reach(ends, start, start + n_point, unigram->unknown, unigram->unknown_score);
    }
}

/* An unknown stretch: a piece by chance, else its bytes if there are pieces for all, else the
 * unknown piece. */
static ss_status add_unknown(const struct ss_tokenizer *self,
                             struct ss_tokenizer_token_scratch *scratch, const char *text,
                             size_t n_bytes, ss_err *err)
{
    const struct ss_tokenizer_unigram *unigram = &self->unigram;
    const size_t n_before = scratch->n_ids;
    const int32_t id = ss_tokenizer_trie_find(&self->vocab.trie, text, n_bytes);
    bool has_all = id < 0 && unigram->falls_back_to_bytes;
    for (size_t i = 0; has_all && i < n_bytes; i++) {
        const int32_t byte_id = unigram->fallback_ids[(uint8_t)text[i]];
        has_all = byte_id >= 0;
        if (has_all) {
            const ss_status status = ss_tokenizer_scratch_push(scratch, &byte_id, 1, err);
            if (status != SS_OK) {
                return status;
            }
        }
    }
    if (has_all) {
        return SS_OK;
    }
    scratch->n_ids = n_before;
    return ss_tokenizer_scratch_push(scratch, id < 0 ? &unigram->unknown : &id, 1, err);
}

/* Turn the chain of best ends round, so that each start has its piece and where that ends. */
static void turn(struct ss_tokenizer_lattice_node *ends, size_t n)
{
    struct ss_tokenizer_lattice_node piece = ends[n];
    for (size_t stop = n; stop > 0;) {
        const size_t start = piece.start;
        const struct ss_tokenizer_lattice_node before = ends[start];
        ends[start] = (struct ss_tokenizer_lattice_node){.start = stop, .id = piece.id};
        stop = start;
        piece = before;
    }
}

/* Viterbi: the best way to a place in the word is known before any way goes on from it. The
 * chain of the best ends is then turned round and read from the start. */
static ss_status add_word(const struct ss_tokenizer *self,
                          struct ss_tokenizer_token_scratch *scratch,
                          const struct ss_text *word, ss_err *err)
{
    const size_t n = word->n_bytes;
    SS_GROW_OR_RETURN(scratch->lattice, scratch->lattice_capacity, n + 1);
    struct ss_tokenizer_lattice_node *ends = scratch->lattice;
    for (size_t i = 0; i <= n; i++) {
        ends[i] = (struct ss_tokenizer_lattice_node){.id = -1};
    }
    for (size_t at = 0; at < n;) {
        uint32_t c = 0;
        const size_t n_point = ss__max_size(ss__utf8_decode(word->data + at, n - at, &c), 1);
        reach_from(self, ends, word, at, n_point);
        at += n_point;
    }
    turn(ends, n);
    for (size_t at = 0, stop = 0; at < n; at = stop) {
        const bool is_unknown = ends[at].id == self->unigram.unknown;
        const int32_t id = ends[at].id;
        stop = ends[at].start;
        while (is_unknown && stop < n && ends[stop].id == id) { /* neighbours are one */
            stop = ends[stop].start;
        }
        if (is_unknown) {
            SS_RETURN_IF_ERROR(add_unknown(self, scratch, word->data + at, stop - at, err));
        } else {
            SS_RETURN_IF_ERROR(ss_tokenizer_scratch_push(scratch, &id, 1, err));
        }
    }
    return SS_OK;
}

const struct ss_tokenizer_model ss_tokenizer_unigram_model = {
    .name = "Unigram",
    .add_raw = ss_tokenizer_add_words_raw,
    .add_normalized = ss_tokenizer_add_words,
    .add_word = add_word};
