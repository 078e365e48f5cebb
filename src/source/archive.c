/* Zip and tar behind one interface: members by index, each as a stream.
 *
 * The archive lies in memory as a map, so that members can be read in any order and several
 * times; a member of a tar is a range of that map, one of a zip is inflated on the way. Pages
 * that were read are let go, so that a pass over a large archive does not fill the memory. */
#include "source/archive.h"

#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "source/zip.h"

struct ss_source_archive {
    char *path;
    struct ss__map map;
    struct ss__file_facts facts; /* of the archive, which may be compressed */
    bool is_regular;
    bool is_zip;
    struct ss_source_zip zip;
    struct ss_source_tar tar;
};

/* ---- opening and closing ---- */

/* By the name alone: what a .tar that is a zip would give is the tar reader's error. */
static bool is_zip(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && ss__equal_ignoring_case(path + n - 4, ".zip");
}

void ss_source_archive_close(struct ss_source_archive *archive)
{
    if (archive != NULL) {
        ss_source_zip_release(&archive->zip);
        ss_source_tar_release(&archive->tar);
        ss__map_release(&archive->map);
        ss__free(archive->path);
        ss__free(archive);
    }
}

ss_status ss_source_archive_open(const char *path, struct ss_source_halt *halt,
                                 struct ss_source_archive **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    struct ss_source_archive *archive = NULL;
    *out = NULL;
    SS_ALLOC(archive, 1);
    archive->path = ss__strdup(path);
    if (archive->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss_source_stream_open(path, halt, &stream, err));
    SS_TRY(ss_source_stream_map(&stream, false, &archive->map, err));
    /* the map stays when the stream goes: of the file, or of its spooled copy */
    archive->is_regular = ss_source_stream_facts(&stream) != NULL;
    if (archive->is_regular) {
        archive->facts = *ss_source_stream_facts(&stream);
    }
    const struct ss_source_bytes bytes = {
        .file = archive->path, .data = archive->map.data, .n_bytes = archive->map.n_bytes};
    archive->is_zip = is_zip(path);
    SS_TRY(archive->is_zip
               ? ss_source_zip_read(&bytes, &archive->zip, err)
               : ss_source_tar_read(bytes.file, bytes.data, bytes.n_bytes, &archive->tar, err));
    *out = archive;
    archive = NULL;
out:
    ss_source_stream_close(&stream);
    ss_source_archive_close(archive);
    return status;
}

const char *ss_source_archive_path(const struct ss_source_archive *archive)
{
    return archive->path;
}

const struct ss__file_facts *ss_source_archive_facts(const struct ss_source_archive *archive)
{
    return archive->is_regular ? &archive->facts : NULL;
}

ss_status ss_source_archive_check(const struct ss_source_archive *archive, ss_err *err)
{
    return ss__map_check(&archive->map, archive->path, err);
}

/* ---- members ---- */

const struct ss_source_tar *ss_source_archive_tar(const struct ss_source_archive *archive)
{
    return archive->is_zip ? NULL : &archive->tar;
}

size_t ss_source_archive_n(const struct ss_source_archive *archive)
{
    return archive->is_zip ? archive->zip.n : archive->tar.n;
}

struct ss_source_member ss_source_archive_at(const struct ss_source_archive *archive,
                                             size_t index)
{
    /* S_IFMT and S_IFLNK as a Unix writer stores them, whatever this system's are */
    enum { KIND_BITS = 0170000, LINK = 0120000 };
    if (archive->is_zip) {
        const struct ss_source_zip_record *record = &archive->zip.records[index];
        const bool is_link = (record->unix_mode & KIND_BITS) == LINK;
        return (struct ss_source_member){record->name, record->n_name, record->n_bytes,
                                         is_link ? SS_SOURCE_TAR_LINK : SS_SOURCE_TAR_FILE};
    }
    const struct ss_source_tar_member *member = &archive->tar.members[index];
    return (struct ss_source_member){member->name, strlen(member->name), member->n_bytes,
                                     member->kind};
}

/* What is left of a member that is read; of the two forms of content one is set. */
struct reading {
    char *name;                          /* for messages */
    struct ss_source_zip_reader *packed; /* NULL: the bytes are stored */
    const uint8_t *plain;
    size_t n_plain;
    const struct ss__map *map; /* that they lie in */
};

static void close_member(void *state)
{
    struct reading *reading = state;
    if (reading != NULL) {
        ss_source_zip_reader_close(reading->packed);
        ss__free(reading->name);
        ss__free(reading);
    }
}

static ss_status read_member(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                             ss_err *err)
{
    struct reading *reading = state;
    (void)offset;
    if (reading->packed != NULL) {
        return ss_source_zip_reader_read(reading->packed, out, n, n_read, err);
    }
    *n_read = ss__min_size(n, reading->n_plain);
    if (*n_read > 0) {
        memcpy(out, reading->plain, *n_read);
        ss__map_release_pages(reading->map, reading->plain, *n_read); /* it is read once */
        reading->plain += *n_read;
        reading->n_plain -= *n_read;
    }
    return SS_OK;
}

ss_status ss_source_archive_open_member(const struct ss_source_archive *archive, size_t index,
                                        const char *name, struct ss_source_input *out,
                                        ss_err *err)
{
    static const struct ss_source_input_ops ops = {.read_at = read_member,
                                                   .close = close_member};
    ss_status status = SS_OK;
    struct reading *reading = NULL;
    SS_ALLOC(reading, 1);
    reading->name = ss__strdup(name);
    if (reading->name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    if (archive->is_zip) {
        SS_TRY(ss_source_zip_reader_open(&archive->zip.records[index], reading->name,
                                         &reading->packed, err));
    } else {
        reading->plain = archive->tar.members[index].data;
        reading->n_plain = archive->tar.members[index].n_bytes;
        reading->map = &archive->map;
    }
    *out = (struct ss_source_input){.name = reading->name,
                                    .n_bytes = ss_source_archive_at(archive, index).n_bytes,
                                    .ops = &ops,
                                    .state = reading};
    reading = NULL;
out:
    close_member(reading);
    return status;
}
