/* Writing a state dict as torch.save does in its zip form (see torch.c): a folder ARCHIVE with
 *
 *   data.pkl    protocol 2: an OrderedDict of names and tensors, each rebuilt from a storage
 *   byteorder   "little"
 *   data/I      the numbers of tensor I, at a multiple of 64 bytes
 *   version     "3"
 *
 * Entries are stored, and no date is written, so that the same tensors give the same bytes. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/output.h"
#include "weights/weights_priv.h"

enum {
    ALIGNMENT = 64,
    LOCAL_BYTES = 30,
    FIRST_DATE = 0x21, /* 1980-01-01, the earliest that the form can say */
    NAME_BYTES = 64,
    MAX_TENSORS = 64
};

struct entry {
    char name[NAME_BYTES];
    const void *data;
    uint64_t n_bytes, at; /* of its local header */
    uint32_t crc;
};

/* ---- the pickle ---- */

/* Little-endian, as pickles and zip archives both are. */
static void add_u32(struct ss__buf *buf, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        ss__buf_add_byte(buf, (char)(value >> 8 * i & 0xFF));
    }
}

/* BINUNICODE. */
static void add_text(struct ss__buf *buf, const char *text)
{
    ss__buf_add_byte(buf, 'X');
    add_u32(buf, (uint32_t)strlen(text));
    ss__buf_add_text(buf, text);
}

/* BININT, below 2^31: sizes of one tensor that fits the archive, counted in floats. */
static void add_int(struct ss__buf *buf, uint64_t value)
{
    ss__buf_add_byte(buf, 'J');
    add_u32(buf, (uint32_t)value);
}

/* GLOBAL, EMPTY_TUPLE, REDUCE. */
static void add_empty_dict(struct ss__buf *buf)
{
    ss__buf_add_text(buf, "ccollections\nOrderedDict\n)R");
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) */
static void add_tensor(struct ss__buf *buf, const struct ss_weights_tensor_out *tensor,
                       size_t index)
{
    char key[24];
    uint64_t stride = ss_weights_tensor_out_bytes(tensor) /
                      (tensor->is_half ? sizeof(uint16_t) : sizeof(float));
    (void)snprintf(key, sizeof key, "%zu", index);
    ss__buf_add_text(buf, "ctorch._utils\n_rebuild_tensor_v2\n((");
    add_text(buf, "storage");
    ss__buf_printf(buf, "ctorch\n%s\n", tensor->is_half ? "HalfStorage" : "FloatStorage");
    add_text(buf, key);
    add_text(buf, "cpu");
    add_int(buf, stride);
    ss__buf_add_text(buf, "tQ");
    add_int(buf, 0);
    ss__buf_add_byte(buf, '(');
    for (size_t i = 0; i < tensor->n_dims; i++) {
        add_int(buf, tensor->shape[i]);
    }
    ss__buf_add_text(buf, "t(");
    for (size_t i = 0; i < tensor->n_dims; i++) {
        stride /= tensor->shape[i];
        add_int(buf, stride);
    }
    ss__buf_add_text(buf, "t\x89");
    add_empty_dict(buf);
    ss__buf_add_text(buf, "tR");
}

/* PROTO 2, the dictionary, MARK, names and tensors, SETITEMS, STOP. */
static void add_pickle(struct ss__buf *buf, const struct ss_weights_tensor_out *tensors,
                       size_t n)
{
    ss__buf_add_text(buf, "\x80\x02");
    add_empty_dict(buf);
    ss__buf_add_byte(buf, '(');
    for (size_t i = 0; i < n; i++) {
        add_text(buf, tensors[i].name);
        add_tensor(buf, &tensors[i], i);
    }
    ss__buf_add_text(buf, "u.");
}

/* ---- the archive ---- */

static void add_u16(struct ss__buf *buf, uint32_t value)
{
    ss__buf_add_byte(buf, (char)(value & 0xFF));
    ss__buf_add_byte(buf, (char)(value >> 8 & 0xFF));
}

/* What local header and directory have in common: from the version needed to the length of the
 * extra field. */
static void add_facts(struct ss__buf *buf, const struct entry *entry, size_t n_extra)
{
    add_u16(buf, 0);
    add_u16(buf, 0);
    add_u16(buf, 0);
    add_u16(buf, 0);
    add_u16(buf, FIRST_DATE);
    add_u32(buf, entry->crc);
    add_u32(buf, (uint32_t)entry->n_bytes);
    add_u32(buf, (uint32_t)entry->n_bytes);
    add_u16(buf, (uint32_t)strlen(entry->name));
    add_u16(buf, (uint32_t)n_extra);
}

/* Bytes of an extra field that put the content at a multiple of 64; it needs four for itself.
 */
static size_t padding(const struct entry *entry)
{
    const uint64_t content = entry->at + LOCAL_BYTES + strlen(entry->name) + 4;
    return 4 + (size_t)((ALIGNMENT - content % ALIGNMENT) % ALIGNMENT);
}

/* The extra field is the one torch pads with ("FB", filled with 'Z'), so that its own reader
 * can map the numbers. */
static void add_local(struct ss__buf *buf, const struct entry *entry)
{
    const size_t n_extra = padding(entry);
    ss__buf_add_text(buf, "PK\3\4");
    add_facts(buf, entry, n_extra);
    ss__buf_add_text(buf, entry->name);
    ss__buf_add_text(buf, "FB");
    add_u16(buf, (uint32_t)(n_extra - 4));
    for (size_t i = 4; i < n_extra; i++) {
        ss__buf_add_byte(buf, 'Z');
    }
}

static void add_directory(struct ss__buf *buf, const struct entry *entry)
{
    ss__buf_add_text(buf, "PK\1\2");
    add_u16(buf, 0);
    add_facts(buf, entry, 0);
    add_u16(buf, 0); /* comment, disk, attributes */
    add_u16(buf, 0);
    add_u16(buf, 0);
    add_u32(buf, 0);
    add_u32(buf, (uint32_t)entry->at);
    ss__buf_add_text(buf, entry->name);
}

/* The end of the directory: one disk, no comment. */
static void add_end(struct ss__buf *buf, size_t n, uint64_t at, uint64_t n_bytes)
{
    ss__buf_add_text(buf, "PK\5\6");
    add_u16(buf, 0);
    add_u16(buf, 0);
    add_u16(buf, (uint32_t)n);
    add_u16(buf, (uint32_t)n);
    add_u32(buf, (uint32_t)n_bytes);
    add_u32(buf, (uint32_t)at);
    add_u16(buf, 0);
}

static uint32_t crc_of(const uint8_t *data, uint64_t n_bytes)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, (z_size_t)n_bytes);
}

/* Write the entries and their directory; offsets must fit 32 bits, as a simple archive has. */
static ss_status write_entries(struct ss__out *out, struct entry *entries, size_t n,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        buf.n_bytes = 0;
        entries[i].at = at;
        entries[i].crc = crc_of(entries[i].data, entries[i].n_bytes);
        add_local(&buf, &entries[i]);
        SS_TRY(ss__buf_check(&buf, err));
        SS_TRY(ss__out_write(out, buf.data, buf.n_bytes, err));
        SS_TRY(ss__out_write(out, entries[i].data, (size_t)entries[i].n_bytes, err));
        at += buf.n_bytes + entries[i].n_bytes;
    }
    buf.n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        add_directory(&buf, &entries[i]);
    }
    add_end(&buf, n, at, buf.n_bytes);
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__out_write(out, buf.data, buf.n_bytes, err));
out:
    ss__buf_release(&buf);
    return status;
}

/* Before anything is written. */
static ss_status check_size(const char *path, const struct ss_weights_tensor_out *tensors,
                            size_t n, ss_err *err)
{
    uint64_t n_bytes = 1 << 20; /* names, pickle and directory */
    for (size_t i = 0; i < n; i++) {
        n_bytes += ss_weights_tensor_out_bytes(&tensors[i]);
    }
    if (n > MAX_TENSORS) {
        return ss__fail_file(err, path, SS_E_LIMIT,
                             "%zu tensors are to be written, at most %d are", n, MAX_TENSORS);
    }
    return n_bytes <= UINT32_MAX
               ? SS_OK
               : ss__fail_file(err, path, SS_E_LIMIT,
                               "the tensors need %llu bytes, more than a torch archive without "
                               "the zip64 extension can hold (%u); write safetensors",
                               (unsigned long long)n_bytes, UINT32_MAX);
}

ss_status ss_weights_torch_write(const char *path, const struct ss_weights_tensor_out *tensors,
                                 size_t n, ss_err *err)
{
    static const char order[] = "little", version[] = "3\n";
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf pickle = {0};
    struct entry *entries = NULL;
    SS_TRY(check_size(path, tensors, n, err));
    SS_ALLOC(entries, n + 3);
    add_pickle(&pickle, tensors, n);
    SS_TRY(ss__buf_check(&pickle, err));
    entries[0] =
        (struct entry){.name = "sae/data.pkl", .data = pickle.data, .n_bytes = pickle.n_bytes};
    entries[1] =
        (struct entry){.name = "sae/byteorder", .data = order, .n_bytes = sizeof order - 1};
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(entries[2 + i].name, NAME_BYTES, "sae/data/%zu", i);
        entries[2 + i].data = tensors[i].data;
        entries[2 + i].n_bytes = ss_weights_tensor_out_bytes(&tensors[i]);
    }
    entries[n + 2] =
        (struct entry){.name = "sae/version", .data = version, .n_bytes = sizeof version - 1};
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(write_entries(&out, entries, n + 3, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    if (status != SS_OK) {
        ss__out_abort(&out);
    }
    ss__free(entries);
    ss__buf_release(&pickle);
    return status;
}
