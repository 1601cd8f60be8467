#pragma once

#include <optional>
#include <string>
#include <vector>

namespace atto::report {

/// A graph over things in a row (the tokens of a text): an arc over the row for every edge, thicker, darker and drawn
/// later the more it weighs. An edge of a thing and itself is a dot on it.
struct ArcDiagram {
  struct Arc {
    int from = 0, to = 0;  ///< places in the row
    double weight = 1;     ///< edges that are not finite or weigh 0 or less are not drawn
  };
  std::string title{}, subtitle{};
  std::vector<std::string> labels{};
  std::vector<Arc> arcs{};
  std::optional<double> heaviest{};  ///< the weight that is drawn thickest; not given: the largest
  double width = 720;                ///< grows where more labels stand in a row than fit
  double tallest = 260;              ///< of the arcs
};

/// A self-contained SVG document. ValueError for an arc to a place that is not there.
std::string to_svg(const ArcDiagram& diagram);

}  // namespace atto::report
