#include "nn/report/svg.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "nn/report/utf8.hpp"

namespace atto::report {
namespace {

// Advance widths of DejaVu Sans for U+0020 to U+007E, in thousandths of the font size.
constexpr std::array<short, 95> advance{317,  400, 459, 837, 636, 950, 779, 274, 390, 390, 500, 837, 317, 360, 317, 336,
                                        636,  636, 636, 636, 636, 636, 636, 636, 636, 636, 336, 336, 837, 837, 837, 530,
                                        1000, 684, 686, 698, 770, 631, 575, 774, 751, 294, 294, 655, 557, 862, 748, 787,
                                        603,  787, 694, 634, 610, 731, 684, 988, 685, 610, 685, 390, 336, 390, 837, 500,
                                        500,  612, 634, 549, 634, 615, 352, 634, 633, 277, 277, 579, 277, 974, 633, 611,
                                        634,  634, 411, 520, 392, 633, 591, 817, 591, 591, 524, 636, 336, 636, 837};

double advance_of(char32_t point) {
  if (point >= 0x20 && point <= 0x7E) return advance[point - 0x20] * 1e-3;
  if (point == U'·') return 0.32;
  std::string one;
  append_utf8(one, point);
  // Beyond ASCII: about the widest capital (wide scripts: one em, which is half of what two columns would suggest).
  return display_columns(one) == 2 ? 1.05 : 0.85 * static_cast<double>(display_columns(one));
}

// XML 1.0, production [2] Char.
bool allowed_in_xml(char32_t p) {
  return p == 0x9 || p == 0xA || p == 0xD || (p >= 0x20 && p <= 0xD7FF) || (p >= 0xE000 && p <= 0xFFFD) || p >= 0x10000;
}

std::string opacity_attribute(double opacity) {
  return opacity < 1 ? fmt::format(" opacity=\"{}\"", coordinate(opacity)) : "";
}

std::string stroke_attributes(const Stroke& stroke) {
  std::string out = fmt::format(" stroke=\"{}\" stroke-width=\"{}\"", stroke.colour, coordinate(stroke.width));
  if (!stroke.dash.empty()) out += fmt::format(" stroke-dasharray=\"{}\"", stroke.dash);
  return out + opacity_attribute(stroke.opacity);
}

std::string box_attributes(const Box& box) {
  return fmt::format(" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", coordinate(box.x), coordinate(box.y),
                     coordinate(box.width), coordinate(box.height));
}

}  // namespace

std::string xml_escape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t point = next_code_point(text, i);
    switch (point) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        append_utf8(out, allowed_in_xml(point) ? point : 0xFFFD);
    }
  }
  return out;
}

double text_width(std::string_view text, double size, bool bold) {
  double width = 0;
  for (std::size_t i = 0; i < text.size();) width += advance_of(next_code_point(text, i));
  // DejaVu Sans Bold is 14 % wider on running text.
  return width * size * (bold ? 1.15 : 1);
}

std::string fit_text(std::string_view text, double size, double width, bool bold) {
  if (text_width(text, size, bold) <= width) return std::string(text);
  const double room = width - text_width("…", size, bold);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::string longer = out;
    append_utf8(longer, next_code_point(text, i));
    if (text_width(longer, size, bold) > room) break;
    out = std::move(longer);
  }
  if (room < 0) return {};
  // "h = 4.…" reads as a typing error.
  out.erase(out.find_last_not_of(" .,;:=-(") + 1);
  return out + "…";
}

std::string coordinate(double value) {
  // A viewer would drop the whole element for a coordinate that is no number; callers leave such points out.
  if (!std::isfinite(value)) return "0";
  std::string out = fmt::format("{:.2f}", value);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

Svg::Svg(double width, double height, std::string_view title) {
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-label=\"{2}\" font-family=\"Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
      coordinate(width), coordinate(height), xml_escape(title));
}

void Svg::rect(const Box& box, std::string_view fill, double opacity) {
  out_ += fmt::format("<rect{} fill=\"{}\"{}/>\n", box_attributes(box), fill, opacity_attribute(opacity));
}

void Svg::frame(const Box& box, const Stroke& stroke) {
  out_ += fmt::format("<rect{} fill=\"none\"{}/>\n", box_attributes(box), stroke_attributes(stroke));
}

void Svg::line(double x1, double y1, double x2, double y2, const Stroke& stroke) {
  out_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>\n", coordinate(x1), coordinate(y1),
                      coordinate(x2), coordinate(y2), stroke_attributes(stroke));
}

void Svg::circle(double x, double y, double radius, std::string_view fill, double opacity) {
  out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"{}/>\n", coordinate(x), coordinate(y),
                      coordinate(radius), fill, opacity_attribute(opacity));
}

void Svg::ring(double x, double y, double radius, const Stroke& stroke, std::string_view fill) {
  out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"{}/>\n", coordinate(x), coordinate(y),
                      coordinate(radius), fill, stroke_attributes(stroke));
}

void Svg::stroke_path(std::string_view d, const Stroke& stroke) {
  out_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"{}\"{}/>\n", d,
                      stroke.dash.empty() ? "round" : "butt", stroke_attributes(stroke));
}

void Svg::fill_path(std::string_view d, std::string_view fill, double opacity) {
  out_ += fmt::format("<path d=\"{}\" fill=\"{}\"{}/>\n", d, fill, opacity_attribute(opacity));
}

void Svg::cells(const Box& box, int columns, int rows, std::string_view d, std::string_view fill) {
  // Four decimals: the scale multiplies up to 128 cells.
  out_ += fmt::format(
      "<path transform=\"translate({} {}) scale({:.4f} {:.4f})\" d=\"{}\" fill=\"{}\" "
      "shape-rendering=\"crispEdges\"/>\n",
      coordinate(box.x), coordinate(box.y), box.width / columns, box.height / rows, d, fill);
}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
  if (text.empty()) return;
  const char* anchor = style.anchor == Anchor::middle ? " text-anchor=\"middle\""
                       : style.anchor == Anchor::end  ? " text-anchor=\"end\""
                                                      : "";
  const std::string turn = style.rotate == 0 ? ""
                                             : fmt::format(" transform=\"rotate({} {} {})\"", coordinate(style.rotate),
                                                           coordinate(x), coordinate(y));
  out_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{}{}{}>{}</text>\n", coordinate(x),
                      coordinate(y), coordinate(style.size), style.colour, anchor,
                      style.bold ? " font-weight=\"600\"" : "", turn, xml_escape(text));
}

void Svg::clip(const Box& box) {
  // A nested <svg> clips without the id that a <clipPath> needs.
  out_ += fmt::format("<svg{} viewBox=\"{} {} {} {}\" overflow=\"hidden\">\n", box_attributes(box), coordinate(box.x),
                      coordinate(box.y), coordinate(box.width), coordinate(box.height));
}

void Svg::unclip() {
  out_ += "</svg>\n";
}

std::string Svg::str() const {
  return out_ + "</svg>\n";
}

}  // namespace atto::report
