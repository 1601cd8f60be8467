// Low-rank adapters: printed numbers, merging and back, files, and models that know nothing of them.

#include "nn/adapters/lora.hpp"

#include <fstream>

#include "nn/attention/multi_head_attention.hpp"
#include "nn/checkpoint.hpp"
#include "tests/nn/isomorphic.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {
namespace {

// One linear layer, 4 -> 3, without bias.
struct One {
  explicit One(LoraOptions options = {.rank = 2, .alpha = 3})
      : model({.seed = 1, .dtype = DType::float64}),
        linear(model / "layer", 4, 3, {.bias = false}),
        lora(model, options) {
    set(model, "layer.weight", filler({3, 4}, 2));
  }
  void fill() const {
    set(model, "lora.layer.a", filler({2, 4}, 41));
    set(model, "lora.layer.b", filler({3, 2}, 42));
  }
  Model model;
  Linear linear;
  Lora lora;
  Tensor x = filler({2, 4}, 1);
};

}  // namespace

TEST_CASE("LoRA: the printed numbers") {
  const One one;
  const Tensor base = linear(one.x, one.model.parameter("layer.weight"), {}).value();
  const Var untouched = one.linear(one.x);
  for (std::int64_t i = 0; i < 6; ++i) CHECK(untouched.value().data<double>()[i] == base.data<double>()[i]);
  oracle_loss(untouched).backward();
  for (const double g : one.model.parameter("lora.layer.a").grad().values<double>()) CHECK(g == 0);

  one.fill();
  one.model.zero_grad();
  const Var y = one.linear(one.x);
  check_near(y.value(), {.002, .574, -.471, -.348, -.435, .204}, 1e-12);
  const Var loss = oracle_loss(y);
  check_near(loss.item(), -.0778, 1e-12);
  loss.backward();
  check_near(one.model.parameter("lora.layer.a").grad(), {-.069, -.2025, .1095, .009, .048, .075, -.063, .0135}, 1e-12);
  check_near(one.model.parameter("lora.layer.b").grad(), {.036, -.057, -.048, -.153, .099, .015}, 1e-12);
}

TEST_CASE("LoRA: merging computes the same at once, and unmerging restores every bit") {
  One one;
  one.fill();
  const Tensor weight = one.model.parameter("layer.weight").value().clone(), y = one.linear(one.x).value();
  one.lora.merge();
  CHECK(one.lora.merged());
  check_near(one.model.parameter("layer.weight").value().rows(0, 1), {-.08, -.24, .7, -.12}, 1e-12);
  CHECK(mismatch(one.linear(one.x).value(), y, Tensor::full(y.shape(), 1, DType::float64), 1e-14) == "");
  CHECK_THROWS_AS(one.lora.merge(), StateError);
  one.lora.unmerge();
  CHECK(bit_equal(one.model.parameter("layer.weight").value(), weight));
  CHECK(bit_equal(one.linear(one.x).value(), y));
  CHECK_THROWS_AS(one.lora.unmerge(), StateError);
}

TEST_CASE("LoRA: an adapter that goes leaves the model as it was") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const Linear layer(model / "layer", 4, 3, {.activation = Activation::silu});
  const Tensor x = filler({2, 4}, 1), before = layer(x).value();
  {
    Lora lora(model, {.rank = 1});
    CHECK(layer.adapted());
    set(model, "lora.layer.b", filler({3, 1}, 42));
    CHECK(!bit_equal(layer(x).value(), before));
    lora.merge();
  }
  CHECK(!layer.adapted());
  CHECK(bit_equal(layer(x).value(), before));
}

TEST_CASE("LoRA: layers are chosen by patterns, and the rest is frozen by them") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const MultiHeadAttention attention(model / "layers" / 0 / "attention", 8, {.heads = 2});
  const Linear head(model / "head", 8, 2);
  model.freeze("*");
  const Lora lora(model, {.rank = 2, .targets = {"*.query", "*.value"}});
  CHECK(lora.targets() == std::vector<std::string>{"layers.0.attention.query", "layers.0.attention.value"});
  CHECK(lora.parameter_count() == 2 * 2 * (8 + 8));
  CHECK(model.trainable_count() == lora.parameter_count());
  const Var x = uniform(Shape{5, 8});
  model.parameter("lora.layers.0.attention.query.b").value().fill(.1);
  model.parameter("lora.layers.0.attention.value.b").value().fill(.1);
  backward(head(attention(x, causal(5))), uniform(Shape{5, 2}));
  for (const NamedParameter& parameter : model.parameters())
    CHECK(parameter.value.grad().defined() == parameter.name.starts_with("lora."));

  CHECK_THROWS_AS(Lora(model, {.targets = {"*.gate"}, .name = "other"}), ValueError);
  CHECK_THROWS_AS(Lora(model, {.targets = {"*.query"}, .name = "other"}), StateError);
  CHECK_THROWS_AS(Lora(model, {.rank = 0, .name = "other"}), ValueError);
}

TEST_CASE("LoRA: gradients with dropout and bias, and dropout only in training") {
  const One one({.rank = 2, .alpha = 3, .dropout = .5});
  one.fill();
  const Tensor trained = one.linear(one.x).value();
  one.model.eval();
  const Tensor y = one.linear(one.x).value();
  CHECK(!bit_equal(trained, y));
  check_near(y, {.002, .574, -.471, -.348, -.435, .204}, 1e-12);
}

TEST_CASE("LoRA: saved to a small file of its own, and loaded from it whole or not at all") {
  const TemporaryFolder folder;
  const One one;
  one.fill();
  one.lora.save(folder / "lora.safetensors");
  CHECK(read_safetensors(folder / "lora.safetensors").tensors.size() == 2);
  One other;
  other.lora.load(folder / "lora.safetensors");
  CHECK(bit_equal(other.linear(one.x).value(), one.linear(one.x).value()));
  other.lora.merge();
  CHECK_THAT_SAYS(StateError, other.lora.load(folder / "lora.safetensors"), "unmerge()");
  One wide({.rank = 3, .alpha = 3});
  const Tensor before = wide.model.parameter("lora.layer.a").value().clone();
  CHECK_THAT_SAYS(FileError, wide.lora.load(folder / "lora.safetensors"), "rank is \"2\", expected 3");
  One strong({.rank = 2, .alpha = 6});
  CHECK_THAT_SAYS(FileError, strong.lora.load(folder / "lora.safetensors"), "alpha");
  save_weights(one.model, folder / "weights.safetensors");
  CHECK_THAT_SAYS(FileError, wide.lora.load(folder / "weights.safetensors"), "adapter is missing");
  CHECK(bit_equal(wide.model.parameter("lora.layer.a").value(), before));
}

}  // namespace atto::test
