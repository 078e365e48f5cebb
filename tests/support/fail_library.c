/* For LD_PRELOAD: lets one allocation fail that a library asks for.
 *
 *   FAIL_LIBRARIES  parts of library names, with commas between; only their calls count
 *   FAIL_AT         which call fails, from 1; 0: none
 *   FAIL_COUNT      file that gets the number of calls
 *
 * Built by the test that uses it: cc -shared -fPIC -o FILE fail_library.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t n_bytes);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t n_bytes);

enum { MOST_RANGES = 64 };

static struct {
    uintptr_t from, to;
} ranges[MOST_RANGES];
static size_t n_ranges;
static atomic_long n_calls;
static long fail_at;

static bool is_wanted(const char *name)
{
    const char *list = getenv("FAIL_LIBRARIES");
    for (size_t n = 0; list != NULL && *list != '\0'; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (memmem(name, strlen(name), list, n) != NULL) {
            return true;
        }
    }
    return false;
}

static int note_code(struct dl_phdr_info *library, size_t size, void *user)
{
    (void)size;
    (void)user;
    for (int i = 0; is_wanted(library->dlpi_name) && i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && n_ranges < MOST_RANGES) {
            ranges[n_ranges].from = library->dlpi_addr + part->p_vaddr;
            ranges[n_ranges++].to = library->dlpi_addr + part->p_vaddr + part->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_AT");
    fail_at = at == NULL ? 0 : atol(at);
    dl_iterate_phdr(note_code, NULL);
    atomic_store(&n_calls, 0);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file != NULL) {
        fprintf(file, "%ld\n", atomic_load(&n_calls));
        fclose(file);
    }
}

static bool fails(void *caller)
{
    for (size_t i = 0; i < n_ranges; i++) {
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to) {
            return atomic_fetch_add(&n_calls, 1) + 1 == fail_at;
        }
    }
    return false;
}

void *malloc(size_t n_bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n_bytes);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t n_bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, n_bytes);
}
