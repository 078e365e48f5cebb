/* Elements: their types, strided gathering into f32, and the check for finite numbers.
 *
 * Every type has one loop in each byte order, made by a macro, so that a conversion is a row of
 * a table and a call. Integers and doubles are rounded to the nearest float32; f16 and bf16 are
 * widened, which is exact (docs/numerics.md, "SAEs"). */
#include <string.h>

#include "base/mem.h"
#include "weights/weights_priv.h"

/* ---- element types ---- */

/* Reads n elements, `step` bytes apart, into f32. */
typedef void gather_fn(const uint8_t *from, int64_t step, float *to, size_t n);

static float f32_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE half to single. Shifting exponent and fraction into place leaves a number 2^112 times
 * too small, subnormals included, which one exact product repairs. */
static float f32_of_f16(uint16_t half)
{
    const uint32_t rest = (uint32_t)(half & 0x7FFF) << 13;
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t bits;
    const float scaled = f32_of_bits(rest) * 0x1p112f;
    memcpy(&bits, &scaled, sizeof bits);
    bits = rest >= 0x7C00u << 13 ? rest | 0x7F800000u : bits;
    return f32_of_bits(bits | sign);
}

/* bfloat16 is the upper half of a float32. */
static float f32_of_bf16(uint16_t half)
{
    return f32_of_bits((uint32_t)half << 16);
}

static float f32_of_bool(uint8_t byte)
{
    return byte != 0 ? 1.0f : 0.0f;
}

#define SAME(value) (value)
#define SWAP8(value) (value)
#define SWAP16(value) __builtin_bswap16(value)
#define SWAP32(value) __builtin_bswap32(value)
#define SWAP64(value) __builtin_bswap64(value)

/* One gatherer: load `bits`, bring them to native order, read them as `type`, convert. */
#define GATHERER(name, word, order, type, convert)                                             \
    static void name(const uint8_t *from, int64_t step, float *to, size_t n)                   \
    {                                                                                          \
        for (size_t i = 0; i < n; i++) {                                                       \
            word bits;                                                                         \
            type value;                                                                        \
            memcpy(&bits, from + (int64_t)i * step, sizeof bits);                              \
            bits = (word)order(bits);                                                          \
            memcpy(&value, &bits, sizeof value);                                               \
            to[i] = (float)convert(value);                                                     \
        }                                                                                      \
    }
#define BOTH_ORDERS(name, word, swap, type, convert)                                           \
    GATHERER(name, word, SAME, type, convert)                                                  \
    GATHERER(name##_swapped, word, swap, type, convert)

BOTH_ORDERS(gather_bool, uint8_t, SWAP8, uint8_t, f32_of_bool)
BOTH_ORDERS(gather_u8, uint8_t, SWAP8, uint8_t, SAME)
BOTH_ORDERS(gather_i8, uint8_t, SWAP8, int8_t, SAME)
BOTH_ORDERS(gather_u16, uint16_t, SWAP16, uint16_t, SAME)
BOTH_ORDERS(gather_i16, uint16_t, SWAP16, int16_t, SAME)
BOTH_ORDERS(gather_u32, uint32_t, SWAP32, uint32_t, SAME)
BOTH_ORDERS(gather_i32, uint32_t, SWAP32, int32_t, SAME)
BOTH_ORDERS(gather_u64, uint64_t, SWAP64, uint64_t, SAME)
BOTH_ORDERS(gather_i64, uint64_t, SWAP64, int64_t, SAME)
BOTH_ORDERS(gather_f16, uint16_t, SWAP16, uint16_t, f32_of_f16)
BOTH_ORDERS(gather_bf16, uint16_t, SWAP16, uint16_t, f32_of_bf16)
BOTH_ORDERS(gather_f32, uint32_t, SWAP32, float, SAME)
BOTH_ORDERS(gather_f64, uint64_t, SWAP64, double, SAME)

#define GATHERERS(name)                                                                        \
    {                                                                                          \
        name, name##_swapped                                                                   \
    }

/* By ss_weights_dtype. What has no gatherers is listed with its size and never converted. */
static const struct {
    const char *name;
    size_t n_bytes;
    gather_fn *gather[2]; /* [swaps] */
} dtypes[SS_WEIGHTS_N_DTYPES] = {
    [SS_WEIGHTS_BOOL] = {"bool", 1, GATHERERS(gather_bool)},
    [SS_WEIGHTS_U8] = {"uint8", 1, GATHERERS(gather_u8)},
    [SS_WEIGHTS_I8] = {"int8", 1, GATHERERS(gather_i8)},
    [SS_WEIGHTS_I16] = {"int16", 2, GATHERERS(gather_i16)},
    [SS_WEIGHTS_U16] = {"uint16", 2, GATHERERS(gather_u16)},
    [SS_WEIGHTS_I32] = {"int32", 4, GATHERERS(gather_i32)},
    [SS_WEIGHTS_U32] = {"uint32", 4, GATHERERS(gather_u32)},
    [SS_WEIGHTS_I64] = {"int64", 8, GATHERERS(gather_i64)},
    [SS_WEIGHTS_U64] = {"uint64", 8, GATHERERS(gather_u64)},
    [SS_WEIGHTS_F16] = {"float16", 2, GATHERERS(gather_f16)},
    [SS_WEIGHTS_BF16] = {"bfloat16", 2, GATHERERS(gather_bf16)},
    [SS_WEIGHTS_F32] = {"float32", 4, GATHERERS(gather_f32)},
    [SS_WEIGHTS_F64] = {"float64", 8, GATHERERS(gather_f64)},
    [SS_WEIGHTS_C64] = {"complex64", 8, {NULL, NULL}},
    [SS_WEIGHTS_C128] = {"complex128", 16, {NULL, NULL}},
    [SS_WEIGHTS_F8] = {"float8", 1, {NULL, NULL}},
    [SS_WEIGHTS_SUB_BYTE] = {"sub-byte", 0, {NULL, NULL}},
};

const char *ss_weights_dtype_name(ss_weights_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t ss_weights_dtype_bytes(ss_weights_dtype dtype)
{
    return dtypes[dtype].n_bytes;
}

/* ---- halves ---- */

/* Halves are rounded where the exponent puts them: normal ones at bit 13, subnormal ones by
 * adding a number of which they are the last bits. */
static uint16_t f16_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7FFFFFFF;
    if (bits > 0x7F800000) {
        return sign | 0x7E00; /* NaN */
    }
    if (bits >= 0x477FF000) {
        return sign | 0x7C00; /* halfway to 65,536 and above */
    }
    if (bits < 0x38800000) {
        const float shifted = f32_of_bits(bits) + 0.5F;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3F000000));
    }
    bits += 0xFFF + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits >> 13) - (112U << 10)));
}

void ss_weights_to_f16(const float *numbers, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = f16_of_f32(numbers[i]);
    }
}

/* ---- shapes ---- */

/* A size of 0 makes the whole empty, but the others must not overflow beside it: a shape such
 * as [0, 2^40, 2^40] is refused. */
bool ss_weights_tensor_set_row_major(struct ss_weights_tensor *tensor)
{
    uint64_t n_elements = 1, n_nonzero = 1;
    for (size_t i = tensor->n_dims; i-- > 0;) {
        const uint64_t size = tensor->shape[i];
        tensor->strides[i] = (int64_t)n_nonzero;
        n_elements = size == 0 ? 0 : n_elements;
        if (!ss__mul_u64(n_nonzero, size == 0 ? 1 : size, &n_nonzero) ||
            n_nonzero > INT64_MAX) {
            return false;
        }
    }
    tensor->n_elements = n_elements == 0 ? 0 : n_nonzero;
    return true;
}

/* A dimension of size 1 has no stride that matters; torch leaves any there. */
bool ss_weights_tensor_is_row_major(const struct ss_weights_tensor *tensor)
{
    int64_t expected = 1;
    for (size_t i = tensor->n_dims; tensor->n_elements > 0 && i-- > 0;) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != expected) {
            return false;
        }
        expected *= (int64_t)tensor->shape[i];
    }
    return true;
}

void ss_weights_tensor_set_column_major(struct ss_weights_tensor *tensor)
{
    int64_t stride = 1;
    for (size_t i = 0; i < tensor->n_dims; i++) {
        tensor->strides[i] = stride;
        stride *= tensor->shape[i] == 0 ? 1 : (int64_t)tensor->shape[i];
    }
}

/* ---- gathering ---- */

/* Walk all but the last dimension as an odometer and gather the last at each place. */
static void gather_strided(const struct ss_weights_tensor *tensor, gather_fn *gather,
                           float *out)
{
    const int64_t n_bytes = (int64_t)dtypes[tensor->dtype].n_bytes;
    const size_t last = tensor->n_dims - 1;
    const size_t n_last = (size_t)tensor->shape[last];
    uint64_t index[SS_WEIGHTS_MAX_DIMS] = {0};
    const uint8_t *from = tensor->data;
    for (uint64_t done = 0; done < tensor->n_elements; done += n_last) {
        gather(from, tensor->strides[last] * n_bytes, out + done, n_last);
        for (size_t i = last; i-- > 0;) {
            from += tensor->strides[i] * n_bytes;
            if (++index[i] < tensor->shape[i]) {
                break;
            }
            from -= tensor->strides[i] * n_bytes * (int64_t)tensor->shape[i];
            index[i] = 0;
        }
    }
}

/* Nearly always floats in native order, one behind the other: then it is a copy of bytes. */
ss_status ss_weights_tensor_to_f32(const struct ss_weights_tensor *tensor, float *out,
                                   ss_err *err)
{
    gather_fn *gather = dtypes[tensor->dtype].gather[tensor->swaps];
    const size_t n_bytes = dtypes[tensor->dtype].n_bytes;
    if (gather == NULL) {
        return ss__fail(err, SS_E_UNSUPPORTED,
                        "tensor '%.200s' has the dtype %s, which is not converted to float32",
                        tensor->name, tensor->dtype_name);
    }
    if (tensor->n_elements == 0) {
        return SS_OK;
    }
    if (!ss_weights_tensor_is_row_major(tensor)) {
        gather_strided(tensor, gather, out);
    } else if (tensor->dtype == SS_WEIGHTS_F32 && !tensor->swaps) {
        memcpy(out, tensor->data, (size_t)tensor->n_elements * sizeof *out);
    } else {
        gather(tensor->data, (int64_t)n_bytes, out, (size_t)tensor->n_elements);
    }
    return SS_OK;
}

/* ---- finite numbers ---- */

/* The bits of an exponent are all set in NaN and infinities only. */
static uint32_t is_nonfinite(const float *number)
{
    uint32_t bits;
    memcpy(&bits, number, sizeof bits);
    return (bits & 0x7F800000u) == 0x7F800000u;
}

/* By blocks: a loop without a branch counts, and only a block that has one is searched for its
 * place. */
size_t ss_weights_count_nonfinite(const float *numbers, size_t n, size_t *first)
{
    enum { BLOCK = 4096 };
    size_t n_found = 0;
    *first = n;
    for (size_t start = 0; start < n; start += BLOCK) {
        const size_t end = ss__min_size(start + BLOCK, n);
        uint32_t n_here = 0;
        for (size_t i = start; i < end; i++) {
            n_here += is_nonfinite(&numbers[i]);
        }
        for (size_t i = start; n_here > 0 && *first == n && i < end; i++) {
            *first = is_nonfinite(&numbers[i]) ? i : n;
        }
        n_found += n_here;
    }
    return n_found;
}
