#include "core/trace_file.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/file.hpp"

namespace atto {

TraceFile::TraceFile(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.empty()) return;
  AtomicFile probe(path_);  // hours of work must not end with "no such folder"
  roofline_ = measure_roofline();
  trace::start();
  start_ns_ = trace::now_ns();
}

TraceFile::~TraceFile() {
  if (!path_.empty()) trace::stop();
}

std::string TraceFile::finish() {
  if (path_.empty()) return {};
  trace::stop();
  const double total = static_cast<double>(trace::now_ns() - start_ns_) * 1e-9;
  write_atomically(path_, trace::chrome_json());
  double inside = 0;
  for (const trace::Event& event : trace::events()) inside += static_cast<double>(event.duration_ns) * 1e-9;
  return fmt::format("{}\n\n{}\n{:.3g} s of {:.3g} s in operations; the trace is in {}\n", roofline_.describe(),
                     trace::table(&roofline_), inside, total, path_.string());
}

}  // namespace atto
