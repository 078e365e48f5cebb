/* numpy's scalars and arrays in a pickle, as values and tensors:
 *
 *   numpy.dtype('f8', …)                       and a state (version, '<' | '>' | '|', …)
 *   numpy._core.multiarray.scalar(dtype, bytes)
 *   numpy._core.multiarray._reconstruct(…)     and a state (version, shape, dtype, is_fortran,
 *                                              bytes)
 *   numpy._core.numeric._frombuffer(bytes, dtype, shape, order)
 *
 * numpy 1 has numpy.core for numpy._core. A structured or object dtype makes a value that is
 * not read. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "weights/pickle_priv.h"

typedef struct ss_weights_pickle_node node;

enum {
    STATE_ORDER = 1,
    STATE_NAMES = 3,
    UCS4_BYTES = 4,
    MAX_CODE_POINT = 0x10FFFF,
    LONG_DOUBLE_BYTES = 16
};

/* ---- dtypes ---- */

/* As the descr of an .npy header, whose table then tells the type; the byte order comes with
 * the state. */
ss_status ss_weights_numpy_dtype(struct ss_weights_pickle *self, node *arguments, node **out,
                                 ss_err *err)
{
    void *memory = NULL;
    const node *name = arguments->n == 0 ? NULL : arguments->as.items[0];
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_alloc(self, sizeof(struct ss_weights_numpy_dtype), &memory, err));
    struct ss_weights_numpy_dtype *dtype = memory;
    if (name != NULL && name->kind == SS_WEIGHTS_PICKLE_TEXT &&
        name->n + 2 < sizeof dtype->descr && memchr(name->as.text, '\0', name->n) == NULL) {
        (void)snprintf(dtype->descr, sizeof dtype->descr, "|%.*s", (int)name->n, name->as.text);
    } else {
        (void)snprintf(dtype->descr, sizeof dtype->descr, "|V");
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_NUMPY_DTYPE, out, err));
    (*out)->as.numpy = dtype;
    return SS_OK;
}

/* A dtype comes as "f8" and gets its order by its state, which has the names of fields, too, if
 * there are some. */
static void set_byte_order(struct ss_weights_numpy_dtype *dtype, const node *state)
{
    const node *order = state->n > STATE_ORDER ? state->as.items[STATE_ORDER] : NULL;
    if (order != NULL && order->kind == SS_WEIGHTS_PICKLE_TEXT && order->n == 1) {
        dtype->descr[0] = order->as.text[0];
    }
    if (state->n > STATE_NAMES &&
        state->as.items[STATE_NAMES]->kind != SS_WEIGHTS_PICKLE_NONE) {
        (void)snprintf(dtype->descr, sizeof dtype->descr, "|V"); /* of fields with names */
    }
}

/* The size in a descr such as "<U12"; 0 if there is none. */
static size_t size_of(const struct ss_weights_numpy_dtype *dtype)
{
    unsigned size = 0;
    return sscanf(dtype->descr + 2, "%6u", &size) == 1 ? size : 0;
}

/* ---- scalars ---- */

static ss_status push_text(struct ss_weights_pickle *self, const char *text, size_t n,
                           node **out, ss_err *err)
{
    if (ss__utf8_valid_prefix(text, n) != n || n > UINT32_MAX) {
        return ss_weights_pickle_opaque(self, "a numpy text that is not UTF-8", out, err);
    }
    const ss_status status = ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_TEXT, out, err);
    if (status == SS_OK) {
        (*out)->as.text = text;
        (*out)->n = (uint32_t)n;
    }
    return status;
}

static uint32_t load_ucs4(const uint8_t *from, bool is_big)
{
    uint32_t value = 0;
    for (size_t i = 0; i < UCS4_BYTES; i++) {
        value = value << 8 | from[is_big ? i : UCS4_BYTES - 1 - i];
    }
    return value;
}

/* Code points of four bytes; zeros fill the rest. */
static ss_status push_ucs4(struct ss_weights_pickle *self,
                           const struct ss_weights_numpy_dtype *dtype, const node *bytes,
                           node **out, ss_err *err)
{
    void *memory = NULL;
    size_t n = 0;
    const uint8_t *data = (const uint8_t *)bytes->as.text;
    SS_RETURN_IF_ERROR(ss_weights_pickle_alloc(self, (size_t)bytes->n + 1, &memory, err));
    for (uint32_t at = 0; at + UCS4_BYTES <= bytes->n; at += UCS4_BYTES) {
        const uint32_t code_point = load_ucs4(data + at, dtype->descr[0] == '>');
        if (code_point == 0) {
            break;
        }
        n += ss__utf8_encode(code_point > MAX_CODE_POINT ? SS__REPLACEMENT : code_point,
                             (char *)memory + n);
    }
    return push_text(self, memory, n, out, err);
}

/* Numbers of `dtype` in `bytes`, as a tensor without dimensions. False for other types. */
static bool view_number(const struct ss_weights_numpy_dtype *dtype, const node *bytes,
                        struct ss_weights_tensor *out)
{
    *out = (struct ss_weights_tensor){.n_elements = 1, .data = bytes->as.text};
    return ss_weights_npy_dtype(dtype->descr, strlen(dtype->descr), &out->dtype, &out->swaps) &&
           bytes->n == ss_weights_dtype_bytes(out->dtype);
}

/* long double, which numpy calls float128 ("f16"), is that of x86: this machine's own. */
static ss_status push_number(struct ss_weights_pickle *self,
                             const struct ss_weights_numpy_dtype *dtype, const node *bytes,
                             node **out, ss_err *err)
{
    struct ss_weights_tensor number;
    node value = {0};
    long double wide = 0;
    if (strcmp(dtype->descr, "<f16") == 0 && bytes->n == sizeof wide &&
        sizeof wide == LONG_DOUBLE_BYTES) {
        memcpy(&wide, bytes->as.text, sizeof wide);
        value.kind = SS_WEIGHTS_PICKLE_FLOAT;
        value.as.number = (double)wide;
    } else if (!view_number(dtype, bytes, &number) ||
               !ss_weights_tensor_as_value(&number, &value)) {
        return ss_weights_pickle_opaque(self, "a numpy scalar that is no plain number or text",
                                        out, err);
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, value.kind, out, err));
    **out = value;
    return SS_OK;
}

ss_status ss_weights_numpy_scalar(struct ss_weights_pickle *self, node *arguments, node **out,
                                  ss_err *err)
{
    node *const *items = arguments->as.items;
    if (arguments->n != 2 || items[0]->kind != SS_WEIGHTS_PICKLE_NUMPY_DTYPE) {
        return ss_weights_pickle_bad(self, "a numpy scalar is not made from a dtype", err);
    }
    const struct ss_weights_numpy_dtype *dtype = items[0]->as.numpy;
    if (items[1]->kind != SS_WEIGHTS_PICKLE_BYTES && items[1]->kind != SS_WEIGHTS_PICKLE_TEXT) {
        return ss_weights_pickle_opaque(self, "a numpy scalar of another object", out, err);
    }
    if (dtype->descr[1] == 'U' && size_of(dtype) * UCS4_BYTES == items[1]->n) {
        return push_ucs4(self, dtype, items[1], out, err);
    }
    if (dtype->descr[1] == 'S' && size_of(dtype) == items[1]->n) {
        return push_text(self, items[1]->as.text, items[1]->n, out, err);
    }
    return push_number(self, dtype, items[1], out, err);
}

/* ---- arrays ---- */

/* Sizes from the file: counted with a check for overflow, and compared with the bytes that are
 * there. */
static ss_status set_shape(const struct ss_weights_pickle *self, const node *shape,
                           bool is_fortran, struct ss_weights_tensor *view, ss_err *err)
{
    if (shape->kind != SS_WEIGHTS_PICKLE_TUPLE || shape->n > SS_WEIGHTS_MAX_DIMS) {
        return ss_weights_pickle_bad(
            self, "the shape of a numpy array is no tuple of at most 8", err);
    }
    view->n_dims = shape->n;
    for (size_t i = 0; i < shape->n; i++) {
        if (!ss_weights_pickle_is_count(shape->as.items[i])) {
            return ss_weights_pickle_bad(
                self, "a size of a numpy array is not a number of 0 or more", err);
        }
        view->shape[i] = (uint64_t)shape->as.items[i]->as.integer;
    }
    if (!ss_weights_tensor_set_row_major(view)) {
        return ss_weights_pickle_bad(self, "the shape of a numpy array is impossible", err);
    }
    if (is_fortran) {
        ss_weights_tensor_set_column_major(view);
    }
    return SS_OK;
}

/* Make `array` a tensor over `bytes`, or a value that is not read. */
static ss_status fill_array(struct ss_weights_pickle *self, node *array, const node *bytes,
                            const node *dtype, const node *shape, bool is_fortran, ss_err *err)
{
    void *memory = NULL, *storage_memory = NULL;
    struct ss_weights_tensor view = {0};
    uint64_t n_bytes = 0;
    if (dtype->kind != SS_WEIGHTS_PICKLE_NUMPY_DTYPE ||
        !ss_weights_npy_dtype(dtype->as.numpy->descr, strlen(dtype->as.numpy->descr),
                              &view.dtype, &view.swaps) ||
        (bytes->kind != SS_WEIGHTS_PICKLE_BYTES && bytes->kind != SS_WEIGHTS_PICKLE_TEXT)) {
        array->kind = SS_WEIGHTS_PICKLE_OPAQUE;
        array->as.text = "a numpy array that is not of numbers";
        return SS_OK;
    }
    view.dtype_name = ss_weights_dtype_name(view.dtype);
    SS_RETURN_IF_ERROR(set_shape(self, shape, is_fortran, &view, err));
    if (!ss__mul_u64(view.n_elements, ss_weights_dtype_bytes(view.dtype), &n_bytes) ||
        n_bytes != bytes->n) {
        return ss_weights_pickle_bad(self, "a numpy array has other bytes than its shape needs",
                                     err);
    }
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_alloc(self, sizeof(struct ss_weights_pickle_tensor), &memory, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_alloc(self, sizeof(struct ss_weights_pickle_storage),
                                               &storage_memory, err));
    struct ss_weights_pickle_storage *storage = storage_memory;
    *storage = (struct ss_weights_pickle_storage){.dtype = view.dtype,
                                                  .n_elements = view.n_elements,
                                                  .n_bytes = n_bytes,
                                                  .data = (const uint8_t *)bytes->as.text,
                                                  .is_temporary = true};
    struct ss_weights_pickle_tensor *tensor = memory;
    *tensor = (struct ss_weights_pickle_tensor){
        .storage = storage, .view = view, .has_byte_order = true};
    array->kind = SS_WEIGHTS_PICKLE_TENSOR;
    array->as.tensor = tensor;
    return SS_OK;
}

/* (ndarray, (0,), b'b'): an array without content, which its state gives. */
ss_status ss_weights_numpy_array(struct ss_weights_pickle *self, node *arguments, node **out,
                                 ss_err *err)
{
    const ss_status status = ss_weights_pickle_need_arguments(self, arguments, 3, 3, err);
    return status == SS_OK
               ? ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_NUMPY_ARRAY, out, err)
               : status;
}

ss_status ss_weights_numpy_frombuffer(struct ss_weights_pickle *self, node *arguments,
                                      node **out, ss_err *err)
{
    node *const *items = arguments->as.items;
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 4, 4, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_NUMPY_ARRAY, out, err));
    return fill_array(self, *out, items[0], items[1], items[2],
                      ss_weights_pickle_is_text(items[3], "F"), err);
}

/* A state is given to dtypes and to arrays; what else takes one is decided in
 * pickle_torch.c. */
ss_status ss_weights_numpy_set_state(struct ss_weights_pickle *self, node *object,
                                     const node *state, ss_err *err)
{
    if (state->kind != SS_WEIGHTS_PICKLE_TUPLE) {
        return ss_weights_pickle_bad(self, "the state of a numpy object is no tuple", err);
    }
    if (object->kind == SS_WEIGHTS_PICKLE_NUMPY_DTYPE) {
        set_byte_order(object->as.numpy, state);
        return SS_OK;
    }
    node *const *items = state->as.items;
    if (state->n != 5 || items[3]->kind != SS_WEIGHTS_PICKLE_BOOL) {
        return ss_weights_pickle_bad(self, "the state of a numpy array is not as expected",
                                     err);
    }
    return fill_array(self, object, items[4], items[2], items[1], items[3]->as.integer != 0,
                      err);
}
