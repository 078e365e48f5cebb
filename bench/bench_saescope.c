/* Our own matrix products, as the encoder calls them at each precision. */
#include <stdio.h>
#include <stdlib.h>

#include "engines.h"
#include "tensor/tensor.h"

static ss_work *work;
static struct ss_tensor_matrix matrix;

static bool open_own(size_t n_threads, ss_precision precision, char *about, size_t about_bytes)
{
    (void)snprintf(about, about_bytes, "saescope %s, %s kernels, %s in %s", ss_version(),
                   ss_tensor_kernels_name(), ss_precision_name(precision),
                   ss_tensor_precision_format(precision));
    return work != NULL || ss_work_new(n_threads, &work, NULL) == SS_OK;
}

static bool prepare(const struct problem *p, ss_precision precision)
{
    if (ss_tensor_matrix_new(p->n, p->k, precision, &matrix, NULL) != SS_OK) {
        return false;
    }
    ss_tensor_matrix_fill(&matrix, 0, p->n, p->w, SS_TENSOR_OUT_BY_IN);
    return true;
}

static void run(const struct problem *p)
{
    if (ss_tensor_linear(work, &matrix, p->x, p->m, p->y, NULL, NULL) != SS_OK) {
        exit(70);
    }
}

static void finish(void)
{
    ss_tensor_matrix_release(&matrix);
}

/* An engine per precision. */
#define ENGINE(LEVEL, PRECISION, KIND)                                                         \
    static bool open_##LEVEL(size_t n_threads, char *about, size_t about_bytes)                \
    {                                                                                          \
        return open_own(n_threads, PRECISION, about, about_bytes);                             \
    }                                                                                          \
    static bool prepare_##LEVEL(const struct problem *p)                                       \
    {                                                                                          \
        return prepare(p, PRECISION);                                                          \
    }                                                                                          \
    const struct engine bench_saescope_##LEVEL = {"saescope " #LEVEL, KIND, open_##LEVEL,      \
                                                  prepare_##LEVEL,    run,  finish}

ENGINE(highest, SS_PRECISION_HIGHEST, "fp32");
ENGINE(high, SS_PRECISION_HIGH, "fp32");
ENGINE(medium, SS_PRECISION_MEDIUM, "16 bits");
ENGINE(low, SS_PRECISION_LOW, "8 bits");
