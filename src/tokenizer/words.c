/* Plain stretches of text through normaliser, splitters and model, word by word, and the memory
 * of the words that were met before. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

enum { N_PLACES = 4 }; /* that a word may be remembered at */

/* ---- known words ---- */

struct key {
    uint64_t bytes[SS__KNOWN_BYTES / 8];
};

/* A word's bytes, at most SS__KNOWN_BYTES, and zeros behind them. What stands behind the word
 * is read as well: no branch of this depends on the length, which could not be foreseen. */
static inline struct key key_of(const struct ss_text *word)
{
    static const uint8_t masks[2 * SS__KNOWN_BYTES] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    struct key key, mask;
    memcpy(&key, word->data, sizeof key);
    memcpy(&mask, masks + SS__KNOWN_BYTES - word->n_bytes, sizeof mask);
    for (size_t i = 0; i < SS__KNOWN_BYTES / 8; i++) {
        key.bytes[i] &= mask.bytes[i];
    }
    return key;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product =
        (wide)(a ^ UINT64_C(0xA0761D6478BD642F)) * (b ^ UINT64_C(0xE7037ED1A0B428DB));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline bool is_word(const struct ss__known_word *known, const struct key *key,
                           size_t n_bytes)
{
    uint64_t differs = known->length ^ (n_bytes + 1);
    for (size_t i = 0; i < SS__KNOWN_BYTES / 8; i++) {
        differs |= known->bytes[i] ^ key->bytes[i];
    }
    return differs == 0;
}

/* The first of the places where a word may be. */
static inline struct ss__known_word *places_of(const struct ss__token_scratch *scratch,
                                               const struct key *key)
{
    const uint64_t hash =
        mix(key->bytes[0], key->bytes[1]) + mix(key->bytes[2], key->bytes[3]) * 3;
    return &scratch->known[hash % SS__N_KNOWN_WORDS / N_PLACES * N_PLACES];
}

bool ss__known_push(struct ss__token_scratch *scratch, const struct ss_text *word,
                    struct ss__known_word **place)
{
    *place = NULL;
    if (word->n_bytes > SS__KNOWN_BYTES ||
        scratch->n_ids_room - scratch->n_ids < SS__KNOWN_IDS) { /* the slow way makes room */
        return false;
    }
    const struct key key = key_of(word);
    struct ss__known_word *known = places_of(scratch, &key);
    const struct ss__known_word *end = known + N_PLACES;
    *place = known;
    while (!is_word(known, &key, word->n_bytes)) {
        if (++known == end) {
            return false;
        }
    }
    known->n_uses = (uint8_t)(known->n_uses + (known->n_uses < UINT8_MAX));
    memcpy(scratch->ids + scratch->n_ids, known->ids, sizeof known->ids);
    scratch->n_ids += known->n_ids;
    return true;
}

/* Of the words that share a place the one that was used least makes room; the others are from
 * then on worth less than they were. */
void ss__known_keep(struct ss__token_scratch *scratch, struct ss__known_word *place,
                    const struct ss_text *word, size_t n_before)
{
    const size_t n = scratch->n_ids - n_before;
    if (place == NULL || n > SS__KNOWN_IDS || scratch->n_ids >= scratch->max_ids) {
        return;
    }
    const struct key key = key_of(word);
    struct ss__known_word *least = place;
    for (size_t i = 0; i < N_PLACES; i++) {
        least = place[i].n_uses <= least->n_uses ? &place[i] : least;
        place[i].n_uses = (uint8_t)(place[i].n_uses - place[i].n_uses / 4);
    }
    place = least;
    memcpy(place->bytes, key.bytes, sizeof key.bytes);
    place->length = (uint8_t)(word->n_bytes + 1);
    place->n_ids = (uint8_t)n;
    place->n_uses = 0;
    memcpy(place->ids, scratch->ids + n_before, n * sizeof place->ids[0]);
}

/* The model's part of a word, which is remembered by `known`. */
static ss_status add_new_word(const struct ss__tokenizer *self,
                              struct ss__token_scratch *scratch, struct ss__known_word *place,
                              const struct ss_text *known, const struct ss_text *word,
                              ss_err *err)
{
    const size_t n_before = scratch->n_ids;
    const ss_status status = self->kind->add_word(self, scratch, word, err);
    if (status == SS_OK) {
        ss__known_keep(scratch, place, known, n_before);
    }
    return status;
}

ss_status ss__add_known_word(const struct ss__tokenizer *self,
                             struct ss__token_scratch *scratch, const struct ss_text *word,
                             ss_err *err)
{
    struct ss__known_word *place = NULL;
    if (self->marking != SS__MARKS_NOT) { /* words are remembered in another way */
        return self->kind->add_word(self, scratch, word, err);
    }
    return ss__known_push(scratch, word, &place)
               ? SS_OK
               : add_new_word(self, scratch, place, word, word, err);
}

/* ---- words that begin with a mark ---- */

void ss__words_prepare(struct ss__tokenizer *self)
{
    const struct ss__splitter *spaces = self->splitters;
    const struct ss__splitter *marks = &self->splitters[self->n_splitters == 2];
    uint32_t mark = 0; /* one code point, so that no mark is made of a word's end and a mark */
    const bool cuts_at_marks =
        self->n_splitters > 0 && self->n_splitters <= 2 && marks->find == ss__find_text &&
        !marks->inverted && marks->behavior == SS__MERGED_WITH_NEXT &&
        ss__utf8_decode(marks->mark, marks->n_mark, &mark) == marks->n_mark;
    const bool cuts_at_spaces =
        self->n_splitters == 2 && spaces->find == ss__find_white_space && !spaces->inverted &&
        spaces->behavior == SS__REMOVED && spaces->edit == SS__EDIT_NONE;
    self->marking = SS__MARKS_NOT;
    if (cuts_at_marks && marks->edit == SS__EDIT_MARK_ALWAYS) {
        self->marking = cuts_at_spaces           ? SS__MARKS_WORDS
                        : self->n_splitters == 1 ? SS__MARKS_SPACES
                                                 : SS__MARKS_NOT;
    } else if (cuts_at_marks && marks->edit == SS__EDIT_MARK_FIRST && self->n_splitters == 1) {
        self->marking = SS__MARKS_SPACES_FIRST;
    }
}

/* The mark and then `rest`, by which they are known. */
static ss_status add_marked_word(const struct ss__tokenizer *self,
                                 struct ss__token_scratch *scratch, const struct ss_text *rest,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__known_word *place = NULL;
    const struct ss__splitter *splitter = &self->splitters[self->n_splitters - 1];
    struct ss__buf *buf = &scratch->edited[0];
    if (ss__known_push(scratch, rest, &place)) {
        return SS_OK;
    }
    buf->n_bytes = 0;
    buf->failed = false;
    ss__buf_add(buf, splitter->mark, splitter->n_mark);
    ss__buf_add(buf, rest->data, rest->n_bytes);
    SS_TRY(ss__buf_check(buf, err));
    SS_TRY(add_new_word(self, scratch, place, rest, &(struct ss_text){buf->data, buf->n_bytes},
                        err));
out:
    return status;
}

static bool is_space(const struct ss__tokenizer *self, const char *text, size_t n_bytes,
                     size_t *length)
{
    if (self->marking == SS__MARKS_WORDS) {
        return (ss__split_class(text, n_bytes, length) & SS__SPLIT_SPACE) != 0;
    }
    *length = 1;
    return text[0] == ' ';
}

/* What the splitters would cut a text into that does not hold the mark. Between white space
 * there is nothing, between two spaces an empty word. */
static ss_status add_marked_words(const struct ss__tokenizer *self,
                                  struct ss__token_scratch *scratch, const struct ss_text *text,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    const bool has_empty = self->marking != SS__MARKS_WORDS;
    const size_t n = text->n_bytes;
    size_t length = 0;
    for (size_t start = has_empty && text->data[0] == ' '; start <= n; start += length) {
        size_t at = start;
        length = 1;
        while (at < n && !is_space(self, text->data + at, n - at, &length)) {
            at += length;
        }
        if (scratch->n_ids >= scratch->max_ids) {
            break;
        }
        if (at > start || has_empty) {
            SS_TRY(add_marked_word(self, scratch,
                                   &(struct ss_text){text->data + start, at - start}, err));
        }
        start = at;
    }
out:
    return status;
}

static bool has_mark(const struct ss__tokenizer *self, const struct ss_text *text)
{
    const struct ss__splitter *splitter = &self->splitters[self->n_splitters - 1];
    return memchr(text->data, splitter->mark[0], text->n_bytes) != NULL &&
           memmem(text->data, text->n_bytes, splitter->mark, splitter->n_mark) != NULL;
}

/* ---- stretches ---- */

ss_status ss__add_words(const struct ss__tokenizer *self, struct ss__token_scratch *scratch,
                        const char *text, size_t n_bytes, ss_err *err)
{
    const bool at_start = text == scratch->text_start ||
                          (text == scratch->segment.data && scratch->segment_at_start);
    const struct ss__piece piece = {.text = {text, n_bytes}, .at_start = at_start};
    const bool begins_marked =
        at_start || self->marking != SS__MARKS_SPACES_FIRST || (n_bytes > 0 && text[0] == ' ');
    if (n_bytes == 0) {
        return SS_OK;
    }
    return self->marking != SS__MARKS_NOT && begins_marked && !has_mark(self, &piece.text)
               ? add_marked_words(self, scratch, &piece.text, err)
               : ss__split(self, scratch, 0, piece, err);
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
