#include "nn/report/figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"

namespace atto::report::figure {
namespace {

constexpr double title_size = 15, subtitle_size = 12, legend_size = 12;
constexpr double title_line = 22, swatch = 20, swatch_gap = 6, entry_gap = 18, legend_line = 19, longest_name = 260;

std::vector<double> collect(const std::vector<const LinePlot*>& plots, bool vertical) {
  std::vector<double> out;
  for (const LinePlot* plot : plots)
    for (const Series& s : plot->series) {
      const auto add = [&](const std::vector<double>& v) { out.insert(out.end(), v.begin(), v.end()); };
      if (vertical) {
        add(s.y), add(s.low), add(s.high);
      } else if (s.x.empty() && !s.y.empty()) {
        out.push_back(0), out.push_back(static_cast<double>(s.y.size() - 1));
      } else {
        add(s.x);
      }
    }
  return out;
}

}  // namespace

double Header::height() const {
  const double lines = (title.empty() ? 0 : title_line) + (subtitle.empty() ? 0 : small_line);
  return lines > 0 ? lines + 6 : 0;
}

void Header::draw(Svg& svg, double x, double y, double width) const {
  if (!title.empty()) {
    svg.text(x, y + title_size, fit_text(title, title_size, width, true), {.size = title_size, .bold = true});
    y += title_line;
  }
  svg.text(x, y + subtitle_size, fit_text(subtitle, subtitle_size, width),
           {.size = subtitle_size, .colour = palette::muted});
}

std::vector<Look> looks(const std::vector<Series>& series) {
  constexpr std::array<std::string_view, 3> extra_dashes{"", "2 3", "9 3 2 3"};
  const int colours = static_cast<int>(palette::series.size());
  std::set<int> asked;
  for (const Series& s : series)
    if (s.colour >= 0) asked.insert(s.colour);
  std::vector<Look> out;
  int next = 0;
  for (const Series& s : series) {
    int index = s.colour;
    if (index < 0) {
      while (asked.count(next)) ++next;
      index = next++;
    }
    // When the colours are used up a series differs by its dash instead.
    const auto round = static_cast<std::size_t>(index / colours);
    out.push_back({palette::series[static_cast<std::size_t>(index % colours)],
                   s.dashed ? "6 4" : extra_dashes[round % extra_dashes.size()]});
  }
  return out;
}

Legend::Legend(const std::vector<Series>& series, const std::vector<Look>& looks, double width) {
  std::set<std::string> seen;
  double x = 0, widest = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (series[i].name.empty() || !seen.insert(series[i].name).second) continue;
    // One long name must not make every column as wide.
    const std::string name = fit_text(series[i].name, legend_size, std::min(longest_name, width - swatch - swatch_gap));
    const double needed = swatch + swatch_gap + text_width(name, legend_size) + entry_gap;
    entries_.push_back({name, looks[i], x, 0, series[i].markers});
    x += needed;
    widest = std::max(widest, needed);
  }
  if (entries_.empty()) return;
  int lines = 1;
  if (x - entry_gap > width) {
    // More than one line: in columns, so that the eye can run down.
    const int columns = std::max(1, static_cast<int>((width + entry_gap) / widest));
    for (int i = 0; i < static_cast<int>(entries_.size()); ++i) {
      entries_[static_cast<std::size_t>(i)].x = i % columns * widest;
      entries_[static_cast<std::size_t>(i)].y = i / columns * legend_line;
    }
    lines = (static_cast<int>(entries_.size()) + columns - 1) / columns;
  }
  height_ = lines * legend_line + 4;
}

void Legend::draw(Svg& svg, double x, double y) const {
  for (const Entry& entry : entries_) {
    const double left = x + entry.x, middle = y + entry.y + legend_line / 2;
    svg.line(left, middle, left + swatch, middle, {.colour = entry.look.colour, .width = 2.5, .dash = entry.look.dash});
    if (entry.marker) svg.ring(left + swatch / 2, middle, 3.2, {.colour = "#ffffff", .width = 1}, entry.look.colour);
    svg.text(left + swatch + swatch_gap, middle + legend_size * 0.36, entry.name, {.size = legend_size});
  }
}

void check(const std::vector<Series>& series) {
  for (const Series& s : series) {
    const auto same = [&](const std::vector<double>& v, const char* what) {
      if (!v.empty() && v.size() != s.y.size())
        throw ValueError({.op = "plot",
                          .argument = fmt::format("{} of series \"{}\"", what, s.name),
                          .got = fmt::format("{} values", v.size()),
                          .expected = fmt::format("{}, as many as y", s.y.size()),
                          .hint = {}});
    };
    same(s.x, "x"), same(s.low, "low"), same(s.high, "high");
    if (s.low.empty() != s.high.empty())
      throw ValueError({.op = "plot",
                        .argument = fmt::format("band of series \"{}\"", s.name),
                        .got = s.low.empty() ? "high alone" : "low alone",
                        .expected = "low and high",
                        .hint = {}});
  }
}

std::pair<Range, Range> ranges(const std::vector<const LinePlot*>& plots, const Axis& x, const Axis& y) {
  return {axis_range(collect(plots, false), x), axis_range(collect(plots, true), y)};
}

double label_width(const Ticks& ticks) {
  double widest = 0;
  for (const std::string& label : ticks.labels) widest = std::max(widest, text_width(label, label_size));
  return widest;
}

Ticks fitting_ticks(Range range, double width, const Axis& axis) {
  for (int count = 10; count > 1; --count) {
    Ticks ticks = nice_ticks(range, count, axis);
    bool fits = true;
    double end = -INFINITY;
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
      const double centre = axis_position(ticks.at[i], range, axis.scale) * width;
      const double half = text_width(ticks.labels[i], label_size) / 2;
      fits = fits && centre - half >= end;
      end = centre + half + 12;
    }
    if (fits) return ticks;
  }
  // Not even two stand side by side: one is still better than none.
  Ticks ticks = nice_ticks(range, 1, axis);
  if (ticks.at.size() > 1) {
    ticks.at = {ticks.at.front()};
    ticks.labels = {ticks.labels.front()};
  }
  return ticks;
}

void draw_no_data(Svg& svg, const Box& area) {
  svg.text(area.x + area.width / 2, area.y + area.height / 2 + 4, "no data",
           {.size = 12, .colour = palette::muted, .anchor = Anchor::middle});
}

}  // namespace atto::report::figure
