/* The window over an input. Plain bytes are read straight into it; compressed ones pass a
 * buffer and a codec. What a row has not taken stays at the front and new bytes come behind.
 *
 * The window grows to what one row needs and no further, so memory depends on the longest row
 * and not on the file; both the row and the ratio of decompression are bounded, because a small
 * file of zeros may unpack to anything. Whether data is compressed is decided by its first
 * bytes, never by its name. */
#include "source/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/temporary.h"
#include "source/codec.h"

/* How far a window grows at a time, and how much compressed data is read at a time. */
enum { FILE_STEP_BYTES = 256 << 10, PACKED_BYTES = 64 << 10 };
/* Beyond the first 64 MB, more than a thousandfold is refused: real text stays below 100,
 * deflate cannot do more than 1032, zstd and bzip2 can. */
enum { MAX_EXPANSION = 1000, MAX_EXPANSION_FREE_BYTES = 64 << 20 };

struct ss_source_stream_state {
    char *name;
    struct ss_source_input input;
    uint64_t n_raw; /* bytes of the input that were read */
    size_t step_bytes;

    const struct ss_source_codec *codec;
    void *decoder;
    bool looked;     /* the head was seen: codec is decided */
    bool in_member;  /* compressed data has begun and not ended */
    uint8_t *packed; /* compressed bytes that are not decoded yet */
    size_t packed_start, packed_end;
    bool packed_ended;
    uint64_t n_packed_bytes, n_unpacked_bytes;

    char *window;
    size_t start, capacity; /* of the window; data is window + start */
};

/* ---- opening ---- */

ss_status ss_source_stream_open_input(struct ss_source_input *input,
                                      struct ss_source_stream *out, ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss_source_stream){.data = ""};
    SS_ALLOC(out->state, 1);
    out->state->name = ss__strdup(input->name);
    if (out->state->name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    out->name = out->state->name;
    out->state->step_bytes = input->step_bytes == 0 ? FILE_STEP_BYTES : input->step_bytes;
    out->state->input = *input;
    *input = (struct ss_source_input){.name = NULL};
out:
    if (status != SS_OK) {
        ss_source_input_close(input);
        ss_source_stream_close(out);
    }
    return status;
}

ss_status ss_source_stream_open(const char *path, struct ss_source_halt *halt,
                                struct ss_source_stream *out, ss_err *err)
{
    struct ss_source_input input;
    *out = (struct ss_source_stream){.data = ""};
    SS_RETURN_IF_ERROR(ss_source_input_open(path, halt, &input, err));
    SS_RETURN_IF_ERROR(ss_source_stream_open_input(&input, out, err));
    out->halt = halt;
    return SS_OK;
}

ss_status ss_source_stream_open_memory(const char *name, const void *data, size_t n_bytes,
                                       struct ss_source_stream *out, ss_err *err)
{
    struct ss_source_input input;
    *out = (struct ss_source_stream){.data = ""};
    SS_RETURN_IF_ERROR(ss_source_input_open_memory(name, data, n_bytes, &input, err));
    return ss_source_stream_open_input(&input, out, err);
}

void ss_source_stream_close(struct ss_source_stream *stream)
{
    struct ss_source_stream_state *state = stream->state;
    if (state != NULL) {
        if (state->codec != NULL) {
            state->codec->stop(state->decoder);
        }
        ss_source_input_close(&state->input);
        ss__free(state->packed);
        ss__free(state->window);
        ss__free(state->name);
        ss__free(state);
    }
    *stream = (struct ss_source_stream){0};
}

/* ---- reading ---- */

/* Up to n bytes from the input; *n_read is 0 at its end only. */
static ss_status read_raw(struct ss_source_stream *stream, void *out, size_t n, size_t *n_read,
                          ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    SS_RETURN_IF_ERROR(ss_source_halt_check(stream->halt, stream->name, err));
    SS_RETURN_IF_ERROR(
        state->input.ops->read_at(state->input.state, state->n_raw, out, n, n_read, err));
    state->n_raw += *n_read;
    return SS_OK;
}

/* Move the window to the front and make room behind it. */
static ss_status grow_window(struct ss_source_stream *stream, ss_err *err)
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
    SS_GROW_OR_RETURN(state->window, state->capacity, stream->n_bytes + state->step_bytes);
    stream->data = state->window;
    return SS_OK;
}

/* No more than a window's step, so that small tests cross as many edges as large files. */
static size_t packed_bytes(const struct ss_source_stream_state *state)
{
    return ss__min_size(PACKED_BYTES, state->step_bytes);
}

/* The first bytes decide on the codec; compressed ones move to the buffer of its input. */
static ss_status look(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    const size_t n_wanted = packed_bytes(state) - SS_SOURCE_CODEC_HEAD_BYTES;
    size_t n_read = 1;
    SS_RETURN_IF_ERROR(grow_window(stream, err));
    while (stream->n_bytes < SS_SOURCE_CODEC_HEAD_BYTES && n_read > 0) {
        SS_RETURN_IF_ERROR(
            read_raw(stream, state->window + stream->n_bytes, n_wanted, &n_read, err));
        stream->n_bytes += n_read;
    }
    state->looked = true;
    stream->at_end = n_read == 0;
    const struct ss_source_codec *codec =
        state->input.inner != NULL
            ? NULL
            : ss_source_codec_find((uint8_t *)state->window, stream->n_bytes);
    if (codec == NULL) {
        return SS_OK;
    }
    SS_ALLOC_OR_RETURN(state->packed, packed_bytes(state));
    memcpy(state->packed, state->window, stream->n_bytes);
    state->packed_end = stream->n_bytes;
    state->n_packed_bytes = stream->n_bytes;
    state->packed_ended = stream->at_end;
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
    if (state->packed_start == state->packed_end && !state->packed_ended) {
        SS_RETURN_IF_ERROR(read_raw(stream, state->packed, packed_bytes(state), &n_read, err));
        state->packed_start = 0;
        state->packed_end = n_read;
        state->n_packed_bytes += n_read;
        state->packed_ended = n_read == 0;
    }
    return SS_OK;
}

/* Between members: nothing more, padding, or the next member. gzip alone pads with zeros
 * (tapes, and tar's blocks), as gzip(1) accepts it; anything else behind a member has to be
 * another one. */
static ss_status between_members(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_source_stream_state *state = stream->state;
    bool padding = state->codec->pads_with_zeros && state->n_unpacked_bytes > 0;
    while (padding && state->packed_start < state->packed_end) {
        padding = state->packed[state->packed_start] == 0;
        state->packed_start += padding;
        SS_RETURN_IF_ERROR(refill_input(stream, err));
    }
    stream->at_end = state->packed_start == state->packed_end && state->packed_ended;
    state->in_member = !stream->at_end;
    return SS_OK;
}

/* At the byte of the compressed file up to which the decoder came. */
static ss_status damaged(const struct ss_source_stream *stream, const char *how, ss_err *err)
{
    const struct ss_source_stream_state *state = stream->state;
    const uint64_t at = state->n_packed_bytes - (state->packed_end - state->packed_start);
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
        .in = state->packed + state->packed_start,
        .n_in = state->packed_end - state->packed_start,
        .out = (uint8_t *)state->window + stream->n_bytes,
        .n_out = state->step_bytes,
        .in_ended = state->packed_ended,
    };
    const size_t n_in = io.n_in;
    const ss_source_decoded result = state->codec->decode(state->decoder, &io);
    state->packed_start += n_in - io.n_in;
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
    } else if (*n_made == 0 && io.n_in == n_in && state->packed_ended) {
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

/* A call of a decoder may use input and make nothing; turns go on until bytes came or the
 * end. */
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
        /* plain bytes that were read for the look are in the window already */
        if (stream->n_bytes > 0 || stream->at_end) {
            return SS_OK;
        }
    }
    SS_RETURN_IF_ERROR(grow_window(stream, err));
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
    return stream->state == NULL ? NULL : stream->state->input.facts;
}

ss_status ss_source_stream_check_end(const struct ss_source_stream *stream, ss_err *err)
{
    const struct ss_source_input *input = stream->state == NULL ? NULL : &stream->state->input;
    return input != NULL && input->ops->check != NULL ? input->ops->check(input->state, err)
                                                      : SS_OK;
}

const char *ss_source_stream_codec(const struct ss_source_stream *stream)
{
    const struct ss_source_stream_state *state = stream->state;
    if (state->input.inner != NULL) {
        return ss_source_stream_codec(state->input.inner);
    }
    return state->codec == NULL ? NULL : state->codec->name;
}

/* ---- progress ---- */

/* Of packed bytes as large a part is behind as of what was unpacked out of those read so far:
 * an estimate, for progress alone. */
uint64_t ss_source_stream_position(const struct ss_source_stream *stream)
{
    const struct ss_source_stream_state *state = stream->state;
    if (state == NULL || state->codec == NULL) {
        return stream->offset;
    }
    const double n_seen = (double)stream->offset + (double)stream->n_bytes;
    const uint64_t n_packed = state->n_packed_bytes - (state->packed_end - state->packed_start);
    return n_seen == 0 ? 0 : (uint64_t)((double)n_packed * (double)stream->offset / n_seen);
}

uint64_t ss_source_stream_size(const struct ss_source_stream *stream)
{
    return stream->state == NULL ? 0 : stream->state->input.n_bytes;
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

ss_status ss_source_stream_map(struct ss_source_stream *stream, bool in_parts,
                               struct ss__map *out, ss_err *err)
{
    const struct ss_source_input *input = &stream->state->input;
    *out = (struct ss__map){0};
    SS_RETURN_IF_ERROR(ss_source_stream_need(stream, 1, err));
    return input->ops->map == NULL || stream->state->codec != NULL
               ? spool(stream, out, err) /* which nobody else can write to */
               : input->ops->map(input->state, in_parts, out, err);
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
