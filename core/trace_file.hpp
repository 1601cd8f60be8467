#pragma once
// The option `--trace FILE` of a program.

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/roofline.hpp"

namespace atto {

/// Traces a program, or a part of it, into a file:
///
///     TraceFile trace(file);            // file as the user gave it; empty traces nothing
///     work();
///     std::fputs(trace.finish().c_str(), stdout);
///
/// Nothing is written where an exception ends the work.
class TraceFile {
 public:
  /// Measures the machine (0.3 s, and up to 256 MiB that show in the peak of the process) and starts to record. Throws
  /// FileError at once where the file could not be written.
  explicit TraceFile(std::filesystem::path path);
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  ~TraceFile();

  /// Ends the recording and writes the file (trace::chrome_json()), whole or not at all. Returns what to print: the
  /// ceilings of the machine, trace::table() against them, and how much of the time was spent in operations; nothing
  /// where nothing was traced. Call it once, after the work.
  std::string finish();

 private:
  std::filesystem::path path_;
  Roofline roofline_;
  std::int64_t start_ns_ = 0;
};

}  // namespace atto
