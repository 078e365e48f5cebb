/* From the tree of a pickle to named tensors: keys on the way are joined by '/', items of lists
 * count from 0, and a lone tensor is called "tensor". Plain values become metadata strings of
 * such names. What is there and cannot be given as a string is noted as unreadable, so that it
 * is never taken for absent; None is absent.
 *
 * A tree of a hostile file may hold one value a million times, or itself: visits, levels, the
 * bytes of names and of copies are all bounded. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "weights/pickle_priv.h"

enum {
    MAX_LEVELS = 64,
    MAX_VISITS = 1000000,
    MAX_NAMES_BYTES = 16 << 20,
    MAX_VALUES = 16384,   /* that are kept; a config has a hundred */
    MAX_LIST_VALUES = 64, /* of a list whose values are kept; longer ones are histories */
    MAX_TEXT_BYTES = 1024,
    WHAT_BYTES = 128
};

typedef struct ss_weights_pickle_node node;

/* The way through the tree; `name` is that of the value that is looked at, longer by a key on
 * each level. */
struct walk {
    const struct ss_weights_pickle *pickle;
    struct ss_weights *weights;
    struct ss__buf name;
    size_t n_visits;
    uint64_t n_copied; /* bytes of arrays */
    bool swaps;
};

/* ---- plain values ---- */

/* A plain value as text; false for other kinds. */
static bool add_value_text(struct ss__buf *buf, const node *value)
{
    switch (value->kind) {
    case SS_WEIGHTS_PICKLE_INT:
        ss__buf_printf(buf, "%lld", (long long)value->as.integer);
        return true;
    case SS_WEIGHTS_PICKLE_FLOAT:
        ss__buf_printf(buf, "%.17g", value->as.number);
        return true;
    case SS_WEIGHTS_PICKLE_BOOL:
        ss__buf_add_text(buf, value->as.integer != 0 ? "true" : "false");
        return true;
    case SS_WEIGHTS_PICKLE_TEXT:
        ss__buf_add(buf, value->as.text, value->n);
        return value->n <= MAX_TEXT_BYTES && memchr(value->as.text, '\0', value->n) == NULL;
    case SS_WEIGHTS_PICKLE_GLOBAL:
        ss__buf_printf(buf, "%s.%s", value->as.global->module, value->as.global->name);
        return true;
    default:
        return false;
    }
}

/* What a value is that has no text. */
static void describe_value(const node *value, char out[WHAT_BYTES])
{
    const unsigned n = (unsigned)value->n;
    switch (value->kind) {
    case SS_WEIGHTS_PICKLE_BIG_INT:
        (void)snprintf(out, WHAT_BYTES, "a whole number beyond 64 bits");
        break;
    case SS_WEIGHTS_PICKLE_TEXT:
        (void)snprintf(out, WHAT_BYTES, "a text of %u bytes", n);
        break;
    case SS_WEIGHTS_PICKLE_BYTES:
        (void)snprintf(out, WHAT_BYTES, "%u bytes", n);
        break;
    case SS_WEIGHTS_PICKLE_DICT:
        (void)snprintf(out, WHAT_BYTES, "a dictionary of %u entries", n / 2);
        break;
    case SS_WEIGHTS_PICKLE_LIST:
    case SS_WEIGHTS_PICKLE_TUPLE:
        (void)snprintf(out, WHAT_BYTES, "a list of %u values", n);
        break;
    case SS_WEIGHTS_PICKLE_OPAQUE:
        (void)snprintf(out, WHAT_BYTES, "an object (%.100s)",
                       value->as.text == NULL ? "a set" : value->as.text);
        break;
    default:
        (void)snprintf(out, WHAT_BYTES, "no plain value");
        break;
    }
}

/* Keep a text under the name, or note that there is something without one. */
static ss_status keep_value(struct walk *walk, const char *text, size_t n_text,
                            bool is_unreadable, ss_err *err)
{
    struct ss_weights *weights = walk->weights;
    const size_t n_name = walk->name.n_bytes;
    if (n_name == 0 || memchr(walk->name.data, '\0', n_name) != NULL) {
        return SS_OK; /* no key that anybody asks for */
    }
    if (weights->n_metadata >= MAX_VALUES || weights->arena.n_bytes > MAX_NAMES_BYTES) {
        weights->lacks_plain_values = true;
        return SS_OK;
    }
    const char *key = ss__arena_strndup(&weights->arena, walk->name.data, n_name);
    const char *copy = ss__arena_strndup(&weights->arena, text, n_text);
    if (key == NULL || copy == NULL) {
        return ss__fail_nomem(err, "a value");
    }
    return is_unreadable ? ss_weights_add_unreadable(weights, key, copy, err)
                         : ss_weights_add_metadata(weights, key, copy, err);
}

static ss_status add_value(struct walk *walk, const node *value, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    char what[WHAT_BYTES];
    if (value->kind == SS_WEIGHTS_PICKLE_NONE) {
        return SS_OK;
    }
    if (!add_value_text(&text, value)) {
        describe_value(value, what);
        status = keep_value(walk, what, strlen(what), true, err);
        goto out;
    }
    SS_TRY(ss__buf_check(&text, err));
    SS_TRY(keep_value(walk, text.data == NULL ? "" : text.data, text.n_bytes, false, err));
out:
    ss__buf_release(&text);
    return status;
}

/* ---- tensors ---- */

bool ss_weights_tensor_as_value(const struct ss_weights_tensor *tensor, node *out)
{
    uint64_t bits = 0;
    const size_t n_bytes = ss_weights_dtype_bytes(tensor->dtype);
    float number = 0;
    *out = (node){.kind = SS_WEIGHTS_PICKLE_INT};
    if (tensor->n_elements != 1 || n_bytes == 0 || n_bytes > sizeof bits) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const size_t place = tensor->swaps ? i : n_bytes - 1 - i;
        bits = bits << 8 | ((const uint8_t *)tensor->data)[place];
    }
    switch (tensor->dtype) {
    case SS_WEIGHTS_BOOL:
        out->kind = SS_WEIGHTS_PICKLE_BOOL;
        out->as.integer = bits != 0;
        return true;
    case SS_WEIGHTS_U8:
    case SS_WEIGHTS_U16:
    case SS_WEIGHTS_U32:
    case SS_WEIGHTS_U64:
        out->as.integer = (int64_t)bits;
        return bits <= INT64_MAX;
    case SS_WEIGHTS_I8:
    case SS_WEIGHTS_I16:
    case SS_WEIGHTS_I32:
    case SS_WEIGHTS_I64:
        bits <<= 64 - 8 * n_bytes; /* and back, with copies of the sign */
        memcpy(&out->as.integer, &bits, sizeof bits);
        out->as.integer >>= 64 - 8 * n_bytes;
        return true;
    case SS_WEIGHTS_F64:
        out->kind = SS_WEIGHTS_PICKLE_FLOAT;
        memcpy(&out->as.number, &bits, sizeof bits);
        return true;
    default:
        out->kind = SS_WEIGHTS_PICKLE_FLOAT;
        if (ss_weights_tensor_to_f32(tensor, &number, NULL) != SS_OK) {
            return false;
        }
        out->as.number = (double)number;
        return true;
    }
}

/* The bytes of an array in memory that stays with the container: those of the file, or a copy.
 * Many arrays may be made of the same bytes, so the sum of copies is bounded. */
static ss_status keep_bytes(struct walk *walk, const struct ss_weights_pickle_storage *storage,
                            const void **out, ss_err *err)
{
    struct ss_weights *weights = walk->weights;
    const struct ss_source_bytes *source = &weights->source;
    uint8_t *copy = NULL;
    if (storage->data >= source->data && storage->data < source->data + source->n_bytes) {
        return SS_OK;
    }
    walk->n_copied += storage->n_bytes;
    if (walk->n_copied > SS_WEIGHTS_OVERHEAD_BYTES / 2 + source->n_bytes) {
        return ss__fail_file(err, source->file, SS_E_LIMIT,
                             "its numpy arrays hold more bytes than the file has");
    }
    SS_GROW_OR_RETURN(weights->inflated, weights->inflated_capacity, weights->n_inflated + 1);
    SS_ALLOC_ALIGNED_OR_RETURN(copy, ss__max_size((size_t)storage->n_bytes, 1));
    weights->inflated[weights->n_inflated++] = copy;
    if (storage->n_bytes > 0) {
        memcpy(copy, storage->data, (size_t)storage->n_bytes);
    }
    *out = copy;
    return SS_OK;
}

/* A view into the file, under its name. Tensors of one number are plain values, too: k or a
 * threshold are stored either way. */
static ss_status add_tensor(struct walk *walk, const struct ss_weights_pickle_tensor *tensor,
                            ss_err *err)
{
    struct ss_weights *weights = walk->weights;
    const size_t n_name = walk->name.n_bytes;
    struct ss_weights_tensor view = tensor->view;
    node value = {0};
    if (weights->arena.n_bytes > MAX_NAMES_BYTES) {
        return ss__fail_file(err, weights->source.file, SS_E_LIMIT,
                             "the names of its tensors are too long");
    }
    if (n_name > 0 && memchr(walk->name.data, '\0', n_name) != NULL) {
        return ss__fail_file(err, weights->source.file, SS_E_DATA,
                             "the name of a tensor holds a NUL");
    }
    view.name =
        n_name == 0 ? "tensor" : ss__arena_strndup(&weights->arena, walk->name.data, n_name);
    if (view.name == NULL) {
        return ss__fail_nomem(err, "a name");
    }
    const size_t n_bytes = ss_weights_dtype_bytes(view.dtype);
    view.swaps = tensor->has_byte_order ? view.swaps : walk->swaps && n_bytes > 1;
    view.data = tensor->storage->data + tensor->offset * n_bytes;
    if (tensor->storage->is_temporary) {
        SS_RETURN_IF_ERROR(keep_bytes(walk, tensor->storage, &view.data, err));
    }
    SS_RETURN_IF_ERROR(ss_weights_add(weights, &view, err));
    if (ss_weights_tensor_as_value(&view, &value)) {
        SS_RETURN_IF_ERROR(add_value(walk, &value, err));
    }
    return SS_OK;
}

/* ---- the tree ---- */

/* Append a key to the name; false if it is of a kind that names nothing. */
static bool add_key(struct ss__buf *name, const node *key)
{
    if (key->kind != SS_WEIGHTS_PICKLE_TEXT && key->kind != SS_WEIGHTS_PICKLE_INT) {
        return false;
    }
    if (name->n_bytes > 0) {
        ss__buf_add_byte(name, '/');
    }
    if (key->kind == SS_WEIGHTS_PICKLE_TEXT) {
        ss__buf_add(name, key->as.text, key->n);
    } else {
        ss__buf_printf(name, "%lld", (long long)key->as.integer);
    }
    return true;
}

static bool is_container(const node *value)
{
    return value->kind == SS_WEIGHTS_PICKLE_DICT || value->kind == SS_WEIGHTS_PICKLE_LIST ||
           value->kind == SS_WEIGHTS_PICKLE_TUPLE;
}

static bool is_plain(const node *value)
{
    return value->kind != SS_WEIGHTS_PICKLE_TENSOR && !is_container(value);
}

static ss_status walk_value(struct walk *walk, const node *value, size_t level, ss_err *err);

/* Tensors of a long list are kept, its plain values are not: those are histories of losses. */
static ss_status walk_items(struct walk *walk, const node *value, size_t level, ss_err *err)
{
    const size_t n_name = walk->name.n_bytes;
    const uint32_t stride = value->kind == SS_WEIGHTS_PICKLE_DICT ? 2 : 1;
    const bool keeps_values = stride == 2 || value->n <= MAX_LIST_VALUES;
    for (uint32_t i = 0; i < value->n; i += stride) {
        const node index = {.kind = SS_WEIGHTS_PICKLE_INT, .as.integer = i};
        const node *item = value->as.items[i + stride - 1];
        if (++walk->n_visits > MAX_VISITS) {
            return ss__fail_file(err, walk->weights->source.file, SS_E_LIMIT,
                                 "the state dict holds more than %d values", MAX_VISITS);
        }
        if (!keeps_values && is_plain(item)) {
            continue;
        }
        if (add_key(&walk->name, stride == 2 ? value->as.items[i] : &index)) {
            SS_RETURN_IF_ERROR(ss__buf_check(&walk->name, err));
            SS_RETURN_IF_ERROR(walk_value(walk, item, level, err));
        }
        walk->name.n_bytes = n_name;
    }
    return SS_OK;
}

static ss_status walk_value(struct walk *walk, const node *value, size_t level, ss_err *err)
{
    if (value->kind == SS_WEIGHTS_PICKLE_TENSOR) {
        return add_tensor(walk, value->as.tensor, err);
    }
    SS_RETURN_IF_ERROR(add_value(walk, value, err));
    if (!is_container(value)) {
        return SS_OK;
    }
    if (level == MAX_LEVELS) {
        return ss__fail_file(err, walk->weights->source.file, SS_E_LIMIT,
                             "the state dict is nested more than %d levels deep, or holds "
                             "itself",
                             MAX_LEVELS);
    }
    return walk_items(walk, value, level + 1, err);
}

ss_status ss_weights_pickle_add_tensors(const struct ss_weights_pickle *self, bool swaps,
                                        struct ss_weights *weights, ss_err *err)
{
    ss_status status = SS_OK;
    struct walk walk = {.pickle = self, .weights = weights, .swaps = swaps};
    weights->has_plain_values = true;
    SS_TRY(walk_value(&walk, self->root, 0, err));
    if (weights->n == 0) {
        SS_FAIL_FILE(weights->source.file, SS_E_DATA,
                     "holds no tensors; expected a state dict of them");
    }
out:
    ss__buf_release(&walk.name);
    return status;
}
