/* Heat maps and trees. Colours are those of viridis at nine points, which keep their order of
 * lightness for every kind of sight and in grey. */
#include "view/draw_families.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "view/canvas.h"

#define INCH 72.0
#define MAP_INCHES 2.0
#define LONE_INCHES 5.0
#define TITLE_SIZE 12.0
#define SMALL_SIZE 8.0
#define MARGIN 14.0
#define GAP 16.0
#define SCALE_WIDTH 10.0
#define SCALE_ROOM 46.0
#define CAPTION_LEADING 1.35
enum { N_COLORS = 9, SCALE_STEPS = 64, MOST_CAPTION_LINES = 3 };

static const uint8_t viridis[N_COLORS][3] = {{68, 1, 84},    {71, 44, 122},  {59, 81, 139},
                                             {44, 113, 142}, {33, 144, 141}, {39, 173, 129},
                                             {92, 200, 99},  {170, 220, 50}, {253, 231, 37}};
static const struct ss_view_color black = {0, 0, 0}, grey = {0.45, 0.45, 0.45},
                                  blue = {0x1F / 255.0, 0x77 / 255.0, 0xB4 / 255.0};

/* Values beyond 0 and 1 have the colours of the ends. */
static struct ss_view_color color_of(double value)
{
    const double at = (value > 0 ? (value < 1 ? value : 1) : 0) * (N_COLORS - 1);
    const size_t low = at >= N_COLORS - 1 ? N_COLORS - 2 : (size_t)at;
    const double part = at - (double)low;
    double mixed[3];
    for (size_t i = 0; i < 3; i++) {
        mixed[i] = (viridis[low][i] + part * (viridis[low + 1][i] - viridis[low][i])) / 255.0;
    }
    return (struct ss_view_color){mixed[0], mixed[1], mixed[2]};
}

/* Edges meet pixels, so that neighbours leave no seam. */
static void fill_box(struct ss_view_canvas *canvas, const double from[2], const double size[2])
{
    const double left = ss_view_canvas_snap(canvas, from[0]);
    const double top = ss_view_canvas_snap(canvas, from[1]);
    cairo_rectangle(canvas->cairo, left, top,
                    ss_view_canvas_snap(canvas, from[0] + size[0]) - left,
                    ss_view_canvas_snap(canvas, from[1] + size[1]) - top);
    cairo_fill(canvas->cairo);
}

/* ---- texts ---- */

/* A text that was put together; the picture fails where memory ran out for it. */
static void put_text(struct ss_view_canvas *canvas, struct ss__buf *text, double size,
                     const double at[2])
{
    if (ss__buf_text(text) == NULL) {
        ss_view_canvas_fail(canvas);
    } else {
        ss_view_canvas_text(canvas, text->data, size, SS_VIEW_ALIGN_LEFT, at);
    }
}

/* As much of a text as fits, in valid UTF-8; with an ellipsis where it was cut. */
static void put_fitting(struct ss_view_canvas *canvas, const char *text, double size,
                        double width, const double at[2])
{
    struct ss__buf clean = {0};
    ss_view_clean_text(text, &clean);
    const char *shown = ss__buf_text(&clean);
    size_t n = shown == NULL ? 0 : strlen(shown);
    while (n > 0 && !clean.failed &&
           ss_view_canvas_text_width(canvas, clean.data, size) > width) {
        while (n > 0 && ((unsigned char)clean.data[n - 1] & 0xC0) == 0x80) {
            n--;
        }
        n -= n > 0;
        clean.n_bytes = n;
        ss__buf_add_text(&clean, "…");
        (void)ss__buf_text(&clean);
    }
    put_text(canvas, &clean, size, at);
    ss__buf_release(&clean);
}

/* A caption in lines that fit, broken at spaces. */
static void put_caption(struct ss_view_canvas *canvas, const char *text, double width,
                        const double at[2])
{
    struct ss__buf line = {0};
    double y = at[1];
    for (size_t i = 0; text != NULL && *text != '\0' && i < MOST_CAPTION_LINES; i++) {
        size_t n = 0;
        for (size_t next = 0;; next++) {
            if (text[next] != ' ' && text[next] != '\0') {
                continue;
            }
            line.n_bytes = 0;
            ss__buf_add(&line, text, next);
            if (ss__buf_text(&line) == NULL ||
                (n > 0 && ss_view_canvas_text_width(canvas, line.data, SMALL_SIZE) > width)) {
                break;
            }
            n = next;
            if (text[next] == '\0') {
                break;
            }
        }
        line.n_bytes = 0;
        ss__buf_add(&line, text, n);
        if (ss__buf_text(&line) == NULL) {
            ss_view_canvas_fail(canvas);
            break;
        }
        put_fitting(canvas, line.data, SMALL_SIZE, width, (double[2]){at[0], y});
        text += n + (text[n] == ' ');
        y += SMALL_SIZE * CAPTION_LEADING;
    }
    ss__buf_release(&line);
}

/* ---- heat maps ---- */

struct grid {
    size_t n_columns, n_rows;
    double side, top, width, height; /* points */
};

/* The smallest square that holds n maps, with the rows that are needed. */
static struct grid lay_out_grid(size_t n)
{
    struct grid grid = {.n_columns = 1, .top = MARGIN + TITLE_SIZE * 1.8};
    while (grid.n_columns * grid.n_columns < n) {
        grid.n_columns++;
    }
    grid.n_rows = n == 0 ? 1 : (n + grid.n_columns - 1) / grid.n_columns;
    grid.side = (n <= 1 ? LONE_INCHES : MAP_INCHES) * INCH;
    grid.width = 2 * MARGIN + (double)grid.n_columns * (grid.side + GAP) + SCALE_ROOM;
    grid.height = grid.top + (double)grid.n_rows * (grid.side + GAP + SMALL_SIZE) +
                  SMALL_SIZE * CAPTION_LEADING * MOST_CAPTION_LINES + MARGIN;
    return grid;
}

/* Zeros are the ground, since most pairs never fire together. */
static void draw_map(struct ss_view_canvas *canvas, const struct ss_view_heat_map *map,
                     double side, const double at[2])
{
    const double cell = map->n == 0 ? side : side / (double)map->n;
    ss_view_canvas_color(canvas, black);
    put_fitting(canvas, map->title, SMALL_SIZE, side, (double[2]){at[0], at[1] - 3});
    ss_view_canvas_color(canvas, color_of(0));
    fill_box(canvas, at, (double[2]){side, side});
    for (size_t i = 0; i < map->n; i++) {
        for (size_t j = 0; j < map->n;) {
            const float value = map->values[i * map->n + j];
            size_t n = 1; /* equal neighbours are one box */
            while (j + n < map->n && map->values[i * map->n + j + n] == value) {
                n++;
            }
            if (value > 0) {
                ss_view_canvas_color(canvas, color_of((double)value));
                fill_box(canvas,
                         (double[2]){at[0] + (double)j * cell, at[1] + (double)i * cell},
                         (double[2]){(double)n * cell, cell});
            }
            j += n;
        }
    }
}

/* One scale for all maps of a picture: colours can be compared between them. */
static void draw_scale(struct ss_view_canvas *canvas,
                       const struct ss_view_heat_maps_picture *picture, const double at[2],
                       double height)
{
    const char *label = picture->scale_label;
    const double step = height / SCALE_STEPS;
    for (size_t i = 0; i < SCALE_STEPS; i++) {
        ss_view_canvas_color(canvas, color_of(((double)i + 0.5) / SCALE_STEPS));
        fill_box(canvas, (double[2]){at[0], at[1] + height - (double)(i + 1) * step},
                 (double[2]){SCALE_WIDTH, step});
    }
    ss_view_canvas_color(canvas, black);
    ss_view_canvas_text(canvas, picture->most == NULL ? "1" : picture->most, SMALL_SIZE,
                        SS_VIEW_ALIGN_LEFT,
                        (double[2]){at[0] + SCALE_WIDTH + 3, at[1] + SMALL_SIZE});
    ss_view_canvas_text(canvas, "0", SMALL_SIZE, SS_VIEW_ALIGN_LEFT,
                        (double[2]){at[0] + SCALE_WIDTH + 3, at[1] + height});
    if (label != NULL) {
        ss_view_canvas_text_up(canvas, label, SMALL_SIZE,
                               (double[2]){at[0] + SCALE_WIDTH + 18, at[1] + height / 2});
    }
}

ss_status ss_view_draw_heat_maps(const char *path,
                                 const struct ss_view_heat_maps_picture *picture, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_view_canvas canvas = {0};
    const struct grid grid = lay_out_grid(picture->n_maps);
    void *previous = ss__locale_enter();
    SS_TRY(ss_view_canvas_open(&canvas, path, grid.width / INCH, grid.height / INCH,
                               picture->dpi, err));
    ss_view_canvas_describe(&canvas, picture->title, picture->caption);
    ss_view_canvas_color(&canvas, black);
    put_fitting(&canvas, picture->title, TITLE_SIZE, grid.width - 2 * MARGIN,
                (double[2]){MARGIN, MARGIN + TITLE_SIZE});
    for (size_t i = 0; i < picture->n_maps; i++) {
        const size_t i_row = i / grid.n_columns;
        const double column = (double)(i % grid.n_columns), row = (double)i_row;
        draw_map(&canvas, &picture->maps[i], grid.side,
                 (double[2]){MARGIN + column * (grid.side + GAP),
                             grid.top + SMALL_SIZE + row * (grid.side + GAP + SMALL_SIZE)});
    }
    draw_scale(&canvas, picture,
               (double[2]){grid.width - MARGIN - SCALE_ROOM + GAP / 2, grid.top + SMALL_SIZE},
               grid.side);
    ss_view_canvas_color(&canvas, grey);
    put_caption(
        &canvas, picture->caption, grid.width - 2 * MARGIN,
        (double[2]){MARGIN, grid.height - MARGIN -
                                (MOST_CAPTION_LINES - 1) * SMALL_SIZE * CAPTION_LEADING});
    SS_TRY(ss_view_canvas_write(&canvas, path, picture->force, err));
out:
    ss_view_canvas_release(&canvas);
    ss__locale_leave(previous);
    return status;
}

/* ---- trees ---- */

#define LINE_HEIGHT 13.0
#define INDENT 14.0
#define MOST_DOT 4.5
#define LEAST_DOT 1.2
#define TREE_INCHES 7.0
#define NOTE_ROOM 58.0
enum { MOST_DEPTH = 24 };

static double line_y(size_t line)
{
    return MARGIN + TITLE_SIZE * 2.2 + ((double)line + 0.5) * LINE_HEIGHT;
}

/* Deeper lines stand at the same place, so that labels keep some width. */
static double dot_x(size_t depth)
{
    return MARGIN + MOST_DOT + INDENT * (double)(depth < MOST_DEPTH ? depth : MOST_DEPTH);
}

/* From a line to the one that it hangs below: down from the dot above, then across. */
static void draw_branch(struct ss_view_canvas *canvas, const struct ss_view_tree_line *lines,
                        size_t line)
{
    size_t above = line;
    while (above > 0 && lines[above].depth >= lines[line].depth) {
        above--;
    }
    const double x = dot_x(lines[above].depth), y = line_y(line);
    ss_view_canvas_color(canvas, grey);
    ss_view_canvas_line(canvas, (double[2]){x, line_y(above) + MOST_DOT}, (double[2]){x, y},
                        0.6);
    ss_view_canvas_line(canvas, (double[2]){x, y}, (double[2]){dot_x(lines[line].depth), y},
                        0.6);
}

/* A dot of the line's size, its name and label, and at the right edge its note. */
static void draw_line(struct ss_view_canvas *canvas, const struct ss_view_tree_line *line,
                      double y)
{
    const double x = dot_x(line->depth), text_x = x + MOST_DOT + 5;
    const double base = y + SMALL_SIZE * 0.35, end = canvas->width - MARGIN - NOTE_ROOM;
    double label_x = text_x;
    ss_view_canvas_color(canvas, blue);
    cairo_arc(canvas->cairo, x, y, LEAST_DOT + (MOST_DOT - LEAST_DOT) * line->size, 0,
              2 * 3.14159265358979323846);
    cairo_fill(canvas->cairo);
    ss_view_canvas_color(canvas, black);
    ss_view_canvas_text(canvas, line->name, SMALL_SIZE, SS_VIEW_ALIGN_LEFT,
                        (double[2]){text_x, base});
    label_x += ss_view_canvas_text_width(canvas, line->name, SMALL_SIZE) + 6;
    if (line->label != NULL) {
        put_fitting(canvas, line->label, SMALL_SIZE, end - label_x, (double[2]){label_x, base});
    }
    if (line->note != NULL) {
        ss_view_canvas_color(canvas, grey);
        ss_view_canvas_text(canvas, line->note, SMALL_SIZE, SS_VIEW_ALIGN_RIGHT,
                            (double[2]){canvas->width - MARGIN, base});
    }
}

/* Branches first, so that dots lie over them. */
ss_status ss_view_draw_tree(const char *path, const struct ss_view_tree_picture *picture,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_view_canvas canvas = {0};
    const double width = (picture->width_in > 0 ? picture->width_in : TREE_INCHES) * INCH;
    const double height =
        line_y(picture->n_lines) + MARGIN + MOST_CAPTION_LINES * SMALL_SIZE * CAPTION_LEADING;
    void *previous = ss__locale_enter();
    SS_TRY(ss_view_canvas_open(&canvas, path, width / INCH, height / INCH, picture->dpi, err));
    ss_view_canvas_describe(&canvas, picture->title, picture->caption);
    ss_view_canvas_color(&canvas, black);
    put_fitting(&canvas, picture->title, TITLE_SIZE, width - 2 * MARGIN,
                (double[2]){MARGIN, MARGIN + TITLE_SIZE});
    for (size_t i = 0; i < picture->n_lines; i++) {
        if (picture->lines[i].depth > 0) {
            draw_branch(&canvas, picture->lines, i);
        }
    }
    for (size_t i = 0; i < picture->n_lines; i++) {
        draw_line(&canvas, &picture->lines[i], line_y(i));
    }
    ss_view_canvas_color(&canvas, grey);
    put_caption(
        &canvas, picture->caption, width - 2 * MARGIN,
        (double[2]){MARGIN,
                    height - MARGIN - (MOST_CAPTION_LINES - 1) * SMALL_SIZE * CAPTION_LEADING});
    SS_TRY(ss_view_canvas_write(&canvas, path, picture->force, err));
out:
    ss_view_canvas_release(&canvas);
    ss__locale_leave(previous);
    return status;
}
