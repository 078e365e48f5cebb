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
    struct ss__weights *weights = NULL;
    ss_err err;
    if (ss__weights_open_memory(name, data, n_bytes, &weights, &err) != SS_OK) {
        return;
    }
    for (size_t i = 0; i < ss__weights_n(weights); i++) {
        const struct ss__tensor *tensor = ss__weights_at(weights, i);
        float *numbers = NULL;
        if (tensor->n_elements <= MAX_ELEMENTS &&
            ss__weights_need_f32(weights, tensor->name, tensor->n_dims, tensor->shape, &numbers,
                                 &err) == SS_OK) {
            ss__free(numbers);
        }
    }
    if (ss__weights_verify(weights, &err) != SS_OK) {
        __builtin_trap();
    }
    ss__weights_close(weights);
}

#endif
