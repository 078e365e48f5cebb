/* What the pickle interpreter works on: the bytes, the nodes in their arena, the stack with its
 * marks, and containers that grow. */
#include <string.h>

#include "base/mem.h"
#include "weights/pickle_priv.h"

enum {
    MAX_DEPTH = 1000,
    MIN_ARENA_BYTES = 12 << 20 /* and as many bytes more as the file has */
};

typedef struct ss_weights_pickle_node node;

ss_status ss_weights_pickle_bad(const struct ss_weights_pickle *self, const char *what,
                                ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, self->source.file, SS_E_DATA,
                      "not a valid state dict: %s (pickle byte %zu)", what, self->at);
    ss__err_at_offset(err, self->at);
    return status;
}

/* ---- bytes ---- */

ss_status ss_weights_pickle_read_bytes(struct ss_weights_pickle *self, uint64_t n,
                                       const uint8_t **out, ss_err *err)
{
    if (n > self->source.n_bytes - self->at) {
        return ss_weights_pickle_bad(self, "it ends too early", err);
    }
    *out = self->source.data + self->at;
    self->at += (size_t)n;
    return SS_OK;
}

/* Little-endian, up to eight bytes. */
ss_status ss_weights_pickle_read_uint(struct ss_weights_pickle *self, size_t n_bytes,
                                      uint64_t *out, ss_err *err)
{
    const uint8_t *bytes = NULL;
    const ss_status status = ss_weights_pickle_read_bytes(self, n_bytes, &bytes, err);
    *out = 0;
    for (size_t i = n_bytes; status == SS_OK && i-- > 0;) {
        *out = *out << 8 | bytes[i];
    }
    return status;
}

/* ---- nodes and the stack ---- */

/* Checked before and not after: an arena may go beyond its limit by one value, which is itself
 * bounded by the file. */
ss_status ss_weights_pickle_alloc(struct ss_weights_pickle *self, size_t n_bytes, void **out,
                                  ss_err *err)
{
    *out = NULL;
    if (self->arena.n_bytes > MIN_ARENA_BYTES + self->n_file_bytes) {
        return ss__fail_file(err, self->source.file, SS_E_LIMIT,
                             "the pickle holds too many values for a state dict");
    }
    *out = ss__arena_alloc(&self->arena, n_bytes);
    return *out == NULL ? ss__fail_nomem(err, "a value") : SS_OK;
}

ss_status ss_weights_pickle_new(struct ss_weights_pickle *self, ss_weights_pickle_kind kind,
                                node **out, ss_err *err)
{
    void *memory = NULL;
    const ss_status status = ss_weights_pickle_alloc(self, sizeof **out, &memory, err);
    *out = memory;
    if (status != SS_OK) {
        return status;
    }
    (*out)->kind = kind;
    return SS_OK;
}

ss_status ss_weights_pickle_push(struct ss_weights_pickle *self, node *value, ss_err *err)
{
    SS_GROW_OR_RETURN(self->stack, self->stack_capacity, self->n_stack + 1);
    self->stack[self->n_stack++] = value;
    return SS_OK;
}

ss_status ss_weights_pickle_push_new(struct ss_weights_pickle *self,
                                     ss_weights_pickle_kind kind, node **out, ss_err *err)
{
    const ss_status status = ss_weights_pickle_new(self, kind, out, err);
    return status == SS_OK ? ss_weights_pickle_push(self, *out, err) : status;
}

/* What an opcode may take: nothing below the last mark, which belongs to another container. */
size_t ss_weights_pickle_n_above(const struct ss_weights_pickle *self)
{
    return self->n_stack - (self->n_marks == 0 ? 0 : self->marks[self->n_marks - 1]);
}

ss_status ss_weights_pickle_pop(struct ss_weights_pickle *self, node **out, ss_err *err)
{
    if (ss_weights_pickle_n_above(self) == 0) {
        return ss_weights_pickle_bad(self, "a value is missing on the stack", err);
    }
    *out = self->stack[--self->n_stack];
    return SS_OK;
}

/* The items stay where they are above the new height: they are valid until something is pushed,
 * so callers build their container first and push it then. */
ss_status ss_weights_pickle_pop_mark(struct ss_weights_pickle *self, node ***items, size_t *n,
                                     ss_err *err)
{
    if (self->n_marks == 0) {
        return ss_weights_pickle_bad(self, "a mark is missing", err);
    }
    const size_t height = self->marks[--self->n_marks];
    *n = self->n_stack - height;
    *items = *n == 0 ? NULL : self->stack + height;
    self->n_stack = height;
    return SS_OK;
}

ss_status ss_weights_pickle_need_top(const struct ss_weights_pickle *self,
                                     ss_weights_pickle_kind kind, node **out, ss_err *err)
{
    if (ss_weights_pickle_n_above(self) == 0 || self->stack[self->n_stack - 1]->kind != kind) {
        return ss_weights_pickle_bad(self, "items are added to what can not hold them", err);
    }
    *out = self->stack[self->n_stack - 1];
    return SS_OK;
}

/* Containers double within the arena; the old arrays stay there, which at most doubles their
 * memory. The depth of what a container holds is noted, so that a later walk may recurse. */
ss_status ss_weights_pickle_add_items(struct ss_weights_pickle *self, node *to,
                                      node *const *items, size_t n, ss_err *err)
{
    if (n > to->capacity - to->n) {
        const size_t capacity = ss__max_size(to->n + n, (size_t)to->n * 2);
        void *grown = NULL;
        const ss_status status =
            ss_weights_pickle_alloc(self, capacity * sizeof(node *), &grown, err);
        if (status != SS_OK) {
            return status;
        }
        if (to->n > 0) {
            memcpy(grown, to->as.items, to->n * sizeof(node *));
        }
        to->as.items = grown;
        to->capacity = (uint32_t)capacity;
    }
    for (size_t i = 0; i < n; i++) {
        to->as.items[to->n++] = items[i];
        if (items[i]->depth + 1 > to->depth) {
            to->depth = items[i]->depth + 1;
        }
    }
    return to->depth <= MAX_DEPTH
               ? SS_OK
               : ss_weights_pickle_bad(self, "values are nested too deeply", err);
}

/* What Python refuses as a key of a dictionary. */
static bool is_hashable(const node *value)
{
    return value->kind != SS_WEIGHTS_PICKLE_LIST && value->kind != SS_WEIGHTS_PICKLE_DICT &&
           value->kind != SS_WEIGHTS_PICKLE_STORAGE;
}

ss_status ss_weights_pickle_add_entries(struct ss_weights_pickle *self, node *to,
                                        node *const *items, size_t n, ss_err *err)
{
    if (n % 2 != 0) {
        return ss_weights_pickle_bad(self, "a key has no value", err);
    }
    for (size_t i = 0; i < n; i += 2) {
        if (!is_hashable(items[i])) {
            return ss_weights_pickle_bad(self, "a key is of a kind that can not be one", err);
        }
    }
    return ss_weights_pickle_add_items(self, to, items, n, err);
}

/* ---- looking at values ---- */

/* Lengths first: a text of a pickle may hold NUL. */
bool ss_weights_pickle_is_text(const node *value, const char *text)
{
    return value->kind == SS_WEIGHTS_PICKLE_TEXT && value->n == strlen(text) &&
           memcmp(value->as.text, text, value->n) == 0;
}

/* The first of equal keys, where Python would keep the last: nobody writes a key twice. */
const node *ss_weights_pickle_get(const node *dict, const char *key)
{
    for (uint32_t i = 0; dict->kind == SS_WEIGHTS_PICKLE_DICT && i < dict->n; i += 2) {
        if (ss_weights_pickle_is_text(dict->as.items[i], key)) {
            return dict->as.items[i + 1];
        }
    }
    return NULL;
}
