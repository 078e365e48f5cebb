/* Opening an encoder folder (docs/spec/encoders.md, §1).
 *
 * It goes from what is cheap and often wrong to what is expensive: the folder's configs, the
 * tokenizer, then the weights, which are bound and packed by all threads. What is stated by
 * several files (the longest text, the prompt, how many values are kept) is settled here, and
 * said in a notice where the outcome may surprise. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sized.h"
#include "encoder/encoder_priv.h"

/* All that opening needs and an open encoder does not. */
struct opening {
    ss_encoder *encoder;
    ss_work *work, *own_work; /* own: where the caller gave none */
    struct ss_progress_callback progress_before;
    struct ss__asking asking;
    const struct ss_encoder_options *options;
    struct ss_encoder_model_folder folder;
    struct ss_encoder_adapter_files adapter;
    const char *weights_folder; /* of config and weights: another for an adapter alone */
};

/* Callers may free what they gave. */
static ss_status keep_text(ss_encoder *encoder, const char *text, const char **out, ss_err *err)
{
    *out = ss__arena_strndup(&encoder->arena, text, strlen(text));
    return *out == NULL ? ss__fail_nomem(err, "a name") : SS_OK;
}

/* An adapter without a model beside it works on another model: as a path, from where we are or
 * from the adapter. */
static ss_status find_base(struct opening *o, ss_err *err)
{
    ss_status status = SS_OK;
    const char *base = o->adapter.base;
    char *beside = ss__path_join(o->folder.transformer, base);
    if (beside == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    const bool is_here = ss__path_stat(base) == SS__PATH_FOLDER;
    if (base[0] == '\0' || (!is_here && ss__path_stat(beside) != SS__PATH_FOLDER)) {
        SS_FAIL_FILE(
            o->adapter.file, SS_E_NOINPUT,
            "this is an adapter alone, of the model '%.200s' ('base_model_name_or_path'), "
            "which is no folder here: put config.json and the weights of that model "
            "beside it, or set the key to a folder of it",
            base);
    }
    SS_TRY(keep_text(o->encoder, is_here ? base : beside, &o->weights_folder, err));
out:
    ss__free(beside);
    return status;
}

/* Also finds the folder of the weights, and refuses a plain folder whose model generates text:
 * mean pooling would give numbers, but not those that its authors mean. */
static ss_status read_config(struct opening *o, ss_err *err)
{
    ss_status status = SS_OK;
    const char *folder = o->folder.transformer;
    char *file = ss__path_join(folder, "config.json");
    SS_TRY(ss_encoder_adapter_find(folder, &o->encoder->arena, &o->adapter, err));
    o->weights_folder = folder;
    const bool has_config = ss__path_look_in(folder, "config.json") != SS__PATH_NONE;
    if (!has_config && o->adapter.file != NULL) {
        SS_TRY(find_base(o, err));
        ss__free(file);
        file = ss__path_join(o->weights_folder, "config.json");
    } else if (!has_config && o->folder.is_plain) {
        SS_FAIL_FILE(o->folder.path, SS_E_NOINPUT,
                     "neither modules.json nor config.json is there; this is no model folder");
    }
    if (file == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    const struct ss_encoder_config_source source = {
        .path = file, .arguments = &o->folder.arguments.config, .log = o->options->log};
    SS_TRY(ss_encoder_config_read(&source, &o->encoder->config, err));
    if (o->folder.is_plain && o->encoder->config.is_for_generation) {
        SS_FAIL_FILE(
            file, SS_E_UNSUPPORTED,
            "'architectures' names a model that generates text, of which the last token "
            "would be the embedding; add modules.json and a pooling config that say so");
    }
    if (!o->options->with_mask_head) {
        SS_TRY(ss_encoder_model_folder_refuse_chat(&o->folder, err));
    }
out:
    ss__free(file);
    return status;
}

/* Tokens that were added without resizing the model: an error only where a text uses one. */
static void compare_vocabulary(const struct opening *o)
{
    const ss_encoder *e = o->encoder;
    const size_t n_vocab = ss_tokenizer_n_vocab(e->tokenizer);
    if (n_vocab > e->config.n_vocab) {
        ss__log(&o->options->log, SS_LEVEL_WARNING,
                "%s: the tokenizer has ids up to %zu, but the model only %zu rows of word "
                "embeddings ('vocab_size' of config.json); a text that uses a token without a "
                "row is an error",
                o->folder.transformer, n_vocab - 1, e->config.n_vocab);
    }
}

/* The sentence config's `do_lower_case` is a matter of embeddings; the fill-mask pipeline does
 * not look at it, so that masks then need a tokenizer of their own. */
static ss_status load_tokenizers(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    struct ss_tokenizer_options options = {.model_type = e->config.family->model_type,
                                           .arguments = o->folder.arguments.tokenizer.values,
                                           .log = o->options->log};
    SS_RETURN_IF_ERROR(ss__json_bool(o->folder.sentence_path, o->folder.sentence,
                                     "do_lower_case", &options.lower_case_first, err));
    SS_RETURN_IF_ERROR(ss_tokenizer_load(o->folder.transformer, &options, &e->tokenizer, err));
    compare_vocabulary(o);
    e->mask_tokenizer = e->tokenizer;
    if (options.lower_case_first && o->options->with_mask_head) {
        e->mask_tokenizer = NULL;
        options.lower_case_first = false;
        options.log = (struct ss_log){0};
        SS_RETURN_IF_ERROR(
            ss_tokenizer_load(o->folder.transformer, &options, &e->mask_tokenizer, err));
    }
    return SS_OK;
}

/* docs/spec/encoders.md 1.2: what the folder states, cut to what the table of positions holds.
 */
static ss_status set_max_tokens(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    const struct ss_log *log = &o->options->log;
    const size_t usable = ss_encoder_config_max_tokens(&e->config);
    const size_t asked = o->options->max_tokens;
    size_t stated = 0;
    SS_RETURN_IF_ERROR(ss_encoder_model_folder_limit(&o->folder, &stated, err));
    if (stated == 0) {
        stated = ss_tokenizer_max_length(e->tokenizer);
        stated = ss__min_size(stated == 0 ? usable : stated, e->config.n_positions);
    }
    e->max_tokens = ss__min_size(stated, usable);
    if (stated > usable) {
        ss__log(log, SS_LEVEL_NOTICE,
                "%s states a limit of %zu tokens, but has positions for %zu: texts are cut to "
                "%zu tokens",
                e->path, stated, usable, usable);
    }
    if (asked > e->max_tokens) {
        ss__log(log, SS_LEVEL_NOTICE, "%zu tokens were asked for, the limit of %s is %zu",
                asked, e->path, e->max_tokens);
    } else if (asked > 0) {
        e->max_tokens = asked;
    }
    if (e->max_tokens < 2) {
        return ss__fail(err, asked > 0 ? SS_E_USAGE : SS_E_DATA,
                        "%s: a limit of %zu tokens leaves no room for the two special tokens",
                        e->path, e->max_tokens);
    }
    return SS_OK;
}

/* Tokens of the prompt alone with special tokens, without the trailing one. */
static ss_status count_prompt_ids(const struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    ss_status status = SS_OK;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    const struct ss_text prompt = {e->prompt, strlen(e->prompt)};
    if (!e->pooling.excludes_prompt || prompt.n_bytes == 0) {
        return SS_OK;
    }
    SS_TRY(ss_encoder_scratch(o->work, &scratch, err));
    SS_TRY(ss_tokenizer_tokenize(e->tokenizer, scratch, prompt, e->max_tokens, &tokens, err));
    const size_t n = ss_tokenizer_tokens_n_ids(&tokens);
    const bool ends = n > 0 && tokens.ids[n - 1] == ss_tokenizer_specials(e->tokenizer).end;
    e->n_prompt_ids = ends ? n - 1 : n;
out:
    ss_tokenizer_tokens_release(&tokens);
    ss_encoder_scratch_end(o->work, status);
    return status;
}

/* A default prompt is said, since the embedding of a text then depends on words that the user
 * did not write. */
static ss_status set_prompt(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    const char *prompt = "";
    SS_RETURN_IF_ERROR(ss_encoder_model_folder_prompt(&o->folder, o->options, &prompt, err));
    SS_RETURN_IF_ERROR(keep_text(e, prompt, &e->prompt, err));
    SS_RETURN_IF_ERROR(count_prompt_ids(o, err));
    if (prompt[0] != '\0' && o->options->prompt == NULL) {
        ss__log(&o->options->log, SS_LEVEL_NOTICE,
                "%s puts its %sprompt \"%s\" before every "
                "text",
                e->path, o->options->prompt_name == NULL ? "default " : "", prompt);
    }
    return SS_OK;
}

/* Of a plain folder mean pooling is understood, which is said since no file states it. */
static ss_status set_pooling(struct opening *o, ss_err *err)
{
    ss_status status = SS_OK;
    ss_encoder *e = o->encoder;
    struct ss__buf name = {0};
    const char *path = o->folder.is_plain ? NULL : o->folder.steps[0].path;
    SS_TRY(ss_encoder_pooling_read(path, e->config.width, &e->pooling, err));
    if (o->folder.is_plain) {
        ss__log(&o->options->log, SS_LEVEL_NOTICE,
                "%s has no modules.json: embeddings are means over tokens, not normalised",
                e->path);
    }
    ss_encoder_pooling_name(&e->pooling, &name);
    SS_TRY(ss__buf_check(&name, err));
    const char *text = ss__buf_text(&name);
    SS_TRY(keep_text(e, text == NULL ? "" : text, &e->pooling_name, err));
    e->width = e->pooling.n_modes * e->config.width;
out:
    ss__buf_release(&name);
    return status;
}

/* Widths follow from module to module. n_modules counts before a module is read, so that a
 * failure releases what it has made. */
static ss_status read_modules(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    const size_t n = o->folder.is_plain ? 0 : o->folder.n_steps - 1;
    SS_ALLOC_OR_RETURN(e->modules, n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(o->folder.steps[i + 1].type, "SparseAutoEncoder") == 0) {
            ss__log(&o->options->log, SS_LEVEL_NOTICE,
                    "%s ends with a SparseAutoEncoder: embeddings are what goes into it; give "
                    "the same folder as the SAE",
                    e->path);
            break;
        }
        e->n_modules = i + 1;
        SS_RETURN_IF_ERROR(ss_encoder_module_read(&o->folder.steps[i + 1], &o->options->log,
                                                  e->width, e, &e->modules[i], err));
        e->width = e->modules[i].n_out;
        e->n_parameters += e->modules[i].n_parameters;
    }
    return SS_OK;
}

/* The whole embedding is computed and its first values are given out. */
static ss_status set_truncation(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    size_t n_kept = 0;
    e->full_width = e->width;
    SS_RETURN_IF_ERROR(
        ss_encoder_model_folder_truncation(&o->folder, o->options, &n_kept, err));
    if (n_kept > 0 && n_kept < e->width) {
        e->width = n_kept;
        ss__log(&o->options->log, SS_LEVEL_NOTICE,
                "%s: the first %zu of %zu values of every embedding are kept", e->path, n_kept,
                e->full_width);
    }
    return SS_OK;
}

/* Its files count as read, since they decide about embeddings as the weights do. */
static ss_status open_adapter(struct opening *o, ss_err *err)
{
    ss_encoder *e = o->encoder;
    if (o->adapter.file == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_encoder_adapter_open(&o->adapter, e->config.family->prefixes,
                                               &o->options->log, &e->adapter, err));
    SS_RETURN_IF_ERROR(ss_encoder_add_file(e, o->adapter.file, NULL, err));
    SS_RETURN_IF_ERROR(ss_encoder_add_weights(e, e->adapter->weights, err));
    ss__log(&o->options->log, SS_LEVEL_NOTICE, "%s: an adapter is merged into the weights",
            e->path);
    return SS_OK;
}

/* The order matters: smoothing runs the bound transformer, and only after the head is bound
 * does ss_encoder_binder_finish know which tensors nobody wanted. Last, the file must be what
 * it was when it was opened: it is mapped, and a change under a reader would be read as
 * weights. */
static ss_status bind_weights(struct opening *o, ss_err *err)
{
    ss_status status = SS_OK;
    ss_encoder *e = o->encoder;
    struct ss_encoder_binder binder = {0};
    SS_TRY(open_adapter(o, err));
    SS_TRY(ss_weights_open_model(o->weights_folder, &o->asking, &e->weights, err));
    ss_weights_set_stop(e->weights, NULL); /* the threads that pack cannot ask */
    SS_TRY(ss_encoder_add_weights(e, e->weights, err));
    SS_TRY(ss_encoder_binder_init(&binder, e->weights, e->config.family->prefixes, err));
    SS_TRY(ss_encoder_binder_adapt(&binder, e->adapter, ss_encoder_family_ignores, err));
    binder.pool = ss_tensor_work_pool(o->work);
    binder.asking = &o->asking;
    SS_TRY(ss_encoder_transformer_bind(&e->transformer, &e->config, &binder, err));
    SS_TRY(ss_encoder_smooth(e, &binder, o->work, err));
    if (o->options->with_mask_head) {
        SS_TRY(ss_encoder_mask_head_bind(&e->head, &e->config, &e->transformer, &binder, err));
        e->has_head = true;
    }
    SS_TRY(ss_encoder_binder_finish(&binder, ss_encoder_family_ignores, &o->options->log,
                                    &e->n_parameters, err));
    SS_TRY(ss_weights_check(e->weights, err));
out:
    status = ss_weights_explain(e->weights, status, err);
    ss_encoder_binder_release(&binder);
    return status;
}

static ss_status keep_origin(ss_encoder *e, const struct ss_encoder_options *options,
                             ss_err *err)
{
    const char *name = options->name == NULL ? ss__path_name(e->path) : options->name;
    SS_RETURN_IF_ERROR(keep_text(e, name, &e->name, err));
    SS_RETURN_IF_ERROR(
        keep_text(e, options->source == NULL ? "" : options->source, &e->source, err));
    return keep_text(e, options->commit == NULL ? "" : options->commit, &e->commit, err);
}

/* The threads that prepare the weights: the caller's workspace, or none but the caller's. */
static ss_status take_work(struct opening *o, ss_err *err)
{
    o->work = o->options->work;
    if (o->work == NULL) {
        SS_RETURN_IF_ERROR(ss_work_new(1, &o->own_work, err));
        o->work = o->own_work;
    }
    if (o->options->progress.fn != NULL) {
        o->progress_before = ss_tensor_work_swap_progress(o->work, o->options->progress);
    }
    ss_tensor_work_warn_threads(o->work, &o->options->log);
    return SS_OK;
}

/* The caller's workspace gets its own progress callback back. */
static void give_work(struct opening *o)
{
    if (o->work != NULL && o->work != o->own_work && o->options->progress.fn != NULL) {
        (void)ss_tensor_work_swap_progress(o->work, o->progress_before);
    }
    ss_work_free(o->own_work);
}

ss_status ss_encoder_open(const char *path, const struct ss_encoder_options *options,
                          ss_encoder **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_options read = {.struct_size = sizeof read};
    struct opening o = {.options = &read};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_encoder_options, err));
    o.asking.stop = read.progress;
    SS_ALLOC(o.encoder, 1);
    SS_TRY(take_work(&o, err));
    SS_TRY(keep_text(o.encoder, path, &o.encoder->path, err));
    SS_TRY(keep_origin(o.encoder, o.options, err));
    SS_TRY(ss__check_stop(&o.asking, err));
    SS_TRY(ss_encoder_model_folder_read(o.encoder->path, &o.options->log, &o.folder, err));
    SS_TRY(read_config(&o, err));
    o.encoder->config.precision = o.options->precision;
    SS_TRY(load_tokenizers(&o, err));
    SS_TRY(set_max_tokens(&o, err));
    SS_TRY(set_pooling(&o, err));
    SS_TRY(set_prompt(&o, err));
    SS_TRY(ss_encoder_add_config_files(o.encoder, &o.folder, o.weights_folder, err));
    SS_TRY(bind_weights(&o, err));
    SS_TRY(read_modules(&o, err));
    SS_TRY(set_truncation(&o, err));
    *out = o.encoder;
    o.encoder = NULL;
out:
    give_work(&o);
    ss_encoder_model_folder_release(&o.folder);
    ss_encoder_free(o.encoder);
    return status;
}

void ss_encoder_free(ss_encoder *encoder)
{
    if (encoder == NULL) {
        return;
    }
    for (size_t i = 0; i < encoder->n_modules; i++) {
        ss_encoder_module_release(&encoder->modules[i]);
    }
    ss__free(encoder->modules);
    ss_encoder_mask_head_release(&encoder->head);
    ss_encoder_transformer_release(&encoder->transformer, encoder->config.n_layers);
    ss_weights_close(encoder->weights);
    ss_encoder_adapter_free(encoder->adapter);
    if (encoder->mask_tokenizer != encoder->tokenizer) {
        ss_tokenizer_free(encoder->mask_tokenizer);
    }
    ss_tokenizer_free(encoder->tokenizer);
    ss__free(encoder->files);
    ss__free(encoder->facts);
    ss__arena_release(&encoder->arena);
    ss__free(encoder);
}

/* Whether all embeddings have unit length: the last module that does anything must be one that
 * normalises, and nothing be cut off after it. */
static bool is_normalized(const ss_encoder *encoder)
{
    size_t n = encoder->n_modules;
    while (n > 0 && ss_encoder_module_is_identity(&encoder->modules[n - 1])) {
        n--;
    }
    return encoder->width == encoder->full_width && n > 0 &&
           ss_encoder_module_normalizes(&encoder->modules[n - 1]);
}

ss_status ss_encoder_describe(const ss_encoder *encoder, struct ss_encoder_info *out)
{
    const struct ss_encoder_info info = {
        .struct_size = sizeof info,
        .path = encoder->path,
        .name = encoder->name,
        .source = encoder->source,
        .commit = encoder->commit,
        .architecture = encoder->config.family->model_type,
        .pooling = encoder->pooling_name,
        .kernels = ss_tensor_kernels_name(),
        .precision = ss_precision_name(encoder->config.precision),
        .numbers = ss_tensor_precision_format(encoder->config.precision),
        .prompt = encoder->prompt,
        .width = encoder->width,
        .n_layers = encoder->config.n_layers,
        .n_heads = encoder->config.n_heads,
        .hidden_width = encoder->config.width,
        .n_vocab = encoder->config.n_vocab,
        .max_tokens = encoder->max_tokens,
        .n_parameters = encoder->n_parameters,
        .normalized = is_normalized(encoder),
        .has_mask_head = encoder->has_head};
    return ss__result_write(out, &info, sizeof info);
}
