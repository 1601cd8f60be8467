// Our side of a comparison: runs one workload as often as it is told. bench/compare.py talks to it and to a peer in
// turns.
//
//     bench/side --workload gat-12k
//
// prints a line of JSON when it is ready (with --losses K the numbers in which both sides must agree are in it), then
// reads lines: "N" runs N repetitions and answers {"ms": [...]}; "quit", or the end of the input, answers with the
// largest memory that the process ever held, and ends.

#include <fmt/format.h>
#include <fmt/ranges.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/common/workload.hpp"
#include "core/allocator.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/trace_file.hpp"
#include "nn/checkpoint.hpp"

namespace {

using namespace atto;

void answer(const nlohmann::json& json) {
  std::cout << json.dump() << std::endl;
}

// A line such as "VmHWM:   1234 kB" of what the system says of this process, in bytes; 0 where it says nothing.
std::int64_t memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  return 0;
}

// The peak begins anew, so that what was done before the timed work does not count.
void forget_memory() {
  allocator::trim();
#if defined(__GLIBC__)
  malloc_trim(0);  // what reading files has left behind
#endif
  std::ofstream("/proc/self/clear_refs") << 5;
}

double repetition(bench::Workload& workload) {
  const auto start = std::chrono::steady_clock::now();
  workload.repeat();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void serve(bench::Workload& workload) {
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::vector<double> times;
    for (long n = std::strtol(line.c_str(), nullptr, 10); n > 0; --n) times.push_back(repetition(workload));
    answer({{"ms", times}});
  }
}

int run(int argc, char** argv) {
  CLI::App app("Runs one workload for bench/compare.py.");
  bench::WorkloadOptions options;
  std::string name, exported, weights, trace_file;
  int thread_count = 0, losses = 0;
  bool list = false;
  app.add_option("--workload", name, "which; --list names them");
  app.add_flag("--list", list, "print the names of all workloads and stop");
  app.add_option("--threads", thread_count, "threads (default: all)");
  app.add_flag("--quick", options.quick, "tiny sizes: a smoke test");
  app.add_option("--data", options.data, "folder with tu/NCI1 and tu/PROTEINS_full");
  app.add_option("--export", exported,
                 "write what a peer needs into this folder and stop: inputs.safetensors, weights.safetensors");
  app.add_option("--weights", weights, "start a model from these weights");
  app.add_option(
      "--losses", losses,
      "first tell the losses of K steps without dropout (of single operations: result and norms of gradients)");
  app.add_option("--trace", trace_file,
                 "write where the time went to this file (for chrome://tracing or Perfetto) and a table to stderr");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    fmt::print("{}\n", fmt::join(bench::workload_names(), "\n"));
    return 0;
  }
  if (thread_count > 0) set_threads(thread_count);
  const std::int64_t before = memory("VmRSS");
  const auto build = [&](double dropout, DType dtype) {
    options.dropout = dropout;
    options.dtype = dtype;
    auto workload = bench::make_workload(name, options);
    if (!weights.empty() && workload->model() != nullptr) load_weights(*workload->model(), weights);
    return workload;
  };
  nlohmann::json checked = nlohmann::json::array();
  if (losses > 0) {
    // In float64: Adam turns differences of rounding in the first gradient into whole steps, so float32 losses drift
    // apart even between two runs of one side that add in another order.
    checked = build(0, DType::float64)->check(losses);
  }
  const auto workload = build(bench::WorkloadOptions().dropout, DType::float32);
  if (!exported.empty()) {
    std::filesystem::create_directories(exported);
    write_safetensors(std::filesystem::path(exported) / "inputs.safetensors", workload->inputs());
    if (workload->model() != nullptr)
      save_weights(*workload->model(), std::filesystem::path(exported) / "weights.safetensors");
    return 0;
  }
  forget_memory();
  answer({{"ready", true},
          {"threads", threads()},
          {"parts", workload->parts()},
          {"isa", std::string(name_of(isa()))},
          {"losses", checked}});
  TraceFile trace(trace_file);
  serve(*workload);
  fmt::print(stderr, "{}", trace.finish());
  answer({{"start_bytes", before}, {"peak_bytes", memory("VmHWM")}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
