/* Words and lower case as Python 3.11 has them: what CountVectorizer's default pattern finds in
 * str.lower of a text. The table of word characters is Unicode 14's; lower case of characters
 * that this version knows is the same in later ones. */
#include <string.h>

#include "base/utf8.h"
#include "describe/describe_priv.h"
#include "tokenizer/unicode.h"

#include "describe/word_tables.inc"

enum {
    IS_WORD = 1,
    IS_CASED = 2,
    IS_IGNORABLE = 4,
    CAPITAL_SIGMA = 0x3A3,
    FINAL_SIGMA = 0x3C2
};

static unsigned bits_of(uint32_t c)
{
    size_t low = 0;
    size_t high = sizeof word_starts / sizeof word_starts[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (word_starts[middle] >> 8 <= c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? 0 : word_starts[low - 1] & 0xFF;
}

static bool is_ascii_alphanumeric(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool ss_describe_is_alphanumeric(uint32_t c)
{
    return c < 0x80 ? is_ascii_alphanumeric(c) : (bits_of(c) & IS_WORD) != 0;
}

static bool is_word(uint32_t c)
{
    return c == '_' || ss_describe_is_alphanumeric(c);
}

/* ---- lower case ---- */

static void add_code_point(struct ss__buf *out, uint32_t c)
{
    char bytes[4];
    ss__buf_add(out, bytes, ss__utf8_encode(c, bytes));
}

/* Bits of the last character before `at` that is not ignored; 0 at the beginning. */
static unsigned bits_before(struct ss_text text, size_t at)
{
    while (at > 0) {
        do {
            at--;
        } while (at > 0 && ((unsigned char)text.data[at] & 0xC0) == 0x80);
        uint32_t c = 0;
        ss__utf8_decode(text.data + at, text.n_bytes - at, &c);
        if ((bits_of(c) & IS_IGNORABLE) == 0) {
            return bits_of(c);
        }
    }
    return 0;
}

static unsigned bits_behind(struct ss_text text, size_t at)
{
    while (at < text.n_bytes) {
        uint32_t c = 0;
        const size_t n = ss__utf8_decode(text.data + at, text.n_bytes - at, &c);
        if ((bits_of(c) & IS_IGNORABLE) == 0) {
            return bits_of(c);
        }
        at += n == 0 ? 1 : n;
    }
    return 0;
}

static void add_lower(struct ss_text text, size_t at, size_t n, uint32_t c, struct ss__buf *out)
{
    uint32_t lower[SS_TOKENIZER_CHAR_MAX_EXPANSION];
    if (c == CAPITAL_SIGMA) {
        const bool is_final = (bits_before(text, at) & IS_CASED) != 0 &&
                              (bits_behind(text, at + n) & IS_CASED) == 0;
        add_code_point(out, is_final ? FINAL_SIGMA : CAPITAL_SIGMA + 0x20);
        return;
    }
    if (!is_word(c)) { /* no part of a word in either case */
        add_code_point(out, c);
        return;
    }
    const size_t n_lower = ss_tokenizer_char_lower(c, lower);
    for (size_t i = 0; i < n_lower; i++) {
        add_code_point(out, lower[i]);
    }
}

void ss_describe_lower(struct ss_text text, struct ss__buf *out)
{
    size_t at = 0;
    while (at < text.n_bytes) {
        const unsigned char byte = (unsigned char)text.data[at];
        if (byte < 0x80) {
            ss__buf_add_byte(out, (char)(byte >= 'A' && byte <= 'Z' ? byte + 0x20 : byte));
            at++;
            continue;
        }
        uint32_t c = SS__REPLACEMENT;
        size_t n = ss__utf8_decode(text.data + at, text.n_bytes - at, &c);
        n = n == 0 ? 1 : n;
        add_lower(text, at, n, c, out);
        at += n;
    }
}

/* ---- words ---- */

bool ss_describe_next_word(struct ss_text text, size_t *at, struct ss_text *word)
{
    size_t begin = *at;
    size_t n_characters = 0;
    size_t i = *at;
    while (i < text.n_bytes) {
        uint32_t c = SS__REPLACEMENT;
        const size_t n = ss__utf8_decode(text.data + i, text.n_bytes - i, &c);
        if (is_word(c)) {
            begin = n_characters == 0 ? i : begin;
            n_characters++;
        } else if (n_characters >= 2) {
            break;
        } else {
            n_characters = 0;
        }
        i += n == 0 ? 1 : n;
    }
    *at = i;
    *word = (struct ss_text){text.data + begin, i - begin};
    return n_characters >= 2;
}

int ss_describe_compare_texts(struct ss_text a, struct ss_text b)
{
    const size_t n = ss__min_size(a.n_bytes, b.n_bytes);
    const int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

uint64_t ss_describe_hash_text(struct ss_text text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < text.n_bytes; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}
