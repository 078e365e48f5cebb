/* The table of options, and the one parser that reads them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *const text_units[] = {"line", "paragraph", "document", NULL};
static const char *const formats[] = {"jsonl", "json",    "csv",   "tsv",
                                      "txt",   "parquet", "arrow", NULL};
static const char *const bad_row_rules[] = {"stop", "skip", NULL};
static const char *const sae_formats[] = {"saes-for-sbert",
                                          "saelens",
                                          "gemma-scope",
                                          "sparsify",
                                          "latent-sae",
                                          "dictionary_learning",
                                          "saerch",
                                          "openai",
                                          "hypothesaes",
                                          "sentence-transformers",
                                          NULL};
static const char *const null_rules[] = {"stop", "zero", "nan", "skip", NULL};
static const char *const sae_targets[] = {"seed", "saelens", NULL};
static const char *const precisions[] = {"highest", "high", "medium", "low", NULL};
static const char *const batchtopk_rules[] = {"refuse", "threshold", "row-topk", "batch", NULL};
static const char *const orders[] = {"rate", "max", "mean", "texts", "feature", NULL};
static const char *const place_kinds[] = {"model", "sae", "dataset", NULL};
static const char *const everything[] = {"all", NULL};
static const char *const evidence_kinds[] = {"full", "light", "none", NULL};
static const char *const methods[] = {"contrast", "seed", "none", NULL};
static const char *const family_rules[] = {"parents", "seed", "seed-keywords", "saerch", NULL};
static const char *const family_scores[] = {"phi", "npmi", "conditional", NULL};
static const char *const seed_variants[] = {"explainer", "tutorial", NULL};
static const char *const exports[] = {"neuronpedia-upload", "neuronpedia-import", NULL};
static const char *const llm_apis[] = {"auto", "openai", "anthropic", NULL};
static const char *const cluster_methods[] = {"ward", "hdbscan", NULL};
static const char *const map_vectors[] = {"centroids", "keywords", NULL};
static const char *const similarities[] = {"centred", "plain", NULL};
static const char *const kinds[] = {"model",   "sae",  "dataset", "weights",
                                    "archive", "json", "run",     NULL};

static const char *const recipes[] = {"saescope", "seed", NULL};
static const char *const sae_kinds[] = {"vanilla", "topk", "batchtopk", "jumprelu", NULL};

const struct cli_option cli_options[N_OPTIONS] = {
    [OPT_MODEL] =
        {"model", 'm', CLI_TEXT, "MODEL", NULL,
         "the sentence encoder: a folder, or ORG/NAME[@REVISION] of the model hub, such as "
         "sentence-transformers/all-MiniLM-L6-v2",
         0},
    [OPT_EMBEDDINGS] =
        {"embeddings", 0, CLI_TEXT, "PATH", NULL,
         "embeddings that were made before, instead of a model: npy, npz, safetensors, or "
         "columns of Parquet, Arrow, JSON lines or CSV: one of lists, or one per dimension",
         0},
    [OPT_EMBEDDING_COLUMN] =
        {"embedding-column", 0, CLI_TEXT, "NAME", NULL,
         "the column or array that holds them, or 'dim_*' for all columns of "
         "numbers with such names; else what can only be meant",
         0},
    [OPT_SAE] = {"sae", 's', CLI_TEXT, "SAE", NULL,
                 "the sparse autoencoder: a folder or file, hf:ORG/NAME[/PATH], or "
                 "wandb:ENTITY/PROJECT/NAME:ALIAS",
                 0},
    [OPT_DATASET] =
        {"dataset", 'd', CLI_LIST, "PATH", NULL,
         "the texts: a file, folder, zip or tar, a pattern in quotes, an https URL, "
         "hf:ORG/NAME of the hub, or - for standard input; may be given again",
         0},
    [OPT_SPLIT] =
        {"split", 0, CLI_TEXT, "NAME", NULL,
         "split of a dataset repository, such as train, train+test or all; else its only one",
         0},
    [OPT_CONFIG] = {"config", 0, CLI_TEXT, "NAME", NULL,
                    "configuration of a dataset repository; else its default one", 0},
    [OPT_CACHE_DATASET] = {"cache-dataset", 0, CLI_FLAG, NULL, NULL,
                           "keep files of the hub in its cache instead of streaming them", 0},
    [OPT_OUT] = {"out", 'o', CLI_TEXT, "PATH", NULL, "where the results go", 0},
    [OPT_SAVE_EMBEDDINGS] = {"save-embeddings", 0, CLI_TEXT, "PATH", NULL,
                             "write the embeddings of this pass as .npy too, for --embeddings",
                             0},
    [OPT_TEXT_COLUMN] = {"text-column", 0, CLI_TEXT, "NAME", NULL,
                         "column of the texts, or '{title}. {abstract}' of several; else "
                         "\"text\", else the only column of strings",
                         0},
    [OPT_KEEP] = {"keep", 0, CLI_TEXT, "NAMES", NULL,
                  "columns to write beside the top texts, with commas between", 0},
    [OPT_FORMAT] = {"format", 0, CLI_CHOICE, "NAME", formats,
                    "format of the dataset, instead of what its content, then its name say", 0},
    [OPT_TEXT_UNIT] = {"text-unit", 0, CLI_CHOICE, "UNIT", text_units,
                       "what one row of a plain text file is", 0},
    [OPT_CSV] = {"csv", 0, CLI_TEXT, "OPTIONS", NULL,
                 "how csv is written, as pandas.read_csv calls it: delimiter=;,quotechar=' and "
                 "so on; tab and comma are words",
                 0},
    [OPT_ENCODING] = {"encoding", 0, CLI_TEXT, "NAME", NULL,
                      "encoding of text files, such as latin-1 or utf-16; else UTF-8", 0},
    [OPT_FIELD] = {"field", 0, CLI_TEXT, "KEY", NULL,
                   "key under which a JSON document has its rows", 0},
    [OPT_ON_BAD_ROW] = {"on-bad-row", 0, CLI_CHOICE, "RULE", bad_row_rules,
                        "what a row that cannot be read does: stop the run, or be left out", 0},
    [OPT_NUM_EXAMPLES] = {"num-examples", 'n', CLI_COUNT, "N", NULL, "stop after N used rows",
                          1},
    [OPT_SKIP_EMPTY] = {"skip-empty", 0, CLI_FLAG, NULL, NULL,
                        "leave out rows without a text instead of failing", 0},
    [OPT_NULL] = {"null", 0, CLI_CHOICE, "RULE", null_rules,
                  "what becomes of a row without a text", 0},
    [OPT_WITH_TEXT] = {"with-text", 0, CLI_FLAG, NULL, NULL, "write the texts, too", 0},
    [OPT_TOP_K] = {"top-k", 'k', CLI_COUNT, "N", NULL, "how many texts to keep per feature", 1},
    [OPT_KEEP_DUPLICATES] = {"keep-duplicates", 0, CLI_FLAG, NULL, NULL,
                             "let equal texts enter a feature's list several times", 0},
    [OPT_EVIDENCE] = {"evidence", 0, CLI_CHOICE, "HOW", evidence_kinds,
                      "how many texts to keep beside the results for labels and their scores",
                      0},
    [OPT_EVIDENCE_BYTES] = {"evidence-bytes", 0, CLI_COUNT, "N", NULL,
                            "keep so few of them that their files stay below N bytes", 1},
    [OPT_SAMPLE_ROWS] = {"sample-rows", 0, CLI_COUNT, "N", everything,
                         "texts to sample from each half of the dataset, or all", 1},
    [OPT_SAMPLE_SEED] = {"sample-seed", 0, CLI_COUNT, "N", NULL,
                         "another number samples other texts", 0},
    [OPT_STEPS] = {"steps", 0, CLI_TEXT, "NAMES", NULL,
                   "what to make of the run afterwards: all, none, or names with commas "
                   "between; there are: labels, families, map",
                   0},
    [OPT_PAIRS_BYTES] = {"pairs-bytes", 0, CLI_COUNT, "N", NULL,
                         "memory for counting which features fire together; what does not fit "
                         "goes to temporary files",
                         1},
    [OPT_NO_PAIRS] = {"no-pairs", 0, CLI_FLAG, NULL, NULL,
                      "do not count which features fire together: no families", 0},
    [OPT_FAMILY_RULE] = {"method", 0, CLI_CHOICE, "NAME", family_rules,
                         "the rule by which families are found", 0},
    [OPT_FAMILY_SCORE] = {"score", 0, CLI_CHOICE, "NAME", family_scores,
                          "what the parent of a feature has most of", 0},
    [OPT_MAX_PARENT_RATE] = {"max-parent-rate", 0, CLI_REAL, "X", NULL,
                             "no parent fires in a larger share of the rows, such as 0.2", 0},
    [OPT_TAU] =
        {"tau", 0, CLI_REAL, "X", NULL,
         "of the other methods: the smallest conditional share that joins two features; "
         "else 0.1",
         0},
    [OPT_PAIRS_PHI] =
        {"pairs-phi", 0, CLI_REAL, "X", NULL,
         "write all pairs whose phi is X or more into pairs.arrow, instead of the "
         "best 50 of each feature",
         0},
    [OPT_MATRIX] = {"matrix", 0, CLI_FLAG, NULL, NULL,
                    "write the dense coactivation_matrix.npy, too", 0},
    [OPT_FAMILY] = {"family", 0, CLI_FLAG, NULL, NULL,
                    "show the family of each feature: what is above and below it", 0},
    [OPT_PROMPT] = {"prompt", 0, CLI_TEXT, "TEXT", NULL,
                    "text to put before every row, '' for none; else as --prompt-name says", 0},
    [OPT_PROMPT_NAME] =
        {"prompt-name", 0, CLI_TEXT, "NAME", NULL,
         "one of the model's named prompts; else the model's default, if it has one", 0},
    [OPT_MAX_TOKENS] = {"max-tokens", 0, CLI_COUNT, "N", NULL,
                        "cut texts after N tokens, below the model's own limit", 2},
    [OPT_TRUNCATE_DIM] = {"truncate-dim", 0, CLI_COUNT, "N", NULL,
                          "keep the first N values of every embedding", 1},
    [OPT_PRECISION] = {"precision", 0, CLI_CHOICE, "LEVEL", precisions,
                       "how exact embeddings are; lower levels are faster", 0},
    [OPT_SAE_FORMAT] = {"sae-format", 0, CLI_CHOICE, "NAME", sae_formats,
                        "format of the SAE, instead of detecting it", 0},
    [OPT_SAE_TOP_K] = {"sae-top-k", 0, CLI_COUNT, "K", NULL,
                       "k of an SAE whose format does not store it", 1},
    [OPT_TO] = {"to", 0, CLI_CHOICE, "FORMAT", sae_targets, "format to write", 0},
    [OPT_ALLOW_ROUNDING] = {"allow-rounding", 0, CLI_FLAG, NULL, NULL,
                            "let thresholds move to the nearest that can be stored", 0},
    [OPT_BATCHTOPK] = {"batchtopk", 0, CLI_CHOICE, "RULE", batchtopk_rules,
                       "rule by which a batch-top-k SAE reads rows", 0},
    [OPT_BATCHTOPK_THRESHOLD] =
        {"batchtopk-threshold", 0, CLI_REAL, "X", NULL,
         "the threshold of the rule \"threshold\"; else it is found on the first rows", 0},
    [OPT_CALIBRATION_ROWS] = {"calibration-rows", 0, CLI_COUNT, "N", NULL,
                              "how many first rows to find that threshold on", 1},
    [OPT_BATCH_ROWS] = {"batch-rows", 0, CLI_COUNT, "N", NULL,
                        "rows of a batch under the rule \"batch\"", 1},
    [OPT_CHECK] =
        {"check", 0, CLI_FLAG, NULL, NULL,
         "read everything in it; exit with 0 if it is sound, else with 65 and an error message",
         0},
    [OPT_ROWS] = {"rows", 0, CLI_COUNT, "N", NULL,
                  "print the first N rows of a dataset as JSON lines", 1},
    [OPT_SEARCH] = {"search", 0, CLI_TEXT, "WORDS", NULL,
                    "features with a top text that holds all these words, whatever their case",
                    0},
    [OPT_RATE] = {"rate", 0, CLI_TEXT, "LOW..HIGH", NULL,
                  "features that fire on so many percent of rows, as 0.1..5, 1.. or ..0.5", 0},
    [OPT_DEAD] = {"dead", 0, CLI_FLAG, NULL, NULL, "features that never fire", 0},
    [OPT_SORT] = {"sort", 0, CLI_CHOICE, "BY", orders,
                  "largest first: rate, max or mean activation, texts that hold the words; or "
                  "feature, by number; else rate, or texts with --search",
                  0},
    [OPT_LIMIT] = {"limit", 0, CLI_COUNT, "N", NULL, "show at most N features", 1},
    [OPT_AS] = {"as", 0, CLI_CHOICE, "KIND", kinds, "what the path is, instead of detecting it",
                0},
    [OPT_METHOD] = {"method", 0, CLI_CHOICE, "NAME", methods,
                    "how labels are made: contrast, from phrases that tell a feature's texts "
                    "from others; seed, as the Python workflow does, from its top texts; none",
                    0},
    [OPT_SEED_VARIANT] = {"seed-variant", 0, CLI_CHOICE, "NAME", seed_variants,
                          "of --method seed: the best three clusters of keywords, or all of "
                          "smaller ones",
                          0},
    [OPT_KEYWORD_MODEL] = {"keyword-model", 0, CLI_TEXT, "MODEL", NULL,
                           "of --method seed: the encoder that ranks a text's words; else the "
                           "run's",
                           0},
    [OPT_NO_SCORE] = {"no-score", 0, CLI_FLAG, NULL, NULL, "make labels without scoring them",
                      0},
    [OPT_NO_SENTENCE_TEST] = {"no-sentence-test", 0, CLI_FLAG, NULL, NULL,
                              "do not score labels on single sentences, which embeds them", 0},
    [OPT_EXPORT] = {"export", 0, CLI_CHOICE, "FORM", exports,
                    "write the labels that are there into a folder of the run in this form", 0},
    [OPT_MODEL_ID] = {"model-id", 0, CLI_TEXT, "ID", NULL,
                      "of an export: the model as the site calls it", 0},
    [OPT_SOURCE_ID] = {"source-id", 0, CLI_TEXT, "ID", NULL,
                       "of an export: the SAE's source there, its layer and set", 0},
    [OPT_AUTHOR_ID] = {"author-id", 0, CLI_TEXT, "ID", NULL,
                       "of neuronpedia-import: whose labels they are", 0},
    [OPT_STOP_WORDS] =
        {"stop-words", 0, CLI_TEXT, "FILE", NULL,
         "words that no phrase begins or ends with, one a line; or none; or auto, the words "
         "that most texts hold; else English ones, where the texts are English",
         0},
    [OPT_SIMILARITY] = {"similarity", 0, CLI_CHOICE, "KIND", similarities,
                        "of label and text in scores: the cosine after subtracting the mean "
                        "embedding, or the plain one",
                        0},
    [OPT_LLM] = {"llm", 0, CLI_TEXT, "URL", NULL,
                 "send texts to the language model at this URL, the base of an API such as "
                 "http://localhost:8080/v1, for labels and descriptions",
                 0},
    [OPT_LLM_MODEL] = {"llm-model", 0, CLI_TEXT, "NAME", NULL,
                       "the model's name there; without --llm the URL is that of "
                       "SAESCOPE_LLM_URL, else of OPENAI_BASE_URL",
                       0},
    [OPT_LLM_API] = {"llm-api", 0, CLI_CHOICE, "NAME", llm_apis,
                     "how it is spoken to: openai is chat completions, which most servers have",
                     0},
    [OPT_LLM_SCORE] = {"llm-score", 0, CLI_TEXT, "KINDS", NULL,
                       "scores of labels by the model, with commas between: detection, which "
                       "texts have the property; simulation, how strongly; or none",
                       0},
    [OPT_LLM_CANDIDATES] = {"llm-candidates", 0, CLI_COUNT, "N", NULL,
                            "ask for N descriptions of a feature, and keep the one whose label "
                            "tells its texts apart best",
                            1},
    [OPT_LLM_HINTS] = {"llm-hints", 0, CLI_FLAG, NULL, NULL,
                       "show the model the labels made without it", 0},
    [OPT_LLM_EFFORT] = {"llm-effort", 0, CLI_TEXT, "WORD", NULL,
                        "reasoning_effort of a reasoning model, such as low", 0},
    [OPT_LLM_JOBS] = {"llm-jobs", 0, CLI_COUNT, "N", NULL, "requests at once", 1},
    [OPT_LLM_TIMEOUT] = {"llm-timeout", 0, CLI_REAL, "SECONDS", NULL,
                         "how long to wait for one answer", 0},
    [OPT_LLM_PRICE] = {"llm-price", 0, CLI_TEXT, "IN,OUT", NULL,
                       "prices of a million tokens, for costs and --max-cost", 0},
    [OPT_MAX_COST] = {"max-cost", 0, CLI_REAL, "X", NULL,
                      "send nothing that could cost more than this in all", 0},
    [OPT_MAX_CALLS] = {"max-calls", 0, CLI_COUNT, "N", NULL, "send at most N requests", 1},
    [OPT_MAX_LLM_TOKENS] = {"max-llm-tokens", 0, CLI_COUNT, "N", NULL,
                            "send nothing that could take more tokens than this in all", 1},
    [OPT_LLM_CACHE] = {"llm-cache", 0, CLI_TEXT, "DIR", NULL,
                       "keep answers here, for several runs, instead of in the run's folder",
                       0},
    [OPT_LLM_AGAIN] = {"llm-again", 0, CLI_FLAG, NULL, NULL,
                       "ask again where an answer from before could not be used", 0},
    [OPT_LLM_LOG_PROMPTS] = {"llm-log-prompts", 0, CLI_FLAG, NULL, NULL,
                             "write prompts to llm/log.jsonl, too", 0},
    [OPT_CLUSTER_METHOD] = {"method", 0, CLI_CHOICE, "NAME", cluster_methods,
                            "how clusters are found: ward, a cut through a tree, which leaves "
                            "no feature out; hdbscan, dense groups, the rest being noise",
                            0},
    [OPT_CLUSTERS] = {"clusters", 0, CLI_COUNT, "N", NULL,
                      "of --method ward: how many; else where the tree's heights differ most",
                      1},
    [OPT_MIN_CLUSTER_SIZE] = {"min-cluster-size", 0, CLI_COUNT, "N", NULL,
                              "of --method hdbscan: features of a cluster, at least", 2},
    [OPT_MIN_SAMPLES] = {"min-samples", 0, CLI_COUNT, "N", NULL,
                         "of --method hdbscan: neighbours that make a place dense; else as "
                         "--min-cluster-size",
                         1},
    [OPT_LEAVES] = {"leaves", 0, CLI_FLAG, NULL, NULL,
                    "of --method hdbscan: the smallest clusters of its tree", 0},
    [OPT_ON] = {"on", 0, CLI_CHOICE, "VECTORS", map_vectors,
                "where a feature lies: at the mean of its texts' embeddings, or of its "
                "keywords'",
                0},
    [OPT_NO_LABELS] = {"no-labels", 0, CLI_FLAG, NULL, NULL,
                       "do not name clusters by contrast of their texts", 0},
    [OPT_PLACE] = {"place", 0, CLI_TEXT, "DATASET", NULL,
                   "texts to place on the map; written to placed.csv", 0},
    [OPT_SEED] = {"seed", 0, CLI_COUNT, "N", NULL, "number that draws begin from", 0},
    [OPT_FEATURE] = {"feature", 0, CLI_COUNT, "N", NULL, "the feature that --label is for", 0},
    [OPT_LABEL] = {"label", 0, CLI_TEXT, "TEXT", NULL, "the label to score", 0},
    [OPT_LABELS] = {"labels", 0, CLI_TEXT, "FILE", NULL,
                    "labels to score: a file with the columns feature and label", 0},
    [OPT_THRESHOLDS] = {"thresholds", 0, CLI_TEXT, "SAE", NULL,
                        "draw the thresholds of this jumprelu SAE instead of a run", 0},
    [OPT_RECIPE] = {"recipe", 0, CLI_CHOICE, "NAME", recipes, "how to train", 0},
    [OPT_KIND] = {"kind", 0, CLI_CHOICE, "KIND", sae_kinds, "kind of SAE; else the recipe's",
                  0},
    [OPT_DICT_SIZE] = {"dict-size", 0, CLI_COUNT, "N", NULL,
                       "features; else 4 times the width of an embedding", 1},
    [OPT_BATCH_SIZE] = {"batch-size", 0, CLI_COUNT, "N", NULL,
                        "rows of a step; else 256, and 1024 from 100,000 rows on", 1},
    [OPT_MAX_STEPS] = {"max-steps", 0, CLI_COUNT, "N", NULL,
                       "steps; else 4 passes over the rows, and at least 2000", 1},
    [OPT_LR] = {"lr", 0, CLI_REAL, "RATE", NULL,
                "the learning rate; else by the number of features", 0},
    [OPT_L1_COEFF] = {"l1-coeff", 0, CLI_REAL, "X", NULL,
                      "weight of the sparsity term of vanilla and jumprelu", 0},
    [OPT_BANDWIDTH] = {"bandwidth", 0, CLI_REAL, "X", NULL,
                       "width of the window in which a threshold of jumprelu learns", 0},
    [OPT_PREFIXES] = {"prefixes", 0, CLI_TEXT, "N,N", NULL,
                      "nested dictionaries (matryoshka): sizes that rise to --dict-size", 0},
    [OPT_CHECKPOINT_STEPS] = {"checkpoint-steps", 0, CLI_COUNT, "N", NULL,
                              "save the state every N steps", 1},
    [OPT_COMPARE] = {"compare", 0, CLI_TEXT, "SAE,SAE", NULL, "further SAEs for the same table",
                     0},
    [OPT_TITLE] = {"title", 0, CLI_TEXT, "TEXT", NULL, "title of the picture", 0},
    [OPT_WIDTH] = {"width", 0, CLI_REAL, "INCHES", NULL, "width of the picture", 0},
    [OPT_HEIGHT] = {"height", 0, CLI_REAL, "INCHES", NULL, "height of the picture", 0},
    [OPT_DPI] = {"dpi", 0, CLI_REAL, "N", NULL, "dots per inch of a png", 0},
    [OPT_BINS] = {"bins", 0, CLI_COUNT, "N", NULL, "number of bars", 1},
    [OPT_FIXED_RANGE] = {"fixed-range", 0, CLI_FLAG, NULL, NULL,
                         "bars over -10 to 0 instead of the data's own range, to compare runs",
                         0},
    [OPT_ZOOM] = {"zoom", 0, CLI_FLAG, NULL, NULL,
                  "the features that fire alone, the axis over their rates", 0},
    [OPT_BUDGET] = {"budget", 0, CLI_COUNT, "BYTES", NULL,
                    "how large the file may be; less of the texts is shown to stay below", 1},
    [OPT_NO_TEXTS] = {"no-texts", 0, CLI_FLAG, NULL, NULL, "leave out all texts of the dataset",
                      0},
    [OPT_EXTRACT] = {"extract", 0, CLI_TEXT, "FILE", NULL,
                     "write the arrays in this report as .npz instead", 0},
    [OPT_PORT] = {"port", 0, CLI_COUNT, "N", NULL, "port to listen on; else one that is free",
                  1},
    [OPT_MEANING] = {"meaning", 0, CLI_FLAG, NULL, NULL,
                     "texts that mean what the query means, by the run's encoder", 0},
    [OPT_FEATURES] = {"features", 0, CLI_FLAG, NULL, NULL,
                      "features whose label and keywords hold the words", 0},
    [OPT_BY] = {"by", 0, CLI_TEXT, "COLUMN", NULL,
                "compare groups of texts of one run, by the values of a column that was kept",
                0},
    [OPT_MOST_Q] = {"most-q", 0, CLI_REAL, "Q", NULL,
                    "list differences whose q-value is at most this", 0},
    [OPT_PRINT_CSV] = {"print-csv", 0, CLI_FLAG, NULL, NULL, "print all differences as CSV", 0},
    [OPT_THREADS] = {"threads", 't', CLI_COUNT, "N", NULL,
                     "threads to use; else one per core; results do not depend on it", 1},
    [OPT_BATCH_TOKENS] =
        {"batch-tokens", 0, CLI_COUNT, "N", NULL,
         "tokens of a batch; else as suits the machine; results do not depend on it", 1},
    [OPT_FORCE] = {"force", 'f', CLI_FLAG, NULL, NULL, "replace an output that exists", 0},
    [OPT_OFFLINE] = {"offline", 0, CLI_FLAG, NULL, NULL,
                     "make no network requests; use what was fetched before", 0},
    [OPT_DRY_RUN] = {"dry-run", 0, CLI_FLAG, NULL, NULL,
                     "change nothing, say what would be removed", 0},
    [OPT_FETCH_AS] = {"as", 0, CLI_CHOICE, "KIND", place_kinds, "what the name is of", 0},
    [OPT_JSON] = {"json", 0, CLI_FLAG, NULL, NULL, "print the result as JSON", 0},
    [OPT_QUIET] = {"quiet", 'q', CLI_FLAG, NULL, NULL, "print nothing but results and errors",
                   0},
    [OPT_NO_COLOR] = {"no-color", 0, CLI_FLAG, NULL, NULL, "no colours, as with NO_COLOR", 0},
    [OPT_HELP] = {"help", 'h', CLI_FLAG, NULL, NULL, "show this help", 0},
};

size_t cli_n_uses(const struct cli_command *command)
{
    size_t n = 0;
    while (n < CLI_MAX_USES && command->uses[n].id != OPT_NONE) {
        n++;
    }
    return n;
}

const struct cli_use *cli_command_use(const struct cli_command *command, cli_option_id id)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        if (command->uses[i].id == id) {
            return &command->uses[i];
        }
    }
    return NULL;
}

/* ---- values ---- */

static bool read_count(const char *text, uint64_t *value)
{
    static const struct {
        char suffix;
        uint64_t factor;
    } suffixes[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
    uint64_t sum = 0, factor = 1;
    size_t n = strlen(text);
    for (size_t i = 0; n > 1 && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (text[n - 1] == suffixes[i].suffix) {
            factor = suffixes[i].factor;
            n--;
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum)) {
            return false;
        }
    }
    return n > 0 && !__builtin_mul_overflow(sum, factor, value);
}

static bool read_real(const char *text, double *value)
{
    char *end = NULL;
    const bool starts_well = (text[0] >= '0' && text[0] <= '9') || text[0] == '.';
    errno = 0;
    *value = strtod(text, &end);
    return starts_well && *end == '\0' && errno == 0 && *value > 0 && *value < 1e12;
}

static bool is_choice(const struct cli_option *option, const char *text)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            return true;
        }
    }
    return false;
}

const char *cli_choice_at(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

static int wrong_choice(const struct cli_command *command, const struct cli_option *option,
                        const char *text)
{
    char list[256] = "";
    size_t n = 0;
    for (; option->choices[n] != NULL; n++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n == 0 ? "" : ", ",
                 option->choices[n]);
    }
    const char *meant = cli_suggest(text, cli_choice_at, option->choices, n);
    return cli_usage_error(command, "--%s: '%s' is not one of %s%s%s%s", option->name, text,
                           list, meant == NULL ? "" : "; did you mean '",
                           meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
}

static int take_list(const struct cli_command *command, struct cli_values *values,
                     const char *text)
{
    if (values->n_list == CLI_MAX_LIST) {
        return cli_usage_error(command, "--dataset is given more than %d times", CLI_MAX_LIST);
    }
    values->list[values->n_list++] = text;
    return CLI_OK;
}

static int take_value(const struct cli_command *command, struct cli_values *values,
                      cli_option_id id, const char *text, const char *origin)
{
    const struct cli_option *option = &cli_options[id];
    if (option->kind == CLI_LIST) {
        const int code = take_list(command, values, text);
        if (code != CLI_OK) {
            return code;
        }
    } else if (values->text[id] != NULL) {
        return cli_usage_error(command, "--%s is given twice", option->name);
    }
    values->text[id] = text;
    values->origin[id] = origin;
    if (option->kind == CLI_CHOICE && !is_choice(option, text)) {
        return wrong_choice(command, option, text);
    }
    if (option->kind == CLI_REAL && !read_real(text, &values->real[id])) {
        return cli_usage_error(command, "--%s: '%s' is not a number above 0", option->name,
                               text);
    }
    if (option->kind == CLI_COUNT && option->choices != NULL && is_choice(option, text)) {
        values->count[id] = UINT64_MAX;
        return CLI_OK;
    }
    if (option->kind == CLI_COUNT &&
        (!read_count(text, &values->count[id]) || values->count[id] < option->least)) {
        return cli_usage_error(
            command, "--%s: '%s' is not a whole number of %llu or more, such as 1000 or 1k",
            option->name, text, (unsigned long long)option->least);
    }
    if (option->kind == CLI_COUNT) {
        snprintf(values->number[id], CLI_NUMBER_BYTES, "%llu",
                 (unsigned long long)values->count[id]);
    } else if (option->kind == CLI_REAL) {
        cli_number(values->real[id], values->number[id]);
    }
    return CLI_OK;
}

/* ---- words ---- */

static const char *use_name_at(const void *command, size_t index)
{
    return cli_options[((const struct cli_command *)command)->uses[index].id].name;
}

static const struct cli_use *find_long(const struct cli_command *command, const char *name,
                                       size_t n)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const char *known = use_name_at(command, i);
        if (strlen(known) == n && strncmp(known, name, n) == 0) {
            return &command->uses[i];
        }
    }
    return NULL;
}

static const struct cli_use *find_letter(const struct cli_command *command, char letter)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        if (cli_options[command->uses[i].id].letter == letter) {
            return &command->uses[i];
        }
    }
    return NULL;
}

static int unknown_option(const struct cli_command *command, const char *word)
{
    const char *bare = word + strspn(word, "-");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
    const char *meant = cli_suggest(name, use_name_at, command, cli_n_uses(command));
    if (meant != NULL) {
        return cli_usage_error(command, "unknown option '%s'; did you mean '--%s'?", word,
                               meant);
    }
    return cli_usage_error(command, "unknown option '%s'", word);
}

/* An option as it stands: what is attached to it, and the word behind it, NULL where there is
 * none. */
struct stated {
    bool is_long;
    const char *value, *next;
};

/* *used becomes how many words the option took. */
static int take_found(const struct cli_command *command, struct cli_values *values,
                      const struct cli_use *use, const struct stated *stated, int *used)
{
    const struct cli_option *option = &cli_options[use->id];
    const char *value = stated->value;
    if (option->kind == CLI_FLAG) {
        if (value != NULL) {
            return cli_usage_error(command, "--%s takes no value", option->name);
        }
        const bool is_short_help = use->id == OPT_HELP && !stated->is_long;
        return take_value(command, values, use->id, is_short_help ? "-h" : "", "command line");
    }
    if (value == NULL && stated->next == NULL) {
        return cli_usage_error(command, "--%s needs a value: --%s %s", option->name,
                               option->name, option->placeholder);
    }
    *used = value == NULL ? 2 : 1;
    return take_value(command, values, use->id, value == NULL ? stated->next : value,
                      "command line");
}

/* -n 9, -n9, and flags in one word: -qf, -qn9. */
static int take_letters(const struct cli_command *command, struct cli_values *values,
                        const char *word, const char *next, int *used)
{
    for (size_t i = 1; word[i] != '\0'; i++) {
        const struct cli_use *use = find_letter(command, word[i]);
        if (use == NULL) {
            return unknown_option(command, word);
        }
        const bool is_flag = cli_options[use->id].kind == CLI_FLAG;
        const struct stated stated = {
            .value = is_flag || word[i + 1] == '\0' ? NULL : word + i + 1, .next = next};
        const int code = take_found(command, values, use, &stated, used);
        if (code != CLI_OK || !is_flag) {
            return code;
        }
    }
    return CLI_OK;
}

/* One option word with its value; *used becomes how many words it took. */
static int take_option(const struct cli_command *command, struct cli_values *values, int n,
                       char *const *words, int *used)
{
    const char *word = words[0];
    const char *next = n > 1 ? words[1] : NULL;
    *used = 1;
    if (word[1] != '-') {
        return take_letters(command, values, word, next, used);
    }
    const char *equals = strchr(word, '=');
    const size_t n_name = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word + 2);
    const struct cli_use *use = find_long(command, word + 2, n_name);
    const struct stated stated = {
        .is_long = true, .value = equals == NULL ? NULL : equals + 1, .next = next};
    return use == NULL ? unknown_option(command, word)
                       : take_found(command, values, use, &stated, used);
}

/* SAESCOPE_TOP_K for --top-k, and so on; options of the command line take precedence. */
static int take_environment(const struct cli_command *command, struct cli_values *values)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const cli_option_id id = command->uses[i].id;
        char name[96];
        const char *value = getenv(cli_environment_of(id, name));
        if (value == NULL || value[0] == '\0' || cli_given(values, id) || id == OPT_HELP) {
            continue;
        }
        const bool is_flag = cli_options[id].kind == CLI_FLAG;
        if (is_flag && strcmp(value, "0") == 0) {
            continue;
        }
        const int code = take_value(command, values, id, is_flag ? "" : value, "environment");
        if (code != CLI_OK) {
            return code;
        }
    }
    return CLI_OK;
}

static size_t find_missing(const struct cli_command *command, const struct cli_values *values)
{
    size_t n = 0;
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        n += command->uses[i].required && !cli_given(values, command->uses[i].id);
    }
    return n;
}

/* All that is missing in one sentence, with an example. A model and a dataset are, too, where
 * embeddings could stand for them and do not. */
static int missing_options(const struct cli_command *command, const struct cli_values *values)
{
    char list[256] = "";
    size_t n_missing = 0;
    const bool has_required = find_missing(command, values) > 0;
    const bool takes_texts =
        cli_command_use(command, OPT_EMBEDDINGS) != NULL && !cli_given(values, OPT_EMBEDDINGS);
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_use *use = &command->uses[i];
        const bool is_text = use->id == OPT_MODEL || use->id == OPT_DATASET;
        if (has_required && !cli_given(values, use->id) &&
            (use->required || (is_text && takes_texts))) {
            const size_t n = strlen(list);
            snprintf(list + n, sizeof list - n, "%s--%s %s", n_missing == 0 ? "" : ", ",
                     cli_options[use->id].name, cli_options[use->id].placeholder);
            n_missing++;
        }
    }
    return n_missing == 0
               ? CLI_OK
               : cli_usage_error(command, "%s %s needed, as in: %s", list,
                                 n_missing == 1 ? "is" : "are", command->examples[0].command);
}

static int take_defaults(const struct cli_command *command, struct cli_values *values)
{
    const int missing = missing_options(command, values);
    if (missing != CLI_OK) {
        return missing;
    }
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_use *use = &command->uses[i];
        if (cli_given(values, use->id)) {
            continue;
        }
        if (use->fallback != NULL) {
            const int code = take_value(command, values, use->id, use->fallback, "default");
            if (code != CLI_OK) {
                return code;
            }
        }
    }
    return CLI_OK;
}

static int check_arguments(const struct cli_command *command, const struct cli_values *values)
{
    if (values->n_arguments > command->n_most) {
        return cli_usage_error(command, "unexpected argument '%s'",
                               values->arguments[command->n_most]);
    }
    if (values->n_arguments < command->n_least) {
        return cli_usage_error(command, "%s is needed", command->argument);
    }
    return CLI_OK;
}

int cli_parse(const struct cli_command *command, int n, char *const *words,
              struct cli_values *values)
{
    *values = (struct cli_values){0};
    values->list = calloc(CLI_MAX_LIST, sizeof *values->list);
    values->arguments = calloc((size_t)n + 1, sizeof *values->arguments);
    if (values->list == NULL || values->arguments == NULL) {
        return cli_usage_error(command, "out of memory");
    }
    bool only_arguments = false;
    for (int at = 0, used = 1; at < n; at += used) {
        const char *word = words[at];
        used = 1;
        if (!only_arguments && strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (only_arguments || word[0] != '-' || word[1] == '\0') {
            values->arguments[values->n_arguments++] = word;
        } else {
            const int code = take_option(command, values, n - at, words + at, &used);
            if (code != CLI_OK) {
                return code;
            }
        }
    }
    if (cli_given(values, OPT_HELP)) {
        return CLI_OK;
    }
    if (cli_given(values, OPT_JSON)) {
        cli_errors_as_json();
    }
    int code = take_environment(command, values);
    code = code == CLI_OK ? take_defaults(command, values) : code;
    return code == CLI_OK ? check_arguments(command, values) : code;
}

void cli_values_release(struct cli_values *values)
{
    free(values->list);
    free(values->arguments);
    *values = (struct cli_values){0};
}
