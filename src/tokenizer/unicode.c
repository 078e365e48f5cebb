#include "tokenizer/unicode.h"

struct combining_range {
    uint32_t first, last;
    uint8_t value;
};

#include "tokenizer/unicode_tables.inc"

enum {
    BLOCK_POINTS = 64,
    GROUP_BLOCKS = 256,
    HANGUL_FIRST = 0xAC00,
    HANGUL_COUNT = 11172,
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

uint8_t ss__char_record(uint32_t code_point)
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

size_t ss__char_decompose(uint32_t code_point, uint32_t out[SS__CHAR_MAX_EXPANSION])
{
    static const struct sequence_map map = SEQUENCE_MAP(nfd);
    const uint32_t index = code_point - HANGUL_FIRST;
    if (index < HANGUL_COUNT) { /* by arithmetic, section 3.12 of the Unicode standard */
        const uint32_t tail = index % HANGUL_TAILS;
        out[0] = 0x1100 + index / HANGUL_PER_LEAD;
        out[1] = 0x1161 + index % HANGUL_PER_LEAD / HANGUL_TAILS;
        out[2] = 0x11A7 + tail;
        return tail == 0 ? 2 : 3;
    }
    return map_code_point(&map, code_point, out);
}

size_t ss__char_lower(uint32_t code_point, uint32_t out[SS__CHAR_MAX_EXPANSION])
{
    static const struct sequence_map map = SEQUENCE_MAP(lower);
    return map_code_point(&map, code_point, out);
}

uint8_t ss__char_combining_class(uint32_t code_point)
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
