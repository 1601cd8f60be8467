#include "nn/report/plot.hpp"

#include <algorithm>

#include "nn/report/figure.hpp"

namespace atto::report {

std::string to_svg(const LinePlot& plot) {
  using namespace figure;
  check(plot.series);
  const auto [x_range, y_range] = ranges({&plot}, plot.x, plot.y);

  const double inner = plot.width - 2 * margin;
  const Header header{plot.title, plot.subtitle};
  const Legend legend(plot.series, looks(plot.series), inner);
  const double y_title = plot.y.title.empty() ? 8 : small_line + 8;
  const double x_title = plot.x.title.empty() ? 0 : small_line + 4;
  const double top = margin + header.height() + legend.height() + y_title;
  const double bottom = margin + 22 + x_title;
  const double height = std::max(plot.height, top + bottom + 120);

  Box area{.y = top, .height = height - top - bottom};
  const Ticks y_ticks = nice_ticks(y_range, std::max(2, static_cast<int>(area.height / 45)), plot.y);
  area.x = margin + label_width(y_ticks) + 8;
  // The label of the last tick is centred on the end of the axis and needs room on its right.
  area.width = plot.width - margin - area.x - 10;
  const Ticks x_ticks = fitting_ticks(x_range, area.width, plot.x);

  Svg svg(plot.width, height, plot.title);
  header.draw(svg, margin, margin, inner);
  legend.draw(svg, margin, margin + header.height());
  svg.text(margin, top - 14, fit_text(plot.y.title, 12, inner), {.size = 12, .colour = palette::muted});
  svg.text(area.x + area.width / 2, height - margin, fit_text(plot.x.title, 12, area.width),
           {.size = 12, .colour = palette::muted, .anchor = Anchor::middle});
  draw_curves(svg, area, plot, {x_range, y_range, x_ticks, y_ticks});
  return svg.str();
}

}  // namespace atto::report
