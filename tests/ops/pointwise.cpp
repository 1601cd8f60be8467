#include "ops/pointwise/pointwise.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "core/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Definition = std::function<double(double)>;

double sigmoid_of(double x) {
  return 1 / (1 + std::exp(-x));
}
double softplus_of(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

struct Function {
  std::string op;
  std::function<Var(const Var&)> run;
  Definition definition;
  double low = -3, high = 3;  // of the inputs
  Definition magnitude = {};  // |terms|, where the result is a difference of them
  std::vector<double> kinks = {};
  double k = 4;
};

std::vector<Function> functions() {
  const Definition size = [](double x) { return std::abs(x); };
  return {
      {"scale",
       [](const Var& x) { return scale(x, -1.5, 0.25); },
       [](double x) { return 0.25 - 1.5 * x; },
       -3,
       3,
       [](double x) { return 0.25 + 1.5 * std::abs(x); },
       {},
       1},
      {"abs", [](const Var& x) { return abs(x); }, [](double x) { return std::abs(x); }, -3, 3, {}, {0}, 1},
      {"square", [](const Var& x) { return square(x); }, [](double x) { return x * x; }, -3, 3, {}, {}, 1},
      {"sqrt", [](const Var& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, 0.2, 9, {}, {}, 1},
      {"rsqrt", [](const Var& x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); }, 0.2, 9, {}, {}, 2},
      {"reciprocal", [](const Var& x) { return reciprocal(x); }, [](double x) { return 1 / x; }, 0.3, 4, {}, {}, 1},
      {"pow", [](const Var& x) { return pow(x, 2.5); }, [](double x) { return std::pow(x, 2.5); }, 0.2, 3, {}, {}, 2},
      {"clamp",
       [](const Var& x) { return clamp(x, -1, 0.5); },
       [](double x) { return std::clamp(x, -1.0, 0.5); },
       -3,
       3,
       {},
       {-1, 0.5},
       1},
      {"exp", [](const Var& x) { return exp(x); }, [](double x) { return std::exp(x); }},
      {"log", [](const Var& x) { return log(x); }, [](double x) { return std::log(x); }, 0.2, 9},
      {"log1p", [](const Var& x) { return log1p(x); }, [](double x) { return std::log1p(x); }, -0.7, 9},
      {"sigmoid", [](const Var& x) { return sigmoid(x); }, sigmoid_of, -9, 9},
      {"log_sigmoid", [](const Var& x) { return log_sigmoid(x); }, [](double x) { return -softplus_of(-x); }, -9, 9},
      {"tanh", [](const Var& x) { return tanh(x); }, [](double x) { return std::tanh(x); }},
      {"softplus", [](const Var& x) { return softplus(x); }, softplus_of, -9, 9},
      {"relu", [](const Var& x) { return relu(x); }, [](double x) { return std::max(x, 0.0); }, -3, 3, {}, {0}, 1},
      {"leaky_relu",
       [](const Var& x) { return leaky_relu(x, 0.2); },
       [](double x) { return x > 0 ? x : 0.2 * x; },
       -3,
       3,
       {},
       {0},
       2},
      {"elu",
       [](const Var& x) { return elu(x, 1.5); },
       [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); },
       -3,
       3,
       {},
       {0}},
      {"gelu", [](const Var& x) { return gelu(x); },
       [](double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); }, -4, 4, size},
      {"gelu_tanh", [](const Var& x) { return gelu_tanh(x); },
       [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))); },
       -4, 4, size},
      {"silu", [](const Var& x) { return silu(x); }, [](double x) { return x * sigmoid_of(x); }, -9, 9},
  };
}

Tensor each(const Tensor& x, const Definition& f) {
  return tabulate(x.shape(), [&](std::int64_t i) { return f(x.data<double>()[i]); });
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const Function& f : functions()) {
    for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{1}, Shape{5, 1, 7}, Shape{41003}}) {
      Tensor x = uniform(shape, f.low, f.high);
      for (double& value : x.values<double>())
        for (const double kink : f.kinks)
          if (std::abs(value - kink) < 0.002) value = kink + 0.002;
      OpCase c{.op = f.op,
               .name = shape.str(),
               .inputs = {x},
               .run = [run = f.run](std::span<const Var> in) { return run(in[0]); },
               .expected = [g = f.definition](std::span<const Tensor> in) { return each(in[0], g); },
               .k = f.k};
      if (f.magnitude) c.magnitude = [g = f.magnitude](std::span<const Tensor> in) { return each(in[0], g); };
      list.push_back(c);
    }
  }
  return list;
});

const RegisterErrors errors([] {
  std::vector<OpError> list;
  for (const Function& f : functions())
    list.push_back({.op = f.op,
                    .name = "no floating type",
                    .call = [run = f.run] { run(Tensor::zeros({2}, DType::int32)); },
                    .text = f.op + ": x: got int32, expected float32 or float64"});
  list.push_back({.op = "clamp", .name = "borders", .call = [] { clamp(uniform({2}), 1, -1); }, .text = "low <= high"});
  return list;
});

// Every float whose bits are a multiple of a prime: all magnitudes, both signs, denormals, NaNs.
Tensor floats_of_all_magnitudes() {
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 9973) {
    const auto pattern = static_cast<std::uint32_t>(bits);
    float value;
    std::memcpy(&value, &pattern, sizeof value);
    values.push_back(value);
  }
  for (const float special : {0.0f, -0.0f, 1.0f, -1.0f, 88.72f, 88.73f, -87.0f, -104.0f, 1e-45f, -1e-45f,
                              std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()})
    values.push_back(special);
  return Tensor::from(values);
}

double error_in_ulp(float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : 1e9;
  if (got == rounded && (std::isinf(rounded) || want == 0)) return 0;
  const float size = std::max(std::abs(rounded), std::numeric_limits<float>::min());
  const double ulp = double{size} - double{std::nextafter(size, 0.0f)};
  return std::abs(got - want) / ulp;
}

}  // namespace

TEST_CASE("float functions keep the error that they state, for all magnitudes") {
  struct Accuracy {
    std::string op;
    Definition definition;
    double ulp;
    double low = -std::numeric_limits<double>::infinity();
  };
  const Tensor x = floats_of_all_magnitudes();
  for (const Accuracy& a : {Accuracy{"exp", [](double v) { return std::exp(v); }, 1.1, -86.9},
                            Accuracy{"log", [](double v) { return std::log(v); }, 0.9},
                            Accuracy{"log1p", [](double v) { return std::log1p(v); }, 1.5},
                            Accuracy{"tanh", [](double v) { return std::tanh(v); }, 2.5},
                            Accuracy{"sigmoid", sigmoid_of, 2.4, -86.9}, Accuracy{"softplus", softplus_of, 2.0, -86.9},
                            Accuracy{"elu", [](double v) { return v > 0 ? v : 1.5 * std::expm1(v); }, 2.5}}) {
    for (const Function& f : functions()) {
      if (f.op != a.op) continue;
      for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
        const Isa before = isa();
        if (set > before) continue;
        set_isa(set);
        const Tensor y = f.run(x).value();
        set_isa(before);
        double worst = 0;
        float where = 0;
        for (std::int64_t i = 0; i < x.numel(); ++i) {
          const float argument = x.data<float>()[i];
          if (argument < a.low) {  // flushed to zero
            if (!(std::abs(y.data<float>()[i]) < 2e-38)) worst = 1e9, where = argument;
            continue;
          }
          const double error = error_in_ulp(y.data<float>()[i], a.definition(double{argument}));
          if (error > worst) worst = error, where = argument;
        }
        INFO(a.op << " with " << name_of(set) << ", worst at " << where);
        CHECK(worst <= a.ulp);
      }
    }
  }
}

TEST_CASE("a pointwise result does not depend on the place in the array") {
  for (const Function& f : functions()) {
    const Tensor x = uniform({67}, f.low, f.high, 5).to(DType::float32);
    const Var together = Var::leaf(x);
    const Var y = f.run(together);
    std::vector<Tensor> alone;
    for (std::int64_t i = 0; i < x.numel(); ++i)
      if (!bit_equal(f.run(x.rows(i, i + 1)).value(), y.value().rows(i, i + 1))) FAIL_CHECK(f.op << ", element " << i);
  }
}

TEST_CASE("powers with a function of their own use it") {
  const Var x = uniform({5}, 0.5, 2);
  CHECK(bit_equal(pow(x, 2).value(), square(x).value()));
  CHECK(bit_equal(pow(x, 0.5).value(), sqrt(x).value()));
  CHECK(bit_equal(pow(x, -0.5).value(), rsqrt(x).value()));
  CHECK(bit_equal(pow(x, -1).value(), reciprocal(x).value()));
}

}  // namespace atto::test
