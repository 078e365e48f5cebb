/* The compiled map of sentence-piece models: texts and what they become.
 *
 *   u32           bytes of the trie, little-endian like all that follows
 *   u32 [n]       the trie, a double array: bits 0-7 and 31 label, 8 a value follows, 9-30 offset
 *   bytes         texts that end with NUL; a value is where one begins
 *
 * The reference reads the map in a way of its own, which is kept: a cluster of characters of up
 * to 5 bytes becomes what the shortest of its beginnings that the map has becomes, as a whole;
 * of a longer cluster, or where the map has no beginning of it, each character becomes that. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

enum { MAX_CLUSTER_BYTES = 5, MAX_UNITS = 1 << 24, MAX_MAPPED_BYTES = 128 };

/* ---- the trie ---- */

/* Offsets beyond 21 bits are stored in multiples of 256, which bit 9 says. */
static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & UINT32_C(1) << 9) >> 6);
}

/* The value of the shortest beginning of a text that the trie has; false if it has none. */
static bool find_beginning(const struct ss_tokenizer_charsmap *map, const char *text,
                           size_t n_bytes, size_t *value)
{
    uint32_t at = map->n_units == 0 ? 0 : offset_of(map->units[0]);
    for (size_t i = 0; i < n_bytes && text[i] != '\0'; i++) {
        const uint8_t byte = (uint8_t)text[i];
        at ^= byte;
        if (at >= map->n_units || (map->units[at] & (UINT32_C(1) << 31 | 0xFF)) != byte) {
            return false;
        }
        const uint32_t unit = map->units[at];
        at ^= offset_of(unit);
        if ((unit >> 8 & 1) != 0) {
            *value = at < map->n_units ? map->units[at] & INT32_MAX : map->n_text;
            return *value < map->n_text || (at < map->n_units && *value == map->n_text);
        }
    }
    return false;
}

/* Append what a text becomes; false if the map does not have it. */
static bool add_mapped(const struct ss_tokenizer_charsmap *map, const char *text,
                       size_t n_bytes, struct ss_tokenizer_points *out, ss_status *status,
                       ss_err *err)
{
    size_t start = 0;
    if (!find_beginning(map, text, n_bytes, &start)) {
        return false;
    }
    const size_t n = strnlen(map->text + start, map->n_text - start);
    void *grown = out->data;
    if (!ss__grow(&grown, &out->capacity, out->n + n, sizeof *out->data)) {
        *status = ss__fail_nomem(err, "a text");
        return true;
    }
    out->data = grown;
    for (size_t i = 0; i < n; out->n++) {
        out->data[out->n] = SS__REPLACEMENT;
        i += ss__max_size(ss__utf8_decode(map->text + start + i, n - i, &out->data[out->n]), 1);
    }
    return true;
}

/* ---- texts ---- */

/* The bytes of a cluster, or more than MAX_CLUSTER_BYTES if it is longer. */
static size_t encode_cluster(const uint32_t *points, size_t n, char out[8])
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < n && n_bytes <= MAX_CLUSTER_BYTES - 1; i++) {
        char bytes[4];
        const size_t n_more = ss__utf8_encode(points[i], bytes);
        if (n_bytes + n_more > MAX_CLUSTER_BYTES) {
            return MAX_CLUSTER_BYTES + 1;
        }
        memcpy(out + n_bytes, bytes, n_more);
        n_bytes += n_more;
        if (n_bytes == MAX_CLUSTER_BYTES && i + 1 < n) {
            return MAX_CLUSTER_BYTES + 1;
        }
    }
    return n_bytes;
}

/* How many points at the beginning of the output belong to the first `n_start` of the input.
 * What vanishes before anything is written is not counted as read, in the reference. */
struct start {
    size_t n_start, n_read, n_out;
    bool is_over;
};

/* n_from points became the points out[before …]. */
static void follow(struct start *start, size_t n_from, size_t before,
                   const struct ss_tokenizer_points *out)
{
    const size_t n_to = out->n - before;
    for (size_t i = 0; i < n_to && !start->is_over; i++) {
        start->is_over = start->n_read + ss__min_size(i, n_from - 1) >= start->n_start;
        start->n_out += !start->is_over;
    }
    start->n_read += out->n > 0 ? n_from : 0;
}

/* A cluster as a whole if the map has it, else point by point. */
static ss_status map_cluster(const struct ss_tokenizer_charsmap *map, const uint32_t *points,
                             size_t n, struct start *start, struct ss_tokenizer_points *out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    char bytes[8];
    size_t before = out->n;
    const size_t n_bytes = encode_cluster(points, n, bytes);
    if (n_bytes <= MAX_CLUSTER_BYTES && add_mapped(map, bytes, n_bytes, out, &status, err)) {
        follow(start, n, before, out);
        return status;
    }
    for (size_t i = 0; i < n && status == SS_OK; i++) {
        before = out->n;
        const size_t n_point = ss__utf8_encode(points[i], bytes);
        if (!add_mapped(map, bytes, n_point, out, &status, err)) {
            SS_GROW(out->data, out->capacity, out->n + 1);
            out->data[out->n++] = points[i];
        }
        follow(start, 1, before, out);
    }
out:
    return status;
}

/* ASCII that the map does not have, and that no mark follows, is copied: a cluster of its
 * own. */
ss_status ss_tokenizer_charsmap_run(const struct ss_tokenizer_charsmap *map,
                                    const struct ss_tokenizer_points *in,
                                    struct ss_tokenizer_points *out, size_t *n_start,
                                    ss_err *err)
{
    struct start start = {.n_start = *n_start};
    for (size_t at = 0; at < in->n;) {
        const uint32_t c = in->data[at];
        const bool is_alone = at + 1 == in->n || in->data[at + 1] < 0x80;
        if (c < 0x80 && map->keeps[c] && is_alone) {
            SS_GROW_OR_RETURN(out->data, out->capacity, out->n + 1);
            out->data[out->n++] = c;
            follow(&start, 1, out->n - 1, out);
            at++;
            continue;
        }
        const size_t end = ss_tokenizer_cluster_end(in, at);
        SS_RETURN_IF_ERROR(map_cluster(map, in->data + at, end - at, &start, out, err));
        at = end;
    }
    *n_start = start.n_out;
    return SS_OK;
}

/* ---- loading ---- */

/* Bounds what a text can grow to. */
static ss_status check_lengths(const char *text, size_t n_bytes, ss_err *err)
{
    for (size_t at = 0; at < n_bytes;) {
        const size_t n = strnlen(text + at, n_bytes - at);
        if (n > MAX_MAPPED_BYTES) {
            return ss__fail(err, SS_E_LIMIT,
                            "the precompiled map of characters has a text of %zu bytes, at "
                            "most %d are read",
                            n, MAX_MAPPED_BYTES);
        }
        at += n + 1;
    }
    return SS_OK;
}

/* Copied, since the bytes need not be aligned and do not stay. `keeps` lets ASCII pass with
 * which no rule begins; CR is not among it, since CR LF is one cluster. */
ss_status ss_tokenizer_charsmap_parse(const char *data, size_t n_bytes,
                                      struct ss_tokenizer_charsmap *map, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t n_trie = 0;
    *map = (struct ss_tokenizer_charsmap){0};
    if (n_bytes >= sizeof n_trie) {
        memcpy(&n_trie, data, sizeof n_trie);
    }
    if (n_bytes < sizeof n_trie || n_trie > n_bytes - sizeof n_trie || n_trie % 4 != 0 ||
        n_trie / 4 > MAX_UNITS) {
        SS_FAIL(SS_E_DATA,
                "the precompiled map of characters has %zu bytes, which is not what it says "
                "itself (%u bytes of trie)",
                n_bytes, n_trie);
    }
    map->n_units = n_trie / 4;
    map->n_text = n_bytes - sizeof n_trie - n_trie;
    const char *text = data + sizeof n_trie + n_trie;
    if (map->n_text > 0 && ss__utf8_valid_prefix(text, map->n_text) < map->n_text) {
        SS_FAIL(SS_E_DATA, "the texts of the precompiled map of characters are not UTF-8");
    }
    SS_TRY(check_lengths(text, map->n_text, err));
    SS_ALLOC(map->units, map->n_units + 1);
    SS_ALLOC(map->text, map->n_text + 1);
    memcpy(map->units, data + sizeof n_trie, n_trie);
    memcpy(map->text, text, map->n_text);
    for (unsigned c = 0; c < 128; c++) {
        const char one = (char)c;
        size_t ignored = 0;
        map->keeps[c] = c != '\r' && !find_beginning(map, &one, 1, &ignored);
    }
out:
    if (status != SS_OK) {
        ss_tokenizer_charsmap_release(map);
    }
    return status;
}

void ss_tokenizer_charsmap_release(struct ss_tokenizer_charsmap *map)
{
    ss__free(map->units);
    ss__free(map->text);
    *map = (struct ss_tokenizer_charsmap){0};
}
