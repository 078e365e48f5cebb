/* The directory of a zip archive, read strictly (APPNOTE 6.3.10, sections 4.3 and 4.5).
 *
 *   per entry   local header   "PK\3\4" version flags method time date crc packed size n m,
 *                              name[n], extra[m]
 *               content
 *               descriptor     ["PK\7\8"] crc packed size, if flag bit 3 is set
 *   directory   per entry      "PK\1\2" made-by version flags method time date crc packed size
 *                              n m k disk attributes offset, name[n], extra[m], comment[k]
 *   [zip64      "PK\6\6" …, then its locator "PK\6\7" …]
 *   end         "PK\5\6" disks counts size offset c, comment[c]
 *
 * Readers of the world disagree on which of these to believe; so here all of them must say the
 * same. The parts must follow each other from the first byte to the last, with no overlap and
 * no gap but one that an unannounced descriptor could fill. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "source/zip.h"

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    MAX_COMMENT_BYTES = 65535,
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3,
    /* deflate's two hints, the descriptor, names in UTF-8 */
    KNOWN_FLAGS = 1 << 1 | 1 << 2 | FLAG_DESCRIPTOR | 1 << 11,
    EXTRA_UNICODE_PATH = 0x7075, /* another name, for readers that want it */
    EXTRA_ZIP64 = 1,
    MADE_BY_UNIX = 3,
    SPARE_GAP_BYTES = 24 /* some writers leave a descriptor that no flag announces */
};

static const char local_mark[] = "PK\3\4", central_mark[] = "PK\1\2", end_mark[] = "PK\5\6",
                  end64_mark[] = "PK\6\6", locator_mark[] = "PK\6\7",
                  descriptor_mark[] = "PK\7\10";

/* Little-endian, at any alignment. */
static uint64_t load(const uint8_t *from, size_t n_bytes)
{
    uint64_t value = 0;
    for (size_t i = n_bytes; i-- > 0;) {
        value = value << 8 | from[i];
    }
    return value;
}

static uint32_t load16(const uint8_t *from)
{
    return (uint32_t)load(from, 2);
}

static uint32_t load32(const uint8_t *from)
{
    return (uint32_t)load(from, 4);
}

/* Whether the four bytes of a mark lie at an offset, which may be beyond the end. */
static bool is_at(const struct ss_source_bytes *source, uint64_t offset, const char *mark)
{
    return offset <= source->n_bytes && source->n_bytes - offset >= 4 &&
           memcmp(source->data + offset, mark, 4) == 0;
}

static ss_status damaged(const struct ss_source_bytes *source, uint64_t offset,
                         const char *what, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, source->file, SS_E_DATA, "damaged zip archive: %s (at byte %llu)",
                      what, (unsigned long long)offset);
    ss__err_at_offset(err, offset);
    return status;
}

bool ss_source_zip_matches(const struct ss_source_bytes *source)
{
    return is_at(source, 0, local_mark) ||
           (is_at(source, 0, end_mark) && source->n_bytes >= END_BYTES);
}

/* ---- the end of the archive ---- */

/* Where the directory lies, and its claims; `end` is where the records of the end begin. */
struct directory {
    uint64_t offset, n_bytes, n_entries, end;
};

/* The one end record whose comment ends with the file. A comment may hold something that looks
 * like an end record; with two candidates, readers differ in which they take, so neither is. */
static ss_status find_end(const struct ss_source_bytes *source, uint64_t *out, ss_err *err)
{
    size_t n_found = 0;
    for (uint64_t back = END_BYTES;
         back <= END_BYTES + MAX_COMMENT_BYTES && back <= source->n_bytes; back++) {
        const uint64_t at = source->n_bytes - back;
        if (is_at(source, at, end_mark) && load16(source->data + at + 20) == back - END_BYTES) {
            *out = at;
            n_found++;
        }
    }
    if (n_found == 0) {
        return damaged(source, source->n_bytes,
                       "no end record at the end of the file; it may be cut short, or other "
                       "bytes follow the archive",
                       err);
    }
    return n_found == 1 ? SS_OK : damaged(source, *out, "more than one end record", err);
}

/* A field of the end record is either the zip64 value or all ones. */
static bool agrees(uint64_t narrow, size_t n_bytes, uint64_t wide)
{
    return narrow == wide || narrow == (UINT64_C(1) << 8 * n_bytes) - 1;
}

/* The zip64 records (4.3.14, 4.3.15): the locator stands right before the end record, the
 * record right before the locator, and what both end records say has to agree. */
static ss_status read_end64(const struct ss_source_bytes *source, uint64_t locator,
                            struct directory *out, ss_err *err)
{
    const uint8_t *place = source->data + locator;
    const uint64_t at = load(place + 8, 8);
    if (load32(place + 4) != 0 || load32(place + 16) > 1) {
        return damaged(source, locator, "the archive is spread over several disks", err);
    }
    if (at > locator || locator - at != END64_BYTES || !is_at(source, at, end64_mark) ||
        load(source->data + at + 4, 8) != END64_BYTES - 12) {
        return damaged(source, locator, "the zip64 end record is not where it must be", err);
    }
    const uint8_t *end64 = source->data + at;
    if (load32(end64 + 16) != 0 || load32(end64 + 20) != 0 ||
        load(end64 + 24, 8) != load(end64 + 32, 8)) {
        return damaged(source, at, "the archive is spread over several disks", err);
    }
    const uint8_t *end = source->data + out->end;
    *out = (struct directory){.n_entries = load(end64 + 32, 8),
                              .n_bytes = load(end64 + 40, 8),
                              .offset = load(end64 + 48, 8),
                              .end = at};
    if (!agrees(load16(end + 4), 2, 0) || !agrees(load16(end + 6), 2, 0) ||
        !agrees(load16(end + 8), 2, out->n_entries) ||
        !agrees(load16(end + 10), 2, out->n_entries) ||
        !agrees(load32(end + 12), 4, out->n_bytes) ||
        !agrees(load32(end + 16), 4, out->offset)) {
        return damaged(source, at, "the two end records disagree", err);
    }
    return SS_OK;
}

static ss_status read_end(const struct ss_source_bytes *source, struct directory *out,
                          ss_err *err)
{
    uint64_t at = 0;
    SS_RETURN_IF_ERROR(find_end(source, &at, err));
    const uint8_t *end = source->data + at;
    *out = (struct directory){.n_entries = load16(end + 10),
                              .n_bytes = load32(end + 12),
                              .offset = load32(end + 16),
                              .end = at};
    if (at >= LOCATOR_BYTES && is_at(source, at - LOCATOR_BYTES, locator_mark)) {
        SS_RETURN_IF_ERROR(read_end64(source, at - LOCATOR_BYTES, out, err));
    } else if (load16(end + 4) != 0 || load16(end + 6) != 0 ||
               load16(end + 8) != load16(end + 10)) {
        return damaged(source, at, "the archive is spread over several disks", err);
    }
    if (out->offset > out->end || out->end - out->offset != out->n_bytes) {
        return damaged(source, at, "the directory does not lie right before the end record",
                       err);
    }
    if (out->n_entries > out->n_bytes / CENTRAL_BYTES) {
        return damaged(source, at, "more entries are claimed than the directory can hold", err);
    }
    return SS_OK;
}

/* ---- entries ---- */

/* Fields that a header keeps in 32 bits, and in a zip64 extra field if they are all ones. */
struct wide {
    uint64_t value;
    bool is_wide;
};

static struct wide load_wide(const uint8_t *from)
{
    return (struct wide){.value = load32(from), .is_wide = load32(from) == UINT32_MAX};
}

/* Walk the extra fields and complete the wide values from the zip64 one. False if a field is
 * longer than the rest, the zip64 field is there twice or too short. Up to three bytes behind
 * the last field are padding of alignment tools. */
static bool read_extra(const uint8_t *extra, size_t n_bytes, struct wide *const *wide,
                       size_t n_wide)
{
    bool has_zip64 = false;
    while (n_bytes >= 4) {
        const size_t n = load16(extra + 2);
        const bool is_zip64 = load16(extra) == EXTRA_ZIP64;
        if (n > n_bytes - 4 || (is_zip64 && has_zip64)) {
            return false;
        }
        size_t at = 0;
        for (size_t i = 0; is_zip64 && i < n_wide; i++) {
            if (wide[i]->is_wide) {
                if (n - at < 8) {
                    return false;
                }
                *wide[i] = (struct wide){.value = load(extra + 4 + at, 8)};
                at += 8;
            }
        }
        has_zip64 = has_zip64 || is_zip64;
        extra += 4 + n;
        n_bytes -= 4 + n;
    }
    return true;
}

static bool has_field(const uint8_t *extra, size_t n_bytes, unsigned id)
{
    while (n_bytes >= 4) {
        const size_t n = 4 + (size_t)load16(extra + 2);
        if (load16(extra) == id) {
            return true;
        }
        if (n > n_bytes) {
            return false;
        }
        extra += n;
        n_bytes -= n;
    }
    return false;
}

/* What of an entry is not read: encryption, methods but two, flags whose meaning is unknown. */
static ss_status check_kind(const struct ss_source_zip *zip,
                            const struct ss_source_zip_record *record, ss_err *err)
{
    const char *file = zip->source.file;
    if ((record->flags & FLAG_ENCRYPTED) != 0) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED, "entry '%.200s' is encrypted",
                             record->name);
    }
    if ((record->flags & ~(unsigned)KNOWN_FLAGS) != 0) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED,
                             "entry '%.200s' has flags 0x%x that are not supported",
                             record->name, record->flags);
    }
    if (record->method != SS_SOURCE_ZIP_STORED && record->method != SS_SOURCE_ZIP_DEFLATED) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED,
                             "entry '%.200s' is packed with method %u; only stored and "
                             "deflated entries are read",
                             record->name, record->method);
    }
    if (record->method == SS_SOURCE_ZIP_STORED && record->n_packed != record->n_bytes) {
        return ss__fail_file(err, file, SS_E_DATA,
                             "stored entry '%.200s' has two sizes, %llu and %llu bytes",
                             record->name, (unsigned long long)record->n_packed,
                             (unsigned long long)record->n_bytes);
    }
    return SS_OK;
}

/* Read the directory header at *at, which moves behind it. */
static ss_status read_central(struct ss_source_zip *zip, const struct directory *directory,
                              uint64_t *at, struct ss_source_zip_record *record, ss_err *err)
{
    const struct ss_source_bytes *source = &zip->source;
    const uint64_t n_left = directory->end - *at;
    const uint8_t *header = source->data + *at;
    if (n_left < CENTRAL_BYTES || !is_at(source, *at, central_mark)) {
        return damaged(source, *at, "a directory header is not where it must be", err);
    }
    const size_t n_name = load16(header + 28), n_extra = load16(header + 30);
    const size_t n_whole = CENTRAL_BYTES + n_name + n_extra + load16(header + 32);
    struct wide packed = load_wide(header + 20), n_bytes = load_wide(header + 24),
                offset = load_wide(header + 42);
    struct wide *const wide[] = {&n_bytes, &packed, &offset};
    if (n_whole > n_left || !read_extra(header + CENTRAL_BYTES + n_name, n_extra, wide, 3) ||
        packed.is_wide || n_bytes.is_wide || offset.is_wide) {
        return damaged(source, *at, "a directory header has wrong lengths", err);
    }
    if (load16(header + 34) != 0) {
        return damaged(source, *at, "the archive is spread over several disks", err);
    }
    const char *name = (const char *)header + CENTRAL_BYTES;
    record->name = ss__arena_strndup(&zip->arena, name, n_name);
    if (record->name == NULL) {
        return ss__fail_nomem(err, "a name");
    }
    record->n_name = n_name;
    if (strlen(record->name) != n_name &&
        !has_field(header + CENTRAL_BYTES + n_name, n_extra, EXTRA_UNICODE_PATH)) {
        return damaged(source, *at, "the name of an entry holds a NUL", err);
    }
    record->unix_mode = header[5] == MADE_BY_UNIX ? load16(header + 40) : 0;
    record->flags = load16(header + 8);
    record->method = load16(header + 10);
    record->crc32 = load32(header + 16);
    record->n_packed = packed.value;
    record->n_bytes = n_bytes.value;
    record->local_offset = offset.value;
    *at += n_whole;
    return check_kind(zip, record, err);
}

/* Size or CRC of a local header; unknown ones are 0 when a descriptor follows. */
static bool local_agrees(const struct ss_source_zip_record *record, uint64_t local,
                         uint64_t central)
{
    return local == central || (local == 0 && (record->flags & FLAG_DESCRIPTOR) != 0);
}

/* The local header must say what the directory says; then the content has its place. Attacks
 * show one file to a scanner that reads local headers and another to a reader of the
 * directory. */
static ss_status read_local(const struct ss_source_zip *zip, const struct directory *directory,
                            struct ss_source_zip_record *record, ss_err *err)
{
    const struct ss_source_bytes *source = &zip->source;
    const uint64_t at = record->local_offset;
    if (at > directory->offset || directory->offset - at < LOCAL_BYTES ||
        !is_at(source, at, local_mark)) {
        return damaged(source, at, "no local header where the directory says", err);
    }
    const uint8_t *header = source->data + at;
    const uint64_t n_left = directory->offset - at - LOCAL_BYTES;
    const size_t n_name = load16(header + 26), n_extra = load16(header + 28);
    struct wide packed = load_wide(header + 18), n_bytes = load_wide(header + 22);
    struct wide *const wide[] = {&n_bytes, &packed};
    if (n_name + n_extra > n_left || n_left - n_name - n_extra < record->n_packed ||
        !read_extra(header + LOCAL_BYTES + n_name, n_extra, wide, 2)) {
        return damaged(source, at, "a local header has wrong lengths", err);
    }
    if (n_name != record->n_name || memcmp(header + LOCAL_BYTES, record->name, n_name) != 0 ||
        load16(header + 6) != record->flags || load16(header + 8) != record->method ||
        !local_agrees(record, load32(header + 14), record->crc32) ||
        !local_agrees(record, packed.value, record->n_packed) ||
        !local_agrees(record, n_bytes.value, record->n_bytes)) {
        return damaged(source, at, "a local header disagrees with the directory", err);
    }
    record->packed = header + LOCAL_BYTES + n_name + n_extra;
    return SS_OK;
}

/* ---- the whole ---- */

/* Whether the n bytes behind the content are a descriptor that repeats the directory: with or
 * without its mark, sizes of 4 or 8 bytes. */
static bool is_descriptor(const struct ss_source_zip_record *record, uint64_t n)
{
    const bool has_mark = n == 16 || n == 24;
    const size_t size_bytes = n >= 20 ? 8 : 4;
    const uint8_t *at = record->packed + record->n_packed;
    if (n != 12 && n != 16 && n != 20 && n != 24) {
        return false;
    }
    if (has_mark && memcmp(at, descriptor_mark, 4) != 0) {
        return false;
    }
    at += has_mark ? 4 : 0;
    return load32(at) == record->crc32 && load(at + 4, size_bytes) == record->n_packed &&
           load(at + 4 + size_bytes, size_bytes) == record->n_bytes;
}

static int compare_offsets(const void *left, const void *right)
{
    const struct ss_source_zip_record *const *a = left;
    const struct ss_source_zip_record *const *b = right;
    return ((*a)->local_offset > (*b)->local_offset) -
           ((*a)->local_offset < (*b)->local_offset);
}

static int compare_names(const void *left, const void *right)
{
    const struct ss_source_zip_record *const *a = left;
    const struct ss_source_zip_record *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* Entries must fill the file from its first byte to the directory. */
static ss_status check_places(const struct ss_source_zip *zip,
                              const struct directory *directory, ss_err *err)
{
    uint64_t expected = 0;
    for (size_t i = 0; i < zip->n; i++) {
        const struct ss_source_zip_record *record = zip->by_name[i];
        const uint64_t end = (uint64_t)(record->packed - zip->source.data) + record->n_packed;
        const uint64_t next =
            i + 1 < zip->n ? zip->by_name[i + 1]->local_offset : directory->offset;
        const bool announced = (record->flags & FLAG_DESCRIPTOR) != 0;
        if (record->local_offset != expected || next < end ||
            (announced ? !is_descriptor(record, next - end) : next - end > SPARE_GAP_BYTES)) {
            return damaged(&zip->source, record->local_offset,
                           "entries overlap, leave a gap, or a data descriptor is wrong", err);
        }
        expected = next;
    }
    return expected == directory->offset
               ? SS_OK
               : damaged(&zip->source, 0, "bytes before the directory belong to no entry", err);
}

static ss_status index_names(struct ss_source_zip *zip, ss_err *err)
{
    ss__sort(zip->by_name, zip->n, sizeof *zip->by_name, compare_names);
    for (size_t i = 1; i < zip->n; i++) {
        if (strcmp(zip->by_name[i - 1]->name, zip->by_name[i]->name) == 0) {
            return ss__fail_file(err, zip->source.file, SS_E_DATA,
                                 "damaged zip archive: two entries are called '%.200s'",
                                 zip->by_name[i]->name);
        }
    }
    return SS_OK;
}

ss_status ss_source_zip_read(const struct ss_source_bytes *source, struct ss_source_zip *out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct directory directory = {0};
    *out = (struct ss_source_zip){.source = *source};
    SS_TRY(read_end(source, &directory, err));
    out->n = (size_t)directory.n_entries;
    SS_ALLOC(out->records, out->n);
    SS_ALLOC(out->by_name, out->n);
    uint64_t at = directory.offset;
    for (size_t i = 0; i < out->n; i++) {
        out->by_name[i] = &out->records[i];
        SS_TRY(read_central(out, &directory, &at, &out->records[i], err));
        SS_TRY(read_local(out, &directory, &out->records[i], err));
    }
    if (at != directory.end) {
        status = damaged(source, at, "the directory holds more than its entries", err);
        goto out;
    }
    ss__sort(out->by_name, out->n, sizeof *out->by_name, compare_offsets);
    SS_TRY(check_places(out, &directory, err));
    SS_TRY(index_names(out, err));
out:
    if (status != SS_OK) {
        ss_source_zip_release(out);
    }
    return status;
}

void ss_source_zip_release(struct ss_source_zip *zip)
{
    ss__free(zip->records);
    ss__free(zip->by_name);
    ss__arena_release(&zip->arena);
    *zip = (struct ss_source_zip){0};
}

const struct ss_source_zip_record *ss_source_zip_find(const struct ss_source_zip *zip,
                                                      const char *name)
{
    const struct ss_source_zip_record wanted = {.name = name};
    const struct ss_source_zip_record *key = &wanted;
    const struct ss_source_zip_record *const *found =
        ss__search(&key, zip->by_name, zip->n, sizeof *zip->by_name, compare_names);
    return found == NULL ? NULL : *found;
}
