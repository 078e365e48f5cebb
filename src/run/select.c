/* Features of a run by what is asked for: a rate, words in their top texts, an order. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "run/results.h"
#include "tokenizer/unicode.h"

enum { MAX_WORDS = 64, FINAL_SIGMA = 0x3C2, SIGMA = 0x3C3 };

struct searching {
    const struct ss_run *run;
    const struct ss_feature_query *query;
    struct ss__buf words;            /* in lower case */
    struct ss_text parts[MAX_WORDS]; /* views into it */
    size_t n_parts;
    struct ss__buf text; /* in lower case */
};

/* Append valid UTF-8 in lower case; both forms of the small sigma are one. */
static void add_lower(struct ss__buf *out, const char *data, size_t n)
{
    uint32_t lower[SS_TOKENIZER_CHAR_MAX_EXPANSION], c = 0;
    char bytes[4];
    for (size_t at = 0, length = 0; at < n; at += length) {
        length = ss__utf8_decode(data + at, n - at, &c);
        if (length == 0) {
            return;
        }
        const bool changes = (ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_LOWERS) != 0;
        const size_t n_lower = changes ? ss_tokenizer_char_lower(c, lower) : 1;
        lower[0] = changes ? lower[0] : c == FINAL_SIGMA ? SIGMA : c;
        for (size_t i = 0; i < n_lower; i++) {
            ss__buf_add(out, bytes, ss__utf8_encode(lower[i], bytes));
        }
    }
}

static ss_status split_words(struct searching *searching, ss_err *err)
{
    const char *words = searching->query->words;
    const char *at = NULL, *end = NULL;
    if (words == NULL) {
        return SS_OK;
    }
    if (ss__utf8_valid_prefix(words, strlen(words)) != strlen(words)) {
        return ss__fail(err, SS_E_USAGE, "the words to search for are not valid UTF-8");
    }
    add_lower(&searching->words, words, strlen(words));
    SS_RETURN_IF_ERROR(ss__buf_check(&searching->words, err));
    at = searching->words.data;
    end = at + searching->words.n_bytes;
    while (at < end) {
        const char *begin = at;
        while (at < end && *at != ' ' && *at != '\t' && *at != '\n') {
            at++;
        }
        if (at > begin && searching->n_parts == MAX_WORDS) {
            return ss__fail(err, SS_E_USAGE, "more than %d words to search for", MAX_WORDS);
        }
        if (at > begin) {
            searching->parts[searching->n_parts++] =
                (struct ss_text){begin, (size_t)(at - begin)};
        }
        at++;
    }
    if (searching->n_parts == 0) {
        return ss__fail(err, SS_E_USAGE, "there are no words to search for");
    }
    return SS_OK;
}

/* Whether a text holds all words, as parts of its words too. */
static bool holds_words(struct searching *searching, struct ss_text text)
{
    struct ss__buf *lower = &searching->text;
    lower->n_bytes = 0;
    add_lower(lower, text.data, text.n_bytes);
    for (size_t i = 0; i < searching->n_parts; i++) {
        const struct ss_text *part = &searching->parts[i];
        if (lower->n_bytes == 0 ||
            memmem(lower->data, lower->n_bytes, part->data, part->n_bytes) == NULL) {
            return false;
        }
    }
    return true;
}

static size_t count_texts(struct searching *searching, size_t feature)
{
    const struct ss_run *run = searching->run;
    size_t n = 0;
    for (size_t i = run->top_offsets[feature]; i < run->top_offsets[feature + 1]; i++) {
        n += holds_words(searching, run->tops[i].text);
    }
    return n;
}

static bool is_asked_for(const struct ss_feature_query *query, const struct ss_feature *facts)
{
    const double rate = (double)facts->rate_pct;
    return (!query->is_dead || facts->dead) &&
           (!query->has_rate ||
            (rate >= query->rate_least_pct && rate <= query->rate_most_pct));
}

/* What features are ordered by, the largest first. */
static double key_of(const struct ss_run *run, ss_feature_order order,
                     const struct ss_feature_match *match)
{
    const struct ss_feature *facts = &run->features[match->feature];
    switch (order) {
    case SS_ORDER_RATE:
        return (double)facts->n_fires;
    case SS_ORDER_MAX:
        return (double)facts->max_activation;
    case SS_ORDER_MEAN:
        return facts->mean_activation;
    case SS_ORDER_TEXTS:
        return (double)match->n_texts;
    default:
        return 0;
    }
}

struct keyed {
    double key;
    struct ss_feature_match match;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    if (a->key != b->key) {
        return a->key > b->key ? -1 : 1;
    }
    return (a->match.feature > b->match.feature) - (a->match.feature < b->match.feature);
}

static size_t find_matches(struct searching *searching, struct keyed *found)
{
    const struct ss_run *run = searching->run;
    size_t n = 0;
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (!is_asked_for(searching->query, &run->features[f])) {
            continue;
        }
        struct ss_feature_match match = {.feature = f};
        match.n_texts = searching->n_parts > 0 ? count_texts(searching, f) : 0;
        if (searching->n_parts == 0 || match.n_texts > 0) {
            found[n++] = (struct keyed){key_of(run, searching->query->order, &match), match};
        }
    }
    qsort(found, n, sizeof *found, compare_keyed);
    return n;
}

ss_status ss_run_select(const ss_run *run, const struct ss_feature_query *query,
                        struct ss_feature_match *matches, size_t *n_matches, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_feature_query read = {.struct_size = sizeof read};
    struct searching searching = {.run = run, .query = &read};
    struct keyed *found = NULL;
    *n_matches = 0;
    SS_TRY(SS_READ_OPTIONS(&read, query, ss_feature_query, err));
    SS_ALLOC(found, run->info.n_features);
    SS_TRY(split_words(&searching, err));
    *n_matches = find_matches(&searching, found);
    SS_TRY(ss__buf_check(&searching.text, err));
    for (size_t i = 0; i < *n_matches; i++) {
        matches[i] = found[i].match;
    }
out:
    ss__buf_release(&searching.words);
    ss__buf_release(&searching.text);
    ss__free(found);
    return status;
}
