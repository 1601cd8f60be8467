#include "examples/common/finetune_results.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/statistics.hpp"
#include "nn/report/format.hpp"
#include "nn/report/html.hpp"
#include "nn/report/plot.hpp"

namespace atto::examples {
namespace {

using Outcomes = std::vector<FinetuneOutcome>;

// The outcomes of each method, in the order in which the methods came.
std::vector<Outcomes> by_method(const Outcomes& outcomes) {
  std::vector<Outcomes> groups;
  for (const FinetuneOutcome& outcome : outcomes) {
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const Outcomes& group) { return group[0].method == outcome.method; });
    if (found == groups.end()) groups.push_back({outcome});
    else found->push_back(outcome);
  }
  return groups;
}

const char* title_of(Method method) {
  switch (method) {
    case Method::frozen:
      return "frozen, no adapter";
    case Method::lora:
      return "LoRA";
    case Method::intended:
      return "Sparse-GIN, intended";
    case Method::literal:
      break;
  }
  return "Sparse-GIN, literal";
}

template <class Get>
std::string cell(const Outcomes& group, int decimals, Get get) {
  const Statistics s = statistics(group, get);
  return report::mean_std(s.mean, s.deviation, decimals);
}

double mean_of(const std::vector<double>& values) {
  return statistics(values, [](double value) { return value; }).mean;
}

std::string csv_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

report::Table run_table(const Outcomes& outcomes) {
  report::Table table({{"method"},
                       {"seed"},
                       {"parameters"},
                       {"perplexity_before"},
                       {"perplexity"},
                       {"valid_loss"},
                       {"agreement"},
                       {"seconds_per_epoch"},
                       {"perplexity_by_epoch"},
                       {"scales_before"},
                       {"scales"}});
  for (const FinetuneOutcome& o : outcomes) {
    std::vector<double> perplexities;
    for (const double loss : o.valid) perplexities.push_back(std::exp(loss));
    table.row({name_of(o.method), std::to_string(o.seed), std::to_string(o.parameters),
               csv_number(std::exp(o.valid.front())), csv_number(std::exp(o.best())), csv_number(o.best()),
               csv_number(o.agreement ? o.agreement->across_clause : NAN), csv_number(o.seconds),
               fmt::format("{}", fmt::join(perplexities, " ")), fmt::format("{}", fmt::join(o.scales_begin, " ")),
               fmt::format("{}", fmt::join(o.scales, " "))});
  }
  return table;
}

// Mean and band over the seeds of get(outcome) for the first, second, ... place.
template <class Get>
report::Series series_of(const Outcomes& group, std::size_t places, double from, int colour, Get get) {
  report::Series series{.name = title_of(group[0].method), .colour = colour, .markers = places < 12};
  for (std::size_t i = 0; i < places; ++i) {
    const Statistics s = statistics(group, [&](const FinetuneOutcome& o) { return get(o)[i]; });
    series.x.push_back(from + static_cast<double>(i));
    series.y.push_back(s.mean);
    if (group.size() > 1) series.low.push_back(s.mean - s.deviation), series.high.push_back(s.mean + s.deviation);
  }
  return series;
}

std::string perplexity_curves(const Outcomes& outcomes, const LanguageText& text) {
  report::LinePlot plot{.title = "Perplexity on the text to adapt to",
                        .subtitle = "validation part; bands: deviation over seeds; epoch 0: before the first step",
                        .x = {.title = "epoch", .whole_numbers = true},
                        .y = {.title = "perplexity", .scale = report::Scale::log}};
  double last = 1;
  for (const Outcomes& group : by_method(outcomes))
    last = std::max(last, static_cast<double>(group[0].valid.size()) - 1);
  for (const Outcomes& group : by_method(outcomes)) {
    std::size_t places = group[0].valid.size();
    for (const FinetuneOutcome& o : group) places = std::min(places, o.valid.size());
    const int colour = static_cast<int>(group[0].method);
    report::Series series = series_of(group, places, 0, colour, [](const FinetuneOutcome& o) {
      std::vector<double> perplexities;
      for (const double loss : o.valid) perplexities.push_back(std::exp(loss));
      return perplexities;
    });
    if (places == 1) {  // nothing is trained: a level
      series.x = {0, last};
      series.y.push_back(series.y[0]);
      series.low.clear(), series.high.clear();
      series.dashed = true, series.markers = false;
    }
    plot.series.push_back(std::move(series));
  }
  if (text.optimum) {
    const double best = std::exp(text.optimum->valid);
    plot.series.push_back({.name = "optimum", .x = {0, last}, .y = {best, best}, .colour = 6, .dashed = true});
  }
  return report::to_svg(plot);
}

std::string scale_curves(const Outcomes& outcomes) {
  report::LinePlot plot{.title = "Scale of the graph term, layer by layer",
                        .subtitle = "lambda of the best epoch; bands: deviation over seeds",
                        .x = {.title = "layer", .whole_numbers = true},
                        .y = {.title = "lambda"}};
  for (const Outcomes& group : by_method(outcomes)) {
    if (group[0].scales.empty()) continue;
    const std::size_t layers = group[0].scales.size();
    if (plot.series.empty()) {
      const report::Series begin =
          series_of({group[0]}, layers, 1, 6, [](const FinetuneOutcome& o) { return o.scales_begin; });
      plot.series.push_back(
          {.name = "at the beginning", .x = begin.x, .y = begin.y, .colour = 6, .dashed = true, .markers = true});
    }
    plot.series.push_back(series_of(group, layers, 1, static_cast<int>(group[0].method),
                                    [](const FinetuneOutcome& o) { return o.scales; }));
  }
  return plot.series.empty() ? "" : report::to_svg(plot);
}

// Loss of `worse` minus loss of `better`, seed by seed.
std::vector<double> differences(const Outcomes& outcomes, Method worse, Method better) {
  std::vector<double> result;
  for (const FinetuneOutcome& a : outcomes)
    for (const FinetuneOutcome& b : outcomes)
      if (a.method == worse && b.method == better && a.seed == b.seed) result.push_back(a.best() - b.best());
  return result;
}

enum class Verdict { higher, lower, same };
struct Comparison {
  Statistics difference;
  std::int64_t seeds = 0, above = 0;
  Verdict verdict = Verdict::same;
  std::string numbers() const {
    return fmt::format("{} nats per token, above 0 for {} of {} seeds",
                       report::mean_std(difference.mean, difference.deviation, 4), above, seeds);
  }
};
Comparison compared(const std::vector<double>& values) {
  Comparison c{.difference = statistics(values, [](double value) { return value; }),
               .seeds = static_cast<std::int64_t>(values.size()),
               .above = std::count_if(values.begin(), values.end(), [](double value) { return value > 0; })};
  // One seed has no error to measure by; nothing is concluded from it.
  const double error = c.difference.deviation / std::sqrt(static_cast<double>(c.seeds));
  if (c.difference.mean > 2 * error) c.verdict = Verdict::higher;
  if (c.difference.mean < -2 * error) c.verdict = Verdict::lower;
  return c;
}

}  // namespace

double FinetuneOutcome::best() const {
  if (valid.size() < 2) return valid.front();
  return *std::min_element(valid.begin() + 1, valid.end());
}

FinetuneOutcome finetune_outcome(AdaptedModel& adapted, Method method, std::uint64_t seed, const LanguageText& text,
                                 double valid_before, const std::vector<MetricsRow>& rows) {
  FinetuneOutcome outcome{
      .method = method, .seed = seed, .parameters = adapted.adapter_parameters(), .valid = {valid_before}};
  for (const MetricsRow& row : rows) outcome.valid.push_back(row.valid_loss), outcome.train.push_back(row.train_loss);
  if (!rows.empty()) outcome.seconds = statistics(rows, [](const MetricsRow& row) { return row.seconds; }).mean;
  outcome.scales = adapted.scales();
  if (text.optimum) outcome.agreement = measure_agreement(adapted.model(), text.tokenizer, text.optimum->sentences);
  return outcome;
}

report::Table finetune_table(const Outcomes& outcomes, const LanguageText& text) {
  using report::Align;
  std::vector<report::Column> columns{{"method"},
                                      {"trained", Align::right},
                                      {"perplexity before", Align::right},
                                      {"perplexity", Align::right},
                                      {"loss", Align::right}};
  if (text.optimum) {
    columns.push_back({"above optimum", Align::right});
    columns.push_back({"agree across clause, %", Align::right});
  }
  columns.push_back({"mean lambda", Align::right});
  columns.push_back({"s/epoch", Align::right});
  report::Table table(columns);
  for (const Outcomes& group : by_method(outcomes)) {
    std::vector<std::string> cells{title_of(group[0].method), report::with_thousands(group[0].parameters),
                                   cell(group, 3, [](const FinetuneOutcome& o) { return std::exp(o.valid.front()); }),
                                   cell(group, 3, [](const FinetuneOutcome& o) { return std::exp(o.best()); }),
                                   cell(group, 4, [](const FinetuneOutcome& o) { return o.best(); })};
    if (text.optimum) {
      cells.push_back(cell(group, 4, [&](const FinetuneOutcome& o) { return o.best() - text.optimum->valid; }));
      cells.push_back(cell(group, 1, [](const FinetuneOutcome& o) {
        return o.agreement ? 100 * o.agreement->across_clause : MetricsRow::none;
      }));
    }
    cells.push_back(
        group[0].scales.empty() ? "-" : cell(group, 3, [](const FinetuneOutcome& o) { return mean_of(o.scales); }));
    cells.push_back(group[0].valid.size() < 2 ? "-"
                                              : cell(group, 1, [](const FinetuneOutcome& o) { return o.seconds; }));
    table.row(std::move(cells));
  }
  return table;
}

std::vector<std::string> finetune_answers(const Outcomes& outcomes) {
  std::vector<std::string> answers;
  const std::vector<double> graph = differences(outcomes, Method::literal, Method::intended);
  if (!graph.empty()) {
    const Comparison c = compared(graph);
    std::string answer =
        fmt::format("Does the gain come from the graph? {} Loss of literal minus loss of intended: {}.",
                    c.verdict == Verdict::higher  ? "In part: intended beats literal."
                    : c.verdict == Verdict::lower ? "No: literal, which has no graph, beats intended."
                                                  : "Not shown: intended and literal do not differ "
                                                    "by more than two standard errors.",
                    c.numbers());
    const double all = mean_of(differences(outcomes, Method::frozen, Method::intended)),
                 without = mean_of(differences(outcomes, Method::frozen, Method::literal));
    if (all > 0)
      answer +=
          fmt::format(" Literal reaches {:.1f} % of what intended gains over the frozen model.", 100 * without / all);
    answers.push_back(answer);
  }
  for (const Method method : {Method::intended, Method::literal}) {
    const std::vector<double> against = differences(outcomes, Method::lora, method);
    if (against.empty()) continue;
    const Comparison c = compared(against);
    answers.push_back(fmt::format("LoRA against Sparse-GIN {}: {} Loss of LoRA minus loss of Sparse-GIN: {}.",
                                  name_of(method),
                                  c.verdict == Verdict::higher  ? "Sparse-GIN is better."
                                  : c.verdict == Verdict::lower ? "LoRA is better."
                                                                : "no difference beyond two standard errors.",
                                  c.numbers()));
  }
  return answers;
}

void write_finetune_results(const RunFolder& folder, const std::string& title, const std::vector<std::string>& remarks,
                            const std::string& settings, const Outcomes& outcomes, const LanguageText& text) {
  write_atomically(folder.path() / "results.csv", run_table(outcomes).csv());
  nlohmann::ordered_json json;
  json["text"] = text.name;
  json["optimum"] = text.optimum ? nlohmann::ordered_json(text.optimum->valid) : nlohmann::ordered_json(nullptr);
  for (const Outcomes& group : by_method(outcomes)) {
    nlohmann::ordered_json& entry = json["methods"][name_of(group[0].method)];
    entry["parameters"] = group[0].parameters;
    entry["valid_loss"] = to_json(statistics(group, [](const FinetuneOutcome& o) { return o.best(); }));
    entry["perplexity"] = to_json(statistics(group, [](const FinetuneOutcome& o) { return std::exp(o.best()); }));
    for (std::size_t layer = 0; layer < group[0].scales.size(); ++layer)
      entry["scales"].push_back(to_json(statistics(group, [&](const FinetuneOutcome& o) { return o.scales[layer]; })));
  }
  json["answers"] = finetune_answers(outcomes);
  json["peak_memory_bytes"] = peak_memory();
  json["threads"] = threads();
  write_atomically(folder.summary(), json.dump(2) + "\n");

  const std::string perplexity = perplexity_curves(outcomes, text), scales = scale_curves(outcomes);
  std::filesystem::create_directories(folder.plots());
  write_atomically(folder.plots() / "perplexity.svg", perplexity);
  if (!scales.empty()) write_atomically(folder.plots() / "scales.svg", scales);

  report::HtmlPage page(title);
  for (const std::string& answer : finetune_answers(outcomes)) page.paragraph(answer);
  page.table(finetune_table(outcomes, text));
  for (const std::string& remark : remarks) page.paragraph(remark);
  page.heading("Curves").svg(perplexity);
  if (!scales.empty()) page.svg(scales);
  page.heading("Every run").table(run_table(outcomes));
  page.heading("Settings").preformatted(settings);
  write_atomically(folder.report(), page.str());
}

}  // namespace atto::examples
