#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/report/axis.hpp"
#include "nn/report/palette.hpp"
#include "nn/report/plot.hpp"
#include "nn/report/svg.hpp"

/// The parts that line plots, heat maps and grids of panels are put together from. Internal to nn/report.
namespace atto::report::figure {

inline constexpr double margin = 20, label_size = 11, small_line = 17;

/// Title and subtitle at the top left.
struct Header {
  std::string title, subtitle;
  double height() const;
  void draw(Svg& svg, double x, double y, double width) const;
};

/// How a series is drawn: its colour and dash once the ones left open are chosen.
struct Look {
  std::string_view colour;
  std::string_view dash;
};
std::vector<Look> looks(const std::vector<Series>& series);

/// The named series in one or more lines of at most `width`; a name that occurs twice is listed once.
class Legend {
 public:
  Legend(const std::vector<Series>& series, const std::vector<Look>& looks, double width);
  double height() const { return height_; }
  void draw(Svg& svg, double x, double y) const;

 private:
  struct Entry {
    std::string name;
    Look look;
    double x, y;
    bool marker;
  };
  std::vector<Entry> entries_;
  double height_ = 0;
};

/// Throws ValueError where the vectors of a series differ in length.
void check(const std::vector<Series>& series);

/// What the curves of several plots span together: {x, y}.
std::pair<Range, Range> ranges(const std::vector<const LinePlot*>& plots, const Axis& x, const Axis& y);

/// Ticks whose labels fit side by side on a horizontal axis of `width` pixels.
Ticks fitting_ticks(Range range, double width, const Axis& axis);

/// Width of the widest label.
double label_width(const Ticks& ticks);

/// Which parts of the frame a panel shows; inner panels of a grid leave their labels to the outer ones.
struct Frame {
  Range x_range, y_range;
  Ticks x_ticks, y_ticks;
  bool x_labels = true, y_labels = true;
};

/// Grid lines, axis, tick labels and the curves in `area`.
void draw_curves(Svg& svg, const Box& area, const LinePlot& plot, const Frame& frame);

/// "no data", centred.
void draw_no_data(Svg& svg, const Box& area);

}  // namespace atto::report::figure
