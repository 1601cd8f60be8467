#pragma once
// Runs programs as a user would; gradformer on a small data set.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/file.hpp"
#include "nn/train/metrics_log.hpp"

namespace atto::test {

inline const std::string kProgram = std::string(ATTO_EXAMPLES_FOLDER) + "/gradformer";

struct Result {
  int code;
  std::string output;  ///< both streams
};

inline Result run_program(const std::string& program, const std::string& arguments, const std::filesystem::path& log) {
  const int status = std::system(("'" + program + "' " + arguments + " >'" + log.string() + "' 2>&1").c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .output = read_file(log)};
}
inline Result run(const std::string& arguments, const std::filesystem::path& log) {
  return run_program(kProgram, arguments, log);
}

/// A small data set in the TU text form: rings (class 0) and paths (class 1).
inline void write_tu(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream a(folder / "TOY_A.txt"), indicator(folder / "TOY_graph_indicator.txt"),
      labels(folder / "TOY_graph_labels.txt"), nodes(folder / "TOY_node_labels.txt");
  int next = 1;
  for (int g = 0; g < 40; ++g) {
    const int n = 4 + g % 5;
    for (int i = 0; i < n; ++i) {
      indicator << g + 1 << "\n";
      nodes << (g * 7 + i * 3) % 3 << "\n";
      if (i + 1 < n) a << next + i << ", " << next + i + 1 << "\n" << next + i + 1 << ", " << next + i << "\n";
    }
    if (g % 2 == 0) a << next << ", " << next + n - 1 << "\n" << next + n - 1 << ", " << next << "\n";
    labels << g % 2 << "\n";
    next += n;
  }
}

inline const char* const kSmall = " --cache '' --layers 2 --channels 16 --heads 2 --epochs 3 --batch 8";

/// metrics.csv without the column of seconds.
inline std::string metrics(const std::filesystem::path& folder) {
  std::ostringstream text;
  for (MetricsRow row : read_metrics(folder / "metrics.csv")) {
    row.seconds = MetricsRow::none;
    text << csv_line(row) << "\n";
  }
  return text.str();
}

}  // namespace atto::test
