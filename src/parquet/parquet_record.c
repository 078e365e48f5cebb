/* Rows out of cursors: the record assembly of the paper on Dremel, over the part of the schema
 * that has text.
 *
 * At each optional or repeated node the cursors of all leaves below say whether it is there
 * (def >= max_def of the node) and whether another element follows (rep == max_rep of the
 * node); they must agree. Depth is bounded by that of the schema.
 *
 * As JSON: a struct is an object, a list an array, a map an array of {"key": …, "value": …};
 * bytes that are no UTF-8 are {"hex": "…"}. Lists in two levels (the repeated node is the
 * element) and in three (its only child is) are told apart as the format's rules for backward
 * compatibility say. */
#include <string.h>

#include "format/format.h"
#include "parquet/parquet_priv.h"

/* What one row may grow to: texts in a dictionary can be repeated at will. */
enum { ROW_SLACK_BYTES = 32 << 20, ROW_FACTOR = 8 };

struct walk {
    const struct ss_parquet *file;
    struct ss_parquet_column *columns;
    struct ss__buf *out; /* NULL: nothing is written */
    ss_err *err;
};

static ss_status take_value(struct walk *walk, size_t index);
static ss_status take_body(struct walk *walk, size_t index);

static void add(struct walk *walk, const char *text)
{
    if (walk->out != NULL) {
        ss__buf_add_text(walk->out, text);
    }
}

static void add_name(struct walk *walk, const struct ss_text *name, const char *behind)
{
    if (walk->out != NULL) {
        ss_format_add_json_text(walk->out, name->data, name->n_bytes);
        ss__buf_add_text(walk->out, behind);
    }
}

static ss_status fail(const struct walk *walk, const struct ss_parquet_column *column,
                      const char *fault)
{
    return ss_parquet_column_fail(column, walk->err, SS_E_DATA, fault);
}

/* Whether the node is there, on which all its leaves must agree. */
static ss_status look(const struct walk *walk, const struct ss_parquet_node *node, bool *there)
{
    struct ss_parquet_column *first = &walk->columns[node->first_text];
    *there = !first->at_end && first->def >= node->max_def;
    for (size_t i = 0; i < node->n_texts; i++) {
        if (first[i].at_end) {
            return fail(walk, &first[i], "it has fewer values than the row group has rows");
        }
        if ((first[i].def >= node->max_def) != *there) {
            return fail(walk, &first[i], "its levels do not fit those of the column before");
        }
    }
    return SS_OK;
}

/* Step over the one entry that every leaf has for something that is not there. */
static ss_status take_nothing(struct walk *walk, const struct ss_parquet_node *node)
{
    for (size_t i = 0; i < node->n_texts; i++) {
        SS_RETURN_IF_ERROR(
            ss_parquet_column_next(&walk->columns[node->first_text + i], walk->err));
    }
    return SS_OK;
}

/* Decimals in byte arrays have their highest byte first. */
static void add_decimal(struct ss__buf *out, const struct ss_parquet_node *node,
                        const struct ss_text *text)
{
    uint8_t bytes[SS_FORMAT_SCALAR_BYTES];
    const size_t n = text->n_bytes;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)text->data[n - 1 - i];
    }
    ss_format_add_scalar(out, &node->scalar, bytes, n);
}

static void add_leaf(struct ss__buf *out, const struct ss_parquet_node *node,
                     const struct ss_text *text)
{
    const bool is_bytes = node->physical >= SS_PARQUET_BYTE_ARRAY;
    if (!node->has_scalar || text->n_bytes > SS_FORMAT_SCALAR_BYTES) {
        ss_format_add_json_bytes(out, text);
    } else if (is_bytes && node->scalar.kind == SS_FORMAT_SCALAR_DECIMAL) {
        add_decimal(out, node, text);
    } else {
        ss_format_add_scalar(out, &node->scalar, (const uint8_t *)text->data, text->n_bytes);
    }
}

/* All optional nodes above were found to be there, so the value must be. */
static ss_status take_leaf(struct walk *walk, const struct ss_parquet_node *node)
{
    struct ss_parquet_column *column = &walk->columns[node->first_text];
    const size_t most = ROW_SLACK_BYTES + ROW_FACTOR * walk->file->n_bytes;
    if (column->at_end || column->def < node->max_def) {
        return fail(walk, column, "a value that must be there is missing");
    }
    if (walk->out != NULL && walk->out->n_bytes + column->text.n_bytes > most) {
        return ss_parquet_column_fail(column, walk->err, SS_E_LIMIT,
                                      "the row is too large to be shown");
    }
    if (walk->out != NULL) {
        add_leaf(walk->out, node, &column->text);
    }
    return ss_parquet_column_next(column, walk->err);
}

static bool ends_with(const struct ss_text *text, const char *end)
{
    const size_t n = strlen(end);
    return text->n_bytes >= n && memcmp(text->data + text->n_bytes - n, end, n) == 0;
}

/* Whether the only child of a list's repeated node is the element, not the node itself. */
static bool is_wrapper(const struct walk *walk, size_t index)
{
    const struct ss_parquet_node *node = &walk->file->nodes[index];
    const bool is_array = node->name.n_bytes == 5 && memcmp(node->name.data, "array", 5) == 0;
    return walk->file->nodes[node->parent].kind == SS_PARQUET_NODE_LIST &&
           node->kind == SS_PARQUET_NODE_STRUCT && node->n_children == 1 &&
           node[1].repetition != SS_PARQUET_REPEATED && !is_array &&
           !ends_with(&node->name, "_tuple");
}

/* An entry of a map; whatever its two nodes are called, they are key and value. */
static ss_status take_entry(struct walk *walk, size_t index)
{
    static const struct ss_text names[2] = {{"key", 3}, {"value", 5}};
    const char *comma = "";
    add(walk, "{");
    for (size_t i = index + 1, n = 0; n < 2; i = walk->file->nodes[i].end, n++) {
        if (walk->file->nodes[i].n_texts > 0) {
            add(walk, comma);
            add_name(walk, &names[n], ": ");
            SS_RETURN_IF_ERROR(take_value(walk, i));
            comma = ", ";
        }
    }
    add(walk, "}");
    return SS_OK;
}

static ss_status take_element(struct walk *walk, size_t index)
{
    if (walk->file->nodes[walk->file->nodes[index].parent].kind == SS_PARQUET_NODE_MAP) {
        return take_entry(walk, index);
    }
    return is_wrapper(walk, index) ? take_value(walk, index + 1) : take_body(walk, index);
}

/* Whether another element of a repeated node follows, on which its leaves must agree. */
static ss_status look_for_more(const struct walk *walk, const struct ss_parquet_node *node,
                               bool *more)
{
    struct ss_parquet_column *first = &walk->columns[node->first_text];
    *more = !first->at_end && first->rep == node->max_rep;
    for (size_t i = 0; i < node->n_texts; i++) {
        const bool is_more = !first[i].at_end && first[i].rep == node->max_rep;
        if (is_more != *more || (!first[i].at_end && first[i].rep > node->max_rep) ||
            (is_more && first[i].def < node->max_def)) {
            return fail(walk, &first[i], "its levels do not fit those of the list it is in");
        }
    }
    return SS_OK;
}

/* An empty list is one entry whose def is below that of its repeated node. */
static ss_status take_array(struct walk *walk, size_t index)
{
    const struct ss_parquet_node *node = &walk->file->nodes[index];
    bool more = false;
    SS_RETURN_IF_ERROR(look(walk, node, &more));
    if (!more) {
        add(walk, "[]");
        return take_nothing(walk, node);
    }
    add(walk, "[");
    while (more) {
        SS_RETURN_IF_ERROR(take_element(walk, index));
        SS_RETURN_IF_ERROR(look_for_more(walk, node, &more));
        add(walk, more ? ", " : "");
    }
    add(walk, "]");
    return SS_OK;
}

/* Members without text have no cursors and are left out. */
static ss_status take_struct(struct walk *walk, size_t index)
{
    const struct ss_parquet_node *nodes = walk->file->nodes;
    const char *comma = "";
    add(walk, "{");
    for (size_t i = index + 1; i < nodes[index].end; i = nodes[i].end) {
        if (nodes[i].n_texts > 0) {
            add(walk, comma);
            add_name(walk, &nodes[i].name, ": ");
            SS_RETURN_IF_ERROR(take_value(walk, i));
            comma = ", ";
        }
    }
    add(walk, "}");
    return SS_OK;
}

/* A node that is there, its own repetition aside. */
static ss_status take_body(struct walk *walk, size_t index)
{
    const struct ss_parquet_node *node = &walk->file->nodes[index];
    switch (node->kind) {
    case SS_PARQUET_NODE_LIST:
    case SS_PARQUET_NODE_MAP:
        return take_array(walk, index + 1);
    case SS_PARQUET_NODE_STRUCT:
        return take_struct(walk, index);
    default:
        return take_leaf(walk, node);
    }
}

/* A node with its own repetition: a repeated one outside of lists is a list of what it is. */
static ss_status take_value(struct walk *walk, size_t index)
{
    const struct ss_parquet_node *node = &walk->file->nodes[index];
    bool there = true;
    if (node->repetition == SS_PARQUET_REPEATED) {
        return take_array(walk, index);
    }
    if (node->repetition == SS_PARQUET_OPTIONAL) {
        const ss_status status = look(walk, node, &there);
        if (status != SS_OK) {
            return status;
        }
    }
    if (there) {
        return take_body(walk, index);
    }
    add(walk, "null");
    return take_nothing(walk, node);
}

/* Between rows every cursor is at the first entry of one, or at the end. */
static ss_status check_row_edges(const struct walk *walk, const struct ss_parquet_node *node)
{
    for (size_t i = 0; i < node->n_texts; i++) {
        const struct ss_parquet_column *column = &walk->columns[node->first_text + i];
        if (!column->at_end && column->rep != 0) {
            return fail(walk, column, "a row begins or ends inside a list");
        }
    }
    return SS_OK;
}

/* Whether a struct that the node is in is null, which its own levels tell. */
static bool is_below_null(const struct walk *walk, size_t index)
{
    const struct ss_parquet_node *node = &walk->file->nodes[index];
    const struct ss_parquet_column *column = &walk->columns[node->first_text];
    return !column->at_end && column->def < walk->file->nodes[node->parent].max_def;
}

static ss_status take_null(struct walk *walk, size_t index)
{
    add(walk, "null");
    return take_nothing(walk, &walk->file->nodes[index]);
}

ss_status ss_parquet_record_take(const struct ss_parquet *file, size_t node,
                                 struct ss_parquet_column *columns, struct ss__buf *out,
                                 ss_err *err)
{
    struct walk walk = {.file = file, .columns = columns, .out = out, .err = err};
    SS_RETURN_IF_ERROR(check_row_edges(&walk, &file->nodes[node]));
    SS_RETURN_IF_ERROR(is_below_null(&walk, node) ? take_null(&walk, node)
                                                  : take_value(&walk, node));
    return check_row_edges(&walk, &file->nodes[node]);
}

ss_status ss_parquet_record_row(const struct ss_parquet *file,
                                struct ss_parquet_column *columns, struct ss__buf *out,
                                ss_err *err)
{
    struct walk walk = {.file = file, .columns = columns, .out = out, .err = err};
    const bool as_pairs = file->names_repeat;
    const char *before = as_pairs ? "[[" : "{";
    for (size_t i = 1; i < file->n_nodes; i = file->nodes[i].end) {
        if (file->nodes[i].n_texts > 0) {
            add(&walk, before);
            add_name(&walk, &file->nodes[i].name, as_pairs ? ", " : ": ");
            SS_RETURN_IF_ERROR(ss_parquet_record_take(file, i, columns, out, err));
            before = as_pairs ? "], [" : ", ";
        }
    }
    add(&walk, as_pairs ? "]]" : "}");
    return out == NULL ? SS_OK : ss__buf_check(out, err);
}
