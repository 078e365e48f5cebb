/* Our own matrix product, as the encoder calls it. */
#include <stdio.h>
#include <stdlib.h>

#include "engines.h"
#include "tensor/tensor.h"

static ss_work *work;
static struct ss__matrix matrix;

static bool open_own(size_t n_threads, char *about, size_t about_bytes)
{
    (void)snprintf(about, about_bytes, "saescope %s, %s kernels", ss_version(),
                   ss__kernels_name());
    return work != NULL || ss_work_new(n_threads, &work, NULL) == SS_OK;
}

static bool prepare(const struct problem *p)
{
    if (ss__matrix_new(p->n, p->k, SS_PRECISION_HIGHEST, &matrix, NULL) != SS_OK) {
        return false;
    }
    ss__matrix_fill(&matrix, 0, p->n, p->w, SS__OUT_BY_IN);
    return true;
}

static void run(const struct problem *p)
{
    if (ss__linear(work, &matrix, p->x, p->m, p->y, NULL, NULL) != SS_OK) {
        exit(70);
    }
}

static void finish(void)
{
    ss__matrix_release(&matrix);
}

const struct engine bench_saescope = {"saescope", "fp32", open_own, prepare, run, finish};
