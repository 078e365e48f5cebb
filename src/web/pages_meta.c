/* meta.json of the data of the pages: counts, names and hashes of what the run was made from,
 * and what of it is shown. Nothing in it tells where on the machine a run lies, nor when the
 * pages were made. */
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/json_write.h"
#include "web/pages_priv.h"

enum { SCHEMA = 1 };

/* Members of an object of run.json that say something without its folder. */
static const char *const model_keys[] = {
    "name",  "architecture", "pooling", "normalized", "prompt",
    "width", "max_tokens",   "source",  "commit",     NULL};
static const char *const sae_keys[] = {"format",     "kind",   "variant", "rule", "width",
                                       "n_features", "source", "commit",  NULL};
static const char *const dataset_keys[] = {"name",   "format", "text_column", "commit",
                                           "config", "split",  NULL};

static const struct section {
    const char *name;
    const char *const *keys;
} sections[] = {{"model", model_keys}, {"sae", sae_keys}, {"dataset", dataset_keys}};

static void put_hashes(struct ss__json_writer *writer, const struct ss__json *files)
{
    size_t i = 0;
    const struct ss__json *file = NULL;
    ss__put_open(writer, "files", '[');
    SS_JSON_EACH (files, i, file) {
        const char *path = ss__json_string(ss__json_get(file, "path"));
        ss__put_open(writer, NULL, '{');
        ss__put_text(writer, "name", path == NULL ? "" : ss__path_name(path));
        ss__put_value(writer, "sha256", ss__json_get(file, "sha256"));
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void put_section(struct ss__json_writer *writer, const struct ss__json *manifest,
                        const struct section *section)
{
    const struct ss__json *object = ss__json_get(manifest, section->name);
    const char *path = ss__json_string(ss__json_get(object, "path"));
    ss__put_open(writer, section->name, '{');
    for (size_t i = 0; section->keys[i] != NULL; i++) {
        const struct ss__json *value = ss__json_get(object, section->keys[i]);
        if (value != NULL) {
            ss__put_value(writer, section->keys[i], value);
        }
    }
    if (path != NULL) {
        ss__put_text(writer, "file", ss__path_name(path));
    }
    put_hashes(writer, ss__json_get(object, "files"));
    ss__put_close(writer, '}');
}

static void put_rows(struct ss__json_writer *writer, const struct ss_run_info *info)
{
    ss__put_open(writer, "rows", '{');
    ss__put_count(writer, "read", info->n_rows_read);
    ss__put_count(writer, "used", info->n_rows_used);
    ss__put_count(writer, "passed_over", info->n_rows_passed);
    ss__put_count(writer, "repaired", info->n_rows_repaired);
    ss__put_open(writer, "skipped", '{');
    for (size_t kind = 0; kind < SS_N_ROW_KINDS; kind++) {
        if (info->n_rows_skipped[kind] > 0) {
            ss__put_count(writer, ss_row_kind_name((ss_row_kind)kind),
                          info->n_rows_skipped[kind]);
        }
    }
    ss__put_close(writer, '}');
    ss__put_close(writer, '}');
}

static void put_evidence(struct ss__json_writer *writer, const struct ss_web_source *source)
{
    const struct ss_folder_evidence *evidence = &source->evidence;
    if (!source->has_evidence) {
        ss__put_null(writer, "evidence");
        return;
    }
    ss__put_open(writer, "evidence", '{');
    ss__put_count(writer, "texts", evidence->n_texts);
    ss__put_count(writer, "pool", evidence->n_pool[0] + evidence->n_pool[1]);
    ss__put_count(writer, "score_rows", evidence->n_rows[1]);
    ss__put_close(writer, '}');
}

static void put_labels(struct ss__json_writer *writer, const struct ss_web_source *source)
{
    struct ss_description description = {.struct_size = sizeof description};
    if (source->descriptions == NULL) {
        ss__put_null(writer, "labels");
        return;
    }
    (void)ss_descriptions_get(source->descriptions, 0, &description);
    ss__put_open(writer, "labels", '{');
    ss__put_text(writer, "method", description.method == NULL ? "" : description.method);
    ss__put_open(writer, "statuses", '[');
    for (int i = 0; i < SS_N_LABEL_STATUSES; i++) {
        ss__put_text(writer, NULL, ss_label_status_name((ss_label_status)i));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
}

static void put_shown(struct ss__json_writer *writer, const struct ss_web_level *level,
                      const struct ss_web_counts *counts)
{
    ss__put_open(writer, "shown", '{');
    ss__put_bool(writer, "texts", !level->no_texts);
    ss__put_count(writer, "chars", level->n_chars);
    ss__put_count(writer, "tops", level->n_tops);
    ss__put_count(writer, "samples", level->n_samples);
    ss__put_bool(writer, "histograms", level->has_histograms);
    ss__put_count(writer, "n_texts", counts->n_texts);
    ss__put_count(writer, "n_cut", counts->n_cut);
    ss__put_close(writer, '}');
}

void ss_web_meta_put_members(struct ss__json_writer *writer, const struct ss_web_source *source)
{
    const struct ss_run_info *info = &source->run->info;
    ss__put_value(writer, "saescope_version",
                  ss__json_get(source->manifest, "saescope_version"));
    ss__put_text(writer, "zlib", zlibVersion());
    ss__put_text(writer, "title", info->dataset_name);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        put_section(writer, source->manifest, &sections[i]);
    }
    ss__put_value(writer, "precision", ss__json_get(source->manifest, "precision"));
    put_rows(writer, info);
    ss__put_count(writer, "n_features", info->n_features);
    ss__put_count(writer, "n_dead", info->n_dead);
    ss__put_count(writer, "top_k", info->top_k);
    ss__put_number(writer, "median_rate_pct", info->median_rate_pct);
    ss__put_count(writer, "n_tokens", info->n_tokens);
    put_evidence(writer, source);
    put_labels(writer, source);
}

ss_status ss_web_meta_put(const struct ss_web_source *source, const struct ss_web_level *level,
                          const struct ss_web_counts *counts, struct ss_web_zip *zip,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SCHEMA);
    ss_web_meta_put_members(&writer, source);
    put_shown(&writer, level, counts);
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss_web_zip_add(zip, "meta.json", writer.buf.data, writer.buf.n_bytes, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}
