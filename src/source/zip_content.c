/* The content of zip entries: all of one or of all, checked. */
#include <string.h>

#include "base/mem.h"
#include "source/zip.h"

enum { PIECE_BYTES = 1 << 16 };

ss_status ss_source_zip_unpack(const struct ss_source_zip *zip,
                               const struct ss_source_zip_record *record, uint8_t *out,
                               size_t n_out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip_reader *reader = NULL;
    uint8_t *scratch = NULL;
    size_t n_done = 0, n_read = 1;
    SS_ALLOC(scratch, PIECE_BYTES);
    SS_TRY(ss_source_zip_reader_open(record, zip->source.file, &reader, err));
    while (n_read > 0) {
        const bool kept = n_done < n_out;
        SS_TRY(ss_source_zip_reader_read(reader, kept ? out + n_done : scratch,
                                         kept ? n_out - n_done : PIECE_BYTES, &n_read, err));
        n_done += n_read;
        SS_TRY(ss__check_stop(zip->source.asking, err));
    }
out:
    ss_source_zip_reader_close(reader);
    ss__free(scratch);
    return status;
}

ss_status ss_source_zip_check_all(const struct ss_source_zip *zip, ss_err *err)
{
    for (size_t i = 0; i < zip->n; i++) {
        const ss_status status = ss_source_zip_unpack(zip, &zip->records[i], NULL, 0, err);
        if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}

/* Unpack one entry and hand it over; *stop tells whether the caller has enough. */
static ss_status give_entry(const struct ss_source_zip *zip,
                            const struct ss_source_zip_record *record,
                            int (*fn)(void *user, const struct ss_source_zip_entry *entry),
                            void *user, bool *stop, ss_err *err)
{
    ss_status status = SS_OK;
    uint8_t *unpacked = NULL;
    struct ss_source_zip_entry entry = {.name = record->name,
                                        .n_bytes = record->n_bytes,
                                        .crc32 = record->crc32,
                                        .data = record->packed};
    if (record->method == SS_SOURCE_ZIP_DEFLATED) {
        SS_ALLOC(unpacked, (size_t)record->n_bytes);
        SS_TRY(ss_source_zip_unpack(zip, record, unpacked, (size_t)record->n_bytes, err));
        entry.data = unpacked;
    }
    *stop = fn(user, &entry) != 0;
out:
    ss__free(unpacked);
    return status;
}

ss_status ss_source_zip_each_memory(const struct ss_source_bytes *source,
                                    int (*fn)(void *user,
                                              const struct ss_source_zip_entry *entry),
                                    void *user, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip zip = {0};
    bool stop = fn == NULL;
    SS_TRY(ss_source_zip_read(source, &zip, err));
    /* all before any: nothing is handed over of an archive that is damaged further on */
    SS_TRY(ss_source_zip_check_all(&zip, err));
    for (size_t i = 0; i < zip.n && !stop; i++) {
        SS_TRY(give_entry(&zip, &zip.records[i], fn, user, &stop, err));
    }
out:
    ss_source_zip_release(&zip);
    return status;
}

ss_status ss_source_zip_each(const char *path,
                             int (*fn)(void *user, const struct ss_source_zip_entry *entry),
                             void *user, struct ss__asking *asking, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    ss_err cause;
    SS_TRY(ss__file_map(path, &map, err));
    const struct ss_source_bytes source = {path, map.data, map.n_bytes, asking};
    status = ss_source_zip_each_memory(&source, fn, user, err);
    /* the file changed under the map: that is the cause of whatever was found in it */
    if (status != SS_E_STOPPED && ss__map_check(&map, path, &cause) != SS_OK) {
        status = SS_E_IO;
        if (err != NULL) {
            *err = cause;
        }
    }
out:
    ss__map_release(&map);
    return status;
}
