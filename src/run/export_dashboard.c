/* Features as SAEDashboard's runner for Neuronpedia writes them: batch-N.json.
 *
 * A text's tokens are its words with the space before each, and its activation stands on every
 * one. Features that go together are those whose activations correlate most. What a model of text
 * embeddings does not have is empty: logits, neurons. */
#include <string.h>

#include "run/export.h"

static const char *const of_neurons[] = {
    "neuron_alignment_indices",   "neuron_alignment_values",    "neuron_alignment_l1",
    "correlated_neurons_indices", "correlated_neurons_pearson", "correlated_neurons_l1"};
static const char *const of_logits[] = {"neg_str", "neg_values", "pos_str", "pos_values"};
static const char *const logits[] = {"logits_hist_data_bar_values",
                                     "logits_hist_data_bar_heights"};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

void ss_run_export_put_statistics(struct ss__json_writer *writer,
                                  const struct ss_run_exporting *exporting, size_t feature,
                                  const struct ss_run_export_feature *gathered)
{
    const ss_run *run = exporting->run;
    ss_run_export_put_empty(writer, of_neurons, COUNT_OF(of_neurons));
    ss_run_export_put_partners(
        writer, exporting->partners == NULL ? NULL : &exporting->partners[feature]);
    ss_run_export_put_empty(writer, of_logits, COUNT_OF(of_logits));
    ss__put_number(writer, "frac_nonzero",
                   run->info.n_rows_used == 0 ? 0
                                              : (double)run->features[feature].n_fires /
                                                    (double)run->info.n_rows_used);
    ss_run_export_put_numbers(writer, "freq_hist_data_bar_values", gathered->bar_middles,
                              gathered->n_bars);
    ss_run_export_put_numbers(writer, "freq_hist_data_bar_heights", gathered->bar_heights,
                              gathered->n_bars);
    ss_run_export_put_empty(writer, logits, COUNT_OF(logits));
}

static void put_text(struct ss__json_writer *writer, const struct ss_run_export_text *text)
{
    ss__put_open(writer, NULL, '{');
    ss__put_number(writer, "bin_min", text->bin_min);
    ss__put_number(writer, "bin_max", text->bin_max);
    ss__put_number(writer, "bin_contains", text->bin_contains);
    const size_t n = ss_run_export_put_words(writer, "tokens", text->text);
    ss_run_export_put_repeated(writer, "values", (double)text->value, n);
    ss__put_count(writer, "qualifying_token_index", 0);
    ss__put_close(writer, '}');
}

static ss_status begin_batch(struct ss_run_exporting *exporting, ss_err *err)
{
    struct ss__json_writer *writer = &exporting->writer;
    struct ss_run_export_source source;
    SS_RETURN_IF_ERROR(ss_run_export_source_parse(exporting->options->source_id, &source, err));
    ss__put_open(writer, NULL, '{');
    ss__put_text(writer, "model_id", exporting->options->model_id);
    ss__put_count(writer, "layer", source.layer);
    ss__put_string(writer, "sae_set", source.set);
    if (source.suffix.data == NULL) {
        ss__put_null(writer, "sae_id_suffix");
    } else {
        ss__put_string(writer, "sae_id_suffix", source.suffix);
    }
    ss__put_open(writer, "features", '[');
    return SS_OK;
}

ss_status ss_run_export_dashboard_add(struct ss_run_exporting *exporting, size_t feature,
                                      ss_err *err)
{
    struct ss__json_writer *writer = &exporting->writer;
    const struct ss_run_info *info = &exporting->run->info;
    struct ss_run_export_feature gathered;
    if (exporting->n == 0) {
        writer->style = SS__JSON_COMPACT;
        SS_RETURN_IF_ERROR(begin_batch(exporting, err));
    }
    ss_run_export_gather(exporting, feature, &gathered);
    ss__put_open(writer, NULL, '{');
    ss__put_count(writer, "feature_index", feature);
    ss_run_export_put_statistics(writer, exporting, feature, &gathered);
    ss__put_count(writer, "n_prompts_total", info->n_rows_used);
    ss__put_number(writer, "n_tokens_in_prompt",
                   info->n_rows_used == 0 ? 0
                                          : (double)info->n_tokens / (double)info->n_rows_used);
    ss__put_text(writer, "dataset", info->dataset_name);
    ss_run_export_put_empty(writer, (const char *const[]){"decoder_weights_dist", "vector"}, 2);
    ss__put_open(writer, "activations", '[');
    for (size_t i = 0; i < gathered.n; i++) {
        put_text(writer, &gathered.texts[i]);
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}
