/* A map: points by cluster, labels of the largest clusters that do not lie on each other, a
 * legend. Colours are those of Okabe and Ito, which people who see fewer colours tell apart, and
 * which print in grey as different tones; a second mark doubles them. Axes have no ticks, since
 * positions on such a map mean nothing by themselves. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "view/canvas.h"
#include "view/view.h"

enum {
    N_COLORS = 6,
    N_NAMED = 2 * N_COLORS, /* clusters with a look of their own */
    MOST_LABELS = 30,
    LEGEND_COLUMNS = 2,
    LABEL_BYTES = 64,
    MANY_POINTS = 20000 /* beyond, all points are squares, which take fewer bytes */
};

#define SIDE_IN 7.2
#define MARGIN 12.0
#define TITLE_SIZE 12.0
#define LEGEND_SIZE 8.5
#define LEGEND_LINE 13.0
#define CAPTION_SIZE 8.5
#define CAPTION_LINE 11.0
#define LABEL_SIZE 7.5
#define LABEL_HEIGHT 10.0
#define LABEL_WIDTH 118.0 /* at most */
#define LEGEND_MARK 3.2

static const struct ss_view_color colors[N_COLORS] = {
    {0x00 / 255.0, 0x72 / 255.0, 0xB2 / 255.0}, {0xD5 / 255.0, 0x5E / 255.0, 0x00 / 255.0},
    {0x00 / 255.0, 0x9E / 255.0, 0x73 / 255.0}, {0xCC / 255.0, 0x79 / 255.0, 0xA7 / 255.0},
    {0xE6 / 255.0, 0x9F / 255.0, 0x00 / 255.0}, {0x56 / 255.0, 0xB4 / 255.0, 0xE9 / 255.0}};
static const struct ss_view_color black = {0.1, 0.1, 0.1};
static const struct ss_view_color others_color = {0.52, 0.52, 0.52};
static const struct ss_view_color background_color = {0.86, 0.86, 0.86};
static const struct ss_view_color frame_color = {0.75, 0.75, 0.75};

struct box {
    double left, top, right, bottom;
};

/* A map while it is drawn; boxes are in points from the upper left of the canvas. */
struct map_drawing {
    const struct ss_view_map_picture *picture;
    struct ss_view_canvas canvas;
    struct box area;
    double low[2], scale; /* of the points' coordinates */
    double radius;
    size_t n_named, n_captions;
    struct box labels[MOST_LABELS];
    size_t n_labels;
};

/* ---- where things go ---- */

/* One scale for both directions, so that distances on the map are true to each other. */
static void find_scale(struct map_drawing *drawing)
{
    const struct ss_view_map_picture *picture = drawing->picture;
    const struct box *area = &drawing->area;
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * (picture->n_points + picture->n_background); i++) {
        const double at = (double)(i < 2 * picture->n_points
                                       ? picture->points[i]
                                       : picture->background[i - 2 * picture->n_points]);
        low[i % 2] = fmin(low[i % 2], at);
        high[i % 2] = fmax(high[i % 2], at);
    }
    const double width = area->right - area->left - 2 * MARGIN;
    const double height = area->bottom - area->top - 2 * MARGIN;
    const double across = fmax(high[0] - low[0], 1e-9), down = fmax(high[1] - low[1], 1e-9);
    drawing->scale = fmin(width / across, height / down);
    drawing->low[0] = (low[0] + high[0]) / 2 - (area->left + area->right) / 2 / drawing->scale;
    drawing->low[1] = (low[1] + high[1]) / 2 + (area->top + area->bottom) / 2 / drawing->scale;
}

/* The second coordinate grows towards the top. */
static void find_at(const struct map_drawing *drawing, const float *point, double at[2])
{
    at[0] = ((double)point[0] - drawing->low[0]) * drawing->scale;
    at[1] = (drawing->low[1] - (double)point[1]) * drawing->scale;
}

/* The longest beginning of a text, up to a space, that is not wider; n bytes of it. */
static size_t line_of(struct ss_view_canvas *canvas, const char *text, double size,
                      double width, char *line, size_t n_room)
{
    size_t n_fits = 0;
    for (size_t n = 0; n + 1 < n_room; n++) {
        line[n] = text[n];
        if (text[n] == '\0' || text[n] == ' ') {
            line[n] = '\0';
            if (n_fits > 0 && ss_view_canvas_text_width(canvas, line, size) > width) {
                break;
            }
            n_fits = n;
            if (text[n] == '\0') {
                break;
            }
            line[n] = ' ';
        }
    }
    memcpy(line, text, n_fits);
    line[n_fits] = '\0';
    return n_fits;
}

/* A text that ends with "…" where it is wider than there is room for. */
static void shorten(struct ss_view_canvas *canvas, const char *text, double size, double width,
                    char out[LABEL_BYTES])
{
    static const char dots[] = "…";
    size_t n = ss__min_size(strlen(text), LABEL_BYTES - sizeof dots);
    bool is_whole = text[n] == '\0';
    for (;; is_whole = false) {
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) {
            n--;
        }
        memcpy(out, text, n);
        memcpy(out + n, is_whole ? "" : dots, is_whole ? 1 : sizeof dots);
        if (n == 0 || ss_view_canvas_text_width(canvas, out, size) <= width) {
            return;
        }
        n--;
    }
}

/* As many of a label's phrases as there is room for, whole; the first one cut if it is too long.
 */
static void fit_phrases(struct ss_view_canvas *canvas, const char *label, double size,
                        double width, char out[LABEL_BYTES])
{
    size_t n_fits = 0;
    for (size_t n = 0; n < LABEL_BYTES - 1 && n <= strlen(label); n++) {
        if (label[n] == '\0' || label[n] == ',') {
            memcpy(out, label, n);
            out[n] = '\0';
            if (ss_view_canvas_text_width(canvas, out, size) > width) {
                break;
            }
            n_fits = n;
        }
    }
    if (n_fits == 0) {
        shorten(canvas, label, size, width, out);
    } else {
        memcpy(out, label, n_fits);
        out[n_fits] = '\0';
    }
}

static size_t legend_lines(const struct map_drawing *drawing)
{
    const size_t n = drawing->n_named + 2; /* and other clusters, texts */
    return ss__divide_up(n, LEGEND_COLUMNS);
}

/* Legend and caption take what they need from below; marks become smaller with the number of
 * points. */
static void lay_out(struct map_drawing *drawing)
{
    struct ss_view_canvas *canvas = &drawing->canvas;
    const double width = canvas->width - 2 * MARGIN;
    char line[512];
    const char *rest = drawing->picture->caption;
    for (size_t n = 1; n > 0 && *rest != '\0'; drawing->n_captions += n > 0) {
        n = line_of(canvas, rest, CAPTION_SIZE, width, line, sizeof line);
        rest += n + (rest[n] == ' ');
    }
    drawing->area =
        (struct box){MARGIN, 2 * MARGIN + TITLE_SIZE, canvas->width - MARGIN,
                     canvas->height - MARGIN - (double)drawing->n_captions * CAPTION_LINE -
                         (double)legend_lines(drawing) * LEGEND_LINE - MARGIN / 2};
    drawing->radius =
        fmin(2.3, fmax(0.7, 2.3 * sqrt(1500.0 / (double)(drawing->picture->n_points + 1))));
    find_scale(drawing);
}

/* ---- marks ---- */

static void add_mark(cairo_t *cairo, const double at[2], double radius, bool is_square)
{
    if (is_square) {
        const double half = radius * 0.89; /* of the same area */
        cairo_rectangle(cairo, at[0] - half, at[1] - half, 2 * half, 2 * half);
    } else {
        cairo_new_sub_path(cairo);
        cairo_arc(cairo, at[0], at[1], radius, 0, 2 * M_PI);
    }
}

/* One path and one fill for all, which keeps files small. */
static void draw_background(struct map_drawing *drawing)
{
    const struct ss_view_map_picture *picture = drawing->picture;
    for (size_t i = 0; i < picture->n_background; i++) {
        double at[2];
        find_at(drawing, picture->background + 2 * i, at);
        add_mark(drawing->canvas.cairo, at, 0.45 * drawing->radius, true);
    }
    ss_view_canvas_color(&drawing->canvas, background_color);
    cairo_fill(drawing->canvas.cairo);
}

/* N_NAMED: as one of the others. */
static size_t look_of(const struct map_drawing *drawing, size_t point)
{
    const int32_t c = drawing->picture->clusters_of[point];
    return c < 0 || (size_t)c >= drawing->n_named ? N_NAMED : (size_t)c;
}

/* All points of one look, others first, so that what has a colour lies above. */
static void draw_points(struct map_drawing *drawing)
{
    const struct ss_view_map_picture *picture = drawing->picture;
    const bool is_many = picture->n_points > MANY_POINTS;
    for (size_t k = 0; k <= drawing->n_named; k++) {
        const size_t look = k == 0 ? N_NAMED : k - 1;
        const bool is_square = is_many || (look >= N_COLORS && look < N_NAMED);
        for (size_t i = 0; i < picture->n_points; i++) {
            double at[2];
            if (look_of(drawing, i) == look) {
                find_at(drawing, picture->points + 2 * i, at);
                add_mark(drawing->canvas.cairo, at,
                         look == N_NAMED ? 0.7 * drawing->radius : drawing->radius, is_square);
            }
        }
        ss_view_canvas_color(&drawing->canvas,
                             look == N_NAMED ? others_color : colors[look % N_COLORS]);
        cairo_fill(drawing->canvas.cairo);
    }
}

/* ---- labels ---- */

static bool has_room(const struct map_drawing *drawing, const struct box *box)
{
    const struct box *area = &drawing->area;
    if (box->left < area->left + 2 || box->right > area->right - 2 ||
        box->top < area->top + 2 || box->bottom > area->bottom - 2) {
        return false;
    }
    for (size_t i = 0; i < drawing->n_labels; i++) {
        const struct box *other = &drawing->labels[i];
        if (box->left < other->right + 3 && other->left < box->right + 3 &&
            box->top < other->bottom + 2 && other->top < box->bottom + 2) {
            return false;
        }
    }
    return true;
}

/* On a veil of white, since points lie below. */
static void draw_label(struct map_drawing *drawing, const struct box *box, const char *text)
{
    cairo_t *cairo = drawing->canvas.cairo;
    cairo_set_source_rgba(cairo, 1, 1, 1, 0.72);
    cairo_rectangle(cairo, box->left - 1.5, box->top, box->right - box->left + 3,
                    box->bottom - box->top);
    cairo_fill(cairo);
    ss_view_canvas_color(&drawing->canvas, black);
    ss_view_canvas_text(&drawing->canvas, text, LABEL_SIZE, SS_VIEW_ALIGN_CENTER,
                        (double[2]){(box->left + box->right) / 2, box->bottom - 2.4});
}

/* In the middle of its cluster, or a little beside it; else not at all. */
static void place_label(struct map_drawing *drawing, const struct ss_view_map_cluster *cluster)
{
    static const double shifts[][2] = {{0, 0},     {0, -1.2}, {0, 1.2}, {0.35, 0},
                                       {-0.35, 0}, {0, -2.2}, {0, 2.2}};
    char text[LABEL_BYTES];
    double at[2];
    fit_phrases(&drawing->canvas, cluster->label, LABEL_SIZE, LABEL_WIDTH, text);
    find_at(drawing, (const float[2]){cluster->x, cluster->y}, at);
    const double width = ss_view_canvas_text_width(&drawing->canvas, text, LABEL_SIZE);
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        const double x = at[0] + shifts[i][0] * width, y = at[1] + shifts[i][1] * LABEL_HEIGHT;
        const struct box box = {x - width / 2, y - LABEL_HEIGHT / 2, x + width / 2,
                                y + LABEL_HEIGHT / 2};
        if (has_room(drawing, &box)) {
            drawing->labels[drawing->n_labels++] = box;
            draw_label(drawing, &box, text);
            return;
        }
    }
}

static void draw_labels(struct map_drawing *drawing)
{
    const struct ss_view_map_picture *picture = drawing->picture;
    for (size_t c = 0; c < picture->n_clusters && drawing->n_labels < MOST_LABELS; c++) {
        if (picture->clusters[c].label[0] != '\0') {
            place_label(drawing, &picture->clusters[c]);
        }
    }
}

/* ---- the rest ---- */

/* Entry i of the legend: the clusters with a look of their own, then all other features, then
 * texts. */
static void draw_entry(struct map_drawing *drawing, size_t i, const char *text)
{
    struct ss_view_canvas *canvas = &drawing->canvas;
    const size_t n_lines = legend_lines(drawing);
    const double column = (canvas->width - 2 * MARGIN) / LEGEND_COLUMNS;
    const size_t i_column = i / n_lines;
    const double x = MARGIN + (double)i_column * column;
    const double y =
        drawing->area.bottom + MARGIN / 2 + ((double)(i % n_lines) + 0.7) * LEGEND_LINE;
    const bool is_text = i == drawing->n_named + 1;
    char shown[LABEL_BYTES];
    add_mark(canvas->cairo, (double[2]){x + 5, y - 3}, is_text ? 1.8 : LEGEND_MARK,
             is_text || (i >= N_COLORS && i < drawing->n_named));
    ss_view_canvas_color(canvas, i < drawing->n_named ? colors[i % N_COLORS]
                                 : is_text            ? background_color
                                                      : others_color);
    cairo_fill(canvas->cairo);
    shorten(canvas, text, LEGEND_SIZE, column - 22, shown);
    ss_view_canvas_color(canvas, black);
    ss_view_canvas_text(canvas, shown, LEGEND_SIZE, SS_VIEW_ALIGN_LEFT, (double[2]){x + 13, y});
}

static void draw_legend(struct map_drawing *drawing)
{
    const struct ss_view_map_picture *picture = drawing->picture;
    char text[2 * LABEL_BYTES], counted[SS__COUNTED_TEXT_BYTES];
    for (size_t c = 0; c < drawing->n_named; c++) {
        const struct ss_view_map_cluster *cluster = &picture->clusters[c];
        char label[LABEL_BYTES];
        fit_phrases(&drawing->canvas, cluster->label, LEGEND_SIZE, 190, label);
        ss__snprintf(text, sizeof text, "%zu%s%s (%zu)", c, label[0] == '\0' ? "" : " ", label,
                     cluster->n_points);
        draw_entry(drawing, c, text);
    }
    draw_entry(drawing, drawing->n_named,
               picture->n_clusters > drawing->n_named
                   ? "features of smaller clusters, or of none"
                   : "features of no cluster");
    if (picture->n_background > 0) {
        ss__snprintf(text, sizeof text, "%s",
                     ss__format_counted(picture->n_background, "text", counted));
        draw_entry(drawing, drawing->n_named + 1, text);
    }
}

/* The title, and the caption in the lines that lay_out counted. */
static void draw_words(struct map_drawing *drawing)
{
    struct ss_view_canvas *canvas = &drawing->canvas;
    char line[512];
    const char *rest = drawing->picture->caption;
    ss_view_canvas_color(canvas, black);
    for (size_t i = 0; i < drawing->n_captions; i++) {
        const size_t n =
            line_of(canvas, rest, CAPTION_SIZE, canvas->width - 2 * MARGIN, line, sizeof line);
        const double y =
            canvas->height - MARGIN - (double)(drawing->n_captions - 1 - i) * CAPTION_LINE;
        ss_view_canvas_text(canvas, line, CAPTION_SIZE, SS_VIEW_ALIGN_LEFT,
                            (double[2]){MARGIN, y});
        rest += n + (rest[n] == ' ');
    }
    (void)line_of(canvas, drawing->picture->title, TITLE_SIZE, canvas->width - 2 * MARGIN, line,
                  sizeof line);
    ss_view_canvas_text(canvas, line, TITLE_SIZE, SS_VIEW_ALIGN_CENTER,
                        (double[2]){canvas->width / 2, MARGIN + TITLE_SIZE});
}

static void draw_frame(struct map_drawing *drawing)
{
    const struct box *area = &drawing->area;
    cairo_t *cairo = drawing->canvas.cairo;
    ss_view_canvas_color(&drawing->canvas, frame_color);
    cairo_set_line_width(cairo, 0.8);
    cairo_rectangle(cairo, area->left, area->top, area->right - area->left,
                    area->bottom - area->top);
    cairo_stroke(cairo);
}

ss_status ss_view_draw_map(const char *path, const struct ss_view_map_picture *picture,
                           ss_err *err)
{
    ss_status status = SS_OK;
    void *previous = ss__locale_enter();
    struct map_drawing drawing = {.picture = picture};
    const double width = picture->width_in > 0 ? picture->width_in : SIDE_IN;
    const double height = picture->height_in > 0 ? picture->height_in : SIDE_IN;
    drawing.n_named = ss__min_size(picture->n_clusters, N_NAMED);
    SS_TRY(ss_view_canvas_open(&drawing.canvas, path, width, height, picture->dpi, err));
    ss_view_canvas_describe(&drawing.canvas, picture->title, picture->caption);
    lay_out(&drawing);
    draw_frame(&drawing);
    draw_background(&drawing);
    draw_points(&drawing);
    draw_labels(&drawing);
    draw_legend(&drawing);
    draw_words(&drawing);
    SS_TRY(ss_view_canvas_write(&drawing.canvas, path, picture->force, err));
out:
    ss_view_canvas_release(&drawing.canvas);
    ss__locale_leave(previous);
    return status;
}
