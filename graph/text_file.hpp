// Reading numbers from text files that somebody else wrote: one pass, and every complaint names file, line and reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace atto {

/// A text file, line by line. Numbers are separated by blanks, tabs or one comma. Lines end with LF or CR LF. Nothing
/// is allocated but the file itself.
class TextFile {
 public:
  /// Whether blank lines at the end of the file count as lines.
  enum class BlankEnd { ignored, counted };

  /// Reads the whole file; FileError when it cannot be read or is larger than 8 GiB.
  explicit TextFile(const std::filesystem::path& path, BlankEnd blank_end = BlankEnd::ignored);

  /// Goes to the next line; false when there is none. What was not read of the line before is an error.
  bool next_line();
  /// next_line(), or an error that says `what` was expected.
  void expect_line(const char* what);
  /// True when the line holds nothing more.
  bool line_ended();
  /// The number of the current line, from 1.
  std::int64_t line() const noexcept { return line_; }

  /// The next number of the line; an error unless it is an integer in low..high.
  std::int64_t integer(const char* what, std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t high = std::numeric_limits<std::int64_t>::max());
  /// The next number of the line; an error unless it is finite, as a double or as the float that it becomes.
  double number(const char* what);
  float real(const char* what);
  /// The next word of the line.
  std::string_view word(const char* what);

  /// Throws FileError naming this line, or the whole file.
  [[noreturn]] void fail(const std::string& reason) const;
  [[noreturn]] void fail_whole(const std::string& reason) const;

 private:
  void skip_separator();

  std::string path_;
  std::string text_;
  std::size_t end_ = 0;       // of the last line
  std::size_t place_ = 0;     // of the next character
  std::size_t line_end_ = 0;  // of the current line
  std::size_t next_ = 0;      // begin of the next line
  std::int64_t line_ = 0;
  bool line_begun_ = false;
};

}  // namespace atto
