#pragma once
// What every program can be told about time and memory: --trace and --memory-limit.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "core/allocator.hpp"
#include "core/trace_file.hpp"

namespace atto::examples {

/// Adds the two options, and runs the program's work as they say.
///
///     Resources resources(app);
///     if (const auto code = parse(app, argc, argv)) return *code;
///     return resources.run([&] { train(settings); });
class Resources {
 public:
  explicit Resources(CLI::App& app) {
    app.add_option("--trace", trace_file_,
                   "Write where the time went to this file (for chrome://tracing or Perfetto) and print a table")
        ->take_last()
        ->group("Run");
    app.add_option("--memory-limit", memory_limit_,
                   "Refuse to take more memory than that for tensors: bytes, or a number with KiB, MiB, GiB")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62))
        ->option_text("SIZE")
        ->take_last()
        ->group("Run");
  }
  Resources(const Resources&) = delete;  // the options hold on to it
  Resources& operator=(const Resources&) = delete;

  /// Returns the exit code 0; errors pass through.
  template <class Work>
  int run(Work&& work) const {
    allocator::set_limit(static_cast<std::int64_t>(memory_limit_));
    TraceFile trace(trace_file_);
    std::forward<Work>(work)();
    if (!trace_file_.empty()) fmt::print("\n{}", trace.finish());
    return 0;
  }

 private:
  std::string trace_file_;
  std::uint64_t memory_limit_ = 0;
};

}  // namespace atto::examples
