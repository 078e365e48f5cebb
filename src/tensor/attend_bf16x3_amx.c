/* Attention in floats that are sums of two bf16, on the tile unit. */
#define PLANES 2

#include "tensor/attend_amx.inc"

const struct ss_tensor_attention_kernel ss_tensor_attend_bf16x3_amx = {
    .name = "bf16x3",
    .scratch_floats = scratch_floats,
    .attend = attend,
    .finish = ss_tensor_tile_unit_release,
};
