/* The footer of a Parquet file.
 *
 *   "PAR1" … pages … footer (thrift FileMetaData), u32 length, "PAR1"
 *
 * FileMetaData    2 schema, 3 num_rows, 4 row_groups
 * SchemaElement   1 type, 2 type_length, 3 repetition, 4 name, 5 num_children,
 *                 6 converted_type, 10 logicalType
 * RowGroup        1 columns, 2 total_byte_size, 3 num_rows
 * ColumnChunk     1 file_path, 2 file_offset, 3 meta_data, 8 crypto, 9 encrypted metadata
 * ColumnMetaData  1 type, 2 encodings, 3 path, 4 codec, 5 num_values, 6 uncompressed,
 *                 7 compressed, 9 data_page_offset, 11 dictionary_page_offset
 *
 * The schema is a tree in depth-first order. Row groups are not kept: they are read from the
 * footer as they are reached, so memory does not grow with them. The number of rows is the sum
 * over the row groups, since some writers leave the file's own number at 0. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "dataset/parquet_priv.h"

#define SLOT(type, member, id_, kind_, required_)                                              \
    {                                                                                          \
        .id = (id_), .kind = (kind_), .required = (required_),                                 \
        .offset = offsetof(type, member)                                                       \
    }
#define SHAPE(slots_)                                                                          \
    {                                                                                          \
        (slots_), sizeof(slots_) / sizeof *(slots_)                                            \
    }

struct file_meta {
    uint32_t seen;
    int32_t version;
    struct ss__thrift_list schema, groups;
    int64_t n_rows;
};

static const struct ss__slot file_slots[] = {
    SLOT(struct file_meta, version, 1, SS__SLOT_I32, true),
    SLOT(struct file_meta, schema, 2, SS__SLOT_LIST, true),
    SLOT(struct file_meta, n_rows, 3, SS__SLOT_I64, true),
    SLOT(struct file_meta, groups, 4, SS__SLOT_LIST, true),
};
static const struct ss__shape file_shape = SHAPE(file_slots);

struct element {
    uint32_t seen;
    int32_t type, type_length, repetition, n_children, converted, logical;
    struct ss_text name;
};

enum { ELEMENT_TYPE, ELEMENT_NAME, ELEMENT_CONVERTED, ELEMENT_LOGICAL };

static const struct ss__slot element_slots[] = {
    [ELEMENT_TYPE] = SLOT(struct element, type, 1, SS__SLOT_I32, false),
    [ELEMENT_NAME] = SLOT(struct element, name, 4, SS__SLOT_TEXT, true),
    [ELEMENT_CONVERTED] = SLOT(struct element, converted, 6, SS__SLOT_I32, false),
    [ELEMENT_LOGICAL] = SLOT(struct element, logical, 10, SS__SLOT_UNION, false),
    SLOT(struct element, type_length, 2, SS__SLOT_I32, false),
    SLOT(struct element, repetition, 3, SS__SLOT_I32, false),
    SLOT(struct element, n_children, 5, SS__SLOT_I32, false),
};
static const struct ss__shape element_shape = SHAPE(element_slots);

struct group_meta {
    uint32_t seen;
    struct ss__thrift_list columns;
    int64_t n_bytes, n_rows;
};

static const struct ss__slot group_slots[] = {
    SLOT(struct group_meta, columns, 1, SS__SLOT_LIST, true),
    SLOT(struct group_meta, n_bytes, 2, SS__SLOT_I64, true),
    SLOT(struct group_meta, n_rows, 3, SS__SLOT_I64, true),
};
static const struct ss__shape group_shape = SHAPE(group_slots);

static const struct ss__slot column_slots[] = {
    SLOT(struct ss__parquet_meta, type, 1, SS__SLOT_I32, true),
    SLOT(struct ss__parquet_meta, encodings, 2, SS__SLOT_LIST, true),
    SLOT(struct ss__parquet_meta, path, 3, SS__SLOT_LIST, true),
    SLOT(struct ss__parquet_meta, full_bytes, 6, SS__SLOT_I64, true),
    SLOT(struct ss__parquet_meta, codec, 4, SS__SLOT_I32, true),
    SLOT(struct ss__parquet_meta, n_values, 5, SS__SLOT_I64, true),
    SLOT(struct ss__parquet_meta, compressed_bytes, 7, SS__SLOT_I64, true),
    SLOT(struct ss__parquet_meta, data_offset, 9, SS__SLOT_I64, true),
    SLOT(struct ss__parquet_meta, dictionary_offset, 11, SS__SLOT_I64, false),
};
static const struct ss__shape column_shape = SHAPE(column_slots);

enum { CHUNK_META, CHUNK_PATH, CHUNK_CRYPTO, CHUNK_ENCRYPTED };

static const struct ss__slot chunk_slots[] = {
    [CHUNK_META] = {.id = 3,
                    .kind = SS__SLOT_STRUCT,
                    .offset = offsetof(struct ss__parquet_chunk, meta),
                    .shape = &column_shape},
    [CHUNK_PATH] = SLOT(struct ss__parquet_chunk, file_path, 1, SS__SLOT_TEXT, false),
    [CHUNK_CRYPTO] = SLOT(struct ss__parquet_chunk, crypto, 8, SS__SLOT_UNION, false),
    [CHUNK_ENCRYPTED] = SLOT(struct ss__parquet_chunk, encrypted_meta, 9, SS__SLOT_TEXT, false),
    SLOT(struct ss__parquet_chunk, file_offset, 2, SS__SLOT_I64, true),
};
static const struct ss__shape chunk_shape = SHAPE(chunk_slots);

static bool has(uint32_t seen, unsigned slot)
{
    return (seen >> slot & 1) != 0;
}

/* ---- kinds ---- */

enum {
    CONVERTED_UTF8 = 0,
    CONVERTED_MAP = 1,
    CONVERTED_MAP_KEY_VALUE = 2,
    CONVERTED_LIST = 3,
    CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL = 5,
    CONVERTED_JSON = 19,
    CONVERTED_BSON = 20
};

enum {
    LOGICAL_STRING = 1,
    LOGICAL_MAP = 2,
    LOGICAL_LIST = 3,
    LOGICAL_ENUM = 4,
    LOGICAL_DECIMAL = 5,
    LOGICAL_FIRST_NUMBER = 6,
    LOGICAL_UNKNOWN = 11,
    LOGICAL_JSON = 12,
    LOGICAL_UUID = 14,
    LOGICAL_FLOAT16 = 15
};

/* The logical type of an element, made from the older converted type where there is none.
 * 0: none that matters here. */
static int32_t logical_of(const struct element *element)
{
    static const int8_t from_converted[] = {
        [CONVERTED_UTF8] = LOGICAL_STRING,       [CONVERTED_MAP] = LOGICAL_MAP,
        [CONVERTED_MAP_KEY_VALUE] = LOGICAL_MAP, [CONVERTED_LIST] = LOGICAL_LIST,
        [CONVERTED_ENUM] = LOGICAL_ENUM,         [CONVERTED_DECIMAL] = LOGICAL_DECIMAL,
        [CONVERTED_JSON] = LOGICAL_JSON,         [CONVERTED_BSON] = 0,
    };
    if (has(element->seen, ELEMENT_LOGICAL) && element->logical != 0) {
        return element->logical;
    }
    if (!has(element->seen, ELEMENT_CONVERTED) || element->converted < 0) {
        return 0;
    }
    if (element->converted > CONVERTED_BSON) {
        return LOGICAL_FIRST_NUMBER; /* INTERVAL */
    }
    return element->converted > CONVERTED_DECIMAL && element->converted < CONVERTED_JSON
               ? LOGICAL_FIRST_NUMBER
               : from_converted[element->converted];
}

static ss__node_kind leaf_kind(uint8_t physical, int32_t logical)
{
    const bool is_number = logical >= LOGICAL_DECIMAL && logical <= LOGICAL_UNKNOWN;
    if (physical == SS__BYTE_ARRAY) {
        if (logical == LOGICAL_STRING || logical == LOGICAL_JSON) {
            return SS__NODE_TEXT;
        }
        return is_number ? SS__NODE_OTHER : SS__NODE_BYTES;
    }
    if (physical == SS__FIXED_BYTE_ARRAY && !is_number && logical != LOGICAL_UUID &&
        logical != LOGICAL_FLOAT16) {
        return SS__NODE_BYTES;
    }
    return SS__NODE_OTHER;
}

/* Lists and maps need their children, so this runs when the tree is there. */
static void find_group_kinds(struct ss__parquet *file, const int32_t *logicals)
{
    for (size_t i = 1; i < file->n_nodes; i++) {
        struct ss__parquet_node *node = &file->nodes[i];
        const struct ss__parquet_node *child = node + 1;
        const bool is_repeated =
            node->repetition == SS__REPEATED && file->nodes[node->parent].kind != SS__NODE_LIST;
        if (node->n_children != 1 || child->repetition != SS__REPEATED || is_repeated) {
            continue;
        }
        if (logicals[i] == LOGICAL_LIST) {
            node->kind = SS__NODE_LIST;
        } else if (logicals[i] == LOGICAL_MAP && child->n_children == 2) {
            node->kind = SS__NODE_MAP;
        } else if (logicals[i] == LOGICAL_MAP && child->n_children == 1) {
            node->kind = SS__NODE_LIST;
        }
    }
}

/* ---- schema ---- */

static ss_status fail_meta(const struct ss__parquet *file, const char *fault, ss_err *err)
{
    return ss__fail_file(err, file->name, SS_E_DATA, "damaged Parquet footer: %s", fault);
}

static const char *node_init(struct ss__parquet *file, size_t index,
                             const struct element *element)
{
    struct ss__parquet_node *node = &file->nodes[index];
    node->name = element->name;
    if (ss__utf8_valid_prefix(element->name.data, element->name.n_bytes) !=
        element->name.n_bytes) {
        return "a column name is not UTF-8";
    }
    const bool is_leaf = has(element->seen, ELEMENT_TYPE) && element->n_children == 0;
    if (element->n_children < 0 || element->repetition < SS__REQUIRED ||
        element->repetition > SS__REPEATED) {
        return "the schema has a column with an impossible repetition or number of children";
    }
    node->n_children = element->n_children;
    node->repetition = (uint8_t)element->repetition;
    if (!is_leaf) {
        node->kind = SS__NODE_STRUCT;
        return NULL;
    }
    if (element->type < 0 || element->type >= SS__N_PHYSICAL) {
        return "the schema has a column of an unknown type";
    }
    node->physical = (uint8_t)element->type;
    node->type_bytes = node->physical == SS__FIXED_BYTE_ARRAY ? element->type_length : 0;
    if (node->type_bytes < 0 ||
        (node->physical == SS__FIXED_BYTE_ARRAY && node->type_bytes == 0)) {
        return "the schema has a column of fixed length without a length";
    }
    const int32_t logical = logical_of(element);
    node->kind = leaf_kind(node->physical, logical);
    node->is_decimal = logical == LOGICAL_DECIMAL;
    return NULL;
}

/* Hang node `index` below the innermost group that lacks children. `open` holds the groups that
 * do, `missing` how many each. */
struct tree {
    size_t open[SS__PARQUET_MAX_DEPTH];
    int32_t missing[SS__PARQUET_MAX_DEPTH];
    size_t depth;
};

static const char *tree_add(struct ss__parquet *file, struct tree *tree, size_t index)
{
    struct ss__parquet_node *node = &file->nodes[index];
    node->end = index + 1;
    if (index > 0) {
        if (tree->depth == 0) {
            return "the schema has more columns than its root says";
        }
        node->parent = tree->open[tree->depth - 1];
        const struct ss__parquet_node *parent = &file->nodes[node->parent];
        node->max_def = (uint8_t)(parent->max_def + (node->repetition != SS__REQUIRED));
        node->max_rep = (uint8_t)(parent->max_rep + (node->repetition == SS__REPEATED));
        tree->missing[tree->depth - 1]--;
    } else {
        node->repetition = SS__REQUIRED;
    }
    if (node->n_children > 0) {
        if (tree->depth == SS__PARQUET_MAX_DEPTH) {
            return "the schema is nested too deeply";
        }
        tree->open[tree->depth] = index;
        tree->missing[tree->depth++] = node->n_children;
    }
    while (tree->depth > 0 && tree->missing[tree->depth - 1] == 0) {
        file->nodes[tree->open[--tree->depth]].end = index + 1;
    }
    return NULL;
}

static const char *read_nodes(struct ss__parquet *file, const struct ss__thrift_list *schema,
                              const uint8_t *end, int32_t *logicals)
{
    struct ss__thrift in = ss__thrift_list_reader(schema, end);
    struct tree tree = {.depth = 0};
    const char *fault = NULL;
    for (size_t i = 0; i < file->n_nodes && fault == NULL; i++) {
        struct element element = {.seen = 0};
        ss__thrift_read(&in, &element_shape, &element);
        fault = in.fault != NULL ? in.fault : node_init(file, i, &element);
        logicals[i] = logical_of(&element);
        if (fault == NULL) {
            fault = tree_add(file, &tree, i);
        }
        if (fault == NULL && i == 0 && has(element.seen, ELEMENT_TYPE) &&
            element.n_children == 0) {
            fault = "the root of the schema is a column";
        }
    }
    return fault == NULL && tree.depth > 0 ? "the schema has fewer columns than it says"
                                           : fault;
}

static bool is_leaf(const struct ss__parquet_node *node)
{
    return node->kind >= SS__NODE_TEXT;
}

static bool is_text(const struct ss__parquet_node *node)
{
    return node->kind == SS__NODE_TEXT || node->kind == SS__NODE_BYTES;
}

static ss_status count_leaves(struct ss__parquet *file, ss_err *err)
{
    ss_status status = SS_OK;
    SS_ALLOC(file->text_nodes, file->n_nodes);
    for (size_t i = 0; i < file->n_nodes; i++) {
        file->nodes[i].first_text = file->n_texts;
        file->n_leaves += is_leaf(&file->nodes[i]);
        if (is_text(&file->nodes[i])) {
            file->text_nodes[file->n_texts++] = i;
        }
    }
    for (size_t i = 0; i < file->n_nodes; i++) {
        struct ss__parquet_node *node = &file->nodes[i];
        const size_t end =
            node->end < file->n_nodes ? file->nodes[node->end].first_text : file->n_texts;
        node->n_texts = end - node->first_text;
    }
out:
    return status;
}

static ss_status read_schema(struct ss__parquet *file, const struct ss__thrift_list *schema,
                             const uint8_t *end, ss_err *err)
{
    ss_status status = SS_OK;
    int32_t *logicals = NULL;
    if (schema->count == 0) {
        status = fail_meta(file, "the schema is empty", err);
        goto out;
    }
    if (schema->count > SS__PARQUET_MAX_NODES) {
        SS_FAIL_FILE(file->name, SS_E_LIMIT, "the schema has %u columns, more than %d",
                     schema->count, SS__PARQUET_MAX_NODES);
    }
    file->n_nodes = schema->count;
    SS_ALLOC(file->nodes, file->n_nodes);
    SS_ALLOC(logicals, file->n_nodes);
    const char *fault = read_nodes(file, schema, end, logicals);
    if (fault != NULL) {
        status = fail_meta(file, fault, err);
        goto out;
    }
    find_group_kinds(file, logicals);
    SS_TRY(count_leaves(file, err));
out:
    ss__free(logicals);
    return status;
}

/* ---- columns as people see them ---- */

static void add_name(struct ss__buf *path, const struct ss_text *name)
{
    for (size_t i = 0; i < name->n_bytes; i++) {
        const unsigned char byte = (unsigned char)name->data[i];
        if (byte < 0x20 || byte == 0x7F) {
            ss__buf_printf(path, "\\x%02x", byte);
        } else {
            ss__buf_add_byte(path, name->data[i]);
        }
    }
}

/* The dotted path of a node, in the file's arena; NULL when memory ran out. */
static char *path_of(struct ss__parquet *file, size_t index)
{
    size_t chain[SS__PARQUET_MAX_DEPTH + 1];
    size_t n = 0;
    for (size_t i = index; i != 0; i = file->nodes[i].parent) {
        chain[n++] = i;
    }
    struct ss__buf path = {.data = NULL};
    while (n > 0) {
        add_name(&path, &file->nodes[chain[--n]].name);
        ss__buf_add_text(&path, n > 0 ? "." : "");
    }
    char *copy = path.failed ? NULL : ss__arena_strndup(&file->arena, path.data, path.n_bytes);
    ss__buf_release(&path);
    return copy;
}

static ss_status checked_path(struct ss__parquet *file, size_t index, const char **out,
                              ss_err *err)
{
    *out = path_of(file, index);
    if (*out == NULL) {
        return ss__fail_nomem(err, "names of columns");
    }
    if (file->arena.n_bytes > SS__PARQUET_MAX_PATH_BYTES) {
        return ss__fail_file(err, file->name, SS_E_LIMIT,
                             "the names of its columns take more than %d MiB",
                             SS__PARQUET_MAX_PATH_BYTES >> 20);
    }
    return SS_OK;
}

/* Whether a list has strings as its elements, directly. */
static bool is_list_of_text(const struct ss__parquet *file, size_t index)
{
    const struct ss__parquet_node *node = &file->nodes[index];
    if (node->kind != SS__NODE_LIST) {
        return node->kind == SS__NODE_TEXT && node->repetition == SS__REPEATED;
    }
    const struct ss__parquet_node *child = node + 1;
    const struct ss__parquet_node *element = child->n_children == 1 ? child + 1 : child;
    return element->kind == SS__NODE_TEXT && element->max_rep == child->max_rep;
}

static const char *type_of(const struct ss__parquet *file, size_t index)
{
    static const char *const physical[SS__N_PHYSICAL] = {
        "boolean", "int32", "int64", "int96", "float", "double", "binary", "fixed binary"};
    const struct ss__parquet_node *node = &file->nodes[index];
    if (is_list_of_text(file, index)) {
        return "list of strings";
    }
    if (node->repetition == SS__REPEATED || node->kind == SS__NODE_LIST) {
        return "list";
    }
    if (node->kind == SS__NODE_MAP || node->kind == SS__NODE_TEXT) {
        return node->kind == SS__NODE_MAP ? "map" : "string";
    }
    return node->is_decimal ? "decimal" : physical[node->physical];
}

static bool is_listed(const struct ss__parquet_node *node)
{
    return is_leaf(node) || node->repetition == SS__REPEATED || node->kind != SS__NODE_STRUCT;
}

/* Bytes without a string type count as text columns only where no column has that type: so did
 * older writers store their strings. */
static void find_text_columns(struct ss__parquet *file)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        const ss__node_kind kind = pass == 0 ? SS__NODE_TEXT : SS__NODE_BYTES;
        size_t n = 0;
        for (size_t i = 0; i < file->n_columns; i++) {
            const struct ss__parquet_node *node = &file->nodes[file->column_nodes[i]];
            file->columns[i].is_text = node->kind == kind && node->max_rep == 0;
            n += file->columns[i].is_text;
        }
        if (n > 0) {
            return;
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct ss_text *left = a, *right = b;
    const size_t n = ss__min_size(left->n_bytes, right->n_bytes);
    const int order = n == 0 ? 0 : memcmp(left->data, right->data, n);
    return order != 0 ? order
                      : (left->n_bytes > right->n_bytes) - (left->n_bytes < right->n_bytes);
}

static ss_status find_repeated_names(struct ss__parquet *file, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_text *names = NULL;
    size_t n = 0;
    SS_ALLOC(names, file->n_nodes);
    for (size_t i = 1; i < file->n_nodes; i = file->nodes[i].end) {
        if (file->nodes[i].n_texts > 0) {
            names[n++] = file->nodes[i].name;
        }
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++) {
        file->names_repeat |= compare_names(&names[i - 1], &names[i]) == 0;
    }
out:
    ss__free(names);
    return status;
}

static ss_status list_columns(struct ss__parquet *file, ss_err *err)
{
    ss_status status = SS_OK;
    SS_ALLOC(file->columns, file->n_nodes);
    SS_ALLOC(file->column_nodes, file->n_nodes);
    for (size_t i = 1; i < file->n_nodes;) {
        const struct ss__parquet_node *node = &file->nodes[i];
        if (!is_listed(node)) {
            i++;
            continue;
        }
        struct ss__column *column = &file->columns[file->n_columns];
        SS_TRY(checked_path(file, i, &column->name, err));
        column->type = type_of(file, i);
        file->column_nodes[file->n_columns++] = i;
        i = node->end;
    }
    find_text_columns(file);
    SS_ALLOC(file->text_paths, file->n_texts);
    for (size_t i = 0; i < file->n_texts; i++) {
        SS_TRY(checked_path(file, file->text_nodes[i], &file->text_paths[i], err));
    }
out:
    return status;
}

/* ---- row groups ---- */

void ss__parquet_groups_init(const struct ss__parquet *file, struct ss__parquet_groups *out)
{
    *out = (struct ss__parquet_groups){
        .in = ss__thrift_list_reader(&file->groups, file->data + file->n_bytes),
        .n_groups = file->groups.count,
    };
}

static ss_status read_chunks(const struct ss__parquet *file,
                             const struct ss__thrift_list *columns, size_t group,
                             struct ss__parquet_chunk *chunks, ss_err *err)
{
    struct ss__thrift in = ss__thrift_list_reader(columns, file->data + file->n_bytes);
    for (size_t i = 0, text = 0; i < file->n_nodes && text < file->n_texts; i++) {
        if (!is_leaf(&file->nodes[i])) {
            continue;
        }
        if (!is_text(&file->nodes[i])) {
            ss__thrift_skip(&in, columns->type);
            continue;
        }
        struct ss__parquet_chunk *chunk = &chunks[text];
        *chunk = (struct ss__parquet_chunk){.seen = 0};
        ss__thrift_read(&in, &chunk_shape, chunk);
        const char *path = file->text_paths[text++];
        if (in.fault != NULL) {
            return fail_meta(file, in.fault, err);
        }
        if (has(chunk->seen, CHUNK_CRYPTO) || has(chunk->seen, CHUNK_ENCRYPTED)) {
            return ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                                 "column '%s' is encrypted, which is not read", path);
        }
        if (has(chunk->seen, CHUNK_PATH) && chunk->file_path.n_bytes > 0) {
            return ss__fail_file(err, file->name, SS_E_UNSUPPORTED,
                                 "column '%s' is stored in another file, which is not read",
                                 path);
        }
        if (!has(chunk->seen, CHUNK_META)) {
            return ss__fail_file(err, file->name, SS_E_DATA,
                                 "column '%s' has no metadata in row group %zu", path, group);
        }
    }
    return SS_OK;
}

ss_status ss__parquet_groups_next(const struct ss__parquet *file,
                                  struct ss__parquet_groups *groups, uint64_t *n_rows,
                                  struct ss__parquet_chunk *chunks, ss_err *err)
{
    struct group_meta group = {.seen = 0};
    ss__thrift_read(&groups->in, &group_shape, &group);
    if (groups->in.fault != NULL) {
        return fail_meta(file, groups->in.fault, err);
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

static ss_status count_rows(struct ss__parquet *file, ss_err *err)
{
    struct ss__parquet_groups groups;
    ss__parquet_groups_init(file, &groups);
    while (groups.index < groups.n_groups) {
        uint64_t n = 0;
        const ss_status status = ss__parquet_groups_next(file, &groups, &n, NULL, err);
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

static ss_status find_footer(struct ss__parquet *file, size_t *begin, ss_err *err)
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

ss_status ss__parquet_open(const char *name, const uint8_t *data, size_t n_bytes,
                           struct ss__parquet *out, ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss__parquet){.name = name, .data = data, .n_bytes = n_bytes};
    out->n_entries_max = entries_bound(n_bytes);
    SS_TRY(find_footer(out, &out->pages_end, err));
    struct ss__thrift in = {.at = data + out->pages_end, .end = data + n_bytes - 8};
    struct file_meta meta = {.seen = 0};
    ss__thrift_read(&in, &file_shape, &meta);
    if (in.fault != NULL) {
        status = fail_meta(out, in.fault, err);
        goto out;
    }
    out->groups = meta.groups;
    SS_TRY(read_schema(out, &meta.schema, in.end, err));
    SS_TRY(list_columns(out, err));
    SS_TRY(find_repeated_names(out, err));
    SS_TRY(count_rows(out, err));
out:
    if (status != SS_OK) {
        ss__parquet_release(out);
    }
    return status;
}

void ss__parquet_release(struct ss__parquet *file)
{
    ss__arena_release(&file->arena);
    ss__free(file->nodes);
    ss__free(file->text_nodes);
    ss__free(file->text_paths);
    ss__free(file->columns);
    ss__free(file->column_nodes);
    *file = (struct ss__parquet){.name = NULL};
}
