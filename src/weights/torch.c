/* Files of torch.save in their zip form: all entries under one folder ROOT.
 *
 *   ROOT/data.pkl     the pickle of the saved object
 *   ROOT/data/KEY     the bytes of each storage that the pickle names
 *   ROOT/version      the version of the form
 *   ROOT/byteorder    "little" or "big"; absent means little
 *
 * All content is checked against its CRC-32, which torch itself does not do. Storages must have
 * exactly the size that the pickle says and be stored, not packed: tensors are views into the
 * file. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "source/source.h"
#include "weights/pickle_priv.h"

enum { MAX_ENTRY_NAME_BYTES = 512, MIN_VERSION = 1, MAX_VERSION = 10 };

static const char pickle_name[] = "data.pkl";

/* The length of ROOT with its slash, if the record is ROOT/data.pkl. */
static size_t root_bytes(const struct ss_source_zip_record *record)
{
    const char *slash = strchr(record->name, '/');
    return slash != NULL && strcmp(slash + 1, pickle_name) == 0
               ? (size_t)(slash + 1 - record->name)
               : 0;
}

bool ss_weights_is_torch_zip(const struct ss_source_zip *zip)
{
    for (size_t i = 0; i < zip->n; i++) {
        if (root_bytes(&zip->records[i]) > 0) {
            return true;
        }
    }
    return false;
}

/* An archive while it is read. */
struct archive {
    struct ss_source_zip zip;
    struct ss_text root; /* with its slash */
};

/* The record ROOT/FOLDER KEY, or NULL. */
static const struct ss_source_zip_record *find_record(const struct archive *archive,
                                                      const char *folder, struct ss_text key)
{
    char name[MAX_ENTRY_NAME_BYTES];
    const size_t n_folder = strlen(folder);
    const size_t n_whole = archive->root.n_bytes + n_folder + key.n_bytes;
    if (n_whole >= sizeof name) {
        return NULL;
    }
    memcpy(name, archive->root.data, archive->root.n_bytes);
    memcpy(name + archive->root.n_bytes, folder, n_folder);
    memcpy(name + archive->root.n_bytes + n_folder, key.data, key.n_bytes);
    name[n_whole] = '\0';
    return strlen(name) == n_whole ? ss_source_zip_find(&archive->zip, name) : NULL;
}

static const struct ss_source_zip_record *find_named(const struct archive *archive,
                                                     const char *name)
{
    return find_record(archive, name, (struct ss_text){"", 0});
}

/* Every entry, whether it is used or not: a second folder or a program in the archive means
 * that it is not what it looks like. */
static ss_status check_record(const struct archive *archive,
                              const struct ss_source_zip_record *record, ss_err *err)
{
    const char *file = archive->zip.source.file;
    const struct ss_text root = archive->root;
    if (record->n_name != strlen(record->name)) {
        return ss__fail_file(err, file, SS_E_DATA, "the name of entry '%.200s' holds a NUL",
                             record->name);
    }
    if (strncmp(record->name, root.data, root.n_bytes) != 0) {
        return ss__fail_file(err, file, SS_E_DATA,
                             "entry '%.200s' is outside the folder '%.*s' of the checkpoint",
                             record->name, (int)root.n_bytes, root.data);
    }
    if (strcmp(record->name + root.n_bytes, "constants.pkl") == 0 ||
        strncmp(record->name + root.n_bytes, "code/", 5) == 0) {
        return ss__fail_file(
            err, file, SS_E_UNSUPPORTED,
            "a TorchScript program, not a state dict; load it in torch and save its "
            "state_dict()");
    }
    if (record->method != SS_SOURCE_ZIP_STORED) {
        return ss__fail_file(
            err, file, SS_E_UNSUPPORTED,
            "entry '%.200s' is compressed, which torch never does; pack the archive "
            "again without compression",
            record->name);
    }
    return SS_OK;
}

/* A number of at most two digits, and white space. */
static ss_status check_version(const struct archive *archive, ss_err *err)
{
    const char *file = archive->zip.source.file;
    const struct ss_source_zip_record *record = find_named(archive, "version");
    unsigned version = 0;
    size_t at = 0;
    if (record == NULL) {
        return ss__fail_file(err, file, SS_E_DATA, "the checkpoint has no entry 'version'");
    }
    for (; at < record->n_bytes && at < 3 && record->packed[at] >= '0' &&
           record->packed[at] <= '9';
         at++) {
        version = version * 10 + record->packed[at] - '0';
    }
    const size_t n_digits = at;
    while (at < record->n_bytes && memchr(" \t\r\n", record->packed[at], 4) != NULL) {
        at++;
    }
    if (n_digits == 0 || at != record->n_bytes || version < MIN_VERSION ||
        version > MAX_VERSION) {
        return ss__fail_file(
            err, file, SS_E_DATA,
            "the checkpoint's entry 'version' is not a number from %d to %d, as torch "
            "reads",
            MIN_VERSION, MAX_VERSION);
    }
    return SS_OK;
}

/* The root is that of the first record called ROOT/data.pkl; all others have to be below it. */
static ss_status read_archive(const struct ss_source_bytes *source, struct archive *archive,
                              ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_source_zip_read(source, &archive->zip, err));
    for (size_t i = 0; i < archive->zip.n && archive->root.n_bytes == 0; i++) {
        archive->root.data = archive->zip.records[i].name;
        archive->root.n_bytes = root_bytes(&archive->zip.records[i]);
    }
    for (size_t i = 0; i < archive->zip.n; i++) {
        SS_RETURN_IF_ERROR(check_record(archive, &archive->zip.records[i], err));
    }
    SS_RETURN_IF_ERROR(check_version(archive, err));
    return ss_source_zip_check_all(&archive->zip, err);
}

static bool is_content(const struct ss_source_zip_record *record, const char *text)
{
    return record->n_bytes == strlen(text) && memcmp(record->packed, text, strlen(text)) == 0;
}

/* Written since torch 2.1; files before it are little-endian. */
static ss_status read_byte_order(const struct archive *archive, bool *swaps, ss_err *err)
{
    const struct ss_source_zip_record *order = find_named(archive, "byteorder");
    *swaps = order != NULL && is_content(order, "big");
    return order == NULL || *swaps || is_content(order, "little")
               ? SS_OK
               : ss__fail_file(err, archive->zip.source.file, SS_E_DATA,
                               "entry 'byteorder' is neither little nor big");
}

/* Every storage gets the bytes of its record. */
static ss_status bind_storages(const struct archive *archive, struct ss_weights_pickle *pickle,
                               ss_err *err)
{
    const char *file = archive->zip.source.file;
    for (size_t i = 0; i < pickle->n_storages; i++) {
        struct ss_weights_pickle_storage *storage = pickle->storages[i];
        const struct ss_text key = {storage->key, storage->n_key};
        const struct ss_source_zip_record *record = find_record(archive, "data/", key);
        if (record == NULL) {
            return ss__fail_file(err, file, SS_E_DATA,
                                 "storage '%.*s' has no entry in the archive",
                                 (int)ss__min_size(key.n_bytes, 100), key.data);
        }
        if (record->n_bytes != storage->n_bytes) {
            return ss__fail_file(err, file, SS_E_DATA,
                                 "entry '%.200s' has %llu bytes, but its storage needs %llu",
                                 record->name, (unsigned long long)record->n_bytes,
                                 (unsigned long long)storage->n_bytes);
        }
        storage->data = record->packed;
    }
    return SS_OK;
}

ss_status ss_weights_torch_zip_read(struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct archive archive = {0};
    struct ss_weights_pickle pickle = {.n_file_bytes = self->source.n_bytes};
    bool swaps = false;
    SS_TRY(read_archive(&self->source, &archive, err));
    SS_TRY(read_byte_order(&archive, &swaps, err));
    const struct ss_source_zip_record *object = find_named(&archive, pickle_name);
    const struct ss_source_bytes source = {
        .file = self->source.file, .data = object->packed, .n_bytes = (size_t)object->n_bytes};
    SS_TRY(ss_weights_pickle_read(&pickle, &source, err));
    if (pickle.at != source.n_bytes) {
        status = ss_weights_pickle_bad(&pickle, "bytes follow its end", err);
        goto out;
    }
    SS_TRY(bind_storages(&archive, &pickle, err));
    SS_TRY(ss_weights_pickle_add_tensors(&pickle, swaps, self, err));
out:
    ss_weights_pickle_release(&pickle);
    ss_source_zip_release(&archive.zip);
    return status;
}
