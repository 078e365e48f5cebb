/* What tells encoders apart, whatever they are called and in whatever files they lie. */
#ifndef SS_PASS_ENCODER_FINGERPRINT_H
#define SS_PASS_ENCODER_FINGERPRINT_H

#include "base/error.h"

struct ss__json;

enum { SS_PASS_FINGERPRINT_BYTES = 160 };

/* What an encoder makes of a few fixed sentences, with its prompt and width, in short:
 * "1:WIDTH:" and 64 signed bytes as hexadecimal digits. Errors: those of ss_encoder_embed.
 * Threads: one call per work. */
SS_MUST_USE ss_status ss_pass_encoder_fingerprint(const ss_encoder *encoder, ss_work *work,
                                                  char out[SS_PASS_FINGERPRINT_BYTES],
                                                  ss_err *err);
/* Whether two are of one encoder, perhaps at another precision; false for what is none. */
bool ss_pass_fingerprints_agree(const char *a, const char *b);
/* That of the encoder on whose embeddings an SAE with this config (nullable) was trained;
 * borrowed. NULL where it is not told. */
const char *ss_pass_fingerprint_in(const struct ss__json *config);

#endif
