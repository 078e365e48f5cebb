/* A record batch: the arrays of all its fields, in depth-first order of the schema.
 *
 * RecordBatch   0 length, 1 nodes of 16 bytes (i64 length, i64 nulls), 2 buffers of 16 bytes
 *               (i64 offset in the body, i64 length), 3 compression, 4 numbers of the buffers
 *               of views
 * Compression   0 codec (0 LZ4 frames, 1 zstd), 1 method (0 each buffer by itself)
 *
 * A compressed buffer begins with an i64: its length before, or -1 if it is plain after all. */
#include <lz4frame.h>
#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "source/source.h"

enum { NODE_BYTES = 16, BUFFER_BYTES = 16 };

const char ss_arrow_no_memory[] = "there is not enough memory for it";

/* ---- structure ---- */

/* Three lists that a batch has side by side: arrays, buffers and the buffers of views, each
 * used up in the order of the fields. */
struct walk {
    struct ss_arrow_flat *flat;
    struct ss_arrow_batch *batch;
    struct ss_arrow_flat_vector nodes, buffers, variadic;
    struct ss_arrow_bytes body;
    size_t node, buffer, view; /* the next of each */
};

/* Buffers of an array, but for those of views that have bytes: indexes of a dictionary are
 * values of fixed width, whatever they stand for. */
static unsigned buffers_of(const struct ss_arrow_batch *batch, size_t index)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    static const unsigned numbers[] = {
        [SS_ARROW_NULL] = 0,       [SS_ARROW_FIXED] = 2,  [SS_ARROW_BYTES] = 3,
        [SS_ARROW_VIEW] = 2,       [SS_ARROW_LIST] = 2,   [SS_ARROW_LIST_VIEW] = 3,
        [SS_ARROW_FIXED_LIST] = 1, [SS_ARROW_STRUCT] = 1, [SS_ARROW_UNION] = 1,
        [SS_ARROW_RUNS] = 0,
    };
    if (ss_arrow_is_encoded(batch, index)) {
        return 2;
    }
    const bool gained = field->shape == SS_ARROW_UNION || field->shape == SS_ARROW_RUNS;
    return numbers[field->shape] + field->is_dense + (gained && batch->is_v4);
}

/* A view of the body, still as stored. */
static const char *take_buffer(struct walk *walk, struct ss_arrow_bytes *out)
{
    const size_t at = walk->buffers.at + BUFFER_BYTES * walk->buffer++;
    const int64_t offset = ss_arrow_flat_i64_at(walk->flat, at);
    const int64_t n = ss_arrow_flat_i64_at(walk->flat, at + 8);
    *out = (struct ss_arrow_bytes){NULL, 0};
    if (n == 0) {
        return NULL;
    }
    if (offset < 0 || n < 0 || (uint64_t)offset > walk->body.n_bytes ||
        (uint64_t)n > walk->body.n_bytes - (uint64_t)offset) {
        return "a buffer is outside of its message";
    }
    *out = (struct ss_arrow_bytes){walk->body.data + offset, (size_t)n};
    return NULL;
}

/* Only places are checked here; what the values need is arrow_check.c's matter, once they are
 * unpacked. */
static const char *take_array(struct walk *walk, size_t index)
{
    struct ss_arrow_batch *batch = walk->batch;
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    struct ss_arrow_array *array = &batch->arrays[index - batch->first_field];
    uint64_t n = buffers_of(batch, index);
    if (walk->node == walk->nodes.count) {
        return "it has fewer arrays than its schema";
    }
    const size_t node = walk->nodes.at + NODE_BYTES * walk->node++;
    const int64_t length = ss_arrow_flat_i64_at(walk->flat, node);
    const int64_t n_nulls = ss_arrow_flat_i64_at(walk->flat, node + 8);
    if (length < 0 || n_nulls < 0 || n_nulls > length) {
        return "an array has an impossible length";
    }
    array->n = (uint64_t)length;
    array->n_nulls = (uint64_t)n_nulls;
    if (field->shape == SS_ARROW_VIEW && !ss_arrow_is_encoded(batch, index)) {
        if (walk->view == walk->variadic.count) {
            return "it has no number of buffers for a column of views";
        }
        const int64_t more =
            ss_arrow_flat_i64_at(walk->flat, walk->variadic.at + 8 * walk->view++);
        n = more < 0 ? UINT64_MAX : n + (uint64_t)more;
    }
    if (n > walk->buffers.count - walk->buffer) {
        return "it has fewer buffers than its schema";
    }
    array->buffers = &batch->buffers[walk->buffer];
    array->n_buffers = (size_t)n;
    const char *fault = NULL;
    for (size_t i = 0; i < array->n_buffers && fault == NULL; i++) {
        fault = take_buffer(walk, &array->buffers[i]);
    }
    if (array->n_nulls == 0 && array->n_buffers > 0) {
        array->buffers[0] =
            (struct ss_arrow_bytes){NULL, 0}; /* the count wins over the bitmap */
    }
    return fault;
}

static const char *read_compression(struct ss_arrow_flat *flat,
                                    const struct ss_arrow_flat_table *table,
                                    struct ss_arrow_batch *out)
{
    const struct ss_arrow_flat_table compression = ss_arrow_flat_child(flat, table, 3);
    out->codec = -1;
    if (compression.at == 0) {
        return NULL;
    }
    out->codec = (int)ss_arrow_flat_int(flat, &compression, 0, 1, 0);
    return out->codec < 0 || out->codec > 1 ||
                   ss_arrow_flat_int(flat, &compression, 1, 1, 0) != 0
               ? "it is compressed in a way that is not known"
               : NULL;
}

static const char *make_arrays(struct ss_arrow_batch *out)
{
    out->arrays = ss__arena_alloc(&out->arena, out->n_arrays * sizeof *out->arrays);
    out->buffers = ss__arena_alloc(&out->arena, (out->n_buffers + 1) * sizeof *out->buffers);
    return out->arrays == NULL || out->buffers == NULL ? ss_arrow_no_memory : NULL;
}

const char *ss_arrow_batch_read(const struct ss_arrow_schema *schema, size_t first, size_t end,
                                struct ss_arrow_flat *flat,
                                const struct ss_arrow_flat_table *table,
                                struct ss_arrow_bytes body, struct ss_arrow_batch *out)
{
    struct walk walk = {.flat = flat, .batch = out, .body = body};
    walk.nodes = ss_arrow_flat_list(flat, table, 1, NODE_BYTES);
    walk.buffers = ss_arrow_flat_list(flat, table, 2, BUFFER_BYTES);
    walk.variadic = ss_arrow_flat_list(flat, table, 4, 8);
    const int64_t n_rows = ss_arrow_flat_int(flat, table, 0, 8, 0);
    out->schema = schema;
    out->first_field = first;
    out->n_arrays = end - first;
    out->n_buffers = walk.buffers.count;
    out->n_rows = (uint64_t)n_rows;
    out->n_body_bytes = body.n_bytes;
    out->n_copied_bytes = 0;
    const char *fault = read_compression(flat, table, out);
    fault = flat->fault != NULL ? flat->fault : fault;
    if (fault == NULL && (table->at == 0 || n_rows < 0)) {
        fault = "it has an impossible number of rows";
    }
    if (fault == NULL && end > first && (walk.nodes.at == 0 || walk.buffers.at == 0)) {
        fault = "it lacks the places of its arrays";
    }
    fault = fault == NULL ? make_arrays(out) : fault;
    for (size_t i = first; i < end && fault == NULL;) {
        fault = take_array(&walk, i);
        i = ss_arrow_is_encoded(out, i) ? schema->fields[i].end : i + 1;
    }
    return fault;
}

void ss_arrow_batch_release(struct ss_arrow_batch *batch)
{
    ss__arena_release(&batch->arena);
    *batch = (struct ss_arrow_batch){0};
}

/* ---- compression ---- */

/* A frame ends when the decoder wants no more; a step that neither takes nor gives is a frame
 * that was cut off or is longer than declared. */
static ss_source_decoded decode_lz4(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    LZ4F_dctx *context = NULL;
    size_t at_in = 0, at_out = 0, left = 1;
    bool moves = true;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) {
        return SS_SOURCE_DECODED_NO_MEMORY;
    }
    while (left != 0 && moves) {
        size_t n_used = n_in - at_in, n_made = n_out - at_out;
        left = LZ4F_decompress(context, out + at_out, &n_made, in + at_in, &n_used, NULL);
        moves = !LZ4F_isError(left) && (n_used > 0 || n_made > 0);
        at_in += moves ? n_used : 0;
        at_out += moves ? n_made : 0;
    }
    LZ4F_freeDecompressionContext(context);
    if (LZ4F_isError(left)) {
        return ss_source_lz4_failure(left);
    }
    return left == 0 && at_out == n_out ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_BAD;
}

/* What a buffer may grow to, with all that grew before it: many buffers that each stay within a
 * bound could still ask for any amount of memory. */
static bool grows_too_much(struct ss_arrow_growth *growth, size_t n_in, size_t n_out)
{
    growth->n_in += n_in;
    growth->n_out += n_out;
    return growth->n_out > SS_ARROW_GROWTH_SLACK_BYTES &&
           growth->n_out / SS_ARROW_MAX_GROWTH > growth->n_in;
}

static const char *unpack_buffer(struct ss_arrow_batch *batch, struct ss_arrow_bytes *buffer,
                                 struct ss_arrow_growth *growth)
{
    static ss_source_decoded (*const decoders[])(const uint8_t *, size_t, uint8_t *,
                                                 size_t) = {decode_lz4, ss_source_zstd_decode};
    int64_t n_out = 0;
    if (buffer->n_bytes == 0) {
        return NULL;
    }
    if (buffer->n_bytes < 8) {
        return "a compressed buffer is too short";
    }
    memcpy(&n_out, buffer->data, 8);
    const uint8_t *in = buffer->data + 8;
    const size_t n_in = buffer->n_bytes - 8;
    if (n_out == -1) {
        *buffer = (struct ss_arrow_bytes){in, n_in};
        return NULL;
    }
    if (n_out < 0 || n_out > SS_ARROW_MAX_BUFFER_BYTES ||
        grows_too_much(growth, n_in, (size_t)n_out)) {
        return "a compressed buffer grows beyond the limit";
    }
    uint8_t *out = ss__arena_alloc(&batch->arena, (size_t)n_out + 1);
    if (out == NULL) {
        return ss_arrow_no_memory;
    }
    *buffer = (struct ss_arrow_bytes){out, (size_t)n_out};
    const ss_source_decoded result = n_out == 0
                                         ? SS_SOURCE_DECODED_END
                                         : decoders[batch->codec](in, n_in, out, (size_t)n_out);
    return result == SS_SOURCE_DECODED_END ? NULL
           : result == SS_SOURCE_DECODED_NO_MEMORY
               ? ss_arrow_no_memory
               : "a compressed buffer is damaged or not of its "
                 "declared size";
}

/* Only columns that were chosen are unpacked. */
const char *ss_arrow_batch_unpack(struct ss_arrow_batch *batch, size_t field,
                                  struct ss_arrow_growth *growth)
{
    const struct ss_arrow_field *fields = batch->schema->fields;
    const char *fault = NULL;
    for (size_t i = field; batch->codec >= 0 && i < fields[field].end && fault == NULL; i++) {
        struct ss_arrow_array *array = &batch->arrays[i - batch->first_field];
        for (size_t j = 0; j < array->n_buffers && fault == NULL; j++) {
            fault = unpack_buffer(batch, &array->buffers[j], growth);
        }
    }
    return fault;
}
