/* Elementwise and row kernels for AVX-512. */
#include "tensor/lanes_avx512.h"
#include "tensor/tensor_priv.h"

#define SS__ROWS_TABLE ss__rows_avx512
#include "tensor/rows.inc"
