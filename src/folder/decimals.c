/* Numbers of descriptions as text. */
#include <math.h>

#include "base/number.h"
#include "folder/descriptions.h"

void ss_folder_descriptions_add_decimals(struct ss__buf *buf, double value)
{
    char text[64];
    char number[SS__DOUBLE_TEXT_BYTES];
    double rounded = 0;
    const int n = isfinite(value) ? ss__snprintf(text, sizeof text, "%.6f", value) : 0;
    if (n <= 0 || (size_t)n >= sizeof text || !ss__parse_double(text, (size_t)n, &rounded)) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add(buf, number, ss__format_double(rounded == 0 ? 0 : rounded, number));
}
