/* Each block is twice as large as the one before it, so that many small allocations cost few
 * calls; what is handed out is zeroed. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

enum { FIRST_BLOCK_BYTES = 4096, ALIGNMENT = 16 };

struct ss__arena_block {
    struct ss__arena_block *next;
    size_t n_used, capacity;
    _Alignas(ALIGNMENT) char bytes[];
};

/* Allocated without zeroing by its size alone: blocks are reused after a reset, so bytes are
 * zeroed when they are handed out. */
static struct ss__arena_block *add_block(struct ss__arena *arena, size_t n_bytes)
{
    size_t capacity = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->capacity * 2;
    size_t whole = 0;
    capacity = ss__max_size(capacity, n_bytes);
    if (!ss__add(capacity, sizeof(struct ss__arena_block), &whole)) {
        return NULL;
    }
    struct ss__arena_block *block = ss__alloc(1, whole);
    if (block != NULL) {
        block->capacity = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

/* Rounded up, so that every piece suits a pointer, a double or 16 bytes of SIMD. */
void *ss__arena_alloc(struct ss__arena *arena, size_t n_bytes)
{
    struct ss__arena_block *block = arena->blocks;
    /* rounding up would overflow */
    if (n_bytes > SIZE_MAX / 2) {
        return NULL;
    }
    n_bytes = ss__round_up(n_bytes == 0 ? 1 : n_bytes, ALIGNMENT);
    if (block == NULL || block->capacity - block->n_used < n_bytes) {
        block = add_block(arena, n_bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    void *piece = block->bytes + block->n_used;
    block->n_used += n_bytes;
    arena->n_bytes += n_bytes;
    return memset(piece, 0, n_bytes);
}

char *ss__arena_strndup(struct ss__arena *arena, const char *text, size_t n_bytes)
{
    char *copy = n_bytes == SIZE_MAX ? NULL : ss__arena_alloc(arena, n_bytes + 1);
    if (copy != NULL && n_bytes > 0) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

char *ss__arena_printf(struct ss__arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = ss__vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : ss__arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        (void)ss__vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    return text;
}

static void free_chain(struct ss__arena_block *block)
{
    while (block != NULL) {
        struct ss__arena_block *next = block->next;
        ss__free(block);
        block = next;
    }
}

/* The newest block is the largest: it alone may hold all that came since the last reset. */
void ss__arena_reset(struct ss__arena *arena)
{
    if (arena->blocks != NULL) {
        free_chain(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->blocks->n_used = 0;
    }
    arena->n_bytes = 0;
}

void ss__arena_release(struct ss__arena *arena)
{
    free_chain(arena->blocks);
    arena->blocks = NULL;
    arena->n_bytes = 0;
}
