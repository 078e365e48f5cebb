/* A run folder → the archive that pages show. */
#include "web/pages.h"

#include "base/file.h"
#include "base/mem.h"
#include "folder/descriptions.h"
#include "folder/manifest_read.h"
#include "folder/snapshot.h"
#include "web/pages_priv.h"

/* English deflates to a third and no text that people write to a tenth: below that an archive
 * is not tried. */
enum { MOST_DEFLATED = 10 };

static ss_status open_parts(const char *folder, struct ss_web_source *source, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load(path, &source->manifest, err));
    if (ss__path_look_in(folder, SS_FOLDER_FILE_DESCRIPTIONS) != SS__PATH_NONE) {
        SS_TRY(ss_descriptions_open(folder, &source->descriptions, err));
        if (ss_descriptions_n_features(source->descriptions) != source->run->info.n_features) {
            SS_FAIL_FILE(folder, SS_E_DATA, "%s is of %zu features and the run of %zu",
                         SS_FOLDER_FILE_DESCRIPTIONS,
                         ss_descriptions_n_features(source->descriptions),
                         source->run->info.n_features);
        }
    }
    if (ss__path_look_in(folder, SS_FOLDER_FILE_EVIDENCE_TEXTS) != SS__PATH_NONE) {
        SS_TRY(ss_folder_evidence_open(folder, source->run->info.n_features, &source->evidence,
                                       err));
        source->has_evidence = true;
    }
out:
    ss__free(path);
    return status;
}

ss_status ss_web_source_open(const char *folder, struct ss__asking *asking,
                             struct ss_web_source *source, ss_err *err)
{
    *source = (struct ss_web_source){.folder = folder, .asking = asking};
    ss_status status = ss_folder_run_open_checked(folder, false, asking, &source->run, err);
    status = status == SS_OK ? open_parts(folder, source, err) : status;
    if (status != SS_OK) {
        ss_web_source_release(source);
    }
    return status;
}

ss_status ss_web_source_open_snapshot(const char *path, const char *folder,
                                      struct ss__asking *asking, struct ss_web_source *source,
                                      ss_err *err)
{
    *source = (struct ss_web_source){.folder = folder, .asking = asking, .is_partial = true};
    return ss_folder_snapshot_read(path, &source->run, &source->manifest, err);
}

void ss_web_source_release(struct ss_web_source *source)
{
    if (source->has_evidence) {
        ss_folder_evidence_release(&source->evidence);
    }
    ss_descriptions_free(source->descriptions);
    ss_descriptions_free(source->other_descriptions);
    ss_diff_free(source->diff);
    ss_run_free(source->other);
    ss__json_free(source->manifest);
    ss_run_free(source->run);
    *source = (struct ss_web_source){0};
}

static struct ss_web_counts count_texts(const struct ss_web_texts *texts, size_t n_chars)
{
    struct ss_web_counts counts = {.n_texts = texts->n};
    for (size_t i = 0; i < texts->n; i++) {
        const size_t n_bytes = ss_web_excerpt_bytes(texts->items[i].text, n_chars);
        counts.n_raw += n_bytes;
        counts.n_cut += n_bytes < texts->items[i].text.n_bytes;
    }
    return counts;
}

static ss_status put_parts(const struct ss_web_source *source, const struct ss_web_level *level,
                           const struct ss_web_counts *counts, struct ss_web_zip *zip,
                           ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_web_meta_put(source, level, counts, zip, err));
    SS_RETURN_IF_ERROR(ss_web_columns_put(source, zip, err));
    if (source->descriptions != NULL) {
        SS_RETURN_IF_ERROR(ss_web_labels_put(source, zip, err));
    }
    SS_RETURN_IF_ERROR(ss_web_pairs_put(source, zip, err));
    SS_RETURN_IF_ERROR(ss_web_neighbours_put(source, zip, err));
    SS_RETURN_IF_ERROR(ss_web_compare_put(source, zip, err));
    if (source->has_evidence && level->has_histograms) {
        SS_RETURN_IF_ERROR(ss_web_histograms_put(source, zip, err));
    }
    return SS_OK;
}

ss_status ss_web_pages_build(const struct ss_web_source *source,
                             const struct ss_web_level *level, uint64_t n_most,
                             struct ss_web_zip *zip, struct ss_web_counts *counts, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_texts texts = {0};
    struct ss_web_lists *lists = NULL;
    struct ss_web_random *random = NULL;
    struct ss_web_map *map = NULL;
    struct ss__arena names = {0};
    *zip = (struct ss_web_zip){0};
    SS_TRY(ss_web_lists_new(source, level, &texts, &names, &lists, err));
    SS_TRY(ss_web_random_new(source, level, &texts, &random, err));
    SS_TRY(ss_web_map_new(source, level, &texts, &map, err));
    *counts = count_texts(&texts, level->n_chars);
    if (n_most > 0 && !level->no_texts && counts->n_raw / MOST_DEFLATED > n_most) {
        goto out;
    }
    SS_TRY(put_parts(source, level, counts, zip, err));
    SS_TRY(ss_web_map_put(map, zip, err));
    SS_TRY(ss_web_lists_put(lists, zip, err));
    SS_TRY(ss_web_random_put(random, zip, err));
    SS_TRY(ss_web_texts_put(&texts, level->n_chars, level->no_texts, zip, err));
    SS_TRY(ss_web_zip_finish(zip, err));
out:
    if (status != SS_OK) {
        ss_web_zip_release(zip);
    }
    ss_web_map_free(map);
    ss_web_random_free(random);
    ss_web_lists_free(lists);
    ss_web_texts_release(&texts);
    ss__arena_release(&names);
    return status;
}
