/* Local files, pipes, standard input and memory as inputs.
 *
 * A regular file is read by offset (pread), so that it may be mapped and read at the same
 * time; a pipe in order. Waiting for a pipe never blocks for longer than a stop takes to be
 * noticed: the descriptor is opened without waiting for a writer and asked with a timeout
 * (base/stop.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/input.h"

void ss_source_input_close(struct ss_source_input *input)
{
    if (input->ops != NULL && input->ops->close != NULL) {
        input->ops->close(input->state);
    }
    *input = (struct ss_source_input){.name = NULL};
}

ss_status ss_source_halt_check(struct ss_source_halt *halt, const char *name, ss_err *err)
{
    return halt != NULL && (atomic_load(&halt->is_interrupted) || ss__is_stopped(&halt->asking))
               ? ss__fail_file(err, name, SS_E_STOPPED, "stopped while reading")
               : SS_OK;
}

/* ---- files ---- */

struct file {
    int descriptor;
    bool closes, is_regular;
    struct ss__file_facts facts; /* of a regular file */
    const char *name;
    char *path;
    struct ss_source_halt *halt; /* nullable */
};

/* Wait until a pipe has bytes or has ended, or until the reader is to stop. */
static ss_status wait_for_bytes(const struct file *file, ss_err *err)
{
    struct pollfd waiting = {.fd = file->descriptor, .events = POLLIN};
    for (;;) {
        const ss_status status = ss_source_halt_check(file->halt, file->name, err);
        if (status != SS_OK || file->is_regular) {
            return status;
        }
        const int n = poll(&waiting, 1, SS__ASK_MS);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return SS_OK;
        }
    }
}

/* A file that became shorter is told as that, and not as a row that ends early. One that grew
 * is read to where it was. */
static ss_status check_file(void *state, ss_err *err)
{
    const struct file *file = state;
    struct ss__file_facts now;
    return file->is_regular && ss__file_facts_of(file->descriptor, &now) &&
                   now.n_bytes < file->facts.n_bytes
               ? ss__fail_file(err, file->name, SS_E_IO,
                               "the file was cut while it was read: it had %llu bytes when it "
                               "was opened and has %llu; run again once it is whole",
                               (unsigned long long)file->facts.n_bytes,
                               (unsigned long long)now.n_bytes)
               : SS_OK;
}

static ss_status read_file(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                           ss_err *err)
{
    const struct file *file = state;
    ssize_t got = 0;
    do { /* again on EAGAIN, too: another reader of the same pipe was quicker */
        SS_RETURN_IF_ERROR(wait_for_bytes(file, err));
        got = file->is_regular ? pread(file->descriptor, out, n, (off_t)offset)
                               : read(file->descriptor, out, n);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) {
        return ss__fail_errno(err, file->name, "read", errno);
    }
    *n_read = (size_t)got;
    return got == 0 ? check_file(state, err) : SS_OK; /* before half a row is given */
}

static ss_status map_file(void *state, bool in_parts, struct ss__map *out, ss_err *err)
{
    const struct file *file = state;
    return in_parts ? ss__file_reserve(file->path, out, err)
                    : ss__file_map(file->path, out, err);
}

static void close_file(void *state)
{
    struct file *file = state;
    if (file->closes && file->descriptor >= 0) {
        close(file->descriptor);
    }
    ss__free(file->path);
    ss__free(file);
}

/* Bytes of standard input, if it is a file, perhaps read not from its start. */
static uint64_t standard_input_bytes(void)
{
    struct stat found;
    const off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    return at >= 0 && fstat(STDIN_FILENO, &found) == 0 && S_ISREG(found.st_mode) &&
                   found.st_size > at
               ? (uint64_t)(found.st_size - at)
               : 0;
}

static ss_status open_path(struct file *file, ss_err *err)
{
    struct stat found;
    do {
        /* without waiting for a writer at the other end of a named pipe */
        file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (file->descriptor < 0 && errno == EINTR);
    file->closes = file->descriptor >= 0;
    if (file->descriptor < 0 || fstat(file->descriptor, &found) != 0) {
        return ss__fail_errno(err, file->path, "open", errno);
    }
    file->is_regular = S_ISREG(found.st_mode);
    if (file->is_regular && !ss__file_facts_of(file->descriptor, &file->facts)) {
        return ss__fail_errno(err, file->path, "open", errno);
    }
    return S_ISDIR(found.st_mode)
               ? ss__fail_file(err, file->path, SS_E_DATA, "is a folder, expected a file")
               : SS_OK;
}

ss_status ss_source_input_open(const char *path, struct ss_source_halt *halt,
                               struct ss_source_input *out, ss_err *err)
{
    static const struct ss_source_input_ops regular = {
        .read_at = read_file, .map = map_file, .check = check_file, .close = close_file};
    static const struct ss_source_input_ops other = {.read_at = read_file, .close = close_file};
    ss_status status = SS_OK;
    struct file *file = NULL;
    const bool is_standard_input = strcmp(path, "-") == 0;
    *out = (struct ss_source_input){.name = NULL};
    SS_ALLOC(file, 1);
    file->descriptor = is_standard_input ? STDIN_FILENO : -1;
    file->halt = halt;
    file->path = ss__strdup(path);
    if (file->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    file->name = is_standard_input ? "standard input" : file->path;
    SS_TRY(is_standard_input ? SS_OK : open_path(file, err));
    *out = (struct ss_source_input){.name = file->name,
                                    .n_bytes = is_standard_input ? standard_input_bytes()
                                                                 : file->facts.n_bytes,
                                    .facts = file->is_regular ? &file->facts : NULL,
                                    .ops = file->is_regular ? &regular : &other,
                                    .state = file};
    file = NULL;
out:
    if (file != NULL) {
        close_file(file);
    }
    return status;
}

/* ---- memory ---- */

struct memory {
    const uint8_t *data;
    size_t n_bytes;
};

/* Asked in order, so `offset` is never beyond the end. */
static ss_status read_memory(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                             ss_err *err)
{
    const struct memory *memory = state;
    (void)err;
    *n_read = ss__min_size(n, memory->n_bytes - (size_t)offset);
    if (*n_read > 0) {
        memcpy(out, memory->data + offset, *n_read);
    }
    return SS_OK;
}

ss_status ss_source_input_open_memory(const char *name, const void *data, size_t n_bytes,
                                      struct ss_source_input *out, ss_err *err)
{
    /* Small steps: rows of small tests then cross as many edges as those of large files. */
    enum { STEP_BYTES = 1 << 10 };
    static const struct ss_source_input_ops ops = {.read_at = read_memory, .close = ss__free};
    struct memory *memory = NULL;
    SS_ALLOC_OR_RETURN(memory, 1);
    *memory = (struct memory){data, n_bytes};
    *out = (struct ss_source_input){.name = name,
                                    .n_bytes = n_bytes,
                                    .step_bytes = STEP_BYTES,
                                    .ops = &ops,
                                    .state = memory};
    return SS_OK;
}
