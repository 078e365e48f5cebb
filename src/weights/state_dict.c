/* From the tree of a pickle to named tensors: keys on the way are joined by '/', items of lists
 * count from 0, and a lone tensor is called "tensor". Plain values become metadata strings of
 * such names; the rest is passed over. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "weights/pickle_priv.h"

enum {
    MAX_LEVELS = 64,
    MAX_VISITS = 1000000,
    MAX_NAMES_BYTES = 16 << 20,
    MAX_VALUES = 4096, /* plain ones that are kept; a config has a hundred */
    MAX_TEXT_BYTES = 1024
};

typedef struct ss__pickle_node node;

struct walk {
    const struct ss__pickle *pickle;
    struct ss__weights *weights;
    struct ss__buf name;
    size_t n_visits;
    bool swaps;
};

static ss_status add_tensor(struct walk *walk, const struct ss__pickle_tensor *tensor,
                            ss_err *err)
{
    struct ss__weights *weights = walk->weights;
    const size_t n_name = walk->name.n_bytes;
    struct ss__tensor view = tensor->view;
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
    const size_t n_bytes = ss__dtype_bytes(view.dtype);
    view.swaps = walk->swaps && n_bytes > 1;
    view.data = tensor->storage->data + tensor->offset * n_bytes;
    return ss__weights_add(weights, &view, err);
}

/* A plain value as text; false for other kinds. */
static bool add_value_text(struct ss__buf *buf, const node *value)
{
    switch (value->kind) {
    case SS__PICKLE_INT:
        ss__buf_printf(buf, "%lld", (long long)value->as.integer);
        return true;
    case SS__PICKLE_FLOAT:
        ss__buf_printf(buf, "%.17g", value->as.number);
        return true;
    case SS__PICKLE_BOOL:
        ss__buf_add_text(buf, value->as.integer != 0 ? "true" : "false");
        return true;
    case SS__PICKLE_TEXT:
        ss__buf_add(buf, value->as.text, value->n);
        return value->n <= MAX_TEXT_BYTES && memchr(value->as.text, '\0', value->n) == NULL;
    default:
        return false;
    }
}

/* Keep a plain value under its name. What cannot be kept is no fault of the file. */
static ss_status add_value(struct walk *walk, const node *value, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__weights *weights = walk->weights;
    struct ss__buf text = {0};
    const size_t n_name = walk->name.n_bytes;
    if (n_name == 0 || weights->n_metadata >= MAX_VALUES ||
        weights->arena.n_bytes > MAX_NAMES_BYTES ||
        memchr(walk->name.data, '\0', n_name) != NULL || !add_value_text(&text, value)) {
        goto out;
    }
    SS_TRY(ss__buf_check(&text, err));
    const char *key = ss__arena_strndup(&weights->arena, walk->name.data, n_name);
    const char *copy =
        ss__arena_strndup(&weights->arena, text.data == NULL ? "" : text.data, text.n_bytes);
    if (key == NULL || copy == NULL) {
        status = ss__fail_nomem(err, "a value");
        goto out;
    }
    SS_TRY(ss__weights_add_metadata(weights, key, copy, err));
out:
    ss__buf_release(&text);
    return status;
}

/* Append a key to the name; false if it is of a kind that names nothing. */
static bool add_key(struct ss__buf *name, const node *key)
{
    if (key->kind != SS__PICKLE_TEXT && key->kind != SS__PICKLE_INT) {
        return false;
    }
    if (name->n_bytes > 0) {
        ss__buf_add_byte(name, '/');
    }
    if (key->kind == SS__PICKLE_TEXT) {
        ss__buf_add(name, key->as.text, key->n);
    } else {
        ss__buf_printf(name, "%lld", (long long)key->as.integer);
    }
    return true;
}

static ss_status walk_value(struct walk *walk, const node *value, size_t level, ss_err *err);

static ss_status walk_items(struct walk *walk, const node *value, size_t level, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_name = walk->name.n_bytes;
    const uint32_t stride = value->kind == SS__PICKLE_DICT ? 2 : 1;
    for (uint32_t i = 0; i < value->n; i += stride) {
        const node index = {.kind = SS__PICKLE_INT, .as.integer = i};
        const node *item = value->as.items[i + stride - 1];
        if (++walk->n_visits > MAX_VISITS) {
            SS_FAIL_FILE(walk->weights->source.file, SS_E_LIMIT,
                         "the state dict holds more than %d values", MAX_VISITS);
        }
        if (add_key(&walk->name, stride == 2 ? value->as.items[i] : &index)) {
            SS_TRY(ss__buf_check(&walk->name, err));
            SS_TRY(walk_value(walk, item, level, err));
        }
        walk->name.n_bytes = n_name;
    }
out:
    return status;
}

static ss_status walk_value(struct walk *walk, const node *value, size_t level, ss_err *err)
{
    if (value->kind == SS__PICKLE_TENSOR) {
        return add_tensor(walk, value->as.tensor, err);
    }
    if (value->kind != SS__PICKLE_DICT && value->kind != SS__PICKLE_LIST &&
        value->kind != SS__PICKLE_TUPLE) {
        return add_value(walk, value, err);
    }
    if (level == MAX_LEVELS) {
        return ss__fail_file(err, walk->weights->source.file, SS_E_LIMIT,
                             "the state dict is nested more than %d levels deep, or holds "
                             "itself",
                             MAX_LEVELS);
    }
    return walk_items(walk, value, level + 1, err);
}

ss_status ss__pickle_add_tensors(const struct ss__pickle *self, bool swaps,
                                 struct ss__weights *weights, ss_err *err)
{
    ss_status status = SS_OK;
    struct walk walk = {.pickle = self, .weights = weights, .swaps = swaps};
    SS_TRY(walk_value(&walk, self->root, 0, err));
    if (weights->n == 0) {
        SS_FAIL_FILE(weights->source.file, SS_E_DATA,
                     "holds no tensors; expected a state dict of them");
    }
out:
    ss__buf_release(&walk.name);
    return status;
}
