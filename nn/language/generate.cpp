#include "nn/language/generate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "ops/index/index.hpp"

namespace atto {
namespace {

void check(const SamplingOptions& o) {
  const auto refuse = [](const char* argument, double got, const char* expected) {
    throw ValueError(
        {.op = "generate", .argument = argument, .got = std::to_string(got), .expected = expected, .hint = {}});
  };
  if (!(o.temperature > 0)) refuse("temperature", o.temperature, "more than 0; greedy takes the most likely token");
  if (o.top_k < 0) refuse("top_k", static_cast<double>(o.top_k), "at least 0");
  if (!(o.top_p > 0 && o.top_p <= 1)) refuse("top_p", o.top_p, "0 < top_p <= 1");
}

// All texts, and which tokens of each the model has not read yet.
struct Texts {
  std::vector<Tokens> all;
  std::vector<std::size_t> read;  // per text
  std::vector<bool> done;

  struct Input {
    Tensor tokens;
    Ragged sequences;
    std::vector<std::int64_t> last;  // place of the last token of each text that goes on
    std::vector<std::int64_t> texts;
  };
  Input next(bool unread_only) {
    std::vector<std::int32_t> tokens;
    std::vector<std::int64_t> offsets{0};
    Input input;
    for (std::size_t t = 0; t < all.size(); ++t) {
      if (!done[t]) {
        tokens.insert(tokens.end(), all[t].begin() + static_cast<std::ptrdiff_t>(unread_only ? read[t] : 0),
                      all[t].end());
        read[t] = all[t].size();
        input.last.push_back(static_cast<std::int64_t>(tokens.size()) - 1);
        input.texts.push_back(static_cast<std::int64_t>(t));
      }
      offsets.push_back(static_cast<std::int64_t>(tokens.size()));
    }
    input.tokens = Tensor::from(tokens);
    input.sequences = Ragged(std::move(offsets));
    return input;
  }
};

}  // namespace

std::int32_t choose_token(const Tensor& logits, const SamplingOptions& o, double uniform) {
  check(o);
  const Tensor wide = logits.to(DType::float64);
  const auto z = wide.values<double>();
  for (std::size_t v = 0; v < z.size(); ++v)
    if (std::isnan(z[v]) || z[v] == INFINITY)
      throw NumericError({.op = "generate",
                          .argument = "logits",
                          .got = std::to_string(z[v]) + " for token " + std::to_string(v),
                          .expected = "a number",
                          .hint = {}});
  const auto best = std::max_element(z.begin(), z.end());
  if (best == z.end() || *best == -INFINITY)
    throw NumericError({.op = "generate",
                        .argument = "logits",
                        .got = best == z.end() ? "none" : "-infinity for every token",
                        .expected = "a finite one",
                        .hint = {}});
  const auto first = static_cast<std::int32_t>(best - z.begin());
  if (o.greedy) return first;

  std::vector<std::int32_t> order(z.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](std::int32_t token) { return z[static_cast<std::size_t>(token)]; };
  const auto likelier = [&](std::int32_t a, std::int32_t b) { return at(a) != at(b) ? at(a) > at(b) : a < b; };
  if (o.top_k > 0 && o.top_k < static_cast<std::int64_t>(order.size())) {
    std::nth_element(order.begin(), order.begin() + o.top_k, order.end(), likelier);
    order.resize(static_cast<std::size_t>(o.top_k));
  }
  // Only top_p needs the order by likelihood; otherwise that by index will do, in which all tokens stand already.
  if (o.top_p < 1) std::sort(order.begin(), order.end(), likelier);
  else if (order.size() < z.size()) std::sort(order.begin(), order.end());
  std::vector<double> weights(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) weights[i] = std::exp((at(order[i]) - *best) / o.temperature);
  double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (o.top_p < 1) {
    double sum = 0;
    std::size_t kept = 0;
    while (kept < weights.size() && sum < o.top_p * total) sum += weights[kept++];
    order.resize(std::max<std::size_t>(1, kept));
    total = std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(order.size()), 0.0);
  }
  double left = uniform * total;
  std::int32_t chosen = first;  // where rounding leaves nothing at the end
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (weights[i] == 0) continue;
    chosen = order[i];
    if ((left -= weights[i]) < 0) break;
  }
  return chosen;
}

std::vector<Tokens> generate_tokens(const LanguageModel& model, std::span<const Tokens> prompts,
                                    const GenerationOptions& options) {
  check(options.sampling);
  for (std::size_t t = 0; t < prompts.size(); ++t)
    if (prompts[t].empty())
      throw ValueError({.op = "generate",
                        .argument = "prompts",
                        .got = "no token in prompt " + std::to_string(t),
                        .expected = "at least one",
                        .hint = "a text can begin with its beginning-of-text token"});
  const NoGrad no_grad;
  const bool cached = options.cache && model.incremental();
  Texts texts{.all = {prompts.begin(), prompts.end()},
              .read = std::vector<std::size_t>(prompts.size(), 0),
              .done = std::vector<bool>(prompts.size(), false)};
  std::optional<KeyValueCache> cache;
  if (cached) cache.emplace(model.options().layers, static_cast<std::int64_t>(prompts.size()));
  for (std::int64_t step = 0; step < options.tokens; ++step) {
    const Texts::Input input = texts.next(cached);
    if (input.texts.empty()) break;
    const Var states =
        cached ? model.states(input.tokens, input.sequences, *cache) : model.states(input.tokens, input.sequences);
    const Tensor logits = model.logits(gather_rows(states, Tensor::from(input.last))).value();
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
      const auto text = static_cast<std::size_t>(input.texts[i]);
      const auto row = static_cast<std::int64_t>(i);
      const Tensor own = logits.rows(row, row + 1).reshape({-1});
      const RandomStream random{.seed = options.seed, .stream = static_cast<std::uint64_t>(text)};
      const std::int32_t token = choose_token(own, options.sampling, random.uniform(static_cast<std::uint64_t>(step)));
      texts.all[text].push_back(token);
      if (options.on_token) options.on_token(input.texts[i], token, own);
      texts.done[text] = std::find(options.stop.begin(), options.stop.end(), token) != options.stop.end();
    }
  }
  for (std::size_t t = 0; t < prompts.size(); ++t)
    texts.all[t].erase(texts.all[t].begin(), texts.all[t].begin() + static_cast<std::ptrdiff_t>(prompts[t].size()));
  return texts.all;
}

}  // namespace atto
