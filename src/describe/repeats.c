/* Phrases that say the same word twice: in another form ("vortex", "vortices"), as a part
 * ("X-ray", "ray"), or as its initials ("CMB", "cosmic microwave background"). */
#include "describe/corpus.h"

enum { STEM_CHARACTERS = 4, LEAST_INITIALS = 3, MOST_INITIALS = 12 };
static const double stem_share = 0.66; /* of the shorter word */

static bool is_between_words(char c)
{
    return c == ' ' || c == '-';
}

/* The next word of a phrase, between spaces and hyphens. */
static bool next_word(struct ss_text phrase, size_t *at, struct ss_text *word)
{
    while (*at < phrase.n_bytes && is_between_words(phrase.data[*at])) {
        ++*at;
    }
    const size_t begin = *at;
    while (*at < phrase.n_bytes && !is_between_words(phrase.data[*at])) {
        ++*at;
    }
    *word = (struct ss_text){phrase.data + begin, *at - begin};
    return *at > begin;
}

/* The next word that could end a phrase: "of" and numbers may stand in each. */
static bool next_telling_word(const struct ss_describe_corpus *corpus, struct ss_text phrase,
                              size_t *at, struct ss_text *word)
{
    while (next_word(phrase, at, word)) {
        const uint32_t number = ss_describe_strings_find(&corpus->strings, *word);
        if (number == SS_DESCRIBE_NO_STRING || corpus->facts[number].can_end) {
            return true;
        }
    }
    return false;
}

static size_t count_characters(struct ss_text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    }
    return n;
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char lower_of(char c)
{
    return (char)(is_capital(c) ? c - 'A' + 'a' : c);
}

/* Whether two words begin alike, or differ by a plural's s. */
static bool have_one_stem(struct ss_text a, struct ss_text b)
{
    const struct ss_text shorter = a.n_bytes < b.n_bytes ? a : b;
    const struct ss_text longer = a.n_bytes < b.n_bytes ? b : a;
    size_t n = 0;
    while (n < shorter.n_bytes && lower_of(a.data[n]) == lower_of(b.data[n])) {
        n++;
    }
    if (n == shorter.n_bytes &&
        (n == longer.n_bytes || (n + 1 == longer.n_bytes && longer.data[n] == 's'))) {
        return true;
    }
    const size_t n_same = count_characters((struct ss_text){shorter.data, n});
    return n_same >= STEM_CHARACTERS &&
           (double)n_same >= stem_share * (double)count_characters(shorter);
}

/* Whether a word of capitals, but for a plural's s, stands in the initials of a phrase. */
static bool abbreviates(const struct ss_describe_corpus *corpus, struct ss_text word,
                        struct ss_text phrase)
{
    char initials[MOST_INITIALS];
    struct ss_text part;
    size_t n = word.n_bytes, n_initials = 0;
    n -= n > 0 && word.data[n - 1] == 's';
    for (size_t at = 0;
         n_initials < MOST_INITIALS && next_telling_word(corpus, phrase, &at, &part);) {
        initials[n_initials++] = lower_of(part.data[0]);
    }
    for (size_t first = 0; n >= LEAST_INITIALS && first + n <= n_initials; first++) {
        size_t i = 0;
        while (i < n && is_capital(word.data[i]) &&
               lower_of(word.data[i]) == initials[first + i]) {
            i++;
        }
        if (i == n) {
            return true;
        }
    }
    return false;
}

bool ss_describe_repeats(const struct ss_describe_corpus *corpus, struct ss_text a,
                         struct ss_text b)
{
    struct ss_text word, other;
    for (size_t i = 0; next_telling_word(corpus, a, &i, &word);) {
        for (size_t j = 0; next_telling_word(corpus, b, &j, &other);) {
            if (have_one_stem(word, other) || abbreviates(corpus, other, a)) {
                return true;
            }
        }
        if (abbreviates(corpus, word, b)) {
            return true;
        }
    }
    return false;
}
