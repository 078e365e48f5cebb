/* The columns of a Parquet file as people see them: leaves of structs by dotted path, lists and
 * maps whole, control characters of names as \x1f. Which of them are columns of text: by their
 * type, or where no column has that type, those of bytes. */
#include "base/mem.h"
#include "format/format.h"
#include "parquet/parquet_priv.h"

/* The dotted path of a node, in the file's arena; NULL when memory ran out. */
static char *path_of(struct ss_parquet *file, size_t index)
{
    size_t chain[SS_PARQUET_MAX_DEPTH + 1];
    size_t n = 0;
    for (size_t i = index; i != 0; i = file->nodes[i].parent) {
        chain[n++] = i;
    }
    struct ss__buf path = {.data = NULL};
    while (n > 0) {
        ss_format_add_column_name(&path, &file->nodes[chain[--n]].name);
        ss__buf_add_text(&path, n > 0 ? "." : "");
    }
    char *copy = path.failed ? NULL : ss__arena_strndup(&file->arena, path.data, path.n_bytes);
    ss__buf_release(&path);
    return copy;
}

/* Paths repeat the names of their parents, so a small footer could make many megabytes of
 * them. */
static ss_status checked_path(struct ss_parquet *file, size_t index, const char **out,
                              ss_err *err)
{
    *out = path_of(file, index);
    if (*out == NULL) {
        return ss__fail_nomem(err, "names of columns");
    }
    if (file->arena.n_bytes > SS_PARQUET_MAX_PATH_BYTES) {
        return ss__fail_file(err, file->name, SS_E_LIMIT,
                             "the names of its columns take more than %d MiB",
                             SS_PARQUET_MAX_PATH_BYTES >> 20);
    }
    return SS_OK;
}

/* Both forms: a group LIST with its repeated child, and the older field that repeats by
 * itself. */
bool ss_parquet_is_list_of_text(const struct ss_parquet *file, size_t index)
{
    const struct ss_parquet_node *node = &file->nodes[index];
    if (node->kind != SS_PARQUET_NODE_LIST) {
        return node->kind == SS_PARQUET_NODE_TEXT && node->repetition == SS_PARQUET_REPEATED;
    }
    const struct ss_parquet_node *child = node + 1;
    const struct ss_parquet_node *element = child->n_children == 1 ? child + 1 : child;
    return element->kind == SS_PARQUET_NODE_TEXT && element->max_rep == child->max_rep;
}

/* The meaning where there is one, else the physical type, in words that messages use. */
static const char *type_of(const struct ss_parquet *file, size_t index)
{
    static const char *const physical[SS_PARQUET_N_PHYSICAL] = {
        "boolean", "int32", "int64", "int96", "float", "double", "binary", "fixed binary"};
    const struct ss_parquet_node *node = &file->nodes[index];
    if (ss_parquet_is_list_of_text(file, index)) {
        return "list of strings";
    }
    if (node->repetition == SS_PARQUET_REPEATED || node->kind == SS_PARQUET_NODE_LIST) {
        return "list";
    }
    if (node->kind == SS_PARQUET_NODE_MAP || node->kind == SS_PARQUET_NODE_TEXT) {
        return node->kind == SS_PARQUET_NODE_MAP ? "map" : "string";
    }
    if (node->is_decimal || node->is_null || node->is_float16) {
        return node->is_decimal ? "decimal" : node->is_null ? "null" : "float16";
    }
    const bool has_meaning = node->kind == SS_PARQUET_NODE_OTHER && node->has_scalar;
    switch (has_meaning ? node->scalar.kind : SS_FORMAT_SCALAR_SIGNED) {
    case SS_FORMAT_SCALAR_DATE:
        return "date";
    case SS_FORMAT_SCALAR_TIME:
        return "time";
    case SS_FORMAT_SCALAR_TIMESTAMP:
        return "timestamp";
    case SS_FORMAT_SCALAR_INTERVAL:
        return "interval";
    case SS_FORMAT_SCALAR_UUID:
        return "uuid";
    case SS_FORMAT_SCALAR_UNSIGNED:
        return node->physical == SS_PARQUET_INT32 ? "uint32" : "uint64";
    default:
        return physical[node->physical];
    }
}

/* Structs are passed through to their leaves. */
static bool is_listed(const struct ss_parquet_node *node)
{
    return ss_parquet_node_is_leaf(node) || node->repetition == SS_PARQUET_REPEATED ||
           node->kind != SS_PARQUET_NODE_STRUCT;
}

/* Bytes without a string type count as text columns only where no column has that type: so did
 * older writers store their strings. */
static void find_text_columns(struct ss_parquet *file)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        const ss_parquet_node_kind kind =
            pass == 0 ? SS_PARQUET_NODE_TEXT : SS_PARQUET_NODE_BYTES;
        size_t n = 0;
        for (size_t i = 0; i < file->n_columns; i++) {
            const struct ss_parquet_node *node = &file->nodes[file->column_nodes[i]];
            file->columns[i].is_text = node->kind == kind && node->max_rep == 0;
            n += file->columns[i].is_text;
        }
        if (n > 0) {
            return;
        }
    }
}

/* Rows as JSON need another form then: an object cannot have a key twice. */
static ss_status find_repeated_names(struct ss_parquet *file, ss_err *err)
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
    file->names_repeat = ss_format_names_repeat(names, n);
out:
    ss__free(names);
    return status;
}

ss_status ss_parquet_list_columns(struct ss_parquet *file, ss_err *err)
{
    SS_ALLOC_OR_RETURN(file->columns, file->n_nodes);
    SS_ALLOC_OR_RETURN(file->column_nodes, file->n_nodes);
    for (size_t i = 1; i < file->n_nodes;) {
        const struct ss_parquet_node *node = &file->nodes[i];
        if (!is_listed(node)) {
            i++;
            continue;
        }
        struct ss_format_column *column = &file->columns[file->n_columns];
        SS_RETURN_IF_ERROR(checked_path(file, i, &column->name, err));
        column->type = type_of(file, i);
        column->numbers = ss_parquet_numbers_of(file, i);
        file->column_nodes[file->n_columns++] = i;
        i = node->end;
    }
    find_text_columns(file);
    SS_ALLOC_OR_RETURN(file->text_paths, file->n_texts);
    for (size_t i = 0; i < file->n_texts; i++) {
        SS_RETURN_IF_ERROR(checked_path(file, file->text_nodes[i], &file->text_paths[i], err));
    }
    return find_repeated_names(file, err);
}
