/* The schema of a Parquet file: a tree in depth-first order, each node a thrift struct.
 *
 * SchemaElement   1 type, 2 type_length, 3 repetition, 4 name, 5 num_children,
 *                 6 converted_type, 10 logicalType
 *
 * The logical type wins over the older converted type. A group without a type of its own is a
 * struct; annotated LIST or MAP and with one repeated child it is that. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "parquet/parquet_priv.h"

/* A SchemaElement as it is read; `seen` tells which of its fields were there. */
struct element {
    uint32_t seen;
    int32_t type, type_length, repetition, n_children, converted, scale;
    int32_t logical[2]; /* its id, and that of the unit of a time */
    struct ss_text name;
};

enum { ELEMENT_TYPE, ELEMENT_NAME, ELEMENT_CONVERTED, ELEMENT_LOGICAL };

static const struct ss_parquet_slot element_slots[] = {
    [ELEMENT_TYPE] = SS_PARQUET_SLOT(struct element, type, 1, SS_PARQUET_SLOT_I32, false),
    [ELEMENT_NAME] = SS_PARQUET_SLOT(struct element, name, 4, SS_PARQUET_SLOT_TEXT, true),
    [ELEMENT_CONVERTED] =
        SS_PARQUET_SLOT(struct element, converted, 6, SS_PARQUET_SLOT_I32, false),
    [ELEMENT_LOGICAL] =
        SS_PARQUET_SLOT(struct element, logical, 10, SS_PARQUET_SLOT_LOGICAL, false),
    SS_PARQUET_SLOT(struct element, type_length, 2, SS_PARQUET_SLOT_I32, false),
    SS_PARQUET_SLOT(struct element, repetition, 3, SS_PARQUET_SLOT_I32, false),
    SS_PARQUET_SLOT(struct element, n_children, 5, SS_PARQUET_SLOT_I32, false),
    SS_PARQUET_SLOT(struct element, scale, 7, SS_PARQUET_SLOT_I32, false),
};
static const struct ss_parquet_shape element_shape = SS_PARQUET_SHAPE(element_slots);

/* ---- kinds ---- */

/* ConvertedType of parquet.thrift, which older writers know. */
enum {
    CONVERTED_UTF8 = 0,
    CONVERTED_MAP = 1,
    CONVERTED_MAP_KEY_VALUE = 2,
    CONVERTED_LIST = 3,
    CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL = 5,
    CONVERTED_DATE = 6,
    CONVERTED_TIME = 7,      /* and the same in microseconds: 8 */
    CONVERTED_TIMESTAMP = 9, /* … 10 */
    CONVERTED_UINT_8 = 11,
    CONVERTED_UINT_64 = 14,
    CONVERTED_JSON = 19,
    CONVERTED_BSON = 20,
    CONVERTED_INTERVAL = 21
};

/* The ids of the union LogicalType. */
enum {
    LOGICAL_STRING = 1,
    LOGICAL_MAP = 2,
    LOGICAL_LIST = 3,
    LOGICAL_ENUM = 4,
    LOGICAL_DECIMAL = 5,
    LOGICAL_FIRST_NUMBER = 6,
    LOGICAL_DATE = 6,
    LOGICAL_TIME = 7,
    LOGICAL_TIMESTAMP = 8,
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
    if (ss_parquet_slot_seen(element->seen, ELEMENT_LOGICAL) && element->logical[0] != 0) {
        return element->logical[0];
    }
    if (!ss_parquet_slot_seen(element->seen, ELEMENT_CONVERTED) || element->converted < 0) {
        return 0;
    }
    if (element->converted > CONVERTED_BSON) {
        return LOGICAL_FIRST_NUMBER; /* INTERVAL */
    }
    return element->converted > CONVERTED_DECIMAL && element->converted < CONVERTED_JSON
               ? LOGICAL_FIRST_NUMBER
               : from_converted[element->converted];
}

/* Bytes of a numeric meaning (decimals) are numbers; others may be text, as old writers stored
 * it. */
static ss_parquet_node_kind leaf_kind(uint8_t physical, int32_t logical)
{
    const bool is_number = logical >= LOGICAL_DECIMAL && logical <= LOGICAL_UNKNOWN;
    if (physical == SS_PARQUET_BYTE_ARRAY) {
        if (logical == LOGICAL_STRING || logical == LOGICAL_JSON) {
            return SS_PARQUET_NODE_TEXT;
        }
        return is_number ? SS_PARQUET_NODE_OTHER : SS_PARQUET_NODE_BYTES;
    }
    if (physical == SS_PARQUET_FIXED_BYTE_ARRAY && !is_number && logical != LOGICAL_UUID &&
        logical != LOGICAL_FLOAT16) {
        return SS_PARQUET_NODE_BYTES;
    }
    return SS_PARQUET_NODE_OTHER;
}

/* What the numbers of a leaf mean; bytes of no known meaning have none. */
static void find_scalar(struct ss_parquet_node *node, const struct element *element,
                        int32_t logical)
{
    static const int64_t units[] = {0, 1000, 1000000, 1000000000};
    static const ss_format_scalar_kind kinds[SS_PARQUET_N_PHYSICAL] = {
        [SS_PARQUET_BOOLEAN] = SS_FORMAT_SCALAR_BOOL,
        [SS_PARQUET_INT96] = SS_FORMAT_SCALAR_INT96,
        [SS_PARQUET_FLOAT] = SS_FORMAT_SCALAR_FLOAT,
        [SS_PARQUET_DOUBLE] = SS_FORMAT_SCALAR_FLOAT};
    const bool is_old = !ss_parquet_slot_seen(element->seen, ELEMENT_LOGICAL);
    const int32_t converted = is_old ? element->converted : -1;
    struct ss_format_scalar_type *type = &node->scalar;
    node->has_scalar = node->physical < SS_PARQUET_BYTE_ARRAY;
    *type =
        (struct ss_format_scalar_type){.kind = kinds[node->physical], .scale = element->scale};
    if (logical == LOGICAL_DECIMAL && type->kind == SS_FORMAT_SCALAR_SIGNED) { /* or bytes */
        node->has_scalar = true;
        type->kind = SS_FORMAT_SCALAR_DECIMAL;
    } else if (logical == LOGICAL_FLOAT16 && node->type_bytes == 2) {
        node->has_scalar = true;
        type->kind = SS_FORMAT_SCALAR_FLOAT;
    } else if (logical == LOGICAL_UUID && node->type_bytes == 16) {
        node->has_scalar = true;
        type->kind = SS_FORMAT_SCALAR_UUID;
    } else if (converted == CONVERTED_INTERVAL && node->type_bytes == 12) {
        node->has_scalar = true;
        type->kind = SS_FORMAT_SCALAR_INTERVAL;
    } else if (node->physical == SS_PARQUET_INT32 || node->physical == SS_PARQUET_INT64) {
        const bool is_time = logical == LOGICAL_TIME || converted == CONVERTED_TIME ||
                             converted == CONVERTED_TIME + 1;
        const bool is_stamp = logical == LOGICAL_TIMESTAMP ||
                              converted == CONVERTED_TIMESTAMP ||
                              converted == CONVERTED_TIMESTAMP + 1;
        const int32_t unit = is_old ? 1 + (converted + 1) % 2 : element->logical[1];
        if ((is_time || is_stamp) && unit >= 1 && unit <= 3) {
            type->kind = is_time ? SS_FORMAT_SCALAR_TIME : SS_FORMAT_SCALAR_TIMESTAMP;
            type->per_second = units[unit];
        } else if (node->physical == SS_PARQUET_INT32 &&
                   (logical == LOGICAL_DATE || converted == CONVERTED_DATE)) {
            type->kind = SS_FORMAT_SCALAR_DATE;
        } else if (element->converted >= CONVERTED_UINT_8 &&
                   element->converted <= CONVERTED_UINT_64 &&
                   ss_parquet_slot_seen(element->seen, ELEMENT_CONVERTED)) {
            type->kind = SS_FORMAT_SCALAR_UNSIGNED;
        }
    }
}

/* Lists and maps need their children, so this runs when the tree is there. A group that does
 * not have the form that its annotation wants stays a struct, as the format's rules for
 * compatibility ask. */
static void find_group_kinds(struct ss_parquet *file, const int32_t *logicals)
{
    for (size_t i = 1; i < file->n_nodes; i++) {
        struct ss_parquet_node *node = &file->nodes[i];
        const struct ss_parquet_node *child = node + 1;
        const bool is_repeated = node->repetition == SS_PARQUET_REPEATED &&
                                 file->nodes[node->parent].kind != SS_PARQUET_NODE_LIST;
        if (node->n_children != 1 || child->repetition != SS_PARQUET_REPEATED || is_repeated) {
            continue;
        }
        if (logicals[i] == LOGICAL_LIST) {
            node->kind = SS_PARQUET_NODE_LIST;
        } else if (logicals[i] == LOGICAL_MAP && child->n_children == 2) {
            node->kind = SS_PARQUET_NODE_MAP;
        } else if (logicals[i] == LOGICAL_MAP && child->n_children == 1) {
            node->kind = SS_PARQUET_NODE_LIST;
        }
    }
}

/* ---- schema ---- */

/* One node as it stands in the file, without its place in the tree. */
static const char *node_init(struct ss_parquet *file, size_t index,
                             const struct element *element)
{
    struct ss_parquet_node *node = &file->nodes[index];
    node->name = element->name;
    if (ss__utf8_valid_prefix(element->name.data, element->name.n_bytes) !=
        element->name.n_bytes) {
        return "a column name is not UTF-8";
    }
    const bool is_leaf =
        ss_parquet_slot_seen(element->seen, ELEMENT_TYPE) && element->n_children == 0;
    if (element->n_children < 0 || element->repetition < SS_PARQUET_REQUIRED ||
        element->repetition > SS_PARQUET_REPEATED) {
        return "the schema has a column with an impossible repetition or number of children";
    }
    node->n_children = element->n_children;
    node->repetition = (uint8_t)element->repetition;
    if (!is_leaf) {
        node->kind = SS_PARQUET_NODE_STRUCT;
        return NULL;
    }
    if (element->type < 0 || element->type >= SS_PARQUET_N_PHYSICAL) {
        return "the schema has a column of an unknown type";
    }
    node->physical = (uint8_t)element->type;
    node->type_bytes = node->physical == SS_PARQUET_FIXED_BYTE_ARRAY ? element->type_length : 0;
    if (node->type_bytes < 0 ||
        (node->physical == SS_PARQUET_FIXED_BYTE_ARRAY && node->type_bytes == 0)) {
        return "the schema has a column of fixed length without a length";
    }
    const int32_t logical = logical_of(element);
    node->kind = leaf_kind(node->physical, logical);
    node->is_decimal = logical == LOGICAL_DECIMAL;
    node->is_null = logical == LOGICAL_UNKNOWN;
    node->is_float16 = logical == LOGICAL_FLOAT16;
    if (node->kind == SS_PARQUET_NODE_OTHER) {
        find_scalar(node, element, logical);
    }
    return NULL;
}

/* Hang node `index` below the innermost group that lacks children. `open` holds the groups that
 * do, `missing` how many each. */
struct tree {
    size_t open[SS_PARQUET_MAX_DEPTH];
    int32_t missing[SS_PARQUET_MAX_DEPTH];
    size_t depth;
};

/* Levels are those of the parent, one more where a node may be missing or repeat. */
static const char *tree_add(struct ss_parquet *file, struct tree *tree, size_t index)
{
    struct ss_parquet_node *node = &file->nodes[index];
    node->end = index + 1;
    if (index > 0) {
        if (tree->depth == 0) {
            return "the schema has more columns than its root says";
        }
        node->parent = tree->open[tree->depth - 1];
        const struct ss_parquet_node *parent = &file->nodes[node->parent];
        node->max_def = (uint8_t)(parent->max_def + (node->repetition != SS_PARQUET_REQUIRED));
        node->max_rep = (uint8_t)(parent->max_rep + (node->repetition == SS_PARQUET_REPEATED));
        tree->missing[tree->depth - 1]--;
    } else {
        node->repetition = SS_PARQUET_REQUIRED;
    }
    if (node->n_children > 0) {
        if (tree->depth == SS_PARQUET_MAX_DEPTH) {
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

/* The root is a group whose repetition means nothing. */
static const char *read_nodes(struct ss_parquet *file,
                              const struct ss_parquet_thrift_list *schema, const uint8_t *end,
                              int32_t *logicals)
{
    struct ss_parquet_thrift in = ss_parquet_thrift_list_reader(schema, end);
    struct tree tree = {.depth = 0};
    const char *fault = NULL;
    for (size_t i = 0; i < file->n_nodes && fault == NULL; i++) {
        struct element element = {.seen = 0};
        ss_parquet_thrift_read(&in, &element_shape, &element);
        fault = in.fault != NULL ? in.fault : node_init(file, i, &element);
        logicals[i] = logical_of(&element);
        if (fault == NULL) {
            fault = tree_add(file, &tree, i);
        }
        if (fault == NULL && i == 0 && ss_parquet_slot_seen(element.seen, ELEMENT_TYPE) &&
            element.n_children == 0) {
            fault = "the root of the schema is a column";
        }
    }
    return fault == NULL && tree.depth > 0 ? "the schema has fewer columns than it says"
                                           : fault;
}

/* Leaves below a node are neighbours in depth-first order, so a first one and a number say
 * which. */
static ss_status count_leaves(struct ss_parquet *file, ss_err *err)
{
    SS_ALLOC_OR_RETURN(file->text_nodes, file->n_nodes);
    for (size_t i = 0; i < file->n_nodes; i++) {
        file->nodes[i].first_text = file->n_texts;
        file->n_leaves += ss_parquet_node_is_leaf(&file->nodes[i]);
        if (ss_parquet_is_read(file, &file->nodes[i])) {
            file->text_nodes[file->n_texts++] = i;
        }
    }
    for (size_t i = 0; i < file->n_nodes; i++) {
        struct ss_parquet_node *node = &file->nodes[i];
        const size_t end =
            node->end < file->n_nodes ? file->nodes[node->end].first_text : file->n_texts;
        node->n_texts = end - node->first_text;
    }
    return SS_OK;
}

ss_status ss_parquet_fail_meta(const struct ss_parquet *file, const char *fault, ss_err *err)
{
    return ss__fail_file(err, file->name, SS_E_DATA, "damaged Parquet footer: %s", fault);
}

ss_status ss_parquet_read_schema(struct ss_parquet *file,
                                 const struct ss_parquet_thrift_list *schema,
                                 const uint8_t *end, ss_err *err)
{
    ss_status status = SS_OK;
    int32_t *logicals = NULL;
    if (schema->count == 0) {
        status = ss_parquet_fail_meta(file, "the schema is empty", err);
        goto out;
    }
    if (schema->count > SS_PARQUET_MAX_NODES) {
        SS_FAIL_FILE(file->name, SS_E_LIMIT, "the schema has %u columns, more than %d",
                     schema->count, SS_PARQUET_MAX_NODES);
    }
    file->n_nodes = schema->count;
    SS_ALLOC(file->nodes, file->n_nodes);
    SS_ALLOC(logicals, file->n_nodes);
    const char *fault = read_nodes(file, schema, end, logicals);
    if (fault != NULL) {
        status = ss_parquet_fail_meta(file, fault, err);
        goto out;
    }
    find_group_kinds(file, logicals);
    SS_TRY(count_leaves(file, err));
out:
    ss__free(logicals);
    return status;
}
