/* Fuzz target: a tokenizer folder, then a text through it. The input is split at the first 0x1E
 * and 0x1F bytes: tokenizer.json, tokenizer_config.json, text. Input that begins with 0x0A, as
 * SentencePiece models do, is one of those, and the text. Where the folder is refused, the text
 * goes through a fixed small tokenizer with vocab.txt. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "fuzz_folder.h"
#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static char plain[FUZZ_PATH_BYTES];

static void make_plain(void)
{
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\n##ab\n";
    static const char config[] = "{\"model_type\":\"bert\"}";
    if (mkdir(fuzz_path("plain", plain), 0777) != 0 && errno != EEXIST) {
        abort();
    }
    fuzz_put("plain/vocab.txt", vocab, sizeof vocab - 1);
    fuzz_put("plain/config.json", config, sizeof config - 1);
}

static void check(const struct ss_tokenizer *tokenizer, struct ss_text text)
{
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    char *decoded = NULL;
    if (ss_tokenizer_token_scratch_new(&scratch, NULL) != SS_OK ||
        ss_tokenizer_tokenize(tokenizer, scratch, text, 0, &tokens, NULL) != SS_OK ||
        ss_tokenizer_tokenize(tokenizer, scratch, text, 5, &tokens, NULL) != SS_OK) {
        abort();
    }
    for (size_t i = 0; i < ss_tokenizer_tokens_n_ids(&tokens); i++) {
        if (tokens.ids[i] < 0 || (size_t)tokens.ids[i] >= ss_tokenizer_n_vocab(tokenizer)) {
            abort();
        }
    }
    const ss_status status = ss_tokenizer_detokenize(
        tokenizer, tokens.ids, ss_tokenizer_tokens_n_ids(&tokens), true, &decoded, NULL);
    if (status != SS_OK && status != SS_E_UNSUPPORTED) {
        abort();
    }
    ss__free(decoded);
    ss_tokenizer_tokens_release(&tokens);
    ss_tokenizer_token_scratch_free(scratch);
}

/* A SentencePiece model, read as both classes that have one; the text is its own bytes. */
static void check_model(const uint8_t *data, size_t n_bytes)
{
    static const char *const types[] = {"xlm-roberta", "camembert"};
    fuzz_drop("tokenizer.json");
    fuzz_drop("tokenizer_config.json");
    fuzz_put("sentencepiece.bpe.model", data, n_bytes);
    for (size_t i = 0; i < 2; i++) {
        const struct ss_tokenizer_options options = {.model_type = types[i]};
        struct ss_tokenizer *tokenizer = NULL;
        if (ss_tokenizer_load(fuzz_folder(), &options, &tokenizer, NULL) == SS_OK) {
            check(tokenizer, (struct ss_text){(const char *)data, n_bytes});
        }
        ss_tokenizer_free(tokenizer);
    }
    fuzz_drop("sentencepiece.bpe.model");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss_tokenizer *tokenizer = NULL;
    const uint8_t *end = data + n_bytes;
    if (plain[0] == '\0') {
        make_plain();
    }
    if (n_bytes > 0 && data[0] == 0x0A) {
        check_model(data, n_bytes);
        return 0;
    }
    const uint8_t *first = n_bytes == 0 ? NULL : memchr(data, 0x1E, n_bytes);
    first = first == NULL ? end : first;
    const uint8_t *second = first == end ? NULL : memchr(first, 0x1F, (size_t)(end - first));
    second = second == NULL ? end : second;
    const uint8_t *config = first == end ? end : first + 1;
    const uint8_t *text = second == end ? end : second + 1;
    fuzz_put("tokenizer.json", data, (size_t)(first - data));
    fuzz_drop("tokenizer_config.json");
    if (config < second) {
        fuzz_put("tokenizer_config.json", config, (size_t)(second - config));
    }
    const struct ss_tokenizer_options options = {.lower_case_first = n_bytes % 2 == 1};
    if (ss_tokenizer_load(fuzz_folder(), &options, &tokenizer, NULL) == SS_OK) {
        check(tokenizer, (struct ss_text){(const char *)text, (size_t)(end - text)});
    } else if (ss_tokenizer_load(plain, &options, &tokenizer, NULL) == SS_OK) {
        check(tokenizer, (struct ss_text){(const char *)data, n_bytes});
    }
    ss_tokenizer_free(tokenizer);
    return 0;
}
