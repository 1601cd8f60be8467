#pragma once

#include <string>
#include <string_view>

#include "nn/report/table.hpp"

namespace atto::report {

/// One self-contained HTML page (no script, nothing loaded from elsewhere), put together from top to bottom. Texts are
/// escaped. The page is well-formed XML too, so that XML tools can read it.
///
///     HtmlPage page("Gradformer on MUTAG");
///     page.paragraph("10 folds, seed 1").table(results).svg(to_svg(loss_plot), "Loss over epochs");
///     write_atomically(folder / "report.html", page.str());
class HtmlPage {
 public:
  /// The title is that of the browser tab and the first heading.
  explicit HtmlPage(std::string_view title);

  /// Level 2 (a section) to 4; others are moved into that range.
  HtmlPage& heading(std::string_view text, int level = 2);
  HtmlPage& paragraph(std::string_view text);
  /// Text in a fixed-width font whose line breaks stay: a log, a configuration.
  HtmlPage& preformatted(std::string_view text);
  HtmlPage& table(const Table& table, std::string_view caption = {});
  /// A drawing made by to_svg, which goes into the page as it is.
  HtmlPage& svg(std::string_view document, std::string_view caption = {});

  std::string str() const;

 private:
  std::string title_, body_;
};

}  // namespace atto::report
