/* Which of 64 bytes of text are of some kind, as the bits of a word: bit i stands for byte i.
 * What is to be done with words then follows from shifts and ands instead of a branch a byte.
 * All 64 bytes are read. */
#ifndef SS_TOKENIZER_ASCII64_H
#define SS_TOKENIZER_ASCII64_H

#include <stddef.h>
#include <stdint.h>

enum { SS_TOKENIZER_BLOCK_BYTES = 64 };

#if defined(__SSE2__)
#include <emmintrin.h>

/* SSE2 is part of every x86-64; the other form is for sanitizers and other machines, and gives
 * the same bits. */
typedef __m128i ss_tokenizer_bytes16;

static inline ss_tokenizer_bytes16 ss_tokenizer_bytes16_load(const char *text)
{
    return _mm_loadu_si128((const ss_tokenizer_bytes16 *)(const void *)text);
}

static inline uint64_t ss_tokenizer_bytes16_equal(ss_tokenizer_bytes16 x, char byte)
{
    return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(byte)));
}

/* Bytes of first … first + n - 1, after the bits of `set` are set in all. */
static inline uint64_t ss_tokenizer_bytes16_among(ss_tokenizer_bytes16 x, char set, char first,
                                                  char n)
{
    const __m128i from =
        _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(set)), _mm_set1_epi8(first));
    const __m128i low = _mm_min_epu8(from, _mm_set1_epi8((char)(n - 1)));
    return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, from));
}

static inline uint64_t ss_tokenizer_bytes16_beyond(ss_tokenizer_bytes16 x) /* 128 and more */
{
    return (uint64_t)_mm_movemask_epi8(x);
}
#else
typedef struct ss_tokenizer_bytes16 {
    const char *text;
} ss_tokenizer_bytes16;

static inline ss_tokenizer_bytes16 ss_tokenizer_bytes16_load(const char *text)
{
    return (ss_tokenizer_bytes16){text};
}

static inline uint64_t ss_tokenizer_bytes16_among(ss_tokenizer_bytes16 x, char set, char first,
                                                  char n)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (uint64_t)((uint8_t)((x.text[i] | set) - first) < (uint8_t)n) << i;
    }
    return bits;
}

static inline uint64_t ss_tokenizer_bytes16_equal(ss_tokenizer_bytes16 x, char byte)
{
    return ss_tokenizer_bytes16_among(x, 0, byte, 1);
}

static inline uint64_t ss_tokenizer_bytes16_beyond(ss_tokenizer_bytes16 x)
{
    return ss_tokenizer_bytes16_among(x, 0, (char)0x80, (char)0x80);
}
#endif

/* Where a byte stands. */
static inline uint64_t ss_tokenizer_block_equal(const char *text, char byte)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < SS_TOKENIZER_BLOCK_BYTES; i += 16) {
        bits |= ss_tokenizer_bytes16_equal(ss_tokenizer_bytes16_load(text + i), byte) << i;
    }
    return bits;
}

/* The lowest n bits. */
static inline uint64_t ss_tokenizer_low_bits(size_t n)
{
    return n >= SS_TOKENIZER_BLOCK_BYTES ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* The number of the lowest bit, 64 if there is none. */
static inline size_t ss_tokenizer_lowest_bit(uint64_t bits)
{
    return bits == 0 ? SS_TOKENIZER_BLOCK_BYTES : (size_t)__builtin_ctzll(bits);
}

#endif
