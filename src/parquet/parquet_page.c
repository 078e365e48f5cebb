/* One page of a column chunk: a thrift header, then a body.
 *
 * PageHeader     1 type, 2 uncompressed size, 3 compressed size, 4 crc, 5 DataPageHeader,
 *                7 DictionaryPageHeader, 8 DataPageHeaderV2
 * DataPage       1 num_values, 2 encoding, 3 def encoding, 4 rep encoding
 * Dictionary     1 num_values, 2 encoding
 * DataPageV2     1 num_values, 2 num_nulls, 3 num_rows, 4 encoding, 5 def bytes, 6 rep bytes,
 *                7 is_compressed
 *
 * Body of version 1, wholly compressed: repetition levels, definition levels (each a u32 length
 * and runs, or without a length in the deprecated bit packing; left out where the largest level
 * is 0), values. Version 2: repetition levels, definition levels, both plain and without a
 * length, then the values, compressed if the header says so. The crc is over the body as
 * stored. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "parquet/parquet_priv.h"

enum { ENCODING_PLAIN = 0, ENCODING_PLAIN_DICTIONARY = 2, ENCODING_RLE = 3 };
enum { ENCODING_BIT_PACKED = 4 };
enum { HEAD_BYTES = 4 << 10 }; /* that a page header takes, unless it holds large statistics */

struct data_header {
    uint32_t seen;
    int32_t n_values, encoding, def_encoding, rep_encoding;
};

static const struct ss_parquet_slot data_slots[] = {
    SS_PARQUET_SLOT(struct data_header, n_values, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct data_header, encoding, 2, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct data_header, def_encoding, 3, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct data_header, rep_encoding, 4, SS_PARQUET_SLOT_I32, true),
};
static const struct ss_parquet_shape data_shape = SS_PARQUET_SHAPE(data_slots);

struct dictionary_header {
    uint32_t seen;
    int32_t n_values, encoding;
};

static const struct ss_parquet_slot dictionary_slots[] = {
    SS_PARQUET_SLOT(struct dictionary_header, n_values, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct dictionary_header, encoding, 2, SS_PARQUET_SLOT_I32, true),
};
static const struct ss_parquet_shape dictionary_shape = SS_PARQUET_SHAPE(dictionary_slots);

struct v2_header {
    uint32_t seen;
    int32_t n_values, n_nulls, n_rows, encoding, def_bytes, rep_bytes;
    bool is_compressed;
};

static const struct ss_parquet_slot v2_slots[] = {
    SS_PARQUET_SLOT(struct v2_header, n_values, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, n_nulls, 2, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, n_rows, 3, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, encoding, 4, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, def_bytes, 5, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, rep_bytes, 6, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct v2_header, is_compressed, 7, SS_PARQUET_SLOT_BOOL, false),
};
static const struct ss_parquet_shape v2_shape = SS_PARQUET_SHAPE(v2_slots);

struct header {
    uint32_t seen;
    int32_t kind, full_bytes, stored_bytes, crc;
    struct data_header data;
    struct dictionary_header dictionary;
    struct v2_header v2;
};

enum { HEADER_CRC, HEADER_DATA, HEADER_DICTIONARY, HEADER_V2 };

static const struct ss_parquet_slot header_slots[] = {
    [HEADER_CRC] = SS_PARQUET_SLOT(struct header, crc, 4, SS_PARQUET_SLOT_I32, false),
    [HEADER_DATA] = {5, SS_PARQUET_SLOT_STRUCT, false, offsetof(struct header, data),
                     &data_shape},
    [HEADER_DICTIONARY] = {7, SS_PARQUET_SLOT_STRUCT, false,
                           offsetof(struct header, dictionary), &dictionary_shape},
    [HEADER_V2] = {8, SS_PARQUET_SLOT_STRUCT, false, offsetof(struct header, v2), &v2_shape},
    SS_PARQUET_SLOT(struct header, kind, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct header, full_bytes, 2, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct header, stored_bytes, 3, SS_PARQUET_SLOT_I32, true),
};
static const struct ss_parquet_shape header_shape = SS_PARQUET_SHAPE(header_slots);

/* A page under way: its header and its body as stored. */
struct page {
    const struct ss_parquet *file;
    const struct ss_parquet_node *node;
    const struct ss_parquet_codec *codec;
    struct header header;
    const uint8_t *stored;
    size_t n_stored, n_full;
};

static ss_status fail_page(const char *fault, ss_err *err)
{
    return ss__fail(err, SS_E_DATA, "%s", fault);
}

/* A header has a part for each kind of page; only that of its own kind is read. */
static const char *check_header(const struct header *header)
{
    static const struct {
        int32_t kind;
        unsigned slot;
    } parts[] = {{SS_PARQUET_PAGE_DATA, HEADER_DATA},
                 {SS_PARQUET_PAGE_DICTIONARY, HEADER_DICTIONARY},
                 {SS_PARQUET_PAGE_DATA_V2, HEADER_V2}};
    if (header->full_bytes < 0 || header->stored_bytes < 0) {
        return "a page header has a negative size";
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (header->kind == parts[i].kind &&
            !ss_parquet_slot_seen(header->seen, parts[i].slot)) {
            return "a page header lacks the part for its kind of page";
        }
    }
    return NULL;
}

/* Have n_bytes from the extent's offset, or as many as it has. Errors: as
 * ss_source_view_need. */
static ss_status need(const struct ss_parquet *file, struct ss_parquet_extent *extent,
                      size_t n_bytes, ss_err *err)
{
    const size_t n = ss__min_size(n_bytes, extent->end - extent->offset);
    const size_t from = extent->fetched;
    return extent->offset + n <= from
               ? SS_OK
               : ss_source_view_need(file->view, from, extent->offset + n - from, extent->end,
                                     &extent->fetched, err);
}

/* Parse the header in what is there of the chunk. A header does not say how long it is, so a
 * fault may mean that more of it has to come first: try again with twice as much until the
 * chunk is all there. */
static ss_status parse_header(struct page *page, struct ss_parquet_extent *extent,
                              struct ss_parquet_thrift *in, ss_err *err)
{
    size_t n_head = HEAD_BYTES;
    do {
        const ss_status status = need(page->file, extent, n_head, err);
        if (status != SS_OK) {
            return status;
        }
        page->header = (struct header){.v2.is_compressed = true};
        *in = (struct ss_parquet_thrift){.at = page->file->data + extent->offset,
                                         .end = page->file->data + extent->fetched};
        ss_parquet_thrift_read(in, &header_shape, &page->header);
        n_head = ss__max_size(2 * n_head, extent->fetched - extent->offset + 1);
    } while (in->fault != NULL && extent->fetched < extent->end);
    return SS_OK;
}

/* Sizes are checked before bytes are asked for, the checksum (where there is one) before they
 * are used. */
static ss_status read_header(struct page *page, struct ss_parquet_extent *extent, ss_err *err)
{
    struct ss_parquet_thrift in;
    ss_status status = parse_header(page, extent, &in, err);
    if (status != SS_OK) {
        return status;
    }
    const char *fault = in.fault != NULL ? in.fault : check_header(&page->header);
    if (fault != NULL) {
        return ss__fail(err, SS_E_DATA, "damaged page header: %s", fault);
    }
    page->n_stored = (size_t)page->header.stored_bytes;
    page->n_full = (size_t)page->header.full_bytes;
    page->stored = in.at;
    const size_t begin = (size_t)(in.at - page->file->data);
    if (page->n_stored > extent->end - begin) {
        return ss__fail(err, SS_E_DATA,
                        "a page of %zu bytes goes beyond its column chunk, which has %zu left",
                        page->n_stored, extent->end - begin);
    }
    status = need(page->file, extent, begin - extent->offset + page->n_stored, err);
    if (status != SS_OK) {
        return status;
    }
    extent->offset = begin + page->n_stored;
    if (ss_parquet_slot_seen(page->header.seen, HEADER_CRC) &&
        (uint32_t)page->header.crc != crc32_z(0, page->stored, page->n_stored)) {
        return fail_page("the checksum of a page is wrong: its bytes are damaged", err);
    }
    return SS_OK;
}

/* Whether a body may grow to n_out bytes: not more than its codec can reach; and beyond a size
 * that is harmless in any file, not more than 32 times. Text compresses less than that. */
static ss_status check_growth(const struct page *page, size_t n_in, size_t n_out, ss_err *err)
{
    const size_t slack = SS_PARQUET_PAGE_SLACK_BYTES + page->file->n_bytes;
    if (page->codec->max_ratio > 0 && n_out / page->codec->max_ratio > n_in + 64) {
        return ss__fail(err, SS_E_DATA,
                        "a page of %zu bytes claims %zu bytes, more than %s can hold", n_in,
                        n_out, page->codec->name);
    }
    if (n_out > SS_PARQUET_MAX_PAGE_BYTES ||
        (n_out > slack && n_out / SS_PARQUET_MAX_RATIO > n_in)) {
        return ss__fail(err, SS_E_LIMIT,
                        "a page of %zu bytes grows to %zu bytes, which is beyond the limit",
                        n_in, n_out);
    }
    return SS_OK;
}

/* What was in it is of no use, so it is not copied. */
static bool grow_body(struct ss_parquet_page_body *body, size_t n_bytes)
{
    if (n_bytes > body->capacity) {
        ss__free(body->data);
        body->capacity = 0;
        body->data = ss__realloc(NULL, n_bytes, 1);
        body->capacity = body->data == NULL ? 0 : n_bytes;
    }
    return n_bytes == 0 || body->data != NULL;
}

/* The bytes that `in` stands for: itself, or decompressed into `body`. */
static ss_status unpack(const struct page *page, bool is_compressed, const uint8_t *in,
                        size_t n_in, size_t n_out, struct ss_parquet_page_body *body,
                        const uint8_t **out, ss_err *err)
{
    *out = in;
    if (n_out == 0) {
        return SS_OK; /* some writers compress nothing into a few bytes */
    }
    if (!is_compressed || page->codec == ss_parquet_codec_find(0)) {
        return n_in == n_out ? SS_OK : fail_page("a plain page has two different sizes", err);
    }
    const ss_status status = check_growth(page, n_in, n_out, err);
    if (status != SS_OK) {
        return status;
    }
    if (!grow_body(body, n_out)) {
        return ss__fail_nomem(err, "a page");
    }
    *out = body->data;
    const ss_source_decoded result = page->codec->decode(in, n_in, body->data, n_out);
    if (result == SS_SOURCE_DECODED_NO_MEMORY) {
        return ss__fail_nomem(err, "a decompressor");
    }
    if (result != SS_SOURCE_DECODED_END) {
        return ss__fail(err, SS_E_DATA,
                        "the %s data of a page is damaged or not of its declared size",
                        page->codec->name);
    }
    return SS_OK;
}

/* Levels of a version 1 page at *at; moves behind them. */
static const char *read_levels(struct ss_parquet_runs *runs, uint8_t max, int32_t encoding,
                               size_t n_values, const uint8_t **at, const uint8_t *end)
{
    const unsigned width = ss_parquet_bit_width(max);
    size_t n_bytes = 0;
    if (max == 0) {
        return NULL;
    }
    if (encoding == ENCODING_BIT_PACKED) {
        n_bytes = (n_values * width + 7) / 8;
    } else if (encoding != ENCODING_RLE) {
        return "a page has levels of an unknown encoding";
    } else if (end - *at >= 4) {
        n_bytes = (size_t)(*at)[0] | (size_t)(*at)[1] << 8 | (size_t)(*at)[2] << 16 |
                  (size_t)(*at)[3] << 24;
        *at += 4;
    } else {
        return "the levels of a page end early";
    }
    if (n_bytes > (size_t)(end - *at)) {
        return "the levels of a page go beyond the page";
    }
    ss_parquet_runs_init(runs, *at, n_bytes, width);
    runs->is_legacy = encoding == ENCODING_BIT_PACKED;
    *at += n_bytes;
    return NULL;
}

static ss_status read_data(const struct page *page, struct ss_parquet_page_body *body,
                           struct ss_parquet_page *out, ss_err *err)
{
    const struct data_header *header = &page->header.data;
    const uint8_t *at = NULL;
    if (header->n_values < 0) {
        return fail_page("a page has a negative number of values", err);
    }
    const ss_status status =
        unpack(page, true, page->stored, page->n_stored, page->n_full, body, &at, err);
    if (status != SS_OK) {
        return status;
    }
    const uint8_t *end = at + page->n_full;
    out->n_values = (size_t)header->n_values;
    out->encoding = header->encoding;
    const char *fault = NULL;
    if (out->n_values > 0) {
        fault = read_levels(&out->reps, page->node->max_rep, header->rep_encoding,
                            out->n_values, &at, end);
    }
    if (fault == NULL && out->n_values > 0) {
        fault = read_levels(&out->defs, page->node->max_def, header->def_encoding,
                            out->n_values, &at, end);
    }
    out->values = at;
    out->n_value_bytes = (size_t)(end - at);
    return fault == NULL ? SS_OK : fail_page(fault, err);
}

/* Levels are never compressed here, so their sizes come from the header. */
static ss_status read_data_v2(const struct page *page, struct ss_parquet_page_body *body,
                              struct ss_parquet_page *out, ss_err *err)
{
    const struct v2_header *header = &page->header.v2;
    if (header->n_values < 0 || header->n_nulls < 0 || header->n_rows < 0 ||
        header->def_bytes < 0 || header->rep_bytes < 0) {
        return fail_page("a page has a negative number of values or bytes", err);
    }
    if (header->n_nulls > header->n_values || header->n_rows > header->n_values) {
        return fail_page("a page claims more rows or nulls than it has values", err);
    }
    const size_t n_rep = (size_t)header->rep_bytes, n_def = (size_t)header->def_bytes;
    const size_t n_levels = n_rep + n_def;
    if (n_levels > page->n_stored || n_levels > page->n_full) {
        return fail_page("the levels of a page go beyond the page", err);
    }
    out->n_values = (size_t)header->n_values;
    out->encoding = header->encoding;
    ss_parquet_runs_init(&out->reps, page->stored, n_rep,
                         ss_parquet_bit_width(page->node->max_rep));
    ss_parquet_runs_init(&out->defs, page->stored + n_rep, n_def,
                         ss_parquet_bit_width(page->node->max_def));
    out->n_value_bytes = page->n_full - n_levels;
    return unpack(page, header->is_compressed, page->stored + n_levels,
                  page->n_stored - n_levels, out->n_value_bytes, body, &out->values, err);
}

static ss_status read_dictionary(const struct page *page, struct ss_parquet_page_body *body,
                                 struct ss_parquet_page *out, ss_err *err)
{
    const struct dictionary_header *header = &page->header.dictionary;
    if (header->n_values < 0) {
        return fail_page("the dictionary page has a negative number of values", err);
    }
    if (header->encoding != ENCODING_PLAIN && header->encoding != ENCODING_PLAIN_DICTIONARY) {
        return fail_page("the dictionary page has an encoding that it cannot have", err);
    }
    out->n_values = (size_t)header->n_values;
    out->encoding = header->encoding;
    out->n_value_bytes = page->n_full;
    return unpack(page, true, page->stored, page->n_stored, page->n_full, body, &out->values,
                  err);
}

ss_status ss_parquet_page_read(const struct ss_parquet *file,
                               const struct ss_parquet_node *node,
                               const struct ss_parquet_codec *codec,
                               struct ss_parquet_extent *extent,
                               struct ss_parquet_page_body bodies[2],
                               struct ss_parquet_page *out, ss_err *err)
{
    struct page page = {.file = file, .node = node, .codec = codec};
    *out = (struct ss_parquet_page){.kind = SS_PARQUET_PAGE_INDEX};
    const ss_status status = read_header(&page, extent, err);
    if (status != SS_OK) {
        return status;
    }
    out->kind = page.header.kind;
    switch (page.header.kind) {
    case SS_PARQUET_PAGE_DATA:
        return read_data(&page, &bodies[0], out, err);
    case SS_PARQUET_PAGE_DATA_V2:
        return read_data_v2(&page, &bodies[0], out, err);
    case SS_PARQUET_PAGE_DICTIONARY:
        return read_dictionary(&page, &bodies[1], out, err);
    default:
        return SS_OK;
    }
}
