/* Phrases of more than three words. Counting all of them would cost as much again for each word
 * more; those that matter are found from their parts: where a phrase of three words nearly
 * always stands beside the same word, that word belongs to it. */
#include <string.h>

#include "describe/corpus.h"

enum { MOST_WORDS = 6, LEAST_PLACES = 2 };
static const double share_beside = 0.8; /* of the places of a phrase */

struct growing {
    const struct ss_describe_corpus *corpus;
    const uint32_t *texts; /* [n] */
    size_t n;
    struct ss_describe_phrase *span;
};

/* The next place of the phrase: `text` is the index of a text, *at a place in it. */
static bool next_place(const struct growing *growing, size_t *text, size_t *at)
{
    const struct ss_describe_corpus *corpus = growing->corpus;
    const uint32_t *words = corpus->words + growing->span->place;
    const size_t n_words = growing->span->n_words;
    for (; *text < growing->n; ++*text, *at = 0) {
        const size_t begin = corpus->offsets[growing->texts[*text]];
        const size_t end = corpus->offsets[growing->texts[*text] + 1];
        for (*at = ss__max_size(*at, begin); *at + n_words <= end; ++*at) {
            if (memcmp(corpus->words + *at, words, n_words * sizeof *words) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The word before or behind a place; a break at the ends of a text. */
static uint32_t word_beside(const struct growing *growing, size_t text, size_t at,
                            bool is_before)
{
    const struct ss_describe_corpus *corpus = growing->corpus;
    const size_t begin = corpus->offsets[growing->texts[text]];
    const size_t end = corpus->offsets[growing->texts[text] + 1];
    if (is_before) {
        return at > begin ? corpus->words[at - 1] : SS_DESCRIBE_BREAK;
    }
    return at + growing->span->n_words < end ? corpus->words[at + growing->span->n_words]
                                             : SS_DESCRIBE_BREAK;
}

/* The word that stands beside more than half of the places, if there is one (Boyer and Moore's
 * vote); else some word. */
static uint32_t find_leader(const struct growing *growing, bool is_before)
{
    uint32_t leader = SS_DESCRIBE_BREAK;
    size_t lead = 0;
    for (size_t text = 0, at = 0; next_place(growing, &text, &at); at++) {
        const uint32_t beside = word_beside(growing, text, at, is_before);
        if (lead == 0) {
            leader = beside;
        }
        lead = beside == leader ? lead + 1 : lead - 1;
    }
    return leader;
}

static bool holds(const struct growing *growing, uint32_t word)
{
    const uint32_t *words = growing->corpus->words + growing->span->place;
    for (size_t i = 0; i < growing->span->n_words; i++) {
        if (words[i] == word) {
            return true;
        }
    }
    return false;
}

static bool grow(const struct growing *growing, bool is_before)
{
    const uint32_t leader = find_leader(growing, is_before);
    size_t n_places = 0, n_same = 0, first = 0;
    if (leader == SS_DESCRIBE_BREAK || holds(growing, leader)) {
        return false;
    }
    for (size_t text = 0, at = 0; next_place(growing, &text, &at); at++) {
        const bool is_same = word_beside(growing, text, at, is_before) == leader;
        first = is_same && n_same == 0 ? at : first;
        n_same += is_same;
        n_places++;
    }
    if (n_same < LEAST_PLACES || (double)n_same < share_beside * (double)n_places) {
        return false;
    }
    growing->span->place = (uint32_t)(is_before ? first - 1 : first);
    growing->span->n_words++;
    return true;
}

void ss_describe_extend_phrase(const struct ss_describe_corpus *corpus, const uint32_t *texts,
                               size_t n, struct ss_describe_phrase *span)
{
    const struct growing growing = {corpus, texts, n, span};
    if (span->n_words != SS_DESCRIBE_PHRASE_WORDS ||
        corpus->facts[corpus->words[span->place]].is_glued) {
        return;
    }
    while (span->n_words < MOST_WORDS && (grow(&growing, false) || grow(&growing, true))) {
    }
    while (!corpus->facts[corpus->words[span->place]].can_end) {
        span->place++;
        span->n_words--;
    }
    while (!corpus->facts[corpus->words[span->place + span->n_words - 1]].can_end) {
        span->n_words--;
    }
}
