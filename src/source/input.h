/* An opened input: the bytes of one file, wherever it is.
 *
 *   local file            by offset                              input_file.c
 *   pipe, standard input  in order                               input_file.c
 *   memory                by offset                              input_file.c
 *   member of an archive  in order                               archive.c
 *   remote file           in order, or by the ranges of a plan   prefetch_reader.c
 *   other encodings       in order, over another stream          decode.c
 *
 * Formats see no input: those that read in order have it in a window (stream.h), which
 * decompresses, those that do not in a view (input_view.h). */
#ifndef SS_SOURCE_INPUT_H
#define SS_SOURCE_INPUT_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/map.h"
#include "base/stop.h"

struct ss_source_input;
struct ss_source_stream;

/* What ends reading with SS_E_STOPPED, also where it waits: another thread, or the answer to a
 * question that the thread that reads asks. */
struct ss_source_halt {
    atomic_bool is_interrupted;
    struct ss__asking asking;
};
/* Whether to end. `halt` is nullable. */
SS_MUST_USE ss_status ss_source_halt_check(struct ss_source_halt *halt, const char *name,
                                           ss_err *err);

/* A part of a file. */
struct ss_source_range {
    uint64_t begin, end;
};

struct ss_source_ranges {
    struct ss_source_range *items;
    size_t n, capacity;
};

/* What a kind of input can do. All but `read_at` are nullable. */
struct ss_source_input_ops {
    /* Up to n bytes from `offset` on; *n_read is 0 at the end only. Where an input is read in
     * order, `offset` is where the last call ended. */
    ss_status (*read_at)(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                         ss_err *err);

    /* Memory of the file's size, owned by the caller. Where there is `need`, it is the input's,
     * and its bytes come by `need` alone; else ss__map_populate fills a map that is in parts.
     */
    ss_status (*map)(void *state, bool in_parts, struct ss__map *out, ss_err *err);

    /* Have the bytes [from, from + n) of the map, which end before `end`. More may be there
     * afterwards: up to *until. */
    ss_status (*need)(void *state, uint64_t from, uint64_t n, uint64_t end, uint64_t *until,
                      ss_err *err);

    /* The ranges that will be needed, ascending and apart; `ranges` is taken. */
    void (*will_need)(void *state, struct ss_source_ranges *ranges);

    /* SS_E_IO if the file has become shorter than what it was when it was opened. */
    ss_status (*check)(void *state, ss_err *err);

    void (*close)(void *state);
};

/* A zeroed struct is closed. */
struct ss_source_input {
    const char *name;                   /* for messages; as long as the input */
    uint64_t n_bytes;                   /* as stored; 0: not known */
    size_t step_bytes;                  /* how much a window reads at a time; 0: as of a file */
    const struct ss__file_facts *facts; /* how a regular file was when it was opened, or NULL */
    const struct ss_source_stream *inner; /* nullable: the stream that this one is made of */
    const struct ss_source_input_ops *ops;
    void *state;
};

/* Open a path, or "-" for standard input, which stays open after closing. `path` is copied. A
 * named pipe that nobody writes to yet is waited for when it is read, and no longer than `halt`
 * (nullable, borrowed) lets it. Errors: SS_E_NOINPUT, SS_E_DATA (a folder), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_source_input_open(const char *path, struct ss_source_halt *halt,
                                           struct ss_source_input *out, ss_err *err);

/* Memory that outlives the input, as does `name`. */
SS_MUST_USE ss_status ss_source_input_open_memory(const char *name, const void *data,
                                                  size_t n_bytes, struct ss_source_input *out,
                                                  ss_err *err);

void ss_source_input_close(struct ss_source_input *input);

#endif
