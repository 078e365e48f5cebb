/* The font of pictures, opened from its file. Looking one up by fontconfig takes most of a
 * picture's time, and crashes where memory runs out, so that is left to systems where the file
 * is in none of the usual folders. */
#ifndef SS_VIEW_FONT_H
#define SS_VIEW_FONT_H

#include <cairo.h>
#include <stdbool.h>

/* Select the font for a context; false where memory runs out. Threads: any. */
bool ss_view_font_select(cairo_t *cairo);

#endif
