/* Elementwise and row kernels in plain C. */
#include "tensor/lanes_reference.h"
#include "tensor/tensor_priv.h"

#define SS_TENSOR_ROWS_TABLE ss_tensor_rows_reference
#include "tensor/rows.inc"
