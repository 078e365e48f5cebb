/* The texts of the evidence as words and phrases: what the files of this room count. */
#ifndef SS_DESCRIBE_CORPUS_H
#define SS_DESCRIBE_CORPUS_H

#include "describe/describe_priv.h"

/* ---- words (corpus.c) ---- */

#define SS_DESCRIBE_BREAK UINT32_MAX /* a clause ends */
enum {
    SS_DESCRIBE_PHRASE_WORDS = 3,
    SS_DESCRIBE_PHRASE_CHARACTERS = 6 /* of a script without spaces between words */
};

/* A word of the corpus, lower-cased. */
struct ss_describe_word {
    bool can_end;  /* may stand first or last in a phrase */
    bool can_join; /* may stand inside one */
    bool is_glued; /* a character of a script without spaces */
    uint32_t form; /* that texts write most often; of equal ones the first */
};

/* Words of texts one behind the other: text t has places offsets[t] … offsets[t + 1] - 1. */
struct ss_describe_corpus {
    size_t n_texts;
    const struct ss_text *texts;
    size_t *offsets;         /* [n_texts + 1] */
    uint32_t *words;         /* [n] numbers, or SS_DESCRIBE_BREAK */
    uint32_t *begins, *ends; /* [n] bytes of the text */
    size_t n, words_room, begins_room, ends_room;
    struct ss_describe_strings strings; /* the words, none of them embedded */
    struct ss_describe_word *facts;     /* [strings.n] */
    size_t facts_room;
    struct ss_describe_strings forms; /* words as texts write them */
    uint32_t *form_counts;            /* [forms.n] */
    size_t form_counts_room;
};

/* Cut texts into words. Numbers and single letters may not end a phrase, all others may. */
SS_MUST_USE ss_status ss_describe_corpus_init(struct ss_describe_corpus *corpus,
                                              const struct ss_text *texts, size_t n_texts,
                                              ss_err *err);
/* Decide which words may not end a phrase, by their counts in the first n_counted texts. */
SS_MUST_USE ss_status ss_describe_corpus_stop(struct ss_describe_corpus *corpus,
                                              const struct ss_describe_stop_words *stop_words,
                                              size_t n_counted, ss_err *err);
/* English function words may not. */
void ss_describe_forbid_english(struct ss_describe_corpus *corpus);
void ss_describe_corpus_release(struct ss_describe_corpus *corpus);

/* Whether a phrase, as numbers of words, stands in a text, also across clauses. */
bool ss_describe_text_holds(const struct ss_describe_corpus *corpus, size_t text,
                            const uint32_t *words, size_t n);

/* The numbers of the words of a label's part; *is_known is false where one of them stands in no
 * text. `words` has room for n_room; more words are none. */
SS_MUST_USE ss_status ss_describe_corpus_find(const struct ss_describe_corpus *corpus,
                                              struct ss_text part, uint32_t *words,
                                              size_t n_room, size_t *n, bool *is_known,
                                              ss_err *err);

/* ---- phrases (phrases.c) ---- */

/* Phrases of the first n_texts texts. A phrase is known by a place where it begins and its
 * length. */
struct ss_describe_phrase {
    uint32_t place;
    uint32_t n_words;
};
struct ss_describe_phrases {
    const struct ss_describe_corpus *corpus;
    size_t n_texts;
    size_t *offsets; /* [n_texts + 1] */
    uint32_t *list;  /* of text t: its distinct phrases, in the order of first appearance */
    size_t n_list, list_room;
    struct ss_describe_phrase *phrases;
    size_t n, room;
    uint32_t *slots;
    size_t n_slots;
};
SS_MUST_USE ss_status ss_describe_phrases_init(struct ss_describe_phrases *phrases,
                                               const struct ss_describe_corpus *corpus,
                                               size_t n_texts, struct ss_progress_callback stop,
                                               ss_err *err);
void ss_describe_phrases_release(struct ss_describe_phrases *phrases);
/* The phrase of these words, or SS_DESCRIBE_NO_STRING. */
uint32_t ss_describe_phrases_find(const struct ss_describe_phrases *phrases,
                                  const uint32_t *words, size_t n);
static inline const uint32_t *
ss_describe_phrase_words(const struct ss_describe_phrases *phrases, uint32_t phrase)
{
    return phrases->corpus->words + phrases->phrases[phrase].place;
}
/* Words that nearly always stand beside a phrase of the most words in n texts belong to it:
 * "Markov Chain Monte Carlo". */
void ss_describe_extend_phrase(const struct ss_describe_corpus *corpus, const uint32_t *texts,
                               size_t n, struct ss_describe_phrase *span);
/* Append a phrase, each word as most texts write it. */
void ss_describe_phrase_text(const struct ss_describe_corpus *corpus,
                             struct ss_describe_phrase span, struct ss__buf *out);
/* Append a phrase as most of n texts write it; of equally many the first by code points. */
SS_MUST_USE ss_status ss_describe_phrase_surface(const struct ss_describe_corpus *corpus,
                                                 struct ss_describe_phrase span,
                                                 const uint32_t *texts, size_t n,
                                                 struct ss__buf *out, ss_err *err);

/* ---- repeats.c ---- */

/* Whether two phrases share a word, in whatever form. */
bool ss_describe_repeats(const struct ss_describe_corpus *corpus, struct ss_text a,
                         struct ss_text b);

#endif
