/* What the fuzz targets of weights have in common. */
#ifndef SS_TESTS_WEIGHTS_FUZZ_H
#define SS_TESTS_WEIGHTS_FUZZ_H

#include "base/mem.h"
#include "weights/weights_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* Open bytes as a file of that name; read every element of what is accepted. */
static inline void fuzz_weights(const char *name, const uint8_t *data, size_t n_bytes)
{
    enum { MAX_ELEMENTS = 1 << 20 };
    struct ss_weights *weights = NULL;
    ss_err err;
    if (ss_weights_open_memory(name, data, n_bytes, &weights, &err) != SS_OK) {
        return;
    }
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        float *numbers = NULL;
        if (tensor->n_elements <= MAX_ELEMENTS &&
            ss_weights_need_f32(weights, tensor->name, tensor->n_dims, tensor->shape, &numbers,
                                &err) == SS_OK) {
            ss__free(numbers);
        }
    }
    if (ss_weights_verify(weights, &err) != SS_OK) {
        __builtin_trap();
    }
    ss_weights_close(weights);
}

#endif
