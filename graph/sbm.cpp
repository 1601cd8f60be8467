// CLUSTER and PATTERN: stochastic block models, after the notebooks of graphdeeplearning/benchmarking-gnns.

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "graph/edge_list.hpp"
#include "graph/synthetic.hpp"

namespace atto {
namespace {

constexpr std::int64_t kPatterns = 100;
// Streams of the seed: each graph and each pattern draws from a generator of its own, so that they can be made in
// parallel.
enum Source : std::uint64_t { kTrain, kValid, kTest, kPattern };

Generator generator_of(std::uint64_t seed, Source source, std::int64_t index) {
  const auto bits = RandomStream{.seed = seed, .stream = source}.block(static_cast<std::uint64_t>(index));
  return Generator((std::uint64_t{bits[1]} << 32) | bits[0]);
}

std::int64_t community_size(Generator& random) {
  return 5 + random.below(30);
}

// Nodes with a signal and a class each, and edges between them: a graph in the making.
struct Draft {
  std::vector<std::int64_t> signal, label;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;

  std::int64_t nodes() const { return std::ssize(signal); }

  // The sample, with the nodes in random order.
  GraphSample shuffled(Generator& random, std::int64_t signals) const {
    const std::vector<std::int64_t> place = random.permutation(nodes());
    EdgeList edges;
    for (const auto& [a, b] : pairs) edges.join(place[a], place[b]);
    const Tensor categories = Tensor::empty({nodes()}, DType::int64), y = Tensor::empty({nodes()}, DType::int64);
    for (std::int64_t i = 0; i < nodes(); ++i) {
      categories.data<std::int64_t>()[place[i]] = signal[i];
      y.data<std::int64_t>()[place[i]] = label[i];
    }
    return {.graph = edges.graph(nodes()), .x = one_hot(categories, signals), .edge_attr = {}, .y = y};
  }
};

// Communities of random sizes with all signals 0; the label is the community.
Draft block_model(Generator& random, std::int64_t communities, double inside, double between) {
  Draft draft;
  for (std::int64_t r = 0; r < communities; ++r)
    draft.label.insert(draft.label.end(), static_cast<std::size_t>(community_size(random)), r);
  draft.signal.assign(draft.label.size(), 0);
  for (std::int64_t i = 0; i < draft.nodes(); ++i)
    for (std::int64_t j = 0; j < i; ++j)
      if (random.uniform() < (draft.label[i] == draft.label[j] ? inside : between)) draft.pairs.emplace_back(i, j);
  return draft;
}

GraphSample cluster_sample(Generator random) {
  constexpr std::int64_t kCommunities = 6;
  Draft draft = block_model(random, kCommunities, 0.55, 0.25);
  for (std::int64_t r = 0; r < kCommunities; ++r) {
    const auto [begin, end] = std::equal_range(draft.label.begin(), draft.label.end(), r);
    draft.signal[begin - draft.label.begin() + random.below(end - begin)] = r + 1;
  }
  return draft.shuffled(random, kCommunities + 1);
}

Draft pattern_of(Generator random) {
  Draft pattern;
  const std::int64_t size = community_size(random);
  pattern.label.assign(static_cast<std::size_t>(size), 1);
  for (std::int64_t i = 0; i < size; ++i) {
    pattern.signal.push_back(random.below(3));
    for (std::int64_t j = 0; j < i; ++j)
      if (random.uniform() < 0.5) pattern.pairs.emplace_back(i, j);
  }
  return pattern;
}

GraphSample pattern_sample(Generator random, const Draft& pattern) {
  Draft draft = block_model(random, 5, 0.5, 0.35);
  const std::int64_t base = draft.nodes();
  std::ranges::fill(draft.label, 0);
  for (std::int64_t& signal : draft.signal) signal = random.below(3);
  draft.signal.insert(draft.signal.end(), pattern.signal.begin(), pattern.signal.end());
  draft.label.insert(draft.label.end(), pattern.label.begin(), pattern.label.end());
  for (const auto& [a, b] : pattern.pairs) draft.pairs.emplace_back(base + a, base + b);
  for (std::int64_t i = base; i < draft.nodes(); ++i)
    for (std::int64_t j = 0; j < base; ++j)
      if (random.uniform() < 0.5) draft.pairs.emplace_back(i, j);
  return draft.shuffled(random, 3);
}

// Train, validation and test graphs one after another; make(generator, number in its part) gives one.
template <class Make>
void fill(Dataset& dataset, const SyntheticOptions& options, Make make) {
  constexpr std::int64_t kGraphWork = 1 << 17;
  Split split;
  const auto add_part = [&](std::int64_t count, Source source, std::vector<std::int64_t>& part) {
    if (count < 0)
      throw ValueError(
          {.op = dataset.name, .argument = "number of graphs", .got = std::to_string(count), .expected = "at least 0"});
    const std::int64_t base = dataset.size();
    dataset.samples.resize(static_cast<std::size_t>(base + count));
    part.resize(static_cast<std::size_t>(count));
    std::iota(part.begin(), part.end(), base);
    parallel_for(count, kGraphWork, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g)
        dataset.samples[base + g] = make(generator_of(options.seed, source, g), g);
    });
  };
  add_part(options.train, kTrain, split.train);
  add_part(options.valid, kValid, split.valid);
  add_part(options.test, kTest, split.test);
  dataset.split = std::move(split);
}

}  // namespace

Dataset cluster_dataset(const SyntheticOptions& options) {
  Dataset dataset;
  dataset.name = "CLUSTER";
  dataset.task = Task::node_classification;
  dataset.num_outputs = 6;
  dataset.node_features = {.kind = Features::Kind::real, .width = 7};
  fill(dataset, options, [](Generator random, std::int64_t) { return cluster_sample(random); });
  return dataset;
}

Dataset pattern_dataset(const SyntheticOptions& options) {
  Dataset dataset;
  dataset.name = "PATTERN";
  dataset.task = Task::node_classification;
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = 3};
  std::vector<Draft> patterns;
  for (std::int64_t p = 0; p < kPatterns; ++p) patterns.push_back(pattern_of(generator_of(options.seed, kPattern, p)));
  fill(dataset, options,
       [&](Generator random, std::int64_t g) { return pattern_sample(random, patterns[g % kPatterns]); });
  return dataset;
}

}  // namespace atto
