/* What an artifact's name meant when it was last fetched, for when the store cannot be asked:
 *
 *   CACHE/saescope/ENTITY/PROJECT/NAME/ALIAS.json
 *   {"id": …, "digest": …, "type": …, "version": N, "manifest": {…}}
 *
 * A record is trusted as little as a response of the store: the manifest is checked against the
 * digest, and files against the manifest. */
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "net/artifact_store.h"
#include "net/download.h"

/* The parts of a name are checked to be no paths when it is parsed. */
static ss_status record_path(const char *cache, const struct ss_net_artifact_name *name,
                             char **out, ss_err *err)
{
    struct ss__buf inner = {0};
    ss__buf_printf(&inner, "saescope/%s/%s/%s/%s.json", name->entity, name->project,
                   name->collection, name->alias);
    const char *text = ss__buf_text(&inner);
    *out = text == NULL ? NULL : ss__path_join(cache, text);
    ss__buf_release(&inner);
    return *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* Made in CACHE/tmp, as objects are. */
static ss_status write_aside(const char *cache, const char *path, const struct ss__buf *text,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    char *folder = ss__path_join(cache, "tmp");
    if (folder == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__make_folder(folder, NULL, err));
    ss__out_remove_stale(folder);
    SS_TRY(ss__out_open_made_in(path, folder, &out, err));
    SS_TRY(ss__out_write(&out, text->data, text->n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__free(folder);
    return status;
}

ss_status ss_net_artifact_record_write(const char *cache,
                                       const struct ss_net_artifact_name *name,
                                       const struct ss_net_artifact *artifact, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    struct ss__json_writer record = {.style = SS__JSON_COMPACT};
    const struct ss_net_artifact_info *facts = &artifact->facts;
    ss__put_open(&record, NULL, '{');
    ss__put_text(&record, "id", facts->id);
    ss__put_text(&record, "digest", facts->digest);
    ss__put_text(&record, "type", facts->type);
    ss__put_count(&record, "version", facts->version);
    ss__put_value(&record, "manifest", artifact->manifest.tree);
    ss__put_close(&record, '}');
    SS_TRY(ss__buf_check(&record.buf, err));
    SS_TRY(record_path(cache, name, &path, err));
    SS_TRY(ss_net_make_parents(path, err));
    SS_TRY(write_aside(cache, path, &record.buf, err));
out:
    ss__buf_release(&record.buf);
    ss__free(path);
    return status;
}

/* All must be there: a record that lacks one is from no release. */
static ss_status read_facts(const char *path, const struct ss__json *record,
                            struct ss_net_artifact_info *out, ss_err *err)
{
    static const char *const keys[] = {"id", "digest", "type"};
    char **fields[] = {&out->id, &out->digest, &out->type};
    size_t version = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = NULL;
        SS_RETURN_IF_ERROR(ss__json_need(path, record, keys[i], err));
        SS_RETURN_IF_ERROR(ss__json_text(path, record, keys[i], &text, err));
        *fields[i] = ss__strdup(text);
        if (*fields[i] == NULL) {
            return ss__fail_nomem(err, "a record");
        }
    }
    SS_RETURN_IF_ERROR(ss__json_need(path, record, "version", err));
    SS_RETURN_IF_ERROR(ss__json_size(path, record, "version", &version, err));
    out->version = version;
    return SS_OK;
}

/* A record that is damaged is an error: it is not taken for one that is missing. */
ss_status ss_net_artifact_record_read(const char *cache,
                                      const struct ss_net_artifact_name *name,
                                      const char *label, struct ss_net_artifact_store *store,
                                      struct ss_net_artifact *out, bool *found, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    struct ss__json *record = NULL;
    *out = (struct ss_net_artifact){.store = store, .name = name};
    SS_TRY(record_path(cache, name, &path, err));
    SS_TRY(ss__json_load_optional(path, &record, err));
    *found = record != NULL;
    if (!*found) {
        goto out;
    }
    out->label = ss__strdup(label);
    if (out->label == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    SS_TRY(read_facts(path, record, &out->facts, err));
    SS_TRY(ss_net_artifact_manifest_from_json(path, ss__json_share(record),
                                              ss__json_get(record, "manifest"),
                                              out->facts.digest, &out->manifest, err));
out:
    ss__json_free(record);
    ss__free(path);
    if (status != SS_OK) {
        ss_net_artifact_release(out);
    }
    return status;
}
