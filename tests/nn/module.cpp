#include "nn/module.hpp"

#include "autograd/accumulate.hpp"
#include "ops/skeleton/row_scale.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

// y = (x scaled by the rows of weight) scaled by a gain that may belong to somebody else.
struct Gain : Module {
  explicit Gain(const Scope& scope, std::int64_t n = 2)
      : Module(scope), gain(scope.parameter("gain", {n}, init::ones())) {}
  Var operator()(const Var& x) const {
    const auto here = enter();
    return row_scale(x, gain);
  }
  Parameter gain;
};

struct Pair : Module {
  Pair(const Scope& scope, Slot<Gain> gain)
      : Module(scope),
        first(std::move(gain)),
        weight(scope.parameter("weight", {2}, init::normal())),
        bias(Parameter::none()) {}
  Var operator()(const Var& x) const { return row_scale(first(x), weight); }
  Slot<Gain> first;
  Parameter weight;
  Parameter bias;
};

std::vector<std::string> names(const Model& model) {
  std::vector<std::string> result;
  for (const NamedParameter& parameter : model.parameters()) result.push_back(parameter.name);
  return result;
}

}  // namespace

TEST_CASE("creating a parameter registers it under its path, in order") {
  Model model;
  Modules<Pair> pairs;
  for (int i = 0; i < 2; ++i) {
    const Scope at = model / "layers" / i;
    pairs.emplace_back(at, Slot<Gain>(at / "first"));
  }
  const Parameter alone = model.scope().parameter("scale", {3, 4}, init::zeros());
  CHECK(names(model) == std::vector<std::string>{"layers.0.first.gain", "layers.0.weight", "layers.1.first.gain",
                                                 "layers.1.weight", "scale"});
  CHECK(model.parameter_count() == 20);
  CHECK(model.parameter("scale").node() == alone.var().node());
  CHECK(pairs[1].weight.var().name() == "layers.1.weight");
  CHECK_FALSE(pairs[1].bias.defined());
  static_assert(!std::is_copy_constructible_v<Parameter> && !std::is_move_constructible_v<Parameter>);
  static_assert(!std::is_copy_constructible_v<Gain> && !std::is_move_assignable_v<Gain>);
}

TEST_CASE("a name is taken once, by a parameter or by a buffer") {
  Model model;
  const Scope scope = model / "head";
  const Parameter weight = scope.parameter("weight", {2}, init::ones());
  CHECK_THROWS_AS(scope.parameter("weight", {2}, init::ones()), StateError);
  CHECK_THROWS_AS(scope.buffer("weight", Tensor::zeros({2})), StateError);
  CHECK_THAT_SAYS(StateError, scope.parameter("weight", {2}, init::ones()), "\"head.weight\" a second time");
  CHECK(model.parameters().size() == 1);
  CHECK(model.buffers().empty());
  for (const char* bad : {"", "a.b", "a b", "*", "\xc3\xa9"}) CHECK_THROWS_AS(scope / bad, ValueError);
  CHECK_THAT_SAYS(ValueError, model.parameter("head.wait"), "nearest is \"head.weight\"");
}

TEST_CASE("a buffer is a copy that is saved but not trained") {
  Model model;
  const Tensor initial = Tensor::full({2}, 3.0);
  const Buffer buffer = (model / "norm").buffer("mean", initial);
  buffer.tensor().fill(5.0);
  CHECK(initial.values<float>()[0] == 3.0f);
  CHECK(model.buffer("norm.mean").values<float>()[1] == 5.0f);
  CHECK(model.parameters().empty());
}

TEST_CASE("initial values depend on seed and name, not on the rest of the model") {
  const auto draw = [](std::uint64_t seed, const char* name, bool other, DType dtype) {
    Model model({.seed = seed, .dtype = dtype});
    if (other) (model / "other").parameter("weight", {5}, init::normal());
    return model.scope().parameter(name, {64}, init::normal()).value().to(DType::float64).clone();
  };
  const Tensor first = draw(1, "a", false, DType::float64);
  CHECK(bit_equal(first, draw(1, "a", true, DType::float64)));
  CHECK_FALSE(bit_equal(first, draw(2, "a", false, DType::float64)));
  CHECK_FALSE(bit_equal(first, draw(1, "b", false, DType::float64)));
  CHECK(bit_equal(first.to(DType::float32), draw(1, "a", false, DType::float32).to(DType::float32)));

  Model model;
  const Parameter here = (model / "here").parameter("weight", {64}, init::normal());
  const Parameter there = (model / "there").parameter("weight", {64}, init::normal());
  CHECK_FALSE(bit_equal(here.value(), there.value()));
}

TEST_CASE("a shared module is registered once and collects both gradients") {
  Model model({.seed = 3, .dtype = DType::float64});
  Gain gain(model / "gain");
  Pair a(model / "a", gain);
  Pair b(model / "b", gain);
  CHECK(names(model) == std::vector<std::string>{"gain.gain", "a.weight", "b.weight"});
  CHECK(a.first.shared());
  const Var y = b(a(Tensor::from({1.0, 2.0}, {2, 1})));
  backward(y, Tensor::full({2, 1}, 1.0, DType::float64));
  const auto wa = a.weight.value().values<double>();
  const auto wb = b.weight.value().values<double>();
  const Tensor gradient = gain.gain.var().grad();
  CHECK(gradient.values<double>()[0] == Approx(2 * wa[0] * wb[0] * 1.0));
  CHECK(gradient.values<double>()[1] == Approx(2 * wa[1] * wb[1] * 2.0));
}

TEST_CASE("flattening keeps values, gradients and names, and is done once") {
  Model model({.seed = 3, .dtype = DType::float64});
  Gain gain(model / "gain");
  Pair pair(model / "pair", gain);
  const Parameter wide = model.scope().parameter("wide", {3, 7}, init::normal());
  const Var x = Tensor::from({1.0, 2.0}, {2, 1});
  const Tensor seed = Tensor::full({2, 1}, 1.0, DType::float64);
  backward(pair(x), seed);
  const Tensor before = pair(x).value().clone();
  const Tensor values = wide.value().clone();
  const Tensor gradient = pair.weight.var().grad().clone();

  const FlatParameters& flat = model.flatten();
  CHECK(&flat == &model.flatten());
  CHECK(bit_equal(wide.value(), values));
  CHECK(bit_equal(pair(x).value(), before));
  CHECK(bit_equal(pair.weight.var().grad(), gradient));
  REQUIRE(flat.offsets == std::vector<std::int64_t>{0, 8, 16});
  CHECK(flat.values.numel() == 40);
  for (std::size_t i = 0; i < 3; ++i) {
    const Var& var = model.parameters()[i].value;
    CHECK(var.value().data<double>() == flat.values.data<double>() + flat.offsets[i]);
    CHECK(var.grad().data<double>() == flat.gradients.data<double>() + flat.offsets[i]);
  }

  backward(pair(x), seed);  // adds to the block
  CHECK(flat.gradients.values<double>()[8] == 2 * gradient.values<double>()[0]);
  model.zero_grad();
  for (const double g : flat.gradients.values<double>()) REQUIRE(g == 0.0);
  flat.values.values<double>()[0] = 10.0;  // what an optimiser writes is what the module reads
  CHECK(pair(x).value().values<double>()[0] == Approx(10 * before.values<double>()[0]));
  CHECK_THROWS_AS(model.scope().parameter("late", {1}, init::ones()), StateError);
}

TEST_CASE("freezing by pattern") {
  Model model;
  Gain a(model / "layers" / 0);
  Gain b(model / "layers" / 1);
  Gain head(model / "head", 5);
  CHECK(model.freeze("layers.*") == 2);
  CHECK(model.trainable_count() == 5);
  CHECK(model.parameter_count() == 9);
  CHECK_FALSE(a(Tensor::zeros({2, 1})).requires_grad());
  CHECK(model.freeze("layers.1.gain", false) == 1);
  CHECK(model.trainable_count() == 7);
  CHECK_THAT_SAYS(ValueError, model.freeze("layer.*"), "nearest is \"layers.0.gain\"");
}

TEST_CASE("patterns") {
  CHECK(matches("layers.0.weight", "layers.*.weight"));
  CHECK(matches("layers.0.attention.weight", "layers.*.weight"));
  CHECK(matches("abcabc", "*abc"));
  CHECK(matches("aab", "*ab"));
  CHECK(matches("", "*"));
  CHECK(matches("ab", "a?"));
  CHECK(matches("ab", "ab**"));
  CHECK_FALSE(matches("ab", "a"));
  CHECK_FALSE(matches("ab", "ab?"));
  CHECK_FALSE(matches("abd", "*abc"));
  CHECK_FALSE(matches("a", ""));
}

TEST_CASE("training flag and dropout streams belong to the model") {
  Model model({.seed = 9});
  const Scope scope = model / "dropout";
  CHECK(scope.training());
  model.eval();
  CHECK_FALSE(scope.training());
  model.train();
  const RandomStream first = scope.dropout_stream();
  CHECK_FALSE(first == scope.dropout_stream());
  const auto state = model.random_state();
  const RandomStream third = scope.dropout_stream();
  model.set_random_state(state);
  CHECK(third == (model / "elsewhere").dropout_stream());
  CHECK(scope.random("a").uniform() == scope.random("a").uniform());
  CHECK(scope.random("a").uniform() != scope.random("b").uniform());
  CHECK(scope.random("a").uniform() != (model / "other").random("a").uniform());
}

TEST_CASE("anomaly mode names the module") {
  Model model;
  Gain inner(model / "layers" / 1 / "gain");
  Gain root(model);
  const AnomalyMode anomaly;
  const Tensor bad = Tensor::full({2, 1}, 1.0 / 0.0);
  CHECK_THAT_SAYS(NumericError, inner(bad), "created in layers.1.gain");
  CHECK_THAT_SAYS(NumericError, root(bad), "created in the root module");
}
