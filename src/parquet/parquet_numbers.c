/* Numbers out of cursors: a column of numbers, or of lists of numbers, without the detour over
 * text that records take. */
#include "parquet/parquet_priv.h"

/* Dates, times and decimals are none: what a number of theirs would mean is open. */
static bool is_number(const struct ss_parquet_node *node)
{
    return node->kind == SS_PARQUET_NODE_OTHER && node->has_scalar &&
           ss_format_numbers_is_type(&node->scalar);
}

/* A list has one leaf, and no list in it. */
ss_format_column_numbers ss_parquet_numbers_of(const struct ss_parquet *file, size_t index)
{
    const struct ss_parquet_node *node = &file->nodes[index];
    if (ss_parquet_node_is_leaf(node)) {
        return !is_number(node)                          ? SS_FORMAT_NUMBERS_NONE
               : node->repetition == SS_PARQUET_REPEATED ? SS_FORMAT_NUMBERS_LIST
                                                         : SS_FORMAT_NUMBERS_ONE;
    }
    if (node->kind != SS_PARQUET_NODE_LIST) {
        return SS_FORMAT_NUMBERS_NONE;
    }
    const struct ss_parquet_node *child = node + 1;
    const struct ss_parquet_node *element = child->n_children == 1 ? child + 1 : child;
    return ss_parquet_node_is_leaf(element) && is_number(element) &&
                   element->max_rep == child->max_rep && element->end == node->end
               ? SS_FORMAT_NUMBERS_LIST
               : SS_FORMAT_NUMBERS_NONE;
}

static ss_status fail(const struct ss_parquet_column *column, const char *fault, ss_err *err)
{
    return ss_parquet_column_fail(column, err, SS_E_DATA, fault);
}

/* Append what the cursor stands at and step. */
static ss_status take_entry(struct ss_parquet_column *column, struct ss_format_numbers *out,
                            ss_err *err)
{
    const struct ss_parquet_node *leaf = column->node;
    if (!ss_format_numbers_reserve(out, 1)) {
        return ss__fail_nomem(err, "numbers of a row");
    }
    if (column->def == leaf->max_def) {
        ss_format_numbers_add(out, &leaf->scalar, (const uint8_t *)column->text.data,
                              column->text.n_bytes);
    } else {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_NULL);
        out->values[out->n++] = 0;
    }
    return ss_parquet_column_next(column, err);
}

/* def says how much of the path is there: below def_list the list itself is missing, below
 * def_element it is empty. */
ss_status ss_parquet_take_numbers(const struct ss_parquet *file, size_t index,
                                  struct ss_parquet_column *column,
                                  struct ss_format_numbers *out, ss_err *err)
{
    const struct ss_parquet_node *node = &file->nodes[index];
    const bool is_list = column->node->max_rep > 0;
    const bool is_repeated = node->repetition == SS_PARQUET_REPEATED;
    if (column->at_end || column->rep != 0) {
        return fail(column,
                    column->at_end ? "it has fewer values than the row group has rows"
                                   : "a row begins or ends inside a list",
                    err);
    }
    const uint8_t def_list = is_repeated ? file->nodes[node->parent].max_def : node->max_def;
    const uint8_t def_element =
        is_repeated ? node->max_def : node[ss_parquet_node_is_leaf(node) ? 0 : 1].max_def;
    if (is_list && column->def < def_element) {
        if (column->def < def_list) {
            ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_NULL);
        }
        return ss_parquet_column_next(column, err);
    }
    SS_RETURN_IF_ERROR(take_entry(column, out, err));
    while (is_list && !column->at_end && column->rep > 0) {
        SS_RETURN_IF_ERROR(take_entry(column, out, err));
    }
    return SS_OK;
}
