/* Facts about code points, as the reference tokenizer has them: a mixture of Unicode versions,
 * so no library of the system can answer. The tables are made by tools/make_unicode_tables.py
 * and checked against the reference over every code point by tools/check_tokenizer.py. */
#ifndef SS_TOKENIZER_UNICODE_H
#define SS_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the BERT pipeline does with a code point. */
typedef enum ss__char_class {
    SS__CHAR_PLAIN,
    SS__CHAR_DROP,  /* removed by cleaning: its neighbours join */
    SS__CHAR_SPACE, /* becomes U+0020 by cleaning */
    SS__CHAR_CJK,   /* gets a space on both sides */
    SS__CHAR_MARK,  /* Mn, removed with accents */
    SS__CHAR_PUNCT  /* a word of its own */
} ss__char_class;

/* A record holds the class and these bits. */
enum {
    SS__CHAR_CLASS_MASK = 7,
    SS__CHAR_DECOMPOSES = 1 << 3,
    SS__CHAR_LOWERS = 1 << 4,   /* lower-casing changes it */
    SS__CHAR_COMBINES = 1 << 5, /* its combining class is not 0 */
    SS__CHAR_ANY_MARK = 1 << 6, /* M*, removed by the StripAccents normaliser */
    SS__CHAR_WORD = 1 << 7,     /* a word character beside an added token */
    SS__CHAR_MAX_EXPANSION = 18 /* code points that one can become in any mapping below */
};

/* The record of a code point; 0 for surrogates and anything above U+10FFFF. */
uint8_t ss__char_record(uint32_t code_point);

static inline ss__char_class ss__char_class_of(uint32_t code_point)
{
    return (ss__char_class)(ss__char_record(code_point) & SS__CHAR_CLASS_MASK);
}

/* Full canonical decomposition, or full lower-case, into out; returns how many code points. */
size_t ss__char_decompose(uint32_t code_point, uint32_t out[SS__CHAR_MAX_EXPANSION]);
size_t ss__char_lower(uint32_t code_point, uint32_t out[SS__CHAR_MAX_EXPANSION]);

/* Full compatibility decomposition (NFKD). */
size_t ss__char_decompose_more(uint32_t code_point, uint32_t out[SS__CHAR_MAX_EXPANSION]);
/* What two code points compose to, 0 if they do not. */
uint32_t ss__char_compose(uint32_t first, uint32_t second);

uint8_t ss__char_combining_class(uint32_t code_point);

#endif
