// Combinations of slots: fused or composed, they do what the lowering means, and their gradients are right.

#include <array>
#include <cstdlib>
#include <set>

#include "autograd/gradcheck.hpp"
#include "core/random.hpp"
#include "tests/nn/attention_slots.hpp"

namespace atto::test {
namespace {

// One drawn combination: an index per factor, the last one the support.
using Combination = std::vector<std::size_t>;

std::string describe(const Combination& c) {
  std::string text;
  for (std::size_t f = 0; f < kFactors.size(); ++f) text += (*kFactors[f])[c[f]].first + " | ";
  return text + kSupports[c.back()];
}

std::vector<std::size_t> numbers_of_choices() {
  std::vector<std::size_t> sizes;
  for (const Factor* factor : kFactors) sizes.push_back(factor->size());
  sizes.push_back(kSupports.size());
  return sizes;
}

// Every combination there is.
std::vector<Combination> all_combinations() {
  std::vector<Combination> all{{}};
  for (const std::size_t size : numbers_of_choices()) {
    std::vector<Combination> longer;
    for (const Combination& start : all)
      for (std::size_t choice = 0; choice < size; ++choice) {
        longer.push_back(start);
        longer.back().push_back(choice);
      }
    all = std::move(longer);
  }
  return all;
}

// Combinations in which every pair of choices of two factors meets at least once: greedy, from random candidates.
std::vector<Combination> pairwise_cover() {
  const std::vector<std::size_t> sizes = numbers_of_choices();
  std::set<std::array<std::size_t, 4>> open;
  for (std::size_t f = 0; f < sizes.size(); ++f)
    for (std::size_t g = f + 1; g < sizes.size(); ++g)
      for (std::size_t a = 0; a < sizes[f]; ++a)
        for (std::size_t b = 0; b < sizes[g]; ++b) open.insert({f, a, g, b});
  const auto covers = [&](const Combination& c) {
    std::vector<std::array<std::size_t, 4>> pairs;
    for (std::size_t f = 0; f < c.size(); ++f)
      for (std::size_t g = f + 1; g < c.size(); ++g)
        if (open.count({f, c[f], g, c[g]})) pairs.push_back({f, c[f], g, c[g]});
    return pairs;
  };
  Generator generator(7);
  std::vector<Combination> chosen;
  while (!open.empty()) {
    Combination best;
    std::size_t most = 0;
    for (int trial = 0; trial < 60; ++trial) {
      Combination candidate;
      for (const std::size_t size : sizes)
        candidate.push_back(static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(size))));
      const auto& pair = *open.begin();  // progress in every round
      candidate[pair[0]] = pair[1];
      candidate[pair[2]] = pair[3];
      if (const std::size_t count = covers(candidate).size(); count > most) {
        most = count;
        best = candidate;
      }
    }
    for (const auto& pair : covers(best)) open.erase(pair);
    chosen.push_back(best);
  }
  return chosen;
}

}  // namespace

TEST_CASE("any choice of slots combines with any other, and a fused operation does what the lowering means") {
  int composed = 0;
  for (const Combination& combination : std::getenv("ATTO_FULL") ? all_combinations() : pairwise_cover()) {
    INFO(describe(combination));
    AttentionOptions options = base_options();
    for (std::size_t f = 0; f < kFactors.size(); ++f) (*kFactors[f])[combination[f]].second(options);
    const Support support = support_of(kSupports[combination.back()], buckets_of(kPairs[combination[1]].first));
    const Model model({.seed = 3, .dtype = DType::float64});
    const GraphAttention attention(model / "attention", options);
    const Var x = Var::leaf(uniform(Shape{9, kChannels}, -1, 1, 5));
    const AttentionInputs inputs{.query = x,
                                 .source = {},
                                 .value = {},
                                 .edge = uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)};
    composed += !attention.plan(support).ends_with("fused");
    compare(outcome(model, x, [&] { return attention(inputs, support); }),
            outcome(model, x, [&] { return attention.lowered(inputs, support); }));
  }
  CHECK(composed >= 20);  // all fused ones follow below
}

TEST_CASE("every fused combination equals its lowering") {
  int fused = 0;
  for (const std::string& support_name : kSupports)
    for (const auto& [score, set_score] : kScores)
      for (const auto& [pair, set_pair] : kPairs)
        for (const auto& [gate, set_gate] : kGates)
          for (const Projection projection : {Projection::separate, Projection::key_value, Projection::shared}) {
            AttentionOptions options = base_options();
            set_score(options);
            set_pair(options);
            set_gate(options);
            options.projection = projection;
            const Model model({.seed = 4, .dtype = DType::float64});
            const GraphAttention attention(model / "attention", options);
            const Support support = support_of(support_name, buckets_of(pair));
            if (!attention.plan(support).ends_with("fused")) continue;
            ++fused;
            INFO(score << " | " << pair << " | " << gate << " | " << support_name);
            const Var x = Var::leaf(uniform(Shape{9, kChannels}, -1, 1, 8));
            const AttentionInputs inputs{.query = x,
                                         .source = {},
                                         .value = {},
                                         .edge = uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)};
            compare(outcome(model, x, [&] { return attention(inputs, support); }),
                    outcome(model, x, [&] { return attention.lowered(inputs, support); }));
          }
  CHECK(fused >= 350);
}

TEST_CASE("gradients of composed attentions") {
  for (const auto& [score, set_score] : kScores) {
    INFO(score);
    AttentionOptions options = base_options();
    set_score(options);
    options.pair = HopDecay{.gamma = 0.6, .hop = 0.5, .slope = 0.2};
    options.gate = SigmoidGate{};
    options.finish = SelfTerm{.epsilon = 0.1};
    const Model model({.seed = 3, .dtype = DType::float64});
    const GraphAttention attention(model / "attention", options);
    const Support support = support_of("pairs");
    const auto result = gradcheck(
        [&](std::span<const Var> in) {
          return attention(AttentionInputs{.query = in[0], .source = {}, .value = {}, .edge = in[1]}, support);
        },
        {uniform(Shape{9, kChannels}, -1, 1, 5), uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)});
    CHECK(result.report == "");
  }
}

}  // namespace atto::test
