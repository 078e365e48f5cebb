/* .npz archives: a zip whose members NAME.npy are stored as they are.
 *
 *   for each array: a local header (30 bytes, the name, perhaps zip64 sizes), the .npy file
 *   for each array: an entry of the central directory (46 bytes, the same)
 *   the end of the directory, before it its zip64 form where a number needs more than 4 bytes
 *
 * No date is written but the earliest there is. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "folder/npy.h"

enum {
    CHUNK_BYTES = 1 << 18,
    FIRST_DATE = 0x21, /* 1980-01-01 */
    LOCAL_SIGNATURE = 0x04034b50,
    ENTRY_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR_SIGNATURE = 0x07064b50,
    EXTRA_ZIP64 = 1,
    VERSION = 20,
    VERSION_ZIP64 = 45,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20
};

struct member {
    const struct ss_folder_npz_array *array;
    struct ss__buf header; /* of the .npy file */
    uint64_t at, n_bytes;
    uint32_t crc;
};

struct archive {
    struct ss__out *out;
    uint64_t at;
    struct member *members;
    size_t n_members;
    char *chunk;
};

static void add_number(struct ss__buf *buf, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        ss__buf_add_byte(buf, (char)(value >> 8 * i & 0xFF));
    }
}

static uint64_t or_all_ones(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

static ss_status put(struct archive *archive, const void *data, size_t n_bytes, ss_err *err)
{
    archive->at += n_bytes;
    return ss__out_write(archive->out, data, n_bytes, err);
}

static ss_status put_buf(struct archive *archive, struct ss__buf *buf, ss_err *err)
{
    ss_status status = ss__buf_check(buf, err);
    status = status == SS_OK ? put(archive, buf->data, buf->n_bytes, err) : status;
    buf->n_bytes = 0;
    return status;
}

/* ---- members ---- */

/* The values in chunks: into the checksum, or into the archive. */
static ss_status pass_values(struct archive *archive, struct member *member, bool is_checksum,
                             ss_err *err)
{
    const struct ss_folder_npz_array *array = member->array;
    if (array->data == NULL) {
        SS_RETURN_IF_ERROR(array->rewind(array->user, err));
    }
    for (uint64_t at = 0; at < array->n_bytes;) {
        const uint64_t left = array->n_bytes - at;
        const size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        const void *part = archive->chunk;
        if (array->data != NULL) {
            part = (const char *)array->data + at;
        } else {
            SS_RETURN_IF_ERROR(array->read(array->user, archive->chunk, n, err));
        }
        if (is_checksum) {
            member->crc = (uint32_t)crc32_z(member->crc, part, n);
        } else {
            SS_RETURN_IF_ERROR(put(archive, part, n, err));
        }
        at += n;
    }
    return SS_OK;
}

/* What local headers and entries of the directory share: from the version to the sizes. */
static void add_facts(struct ss__buf *buf, const struct member *member, bool is_zip64)
{
    const uint64_t size = or_all_ones(member->n_bytes, UINT32_MAX);
    add_number(buf, is_zip64 ? VERSION_ZIP64 : VERSION, 2);
    add_number(buf, 0, 2 + 2 + 2); /* flags, stored, time */
    add_number(buf, FIRST_DATE, 2);
    add_number(buf, member->crc, 4);
    add_number(buf, size, 4);
    add_number(buf, size, 4);
    add_number(buf, strlen(member->array->name) + 4, 2);
}

static void add_name(struct ss__buf *buf, const struct member *member)
{
    ss__buf_add_text(buf, member->array->name);
    ss__buf_add_text(buf, ".npy");
}

static ss_status put_member(struct archive *archive, struct member *member, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    const struct ss_folder_npz_array *array = member->array;
    ss_folder_npy_add_header_of(&member->header, array->descr, array->n_dims, array->shape);
    SS_TRY(ss__buf_check(&member->header, err));
    member->at = archive->at;
    member->n_bytes = member->header.n_bytes + array->n_bytes;
    member->crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const Bytef *)member->header.data,
                                    member->header.n_bytes);
    SS_TRY(pass_values(archive, member, true, err));
    const bool is_zip64 = member->n_bytes >= UINT32_MAX;
    add_number(&buf, LOCAL_SIGNATURE, 4);
    add_facts(&buf, member, is_zip64);
    add_number(&buf, is_zip64 ? 4 + 16 : 0, 2);
    add_name(&buf, member);
    if (is_zip64) {
        add_number(&buf, EXTRA_ZIP64, 2);
        add_number(&buf, 16, 2);
        add_number(&buf, member->n_bytes, 8);
        add_number(&buf, member->n_bytes, 8);
    }
    SS_TRY(put_buf(archive, &buf, err));
    SS_TRY(put_buf(archive, &member->header, err));
    SS_TRY(pass_values(archive, member, false, err));
out:
    ss__buf_release(&buf);
    return status;
}

/* ---- the directory ---- */

static void add_entry(struct ss__buf *buf, const struct member *member)
{
    const bool is_large = member->n_bytes >= UINT32_MAX, is_far = member->at >= UINT32_MAX;
    const size_t n_extra = (is_large ? 16u : 0u) + (is_far ? 8u : 0u);
    add_number(buf, ENTRY_SIGNATURE, 4);
    add_number(buf, n_extra > 0 ? VERSION_ZIP64 : VERSION, 2);
    add_facts(buf, member, n_extra > 0);
    add_number(buf, n_extra > 0 ? 4 + n_extra : 0, 2);
    add_number(buf, 0, 8); /* comment, disk, attributes inside */
    add_number(buf, 0, 2); /* attributes outside, 4 bytes with the last two */
    add_number(buf, or_all_ones(member->at, UINT32_MAX), 4);
    add_name(buf, member);
    if (n_extra > 0) {
        add_number(buf, EXTRA_ZIP64, 2);
        add_number(buf, n_extra, 2);
    }
    for (size_t i = 0; is_large && i < 2; i++) {
        add_number(buf, member->n_bytes, 8);
    }
    if (is_far) {
        add_number(buf, member->at, 8);
    }
}

static void add_end(struct ss__buf *buf, uint64_t at, uint64_t n_directory, size_t n_members)
{
    const uint64_t end = at + n_directory;
    if (at >= UINT32_MAX || n_directory >= UINT32_MAX) {
        add_number(buf, END64_SIGNATURE, 4);
        add_number(buf, END64_BYTES - 12, 8);
        add_number(buf, VERSION_ZIP64, 2);
        add_number(buf, VERSION_ZIP64, 2);
        add_number(buf, 0, 8); /* disks */
        add_number(buf, n_members, 8);
        add_number(buf, n_members, 8);
        add_number(buf, n_directory, 8);
        add_number(buf, at, 8);
        add_number(buf, LOCATOR_SIGNATURE, 4);
        add_number(buf, 0, 4);
        add_number(buf, end, 8);
        add_number(buf, 1, 4);
    }
    add_number(buf, END_SIGNATURE, 4);
    add_number(buf, 0, 4); /* disks */
    add_number(buf, n_members, 2);
    add_number(buf, n_members, 2);
    add_number(buf, or_all_ones(n_directory, UINT32_MAX), 4);
    add_number(buf, or_all_ones(at, UINT32_MAX), 4);
    add_number(buf, 0, 2); /* comment */
}

static ss_status put_directory(struct archive *archive, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    for (size_t i = 0; i < archive->n_members; i++) {
        add_entry(&buf, &archive->members[i]);
    }
    add_end(&buf, archive->at, buf.n_bytes, archive->n_members);
    SS_TRY(put_buf(archive, &buf, err));
out:
    ss__buf_release(&buf);
    return status;
}

ss_status ss_folder_npz_write(struct ss__out *out, const struct ss_folder_npz_array *arrays,
                              size_t n_arrays, ss_err *err)
{
    ss_status status = SS_OK;
    struct archive archive = {.out = out, .n_members = n_arrays};
    SS_ALLOC(archive.members, n_arrays);
    SS_ALLOC(archive.chunk, CHUNK_BYTES);
    for (size_t i = 0; i < n_arrays; i++) {
        archive.members[i].array = &arrays[i];
        SS_TRY(put_member(&archive, &archive.members[i], err));
    }
    SS_TRY(put_directory(&archive, err));
    SS_TRY(ss__out_commit(out, err));
out:
    for (size_t i = 0; archive.members != NULL && i < n_arrays; i++) {
        ss__buf_release(&archive.members[i].header);
    }
    ss__free(archive.members);
    ss__free(archive.chunk);
    return status;
}
