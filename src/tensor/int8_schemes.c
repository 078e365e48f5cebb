/* How numbers become bytes for products that are added in 32 bits: range, zero point (`offset`) and
 * largest values. There are two, for inputs around 0 and for inputs that are nearly all above it;
 * every kernel that adds in 32 bits has the same two, so that its results have the same bytes
 * (docs/numerics.md, "Levels of precision"). */
#include "tensor/tensor_priv.h"

/* The first: symmetric. The second: after an activation such as GELU inputs have nearly all numbers
 * above 0: its least value, -0.17, is within the few below as soon as the largest is above 2.7. */
const struct ss_tensor_quant_scheme ss_tensor_int8_scheme = {
    .n_bytes = 1, .max_input = 127, .max_weight = 127, .offset = 128};
const struct ss_tensor_quant_scheme ss_tensor_int8_scheme_positive = {
    .n_bytes = 1, .max_input = 239, .max_weight = 127, .offset = 16};
