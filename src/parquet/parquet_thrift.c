/* The compact protocol of Thrift, as far as Parquet's metadata needs it.
 *
 * A struct is a run of fields, each a byte (delta of the field id << 4 | wire type), or with
 * delta 0 the id as a zigzag varint behind it; a zero byte ends it. Integers are zigzag
 * varints; a bool field has its value in the wire type; binary is a varint length and bytes; a
 * list is (count << 4 | type), with count 15 meaning that a varint follows; a map is a varint
 * count and, unless it is 0, a byte (key type << 4 | value type).
 *
 * Every element of a list or map takes at least a byte, so a count above the bytes that are
 * left is refused before anything is done with it. */
#include <string.h>

#include "parquet/parquet_priv.h"

/* Wire types. A bool that is a field has its value in the type; in a list or map it takes a
 * byte. */
enum {
    WIRE_STOP = 0,
    WIRE_TRUE = 1,
    WIRE_FALSE = 2,
    WIRE_BYTE = 3,
    WIRE_I16 = 4,
    WIRE_I32 = 5,
    WIRE_I64 = 6,
    WIRE_DOUBLE = 7,
    WIRE_BINARY = 8,
    WIRE_LIST = 9,
    WIRE_SET = 10,
    WIRE_MAP = 11,
    WIRE_STRUCT = 12,
    MAX_DEPTH = 32
};

/* The first fault counts; there is nothing left to read after it. */
static void fault(struct ss_parquet_thrift *in, const char *what)
{
    if (in->fault == NULL) {
        in->fault = what;
        in->at = in->end;
    }
}

static size_t n_left(const struct ss_parquet_thrift *in)
{
    return (size_t)(in->end - in->at);
}

static uint8_t read_byte(struct ss_parquet_thrift *in)
{
    if (in->at == in->end) {
        fault(in, "metadata ends early");
        return 0;
    }
    return *in->at++;
}

/* Seven bits a byte, the lowest first: ten bytes at most. */
static uint64_t read_varint(struct ss_parquet_thrift *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = read_byte(in);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    fault(in, "a number in the metadata is too long");
    return 0;
}

/* 0, 1, 2, 3 … stand for 0, -1, 1, -2 …, so that small negative numbers are short. */
static int64_t read_zigzag(struct ss_parquet_thrift *in)
{
    const uint64_t value = read_varint(in);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* A view of the metadata. */
static struct ss_text read_binary(struct ss_parquet_thrift *in)
{
    const uint64_t n_bytes = read_varint(in);
    if (n_bytes > n_left(in)) {
        fault(in, "a text in the metadata is longer than the metadata");
        return (struct ss_text){NULL, 0};
    }
    const struct ss_text text = {(const char *)in->at, (size_t)n_bytes};
    in->at += n_bytes;
    return text;
}

static struct ss_parquet_thrift_list read_list_head(struct ss_parquet_thrift *in)
{
    const uint8_t head = read_byte(in);
    const uint64_t count = head >> 4 == 15 ? read_varint(in) : head >> 4;
    const uint8_t type = head & 0x0F;
    if (count > n_left(in)) {
        fault(in, "a list in the metadata is longer than the metadata");
    } else if (in->fault == NULL && (type < WIRE_TRUE || type > WIRE_STRUCT)) {
        fault(in, "a list in the metadata has an unknown type");
    }
    return in->fault != NULL ? (struct ss_parquet_thrift_list){NULL, 0, 0}
                             : (struct ss_parquet_thrift_list){in->at, (uint32_t)count, type};
}

/* The wire type of the next field and its id, or WIRE_STOP. */
static uint8_t read_field_head(struct ss_parquet_thrift *in, int16_t *id)
{
    const uint8_t head = read_byte(in);
    if (in->fault != NULL || head == 0) {
        return WIRE_STOP;
    }
    const uint8_t type = head & 0x0F;
    const int64_t next = head >> 4 != 0 ? *id + (head >> 4) : read_zigzag(in);
    if (type < WIRE_TRUE || type > WIRE_STRUCT || next < INT16_MIN || next > INT16_MAX) {
        fault(in, "a field of the metadata has an unknown type");
        return WIRE_STOP;
    }
    *id = (int16_t)next;
    return type;
}

static void skip(struct ss_parquet_thrift *in, uint8_t type, bool in_container, unsigned depth);

/* A set is written as a list is. */
static void skip_list(struct ss_parquet_thrift *in, unsigned depth)
{
    const struct ss_parquet_thrift_list list = read_list_head(in);
    for (uint32_t i = 0; i < list.count && in->fault == NULL; i++) {
        skip(in, list.type, true, depth + 1);
    }
}

/* An empty map has no byte of types. */
static void skip_map(struct ss_parquet_thrift *in, unsigned depth)
{
    const uint64_t count = read_varint(in);
    const uint8_t types = count == 0 ? 0 : read_byte(in);
    if (count > n_left(in)) {
        fault(in, "a map in the metadata is longer than the metadata");
    }
    for (uint64_t i = 0; i < count && in->fault == NULL; i++) {
        skip(in, types >> 4, true, depth + 1);
        skip(in, types & 0x0F, true, depth + 1);
    }
}

/* Depth is bounded, since nesting costs a file one byte a level. */
static void skip_struct(struct ss_parquet_thrift *in, unsigned depth)
{
    int16_t id = 0;
    for (uint8_t type = read_field_head(in, &id); type != WIRE_STOP;
         type = read_field_head(in, &id)) {
        skip(in, type, false, depth + 1);
    }
}

static void skip_bytes(struct ss_parquet_thrift *in, size_t n_bytes)
{
    if (n_bytes > n_left(in)) {
        fault(in, "metadata ends early");
    } else {
        in->at += n_bytes;
    }
}

static void skip(struct ss_parquet_thrift *in, uint8_t type, bool in_container, unsigned depth)
{
    if (depth > MAX_DEPTH) {
        fault(in, "the metadata is nested too deeply");
        return;
    }
    switch (type) {
    case WIRE_TRUE:
    case WIRE_FALSE:
        skip_bytes(in, in_container ? 1 : 0);
        break;
    case WIRE_BYTE:
        skip_bytes(in, 1);
        break;
    case WIRE_I16:
    case WIRE_I32:
    case WIRE_I64:
        (void)read_varint(in);
        break;
    case WIRE_DOUBLE:
        skip_bytes(in, 8);
        break;
    case WIRE_BINARY:
        (void)read_binary(in);
        break;
    case WIRE_LIST:
    case WIRE_SET:
        skip_list(in, depth);
        break;
    case WIRE_MAP:
        skip_map(in, depth);
        break;
    case WIRE_STRUCT:
        skip_struct(in, depth);
        break;
    default:
        fault(in, "a value of the metadata has an unknown type");
    }
}

void ss_parquet_thrift_skip(struct ss_parquet_thrift *in, uint8_t type)
{
    skip(in, type, true, 0);
}

/* Elements are read one by one, by whoever knows their struct; a list that is absent is
 * empty. */
struct ss_parquet_thrift
ss_parquet_thrift_list_reader(const struct ss_parquet_thrift_list *list, const uint8_t *end)
{
    const uint8_t *at = list->at == NULL ? end : list->at;
    return (struct ss_parquet_thrift){.at = at, .end = end, .fault = NULL};
}

/* ---- structs by table ---- */

/* A field of another type than the specification's is one that is not known. */
static bool kind_has_type(ss_parquet_slot_kind kind, uint8_t type)
{
    switch (kind) {
    case SS_PARQUET_SLOT_BOOL:
        return type == WIRE_TRUE || type == WIRE_FALSE;
    case SS_PARQUET_SLOT_I32:
        return type == WIRE_I32;
    case SS_PARQUET_SLOT_I64:
        return type == WIRE_I64;
    case SS_PARQUET_SLOT_TEXT:
        return type == WIRE_BINARY;
    case SS_PARQUET_SLOT_STRUCT:
    case SS_PARQUET_SLOT_UNION:
    case SS_PARQUET_SLOT_LOGICAL:
        return type == WIRE_STRUCT;
    case SS_PARQUET_SLOT_LIST:
        return type == WIRE_LIST;
    }
    return false;
}

/* A union is a struct with one field, whose id says what it is. */
static void read_union(struct ss_parquet_thrift *in, int32_t *member)
{
    int16_t id = 0;
    for (uint8_t type = read_field_head(in, &id); type != WIRE_STOP;
         type = read_field_head(in, &id)) {
        *member = id;
        skip(in, type, false, 1);
    }
}

/* The members of a struct: the union in its field 2, if it has one. */
static void read_unit(struct ss_parquet_thrift *in, int32_t *unit)
{
    int16_t id = 0;
    for (uint8_t type = read_field_head(in, &id); type != WIRE_STOP;
         type = read_field_head(in, &id)) {
        if (id == 2 && type == WIRE_STRUCT) {
            read_union(in, unit);
        } else {
            skip(in, type, false, 2);
        }
    }
}

static void read_logical(struct ss_parquet_thrift *in, int32_t out[2])
{
    int16_t id = 0;
    for (uint8_t type = read_field_head(in, &id); type != WIRE_STOP;
         type = read_field_head(in, &id)) {
        out[0] = id;
        if (type == WIRE_STRUCT) {
            read_unit(in, &out[1]);
        } else {
            skip(in, type, false, 1);
        }
    }
}

static void read_i32(struct ss_parquet_thrift *in, int32_t *out)
{
    const int64_t value = read_zigzag(in);
    if (value < INT32_MIN || value > INT32_MAX) {
        fault(in, "a number of the metadata is out of range");
    } else {
        *out = (int32_t)value;
    }
}

static void read_slot(struct ss_parquet_thrift *in, const struct ss_parquet_slot *slot,
                      uint8_t type, void *out)
{
    switch (slot->kind) {
    case SS_PARQUET_SLOT_BOOL:
        *(bool *)out = type == WIRE_TRUE;
        break;
    case SS_PARQUET_SLOT_I32:
        read_i32(in, out);
        break;
    case SS_PARQUET_SLOT_I64:
        *(int64_t *)out = read_zigzag(in);
        break;
    case SS_PARQUET_SLOT_TEXT:
        *(struct ss_text *)out = read_binary(in);
        break;
    case SS_PARQUET_SLOT_STRUCT:
        ss_parquet_thrift_read(in, slot->shape, out);
        break;
    case SS_PARQUET_SLOT_UNION:
        read_union(in, out);
        break;
    case SS_PARQUET_SLOT_LOGICAL:
        read_logical(in, out);
        break;
    case SS_PARQUET_SLOT_LIST: {
        struct ss_parquet_thrift list = *in;
        *(struct ss_parquet_thrift_list *)out = read_list_head(&list);
        skip_list(in, 1);
        break;
    }
    }
}

static const struct ss_parquet_slot *find_slot(const struct ss_parquet_shape *shape, int16_t id,
                                               uint8_t type)
{
    for (size_t i = 0; i < shape->n_slots; i++) {
        if (shape->slots[i].id == id && kind_has_type(shape->slots[i].kind, type)) {
            return &shape->slots[i];
        }
    }
    return NULL;
}

/* Fields without a slot are passed over: newer writers add some. `seen`, a bit for each slot,
 * is the first member of every struct that is read so. */
void ss_parquet_thrift_read(struct ss_parquet_thrift *in, const struct ss_parquet_shape *shape,
                            void *out)
{
    uint32_t seen = 0;
    int16_t id = 0;
    for (uint8_t type = read_field_head(in, &id); type != WIRE_STOP;
         type = read_field_head(in, &id)) {
        const struct ss_parquet_slot *slot = find_slot(shape, id, type);
        if (slot == NULL) {
            skip(in, type, false, 1);
        } else {
            read_slot(in, slot, type, (char *)out + slot->offset);
            seen |= UINT32_C(1) << (slot - shape->slots);
        }
    }
    for (size_t i = 0; i < shape->n_slots; i++) {
        if (shape->slots[i].required && (seen >> i & 1) == 0) {
            fault(in, "a needed field of the metadata is missing");
        }
    }
    memcpy(out, &seen, sizeof seen);
}
