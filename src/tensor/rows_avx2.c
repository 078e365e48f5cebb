/* Elementwise and row kernels for AVX2 with FMA. */
#include "tensor/lanes_avx2.h"
#include "tensor/tensor_priv.h"

#define SS__ROWS_TABLE ss__rows_avx2
#include "tensor/rows.inc"
