/* Ids to text, as the reference decodes: tokens are joined as the kind of decoder says. The one
 * of WordPiece takes back the spaces that tokenising put around punctuation, token by token. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

struct replacement {
    const char *from, *to;
};

/* The rules of the WordPiece decoder, in order; those of the whole text are the same without
 * the one for "do not". */
static const struct replacement rules[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};
enum { N_RULES = sizeof rules / sizeof rules[0], DO_NOT_RULE = 7 };

/* Apply one rule to buf[from…], left to right, in place: no rule makes text longer. */
static void replace(struct ss__buf *buf, size_t from, const struct replacement *rule)
{
    const size_t n_from = strlen(rule->from), n_to = strlen(rule->to);
    size_t to = from;
    for (size_t at = from; at < buf->n_bytes;) {
        if (buf->n_bytes - at >= n_from && memcmp(buf->data + at, rule->from, n_from) == 0) {
            memcpy(buf->data + to, rule->to, n_to);
            to += n_to;
            at += n_from;
        } else {
            buf->data[to++] = buf->data[at++];
        }
    }
    buf->n_bytes = to;
}

static void clean_up(struct ss__buf *buf, size_t from, bool whole_text)
{
    for (size_t i = 0; i < N_RULES && !buf->failed; i++) {
        if (!whole_text || i != DO_NOT_RULE) {
            replace(buf, from, &rules[i]);
        }
    }
}

/* ---- joining ---- */

static bool begins_with(const struct ss_text *text, const char *affix)
{
    const size_t n = strlen(affix);
    return n > 0 && text->n_bytes >= n && memcmp(text->data, affix, n) == 0;
}

/* A continuing piece loses its prefix and its space; the first token has neither. */
static void join_wordpiece(const struct ss_tokenizer_decoder *decoder, struct ss__buf *buf,
                           struct ss_text token, bool first)
{
    const size_t from = buf->n_bytes;
    const bool continues = !first && decoder->kind == SS_TOKENIZER_DECODER_WORDPIECE &&
                           (decoder->affix[0] == '\0' || begins_with(&token, decoder->affix));
    const size_t n_left_out = continues ? strlen(decoder->affix) : 0;
    if (!first && !continues) {
        ss__buf_add_byte(buf, ' ');
    }
    ss__buf_add(buf, token.data + n_left_out, token.n_bytes - n_left_out);
    if (decoder->cleans) {
        clean_up(buf, from, false);
    }
}

/* The bytes that a token stands for; a token with any other character stands for itself. */
static void join_bytes(struct ss__buf *buf, struct ss_text token)
{
    const size_t from = buf->n_bytes;
    for (size_t at = 0; at < token.n_bytes;) {
        uint32_t c = SS__REPLACEMENT;
        at += ss__max_size(ss__utf8_decode(token.data + at, token.n_bytes - at, &c), 1);
        const int byte = ss_tokenizer_byte_of_text(c);
        if (byte < 0) {
            buf->n_bytes = from;
            ss__buf_add(buf, token.data, token.n_bytes);
            return;
        }
        ss__buf_add_byte(buf, (char)byte);
    }
}

/* The space that tokenising put before the text is taken away again, unless none was. */
static void join_metaspace(const struct ss_tokenizer_decoder *decoder, struct ss__buf *buf,
                           struct ss_text token, bool first)
{
    const size_t n = strlen(decoder->affix);
    while (token.n_bytes > 0) {
        const bool is_mark = begins_with(&token, decoder->affix);
        const size_t n_taken = is_mark ? n : 1;
        if (!is_mark) {
            ss__buf_add_byte(buf, token.data[0]);
        } else if (!first || decoder->keeps_first) {
            ss__buf_add_byte(buf, ' ');
        }
        token = (struct ss_text){token.data + n_taken, token.n_bytes - n_taken};
    }
}

/* Every suffix in a token becomes a space, in the last token nothing. */
static void join_suffix(const struct ss_tokenizer_decoder *decoder, struct ss__buf *buf,
                        struct ss_text token, bool last)
{
    const size_t n = strlen(decoder->affix);
    while (token.n_bytes > 0) {
        const bool is_suffix = begins_with(&token, decoder->affix);
        const size_t n_taken = is_suffix ? n : 1;
        if (!is_suffix) {
            ss__buf_add_byte(buf, token.data[0]);
        } else if (!last) {
            ss__buf_add_byte(buf, ' ');
        }
        token = (struct ss_text){token.data + n_taken, token.n_bytes - n_taken};
    }
}

/* By the kind of decoder; where there is none, tokens have spaces between them. */
static void add_token(const struct ss_tokenizer_decoder *decoder, struct ss__buf *buf,
                      struct ss_text token, bool first, bool last)
{
    switch (decoder->kind) {
    case SS_TOKENIZER_DECODER_BYTES:
        join_bytes(buf, token);
        break;
    case SS_TOKENIZER_DECODER_METASPACE:
        join_metaspace(decoder, buf, token, first);
        break;
    case SS_TOKENIZER_DECODER_SUFFIX:
        join_suffix(decoder, buf, token, last);
        break;
    case SS_TOKENIZER_DECODER_SPACES:
    case SS_TOKENIZER_DECODER_WORDPIECE:
    case SS_TOKENIZER_DECODER_UNKNOWN:
    default:
        join_wordpiece(decoder, buf, token, first);
    }
}

/* The text that an id decodes to, NULL if it has none. */
static const char *text_of(const struct ss_tokenizer *self, int32_t id, size_t *n_bytes)
{
    const struct ss_tokenizer_added_token *added = ss_tokenizer_added_of_id(&self->added, id);
    if (added == NULL) {
        return ss_tokenizer_vocab_text(&self->vocab, id, n_bytes);
    }
    *n_bytes = added->was_normalized ? added->n_plain : added->n_bytes;
    return added->was_normalized ? added->plain : added->text;
}

/* Looked up by the text that is shown: a special token that is shown otherwise stays. */
static bool is_special(const struct ss_tokenizer *self, const char *text, size_t n_bytes)
{
    const struct ss_tokenizer_added_token *added =
        ss_tokenizer_added_find(&self->added, text, n_bytes);
    return added != NULL && added->special;
}

/* Bytes need not be UTF-8 when tokens were cut anywhere. */
static ss_status make_valid(struct ss__buf *buf, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf repaired = {0};
    if (buf->n_bytes > 0 && ss__utf8_valid_prefix(buf->data, buf->n_bytes) < buf->n_bytes) {
        (void)ss__utf8_repair(buf->data, buf->n_bytes, &repaired);
        SS_TRY(ss__buf_check(&repaired, err));
        ss__buf_release(buf);
        *buf = repaired;
        repaired = (struct ss__buf){0};
    }
out:
    ss__buf_release(&repaired);
    return status;
}

/* Ids without a text are passed over, as the reference does it. */
ss_status ss_tokenizer_detokenize(const struct ss_tokenizer *self, const int32_t *ids,
                                  size_t n_ids, bool skip_special, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    struct ss_text token = {NULL, 0}; /* held back until it is known whether it is the last */
    bool first = true;
    *out = NULL;
    if (self->decoder.kind == SS_TOKENIZER_DECODER_UNKNOWN) {
        SS_FAIL(SS_E_UNSUPPORTED,
                "the tokenizer's decoder '%.40s' is not supported; WordPiece, ByteLevel, "
                "Metaspace and BPEDecoder are",
                self->decoder.affix);
    }
    for (size_t i = 0; i < n_ids; i++) {
        size_t n_bytes = 0;
        const char *text = text_of(self, ids[i], &n_bytes);
        if (text == NULL || (skip_special && is_special(self, text, n_bytes))) {
            continue;
        }
        if (token.data != NULL) {
            add_token(&self->decoder, &buf, token, first, false);
            first = false;
        }
        token = (struct ss_text){text, n_bytes};
    }
    if (token.data != NULL) {
        add_token(&self->decoder, &buf, token, first, true);
    }
    SS_TRY(make_valid(&buf, err));
    if (self->decoder.cleans_text) {
        clean_up(&buf, 0, true);
    }
    SS_TRY(ss__buf_check(&buf, err));
    *out = ss__strndup(buf.data == NULL ? "" : buf.data, buf.n_bytes);
    if (*out == NULL) {
        status = ss__fail_nomem(err, "text");
    }
out:
    ss__buf_release(&buf);
    return status;
}
