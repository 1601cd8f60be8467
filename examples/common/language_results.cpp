#include "examples/common/language_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/file.hpp"
#include "core/parallel.hpp"
#include "nn/report/format.hpp"
#include "nn/report/html.hpp"
#include "nn/report/plot.hpp"

namespace atto::examples {
namespace {

// The outcomes of each variant, in the order in which the variants came.
std::vector<std::vector<LanguageOutcome>> by_variant(const std::vector<LanguageOutcome>& outcomes) {
  std::vector<std::vector<LanguageOutcome>> groups;
  for (const LanguageOutcome& outcome : outcomes) {
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group[0].variant == outcome.variant; });
    if (found == groups.end()) groups.push_back({outcome});
    else found->push_back(outcome);
  }
  return groups;
}

std::string continued(const LanguageRun& run, const LanguageText& text, std::uint64_t seed) {
  const std::vector<std::int64_t>& valid = text.data.split().valid;
  const std::size_t texts = text.optimum ? 3 : 1;
  std::vector<Tokens> prompts;
  for (std::size_t t = 0; t < std::min(texts, valid.size()); ++t) {
    const TokenBatch batch = text.data.batch(std::span(&valid[t * valid.size() / texts], 1));
    const auto all = batch.tokens.values<std::int32_t>();
    prompts.emplace_back(all.begin(), all.begin() + std::min<std::int64_t>(24, batch.sequences.size(0)));
  }
  GenerationOptions options{.tokens = text.optimum ? 60 : 200, .seed = seed};
  if (text.optimum) options.stop = {text.tokenizer.encode("\n").back()};  // a sentence is all that the model knows
  const std::vector<Tokens> added = generate_tokens(run.model, prompts, options);
  std::string result;
  for (std::size_t t = 0; t < prompts.size(); ++t) {
    result += text.tokenizer.decode(prompts[t]) + "|" + text.tokenizer.decode(added[t]);
    if (!result.ends_with('\n')) result += '\n';
  }
  return result;
}

using Number = double (*)(const LanguageOutcome&);
struct Measure {
  const char* name;   // in files
  const char* title;  // of a column
  Number of;
  int decimals;
};

double percent(const std::optional<Agreement>& agreement, double Agreement::*share) {
  return agreement ? 100 * ((*agreement).*share) : MetricsRow::none;
}

std::vector<Measure> measures(const LanguageText& text) {
  std::vector<Measure> all{
      {"valid_loss", "valid. loss", [](const LanguageOutcome& o) { return o.best_valid; }, 4},
      {"perplexity", "perplexity", [](const LanguageOutcome& o) { return std::exp(o.best_valid); }, 3},
      {"last_train_loss", "last train. loss", [](const LanguageOutcome& o) { return o.last_train; }, 4},
      {"last_valid_loss", "last valid. loss", [](const LanguageOutcome& o) { return o.last_valid; }, 4},
      {"gap", "gap", [](const LanguageOutcome& o) { return o.gap(); }, 4}};
  if (text.optimum) {
    all.push_back({"agreement_across_clause", "agree across clause, %",
                   [](const LanguageOutcome& o) { return percent(o.agreement, &Agreement::across_clause); }, 1});
    all.push_back({"agreement_against_noun", "against nearer noun, %",
                   [](const LanguageOutcome& o) { return percent(o.agreement, &Agreement::against_noun); }, 1});
    all.push_back({"agreement_probability", "p(right verb), %",
                   [](const LanguageOutcome& o) { return percent(o.agreement, &Agreement::probability); }, 2});
  }
  all.push_back({"seconds_per_epoch", "s/epoch", [](const LanguageOutcome& o) { return o.seconds(); }, 1});
  return all;
}

report::Table run_table(const std::vector<LanguageOutcome>& outcomes, const LanguageText& text) {
  std::vector<report::Column> columns{{"variant"}, {"seed"}, {"parameters"}, {"best_epoch"}};
  for (const Measure& measure : measures(text)) columns.push_back({measure.name});
  if (text.optimum) columns.push_back({"above_optimum"});
  columns.push_back({"sharpness"});
  report::Table table(columns);
  for (const LanguageOutcome& o : outcomes) {
    std::vector<std::string> cells{o.variant, std::to_string(o.seed), std::to_string(o.parameters),
                                   std::to_string(o.best_epoch)};
    for (const Measure& measure : measures(text)) {
      const double value = measure.of(o);
      cells.push_back(std::isnan(value) ? "" : fmt::format("{}", value));
    }
    if (text.optimum) cells.push_back(fmt::format("{}", o.best_valid - text.optimum->valid));
    cells.push_back(fmt::format("{}", fmt::join(o.sharpness, " ")));
    table.row(std::move(cells));
  }
  return table;
}

// Mean and band over the seeds of what `get` gives for the first, second, ... place.
template <class Get>
report::Series series_of(const std::vector<LanguageOutcome>& group, std::size_t places, double from, Get get) {
  report::Series series{.name = group[0].variant, .markers = places < 12};
  for (std::size_t i = 0; i < places; ++i) {
    const Statistics s = statistics(group, [&](const LanguageOutcome& o) { return get(o, i); });
    series.x.push_back(from + static_cast<double>(i));
    series.y.push_back(s.mean);
    if (group.size() > 1) series.low.push_back(s.mean - s.deviation), series.high.push_back(s.mean + s.deviation);
  }
  return series;
}

std::string loss_curves(const std::string& title, const std::vector<LanguageOutcome>& outcomes,
                        double MetricsRow::*loss, std::optional<double> optimum) {
  report::LinePlot plot{.title = title,
                        .subtitle = "nats per token; bands: deviation over seeds",
                        .x = {.title = "epoch", .whole_numbers = true},
                        .y = {.title = "loss"}};
  std::size_t epochs = 0;
  for (const auto& group : by_variant(outcomes)) {
    std::size_t places = group[0].rows.size();
    for (const LanguageOutcome& o : group) places = std::min(places, o.rows.size());
    epochs = std::max(epochs, places);
    plot.series.push_back(
        series_of(group, places, 1, [&](const LanguageOutcome& o, std::size_t i) { return o.rows[i].*loss; }));
  }
  if (optimum)
    plot.series.push_back({.name = "optimum",
                           .x = {1, std::max(2.0, static_cast<double>(epochs))},
                           .y = {*optimum, *optimum},
                           .colour = 6,
                           .dashed = true});
  return report::to_svg(plot);
}

std::string sharpness_curves(const std::vector<LanguageOutcome>& outcomes) {
  report::LinePlot plot{.title = "Trained sharpness of each layer",
                        .subtitle = "above 1: sharper than softmax; bands: deviation over seeds",
                        .x = {.title = "layer", .whole_numbers = true},
                        .y = {.title = "alpha"}};
  double layers = 2;
  for (const auto& group : by_variant(outcomes)) {
    if (group[0].sharpness.empty()) continue;
    layers = std::max(layers, static_cast<double>(group[0].sharpness.size()));
    plot.series.push_back(series_of(group, group[0].sharpness.size(), 1,
                                    [](const LanguageOutcome& o, std::size_t i) { return o.sharpness[i]; }));
  }
  if (plot.series.empty()) return {};
  plot.series.push_back({.name = "at the beginning", .x = {1, layers}, .y = {1, 1}, .colour = 6, .dashed = true});
  return report::to_svg(plot);
}

}  // namespace

double LanguageOutcome::seconds() const {
  return statistics(rows, [](const MetricsRow& row) { return row.seconds; }).mean;
}

LanguageOutcome outcome_of(LanguageRun& run, const LanguageText& text, const std::string& variant,
                           std::vector<MetricsRow> rows, std::uint64_t seed) {
  LanguageOutcome outcome{
      .variant = variant, .seed = seed, .parameters = run.root.parameter_count(), .rows = std::move(rows)};
  outcome.last_train = run.trainer.evaluate(text.data.split().train).loss;
  outcome.last_valid = run.trainer.evaluate(text.data.split().valid).loss;
  const auto best =
      std::min_element(outcome.rows.begin(), outcome.rows.end(),
                       [](const MetricsRow& a, const MetricsRow& b) { return a.valid_loss < b.valid_loss; });
  outcome.best_epoch = best != outcome.rows.end() ? best->epoch : 0;
  outcome.best_valid = best != outcome.rows.end() ? best->valid_loss : outcome.last_valid;
  run.trainer.restore_best();
  run.root.eval();
  for (const NamedParameter& parameter : run.root.parameters())
    if (parameter.name.ends_with(".normaliser.sharpness")) outcome.sharpness.push_back(parameter.value.value().item());
  if (text.optimum) outcome.agreement = measure_agreement(run.model, text.tokenizer, text.optimum->sentences);
  outcome.sample = continued(run, text, seed);
  return outcome;
}

report::Table result_table(const std::vector<LanguageOutcome>& outcomes, const LanguageText& text) {
  std::vector<report::Column> columns{{"model"}, {"parameters", report::Align::right}};
  for (const Measure& measure : measures(text)) columns.push_back({measure.title, report::Align::right});
  if (text.optimum) columns.insert(columns.begin() + 4, {"above optimum", report::Align::right});
  report::Table table(columns);
  for (const auto& group : by_variant(outcomes)) {
    std::vector<std::string> cells{group[0].variant, report::with_thousands(group[0].parameters)};
    const auto cell = [&](auto get, int decimals) {
      const Statistics s = statistics(group, get);
      return report::mean_std(s.mean, s.deviation, decimals);
    };
    for (const Measure& measure : measures(text)) cells.push_back(cell(measure.of, measure.decimals));
    if (text.optimum)
      cells.insert(cells.begin() + 4,
                   cell([&](const LanguageOutcome& o) { return o.best_valid - text.optimum->valid; }, 4));
    table.row(std::move(cells));
  }
  return table;
}

void write_language_results(const RunFolder& folder, const std::string& title, const std::vector<std::string>& remarks,
                            const std::string& settings, const std::vector<LanguageOutcome>& outcomes,
                            const LanguageText& text) {
  const auto optimum = [&](double Optimum::*part) {
    return text.optimum ? std::optional((*text.optimum).*part) : std::nullopt;
  };
  write_atomically(folder.path() / "results.csv", run_table(outcomes, text).csv());
  nlohmann::ordered_json json;
  json["text"] = text.name;
  if (text.optimum)
    json["optimum"] = {
        {"train", text.optimum->train}, {"valid", text.optimum->valid}, {"expected", text.optimum->expected}};
  for (const auto& group : by_variant(outcomes)) {
    nlohmann::ordered_json& entry = json["models"][group[0].variant];
    entry["parameters"] = group[0].parameters;
    for (const Measure& measure : measures(text)) entry[measure.name] = to_json(statistics(group, measure.of));
    entry["sharpness"] = nlohmann::ordered_json::array();
    for (std::size_t layer = 0; layer < group[0].sharpness.size(); ++layer)
      entry["sharpness"].push_back(
          to_json(statistics(group, [&](const LanguageOutcome& o) { return o.sharpness[layer]; })));
  }
  json["peak_memory_bytes"] = peak_memory();
  json["threads"] = threads();
  write_atomically(folder.summary(), json.dump(2) + "\n");

  const std::string valid = loss_curves("Validation loss", outcomes, &MetricsRow::valid_loss, optimum(&Optimum::valid)),
                    train = loss_curves("Training loss, mean over each epoch's steps", outcomes,
                                        &MetricsRow::train_loss, optimum(&Optimum::train)),
                    sharpness = sharpness_curves(outcomes);
  std::filesystem::create_directories(folder.plots());
  write_atomically(folder.plots() / "valid.svg", valid);
  write_atomically(folder.plots() / "train.svg", train);
  if (!sharpness.empty()) write_atomically(folder.plots() / "sharpness.svg", sharpness);

  report::HtmlPage page(title);
  for (const std::string& remark : remarks) page.paragraph(remark);
  page.table(result_table(outcomes, text));
  page.heading("Curves").svg(valid).svg(train);
  if (!sharpness.empty()) page.svg(sharpness);
  page.heading("Every run").table(run_table(outcomes, text));
  page.heading("Continuations");
  for (const auto& group : by_variant(outcomes)) page.heading(group[0].variant, 3).preformatted(group[0].sample);
  page.heading("Settings").preformatted(settings);
  write_atomically(folder.report(), page.str());
}

}  // namespace atto::examples
