/* An inert reader of pickles: it builds a tree of values and never calls anything. The machine
 * is in pickle.c, the names that a pickle may have are in pickle_names.c, what those of torch
 * and numpy mean in pickle_torch.c and pickle_numpy.c.
 *
 * Every node, and all that nodes point to, is in the arena of one reading, or a view of the
 * file's bytes; nothing of it outlives ss_weights_pickle_release but what is copied into a
 * container (state_dict.c). All functions are called by the one thread that opens a file;
 * errors are SS_E_DATA with the pickle's byte, SS_E_UNSUPPORTED, SS_E_LIMIT and SS_E_NOMEM. */
#ifndef SS_WEIGHTS_PICKLE_PRIV_H
#define SS_WEIGHTS_PICKLE_PRIV_H

#include "weights/weights_priv.h"

typedef enum ss_weights_pickle_kind {
    SS_WEIGHTS_PICKLE_NONE,
    SS_WEIGHTS_PICKLE_BOOL,
    SS_WEIGHTS_PICKLE_INT,
    SS_WEIGHTS_PICKLE_BIG_INT, /* beyond 64 bits, as its little-endian bytes */
    SS_WEIGHTS_PICKLE_FLOAT,
    SS_WEIGHTS_PICKLE_TEXT,
    SS_WEIGHTS_PICKLE_BYTES,
    SS_WEIGHTS_PICKLE_TUPLE,
    SS_WEIGHTS_PICKLE_LIST,
    SS_WEIGHTS_PICKLE_DICT,
    SS_WEIGHTS_PICKLE_GLOBAL,
    SS_WEIGHTS_PICKLE_STORAGE,
    SS_WEIGHTS_PICKLE_TENSOR,
    SS_WEIGHTS_PICKLE_NUMPY_DTYPE,
    SS_WEIGHTS_PICKLE_NUMPY_ARRAY, /* until its state is given; then a tensor */
    SS_WEIGHTS_PICKLE_OPAQUE /* an object whose content is not read; as.text says what, or NULL
                              */
} ss_weights_pickle_kind;

/* Numbers of a storage, in a record of its own. */
struct ss_weights_pickle_storage {
    const char *key; /* n_key bytes of the pickle */
    size_t n_key;
    ss_weights_dtype dtype;
    bool is_untyped; /* counts bytes; the tensor says the type */
    uint64_t n_elements, n_bytes;
    const uint8_t *data; /* NULL until the record is found */
    bool is_temporary;   /* data is in the pickle's arena */
};

/* A tensor over a storage, before the storage's bytes are known. */
struct ss_weights_pickle_tensor {
    const struct ss_weights_pickle_storage *storage;
    uint64_t offset; /* in elements */
    struct ss_weights_tensor view;
    bool has_byte_order; /* `view.swaps` holds, whatever the file's byte order is */
};

enum { SS_WEIGHTS_NUMPY_DESCR_BYTES = 24 };
/* A numpy dtype as in an .npy header: byte order, then kind and size. */
struct ss_weights_numpy_dtype {
    char descr[SS_WEIGHTS_NUMPY_DESCR_BYTES];
};

struct ss_weights_pickle;
struct ss_weights_pickle_node;

/* The effect of calling a name with a tuple of arguments. */
typedef ss_status ss_weights_pickle_call_fn(struct ss_weights_pickle *self,
                                            struct ss_weights_pickle_node *arguments,
                                            struct ss_weights_pickle_node **out, ss_err *err);

typedef enum ss_weights_pickle_role {
    SS_WEIGHTS_ROLE_CLASS, /* a class; calling it gives an object whose content is not read */
    SS_WEIGHTS_ROLE_NAMESPACE, /* a class whose objects are their attributes */
    SS_WEIGHTS_ROLE_CALL,      /* a function with an effect of its own */
    SS_WEIGHTS_ROLE_STORAGE,
    SS_WEIGHTS_ROLE_UNTYPED_STORAGE,
    SS_WEIGHTS_ROLE_DTYPE
} ss_weights_pickle_role;

/* A row of the allow-list. */
struct ss_weights_pickle_global {
    const char *module, *name;
    ss_weights_pickle_role role;
    ss_weights_dtype dtype;
    ss_weights_pickle_call_fn *call;
};

/* A value. Which member of `as` holds follows from the kind. */
struct ss_weights_pickle_node {
    ss_weights_pickle_kind kind;
    uint32_t depth; /* of what it holds */
    uint32_t n;     /* items; a dictionary has two per entry; bytes of a text */
    uint32_t capacity;
    bool takes_state; /* a dictionary of the attributes that BUILD gives */
    union {
        int64_t integer;
        double number;
        const char *text;
        struct ss_weights_pickle_node **items;
        const struct ss_weights_pickle_global *global;
        struct ss_weights_pickle_storage *storage;
        struct ss_weights_pickle_tensor *tensor;
        struct ss_weights_numpy_dtype *numpy;
    } as;
};

/* The machine while it reads. */
struct ss_weights_pickle {
    struct ss_source_bytes source; /* the pickle's bytes and what follows */
    size_t at;
    struct ss__arena arena;
    struct ss_weights_pickle_node **stack;
    size_t n_stack, stack_capacity;
    size_t *marks; /* heights of the stack */
    size_t n_marks, marks_capacity;
    struct ss_weights_pickle_node **memo;
    size_t n_memo, memo_capacity;
    struct ss_weights_pickle_storage **storages; /* one per mention */
    size_t n_storages, storages_capacity;
    uint64_t n_file_bytes; /* of the whole file, which bounds memory */
    const struct ss_weights_pickle_node *root;
};

/* Read one pickle of protocol 2 to 5 from the start of the bytes; self->at is where it ended.
 * Refused: unknown opcodes and names, more than a million opcodes, depth above 1000, anything
 * that the values' kinds do not allow. Release after success and failure. */
SS_MUST_USE ss_status ss_weights_pickle_read(struct ss_weights_pickle *self,
                                             const struct ss_source_bytes *source, ss_err *err);
void ss_weights_pickle_release(struct ss_weights_pickle *self);

bool ss_weights_pickle_is_text(const struct ss_weights_pickle_node *node, const char *text);
/* The value of a dictionary under a text key, or NULL. */
const struct ss_weights_pickle_node *
ss_weights_pickle_get(const struct ss_weights_pickle_node *dict, const char *key);

/* Add the tensors below the root to `weights`, as NAME/NAME for nested dictionaries, and plain
 * values beside them (whole and real numbers, true and false, short texts, and tensors of one
 * number) as metadata strings of such names; what else is there is noted as unreadable. `swaps`
 * says that the numbers are big-endian. Every storage must have its data. */
SS_MUST_USE ss_status ss_weights_pickle_add_tensors(const struct ss_weights_pickle *self,
                                                    bool swaps, struct ss_weights *weights,
                                                    ss_err *err);

/* ---- between the files of pickles ---- */

/* SS_E_DATA, "not a valid state dict: WHAT (pickle byte N)". */
ss_status ss_weights_pickle_bad(const struct ss_weights_pickle *self, const char *what,
                                ss_err *err);
/* Zeroed memory of the arena, within its limit. */
SS_MUST_USE ss_status ss_weights_pickle_alloc(struct ss_weights_pickle *self, size_t n_bytes,
                                              void **out, ss_err *err);
/* A node of a kind, otherwise zeroed: an empty container, a 0, no text. */
SS_MUST_USE ss_status ss_weights_pickle_new(struct ss_weights_pickle *self,
                                            ss_weights_pickle_kind kind,
                                            struct ss_weights_pickle_node **out, ss_err *err);

/* The next n bytes, or an error. */
SS_MUST_USE ss_status ss_weights_pickle_read_bytes(struct ss_weights_pickle *self, uint64_t n,
                                                   const uint8_t **out, ss_err *err);
SS_MUST_USE ss_status ss_weights_pickle_read_uint(struct ss_weights_pickle *self,
                                                  size_t n_bytes, uint64_t *out, ss_err *err);

/* The stack. Only values above the newest mark can be taken away. */
SS_MUST_USE ss_status ss_weights_pickle_push(struct ss_weights_pickle *self,
                                             struct ss_weights_pickle_node *value, ss_err *err);
SS_MUST_USE ss_status ss_weights_pickle_push_new(struct ss_weights_pickle *self,
                                                 ss_weights_pickle_kind kind,
                                                 struct ss_weights_pickle_node **out,
                                                 ss_err *err);
size_t ss_weights_pickle_n_above(const struct ss_weights_pickle *self);
SS_MUST_USE ss_status ss_weights_pickle_pop(struct ss_weights_pickle *self,
                                            struct ss_weights_pickle_node **out, ss_err *err);
/* The values above the newest mark, which goes; they stay readable until the next push. */
SS_MUST_USE ss_status ss_weights_pickle_pop_mark(struct ss_weights_pickle *self,
                                                 struct ss_weights_pickle_node ***items,
                                                 size_t *n, ss_err *err);
/* The top value, which must be of a kind. */
SS_MUST_USE ss_status ss_weights_pickle_need_top(const struct ss_weights_pickle *self,
                                                 ss_weights_pickle_kind kind,
                                                 struct ss_weights_pickle_node **out,
                                                 ss_err *err);

/* Append items to a tuple or list, or keys and values to a dictionary. */
SS_MUST_USE ss_status ss_weights_pickle_add_items(struct ss_weights_pickle *self,
                                                  struct ss_weights_pickle_node *to,
                                                  struct ss_weights_pickle_node *const *items,
                                                  size_t n, ss_err *err);
SS_MUST_USE ss_status ss_weights_pickle_add_entries(struct ss_weights_pickle *self,
                                                    struct ss_weights_pickle_node *to,
                                                    struct ss_weights_pickle_node *const *items,
                                                    size_t n, ss_err *err);
/* The allowed name, as a node; others are refused. */
SS_MUST_USE ss_status ss_weights_pickle_find_global(struct ss_weights_pickle *self,
                                                    struct ss_text module, struct ss_text name,
                                                    struct ss_weights_pickle_node **out,
                                                    ss_err *err);
/* Whether a value is an integer of 0 or more. */
bool ss_weights_pickle_is_count(const struct ss_weights_pickle_node *value);
/* Whether a call has as many arguments as the name's function takes, from `least` to `most`. */
SS_MUST_USE ss_status ss_weights_pickle_need_arguments(
    const struct ss_weights_pickle *self, const struct ss_weights_pickle_node *arguments,
    size_t least, size_t most, ss_err *err);
/* An object that is not read; `what` (static, or of the arena) says what it is. */
SS_MUST_USE ss_status ss_weights_pickle_opaque(struct ss_weights_pickle *self, const char *what,
                                               struct ss_weights_pickle_node **out,
                                               ss_err *err);
/* Give an object its state: attributes, a byte order, an array's content. Other objects have
 * none that is read. */
SS_MUST_USE ss_status ss_weights_pickle_set_state(struct ss_weights_pickle *self,
                                                  struct ss_weights_pickle_node *object,
                                                  const struct ss_weights_pickle_node *state,
                                                  ss_err *err);
SS_MUST_USE ss_status ss_weights_numpy_set_state(struct ss_weights_pickle *self,
                                                 struct ss_weights_pickle_node *object,
                                                 const struct ss_weights_pickle_node *state,
                                                 ss_err *err);
ss_weights_pickle_call_fn ss_weights_torch_rebuild_v1, ss_weights_torch_rebuild_v2,
    ss_weights_torch_rebuild_v3, ss_weights_torch_parameter, ss_weights_torch_from_type,
    ss_weights_torch_size;
ss_weights_pickle_call_fn ss_weights_numpy_dtype, ss_weights_numpy_scalar,
    ss_weights_numpy_array, ss_weights_numpy_frombuffer;

/* The one number of a tensor as a value of the kind BOOL, INT or FLOAT; false for types that
 * have none. */
bool ss_weights_tensor_as_value(const struct ss_weights_tensor *tensor,
                                struct ss_weights_pickle_node *out);

/* What calling `callable` with a tuple would give, by knowledge of its name. */
SS_MUST_USE ss_status ss_weights_pickle_reduce(struct ss_weights_pickle *self,
                                               const struct ss_weights_pickle_node *callable,
                                               struct ss_weights_pickle_node *arguments,
                                               struct ss_weights_pickle_node **out,
                                               ss_err *err);
/* The storage that a persistent id names. */
SS_MUST_USE ss_status ss_weights_pickle_load_persistent(struct ss_weights_pickle *self,
                                                        const struct ss_weights_pickle_node *id,
                                                        struct ss_weights_pickle_node **out,
                                                        ss_err *err);

#endif
