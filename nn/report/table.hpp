#pragma once

#include <string>
#include <vector>

namespace atto::report {

enum class Align { left, right };

/// Heading and alignment of one column.
struct Column {
  std::string title;
  Align align = Align::left;
};

/// A small table of texts that prints itself aligned, as Markdown or as CSV (as HTML: see HtmlPage).
///
///     Table table({{"split"}, {"accuracy", Align::right}});
///     table.row({"train", fixed(0.91)}).row({"test", fixed(0.85)});
///     out << table.text();
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// Appends a row. A short row is filled with empty cells; a longer one than there are columns throws ValueError.
  Table& row(std::vector<std::string> cells);

  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  /// Aligned for a terminal: a heading, a rule, one line per row, no spaces at line ends. Control characters (a line
  /// break inside a cell too) print as spaces.
  std::string text() const;

  /// A GitHub table; `|` and line breaks inside cells are escaped.
  std::string markdown() const;

  /// RFC 4180, but with "\n" line ends: cells with commas, quotes or line breaks are quoted.
  std::string csv() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace atto::report
