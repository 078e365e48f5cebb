/* Texts drawn at random: of the half that labels are scored on, those with the smallest keys. They
 * are the same for every feature, with all that fires in them:
 *
 *   random_texts (u4) [n]: numbers of texts
 *   random_offsets (u4) [n + 1]: text i fires random_features (u4) and random_values (f4) from
 *   random_offsets[i] to before random_offsets[i + 1] */
#include "base/mem.h"
#include "web/pages_priv.h"

struct ss_web_random {
    size_t n;
    uint32_t *texts, *offsets; /* [n], [n + 1] */
    const uint32_t *features;  /* of the evidence: what fires in the first of the texts */
    const float *values;
};

ss_status ss_web_random_new(const struct ss_web_source *source,
                            const struct ss_web_level *level, struct ss_web_texts *texts,
                            struct ss_web_random **out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_evidence *evidence = &source->evidence;
    struct ss_web_random *random = NULL;
    *out = NULL;
    SS_ALLOC(random, 1);
    if (source->has_evidence && evidence->has_texts) {
        const size_t first = evidence->first[1];
        const size_t *offsets = evidence->codes.offsets;
        random->n =
            evidence->n_pool[1] < level->n_samples ? evidence->n_pool[1] : level->n_samples;
        SS_ALLOC(random->texts, random->n);
        SS_ALLOC(random->offsets, random->n + 1);
        for (size_t i = 0; i < random->n; i++) {
            const struct ss_web_text text = ss_web_text_of_evidence(evidence, first + i);
            SS_TRY(ss_web_texts_add(texts, &text, &random->texts[i], err));
            random->offsets[i + 1] = (uint32_t)(offsets[first + i + 1] - offsets[first]);
        }
        random->features = evidence->codes.features + offsets[first];
        random->values = evidence->codes.values + offsets[first];
    }
    *out = random;
    random = NULL;
out:
    ss_web_random_free(random);
    return status;
}

void ss_web_random_free(struct ss_web_random *random)
{
    if (random != NULL) {
        ss__free(random->texts);
        ss__free(random->offsets);
    }
    ss__free(random);
}

ss_status ss_web_random_put(const struct ss_web_random *random, struct ss_web_zip *zip,
                            ss_err *err)
{
    if (random->n == 0) {
        return SS_OK;
    }
    const size_t n_active = random->offsets[random->n];
    SS_RETURN_IF_ERROR(
        ss_web_zip_add_array(zip, "random_texts", "<u4", random->texts, random->n, err));
    SS_RETURN_IF_ERROR(ss_web_zip_add_array(zip, "random_offsets", "<u4", random->offsets,
                                            random->n + 1, err));
    SS_RETURN_IF_ERROR(
        ss_web_zip_add_array(zip, "random_features", "<u4", random->features, n_active, err));
    return ss_web_zip_add_array(zip, "random_values", "<f4", random->values, n_active, err);
}
