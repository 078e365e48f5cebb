/* What this machine's units can do at most (limit_loops.h), and its memory: two loops that only
 * move bytes. A figure of saescope or of a peer is then a share of a limit.
 *
 * bench_limits [THREADS [MILLISECONDS]] prints one JSON object: a rate per loop that the
 * machine has, in 10^9 operations per second in all threads, memory in 10^9 bytes. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "limit_loops.h"

enum { MAX_THREADS = 256, MEMORY_BYTES = 256 << 20 };

/* ---- memory ---- */

static uint64_t *memory[MAX_THREADS];
static __thread size_t thread_index;

/* n times 64 bytes, round and round. */
static void memory_read(size_t n)
{
    const size_t n_words = MEMORY_BYTES / sizeof(uint64_t);
    const uint64_t *words = memory[thread_index];
    uint64_t sum[8] = {0};
    for (size_t i = 0, at = 0; i < n; i++, at = at + 8 < n_words ? at + 8 : 0) {
        for (size_t j = 0; j < 8; j++) {
            sum[j] ^= words[at + j];
        }
    }
    for (size_t j = 0; j < 8; j++) {
        __asm__ volatile("" : "+r"(sum[j]));
    }
}

/* Half of the bytes are read, half written. */
static void memory_copy(size_t n)
{
    const size_t half = MEMORY_BYTES / sizeof(uint64_t) / 2;
    uint64_t *words = memory[thread_index];
    for (size_t i = 0, at = 0; i < n / 2; i++, at = at + 8 < half ? at + 8 : 0) {
        __builtin_memcpy(words + half + at, words + at, 64);
        __asm__ volatile("" : : : "memory");
    }
}

static const struct limit_loop memory_loops[] = {
    {.name = "memory_read", .run = memory_read, .per_round = 64},
    {.name = "memory_copy", .run = memory_copy, .per_round = 64},
};

/* ---- timing ---- */

struct task {
    const struct limit_loop *loop;
    double seconds, rate;
    size_t index;
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Rounds until the time is over, in parts of about a millisecond. */
static void *spin(void *context)
{
    struct task *task = context;
    size_t part = 1000;
    double n_rounds = 0;
    thread_index = task->index;
    const double start = now();
    double at = start;
    while (at < start + task->seconds) {
        task->loop->run(part);
        const double then = now();
        n_rounds += (double)part;
        part = then - at < 1e-3 ? part * 2 : part;
        at = then;
    }
    task->rate = n_rounds * task->loop->per_round / (at - start);
    return NULL;
}

static double measure(const struct limit_loop *loop, size_t n_threads, double seconds)
{
    pthread_t threads[MAX_THREADS];
    struct task tasks[MAX_THREADS];
    double rate = 0;
    for (size_t i = 0; i < n_threads; i++) {
        tasks[i] = (struct task){.loop = loop, .seconds = seconds, .index = i};
        if (pthread_create(&threads[i], NULL, spin, &tasks[i]) != 0) {
            exit(70);
        }
    }
    for (size_t i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
        rate += tasks[i].rate;
    }
    return rate;
}

/* One member of the object, the first without a comma before it. */
static void print_rate(const struct limit_loop *loop, size_t n_threads, double seconds)
{
    static const char *separator = "";
    printf("%s\"%s\": %.2f", separator, loop->name, 1e-9 * measure(loop, n_threads, seconds));
    separator = ", ";
}

int main(int argc, char **argv)
{
    const size_t asked = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1;
    const size_t n_threads = asked < 1 ? 1 : asked > MAX_THREADS ? MAX_THREADS : asked;
    const double seconds = argc > 2 ? strtod(argv[2], NULL) / 1e3 : 0.1;
    for (size_t i = 0; i < n_threads; i++) {
        memory[i] = malloc(MEMORY_BYTES);
        if (memory[i] == NULL) {
            return 70;
        }
        for (size_t j = 0; j < MEMORY_BYTES / sizeof(uint64_t); j++) {
            memory[i][j] = j;
        }
    }
    printf("{");
    for (size_t i = 0; i < n_limit_loops; i++) {
        if (limit_loops[i].is_there()) {
            print_rate(&limit_loops[i], n_threads, seconds);
        }
    }
    for (size_t i = 0; i < sizeof memory_loops / sizeof memory_loops[0]; i++) {
        print_rate(&memory_loops[i], n_threads, seconds);
    }
    printf("}\n");
    return 0;
}
