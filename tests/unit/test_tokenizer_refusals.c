/* Folders that are wrong or of a kind that is not read: each gets its status and a message
 * that names the trouble. */
#include <unistd.h>

#include "base/output.h"
#include "tokenizer_helpers.h"

struct refusal {
    const char *file, *content;     /* written into an empty folder */
    const char *file_2, *content_2; /* nullable */
    ss_status status;
    const char *phrase; /* of the message */
};

#define MODEL(vocab) "{\"model\":{\"type\":\"WordPiece\",\"vocab\":" vocab "}}"
#define GENERIC "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}"
#define WITH(more)                                                                             \
    "{\"model\":{\"vocab\":{\"[UNK]\":0,\"a\":1}},"                                            \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," more "}"
#define BPE(more) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}" more "}}"
#define UNIGRAM(vocab, unknown)                                                                \
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":" unknown ",\"vocab\":" vocab "}}"
#define SPLITS(one)                                                                            \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":" one "}"
#define MAP(text)                                                                              \
    WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" text "\"}")
#define XLM_ROBERTA "{\"tokenizer_class\":\"XLMRobertaTokenizer\"}"
#define DIGITS "{\"type\":\"Digits\"}"
#define NINE_SPLITS                                                                            \
    DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS "," DIGITS        \
           "," DIGITS
#define BERT "{\"tokenizer_class\":\"BertTokenizer\"}"

static const struct refusal refusals[] = {
    {"other.txt", "", NULL, NULL, SS_E_NOINPUT, "no tokenizer here"},
    {"vocab.txt", "[UNK]\na\n", NULL, NULL, SS_E_NOINPUT, "vocab.txt is enough"},
    {"vocab.txt", "", "config.json", "{\"model_type\":\"bert\"}", SS_E_DATA, "empty"},
    {"vocab.txt", "the\nof\n", "config.json", "{\"model_type\":\"bert\"}", SS_E_DATA,
     "unknown token '[UNK]' is not in the vocabulary"},
    {"vocab.txt", "[UNK]\n\xFF\n", "config.json", "{\"model_type\":\"bert\"}", SS_E_DATA,
     "UTF-8"},
    {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"tokenizer_class\":\"T5Tokenizer\"}",
     SS_E_UNSUPPORTED, "T5Tokenizer"},
    {"tokenizer.json", "{", NULL, NULL, SS_E_DATA, "JSON"},
    {"tokenizer.json", "[1]", NULL, NULL, SS_E_DATA, "object"},
    {"tokenizer.json", "{}", NULL, NULL, SS_E_DATA, "'model'"},
    {"tokenizer.json", MODEL("{}"), NULL, NULL, SS_E_DATA, "model.vocab"},
    {"tokenizer.json", MODEL("[\"a\"]"), NULL, NULL, SS_E_DATA, "model.vocab"},
    {"tokenizer.json", MODEL("{\"a\":1.5}"), NULL, NULL, SS_E_DATA, "whole number"},
    {"tokenizer.json", MODEL("{\"a\":-1}"), NULL, NULL, SS_E_DATA, "id -1"},
    {"tokenizer.json", MODEL("{\"a\":4194304}"), NULL, NULL, SS_E_LIMIT, "id 4194304"},
    {"tokenizer.json", MODEL("{\"a\":9223372036854775807}"), NULL, NULL, SS_E_LIMIT,
     "id 92233"},
    {"tokenizer.json", MODEL("{\"a\":7,\"b\":7}"), NULL, NULL, SS_E_DATA, "same id 7"},
    {"tokenizer.json", MODEL("{\"a\":0}"), "tokenizer_config.json", BERT, SS_E_DATA,
     "unknown token"},
    {"tokenizer.json", "{\"model\":{\"type\":\"Other\",\"vocab\":{\"a\":0}}}", NULL, NULL,
     SS_E_UNSUPPORTED, "Other"},
    {"tokenizer.json", "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", NULL, NULL,
     SS_E_DATA, "unknown token '<unk>'"},
    {"tokenizer.json", "{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}", NULL, NULL, SS_E_DATA,
     "model.vocab"},
    {"tokenizer.json", BPE(""), NULL, NULL, SS_E_DATA, "model.merges"},
    {"tokenizer.json", BPE(",\"merges\":[\"a b c\"]"), NULL, NULL, SS_E_DATA, "merge 1"},
    {"tokenizer.json", BPE(",\"merges\":[\"ab\"]"), NULL, NULL, SS_E_DATA, "merge 1"},
    {"tokenizer.json", BPE(",\"merges\":[[\"a\",\"b\"],[\"a\"]]"), NULL, NULL, SS_E_DATA,
     "merge 2"},
    {"tokenizer.json", BPE(",\"merges\":[[\"a\",\"b\"],[\"b\",\"a\"]]"), NULL, NULL, SS_E_DATA,
     "merge 2 needs the token 'ba'"},
    {"tokenizer.json", BPE(",\"merges\":[[\"a\",\"z\"]]"), NULL, NULL, SS_E_DATA, "token 'z'"},
    {"tokenizer.json", BPE(",\"merges\":[\"a b\"],\"dropout\":0.1"), NULL, NULL,
     SS_E_UNSUPPORTED, "dropout"},
    {"tokenizer.json", BPE(",\"merges\":[],\"unk_token\":\"u\""), NULL, NULL, SS_E_DATA,
     "unknown token 'u'"},
    {"tokenizer.json",
     BPE(",\"merges\":[],\"continuing_subword_prefix\":\"aaaaaaaaaaaaaaaaa\""), NULL, NULL,
     SS_E_LIMIT, "continuing_subword_prefix"},
    {"tokenizer.json", BPE(",\"merges\":[]"), "tokenizer_config.json", BERT, SS_E_UNSUPPORTED,
     "needs WordPiece"},
    {"tokenizer.json", MODEL("{\"a\":0}"), "tokenizer_config.json",
     "{\"tokenizer_class\":\"RobertaTokenizer\"}", SS_E_UNSUPPORTED, "needs BPE"},
    {"vocab.json", "{\"a\":0}", "tokenizer_config.json",
     "{\"tokenizer_class\":\"RobertaTokenizerFast\"}", SS_E_NOINPUT, "merges.txt"},
    {"tokenizer.json", UNIGRAM("[]", "0"), NULL, NULL, SS_E_DATA, "empty"},
    {"tokenizer.json", UNIGRAM("[[\"a\",0]]", "null"), NULL, NULL, SS_E_DATA, "unk_id"},
    {"tokenizer.json", UNIGRAM("[[\"a\",0]]", "1"), NULL, NULL, SS_E_DATA, "unk_id"},
    {"tokenizer.json", UNIGRAM("[[\"a\",0],[\"b\"]]", "0"), NULL, NULL, SS_E_DATA, "piece 1"},
    {"tokenizer.json", UNIGRAM("[[\"a\",\"b\"]]", "0"), NULL, NULL, SS_E_DATA, "piece 0"},
    {"tokenizer.json", SPLITS("{\"type\":\"Sentences\"}"), NULL, NULL, SS_E_UNSUPPORTED,
     "pre-tokenizer 'Sentences'"},
    {"tokenizer.json", SPLITS("{\"type\":\"FixedLength\",\"length\":0}"), NULL, NULL, SS_E_DATA,
     "length 0"},
    {"tokenizer.json", SPLITS("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a|b\"}}"), NULL,
     NULL, SS_E_UNSUPPORTED, "regular expression 'a|b'"},
    {"tokenizer.json", SPLITS("{\"type\":\"Split\",\"pattern\":{}}"), NULL, NULL, SS_E_DATA,
     "no pattern"},
    {"tokenizer.json",
     SPLITS("{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Gone\"}"), NULL,
     NULL, SS_E_DATA, "'Gone'"},
    {"tokenizer.json", SPLITS("{\"type\":\"Split\",\"pattern\":{\"String\":\"\"}}"), NULL, NULL,
     SS_E_UNSUPPORTED, "text of 0 bytes"},
    {"tokenizer.json", SPLITS("{\"type\":\"Metaspace\",\"prepend_scheme\":\"last\"}"), NULL,
     NULL, SS_E_DATA, "'last'"},
    {"tokenizer.json",
     SPLITS("{\"type\":\"Sequence\",\"pretokenizers\":[" NINE_SPLITS "," NINE_SPLITS "]}"),
     NULL, NULL, SS_E_LIMIT, "more than 16"},
    {"tokenizer.json", WITH("\"normalizer\":{\"type\":\"Bytes\"}"), NULL, NULL,
     SS_E_UNSUPPORTED, "'Bytes'"},
    {"tokenizer.json",
     WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},"
          "\"content\":\"\"}"),
     NULL, NULL, SS_E_UNSUPPORTED, "'a+'"},
    {"tokenizer.json",
     WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
          "\"content\":\"\"}"),
     NULL, NULL, SS_E_UNSUPPORTED, "not empty"},
    {"tokenizer.json", MAP("!!!!"), NULL, NULL, SS_E_DATA, "not base64"},
    {"tokenizer.json", MAP("AAA"), NULL, NULL, SS_E_DATA, "not base64"},
    {"tokenizer.json", MAP("AAAA"), NULL, NULL, SS_E_DATA, "3 bytes"},
    {"tokenizer.json", MAP("/////wAA"), NULL, NULL, SS_E_DATA, "4294967295 bytes of trie"},
    {"tokenizer.json", MAP("AAAAAP8="), NULL, NULL, SS_E_DATA, "not UTF-8"},
    {"sentencepiece.bpe.model", "hello", "tokenizer_config.json", XLM_ROBERTA, SS_E_DATA,
     "no SentencePiece model"},
    {"sentencepiece.bpe.model", "\x0A\x7F", "tokenizer_config.json", XLM_ROBERTA, SS_E_DATA,
     "no SentencePiece model"},
    {"sentencepiece.bpe.model", "\x0A\x03\x0A\x01\xFF", "tokenizer_config.json", XLM_ROBERTA,
     SS_E_DATA, "no SentencePiece model"},
    {"sentencepiece.bpe.model", "\x0A\x03\x0A\x01x", "tokenizer_config.json", XLM_ROBERTA,
     SS_E_DATA, "1 pieces, too few"},
    {"sentencepiece.bpe.model", "\x12\x02\x18\x02", "tokenizer_config.json", XLM_ROBERTA,
     SS_E_UNSUPPORTED, "Unigram"},
    {"sentencepiece.bpe.model", "\x1A\x04\x12\x02xx", "tokenizer_config.json", XLM_ROBERTA,
     SS_E_DATA, "2 bytes"},
    {"vocab.txt", "a\n", "tokenizer_config.json", XLM_ROBERTA, SS_E_NOINPUT,
     "sentencepiece.bpe.model"},
    {"tokenizer.json", WITH("\"post_processor\":{\"type\":\"Other\"}"), NULL, NULL,
     SS_E_UNSUPPORTED, "'Other'"},
    {"tokenizer.json",
     WITH("\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",9],\"sep\":[\"x\",1]"
          "}"),
     NULL, NULL, SS_E_DATA, "not in the vocabulary"},
    {"tokenizer.json", WITH("\"post_processor\":{\"type\":\"TemplateProcessing\"}"), NULL, NULL,
     SS_E_DATA, "no place for the text"},
    {"tokenizer.json", WITH("\"added_tokens\":[{\"id\":3}]"), NULL, NULL, SS_E_DATA, "no text"},
    {"tokenizer.json", WITH("\"added_tokens\":[{\"content\":\"x\"}]"), NULL, NULL, SS_E_DATA,
     "no id"},
    {"tokenizer.json",
     WITH("\"normalizer\":{\"type\":\"StripAccents\"},\"added_tokens\":[{\"id\":3,"
          "\"content\":\"\\u0301\",\"normalized\":true}]"),
     NULL, NULL, SS_E_UNSUPPORTED, "empty text"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"added_tokens_decoder\":{\"x\":{\"content\":\"b\"}}}", SS_E_DATA, "'x'"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"truncation_side\":\"up\"}", SS_E_DATA, "truncation_side"},
    {"tokenizer.json",
     WITH("\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":"
          "\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]},"
          "{\"type\":\"BertProcessing\",\"cls\":[\"x\",0],\"sep\":[\"x\",1]}]}"),
     NULL, NULL, SS_E_UNSUPPORTED, "behind a template"},
    {"tokenizer.json", WITH("\"version\":\"2.0\""), NULL, NULL, SS_E_UNSUPPORTED, "'2.0'"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"vocab\":{\"b\":0}}", SS_E_UNSUPPORTED, "'vocab'"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"fast_tokenizer_files\":[\"tokenizer.4.0.0.json\"]}", SS_E_UNSUPPORTED,
     "tokenizer.4.0.0.json"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"tokenizer_class\":\"OwnTokenizer\",\"auto_map\":{\"AutoTokenizer\":[\"a.B\",null]}}",
     SS_E_UNSUPPORTED, "OwnTokenizer"},
    {"vocab.txt", "[UNK]\n", "tokenizer_config.json",
     "{\"tokenizer_class\":\"BertTokenizer\",\"cls_token\":null}", SS_E_UNSUPPORTED,
     "cls_token"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"extra_special_tokens\":[7]}", SS_E_DATA, "item 0"},
    {"tokenizer.json", WITH("\"added_tokens\":[]"), "tokenizer_config.json",
     "{\"model_max_length\":\"x\"}", SS_E_DATA, "model_max_length"},
};

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[1024];
    ss_err err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(ss__file_write(path, content, strlen(content), &err), &err);
}

static void drop_file(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static void test_refusals(void **state)
{
    char folder[] = "/tmp/saescope-tokenizer-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *want = &refusals[i];
        struct ss_tokenizer *tokenizer = NULL;
        ss_err err;
        put_file(folder, want->file, want->content);
        if (want->file_2 != NULL) {
            put_file(folder, want->file_2, want->content_2);
        }
        const ss_status status = ss_tokenizer_load(folder, NULL, &tokenizer, &err);
        if (status != want->status || strstr(err.message, want->phrase) == NULL) {
            fail_msg("refusal %zu: %s: '%s', expected '%s'", i, ss_status_name(status),
                     status == SS_OK ? "" : err.message, want->phrase);
        }
        assert_null(tokenizer);
        assert_non_null(strstr(err.message, folder)); /* the file or the folder is named */
        drop_file(folder, want->file);
        if (want->file_2 != NULL) {
            drop_file(folder, want->file_2);
        }
    }
    assert_int_equal(rmdir(folder), 0);
}

static void keep_warning(void *user, ss_level level, const char *sentence)
{
    assert_int_equal(level, SS_LEVEL_WARNING);
    snprintf(user, 512, "%s", sentence);
}

/* A key that nobody knows is named, one that is known to do nothing is not. */
static void test_unknown_key(void **state)
{
    char folder[] = "/tmp/saescope-tokenizer-XXXXXX", warning[512] = "";
    const struct ss_tokenizer_options options = {.log = {keep_warning, warning}};
    struct fixture fixture;
    (void)state;
    assert_non_null(mkdtemp(folder));
    put_file(folder, "tokenizer.json", WITH("\"added_tokens\":[]"));
    put_file(folder, "tokenizer_config.json", "{\"padding_side\":\"left\"}");
    open_fixture(&fixture, folder, &options);
    close_fixture(&fixture);
    assert_string_equal(warning, "");
    put_file(folder, "tokenizer_config.json", "{\"split_at_vowels\":true}");
    open_fixture(&fixture, folder, &options);
    close_fixture(&fixture);
    assert_non_null(strstr(warning, "'split_at_vowels'"));
    drop_file(folder, "tokenizer.json");
    drop_file(folder, "tokenizer_config.json");
    assert_int_equal(rmdir(folder), 0);
}

static void count_warnings(void *user, ss_level level, const char *sentence)
{
    assert_int_equal(level, SS_LEVEL_WARNING);
    assert_non_null(strstr(sentence, "tokenizer_config.json"));
    ++*(size_t *)user;
}

/* tokenizer.json describes another pipeline than tokenizer_config.json: said, not obeyed. */
static void test_disagreement(void **state)
{
    size_t n_warnings = 0;
    const struct ss_tokenizer_options options = {.log = {count_warnings, &n_warnings}};
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, SS_TEST_DATA "/tokenizer/uncased", &options);
    close_fixture(&fixture);
    assert_int_equal(n_warnings, 0);
    open_fixture(&fixture, SS_TEST_DATA "/tokenizer/lower-keep", &options);
    close_fixture(&fixture);
    assert_int_equal(n_warnings, 2); /* accents and ideographs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_unknown_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
