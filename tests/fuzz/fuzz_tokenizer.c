/* Fuzz target: a tokenizer folder, then a text through it. The input is split at the first 0x1E
 * and 0x1F bytes: tokenizer.json, tokenizer_config.json, text. Input that begins with 0x0A, as
 * SentencePiece models do, is one of those, and the text. Where the folder is refused, the text
 * goes through a fixed small tokenizer with vocab.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static char folder[] = "/tmp/saescope-fuzz-XXXXXX", plain[] = "/tmp/saescope-fuzz-XXXXXX";

static void put(const char *where, const char *name, const void *data, size_t n_bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", where, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, n_bytes, file) != n_bytes || fclose(file) != 0) {
        abort();
    }
}

static void drop(const char *where, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", where, name);
    (void)unlink(path);
}

static void remove_folders(void)
{
    drop(folder, "tokenizer.json");
    drop(folder, "tokenizer_config.json");
    drop(folder, "sentencepiece.bpe.model");
    drop(plain, "vocab.txt");
    drop(plain, "config.json");
    (void)rmdir(folder);
    (void)rmdir(plain);
}

static void make_folders(void)
{
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\n##ab\n";
    static const char config[] = "{\"model_type\":\"bert\"}";
    if (mkdtemp(folder) == NULL || mkdtemp(plain) == NULL || atexit(remove_folders) != 0) {
        abort();
    }
    put(plain, "vocab.txt", vocab, sizeof vocab - 1);
    put(plain, "config.json", config, sizeof config - 1);
}

static void check(const struct ss__tokenizer *tokenizer, struct ss_text text)
{
    struct ss__token_scratch *scratch = NULL;
    struct ss__tokens tokens = {0};
    char *decoded = NULL;
    if (ss__token_scratch_new(&scratch, NULL) != SS_OK ||
        ss__tokenize(tokenizer, scratch, text, 0, &tokens, NULL) != SS_OK ||
        ss__tokenize(tokenizer, scratch, text, 5, &tokens, NULL) != SS_OK) {
        abort();
    }
    for (size_t i = 0; i < ss__tokens_n_ids(&tokens); i++) {
        if (tokens.ids[i] < 0 || (size_t)tokens.ids[i] >= ss__tokenizer_n_vocab(tokenizer)) {
            abort();
        }
    }
    const ss_status status =
        ss__detokenize(tokenizer, tokens.ids, ss__tokens_n_ids(&tokens), true, &decoded, NULL);
    if (status != SS_OK && status != SS_E_UNSUPPORTED) {
        abort();
    }
    ss__free(decoded);
    ss__tokens_release(&tokens);
    ss__token_scratch_free(scratch);
}

/* A SentencePiece model, read as both classes that have one; the text is its own bytes. */
static void check_model(const uint8_t *data, size_t n_bytes)
{
    static const char *const types[] = {"xlm-roberta", "camembert"};
    drop(folder, "tokenizer.json");
    drop(folder, "tokenizer_config.json");
    put(folder, "sentencepiece.bpe.model", data, n_bytes);
    for (size_t i = 0; i < 2; i++) {
        const struct ss__tokenizer_options options = {.model_type = types[i]};
        struct ss__tokenizer *tokenizer = NULL;
        if (ss__tokenizer_load(folder, &options, &tokenizer, NULL) == SS_OK) {
            check(tokenizer, (struct ss_text){(const char *)data, n_bytes});
        }
        ss__tokenizer_free(tokenizer);
    }
    drop(folder, "sentencepiece.bpe.model");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss__tokenizer *tokenizer = NULL;
    const uint8_t *end = data + n_bytes;
    if (folder[sizeof folder - 2] == 'X') {
        make_folders();
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
    put(folder, "tokenizer.json", data, (size_t)(first - data));
    drop(folder, "tokenizer_config.json");
    if (config < second) {
        put(folder, "tokenizer_config.json", config, (size_t)(second - config));
    }
    const struct ss__tokenizer_options options = {.lower_case_first = n_bytes % 2 == 1};
    if (ss__tokenizer_load(folder, &options, &tokenizer, NULL) == SS_OK) {
        check(tokenizer, (struct ss_text){(const char *)text, (size_t)(end - text)});
    } else if (ss__tokenizer_load(plain, &options, &tokenizer, NULL) == SS_OK) {
        check(tokenizer, (struct ss_text){(const char *)data, n_bytes});
    }
    ss__tokenizer_free(tokenizer);
    return 0;
}
