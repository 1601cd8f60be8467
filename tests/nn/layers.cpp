#include <cmath>

#include "autograd/gradcheck.hpp"
#include "nn/layers/dropout.hpp"
#include "nn/layers/embedding.hpp"
#include "nn/layers/linear.hpp"
#include "nn/layers/mlp.hpp"
#include "nn/layers/norm.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Tensor tensor = Tensor::empty(shape, DType::float64);
  Generator random(seed);
  for (double& value : tensor.values<double>()) value = random.normal();
  return tensor;
}

std::vector<std::string> names(const Model& model) {
  std::vector<std::string> result;
  for (const NamedParameter& parameter : model.parameters()) result.push_back(parameter.name);
  for (const NamedTensor& buffer : model.buffers()) result.push_back(buffer.name);
  return result;
}

void check_values(const Tensor& got, const std::vector<double>& expected, double margin = 1e-10) {
  REQUIRE(got.numel() == static_cast<std::int64_t>(expected.size()));
  const Tensor wide = got.to(DType::float64);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(wide.values<double>()[i] == Approx(expected[i]).margin(margin));
}

}  // namespace

TEST_CASE("a linear layer: names, initial values, result") {
  Model model({.seed = 4, .dtype = DType::float64});
  Linear layer(model / "head", 16, 3, {.activation = Activation::relu});
  CHECK(names(model) == std::vector<std::string>{"head.weight", "head.bias"});
  CHECK(layer.weight().shape() == Shape{3, 16});
  double largest = 0;
  for (const NamedParameter& parameter : model.parameters())
    for (const double v : parameter.value.value().values<double>()) largest = std::max(largest, std::abs(v));
  CHECK(largest <= 0.25);  // 1/sqrt(16)
  CHECK(largest > 0.2);

  const Tensor x = random_tensor({2, 5, 16}, 1);
  const Tensor y = layer(x).value();
  CHECK(y.shape() == Shape{2, 5, 3});
  for (std::int64_t n = 0; n < 10; ++n)
    for (std::int64_t o = 0; o < 3; ++o) {
      double sum = layer.bias().value().data<double>()[o];
      for (std::int64_t i = 0; i < 16; ++i)
        sum += layer.weight().value().data<double>()[o * 16 + i] * x.data<double>()[n * 16 + i];
      CHECK(y.data<double>()[n * 3 + o] == Approx(std::max(0.0, sum)).margin(1e-12));
    }

  Linear bare(model / "bare", 2, 2, {.bias = false, .weight_init = init::ones()});
  CHECK_FALSE(bare.bias().defined());
  check_values(bare(Tensor::from({1.0, 2.0}, {1, 2})).value(), {3, 3});
  CHECK_THROWS_AS(bare(Tensor::zeros({1, 3}, DType::float64)), ShapeError);
}

TEST_CASE("an embedding gives rows, and gradients to the rows that were used") {
  Model model({.dtype = DType::float64});
  Embedding layer(model / "atoms", 4, 2);
  const Var y = layer(Tensor::from<std::int64_t>({2, 0, 2}, {3}));
  CHECK(y.shape() == Shape{3, 2});
  CHECK(y.value().values<double>()[0] == layer.weight().value().values<double>()[4]);
  backward(y, Tensor::full({3, 2}, 1.0, DType::float64));
  check_values(layer.weight().var().grad(), {1, 1, 0, 0, 2, 2, 0, 0});
  CHECK_THROWS_AS(layer(Tensor::from<std::int64_t>({4}, {1})), IndexError);
}

TEST_CASE("layer norm and RMS norm start as plain normalisations") {
  Model model({.dtype = DType::float64});
  LayerNorm layer(model / "layer", 2, 0.0);
  RmsNorm rms(model / "rms", 2, 0.0);
  CHECK(names(model) == std::vector<std::string>{"layer.weight", "layer.bias", "rms.weight"});
  const Tensor x = Tensor::from({1.0, 3.0, -6.0, 8.0}, {2, 2});
  check_values(layer(x).value(), {-1, 1, -1, 1});
  const double a = std::sqrt(5.0), b = std::sqrt(50.0);
  check_values(rms(x).value(), {1 / a, 3 / a, -6 / b, 8 / b});
}

TEST_CASE("batch norm on 1, 2, 3, 4") {
  Model model({.dtype = DType::float64});
  BatchNorm norm(model / "norm", 1);
  CHECK(names(model) == std::vector<std::string>{"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"});
  const Tensor x = Tensor::from({1.0, 2.0, 3.0, 4.0}, {4, 1});
  check_values(norm(x).value(), {-1.341635419969, -0.447211806656, 0.447211806656, 1.341635419969}, 1e-11);
  CHECK(model.buffer("norm.running_mean").item() == Approx(0.25));
  CHECK(model.buffer("norm.running_var").item() == Approx(1.0666667));

  // Evaluation uses the running values and leaves them alone, one row at a time or all at once.
  model.eval();
  const double scale = 1 / std::sqrt(0.9 + 0.1 * 5.0 / 3.0 + 1e-5);
  check_values(norm(x).value(), {0.75 * scale, 1.75 * scale, 2.75 * scale, 3.75 * scale});
  check_values(norm(x.rows(1, 2)).value(), {1.75 * scale});
  CHECK(model.buffer("norm.running_mean").item() == Approx(0.25));

  // A batch of one row or none has no variance: it says nothing about the data.
  model.train();
  check_values(norm(x.rows(0, 1)).value(), {0});
  CHECK(norm(x.rows(0, 0)).shape() == Shape{0, 1});
  CHECK(model.buffer("norm.running_mean").item() == Approx(0.25));
  CHECK(model.buffer("norm.running_var").item() == Approx(1.0666667));
}

TEST_CASE("batch norm: residuals are added before and after it, in training and in evaluation") {
  Model model({.dtype = DType::float64}), plain({.dtype = DType::float64});
  BatchNorm norm(model / "norm", 2), expected(plain / "norm", 2);
  const Var x = Tensor::from({1.0, 2.0, 3.0, 5.0, -1.0, 0.5}, {3, 2}),
            before = Tensor::from({0.5, -2.0, 1.0, 1.0, 0.0, 4.0}, {3, 2}),
            after = Tensor::from({7.0, 6.0, 5.0, 4.0, 3.0, 2.0}, {3, 2});
  for (int step = 0; step < 2; ++step) {
    const Var y = norm(x, {.before = before, .after = after}), z = expected(x + before) + after;
    for (std::int64_t i = 0; i < 6; ++i) CHECK(y.value().data<double>()[i] == Approx(z.value().data<double>()[i]));
    model.eval();
    plain.eval();
  }
  CHECK(bit_equal(model.buffer("norm.running_mean"), plain.buffer("norm.running_mean")));
  CHECK(bit_equal(model.buffer("norm.running_var"), plain.buffer("norm.running_var")));
}

TEST_CASE("batch norm: a batch that is not finite leaves the running statistics as they were") {
  Model model({.dtype = DType::float64});
  BatchNorm norm(model / "norm", 2);
  norm(Tensor::from({1.0, 2.0, 3.0, 5.0}, {2, 2}));
  const Tensor mean = model.buffer("norm.running_mean").clone(), variance = model.buffer("norm.running_var").clone();
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e200}) {  // the square of the last one overflows
    const Tensor x = Tensor::from({1.0, bad, 3.0, 5.0}, {2, 2});
    norm(x);
    CHECK(bit_equal(model.buffer("norm.running_mean"), mean));
    CHECK(bit_equal(model.buffer("norm.running_var"), variance));
  }
  norm(Tensor::from({1.0, 2.0, 3.0, 5.0}, {2, 2}));
  CHECK_FALSE(bit_equal(model.buffer("norm.running_mean"), mean));
}

TEST_CASE("dropout acts in training only, with a fresh mask at each call") {
  Model model({.seed = 5});
  Dropout dropout(model / "dropout", 0.25);
  Dropout none(model / "none", 0.0);
  const Var x(Tensor::full({10'000}, 3.0));
  CHECK(none(x).node() == x.node());
  const auto before = model.random_state();
  const Tensor first = dropout(x).value();
  std::int64_t zeros = 0;
  for (const float v : first.values<float>()) {
    REQUIRE((v == 0.0f || v == Approx(4.0f)));
    zeros += v == 0.0f;
  }
  CHECK(zeros > 2300);
  CHECK(zeros < 2700);
  CHECK_FALSE(bit_equal(first, dropout(x).value()));
  model.set_random_state(before);
  CHECK(bit_equal(first, dropout(x).value()));
  model.eval();
  CHECK(dropout(x).node() == x.node());
  CHECK_THROWS_AS(Dropout(model / "bad", 1.0), ValueError);
  CHECK_THROWS_AS(Dropout(model / "bad", std::nan("")), ValueError);
}

TEST_CASE("an MLP is its layers in a row") {
  Model model({.seed = 6, .dtype = DType::float64});
  Mlp mlp(model / "mlp", {3, 5, 4, 2}, {.activation = Activation::gelu, .batch_norm = true});
  CHECK(names(model) == std::vector<std::string>{"mlp.0.weight", "mlp.0.bias", "mlp.0.norm.weight", "mlp.0.norm.bias",
                                                 "mlp.1.weight", "mlp.1.bias", "mlp.1.norm.weight", "mlp.1.norm.bias",
                                                 "mlp.2.weight", "mlp.2.bias", "mlp.0.norm.running_mean",
                                                 "mlp.0.norm.running_var", "mlp.1.norm.running_mean",
                                                 "mlp.1.norm.running_var"});
  model.eval();
  const Tensor x = random_tensor({7, 3}, 2);
  Var y(x);
  for (int i = 0; i < 3; ++i) {
    const std::string at = "mlp." + std::to_string(i);
    y = linear(y, model.parameter(at + ".weight"), model.parameter(at + ".bias"));
    if (i < 2) y = activate(scale(y, 1 / std::sqrt(1 + 1e-5)), Activation::gelu);  // a new batch norm in evaluation
  }
  check_values(mlp(x).value(),
               std::vector<double>(y.value().values<double>().begin(), y.value().values<double>().end()));

  Mlp plain(model / "plain", {3, 5, 2}, {.bias = false});
  const Var hidden = linear(x, model.parameter("plain.0.weight"), Var(), Activation::relu);
  const Tensor expected = linear(hidden, model.parameter("plain.1.weight"), Var()).value();
  check_values(plain(x).value(),
               std::vector<double>(expected.values<double>().begin(), expected.values<double>().end()));
  model.train();
  Mlp dropping(model / "dropping", {3, 50, 2}, {.dropout = 0.5});
  CHECK_FALSE(bit_equal(dropping(x).value(), dropping(x).value()));
  CHECK_THROWS_AS(Mlp(model / "short", {3}), ValueError);
}

TEST_CASE("gradients pass through a stack of layers") {
  Model model({.seed = 8, .dtype = DType::float64});
  Mlp mlp(model / "mlp", {3, 6, 4}, {.activation = Activation::tanh, .batch_norm = true});
  LayerNorm norm(model / "norm", 4);
  CHECK(gradcheck([&](std::span<const Var> in) { return norm(mlp(in[0])); }, {random_tensor({9, 3}, 3)}));
}
