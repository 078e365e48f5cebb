/* Mapped regions stand in a table that a handler of SIGBUS may read. It can take no lock and no
 * memory, so the table is constant in size and its entries are claimed by atomics.
 *
 * Three kinds of memory for a file are made by one function: a private mapping, memory that is
 * filled in parts, and a copy that is filled at once. A map keeps the descriptor, not the name,
 * so that what it is compared with later is the file that was opened, even when another has
 * taken its name. */
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lfs.h"
#include "base/mem.h"

enum { MAX_REGIONS = 2048 };

/* ---- facts ---- */

static struct ss__file_facts facts_from(const struct stat *found)
{
    return (struct ss__file_facts){.device = found->st_dev,
                                   .inode = found->st_ino,
                                   .n_bytes = (uint64_t)found->st_size,
                                   .modified = found->st_mtim};
}

bool ss__file_facts_of(int descriptor, struct ss__file_facts *out)
{
    struct stat found;
    if (fstat(descriptor, &found) != 0) {
        return false;
    }
    *out = facts_from(&found);
    return true;
}

bool ss__file_facts_at(const char *path, struct ss__file_facts *out)
{
    struct stat found;
    if (stat(path, &found) != 0) {
        return false;
    }
    *out = facts_from(&found);
    return true;
}

bool ss__file_is_same(const struct ss__file_facts *a, const struct ss__file_facts *b)
{
    return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
           a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

/* ---- the table of mapped regions ---- */

/* What a handler of SIGBUS has to know: where files are mapped. A region is claimed by its
 * state, and its bounds are written before it is in use. */
enum { FREE, CLAIMED, IN_USE, LOST };
static struct region {
    atomic_int state;
    _Atomic(uintptr_t) begin, end;
} regions[MAX_REGIONS];

/* The number of the region, from 1; 0 where the table is full. */
static size_t add_region(const void *data, size_t n_bytes)
{
    for (size_t i = 0; i < MAX_REGIONS; i++) {
        int expected = FREE;
        if (atomic_compare_exchange_strong(&regions[i].state, &expected, CLAIMED)) {
            atomic_store(&regions[i].begin, (uintptr_t)data);
            atomic_store(&regions[i].end, (uintptr_t)data + n_bytes);
            atomic_store(&regions[i].state, IN_USE);
            return i + 1;
        }
    }
    return 0;
}

/* Only calls that are safe in a handler (mmap is, on Linux). The whole region becomes zeros,
 * not one page: what was read so far is lost in any case, and the loop that reads would fault
 * on every page. */
bool ss_recover_fault(const void *address)
{
    const uintptr_t at = (uintptr_t)address;
    const int kept = errno;
    bool recovered = false;
    for (size_t i = 0; i < MAX_REGIONS && !recovered; i++) {
        const int state = atomic_load(&regions[i].state);
        const uintptr_t begin = atomic_load(&regions[i].begin);
        const uintptr_t end = atomic_load(&regions[i].end);
        if ((state == IN_USE || state == LOST) && at >= begin && at < end) {
            recovered = mmap((void *)begin, end - begin, PROT_READ,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                             0) != MAP_FAILED;
            if (recovered) {
                atomic_store(&regions[i].state, LOST);
            }
        }
    }
    errno = kept;
    return recovered;
}

/* ---- opening ---- */

ss_status ss__open_regular(const char *path, int *descriptor, struct ss__file_facts *facts,
                           ss_err *err)
{
    struct stat found = {.st_mode = 0};
    /* non-blocking, so that a named pipe without a writer is told instead of waited for */
    do {
        *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (*descriptor < 0 && errno == EINTR);
    if (*descriptor < 0) {
        return ss__fail_errno(err, path, "open", errno);
    }
    const int why = fstat(*descriptor, &found) != 0 ? errno : 0;
    if (why == 0 && S_ISREG(found.st_mode)) {
        *facts = facts_from(&found);
        return SS_OK;
    }
    const bool is_folder = S_ISDIR(found.st_mode);
    close(*descriptor);
    *descriptor = -1;
    if (why != 0) {
        return ss__fail_errno(err, path, "open", why);
    }
    return ss__fail_file(err, path, SS_E_DATA, "this is %s, not a file",
                         is_folder ? "a folder" : "a device or pipe");
}

/* Take a descriptor, and memory for the file: a mapping of it, or empty. */
static ss_status make_map(int descriptor, const char *path, ss__map_kind kind,
                          struct ss__map *map, ss_err *err)
{
    ss_status status = SS_OK;
    const bool maps = kind == SS__MAP_MAPPED;
    const size_t n_bytes = (size_t)map->facts.n_bytes;
    if (n_bytes == 0) {
        map->data = (const uint8_t *)"";
        close(descriptor);
        return SS_OK;
    }
    map->handle = descriptor + 1;
    void *data = mmap(NULL, n_bytes, maps ? PROT_READ : PROT_READ | PROT_WRITE,
                      maps ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      maps ? descriptor : -1, 0);
    if (data == MAP_FAILED) {
        SS_TRY(ss__fail_errno(err, path, "map", errno));
    }
    map->data = data;
    map->n_bytes = n_bytes;
    map->kind = kind;
    map->region = maps ? add_region(data, n_bytes) : 0;
    if (maps && map->region == 0) {
        SS_FAIL_FILE(path, SS_E_LIMIT, "more than %d files are mapped at a time", MAX_REGIONS);
    }
    if (maps) {
        SS_TRY(ss__lfs_check(path, map->data, map->n_bytes, err));
    }
out:
    if (status != SS_OK) {
        ss__map_release(map);
    }
    return status;
}

static ss_status open_map(const char *path, ss__map_kind kind, struct ss__map *out, ss_err *err)
{
    int descriptor = -1;
    *out = (struct ss__map){.kind = SS__MAP_NONE};
    const ss_status status = ss__open_regular(path, &descriptor, &out->facts, err);
    return status == SS_OK ? make_map(descriptor, path, kind, out, err) : status;
}

ss_status ss__file_map(const char *path, struct ss__map *out, ss_err *err)
{
    return open_map(path, SS__MAP_MAPPED, out, err);
}

ss_status ss__file_reserve(const char *path, struct ss__map *out, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(open_map(path, SS__MAP_PARTIAL, out, err));
    if (out->n_bytes < SS__LFS_MAX_BYTES) {
        SS_TRY(ss__map_populate(out, 0, out->n_bytes, path, err));
        SS_TRY(ss__lfs_check(path, out->data, out->n_bytes, err));
    }
out:
    if (status != SS_OK) {
        ss__map_release(out);
    }
    return status;
}

ss_status ss__file_map_open(int descriptor, const char *name, struct ss__map *out, ss_err *err)
{
    *out = (struct ss__map){.kind = SS__MAP_NONE};
    const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || !ss__file_facts_of(copy, &out->facts)) {
        const int problem = errno;
        if (copy >= 0) {
            close(copy);
        }
        return ss__fail_errno(err, name, "map", problem);
    }
    return make_map(copy, name, SS__MAP_MAPPED, out, err);
}

ss_status ss__map_again(const struct ss__map *map, const char *name, struct ss__map *out,
                        ss_err *err)
{
    *out = (struct ss__map){.kind = SS__MAP_NONE, .facts = map->facts};
    const int copy = fcntl(map->handle - 1, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? ss__fail_errno(err, name, "map", errno)
                    : make_map(copy, name, SS__MAP_PARTIAL, out, err);
}

ss_status ss__file_load(const char *path, struct ss__map *out, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__file_reserve(path, out, err));
    if (out->n_bytes > 0) {
        SS_TRY(ss__map_populate(out, 0, out->n_bytes, path, err));
        close(out->handle - 1);
        out->handle = 0;
        out->kind = SS__MAP_COPY;
    }
out:
    if (status != SS_OK) {
        ss__map_release(out);
    }
    return status;
}

void ss__map_release(struct ss__map *map)
{
    if (map->region > 0) { /* before the addresses may be those of something else */
        atomic_store(&regions[map->region - 1].state, FREE);
    }
    if (map->n_bytes > 0) {
        munmap((void *)(uintptr_t)map->data, map->n_bytes);
    }
    if (map->handle > 0) {
        close(map->handle - 1);
    }
    *map = (struct ss__map){.kind = SS__MAP_NONE};
}

/* ---- reading ---- */

static ss_status fail_changed(const struct ss__map *map, const char *name, uint64_t n_now,
                              ss_err *err)
{
    const uint64_t n_before = map->facts.n_bytes;
    return n_now < n_before
               ? ss__fail_file(
                     err, name, SS_E_IO,
                     "the file was cut while it was in use: it had %llu bytes when it "
                     "was opened and has %llu; run again once it is whole",
                     (unsigned long long)n_before, (unsigned long long)n_now)
               : ss__fail_file(err, name, SS_E_IO,
                               "the file was written to while it was in use; run again once it "
                               "is complete");
}

ss_status ss__map_read(const struct ss__map *map, size_t from, size_t n, void *out,
                       const char *name, ss_err *err)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got =
            pread(map->handle - 1, (char *)out + done, n - done, (off_t)(from + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ss__fail_errno(err, name, "read", errno);
        }
        if (got == 0) {
            struct ss__file_facts now = {.n_bytes = from + done};
            (void)ss__file_facts_of(map->handle - 1, &now);
            return fail_changed(map, name, now.n_bytes, err);
        }
        done += (size_t)got;
    }
    return SS_OK;
}

ss_status ss__map_populate(const struct ss__map *map, size_t from, size_t n, const char *name,
                           ss_err *err)
{
    return map->kind == SS__MAP_PARTIAL
               ? ss__map_read(map, from, n, (uint8_t *)(uintptr_t)map->data + from, name, err)
               : SS_OK;
}

ss_status ss__map_check(const struct ss__map *map, const char *name, ss_err *err)
{
    struct ss__file_facts now;
    if (map->handle == 0) {
        return SS_OK;
    }
    if (!ss__file_facts_of(map->handle - 1, &now)) {
        return ss__fail_errno(err, name, "look at", errno);
    }
    const bool is_lost =
        map->region > 0 && atomic_load(&regions[map->region - 1].state) == LOST;
    return is_lost || !ss__file_is_same(&map->facts, &now)
               ? fail_changed(map, name, now.n_bytes, err)
               : SS_OK;
}

/* Whole pages inside the range: what shares a page with it may still be needed. */
void ss__map_release_pages(const struct ss__map *map, const void *data, size_t n_bytes)
{
    const uintptr_t page = 4096, first = (uintptr_t)map->data, from = (uintptr_t)data;
    if (map->kind < SS__MAP_MAPPED || from < first || from + n_bytes > first + map->n_bytes) {
        return;
    }
    const uintptr_t begin = (from + page - 1) / page * page;
    const uintptr_t end = (from + n_bytes) / page * page;
    if (begin < end) {
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
}
