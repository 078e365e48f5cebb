/* Decompression of Parquet pages (Compression.md): one call per page, into a buffer of exactly
 * the size that the page header declares. Growth is bounded by that buffer, so a bomb ends as
 * an error. A body must be used up and the buffer filled: anything else is damage. */
#define ZLIB_CONST
#include <brotli/decode.h>
#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>

#include "parquet/parquet_priv.h"

/* Libraries tell much about what was wrong; a page is whole or it is not. */
static ss_source_decoded whole_if(bool is_whole)
{
    return is_whole ? SS_SOURCE_DECODED_END : SS_SOURCE_DECODED_BAD;
}

static ss_source_decoded decode_snappy(const uint8_t *in, size_t n_in, uint8_t *out,
                                       size_t n_out)
{
    size_t n = 0;
    return whole_if(
        snappy_uncompressed_length((const char *)in, n_in, &n) == SNAPPY_OK && n == n_out &&
        snappy_uncompress((const char *)in, n_in, (char *)out, &n) == SNAPPY_OK && n == n_out);
}

/* One gzip member (or zlib stream, as some writers have it) after another. */
static ss_source_decoded decode_gzip(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    z_stream stream = {.next_in = in};
    if (n_in > UINT32_MAX || n_out > UINT32_MAX) {
        return SS_SOURCE_DECODED_BAD;
    }
    if (inflateInit2(&stream, 15 + 32) != Z_OK) {
        return SS_SOURCE_DECODED_NO_MEMORY;
    }
    stream.avail_in = (uInt)n_in;
    stream.next_out = out;
    stream.avail_out = (uInt)n_out;
    int result = Z_OK;
    while (result == Z_OK) {
        result = inflate(&stream, Z_FINISH);
        if (result == Z_STREAM_END && stream.avail_in > 0) {
            result = inflateReset(&stream);
        }
    }
    const bool whole = result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    inflateEnd(&stream);
    return result == Z_MEM_ERROR ? SS_SOURCE_DECODED_NO_MEMORY : whole_if(whole);
}

/* Its errors of allocation have a range of codes of their own. */
static ss_source_decoded decode_brotli(const uint8_t *in, size_t n_in, uint8_t *out,
                                       size_t n_out)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (state == NULL) {
        return SS_SOURCE_DECODED_NO_MEMORY;
    }
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state, &n_in, &in, &n_out, &out, NULL);
    const bool is_whole = result == BROTLI_DECODER_RESULT_SUCCESS && n_in == 0 && n_out == 0;
    const BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state);
    BrotliDecoderDestroyInstance(state);
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? SS_SOURCE_DECODED_NO_MEMORY
               : whole_if(is_whole);
}

static ss_source_decoded decode_zstd(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    return ss_source_zstd_decode(in, n_in, out, n_out);
}

static ss_source_decoded decode_lz4_raw(const uint8_t *in, size_t n_in, uint8_t *out,
                                        size_t n_out)
{
    return whole_if(n_in <= INT32_MAX && n_out <= INT32_MAX &&
                    LZ4_decompress_safe((const char *)in, (char *)out, (int)n_in, (int)n_out) ==
                        (int)n_out);
}

static uint32_t read_big_endian(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* Blocks as Hadoop frames them: u32 BE size after, u32 BE size before, raw block. */
static ss_source_decoded decode_lz4_hadoop(const uint8_t *in, size_t n_in, uint8_t *out,
                                           size_t n_out)
{
    while (n_in > 8) {
        const size_t n_raw = read_big_endian(in);
        const size_t n_block = read_big_endian(in + 4);
        if (n_block > n_in - 8 || n_raw > n_out ||
            decode_lz4_raw(in + 8, n_block, out, n_raw) != SS_SOURCE_DECODED_END) {
            return SS_SOURCE_DECODED_BAD;
        }
        in += 8 + n_block;
        n_in -= 8 + n_block;
        out += n_raw;
        n_out -= n_raw;
    }
    return whole_if(n_in == 0 && n_out == 0);
}

/* The id 5 was used for Hadoop's framing and for raw blocks alike. */
static ss_source_decoded decode_lz4(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    return decode_lz4_hadoop(in, n_in, out, n_out) == SS_SOURCE_DECODED_END
               ? SS_SOURCE_DECODED_END
               : decode_lz4_raw(in, n_in, out, n_out);
}

/* Pages that are stored plain are read where they lie; this one is for the table to be
 * whole. */
static ss_source_decoded decode_none(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    if (n_in == n_out && n_out > 0) {
        memcpy(out, in, n_out);
    }
    return whole_if(n_in == n_out);
}

/* By id. Ratios are what a format can reach at most: DEFLATE's longest match is 258 bytes for 2
 * bits; Brotli and Zstandard have no bound, and the limits of parquet_page.c hold. */
static const struct ss_parquet_codec codecs[] = {
    [0] = {"none", decode_none, 1},     [1] = {"snappy", decode_snappy, 64},
    [2] = {"gzip", decode_gzip, 1032},  [3] = {"lzo", NULL, 0},
    [4] = {"brotli", decode_brotli, 0}, [5] = {"lz4", decode_lz4, 256},
    [6] = {"zstd", decode_zstd, 0},     [7] = {"lz4_raw", decode_lz4_raw, 256},
};

const struct ss_parquet_codec *ss_parquet_codec_find(int32_t id)
{
    return id < 0 || id >= (int32_t)(sizeof codecs / sizeof *codecs) ? NULL : &codecs[id];
}
