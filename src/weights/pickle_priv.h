/* An inert reader of pickles: it builds a tree of values and never calls anything. The machine
 * is in pickle.c, the names that a pickle may have are in pickle_names.c, what those of torch
 * and numpy mean in pickle_torch.c and pickle_numpy.c. */
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
    SS__PICKLE_NUMPY_DTYPE,
    SS__PICKLE_NUMPY_ARRAY, /* until its state is given; then a tensor */
    SS__PICKLE_OPAQUE /* an object whose content is not read; as.text says what, or NULL */
} ss__pickle_kind;

/* Numbers of a storage, in a record of its own. */
struct ss__pickle_storage {
    const char *key; /* n_key bytes of the pickle */
    size_t n_key;
    ss__dtype dtype;
    bool is_untyped; /* counts bytes; the tensor says the type */
    uint64_t n_elements, n_bytes;
    const uint8_t *data; /* NULL until the record is found */
    bool is_temporary;   /* data is in the pickle's arena */
};

struct ss__pickle_tensor {
    const struct ss__pickle_storage *storage;
    uint64_t offset; /* in elements */
    struct ss__tensor view;
    bool has_byte_order; /* `view.swaps` holds, whatever the file's byte order is */
};

enum { SS__NUMPY_DESCR_BYTES = 24 };
/* A numpy dtype as in an .npy header: byte order, then kind and size. */
struct ss__numpy_dtype {
    char descr[SS__NUMPY_DESCR_BYTES];
};

struct ss__pickle;
struct ss__pickle_node;

/* The effect of calling a name with a tuple of arguments. */
typedef ss_status ss__pickle_call_fn(struct ss__pickle *self, struct ss__pickle_node *arguments,
                                     struct ss__pickle_node **out, ss_err *err);

typedef enum ss__pickle_role {
    SS__ROLE_CLASS,     /* a class; calling it gives an object whose content is not read */
    SS__ROLE_NAMESPACE, /* a class whose objects are their attributes */
    SS__ROLE_CALL,      /* a function with an effect of its own */
    SS__ROLE_STORAGE,
    SS__ROLE_UNTYPED_STORAGE,
    SS__ROLE_DTYPE
} ss__pickle_role;

/* A row of the allow-list. */
struct ss__pickle_global {
    const char *module, *name;
    ss__pickle_role role;
    ss__dtype dtype;
    ss__pickle_call_fn *call;
};

struct ss__pickle_node {
    ss__pickle_kind kind;
    uint32_t depth; /* of what it holds */
    uint32_t n;     /* items; a dictionary has two per entry; bytes of a text */
    uint32_t n_room;
    bool takes_state; /* a dictionary of the attributes that BUILD gives */
    union {
        int64_t integer;
        double number;
        const char *text;
        struct ss__pickle_node **items;
        const struct ss__pickle_global *global;
        struct ss__pickle_storage *storage;
        struct ss__pickle_tensor *tensor;
        struct ss__numpy_dtype *numpy;
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
 * values beside them (whole and real numbers, true and false, short texts, and tensors of one
 * number) as metadata strings of such names; what else is there is noted as unreadable. `swaps`
 * says that the numbers are big-endian. Every storage must have its data. */
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
bool ss__pickle_is_count(const struct ss__pickle_node *value);
SS_MUST_USE ss_status ss__pickle_need_arguments(const struct ss__pickle *self,
                                                const struct ss__pickle_node *arguments,
                                                size_t least, size_t most, ss_err *err);
/* An object that is not read; `what` (static, or of the arena) says what it is. */
SS_MUST_USE ss_status ss__pickle_opaque(struct ss__pickle *self, const char *what,
                                        struct ss__pickle_node **out, ss_err *err);
/* Give an object its state: attributes, a byte order, an array's content. Other objects have
 * none that is read. */
SS_MUST_USE ss_status ss__pickle_set_state(struct ss__pickle *self,
                                           struct ss__pickle_node *object,
                                           const struct ss__pickle_node *state, ss_err *err);
SS_MUST_USE ss_status ss__numpy_set_state(struct ss__pickle *self,
                                          struct ss__pickle_node *object,
                                          const struct ss__pickle_node *state, ss_err *err);
ss__pickle_call_fn ss__torch_rebuild_v1, ss__torch_rebuild_v2, ss__torch_rebuild_v3,
    ss__torch_parameter, ss__torch_from_type, ss__torch_size;
ss__pickle_call_fn ss__numpy_dtype, ss__numpy_scalar, ss__numpy_array, ss__numpy_frombuffer;

/* The one number of a tensor as a value of the kind BOOL, INT or FLOAT; false for types that
 * have none. */
bool ss__tensor_as_value(const struct ss__tensor *tensor, struct ss__pickle_node *out);

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
