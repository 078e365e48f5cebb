/* How a batch-top-k SAE is read row by row: what its rule says before it is bound to
 * parameters.
 *
 * Training keeps the k B largest activations of a batch of B rows, which says nothing about one
 * text. What may stand for it: a threshold that training stored in the file, which wins unless
 * the user chose otherwise; a threshold that is given or calibrated; the k largest of each row;
 * or the batches of training. docs/spec/sae-formats.md, §1.3. */
#include <math.h>

#include "sae/sae_priv.h"

bool ss_sae_uses_stored_threshold(const struct ss_sae_rule *rule)
{
    return rule->has_stored_threshold && rule->batchtopk == SS_BATCHTOPK_REFUSE;
}

bool ss_sae_needs_batchtopk_choice(const struct ss_sae_rule *rule)
{
    return rule->kind == SS_SAE_BATCHTOPK && !ss_sae_uses_stored_threshold(rule);
}

/* A threshold that is finite has been given or calibrated already: nothing waits. */
uint64_t ss_sae_rule_calibration_rows(const struct ss_sae_rule *rule)
{
    const bool waits = rule->kind == SS_SAE_BATCHTOPK &&
                       rule->batchtopk == SS_BATCHTOPK_THRESHOLD &&
                       !isfinite(rule->batchtopk_threshold);
    return waits ? rule->calibration_rows : 0;
}
