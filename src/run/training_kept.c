/* What a training keeps while it runs. The same call goes on from there and ends in the same bytes:
 * nothing is taken up that was made of other rows or by another encoder. */
#include "run/training_kept.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"
#include "pass/inputs_json.h"

enum { MOST_KEY_BYTES = 1 << 24, MOST_MARK_BYTES = 1 << 16 };

/* ---- the folder ---- */

static ss_status name_files(struct ss_run_training_kept *kept, const char *out, ss_err *err)
{
    struct ss__buf folder = {0};
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/') {
        n--;
    }
    ss__buf_add(&folder, out, n);
    ss__buf_add_text(&folder, ".training");
    const char *name = ss__buf_text(&folder);
    kept->folder = name == NULL ? NULL : ss__strdup(name);
    ss__buf_release(&folder);
    if (kept->folder == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    kept->state = ss__path_join(kept->folder, "state");
    kept->embeddings = ss__path_join(kept->folder, "embeddings.npy");
    kept->key = ss__path_join(kept->folder, "embeddings.txt");
    kept->finished = ss__path_join(kept->folder, "finished.txt");
    if (kept->state == NULL || kept->embeddings == NULL || kept->key == NULL ||
        kept->finished == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    return SS_OK;
}

ss_status ss_run_training_kept_open(struct ss_run_training_kept *kept, const char *out,
                                    ss_err *err)
{
    SS_RETURN_IF_ERROR(name_files(kept, out, err));
    return ss__make_folder(kept->folder, NULL, err);
}

void ss_run_training_kept_close(struct ss_run_training_kept *kept)
{
    if (kept->folder != NULL) {
        (void)rmdir(kept->folder);
    }
    ss__free(kept->folder);
    ss__free(kept->state);
    ss__free(kept->embeddings);
    ss__free(kept->key);
    ss__free(kept->finished);
}

void ss_run_training_kept_remove(const struct ss_run_training_kept *kept)
{
    ss__out_remove_stale(kept->folder);
    (void)unlink(kept->state);
    (void)unlink(kept->embeddings);
    (void)unlink(kept->key);
    (void)unlink(kept->finished);
    (void)rmdir(kept->folder);
}

/* ---- embeddings ---- */

static void put_facts(struct ss__buf *key, const char *path)
{
    struct ss__file_facts facts = {0};
    (void)ss__file_facts_at(path, &facts);
    ss__buf_printf(key, "%s %llu %lld.%09ld\n", path, (unsigned long long)facts.n_bytes,
                   (long long)facts.modified.tv_sec, facts.modified.tv_nsec);
}

/* What the embeddings of a dataset depend on: encoder, files as they are now, and how rows are
 * made of them. */
static ss_status make_key(const struct ss_train_options *options, const ss_encoder *encoder,
                          const ss_dataset *dataset, struct ss__buf *key, ss_err *err)
{
    struct ss_encoder_info model = {.struct_size = sizeof model};
    struct ss__json_writer rows = {.style = SS__JSON_COMPACT};
    ss_encoder_describe(encoder, &model);
    ss__buf_printf(key, "%s\n%s %s %s %s %zu %zu\n%llu\n", model.prompt, model.precision,
                   model.pooling, model.numbers, model.commit, model.width, model.max_tokens,
                   (unsigned long long)options->num_examples);
    for (size_t i = 0; i < ss_encoder_n_files(encoder); i++) {
        put_facts(key, ss_encoder_file(encoder, i));
    }
    ss__put_open(&rows, NULL, '{');
    ss_status status = ss_pass_put_rows_identity(&rows, dataset, true, err);
    ss__put_close(&rows, '}');
    if (status == SS_OK) {
        status = ss__buf_check(&rows.buf, err);
    }
    if (status == SS_OK) {
        ss__buf_add(key, rows.buf.data, rows.buf.n_bytes);
        status = ss__buf_check(key, err);
    }
    ss__buf_release(&rows.buf);
    return status;
}

static bool is_text(const struct ss__buf *found, const struct ss__buf *wanted)
{
    return found->n_bytes == wanted->n_bytes &&
           memcmp(found->data, wanted->data, wanted->n_bytes) == 0;
}

static bool has_embeddings(const struct ss_run_training_kept *kept, const struct ss__buf *key)
{
    struct ss__buf found = {0};
    const bool is_same = ss__path_stat(kept->embeddings) == SS__PATH_FILE &&
                         ss__file_read(kept->key, MOST_KEY_BYTES, &found, NULL) == SS_OK &&
                         is_text(&found, key);
    ss__buf_release(&found);
    return is_same;
}

ss_status ss_run_training_kept_embed(const struct ss_run_training_kept *kept,
                                     const struct ss_train_options *options,
                                     const ss_encoder *encoder, ss_dataset *dataset,
                                     ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf key = {0};
    const struct ss_embed_options embed = {.struct_size = sizeof embed,
                                           .num_examples = options->num_examples,
                                           .null_rule = SS_NULL_SKIP,
                                           .force = true,
                                           .n_threads = options->n_threads,
                                           .batch_tokens = options->batch_tokens,
                                           .log = options->log,
                                           .progress = options->progress};
    const bool can_reuse = ss_dataset_can_reread(dataset);
    SS_TRY(make_key(options, encoder, dataset, &key, err));
    if (can_reuse && has_embeddings(kept, &key)) {
        goto out;
    }
    (void)unlink(kept->key); /* of other embeddings, which go now */
    SS_TRY(ss_embed_file(encoder, dataset, kept->embeddings, &embed, NULL, err));
    if (can_reuse) {
        SS_TRY(ss__file_write(kept->key, key.data, key.n_bytes, err));
    }
out:
    ss__buf_release(&key);
    return status;
}

/* ---- SAEs that were trained ---- */

/* "HASH\n" of an SAE, as a mark ends. */
static ss_status put_hash(const char *folder, struct ss__buf *out, ss_err *err)
{
    ss_status status = SS_OK;
    char hex[SS__SHA256_HEX_BYTES];
    char *path = ss__path_join(folder, "sae.safetensors");
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__sha256_file(path, NULL, hex, err));
    ss__buf_printf(out, "%s\n", hex);
    SS_TRY(ss__buf_check(out, err));
out:
    ss__free(path);
    return status;
}

static ss_status put_mark(const struct ss_run_training_mark *mark, const char *folder,
                          struct ss__buf *out, ss_err *err)
{
    ss__buf_add(out, mark->identity.data, mark->identity.n_bytes);
    ss__buf_printf(out, " %s ", mark->dtype);
    return put_hash(folder, out, err);
}

ss_status ss_run_training_kept_finish(const struct ss_run_training_kept *kept,
                                      const struct ss_run_training_mark *mark,
                                      const char *folder, ss_err *err)
{
    struct ss__buf text = {0};
    ss_status status = put_mark(mark, folder, &text, err);
    if (status == SS_OK) {
        status = ss__file_write(kept->finished, text.data, text.n_bytes, err);
    }
    ss__buf_release(&text);
    return status;
}

ss_status ss_run_training_kept_is_finished(const struct ss_run_training_kept *kept,
                                           const struct ss_run_training_mark *mark,
                                           const char *out, bool *is_finished, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0}, found = {0};
    *is_finished = false;
    if (ss__path_look_in(out, "config.json") != SS__PATH_FILE ||
        ss__path_look_in(out, "sae.safetensors") != SS__PATH_FILE ||
        ss__path_stat(kept->finished) != SS__PATH_FILE) {
        return SS_OK;
    }
    SS_TRY(ss__file_read(kept->finished, MOST_MARK_BYTES, &found, err));
    SS_TRY(put_mark(mark, out, &text, err));
    *is_finished = is_text(&found, &text);
out:
    ss__buf_release(&text);
    ss__buf_release(&found);
    return status;
}

void ss_run_training_kept_tidy(const char *out)
{
    struct ss_run_training_kept kept = {0};
    struct ss__buf hash = {0}, found = {0};
    if (name_files(&kept, out, NULL) == SS_OK &&
        ss__path_look_in(out, "config.json") == SS__PATH_FILE &&
        ss__path_stat(kept.finished) == SS__PATH_FILE &&
        ss__file_read(kept.finished, MOST_MARK_BYTES, &found, NULL) == SS_OK &&
        put_hash(out, &hash, NULL) == SS_OK && found.n_bytes > hash.n_bytes &&
        memcmp(found.data + found.n_bytes - hash.n_bytes, hash.data, hash.n_bytes) == 0) {
        ss_run_training_kept_remove(&kept);
    }
    ss__buf_release(&hash);
    ss__buf_release(&found);
    ss_run_training_kept_close(&kept);
}
