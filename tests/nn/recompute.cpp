#include "nn/recompute.hpp"

#include <numeric>

#include "core/allocator.hpp"
#include "graph/synthetic.hpp"
#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "ops/loss/loss.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

GraphModelOptions options_for(const Dataset& dataset, Local local) {
  GraphModelOptions options;
  options.local = local;
  options.node_features = dataset.node_features;
  options.layers = 6;
  options.channels = 32;
  options.hop = 1;
  options.dropout = 0.2;
  options.encoding_width = 6;
  return options;
}

}  // namespace

TEST_CASE("a model that recomputes its layers gives the same bits in less memory") {
  Dataset dataset = molecule_dataset({.graphs = 40, .seed = 4});
  const PreparedData data(std::move(dataset), {.encoding = Encoding::rwse, .encoding_width = 6, .hops = true});
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = data.batch(all);
  struct Run {
    Tensor loss, gradients, running;
    Generator::State random;
    std::int64_t kept;
  };
  const auto run = [&](Local local, bool recompute) {
    GraphModelOptions options = options_for(data.dataset(), local);
    options.recompute = recompute;
    const Model root({.seed = 2});
    const GraphModel model(root, options);
    const std::int64_t before = allocator::statistics().in_use;
    const Var loss = cross_entropy(model(batch), batch.y);
    const std::int64_t kept = allocator::statistics().in_use - before;
    root.flatten();
    loss.backward();
    return Run{loss.value().clone(), root.flatten().gradients.clone(),
               root.buffer("layers.3.output_norm.running_mean").clone(), root.random_state(), kept};
  };
  for (const Local local : {Local::gin, Local::gatedgcn, Local::gine, Local::none}) {
    INFO(name_of(local));
    const Run plain = run(local, false), again = run(local, true);
    CHECK(bit_equal(plain.loss, again.loss));
    CHECK(bit_equal(plain.gradients, again.gradients));
    CHECK(bit_equal(plain.running, again.running));
    CHECK(plain.random.position == again.random.position);
    CHECK(plain.random.next_stream == again.random.next_stream);
    CHECK(again.kept < plain.kept / 4);
  }
}

TEST_CASE("layers that hand on edge states are not recomputed, and say so") {
  const Dataset dataset = molecule_dataset({.graphs = 2});
  GraphModelOptions options = options_for(dataset, Local::gatedgcn);
  options.recompute = options.edge_state = true;
  const Model root;
  CHECK_THROWS_AS(GraphModel(root, options), ValueError);
}
