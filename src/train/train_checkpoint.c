/* The state of a training as bytes, from which it goes on as if it had not stopped.
 *
 *   8 bytes   "SSTRAIN1"
 *   text      identity: what the training is and of what rows; another's state is refused
 *   u64       cursor: position in the order of rows
 *   text      metrics so far
 *   u64 × 4   kind, width, features, steps done
 *   per parameter: u64 n; f32 × 3 n: values, first and second moments
 *   u64 × L   batches since a feature fired
 *   32 bytes  SHA-256 of all before
 * A text is a u64 number of bytes and these; all numbers are little-endian. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "train/train_priv.h"

static const char magic[8] = {'S', 'S', 'T', 'R', 'A', 'I', 'N', '1'};

/* ---- writing ---- */

static void add_count(struct ss__buf *buf, uint64_t count)
{
    ss__buf_add(buf, &count, sizeof count); /* little-endian, as x86-64 is */
}

static void add_text(struct ss__buf *buf, struct ss_text text)
{
    add_count(buf, text.n_bytes);
    ss__buf_add(buf, text.data, text.n_bytes);
}

static void add_parameter(struct ss__buf *buf, const struct ss_train_parameter *parameter)
{
    add_count(buf, parameter->n);
    ss__buf_add(buf, parameter->x, parameter->n * sizeof *parameter->x);
    ss__buf_add(buf, parameter->mean, parameter->n * sizeof *parameter->mean);
    ss__buf_add(buf, parameter->square, parameter->n * sizeof *parameter->square);
}

ss_status ss_train_save(const struct ss_trainer *self, const struct ss_train_progress *progress,
                        struct ss__buf *out, ss_err *err)
{
    uint8_t digest[SS__SHA256_BYTES];
    ss__buf_add(out, magic, sizeof magic);
    add_text(out, progress->identity);
    add_count(out, progress->cursor);
    add_text(out, progress->metrics);
    add_count(out, self->config.kind);
    add_count(out, self->config.width);
    add_count(out, self->config.n_features);
    add_count(out, self->step);
    for (size_t i = 0; i < SS_TRAIN_N_PARAMETERS; i++) {
        add_parameter(out, self->parameters + i);
    }
    ss__buf_add(out, self->idle, self->config.n_features * sizeof *self->idle);
    SS_RETURN_IF_ERROR(ss__buf_check(out, err));
    ss__sha256_of((struct ss_text){out->data, out->n_bytes}, (struct ss_text){0}, digest);
    ss__buf_add(out, digest, sizeof digest);
    return ss__buf_check(out, err);
}

/* ---- reading ---- */

struct reader {
    const char *file;
    const uint8_t *at, *end;
};

static ss_status fail_short(const struct reader *reader, ss_err *err)
{
    return ss__fail_file(err, reader->file, SS_E_DATA,
                         "this is no whole state of a training; remove it to start anew");
}

static ss_status read_bytes(struct reader *reader, void *out, uint64_t n, ss_err *err)
{
    if (n > (uint64_t)(reader->end - reader->at)) {
        return fail_short(reader, err);
    }
    memcpy(out, reader->at, (size_t)n);
    reader->at += n;
    return SS_OK;
}

static ss_status read_text(struct reader *reader, struct ss_text *out, ss_err *err)
{
    uint64_t n = 0;
    SS_RETURN_IF_ERROR(read_bytes(reader, &n, sizeof n, err));
    if (n > (uint64_t)(reader->end - reader->at)) {
        return fail_short(reader, err);
    }
    *out = (struct ss_text){(const char *)reader->at, (size_t)n};
    reader->at += n;
    return SS_OK;
}

static bool all_finite(const ss_train_real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            return false;
        }
    }
    return true;
}

static ss_status read_parameter(struct reader *reader, struct ss_train_parameter *parameter,
                                ss_err *err)
{
    const size_t n_bytes = parameter->n * sizeof *parameter->x;
    uint64_t n = 0;
    SS_RETURN_IF_ERROR(read_bytes(reader, &n, sizeof n, err));
    if (n != parameter->n) {
        return fail_short(reader, err);
    }
    SS_RETURN_IF_ERROR(read_bytes(reader, parameter->x, n_bytes, err));
    SS_RETURN_IF_ERROR(read_bytes(reader, parameter->mean, n_bytes, err));
    SS_RETURN_IF_ERROR(read_bytes(reader, parameter->square, n_bytes, err));
    return all_finite(parameter->x, parameter->n) &&
                   all_finite(parameter->mean, parameter->n) &&
                   all_finite(parameter->square, parameter->n)
               ? SS_OK
               : fail_short(reader, err);
}

static bool has_right_digest(const struct ss_text *bytes)
{
    uint8_t digest[SS__SHA256_BYTES];
    const size_t n = bytes->n_bytes - sizeof digest;
    ss__sha256_of((struct ss_text){bytes->data, n}, (struct ss_text){0}, digest);
    return memcmp(digest, bytes->data + n, sizeof digest) == 0;
}

static bool is_same(struct ss_text a, struct ss_text b)
{
    return a.n_bytes == b.n_bytes && (a.n_bytes == 0 || memcmp(a.data, b.data, a.n_bytes) == 0);
}

static ss_status read_sizes(struct ss_trainer *self, struct reader *reader, ss_err *err)
{
    uint64_t sizes[4] = {0};
    SS_RETURN_IF_ERROR(read_bytes(reader, sizes, sizeof sizes, err));
    if (sizes[0] != self->config.kind || sizes[1] != self->config.width ||
        sizes[2] != self->config.n_features || sizes[3] > self->config.n_steps) {
        return fail_short(reader, err);
    }
    self->step = sizes[3];
    return SS_OK;
}

ss_status ss_train_restore(struct ss_trainer *self, const char *file, struct ss_text bytes,
                           struct ss_train_progress *progress, ss_err *err)
{
    char found[sizeof magic];
    struct ss_text identity = {0};
    struct reader reader = {file, (const uint8_t *)bytes.data,
                            (const uint8_t *)bytes.data + bytes.n_bytes};
    if (bytes.n_bytes < sizeof magic + SS__SHA256_BYTES || !has_right_digest(&bytes)) {
        return fail_short(&reader, err);
    }
    reader.end -= SS__SHA256_BYTES;
    SS_RETURN_IF_ERROR(read_bytes(&reader, found, sizeof found, err));
    if (memcmp(found, magic, sizeof magic) != 0) {
        return fail_short(&reader, err);
    }
    SS_RETURN_IF_ERROR(read_text(&reader, &identity, err));
    if (!is_same(identity, progress->identity)) {
        return ss__fail_file(err, file, SS_E_USAGE,
                             "this is the state of a training with other options or of other "
                             "rows; give those again, or another output folder, or `force` to "
                             "start anew");
    }
    SS_RETURN_IF_ERROR(read_bytes(&reader, &progress->cursor, sizeof progress->cursor, err));
    SS_RETURN_IF_ERROR(read_text(&reader, &progress->metrics, err));
    SS_RETURN_IF_ERROR(read_sizes(self, &reader, err));
    for (size_t i = 0; i < SS_TRAIN_N_PARAMETERS; i++) {
        SS_RETURN_IF_ERROR(read_parameter(&reader, self->parameters + i, err));
    }
    SS_RETURN_IF_ERROR(
        read_bytes(&reader, self->idle, self->config.n_features * sizeof *self->idle, err));
    if (reader.at != reader.end) {
        return fail_short(&reader, err);
    }
    ss_train_weights_changed(self);
    return SS_OK;
}
