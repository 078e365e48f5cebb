/* gzip by zlib (RFC 1952), zstd by libzstd (RFC 8878), bzip2 by libbz2, xz by liblzma, lz4
 * frames by liblz4. Each decodes member after member; the memory of a decoder is bounded
 * whatever its input says: by 2 GiB for the windows of zstd --long=31 and the dictionaries of
 * xz, of which only what was written is ever touched.
 *
 * A decoder tells damage from a lack of memory: a file must not be called broken because the
 * machine is full. That a stream is cut off is for the caller to say, who knows that no input
 * follows (stream.c). */
#include "source/codec.h"

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

enum { ZSTD_WINDOW_LOG = 31, GZIP_WINDOW_BITS = 15 + 16 };
#define XZ_MEMORY_BYTES (UINT64_C(2) << 30)

/* zlib and libbz2 count in unsigned; what is left over comes in the next call. */
static unsigned bounded(size_t n)
{
    return n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)n;
}

/* Take over how far a decoder came. */
static void advance(struct ss_source_codec_io *io, size_t n_used, size_t n_made)
{
    io->in += n_used;
    io->n_in -= n_used;
    io->out += n_made;
    io->n_out -= n_made;
}

/* ---- gzip ---- */

/* ID1, ID2 and the method deflate, the only one there is (RFC 1952, 2.3.1). */
static bool gzip_matches(const uint8_t *head, size_t n)
{
    return n >= 3 && head[0] == 0x1F && head[1] == 0x8B && head[2] == 8;
}

static void *gzip_start(void)
{
    z_stream *z = ss__alloc(1, sizeof *z);
    if (z != NULL && inflateInit2(z, GZIP_WINDOW_BITS) != Z_OK) {
        ss__free(z);
        z = NULL;
    }
    return z;
}

static ss_source_decoded gzip_decode(void *state, struct ss_source_codec_io *io)
{
    z_stream *z = state;
    const unsigned n_in = bounded(io->n_in), n_out = bounded(io->n_out);
    z->next_in = (z_const Bytef *)(uintptr_t)io->in;
    z->avail_in = n_in;
    z->next_out = io->out;
    z->avail_out = n_out;
    const int result = inflate(z, Z_NO_FLUSH);
    advance(io, n_in - z->avail_in, n_out - z->avail_out);
    if (result == Z_STREAM_END) {
        return inflateReset(z) == Z_OK ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_BAD;
    }
    if (result == Z_MEM_ERROR) {
        return SS_SOURCE_DECODED_NO_MEMORY;
    }
    /* no progress is no damage: more input or space may be needed */
    return result == Z_OK || result == Z_BUF_ERROR ? SS_SOURCE_DECODED_SOME
                                                   : SS_SOURCE_DECODED_BAD;
}

static void gzip_stop(void *state)
{
    if (state != NULL) {
        inflateEnd(state);
        ss__free(state);
    }
}

/* ---- zstd ---- */

/* A frame, or one that is to be skipped, as pzstd and seekable writers put first. */
static bool zstd_matches(const uint8_t *head, size_t n)
{
    const bool skips = n >= 8 && head[0] >> 4 == 5 && memcmp(head + 1, "\x2A\x4D\x18", 3) == 0;
    return skips || (n >= 4 && memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0);
}

static void *zstd_start(void)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream != NULL &&
        ZSTD_isError(ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
        ZSTD_freeDStream(stream);
        stream = NULL;
    }
    return stream;
}

static ss_source_decoded zstd_decode(void *state, struct ss_source_codec_io *io)
{
    ZSTD_inBuffer in = {io->in, io->n_in, 0};
    ZSTD_outBuffer out = {io->out, io->n_out, 0};
    const size_t left = ZSTD_decompressStream(state, &out, &in);
    advance(io, in.pos, out.pos);
    if (ZSTD_isError(left)) {
        const ZSTD_ErrorCode code = ZSTD_getErrorCode(left);
        if (code == ZSTD_error_dictionary_wrong) {
            return SS_SOURCE_DECODED_NEEDS_DICTIONARY;
        }
        return code == ZSTD_error_memory_allocation               ? SS_SOURCE_DECODED_NO_MEMORY
               : code == ZSTD_error_frameParameter_windowTooLarge ? SS_SOURCE_DECODED_TOO_LARGE
                                                                  : SS_SOURCE_DECODED_BAD;
    }
    return left == 0 ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_SOME;
}

static void zstd_stop(void *state)
{
    ZSTD_freeDStream(state);
}

/* For Parquet and Arrow, which say how much a page unpacks to. */
ss_source_decoded ss_source_zstd_decode(const uint8_t *in, size_t n_in, uint8_t *out,
                                        size_t n_out)
{
    const size_t n = ZSTD_decompress(out, n_out, in, n_in);
    if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) {
        return SS_SOURCE_DECODED_NO_MEMORY;
    }
    return n == n_out ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_BAD;
}

/* ---- bzip2 ---- */

/* "BZh", the level, and the mark of a block or of the end. */
static bool bzip2_matches(const uint8_t *head, size_t n)
{
    return n >= 10 && memcmp(head, "BZh", 3) == 0 && head[3] >= '1' && head[3] <= '9' &&
           (memcmp(head + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
            memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

static void *bzip2_start(void)
{
    bz_stream *bz = ss__alloc(1, sizeof *bz);
    if (bz != NULL && BZ2_bzDecompressInit(bz, 0, 0) != BZ_OK) {
        ss__free(bz);
        bz = NULL;
    }
    return bz;
}

static ss_source_decoded bzip2_decode(void *state, struct ss_source_codec_io *io)
{
    bz_stream *bz = state;
    const unsigned n_in = bounded(io->n_in), n_out = bounded(io->n_out);
    bz->next_in = (char *)(uintptr_t)io->in;
    bz->avail_in = n_in;
    bz->next_out = (char *)io->out;
    bz->avail_out = n_out;
    const int result = BZ2_bzDecompress(bz);
    advance(io, n_in - bz->avail_in, n_out - bz->avail_out);
    if (result == BZ_STREAM_END) {
        BZ2_bzDecompressEnd(bz);
        /* libbz2 has no reset: a member that follows gets a new decoder */
        *bz = (bz_stream){0};
        return BZ2_bzDecompressInit(bz, 0, 0) == BZ_OK ? SS_SOURCE_DECODED_END
                                                       : SS_SOURCE_DECODED_NO_MEMORY;
    }
    return result == BZ_OK          ? SS_SOURCE_DECODED_SOME
           : result == BZ_MEM_ERROR ? SS_SOURCE_DECODED_NO_MEMORY
                                    : SS_SOURCE_DECODED_BAD;
}

static void bzip2_stop(void *state)
{
    if (state != NULL) {
        BZ2_bzDecompressEnd(state);
        ss__free(state);
    }
}

/* ---- xz ---- */

/* The mark is split, since "\xFD7" would be read as one escape. */
static bool xz_matches(const uint8_t *head, size_t n)
{
    return n >= 6 && memcmp(head,
                            "\xFD"
                            "7zXZ\0",
                            6) == 0;
}

static void *xz_start(void)
{
    lzma_stream *xz = ss__alloc(1, sizeof *xz);
    if (xz == NULL) {
        return NULL;
    }
    *xz = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(xz, XZ_MEMORY_BYTES, LZMA_CONCATENATED) != LZMA_OK) {
        ss__free(xz);
        xz = NULL;
    }
    return xz;
}

/* liblzma walks over members and their padding itself and ends once, when told that no input
 * follows. */
static ss_source_decoded xz_decode(void *state, struct ss_source_codec_io *io)
{
    lzma_stream *xz = state;
    xz->next_in = io->in;
    xz->avail_in = io->n_in;
    xz->next_out = io->out;
    xz->avail_out = io->n_out;
    const lzma_ret result = lzma_code(xz, io->in_ended ? LZMA_FINISH : LZMA_RUN);
    advance(io, io->n_in - xz->avail_in, io->n_out - xz->avail_out);
    if (result == LZMA_STREAM_END) {
        return SS_SOURCE_DECODED_END;
    }
    if (result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR) {
        return result == LZMA_MEM_ERROR ? SS_SOURCE_DECODED_NO_MEMORY
                                        : SS_SOURCE_DECODED_TOO_LARGE;
    }
    return result == LZMA_OK || result == LZMA_BUF_ERROR ? SS_SOURCE_DECODED_SOME
                                                         : SS_SOURCE_DECODED_BAD;
}

static void xz_stop(void *state)
{
    if (state != NULL) {
        lzma_end(state);
        ss__free(state);
    }
}

/* ---- lz4 ---- */

/* The library's codes are not in its public header, their names are. */
ss_source_decoded ss_source_lz4_failure(size_t result)
{
    return strcmp(LZ4F_getErrorName(result), "ERROR_allocation_failed") == 0
               ? SS_SOURCE_DECODED_NO_MEMORY
               : SS_SOURCE_DECODED_BAD;
}

static bool lz4_matches(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "\x04\x22\x4D\x18", 4) == 0;
}

static void *lz4_start(void)
{
    LZ4F_dctx *context = NULL;
    return LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) ? NULL
                                                                                 : context;
}

static ss_source_decoded lz4_decode(void *state, struct ss_source_codec_io *io)
{
    size_t n_in = io->n_in, n_out = io->n_out;
    const size_t left = LZ4F_decompress(state, io->out, &n_out, io->in, &n_in, NULL);
    if (LZ4F_isError(left)) {
        return ss_source_lz4_failure(left);
    }
    advance(io, n_in, n_out);
    return left == 0 ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_SOME;
}

static void lz4_stop(void *state)
{
    (void)LZ4F_freeDecompressionContext(state);
}

/* Marks differ in their first bytes, so the order does not matter. */
static const struct ss_source_codec codecs[] = {
    {"gzip", true, gzip_matches, gzip_start, gzip_decode, gzip_stop},
    {"zstd", false, zstd_matches, zstd_start, zstd_decode, zstd_stop},
    {"bzip2", false, bzip2_matches, bzip2_start, bzip2_decode, bzip2_stop},
    {"xz", false, xz_matches, xz_start, xz_decode, xz_stop},
    {"lz4", false, lz4_matches, lz4_start, lz4_decode, lz4_stop},
};

const struct ss_source_codec *ss_source_codec_find(const uint8_t *head, size_t n)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i].matches(head, n)) {
            return &codecs[i];
        }
    }
    return NULL;
}
