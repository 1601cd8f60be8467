#pragma once

#include <string>
#include <vector>

#include "nn/report/axis.hpp"

namespace atto::report {

/// One curve. Points where x or y cannot be drawn (NaN, Inf, not positive on a log axis) are gaps; a point between two
/// gaps is drawn as a dot.
struct Series {
  std::string name{};       ///< in the legend; empty: not there
  std::vector<double> x{};  ///< empty: 0, 1, 2, ...
  std::vector<double> y{};
  std::vector<double> low{}, high{};  ///< a band around the curve (mean - std, mean + std); empty: none
  int colour = -1;                    ///< index into palette::series; -1: the next one that no series asked for
  double width = 2;
  double opacity = 1;
  bool dashed = false;
  bool markers = false;
};

/// A plot of curves.
///
///     to_svg(LinePlot{.title = "Loss", .x = {.title = "epoch"}, .series = {{.name = "train", .y = losses}}})
struct LinePlot {
  std::string title{}, subtitle{};
  Axis x{}, y{};
  std::vector<Series> series{};
  double width = 720, height = 420;  ///< grows where the legend needs more lines than fit
};

/// A self-contained SVG document. Throws ValueError where the vectors of a series differ in length.
std::string to_svg(const LinePlot& plot);

}  // namespace atto::report
