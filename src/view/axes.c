/* Axes in the manner of the usual plotting library: ticks outward, a thin black frame, steps of
 * 1, 2, 2.5 or 5 times a power of ten, sans-serif labels of 10 points under a title of 12. */
#include "view/axes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

#define LABEL_SIZE 10.0
#define TITLE_SIZE 12.0
#define CAPTION_SIZE 9.0
#define MIN_SIZE 8.0       /* of titles and captions that do not fit otherwise */
#define MIN_DATA_SHARE 0.4 /* of the canvas's height, where there is a caption */
#define LINE_WIDTH 0.8
#define TICK_LENGTH 3.5
#define TICK_PAD 3.5
#define LABEL_PAD 5.0
#define EDGE 10.0 /* of the canvas, left white */
#define LINE_HEIGHT 1.25
#define MAX_INTERVALS 9.0
#define X_TICK_SPACE 3.0 /* of label sizes, between ticks */
#define Y_TICK_SPACE 2.0

enum { TICK_TEXT_BYTES = 64 };

static const struct ss_view_color black = {0, 0, 0};
static const struct ss_view_color pale = {0.85, 0.85, 0.85};
static const struct ss_view_color gray = {0.3, 0.3, 0.3};

/* The smallest of the usual steps that leaves `space` points between ticks; a whole number
 * where the scale counts things. */
static void lay_out_ticks(struct ss_view_scale *scale, double space)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    const double length = fabs(scale->end - scale->start);
    const double n_most = fmin(MAX_INTERVALS, fmax(1.0, floor(length / space)));
    const double least = (scale->high - scale->low) / n_most;
    const double power = pow(10, floor(log10(least)));
    size_t i = 0;
    while (i < 4 && (steps[i] * power < least * (1 - 1e-9) ||
                     (scale->integers && floor(steps[i] * power) != steps[i] * power))) {
        i++;
    }
    scale->tick_step = steps[i] * power;
    if (scale->integers) {
        scale->tick_step = fmax(1.0, scale->tick_step);
    }
    /* A tick that misses an end by rounding alone still belongs to it. */
    const double slack = 1e-6;
    const double first = ceil(scale->low / scale->tick_step - slack);
    const double last = floor(scale->high / scale->tick_step + slack);
    scale->first_tick = first * scale->tick_step;
    scale->n_ticks = last < first ? 0 : (size_t)(last - first) + 1;
}

/* A whole number of steps, so that zero is zero and not what sums left of it. */
static double tick_value(const struct ss_view_scale *scale, size_t index)
{
    const double whole = round(scale->first_tick / scale->tick_step) + (double)index;
    return whole * scale->tick_step;
}

/* Digits with a true minus sign and, from 10,000, commas between thousands. */
static void group_digits(char text[TICK_TEXT_BYTES], bool negative)
{
    char out[TICK_TEXT_BYTES];
    const size_t n_whole = strcspn(text, ".");
    size_t n = 0;
    if (negative) {
        n = (size_t)snprintf(out, sizeof out, "\xE2\x88\x92");
    }
    for (size_t i = 0; text[i] != '\0' && n + 2 < sizeof out; i++) {
        if (i > 0 && i < n_whole && n_whole > 4 && (n_whole - i) % 3 == 0) {
            out[n++] = ',';
        }
        out[n++] = text[i];
    }
    out[n] = '\0';
    memcpy(text, out, n + 1);
}

/* All ticks of a scale have as many decimals as its step needs. */
static void format_tick(const struct ss_view_scale *scale, size_t index,
                        char text[TICK_TEXT_BYTES])
{
    const double value = tick_value(scale, index);
    const double most = fmax(fabs(scale->low), fabs(scale->high));
    int n_decimals = 0;
    double step = scale->tick_step;
    if (most >= 1e9 || scale->tick_step < 1e-5) {
        ss__snprintf(text, TICK_TEXT_BYTES, "%.4g", value);
        return;
    }
    while (fabs(step - round(step)) > 1e-6 * step && n_decimals < 9) {
        step *= 10;
        n_decimals++;
    }
    ss__snprintf(text, TICK_TEXT_BYTES, "%.*f", n_decimals, fabs(value));
    group_digits(text, value < 0);
}

/* How far the frame must stand from the edge. */
static double widest_tick(const struct ss_view_scale *scale, struct ss_view_canvas *canvas)
{
    char text[TICK_TEXT_BYTES];
    double widest = 0;
    for (size_t i = 0; i < scale->n_ticks; i++) {
        format_tick(scale, i, text);
        widest = fmax(widest, ss_view_canvas_text_width(canvas, text, LABEL_SIZE));
    }
    return widest;
}

/* ---- title and caption ---- */

/* Bytes of the longest part of a text that fits into `width`: up to a space if there is one,
 * and at least one character. */
static size_t fitting_bytes(struct ss_view_canvas *canvas, char *text, double size,
                            double width)
{
    size_t n_fit = 0;
    size_t n_words = 0;
    size_t i = 0;
    while (text[i] != '\0') {
        uint32_t code_point = 0;
        const size_t n_step = ss__utf8_decode(text + i, strlen(text + i), &code_point);
        const size_t next = i + (n_step == 0 ? 1 : n_step);
        const char kept = text[next];
        text[next] = '\0';
        const bool fits = ss_view_canvas_text_width(canvas, text, size) <= width;
        text[next] = kept;
        if (!fits && n_fit > 0 && text[i] != ' ') {
            return n_words > 0 ? n_words : n_fit;
        }
        if (!fits && text[i] == ' ') {
            return i;
        }
        if (text[i] == ' ') {
            n_words = i;
        }
        n_fit = next;
        i = next;
    }
    return n_fit;
}

/* Break a text into lines; false if it needs more than `n_most` of them, the last of which is
 * then cut. */
static bool wrap(struct ss_view_canvas *canvas, char *text, double width, size_t n_most,
                 struct ss_view_lines *lines)
{
    const double size = lines->size;
    lines->text.n_bytes = 0;
    lines->n_lines = 0;
    char *rest = text;
    while (*rest == ' ') {
        rest++;
    }
    while (*rest != '\0') {
        const bool is_last = lines->n_lines + 1 == n_most;
        const double available = is_last ? width - size : width; /* for an ellipsis */
        size_t n = fitting_bytes(canvas, rest, size, width);
        const bool is_cut = is_last && rest[n] != '\0';
        if (is_cut) {
            n = fitting_bytes(canvas, rest, size, available);
        }
        ss__buf_add(&lines->text, rest, n);
        ss__buf_add_text(&lines->text, is_cut ? "…" : "");
        ss__buf_add_byte(&lines->text, '\0');
        lines->n_lines++;
        if (is_cut) {
            return false;
        }
        rest += n;
        while (*rest == ' ') {
            rest++;
        }
    }
    return true;
}

/* Break a text that needs several lines into lines of about the same length. */
static void balance(struct ss_view_canvas *canvas, char *text, double width,
                    struct ss_view_lines *lines)
{
    const size_t n = lines->n_lines;
    const double step = width / 20;
    double narrowest = width;
    while (narrowest > width / 3 && wrap(canvas, text, narrowest - step, n, lines)) {
        narrowest -= step;
    }
    (void)wrap(canvas, text, narrowest, n, lines);
}

/* In one line where it fits; else in several, in smaller letters if need be, of about the same
 * length. */
static ss_status lay_out_lines(struct ss_view_canvas *canvas, const char *text, double size,
                               struct ss_view_lines *lines, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf clean = {0};
    const double width = canvas->width - 2 * EDGE;
    ss_view_clean_text(text == NULL ? "" : text, &clean);
    SS_TRY(ss__buf_check(&clean, err));
    lines->size = size;
    if (!wrap(canvas, clean.data, width, 1, lines)) {
        while (!wrap(canvas, clean.data, width, SS_VIEW_TITLE_LINES, lines) &&
               lines->size > MIN_SIZE) {
            lines->size -= 1.0;
        }
        balance(canvas, clean.data, width, lines);
    }
    SS_TRY(ss__buf_check(&lines->text, err));
out:
    ss__buf_release(&clean);
    return status;
}

static double lines_height(const struct ss_view_lines *lines)
{
    return (double)lines->n_lines * lines->size * LINE_HEIGHT;
}

/* Every line over the middle of the data where it is wide enough, else over the canvas. */
static void draw_lines(const struct ss_view_lines *lines, struct ss_view_canvas *canvas,
                       double middle, double top)
{
    const char *line = lines->text.data;
    for (size_t i = 0; i < lines->n_lines; i++) {
        const double half = ss_view_canvas_text_width(canvas, line, lines->size) / 2;
        const double centre = fmin(fmax(middle, EDGE + half), canvas->width - EDGE - half);
        const double y = top + lines->size * (0.8 + (double)i * LINE_HEIGHT);
        ss_view_canvas_text(canvas, line, lines->size, SS_VIEW_ALIGN_CENTER,
                            (double[2]){centre, y});
        line += strlen(line) + 1;
    }
}

/* ---- the whole ---- */

static double caption_height(const struct ss_view_axes *axes)
{
    return axes->caption.n_lines > 0 ? lines_height(&axes->caption) + LABEL_PAD : 0;
}

/* From the outside in: title and caption take their heights, then the texts of the x axis, and
 * the widest number of the y axis says where the data begin. A caption that would leave too
 * little for the data is left out; an .svg still has it as its description. */
ss_status ss_view_axes_lay_out(struct ss_view_axes *axes, struct ss_view_canvas *canvas,
                               const char *title, const char *caption, ss_err *err)
{
    struct ss_view_scale *x = &axes->x;
    struct ss_view_scale *y = &axes->y;
    SS_RETURN_IF_ERROR(lay_out_lines(canvas, title, TITLE_SIZE, &axes->title, err));
    SS_RETURN_IF_ERROR(lay_out_lines(canvas, caption, CAPTION_SIZE, &axes->caption, err));
    const double ticks_height = TICK_LENGTH + TICK_PAD + LABEL_SIZE;
    const bool has_x_label = x->label != NULL && x->label[0] != '\0';
    const bool has_y_label = y->label != NULL && y->label[0] != '\0';
    y->end = EDGE + lines_height(&axes->title) + (axes->title.n_lines > 0 ? LABEL_PAD : 0);
    y->start =
        canvas->height - EDGE - ticks_height - (has_x_label ? LABEL_PAD + LABEL_SIZE : 0);
    const double above = y->start - caption_height(axes);
    if (above - y->end < MIN_DATA_SHARE * canvas->height) {
        axes->caption.n_lines = 0;
    } else {
        y->start = above;
    }
    y->start = fmax(y->start, y->end + LABEL_SIZE);
    lay_out_ticks(y, Y_TICK_SPACE * LABEL_SIZE);
    x->start = EDGE + (has_y_label ? LABEL_SIZE + LABEL_PAD : 0) + widest_tick(y, canvas) +
               TICK_PAD + TICK_LENGTH;
    x->end = fmax(canvas->width - EDGE - LABEL_SIZE / 2, x->start + LABEL_SIZE);
    lay_out_ticks(x, X_TICK_SPACE * LABEL_SIZE);
    /* Labels wider than usual ask for fewer ticks. */
    lay_out_ticks(x, fmax(X_TICK_SPACE * LABEL_SIZE, 1.5 * widest_tick(x, canvas)));
    return SS_OK;
}

double ss_view_scale_at(const struct ss_view_scale *scale, double value)
{
    const double share = (value - scale->low) / (scale->high - scale->low);
    return scale->start + share * (scale->end - scale->start);
}

/* Before the data, which lie over it. */
void ss_view_axes_draw_grid(const struct ss_view_axes *axes, struct ss_view_canvas *canvas)
{
    if (!axes->grid) {
        return;
    }
    ss_view_canvas_color(canvas, pale);
    for (size_t i = 0; i < axes->x.n_ticks; i++) {
        const double x = ss_view_scale_at(&axes->x, tick_value(&axes->x, i));
        ss_view_canvas_line(canvas, (double[2]){x, axes->y.start}, (double[2]){x, axes->y.end},
                            LINE_WIDTH);
    }
    for (size_t i = 0; i < axes->y.n_ticks; i++) {
        const double y = ss_view_scale_at(&axes->y, tick_value(&axes->y, i));
        ss_view_canvas_line(canvas, (double[2]){axes->x.start, y}, (double[2]){axes->x.end, y},
                            LINE_WIDTH);
    }
}

static void draw_ticks(const struct ss_view_axes *axes, struct ss_view_canvas *canvas)
{
    char text[TICK_TEXT_BYTES];
    const double bottom = axes->y.start;
    const double left = axes->x.start;
    for (size_t i = 0; i < axes->x.n_ticks; i++) {
        const double x = ss_view_scale_at(&axes->x, tick_value(&axes->x, i));
        ss_view_canvas_line(canvas, (double[2]){x, bottom},
                            (double[2]){x, bottom + TICK_LENGTH}, LINE_WIDTH);
        format_tick(&axes->x, i, text);
        ss_view_canvas_text(
            canvas, text, LABEL_SIZE, SS_VIEW_ALIGN_CENTER,
            (double[2]){x, bottom + TICK_LENGTH + TICK_PAD + 0.75 * LABEL_SIZE});
    }
    for (size_t i = 0; i < axes->y.n_ticks; i++) {
        const double y = ss_view_scale_at(&axes->y, tick_value(&axes->y, i));
        ss_view_canvas_line(canvas, (double[2]){left, y}, (double[2]){left - TICK_LENGTH, y},
                            LINE_WIDTH);
        format_tick(&axes->y, i, text);
        ss_view_canvas_text(canvas, text, LABEL_SIZE, SS_VIEW_ALIGN_RIGHT,
                            (double[2]){left - TICK_LENGTH - TICK_PAD, y + 0.36 * LABEL_SIZE});
    }
}

/* Lines with square ends, so that corners are closed. */
static void draw_frame(const struct ss_view_axes *axes, struct ss_view_canvas *canvas)
{
    const double corners[5][2] = {{axes->x.start, axes->y.start},
                                  {axes->x.end, axes->y.start},
                                  {axes->x.end, axes->y.end},
                                  {axes->x.start, axes->y.end},
                                  {axes->x.start, axes->y.start}};
    cairo_set_line_cap(canvas->cairo, CAIRO_LINE_CAP_SQUARE);
    for (size_t i = 0; i < 4; i++) {
        ss_view_canvas_line(canvas, corners[i], corners[i + 1], LINE_WIDTH);
    }
    cairo_set_line_cap(canvas->cairo, CAIRO_LINE_CAP_BUTT);
}

void ss_view_axes_draw(struct ss_view_axes *axes, struct ss_view_canvas *canvas)
{
    const double middle = (axes->x.start + axes->x.end) / 2;
    ss_view_canvas_color(canvas, black);
    draw_ticks(axes, canvas);
    draw_frame(axes, canvas);
    if (axes->x.label != NULL) {
        ss_view_canvas_text(canvas, axes->x.label, LABEL_SIZE, SS_VIEW_ALIGN_CENTER,
                            (double[2]){middle, canvas->height - EDGE - caption_height(axes) -
                                                    0.2 * LABEL_SIZE});
    }
    if (axes->y.label != NULL) {
        ss_view_canvas_text_up(
            canvas, axes->y.label, LABEL_SIZE,
            (double[2]){EDGE + 0.8 * LABEL_SIZE, (axes->y.start + axes->y.end) / 2});
    }
    draw_lines(&axes->title, canvas, middle, EDGE);
    ss_view_canvas_color(canvas, gray);
    draw_lines(&axes->caption, canvas, middle,
               canvas->height - EDGE - lines_height(&axes->caption));
}

void ss_view_axes_release(struct ss_view_axes *axes)
{
    ss__buf_release(&axes->title.text);
    ss__buf_release(&axes->caption.text);
}
