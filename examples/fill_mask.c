/* Fill the mask of a sentence:
 *     fill_mask MODEL "The goal of this paper is [MASK]." */
#include <stdio.h>
#include <string.h>

#include <saescope.h>

int main(int n, char **words)
{
    ss_encoder *encoder = NULL;
    ss_work *work = NULL;
    struct ss_mask_result result = {0};
    ss_err err;
    if (n != 3) {
        fprintf(stderr, "usage: fill_mask MODEL TEXT\n");
        return 64;
    }
    struct ss_encoder_options options = {.struct_size = sizeof options, .with_mask_head = true};
    const struct ss_text text = {words[2], strlen(words[2])};
    ss_status status = ss_work_new(0, &work, &err);
    options.work = work;
    status = status == SS_OK ? ss_encoder_open(words[1], &options, &encoder, &err) : status;
    status = status == SS_OK ? ss_fill_mask(encoder, work, text, 5, &result, &err) : status;
    for (size_t i = 0; status == SS_OK && i < result.n_masks * result.n_candidates; i++) {
        printf("%.4f  %s\n", (double)result.candidates[i].score, result.candidates[i].sequence);
    }
    if (status != SS_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    ss_mask_result_release(&result);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return ss_status_exit_code(status);
}
