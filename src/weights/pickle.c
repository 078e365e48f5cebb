/* The pickle interpreter (protocols 2 to 5; pickletools of Python documents the opcodes).
 * Values are nodes in an arena, containers hold pointers to nodes, the memo makes sharing
 * possible. Each opcode is a function in a table; what is not in the table is refused.
 *
 * Python's unpickler calls whatever a file names; this one calls nothing. A name has to be on a
 * list (pickle_names.c), and what calling it would give is done by code of our own on the tree
 * of values. So the worst that a file can do is to be refused.
 *
 * Bounds: opcodes, depth, and memory are limited, lengths are checked against the bytes that
 * are left, and nothing here recurses. docs/spec/protocols.md, §4.2. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "weights/pickle_priv.h"

enum {
    MAX_OPCODES = 1000000,
    MAX_MARKS = 1000,
    MIN_PROTOCOL = 2,
    MAX_PROTOCOL = 5,
    OPCODE_PROTO = 0x80,
    OPCODE_STOP = '.'
};

typedef struct ss_weights_pickle_node node;

/* ---- opcodes: constants ---- */

/* `argument` of an opcode: a count of bytes or items, or a value. */
typedef ss_status opcode_fn(struct ss_weights_pickle *self, size_t argument, ss_err *err);

static ss_status do_none(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    (void)argument;
    return ss_weights_pickle_push_new(self, SS_WEIGHTS_PICKLE_NONE, &value, err);
}

static ss_status do_bool(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    const ss_status status =
        ss_weights_pickle_push_new(self, SS_WEIGHTS_PICKLE_BOOL, &value, err);
    if (status == SS_OK) {
        value->as.integer = (int64_t)argument;
    }
    return status;
}

static ss_status push_int(struct ss_weights_pickle *self, int64_t integer, ss_err *err)
{
    node *value = NULL;
    const ss_status status =
        ss_weights_pickle_push_new(self, SS_WEIGHTS_PICKLE_INT, &value, err);
    if (status == SS_OK) {
        value->as.integer = integer;
    }
    return status;
}

/* Integers of 1, 2 or 4 bytes; only the last are signed. */
static ss_status do_int(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t bits = 0;
    const ss_status status = ss_weights_pickle_read_uint(self, argument, &bits, err);
    if (status != SS_OK) {
        return status;
    }
    return push_int(self, argument == 4 ? (int64_t)(int32_t)(uint32_t)bits : (int64_t)bits,
                    err);
}

/* A value that is a view of the file's bytes: nothing is copied. */
static ss_status push_bytes(struct ss_weights_pickle *self, ss_weights_pickle_kind kind,
                            uint64_t n, ss_err *err)
{
    node *value = NULL;
    const uint8_t *bytes = NULL;
    SS_RETURN_IF_ERROR(ss_weights_pickle_read_bytes(self, n, &bytes, err));
    if (n > UINT32_MAX) {
        return ss_weights_pickle_bad(self, "a text is too long", err);
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_push_new(self, kind, &value, err));
    value->as.text = (const char *)bytes;
    value->n = (uint32_t)n;
    return SS_OK;
}

/* LONG1 and LONG4: two's complement of any length, little-endian. What does not fit 64 bits
 * stays as its bytes: torch's magic number is one. */
static ss_status do_long(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t n = 0, bits = 0;
    SS_RETURN_IF_ERROR(ss_weights_pickle_read_uint(self, argument, &n, err));
    if (n > 8) {
        return push_bytes(self, SS_WEIGHTS_PICKLE_BIG_INT, n, err);
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_read_uint(self, (size_t)n, &bits, err));
    if (n > 0 && n < 8 && (bits >> (8 * n - 1) & 1) != 0) {
        bits |= UINT64_MAX << 8 * n;
    }
    return push_int(self, (int64_t)bits, err);
}

/* BINFLOAT: a double, big-endian, alone among the numbers. */
static ss_status do_float(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    const uint8_t *bytes = NULL;
    node *value = NULL;
    uint64_t bits = 0;
    ss_status status = ss_weights_pickle_read_bytes(self, argument, &bytes, err);
    if (status == SS_OK) {
        status = ss_weights_pickle_push_new(self, SS_WEIGHTS_PICKLE_FLOAT, &value, err);
    }
    for (size_t i = 0; status == SS_OK && i < sizeof bits; i++) {
        bits = bits << 8 | bytes[i];
    }
    if (status == SS_OK) {
        memcpy(&value->as.number, &bits, sizeof bits);
    }
    return status;
}

static ss_status do_text(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    ss_status status = SS_OK;
    uint64_t n = 0;
    SS_TRY(ss_weights_pickle_read_uint(self, argument, &n, err));
    SS_TRY(push_bytes(self, SS_WEIGHTS_PICKLE_TEXT, n, err));
    const node *text = self->stack[self->n_stack - 1];
    if (ss__utf8_valid_prefix(text->as.text, text->n) != text->n) {
        status = ss_weights_pickle_bad(self, "a text is not valid UTF-8", err);
    }
out:
    return status;
}

static ss_status do_bytes(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t n = 0;
    const ss_status status = ss_weights_pickle_read_uint(self, argument, &n, err);
    return status == SS_OK ? push_bytes(self, SS_WEIGHTS_PICKLE_BYTES, n, err) : status;
}

/* The strings of Python 2, which are texts where they can be. */
static ss_status do_old_string(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    const ss_status status = do_bytes(self, argument, err);
    if (status == SS_OK) {
        node *text = self->stack[self->n_stack - 1];
        const bool is_text = ss__utf8_valid_prefix(text->as.text, text->n) == text->n;
        text->kind = is_text ? SS_WEIGHTS_PICKLE_TEXT : SS_WEIGHTS_PICKLE_BYTES;
    }
    return status;
}

/* ---- opcodes: containers ---- */

static ss_status do_empty(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    return ss_weights_pickle_push_new(self, (ss_weights_pickle_kind)argument, &value, err);
}

/* A mark is a height of the stack; what is above it is taken together by a later opcode. */
static ss_status do_mark(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    (void)argument;
    if (self->n_marks == MAX_MARKS) {
        return ss_weights_pickle_bad(self, "too many marks", err);
    }
    SS_GROW_OR_RETURN(self->marks, self->marks_capacity, self->n_marks + 1);
    self->marks[self->n_marks++] = self->n_stack;
    return SS_OK;
}

static ss_status do_pop(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    (void)argument;
    return ss_weights_pickle_pop(self, &value, err);
}

static ss_status do_pop_mark(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node **items = NULL;
    size_t n = 0;
    (void)argument;
    return ss_weights_pickle_pop_mark(self, &items, &n, err);
}

/* A tuple, list or dictionary of all values above the mark. */
static ss_status do_collect(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node **items = NULL, *value = NULL;
    size_t n = 0;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop_mark(self, &items, &n, err));
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_new(self, (ss_weights_pickle_kind)argument, &value, err));
    SS_RETURN_IF_ERROR(argument == SS_WEIGHTS_PICKLE_DICT
                           ? ss_weights_pickle_add_entries(self, value, items, n, err)
                           : ss_weights_pickle_add_items(self, value, items, n, err));
    return ss_weights_pickle_push(self, value, err);
}

/* Sets matter to nobody here: their items are dropped. */
static ss_status do_frozen_set(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    const ss_status status = do_pop_mark(self, argument, err);
    return status == SS_OK
               ? ss_weights_pickle_push_new(self, SS_WEIGHTS_PICKLE_OPAQUE, &value, err)
               : status;
}

static ss_status do_add_to_set(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *set = NULL;
    SS_RETURN_IF_ERROR(do_pop_mark(self, argument, err));
    return ss_weights_pickle_need_top(self, SS_WEIGHTS_PICKLE_OPAQUE, &set, err);
}

/* A tuple of the top 1 to 3 values. */
static ss_status do_small_tuple(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *value = NULL;
    if (ss_weights_pickle_n_above(self) < argument) {
        return ss_weights_pickle_bad(self, "a value is missing on the stack", err);
    }
    self->n_stack -= argument;
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_TUPLE, &value, err));
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_add_items(self, value, self->stack + self->n_stack, argument, err));
    return ss_weights_pickle_push(self, value, err);
}

/* APPEND (1 value) and SETITEM (2). */
static ss_status do_add_one(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *to = NULL;
    if (ss_weights_pickle_n_above(self) < argument) {
        return ss_weights_pickle_bad(self, "a value is missing on the stack", err);
    }
    self->n_stack -= argument;
    node *const *items = self->stack + self->n_stack;
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_top(
        self, argument == 1 ? SS_WEIGHTS_PICKLE_LIST : SS_WEIGHTS_PICKLE_DICT, &to, err));
    return argument == 1 ? ss_weights_pickle_add_items(self, to, items, 1, err)
                         : ss_weights_pickle_add_entries(self, to, items, 2, err);
}

/* APPENDS and SETITEMS: all values above the mark. */
static ss_status do_add_all(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node **items = NULL, *to = NULL;
    size_t n = 0;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop_mark(self, &items, &n, err));
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_need_top(self, (ss_weights_pickle_kind)argument, &to, err));
    return argument == SS_WEIGHTS_PICKLE_DICT
               ? ss_weights_pickle_add_entries(self, to, items, n, err)
               : ss_weights_pickle_add_items(self, to, items, n, err);
}

/* ---- opcodes: the memo ---- */

/* Values may hold themselves by way of the memo, so whoever walks the tree bounds its depth
 * (state_dict.c). */
static ss_status put(struct ss_weights_pickle *self, uint64_t index, ss_err *err)
{
    if (ss_weights_pickle_n_above(self) == 0 || index >= MAX_OPCODES) {
        return ss_weights_pickle_bad(self, "the memo is used wrongly", err);
    }
    SS_GROW_OR_RETURN(self->memo, self->memo_capacity, (size_t)index + 1);
    for (; self->n_memo <= index; self->n_memo++) {
        self->memo[self->n_memo] = NULL;
    }
    self->memo[index] = self->stack[self->n_stack - 1];
    return SS_OK;
}

static ss_status do_put(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t index = 0;
    const ss_status status = ss_weights_pickle_read_uint(self, argument, &index, err);
    return status == SS_OK ? put(self, index, err) : status;
}

static ss_status do_memoize(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    (void)argument;
    return put(self, self->n_memo, err);
}

/* BINGET and LONG_BINGET. */
static ss_status do_get(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t index = 0;
    SS_RETURN_IF_ERROR(ss_weights_pickle_read_uint(self, argument, &index, err));
    if (index >= self->n_memo || self->memo[index] == NULL) {
        return ss_weights_pickle_bad(self, "the memo has no such value", err);
    }
    return ss_weights_pickle_push(self, self->memo[index], err);
}

/* ---- opcodes: names and calls ---- */

/* Texts of protocol 0 opcodes end with a newline; GLOBAL is the one that newer protocols
 * kept. */
static ss_status take_line(struct ss_weights_pickle *self, struct ss_text *out, ss_err *err)
{
    const uint8_t *start = self->source.data + self->at;
    const size_t n_left = self->source.n_bytes - self->at;
    const uint8_t *end = n_left == 0 ? NULL : memchr(start, '\n', n_left);
    if (end == NULL) {
        return ss_weights_pickle_bad(self, "it ends too early", err);
    }
    *out = (struct ss_text){.data = (const char *)start, .n_bytes = (size_t)(end - start)};
    self->at += out->n_bytes + 1;
    return SS_OK;
}

static ss_status push_global(struct ss_weights_pickle *self, struct ss_text module,
                             struct ss_text name, ss_err *err)
{
    node *value = NULL;
    const ss_status status = ss_weights_pickle_find_global(self, module, name, &value, err);
    return status == SS_OK ? ss_weights_pickle_push(self, value, err) : status;
}

static ss_status do_global(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    struct ss_text module, name;
    (void)argument;
    SS_RETURN_IF_ERROR(take_line(self, &module, err));
    SS_RETURN_IF_ERROR(take_line(self, &name, err));
    return push_global(self, module, name, err);
}

static ss_status do_stack_global(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *module = NULL, *name = NULL;
    (void)argument;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &name, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &module, err));
    if (module->kind != SS_WEIGHTS_PICKLE_TEXT || name->kind != SS_WEIGHTS_PICKLE_TEXT) {
        return ss_weights_pickle_bad(self, "a name is not a text", err);
    }
    return push_global(self, (struct ss_text){module->as.text, module->n},
                       (struct ss_text){name->as.text, name->n}, err);
}

/* REDUCE and NEWOBJ: a callable and its arguments become a value. */
static ss_status do_reduce(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *callable = NULL, *arguments = NULL, *value = NULL;
    (void)argument;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &arguments, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &callable, err));
    if (callable->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
        arguments->kind != SS_WEIGHTS_PICKLE_TUPLE) {
        return ss_weights_pickle_bad(self, "a call is not one of a name with a tuple", err);
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_reduce(self, callable, arguments, &value, err));
    return ss_weights_pickle_push(self, value, err);
}

/* The state of an object, which comes after it. */
static ss_status do_build(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *state = NULL;
    (void)argument;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &state, err));
    if (ss_weights_pickle_n_above(self) == 0) {
        return ss_weights_pickle_bad(self, "state is given to what can not have it", err);
    }
    return ss_weights_pickle_set_state(self, self->stack[self->n_stack - 1], state, err);
}

/* BINPERSID: how torch puts storages outside of the pickle. */
static ss_status do_persistent(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    node *id = NULL, *value = NULL;
    (void)argument;
    SS_RETURN_IF_ERROR(ss_weights_pickle_pop(self, &id, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_load_persistent(self, id, &value, err));
    return ss_weights_pickle_push(self, value, err);
}

static ss_status do_proto(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t version = 0;
    const ss_status status = ss_weights_pickle_read_uint(self, argument, &version, err);
    if (status == SS_OK && (version < MIN_PROTOCOL || version > MAX_PROTOCOL)) {
        return ss_weights_pickle_bad(self, "its protocol is not one of 2 to 5", err);
    }
    return status;
}

/* A frame is a promise about lengths; only an impossible one is refused. */
static ss_status do_frame(struct ss_weights_pickle *self, size_t argument, ss_err *err)
{
    uint64_t n = 0;
    const ss_status status = ss_weights_pickle_read_uint(self, argument, &n, err);
    if (status == SS_OK && n > self->source.n_bytes - self->at) {
        return ss_weights_pickle_bad(self, "a frame is longer than the rest", err);
    }
    return status;
}

/* ---- the interpreter ---- */

static const struct {
    opcode_fn *run;
    size_t argument;
} opcodes[256] = {
    [OPCODE_PROTO] = {do_proto, 1},                /* PROTO */
    [0x95] = {do_frame, 8},                        /* FRAME */
    ['N'] = {do_none, 0},                          /* NONE */
    [0x88] = {do_bool, 1},                         /* NEWTRUE */
    [0x89] = {do_bool, 0},                         /* NEWFALSE */
    ['K'] = {do_int, 1},                           /* BININT1 */
    ['M'] = {do_int, 2},                           /* BININT2 */
    ['J'] = {do_int, 4},                           /* BININT */
    [0x8a] = {do_long, 1},                         /* LONG1 */
    [0x8b] = {do_long, 4},                         /* LONG4 */
    ['G'] = {do_float, 8},                         /* BINFLOAT */
    [0x8c] = {do_text, 1},                         /* SHORT_BINUNICODE */
    ['X'] = {do_text, 4},                          /* BINUNICODE */
    [0x8d] = {do_text, 8},                         /* BINUNICODE8 */
    ['C'] = {do_bytes, 1},                         /* SHORT_BINBYTES */
    ['B'] = {do_bytes, 4},                         /* BINBYTES */
    [0x8e] = {do_bytes, 8},                        /* BINBYTES8 */
    [0x96] = {do_bytes, 8},                        /* BYTEARRAY8 */
    ['U'] = {do_old_string, 1},                    /* SHORT_BINSTRING */
    ['T'] = {do_old_string, 4},                    /* BINSTRING */
    [')'] = {do_empty, SS_WEIGHTS_PICKLE_TUPLE},   /* EMPTY_TUPLE */
    [']'] = {do_empty, SS_WEIGHTS_PICKLE_LIST},    /* EMPTY_LIST */
    ['}'] = {do_empty, SS_WEIGHTS_PICKLE_DICT},    /* EMPTY_DICT */
    [0x8f] = {do_empty, SS_WEIGHTS_PICKLE_OPAQUE}, /* EMPTY_SET */
    ['('] = {do_mark, 0},                          /* MARK */
    ['0'] = {do_pop, 0},                           /* POP */
    ['1'] = {do_pop_mark, 0},                      /* POP_MARK */
    ['t'] = {do_collect, SS_WEIGHTS_PICKLE_TUPLE}, /* TUPLE */
    ['l'] = {do_collect, SS_WEIGHTS_PICKLE_LIST},  /* LIST */
    ['d'] = {do_collect, SS_WEIGHTS_PICKLE_DICT},  /* DICT */
    [0x91] = {do_frozen_set, 0},                   /* FROZENSET */
    [0x90] = {do_add_to_set, 0},                   /* ADDITEMS */
    [0x85] = {do_small_tuple, 1},                  /* TUPLE1 */
    [0x86] = {do_small_tuple, 2},                  /* TUPLE2 */
    [0x87] = {do_small_tuple, 3},                  /* TUPLE3 */
    ['a'] = {do_add_one, 1},                       /* APPEND */
    ['s'] = {do_add_one, 2},                       /* SETITEM */
    ['e'] = {do_add_all, SS_WEIGHTS_PICKLE_LIST},  /* APPENDS */
    ['u'] = {do_add_all, SS_WEIGHTS_PICKLE_DICT},  /* SETITEMS */
    ['q'] = {do_put, 1},                           /* BINPUT */
    ['r'] = {do_put, 4},                           /* LONG_BINPUT */
    [0x94] = {do_memoize, 0},                      /* MEMOIZE */
    ['h'] = {do_get, 1},                           /* BINGET */
    ['j'] = {do_get, 4},                           /* LONG_BINGET */
    ['c'] = {do_global, 0},                        /* GLOBAL */
    [0x93] = {do_stack_global, 0},                 /* STACK_GLOBAL */
    ['R'] = {do_reduce, 0},                        /* REDUCE */
    [0x81] = {do_reduce, 0},                       /* NEWOBJ */
    ['b'] = {do_build, 0},                         /* BUILD */
    ['Q'] = {do_persistent, 0},                    /* BINPERSID */
};

/* Not in the table are the text opcodes of protocols 0 and 1, INST and OBJ, EXT codes, and
 * out-of-band buffers: nothing that torch or numpy write. */
static ss_status step(struct ss_weights_pickle *self, uint8_t opcode, ss_err *err)
{
    if (opcodes[opcode].run == NULL) {
        return ss__fail_file(err, self->source.file, SS_E_UNSUPPORTED,
                             "not a state dict: its pickle has the opcode 0x%02x at byte %zu",
                             (unsigned)opcode, self->at - 1);
    }
    return opcodes[opcode].run(self, opcodes[opcode].argument, err);
}

ss_status ss_weights_pickle_read(struct ss_weights_pickle *self,
                                 const struct ss_source_bytes *source, ss_err *err)
{
    const uint8_t *opcode = NULL;
    self->source = *source;
    if (source->n_bytes < 2 || source->data[0] != OPCODE_PROTO) {
        return ss_weights_pickle_bad(self, "its pickle does not start as protocols 2 to 5 do",
                                     err);
    }
    for (size_t n = 0; n < MAX_OPCODES; n++) {
        SS_RETURN_IF_ERROR(ss_weights_pickle_read_bytes(self, 1, &opcode, err));
        if (*opcode != OPCODE_STOP) {
            SS_RETURN_IF_ERROR(step(self, *opcode, err));
            continue;
        }
        if (self->n_stack != 1 || self->n_marks != 0) {
            return ss_weights_pickle_bad(self, "it ends with other than one value", err);
        }
        self->root = self->stack[0];
        return SS_OK;
    }
    return ss__fail_file(err, source->file, SS_E_LIMIT, "its pickle has more than %d opcodes",
                         MAX_OPCODES);
}

void ss_weights_pickle_release(struct ss_weights_pickle *self)
{
    ss__arena_release(&self->arena);
    ss__free(self->stack);
    ss__free(self->marks);
    ss__free(self->memo);
    ss__free(self->storages);
    *self = (struct ss_weights_pickle){0};
}
