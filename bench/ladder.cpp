// What each step from the simple version of a kernel to today's has brought: all on one thread with what every
// processor has, then the last one with wider vectors and with all threads.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/common/ladders.hpp"
#include "bench/common/made.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

namespace {

using namespace atto;
using bench::Ladder, bench::Step;

// A step as it is timed.
struct Rung {
  std::string name;
  const Step* step;
  Isa isa;
  int threads;
  std::vector<double> times;  // milliseconds
};

std::vector<Rung> rungs_of(const Ladder& ladder, Isa best, int most_threads) {
  std::vector<Rung> rungs;
  for (const Step& step : ladder.steps) rungs.push_back({step.name, &step, Isa::baseline, 1, {}});
  const Step* last = &ladder.steps.back();
  for (const Isa isa : {Isa::avx2, Isa::avx512})
    if (isa <= best) rungs.push_back({name_of(isa), last, isa, 1, {}});
  if (most_threads > 1) rungs.push_back({fmt::format("{} threads", most_threads), last, best, most_threads, {}});
  return rungs;
}

void use(const Rung& rung) {
  set_isa(rung.isa);
  set_threads(rung.threads);
}

double milliseconds(const Step& step) {
  const auto start = std::chrono::steady_clock::now();
  step.run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Throws unless every step, the first time that it runs, computes what the first one does.
void check(const Ladder& ladder) {
  std::vector<double> expected;
  for (const Step& step : ladder.steps) {
    std::vector<double> norms;
    for (const Tensor& result : step.run()) norms.push_back(bench::norm(result));
    if (expected.empty()) expected = norms;
    for (std::size_t i = 0; i < norms.size(); ++i)
      if (!(std::abs(norms[i] - expected[i]) <= 1e-3 * expected[i]))
        throw std::runtime_error(
            fmt::format("{}: \"{}\" gives {} as result {}, not {}", ladder.title, step.name, norms[i], i, expected[i]));
  }
}

// The rungs take turns of a tenth of the time, so that what else happens on the machine meets all of them.
void measure(std::vector<Rung>& rungs, double seconds, bool quick) {
  for (int turn = 0; turn < (quick ? 1 : 10); ++turn)
    for (Rung& rung : rungs) {
      use(rung);
      double spent = 0;
      if (!quick) milliseconds(*rung.step);  // caches, and threads that have to wake up
      for (int n = 0; n == 0 || (n < 1000 && spent < seconds * 100 && !quick); ++n) {
        rung.times.push_back(milliseconds(*rung.step));
        spent += rung.times.back();
      }
    }
  for (Rung& rung : rungs) std::sort(rung.times.begin(), rung.times.end());
}

std::string time_text(double ms) {
  return ms < 1 ? fmt::format("{:.3g} us", ms * 1e3) : fmt::format("{:.3g} ms", ms);
}

void print(const Ladder& ladder, const std::vector<Rung>& rungs) {
  for (std::size_t r = 0; r < rungs.size(); ++r) {
    const std::vector<double>& times = rungs[r].times;
    fmt::print("| {} | {} | {} | {} |", r == 0 ? ladder.title : "", rungs[r].name, time_text(times.front()),
               time_text(times[times.size() / 2]));
    if (r == 0) fmt::print(" | |\n");
    else
      fmt::print(" {:.2f}x | {:.2f}x |\n", rungs[r - 1].times.front() / times.front(),
                 rungs[0].times.front() / times.front());
  }
}

void run(double seconds, const std::string& only, bool quick) {
  const Isa best = isa();
  const int most_threads = threads();
  fmt::print(
      "{} threads, {}\n\n| kernel | step | minimum | median | to the step before | to the first |\n"
      "|---|---|---|---|---|---|\n",
      most_threads, name_of(best));
  if (quick) fmt::print(stderr, "Tiny sizes: nothing here is a measurement.\n");
  for (const Ladder& ladder : bench::all_ladders(quick)) {
    if (ladder.title.find(only) == std::string::npos) continue;
    set_isa(best), set_threads(most_threads);
    check(ladder);
    std::vector<Rung> rungs = rungs_of(ladder, best, most_threads);
    measure(rungs, seconds, quick);
    print(ladder, rungs);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows what each step from the simple version of a kernel to today's has brought.");
  double seconds = 0.5;
  int thread_count = 0;
  std::string only;
  bool quick = false;
  app.add_option("--seconds", seconds, "Time to spend on each step")->capture_default_str()->take_last();
  app.add_option("--threads", thread_count, "Threads of the last step (default: all)")->take_last();
  app.add_option("--only", only, "Only kernels whose name contains this")->take_last();
  app.add_flag("--quick", quick, "Tiny sizes: a smoke test, no measurement");
  CLI11_PARSE(app, argc, argv);
  try {
    if (thread_count > 0) set_threads(thread_count);
    run(seconds, only, quick);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
