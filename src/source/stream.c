/* The window over a file, standard input or memory. Plain bytes are read straight into it;
 * compressed ones pass an input buffer and a codec. What a row has not taken stays at the front
 * and new bytes come behind. */
#include "source/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/temporary.h"
#include "source/codec.h"

/* How far a window grows at a time, and how much packed data is read at a time. Memory goes in
 * small steps: rows of small tests then cross as many edges as those of large files. */
enum { FILE_STEP_BYTES = 256 << 10, MEMORY_STEP_BYTES = 1 << 10, INPUT_BYTES = 64 << 10 };
enum { MAX_EXPANSION = 1000, MAX_EXPANSION_FREE_BYTES = 64 << 20 };

struct ss_source_stream_state {
    int descriptor; /* -1 for memory and sources */
    bool closes;    /* the descriptor is ours */
    bool is_regular;
    struct ss__file_facts facts; /* of a regular file */
    size_t step_bytes;
    char *path;
    const uint8_t *memory;
    size_t n_memory; /* bytes not read yet */
    struct ss_source_stream_source source;

    const struct ss_source_codec *codec;
    void *decoder;
    bool looked;    /* the head was seen: codec is decided */
    bool in_member; /* compressed data has begun and not ended */
    uint8_t *input;
    size_t input_start, input_end;
    bool input_ended;
    uint64_t n_packed_bytes, n_unpacked_bytes;
    uint64_t n_stored_bytes; /* of the whole; 0: not known */

    char *window;
    size_t start, room; /* of the window; data is window + start */
};

/* ---- opening ---- */

static ss_status open_descriptor(const char *path, struct ss_source_stream_state *state,
                                 ss_err *err)
{
    struct stat facts;
    if (strcmp(path, "-") == 0) {
        state->descriptor = STDIN_FILENO;
        const off_t at =
            lseek(STDIN_FILENO, 0, SEEK_CUR); /* a file, perhaps not from its start */
        if (at >= 0 && fstat(STDIN_FILENO, &facts) == 0 && S_ISREG(facts.st_mode) &&
            facts.st_size > at) {
            state->n_stored_bytes = (uint64_t)(facts.st_size - at);
        }
        return SS_OK;
    }
    do {
        /* without waiting for a writer at the other end of a named pipe */
        state->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (state->descriptor < 0 && errno == EINTR);
    if (state->descriptor < 0 || fstat(state->descriptor, &facts) != 0) {
        return ss__fail_errno(err, path, "open", errno);
    }
    state->closes = true;
    state->is_regular = S_ISREG(facts.st_mode);
    if (state->is_regular && !ss__file_facts_of(state->descriptor, &state->facts)) {
        return ss__fail_errno(err, path, "open", errno);
    }
    state->n_stored_bytes = state->is_regular ? (uint64_t)facts.st_size : 0;
    if (S_ISDIR(facts.st_mode)) {
        return ss__fail_file(err, path, SS_E_DATA, "is a folder, expected a file");
    }
    return SS_OK;
}

static ss_status prepare(const char *path, struct ss_source_stream *out, ss_err *err)
{
    *out = (struct ss_source_stream){.data = ""};
    SS_ALLOC_OR_RETURN(out->state, 1);
    out->state->descriptor = -1;
    out->state->step_bytes = FILE_STEP_BYTES;
    out->state->path = ss__strdup(path);
    if (out->state->path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    out->name = strcmp(path, "-") == 0 ? "standard input" : out->state->path;
    return SS_OK;
}

ss_status ss_source_stream_open(const char *path, struct ss_source_halt *halt,
                                struct ss_source_stream *out, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(prepare(path, out, err));
    out->halt = halt;
    SS_TRY(open_descriptor(path, out->state, err));
out:
    if (status != SS_OK) {
        ss_source_stream_close(out);
    }
    return status;
}

ss_status ss_source_stream_open_memory(const char *name, const void *data, size_t n_bytes,
                                       struct ss_source_stream *out, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(prepare(name, out, err));
    out->state->step_bytes = MEMORY_STEP_BYTES;
    out->state->memory = data;
    out->state->n_memory = n_bytes;
    out->state->n_stored_bytes = n_bytes;
out:
    if (status != SS_OK) {
        ss_source_stream_close(out);
    }
    return status;
}

ss_status ss_source_stream_open_source(const char *name,
                                       const struct ss_source_stream_source *source,
                                       struct ss_source_stream *out, ss_err *err)
{
    const ss_status status = prepare(name, out, err);
    if (status != SS_OK) {
        ss_source_stream_close(out);
        return status;
    }
    out->state->source = *source;
    return SS_OK;
}

void ss_source_stream_close(struct ss_source_stream *stream)
{
    struct ss_source_stream_state *state = stream->state;
    if (state != NULL) {
        if (state->codec != NULL) {
            state->codec->stop(state->decoder);
        }
        if (state->closes && state->descriptor >= 0) {
            close(state->descriptor);
        }
        if (state->source.close != NULL) {
            state->source.close(state->source.user);
        }
        ss__free(state->input);
        ss__free(state->window);
        ss__free(state->path);
        ss__free(state);
    }
    *stream = (struct ss_source_stream){0};
}

/* ---- reading ---- */

ss_status ss_source_halt_check(struct ss_source_halt *halt, const char *name, ss_err *err)
{
    return halt != NULL && (atomic_load(&halt->is_interrupted) || ss__is_stopped(&halt->asking))
               ? ss__fail_file(err, name, SS_E_STOPPED, "stopped while reading")
               : SS_OK;
}

/* Wait until a pipe has bytes or has ended, or until the reader is to stop. */
static ss_status wait_for_bytes(const struct ss_source_stream *stream, ss_err *err)
{
    struct pollfd waiting = {.fd = stream->state->descriptor, .events = POLLIN};
    for (;;) {
        const ss_status status = ss_source_halt_check(stream->halt, stream->name, err);
        if (status != SS_OK || stream->state->is_regular) {
            return status;
        }
        const int n = poll(&waiting, 1, SS__ASK_MS);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return SS_OK;
        }
    }
}

/* Up to n bytes from the file; *n_read is 0 at its end only. */
static ss_status read_raw(struct ss_source_stream *stream, void *out, size_t n, size_t *n_read,
                          ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    if (state->source.read != NULL) {
        const ss_status status = ss_source_halt_check(stream->halt, stream->name, err);
        return status != SS_OK ? status
                               : state->source.read(state->source.user, out, n, n_read, err);
    }
    if (state->descriptor < 0) {
        *n_read = ss__min_size(n, state->n_memory);
        if (*n_read > 0) {
            memcpy(out, state->memory, *n_read);
            state->memory += *n_read;
            state->n_memory -= *n_read;
        }
        return SS_OK;
    }
    ssize_t got = 0;
    do {
        const ss_status status = wait_for_bytes(stream, err);
        if (status != SS_OK) {
            return status;
        }
        got = read(state->descriptor, out, n);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) {
        return ss__fail_errno(err, stream->name, "read", errno);
    }
    *n_read = (size_t)got;
    return got == 0 ? ss_source_stream_check_end(stream, err)
                    : SS_OK; /* before half a row is given */
}

/* Move the window to the front and make room behind it. */
static ss_status make_room(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    const bool is_packed = ss_source_stream_codec(stream) != NULL;
    const size_t most =
        is_packed ? SS_SOURCE_MAX_WINDOW_BYTES_PACKED : SS_SOURCE_MAX_WINDOW_BYTES;
    if (stream->n_bytes >= most) {
        return ss__fail_file(err, stream->name, SS_E_LIMIT,
                             "one row is longer than %zu MiB, the limit for %s data",
                             most >> 20, is_packed ? "compressed" : "plain");
    }
    if (state->start > 0 && stream->n_bytes > 0) {
        memmove(state->window, state->window + state->start, stream->n_bytes);
    }
    state->start = 0;
    SS_GROW_OR_RETURN(state->window, state->room, stream->n_bytes + state->step_bytes);
    stream->data = state->window;
    return SS_OK;
}

static size_t input_bytes(const struct ss_source_stream_state *state)
{
    return ss__min_size(INPUT_BYTES, state->step_bytes);
}

/* The first bytes decide on the codec; compressed ones move to the input buffer. */
static ss_status look(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    const size_t n_wanted = input_bytes(state) - SS_SOURCE_CODEC_HEAD_BYTES;
    size_t n_read = 1;
    SS_RETURN_IF_ERROR(make_room(stream, err));
    while (stream->n_bytes < SS_SOURCE_CODEC_HEAD_BYTES && n_read > 0) {
        SS_RETURN_IF_ERROR(
            read_raw(stream, state->window + stream->n_bytes, n_wanted, &n_read, err));
        stream->n_bytes += n_read;
    }
    state->looked = true;
    stream->at_end = n_read == 0;
    const struct ss_source_codec *codec =
        state->source.bytes != NULL
            ? NULL
            : ss_source_codec_find((uint8_t *)state->window, stream->n_bytes);
    if (codec == NULL) {
        return SS_OK;
    }
    SS_ALLOC_OR_RETURN(state->input, input_bytes(state));
    memcpy(state->input, state->window, stream->n_bytes);
    state->input_end = stream->n_bytes;
    state->n_packed_bytes = stream->n_bytes;
    state->input_ended = stream->at_end;
    stream->n_bytes = 0;
    stream->at_end = false;
    state->decoder = codec->start();
    if (state->decoder == NULL) {
        return ss__fail_nomem(err, "a decompressor");
    }
    state->codec = codec;
    return SS_OK;
}

static ss_status refill_input(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    size_t n_read = 0;
    if (state->input_start == state->input_end && !state->input_ended) {
        SS_RETURN_IF_ERROR(read_raw(stream, state->input, input_bytes(state), &n_read, err));
        state->input_start = 0;
        state->input_end = n_read;
        state->n_packed_bytes += n_read;
        state->input_ended = n_read == 0;
    }
    return SS_OK;
}

/* Between members: nothing more, padding, or the next member. */
static ss_status between_members(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    bool padding = state->codec->pads_with_zeros && state->n_unpacked_bytes > 0;
    while (padding && state->input_start < state->input_end) {
        padding = state->input[state->input_start] == 0;
        state->input_start += padding;
        SS_RETURN_IF_ERROR(refill_input(stream, err));
    }
    stream->at_end = state->input_start == state->input_end && state->input_ended;
    state->in_member = !stream->at_end;
    return SS_OK;
}

static ss_status damaged(const struct ss_source_stream *stream, const char *how, ss_err *err)
{
    const struct ss_source_stream_state *state = stream->state;
    const uint64_t at = state->n_packed_bytes - (state->input_end - state->input_start);
    const ss_status status =
        ss__fail_file(err, stream->name, SS_E_DATA, "the %s data is %s at byte %llu",
                      state->codec->name, how, (unsigned long long)at);
    ss__err_at_offset(err, at);
    return status;
}

/* One call of the decoder into the window. */
static ss_status decode_step(struct ss_source_stream *stream, size_t *n_made, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    struct ss_source_codec_io io = {
        .in = state->input + state->input_start,
        .n_in = state->input_end - state->input_start,
        .out = (uint8_t *)state->window + stream->n_bytes,
        .n_out = state->step_bytes,
        .in_ended = state->input_ended,
    };
    const size_t n_in = io.n_in;
    const ss_source_decoded result = state->codec->decode(state->decoder, &io);
    state->input_start += n_in - io.n_in;
    *n_made = state->step_bytes - io.n_out;
    stream->n_bytes += *n_made;
    state->n_unpacked_bytes += *n_made;
    if (result == SS_SOURCE_DECODED_BAD) {
        return damaged(stream, "damaged", err);
    }
    if (result == SS_SOURCE_DECODED_NO_MEMORY) {
        return ss__fail_nomem(err, "a decompressor");
    }
    if (result == SS_SOURCE_DECODED_NEEDS_DICTIONARY) {
        return ss__fail_file(err, stream->name, SS_E_UNSUPPORTED,
                             "the %s data needs a dictionary that is not in it; decompress it "
                             "first",
                             state->codec->name);
    }
    if (result == SS_SOURCE_DECODED_TOO_LARGE) {
        return ss__fail_file(err, stream->name, SS_E_LIMIT,
                             "the %s data asks for a window that needs more memory than "
                             "the 2 GiB that are allowed; decompress it first",
                             state->codec->name);
    }
    if (result == SS_SOURCE_DECODED_END) {
        state->in_member = false;
    } else if (*n_made == 0 && io.n_in == n_in && state->input_ended) {
        return damaged(stream, "cut off", err);
    }
    return SS_OK;
}

/* More output than real text ever packs into so few bytes. */
static ss_status check_expansion(const struct ss_source_stream *stream, ss_err *err)
{
    const struct ss_source_stream_state *state = stream->state;
    if (state->n_unpacked_bytes > MAX_EXPANSION_FREE_BYTES &&
        state->n_unpacked_bytes / MAX_EXPANSION > state->n_packed_bytes) {
        return ss__fail_file(err, stream->name, SS_E_LIMIT,
                             "the %s data grows to more than %d times its size; decompress it "
                             "first if that is meant",
                             state->codec->name, MAX_EXPANSION);
    }
    return SS_OK;
}

static ss_status more_packed(struct ss_source_stream *stream, ss_err *err)
{
    for (size_t n_made = 0; n_made == 0 && !stream->at_end;) {
        SS_RETURN_IF_ERROR(refill_input(stream, err));
        if (!stream->state->in_member) {
            SS_RETURN_IF_ERROR(between_members(stream, err));
        }
        if (!stream->at_end) {
            SS_RETURN_IF_ERROR(decode_step(stream, &n_made, err));
        }
    }
    return check_expansion(stream, err);
}

ss_status ss_source_stream_more(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    if (stream->at_end) {
        return SS_OK;
    }
    if (!state->looked) {
        SS_RETURN_IF_ERROR(look(stream, err));
        if (stream->n_bytes > 0 || stream->at_end) {
            return SS_OK;
        }
    }
    SS_RETURN_IF_ERROR(make_room(stream, err));
    if (state->codec != NULL) {
        SS_RETURN_IF_ERROR(more_packed(stream, err));
        return SS_OK;
    }
    size_t n_read = 0;
    SS_RETURN_IF_ERROR(
        read_raw(stream, state->window + stream->n_bytes, state->step_bytes, &n_read, err));
    stream->n_bytes += n_read;
    stream->at_end = n_read == 0;
    return SS_OK;
}

ss_status ss_source_stream_need(struct ss_source_stream *stream, size_t n_bytes, ss_err *err)
{
    while (stream->n_bytes < n_bytes && !stream->at_end) {
        SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
    }
    return SS_OK;
}

void ss_source_stream_take(struct ss_source_stream *stream, size_t n_bytes)
{
    stream->state->start += n_bytes;
    stream->data += n_bytes;
    stream->n_bytes -= n_bytes;
    stream->offset += n_bytes;
}

const struct ss__file_facts *ss_source_stream_facts(const struct ss_source_stream *stream)
{
    return stream->state != NULL && stream->state->is_regular ? &stream->state->facts : NULL;
}

ss_status ss_source_stream_check_end(const struct ss_source_stream *stream, ss_err *err)
{
    struct ss__file_facts now;
    const struct ss__file_facts *before = ss_source_stream_facts(stream);
    return before != NULL && ss__file_facts_of(stream->state->descriptor, &now) &&
                   now.n_bytes < before->n_bytes
               ? ss__fail_file(err, stream->name, SS_E_IO,
                               "the file was cut while it was read: it had %llu bytes when it "
                               "was opened and has %llu; run again once it is whole",
                               (unsigned long long)before->n_bytes,
                               (unsigned long long)now.n_bytes)
               : SS_OK;
}

const char *ss_source_stream_codec(const struct ss_source_stream *stream)
{
    const struct ss_source_stream_state *state = stream->state;
    if (state->source.bytes != NULL) {
        return ss_source_stream_codec(state->source.bytes);
    }
    return state->codec == NULL ? NULL : state->codec->name;
}

/* ---- progress ---- */

/* Of packed bytes as large a part is behind as of what was unpacked out of those read so far.
 */
uint64_t ss_source_stream_position(const struct ss_source_stream *stream)
{
    const struct ss_source_stream_state *state = stream->state;
    if (state == NULL || state->codec == NULL) {
        return stream->offset;
    }
    const double n_seen = (double)stream->offset + (double)stream->n_bytes;
    const uint64_t n_packed = state->n_packed_bytes - (state->input_end - state->input_start);
    return n_seen == 0 ? 0 : (uint64_t)((double)n_packed * (double)stream->offset / n_seen);
}

uint64_t ss_source_stream_size(const struct ss_source_stream *stream)
{
    return stream->state == NULL ? 0 : stream->state->n_stored_bytes;
}

/* ---- random access ---- */

/* The copy has no name: it goes with the last who has it open or mapped, whatever happens. */
static ss_status spool(struct ss_source_stream *stream, struct ss__map *out, ss_err *err)
{
    ss_status status = SS_OK;
    int descriptor = -1;
    SS_TRY(ss__temporary_unnamed(&descriptor, err));
    for (;;) {
        SS_TRY(ss__write_all(descriptor, SS__TEMPORARY_UNNAMED, stream->data, stream->n_bytes,
                             err));
        ss_source_stream_take(stream, stream->n_bytes);
        if (stream->at_end) {
            break;
        }
        SS_TRY(ss_source_stream_more(stream, err));
    }
    SS_TRY(ss__file_map_open(descriptor, stream->name, out, err));
out:
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

static ss_status map_content(struct ss_source_stream *stream, bool in_parts,
                             struct ss__map *out, ss_err *err)
{
    const char *path = stream->state->path;
    *out = (struct ss__map){0};
    SS_RETURN_IF_ERROR(ss_source_stream_need(stream, 1, err));
    if (!stream->state->is_regular || stream->state->codec != NULL) {
        SS_RETURN_IF_ERROR(spool(stream, out, err)); /* which nobody else can write to */
    } else {
        SS_RETURN_IF_ERROR(in_parts ? ss__file_reserve(path, out, err)
                                    : ss__file_map(path, out, err));
    }
    return SS_OK;
}

ss_status ss_source_stream_map(struct ss_source_stream *stream, struct ss__map *out,
                               ss_err *err)
{
    return map_content(stream, false, out, err);
}

ss_status ss_source_stream_reserve(struct ss_source_stream *stream, struct ss__map *out,
                                   ss_err *err)
{
    return map_content(stream, true, out, err);
}

ss_status ss_source_stream_skip_mark(struct ss_source_stream *stream, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_source_stream_need(stream, 3, err));
    if (stream->offset == 0 && stream->n_bytes >= 3 &&
        memcmp(stream->data, "\xEF\xBB\xBF", 3) == 0) {
        ss_source_stream_take(stream, 3);
    }
    return SS_OK;
}
