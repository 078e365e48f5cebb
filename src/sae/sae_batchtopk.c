/* How a batch-top-k SAE is read row by row: what its rule says before it is bound to
 * parameters. */
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

uint64_t ss_sae_rule_calibration_rows(const struct ss_sae_rule *rule)
{
    const bool waits = rule->kind == SS_SAE_BATCHTOPK &&
                       rule->batchtopk == SS_BATCHTOPK_THRESHOLD &&
                       !isfinite(rule->batchtopk_threshold);
    return waits ? rule->calibration_rows : 0;
}
