#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// The little UTF-8 that a report needs, independent of the locale of the process.
namespace atto::report {

/// Decodes the code point at `position` and moves `position` behind it. Bytes that are not UTF-8 (stray, truncated,
/// over-long, surrogate) give U+FFFD one byte at a time, so decoding always ends and never reads past the end.
char32_t next_code_point(std::string_view text, std::size_t& position);

/// Appends `point` to `out` as UTF-8.
void append_utf8(std::string& out, char32_t point);

/// Columns that `text` takes in a terminal: combining marks take none, East Asian wide characters and emoji two.
std::size_t display_columns(std::string_view text);

/// `text`, shortened to at most `columns` terminal columns; what is cut is shown by an ellipsis.
std::string shorten_columns(std::string_view text, std::size_t columns);

}  // namespace atto::report
