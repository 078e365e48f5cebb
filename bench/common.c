#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

double bench_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void bench_stop_if(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        (void)fprintf(stderr, "%s\n", err->message);
        exit(ss_status_exit_code(status));
    }
}

ss_precision bench_precision(const char *name)
{
    for (size_t i = 0; i < SS_N_PRECISIONS; i++) {
        if (strcmp(name, ss_precision_name((ss_precision)i)) == 0) {
            return (ss_precision)i;
        }
    }
    (void)fprintf(stderr, "'%s' is no precision\n", name);
    exit(64);
}

static ss_status add_text(struct bench_texts *texts, struct ss_text text, ss_err *err)
{
    ss_status status = SS_OK;
    char *copy = NULL;
    SS_GROW(texts->all, texts->n_room, texts->n + 1);
    SS_ALLOC(copy, text.n_bytes + 1);
    memcpy(copy, text.data, text.n_bytes);
    texts->all[texts->n++] = (struct ss_text){copy, text.n_bytes};
    texts->n_bytes += text.n_bytes;
out:
    return status;
}

void bench_texts_read(const char *path, struct bench_texts *out)
{
    ss_err err;
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    bench_stop_if(ss_dataset_open(&path, 1, NULL, &dataset, &err), &err);
    bench_stop_if(ss_dataset_next(dataset, &row, &has_row, &err), &err);
    while (has_row) {
        bench_stop_if(add_text(out, row.text, &err), &err);
        bench_stop_if(ss_dataset_next(dataset, &row, &has_row, &err), &err);
    }
    ss_dataset_close(dataset);
}

void bench_texts_release(struct bench_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        ss__free((void *)(uintptr_t)texts->all[i].data);
    }
    ss__free(texts->all);
}
