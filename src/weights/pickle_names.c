/* The names that a pickle may have. A name that is not in the table is refused; one that is
 * there is never called either: what it would give is written as an effect on the tree of
 * values, here for Python's own and in pickle_torch.c and pickle_numpy.c. Names of Python 2 and
 * of protocol 2 stand beside the newer ones. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "weights/pickle_priv.h"

typedef struct ss_weights_pickle_node node;

/* A name for a message: printable and short. */
struct shown {
    char text[64];
};

static struct shown show(struct ss_text text)
{
    struct shown shown = {{0}};
    for (size_t i = 0; i < text.n_bytes && i + 1 < sizeof shown.text; i++) {
        const char byte = text.data[i];
        shown.text[i] = byte > 0x20 && byte < 0x7f ? byte : '?';
    }
    return shown;
}

/* ---- dictionaries ---- */

/* Each pair is a key and its value. */
static ss_status add_pairs(struct ss_weights_pickle *self, node *to, const node *pairs,
                           ss_err *err)
{
    for (uint32_t i = 0; i < pairs->n; i++) {
        const node *entry = pairs->as.items[i];
        if ((entry->kind != SS_WEIGHTS_PICKLE_TUPLE && entry->kind != SS_WEIGHTS_PICKLE_LIST) ||
            entry->n != 2) {
            return ss_weights_pickle_bad(self, "a dictionary is not made from pairs", err);
        }
        SS_RETURN_IF_ERROR(ss_weights_pickle_add_entries(self, to, entry->as.items, 2, err));
    }
    return SS_OK;
}

/* OrderedDict, Counter: of nothing, of a dictionary, or of pairs as Python 2 has it. */
static ss_status call_dict(struct ss_weights_pickle *self, node *arguments, node **out,
                           ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 0, 1, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_DICT, out, err));
    const node *from = arguments->n == 0 ? NULL : arguments->as.items[0];
    if (from != NULL && from->kind == SS_WEIGHTS_PICKLE_DICT) {
        SS_RETURN_IF_ERROR(
            ss_weights_pickle_add_entries(self, *out, from->as.items, from->n, err));
    } else if (from != NULL && from->kind == SS_WEIGHTS_PICKLE_LIST) {
        SS_RETURN_IF_ERROR(add_pairs(self, *out, from, err));
    } else if (from != NULL) {
        return ss_weights_pickle_bad(self, "a dictionary is not made from entries", err);
    }
    return SS_OK;
}

/* The argument makes values of absent keys, which nobody asks for. */
static ss_status call_default_dict(struct ss_weights_pickle *self, node *arguments, node **out,
                                   ss_err *err)
{
    const ss_status status = ss_weights_pickle_need_arguments(self, arguments, 0, 1, err);
    return status == SS_OK ? ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_DICT, out, err)
                           : status;
}

/* Of nothing, or of a list and the most that it may hold; more may be appended. */
static ss_status call_deque(struct ss_weights_pickle *self, node *arguments, node **out,
                            ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 0, 2, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_LIST, out, err));
    const node *from = arguments->n == 0 ? NULL : arguments->as.items[0];
    if (from != NULL &&
        (from->kind == SS_WEIGHTS_PICKLE_LIST || from->kind == SS_WEIGHTS_PICKLE_TUPLE)) {
        SS_RETURN_IF_ERROR(
            ss_weights_pickle_add_items(self, *out, from->as.items, from->n, err));
    }
    return SS_OK;
}

/* (class, base, state), with which protocols before 2 make objects. */
static ss_status call_reconstructor(struct ss_weights_pickle *self, node *arguments, node **out,
                                    ss_err *err)
{
    node *nothing = NULL;
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 3, 3, err));
    const node *class = arguments->as.items[0];
    if (class->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
        (class->as.global->role != SS_WEIGHTS_ROLE_CLASS &&
         class->as.global->role != SS_WEIGHTS_ROLE_NAMESPACE)) {
        return ss_weights_pickle_bad(self, "an object is not one of a class", err);
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_TUPLE, &nothing, err));
    return ss_weights_pickle_reduce(self, class, nothing, out, err);
}

/* ---- texts, bytes and numbers ---- */

/* str subclasses: (text). */
static ss_status call_text(struct ss_weights_pickle *self, node *arguments, node **out,
                           ss_err *err)
{
    if (arguments->n == 1 && arguments->as.items[0]->kind == SS_WEIGHTS_PICKLE_TEXT) {
        *out = arguments->as.items[0];
        return SS_OK;
    }
    return ss_weights_pickle_opaque(self, "a text of a kind of its own", out, err);
}

/* Each code point up to U+00FF is a byte. */
static ss_status push_latin1(struct ss_weights_pickle *self, const node *text, node **out,
                             ss_err *err)
{
    void *bytes = NULL;
    uint32_t n = 0;
    SS_RETURN_IF_ERROR(ss_weights_pickle_alloc(self, (size_t)text->n + 1, &bytes, err));
    for (uint32_t at = 0; at < text->n;) {
        uint32_t code_point = 0;
        const size_t length = ss__utf8_decode(text->as.text + at, text->n - at, &code_point);
        if (length == 0 || code_point > 0xFF) {
            return ss_weights_pickle_bad(self, "bytes are written as another text than Latin-1",
                                         err);
        }
        ((uint8_t *)bytes)[n++] = (uint8_t)code_point;
        at += (uint32_t)length;
    }
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_BYTES, out, err));
    (*out)->as.text = bytes;
    (*out)->n = n;
    return SS_OK;
}

/* (text, 'latin1'): how protocol 2 writes bytes. */
static ss_status call_encode(struct ss_weights_pickle *self, node *arguments, node **out,
                             ss_err *err)
{
    node *const *items = arguments->as.items;
    if (arguments->n == 2 && items[0]->kind == SS_WEIGHTS_PICKLE_TEXT &&
        (ss_weights_pickle_is_text(items[1], "latin1") ||
         ss_weights_pickle_is_text(items[1], "latin-1"))) {
        return push_latin1(self, items[0], out, err);
    }
    return ss_weights_pickle_opaque(self, "bytes", out, err);
}

/* bytes(): the empty ones. */
static ss_status call_bytes(struct ss_weights_pickle *self, node *arguments, node **out,
                            ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 0, 0, err));
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_BYTES, out, err));
    (*out)->as.text = "";
    return SS_OK;
}

/* A number of a config, written as its text. */
static ss_status call_decimal(struct ss_weights_pickle *self, node *arguments, node **out,
                              ss_err *err)
{
    double number = 0;
    const node *text = arguments->n == 1 ? arguments->as.items[0] : NULL;
    if (text == NULL || text->kind != SS_WEIGHTS_PICKLE_TEXT ||
        !ss__parse_double(text->as.text, text->n, &number) || !isfinite(number)) {
        return ss_weights_pickle_opaque(self, "a decimal.Decimal", out, err);
    }
    const ss_status status = ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_FLOAT, out, err);
    if (status == SS_OK) {
        (*out)->as.number = number;
    }
    return status;
}

/* ---- the table ---- */

#define CLASS SS_WEIGHTS_ROLE_CLASS, 0, NULL
#define CALL(call) SS_WEIGHTS_ROLE_CALL, 0, call

/* The allow-list. Names of classes make values that are not read: they stand in training
 * checkpoints beside the tensors (optimisers, arguments of the command line, dates), and
 * refusing the whole file for them would help nobody. */
static const struct ss_weights_pickle_global globals[] = {
    {"collections", "OrderedDict", CALL(call_dict)},
    {"collections", "Counter", CALL(call_dict)},
    {"collections", "defaultdict", CALL(call_default_dict)},
    {"collections", "deque", CALL(call_deque)},
    {"torch._utils", "_rebuild_tensor", CALL(ss_weights_torch_rebuild_v1)},
    {"torch._utils", "_rebuild_tensor_v2", CALL(ss_weights_torch_rebuild_v2)},
    {"torch._utils", "_rebuild_tensor_v3", CALL(ss_weights_torch_rebuild_v3)},
    {"torch._utils", "_rebuild_parameter", CALL(ss_weights_torch_parameter)},
    {"torch._utils", "_rebuild_parameter_with_state", CALL(ss_weights_torch_parameter)},
    {"torch._tensor", "_rebuild_from_type_v2", CALL(ss_weights_torch_from_type)},
    {"torch", "Size", CALL(ss_weights_torch_size)},
    {"torch", "Tensor", CLASS},
    {"torch", "device", CLASS},
    {"torch.nn.parameter", "Parameter", CLASS},
    {"torch.serialization", "_get_layout", CLASS},
    {"torch.torch_version", "TorchVersion", CALL(call_text)},
    {"argparse", "Namespace", SS_WEIGHTS_ROLE_NAMESPACE, 0, NULL},
    {"types", "SimpleNamespace", SS_WEIGHTS_ROLE_NAMESPACE, 0, NULL},
    {"numpy", "dtype", CALL(ss_weights_numpy_dtype)},
    {"numpy", "ndarray", CLASS},
    {"numpy.core.multiarray", "scalar", CALL(ss_weights_numpy_scalar)},
    {"numpy._core.multiarray", "scalar", CALL(ss_weights_numpy_scalar)},
    {"numpy.core.multiarray", "_reconstruct", CALL(ss_weights_numpy_array)},
    {"numpy._core.multiarray", "_reconstruct", CALL(ss_weights_numpy_array)},
    {"numpy.core.numeric", "_frombuffer", CALL(ss_weights_numpy_frombuffer)},
    {"numpy._core.numeric", "_frombuffer", CALL(ss_weights_numpy_frombuffer)},
    {"numpy", "float16", CLASS},
    {"numpy", "float32", CLASS},
    {"numpy", "float64", CLASS},
    {"numpy", "int32", CLASS},
    {"numpy", "int64", CLASS},
    {"pathlib", "PosixPath", CLASS},
    {"pathlib", "WindowsPath", CLASS},
    {"pathlib", "PurePosixPath", CLASS},
    {"pathlib", "PureWindowsPath", CLASS},
    {"pathlib", "Path", CLASS},
    {"pathlib._local", "PosixPath", CLASS}, /* of Python 3.13 */
    {"pathlib._local", "WindowsPath", CLASS},
    {"pathlib._local", "PurePosixPath", CLASS},
    {"pathlib._local", "PureWindowsPath", CLASS},
    {"pathlib._local", "Path", CLASS},
    {"datetime", "datetime", CLASS},
    {"datetime", "date", CLASS},
    {"datetime", "time", CLASS},
    {"datetime", "timedelta", CLASS},
    {"datetime", "timezone", CLASS},
    {"decimal", "Decimal", CALL(call_decimal)},
    {"fractions", "Fraction", CLASS},
    {"uuid", "UUID", CLASS},
    {"copyreg", "_reconstructor", CALL(call_reconstructor)},
    {"copy_reg", "_reconstructor", CALL(call_reconstructor)}, /* its name in protocol 2 */
    {"_codecs", "encode", CALL(call_encode)},
    {"builtins", "bytes", CALL(call_bytes)},
    {"builtins", "bytearray", CLASS},
    {"builtins", "complex", CLASS},
    {"builtins", "frozenset", CLASS},
    {"builtins", "set", CLASS},
    {"builtins", "slice", CLASS},
    {"builtins", "range", CLASS},
    {"builtins", "xrange", CLASS},
    {"builtins", "object", CLASS},
    {"builtins", "Ellipsis", CLASS},
    {"builtins", "NotImplemented", CLASS},
    {"builtins", "int", CLASS}, /* types as values, and what a defaultdict makes */
    {"builtins", "float", CLASS},
    {"builtins", "bool", CLASS},
    {"builtins", "str", CLASS},
    {"builtins", "list", CLASS},
    {"builtins", "dict", CLASS},
    {"builtins", "tuple", CLASS},
    {"torch", "DoubleStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_F64, NULL},
    {"torch", "FloatStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_F32, NULL},
    {"torch", "HalfStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_F16, NULL},
    {"torch", "BFloat16Storage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_BF16, NULL},
    {"torch", "LongStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_I64, NULL},
    {"torch", "IntStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_I32, NULL},
    {"torch", "ShortStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_I16, NULL},
    {"torch", "CharStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_I8, NULL},
    {"torch", "ByteStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_U8, NULL},
    {"torch", "BoolStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_BOOL, NULL},
    {"torch", "ComplexFloatStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_C64, NULL},
    {"torch", "ComplexDoubleStorage", SS_WEIGHTS_ROLE_STORAGE, SS_WEIGHTS_C128, NULL},
    {"torch", "UntypedStorage", SS_WEIGHTS_ROLE_UNTYPED_STORAGE, SS_WEIGHTS_U8, NULL},
    {"torch.storage", "UntypedStorage", SS_WEIGHTS_ROLE_UNTYPED_STORAGE, SS_WEIGHTS_U8, NULL},
    {"torch", "float64", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F64, NULL},
    {"torch", "float32", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F32, NULL},
    {"torch", "float16", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F16, NULL},
    {"torch", "bfloat16", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_BF16, NULL},
    {"torch", "int64", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_I64, NULL},
    {"torch", "int32", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_I32, NULL},
    {"torch", "int16", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_I16, NULL},
    {"torch", "int8", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_I8, NULL},
    {"torch", "uint64", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_U64, NULL},
    {"torch", "uint32", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_U32, NULL},
    {"torch", "uint16", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_U16, NULL},
    {"torch", "uint8", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_U8, NULL},
    {"torch", "bool", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_BOOL, NULL},
    {"torch", "complex64", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_C64, NULL},
    {"torch", "complex128", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_C128, NULL},
    {"torch", "float8_e4m3fn", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F8, NULL},
    {"torch", "float8_e4m3fnuz", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F8, NULL},
    {"torch", "float8_e5m2", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F8, NULL},
    {"torch", "float8_e5m2fnuz", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F8, NULL},
    {"torch", "float8_e8m0fnu", SS_WEIGHTS_ROLE_DTYPE, SS_WEIGHTS_F8, NULL},
};

static bool is_same(struct ss_text text, const char *other)
{
    return text.n_bytes == strlen(other) && memcmp(text.data, other, text.n_bytes) == 0;
}

/* The refusal names what was found and the way out: the tensors alone, without the objects. */
ss_status ss_weights_pickle_find_global(struct ss_weights_pickle *self, struct ss_text module,
                                        struct ss_text name, node **out, ss_err *err)
{
    if (is_same(module, "__builtin__")) { /* its name in protocol 2 */
        module = (struct ss_text){"builtins", strlen("builtins")};
    }
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        if (is_same(name, globals[i].name) && is_same(module, globals[i].module)) {
            const ss_status status =
                ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_GLOBAL, out, err);
            if (status == SS_OK) {
                (*out)->as.global = &globals[i];
            }
            return status;
        }
    }
    return ss__fail_file(
        err, self->source.file, SS_E_UNSUPPORTED,
        "names '%s.%s', which has no place in a state dict; nothing in a file "
        "is ever run, so save the tensors alone: torch.save(model.state_dict(), "
        "…)",
        show(module).text, show(name).text);
}

/* ---- calls and states ---- */

/* Attributes, or a tuple of those and of the slots. */
static ss_status add_attributes(struct ss_weights_pickle *self, node *object, const node *state,
                                ss_err *err)
{
    if (state->kind == SS_WEIGHTS_PICKLE_DICT && state != object) {
        return ss_weights_pickle_add_entries(self, object, state->as.items, state->n, err);
    }
    if (state->kind != SS_WEIGHTS_PICKLE_TUPLE || state->n != 2) {
        return ss_weights_pickle_bad(self, "the state of an object is no dictionary", err);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const node *part = state->as.items[i];
        if (part->kind == SS_WEIGHTS_PICKLE_DICT && part != object) {
            SS_RETURN_IF_ERROR(
                ss_weights_pickle_add_entries(self, object, part->as.items, part->n, err));
        }
    }
    return SS_OK;
}

/* An OrderedDict may have attributes, torch's state dicts have `_metadata`: they are not
 * entries. */
ss_status ss_weights_pickle_set_state(struct ss_weights_pickle *self, node *object,
                                      const node *state, ss_err *err)
{
    switch (object->kind) {
    case SS_WEIGHTS_PICKLE_DICT:
        return object->takes_state ? add_attributes(self, object, state, err) : SS_OK;
    case SS_WEIGHTS_PICKLE_OPAQUE:
        return SS_OK;
    case SS_WEIGHTS_PICKLE_NUMPY_DTYPE:
    case SS_WEIGHTS_PICKLE_NUMPY_ARRAY:
        return ss_weights_numpy_set_state(self, object, state, err);
    default:
        return ss_weights_pickle_bad(self, "state is given to what can not have it", err);
    }
}
