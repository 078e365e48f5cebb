/* The footer of a Parquet file.
 *
 *   "PAR1" … pages … footer (thrift FileMetaData), u32 length, "PAR1"
 *
 * FileMetaData    1 version, 2 schema, 3 num_rows, 4 row_groups, 6 created_by
 * RowGroup        1 columns, 2 total_byte_size, 3 num_rows
 * ColumnChunk     1 file_path, 2 file_offset, 3 meta_data, 8 crypto, 9 encrypted metadata
 * ColumnMetaData  1 type, 2 encodings, 3 path, 4 codec, 5 num_values, 6 uncompressed,
 *                 7 compressed, 9 data_page_offset, 11 dictionary_page_offset
 *
 * Row groups are not kept: they are read from the footer as they are reached, so memory does
 * not grow with them. The number of rows is the sum over the row groups, since some writers
 * leave the file's own number at 0. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "parquet/parquet_priv.h"

/* More than the header of a dictionary page takes. */
enum { CHUNK_SLACK_BYTES = 100 };

struct file_meta {
    uint32_t seen;
    int32_t version;
    struct ss_parquet_thrift_list schema, groups;
    int64_t n_rows;
    struct ss_text writer;
};

static const struct ss_parquet_slot file_slots[] = {
    SS_PARQUET_SLOT(struct file_meta, version, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct file_meta, schema, 2, SS_PARQUET_SLOT_LIST, true),
    SS_PARQUET_SLOT(struct file_meta, n_rows, 3, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct file_meta, groups, 4, SS_PARQUET_SLOT_LIST, true),
    SS_PARQUET_SLOT(struct file_meta, writer, 6, SS_PARQUET_SLOT_TEXT, false),
};
static const struct ss_parquet_shape file_shape = SS_PARQUET_SHAPE(file_slots);

struct group_meta {
    uint32_t seen;
    struct ss_parquet_thrift_list columns;
    int64_t n_bytes, n_rows;
};

static const struct ss_parquet_slot group_slots[] = {
    SS_PARQUET_SLOT(struct group_meta, columns, 1, SS_PARQUET_SLOT_LIST, true),
    SS_PARQUET_SLOT(struct group_meta, n_bytes, 2, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct group_meta, n_rows, 3, SS_PARQUET_SLOT_I64, true),
};
static const struct ss_parquet_shape group_shape = SS_PARQUET_SHAPE(group_slots);

static const struct ss_parquet_slot column_slots[] = {
    SS_PARQUET_SLOT(struct ss_parquet_meta, type, 1, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, encodings, 2, SS_PARQUET_SLOT_LIST, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, path, 3, SS_PARQUET_SLOT_LIST, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, full_bytes, 6, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, codec, 4, SS_PARQUET_SLOT_I32, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, n_values, 5, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, compressed_bytes, 7, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, data_offset, 9, SS_PARQUET_SLOT_I64, true),
    SS_PARQUET_SLOT(struct ss_parquet_meta, dictionary_offset, 11, SS_PARQUET_SLOT_I64, false),
};
static const struct ss_parquet_shape column_shape = SS_PARQUET_SHAPE(column_slots);

enum { CHUNK_META, CHUNK_PATH, CHUNK_CRYPTO, CHUNK_ENCRYPTED };

static const struct ss_parquet_slot chunk_slots[] = {
    [CHUNK_META] = {.id = 3,
                    .kind = SS_PARQUET_SLOT_STRUCT,
                    .offset = offsetof(struct ss_parquet_chunk, meta),
                    .shape = &column_shape},
    [CHUNK_PATH] =
        SS_PARQUET_SLOT(struct ss_parquet_chunk, file_path, 1, SS_PARQUET_SLOT_TEXT, false),
    [CHUNK_CRYPTO] =
        SS_PARQUET_SLOT(struct ss_parquet_chunk, crypto, 8, SS_PARQUET_SLOT_UNION, false),
    [CHUNK_ENCRYPTED] = SS_PARQUET_SLOT(struct ss_parquet_chunk, encrypted_meta, 9,
                                        SS_PARQUET_SLOT_TEXT, false),
    SS_PARQUET_SLOT(struct ss_parquet_chunk, file_offset, 2, SS_PARQUET_SLOT_I64, true),
};
static const struct ss_parquet_shape chunk_shape = SS_PARQUET_SHAPE(chunk_slots);

/* ---- row groups ---- */

void ss_parquet_groups_init(const struct ss_parquet *file, struct ss_parquet_groups *out)
{
    *out = (struct ss_parquet_groups){
        .in = ss_parquet_thrift_list_reader(&file->groups, file->data + file->n_bytes),
        .n_groups = file->groups.count,
    };
}

/* Chunks stand in the order of the leaves; those of leaves that are not read are passed over
 * unparsed. */
static ss_status read_chunks(const struct ss_parquet *file,
                             const struct ss_parquet_thrift_list *columns, size_t group,
                             struct ss_parquet_chunk *chunks, ss_err *err)
{
    struct ss_parquet_thrift in =
        ss_parquet_thrift_list_reader(columns, file->data + file->n_bytes);
    for (size_t i = 0, text = 0; i < file->n_nodes && text < file->n_texts; i++) {
        if (!ss_parquet_node_is_leaf(&file->nodes[i])) {
            continue;
        }
        if (!ss_parquet_is_read(file, &file->nodes[i])) {
            ss_parquet_thrift_skip(&in, columns->type);
            continue;
        }
        struct ss_parquet_chunk *chunk = &chunks[text];
        *chunk = (struct ss_parquet_chunk){.seen = 0};
        ss_parquet_thrift_read(&in, &chunk_shape, chunk);
        const char *path = file->text_paths[text++];
        if (in.fault != NULL) {
            return ss_parquet_fail_meta(file, in.fault, err);
        }
        if (ss_parquet_slot_seen(chunk->seen, CHUNK_CRYPTO) ||
            ss_parquet_slot_seen(chunk->seen, CHUNK_ENCRYPTED)) {
            return ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                                 "column '%s' is encrypted, which is not read", path);
        }
        if (ss_parquet_slot_seen(chunk->seen, CHUNK_PATH) && chunk->file_path.n_bytes > 0) {
            return ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                                 "column '%s' is stored in another file, which is not read",
                                 path);
        }
        if (!ss_parquet_slot_seen(chunk->seen, CHUNK_META)) {
            return ss__fail_file(err, file->name, SS_E_DATA,
                                 "column '%s' has no metadata in row group %zu", path, group);
        }
    }
    return SS_OK;
}

/* A row group has a chunk for every leaf of the schema. */
ss_status ss_parquet_groups_next(const struct ss_parquet *file,
                                 struct ss_parquet_groups *groups, uint64_t *n_rows,
                                 struct ss_parquet_chunk *chunks, ss_err *err)
{
    struct group_meta group = {.seen = 0};
    ss_parquet_thrift_read(&groups->in, &group_shape, &group);
    if (groups->in.fault != NULL) {
        return ss_parquet_fail_meta(file, groups->in.fault, err);
    }
    if (group.columns.count != file->n_leaves || group.n_rows < 0) {
        return ss__fail_file(err, file->name, SS_E_DATA,
                             "row group %zu has %u columns and %lld rows, expected %zu columns",
                             groups->index, group.columns.count, (long long)group.n_rows,
                             file->n_leaves);
    }
    *n_rows = (uint64_t)group.n_rows;
    const ss_status status =
        chunks == NULL ? SS_OK : read_chunks(file, &group.columns, groups->index, chunks, err);
    groups->index++;
    return status;
}

/* ---- file ---- */

/* Nulls and repeated values cost nothing to store, but time to read: more than this in a file
 * of its size is no real data. */
static size_t entries_bound(size_t n_bytes)
{
    size_t bound = 0;
    return ss__mul(n_bytes, 1 << 16, &bound) && ss__add(bound, 1 << 24, &bound) ? bound
                                                                                : SIZE_MAX;
}

/* One pass over the footer when a file is opened; it also finds damage before any row is
 * given. */
static ss_status count_rows(struct ss_parquet *file, ss_err *err)
{
    struct ss_parquet_groups groups;
    ss_parquet_groups_init(file, &groups);
    while (groups.index < groups.n_groups) {
        uint64_t n = 0;
        const ss_status status = ss_parquet_groups_next(file, &groups, &n, NULL, err);
        if (status != SS_OK) {
            return status;
        }
        if (n > file->n_entries_max || file->n_rows > file->n_entries_max - n) {
            return ss__fail_file(err, file->name, SS_E_LIMIT,
                                 "claims more than %zu rows in %zu bytes, which is not read",
                                 file->n_entries_max, file->n_bytes);
        }
        file->n_rows += n;
    }
    return SS_OK;
}

/* parquet-mr before 1.2.9 left the header of the dictionary page out of the size of a chunk. */
static bool is_old_writer(const struct ss_text *writer)
{
    static const char name[] = "parquet-mr", version[] = "parquet-mr version ";
    char text[64];
    unsigned major = 0, minor = 0, patch = 0;
    const size_t n = ss__min_size(writer->n_bytes, sizeof text - 1);
    memcpy(text, n == 0 ? "" : writer->data, n);
    text[n] = '\0';
    if (strncmp(text, name, sizeof name - 1) != 0) {
        return false;
    }
    if (strncmp(text, version, sizeof version - 1) == 0) {
        (void)sscanf(text + sizeof version - 1, "%4u.%4u.%4u", &major, &minor, &patch);
    }
    return major < 1 || (major == 1 && (minor < 2 || (minor == 2 && patch < 9)));
}

/* The end of a file that was cut off while it was written has no "PAR1", so that is the
 * likeliest fault. */
static ss_status find_footer(struct ss_parquet *file, size_t *begin, ss_err *err)
{
    const uint8_t *data = file->data;
    const size_t n = file->n_bytes;
    if (n < 12 || memcmp(data, "PAR", 3) != 0) {
        return ss__fail_file(err, file->name, SS_E_DATA,
                             "not a Parquet file: too short or without \"PAR1\" at its start");
    }
    if (memcmp(data + n - 4, "PARE", 4) == 0) {
        return ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                             "the Parquet file is encrypted, which is not read");
    }
    if (data[3] != '1' || memcmp(data + n - 4, "PAR1", 4) != 0) {
        return ss__fail_file(err, file->name, SS_E_DATA,
                             "damaged or truncated Parquet file: no \"PAR1\" at its end");
    }
    const uint8_t *length = data + n - 8;
    const uint32_t n_footer = (uint32_t)length[0] | (uint32_t)length[1] << 8 |
                              (uint32_t)length[2] << 16 | (uint32_t)length[3] << 24;
    if (n_footer > n - 12) {
        return ss__fail_file(err, file->name, SS_E_DATA,
                             "damaged Parquet file: its footer claims %u bytes of %zu",
                             n_footer, n);
    }
    *begin = n - 8 - n_footer;
    return SS_OK;
}

ss_status ss_parquet_open(const char *name, const uint8_t *data, size_t n_bytes,
                          bool has_all_leaves, struct ss_parquet *out, ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss_parquet){.name = name, .data = data, .n_bytes = n_bytes};
    out->has_all_leaves = has_all_leaves;
    out->n_entries_max = entries_bound(n_bytes);
    SS_TRY(find_footer(out, &out->pages_end, err));
    struct ss_parquet_thrift in = {.at = data + out->pages_end, .end = data + n_bytes - 8};
    struct file_meta meta = {.seen = 0};
    ss_parquet_thrift_read(&in, &file_shape, &meta);
    if (in.fault != NULL) {
        status = ss_parquet_fail_meta(out, in.fault, err);
        goto out;
    }
    out->groups = meta.groups;
    out->chunk_slack_bytes = is_old_writer(&meta.writer) ? CHUNK_SLACK_BYTES : 0;
    SS_TRY(ss_parquet_read_schema(out, &meta.schema, in.end, err));
    SS_TRY(ss_parquet_list_columns(out, err));
    SS_TRY(count_rows(out, err));
out:
    if (status != SS_OK) {
        ss_parquet_release(out);
    }
    return status;
}

void ss_parquet_release(struct ss_parquet *file)
{
    ss__arena_release(&file->arena);
    ss__free(file->nodes);
    ss__free(file->text_nodes);
    ss__free(file->text_paths);
    ss__free(file->columns);
    ss__free(file->column_nodes);
    *file = (struct ss_parquet){.name = NULL};
}
