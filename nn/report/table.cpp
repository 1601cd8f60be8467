#include "nn/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "nn/report/utf8.hpp"

namespace atto::report {
namespace {

using Cells = std::vector<std::string>;

Cells titles(const std::vector<Column>& columns) {
  Cells cells;
  for (const Column& column : columns) cells.push_back(column.title);
  return cells;
}

std::string one_line(std::string_view cell) {
  std::string out(cell);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return out;
}

std::string markdown_cell(std::string_view cell) {
  std::string out;
  for (char c : cell) {
    if (c == '|') out += "\\|";
    else if (c == '\n') out += "<br>";
    else if (c != '\r') out += c;
  }
  return out;
}

std::string csv_cell(std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(cell);
  std::string out = "\"";
  for (char c : cell) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

void csv_line(std::string& out, const Cells& cells) {
  for (std::size_t c = 0; c < cells.size(); ++c) out += (c ? "," : "") + csv_cell(cells[c]);
  out += '\n';
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

Table& Table::row(std::vector<std::string> cells) {
  if (cells.size() > columns_.size())
    throw ValueError({.op = "Table::row",
                      .argument = fmt::format("row {}", rows_.size() + 1),
                      .got = fmt::format("{} cells", cells.size()),
                      .expected = fmt::format("at most {}", columns_.size()),
                      .hint = {}});
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
  return *this;
}

std::string Table::text() const {
  std::vector<Cells> lines{titles(columns_)};
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (Cells& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) {
      line[c] = one_line(line[c]);
      widths[c] = std::max(widths[c], display_columns(line[c]));
    }

  std::string out;
  const auto end_line = [&] {
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  for (std::size_t r = 0; r < lines.size(); ++r) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string gap(widths[c] - display_columns(lines[r][c]), ' ');
      out += c ? "  " : "";
      out += columns_[c].align == Align::right ? gap + lines[r][c] : lines[r][c] + gap;
    }
    end_line();
    if (r > 0) continue;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      out += c ? "  " : "";
      out.append(widths[c], '-');
    }
    end_line();
  }
  return out;
}

std::string Table::markdown() const {
  std::string out;
  const auto line = [&](const Cells& cells) {
    out += '|';
    for (const std::string& cell : cells) out += ' ' + markdown_cell(cell) + " |";
    out += '\n';
  };
  line(titles(columns_));
  out += '|';
  for (const Column& column : columns_) out += column.align == Align::right ? " ---: |" : " --- |";
  out += '\n';
  for (const Cells& cells : rows_) line(cells);
  return out;
}

std::string Table::csv() const {
  std::string out;
  csv_line(out, titles(columns_));
  for (const Cells& cells : rows_) csv_line(out, cells);
  return out;
}

}  // namespace atto::report
