/* Zip archives with deflated members:
 *
 *   for each member: a local header (30 bytes, the name), its deflated bytes
 *   for each member: an entry of the central directory (46 bytes, the name)
 *   the end of the directory (22 bytes)
 *
 * Sizes and places need four bytes each, so an archive ends below 4 GiB. */
#include "web/deflated_zip.h"

#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "folder/npy.h"

enum {
    LEVEL = 6, /* higher ones take several times as long for 1 % */
    RAW_WINDOW = -15,
    MEMORY_LEVEL = 8,
    FIRST_DATE = 0x21, /* 1980-01-01 */
    LOCAL_SIGNATURE = 0x04034b50,
    ENTRY_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    VERSION = 20,
    METHOD_DEFLATE = 8,
    MAX_MEMBERS = 0xFFFF
};

static void add_number(struct ss__buf *buf, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        ss__buf_add_byte(buf, (char)(value >> 8 * i & 0xFF));
    }
}

static ss_status fail_large(ss_err *err)
{
    return ss__fail(err, SS_E_LIMIT, "the data of the pages would be larger than 4 GiB");
}

/* Append two runs of bytes, one behind the other, as one deflate stream. */
static ss_status add_deflated(struct ss__buf *out, const struct ss_text parts[2], ss_err *err)
{
    ss_status status = SS_OK;
    z_stream z = {0};
    size_t n_bytes = 0;
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return ss__fail_nomem(err, "deflate");
    }
    n_bytes = parts[0].n_bytes + parts[1].n_bytes;
    const size_t n_most = deflateBound(&z, n_bytes);
    z.next_out = ss__buf_reserve(out, n_most);
    if (z.next_out == NULL) {
        SS_TRY(ss__fail_nomem(err, "pages"));
    }
    z.avail_out = (uInt)n_most;
    for (size_t i = 0; i < 2; i++) {
        z.next_in = (z_const Bytef *)(uintptr_t)parts[i].data;
        z.avail_in = (uInt)parts[i].n_bytes;
        const int end = deflate(&z, i == 0 ? Z_NO_FLUSH : Z_FINISH);
        if (end != (i == 0 ? Z_OK : Z_STREAM_END) && parts[i].n_bytes > 0) {
            SS_FAIL(SS_E_INTERNAL, "deflate failed with %d", end);
        }
    }
    out->n_bytes += z.total_out;
out:
    (void)deflateEnd(&z);
    return status;
}

/* From the version to the length of the name. */
static void add_facts(struct ss__buf *buf, uint32_t crc, size_t n_deflated, size_t n_bytes,
                      size_t n_name)
{
    add_number(buf, VERSION, 2);
    add_number(buf, 0, 2);
    add_number(buf, METHOD_DEFLATE, 2);
    add_number(buf, 0, 2);
    add_number(buf, FIRST_DATE, 2);
    add_number(buf, crc, 4);
    add_number(buf, n_deflated, 4);
    add_number(buf, n_bytes, 4);
    add_number(buf, n_name, 2);
    add_number(buf, 0, 2); /* extra */
}

static void add_entry(struct ss_web_zip *zip, const char *name, size_t at,
                      const struct ss__buf *facts)
{
    struct ss__buf *buf = &zip->directory;
    add_number(buf, ENTRY_SIGNATURE, 4);
    add_number(buf, VERSION, 2);
    ss__buf_add(buf, facts->data, facts->n_bytes);
    add_number(buf, 0, 8); /* comment, disk, attributes inside */
    add_number(buf, 0, 2); /* attributes outside, 4 bytes with the last two */
    add_number(buf, at, 4);
    ss__buf_add_text(buf, name);
    zip->n_members++;
}

static ss_status add_member(struct ss_web_zip *zip, const char *name,
                            const struct ss_text parts[2], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf deflated = {0}, facts = {0};
    const size_t n_bytes = parts[0].n_bytes + parts[1].n_bytes, at = zip->bytes.n_bytes;
    uint32_t crc = 0;
    if (n_bytes > UINT32_MAX / 2 || zip->n_members >= MAX_MEMBERS) {
        SS_TRY(fail_large(err));
    }
    for (size_t i = 0; i < 2; i++) {
        crc = parts[i].n_bytes == 0
                  ? crc
                  : (uint32_t)crc32_z(crc, (const Bytef *)parts[i].data, parts[i].n_bytes);
    }
    SS_TRY(add_deflated(&deflated, parts, err));
    add_facts(&facts, crc, deflated.n_bytes, n_bytes, strlen(name));
    SS_TRY(ss__buf_check(&facts, err));
    add_entry(zip, name, at, &facts);
    add_number(&zip->bytes, LOCAL_SIGNATURE, 4);
    ss__buf_add(&zip->bytes, facts.data, facts.n_bytes);
    ss__buf_add_text(&zip->bytes, name);
    ss__buf_add(&zip->bytes, deflated.data, deflated.n_bytes);
    SS_TRY(ss__buf_check(&zip->bytes, err));
    if (zip->bytes.n_bytes >= UINT32_MAX) {
        SS_TRY(fail_large(err));
    }
out:
    ss__buf_release(&deflated);
    ss__buf_release(&facts);
    return status;
}

ss_status ss_web_zip_add(struct ss_web_zip *zip, const char *name, const void *data,
                         size_t n_bytes, ss_err *err)
{
    return add_member(zip, name, (struct ss_text[2]){{"", 0}, {data, n_bytes}}, err);
}

ss_status ss_web_zip_add_array(struct ss_web_zip *zip, const char *name, const char *descr,
                               const void *data, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf header = {0}, file = {0};
    const size_t size = (size_t)(descr[2] - '0');
    ss_folder_npy_add_header_of(&header, descr, 1, &(uint64_t){n});
    SS_TRY(ss__buf_check(&header, err));
    ss__buf_printf(&file, "%s.npy", name);
    if (ss__buf_text(&file) == NULL) {
        SS_TRY(ss__fail_nomem(err, "pages"));
    }
    SS_TRY(add_member(
        zip, file.data,
        (struct ss_text[2]){{header.data, header.n_bytes}, {n == 0 ? "" : data, n * size}},
        err));
out:
    ss__buf_release(&header);
    ss__buf_release(&file);
    return status;
}

ss_status ss_web_zip_finish(struct ss_web_zip *zip, ss_err *err)
{
    const size_t at = zip->bytes.n_bytes;
    SS_RETURN_IF_ERROR(ss__buf_check(&zip->directory, err));
    ss__buf_add(&zip->bytes, zip->directory.data, zip->directory.n_bytes);
    add_number(&zip->bytes, END_SIGNATURE, 4);
    add_number(&zip->bytes, 0, 4); /* disks */
    add_number(&zip->bytes, zip->n_members, 2);
    add_number(&zip->bytes, zip->n_members, 2);
    add_number(&zip->bytes, zip->directory.n_bytes, 4);
    add_number(&zip->bytes, at, 4);
    add_number(&zip->bytes, 0, 2); /* comment */
    return zip->bytes.n_bytes >= UINT32_MAX ? fail_large(err) : ss__buf_check(&zip->bytes, err);
}

void ss_web_zip_release(struct ss_web_zip *zip)
{
    ss__buf_release(&zip->bytes);
    ss__buf_release(&zip->directory);
    *zip = (struct ss_web_zip){0};
}
