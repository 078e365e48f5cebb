/* Folders that must be refused: each with its status and a message that names the fault. Every
 * case is a copy of a good folder with one thing changed. */
#include "encoder_testing.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"

static char scene[64]; /* the copy */

/* ---- making and changing the copy ---- */

static void path_in(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", scene, name);
}

static void put(const char *name, const void *data, size_t n)
{
    char path[512];
    ss_err err;
    path_in(path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(ss__make_folder(path, NULL, &err), SS_OK);
    *slash = '/';
    assert_int_equal(ss__file_write(path, data, n, &err), SS_OK);
}

static struct ss__buf get(const char *folder, const char *name)
{
    struct ss__buf buf = {0};
    ss_err err;
    char *path = ss__path_join(folder, name);
    assert_int_equal(ss__file_read(path, 1 << 24, &buf, &err), SS_OK);
    ss__free(path);
    return buf;
}

static const char *const mpnet_files[] = {"config.json",           "model.safetensors",
                                          "modules.json",          "tokenizer.json",
                                          "1_Pooling/config.json", "sentence_bert_config.json",
                                          "tokenizer_config.json"};
static const char *const dense_files[] = {"config.json",
                                          "modules.json",
                                          "tokenizer.json",
                                          "tokenizer_config.json",
                                          "1_Pooling/config.json",
                                          "2_Dense/config.json",
                                          "2_Dense/model.safetensors",
                                          "model.safetensors.index.json"};

static void copy(const char *name, const char *const *files, size_t n)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/encoder/%s", SS_TEST_DATA, name);
    for (size_t i = 0; i < n; i++) {
        struct ss__buf buf = get(folder, files[i]);
        put(files[i], buf.data, buf.n_bytes);
        ss__buf_release(&buf);
    }
}

/* Set a key (or an element's key) of a JSON file to a JSON text; NULL removes it. */
static void edit_json(const char *name, const char *key, const char *value)
{
    char path[512];
    path_in(path, name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    json_t *place = json;
    if (json_is_array(json)) {
        place = json_array_get(json, json_array_size(json) - 1);
    }
    if (value == NULL) {
        assert_int_equal(json_object_del(place, key), 0);
    } else {
        json_t *parsed = json_loads(value, JSON_DECODE_ANY, NULL);
        assert_non_null(parsed);
        assert_int_equal(json_object_set_new(place, key, parsed), 0);
    }
    assert_int_equal(json_dump_file(json, path, 0), 0);
    json_decref(json);
}

/* Replace bytes of the weights by as many others. */
static void edit_weights(const char *old, const char *new)
{
    struct ss__buf buf = get(scene, "model.safetensors");
    const size_t n = strlen(old);
    size_t n_found = 0;
    assert_int_equal(n, strlen(new));
    for (size_t i = 0; i + n <= buf.n_bytes; i++) {
        if (memcmp(buf.data + i, old, n) == 0) {
            memcpy(buf.data + i, new, n);
            n_found++;
        }
    }
    assert_true(n_found > 0);
    put("model.safetensors", buf.data, buf.n_bytes);
    ss__buf_release(&buf);
}

static void truncate_weights(void)
{
    struct ss__buf buf = get(scene, "model.safetensors");
    put("model.safetensors", buf.data, buf.n_bytes - 64);
    ss__buf_release(&buf);
}

static void spoil_last_number(void)
{
    struct ss__buf buf = get(scene, "model.safetensors");
    const float nan = NAN;
    memcpy(buf.data + buf.n_bytes - sizeof nan, &nan, sizeof nan);
    put("model.safetensors", buf.data, buf.n_bytes);
    ss__buf_release(&buf);
}

static void drop(const char *name)
{
    char path[512];
    path_in(path, name);
    assert_int_equal(unlink(path), 0);
}

static void remove_tree(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    ss_err err;
    assert_int_equal(ss__list_folder(path, &names, &n, &err), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char inner[600];
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
        if (ss__path_stat(inner) == SS__PATH_FOLDER) {
            remove_tree(inner);
        } else {
            assert_int_equal(unlink(inner), 0);
        }
    }
    ss__list_release(names, n);
    assert_int_equal(rmdir(path), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(scene, sizeof scene, "/tmp/saescope-encoder-XXXXXX");
    return mkdtemp(scene) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    remove_tree(scene);
    return 0;
}

static void copy_mpnet(void)
{
    copy("mpnet-mean", mpnet_files, sizeof mpnet_files / sizeof mpnet_files[0]);
}

/* ---- what must come of it ---- */

static void expect(ss_status status, const char *part)
{
    ss_encoder *encoder = NULL;
    ss_err err = {0};
    const struct ss_encoder_options options = {.struct_size = sizeof options};
    const ss_status got = ss_encoder_open(scene, &options, &encoder, &err);
    print_message("  %s\n", err.message);
    if (got == SS_OK) {
        ss_encoder_free(encoder);
    }
    assert_int_equal(got, status);
    assert_null(encoder);
    assert_non_null(strstr(err.message, part));
    ss_encoder *unused = NULL;
    assert_int_equal(ss_encoder_open(scene, NULL, &unused, NULL), status); /* err may be NULL */
}

struct json_case {
    const char *file, *key, *value; /* value NULL: the key is removed */
    ss_status status;
    const char *part;
};

static const struct json_case json_cases[] = {
    {"config.json", "model_type", NULL, SS_E_DATA, "'model_type' is missing"},
    {"config.json", "model_type", "\"electra\"", SS_E_UNSUPPORTED, "'electra'"},
    {"config.json", "model_type", "7", SS_E_DATA, "model_type"},
    {"config.json", "hidden_size", "null", SS_E_DATA, "'hidden_size' is missing"},
    {"config.json", "hidden_size", "-16", SS_E_DATA, "hidden_size"},
    {"config.json", "hidden_size", "0", SS_E_DATA, "hidden_size"},
    {"config.json", "hidden_size", "32", SS_E_SHAPE, "pooling takes 16"},
    {"config.json", "hidden_size", "99999999999", SS_E_DATA, "hidden_size"},
    {"config.json", "num_attention_heads", "3", SS_E_SHAPE, "num_attention_heads"},
    {"config.json", "num_attention_heads", "2", SS_E_SHAPE, "relative_attention_bias"},
    {"config.json", "num_hidden_layers", "null", SS_E_DATA, "num_hidden_layers"},
    {"config.json", "num_hidden_layers", "3", SS_E_DATA, "encoder.layer.2."},
    {"config.json", "intermediate_size", "41", SS_E_SHAPE, "intermediate.dense"},
    {"config.json", "intermediate_size", "16777216", SS_E_SHAPE, "intermediate.dense"},
    {"config.json", "vocab_size", "5", SS_E_SHAPE, "word_embeddings"},
    {"config.json", "vocab_size", "16777216", SS_E_SHAPE, "word_embeddings"},
    {"config.json", "max_position_embeddings", "3", SS_E_DATA, "max_position_embeddings"},
    {"config.json", "max_position_embeddings", "300", SS_E_SHAPE, "position_embeddings"},
    {"config.json", "layer_norm_eps", "null", SS_E_DATA, "'layer_norm_eps' is missing"},
    {"config.json", "layer_norm_eps", "-1", SS_E_DATA, "layer_norm_eps"},
    {"config.json", "hidden_act", "\"mish\"", SS_E_UNSUPPORTED, "'mish'"},
    {"config.json", "hidden_act", "null", SS_E_DATA, "hidden_act"},
    {"config.json", "relative_attention_num_buckets", "64", SS_E_UNSUPPORTED, "64"},
    {"config.json", "position_embedding_type", "\"relative_key\"", SS_E_UNSUPPORTED,
     "relative_key"},
    {"config.json", "is_decoder", "true", SS_E_UNSUPPORTED, "is_decoder"},
    {"modules.json", "type", "\"sentence_transformers.models.LSTM\"", SS_E_UNSUPPORTED, "LSTM"},
    {"modules.json", "type", "\"mine.Pooling\"", SS_E_UNSUPPORTED, "mine.Pooling"},
    {"modules.json", "type", NULL, SS_E_DATA, "type"},
    {"modules.json", "path", "\"../1_Pooling\"", SS_E_DATA, "../1_Pooling"},
    {"modules.json", "path", "\"/etc\"", SS_E_DATA, "/etc"},
    {"1_Pooling/config.json", "pooling_mode", "\"median\"", SS_E_UNSUPPORTED, "median"},
    {"1_Pooling/config.json", "pooling_mode", "[]", SS_E_DATA, "pooling_mode"},
    {"1_Pooling/config.json", "embedding_dimension", "17", SS_E_SHAPE, "17"},
    {"sentence_bert_config.json", "transformer_task", "\"fill-mask\"", SS_E_UNSUPPORTED,
     "fill-mask"},
    {"sentence_bert_config.json", "max_seq_length", "1", SS_E_DATA, "limit of 1"},
    {"sentence_bert_config.json", "max_seq_length", "\"long\"", SS_E_DATA, "max_seq_length"},
};

static void wrong_keys_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_cases / sizeof json_cases[0]; i++) {
        const struct json_case *c = &json_cases[i];
        copy_mpnet();
        edit_json(c->file, c->key, c->value);
        expect(c->status, c->part);
    }
}

static const char *const rotary_files[] = {"config.json",           "model.safetensors",
                                           "modules.json",          "tokenizer.json",
                                           "tokenizer_config.json", "1_Pooling/config.json"};

/* Cases of folders with the files above, each on a fresh copy. */
static void check_rotary(const char *name, const struct json_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        copy(name, rotary_files, sizeof rotary_files / sizeof rotary_files[0]);
        edit_json(cases[i].file, cases[i].key, cases[i].value);
        expect(cases[i].status, cases[i].part);
    }
}

static const struct json_case modern_old_cases[] = {
    {"config.json", "hidden_size", "25", SS_E_SHAPE, "num_attention_heads"},
    {"config.json", "num_attention_heads", "8", SS_E_SHAPE, "turn in pairs"},
    {"config.json", "num_attention_heads", "24", SS_E_SHAPE, "turn in pairs"},
    {"config.json", "intermediate_size", "21", SS_E_SHAPE, "mlp.Wi"},
    {"config.json", "hidden_activation", "\"mish\"", SS_E_UNSUPPORTED, "'mish'"},
    {"config.json", "hidden_activation", "null", SS_E_DATA, "hidden_activation"},
    {"config.json", "classifier_activation", "\"mish\"", SS_E_UNSUPPORTED, "'mish'"},
    {"config.json", "norm_eps", "null", SS_E_DATA, "norm_eps"},
    {"config.json", "norm_bias", "true", SS_E_DATA, "norm.bias"},
    {"config.json", "norm_bias", "3", SS_E_DATA, "norm_bias"},
    {"config.json", "attention_bias", "true", SS_E_DATA, "attn.Wqkv.bias"},
    {"config.json", "mlp_bias", "true", SS_E_DATA, "mlp.Wi.bias"},
    {"config.json", "global_attn_every_n_layers", "0", SS_E_DATA, "global_attn_every"},
    {"config.json", "global_attn_every_n_layers", "-2", SS_E_DATA, "global_attn_every"},
    {"config.json", "local_attention", "\"wide\"", SS_E_DATA, "local_attention"},
    {"config.json", "global_rope_theta", "0", SS_E_DATA, "rope_theta"},
    {"config.json", "local_rope_theta", "-5", SS_E_DATA, "rope_theta"},
    {"config.json", "local_rope_theta", "1e300", SS_E_DATA, "rope_theta"},
    {"config.json", "rope_scaling", "{\"type\": \"yarn\"}", SS_E_UNSUPPORTED, "rope_scaling"},
    {"config.json", "max_position_embeddings", "16777216", SS_E_DATA, "positions are read"},
    {"config.json", "num_hidden_layers", "5", SS_E_DATA, "layers.4."},
    {"config.json", "num_hidden_layers", "1025", SS_E_DATA, "num_hidden_layers"},
    {"config.json", "model_type", "\"bert\"", SS_E_DATA, "embeddings.word_embeddings"},
};

static const struct json_case modern_new_cases[] = {
    {"config.json", "layer_types", "7", SS_E_DATA, "layer_types"},
    {"config.json", "layer_types", "[\"full_attention\"]", SS_E_DATA, "list of 3"},
    {"config.json", "layer_types", "[\"full_attention\", \"chunked_attention\", null]",
     SS_E_UNSUPPORTED, "chunked_attention"},
    {"config.json", "layer_types", "[\"full_attention\", \"full_attention\", null]",
     SS_E_UNSUPPORTED, "entry 2"},
    {"config.json", "rope_parameters", "{\"rope_theta\": 7}", SS_E_DATA, "rope_parameters"},
    {"config.json", "rope_parameters", "{\"full_attention\": 3}", SS_E_DATA, "rope_parameters"},
    {"config.json", "rope_parameters", "{\"full_attention\": {\"rope_type\": \"yarn\"}}",
     SS_E_UNSUPPORTED, "'yarn'"},
    {"config.json", "rope_parameters", "{\"full_attention\": {\"rope_type\": \"linear\"}}",
     SS_E_DATA, "factor"},
    {"config.json", "rope_parameters",
     "{\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 0}}", SS_E_DATA, "factor"},
    {"config.json", "rope_parameters", "{\"sliding_attention\": {\"rope_theta\": \"high\"}}",
     SS_E_DATA, "rope_theta"},
    {"config.json", "rope_parameters", "{\"full_attention\": {\"partial_rotary_factor\": 0.5}}",
     SS_E_UNSUPPORTED, "partial_rotary_factor"},
};

static const struct json_case nomic_cases[] = {
    {"config.json", "n_embd", "35", SS_E_SHAPE, "n_head"},
    {"config.json", "n_head", "4", SS_E_SHAPE, "turn in pairs"},
    {"config.json", "n_head", "null", SS_E_DATA, "'n_head' is missing"},
    {"config.json", "n_inner", "null", SS_E_SHAPE, "mlp.fc1"},
    {"config.json", "n_inner", "64", SS_E_SHAPE, "mlp.fc1"},
    {"config.json", "n_positions", "null", SS_E_DATA, "n_positions"},
    {"config.json", "activation_function", "\"gelu\"", SS_E_UNSUPPORTED, "'gelu'"},
    {"config.json", "activation_function", NULL, SS_E_DATA, "activation_function"},
    {"config.json", "layer_norm_epsilon", "null", SS_E_DATA, "layer_norm_epsilon"},
    {"config.json", "prenorm", "true", SS_E_UNSUPPORTED, "prenorm"},
    {"config.json", "parallel_block", "true", SS_E_UNSUPPORTED, "parallel_block"},
    {"config.json", "use_rms_norm", "true", SS_E_UNSUPPORTED, "use_rms_norm"},
    {"config.json", "causal", "true", SS_E_UNSUPPORTED, "causal"},
    {"config.json", "rotary_emb_interleaved", "1", SS_E_DATA, "interleaved"},
    {"config.json", "rotary_emb_scale_base", "512", SS_E_UNSUPPORTED, "scale_base"},
    {"config.json", "rotary_emb_fraction", "0", SS_E_UNSUPPORTED, "rotary_emb_fraction"},
    {"config.json", "rotary_emb_fraction", NULL, SS_E_UNSUPPORTED, "rotary_emb_fraction"},
    {"config.json", "rotary_emb_fraction", "1.5", SS_E_UNSUPPORTED, "rotary_emb_fraction"},
    {"config.json", "rotary_emb_fraction", "0.06", SS_E_SHAPE, "turn in pairs"},
    {"config.json", "rotary_emb_fraction", "0.01", SS_E_SHAPE, "turn in pairs"},
    {"config.json", "rotary_emb_base", "0.5", SS_E_DATA, "rope_theta"},
    {"config.json", "rotary_scaling_factor", "\"two\"", SS_E_DATA, "rotary_scaling_factor"},
    {"config.json", "qkv_proj_bias", "true", SS_E_DATA, "attn.Wqkv.bias"},
    {"config.json", "mlp_fc1_bias", "true", SS_E_DATA, "mlp.fc1"},
    {"config.json", "mlp_fc2_bias", "true", SS_E_DATA, "mlp.fc2.bias"},
    {"config.json", "type_vocab_size", "3", SS_E_SHAPE, "token_type"},
    {"config.json", "type_vocab_size", "99999999", SS_E_DATA, "type_vocab_size"},
    {"config.json", "num_heads_kv", "1", SS_E_UNSUPPORTED, "num_heads_kv"},
    {"config.json", "scale_attn_weights", "false", SS_E_UNSUPPORTED, "scale_attn_weights"},
    {"config.json", "scale_attn_by_inverse_layer_idx", "true", SS_E_UNSUPPORTED,
     "inverse_layer_idx"},
};

static const struct json_case nomic_native_cases[] = {
    {"config.json", "type_vocab_size", "0", SS_E_DATA, "type_vocab_size"},
    {"config.json", "head_dim", "8", SS_E_UNSUPPORTED, "head_dim"},
    {"config.json", "rope_parameters", "{\"rope_theta\": -1}", SS_E_DATA, "rope_theta"},
    {"config.json", "rope_parameters", "{\"rope_type\": \"dynamic\", \"factor\": 2}",
     SS_E_UNSUPPORTED, "'dynamic'"},
    {"config.json", "rope_parameters", "[1]", SS_E_DATA, "rope_parameters"},
};

#define CHECK_ROTARY(name, cases) check_rotary(name, cases, sizeof(cases) / sizeof(cases)[0])

static void wrong_rotary_configs_are_refused(void **state)
{
    (void)state;
    CHECK_ROTARY("modernbert-old", modern_old_cases);
    CHECK_ROTARY("modernbert-new", modern_new_cases);
    CHECK_ROTARY("nomic-published", nomic_cases);
    CHECK_ROTARY("nomic-native", nomic_native_cases);
    copy("nomic-published", rotary_files, sizeof rotary_files / sizeof rotary_files[0]);
    edit_json("config.json", "num_experts", "8");
    edit_json("config.json", "moe_every_n_layers", "2");
    expect(SS_E_UNSUPPORTED, "experts");
}

static void wrong_truncation_is_refused(void **state)
{
    static const char *const values[] = {"0", "-3", "\"few\"", "1.5"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        copy_mpnet();
        put("config_sentence_transformers.json", "{}", 2);
        edit_json("config_sentence_transformers.json", "truncate_dim", values[i]);
        expect(SS_E_DATA, "truncate_dim");
    }
}

static void missing_files_are_refused(void **state)
{
    static const struct {
        const char *name, *part;
    } cases[] = {{"config.json", "config.json"},
                 {"model.safetensors", "model.safetensors"},
                 {"tokenizer.json", "tokenizer"},
                 {"1_Pooling/config.json", "1_Pooling"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        copy_mpnet();
        drop(cases[i].name);
        expect(SS_E_NOINPUT, cases[i].part);
    }
}

static void empty_folders_are_refused(void **state)
{
    ss_encoder *encoder = NULL;
    ss_err err;
    (void)state;
    expect(SS_E_NOINPUT, "no model folder");
    assert_int_equal(ss_encoder_open("/nonexistent/model", NULL, &encoder, &err), SS_E_NOINPUT);
    assert_int_equal(ss_encoder_open("/dev/null", NULL, &encoder, &err), SS_E_NOINPUT);
}

static void bad_weights_are_refused(void **state)
{
    (void)state;
    copy_mpnet();
    truncate_weights();
    expect(SS_E_DATA, "model.safetensors");
    copy_mpnet();
    spoil_last_number();
    expect(SS_E_NONFINITE, "model.safetensors");
    copy_mpnet();
    edit_weights("layer.1.output.dense.weight", "layer.1.output.dance.weight");
    expect(SS_E_DATA, "layer.1.output.dense.weight");
    copy_mpnet();
    edit_weights("mpnet.embeddings.position_embeddings.weight",
                 "mpnet.embeddings.position_embeddings.heavyy");
    expect(SS_E_DATA, "embeddings.position_embeddings.weight");
}

static void widths_must_agree(void **state)
{
    (void)state;
    copy("bert-dense", dense_files, sizeof dense_files / sizeof dense_files[0]);
    for (int i = 1; i <= 16; i++) {
        char name[64];
        char path[512];
        snprintf(name, sizeof name, "model-%05d-of-00003.safetensors", i);
        snprintf(path, sizeof path, "%s/encoder/bert-dense/%s", SS_TEST_DATA, name);
        if (ss__path_stat(path) == SS__PATH_FILE) {
            copy("bert-dense", (const char *const[]){name}, 1);
        }
    }
    edit_json("2_Dense/config.json", "in_features", "12");
    expect(SS_E_SHAPE, "'in_features' is 12");
    edit_json("2_Dense/config.json", "in_features", "16");
    edit_json("2_Dense/config.json", "out_features", "25");
    expect(SS_E_SHAPE, "linear.weight");
    edit_json("2_Dense/config.json", "out_features", "24");
    edit_json("2_Dense/config.json", "activation_function", "\"torch.nn.Softsign\"");
    expect(SS_E_UNSUPPORTED, "torch.nn.Softsign");
    edit_json("2_Dense/config.json", "activation_function", "\"os.system.Tanh\"");
    expect(SS_E_UNSUPPORTED, "os.system.Tanh");
}

static void keep_notice(void *user, ss_level level, const char *sentence)
{
    (void)level;
    snprintf(user, 1024, "%s", sentence);
}

/* The reference accepts such a limit and then fails on long texts. */
static void limits_beyond_positions_are_cut(void **state)
{
    char notice[1024] = "";
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .log = {.fn = keep_notice, .user = notice}};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    (void)state;
    copy_mpnet();
    edit_json("sentence_bert_config.json", "max_seq_length", "600");
    ss_encoder *encoder = open_encoder(scene, &options);
    ss_encoder_describe(encoder, &info);
    assert_int_equal(info.max_tokens, 200);
    assert_non_null(strstr(notice, "600"));
    ss_encoder_free(encoder);
}

static void unknown_prompts_are_refused(void **state)
{
    ss_encoder *encoder = NULL;
    ss_err err;
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .prompt_name = "passage"};
    (void)state;
    assert_int_equal(
        ss_encoder_open(SS_TEST_DATA "/encoder/distilbert-half", &options, &encoder, &err),
        SS_E_USAGE);
    assert_non_null(strstr(err.message, "'passage'"));
    assert_non_null(strstr(err.message, "'query'"));
}

/* ---- masks ---- */

static void fill(const ss_encoder *encoder, const char *text, ss_status status,
                 const char *part)
{
    struct ss_mask_result result;
    ss_work *work = NULL;
    ss_err err;
    assert_int_equal(ss_work_new(1, &work, &err), SS_OK);
    assert_int_equal(
        ss_fill_mask(encoder, work, (struct ss_text){text, strlen(text)}, 3, &result, &err),
        status);
    assert_non_null(strstr(err.message, part));
    assert_null(result.candidates);
    ss_work_free(work);
}

static void masks_that_cannot_be_filled(void **state)
{
    const struct ss_encoder_options with_head = {.struct_size = sizeof with_head,
                                                 .with_mask_head = true};
    ss_encoder *encoder = open_encoder(SS_TEST_DATA "/encoder/distilbert-plain", &with_head);
    char text[1024] = "[MASK]";
    ss_err err;
    (void)state;
    fill(encoder, "no word is missing", SS_E_DATA, "[MASK]");
    for (int i = 0; i < 100; i++) {
        strcat(text, " star");
    }
    fill(encoder, text, SS_E_DATA, "103 tokens");
    ss_encoder_free(encoder);
    encoder = open_encoder(SS_TEST_DATA "/encoder/distilbert-plain", NULL);
    fill(encoder, "[MASK]", SS_E_UNSUPPORTED, "head");
    ss_encoder_free(encoder);
    encoder = NULL;
    assert_int_equal(
        ss_encoder_open(SS_TEST_DATA "/encoder/bert-dense", &with_head, &encoder, &err),
        SS_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "head"));
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(wrong_keys_are_refused),
        IN_SCENE(wrong_rotary_configs_are_refused),
        IN_SCENE(wrong_truncation_is_refused),
        IN_SCENE(missing_files_are_refused),
        IN_SCENE(empty_folders_are_refused),
        IN_SCENE(bad_weights_are_refused),
        IN_SCENE(widths_must_agree),
        IN_SCENE(limits_beyond_positions_are_cut),
        cmocka_unit_test(unknown_prompts_are_refused),
        cmocka_unit_test(masks_that_cannot_be_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
