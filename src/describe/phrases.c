/* Phrases: one to three words inside a clause, whose first and last are no function word,
 * number or single letter; of scripts without spaces two to six characters. */
#include <string.h>

#include "base/stop.h"
#include "describe/corpus.h"

enum { FIRST_SLOTS = 1 << 16 };

/* ---- the table ---- */

static uint64_t hash_words(const uint32_t *words, size_t n)
{
    return ss_describe_hash_text((struct ss_text){(const char *)words, n * sizeof *words}) ^
           n * UINT64_C(0x9E3779B97F4A7C15);
}

static void put_in_slot(uint32_t *slots, size_t n_slots, uint64_t hash, uint32_t phrase)
{
    size_t i = (hash >> 20) & (n_slots - 1);
    while (slots[i] != 0) {
        i = (i + 1) & (n_slots - 1);
    }
    slots[i] = phrase + 1;
}

uint32_t ss_describe_phrases_find(const struct ss_describe_phrases *phrases,
                                  const uint32_t *words, size_t n)
{
    if (phrases->n_slots == 0) {
        return SS_DESCRIBE_NO_STRING;
    }
    const size_t mask = phrases->n_slots - 1;
    for (size_t i = (hash_words(words, n) >> 20) & mask; phrases->slots[i] != 0;
         i = (i + 1) & mask) {
        const uint32_t phrase = phrases->slots[i] - 1;
        if (phrases->phrases[phrase].n_words == n &&
            memcmp(ss_describe_phrase_words(phrases, phrase), words, n * sizeof *words) == 0) {
            return phrase;
        }
    }
    return SS_DESCRIBE_NO_STRING;
}

static ss_status grow_slots(struct ss_describe_phrases *phrases, ss_err *err)
{
    uint32_t *slots = NULL;
    const size_t n_slots = phrases->n_slots == 0 ? FIRST_SLOTS : 2 * phrases->n_slots;
    SS_ALLOC_OR_RETURN(slots, n_slots);
    for (uint32_t i = 0; i < phrases->n; i++) {
        put_in_slot(
            slots, n_slots,
            hash_words(ss_describe_phrase_words(phrases, i), phrases->phrases[i].n_words), i);
    }
    ss__free(phrases->slots);
    phrases->slots = slots;
    phrases->n_slots = n_slots;
    return SS_OK;
}

static ss_status add_phrase(struct ss_describe_phrases *phrases, size_t place, size_t n_words,
                            uint32_t *number, ss_err *err)
{
    const uint32_t *words = phrases->corpus->words + place;
    if (phrases->n >= phrases->n_slots / 2) {
        SS_RETURN_IF_ERROR(grow_slots(phrases, err));
    }
    *number = ss_describe_phrases_find(phrases, words, n_words);
    if (*number != SS_DESCRIBE_NO_STRING) {
        return SS_OK;
    }
    if (phrases->n >= SS_DESCRIBE_NO_STRING - 1) {
        return ss__fail(err, SS_E_LIMIT, "more than %zu distinct phrases", phrases->n);
    }
    SS_GROW_OR_RETURN(phrases->phrases, phrases->room, phrases->n + 1);
    *number = (uint32_t)phrases->n;
    phrases->phrases[phrases->n++] =
        (struct ss_describe_phrase){(uint32_t)place, (uint32_t)n_words};
    put_in_slot(phrases->slots, phrases->n_slots, hash_words(words, n_words), *number);
    return SS_OK;
}

/* ---- phrases of a text ---- */

/* Whether a word stands among others. */
static bool is_among(const uint32_t *words, size_t n, uint32_t word)
{
    for (size_t i = 0; i < n; i++) {
        if (words[i] == word) {
            return true;
        }
    }
    return false;
}

static bool is_phrase(const struct ss_describe_corpus *corpus, size_t place, size_t n)
{
    const uint32_t *words = corpus->words + place;
    const struct ss_describe_word *first = &corpus->facts[words[0]];
    const struct ss_describe_word *last = &corpus->facts[words[n - 1]];
    if (first->is_glued) {
        return n >= 2 && first->can_end && last->can_end;
    }
    for (size_t i = 1; i < n; i++) {
        if (is_among(words, i, words[i]) || (i + 1 < n && !corpus->facts[words[i]].can_join)) {
            return false;
        }
    }
    return first->can_end && last->can_end;
}

/* How many words from `place` on may belong to one phrase. */
static size_t reach_of(const struct ss_describe_corpus *corpus, size_t place, size_t end)
{
    if (corpus->words[place] == SS_DESCRIBE_BREAK) {
        return 0;
    }
    const bool is_glued = corpus->facts[corpus->words[place]].is_glued;
    const size_t most = is_glued ? SS_DESCRIBE_PHRASE_CHARACTERS : SS_DESCRIBE_PHRASE_WORDS;
    size_t n = 1;
    while (n < most && place + n < end && corpus->words[place + n] != SS_DESCRIBE_BREAK &&
           corpus->facts[corpus->words[place + n]].is_glued == is_glued &&
           (!is_glued || corpus->begins[place + n] == corpus->ends[place + n - 1])) {
        n++;
    }
    return n;
}

static ss_status add_text(struct ss_describe_phrases *phrases, size_t text, uint32_t **seen,
                          size_t *seen_room, ss_err *err)
{
    const struct ss_describe_corpus *corpus = phrases->corpus;
    const size_t end = corpus->offsets[text + 1];
    for (size_t place = corpus->offsets[text]; place < end; place++) {
        const size_t reach = reach_of(corpus, place, end);
        for (size_t n = 1; n <= reach; n++) {
            uint32_t number = 0;
            if (!is_phrase(corpus, place, n)) {
                continue;
            }
            const size_t n_before = phrases->n;
            SS_RETURN_IF_ERROR(add_phrase(phrases, place, n, &number, err));
            SS_GROW_OR_RETURN(*seen, *seen_room, phrases->n);
            (*seen)[number] = phrases->n > n_before ? 0 : (*seen)[number];
            if ((*seen)[number] != text + 1) { /* once a text */
                (*seen)[number] = (uint32_t)text + 1;
                SS_GROW_OR_RETURN(phrases->list, phrases->list_room, phrases->n_list + 1);
                phrases->list[phrases->n_list++] = number;
            }
        }
    }
    phrases->offsets[text + 1] = phrases->n_list;
    return SS_OK;
}

ss_status ss_describe_phrases_init(struct ss_describe_phrases *phrases,
                                   const struct ss_describe_corpus *corpus, size_t n_texts,
                                   struct ss_progress_callback stop, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__asking asking = {.stop = stop};
    uint32_t *seen = NULL; /* [phrases] the last text with it, + 1 */
    size_t seen_room = 0;
    *phrases = (struct ss_describe_phrases){.corpus = corpus, .n_texts = n_texts};
    SS_ALLOC(phrases->offsets, n_texts + 1);
    for (size_t t = 0; t < n_texts; t++) {
        SS_TRY(ss__check_stop(&asking, err));
        SS_TRY(add_text(phrases, t, &seen, &seen_room, err));
    }
out:
    ss__free(seen);
    return status;
}

void ss_describe_phrases_release(struct ss_describe_phrases *phrases)
{
    ss__free(phrases->offsets);
    ss__free(phrases->list);
    ss__free(phrases->phrases);
    ss__free(phrases->slots);
    *phrases = (struct ss_describe_phrases){0};
}

/* ---- as text ---- */

void ss_describe_phrase_text(const struct ss_describe_corpus *corpus,
                             struct ss_describe_phrase span, struct ss__buf *out)
{
    const uint32_t *words = corpus->words + span.place;
    for (size_t i = 0; i < span.n_words; i++) {
        const struct ss_text word = corpus->forms.texts[corpus->facts[words[i]].form];
        if (i > 0 && !corpus->facts[words[i]].is_glued) {
            ss__buf_add_byte(out, ' ');
        }
        ss__buf_add(out, word.data, word.n_bytes);
    }
}

/* The words from `place` on as the text writes them, one space between. */
static void add_surface(const struct ss_describe_corpus *corpus, struct ss_text text,
                        size_t place, size_t n, struct ss__buf *out)
{
    for (size_t i = place; i < place + n; i++) {
        if (i > place && !corpus->facts[corpus->words[i]].is_glued) {
            ss__buf_add_byte(out, ' ');
        }
        ss__buf_add(out, text.data + corpus->begins[i], corpus->ends[i] - corpus->begins[i]);
    }
}

ss_status ss_describe_phrase_surface(const struct ss_describe_corpus *corpus,
                                     struct ss_describe_phrase span, const uint32_t *texts,
                                     size_t n, struct ss__buf *out, ss_err *err)
{
    ss_status status = SS_OK;
    const uint32_t *words = corpus->words + span.place;
    const size_t n_words = span.n_words;
    struct ss_describe_strings forms = {0};
    struct ss__buf form = {0};
    size_t *counts = NULL;
    size_t room = 0;
    size_t best = 0;
    for (size_t t = 0; t < n; t++) {
        const size_t end = corpus->offsets[texts[t] + 1];
        for (size_t i = corpus->offsets[texts[t]]; i + n_words <= end; i++) {
            uint32_t number = 0;
            if (memcmp(corpus->words + i, words, n_words * sizeof *words) != 0) {
                continue;
            }
            const size_t n_before = forms.n;
            form.n_bytes = 0;
            add_surface(corpus, corpus->texts[texts[t]], i, n_words, &form);
            SS_TRY(ss__buf_check(&form, err));
            SS_TRY(ss_describe_strings_add(&forms, (struct ss_text){form.data, form.n_bytes},
                                           &number, err));
            SS_GROW(counts, room, forms.n);
            counts[number] = forms.n > n_before ? 1 : counts[number] + 1;
        }
    }
    for (size_t i = 1; i < forms.n; i++) {
        if (counts[i] > counts[best] ||
            (counts[i] == counts[best] &&
             ss_describe_compare_texts(forms.texts[i], forms.texts[best]) < 0)) {
            best = i;
        }
    }
    if (forms.n > 0) {
        ss__buf_add(out, forms.texts[best].data, forms.texts[best].n_bytes);
    } else {
        ss_describe_phrase_text(corpus, span, out);
    }
out:
    ss__free(counts);
    ss__buf_release(&form);
    ss_describe_strings_release(&forms);
    return status;
}
