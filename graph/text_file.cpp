#include "graph/text_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"

namespace atto {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{8} << 30;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string read_checked(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size > kLargestFile)
    throw FileError(path.string(), {}, fmt::format("{} bytes, more than can be read (8 GiB)", size));
  return read_file(path);
}

// A word as it may stand in an error message: short, and without bytes that a terminal would obey.
std::string quoted(std::string_view word) {
  std::string text = "'";
  for (const char c : word.substr(0, 24))
    text += c >= ' ' && c <= '~' ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text + (word.size() > 24 ? "...'" : "'");
}

}  // namespace

TextFile::TextFile(const std::filesystem::path& path, BlankEnd blank_end)
    : path_(path.string()), text_(read_checked(path)) {
  end_ = text_.size();
  if (blank_end == BlankEnd::ignored)
    while (end_ > 0 && (is_blank(text_[end_ - 1]) || text_[end_ - 1] == '\n')) --end_;
  else if (end_ > 0 && text_[end_ - 1] == '\n') --end_;
  if (end_ == 0) next_ = 1;  // no line at all, where a text of length 1 has one
}

bool TextFile::next_line() {
  if (line_ > 0 && !line_ended()) fail("unexpected " + quoted(word("word")) + " at the end of the line");
  if (next_ > end_) return false;
  place_ = next_;
  line_end_ = std::min(text_.find('\n', place_), end_);
  next_ = line_end_ + 1;
  ++line_;
  line_begun_ = false;
  return true;
}

void TextFile::expect_line(const char* what) {
  if (!next_line()) {
    ++line_;
    fail(fmt::format("the file ends where {} should be", what));
  }
}

bool TextFile::line_ended() {
  while (place_ < line_end_ && is_blank(text_[place_])) ++place_;
  return place_ >= line_end_;
}

// A comma stands between two words, so never first and never last.
void TextFile::skip_separator() {
  if (line_ended()) return;
  if (line_begun_ && text_[place_] == ',') {
    ++place_;
    if (line_ended()) fail("nothing after the last comma");
  }
  line_begun_ = true;
}

std::string_view TextFile::word(const char* what) {
  skip_separator();
  if (place_ >= line_end_) fail(fmt::format("{} is missing", what));
  const std::size_t begin = place_;
  while (place_ < line_end_ && !is_blank(text_[place_]) && text_[place_] != ',') ++place_;
  if (place_ == begin) fail(fmt::format("a comma where {} should be", what));
  return std::string_view(text_).substr(begin, place_ - begin);
}

std::int64_t TextFile::integer(const char* what, std::int64_t low, std::int64_t high) {
  const std::string_view text = word(what);
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) fail(fmt::format("{} {} does not fit 64 bits", what, quoted(text)));
  if (error != std::errc{} || rest != text.data() + text.size())
    fail(fmt::format("{} {} is not an integer", what, quoted(text)));
  if (value < low || value > high) fail(fmt::format("{} {} is outside {}..{}", what, value, low, high));
  return value;
}

double TextFile::number(const char* what) {
  const std::string_view text = word(what);
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) fail(fmt::format("{} {} is too large or too small", what, quoted(text)));
  if (error != std::errc{} || rest != text.data() + text.size())
    fail(fmt::format("{} {} is not a number", what, quoted(text)));
  if (!std::isfinite(value)) fail(fmt::format("{} {} is not finite", what, quoted(text)));
  return value;
}

float TextFile::real(const char* what) {
  const double value = number(what);
  if (std::abs(value) > std::numeric_limits<float>::max())
    fail(fmt::format("{} {} is too large for a float", what, value));
  return static_cast<float>(value);
}

void TextFile::fail(const std::string& reason) const {
  throw FileError(path_, fmt::format("line {}", line_), reason);
}

void TextFile::fail_whole(const std::string& reason) const {
  throw FileError(path_, {}, reason);
}

}  // namespace atto
