// What a newcomer does wrong, and what attograd says to it. Each test shows the message whole; keep it one that can be
// acted on.
#include <cmath>

#include "graph/dataset.hpp"
#include "graph/generators.hpp"
#include "nn/conv/gcn_conv.hpp"
#include "nn/conv/gin_conv.hpp"
#include "nn/layers/linear.hpp"
#include "nn/summary.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::error_text;

namespace {

Var ones(const Shape& shape) {
  return Tensor::full(shape, 1.0);
}

}  // namespace

TEST_CASE("misuse: backward twice") {
  Model model;
  const Linear layer(model / "layer", 3, 2);
  const Var loss = sum(layer(ones({4, 3})));
  loss.backward();
  CHECK(error_text<StateError>([&] { loss.backward(); }) ==
        "backward: graph: got a graph that an earlier backward has freed "
        "(pass {.retain_graph = true} to the earlier call, or compute the value again)");
}

TEST_CASE("misuse: a shape that does not fit") {
  Model model;
  const Linear layer(model / "layer", 3, 2);
  CHECK(error_text<ShapeError>([&] {
          layer(ones({4, 5}));
        }) ==
        "linear: weight: got [2,3], expected [O,I] with O = 2, I = 5 (signature: x[...,I], weight[O,I], bias?[O] -> "
        "y[...,O])");
  CHECK(error_text<ShapeError>([&] {
          ones({2, 3}) + ones({4, 3});
        }) == "add: shapes: got [2,3] and [4,3], expected sizes that are equal or 1, aligned from the right");
}

TEST_CASE("misuse: the loss is not a single number") {
  const Var x = Var::leaf(Tensor::full({3}, 1.0));
  CHECK(error_text<ShapeError>([&] { (x * 2.0).backward(); }) ==
        "backward: root: got float32[3], expected a single number, or a seed (reduce the value with sum() or mean())");
}

TEST_CASE("misuse: a tensor changed in place while the tape needs it") {
  Model model;
  const Linear layer(model / "layer", 3, 2);
  const std::string said =
      "linear: input 0: got float32[4,3] with other numbers than in the forward, expected a value that nobody writes "
      "to "
      "until backward is done (created in layer; write into a clone() instead)";
  const Tensor x = Tensor::full({4, 3}, 1.0);
  SECTION("anomaly mode finds it, however it was written") {
    const AnomalyMode anomaly;
    const Var loss = sum(layer(x));
    SECTION("by fill") {
      x.fill(2);
    }
    SECTION("through a pointer") {
      x.data<float>()[11] = 2;
    }
    SECTION("through a view") {
      x.rows(3, 4).copy_from(Tensor::zeros({1, 3}));
    }
    CHECK(error_text<StateError>([&] { loss.backward(); }) == said);
  }
  SECTION("a parameter that steps between forward and backward") {
    const AnomalyMode anomaly;
    const Var loss = sum(layer(layer.weight().var().detach()));
    layer.weight().value().fill(0);
    CHECK(test::contains(error_text<StateError>([&] { loss.backward(); }), "linear: input"));
  }
  SECTION("a result that its own gradient reads") {
    const AnomalyMode anomaly;
    const Var y = exp(Var::leaf(Tensor::full({2}, 1.0)));
    y.value().fill(0);
    CHECK(test::contains(error_text<StateError>([&] { sum(y).backward(); }),
                         "exp: result: got float32[2] with other numbers"));
  }
  SECTION("what is left alone is no reason to complain, and neither is what was changed before or after") {
    const AnomalyMode anomaly;
    x.fill(3);
    const Var loss = sum(layer(x) * layer(x));
    loss.backward();
    x.fill(2);
    layer.weight().value().fill(0);
  }
}

TEST_CASE("misuse: a parameter that no gradient reaches") {
  Model model;
  const Linear used(model / "used", 3, 2), forgotten(model / "forgotten", 3, 2, {.bias = false});
  const Audit found = audit(model, sum(used(ones({4, 3}))));
  CHECK(found.unreached == std::vector<std::string>{"forgotten.weight"});
  CHECK(found.str() == "the loss does not depend on:\n  forgotten.weight");
}

TEST_CASE("misuse: a graph whose features have the wrong number of rows") {
  Model model;
  const GcnConv gcn(model / "gcn", 3, 2);
  const Graph ring = generate::ring(5);
  CHECK(error_text<ShapeError>([&] {
          edge_softmax(ring, ones({9, 1}));
        }) ==
        "edge_softmax: logits: got [9,1], expected [E,...] with E = 10 (signature: logits[E,...] -> alpha[E,...])");
  CHECK(test::contains(error_text<ShapeError>([&] {
                         gcn(ones({4, 3}), normalise(ring));
                       }),
                       "expected [N_src,...] with N_src = 5"));
  Dataset dataset;
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = 3};
  for (const std::int64_t rows : {5, 4})
    dataset.samples.push_back({.graph = ring,
                               .x = Tensor::zeros({rows, 3}),
                               .edge_attr = {},
                               .y = Tensor::from(std::vector<std::int64_t>{1})});
  CHECK(error_text<ShapeError>([&] { dataset.check(); }) ==
        "Dataset: x of sample 1: got float32[4,3], expected float32[5,3]");
}

TEST_CASE("misuse: a NaN in the input") {
  Model model;
  const Linear layer(model / "encoder", 3, 2);
  const Tensor x = Tensor::full({4, 3}, 1.0);
  x.data<float>()[7] = std::nanf("");
  CHECK(std::isnan(sum(layer(x)).item()));  // passed on, as arithmetic has it
  const AnomalyMode anomaly;
  CHECK(error_text<NumericError>([&] { layer(x); }) ==
        "linear: result: got a NaN or infinity at element 4 of float32[4,2], expected finite numbers (created in "
        "encoder)");
}
