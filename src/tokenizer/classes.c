/* Tokenizer classes: what the reference makes of the name that tokenizer_config.json or
 * config.json gives. Some names are others of one class, some are read by tokenizer.json alone,
 * as every name is that the reference does not know. Those that have code of their own are
 * refused by name.
 *
 * Source  transformers 5.24 (models/auto/tokenization_auto.py), over its list of names:
 *         tests/unit/test_tokenizer_classes.c */
#include <string.h>

#include "tokenizer/load_priv.h"

/* ---- the classes ---- */

/* The first ids as fairseq numbers them, in place of those of the SentencePiece file. */
static const struct ss_tokenizer_first_piece xlm_roberta_pieces[] = {{.role = "bos_token"},
                                                                     {.role = "pad_token"},
                                                                     {.role = "eos_token"},
                                                                     {.role = "unk_token"},
                                                                     {0}};
static const struct ss_tokenizer_first_piece camembert_pieces[] = {
    {.text = "<s>NOTUSED"},
    {.role = "pad_token"},
    {.text = "</s>NOTUSED"},
    {.role = "unk_token"},
    {.text = "<unk>NOTUSED", .score = -100},
    {0}};
static const char *const camembert_tokens[] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED",
                                               NULL};

enum {
    GENERIC,
    BERT,
    BERT_FROM_JSON,
    DPR,
    SPLINTER,
    FUNNEL,
    MPNET,
    ROBERTA,
    XLM_ROBERTA,
    CAMEMBERT
};

#define AROUND .begin = "cls_token", .end = "sep_token"
static const struct ss_tokenizer_class classes[] = {
    [GENERIC] = {.name = "TokenizersBackend"},
    [BERT] = {"BertTokenizer", &ss_tokenizer_bert_model, SS_TOKENIZER_ROLES_BERT, AROUND},
    /* without tokenizer.json it is BERT */
    [BERT_FROM_JSON] = {"ConvBertTokenizer", NULL, SS_TOKENIZER_ROLES_BERT, AROUND},
    [DPR] = {"DPRContextEncoderTokenizer", &ss_tokenizer_bert_model, SS_TOKENIZER_ROLES_BERT,
             AROUND, .always_lowers = true},
    [SPLINTER] = {"SplinterTokenizer", &ss_tokenizer_bert_model, SS_TOKENIZER_ROLES_BERT,
                  AROUND, .own_key = "question_token", .own_text = "[QUESTION]"},
    [FUNNEL] = {"FunnelTokenizer", &ss_tokenizer_bert_model, SS_TOKENIZER_ROLES_FUNNEL, AROUND,
                .has_clean_text = true, .begin_type = 2},
    [MPNET] = {"MPNetTokenizer", &ss_tokenizer_bert_model, SS_TOKENIZER_ROLES_MPNET, AROUND,
               .mask_lstrip = true},
    [ROBERTA] = {"RobertaTokenizer", &ss_tokenizer_bpe_model, SS_TOKENIZER_ROLES_ROBERTA,
                 AROUND},
    [XLM_ROBERTA] = {"XLMRobertaTokenizer", &ss_tokenizer_unigram_model,
                     SS_TOKENIZER_ROLES_ROBERTA, .begin = "bos_token", .end = "eos_token",
                     .unknown_piece = 3, .first_pieces = xlm_roberta_pieces, .n_replaced = 3},
    [CAMEMBERT] = {"CamembertTokenizer", &ss_tokenizer_unigram_model,
                   SS_TOKENIZER_ROLES_ROBERTA, .mask_lstrip = true, .begin = "bos_token",
                   .end = "eos_token", .unknown_piece = -1, .more_tokens = camembert_tokens,
                   .first_pieces = camembert_pieces, .n_replaced = 1},
};

/* ---- names ---- */

/* Looked for as they are, then without "Fast" at the end. */
static const struct {
    const char *name;
    uint8_t class;
} names[] = {
    {"BertTokenizer", BERT},
    {"DistilBertTokenizer", BERT},
    {"ElectraTokenizer", BERT},
    {"LayoutLMTokenizer", BERT},
    {"LxmertTokenizer", BERT},
    {"MobileBertTokenizer", BERT},
    {"SqueezeBertTokenizer", BERT},
    {"ConvBertTokenizer", BERT_FROM_JSON},
    {"DPRContextEncoderTokenizerFast", BERT_FROM_JSON},
    {"DPRQuestionEncoderTokenizerFast", BERT_FROM_JSON},
    {"DPRReaderTokenizerFast", BERT_FROM_JSON},
    {"DPRContextEncoderTokenizer", DPR},
    {"DPRQuestionEncoderTokenizer", DPR},
    {"DPRReaderTokenizer", DPR},
    {"SplinterTokenizer", SPLINTER},
    {"FunnelTokenizer", FUNNEL},
    {"MPNetTokenizer", MPNET},
    {"RobertaTokenizer", ROBERTA},
    {"BartTokenizer", ROBERTA},
    {"LEDTokenizer", ROBERTA},
    {"LongformerTokenizer", ROBERTA},
    {"MvpTokenizer", ROBERTA},
    {"XLMRobertaTokenizer", XLM_ROBERTA},
    {"CamembertTokenizer", CAMEMBERT},
    {"PreTrainedTokenizer", GENERIC},
    {"TokenizersBackend", GENERIC},
    {"BloomTokenizer", GENERIC},
};

/* Classes of the reference with code of their own. */
static const char *const refused[] = {
    "AlbertTokenizer",
    "BarthezTokenizer",
    "BartphoTokenizer",
    "BertGenerationTokenizer",
    "BertJapaneseTokenizer",
    "BertweetTokenizer",
    "BigBirdTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "BlenderbotTokenizer",
    "ByT5Tokenizer",
    "CLIPTokenizer",
    "CTRLTokenizer",
    "CanineTokenizer",
    "CharacterTokenizer",
    "ClvpTokenizer",
    "CodeGenTokenizer",
    "CodeLlamaTokenizer",
    "CohereTokenizer",
    "CpmAntTokenizer",
    "CpmTokenizer",
    "DebertaV2Tokenizer",
    "DebertaTokenizer",
    "DiaTokenizer",
    "EsmTokenizer",
    "EsmcTokenizer",
    "FNetTokenizer",
    "FSMTTokenizer",
    "FastSpeech2ConformerTokenizer",
    "FlaubertTokenizer",
    "GPT2Tokenizer",
    "GPTNeoXJapaneseTokenizer",
    "GPTNeoXTokenizer",
    "GPTSw3Tokenizer",
    "GemmaTokenizer",
    "HerbertTokenizer",
    "LasrTokenizer",
    "LayoutLMv2Tokenizer",
    "LayoutLMv3Tokenizer",
    "LayoutXLMTokenizer",
    "LlamaTokenizer",
    "LukeTokenizer",
    "M2M100Tokenizer",
    "MBart50Tokenizer",
    "MBartTokenizer",
    "MLukeTokenizer",
    "MarianTokenizer",
    "MarkupLMTokenizer",
    "MecabTokenizer",
    "MgpstrTokenizer",
    "MyT5Tokenizer",
    "NllbTokenizer",
    "NougatTokenizer",
    "OpenAIGPTTokenizer",
    "PLBartTokenizer",
    "ParakeetTokenizer",
    "PegasusTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "Pop2PianoTokenizer",
    "ProphetNetTokenizer",
    "Qwen2Tokenizer",
    "Qwen3_5Tokenizer",
    "RagTokenizer",
    "ReformerTokenizer",
    "RemBertTokenizer",
    "RoCBertTokenizer",
    "RoFormerTokenizer",
    "SeamlessM4TTokenizer",
    "Siglip2Tokenizer",
    "SiglipTokenizer",
    "Speech2TextTokenizer",
    "SpeechT5Tokenizer",
    "T5Tokenizer",
    "TapasTokenizer",
    "Tipsv2Tokenizer",
    "UdopTokenizer",
    "VideoPrismTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "Wav2Vec2PhonemeCTCTokenizer",
    "WhisperTokenizer",
    "XGLMTokenizer",
    "XLMTokenizer",
    "XLNetTokenizer",
    "BasicTokenizer",
    "WordpieceTokenizer",
    "MistralCommonBackend",
    "MistralCommonTokenizer",
};

/* The class of a model where none is named. */
static const struct {
    const char *model_type;
    uint8_t class;
} models[] = {
    {"bert", BERT},
    {"distilbert", BERT},
    {"electra", BERT},
    {"nomic_bert", BERT},
    {"mpnet", MPNET},
    {"roberta", ROBERTA},
    {"xlm-roberta", XLM_ROBERTA},
    {"camembert", CAMEMBERT},
};

/* Models whose tokenizers are read by tokenizer.json alone, whatever class is named. */
static const char *const generic_models[] = {"modernbert", "modernbert-decoder",
                                             "nystromformer", "xlm-roberta-xl"};

static bool is_among(const char *const *list, size_t n, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(list[i]) == n_bytes && strncmp(list[i], name, n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* The length of a name without "Fast" at its end. */
static size_t plain_length(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, "Fast") == 0 ? n - 4 : n;
}

/* Rows of names that end in "Fast" stand before those without, and so are found first. */
static const struct ss_tokenizer_class *class_named(const char *name)
{
    const size_t lengths[2] = {strlen(name), plain_length(name)};
    for (size_t i = 0; i < 2 * (sizeof names / sizeof names[0]); i++) {
        const size_t place = i / 2, n = lengths[i % 2];
        if (strlen(names[place].name) == n && strncmp(names[place].name, name, n) == 0) {
            return &classes[names[place].class];
        }
    }
    return NULL;
}

/* Generic where the type is not in the table: tokenizer.json says everything then. */
static const struct ss_tokenizer_class *class_of_model(const char *model_type)
{
    for (size_t i = 0; model_type != NULL && i < sizeof models / sizeof models[0]; i++) {
        if (strcmp(models[i].model_type, model_type) == 0) {
            return &classes[models[i].class];
        }
    }
    return &classes[GENERIC];
}

/* ---- the choice ---- */

/* The class of a name that is not in the table: by tokenizer.json alone, unless it is one that
 * has code of its own, in the reference or in the model's repository. */
static ss_status take_unknown(struct ss_tokenizer_loading *loading, const char *name,
                              ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config;
    const struct ss__json *auto_map = ss__json_get(config->root, "auto_map");
    const bool has_code =
        ss__json_is_array(auto_map) || ss__json_get(auto_map, "AutoTokenizer") != NULL;
    if (has_code ||
        is_among(refused, sizeof refused / sizeof refused[0], name, plain_length(name))) {
        return ss__fail_file(
            err, config->path, SS_E_UNSUPPORTED,
            "the tokenizer class '%.80s' has code of its own, which is not read; classes "
            "that are: BertTokenizer and its other names, MPNetTokenizer, "
            "RobertaTokenizer, XLMRobertaTokenizer, CamembertTokenizer and "
            "PreTrainedTokenizerFast",
            name);
    }
    ss__log(&loading->options->log, SS_LEVEL_WARNING,
            "%s: the tokenizer class '%.80s' is not known; tokenizer.json is read by itself",
            config->path, name);
    loading->class = &classes[GENERIC];
    return SS_OK;
}

/* In the reference's order: the caller's tokenizer_type over all; else the name in
 * tokenizer_config.json, else in config.json; else the model's type. Then exceptions: models
 * that are read by tokenizer.json whatever they name, and a class that without tokenizer.json
 * is another. */
ss_status ss_tokenizer_choose_class(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config,
                                        *model = &loading->model_config;
    const char *name = NULL, *model_type = NULL, *type = NULL;
    SS_RETURN_IF_ERROR(ss__json_text(model->path, model->root, "tokenizer_class", &name, err));
    SS_RETURN_IF_ERROR(
        ss__json_text(config->path, config->root, "tokenizer_class", &name, err));
    SS_RETURN_IF_ERROR(ss__json_text(model->path, model->root, "model_type", &model_type, err));
    if (loading->options->model_type != NULL) {
        model_type = loading->options->model_type;
    }
    SS_RETURN_IF_ERROR(
        ss__json_text(config->path, loading->options->arguments, "tokenizer_type", &type, err));
    if (type != NULL) { /* what the caller says holds over all names */
        name = NULL;
        model_type = type;
    }
    loading->class = name == NULL ? class_of_model(model_type) : class_named(name);
    if (model_type != NULL &&
        is_among(generic_models, sizeof generic_models / sizeof generic_models[0], model_type,
                 strlen(model_type))) {
        loading->class = &classes[GENERIC];
    }
    if (loading->class == NULL) {
        SS_RETURN_IF_ERROR(take_unknown(loading, name, err));
    }
    if (loading->class == &classes[BERT_FROM_JSON] && loading->tokenizer.root == NULL) {
        loading->class = &classes[BERT];
    }
    if (loading->class->model == NULL && loading->tokenizer.root == NULL) {
        return ss__fail_file(
            err, loading->tokenizer.path, SS_E_NOINPUT,
            "the file is missing, and the tokenizer class (%s) is not one that "
            "vocab.txt is enough for",
            name != NULL ? name : "none named");
    }
    return SS_OK;
}
