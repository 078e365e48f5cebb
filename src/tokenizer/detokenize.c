/* Ids to text, as the reference decodes: tokens are joined, continuing pieces without a space,
 * and the spaces that tokenising put around punctuation are taken back token by token. */
#include <string.h>

#include "base/mem.h"
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

static void add_token(const struct ss__decoder *decoder, struct ss__buf *buf, const char *text,
                      size_t n_bytes, bool first)
{
    const size_t n_prefix = strlen(decoder->prefix);
    const size_t from = buf->n_bytes;
    const bool continues = !decoder->joins_with_spaces && n_bytes >= n_prefix &&
                           memcmp(text, decoder->prefix, n_prefix) == 0;
    if (!first && continues) {
        text += n_prefix;
        n_bytes -= n_prefix;
    } else if (!first) {
        ss__buf_add_byte(buf, ' ');
    }
    ss__buf_add(buf, text, n_bytes);
    if (decoder->cleans) {
        clean_up(buf, from, false);
    }
}

/* The text that an id decodes to, NULL if it has none. */
static const char *text_of(const struct ss__tokenizer *self, int32_t id, size_t *n_bytes)
{
    const struct ss__added_token *added = ss__added_of_id(&self->added, id);
    if (added == NULL) {
        return ss__vocab_text(&self->vocab, id, n_bytes);
    }
    *n_bytes = added->was_normalized ? added->n_plain : added->n_bytes;
    return added->was_normalized ? added->plain : added->text;
}

/* Looked up by the text that is shown: a special token that is shown otherwise stays. */
static bool is_special(const struct ss__tokenizer *self, const char *text, size_t n_bytes)
{
    const struct ss__added_token *added = ss__added_find(&self->added, text, n_bytes);
    return added != NULL && added->special;
}

ss_status ss__detokenize(const struct ss__tokenizer *self, const int32_t *ids, size_t n_ids,
                         bool skip_special, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    bool first = true;
    *out = NULL;
    for (size_t i = 0; i < n_ids; i++) {
        size_t n_bytes = 0;
        const char *text = text_of(self, ids[i], &n_bytes);
        if (text == NULL || (skip_special && is_special(self, text, n_bytes))) {
            continue;
        }
        add_token(&self->decoder, &buf, text, n_bytes, first);
        first = false;
    }
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
