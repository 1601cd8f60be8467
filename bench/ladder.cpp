// What each step from the simple version of a kernel to today's has brought, with the instructions that every processor
// has, with wider vectors, and with all threads.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
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

// What a step is timed with: a column of the table.
struct Setting {
  std::string name;
  Isa isa;
  int threads;
};

std::vector<Setting> settings_up_to(Isa best, int most_threads) {
  std::vector<Setting> settings;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (isa <= best) settings.push_back({name_of(isa), isa, 1});
  settings.push_back({fmt::format("{} threads", most_threads), best, most_threads});
  return settings;
}

void use(const Setting& setting) {
  set_isa(setting.isa);
  set_threads(setting.threads);
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

// Least times of every step in every setting, in milliseconds. They take turns of a tenth of the time, so that what
// else happens on the machine meets all of them.
std::vector<std::vector<double>> measure(const Ladder& ladder, const std::vector<Setting>& settings, double seconds,
                                         bool quick) {
  std::vector least(ladder.steps.size(), std::vector(settings.size(), std::numeric_limits<double>::infinity()));
  for (int turn = 0; turn < (quick ? 1 : 10); ++turn)
    for (std::size_t c = 0; c < settings.size(); ++c) {
      use(settings[c]);
      for (std::size_t s = 0; s < ladder.steps.size(); ++s) {
        double spent = 0;
        for (int n = 0; n < 2 || (n < 1000 && spent < seconds * 100 && !quick); ++n) {
          const double time = milliseconds(ladder.steps[s]);
          least[s][c] = std::min(least[s][c], time);
          spent += time;
        }
      }
    }
  return least;
}

std::string time_text(double ms) {
  return ms < 1 ? fmt::format("{:.3g} us", ms * 1e3) : fmt::format("{:.3g} ms", ms);
}

// A step is held against the one before it on one thread with the widest vectors: what the algorithm brought. The last
// column is what everything together did.
void print(const Ladder& ladder, const std::vector<std::vector<double>>& least) {
  const std::size_t one_thread = least[0].size() - 2;
  for (std::size_t s = 0; s < least.size(); ++s) {
    fmt::print("| {} | {} |", s == 0 ? ladder.title : "", ladder.steps[s].name);
    for (const double time : least[s]) fmt::print(" {} |", time_text(time));
    fmt::print(" {} | {:.1f}x |\n",
               s == 0 ? "" : fmt::format("{:.2f}x", least[s - 1][one_thread] / least[s][one_thread]),
               least[0].front() / least[s].back());
  }
}

void run(double seconds, const std::string& only, bool quick) {
  const std::vector<Setting> settings = settings_up_to(isa(), threads());
  if (quick) fmt::print(stderr, "Tiny sizes: nothing here is a measurement.\n");
  fmt::print("| kernel | step |");
  for (const Setting& setting : settings) fmt::print(" {} |", setting.name);
  fmt::print(" to the step before | all told |\n|---|---|---|---|");
  for (std::size_t c = 0; c < settings.size(); ++c) fmt::print("---|");
  fmt::print("\n");
  for (const Ladder& ladder : bench::all_ladders(quick)) {
    if (ladder.title.find(only) == std::string::npos) continue;
    use(settings.back());
    check(ladder);
    print(ladder, measure(ladder, settings, seconds, quick));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows what each step from the simple version of a kernel to today's has brought.");
  double seconds = 0.3;
  int thread_count = 0;
  std::string only;
  bool quick = false;
  app.add_option("--seconds", seconds, "Time to spend on each step in each column")->capture_default_str()->take_last();
  app.add_option("--threads", thread_count, "Threads of the last column of times (default: all)")->take_last();
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
