/* Tables of tests leave the size of options out. */
#ifndef SS_TEST_SIZED_H
#define SS_TEST_SIZED_H

#include "saescope.h"

static inline struct ss_sae_options sized_sae_options(const struct ss_sae_options *row)
{
    struct ss_sae_options options = *row;
    options.struct_size = sizeof options;
    return options;
}

#endif
