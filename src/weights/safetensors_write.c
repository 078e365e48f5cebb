/* Writing safetensors: eight bytes with the length of the header, the header as JSON, padded
 * with spaces to a multiple of eight, then the numbers in the order of the header. */
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "weights/weights_priv.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

uint64_t ss_weights_tensor_out_bytes(const struct ss_weights_tensor_out *tensor)
{
    uint64_t n = tensor->is_half ? sizeof(uint16_t) : sizeof(float);
    for (size_t i = 0; i < tensor->n_dims; i++) {
        n *= tensor->shape[i]; /* the numbers are in memory, so this is no more than fits */
    }
    return n;
}

static void add_shape(struct ss__buf *header, const struct ss_weights_tensor_out *tensor)
{
    for (size_t i = 0; i < tensor->n_dims; i++) {
        ss__buf_printf(header, "%s%llu", i == 0 ? "" : ",",
                       (unsigned long long)tensor->shape[i]);
    }
}

static void add_metadata(struct ss__buf *header, const char *const *metadata)
{
    if (metadata == NULL || metadata[0] == NULL) {
        return;
    }
    ss__buf_add_text(header, "\"__metadata__\":{");
    for (size_t i = 0; metadata[i] != NULL; i += 2) {
        ss__buf_add_text(header, i == 0 ? "" : ",");
        ss__json_add_string(header, metadata[i], strlen(metadata[i]), true);
        ss__buf_add_byte(header, ':');
        ss__json_add_string(header, metadata[i + 1], strlen(metadata[i + 1]), true);
    }
    ss__buf_add_text(header, "},");
}

static void add_tensors(struct ss__buf *header, const struct ss_weights_tensor_out *tensors,
                        size_t n)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t n_bytes = ss_weights_tensor_out_bytes(&tensors[i]);
        ss__buf_add_text(header, i == 0 ? "" : ",");
        ss__json_add_string(header, tensors[i].name, strlen(tensors[i].name), true);
        ss__buf_printf(header, ":{\"dtype\":\"%s\",\"shape\":[",
                       tensors[i].is_half ? "F16" : "F32");
        add_shape(header, &tensors[i]);
        ss__buf_printf(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                       (unsigned long long)(at + n_bytes));
        at += n_bytes;
    }
    ss__buf_add_byte(header, '}');
}

/* As the format's library does: numbers begin at a multiple of eight. */
static void pad(struct ss__buf *header)
{
    while (header->n_bytes % ALIGNMENT != 0 && !header->failed) {
        ss__buf_add_byte(header, ' ');
    }
}

ss_status ss_weights_safetensors_write(const char *path,
                                       const struct ss_weights_tensor_out *tensors, size_t n,
                                       ss_err *err)
{
    return ss_weights_safetensors_write_with(path, tensors, n, NULL, err);
}

ss_status ss_weights_safetensors_write_with(const char *path,
                                            const struct ss_weights_tensor_out *tensors,
                                            size_t n, const char *const *metadata, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf header = {0};
    uint8_t length[LENGTH_BYTES];
    ss__buf_add_byte(&header, '{');
    add_metadata(&header, metadata);
    add_tensors(&header, tensors, n);
    pad(&header);
    SS_TRY(ss__buf_check(&header, err));
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        length[i] = (uint8_t)((uint64_t)header.n_bytes >> 8 * i);
    }
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss__out_write(&out, length, LENGTH_BYTES, err));
    SS_TRY(ss__out_write(&out, header.data, header.n_bytes, err));
    for (size_t i = 0; i < n; i++) {
        SS_TRY(ss__out_write(&out, tensors[i].data,
                             (size_t)ss_weights_tensor_out_bytes(&tensors[i]), err));
    }
    SS_TRY(ss__out_commit(&out, err));
out:
    if (status != SS_OK) {
        ss__out_abort(&out);
    }
    ss__buf_release(&header);
    return status;
}
