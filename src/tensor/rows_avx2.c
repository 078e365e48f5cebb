/* Elementwise and row kernels for AVX2 with FMA. */
#include "tensor/lanes_avx2.h"
#include "tensor/tensor_priv.h"

#define SS_TENSOR_ROWS_TABLE ss_tensor_rows_avx2
#include "tensor/rows.inc"
