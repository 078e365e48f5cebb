/* Groups of blocks of records for what every code point has, sorted arrays for what few have;
 * syllables of Hangul are computed, as the standard has it. Two levels of blocks, of which
 * equal ones are stored once, keep a byte for each of 1.1 million code points in some
 * kilobytes. */
#include "tokenizer/unicode.h"

struct combining_range {
    uint32_t first, last;
    uint8_t value;
};

#include "tokenizer/unicode_tables.inc"

#include "tokenizer/compose_tables.inc"

enum {
    BLOCK_POINTS = 64,
    GROUP_BLOCKS = 256,
    HANGUL_FIRST = 0xAC00,
    HANGUL_COUNT = 11172,
    HANGUL_LEAD = 0x1100,
    HANGUL_LEADS = 19,
    HANGUL_VOWEL = 0x1161,
    HANGUL_VOWELS = 21,
    HANGUL_NO_TAIL = 0x11A7,
    HANGUL_TAILS = 28,
    HANGUL_PER_LEAD = 588
};

/* A sparse map from code points to short sequences. */
struct sequence_map {
    const uint32_t *keys; /* ascending */
    size_t n_keys;
    const uint16_t *starts; /* [n_keys + 1] into pool */
    const uint32_t *pool;
};

#define SEQUENCE_MAP(name)                                                                     \
    {                                                                                          \
        name##_keys, sizeof name##_keys / sizeof name##_keys[0], name##_starts, name##_pool    \
    }

uint8_t ss_tokenizer_char_record(uint32_t code_point)
{
    const uint32_t block = code_point / BLOCK_POINTS;
    if (block / GROUP_BLOCKS >= sizeof record_groups) {
        return 0;
    }
    const uint32_t group = record_groups[block / GROUP_BLOCKS];
    const uint32_t index = record_blocks[group * GROUP_BLOCKS + block % GROUP_BLOCKS];
    return records[index * BLOCK_POINTS + code_point % BLOCK_POINTS];
}

/* Writes what the map has for a code point, or the code point itself. */
static size_t map_code_point(const struct sequence_map *map, uint32_t code_point, uint32_t *out)
{
    size_t low = 0, high = map->n_keys;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (map->keys[middle] < code_point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == map->n_keys || map->keys[low] != code_point) {
        out[0] = code_point;
        return 1;
    }
    const size_t n = (size_t)map->starts[low + 1] - map->starts[low];
    for (size_t i = 0; i < n; i++) {
        out[i] = map->pool[map->starts[low] + i];
    }
    return n;
}

size_t ss_tokenizer_char_decompose(uint32_t code_point,
                                   uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION])
{
    static const struct sequence_map map = SEQUENCE_MAP(nfd);
    const uint32_t index = code_point - HANGUL_FIRST;
    if (index < HANGUL_COUNT) { /* by arithmetic, section 3.12 of the Unicode standard */
        const uint32_t tail = index % HANGUL_TAILS;
        out[0] = HANGUL_LEAD + index / HANGUL_PER_LEAD;
        out[1] = HANGUL_VOWEL + index % HANGUL_PER_LEAD / HANGUL_TAILS;
        out[2] = HANGUL_NO_TAIL + tail;
        return tail == 0 ? 2 : 3;
    }
    return map_code_point(&map, code_point, out);
}

size_t ss_tokenizer_char_decompose_more(uint32_t code_point,
                                        uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION])
{
    static const struct sequence_map map = SEQUENCE_MAP(nfkd);
    const size_t n = map_code_point(&map, code_point, out);
    return n == 1 && out[0] == code_point ? ss_tokenizer_char_decompose(code_point, out) : n;
}

/* Section 3.12 the other way: a lead and a vowel, or such a syllable and a tail. */
static uint32_t compose_hangul(uint32_t first, uint32_t second)
{
    const uint32_t lead = first - HANGUL_LEAD, vowel = second - HANGUL_VOWEL;
    const uint32_t index = first - HANGUL_FIRST, tail = second - HANGUL_NO_TAIL;
    if (lead < HANGUL_LEADS && vowel < HANGUL_VOWELS) {
        return HANGUL_FIRST + lead * HANGUL_PER_LEAD + vowel * HANGUL_TAILS;
    }
    const bool fits = index < HANGUL_COUNT && index % HANGUL_TAILS == 0 && tail > 0;
    return fits && tail < HANGUL_TAILS ? first + tail : 0;
}

uint32_t ss_tokenizer_char_compose(uint32_t first, uint32_t second)
{
    const uint64_t wanted = (uint64_t)first << 32 | second;
    size_t low = 0, high = sizeof composed / sizeof composed[0];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint32_t *pair = composed_pairs + 2 * middle;
        const uint64_t found = (uint64_t)pair[0] << 32 | pair[1];
        if (found == wanted) {
            return composed[middle];
        }
        low = found < wanted ? middle + 1 : low;
        high = found < wanted ? high : middle;
    }
    return compose_hangul(first, second);
}

size_t ss_tokenizer_char_lower(uint32_t code_point,
                               uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION])
{
    static const struct sequence_map map = SEQUENCE_MAP(lower);
    return map_code_point(&map, code_point, out);
}

uint8_t ss_tokenizer_char_combining_class(uint32_t code_point)
{
    size_t low = 0, high = sizeof combining_ranges / sizeof combining_ranges[0];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (combining_ranges[middle].last < code_point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < sizeof combining_ranges / sizeof combining_ranges[0] &&
                       combining_ranges[low].first <= code_point;
    return found ? combining_ranges[low].value : 0;
}
