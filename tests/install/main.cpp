// The program of the README: a custom attention, defined and trained; here it is built against an installed copy.
#include <attograd.hpp>
#include <cstdio>
using namespace atto;

struct Distance {  // a score of your own: any function from values on edges to a value; its gradient is free
  Var operator()(const EdgeView& e) const {
    return neg(sum(square(edge_add(e.graph, e.key, {}) - edge_add(e.graph, {}, e.query)), -1));
  }
};

int main() {
  const PreparedData data(cluster_dataset({.train = 64, .valid = 8, .test = 8}), {.encoding = Encoding::none});

  Model model({.seed = 1});  // creating a module registers its parameters
  Linear embed(model / "embed", 7, 32);
  GraphAttention attention(model / "attention",
                           {.channels = 32, .heads = 4, .score = Distance{}, .pair = HopDecay{.gamma = 0.6, .hop = 1}});
  Linear head(model / "head", 32, 6);
  AdamW optimiser(model, {.learning_rate = 1e-2});

  const std::vector<std::int64_t>& train = data.dataset().split->train;
  for (int epoch = 0; epoch < 20; ++epoch) {
    const Batch batch = data.batch(train);
    const Var hidden = relu(attention(embed(batch.x), batch.pairs));
    const Var loss = cross_entropy(head(hidden), batch.y);
    model.zero_grad();
    loss.backward();
    optimiser.step();
    std::printf("epoch %2d  loss %.4f\n", epoch, loss.item());
  }
  std::puts(attention.plan(data.batch(train).pairs).c_str());  // what ran, and why
}
