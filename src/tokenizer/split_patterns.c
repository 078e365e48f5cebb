/* The regular expressions that byte-level models cut words with, written as scanners. Each
 * matches at every place, so a match starts where the last one ended.
 *
 *   gpt2   's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^\sLN]+|\s+(?!\S)|\s+
 *   gpt4   the same contractions in any case|[^\r\nLN]?L+|N{1,3}| ?[^\sLN]+[\r\n]*|\s*[\r\n]+|
 *          \s+(?!\S)|\s+                                 (with N alone in some models)
 *   gpt4o  letters as capitals and small ones: [^\r\nLN]?U*W+C?|[^\r\nLN]?U+W*C?|… where
 *          U = Lu Lt Lm Lo M, W = Ll Lm Lo M, C = a contraction; [\r\n/]* behind symbols
 */
#include <string.h>

#include "base/mem.h"
#include "tokenizer/ascii64.h"
#include "tokenizer/split.h"

/* ---- parts of the patterns: each gives the end of its match, `at` if it does not match ----
 */

static uint8_t class_at(const struct ss_text *text, size_t at, size_t *length)
{
    *length = 0;
    return at < text->n_bytes
               ? ss_tokenizer_split_class(text->data + at, text->n_bytes - at, length)
               : 0;
}

/* The run of characters with a bit of `wanted` and none of `unwanted`. */
static size_t skip_run(const struct ss_text *text, size_t at, uint8_t wanted, uint8_t unwanted)
{
    for (size_t length = 0; at < text->n_bytes; at += length) {
        const uint8_t class =
            ss_tokenizer_split_class(text->data + at, text->n_bytes - at, &length);
        if ((wanted != 0 && (class & wanted) == 0) || (class & unwanted) != 0) {
            break;
        }
    }
    return at;
}

static size_t skip_bytes(const struct ss_text *text, size_t at, const char *bytes)
{
    while (at < text->n_bytes && strchr(bytes, text->data[at]) != NULL &&
           text->data[at] != '\0') {
        at++;
    }
    return at;
}

/* 's 't 're 've 'm 'll 'd */
static size_t skip_contraction(const struct ss_text *text, size_t at, bool any_case)
{
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    const char *rest = text->data + at + 1;
    if (text->n_bytes - at < 2 || text->data[at] != '\'') {
        return at;
    }
    const size_t n_rest = text->n_bytes - at - 1;
    if (any_case && n_rest >= 2 && memcmp(rest, "\xC5\xBF", 2) == 0) { /* U+017F folds to s */
        return at + 3;
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t n = strlen(endings[i]);
        bool same = n <= n_rest;
        for (size_t j = 0; same && j < n; j++) {
            const char c = rest[j];
            same = (any_case && c >= 'A' && c <= 'Z' ? c | 0x20 : c) == endings[i][j];
        }
        if (same) {
            return at + 1 + n;
        }
    }
    return at;
}

/* \s+(?!\S)|\s+: a run leaves its last character to the word that follows. */
static size_t skip_spaces(const struct ss_text *text, size_t at)
{
    size_t last = at, stop = at, length = 0;
    while (stop < text->n_bytes &&
           (class_at(text, stop, &length) & SS_TOKENIZER_SPLIT_SPACE) != 0) {
        last = stop;
        stop += length;
    }
    return stop < text->n_bytes && last > at ? last : stop;
}

/* \s*[\r\n]+ */
static size_t skip_lines(const struct ss_text *text, size_t at)
{
    size_t stop = at, length = 0;
    for (; at < text->n_bytes; at += length) {
        const uint8_t class = class_at(text, at, &length);
        if ((class & SS_TOKENIZER_SPLIT_SPACE) == 0) {
            break;
        }
        stop = (class & SS_TOKENIZER_SPLIT_NEWLINE) != 0 ? at + length : stop;
    }
    return stop;
}

/*  ?[^\sLN]+ and then bytes of `tail` */
static size_t skip_symbols(const struct ss_text *text, size_t at, const char *tail)
{
    const size_t from = at + (text->data[at] == ' ');
    const size_t stop = skip_run(text, from, 0,
                                 SS_TOKENIZER_SPLIT_SPACE | SS_TOKENIZER_SPLIT_LETTER |
                                     SS_TOKENIZER_SPLIT_NUMBER);
    return stop > from ? skip_bytes(text, stop, tail) : at;
}

static size_t skip_digits(const struct ss_text *text, size_t at, size_t n_max)
{
    size_t length = 0;
    for (size_t i = 0;
         i < n_max && (class_at(text, at, &length) & SS_TOKENIZER_SPLIT_NUMBER) != 0; i++) {
        at += length;
    }
    return at;
}

/* Where letters may begin: behind one character that is no letter, number or line end. */
static size_t skip_lead(const struct ss_text *text, size_t at)
{
    size_t length = 0;
    const uint8_t class = class_at(text, at, &length);
    return (class & (SS_TOKENIZER_SPLIT_LETTER | SS_TOKENIZER_SPLIT_NUMBER |
                     SS_TOKENIZER_SPLIT_NEWLINE)) == 0
               ? at + length
               : at;
}

/* ---- the patterns ---- */

/* The alternatives of the pattern in their order; the last two match any white space that is
 * left. */
bool ss_tokenizer_find_gpt2(const struct ss_tokenizer_splitter *splitter,
                            const struct ss_text *text, size_t at, size_t *start, size_t *stop)
{
    size_t length = 0;
    (void)splitter;
    *start = at;
    *stop = text->data[at] == '\'' ? skip_contraction(text, at, false) : at;
    if (*stop > at) {
        return true;
    }
    const size_t from = at + (text->data[at] == ' ');
    const uint8_t class =
        class_at(text, from, &length) &
        (SS_TOKENIZER_SPLIT_LETTER | SS_TOKENIZER_SPLIT_NUMBER | SS_TOKENIZER_SPLIT_SPACE);
    if (from == text->n_bytes || class == SS_TOKENIZER_SPLIT_SPACE) {
        *stop = skip_spaces(text, at);
    } else if (class == 0) {
        *stop = skip_symbols(text, at, "");
    } else {
        *stop = skip_run(text, from, class, 0);
    }
    return true;
}

/* What the bytes of a block are; all ASCII white space, and U+0020 alone. */
struct gpt2_block {
    uint64_t letters, digits, spaces, blanks, apostrophes, beyond;
};

static struct gpt2_block read_block(const char *text)
{
    struct gpt2_block block = {0};
    for (unsigned i = 0; i < SS_TOKENIZER_BLOCK_BYTES; i += 16) {
        const ss_tokenizer_bytes16 x = ss_tokenizer_bytes16_load(text + i);
        const uint64_t blanks = ss_tokenizer_bytes16_equal(x, ' ');
        block.letters |= ss_tokenizer_bytes16_among(x, 0x20, 'a', 26) << i;
        block.digits |= ss_tokenizer_bytes16_among(x, 0, '0', 10) << i;
        block.blanks |= blanks << i;
        block.spaces |= (blanks | ss_tokenizer_bytes16_among(x, 0, '\t', 5)) << i;
        block.apostrophes |= ss_tokenizer_bytes16_equal(x, '\'') << i;
        block.beyond |= ss_tokenizer_bytes16_beyond(x) << i;
    }
    return block;
}

/* Of bits in runs those that follow another. */
static uint64_t continued(uint64_t bits)
{
    return bits & bits << 1;
}

/* In a run of one class there is no cut but before the last of white space that something
 * follows; between two classes there is one, but a blank goes with what follows it. An
 * apostrophe may begin a contraction, so it and what lies behind it is left to the finder,
 * as is what touches other characters. */
uint64_t ss_tokenizer_cut_gpt2(const struct ss_text *text, size_t at)
{
    const size_t n = text->n_bytes - at;
    const uint64_t inside = ss_tokenizer_low_bits(n);
    const struct gpt2_block block = read_block(text->data + at);
    const uint64_t others = inside & ~block.spaces;
    const uint64_t symbols = others & ~block.letters & ~block.digits;
    const uint64_t same = continued(block.letters) | continued(block.digits) |
                          continued(block.spaces) | continued(symbols);
    const uint64_t last_space = continued(block.spaces) & others >> 1;
    const uint64_t joined = others & block.blanks << 1;
    const uint64_t cuts = inside & ((~same & ~joined) | last_space) & ~UINT64_C(1);
    const size_t beyond = ss_tokenizer_lowest_bit(block.beyond & inside);
    const size_t apostrophe = ss_tokenizer_lowest_bit(block.apostrophes & inside);
    const size_t n_sure = ss__min_size(apostrophe + 1, beyond == 0 ? 0 : beyond - 1);
    if (n_sure >= n) { /* to the end of the text, which is a cut as well */
        return cuts | UINT64_C(1) << n;
    }
    return cuts & ss_tokenizer_low_bits(n_sure);
}

/* What the newer patterns have in common behind their words. */
static size_t skip_no_word(const struct ss_tokenizer_splitter *splitter,
                           const struct ss_text *text, size_t at, const char *tail)
{
    size_t stop = skip_digits(text, at, splitter->n_max_digits);
    if (stop == at) {
        stop = skip_symbols(text, at, tail);
    }
    if (stop == at) {
        stop = skip_lines(text, at);
    }
    return stop == at ? skip_spaces(text, at) : stop;
}

bool ss_tokenizer_find_gpt4(const struct ss_tokenizer_splitter *splitter,
                            const struct ss_text *text, size_t at, size_t *start, size_t *stop)
{
    *start = at;
    *stop = skip_contraction(text, at, true);
    if (*stop > at) {
        return true;
    }
    const size_t from = skip_lead(text, at);
    *stop = skip_run(text, from, SS_TOKENIZER_SPLIT_LETTER, 0);
    if (*stop == from) {
        *stop = skip_no_word(splitter, text, at, "\r\n");
    }
    return true;
}

/* U*W+: capitals as many as possible, but the last of W must be left. */
static size_t skip_word(const struct ss_text *text, size_t at)
{
    size_t length = 0, after_small = at;
    const size_t capitals = skip_run(text, at, SS_TOKENIZER_SPLIT_UPPER, 0);
    const size_t stop = skip_run(text, capitals, SS_TOKENIZER_SPLIT_LOWER, 0);
    if (stop > capitals) {
        return stop;
    }
    for (size_t i = at; i < capitals; i += length) {
        if ((class_at(text, i, &length) & SS_TOKENIZER_SPLIT_LOWER) != 0) {
            after_small = i + length;
        }
    }
    return after_small;
}

static size_t skip_capitals(const struct ss_text *text, size_t at)
{
    return skip_run(text, at, SS_TOKENIZER_SPLIT_UPPER, 0);
}

/* Four alternatives for letters: each of the two kinds of words, behind a lead or not. */
bool ss_tokenizer_find_gpt4o(const struct ss_tokenizer_splitter *splitter,
                             const struct ss_text *text, size_t at, size_t *start, size_t *stop)
{
    static size_t (*const words[])(const struct ss_text *, size_t) = {skip_word, skip_capitals};
    const size_t froms[] = {skip_lead(text, at), at};
    *start = at;
    for (size_t i = 0; i < 4; i++) {
        const size_t from = froms[i % 2];
        *stop = words[i / 2](text, from);
        if (*stop > from) {
            *stop = skip_contraction(text, *stop, true);
            return true;
        }
    }
    *stop = skip_no_word(splitter, text, at, "\r\n/");
    return true;
}

/* ---- the table ---- */

#define ENDINGS "'s|'t|'re|'ve|'m|'ll|'d"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT4(digits)                                                                           \
    "(?i:" ENDINGS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" digits                             \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"

static const struct {
    const char *pattern;
    ss_tokenizer_find_fn *find;
    uint8_t n_max_digits;
} patterns[] = {
    {ENDINGS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     ss_tokenizer_find_gpt2, 0},
    {GPT4("{1,3}"), ss_tokenizer_find_gpt4, 3},
    {GPT4(""), ss_tokenizer_find_gpt4, 1},
    {LEAD UPPER "*" LOWER "+(?i:" ENDINGS ")?|" LEAD UPPER "+" LOWER "*(?i:" ENDINGS
                ")?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES,
     ss_tokenizer_find_gpt4o, 3},
};

/* By the text of the expression, letter for letter: an expression that differs in a character
 * may cut elsewhere, and there is no engine for expressions in general. */
bool ss_tokenizer_find_pattern(const char *pattern, struct ss_tokenizer_splitter *splitter)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (strcmp(patterns[i].pattern, pattern) == 0) {
            splitter->find = patterns[i].find;
            splitter->n_max_digits = patterns[i].n_max_digits;
            return true;
        }
    }
    return false;
}
