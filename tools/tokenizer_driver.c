/* Feeds lines through the tokenizer, for tools/check_tokenizer.py, which builds it.
 *
 *   tokenizer_driver ids FOLDER [lower]     JSON strings, one per line -> JSON arrays of ids
 *   tokenizer_driver decode FOLDER          lines of ids -> decoded JSON strings, then without
 * special tokens tokenizer_driver time FOLDER REPEATS    the same input, timed: MB/s and
 * tokens/s */
#include "base/json.h"
#include "base/json_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

static void warn(void *user, ss_level level, const char *sentence)
{
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", sentence);
}

static void must(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fprintf(stderr, "%s: %s\n", ss_status_name(status), err->message);
        exit(ss_status_exit_code(status));
    }
}

static void print_ids(const struct ss_tokenizer_tokens *tokens)
{
    const size_t n = ss_tokenizer_tokens_n_ids(tokens);
    putchar('[');
    for (size_t i = 0; i < n; i++) {
        printf(i == 0 ? "%d" : ",%d", tokens->ids[i]);
    }
    puts("]");
}

static void print_decoded(const struct ss_tokenizer *tokenizer, const struct ss__json *list)
{
    struct ss__buf buf = {0};
    ss_err err;
    int32_t *ids = ss__alloc(ss__json_count(list), sizeof *ids);
    for (size_t i = 0; i < ss__json_count(list); i++) {
        ids[i] = (int32_t)ss__json_integer(ss__json_at(list, i));
    }
    for (int skip = 0; skip < 2; skip++) {
        char *text = NULL;
        must(ss_tokenizer_detokenize(tokenizer, ids, ss__json_count(list), skip == 1, &text,
                                     &err),
             &err);
        ss__json_add_string(&buf, text, strlen(text), true);
        ss__buf_add_byte(&buf, skip == 0 ? '\t' : '\n');
        ss__free(text);
    }
    fputs(ss__buf_text(&buf), stdout);
    ss__buf_release(&buf);
    ss__free(ids);
}

static void print_normalized(const struct ss_tokenizer *tokenizer, struct ss_text text)
{
    struct ss__buf normalized = {0}, line = {0};
    struct ss_tokenizer_normal_scratch scratch = {0};
    ss_err err;
    must(ss_tokenizer_normalize(&tokenizer->normalizer, &scratch, text.data, text.n_bytes,
                                &normalized, &err),
         &err);
    ss__json_add_string(&line, normalized.data == NULL ? "" : normalized.data,
                        normalized.n_bytes, true);
    puts(ss__buf_text(&line));
    ss_tokenizer_normal_scratch_release(&scratch);
    ss__buf_release(&normalized);
    ss__buf_release(&line);
}

struct texts {
    struct ss__json **lines;
    struct ss_text *data;
    size_t n, n_room, n_bytes;
};

static void time_texts(const struct ss_tokenizer *tokenizer,
                       struct ss_tokenizer_token_scratch *scratch, const struct texts *texts,
                       long repeats)
{
    struct ss_tokenizer_tokens tokens = {0};
    ss_err err;
    for (long r = 0; r < repeats; r++) {
        struct timespec a, b;
        ss_tokenizer_tokens_reset(&tokens);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (size_t i = 0; i < texts->n; i++) {
            must(ss_tokenizer_tokenize(tokenizer, scratch, texts->data[i], 0, &tokens, &err),
                 &err);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        const double seconds =
            (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
        printf("%.1f MB/s, %.2f M tokens/s\n", (double)texts->n_bytes / 1e6 / seconds,
               (double)ss_tokenizer_tokens_n_ids(&tokens) / 1e6 / seconds);
    }
    ss_tokenizer_tokens_release(&tokens);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 64;
    }
    struct ss_tokenizer_options options = {
        .lower_case_first = argc > 3 && strcmp(argv[3], "lower") == 0, .log = {warn, NULL}};
    struct ss_tokenizer *tokenizer = NULL;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    struct texts texts = {0};
    char *line = NULL;
    size_t room = 0;
    ss_err err;
    must(ss_tokenizer_load(argv[2], &options, &tokenizer, &err), &err);
    must(ss_tokenizer_token_scratch_new(&scratch, &err), &err);
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        struct ss__json *value = NULL;
        must(ss__json_parse("input", line, (size_t)n, &value, &err), &err);
        const struct ss_text text = {ss__json_string(value), ss__json_string_bytes(value)};
        if (strcmp(argv[1], "ids") == 0) {
            ss_tokenizer_tokens_reset(&tokens);
            must(ss_tokenizer_tokenize(tokenizer, scratch, text, 0, &tokens, &err), &err);
            print_ids(&tokens);
        } else if (strcmp(argv[1], "decode") == 0) {
            print_decoded(tokenizer, value);
        } else if (strcmp(argv[1], "normalize") == 0) {
            print_normalized(tokenizer, text);
        } else {
            texts.lines = realloc(texts.lines, (texts.n + 1) * sizeof *texts.lines);
            texts.data = realloc(texts.data, (texts.n + 1) * sizeof *texts.data);
            texts.lines[texts.n] = ss__json_share(value);
            texts.data[texts.n++] = text;
            texts.n_bytes += text.n_bytes;
        }
        ss__json_free(value);
    }
    if (strcmp(argv[1], "time") == 0) {
        time_texts(tokenizer, scratch, &texts, argc > 3 ? atol(argv[3]) : 5);
    }
    for (size_t i = 0; i < texts.n; i++) {
        ss__json_free(texts.lines[i]);
    }
    free(texts.lines);
    free(texts.data);
    free(line);
    ss_tokenizer_tokens_release(&tokens);
    ss_tokenizer_token_scratch_free(scratch);
    ss_tokenizer_free(tokenizer);
    return 0;
}
