// How near the kernels of graph attention come to what this machine can do. Its ceilings are measured at the start and
// once more at the end, and the higher ones count: other work on the machine lowers them. The least time of a kernel
// follows from them:
//
//     T = max(FLOP / F, gathered bytes / R + streamed bytes / B)
//
// F: multiply-adds in registers. R: random rows of the same width out of a table of the same size, which lies wherever
// caches put it. B: reads in sequence, over and over, of as many bytes as the kernel touches. Times are those of the
// trace, so only the operation itself counts.

#include "core/roofline.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"
#include "bench/common/kernels.hpp"
#include "bench/common/made.hpp"
#include "core/parallel.hpp"

namespace {

using namespace atto;
using bench::Kernel, bench::Work;

constexpr double kFloor = 0.75, kStretch = 0.9;

class Ceilings {
 public:
  explicit Ceilings(double seconds) : seconds_(seconds), roofline_(measure_roofline()) {}
  const Roofline& roofline() const { return roofline_; }
  // Whether the threads got in each other's way, as they do where another program holds a processor.
  bool busy() const {
    const int all = threads();
    set_threads(1);
    const double one = measure_flops(0.05);
    set_threads(all);
    return roofline_.flops < 0.7 * all * one;
  }
  // Measures everything once more and keeps what is higher.
  void raise() {
    const Roofline again = measure_roofline();
    const auto higher = [](double& old, double now) { old = std::max(old, now); };
    higher(roofline_.flops, again.flops);
    higher(roofline_.l2.bandwidth, again.l2.bandwidth);
    higher(roofline_.l3.bandwidth, again.l3.bandwidth);
    higher(roofline_.dram.bandwidth, again.dram.bandwidth);
    for (auto& [window, rate] : gather_) higher(rate, measure_gather(window.first, window.second, seconds_));
    for (auto& [bytes, rate] : stream_) higher(rate, measure_stream(bytes, seconds_));
  }
  double gather(std::int64_t rows, std::int64_t width) {
    double& rate = gather_[{rows, width}];
    if (rate == 0) rate = measure_gather(rows, width, seconds_);
    return rate;
  }
  double stream(double bytes) {
    double& rate = stream_[bytes];
    if (rate == 0) rate = measure_stream(bytes, seconds_);
    return rate;
  }
  double memory_time(const Work& w) {
    const double gathers = w.gathered > 0 ? w.gathered / gather(w.rows, w.row_width) : 0;
    return gathers + w.streamed / stream(w.touched);
  }
  double least_time(const Work& w) { return std::max(w.flops / roofline_.flops, memory_time(w)); }
  bool bound_by_arithmetic(const Work& w) { return w.flops / roofline_.flops > memory_time(w); }

 private:
  double seconds_;
  Roofline roofline_;
  std::map<std::pair<std::int64_t, std::int64_t>, double> gather_;
  std::map<double, double> stream_;
};

struct Times {
  double median, minimum;  // seconds
};

Times measure(const Kernel& kernel, double seconds) {
  const Tensor seed = bench::random_tensor(kernel.forward().shape(), 9);
  std::vector<double> times;
  double spent = 0;
  for (int round = 0; round < 3 || (spent < seconds && round < 5000); ++round) {
    trace::start();
    if (kernel.backward) {
      backward(kernel.forward(), seed);
    } else {
      const NoGrad no_grad;
      kernel.forward();
    }
    trace::stop();
    double time = 0;
    for (const trace::Event& event : trace::events()) {
      spent += static_cast<double>(event.duration_ns) * 1e-9;
      if (event.backward == kernel.backward && (kernel.op.empty() || event.name == kernel.op))
        time += static_cast<double>(event.duration_ns) * 1e-9;
    }
    times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  return {.median = times[times.size() / 2], .minimum = times.front()};
}

std::string time_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.3g} us", seconds * 1e6) : fmt::format("{:.3g} ms", seconds * 1e3);
}

std::string bound_by(Ceilings& ceilings, const Work& work) {
  if (ceilings.bound_by_arithmetic(work)) return "arithmetic";
  std::string text = "memory";
  if (work.gathered > 0)
    text += fmt::format(", gathers {:.0f} GB/s", ceilings.gather(work.rows, work.row_width) * 1e-9);
  return text + fmt::format(", streams {:.0f} GB/s", ceilings.stream(work.touched) * 1e-9);
}

void print_table(Ceilings& ceilings, const std::vector<Kernel>& kernels, const std::vector<Times>& times, bool quick) {
  fmt::print(
      "{}\n\n| kernel | median | minimum | model | bound by | share | at best | floor / stretch | verdict |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      ceilings.roofline().describe());
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const double model = ceilings.least_time(kernels[k].work), share = model / times[k].median;
    const char* met = share >= kStretch ? "stretch met" : share >= kFloor ? "floor met" : "NOT MET";
    fmt::print("| {} | {} | {} | {} | {} | {:.0f} % | {:.0f} % | {:.0f} % / {:.0f} % | {} |\n", kernels[k].title,
               time_text(times[k].median), time_text(times[k].minimum), time_text(model),
               bound_by(ceilings, kernels[k].work), 100 * share, 100 * model / times[k].minimum, 100 * kFloor,
               100 * kStretch, quick ? "smoke only" : met);
  }
}

void print_json(Ceilings& ceilings, const std::vector<Kernel>& kernels, const std::vector<Times>& times) {
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t k = 0; k < kernels.size(); ++k)
    rows.push_back({{"name", kernels[k].name},
                    {"median_ms", times[k].median * 1e3},
                    {"minimum_ms", times[k].minimum * 1e3},
                    {"model_ms", ceilings.least_time(kernels[k].work) * 1e3},
                    {"bound", bound_by(ceilings, kernels[k].work)}});
  fmt::print("{}\n", nlohmann::json{{"machine", ceilings.roofline().describe()}, {"rows", rows}}.dump());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the kernels of graph attention and holds them against the roofline of this machine.");
  double seconds = 0.5;
  int thread_count = 0;
  std::string only;
  bool quick = false, json = false;
  app.add_option("--seconds", seconds, "Time to spend on each kernel")->capture_default_str();
  app.add_option("--threads", thread_count, "Threads (default: all)");
  app.add_option("--only", only, "Only kernels whose name contains this");
  app.add_flag("--quick", quick, "Tiny sizes: a smoke test, no measurement");
  app.add_flag("--json", json, "Print one JSON object instead of a table, for bench/compare.py");
  CLI11_PARSE(app, argc, argv);
  if (thread_count > 0) set_threads(thread_count);
  if (quick) seconds = 0;

  std::vector<Kernel> kernels = bench::all_kernels(quick);
  std::erase_if(kernels, [&](const Kernel& kernel) { return kernel.name.find(only) == std::string::npos; });
  Ceilings ceilings(quick ? 0 : 0.1);
  for (const Kernel& kernel : kernels) ceilings.least_time(kernel.work);  // measures all windows
  std::vector<Times> times;
  for (const Kernel& kernel : kernels) times.push_back(measure(kernel, seconds));
  ceilings.raise();
  if (ceilings.busy() && !quick)
    fmt::print(stderr, "The threads never had a processor each: other work runs on this machine, measure again.\n");
  if (json) print_json(ceilings, kernels, times);
  else print_table(ceilings, kernels, times, quick);
}
