/* How Parquet stores levels, indexes and byte arrays inside a page (Encodings.md).
 *
 * Runs ("RLE/bit-packing hybrid"): varint header; low bit 0: header >> 1 times the value in
 *   ceil(width / 8) little-endian bytes; low bit 1: header >> 1 groups of 8 values of `width`
 *   bits, low bit first.
 * PLAIN: u32 length, bytes (fixed length: bytes alone). RLE_DICTIONARY, PLAIN_DICTIONARY: byte
 * width, then runs of indexes into the dictionary page. DELTA_BINARY_PACKED: varints values per
 * block, mini blocks per block, number of values,
 *   zigzag first value; then per block zigzag smallest delta, a byte width per mini block, and
 *   the mini blocks bit-packed. Widths behind the last value have no mini blocks.
 * DELTA_LENGTH_BYTE_ARRAY: deltas of lengths, then all bytes. DELTA_BYTE_ARRAY: deltas of
 * lengths shared with the value before, then the rest of each value
 *   as DELTA_LENGTH_BYTE_ARRAY.
 * BYTE_STREAM_SPLIT: first bytes of all values, second bytes of all values, …
 *
 * Values come one by one; nothing is allocated per page but the one value that DELTA_BYTE_ARRAY
 * puts together, which is never longer than its page.
 *
 * An encoding is two functions, start and next, in a table by its id. Where two streams of a
 * page are read side by side (lengths and bytes, prefixes and suffixes), `start` walks over the
 * first, whose bytes say how long it is, to find where the second begins; then both are read in
 * step. */
#include <string.h>

#include "base/mem.h"
#include "parquet/parquet_priv.h"

static const char ends_early[] = "the values of a page end early";

/* False where the bytes end, or after ten of them. */
static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        const uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return true;
        }
    }
    return false;
}

/* 0, 1, 2, 3 … are 0, -1, 1, -2 …; in unsigned numbers, since deltas may wrap. */
static uint64_t zigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* `width` <= 64 bits at `bit` of [at, end), which the caller knows to hold them. Sixteen bytes
 * hold them wherever they begin; near the end fewer are there, and the rest counts as zeros. */
static uint64_t read_bits(const uint8_t *at, const uint8_t *end, uint64_t bit, unsigned width)
{
    const uint8_t *from = at + bit / 8;
    const unsigned shift = (unsigned)(bit % 8);
    uint8_t bytes[16] = {0};
    if (width == 0) {
        return 0;
    }
    if (end - from >= 16) {
        memcpy(bytes, from, 16);
    } else {
        memcpy(bytes, from, (size_t)(end - from));
    }
    uint64_t low = 0, high = 0;
    memcpy(&low, bytes, 8);
    memcpy(&high, bytes + 8, 8);
    const uint64_t value = low >> shift | (shift == 0 ? 0 : high << (64 - shift));
    return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

unsigned ss_parquet_bit_width(uint32_t max)
{
    return max == 0 ? 0 : 32 - (unsigned)__builtin_clz(max);
}

/* ---- runs ---- */

void ss_parquet_runs_init(struct ss_parquet_runs *runs, const uint8_t *data, size_t n_bytes,
                          unsigned width)
{
    *runs = (struct ss_parquet_runs){.at = data, .end = data + n_bytes, .width = width};
}

/* Writers may leave out the padding of the last group, so fewer values can be there than eight
 * a group. */
static bool start_packed(struct ss_parquet_runs *runs, uint64_t n_groups)
{
    const size_t n_bytes = (size_t)(runs->end - runs->at);
    if (n_groups == 0 || n_groups > UINT32_MAX) {
        return false;
    }
    runs->bit = 0;
    runs->n_packed = n_groups * 8;
    if (runs->width > 0 && n_groups * runs->width > n_bytes) {
        if ((n_groups - 1) * runs->width >= n_bytes) {
            return false; /* whole groups are missing */
        }
        runs->n_packed = (uint64_t)n_bytes * 8 / runs->width; /* a writer left padding out */
    }
    return runs->n_packed > 0;
}

/* A run of no values would never end, so it is malformed. */
static bool start_same(struct ss_parquet_runs *runs, uint64_t n)
{
    const size_t n_bytes = (runs->width + 7) / 8;
    if (n == 0 || (size_t)(runs->end - runs->at) < n_bytes) {
        return false;
    }
    runs->same = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        runs->same |= (uint32_t)runs->at[i] << 8 * i;
    }
    runs->at += n_bytes;
    runs->n_same = n;
    return true;
}

/* The deprecated form has no headers and packs from the high bit of each byte. */
static bool next_legacy(struct ss_parquet_runs *runs, uint32_t *value)
{
    *value = 0;
    if (runs->bit + runs->width > (uint64_t)(runs->end - runs->at) * 8) {
        return false;
    }
    for (unsigned i = 0; i < runs->width; i++, runs->bit++) {
        const unsigned shift = 7 - (unsigned)(runs->bit % 8);
        *value = *value << 1 | ((uint32_t)runs->at[runs->bit / 8] >> shift & 1);
    }
    return true;
}

static bool next_run(struct ss_parquet_runs *runs)
{
    uint64_t header = 0;
    if (!read_varint(&runs->at, runs->end, &header)) {
        return false;
    }
    return (header & 1) != 0 ? start_packed(runs, header >> 1) : start_same(runs, header >> 1);
}

/* A file may end a run early and begin another; only values count. */
bool ss_parquet_runs_next(struct ss_parquet_runs *runs, uint32_t *value)
{
    if (runs->is_legacy) {
        return next_legacy(runs, value);
    }
    if (runs->n_same == 0 && runs->n_packed == 0 && !next_run(runs)) {
        return false;
    }
    if (runs->n_same > 0) {
        runs->n_same--;
        *value = runs->same;
        return true;
    }
    *value = (uint32_t)read_bits(runs->at, runs->end, runs->bit, runs->width);
    runs->bit += runs->width;
    if (--runs->n_packed == 0) {
        runs->at += (runs->bit + 7) / 8;
    }
    return true;
}

/* ---- deltas ---- */

static const char bad_deltas[] = "the delta-encoded numbers of a page are malformed";

/* The format wants blocks of a multiple of 128 and mini blocks of a multiple of 32 values, so
 * that mini blocks are whole bytes. */
static const char *deltas_init(struct ss_parquet_deltas *deltas, const uint8_t *data,
                               const uint8_t *end)
{
    uint64_t block = 0, n_mini = 0, first = 0;
    *deltas = (struct ss_parquet_deltas){.at = data, .end = end};
    if (data == end) {
        return NULL; /* a page of nulls */
    }
    if (!read_varint(&deltas->at, end, &block) || !read_varint(&deltas->at, end, &n_mini) ||
        !read_varint(&deltas->at, end, &deltas->n_values) ||
        !read_varint(&deltas->at, end, &first)) {
        return bad_deltas;
    }
    if (block == 0 || block > INT32_MAX || block % 128 != 0 || n_mini == 0 || n_mini > block ||
        block % n_mini != 0 || block / n_mini % 32 != 0 || deltas->n_values > INT32_MAX) {
        return bad_deltas;
    }
    deltas->last = zigzag(first);
    deltas->n_mini = deltas->mini = (uint32_t)n_mini;
    deltas->mini_values = (uint32_t)(block / n_mini);
    deltas->n_left = deltas->n_values;
    return NULL;
}

/* Step to the next mini block, reading the head of a block where one begins. */
static const char *next_mini(struct ss_parquet_deltas *deltas)
{
    if (deltas->mini == deltas->n_mini) {
        if (!read_varint(&deltas->at, deltas->end, &deltas->min_delta) ||
            (size_t)(deltas->end - deltas->at) < deltas->n_mini) {
            return bad_deltas;
        }
        deltas->min_delta = zigzag(deltas->min_delta);
        deltas->widths = deltas->at;
        deltas->at += deltas->n_mini;
        deltas->mini = 0;
    }
    const unsigned width = deltas->widths[deltas->mini++];
    const uint64_t n_bytes = (uint64_t)width * deltas->mini_values / 8;
    if (width > 64 || n_bytes > (uint64_t)(deltas->end - deltas->at)) {
        return bad_deltas;
    }
    deltas->packed = deltas->at;
    deltas->at += n_bytes;
    deltas->bit = 0;
    deltas->n_mini_left = deltas->mini_values;
    return NULL;
}

/* Step to the next number, in deltas->last. */
static const char *deltas_step(struct ss_parquet_deltas *deltas)
{
    if (deltas->n_left == 0) {
        return ends_early;
    }
    if (deltas->n_left-- < deltas->n_values) {
        const char *fault = deltas->n_mini_left == 0 ? next_mini(deltas) : NULL;
        if (fault != NULL) {
            return fault;
        }
        const unsigned width = deltas->widths[deltas->mini - 1];
        deltas->last +=
            deltas->min_delta + read_bits(deltas->packed, deltas->end, deltas->bit, width);
        deltas->bit += width;
        deltas->n_mini_left--;
    }
    return NULL;
}

/* The next number, which must be a length: 0 … 2^31 - 1. */
static const char *deltas_next(struct ss_parquet_deltas *deltas, size_t *value)
{
    const char *fault = deltas_step(deltas);
    if (fault != NULL) {
        return fault;
    }
    /* Lengths are 32-bit numbers whose deltas may wrap. */
    const uint32_t length = (uint32_t)deltas->last;
    *value = length;
    return length > INT32_MAX ? "a value of a page has a negative length" : NULL;
}

/* Find where the deltas end without decoding them. */
static const char *deltas_end(const struct ss_parquet_deltas *deltas, const uint8_t **end)
{
    struct ss_parquet_deltas walk = *deltas;
    uint64_t n = walk.n_values;
    for (n -= n > 0; n > 0; n -= n < walk.mini_values ? n : walk.mini_values) {
        const char *fault = next_mini(&walk);
        if (fault != NULL) {
            return fault;
        }
    }
    *end = walk.at;
    return NULL;
}

/* ---- dictionary ---- */

const char ss_parquet_no_memory[] = "there is not enough memory for its values";

/* Values of varying length are found once, so that an index costs no search. The number of
 * values is checked against the bytes that they take at least before memory is asked for. */
const char *ss_parquet_dictionary_index(struct ss_parquet_dictionary *dictionary,
                                        const uint8_t *data, size_t n_bytes, size_t n_values)
{
    const size_t least_bytes = dictionary->fixed_bytes > 0 ? dictionary->fixed_bytes : 4;
    dictionary->n = 0;
    dictionary->data = data;
    if (n_values > n_bytes / least_bytes) {
        return "the dictionary page is shorter than its values";
    }
    if (dictionary->fixed_bytes == 0) {
        void *offsets = dictionary->offsets;
        if (!ss__grow(&offsets, &dictionary->capacity, n_values, sizeof *dictionary->offsets)) {
            return ss_parquet_no_memory;
        }
        dictionary->offsets = offsets;
        size_t at = 0;
        for (size_t i = 0; i < n_values; i++) {
            if (n_bytes - at < 4 || read_u32(data + at) > n_bytes - at - 4) {
                return "a value of the dictionary page goes beyond the page";
            }
            dictionary->offsets[i] = (uint32_t)at;
            at += 4 + read_u32(data + at);
        }
    }
    dictionary->n = n_values;
    return NULL;
}

struct ss_text ss_parquet_dictionary_get(const struct ss_parquet_dictionary *dictionary,
                                         size_t index)
{
    if (dictionary->fixed_bytes > 0) {
        const uint8_t *value = dictionary->data + index * dictionary->fixed_bytes;
        return (struct ss_text){(const char *)value, dictionary->fixed_bytes};
    }
    const uint8_t *value = dictionary->data + dictionary->offsets[index];
    return (struct ss_text){(const char *)value + 4, read_u32(value)};
}

/* ---- encodings of values ---- */

static const char *start_plain(struct ss_parquet_values *values)
{
    (void)values;
    return NULL;
}

/* A view of the page. */
static const char *take(struct ss_parquet_values *values, size_t n_bytes, struct ss_text *text)
{
    if ((size_t)(values->end - values->at) < n_bytes) {
        return ends_early;
    }
    *text = (struct ss_text){(const char *)values->at, n_bytes};
    values->at += n_bytes;
    return NULL;
}

static const char *next_plain(struct ss_parquet_values *values, struct ss_text *text)
{
    if (values->fixed_bytes > 0) {
        return take(values, values->fixed_bytes, text);
    }
    if (values->end - values->at < 4) {
        return ends_early;
    }
    const uint32_t n_bytes = read_u32(values->at);
    values->at += 4;
    return take(values, n_bytes, text);
}

static const char *start_dictionary(struct ss_parquet_values *values)
{
    if (values->dictionary == NULL) {
        return "a page refers to a dictionary, but there is none";
    }
    values->is_dictionary = true;
    if (values->at == values->end) {
        ss_parquet_runs_init(&values->indexes, values->at, 0, 0); /* a page of nulls */
        return NULL;
    }
    const unsigned width = *values->at++;
    ss_parquet_runs_init(&values->indexes, values->at, (size_t)(values->end - values->at),
                         width);
    return width > 32 ? "the dictionary indexes of a page are wider than 32 bits" : NULL;
}

static const char *next_dictionary(struct ss_parquet_values *values, struct ss_text *text)
{
    uint32_t index = 0;
    if (!ss_parquet_runs_next(&values->indexes, &index)) {
        return ends_early;
    }
    if (index >= values->dictionary->n) {
        return "a dictionary index of a page is out of range";
    }
    *text = ss_parquet_dictionary_get(values->dictionary, index);
    return NULL;
}

/* Set up `lengths` and move to the bytes behind them. */
static const char *start_delta_length(struct ss_parquet_values *values)
{
    const char *fault = deltas_init(&values->lengths, values->at, values->end);
    return fault != NULL ? fault : deltas_end(&values->lengths, &values->at);
}

static const char *next_delta_length(struct ss_parquet_values *values, struct ss_text *text)
{
    size_t n_bytes = 0;
    const char *fault = deltas_next(&values->lengths, &n_bytes);
    return fault != NULL ? fault : take(values, n_bytes, text);
}

static const char *start_delta_bytes(struct ss_parquet_values *values)
{
    const char *fault = deltas_init(&values->prefixes, values->at, values->end);
    if (fault == NULL) {
        fault = deltas_end(&values->prefixes, &values->at);
    }
    values->whole.n_bytes = 0;
    return fault != NULL ? fault : start_delta_length(values);
}

/* `whole` keeps the value before, so that a prefix costs nothing to copy. */
static const char *next_delta_bytes(struct ss_parquet_values *values, struct ss_text *text)
{
    size_t n_shared = 0;
    const char *fault = deltas_next(&values->prefixes, &n_shared);
    if (fault == NULL) {
        fault = next_delta_length(values, text);
    }
    if (fault != NULL) {
        return fault;
    }
    if (n_shared > values->whole.n_bytes) {
        return "a value shares more with the value before than that has";
    }
    values->n_kept = n_shared;
    values->whole.n_bytes = n_shared;
    ss__buf_add(&values->whole, text->data, text->n_bytes);
    *text = (struct ss_text){values->whole.data, values->whole.n_bytes};
    return values->whole.failed ? ss_parquet_no_memory : NULL;
}

static const char *start_split(struct ss_parquet_values *values)
{
    const size_t n_bytes = (size_t)(values->end - values->at);
    if (values->fixed_bytes == 0 || n_bytes % values->fixed_bytes != 0) {
        return "a page with split bytes has no whole number of values";
    }
    values->n_streams_values = n_bytes / values->fixed_bytes;
    values->n_taken = 0;
    return NULL;
}

/* Byte k of value i is at k n + i. */
static const char *next_split(struct ss_parquet_values *values, struct ss_text *text)
{
    char *value = NULL;
    values->whole.n_bytes = 0;
    if (values->n_taken == values->n_streams_values) {
        return ends_early;
    }
    value = ss__buf_reserve(&values->whole, values->fixed_bytes);
    if (value == NULL) {
        return ss_parquet_no_memory;
    }
    for (size_t i = 0; i < values->fixed_bytes; i++) {
        value[i] = (char)values->at[i * values->n_streams_values + values->n_taken];
    }
    values->n_taken++;
    *text = (struct ss_text){value, values->fixed_bytes};
    return NULL;
}

/* ---- numbers ---- */

/* Give a number as its little-endian bytes. */
static const char *give_number(struct ss_parquet_values *values, uint64_t number,
                               struct ss_text *text)
{
    values->whole.n_bytes = 0;
    ss__buf_add(&values->whole, &number, values->fixed_bytes);
    *text = (struct ss_text){values->whole.data, values->whole.n_bytes};
    return values->whole.failed ? ss_parquet_no_memory : NULL;
}

static const char *start_deltas(struct ss_parquet_values *values)
{
    return values->physical == SS_PARQUET_INT32 || values->physical == SS_PARQUET_INT64
               ? deltas_init(&values->lengths, values->at, values->end)
               : "a page has an encoding that only integers can have";
}

static const char *next_deltas(struct ss_parquet_values *values, struct ss_text *text)
{
    const char *fault = deltas_step(&values->lengths);
    return fault != NULL ? fault : give_number(values, values->lengths.last, text);
}

/* Booleans, PLAIN: a bit each. */
static const char *start_bits(struct ss_parquet_values *values)
{
    values->n_taken = 0;
    return NULL;
}

static const char *next_bit(struct ss_parquet_values *values, struct ss_text *text)
{
    const size_t n_bytes = (size_t)(values->end - values->at), at = values->n_taken++;
    return at / 8 < n_bytes ? give_number(values, values->at[at / 8] >> at % 8 & 1, text)
                            : ends_early;
}

/* Booleans, RLE: a length, then runs. */
static const char *start_runs(struct ss_parquet_values *values)
{
    if (values->physical != SS_PARQUET_BOOLEAN) {
        return "a page has an encoding that only booleans can have";
    }
    if (values->at == values->end) {
        ss_parquet_runs_init(&values->indexes, values->at, 0, 1); /* a page of nulls */
        return NULL;
    }
    if (values->end - values->at < 4 ||
        read_u32(values->at) > (size_t)(values->end - values->at) - 4) {
        return ends_early;
    }
    ss_parquet_runs_init(&values->indexes, values->at + 4, read_u32(values->at), 1);
    return NULL;
}

static const char *next_run_value(struct ss_parquet_values *values, struct ss_text *text)
{
    uint32_t value = 0;
    return ss_parquet_runs_next(&values->indexes, &value) ? give_number(values, value, text)
                                                          : ends_early;
}

static const struct ss_parquet_encoding bits = {"PLAIN", start_bits, next_bit};

static const struct ss_parquet_encoding encodings[] = {
    [0] = {"PLAIN", start_plain, next_plain},
    [2] = {"PLAIN_DICTIONARY", start_dictionary, next_dictionary},
    [3] = {"RLE", start_runs, next_run_value},
    [5] = {"DELTA_BINARY_PACKED", start_deltas, next_deltas},
    [6] = {"DELTA_LENGTH_BYTE_ARRAY", start_delta_length, next_delta_length},
    [7] = {"DELTA_BYTE_ARRAY", start_delta_bytes, next_delta_bytes},
    [8] = {"RLE_DICTIONARY", start_dictionary, next_dictionary},
    [9] = {"BYTE_STREAM_SPLIT", start_split, next_split},
};

/* PLAIN booleans are bits, which is an encoding of its own here. */
const char *ss_parquet_values_start(struct ss_parquet_values *values, int32_t encoding,
                                    const uint8_t *data, size_t n_bytes)
{
    if (encoding < 0 || encoding >= (int32_t)(sizeof encodings / sizeof *encodings) ||
        encodings[encoding].start == NULL) {
        return "a page has an encoding that is not known";
    }
    values->encoding =
        encoding == 0 && values->physical == SS_PARQUET_BOOLEAN ? &bits : &encodings[encoding];
    values->at = data;
    values->end = data + n_bytes;
    values->n_kept = 0;
    values->is_dictionary = false;
    return values->encoding->start(values);
}
