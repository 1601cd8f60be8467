#pragma once

#include <string>
#include <vector>

#include "nn/report/axis.hpp"
#include "nn/report/heat_map.hpp"
#include "nn/report/svg.hpp"

/// The parts of a heat map. Internal to nn/report.
namespace atto::report::figure {

/// Maps values to colours.
struct ColourScale {
  Range range;
  bool diverging = false;
  std::string colour(double t) const;  ///< t in [0, 1]
  double place(double value) const { return (value - range.low) / (range.high - range.low); }
};

/// One scale for all maps: the ends that a map asks for, otherwise those of the values.
ColourScale scale_of(const std::vector<const HeatMap*>& maps);

/// Throws ValueError where the number of values or labels does not fit the shape.
void check(const HeatMap& map);

/// The map that is drawn: `map` itself, or the means of its blocks where it is large. `block` is the side of a block.
HeatMap drawn_map(const HeatMap& map, int& block);

/// The cells of `map` in `area`, "no data" where there is none.
void draw_cells(Svg& svg, const Box& area, const HeatMap& map, const ColourScale& scale);

/// A vertical bar with its values on the right.
void draw_colour_bar(Svg& svg, const Box& bar, const ColourScale& scale);
double colour_bar_width(const ColourScale& scale, double height);

}  // namespace atto::report::figure
