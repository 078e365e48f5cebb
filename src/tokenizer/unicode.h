/* Facts about code points, as the reference tokenizer has them: a mixture of Unicode versions,
 * so no library of the system can answer. The tables are made by tools/make_unicode_tables.py
 * and checked against the reference over every code point by tools/check_tokenizer.py. */
#ifndef SS_TOKENIZER_UNICODE_H
#define SS_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the BERT pipeline does with a code point. */
typedef enum ss_tokenizer_char_class {
    SS_TOKENIZER_CHAR_PLAIN,
    SS_TOKENIZER_CHAR_DROP,  /* removed by cleaning: its neighbours join */
    SS_TOKENIZER_CHAR_SPACE, /* becomes U+0020 by cleaning */
    SS_TOKENIZER_CHAR_CJK,   /* gets a space on both sides */
    SS_TOKENIZER_CHAR_MARK,  /* Mn, removed with accents */
    SS_TOKENIZER_CHAR_PUNCT  /* a word of its own */
} ss_tokenizer_char_class;

/* A record holds the class and these bits. */
enum {
    SS_TOKENIZER_CHAR_CLASS_MASK = 7,
    SS_TOKENIZER_CHAR_DECOMPOSES = 1 << 3,
    SS_TOKENIZER_CHAR_LOWERS = 1 << 4,   /* lower-casing changes it */
    SS_TOKENIZER_CHAR_COMBINES = 1 << 5, /* its combining class is not 0 */
    SS_TOKENIZER_CHAR_ANY_MARK = 1 << 6, /* M*, removed by the StripAccents normaliser */
    SS_TOKENIZER_CHAR_WORD = 1 << 7,     /* a word character beside an added token */
    SS_TOKENIZER_CHAR_MAX_EXPANSION =
        18 /* code points that one can become in any mapping below */
};

/* The record of a code point; 0 for surrogates and anything above U+10FFFF. */
uint8_t ss_tokenizer_char_record(uint32_t code_point);

static inline ss_tokenizer_char_class ss_tokenizer_char_class_of(uint32_t code_point)
{
    return (ss_tokenizer_char_class)(ss_tokenizer_char_record(code_point) &
                                     SS_TOKENIZER_CHAR_CLASS_MASK);
}

/* Full canonical decomposition, or full lower-case, into out; returns how many code points. */
size_t ss_tokenizer_char_decompose(uint32_t code_point,
                                   uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION]);
size_t ss_tokenizer_char_lower(uint32_t code_point,
                               uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION]);

/* Full compatibility decomposition (NFKD). */
size_t ss_tokenizer_char_decompose_more(uint32_t code_point,
                                        uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION]);
/* What two code points compose to, 0 if they do not. */
uint32_t ss_tokenizer_char_compose(uint32_t first, uint32_t second);

uint8_t ss_tokenizer_char_combining_class(uint32_t code_point);

#endif
