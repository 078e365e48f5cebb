/* Activations of a part, appended one by one by whatever finds them. */
#include "sae/sae_selector.h"

struct ss_sae_entry *ss_sae_reserve_entries(struct ss_sae_part *part, size_t n)
{
    struct ss_tensor_list *list = part->list;
    if (!ss__grow(&list->items, &list->capacity, part->n_entries + n,
                  sizeof(struct ss_sae_entry))) {
        part->tally->no_memory = true;
        return NULL;
    }
    return list->items;
}

/* Candidates begin a few ulp below the threshold
 * (candidate_min), so that borderline pairs on both sides of it can be counted; a gated SAE
 * fires by the threshold but has the value of another line, which may not be positive. */
void ss_sae_append_if_above(struct ss_sae_part *part, size_t row, size_t feature, float value)
{
    const struct ss_sae_rule *rule = part->rule;
    struct ss_sae_entry *entries = part->list->items;
    const bool has_gain = rule->gains != NULL;
    const float kept = has_gain ? value * rule->gains[feature] + rule->shifts[feature] : value;
    if (value > rule->thresholds[feature] && (kept > 0 || !has_gain)) {
        entries[part->n_entries++] =
            (struct ss_sae_entry){(uint32_t)row, (uint32_t)feature, kept};
    }
    part->tally->n_borderline += value <= rule->borderline_max[feature];
}
