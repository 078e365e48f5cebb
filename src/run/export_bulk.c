/* Neuronpedia's bulk files, as an own instance imports them:
 *
 *   MODEL/SOURCE/release.jsonl, model.jsonl, sourceset.jsonl, source.jsonl
 *   MODEL/SOURCE/features/batch-N.jsonl.gz      a line a feature
 *   MODEL/SOURCE/activations/batch-N.jsonl.gz   a line a text of a feature
 *   MODEL/SOURCE/explanations/batch-N.jsonl.gz  a line a label
 *
 * createdAt is when the run was made: equal folders give equal bytes. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "folder/manifest_read.h"
#include "run/export.h"

enum { BATCH_FEATURES = 256, STEER_STRENGTH = 10, ID_CHARS = 25, NAME_BYTES = 512 };

/* The folders of the three kinds of lines. */
static const char *const folders[] = {"/features", "/activations", "/explanations"};
enum { N_FOLDERS = sizeof folders / sizeof folders[0] };

struct bulk {
    struct ss_run_exporting *exporting;
    struct ss_run_export_source source;
    char made[32];           /* the time */
    char folder[NAME_BYTES]; /* MODEL/SOURCE */
    struct ss__json_writer features, texts, labels;
    size_t n, n_batches;
    size_t n_made[N_FOLDERS]; /* new folders */
};

/* ---- parts of lines ---- */

/* A line is a document of its own. */
static struct ss__json_writer *begin_line(struct ss__json_writer *writer)
{
    writer->style = SS__JSON_COMPACT;
    writer->has_items = false;
    ss__put_open(writer, NULL, '{');
    return writer;
}

static void end_line(struct ss__json_writer *writer)
{
    ss__put_close(writer, '}');
    ss__buf_add_byte(&writer->buf, '\n');
}

static void put_nulls(struct ss__json_writer *writer, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ss__put_null(writer, keys[i]);
    }
}

static void put_made(const struct bulk *bulk, struct ss__json_writer *writer)
{
    ss__put_text(writer, "creatorId", bulk->exporting->options->author_id);
    ss__put_text(writer, "createdAt", bulk->made);
}

static void put_place(const struct bulk *bulk, struct ss__json_writer *writer, size_t feature)
{
    char index[32];
    ss__snprintf(index, sizeof index, "%zu", feature);
    ss__put_text(writer, "modelId", bulk->exporting->options->model_id);
    ss__put_text(writer, "layer", bulk->exporting->options->source_id);
    ss__put_text(writer, "index", index);
}

/* An id of the site's form, "c" and 24 digits and letters, from what it is the id of. */
static void put_id(const struct bulk *bulk, struct ss__json_writer *writer, const char *of)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t digest[SS__SHA256_BYTES];
    char id[ID_CHARS + 1] = "c";
    ss__sha256_of((struct ss_text){bulk->folder, strlen(bulk->folder)},
                  (struct ss_text){of, strlen(of)}, digest);
    for (size_t i = 1; i < ID_CHARS; i++) {
        id[i] = digits[digest[i] % 36];
    }
    id[ID_CHARS] = '\0';
    ss__put_text(writer, "id", id);
}

/* ---- lines ---- */

static void add_feature(struct bulk *bulk, size_t feature,
                        const struct ss_run_export_feature *gathered)
{
    struct ss__json_writer *writer = begin_line(&bulk->features);
    put_place(bulk, writer, feature);
    put_made(bulk, writer);
    ss__put_number(writer, "maxActApprox",
                   (double)bulk->exporting->run->features[feature].max_activation);
    ss__put_bool(writer, "hasVector", false);
    ss_run_export_put_empty(writer, (const char *const[]){"vector"}, 1);
    ss__put_null(writer, "vectorLabel");
    ss__put_count(writer, "vectorDefaultSteerStrength", STEER_STRENGTH);
    ss__put_null(writer, "hookName");
    ss_run_export_put_empty(writer,
                            (const char *const[]){"topkCosSimIndices", "topkCosSimValues"}, 2);
    ss__put_string(writer, "sourceSetName", bulk->source.set);
    ss_run_export_put_statistics(writer, bulk->exporting, feature, gathered);
    end_line(writer);
}

static void add_text(struct bulk *bulk, size_t feature, size_t number,
                     const struct ss_run_export_text *text)
{
    static const char *const empty[] = {"dfaValues", "lossValues", "logitContributions"};
    static const char *const unknown[] = {"dfaTargetIndex", "dfaMaxValue"};
    struct ss__json_writer *writer = begin_line(&bulk->texts);
    char of[64], data_index[32];
    ss__snprintf(of, sizeof of, "text %zu %zu", feature, number);
    ss__snprintf(data_index, sizeof data_index, "%zu", number);
    put_id(bulk, writer, of);
    const size_t n = ss_run_export_put_words(writer, "tokens", text->text);
    ss_run_export_put_repeated(writer, "values", (double)text->value, n);
    put_place(bulk, writer, feature);
    ss__put_text(writer, "dataIndex", data_index);
    ss__put_text(writer, "dataSource", bulk->exporting->run->info.dataset_name);
    ss__put_number(writer, "maxValue", (double)text->value);
    ss__put_count(writer, "maxValueTokenIndex", 0);
    ss__put_number(writer, "minValue", (double)text->value);
    ss__put_number(writer, "binMin", text->bin_min);
    ss__put_number(writer, "binMax", text->bin_max);
    ss__put_number(writer, "binContains", text->bin_contains);
    ss__put_count(writer, "qualifyingTokenIndex", 0);
    ss_run_export_put_empty(writer, empty, sizeof empty / sizeof empty[0]);
    put_nulls(writer, unknown, sizeof unknown / sizeof unknown[0]);
    put_made(bulk, writer);
    end_line(writer);
}

static void add_label(struct bulk *bulk, size_t feature)
{
    const ss_descriptions *descriptions = bulk->exporting->descriptions;
    char of[64];
    if (descriptions == NULL || descriptions->labels[feature].n_bytes == 0) {
        return;
    }
    struct ss__json_writer *writer = begin_line(&bulk->labels);
    ss__snprintf(of, sizeof of, "label %zu", feature);
    put_id(bulk, writer, of);
    put_place(bulk, writer, feature);
    ss__put_string(writer, "description", ss_run_export_label(descriptions->labels[feature]));
    ss__put_text(writer, "authorId", bulk->exporting->options->author_id);
    ss__put_null(writer, "typeName");
    ss__put_null(writer, "explanationModelName");
    end_line(writer);
}

/* ---- files ---- */

static ss_status write_lines(struct bulk *bulk, const char *name, struct ss__json_writer *lines,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf packed = {0};
    char path[NAME_BYTES + 64];
    ss__snprintf(path, sizeof path, "%s/%s/batch-%zu.jsonl.gz", bulk->folder, name,
                 bulk->n_batches);
    SS_TRY(ss__buf_check(&lines->buf, err));
    SS_TRY(ss_run_export_gzip(&lines->buf, &packed, err));
    SS_TRY(ss_run_export_file(bulk->exporting, path, &packed, err));
out:
    ss__buf_release(&packed);
    ss__buf_release(&lines->buf);
    *lines = (struct ss__json_writer){0};
    return status;
}

static ss_status write_batch(struct bulk *bulk, ss_err *err)
{
    SS_RETURN_IF_ERROR(write_lines(bulk, "features", &bulk->features, err));
    SS_RETURN_IF_ERROR(write_lines(bulk, "activations", &bulk->texts, err));
    if (bulk->exporting->descriptions != NULL) {
        SS_RETURN_IF_ERROR(write_lines(bulk, "explanations", &bulk->labels, err));
    }
    bulk->n = 0;
    bulk->n_batches++;
    return SS_OK;
}

static ss_status write_features(struct bulk *bulk, ss_err *err)
{
    struct ss_run_export_feature gathered;
    const ss_run *run = bulk->exporting->run;
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (run->features[f].n_fires == 0) {
            continue;
        }
        ss_run_export_gather(bulk->exporting, f, &gathered);
        add_feature(bulk, f, &gathered);
        for (size_t i = 0; i < gathered.n; i++) {
            add_text(bulk, f, i, &gathered.texts[i]);
        }
        add_label(bulk, f);
        if (++bulk->n == BATCH_FEATURES) {
            SS_RETURN_IF_ERROR(write_batch(bulk, err));
        }
    }
    return bulk->n > 0 ? write_batch(bulk, err) : SS_OK;
}

/* What stands above the features: the release, the model, the set, the source. */
static void put_head(const struct bulk *bulk, int which, struct ss__json_writer *writer)
{
    static const char note[] =
        "Made by saescope from texts: a token is a word with the space before it, and a text's "
        "activation stands on each of its words. There are no logits.";
    const struct ss_export_options *options = bulk->exporting->options;
    const bool is_source = which == 3;
    begin_line(writer);
    if (which == 0) {
        ss__put_string(writer, "name", bulk->source.set);
        ss__put_text(writer, "description", note);
    } else if (which == 1) {
        ss__put_text(writer, "id", options->model_id);
        ss__put_text(writer, "displayName", options->model_id);
        ss__put_count(writer, "layers", bulk->source.layer + 1);
    } else {
        ss__put_text(writer, "modelId", options->model_id);
        if (is_source) {
            ss__put_text(writer, "id", options->source_id);
        }
        ss__put_string(writer, is_source ? "setName" : "name", bulk->source.set);
        if (!is_source) {
            ss__put_string(writer, "releaseName", bulk->source.set);
        }
        ss__put_bool(writer, "hasDashboards", true);
        ss__put_text(writer, is_source ? "dataset" : "description",
                     is_source ? bulk->exporting->run->info.dataset_name : note);
    }
    ss__put_text(writer, "visibility", "UNLISTED");
    put_made(bulk, writer);
    end_line(writer);
}

static ss_status write_heads(struct bulk *bulk, ss_err *err)
{
    static const char *const names[] = {"release", "model", "sourceset", "source"};
    for (int which = 0; which < 4; which++) {
        ss_status status = SS_OK;
        struct ss__json_writer writer = {0};
        char path[NAME_BYTES + 64];
        put_head(bulk, which, &writer);
        ss__snprintf(path, sizeof path, "%s/%s.jsonl", bulk->folder, names[which]);
        SS_TRY(ss__buf_check(&writer.buf, err));
        SS_TRY(ss_run_export_file(bulk->exporting, path, &writer.buf, err));
    out:
        ss__buf_release(&writer.buf);
        SS_RETURN_IF_ERROR(status);
    }
    return SS_OK;
}

/* On errors what is empty of them goes again. */
static char *folder_path(const struct bulk *bulk, size_t i)
{
    char inner[NAME_BYTES + 64];
    ss__snprintf(inner, sizeof inner, "%s%s", bulk->folder, folders[i]);
    return ss__path_join(bulk->exporting->dir, inner);
}

static ss_status make_folders(struct bulk *bulk, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; i < N_FOLDERS && status == SS_OK; i++) {
        char *path = folder_path(bulk, i);
        status = path == NULL ? ss__fail_nomem(err, "a path")
                              : ss__make_folder(path, &bulk->n_made[i], err);
        ss__free(path);
    }
    return status;
}

static void unmake_folders(const struct bulk *bulk)
{
    for (size_t i = N_FOLDERS; i-- > 0;) {
        char *path = folder_path(bulk, i);
        if (path != NULL) {
            ss__unmake_folder(path, bulk->n_made[i]);
        }
        ss__free(path);
    }
}

/* When the run was made, as far as its files tell. */
static ss_status set_made(struct bulk *bulk, ss_err *err)
{
    struct stat facts;
    struct tm parts;
    char *path = ss__path_join(bulk->exporting->run_dir, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    const bool is_known = stat(path, &facts) == 0 && gmtime_r(&facts.st_mtime, &parts) != NULL;
    ss__free(path);
    if (!is_known ||
        strftime(bulk->made, sizeof bulk->made, "%Y-%m-%dT%H:%M:%S.000Z", &parts) == 0) {
        return ss__fail_file(err, bulk->exporting->run_dir, SS_E_IO,
                             "it is not known when the run was made");
    }
    return SS_OK;
}

/* Ids become folders. */
static bool is_name(const char *id)
{
    return id[0] != '.' && strchr(id, '/') == NULL;
}

ss_status ss_run_export_bulk(struct ss_run_exporting *exporting, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_export_options *options = exporting->options;
    struct bulk bulk = {.exporting = exporting};
    SS_TRY(ss_run_export_source_parse(options->source_id, &bulk.source, err));
    if (!is_name(options->model_id) || !is_name(options->source_id)) {
        SS_FAIL(SS_E_USAGE, "`model_id` and `source_id` become folders: no \"/\", no \".\" "
                            "at the beginning");
    }
    ss__snprintf(bulk.folder, sizeof bulk.folder, "%s/%s", options->model_id,
                 options->source_id);
    SS_TRY(set_made(&bulk, err));
    SS_TRY(make_folders(&bulk, err));
    SS_TRY(write_heads(&bulk, err));
    SS_TRY(write_features(&bulk, err));
out:
    if (status != SS_OK) {
        unmake_folders(&bulk);
    }
    ss__buf_release(&bulk.features.buf);
    ss__buf_release(&bulk.texts.buf);
    ss__buf_release(&bulk.labels.buf);
    return status;
}
