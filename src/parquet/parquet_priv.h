/* Parquet: what the files parquet*.c share.
 *
 * Layers, each using only those above it:
 *   parquet_thrift.c    the compact protocol, driven by tables of wanted fields
 *   parquet_schema.c    the schema tree
 *   parquet_listing.c   columns by name and type
 *   parquet_meta.c      footer, row groups, column chunks
 *   parquet_codec.c     decompression of one page into a buffer of declared size
 *   parquet_encoding.c  runs, bit packing, deltas, and the encodings of byte arrays
 *   parquet_plan.c     the parts of a remote file that a column takes
 *   parquet_page.c      page headers -> levels and values of one page
 *   parquet_column.c    a cursor over the entries of one leaf in one row group
 *   parquet_record.c    cursors -> rows as JSON
 *   parquet_reader.c    the reader of this room
 *
 * Definition and repetition levels are as in the paper on Dremel: an entry of a leaf has def =
 * how many optional or repeated nodes of its path are there, rep = at which repeated node it
 * goes on (0: a new row).
 *
 * Every number that comes from the file is untrusted. Lower layers report a fault as a constant
 * string ("levels end early"), NULL meaning none; the cursor puts file, column, row group and
 * row before it. */
#ifndef SS_PARQUET_PRIV_H
#define SS_PARQUET_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "format/format.h"
#include "parquet/parquet.h"
#include "source/source.h"

/* ---- limits ---- */

enum {
    SS_PARQUET_MAX_NODES = 1 << 15,
    SS_PARQUET_MAX_DEPTH = 48,
    SS_PARQUET_MAX_PATH_BYTES = 16 << 20, /* of all column paths together */
    SS_PARQUET_MAX_PAGE_BYTES = 1 << 30,
    SS_PARQUET_PAGE_SLACK_BYTES = 16 << 20, /* a page this small is no bomb */
    SS_PARQUET_MAX_RATIO = 32               /* above it a page is held to slack + file size */
};

/* ---- thrift ---- */

/* A reader of the compact protocol; input is borrowed. After a fault every call gives zeros, so
 * that callers look at `fault` once. */
struct ss_parquet_thrift {
    const uint8_t *at, *end;
    const char *fault; /* NULL while all is well; reading does nothing after a fault */
};

/* A list that was passed over: its elements can be read from `at` later. */
struct ss_parquet_thrift_list {
    const uint8_t *at;
    uint32_t count;
    uint8_t type;
};

typedef enum ss_parquet_slot_kind {
    SS_PARQUET_SLOT_BOOL,    /* bool */
    SS_PARQUET_SLOT_I32,     /* int32_t */
    SS_PARQUET_SLOT_I64,     /* int64_t */
    SS_PARQUET_SLOT_TEXT,    /* struct ss_text, borrowed from the input */
    SS_PARQUET_SLOT_STRUCT,  /* a struct described by `shape` */
    SS_PARQUET_SLOT_UNION,   /* int32_t: the id of the member that is there */
    SS_PARQUET_SLOT_LOGICAL, /* int32_t [2]: the same, and for its own field 2 if that is a
                                union */
    SS_PARQUET_SLOT_LIST     /* struct ss_parquet_thrift_list of structs or of anything else */
} ss_parquet_slot_kind;

/* A field that is wanted: where it goes in the struct that is filled. */
struct ss_parquet_slot {
    int16_t id;
    ss_parquet_slot_kind kind;
    bool required;
    size_t offset;
    const struct ss_parquet_shape *shape;
};

/* Fields of a thrift struct. What it fills begins with `uint32_t seen`, bit i for slot i. */
struct ss_parquet_shape {
    const struct ss_parquet_slot *slots;
    size_t n_slots;
};

#define SS_PARQUET_SLOT(type, member, id_, kind_, required_)                                   \
    {                                                                                          \
        .id = (id_), .kind = (kind_), .required = (required_),                                 \
        .offset = offsetof(type, member)                                                       \
    }
#define SS_PARQUET_SHAPE(slots_)                                                               \
    {                                                                                          \
        (slots_), sizeof(slots_) / sizeof *(slots_)                                            \
    }

static inline bool ss_parquet_slot_seen(uint32_t seen, unsigned slot)
{
    return (seen >> slot & 1) != 0;
}

/* Read a struct into zeroed *out; other fields are passed over, also those whose type is not
 * the one that is wanted. A required field that is missing is a fault. */
void ss_parquet_thrift_read(struct ss_parquet_thrift *in, const struct ss_parquet_shape *shape,
                            void *out);

/* A reader at the first element of a list that was passed over before. */
struct ss_parquet_thrift
ss_parquet_thrift_list_reader(const struct ss_parquet_thrift_list *list, const uint8_t *end);

/* Pass over one value of a wire type. */
void ss_parquet_thrift_skip(struct ss_parquet_thrift *in, uint8_t type);

/* ---- metadata ---- */

enum { SS_PARQUET_REQUIRED, SS_PARQUET_OPTIONAL, SS_PARQUET_REPEATED };
enum {
    SS_PARQUET_BOOLEAN = 0,
    SS_PARQUET_INT32 = 1,
    SS_PARQUET_INT64 = 2,
    SS_PARQUET_INT96 = 3,
    SS_PARQUET_FLOAT = 4
};
enum {
    SS_PARQUET_DOUBLE = 5,
    SS_PARQUET_BYTE_ARRAY = 6,
    SS_PARQUET_FIXED_BYTE_ARRAY = 7,
    SS_PARQUET_N_PHYSICAL = 8
};

typedef enum ss_parquet_node_kind {
    SS_PARQUET_NODE_STRUCT,
    SS_PARQUET_NODE_LIST,  /* one repeated child, annotated LIST, or MAP without values */
    SS_PARQUET_NODE_MAP,   /* one repeated child with key and value */
    SS_PARQUET_NODE_TEXT,  /* a leaf of bytes that are UTF-8 by its type */
    SS_PARQUET_NODE_BYTES, /* a leaf of bytes that may be text */
    SS_PARQUET_NODE_OTHER  /* a leaf that is no text */
} ss_parquet_node_kind;

/* A node of the schema in depth-first order: the children of node i begin at i + 1. */
struct ss_parquet_node {
    struct ss_text name; /* borrowed from the file */
    size_t end;          /* the node behind this one's subtree */
    size_t parent;
    size_t first_text, n_texts; /* its text leaves, as indexes of cursors */
    ss_parquet_node_kind kind;
    int32_t n_children;
    int32_t type_bytes;                  /* of SS_PARQUET_FIXED_BYTE_ARRAY, else 0 */
    struct ss_format_scalar_type scalar; /* of SS_PARQUET_NODE_OTHER, if has_scalar */
    uint8_t physical, repetition;
    uint8_t max_def, max_rep;
    bool is_decimal, has_scalar, is_null, is_float16;
};

static inline bool ss_parquet_node_is_leaf(const struct ss_parquet_node *node)
{
    return node->kind >= SS_PARQUET_NODE_TEXT;
}

static inline bool ss_parquet_node_is_text(const struct ss_parquet_node *node)
{
    return node->kind == SS_PARQUET_NODE_TEXT || node->kind == SS_PARQUET_NODE_BYTES;
}

/* ColumnMetaData as stored: numbers are not checked yet. */
struct ss_parquet_meta {
    uint32_t seen;
    int32_t type, codec;
    int64_t n_values, full_bytes, compressed_bytes;
    int64_t data_offset, dictionary_offset;
    struct ss_parquet_thrift_list encodings, path;
};

struct ss_parquet_chunk {
    uint32_t seen;
    struct ss_text file_path;
    int64_t file_offset;
    struct ss_parquet_meta meta;
    int32_t crypto;
    struct ss_text encrypted_meta;
};

/* A file and what its footer says. Immutable after opening. */
struct ss_parquet {
    const char *name; /* borrowed */
    const uint8_t *data;
    size_t n_bytes;
    size_t pages_end; /* where the footer begins */
    bool forgets;     /* parts that were read leave memory */
    const struct ss_source_view
        *view;                /* brings bytes when they are needed; NULL: all are there */
    bool has_all_leaves;      /* every leaf counts as one with text, so that it is read */
    size_t chunk_slack_bytes; /* that pages may take beyond the size of their chunk */
    size_t n_entries_max;     /* of a column: nulls are free to store, but not to read */

    struct ss__arena arena;
    struct ss_parquet_node *nodes;
    size_t n_nodes, n_leaves;
    size_t *text_nodes; /* [n_texts] the node of each text leaf */
    const char **text_paths;
    size_t n_texts;

    struct ss_format_column
        *columns; /* as listed: leaves by dotted path, lists and maps whole */
    size_t *column_nodes;
    size_t n_columns;
    bool names_repeat; /* among the fields of the root that have text */

    struct ss_parquet_thrift_list groups;
    uint64_t n_rows;
};

/* Whether a node is a leaf that has a cursor. */
static inline bool ss_parquet_is_read(const struct ss_parquet *file,
                                      const struct ss_parquet_node *node)
{
    return file->has_all_leaves ? ss_parquet_node_is_leaf(node) : ss_parquet_node_is_text(node);
}

/* Bytes of a value of fixed width, else 0. */
static inline size_t ss_parquet_node_value_bytes(const struct ss_parquet_node *node)
{
    static const uint8_t widths[SS_PARQUET_N_PHYSICAL] = {1, 4, 8, 12, 4, 8, 0, 0};
    return node->physical == SS_PARQUET_FIXED_BYTE_ARRAY ? (size_t)node->type_bytes
                                                         : widths[node->physical];
}

/* Read the footer of `data`, which is borrowed until release, as is `name`.
 * With `has_all_leaves` columns that are no text are read as well.
 * Errors: SS_E_DATA, SS_E_UNSUPPORTED (encrypted), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_parquet_open(const char *name, const uint8_t *data, size_t n_bytes,
                                      bool has_all_leaves, struct ss_parquet *out, ss_err *err);
void ss_parquet_release(struct ss_parquet *file);

/* Steps of opening: the tree of nodes, then what people see of it (parquet_schema.c and
 * parquet_listing.c). `end` bounds the footer. */
SS_MUST_USE ss_status ss_parquet_read_schema(struct ss_parquet *file,
                                             const struct ss_parquet_thrift_list *schema,
                                             const uint8_t *end, ss_err *err);
SS_MUST_USE ss_status ss_parquet_list_columns(struct ss_parquet *file, ss_err *err);

/* Whether a node is a list that has strings as its elements, directly. */
bool ss_parquet_is_list_of_text(const struct ss_parquet *file, size_t node);

/* "FILE: damaged Parquet footer: …". */
ss_status ss_parquet_fail_meta(const struct ss_parquet *file, const char *fault, ss_err *err);

/* Walks over the row groups in the footer. */
struct ss_parquet_groups {
    struct ss_parquet_thrift in;
    size_t index, n_groups; /* index counts groups that were read */
};

/* Stand before the first row group. Borrows the file. */
void ss_parquet_groups_init(const struct ss_parquet *file, struct ss_parquet_groups *out);

/* Read the next row group: its rows, and (if chunks is not NULL) the chunks [n_texts] of all
 * text leaves. Not past n_groups. Errors: SS_E_DATA. */
SS_MUST_USE ss_status ss_parquet_groups_next(const struct ss_parquet *file,
                                             struct ss_parquet_groups *groups, uint64_t *n_rows,
                                             struct ss_parquet_chunk *chunks, ss_err *err);

/* ---- codecs ---- */

struct ss_parquet_codec {
    const char *name;
    /* Fill out[0, n_out) exactly: SS_SOURCE_DECODED_END, else _BAD or _NO_MEMORY. NULL: not
     * read. */
    ss_source_decoded (*decode)(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out);
    size_t max_ratio; /* no valid data grows more than this; 0: no such bound */
};

/* The codec of an id of the format, or NULL. */
const struct ss_parquet_codec *ss_parquet_codec_find(int32_t id);

/* ---- encodings ---- */

/* Runs and bit-packed groups of eight ("RLE/bit-packing hybrid"), or with `is_legacy` the
 * deprecated plain bit packing that starts at the high bit. */
struct ss_parquet_runs {
    const uint8_t *at, *end;
    unsigned width;
    bool is_legacy;
    uint64_t n_same, n_packed; /* left in the run that is under way */
    uint64_t bit;              /* of the next packed value, from `at` */
    uint32_t same;
};

void ss_parquet_runs_init(struct ss_parquet_runs *runs, const uint8_t *data, size_t n_bytes,
                          unsigned width);

/* The next value; false when the data ended or is malformed. */
bool ss_parquet_runs_next(struct ss_parquet_runs *runs, uint32_t *value);

/* Bits that hold 0 … max. */
unsigned ss_parquet_bit_width(uint32_t max);

/* DELTA_BINARY_PACKED. */
struct ss_parquet_deltas {
    const uint8_t *at, *end; /* at: the next block or mini block */
    uint64_t n_values, n_left;
    uint64_t last, min_delta;
    uint32_t n_mini, mini_values; /* mini blocks per block, values per mini block */
    uint32_t mini;                /* the one under way */
    uint32_t n_mini_left;         /* values left in it */
    const uint8_t *widths, *packed;
    uint64_t bit;
};

struct ss_parquet_dictionary {
    const uint8_t *data; /* borrowed from its owner, the cursor */
    uint32_t *offsets;   /* [n] of the length prefix of each value; NULL if fixed_bytes */
    size_t n, capacity;
    size_t fixed_bytes;
};

struct ss_parquet_values;

struct ss_parquet_encoding {
    const char *name;
    const char *(*start)(struct ss_parquet_values *values);
    const char *(*next)(struct ss_parquet_values *values, struct ss_text *text);
};

/* The values of one page. */
struct ss_parquet_values {
    const struct ss_parquet_encoding *encoding; /* NULL before the first page */
    const uint8_t *at, *end;
    size_t fixed_bytes; /* of SS_PARQUET_FIXED_BYTE_ARRAY, else 0 */
    const struct ss_parquet_dictionary *dictionary;
    struct ss_parquet_runs indexes;
    struct ss_parquet_deltas prefixes, lengths;
    struct ss__buf whole;             /* a value that is put together */
    size_t n_streams_values, n_taken; /* BYTE_STREAM_SPLIT */
    size_t n_kept;                    /* bytes that the last value shares with the one before */
    bool is_dictionary;               /* the last value was checked when the dictionary was */
    uint8_t physical;                 /* the type of the column */
};

/* Start on the values of a page. `encoding` is an id of the format. Gives a fault or NULL. */
const char *ss_parquet_values_start(struct ss_parquet_values *values, int32_t encoding,
                                    const uint8_t *data, size_t n_bytes);
/* The next value, borrowed until the one after. Gives a fault or NULL. */
static inline const char *ss_parquet_values_next(struct ss_parquet_values *values,
                                                 struct ss_text *text)
{
    return values->encoding->next(values, text);
}

/* The fault that is no fault of the file: ss_parquet_column_fail makes it SS_E_NOMEM. */
extern const char ss_parquet_no_memory[];

/* Index a PLAIN dictionary page; `data` is borrowed. Gives a fault or NULL. */
const char *ss_parquet_dictionary_index(struct ss_parquet_dictionary *dictionary,
                                        const uint8_t *data, size_t n_bytes, size_t n_values);
/* A view of value `index` < n. */
struct ss_text ss_parquet_dictionary_get(const struct ss_parquet_dictionary *dictionary,
                                         size_t index);

/* ---- pages ---- */

typedef enum ss_parquet_page_kind {
    SS_PARQUET_PAGE_DATA = 0,
    SS_PARQUET_PAGE_INDEX = 1,
    SS_PARQUET_PAGE_DICTIONARY = 2,
    SS_PARQUET_PAGE_DATA_V2 = 3
} ss_parquet_page_kind;

struct ss_parquet_page {
    int32_t kind;
    int32_t encoding;
    size_t n_values; /* entries, nulls included */
    struct ss_parquet_runs reps, defs;
    const uint8_t *values;
    size_t n_value_bytes;
};

/* Memory of a page that is not a view into the file. */
struct ss_parquet_page_body {
    uint8_t *data;
    size_t capacity;
};

/* Pages that are still to be read: bytes [offset, end) of the file, of which those before
 * `fetched` are there. */
struct ss_parquet_extent {
    size_t offset, end, fetched;
};

/* Read the page at the offset of an extent, which moves behind it.
 * A page of a kind that is neither data nor dictionary has only its kind set.
 * Errors: as ss_parquet_open; without a file name, which the caller adds. */
SS_MUST_USE ss_status ss_parquet_page_read(const struct ss_parquet *file,
                                           const struct ss_parquet_node *node,
                                           const struct ss_parquet_codec *codec,
                                           struct ss_parquet_extent *extent,
                                           struct ss_parquet_page_body bodies[2],
                                           struct ss_parquet_page *out, ss_err *err);

/* ---- cursors ---- */

/* The entries of one leaf in one row group; the current one is in the last fields. */
struct ss_parquet_column {
    const struct ss_parquet *file;
    const struct ss_parquet_node *node;
    const char *path; /* for messages */
    const struct ss_parquet_codec *codec;
    size_t group;
    struct ss_parquet_extent extent;
    size_t forgotten;        /* in the file, before the extent's offset */
    uint64_t n_entries_left; /* of the chunk, behind the page */
    size_t n_page_left;
    bool has_dictionary;
    struct ss_parquet_page_body bodies[2]; /* of the data page, of the dictionary page */
    struct ss_parquet_dictionary dictionary;
    struct ss_parquet_runs reps, defs;
    struct ss_parquet_values values;
    uint64_t row; /* 1-based in the file, of the current entry */

    bool at_end; /* there is no current entry */
    uint8_t rep, def;
    struct ss_text text; /* if def == node->max_def; borrowed until the next call */
};

/* Where the pages of a chunk are; NULL, or what is wrong with what it says. */
const char *ss_parquet_chunk_extent(const struct ss_parquet *file,
                                    const struct ss_parquet_meta *meta,
                                    struct ss_parquet_extent *out);

/* Go to the first entry of a chunk. `first_row` rows of the file come before it.
 * Errors: SS_E_DATA, SS_E_UNSUPPORTED, SS_E_LIMIT, SS_E_NOMEM, with file, column and row. */
SS_MUST_USE ss_status ss_parquet_column_start(struct ss_parquet_column *column,
                                              const struct ss_parquet *file, size_t text_leaf,
                                              const struct ss_parquet_chunk *chunk,
                                              size_t group, uint64_t first_row, ss_err *err);
/* Step to the next entry; at_end is set behind the last one. Errors: as above, and those of
 * the source (SS_E_NETWORK, SS_E_STOPPED, SS_E_IO), after which the cursor is only to be
 * released. */
SS_MUST_USE ss_status ss_parquet_column_next(struct ss_parquet_column *column, ss_err *err);
void ss_parquet_column_release(struct ss_parquet_column *column);

/* Fill `err` with a fault of this column where the cursor stands. */
ss_status ss_parquet_column_fail(const struct ss_parquet_column *column, ss_err *err,
                                 ss_status code, const char *fault);

/* ---- records ---- */

/* Take one row of a node from the cursors of its text leaves [n_texts of the file] and append
 * it as JSON; with `out` NULL only take and check it. */
SS_MUST_USE ss_status ss_parquet_record_take(const struct ss_parquet *file, size_t node,
                                             struct ss_parquet_column *columns,
                                             struct ss__buf *out, ss_err *err);

/* The whole row: an object, or a list of pairs where names of columns repeat. There is at least
 * one column with text. */
SS_MUST_USE ss_status ss_parquet_record_row(const struct ss_parquet *file,
                                            struct ss_parquet_column *columns,
                                            struct ss__buf *out, ss_err *err);

/* ---- numbers (parquet_numbers.c) ---- */

/* Whether a column that is listed is of numbers, or of lists of numbers. */
ss_format_column_numbers ss_parquet_numbers_of(const struct ss_parquet *file, size_t node);

/* Take one row of such a column from the cursor of its leaf and append its numbers. Errors:
 * SS_E_DATA, SS_E_NOMEM, those of reading. */
SS_MUST_USE ss_status ss_parquet_take_numbers(const struct ss_parquet *file, size_t node,
                                              struct ss_parquet_column *column,
                                              struct ss_format_numbers *out, ss_err *err);

/* ---- what to fetch (parquet_plan.c) ---- */

/* The parts of the file that hold a text leaf, in order. Errors: SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_parquet_plan_leaf(const struct ss_parquet *file, size_t text_leaf,
                                           struct ss_source_ranges *out, ss_err *err);

#endif
