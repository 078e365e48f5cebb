/* Elementwise and row kernels for AVX-512. */
#include "tensor/lanes_avx512.h"
#include "tensor/tensor_priv.h"

#define SS_TENSOR_ROWS_TABLE ss_tensor_rows_avx512
#include "tensor/rows.inc"
