#include "nn/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nn/report/svg.hpp"

namespace atto::report {
namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light; }
body { max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem; background: #fff; color: #1f2328; line-height: 1.5;
  font-family: Inter, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin-bottom: 1.25rem; }
h2 { font-size: 1.2rem; margin-top: 2.25rem; padding-bottom: .3rem; border-bottom: 1px solid #e6e9ed; }
h3, h4 { font-size: 1rem; margin-top: 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; margin: 1rem 0; }
caption, figcaption { color: #59636e; font-size: .85rem; text-align: left; padding: .25rem 0; }
th, td { padding: .35rem .9rem; text-align: left; border-bottom: 1px solid #e6e9ed; vertical-align: top; }
th { border-bottom: 2px solid #8c959f; }
.number { text-align: right; }
figure { margin: 1.5rem 0; }
figure svg { max-width: 100%; height: auto; }
pre { background: #f6f8fa; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; border-radius: 6px; }
)";

}  // namespace

HtmlPage::HtmlPage(std::string_view title) : title_(xml_escape(title)) {}

HtmlPage& HtmlPage::heading(std::string_view text, int level) {
  body_ += fmt::format("<h{0}>{1}</h{0}>\n", std::clamp(level, 2, 4), xml_escape(text));
  return *this;
}

HtmlPage& HtmlPage::paragraph(std::string_view text) {
  body_ += fmt::format("<p>{}</p>\n", xml_escape(text));
  return *this;
}

HtmlPage& HtmlPage::preformatted(std::string_view text) {
  // The browser drops the line break directly after <pre>, so one is put there for it.
  body_ += fmt::format("<pre>\n{}</pre>\n", xml_escape(text));
  return *this;
}

HtmlPage& HtmlPage::table(const Table& table, std::string_view caption) {
  const auto line = [&](std::string_view tag, const auto& cell_of) {
    body_ += "<tr>";
    for (std::size_t c = 0; c < table.columns().size(); ++c)
      body_ += fmt::format("<{0}{1}>{2}</{0}>", tag,
                           table.columns()[c].align == Align::right ? " class=\"number\"" : "", xml_escape(cell_of(c)));
    body_ += "</tr>\n";
  };
  body_ += "<div class=\"wide\"><table>\n";
  if (!caption.empty()) body_ += fmt::format("<caption>{}</caption>\n", xml_escape(caption));
  body_ += "<thead>\n";
  line("th", [&](std::size_t c) { return std::string_view(table.columns()[c].title); });
  body_ += "</thead>\n<tbody>\n";
  for (const auto& row : table.rows()) line("td", [&](std::size_t c) { return std::string_view(row[c]); });
  body_ += "</tbody>\n</table></div>\n";
  return *this;
}

HtmlPage& HtmlPage::svg(std::string_view document, std::string_view caption) {
  body_ += fmt::format("<figure>\n{}", document);
  if (!caption.empty()) body_ += fmt::format("<figcaption>{}</figcaption>\n", xml_escape(caption));
  body_ += "</figure>\n";
  return *this;
}

std::string HtmlPage::str() const {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      title_, style, body_);
}

}  // namespace atto::report
