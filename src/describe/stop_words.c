/* Words that carry no topic. */
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "describe/corpus.h"

#include "describe/stop_word_hashes.inc"

bool ss_describe_is_seed_stop_word(struct ss_text word)
{
    const uint64_t wanted = ss_describe_hash_text(word);
    size_t low = 0;
    size_t high = sizeof stop_word_hashes / sizeof stop_word_hashes[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (stop_word_hashes[middle] == wanted) {
            return true;
        }
        if (stop_word_hashes[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* ---- function words ---- */

/* Words that may not stand first or last in an English phrase: determiners, pronouns,
 * prepositions, conjunctions, auxiliaries, adverbs of degree and place, numerals. */
static const char *const function_words[] = {
    /* determiners */
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "each",
    "every",
    "either",
    "neither",
    "some",
    "any",
    "no",
    "none",
    "all",
    "both",
    "half",
    "such",
    "another",
    "other",
    "others",
    "same",
    "own",
    "few",
    "fewer",
    "little",
    "less",
    "least",
    "many",
    "much",
    "more",
    "most",
    "several",
    "enough",
    "various",
    "certain",
    /* pronouns */
    "i",
    "me",
    "my",
    "mine",
    "myself",
    "we",
    "us",
    "our",
    "ours",
    "ourselves",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
    "he",
    "him",
    "his",
    "himself",
    "she",
    "her",
    "hers",
    "herself",
    "it",
    "its",
    "itself",
    "they",
    "them",
    "their",
    "theirs",
    "themselves",
    "one",
    "ones",
    "oneself",
    "who",
    "whom",
    "whose",
    "which",
    "what",
    "whatever",
    "whichever",
    "whoever",
    "something",
    "anything",
    "nothing",
    "everything",
    "someone",
    "anyone",
    "everyone",
    "somebody",
    "anybody",
    "nobody",
    "everybody",
    /* prepositions */
    "about",
    "above",
    "across",
    "after",
    "against",
    "along",
    "among",
    "amongst",
    "around",
    "as",
    "at",
    "before",
    "behind",
    "below",
    "beneath",
    "beside",
    "besides",
    "between",
    "beyond",
    "but",
    "by",
    "despite",
    "down",
    "during",
    "except",
    "for",
    "from",
    "in",
    "inside",
    "into",
    "like",
    "near",
    "of",
    "off",
    "on",
    "onto",
    "out",
    "outside",
    "over",
    "past",
    "per",
    "since",
    "than",
    "through",
    "throughout",
    "till",
    "to",
    "toward",
    "towards",
    "under",
    "until",
    "up",
    "upon",
    "via",
    "versus",
    "vs",
    "with",
    "within",
    "without",
    "due",
    "according",
    /* conjunctions */
    "and",
    "or",
    "nor",
    "so",
    "yet",
    "if",
    "unless",
    "because",
    "although",
    "though",
    "whereas",
    "while",
    "whilst",
    "when",
    "whenever",
    "where",
    "wherever",
    "whether",
    "why",
    "how",
    "however",
    "therefore",
    "thus",
    "hence",
    "moreover",
    "furthermore",
    "otherwise",
    "instead",
    "then",
    "else",
    "once",
    "i.e",
    "e.g",
    "ie",
    "eg",
    "etc",
    "et",
    "al",
    /* auxiliaries */
    "am",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "being",
    "do",
    "does",
    "did",
    "doing",
    "done",
    "have",
    "has",
    "had",
    "having",
    "can",
    "could",
    "cannot",
    "may",
    "might",
    "must",
    "shall",
    "should",
    "will",
    "would",
    "ought",
    "let",
    "lets",
    "get",
    "gets",
    "got",
    "don't",
    "doesn't",
    "didn't",
    "isn't",
    "aren't",
    "wasn't",
    "weren't",
    "won't",
    "wouldn't",
    "can't",
    "couldn't",
    "shouldn't",
    "haven't",
    "hasn't",
    "hadn't",
    "i'm",
    "i've",
    "i'd",
    "i'll",
    "it's",
    "that's",
    "there's",
    "we're",
    "we've",
    "you're",
    "you've",
    "they're",
    "he's",
    "she's",
    "let's",
    "what's",
    /* adverbs of degree, place and time */
    "not",
    "very",
    "too",
    "quite",
    "rather",
    "almost",
    "nearly",
    "just",
    "only",
    "even",
    "also",
    "still",
    "already",
    "always",
    "never",
    "ever",
    "often",
    "sometimes",
    "again",
    "further",
    "here",
    "there",
    "now",
    "well",
    "away",
    "back",
    "together",
    "apart",
    "indeed",
    "perhaps",
    "maybe",
    "really",
    "simply",
    "mostly",
    "mainly",
    "largely",
    "highly",
    "particularly",
    "especially",
    "respectively",
    "namely",
    "thereby",
    "therein",
    "thereof",
    "whereby",
    "wherein",
    "herein",
    "hereby",
    /* numerals */
    "zero",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "hundred",
    "thousand",
    "million",
    "billion",
    "first",
    "second",
    "third",
};

/* Those of them that may stand inside one: "equation of state", but neither "is achieved by"
 * nor "lock the laser". */
static const char *const joining_words[] = {
    "against", "and",   "as",  "at",     "between", "by",  "for",  "from",   "in",
    "into",    "of",    "off", "on",     "or",      "out", "over", "per",    "through",
    "to",      "under", "up",  "versus", "via",     "vs",  "with", "within", "without",
};

static void forbid(struct ss_describe_corpus *corpus, struct ss_text word)
{
    const uint32_t number = ss_describe_strings_find(&corpus->strings, word);
    if (number != SS_DESCRIBE_NO_STRING && !corpus->facts[number].is_glued) {
        corpus->facts[number].can_end = false;
    }
}

/* ---- the corpus's own ---- */

enum { AUTO_WORDS = 60 };
static const double auto_least_share = 0.05; /* of the texts */
static const double english_share = 0.1;     /* of the words */

struct counted {
    uint32_t word;
    uint32_t n_texts;
};

static int by_count(const void *left, const void *right)
{
    const struct counted *a = left;
    const struct counted *b = right;
    if (a->n_texts != b->n_texts) {
        return a->n_texts > b->n_texts ? -1 : 1;
    }
    return (a->word > b->word) - (a->word < b->word);
}

/* The words that most of the first n texts hold. */
static ss_status forbid_frequent(struct ss_describe_corpus *corpus, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct counted *counts = NULL;
    uint32_t *last = NULL;
    SS_ALLOC(counts, corpus->strings.n);
    SS_ALLOC(last, corpus->strings.n);
    for (size_t w = 0; w < corpus->strings.n; w++) {
        counts[w].word = (uint32_t)w;
    }
    for (size_t t = 0; t < n; t++) {
        for (size_t i = corpus->offsets[t]; i < corpus->offsets[t + 1]; i++) {
            const uint32_t word = corpus->words[i];
            if (word != SS_DESCRIBE_BREAK && last[word] != t + 1) {
                last[word] = (uint32_t)t + 1;
                counts[word].n_texts++;
            }
        }
    }
    if (corpus->strings.n > 0) {
        ss__sort(counts, corpus->strings.n, sizeof *counts, by_count);
    }
    for (size_t i = 0; i < corpus->strings.n && i < AUTO_WORDS; i++) {
        if ((double)counts[i].n_texts >= auto_least_share * (double)n) {
            forbid(corpus, corpus->strings.texts[counts[i].word]);
        }
    }
out:
    ss__free(counts);
    ss__free(last);
    return status;
}

static void set_joining(struct ss_describe_corpus *corpus, const char *word, bool can_join)
{
    const uint32_t number =
        ss_describe_strings_find(&corpus->strings, (struct ss_text){word, strlen(word)});
    if (number != SS_DESCRIBE_NO_STRING) {
        corpus->facts[number].can_join = can_join;
    }
}

void ss_describe_forbid_english(struct ss_describe_corpus *corpus)
{
    for (size_t i = 0; i < sizeof function_words / sizeof function_words[0]; i++) {
        forbid(corpus, (struct ss_text){function_words[i], strlen(function_words[i])});
        set_joining(corpus, function_words[i], false);
    }
    for (size_t i = 0; i < sizeof joining_words / sizeof joining_words[0]; i++) {
        set_joining(corpus, joining_words[i], true);
    }
}

/* Whether a good part of the words of the first n texts are on the English list. */
static ss_status is_english(const struct ss_describe_corpus *corpus, size_t n, bool *answer,
                            ss_err *err)
{
    ss_status status = SS_OK;
    bool *is_on_list = NULL;
    size_t n_words = 0;
    size_t n_found = 0;
    SS_ALLOC(is_on_list, corpus->strings.n);
    for (size_t i = 0; i < sizeof function_words / sizeof function_words[0]; i++) {
        const struct ss_text word = {function_words[i], strlen(function_words[i])};
        const uint32_t number = ss_describe_strings_find(&corpus->strings, word);
        if (number != SS_DESCRIBE_NO_STRING) {
            is_on_list[number] = true;
        }
    }
    for (size_t i = 0; i < corpus->offsets[n]; i++) {
        n_words += corpus->words[i] != SS_DESCRIBE_BREAK;
        n_found += corpus->words[i] != SS_DESCRIBE_BREAK && is_on_list[corpus->words[i]];
    }
    *answer = (double)n_found >= english_share * (double)n_words;
out:
    ss__free(is_on_list);
    return status;
}

ss_status ss_describe_corpus_stop(struct ss_describe_corpus *corpus,
                                  const struct ss_describe_stop_words *stop_words,
                                  size_t n_counted, ss_err *err)
{
    bool answer = false;
    switch (stop_words->kind) {
    case SS_DESCRIBE_STOP_ENGLISH:
        SS_RETURN_IF_ERROR(is_english(corpus, n_counted, &answer, err));
        if (answer) {
            ss_describe_forbid_english(corpus);
        } else {
            SS_RETURN_IF_ERROR(forbid_frequent(corpus, n_counted, err));
        }
        break;
    case SS_DESCRIBE_STOP_AUTO:
        SS_RETURN_IF_ERROR(forbid_frequent(corpus, n_counted, err));
        break;
    case SS_DESCRIBE_STOP_LIST:
        for (size_t i = 0; i < stop_words->n_words; i++) {
            forbid(corpus, stop_words->words[i]);
        }
        break;
    case SS_DESCRIBE_STOP_NONE:
        break;
    }
    return SS_OK;
}
