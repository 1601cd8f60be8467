#include "nn/report/heat_map.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nn/report/colours.hpp"
#include "nn/report/figure.hpp"
#include "nn/report/palette.hpp"

namespace atto::report {
namespace {

using namespace figure;

constexpr double longest_label = 110, tallest = 640, largest_cell = 56;

/// Labels of one side of the map: texts and the index (of the drawn row or column) that each belongs to.
struct SideLabels {
  std::vector<std::string> texts;
  std::vector<double> at;
  double widest = 0;
};

/// The given labels where all find room, otherwise indices at round numbers. `block` rows were merged into one.
SideLabels side_labels(const std::vector<std::string>& given, int count, int original, int block, double length,
                       bool given_fit) {
  SideLabels out;
  if (!given.empty() && given_fit) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      out.texts.push_back(fit_text(given[i], label_size, longest_label));
      out.at.push_back(static_cast<double>(i));
    }
  } else if (count > 0) {
    const double end = original - 1;
    // One index alone has no range; half a cell more on each side changes no tick.
    const Ticks ticks = fitting_ticks({-0.25, end + 0.25}, std::min(length, 400.0), {.whole_numbers = true});
    out.texts = ticks.labels;
    for (const double index : ticks.at) out.at.push_back((index + 0.5) / block - 0.5);
  }
  for (const std::string& text : out.texts) out.widest = std::max(out.widest, text_width(text, label_size));
  return out;
}

}  // namespace

std::string to_svg(const HeatMap& map) {
  check(map);
  int block = 1;
  const HeatMap drawn = drawn_map(map, block);
  const ColourScale scale = scale_of({&drawn});

  std::string subtitle = map.subtitle;
  if (block > 1)
    subtitle += fmt::format("{}each cell is the mean of {} x {} values", subtitle.empty() ? "" : " · ", block, block);
  const Header header{map.title, subtitle};
  const double y_title = map.y_title.empty() ? 8 : small_line + 8;
  const TextStyle muted{.size = 12, .colour = palette::muted};
  const TextStyle label{.size = label_size, .colour = palette::muted};

  // Two rounds: the label widths decide how wide the cells are, the cells whether the labels fit.
  const double bar = colour_bar_width(scale, 200);
  double left = margin + 40, cell = 0;
  Box area;
  SideLabels row_side, column_side;
  bool upright = false;
  for (int round = 0; round < 2; ++round) {
    area.x = left;
    area.width = map.width - margin - bar - 14 - left;
    if (drawn.columns > 0) area.width = std::min(area.width, largest_cell * drawn.columns);
    cell = area.width / std::max(drawn.columns, 1);
    area.height = drawn.rows == 0 ? 120 : std::min(tallest, cell * drawn.rows);
    const double cell_height = area.height / std::max(drawn.rows, 1);
    row_side = side_labels(drawn.row_labels, drawn.rows, map.rows, block, area.height, cell_height >= label_size + 1);
    double widest = 0;
    for (const std::string& text : drawn.column_labels)
      widest = std::max(widest, text_width(fit_text(text, label_size, longest_label), label_size));
    upright = !drawn.column_labels.empty() && widest + 6 > cell;
    column_side =
        side_labels(drawn.column_labels, drawn.columns, map.columns, block, area.width, cell >= label_size + 1);
    upright = upright && cell >= label_size + 1;
    left = margin + row_side.widest + 8;
  }
  area.y = margin + header.height() + y_title;
  const double below = upright ? column_side.widest + 10 : 20;
  const double x_title = map.x_title.empty() ? 0 : small_line + 4;

  // Its labels need some length, however flat the map is.
  const Box bar_box{area.right() + 14, area.y, bar, std::clamp(area.height, 64.0, 200.0)};
  const double height = std::max(area.bottom() + below + x_title, bar_box.bottom() + 8) + margin;
  Svg svg(map.width, height, map.title);
  header.draw(svg, margin, margin, map.width - 2 * margin);
  svg.text(margin, area.y - 14, fit_text(map.y_title, 12, map.width - 2 * margin), muted);
  draw_cells(svg, area, drawn, scale);
  for (std::size_t i = 0; i < row_side.at.size(); ++i) {
    TextStyle style = label;
    style.anchor = Anchor::end;
    const double y = area.y + (row_side.at[i] + 0.5) * area.height / drawn.rows;
    svg.text(area.x - 8, y + label_size * 0.36, row_side.texts[i], style);
  }
  for (std::size_t i = 0; i < column_side.at.size(); ++i) {
    TextStyle style = label;
    style.anchor = upright ? Anchor::end : Anchor::middle;
    style.rotate = upright ? -90 : 0;
    const double x = area.x + (column_side.at[i] + 0.5) * cell;
    svg.text(upright ? x + label_size * 0.36 : x, area.bottom() + (upright ? 6 : 16), column_side.texts[i], style);
  }
  TextStyle centred = muted;
  centred.anchor = Anchor::middle;
  svg.text(area.x + area.width / 2, area.bottom() + below + x_title, fit_text(map.x_title, 12, area.width), centred);
  if (!map.values.empty()) draw_colour_bar(svg, bar_box, scale);
  return svg.str();
}

}  // namespace atto::report
