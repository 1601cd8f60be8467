#pragma once

#include <string>
#include <string_view>

/// A writer for small, self-contained SVG drawings: no script, no external font, no ids (so that several drawings can
/// stand in one HTML page without clashing).
namespace atto::report {

/// `text` for XML content and attribute values: & < > " ' escaped, characters that XML 1.0 forbids and bytes that are
/// not UTF-8 replaced by U+FFFD.
std::string xml_escape(std::string_view text);

/// Width of `text` in pixels at font size `size`: the advance widths of DejaVu Sans, the widest of the fonts that a
/// viewer is likely to choose, so that what fits by this measure fits everywhere.
double text_width(std::string_view text, double size, bool bold = false);

/// `text`, shortened with an ellipsis until it is at most `width` pixels wide.
std::string fit_text(std::string_view text, double size, double width, bool bold = false);

/// A coordinate with at most two decimals: "12", "3.5", "-0.25".
std::string coordinate(double value);

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;
  std::string_view colour = "#1f2328";
  Anchor anchor = Anchor::start;
  bool bold = false;
  double rotate = 0;  ///< degrees clockwise around (x, y)
};

struct Stroke {
  std::string_view colour = "#1f2328";
  double width = 1;
  std::string_view dash = "";  ///< as in stroke-dasharray; empty: solid
  double opacity = 1;
};

class Svg {
 public:
  /// `title` is what a screen reader says; it is not drawn.
  Svg(double width, double height, std::string_view title);

  void rect(const Box& box, std::string_view fill, double opacity = 1);
  void frame(const Box& box, const Stroke& stroke);
  void line(double x1, double y1, double x2, double y2, const Stroke& stroke);
  void circle(double x, double y, double radius, std::string_view fill, double opacity = 1);
  void ring(double x, double y, double radius, const Stroke& stroke, std::string_view fill);
  void stroke_path(std::string_view d, const Stroke& stroke);
  void fill_path(std::string_view d, std::string_view fill, double opacity = 1);
  /// Fills `d`, whose coordinates count the columns and rows of a grid that fills `box`. Edges are not smoothed, so
  /// that no seams show between neighbours.
  void cells(const Box& box, int columns, int rows, std::string_view d, std::string_view fill);
  /// (x, y) is the baseline.
  void text(double x, double y, std::string_view text, const TextStyle& style = {});

  /// Everything until unclip() is cut at `box`. Coordinates stay those of the drawing.
  void clip(const Box& box);
  void unclip();

  /// The finished document.
  std::string str() const;

 private:
  std::string out_;
};

}  // namespace atto::report
