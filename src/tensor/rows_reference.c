/* Elementwise and row kernels in plain C. */
#include "tensor/lanes_reference.h"
#include "tensor/tensor_priv.h"

#define SS__ROWS_TABLE ss__rows_reference
#include "tensor/rows.inc"
