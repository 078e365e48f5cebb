/* Messages of a stream, blocks of a file, and the dictionaries on the way.
 *
 * Message          0 version (3: V4, 4: V5), 1 kind of header, 2 header, 3 body length, 4 notes
 * DictionaryBatch  0 id, 1 record batch, 2 is a delta
 * Footer           0 version, 1 schema, 2 blocks of dictionaries, 3 blocks of record batches
 * Block            i64 offset, i32 length of metadata with what is before it, i32 nothing,
 *                  i64 length of body
 *
 * A stream may replace a dictionary or add to it between batches; in a file all of them come
 * first and can only be added to. */
#include <stdio.h>
#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"

enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3, N_HEADERS = 6 };
enum { VERSION_4 = 3, VERSION_5 = 4 };
enum { BLOCK_BYTES = 24, MAGIC_BYTES = 6, HEAD_BYTES = 8, TAIL_BYTES = 10 };

static const char magic[] = "ARROW1";

struct message {
    struct ss_arrow_flat flat;
    struct ss_arrow_flat_table header;
    int kind;
    bool is_v4;
    struct ss_arrow_bytes body;
};

static ss_status fail(const struct ss_arrow_file *file, const char *where, const char *fault,
                      ss_err *err)
{
    return fault == ss_arrow_no_memory
               ? ss__fail_nomem(err, "Arrow data")
               : ss__fail_file(err, file->name, SS_E_DATA, "damaged Arrow data: %s: %s", where,
                               fault);
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* ---- messages ---- */

/* Have n bytes of the view from a place on. */
static ss_status need(const struct ss_arrow_file *file, size_t from, size_t n, ss_err *err)
{
    size_t until = from;
    return ss_source_view_need(file->view, from, n, from + n, &until, err);
}

static ss_status check_version(const struct ss_arrow_file *file, int64_t version, ss_err *err)
{
    return version == VERSION_4 || version == VERSION_5
               ? SS_OK
               : ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                               "this Arrow data is of metadata version %lld, expected 4 or 5",
                               (long long)version + 1);
}

/* The metadata at `at`; *next is behind it, where the body begins. At the end of a stream
 * *n_meta is 0. */
static ss_status find_metadata(const struct ss_arrow_file *file, size_t at, const char *where,
                               size_t *next, size_t *n_meta, ss_err *err)
{
    size_t n_left = file->n_bytes - at;
    *n_meta = 0;
    *next = file->n_bytes;
    if (n_left == 0) {
        return SS_OK;
    }
    if (n_left < 4) {
        SS_RETURN_IF_ERROR(fail(file, where, "it ends inside a message", err));
    }
    SS_RETURN_IF_ERROR(need(file, at, ss__min_size(n_left, 8), err));
    if (read_u32(file->data + at) == UINT32_MAX) {
        at += 4;
        n_left -= 4;
    }
    const uint32_t n = n_left < 4 ? 1 : read_u32(file->data + at);
    if (n == 0) {
        return SS_OK;
    }
    if (n_left < 4 || n > INT32_MAX || n > n_left - 4) {
        SS_RETURN_IF_ERROR(
            fail(file, where, "the metadata of a message goes beyond the end", err));
    }
    SS_RETURN_IF_ERROR(need(file, at + 4, n, err));
    *n_meta = n;
    *next = at + 4 + n;
    return SS_OK;
}

/* Read the message whose metadata was found. */
static ss_status read_message(const struct ss_arrow_file *file, size_t body_at, size_t n_meta,
                              const char *where, struct message *out, ss_err *err)
{
    struct ss_arrow_flat *flat = &out->flat;
    *flat = (struct ss_arrow_flat){file->data + body_at - n_meta, n_meta, NULL};
    const struct ss_arrow_flat_table table = ss_arrow_flat_root(flat);
    const int64_t version = ss_arrow_flat_int(flat, &table, 0, 2, 0);
    const int64_t n_body = ss_arrow_flat_int(flat, &table, 3, 8, 0);
    out->kind = (int)ss_arrow_flat_int(flat, &table, 1, 1, 0);
    out->is_v4 = version == VERSION_4;
    out->header = ss_arrow_flat_child(flat, &table, 2);
    ss_arrow_flat_check_notes(flat, &table, 4);
    if (flat->fault != NULL) {
        return fail(file, where, flat->fault, err);
    }
    const ss_status status = check_version(file, version, err);
    if (status != SS_OK) {
        return status;
    }
    if (out->header.at == 0 || out->kind < HEADER_SCHEMA || out->kind >= N_HEADERS) {
        return fail(file, where, "it is of no kind that is known", err);
    }
    if (n_body < 0 || (uint64_t)n_body > file->n_bytes - body_at) {
        return fail(file, where, "its body goes beyond the end", err);
    }
    out->body = (struct ss_arrow_bytes){file->data + body_at, (size_t)n_body};
    return SS_OK;
}

/* Tensors are Arrow messages too, but no tables. */
static ss_status refuse_kind(const struct ss_arrow_file *file, int kind, ss_err *err)
{
    static const char *const names[N_HEADERS] = {"nothing",      "a second schema",
                                                 "a dictionary", "a record batch",
                                                 "a tensor",     "a sparse tensor"};
    return ss__fail_file(err, file->name, SS_E_DATA,
                         "this Arrow data holds %s where a table was expected", names[kind]);
}

/* ---- faults of arrays ---- */

/* A value of a column is a row; one inside a list is not, so that only the former is told as
 * such. */
static ss_status fail_array(const struct ss_arrow_file *file, const char *where,
                            const struct ss_arrow_fault *fault, ss_err *err)
{
    const struct ss_arrow_field *field = &file->schema.fields[fault->field];
    struct ss__buf name = {0};
    if (fault->what == ss_arrow_no_memory) {
        return ss__fail_nomem(err, "an Arrow column");
    }
    ss__buf_add(&name, field->name.data, ss__min_size(field->name.n_bytes, 60));
    const char *text = ss__buf_text(&name);
    const bool is_row = field->parent == SIZE_MAX && fault->at > 0;
    const bool is_union = field->shape == SS_ARROW_UNION;
    const ss_status code = is_union ? SS_E_UNSUPPORTED : SS_E_DATA;
    ss__fail_file(err, file->name, code, "Arrow column '%s', %s, value %llu: %s",
                  text == NULL ? "" : text, where, (unsigned long long)fault->at, fault->what);
    if (is_row) {
        ss__err_at_row(err, file->n_rows_done + fault->at);
    }
    ss__buf_release(&name);
    return code;
}

/* The buffers of a column, out of the file into memory of the batch: what is checked below is
 * then what is used later. Buffers that overlap would each be copied, so that a small file could
 * ask for any amount of memory; writers put them one after another, within the body. */
static ss_status read_buffers(const struct ss_arrow_file *file, struct ss_arrow_batch *batch,
                              size_t field, const char *where, ss_err *err)
{
    const size_t end = file->schema.fields[field].end;
    for (size_t i = field; i < end && ss_source_view_is_partial(file->view); i++) {
        struct ss_arrow_array *array = &batch->arrays[i - batch->first_field];
        for (size_t j = 0; j < array->n_buffers; j++) {
            struct ss_arrow_bytes *buffer = &array->buffers[j];
            if (buffer->n_bytes == 0) {
                continue;
            }
            if (buffer->n_bytes > batch->n_body_bytes - batch->n_copied_bytes) {
                return fail(file, where,
                            "its buffers overlap: together they are longer than its body", err);
            }
            batch->n_copied_bytes += buffer->n_bytes;
            uint8_t *copy = ss__arena_alloc(&batch->arena, buffer->n_bytes);
            if (copy == NULL) {
                return ss__fail_nomem(err, "a column");
            }
            SS_RETURN_IF_ERROR(ss_source_view_read(
                file->view, (size_t)(buffer->data - file->data), buffer->n_bytes, copy, err));
            buffer->data = copy;
        }
    }
    return SS_OK;
}

/* Unpack and check a column of a batch. */
static ss_status check_column(const struct ss_arrow_file *file, struct ss_arrow_batch *batch,
                              size_t field, struct ss_arrow_growth *growth, const char *where,
                              ss_err *err)
{
    struct ss_arrow_fault fault = {.field = field};
    const ss_status status = read_buffers(file, batch, field, where, err);
    if (status != SS_OK) {
        return status;
    }
    if (ss_arrow_array_of(batch, field)->n != batch->n_rows) {
        fault.what = "it has another number of values than the batch has rows";
    }
    if (fault.what == NULL) {
        fault.what = ss_arrow_batch_unpack(batch, field, growth);
    }
    if (fault.what == NULL) {
        fault = ss_arrow_check(batch, field, batch->n_rows,
                               batch->is_dictionary || file->is_whole[field]);
    }
    return fault.what == NULL ? SS_OK : fail_array(file, where, &fault, err);
}

/* ---- dictionaries ---- */

/* By bisection: the schema has sorted them. */
static struct ss_arrow_dictionary *find_dictionary(struct ss_arrow_file *file, int64_t id)
{
    size_t low = 0, high = file->schema.n_dictionaries;
    struct ss_arrow_dictionary *items = file->schema.dictionaries;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (items[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < file->schema.n_dictionaries && items[low].id == id ? &items[low] : NULL;
}

/* A replaced dictionary is no longer what any later batch means. */
static void drop_chunks(struct ss_arrow_dictionary *dictionary)
{
    for (size_t i = 0; i < dictionary->n_chunks; i++) {
        ss_arrow_batch_release(dictionary->chunks[i]);
        ss__free(dictionary->chunks[i]);
    }
    dictionary->n_chunks = 0;
}

/* A dictionary is a batch with one column. Deltas are kept as chunks of their own, so that
 * nothing is copied; `ends` tells which chunk an index is in. */
static ss_status add_chunk(struct ss_arrow_file *file, struct ss_arrow_dictionary *dictionary,
                           struct message *message, const struct ss_arrow_flat_table *table,
                           ss_err *err)
{
    static const char where[] = "a dictionary";
    ss_status status = SS_OK;
    const size_t field = dictionary->field, n = dictionary->n_chunks;
    struct ss_arrow_batch *chunk = NULL;
    SS_GROW(dictionary->chunks, dictionary->chunks_capacity, n + 1);
    SS_GROW(dictionary->ends, dictionary->ends_capacity, n + 1);
    SS_ALLOC(chunk, 1);
    chunk->is_dictionary = true;
    chunk->is_v4 = message->is_v4;
    const char *fault =
        ss_arrow_batch_read(&file->schema, field, file->schema.fields[field].end,
                            &message->flat, table, message->body, chunk);
    if (fault != NULL) {
        SS_TRY(fail(file, where, fault, err));
    }
    SS_TRY(check_column(file, chunk, field, &file->growth, where, err));
    const uint64_t before = n == 0 ? 0 : dictionary->ends[n - 1];
    if (!ss__add_u64(before, chunk->n_rows, &dictionary->ends[n])) {
        SS_TRY(fail(file, where, "it has an impossible length", err));
    }
    dictionary->chunks[dictionary->n_chunks++] = chunk;
    chunk = NULL;
out:
    if (chunk != NULL) {
        ss_arrow_batch_release(chunk);
        ss__free(chunk);
    }
    return status;
}

static ss_status take_dictionary(struct ss_arrow_file *file, struct message *message,
                                 ss_err *err)
{
    static const char where[] = "a dictionary";
    struct ss_arrow_flat *flat = &message->flat;
    const int64_t id = ss_arrow_flat_int(flat, &message->header, 0, 8, 0);
    const struct ss_arrow_flat_table table = ss_arrow_flat_child(flat, &message->header, 1);
    const bool is_delta = ss_arrow_flat_int(flat, &message->header, 2, 1, 0) != 0;
    if (flat->fault != NULL || table.at == 0) {
        return fail(file, where, flat->fault == NULL ? "it has no values" : flat->fault, err);
    }
    struct ss_arrow_dictionary *dictionary = find_dictionary(file, id);
    if (dictionary == NULL) {
        return fail(file, where, "no column refers to it", err);
    }
    if (!dictionary->is_needed) {
        return SS_OK;
    }
    if (!is_delta && dictionary->n_chunks > 0) {
        if (!file->is_stream) {
            return fail(file, where, "a file replaces it, which only a stream can", err);
        }
        drop_chunks(dictionary);
    }
    return add_chunk(file, dictionary, message, &table, err);
}

/* ---- record batches ---- */

/* The rows of a batch, if a file of this size can have so many. */
static ss_status count_batch(struct ss_arrow_file *file, struct message *message,
                             const char *where, uint64_t *n_rows, ss_err *err)
{
    const int64_t n = ss_arrow_flat_int(&message->flat, &message->header, 0, 8, 0);
    if (message->flat.fault != NULL || n < 0) {
        return fail(file, where, "it has an impossible number of rows", err);
    }
    if ((uint64_t)n > file->n_rows_max - *n_rows) {
        return ss__fail_file(err, file->name, SS_E_LIMIT,
                             "claims more than %llu rows in %zu bytes, which is not read",
                             (unsigned long long)file->n_rows_max, file->n_bytes);
    }
    *n_rows += (uint64_t)n;
    return SS_OK;
}

/* Columns that were not chosen are only passed over. */
static ss_status take_batch(struct ss_arrow_file *file, struct message *message, ss_err *err)
{
    char where[48];
    struct ss_arrow_growth growth = {0, 0};
    uint64_t n_rows = file->n_rows_done;
    snprintf(where, sizeof where, "record batch %zu", file->n_batches);
    SS_RETURN_IF_ERROR(count_batch(file, message, where, &n_rows, err));
    file->batch.is_v4 = message->is_v4;
    const char *fault =
        ss_arrow_batch_read(&file->schema, 0, file->schema.n_fields, &message->flat,
                            &message->header, message->body, &file->batch);
    if (fault != NULL) {
        SS_RETURN_IF_ERROR(fail(file, where, fault, err));
    }
    for (size_t i = 0; i < file->schema.n_fields; i = file->schema.fields[i].end) {
        if (file->is_chosen[i]) {
            SS_RETURN_IF_ERROR(check_column(file, &file->batch, i, &growth, where, err));
        }
    }
    file->n_batches++;
    return SS_OK;
}

/* The next message of a stream; *is_batch says whether it was a batch. */
static ss_status next_of_stream(struct ss_arrow_file *file, bool *is_batch, bool *at_end,
                                ss_err *err)
{
    static const char where[] = "a message";
    struct message message = {.kind = 0};
    size_t body_at = 0, n_meta = 0;
    SS_RETURN_IF_ERROR(find_metadata(file, file->at, where, &body_at, &n_meta, err));
    *at_end = n_meta == 0;
    if (*at_end) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(read_message(file, body_at, n_meta, where, &message, err));
    file->at = body_at + message.body.n_bytes;
    *is_batch = message.kind == HEADER_BATCH;
    if (*is_batch) {
        SS_RETURN_IF_ERROR(take_batch(file, &message, err));
    } else if (message.kind == HEADER_DICTIONARY) {
        SS_RETURN_IF_ERROR(take_dictionary(file, &message, err));
    } else {
        SS_RETURN_IF_ERROR(refuse_kind(file, message.kind, err));
    }
    return SS_OK;
}

/* ---- blocks of a file ---- */

/* The footer and the message state the same; both must agree, for the footer alone is easily
 * damaged. */
static ss_status read_block(const struct ss_arrow_file *file,
                            const struct ss_arrow_flat_vector *blocks, size_t index, int kind,
                            struct message *out, ss_err *err)
{
    static const char where[] = "a block of the footer";
    const size_t at = blocks->at + BLOCK_BYTES * index;
    const int64_t offset = ss_arrow_flat_i64_at(&file->footer, at);
    const int64_t n_meta = (int32_t)read_u32(file->footer.data + at + 8);
    const int64_t n_body = ss_arrow_flat_i64_at(&file->footer, at + 16);
    size_t body_at = 0, n_found = 0;
    if (offset < 0 || n_meta < 0 || n_body < 0 || offset % 8 != 0 || n_meta % 8 != 0 ||
        n_body % 8 != 0 || (uint64_t)offset > file->n_bytes) {
        return fail(file, where, "it has an impossible place", err);
    }
    ss_status status = find_metadata(file, (size_t)offset, where, &body_at, &n_found, err);
    if (status != SS_OK) {
        return status;
    }
    if (n_found == 0 || (uint64_t)(body_at - (size_t)offset) > (uint64_t)n_meta) {
        return fail(file, where, "it has another length than its message", err);
    }
    status = read_message(file, body_at, n_found, where, out, err);
    if (status != SS_OK) {
        return status;
    }
    if (out->body.n_bytes > (uint64_t)n_body) {
        return fail(file, where, "it has a shorter body than its message", err);
    }
    return out->kind == kind ? SS_OK : fail(file, where, "it is of another kind", err);
}

static ss_status load_dictionaries(struct ss_arrow_file *file, ss_err *err)
{
    for (size_t i = 0; i < file->dictionary_blocks.count; i++) {
        struct message message = {.kind = 0};
        SS_RETURN_IF_ERROR(
            read_block(file, &file->dictionary_blocks, i, HEADER_DICTIONARY, &message, err));
        SS_RETURN_IF_ERROR(take_dictionary(file, &message, err));
    }
    return SS_OK;
}

/* Dictionaries are loaded with the first batch, when it is known which columns are wanted. */
static ss_status next_of_file(struct ss_arrow_file *file, bool *is_batch, bool *at_end,
                              ss_err *err)
{
    struct message message = {.kind = 0};
    if (file->at == 0) {
        SS_RETURN_IF_ERROR(load_dictionaries(file, err));
    }
    *at_end = file->at == file->batch_blocks.count;
    if (!*at_end) {
        SS_RETURN_IF_ERROR(
            read_block(file, &file->batch_blocks, file->at++, HEADER_BATCH, &message, err));
        SS_RETURN_IF_ERROR(take_batch(file, &message, err));
        *is_batch = true;
    }
    return SS_OK;
}

/* Memory of the batch before is given back first, so that one batch is the most there is. */
ss_status ss_arrow_next_batch(struct ss_arrow_file *file, bool *has_batch, ss_err *err)
{
    ss_status status = SS_OK;
    bool at_end = false;
    *has_batch = false;
    file->n_rows_done += file->batch.n_rows;
    while (!*has_batch && !at_end) {
        bool is_batch = false;
        ss_arrow_batch_release(&file->batch);
        SS_TRY(file->is_stream ? next_of_stream(file, &is_batch, &at_end, err)
                               : next_of_file(file, &is_batch, &at_end, err));
        *has_batch = is_batch && file->batch.n_rows > 0;
    }
out:
    if (status != SS_OK) {
        ss_arrow_batch_release(&file->batch);
    }
    return status;
}

/* ---- opening ---- */

static ss_status open_stream(struct ss_arrow_file *file, ss_err *err)
{
    static const char where[] = "its first message";
    struct message message = {.kind = 0};
    size_t body_at = 0, n_meta = 0;
    SS_RETURN_IF_ERROR(find_metadata(file, 0, where, &body_at, &n_meta, err));
    if (n_meta == 0) {
        SS_RETURN_IF_ERROR(fail(file, where, "there is none", err));
    }
    SS_RETURN_IF_ERROR(read_message(file, body_at, n_meta, where, &message, err));
    if (message.kind != HEADER_SCHEMA) {
        SS_RETURN_IF_ERROR(refuse_kind(file, message.kind, err));
    }
    SS_RETURN_IF_ERROR(
        ss_arrow_schema_read(file->name, &message.flat, &message.header, &file->schema, err));
    file->at = body_at + message.body.n_bytes;
    return SS_OK;
}

/* Count the rows of a file, and so look at every block. */
static ss_status count_rows(struct ss_arrow_file *file, ss_err *err)
{
    for (size_t i = 0; i < file->batch_blocks.count; i++) {
        struct message message = {.kind = 0};
        SS_RETURN_IF_ERROR(
            read_block(file, &file->batch_blocks, i, HEADER_BATCH, &message, err));
        SS_RETURN_IF_ERROR(count_batch(file, &message, "a record batch", &file->n_rows, err));
    }
    return SS_OK;
}

/* The schema at the start of the file says the same and is passed over. */
static ss_status open_footer(struct ss_arrow_file *file, ss_err *err)
{
    static const char where[] = "its footer";
    const bool is_short = file->n_bytes < HEAD_BYTES + TAIL_BYTES;
    const size_t tail_at = is_short ? 0 : file->n_bytes - TAIL_BYTES;
    const uint8_t *tail = file->data + tail_at;
    SS_RETURN_IF_ERROR(need(file, tail_at, is_short ? 0 : TAIL_BYTES, err));
    if (is_short || memcmp(tail + 4, magic, MAGIC_BYTES) != 0) {
        SS_RETURN_IF_ERROR(
            fail(file, where, "there is no \"ARROW1\" at the end: it was cut off", err));
    }
    const uint32_t n = read_u32(tail);
    if (n == 0 || n > file->n_bytes - HEAD_BYTES - TAIL_BYTES) {
        SS_RETURN_IF_ERROR(fail(file, where, "it claims more bytes than there are", err));
    }
    SS_RETURN_IF_ERROR(need(file, tail_at - n, n, err));
    file->footer = (struct ss_arrow_flat){tail - n, n, NULL};
    const struct ss_arrow_flat_table root = ss_arrow_flat_root(&file->footer);
    const struct ss_arrow_flat_table schema = ss_arrow_flat_child(&file->footer, &root, 1);
    const int64_t version = ss_arrow_flat_int(&file->footer, &root, 0, 2, 0);
    file->dictionary_blocks = ss_arrow_flat_list(&file->footer, &root, 2, BLOCK_BYTES);
    file->batch_blocks = ss_arrow_flat_list(&file->footer, &root, 3, BLOCK_BYTES);
    ss_arrow_flat_check_notes(&file->footer, &root, 4);
    if (file->footer.fault != NULL) {
        SS_RETURN_IF_ERROR(fail(file, where, file->footer.fault, err));
    }
    SS_RETURN_IF_ERROR(check_version(file, version, err));
    SS_RETURN_IF_ERROR(
        ss_arrow_schema_read(file->name, &file->footer, &schema, &file->schema, err));
    return count_rows(file, err);
}

/* Null columns cost nothing to store: more rows than this in a file of its size are no data. */
static uint64_t rows_bound(size_t n_bytes)
{
    uint64_t bound = 0;
    return ss__mul_u64(n_bytes, 1 << 16, &bound) && ss__add_u64(bound, 1 << 24, &bound)
               ? bound
               : UINT64_MAX;
}

ss_status ss_arrow_open(const char *name, const struct ss_source_view *view,
                        struct ss_arrow_file *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_bytes = view->n_bytes;
    *out = (struct ss_arrow_file){
        .name = name, .view = view, .data = view->data, .n_bytes = n_bytes};
    SS_TRY(need(out, 0, ss__min_size(n_bytes, MAGIC_BYTES), err));
    out->is_stream = n_bytes < MAGIC_BYTES || memcmp(view->data, magic, MAGIC_BYTES) != 0;
    out->n_rows_max = rows_bound(n_bytes);
    SS_TRY(out->is_stream ? open_stream(out, err) : open_footer(out, err));
    SS_TRY(ss_arrow_list_columns(name, &out->schema, &out->columns, err));
    SS_ALLOC(out->is_chosen, out->schema.n_fields);
    SS_ALLOC(out->is_whole, out->schema.n_fields);
out:
    if (status != SS_OK) {
        ss_arrow_close(out);
    }
    return status;
}

void ss_arrow_close(struct ss_arrow_file *file)
{
    ss_arrow_batch_release(&file->batch);
    ss_arrow_columns_release(&file->columns);
    ss_arrow_schema_release(&file->schema);
    ss__free(file->is_chosen);
    ss__free(file->is_whole);
    *file = (struct ss_arrow_file){.name = NULL};
}

/* Batches are read by whole columns of the file, so a leaf chooses the one that it is in. */
void ss_arrow_choose(struct ss_arrow_file *file, size_t field, bool is_whole)
{
    const struct ss_arrow_field *fields = file->schema.fields;
    while (fields[field].parent != SIZE_MAX) {
        field = fields[field].parent;
    }
    file->is_chosen[field] = true;
    file->is_whole[field] |= is_whole;
    for (size_t i = field; i < fields[field].end; i++) {
        if (fields[i].dictionary != SIZE_MAX) {
            file->schema.dictionaries[fields[i].dictionary].is_needed = true;
        }
    }
}
