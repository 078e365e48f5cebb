/* Unigram from `model` of tokenizer.json: a list of [piece, score], whose places are the ids.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "tokenizer/load_priv.h"

static const double UNKNOWN_PENALTY = 10; /* below the lowest score, as the reference has it */

/* Powers of ten as the reference's JSON library has them. */
static double power_of_ten(unsigned exponent)
{
    char text[8] = "1e";
    double value = 1;
    const unsigned digits[] = {exponent / 100, exponent / 10 % 10, exponent % 10};
    for (size_t i = 0; i < 3; i++) {
        text[2 + i] = (char)('0' + digits[i]);
    }
    (void)ss__parse_double(text, 5, &value);
    return value;
}

/* The score that the reference reads where a file has the shortest text of `exact`. Its JSON
 * library takes the digits as a whole number and divides it by a power of ten, which rounds
 * twice; sums of scores that are nearly equal turn on that. */
static double as_reference_reads(double exact)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    uint64_t digits = 0;
    int exponent = 0;
    bool in_fraction = false;
    const size_t n = ss__format_double(fabs(exact), text);
    size_t i = 0;
    for (; i < n && text[i] != 'e'; i++) {
        if (text[i] == '.') {
            in_fraction = true;
        } else {
            digits = digits * 10 + (uint64_t)(text[i] - '0');
            exponent -= in_fraction;
        }
    }
    if (i < n) {
        const bool negative = text[i + 1] == '-';
        int written = 0;
        for (i++; i < n; i++) {
            written = text[i] >= '0' ? written * 10 + (text[i] - '0') : written;
        }
        exponent += negative ? -written : written;
    }
    double value = (double)digits;
    for (; exponent < -308; exponent += 308) {
        value /= 1e308;
    }
    value = exponent < 0 ? value / power_of_ten((unsigned)-exponent)
                         : value * power_of_ten((unsigned)exponent);
    return exact < 0 ? -value : value;
}

/* A piece that comes twice keeps both ids, of which its text leads to the later one, as
 * there. */
ss_status ss_tokenizer_unigram_add(struct ss_tokenizer *self, const char *piece, size_t n_bytes,
                                   double score, ss_err *err)
{
    struct ss_tokenizer_unigram *unigram = &self->unigram;
    const size_t id = self->vocab.n_ids;
    if (!isfinite(score)) {
        return ss__fail(err, SS_E_DATA, "the score of piece %zu is not a number", id);
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_vocab_add(&self->vocab, piece, n_bytes, (int64_t)id, err));
    SS_GROW_OR_RETURN(unigram->scores, unigram->scores_capacity, id + 1);
    unigram->scores[id] = score;
    self->vocab.n_texts = id + 1; /* a piece that comes twice counts twice */
    return SS_OK;
}

/* An unknown character costs more than the worst piece, and so is taken only where no piece
 * fits. */
ss_status ss_tokenizer_unigram_prepare(struct ss_tokenizer *self, int64_t unknown, ss_err *err)
{
    struct ss_tokenizer_unigram *unigram = &self->unigram;
    if (self->vocab.n_ids == 0) {
        return ss__fail(err, SS_E_DATA, "the vocabulary is empty");
    }
    if (unknown < 0 || (uint64_t)unknown >= self->vocab.n_ids) {
        return ss__fail(
            err, SS_E_DATA,
            "the id of the unknown piece ('unk_id') is missing or not in the vocabulary");
    }
    double lowest = unigram->scores[0];
    for (size_t id = 1; id < self->vocab.n_ids; id++) {
        lowest = unigram->scores[id] < lowest ? unigram->scores[id] : lowest;
    }
    unigram->unknown = self->unknown = (int32_t)unknown;
    unigram->unknown_score = lowest - UNKNOWN_PENALTY;
    ss_tokenizer_find_fallback_ids(&self->vocab, unigram->fallback_ids);
    return SS_OK;
}

/* The unknown piece of a known class: a fixed one, or the one with the text of that role. */
int64_t ss_tokenizer_unknown_id(const struct ss_tokenizer_loading *loading)
{
    const char *text = ss_tokenizer_load_role_text(loading, "unk_token");
    const int32_t id = ss_tokenizer_trie_find(&loading->self->vocab.trie, text, strlen(text));
    if (loading->class->unknown_piece >= 0) {
        return loading->class->unknown_piece;
    }
    return id < 0 ? 0 : id;
}

ss_status ss_tokenizer_load_unigram(struct ss_tokenizer_loading *loading,
                                    const struct ss__json *model, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    const char *path = loading->tokenizer.path;
    const bool generic = loading->class->model == NULL;
    const struct ss__json *vocab = ss__json_get(model, "vocab");
    const struct ss__json *unknown = ss__json_get(model, "unk_id");
    self->model = &ss_tokenizer_unigram_model;
    for (size_t i = 0; i < ss__json_count(vocab); i++) {
        const struct ss__json *item = ss__json_at(vocab, i);
        const struct ss__json *text = ss__json_at(item, 0), *score = ss__json_at(item, 1);
        if (ss__json_count(item) != 2 || !ss__json_is_string(text) ||
            !ss__json_is_number(score)) {
            return ss__fail_file(err, path, SS_E_DATA, "piece %zu is not a text with a score",
                                 i);
        }
        const double exact = ss__json_real(score);
        SS_RETURN_IF_ERROR(
            ss_tokenizer_unigram_add(self, ss__json_string(text), ss__json_string_bytes(text),
                                     generic ? as_reference_reads(exact) : exact, err));
    }
    if (generic) {
        SS_RETURN_IF_ERROR(ss__json_bool(path, model, "byte_fallback",
                                         &self->unigram.falls_back_to_bytes, err));
    }
    const int64_t id = ss__json_is_integer(unknown) ? ss__json_integer(unknown) : -1;
    return ss_tokenizer_unigram_prepare(self, generic ? id : ss_tokenizer_unknown_id(loading),
                                        err);
}
