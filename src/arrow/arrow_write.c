/* An Arrow IPC file (the layout is at the head of arrow_priv.h):
 *
 *   "ARROW1" 00 00
 *   message: schema
 *   messages: record batches
 *   FF FF FF FF 00 00 00 00         the end of the messages
 *   footer: the schema again, the place of every record batch
 *   i32 bytes of the footer, "ARROW1"
 *
 * A message is FF FF FF FF, i32 bytes of metadata, the metadata, filled up to a multiple of 8,
 * and the body. The body of a record batch has the buffers of all columns, each filled up to a
 * multiple of 64: a bitmap of what is not null (left out where nothing is), offsets of lists
 * and strings, values. */
#include "arrow/arrow_write.h"

#include <string.h>

#include "arrow/arrow_flat_write.h"
#include "base/arena.h"
#include "base/mem.h"

enum {
    BATCH_ROWS = 1 << 16,
    BATCH_BYTES = 32 << 20,
    MAX_VALUE_BYTES = 1 << 30,
    BUFFER_ALIGNMENT = 64,
    VERSION_5 = 4,
    HEADER_SCHEMA = 1,
    HEADER_BATCH = 3,
    TYPE_LIST = 12
};

/* By the kind of value: the type's number in the format, bytes of a value, what its table says.
 */
static const struct {
    uint8_t type, n_bytes;
    uint8_t widths[2]; /* of the slots of the table */
    uint8_t slots[2];  /* what they hold */
} values[SS_ARROW_N_ARROW_VALUES] = {
    [SS_ARROW_VALUE_NULL] = {1, 0, {0, 0}, {0, 0}},
    [SS_ARROW_VALUE_BOOL] = {6, 1, {0, 0}, {0, 0}},
    [SS_ARROW_VALUE_I64] = {2, 8, {4, 1}, {64, 1}}, /* bits, signed */
    [SS_ARROW_VALUE_U8] = {2, 1, {4, 0}, {8, 0}},
    [SS_ARROW_VALUE_U32] = {2, 4, {4, 0}, {32, 0}},
    [SS_ARROW_VALUE_U64] = {2, 8, {4, 0}, {64, 0}},
    [SS_ARROW_VALUE_F32] = {3, 4, {2, 0}, {1, 0}}, /* half, single, double */
    [SS_ARROW_VALUE_F64] = {3, 8, {2, 0}, {2, 0}},
    [SS_ARROW_VALUE_UTF8] = {5, 1, {0, 0}, {0, 0}},
};

/* A column of the record batch that is gathered. */
struct gathered {
    struct ss_arrow_output_column is; /* the name is a copy */
    struct ss__buf bitmap;            /* bits, filled up to whole bytes */
    struct ss__buf offsets;           /* i32, one more than rows */
    struct ss__buf data;
    uint64_t n_nulls, n_elements; /* elements: of all lists */
};

struct block {
    uint64_t at, n_body;
    size_t n_metadata; /* with the 8 bytes before it */
};

struct ss_arrow_output {
    struct ss__out *out; /* borrowed */
    struct ss__arena arena;
    struct gathered *columns;
    size_t n_columns;
    struct ss_arrow_note *notes;
    size_t n_notes;
    size_t n_rows; /* of the record batch */
    uint64_t at;   /* bytes written */
    struct block *blocks;
    size_t n_blocks, blocks_capacity;
    struct ss__buf metadata;
};

/* Values of varying length. */
static bool has_offsets(const struct gathered *column)
{
    return column->is.is_list || column->is.value == SS_ARROW_VALUE_UTF8;
}

/* ---- metadata ---- */

/* Where the table of a field's type is. */
static size_t add_type(struct ss__buf *buf, ss_arrow_value value)
{
    const struct ss_arrow_flat_made table =
        ss_arrow_flat_add_table(buf, values[value].widths, 2);
    for (size_t i = 0; i < 2; i++) {
        ss_arrow_flat_set(buf, table.slots[i], values[value].slots[i], values[value].widths[i]);
    }
    return table.at;
}

/* Field: 0 name, 1 nullable, 2 kind of type, 3 type, 4 dictionary, 5 children. */
static size_t add_field(struct ss__buf *buf, const struct ss_arrow_output_column *column)
{
    static const uint8_t widths[] = {4, 1, 1, 4, 0, 4};
    const struct ss_arrow_flat_made field = ss_arrow_flat_add_table(buf, widths, 6);
    size_t children = 0;
    ss_arrow_flat_set(buf, field.slots[1], column->is_nullable, 1);
    ss_arrow_flat_refer(buf, field.slots[0], ss_arrow_flat_add_string(buf, column->name));
    ss_arrow_flat_set(buf, field.slots[2],
                      column->is_list ? TYPE_LIST : values[column->value].type, 1);
    if (column->is_list) {
        const struct ss_arrow_output_column item = {.name = "item", .value = column->value};
        static const uint8_t none[] = {0};
        ss_arrow_flat_refer(buf, field.slots[3], ss_arrow_flat_add_table(buf, none, 0).at);
        ss_arrow_flat_refer(buf, field.slots[5],
                            ss_arrow_flat_add_vector(buf, 1, 4, &children));
        ss_arrow_flat_refer(buf, children, add_field(buf, &item));
    } else {
        ss_arrow_flat_refer(buf, field.slots[3], add_type(buf, column->value));
        ss_arrow_flat_refer(buf, field.slots[5],
                            ss_arrow_flat_add_vector(buf, 0, 4, &children));
    }
    return field.at;
}

static size_t add_note(struct ss__buf *buf, const struct ss_arrow_note *note)
{
    static const uint8_t widths[] = {4, 4};
    const struct ss_arrow_flat_made table = ss_arrow_flat_add_table(buf, widths, 2);
    ss_arrow_flat_refer(buf, table.slots[0], ss_arrow_flat_add_string(buf, note->key));
    ss_arrow_flat_refer(buf, table.slots[1], ss_arrow_flat_add_string(buf, note->value));
    return table.at;
}

/* Schema: 0 endianness (little), 1 fields, 2 notes. */
static size_t add_schema(const struct ss_arrow_output *output, struct ss__buf *buf)
{
    static const uint8_t widths[] = {0, 4, 4};
    const struct ss_arrow_flat_made schema = ss_arrow_flat_add_table(buf, widths, 3);
    size_t at = 0;
    ss_arrow_flat_refer(buf, schema.slots[1],
                        ss_arrow_flat_add_vector(buf, output->n_columns, 4, &at));
    for (size_t i = 0; i < output->n_columns; i++) {
        ss_arrow_flat_refer(buf, at + 4 * i, add_field(buf, &output->columns[i].is));
    }
    ss_arrow_flat_refer(buf, schema.slots[2],
                        ss_arrow_flat_add_vector(buf, output->n_notes, 4, &at));
    for (size_t i = 0; i < output->n_notes; i++) {
        ss_arrow_flat_refer(buf, at + 4 * i, add_note(buf, &output->notes[i]));
    }
    return schema.at;
}

/* Message: 0 version, 1 kind of header, 2 header, 3 bytes of the body. Its header follows. */
static struct ss_arrow_flat_made begin_message(struct ss__buf *buf, uint8_t kind,
                                               uint64_t n_body)
{
    static const uint8_t widths[] = {2, 1, 4, 8};
    buf->n_bytes = 0;
    ss__buf_add(buf, "\0\0\0\0", 4);
    const struct ss_arrow_flat_made message = ss_arrow_flat_add_table(buf, widths, 4);
    ss_arrow_flat_refer(buf, 0, message.at);
    ss_arrow_flat_set(buf, message.slots[0], VERSION_5, 2);
    ss_arrow_flat_set(buf, message.slots[1], kind, 1);
    ss_arrow_flat_set(buf, message.slots[3], n_body, 8);
    return message;
}

/* All that is written goes through here, so that places in the footer are right. */
static ss_status put(struct ss_arrow_output *output, const void *data, size_t n, ss_err *err)
{
    output->at += n;
    return ss__out_write(output->out, data, n, err);
}

static ss_status put_u32(struct ss_arrow_output *output, size_t value, ss_err *err)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};
    return put(output, bytes, sizeof bytes, err);
}

/* The metadata that was made, filled up so that the body is aligned. */
static ss_status put_message(struct ss_arrow_output *output, ss_err *err)
{
    struct ss__buf *metadata = &output->metadata;
    ss_arrow_flat_align(metadata, 8);
    SS_RETURN_IF_ERROR(ss__buf_check(metadata, err));
    SS_RETURN_IF_ERROR(put_u32(output, UINT32_MAX, err));
    SS_RETURN_IF_ERROR(put_u32(output, metadata->n_bytes, err));
    return put(output, metadata->data, metadata->n_bytes, err);
}

static ss_status put_schema(struct ss_arrow_output *output, ss_err *err)
{
    struct ss__buf *buf = &output->metadata;
    const struct ss_arrow_flat_made message = begin_message(buf, HEADER_SCHEMA, 0);
    ss_arrow_flat_refer(buf, message.slots[2], add_schema(output, buf));
    return put_message(output, err);
}

/* ---- record batches ---- */

/* The buffers of a column in the order of the format; gives how many there are. */
static size_t buffers_of(const struct gathered *column, const struct ss__buf *out[4])
{
    static const struct ss__buf none;
    size_t n = 0;
    if (column->is.value == SS_ARROW_VALUE_NULL) {
        return 0;
    }
    out[n++] = column->n_nulls > 0 ? &column->bitmap : &none;
    if (has_offsets(column)) {
        out[n++] = &column->offsets;
    }
    if (column->is.is_list) {
        out[n++] = &none; /* the bitmap of the elements */
    }
    out[n++] = &column->data;
    return n;
}

struct layout {
    size_t nodes, buffers; /* where the next ones are described */
    uint64_t at;           /* in the body */
};

static void describe_node(struct ss__buf *buf, struct layout *layout, uint64_t n,
                          uint64_t nulls)
{
    ss_arrow_flat_set(buf, layout->nodes, n, 8);
    ss_arrow_flat_set(buf, layout->nodes + 8, nulls, 8);
    layout->nodes += 16;
}

/* Must walk buffers as put_body does: places are counted here and written there. */
static void describe_column(struct ss_arrow_output *output, const struct gathered *column,
                            struct layout *layout)
{
    struct ss__buf *buf = &output->metadata;
    const struct ss__buf *buffers[4];
    const size_t n = buffers_of(column, buffers);
    describe_node(buf, layout, output->n_rows, column->n_nulls);
    if (column->is.is_list) {
        describe_node(buf, layout, column->n_elements, 0);
    }
    for (size_t i = 0; i < n; i++) {
        ss_arrow_flat_set(buf, layout->buffers, layout->at, 8);
        ss_arrow_flat_set(buf, layout->buffers + 8, buffers[i]->n_bytes, 8);
        layout->buffers += 16;
        layout->at += ss__round_up(buffers[i]->n_bytes, BUFFER_ALIGNMENT);
    }
}

/* RecordBatch: 0 rows, 1 nodes (values, nulls) of all fields, 2 buffers (place, bytes). */
static uint64_t describe_batch(struct ss_arrow_output *output)
{
    static const uint8_t widths[] = {8, 4, 4};
    struct ss__buf *buf = &output->metadata;
    const struct ss_arrow_flat_made message = begin_message(buf, HEADER_BATCH, 0);
    const struct ss_arrow_flat_made batch = ss_arrow_flat_add_table(buf, widths, 3);
    const struct ss__buf *unused[4];
    struct layout layout = {0};
    size_t n_nodes = 0, n_buffers = 0;
    for (size_t i = 0; i < output->n_columns; i++) {
        n_nodes += output->columns[i].is.is_list ? 2 : 1;
        n_buffers += buffers_of(&output->columns[i], unused);
    }
    ss_arrow_flat_refer(buf, message.slots[2], batch.at);
    ss_arrow_flat_set(buf, batch.slots[0], output->n_rows, 8);
    ss_arrow_flat_refer(buf, batch.slots[1],
                        ss_arrow_flat_add_vector(buf, n_nodes, 16, &layout.nodes));
    ss_arrow_flat_refer(buf, batch.slots[2],
                        ss_arrow_flat_add_vector(buf, n_buffers, 16, &layout.buffers));
    for (size_t i = 0; i < output->n_columns; i++) {
        describe_column(output, &output->columns[i], &layout);
    }
    ss_arrow_flat_set(buf, message.slots[3], layout.at, 8);
    return layout.at;
}

static ss_status put_body(struct ss_arrow_output *output, ss_err *err)
{
    static const char zeros[BUFFER_ALIGNMENT];
    for (size_t i = 0; i < output->n_columns; i++) {
        const struct ss__buf *buffers[4];
        const size_t n = buffers_of(&output->columns[i], buffers);
        for (size_t j = 0; j < n; j++) {
            SS_RETURN_IF_ERROR(put(output, buffers[j]->data, buffers[j]->n_bytes, err));
            SS_RETURN_IF_ERROR(
                put(output, zeros, -buffers[j]->n_bytes & (BUFFER_ALIGNMENT - 1), err));
        }
    }
    return SS_OK;
}

/* Memory stays for the next batch; offsets begin with 0. */
static void forget_rows(struct ss_arrow_output *output)
{
    output->n_rows = 0;
    for (size_t i = 0; i < output->n_columns; i++) {
        struct gathered *column = &output->columns[i];
        column->bitmap.n_bytes = column->offsets.n_bytes = column->data.n_bytes = 0;
        column->n_nulls = column->n_elements = 0;
        if (has_offsets(column)) {
            ss__buf_add(&column->offsets, "\0\0\0\0", 4);
        }
    }
}

static ss_status put_batch(struct ss_arrow_output *output, ss_err *err)
{
    struct block block = {.at = output->at};
    if (output->n_rows == 0) {
        return SS_OK;
    }
    SS_GROW_OR_RETURN(output->blocks, output->blocks_capacity, output->n_blocks + 1);
    block.n_body = describe_batch(output);
    SS_RETURN_IF_ERROR(put_message(output, err));
    block.n_metadata = (size_t)(output->at - block.at);
    SS_RETURN_IF_ERROR(put_body(output, err));
    output->blocks[output->n_blocks++] = block;
    forget_rows(output);
    return SS_OK;
}

/* ---- rows ---- */

static void add_bit(struct ss__buf *bits, size_t i, bool value)
{
    if (i % 8 == 0) {
        ss__buf_add_byte(bits, 0);
    }
    if (value && !bits->failed) {
        bits->data[i / 8] = (char)(bits->data[i / 8] | 1 << i % 8);
    }
}

static void add_offset(struct gathered *column, uint64_t end)
{
    const uint32_t offset = (uint32_t)end;
    ss__buf_add(&column->offsets, &offset, sizeof offset);
}

ss_status ss_arrow_output_add(struct ss_arrow_output *output, size_t index, const void *data,
                              size_t n, ss_err *err)
{
    struct gathered *column = &output->columns[index];
    const size_t n_bytes = values[column->is.value].n_bytes;
    if (n > MAX_VALUE_BYTES / (n_bytes == 0 ? 1 : n_bytes)) {
        return ss__fail_file(err, output->out->path, SS_E_LIMIT,
                             "a value of the column '%s' has more than %d MiB", column->is.name,
                             MAX_VALUE_BYTES >> 20);
    }
    add_bit(&column->bitmap, output->n_rows, true);
    if (column->is.value == SS_ARROW_VALUE_BOOL) {
        add_bit(&column->data, output->n_rows, *(const bool *)data);
    } else {
        ss__buf_add(&column->data, data, n * n_bytes);
    }
    column->n_elements += n;
    if (has_offsets(column)) {
        add_offset(column, column->n_elements);
    }
    return SS_OK;
}

/* A null of fixed width takes a place, which is zero. */
ss_status ss_arrow_output_add_null(struct ss_arrow_output *output, size_t index, ss_err *err)
{
    static const char zeros[8];
    struct gathered *column = &output->columns[index];
    add_bit(&column->bitmap, output->n_rows, false);
    column->n_nulls++;
    if (has_offsets(column)) {
        add_offset(column, column->n_elements);
    } else if (column->is.value == SS_ARROW_VALUE_BOOL) {
        add_bit(&column->data, output->n_rows, false);
    } else {
        ss__buf_add(&column->data, zeros, values[column->is.value].n_bytes);
    }
    return ss__buf_check(&column->bitmap, err);
}

ss_status ss_arrow_output_end_row(struct ss_arrow_output *output, ss_err *err)
{
    size_t n_bytes = 0;
    output->n_rows++;
    for (size_t i = 0; i < output->n_columns; i++) {
        const struct gathered *column = &output->columns[i];
        SS_RETURN_IF_ERROR(ss__buf_check(&column->data, err));
        SS_RETURN_IF_ERROR(ss__buf_check(&column->offsets, err));
        SS_RETURN_IF_ERROR(ss__buf_check(&column->bitmap, err));
        n_bytes += column->data.n_bytes + column->offsets.n_bytes;
    }
    if (output->n_rows == BATCH_ROWS || n_bytes >= BATCH_BYTES) {
        SS_RETURN_IF_ERROR(put_batch(output, err));
    }
    return SS_OK;
}

/* ---- files ---- */

static ss_status copy_options(struct ss_arrow_output *output,
                              const struct ss_arrow_output_options *options, ss_err *err)
{
    SS_ALLOC_OR_RETURN(output->columns, options->n_columns);
    SS_ALLOC_OR_RETURN(output->notes, options->n_notes);
    output->n_columns = options->n_columns;
    output->n_notes = options->n_notes;
    for (size_t i = 0; i < options->n_columns; i++) {
        const char *name = options->columns[i].name;
        output->columns[i].is = options->columns[i];
        output->columns[i].is.name = ss__arena_strndup(&output->arena, name, strlen(name));
        if (output->columns[i].is.name == NULL) {
            return ss__fail_nomem(err, "a column name");
        }
    }
    for (size_t i = 0; i < options->n_notes; i++) {
        const struct ss_arrow_note *note = &options->notes[i];
        output->notes[i] = (struct ss_arrow_note){
            ss__arena_strndup(&output->arena, note->key, strlen(note->key)),
            ss__arena_strndup(&output->arena, note->value, strlen(note->value))};
        if (output->notes[i].key == NULL || output->notes[i].value == NULL) {
            return ss__fail_nomem(err, "metadata");
        }
    }
    forget_rows(output);
    return SS_OK;
}

ss_status ss_arrow_output_new(struct ss__out *out,
                              const struct ss_arrow_output_options *options,
                              struct ss_arrow_output **output, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_arrow_output *made = NULL;
    *output = NULL;
    SS_ALLOC(made, 1);
    made->out = out;
    SS_TRY(copy_options(made, options, err));
    SS_TRY(put(made, "ARROW1\0\0", 8, err));
    SS_TRY(put_schema(made, err));
    *output = made;
    made = NULL;
out:
    ss_arrow_output_free(made);
    return status;
}

/* Footer: 0 version, 1 schema, 2 dictionaries, 3 record batches (place, bytes of metadata with
 * its prefix, bytes of the body). */
static ss_status put_footer(struct ss_arrow_output *output, ss_err *err)
{
    static const uint8_t widths[] = {2, 4, 4, 4};
    struct ss__buf *buf = &output->metadata;
    size_t at = 0;
    buf->n_bytes = 0;
    ss__buf_add(buf, "\0\0\0\0", 4);
    const struct ss_arrow_flat_made footer = ss_arrow_flat_add_table(buf, widths, 4);
    ss_arrow_flat_refer(buf, 0, footer.at);
    ss_arrow_flat_set(buf, footer.slots[0], VERSION_5, 2);
    ss_arrow_flat_refer(buf, footer.slots[1], add_schema(output, buf));
    ss_arrow_flat_refer(buf, footer.slots[2], ss_arrow_flat_add_vector(buf, 0, 24, &at));
    ss_arrow_flat_refer(buf, footer.slots[3],
                        ss_arrow_flat_add_vector(buf, output->n_blocks, 24, &at));
    for (size_t i = 0; i < output->n_blocks; i++, at += 24) {
        ss_arrow_flat_set(buf, at, output->blocks[i].at, 8);
        ss_arrow_flat_set(buf, at + 8, output->blocks[i].n_metadata, 4);
        ss_arrow_flat_set(buf, at + 16, output->blocks[i].n_body, 8);
    }
    SS_RETURN_IF_ERROR(ss__buf_check(buf, err));
    SS_RETURN_IF_ERROR(put(output, buf->data, buf->n_bytes, err));
    SS_RETURN_IF_ERROR(put_u32(output, buf->n_bytes, err));
    return put(output, "ARROW1", 6, err);
}

ss_status ss_arrow_output_finish(struct ss_arrow_output *output, ss_err *err)
{
    SS_RETURN_IF_ERROR(put_batch(output, err));
    SS_RETURN_IF_ERROR(put_u32(output, UINT32_MAX, err));
    SS_RETURN_IF_ERROR(put_u32(output, 0, err));
    return put_footer(output, err);
}

void ss_arrow_output_free(struct ss_arrow_output *output)
{
    if (output == NULL) {
        return;
    }
    for (size_t i = 0; i < output->n_columns; i++) {
        ss__buf_release(&output->columns[i].bitmap);
        ss__buf_release(&output->columns[i].offsets);
        ss__buf_release(&output->columns[i].data);
    }
    ss__free(output->columns);
    ss__free(output->notes);
    ss__free(output->blocks);
    ss__buf_release(&output->metadata);
    ss__arena_release(&output->arena);
    ss__free(output);
}
