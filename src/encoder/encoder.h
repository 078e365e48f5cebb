/* What run/ needs of an encoder beyond the public interface: the two halves of embedding, so
 * that tokenising can run ahead in another thread. */
#ifndef SS_ENCODER_H
#define SS_ENCODER_H

#include "base/error.h"
#include "base/map.h"
#include "tokenizer/tokenizer.h"

/* Tokenise one text with the encoder's prompt and limit, appended to `tokens`.
 *
 * Purpose  the first half of embedding, for a thread that runs ahead of the forward pass
 * Errors   SS_E_DATA for a token that the model has no row for; SS_E_UNSUPPORTED where the
 *          tokenizer gives token types that the model would use; SS_E_NOMEM
 * Threads  any, with a scratch and tokens of its own each */
SS_MUST_USE ss_status ss_encoder_tokenize_text(const ss_encoder *encoder,
                                               struct ss_tokenizer_token_scratch *scratch,
                                               struct ss_text text,
                                               struct ss_tokenizer_tokens *tokens, ss_err *err);

/* Embed a tokenised batch.
 *
 * Shapes   out [n_texts, width], the order of `tokens`
 * Errors   SS_E_NOMEM; SS_E_STOPPED (work's callback); SS_E_IO where the weights file has
 *          changed under us
 * Threads  one call at a time with one `work`
 * Note     a batch larger than ss_encoder_batch_tokens is cut at whole texts; no result depends
 *          on it */
SS_MUST_USE ss_status ss_encoder_forward(const ss_encoder *encoder, ss_work *work,
                                         const struct ss_tokenizer_tokens *tokens, float *out,
                                         ss_err *err);

/* How far an embedding may be from that at SS_PRECISION_HIGHEST, as a part of its length; 0
 * where it is the same. Stated for SS_PRECISION_HIGH only; 0 for levels that state nothing. */
double ss_encoder_error(const ss_encoder *encoder);

/* The same encoder at another precision: its embeddings are those of one that is opened at that
 * precision. Only its layers are its own, packed anew from the weights that `encoder` has open,
 * by the threads of `work`; it borrows the rest and goes first. Gives *out
 * (ss_encoder_at_precision_free). Errors: those of reading weights, SS_E_NOMEM. Threads: any. */
SS_MUST_USE ss_status ss_encoder_at_precision(const ss_encoder *encoder, ss_work *work,
                                              ss_precision precision, ss_encoder **out,
                                              ss_err *err);
void ss_encoder_at_precision_free(ss_encoder *other); /* nullable */

/* A good token budget for a batch of this encoder. */
size_t ss_encoder_batch_tokens(const ss_encoder *encoder);

/* Files that were read to make the encoder, for the manifest, with their size and time when
 * they were read. Paths are borrowed and live as long as the encoder. */
size_t ss_encoder_n_files(const ss_encoder *encoder);
const char *ss_encoder_file(const ss_encoder *encoder, size_t index);
struct ss__file_facts ss_encoder_file_facts(const ss_encoder *encoder, size_t index);

/* Whether a folder looks like an encoder: modules.json without an SAE module, or config.json
 * with a model_type. */
bool ss_encoder_is_at(const char *path);

/* The language-model head, used by ss_fill_mask, is in fill_mask.c. */

#endif
