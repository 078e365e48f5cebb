/* An arena: many small allocations that are released together. For what lives as long as its
 * owner and would otherwise be freed piece by piece: names of an archive, values of a document.
 * A zeroed struct is an empty arena. One thread at a time. */
#ifndef SS_BASE_ARENA_H
#define SS_BASE_ARENA_H

#include <stddef.h>

struct ss__arena_block;

struct ss__arena {
    struct ss__arena_block *blocks; /* newest first */
    size_t n_bytes;                 /* handed out since the last reset */
};

/* n_bytes of zeroed memory, aligned to 16; NULL when there is none. */
void *ss__arena_alloc(struct ss__arena *arena, size_t n_bytes);
/* Copies that end with a NUL, owned by the arena; NULL where there is no memory. */
char *ss__arena_strndup(struct ss__arena *arena, const char *text, size_t n_bytes);
char *ss__arena_printf(struct ss__arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget all allocations but keep one block for reuse. */
void ss__arena_reset(struct ss__arena *arena);
void ss__arena_release(struct ss__arena *arena);

#endif
