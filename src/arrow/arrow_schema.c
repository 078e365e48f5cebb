/* The schema of Arrow data.
 *
 * Schema      0 endianness (0 little), 1 fields, 2 notes
 * Field       0 name, 1 nullable, 2 kind of type, 3 type, 4 dictionary, 5 children, 6 notes
 * Dictionary  0 id, 1 type of indexes (absent: signed, 32 bits), 2 ordered
 *
 * Extension types are what they are stored as. */
#include <stdlib.h>
#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "base/sort.h"
#include "base/utf8.h"

enum { ANY = -1 };

/* By the number of the type in the format. */
static const struct type {
    const char *name;
    ss_arrow_shape shape;
    ss_arrow_text text;
    int n_children;
    bool is_wide;
} types[] = {
    [1] = {"null", SS_ARROW_NULL, SS_ARROW_OTHER, 0, false},
    [2] = {"int", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [3] = {"float", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [4] = {"binary", SS_ARROW_BYTES, SS_ARROW_BINARY, 0, false},
    [5] = {"string", SS_ARROW_BYTES, SS_ARROW_UTF8, 0, false},
    [6] = {"boolean", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [7] = {"decimal", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [8] = {"date", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [9] = {"time", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [10] = {"timestamp", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [11] = {"interval", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [12] = {"list", SS_ARROW_LIST, SS_ARROW_OTHER, 1, false},
    [13] = {"struct", SS_ARROW_STRUCT, SS_ARROW_OTHER, ANY, false},
    [14] = {"union", SS_ARROW_UNION, SS_ARROW_OTHER, ANY, false},
    [15] = {"fixed binary", SS_ARROW_FIXED, SS_ARROW_BINARY, 0, false},
    [16] = {"list", SS_ARROW_FIXED_LIST, SS_ARROW_OTHER, 1, false},
    [17] = {"map", SS_ARROW_LIST, SS_ARROW_OTHER, 1, false},
    [18] = {"duration", SS_ARROW_FIXED, SS_ARROW_OTHER, 0, false},
    [19] = {"binary", SS_ARROW_BYTES, SS_ARROW_BINARY, 0, true},
    [20] = {"string", SS_ARROW_BYTES, SS_ARROW_UTF8, 0, true},
    [21] = {"list", SS_ARROW_LIST, SS_ARROW_OTHER, 1, true},
    [22] = {"run-end encoded", SS_ARROW_RUNS, SS_ARROW_OTHER, 2, false},
    [23] = {"binary", SS_ARROW_VIEW, SS_ARROW_BINARY, 0, false},
    [24] = {"string", SS_ARROW_VIEW, SS_ARROW_UTF8, 0, false},
    [25] = {"list", SS_ARROW_LIST_VIEW, SS_ARROW_OTHER, 1, false},
    [26] = {"list", SS_ARROW_LIST_VIEW, SS_ARROW_OTHER, 1, true},
};
enum { N_TYPES = sizeof types / sizeof types[0] };
enum { TYPE_FIXED_BINARY = 15, TYPE_FIXED_LIST = 16, TYPE_UNION = 14 };

/* As messages name it; wide and narrow forms of a type have one name. */
const char *ss_arrow_type_name(const struct ss_arrow_field *field)
{
    static const char *const ints[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                           {"int8", "int16", "int32", "int64"}};
    static const char *const floats[] = {"float16", "float", "double"};
    const unsigned size = field->n_bits < 8 ? 0 : (unsigned)__builtin_ctz(field->n_bits / 8);
    if (field->type == SS_ARROW_TYPE_INT) {
        return ints[field->is_signed][size & 3];
    }
    if (field->shape == SS_ARROW_FIXED && field->scalar.kind == SS_FORMAT_SCALAR_UUID) {
        return "uuid";
    }
    return field->type == SS_ARROW_TYPE_FLOAT ? floats[(size + 2) % 3]
                                              : types[field->type].name;
}

/* ---- types ---- */

static bool is_int_width(int64_t bits)
{
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

/* Bits of a value of fixed width, 0 if the type says something impossible. */
static uint32_t width_of(struct ss_arrow_flat *flat, const struct ss_arrow_flat_table *type,
                         uint8_t kind)
{
    enum { INT = 2, FLOAT, BOOL = 6, DECIMAL, DATE, TIME, TIMESTAMP, INTERVAL, DURATION = 18 };
    static const uint32_t by_unit[3][3] = {{16, 32, 64}, {32, 64, 0}, {32, 64, 128}};
    int64_t bits = 0;
    switch (kind) {
    case INT:
        bits = ss_arrow_flat_int(flat, type, 0, 4, 0);
        return is_int_width(bits) ? (uint32_t)bits : 0;
    case DECIMAL:
        bits = ss_arrow_flat_int(flat, type, 2, 4, 128);
        return bits == 32 || bits == 64 || bits == 128 || bits == 256 ? (uint32_t)bits : 0;
    case TIME:
        bits = ss_arrow_flat_int(flat, type, 1, 4, 32);
        return bits == 32 || bits == 64 ? (uint32_t)bits : 0;
    case FLOAT:
    case DATE:
    case INTERVAL: {
        const int64_t unit = ss_arrow_flat_int(flat, type, 0, 2, kind == DATE);
        const unsigned row = kind == FLOAT ? 0 : kind == DATE ? 1 : 2;
        return unit < 0 || unit > 2 ? 0 : by_unit[row][unit];
    }
    case TYPE_FIXED_BINARY:
        bits = ss_arrow_flat_int(flat, type, 0, 4, 0);
        return bits < 0 || bits > INT32_MAX / 8 ? 0 : (uint32_t)bits * 8;
    default:
        return kind == BOOL ? 1 : 64;
    }
}

/* What numbers of fixed width mean. */
static struct ss_format_scalar_type scalar_of(struct ss_arrow_flat *flat,
                                              const struct ss_arrow_flat_table *type,
                                              const struct ss_arrow_field *field)
{
    enum { DATE = 8, TIME = 9, TIMESTAMP = 10, INTERVAL = 11 };
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};
    static const uint8_t kinds[N_TYPES] = {
        [SS_ARROW_TYPE_FLOAT] = SS_FORMAT_SCALAR_FLOAT,
        [SS_ARROW_TYPE_BOOL] = SS_FORMAT_SCALAR_BOOL,
        [SS_ARROW_TYPE_DECIMAL] = SS_FORMAT_SCALAR_DECIMAL,
        [DATE] = SS_FORMAT_SCALAR_DATE,
        [TIME] = SS_FORMAT_SCALAR_TIME,
        [TIMESTAMP] = SS_FORMAT_SCALAR_TIMESTAMP,
        [INTERVAL] = SS_FORMAT_SCALAR_INTERVAL,
    };
    struct ss_format_scalar_type scalar = {.kind = (ss_format_scalar_kind)kinds[field->type]};
    const bool is_time = field->type == TIME || field->type == TIMESTAMP;
    const int64_t unit = is_time ? ss_arrow_flat_int(flat, type, 0, 2, field->type == TIME) : 0;
    if (field->type == SS_ARROW_TYPE_INT && !field->is_signed) {
        scalar.kind = SS_FORMAT_SCALAR_UNSIGNED;
    }
    if (field->type == SS_ARROW_TYPE_DECIMAL) {
        scalar.scale = (int32_t)ss_arrow_flat_int(flat, type, 1, 4, 0);
    }
    if (is_time) {
        scalar.per_second = units[unit & 3];
    }
    if (field->type == DATE && field->n_bits == 64) {
        scalar.per_second = 1000;
    }
    return scalar;
}

/* Flatbuffers leave defaults out, so each number has the default of the format's schema. */
static const char *read_type(struct ss_arrow_flat *flat,
                             const struct ss_arrow_flat_table *table,
                             struct ss_arrow_field *field)
{
    const int64_t kind = ss_arrow_flat_int(flat, table, 2, 1, 0) & 0xFF;
    const struct ss_arrow_flat_table type = ss_arrow_flat_child(flat, table, 3);
    if (kind >= N_TYPES || types[kind].name == NULL || type.at == 0) {
        return "a column has no type that is known";
    }
    field->type = (uint8_t)kind;
    field->shape = types[kind].shape;
    field->text = types[kind].text;
    field->is_wide = types[kind].is_wide;
    field->is_signed = ss_arrow_flat_int(flat, &type, 1, 1, 0) != 0;
    if (field->shape == SS_ARROW_FIXED) {
        field->n_bits = width_of(flat, &type, field->type);
        if (field->n_bits == 0 && kind != TYPE_FIXED_BINARY) {
            return "a column has an impossible width";
        }
        field->scalar = scalar_of(flat, &type, field);
    }
    if (kind == TYPE_UNION) {
        field->is_dense = ss_arrow_flat_int(flat, &type, 0, 2, 0) == 1;
    }
    if (kind == TYPE_FIXED_LIST) {
        const int64_t size = ss_arrow_flat_int(flat, &type, 0, 4, 0);
        if (size < 0) {
            return "a column has lists of a negative length";
        }
        field->list_size = (uint32_t)size;
    }
    return NULL;
}

/* ---- fields ---- */

struct walk {
    struct ss_arrow_flat *flat;
    struct ss_arrow_schema *schema;
};

/* Several fields may share a dictionary, which is found once all fields are known. */
static const char *read_dictionary(struct walk *walk, const struct ss_arrow_flat_table *table,
                                   size_t index)
{
    struct ss_arrow_schema *schema = walk->schema;
    struct ss_arrow_field *field = &schema->fields[index];
    const struct ss_arrow_flat_table encoding = ss_arrow_flat_child(walk->flat, table, 4);
    if (encoding.at == 0) {
        return NULL;
    }
    const struct ss_arrow_flat_table type = ss_arrow_flat_child(walk->flat, &encoding, 1);
    const int64_t bits = type.at == 0 ? 32 : ss_arrow_flat_int(walk->flat, &type, 0, 4, 0);
    if (!is_int_width(bits)) {
        return "the indexes of a dictionary have an impossible width";
    }
    field->index_bytes = (unsigned)bits / 8;
    field->index_is_signed = type.at == 0 || ss_arrow_flat_int(walk->flat, &type, 1, 1, 0) != 0;
    void *items = schema->dictionaries;
    if (!ss__grow(&items, &schema->dictionaries_capacity, schema->n_dictionaries + 1,
                  sizeof *schema->dictionaries)) {
        return ss_arrow_no_memory;
    }
    schema->dictionaries = items;
    schema->dictionaries[schema->n_dictionaries++] = (struct ss_arrow_dictionary){
        .id = ss_arrow_flat_int(walk->flat, &encoding, 0, 8, 0), .field = index};
    field->dictionary = 0; /* found when all are known */
    return NULL;
}

static const char *read_field(struct walk *walk, const struct ss_arrow_flat_table *table,
                              size_t parent, unsigned depth);

/* Fields of a column stand behind it, and its `end` is where they stop. */
static const char *read_children(struct walk *walk, const struct ss_arrow_flat_vector *list,
                                 size_t parent, unsigned depth)
{
    const char *fault = NULL;
    for (size_t i = 0; i < list->count && fault == NULL; i++) {
        const struct ss_arrow_flat_table child = ss_arrow_flat_table_at(walk->flat, list, i);
        fault = child.at == 0 ? "a column is missing" : read_field(walk, &child, parent, depth);
    }
    return fault;
}

/* Whether the notes of a field say that it is of this extension type. */
static bool is_extension(struct ss_arrow_flat *flat, const struct ss_arrow_flat_table *table,
                         const char *name)
{
    static const char key_of_name[] = "ARROW:extension:name";
    const struct ss_arrow_flat_vector notes = ss_arrow_flat_list(flat, table, 6, 4);
    for (size_t i = 0; i < notes.count && flat->fault == NULL; i++) {
        const struct ss_arrow_flat_table note = ss_arrow_flat_table_at(flat, &notes, i);
        const struct ss_text key = ss_arrow_flat_text(flat, &note, 0);
        const struct ss_text value = ss_arrow_flat_text(flat, &note, 1);
        if (key.n_bytes == sizeof key_of_name - 1 &&
            memcmp(key.data, key_of_name, key.n_bytes) == 0) {
            return value.n_bytes == strlen(name) &&
                   memcmp(value.data, name, value.n_bytes) == 0;
        }
    }
    return false;
}

/* Depth first. A field is addressed by its index, since the array moves as it grows. */
static const char *read_field(struct walk *walk, const struct ss_arrow_flat_table *table,
                              size_t parent, unsigned depth)
{
    struct ss_arrow_schema *schema = walk->schema;
    const size_t index = schema->n_fields;
    if (depth > SS_ARROW_MAX_DEPTH) {
        return "its schema is nested too deeply";
    }
    if (index == SS_ARROW_MAX_FIELDS) {
        return "its schema has too many columns";
    }
    void *items = schema->fields;
    if (!ss__grow(&items, &schema->fields_capacity, index + 1, sizeof *schema->fields)) {
        return ss_arrow_no_memory;
    }
    schema->fields = items;
    schema->n_fields++;
    struct ss_arrow_field *field = &schema->fields[index];
    *field = (struct ss_arrow_field){.parent = parent, .dictionary = SIZE_MAX};
    field->name = ss_arrow_flat_text(walk->flat, table, 0);
    if (ss__utf8_valid_prefix(field->name.data, field->name.n_bytes) != field->name.n_bytes) {
        return "a column name is not UTF-8";
    }
    const char *fault = read_type(walk->flat, table, field);
    if (fault == NULL) {
        fault = read_dictionary(walk, table, index);
    }
    ss_arrow_flat_check_notes(walk->flat, table, 6);
    if (fault == NULL && field->type == TYPE_FIXED_BINARY && field->n_bits == 128 &&
        is_extension(walk->flat, table, "arrow.uuid")) {
        field->text = SS_ARROW_OTHER;
        field->scalar.kind = SS_FORMAT_SCALAR_UUID;
    }
    const struct ss_arrow_flat_vector children = ss_arrow_flat_list(walk->flat, table, 5, 4);
    const int n_children = types[field->type].n_children;
    if (fault == NULL && n_children != ANY && children.count != (size_t)n_children) {
        fault = "a column has another number of children than its type";
    }
    if (fault == NULL) {
        fault = read_children(walk, &children, index, depth + 1);
    }
    schema->fields[index].end = schema->n_fields;
    return fault;
}

/* Types that are made of others: what is known when the children are. */
static const char *finish_fields(struct ss_arrow_schema *schema)
{
    for (size_t i = schema->n_fields; i-- > 0;) {
        struct ss_arrow_field *field = &schema->fields[i];
        const struct ss_arrow_field *child = field + 1;
        field->has_text |= field->text != SS_ARROW_OTHER;
        if (field->shape == SS_ARROW_RUNS) {
            const struct ss_arrow_field *values = &schema->fields[child->end];
            if (child->type != SS_ARROW_TYPE_INT || !child->is_signed || child->n_bits < 16 ||
                child->dictionary != SIZE_MAX) {
                return "a run-end encoded column has ends that are no integers";
            }
            field->text = values->text;
        }
        if (field->type == SS_ARROW_TYPE_MAP &&
            (child->shape != SS_ARROW_STRUCT || child->dictionary != SIZE_MAX ||
             child->end == i + 2 || schema->fields[i + 2].end == child->end ||
             schema->fields[schema->fields[i + 2].end].end != child->end)) {
            return "a map has other entries than a key and a value";
        }
        if (field->parent != SIZE_MAX) {
            schema->fields[field->parent].has_text |= field->has_text;
        }
    }
    return NULL;
}

/* ---- dictionaries ---- */

static int compare_ids(const void *a, const void *b)
{
    const struct ss_arrow_dictionary *left = a, *right = b;
    if (left->id != right->id) {
        return left->id < right->id ? -1 : 1;
    }
    return (left->field > right->field) - (left->field < right->field);
}

/* Whether the values of two fields are of one type. */
static bool same_values(const struct ss_arrow_schema *schema, size_t a, size_t b)
{
    const size_t n = schema->fields[a].end - a;
    bool same = schema->fields[b].end - b == n;
    for (size_t i = 0; same && i < n; i++) {
        const struct ss_arrow_field *left = &schema->fields[a + i];
        const struct ss_arrow_field *right = &schema->fields[b + i];
        same = left->type == right->type && left->n_bits == right->n_bits &&
               left->is_signed == right->is_signed && left->is_dense == right->is_dense &&
               left->list_size == right->list_size && left->end - a == right->end - b &&
               (i == 0 || (left->dictionary == SIZE_MAX) == (right->dictionary == SIZE_MAX));
    }
    return same;
}

/* Fields with the same id share one dictionary. */
static const char *join_dictionaries(struct ss_arrow_schema *schema)
{
    struct ss_arrow_dictionary *items = schema->dictionaries;
    size_t n = 0;
    if (schema->n_dictionaries > 0) {
        ss__sort(items, schema->n_dictionaries, sizeof *items, compare_ids);
    }
    for (size_t i = 0; i < schema->n_dictionaries; i++) {
        const bool is_new = n == 0 || items[n - 1].id != items[i].id;
        if (!is_new && !same_values(schema, items[n - 1].field, items[i].field)) {
            return "two columns of different types share a dictionary";
        }
        n += is_new;
        schema->fields[items[i].field].dictionary = n - 1;
        items[n - 1] = is_new ? items[i] : items[n - 1];
    }
    schema->n_dictionaries = n;
    return NULL;
}

/* ---- schema ---- */

ss_status ss_arrow_schema_read(const char *name, struct ss_arrow_flat *flat,
                               const struct ss_arrow_flat_table *table,
                               struct ss_arrow_schema *out, ss_err *err)
{
    struct walk walk = {.flat = flat, .schema = out};
    const struct ss_arrow_flat_vector fields = ss_arrow_flat_list(flat, table, 1, 4);
    if (ss_arrow_flat_int(flat, table, 0, 2, 0) != 0) {
        return ss__fail_file(err, name, SS_E_UNSUPPORTED,
                             "this Arrow data is big-endian, which is not read; save it anew "
                             "on a little-endian machine or as Parquet");
    }
    ss_arrow_flat_check_notes(flat, table, 2);
    const char *fault = table->at == 0 ? "there is none" : NULL;
    if (fault == NULL) {
        fault = read_children(&walk, &fields, SIZE_MAX, 0);
    }
    fault = flat->fault != NULL ? flat->fault : fault;
    fault = fault == NULL ? join_dictionaries(out) : fault;
    fault = fault == NULL ? finish_fields(out) : fault;
    if (fault == ss_arrow_no_memory) {
        return ss__fail_nomem(err, "an Arrow schema");
    }
    return fault == NULL
               ? SS_OK
               : ss__fail_file(err, name, SS_E_DATA, "damaged Arrow schema: %s", fault);
}

void ss_arrow_schema_release(struct ss_arrow_schema *schema)
{
    for (size_t i = 0; i < schema->n_dictionaries; i++) {
        struct ss_arrow_dictionary *dictionary = &schema->dictionaries[i];
        for (size_t j = 0; j < dictionary->n_chunks; j++) {
            ss_arrow_batch_release(dictionary->chunks[j]);
            ss__free(dictionary->chunks[j]);
        }
        ss__free(dictionary->chunks);
        ss__free(dictionary->ends);
    }
    ss__free(schema->dictionaries);
    ss__free(schema->fields);
    *schema = (struct ss_arrow_schema){0};
}
