/* Attention in bf16 on the tile unit. */
#define PLANES 1

#include "tensor/attend_amx.inc"

const struct ss_tensor_attention_kernel ss_tensor_attend_bf16_amx = {
    .name = "bf16",
    .scratch_floats = scratch_floats,
    .attend = attend,
    .finish = ss_tensor_tile_unit_release,
};
