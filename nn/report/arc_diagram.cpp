#include "nn/report/arc_diagram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "nn/report/figure.hpp"
#include "nn/report/palette.hpp"
#include "nn/report/svg.hpp"

namespace atto::report {
namespace {

using namespace figure;

constexpr double longest_label = 110, widest_gap = 90, thickest = 4, largest_dot = 5;

bool drawn(const ArcDiagram::Arc& arc) {
  return std::isfinite(arc.weight) && arc.weight > 0;
}

}  // namespace

std::string to_svg(const ArcDiagram& diagram) {
  const int count = static_cast<int>(diagram.labels.size());
  std::vector<ArcDiagram::Arc> arcs;
  double heaviest = 0;
  int longest = 0;
  for (const ArcDiagram::Arc& arc : diagram.arcs) {
    if (std::min(arc.from, arc.to) < 0 || std::max(arc.from, arc.to) >= count)
      throw ValueError({.op = "ArcDiagram",
                        .argument = "arcs",
                        .got = fmt::format("{} to {}", arc.from, arc.to),
                        .expected = fmt::format("places of {} labels", count),
                        .hint = {}});
    if (!drawn(arc)) continue;
    arcs.push_back(arc);
    heaviest = std::max(heaviest, arc.weight);
    longest = std::max(longest, std::abs(arc.to - arc.from));
  }
  heaviest = diagram.heaviest.value_or(heaviest);
  std::stable_sort(arcs.begin(), arcs.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; });

  std::vector<std::string> labels;
  double widest = 0;
  for (const std::string& label : diagram.labels) {
    labels.push_back(fit_text(label, label_size, longest_label));
    widest = std::max(widest, text_width(labels.back(), label_size));
  }
  const double width = std::max(diagram.width, 2 * margin + count * (label_size + 2));
  const double gap = std::min((width - 2 * margin) / std::max(count, 1), widest_gap);
  const bool upright = widest + 6 > gap;

  const Header header{diagram.title, diagram.subtitle};
  // Half circles as long as the longest fits under the top.
  const double tall = std::min(diagram.tallest, longest * gap / 2),
               squeeze = longest > 0 ? tall / (longest * gap / 2) : 1;
  const double row = margin + header.height() + tall + thickest + largest_dot;
  const double height = row + largest_dot + 8 + (upright ? widest : label_size + 4) + margin;
  Svg svg(width, height, diagram.title);
  header.draw(svg, margin, margin, width - 2 * margin);
  if (count == 0) draw_no_data(svg, {margin, row - 20, width - 2 * margin, 20});

  const auto place = [&](int i) { return margin + (i + 0.5) * gap; };
  for (const bool self : {false, true})
    for (const ArcDiagram::Arc& arc : arcs) {
      if ((arc.from == arc.to) != self) continue;
      const double part = std::clamp(arc.weight / heaviest, 0.0, 1.0);
      // The lightest colours of the scale are lost on white.
      const std::string colour = palette::colour_at(palette::sequential, 0.25 + 0.75 * part);
      if (self) {
        svg.circle(place(arc.to), row, 1.5 + (largest_dot - 1.5) * std::sqrt(part), colour);
        continue;
      }
      const double a = place(std::min(arc.from, arc.to)), b = place(std::max(arc.from, arc.to)), radius = (b - a) / 2;
      svg.stroke_path(fmt::format("M{} {}A{} {} 0 0 1 {} {}", coordinate(a), coordinate(row), coordinate(radius),
                                  coordinate(radius * squeeze), coordinate(b), coordinate(row)),
                      {.colour = colour, .width = 0.4 + (thickest - 0.4) * part, .opacity = 0.35 + 0.65 * part});
    }
  for (int i = 0; i < count; ++i) {
    const TextStyle style{.size = label_size,
                          .colour = palette::ink,
                          .anchor = upright ? Anchor::end : Anchor::middle,
                          .rotate = upright ? -90.0 : 0.0};
    svg.text(upright ? place(i) + label_size * 0.36 : place(i), row + largest_dot + (upright ? 5 : label_size + 4),
             labels[static_cast<std::size_t>(i)], style);
  }
  return svg.str();
}

}  // namespace atto::report
