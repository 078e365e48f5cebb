/* Arrow IPC: what the files arrow*.c share.
 *
 * A stream is messages: FF FF FF FF (left out by old writers), i32 length of the metadata, the
 * metadata (a flatbuffer, padded to 8 bytes), and a body as long as the metadata says. First a
 * schema, then dictionaries and record batches in any order; a length of 0, or the end, ends
 * it. A file is "ARROW1\0\0", the same messages, then a footer (a flatbuffer with the schema
 * and the places of all dictionaries and batches), its i32 length, "ARROW1". Feather version 2
 * is that file.
 *
 * Layers, each using only those above it:
 *   arrow_flat.c     flatbuffers
 *   arrow_schema.c   the schema: a tree of fields
 *   arrow_listing.c  columns by name and type
 *   arrow_batch.c    a record batch: the arrays of all fields, their buffers decompressed
 *   arrow_check.c    offsets, lengths, texts and dictionary indexes of an array, once per batch
 *   arrow_record.c   rows as text and as JSON
 *   arrow_file.c     messages, the footer, dictionaries
 *   arrow_reader.c   the reader of this room
 *
 * Every number that comes from the file is untrusted. A batch is checked as a whole before its
 * first row is given, so that taking rows out of it cannot fail. */
#ifndef SS_ARROW_PRIV_H
#define SS_ARROW_PRIV_H

#include "arrow/arrow_flat.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "format/format.h"
#include "source/source.h"

enum {
    SS_ARROW_MAX_FIELDS = 1 << 15,
    SS_ARROW_MAX_DEPTH = 48,
    SS_ARROW_MAX_NAME_BYTES = 16 << 20,     /* of all column names together */
    SS_ARROW_MAX_BUFFER_BYTES = 1 << 30,    /* decompressed */
    SS_ARROW_GROWTH_SLACK_BYTES = 16 << 20, /* what decompresses into this is no bomb */
    SS_ARROW_MAX_GROWTH = 32                /* beyond the slack, decompressed / compressed */
};

/* ---- schema ---- */

/* How the values of an array lie in its buffers; bitmaps of what is not null come first. */
typedef enum ss_arrow_shape {
    SS_ARROW_NULL,       /* no buffers, all null */
    SS_ARROW_FIXED,      /* bitmap, values of n_bits */
    SS_ARROW_BYTES,      /* bitmap, offsets, bytes */
    SS_ARROW_VIEW,       /* bitmap, views of 16 bytes, buffers of bytes */
    SS_ARROW_LIST,       /* bitmap, offsets; child */
    SS_ARROW_LIST_VIEW,  /* bitmap, offsets, sizes; child */
    SS_ARROW_FIXED_LIST, /* bitmap; child with list_size elements each */
    SS_ARROW_STRUCT,     /* bitmap; children of the same length */
    SS_ARROW_UNION,      /* not read, only passed over */
    SS_ARROW_RUNS        /* no buffers; children: ends of runs, values */
} ss_arrow_shape;

typedef enum ss_arrow_text { SS_ARROW_OTHER, SS_ARROW_BINARY, SS_ARROW_UTF8 } ss_arrow_text;

/* What the number in an array of SS_ARROW_FIXED stands for. */
enum { SS_ARROW_TYPE_INT = 2, SS_ARROW_TYPE_FLOAT = 3, SS_ARROW_TYPE_BOOL = 6 };
enum { SS_ARROW_TYPE_DECIMAL = 7, SS_ARROW_TYPE_MAP = 17 };

/* A field in depth-first order: the children of field i begin at i + 1. A dictionary-encoded
 * field is described as its values are; the indexes stand beside that. */
struct ss_arrow_field {
    struct ss_text name; /* borrowed from the file */
    size_t end;          /* the field behind this one's subtree */
    size_t parent;       /* SIZE_MAX for a column */
    uint8_t type;        /* as numbered by the format */
    ss_arrow_shape shape;
    ss_arrow_text text; /* what the values are */
    bool has_text;      /* in it or below it */
    bool is_wide;       /* offsets are of 8 bytes, not 4 */
    bool is_signed, is_dense;
    uint32_t n_bits;                     /* of a value, if SS_ARROW_FIXED */
    struct ss_format_scalar_type scalar; /* of what is SS_ARROW_FIXED and no text */
    uint32_t list_size;
    size_t dictionary; /* its index in the table, SIZE_MAX if there is none */
    unsigned index_bytes;
    bool index_is_signed;
};

struct ss_arrow_batch;

/* The values that indexes refer to: chunk after chunk, later ones being deltas. */
struct ss_arrow_dictionary {
    int64_t id;
    size_t field;                   /* the first one with this id */
    struct ss_arrow_batch **chunks; /* [n_chunks] */
    uint64_t *ends;                 /* [n_chunks] values up to and with a chunk */
    size_t n_chunks, chunks_capacity, ends_capacity;
    bool is_needed; /* by the columns that were chosen */
};

struct ss_arrow_schema {
    struct ss_arrow_field *fields;
    size_t n_fields, fields_capacity;
    struct ss_arrow_dictionary *dictionaries; /* sorted by id */
    size_t n_dictionaries, dictionaries_capacity;
};

/* Read a schema table into zeroed *out (ss_arrow_schema_release, after errors too). Names are
 * views of the file. Errors: SS_E_DATA; SS_E_UNSUPPORTED for a big-endian file; SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_schema_read(const char *name, struct ss_arrow_flat *flat,
                                           const struct ss_arrow_flat_table *table,
                                           struct ss_arrow_schema *out, ss_err *err);
void ss_arrow_schema_release(struct ss_arrow_schema *schema);

/* "int64", "string", "union", … */
const char *ss_arrow_type_name(const struct ss_arrow_field *field);

/* ---- listing ---- */

struct ss_arrow_columns {
    struct ss_format_column *items; /* leaves of structs by dotted path, lists and maps whole */
    size_t *fields;
    size_t n;
    struct ss__arena arena; /* of the names */
    bool names_repeat;      /* among the columns of the file that have text */
};

/* List the columns of a schema into zeroed *out. Errors: SS_E_LIMIT (names), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_list_columns(const char *name,
                                            const struct ss_arrow_schema *schema,
                                            struct ss_arrow_columns *out, ss_err *err);
/* After errors too. */
void ss_arrow_columns_release(struct ss_arrow_columns *columns);

/* Whether a field is a list that has strings as its elements, directly. */
bool ss_arrow_is_list_of_text(const struct ss_arrow_field *field);

/* ---- batches ---- */

/* A buffer: a view of the file, or memory of its batch once it is unpacked or read. */
struct ss_arrow_bytes {
    const uint8_t *data;
    size_t n_bytes;
};

struct ss_arrow_array {
    uint64_t n; /* values */
    uint64_t n_nulls;
    struct ss_arrow_bytes *buffers; /* [n_buffers] in the order of the shape */
    size_t n_buffers;
};

/* Arrays of a subtree of the schema. Those below a dictionary-encoded field are not here. */
struct ss_arrow_batch {
    const struct ss_arrow_schema *schema;
    size_t first_field;
    bool is_dictionary; /* the first field is here as its values, not as indexes */
    bool is_v4;         /* unions and runs have a bitmap, too */
    uint64_t n_rows;
    struct ss_arrow_array *arrays; /* [n_arrays] of the fields from first_field on */
    size_t n_arrays;
    struct ss_arrow_bytes *buffers;
    size_t n_buffers;
    int codec;              /* -1: the buffers are plain */
    struct ss__arena arena; /* of all this and of what was decompressed */
    size_t n_body_bytes;    /* of its message */
    size_t n_copied_bytes;  /* of these, into the arena; buffers that overlap count each */
};

/* How much was decompressed out of how much, to tell a bomb. */
struct ss_arrow_growth {
    uint64_t n_in, n_out;
};

/* Take apart the table of a record batch for the fields [first, end) of the schema, whose
 * buffers are in `body`; is_dictionary and is_v4 of `out` are set before. Gives a fault or
 * NULL. */
const char *ss_arrow_batch_read(const struct ss_arrow_schema *schema, size_t first, size_t end,
                                struct ss_arrow_flat *flat,
                                const struct ss_arrow_flat_table *table,
                                struct ss_arrow_bytes body, struct ss_arrow_batch *out);
void ss_arrow_batch_release(struct ss_arrow_batch *batch);

/* The fault that is none of the file: whoever reports it says SS_E_NOMEM. */
extern const char ss_arrow_no_memory[];

/* Decompress the buffers of a field and of those below it, once each. Gives a fault or NULL; a
 * batch whose buffers are plain stays as it is. */
const char *ss_arrow_batch_unpack(struct ss_arrow_batch *batch, size_t field,
                                  struct ss_arrow_growth *growth);

/* A map is a list of entries, but shown as what it is. */
static inline bool ss_arrow_is_list(const struct ss_arrow_field *field)
{
    return field->type != SS_ARROW_TYPE_MAP &&
           (field->shape == SS_ARROW_LIST || field->shape == SS_ARROW_LIST_VIEW ||
            field->shape == SS_ARROW_FIXED_LIST);
}

static inline const struct ss_arrow_array *ss_arrow_array_of(const struct ss_arrow_batch *batch,
                                                             size_t field)
{
    return &batch->arrays[field - batch->first_field];
}

/* Whether the array of a field holds indexes of a dictionary. */
static inline bool ss_arrow_is_encoded(const struct ss_arrow_batch *batch, size_t field)
{
    return batch->schema->fields[field].dictionary != SIZE_MAX &&
           !(batch->is_dictionary && field == batch->first_field);
}

/* Whether value i is there, by the bitmap alone. */
static inline bool ss_arrow_bit(const struct ss_arrow_bytes *bits, uint64_t i)
{
    return bits->n_bytes == 0 || (bits->data[i / 8] >> i % 8 & 1) != 0;
}

/* ---- checks ---- */

/* Where a fault is, for the message. */
struct ss_arrow_fault {
    const char *what; /* NULL: none */
    size_t field;
    uint64_t at; /* the value */
};

/* Check an array with its first n values and all below it, so that the functions of
 * arrow_record.c may trust it; without `is_whole`, members of structs without text are left
 * out. Dictionaries that it refers to are there. */
struct ss_arrow_fault ss_arrow_check(const struct ss_arrow_batch *batch, size_t field,
                                     uint64_t n, bool is_whole);

/* ---- values ---- */

/* Offsets of a list or of bytes: where value i begins. */
uint64_t ss_arrow_offset(const struct ss_arrow_field *field, const struct ss_arrow_array *array,
                         uint64_t i);

/* A number of 1, 2, 4 or 8 bytes; a signed one is extended. The buffer holds it. */
uint64_t ss_arrow_number(const struct ss_arrow_bytes *buffer, uint64_t i, unsigned width,
                         bool is_signed);

/* Where a value really is: through dictionaries and runs. */
struct ss_arrow_place {
    const struct ss_arrow_batch *batch;
    size_t field;
    uint64_t at;
    bool is_null;
};

/* The text of a place that is not null and holds one. */
struct ss_text ss_arrow_text_at(const struct ss_arrow_place *place);

/* A column's value in a row: through the structs that it is in. */
struct ss_arrow_place ss_arrow_column_at(const struct ss_arrow_batch *batch, size_t field,
                                         uint64_t row);

/* How values are written. */
struct ss_arrow_writer {
    struct ss__buf *out;
    size_t most;   /* bytes that `out` may hold */
    bool is_whole; /* what is no text is not left out */
};

/* Append a value as JSON. False if there was more than `most`. */
SS_MUST_USE bool ss_arrow_add_json(const struct ss_arrow_writer *writer,
                                   const struct ss_arrow_batch *batch, size_t field,
                                   uint64_t at);

/* Where value `at` of a field really is: through dictionaries and runs. */
struct ss_arrow_place ss_arrow_place_of(const struct ss_arrow_batch *batch, size_t field,
                                        uint64_t at);

/* Where the elements of a list are in its child. */
void ss_arrow_elements_of(const struct ss_arrow_place *list, uint64_t *begin, uint64_t *end);

/* ---- numbers (arrow_numbers.c) ---- */

/* Whether a column that is listed is of numbers, or of lists of numbers. */
ss_format_column_numbers ss_arrow_numbers_of(const struct ss_arrow_schema *schema,
                                             size_t field);

/* Append the number, or the elements of the list, at a place of such a column. False when
 * memory ran out. */
SS_MUST_USE bool ss_arrow_add_numbers(const struct ss_arrow_place *place,
                                      struct ss_format_numbers *out);

/* ---- files ---- */

struct ss_arrow_file {
    const char *name;                  /* borrowed */
    const struct ss_source_view *view; /* borrowed */
    const uint8_t *data;               /* of the view */
    size_t n_bytes;
    bool is_stream;
    struct ss_arrow_schema schema;
    struct ss_arrow_columns columns;
    struct ss_arrow_flat footer;
    struct ss_arrow_flat_vector dictionary_blocks, batch_blocks;
    size_t at;            /* of the next message of a stream; of the next block of a file */
    size_t n_batches;     /* that were read */
    uint64_t n_rows;      /* of a file; 0 if not known */
    uint64_t n_rows_done; /* before the batch */
    uint64_t n_rows_max;  /* that a file of this size may claim */
    bool *is_chosen;      /* [n_fields] columns of the file whose values are wanted */
    bool *is_whole;       /* [n_fields] … also those that are no text */
    struct ss_arrow_growth growth; /* of dictionaries */
    struct ss_arrow_batch batch;
};

/* Read the schema, and the footer of a file. Errors: SS_E_DATA, SS_E_UNSUPPORTED, SS_E_LIMIT,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_open(const char *name, const struct ss_source_view *view,
                                    struct ss_arrow_file *out, ss_err *err);
void ss_arrow_close(struct ss_arrow_file *file);

/* Want the values of a column of the file, and so the dictionaries in it; with `is_whole` not
 * only its texts. */
void ss_arrow_choose(struct ss_arrow_file *file, size_t field, bool is_whole);

/* Go to the next record batch that has rows, unpacked and checked, in file->batch; at the end
 * *has_batch is false. Errors: as ss_arrow_open, with batch, column and row. */
SS_MUST_USE ss_status ss_arrow_next_batch(struct ss_arrow_file *file, bool *has_batch,
                                          ss_err *err);

#endif
