/* .npy version 1.0 as numpy.save writes it for little-endian f32 in C order:
 *
 *   0   magic "\x93NUMPY", major 1, minor 0
 *   8   u16 little-endian: bytes of the header that follow
 *   10  "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", then as many spaces as
 *       bring the decimal text of shape[0] to 21 characters, then 1 to 64 spaces, then a
 *       newline, so that the data begins at a multiple of 64
 *       f32 values
 *
 * The room for 21 characters is what lets a writer change the first dimension in place. */
#include "folder/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PREFIX_BYTES = 10, ALIGNMENT = 64, GROWTH_ROOM = 21 };

static void add_spaces(struct ss__buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ss__buf_add_byte(buf, ' ');
    }
}

void ss_folder_npy_add_header(struct ss__buf *buf, size_t n_dims, const uint64_t *shape)
{
    ss_folder_npy_add_header_of(buf, "<f4", n_dims, shape);
}

void ss_folder_npy_add_header_of(struct ss__buf *buf, const char *descr, size_t n_dims,
                                 const uint64_t *shape)
{
    struct ss__buf text = {0};
    ss__buf_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (size_t i = 0; i < n_dims; i++) {
        ss__buf_printf(&text, "%s%" PRIu64, i == 0 ? "" : ", ", shape[i]);
    }
    ss__buf_add_text(&text, n_dims == 1 ? ",), }" : "), }");
    if (n_dims > 0) {
        char digits[GROWTH_ROOM + 1];
        const int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, shape[0]);
        add_spaces(&text, (size_t)(GROWTH_ROOM - n_digits));
    }
    add_spaces(&text, ALIGNMENT - (PREFIX_BYTES + text.n_bytes + 1) % ALIGNMENT);
    ss__buf_add_byte(&text, '\n');
    ss__buf_add(buf, "\x93NUMPY\x01\x00", 8);
    ss__buf_add_byte(buf, (char)(text.n_bytes & 255));
    ss__buf_add_byte(buf, (char)(text.n_bytes >> 8));
    ss__buf_add(buf, text.data, text.n_bytes);
    buf->failed = buf->failed || text.failed;
    ss__buf_release(&text);
}

ss_status ss_folder_npy_write(const char *path, const float *data, size_t n_dims,
                              const uint64_t *shape, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf header = {0};
    struct ss__out out = SS__OUT_CLOSED;
    size_t n_values = 1;
    for (size_t i = 0; i < n_dims; i++) {
        n_values *= (size_t)shape[i];
    }
    ss_folder_npy_add_header(&header, n_dims, shape);
    SS_TRY(ss__buf_check(&header, err));
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss__out_write(&out, header.data, header.n_bytes, err));
    SS_TRY(ss__out_write(&out, data, n_values * sizeof *data, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&header);
    return status;
}

static ss_status make_header(const struct ss_folder_npy_stream *stream, struct ss__buf *header,
                             ss_err *err)
{
    const uint64_t shape[2] = {stream->n_rows, stream->width};
    ss_folder_npy_add_header(header, 2, shape);
    return ss__buf_check(header, err);
}

ss_status ss_folder_npy_open(const char *path, bool force, uint64_t width,
                             struct ss_folder_npy_stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf header = {0};
    *stream = SS_FOLDER_NPY_CLOSED;
    stream->width = width;
    SS_TRY(make_header(stream, &header, err));
    SS_TRY(ss__out_open_named(path, force, &stream->out, err));
    SS_TRY(ss__out_write(&stream->out, header.data, header.n_bytes, err));
out:
    ss__buf_release(&header);
    if (status != SS_OK) {
        ss_folder_npy_abort(stream);
    }
    return status;
}

ss_status ss_folder_npy_add(struct ss_folder_npy_stream *stream, const float *rows,
                            size_t n_rows, ss_err *err)
{
    stream->n_rows += n_rows;
    return ss__out_write(&stream->out, rows, n_rows * (size_t)stream->width * sizeof *rows,
                         err);
}

ss_status ss_folder_npy_commit(struct ss_folder_npy_stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf header = {0};
    SS_TRY(make_header(stream, &header, err));
    SS_TRY(ss__out_patch(&stream->out, 0, header.data, header.n_bytes, err));
    SS_TRY(ss__out_commit(&stream->out, err));
out:
    ss__buf_release(&header);
    ss_folder_npy_abort(stream);
    return status;
}

void ss_folder_npy_abort(struct ss_folder_npy_stream *stream)
{
    ss__out_abort(&stream->out);
    *stream = SS_FOLDER_NPY_CLOSED;
}
