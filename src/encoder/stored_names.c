/* Names and shapes of stored tensors: prefixes ("bert.", "module.") and old spellings of
 * LayerNorm ("gamma", "beta") are taken off, and views that repeat numbers are refused. */
#include <string.h>

#include "base/mem.h"
#include "encoder/bind_priv.h"

static const char *skip_prefix(const char *name, const char *prefix)
{
    const size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && name[n] == '.' ? name + n + 1 : name;
}

/* Wrappers may be nested ("module.bert."), so prefixes are taken off until none is left. */
const char *ss_encoder_plain_name(struct ss__arena *arena, const char *name,
                                  const char *const *prefixes)
{
    static const struct {
        const char *old, *plain;
    } ends[] = {{".gamma", ".weight"}, {".beta", ".bias"}};
    for (const char *before = NULL; before != name;) {
        before = name;
        name = skip_prefix(name, "module");
        for (size_t i = 0; prefixes != NULL && prefixes[i] != NULL; i++) {
            name = skip_prefix(name, prefixes[i]);
        }
    }
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t n_end = strlen(ends[i].old);
        if (n > n_end && strcmp(name + n - n_end, ends[i].old) == 0) {
            return ss__arena_printf(arena, "%.*s%s", (int)(n - n_end), name, ends[i].plain);
        }
    }
    return ss__arena_strndup(arena, name, n);
}

/* A view may show one stored number many times; then a small file could ask for any amount of
 * memory. Parameters are never stored so. A view spans 1 + Σ (n_d - 1) |stride_d| numbers,
 * which is no less than its elements unless some are shown twice. A span beyond 64 bits is no
 * repetition; it fails where it is read. */
static bool shows_each_once(const struct ss_weights_tensor *tensor)
{
    uint64_t span = 1;
    for (size_t d = 0; d < tensor->n_dims; d++) {
        const int64_t stride = tensor->strides[d];
        const uint64_t step = stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
        uint64_t reach = 0;
        if (tensor->shape[d] == 0) {
            return true;
        }
        if (!ss__mul_u64(tensor->shape[d] - 1, step, &reach) ||
            !ss__add_u64(span, reach, &span)) {
            return true;
        }
    }
    return span >= tensor->n_elements;
}

ss_status ss_encoder_check_stored(const struct ss_weights *weights,
                                  const struct ss_weights_tensor *tensor, ss_err *err)
{
    return shows_each_once(tensor)
               ? SS_OK
               : ss__fail_file(err, ss_weights_path(weights), SS_E_UNSUPPORTED,
                               "the tensor '%s' is a view that repeats stored numbers",
                               tensor->name);
}
