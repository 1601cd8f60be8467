#include "nn/report/panel_grid.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "nn/report/colours.hpp"
#include "nn/report/figure.hpp"
#include "nn/report/palette.hpp"

namespace atto::report {
namespace {

using namespace figure;

constexpr double panel_title = 20, title_size = 12, gap = 22;

int chosen_columns(const PanelGrid& grid) {
  const int count = static_cast<int>(grid.panels.size());
  if (grid.columns > 0) return std::min(grid.columns, std::max(count, 1));
  if (count <= 4) return std::max(count, 1);
  // Four, unless three leave fewer holes in the last line.
  const auto holes = [&](int columns) { return (columns - count % columns) % columns; };
  return holes(3) < holes(4) ? 3 : 4;
}

/// The panels, checked, with shared axes written into each and large maps reduced.
struct Content {
  std::vector<Panel> panels;
  std::vector<const LinePlot*> plots;
  std::vector<const HeatMap*> maps;
  std::vector<Series> series;  ///< of all plots, for the legend
  std::vector<Look> looks;

  Content(const Content&) = delete;  // plots and maps point into panels
  explicit Content(const PanelGrid& grid) : panels(grid.panels) {
    const Axis* x = nullptr;
    const Axis* y = nullptr;
    for (Panel& panel : panels) {
      if (auto* plot = std::get_if<LinePlot>(&panel)) {
        check(plot->series);
        if (grid.share_axes && x) plot->x = *x, plot->y = *y;
        x = &plot->x, y = &plot->y;
        plots.push_back(plot);
        const std::vector<Look> own = figure::looks(plot->series);
        series.insert(series.end(), plot->series.begin(), plot->series.end());
        looks.insert(looks.end(), own.begin(), own.end());
      } else {
        auto& map = std::get<HeatMap>(panel);
        check(map);
        int block = 1;
        map = drawn_map(map, block);
        maps.push_back(&map);
      }
    }
  }
};

Frame frame_of(const LinePlot& plot, const std::vector<const LinePlot*>& together, double width, double height) {
  const auto [x, y] = ranges(together, plot.x, plot.y);
  return {x, y, fitting_ticks(x, width, plot.x), nice_ticks(y, std::max(2, static_cast<int>(height / 35)), plot.y)};
}

/// The largest box of the map's shape inside `box`, so that cells stay square.
Box fitted(const Box& box, const HeatMap& map) {
  if (map.rows == 0 || map.columns == 0) return box;
  const double cell = std::min(box.width / map.columns, box.height / map.rows);
  return {box.x, box.y, cell * map.columns, cell * map.rows};
}

}  // namespace

std::string to_svg(const PanelGrid& grid) {
  const Content content(grid);
  const int count = static_cast<int>(content.panels.size()), columns = chosen_columns(grid);
  const int rows = std::max(1, (count + columns - 1) / columns);
  const double inner = grid.width - 2 * margin;

  const ColourScale scale = scale_of(content.maps);
  const double bar = content.maps.empty() ? 0 : colour_bar_width(scale, 160) + 16;
  // A guess of the panel width is enough to choose the y ticks, whose labels then decide the real one.
  double left = 0;
  for (const LinePlot* plot : content.plots) {
    const auto together = grid.share_axes ? content.plots : std::vector{plot};
    left = std::max(left, label_width(frame_of(*plot, together, 150, grid.panel_height).y_ticks) + 8);
  }
  const double inner_left = grid.share_axes ? 0 : left;
  const double cell_width = (inner - bar - left - (columns - 1) * (gap + inner_left) - 10) / columns;
  const double cell_height = content.maps.empty() ? grid.panel_height : cell_width;

  const bool labels_everywhere = !grid.share_axes;
  const double row_gap = content.plots.empty() ? 12 : labels_everywhere ? 30 : 18;
  const Header header{grid.title, grid.subtitle};
  const Legend legend(content.series, content.looks, inner);
  const double y_title = grid.y_title.empty() ? 0 : small_line + 8;
  const double top = margin + header.height() + legend.height() + y_title;
  const double x_title = grid.x_title.empty() ? 0 : small_line + 4;
  const double ticks_below = content.plots.empty() ? 0 : 22;
  const double height =
      top + rows * (panel_title + cell_height) + (rows - 1) * row_gap + ticks_below + x_title + margin;

  Svg svg(grid.width, height, grid.title);
  header.draw(svg, margin, margin, inner);
  legend.draw(svg, margin, margin + header.height());
  svg.text(margin, top - 11, fit_text(grid.y_title, 12, inner), {.size = 12, .colour = palette::muted});
  for (int i = 0; i < count; ++i) {
    const int row = i / columns, column = i % columns;
    const Box area{margin + left + column * (cell_width + gap + inner_left),
                   top + panel_title + row * (panel_title + cell_height + row_gap), cell_width, cell_height};
    const Panel& panel = content.panels[static_cast<std::size_t>(i)];
    const std::string& title = std::visit([](const auto& p) -> const std::string& { return p.title; }, panel);
    svg.text(area.x, area.y - 8, fit_text(title, title_size, cell_width, true), {.size = title_size, .bold = true});
    if (const auto* plot = std::get_if<LinePlot>(&panel)) {
      Frame frame = frame_of(*plot, grid.share_axes ? content.plots : std::vector{plot}, cell_width, cell_height);
      frame.y_labels = labels_everywhere || column == 0;
      frame.x_labels = labels_everywhere || i + columns >= count;
      draw_curves(svg, area, *plot, frame);
    } else {
      const auto& map = std::get<HeatMap>(panel);
      draw_cells(svg, fitted(area, map), map, scale);
    }
  }
  if (count == 0) draw_no_data(svg, {margin, top, inner, cell_height});
  const double panels_width = inner - bar - left - 10;
  svg.text(margin + left + panels_width / 2, height - margin, fit_text(grid.x_title, 12, panels_width),
           {.size = 12, .colour = palette::muted, .anchor = Anchor::middle});
  if (!content.maps.empty())
    draw_colour_bar(svg, {grid.width - margin - bar + 16, top + panel_title, bar, std::clamp(cell_height, 64.0, 160.0)},
                    scale);
  return svg.str();
}

}  // namespace atto::report
