/* What the units of a processor can do at most: loops of one instruction each that keep
 * everything in registers. */
#ifndef BENCH_LIMIT_LOOPS_H
#define BENCH_LIMIT_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

struct limit_loop {
    const char *name;       /* the numbers and the instructions, as "bf16_amx" */
    void (*run)(size_t n);  /* n rounds */
    double per_round;       /* operations; a multiplication and an addition are two */
    bool (*is_there)(void); /* asks for the tile unit where it is needed */
};

extern const struct limit_loop limit_loops[];
extern const size_t n_limit_loops;

/* NULL: there is none of this name, or the machine lacks its instructions. */
const struct limit_loop *limit_loop_find(const char *name);

#endif
