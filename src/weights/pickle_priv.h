/* An inert reader of pickles: it builds a tree of values and never calls anything. The machine
 * is in pickle.c; the few names of torch files that have a meaning are in pickle_torch.c. */
#ifndef SS_WEIGHTS_PICKLE_PRIV_H
#define SS_WEIGHTS_PICKLE_PRIV_H

#include "weights/weights_priv.h"

typedef enum ss__pickle_kind {
    SS__PICKLE_NONE,
    SS__PICKLE_BOOL,
    SS__PICKLE_INT,
    SS__PICKLE_BIG_INT, /* beyond 64 bits, as its little-endian bytes */
    SS__PICKLE_FLOAT,
    SS__PICKLE_TEXT,
    SS__PICKLE_BYTES,
    SS__PICKLE_TUPLE,
    SS__PICKLE_LIST,
    SS__PICKLE_DICT,
    SS__PICKLE_GLOBAL,
    SS__PICKLE_STORAGE,
    SS__PICKLE_TENSOR,
    SS__PICKLE_OPAQUE /* an object whose content does not matter */
} ss__pickle_kind;

/* Numbers of a storage, in a record of its own. */
struct ss__pickle_storage {
    const char *key; /* n_key bytes of the pickle */
    size_t n_key;
    ss__dtype dtype;
    bool is_untyped; /* counts bytes; the tensor says the type */
    uint64_t n_elements, n_bytes;
    const uint8_t *data; /* NULL until the record is found */
};

struct ss__pickle_tensor {
    const struct ss__pickle_storage *storage;
    uint64_t offset; /* in elements */
    struct ss__tensor view;
};

struct ss__pickle_global; /* a row of the allow-list */

struct ss__pickle_node {
    ss__pickle_kind kind;
    uint32_t depth; /* of what it holds */
    uint32_t n;     /* items; a dictionary has two per entry; bytes of a text */
    uint32_t n_room;
    union {
        int64_t integer;
        double number;
        const char *text;
        struct ss__pickle_node **items;
        const struct ss__pickle_global *global;
        struct ss__pickle_storage *storage;
        struct ss__pickle_tensor *tensor;
    } as;
};

struct ss__pickle {
    struct ss__source source; /* the pickle's bytes and what follows */
    size_t at;
    struct ss__arena arena;
    struct ss__pickle_node **stack;
    size_t n_stack, n_stack_room;
    size_t *marks; /* heights of the stack */
    size_t n_marks, n_marks_room;
    struct ss__pickle_node **memo;
    size_t n_memo, n_memo_room;
    struct ss__pickle_storage **storages; /* one per mention */
    size_t n_storages, n_storages_room;
    uint64_t n_file_bytes; /* of the whole file, which bounds memory */
    const struct ss__pickle_node *root;
};

/* Read one pickle of protocol 2 to 5 from the start of the bytes; self->at is where it ended.
 * Refused: unknown opcodes and names, more than a million opcodes, depth above 1000, anything
 * that the values' kinds do not allow. Release after success and failure. */
SS_MUST_USE ss_status ss__pickle_read(struct ss__pickle *self, const struct ss__source *source,
                                      ss_err *err);
void ss__pickle_release(struct ss__pickle *self);

bool ss__pickle_is_text(const struct ss__pickle_node *node, const char *text);
/* The value of a dictionary under a text key, or NULL. */
const struct ss__pickle_node *ss__pickle_get(const struct ss__pickle_node *dict,
                                             const char *key);

/* Add the tensors below the root to `weights`, as NAME/NAME for nested dictionaries, and plain
 * values beside them (whole and real numbers, true and false, short texts) as metadata strings
 * of such names, the first few thousand of them. `swaps` says that the numbers are big-endian.
 * Every storage must have its data. */
SS_MUST_USE ss_status ss__pickle_add_tensors(const struct ss__pickle *self, bool swaps,
                                             struct ss__weights *weights, ss_err *err);

/* ---- between the files of pickles ---- */

ss_status ss__pickle_bad(const struct ss__pickle *self, const char *what, ss_err *err);
/* Zeroed memory of the arena, within its limit. */
SS_MUST_USE ss_status ss__pickle_alloc(struct ss__pickle *self, size_t n_bytes, void **out,
                                       ss_err *err);
SS_MUST_USE ss_status ss__pickle_new(struct ss__pickle *self, ss__pickle_kind kind,
                                     struct ss__pickle_node **out, ss_err *err);

/* The next n bytes, or an error. */
SS_MUST_USE ss_status ss__pickle_take(struct ss__pickle *self, uint64_t n, const uint8_t **out,
                                      ss_err *err);
SS_MUST_USE ss_status ss__pickle_take_uint(struct ss__pickle *self, size_t n_bytes,
                                           uint64_t *out, ss_err *err);

/* The stack. Only values above the newest mark can be taken away. */
SS_MUST_USE ss_status ss__pickle_push(struct ss__pickle *self, struct ss__pickle_node *value,
                                      ss_err *err);
SS_MUST_USE ss_status ss__pickle_push_new(struct ss__pickle *self, ss__pickle_kind kind,
                                          struct ss__pickle_node **out, ss_err *err);
size_t ss__pickle_n_above(const struct ss__pickle *self);
SS_MUST_USE ss_status ss__pickle_pop(struct ss__pickle *self, struct ss__pickle_node **out,
                                     ss_err *err);
/* The values above the newest mark, which goes; they stay readable until the next push. */
SS_MUST_USE ss_status ss__pickle_pop_mark(struct ss__pickle *self,
                                          struct ss__pickle_node ***items, size_t *n,
                                          ss_err *err);
/* The top value, which must be of a kind. */
SS_MUST_USE ss_status ss__pickle_need_top(const struct ss__pickle *self, ss__pickle_kind kind,
                                          struct ss__pickle_node **out, ss_err *err);

/* Append items to a tuple or list, or keys and values to a dictionary. */
SS_MUST_USE ss_status ss__pickle_add_items(struct ss__pickle *self, struct ss__pickle_node *to,
                                           struct ss__pickle_node *const *items, size_t n,
                                           ss_err *err);
SS_MUST_USE ss_status ss__pickle_add_entries(struct ss__pickle *self,
                                             struct ss__pickle_node *to,
                                             struct ss__pickle_node *const *items, size_t n,
                                             ss_err *err);
/* The allowed name, as a node; others are refused. */
SS_MUST_USE ss_status ss__pickle_find_global(struct ss__pickle *self, struct ss_text module,
                                             struct ss_text name, struct ss__pickle_node **out,
                                             ss_err *err);
/* What calling `callable` with a tuple would give, by knowledge of its name. */
SS_MUST_USE ss_status ss__pickle_reduce(struct ss__pickle *self,
                                        const struct ss__pickle_node *callable,
                                        struct ss__pickle_node *arguments,
                                        struct ss__pickle_node **out, ss_err *err);
/* The storage that a persistent id names. */
SS_MUST_USE ss_status ss__pickle_load_persistent(struct ss__pickle *self,
                                                 const struct ss__pickle_node *id,
                                                 struct ss__pickle_node **out, ss_err *err);

#endif
