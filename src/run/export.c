/* Runs in the form of other programs: Neuronpedia's upload bodies and import files, in which one
 * text stands as one "token" with its activation; SAEDashboard's batches; Neuronpedia's bulk
 * files. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "folder/manifest_read.h"
#include "run/export.h"

enum { UPLOAD_FEATURES = 128, IMPORT_FEATURES = 1024, MAX_ID_BYTES = 200 };

/* ---- parts ---- */

/* An id in lower case, as the site has them. */
static void put_lower(struct ss__json_writer *writer, const char *key, const char *id)
{
    char lower[256];
    size_t n = 0;
    for (; id[n] != '\0' && n + 1 < sizeof lower; n++) {
        lower[n] = (char)(id[n] >= 'A' && id[n] <= 'Z' ? id[n] - 'A' + 'a' : id[n]);
    }
    lower[n] = '\0';
    ss__put_text(writer, key, lower);
}

static ss_status put_texts(struct ss_run_exporting *exporting, size_t feature, ss_err *err)
{
    struct ss__json_writer *writer = &exporting->writer;
    const ss_run *run = exporting->run;
    ss__put_open(writer, "activations", '[');
    for (size_t rank = 0; rank < run->features[feature].n_top; rank++) {
        const struct ss_top_text *top = &run->tops[run->top_offsets[feature] + rank];
        char *text = ss__strndup(top->text.data, top->text.n_bytes);
        if (text == NULL) {
            return ss__fail_nomem(err, "a text");
        }
        ss__put_open(writer, NULL, '{');
        ss__put_open(writer, "tokens", '[');
        ss__put_text(writer, NULL, text);
        ss__put_close(writer, ']');
        ss__put_open(writer, "values", '[');
        ss__put_number(writer, NULL, (double)top->activation);
        ss__put_close(writer, ']');
        ss__put_close(writer, '}');
        ss__free(text);
    }
    ss__put_close(writer, ']');
    return SS_OK;
}

/* ---- uploads ---- */

static ss_status add_upload(struct ss_run_exporting *exporting, size_t feature, ss_err *err)
{
    struct ss__json_writer *writer = &exporting->writer;
    if (exporting->n == 0) {
        ss__put_open(writer, NULL, '{');
        put_lower(writer, "modelId", exporting->options->model_id);
        put_lower(writer, "source", exporting->options->source_id);
        ss__put_open(writer, "features", '[');
    }
    ss__put_open(writer, NULL, '{');
    ss__put_count(writer, "index", feature);
    ss__put_number(writer, "density", exporting->descriptions->rates[feature]);
    ss__put_open(writer, "explanations", '[');
    ss__put_open(writer, NULL, '{');
    ss__put_string(writer, "text",
                   ss_run_export_label(exporting->descriptions->labels[feature]));
    ss__put_close(writer, '}');
    ss__put_close(writer, ']');
    SS_RETURN_IF_ERROR(put_texts(exporting, feature, err));
    ss__put_close(writer, '}');
    return SS_OK;
}

static ss_status end_upload(struct ss_run_exporting *exporting, struct ss__buf *bytes,
                            ss_err *err)
{
    ss__put_close(&exporting->writer, ']');
    ss__put_close(&exporting->writer, '}');
    ss__buf_add(bytes, exporting->writer.buf.data, exporting->writer.buf.n_bytes);
    return ss__buf_check(bytes, err);
}

/* ---- imports ---- */

/* What the label's score is: the tables have no column for it. */
static void put_notes(struct ss__json_writer *writer, const ss_descriptions *descriptions,
                      size_t feature)
{
    const struct ss_describe_auc *auc = &descriptions->scores[feature].auc[SS_DESCRIBE_RANDOM];
    char notes[256];
    if (isnan(auc->value)) {
        ss__put_null(writer, "notes");
        return;
    }
    ss__snprintf(notes, sizeof notes,
                 "%s: AUC %.3f (%.3f to %.3f) of %zu texts against %zu random ones, %s, pool "
                 "%zu",
                 ss_describe_verdict_name(descriptions->scores[feature].verdict), auc->value,
                 auc->interval.low, auc->interval.high, auc->n_positives, auc->n_negatives,
                 descriptions->is_plain ? "plain" : "centred", descriptions->n_pool);
    ss__put_text(writer, "notes", notes);
}

/* The columns of the first line decide for the batch, so that all lines have all of them. */
static ss_status add_import(struct ss_run_exporting *exporting, size_t feature, ss_err *err)
{
    struct ss__json_writer *writer = &exporting->writer;
    const struct ss_export_options *options = exporting->options;
    char index[32], id[600];
    ss__snprintf(index, sizeof index, "%zu", feature);
    ss__snprintf(id, sizeof id, "saescope-%.250s-%.250s-%zu", options->model_id,
                 options->source_id, feature);
    writer->style = SS__JSON_COMPACT;
    writer->has_items = false; /* a line is a document of its own */
    ss__put_open(writer, NULL, '{');
    ss__put_text(writer, "id", id);
    ss__put_text(writer, "modelId", options->model_id);
    ss__put_text(writer, "layer", options->source_id);
    ss__put_text(writer, "index", index);
    ss__put_string(writer, "description",
                   ss_run_export_label(exporting->descriptions->labels[feature]));
    ss__put_text(writer, "authorId", options->author_id);
    ss__put_null(writer, "typeName");
    ss__put_null(writer, "explanationModelName");
    put_notes(writer, exporting->descriptions, feature);
    ss__put_close(writer, '}');
    ss__buf_add_byte(&writer->buf, '\n');
    (void)err;
    return SS_OK;
}

static ss_status end_import(struct ss_run_exporting *exporting, struct ss__buf *bytes,
                            ss_err *err)
{
    return ss_run_export_gzip(&exporting->writer.buf, bytes, err);
}

/* ---- all forms ---- */

/* A form with add has batches of features, else it has files of its own. */
static const struct {
    size_t n_most;
    ss_status (*add)(struct ss_run_exporting *exporting, size_t feature, ss_err *err);
    ss_status (*end)(struct ss_run_exporting *exporting, struct ss__buf *bytes, ss_err *err);
    bool needs_labels, needs_texts, needs_author;
    const char *folder, *ending; /* of batch-N */
} kinds[] = {
    [SS_EXPORT_NEURONPEDIA_UPLOAD] = {UPLOAD_FEATURES, add_upload, end_upload, true, true,
                                      false, "", ".json"},
    [SS_EXPORT_NEURONPEDIA_IMPORT] = {IMPORT_FEATURES, add_import, end_import, true, false,
                                      true, "explanations", ".jsonl.gz"},
    [SS_EXPORT_NEURONPEDIA_BULK] = {.needs_author = true, .folder = ""},
    [SS_EXPORT_SAEDASHBOARD] = {UPLOAD_FEATURES, ss_run_export_dashboard_add, end_upload, false,
                                true, false, "", ".json"},
};

static ss_status write_batch(struct ss_run_exporting *exporting, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf bytes = {0};
    const ss_export kind = exporting->options->kind;
    char name[64];
    ss__snprintf(name, sizeof name, "%s%sbatch-%zu%s", kinds[kind].folder,
                 kinds[kind].folder[0] == '\0' ? "" : "/", exporting->n_files,
                 kinds[kind].ending);
    SS_TRY(kinds[kind].end(exporting, &bytes, err));
    SS_TRY(ss_run_export_file(exporting, name, &bytes, err));
    exporting->n = 0;
    ss__buf_release(&exporting->writer.buf);
    exporting->writer = (struct ss__json_writer){0};
out:
    ss__buf_release(&bytes);
    return status;
}

static ss_status export_features(struct ss_run_exporting *exporting, ss_err *err)
{
    const ss_export kind = exporting->options->kind;
    if (kinds[kind].add == NULL) {
        return ss_run_export_bulk(exporting, err);
    }
    for (size_t f = 0; f < exporting->run->info.n_features; f++) {
        if ((kinds[kind].needs_labels && exporting->descriptions->labels[f].n_bytes == 0) ||
            (kinds[kind].needs_texts && exporting->run->features[f].n_top == 0)) {
            continue;
        }
        SS_RETURN_IF_ERROR(kinds[kind].add(exporting, f, err));
        SS_RETURN_IF_ERROR(ss__buf_check(&exporting->writer.buf, err));
        if (++exporting->n == kinds[kind].n_most) {
            SS_RETURN_IF_ERROR(write_batch(exporting, err));
        }
    }
    return exporting->n > 0 ? write_batch(exporting, err) : SS_OK;
}

static ss_status check_ids(const struct ss_export_options *options, ss_err *err)
{
    if ((size_t)options->kind >= sizeof kinds / sizeof kinds[0]) {
        return ss__fail(err, SS_E_USAGE, "there is no form %d to export to",
                        (int)options->kind);
    }
    const struct {
        const char *name, *value;
        bool is_needed;
    } ids[] = {{"model_id", options->model_id, true},
               {"source_id", options->source_id, true},
               {"author_id", options->author_id, kinds[options->kind].needs_author}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const size_t n = ids[i].value == NULL ? 0 : strlen(ids[i].value);
        if (ids[i].is_needed &&
            (n == 0 || n > MAX_ID_BYTES || ss__utf8_valid_prefix(ids[i].value, n) != n)) {
            return ss__fail(err, SS_E_USAGE,
                            "`%s`: an export needs it, as the site has it: 1 to %d bytes of "
                            "UTF-8",
                            ids[i].name, MAX_ID_BYTES);
        }
    }
    return SS_OK;
}

/* The folder, and for imports the one in it; on errors what is empty of them goes again. */
static ss_status export_into(struct ss_run_exporting *exporting, ss_err *err)
{
    size_t n_made = 0;
    char *inner = ss__path_join(exporting->dir, kinds[exporting->options->kind].folder);
    if (inner == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    ss_status status = ss__make_folder(inner, &n_made, err);
    if (status == SS_OK) {
        status = export_features(exporting, err);
    }
    if (status != SS_OK) {
        ss__unmake_folder(inner, n_made);
    }
    ss__free(inner);
    return status;
}

/* What there is beside the run; labels are there or not, unless they are needed. */
static ss_status open_parts(const char *run_dir, bool needs_labels, const ss_run *run,
                            ss_descriptions **descriptions, struct ss_folder_evidence *evidence,
                            ss_err *err)
{
    if (needs_labels ||
        ss__path_look_in(run_dir, SS_FOLDER_FILE_DESCRIPTIONS) != SS__PATH_NONE) {
        SS_RETURN_IF_ERROR(ss_descriptions_open(run_dir, descriptions, err));
        if ((*descriptions)->n_features != run->info.n_features) {
            return ss__fail_file(err, run_dir, SS_E_DATA, "%s has %zu features, the run %zu",
                                 SS_FOLDER_FILE_DESCRIPTIONS, (*descriptions)->n_features,
                                 run->info.n_features);
        }
    }
    return !needs_labels &&
                   ss__path_look_in(run_dir, SS_FOLDER_FILE_EVIDENCE_TEXTS) != SS__PATH_NONE
               ? ss_folder_evidence_open(run_dir, run->info.n_features, evidence, err)
               : SS_OK;
}

ss_status ss_descriptions_export(const char *run_dir, const char *dir,
                                 const struct ss_export_options *options, size_t *n_files,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_export_options read = {.struct_size = sizeof read};
    struct ss_run_exporting exporting = {.options = &read, .run_dir = run_dir, .dir = dir};
    struct ss_folder_evidence evidence = {0};
    struct ss_run_export_partners *partners = NULL;
    ss_descriptions *descriptions = NULL;
    ss_run *run = NULL;
    if (n_files != NULL) {
        *n_files = 0;
    }
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_export_options, err));
    SS_TRY(check_ids(&read, err));
    SS_TRY(ss_run_open(run_dir, NULL, &run, err));
    SS_TRY(
        open_parts(run_dir, kinds[read.kind].needs_labels, run, &descriptions, &evidence, err));
    exporting.evidence = evidence.n_features > 0 ? &evidence : NULL;
    exporting.descriptions = descriptions;
    exporting.run = run;
    if (!kinds[read.kind].needs_labels) {
        SS_TRY(ss_run_export_partners_find(run_dir, run, &partners, err));
        exporting.partners = partners;
    }
    SS_TRY(export_into(&exporting, err));
    if (n_files != NULL) {
        *n_files = exporting.n_files;
    }
out:
    ss__buf_release(&exporting.writer.buf);
    ss__free(partners);
    ss_folder_evidence_release(&evidence);
    ss_descriptions_free(descriptions);
    ss_run_free(run);
    return status;
}
