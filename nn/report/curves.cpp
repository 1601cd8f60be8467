// Part of figure.hpp: the inside of one line plot.
#include <algorithm>
#include <cmath>
#include <string>

#include "nn/report/figure.hpp"

namespace atto::report::figure {
namespace {

struct Point {
  double x, y;
};

/// Maps data to pixels of one panel.
struct Projection {
  const Box& area;
  const LinePlot& plot;
  const Frame& frame;

  double x(double value) const { return area.x + axis_position(value, frame.x_range, plot.x.scale) * area.width; }
  double y(double value) const {
    return area.bottom() - axis_position(value, frame.y_range, plot.y.scale) * area.height;
  }
  bool has(double a, double b) const { return drawable(a, plot.x.scale) && drawable(b, plot.y.scale); }
};

double x_of(const Series& s, std::size_t i) {
  return s.x.empty() ? static_cast<double>(i) : s.x[i];
}

/// The curve as runs of neighbouring points, broken at gaps.
std::vector<std::vector<Point>> runs(const Series& s, const Projection& to) {
  std::vector<std::vector<Point>> out;
  bool open = false;
  for (std::size_t i = 0; i < s.y.size(); ++i) {
    const bool here = to.has(x_of(s, i), s.y[i]);
    if (here && !open) out.emplace_back();
    if (here) out.back().push_back({to.x(x_of(s, i)), to.y(s.y[i])});
    open = here;
  }
  return out;
}

/// Keeps first, lowest, highest and last point of each half pixel column: the same picture from few points.
std::vector<Point> thinned(const std::vector<Point>& points) {
  std::vector<Point> out;
  for (std::size_t begin = 0; begin < points.size();) {
    const double column = std::floor(points[begin].x * 2);
    std::size_t end = begin, low = begin, high = begin;
    for (; end < points.size() && std::floor(points[end].x * 2) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::array<std::size_t, 4> keep{begin, low, high, end - 1};
    std::sort(keep.begin(), keep.end());
    for (std::size_t k = 0; k < keep.size(); ++k)
      if (k == 0 || keep[k] != keep[k - 1]) out.push_back(points[keep[k]]);
    begin = end;
  }
  return out;
}

void append(std::string& path, const Point& point, bool first) {
  path += first ? 'M' : 'L';
  path += coordinate(point.x);
  path += ' ';
  path += coordinate(point.y);
}

void draw_band(Svg& svg, const Series& s, const Projection& to, std::string_view colour) {
  // mean - std may fall below what a log axis can show; the band then ends at the axis.
  const auto shown = [&](double v) { return to.plot.y.scale == Scale::log && v <= 0 ? to.frame.y_range.low : v; };
  for (std::size_t i = 0; i < s.low.size();) {
    const auto ok = [&](std::size_t k) {
      return to.has(x_of(s, k), shown(s.low[k])) && to.has(x_of(s, k), shown(s.high[k]));
    };
    std::size_t end = i;
    while (end < s.low.size() && ok(end)) ++end;
    if (end > i + 1) {
      std::string path;
      for (std::size_t k = i; k < end; ++k) append(path, {to.x(x_of(s, k)), to.y(shown(s.high[k]))}, k == i);
      for (std::size_t k = end; k-- > i;) append(path, {to.x(x_of(s, k)), to.y(shown(s.low[k]))}, false);
      svg.fill_path(path + "Z", colour, 0.15);
    }
    i = end + 1;
  }
}

void draw_series(Svg& svg, const Series& s, const Projection& to, const Look& look) {
  const Stroke stroke{look.colour, s.width, look.dash, s.opacity};
  std::vector<Point> markers;
  for (const std::vector<Point>& run : runs(s, to)) {
    if (run.size() == 1) {
      svg.circle(run[0].x, run[0].y, std::max(2.0, s.width * 1.2), look.colour, s.opacity);
    } else {
      std::string path;
      for (const Point& point : thinned(run)) append(path, point, path.empty());
      svg.stroke_path(path, stroke);
    }
    // Markers closer than this would merge into a thick line.
    for (const Point& p : run)
      if (markers.empty() || std::hypot(p.x - markers.back().x, p.y - markers.back().y) >= 8) markers.push_back(p);
  }
  if (!s.markers) return;
  for (const Point& p : markers) svg.ring(p.x, p.y, 3.2, {.colour = "#ffffff", .width = 1}, look.colour);
}

void draw_frame(Svg& svg, const Box& area, const Projection& to, const Frame& frame) {
  const Stroke grid{.colour = palette::grid}, axis{.colour = palette::axis};
  for (std::size_t i = 0; i < frame.y_ticks.at.size(); ++i) {
    const double y = to.y(frame.y_ticks.at[i]);
    svg.line(area.x, y, area.right(), y, grid);
    if (frame.y_labels)
      svg.text(area.x - 8, y + label_size * 0.36, frame.y_ticks.labels[i],
               {.size = label_size, .colour = palette::muted, .anchor = Anchor::end});
  }
  svg.line(area.x, area.bottom(), area.right(), area.bottom(), axis);
  for (std::size_t i = 0; i < frame.x_ticks.at.size(); ++i) {
    const double x = to.x(frame.x_ticks.at[i]);
    svg.line(x, area.bottom(), x, area.bottom() + 4, axis);
    if (frame.x_labels)
      svg.text(x, area.bottom() + 17, frame.x_ticks.labels[i],
               {.size = label_size, .colour = palette::muted, .anchor = Anchor::middle});
  }
}

}  // namespace

void draw_curves(Svg& svg, const Box& area, const LinePlot& plot, const Frame& frame) {
  const Projection to{area, plot, frame};
  const auto has_points = [&](const Series& s) {
    for (std::size_t i = 0; i < s.y.size(); ++i)
      if (to.has(x_of(s, i), s.y[i])) return true;
    return false;
  };
  // Invented numbers on the axes of an empty plot would be read as data.
  if (std::none_of(plot.series.begin(), plot.series.end(), has_points)) {
    svg.frame(area, {.colour = palette::grid});
    draw_no_data(svg, area);
    return;
  }
  draw_frame(svg, area, to, frame);
  const std::vector<Look> look = looks(plot.series);
  // Markers and round line ends at the border stay whole.
  svg.clip({area.x - 5, area.y - 5, area.width + 10, area.height + 10});
  for (std::size_t i = 0; i < plot.series.size(); ++i)
    if (!plot.series[i].low.empty()) draw_band(svg, plot.series[i], to, look[i].colour);
  for (std::size_t i = 0; i < plot.series.size(); ++i) draw_series(svg, plot.series[i], to, look[i]);
  svg.unclip();
}

}  // namespace atto::report::figure
