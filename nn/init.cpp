#include "nn/init.hpp"

#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace atto::init {
namespace {

struct Fans {
  double in;
  double out;
};

Fans fans(const Tensor& weight, const char* rule) {
  if (weight.rank() < 2)
    throw ShapeError(
        {.op = rule,
         .argument = "parameter",
         .got = weight.str(),
         .expected = "at least rank 2, [out,in]",
         .hint = "a vector has no fan-in of its own: use kaiming_uniform(fan_in), zeros() or uniform(bound)"});
  const auto out = static_cast<double>(weight.size(0));
  const double in = weight.size(0) > 0 ? static_cast<double>(weight.numel()) / out : 0.0;
  return {.in = in, .out = out};
}

// Draws in double, so that float32 and float64 models start from the same numbers.
template <class Draw>
void fill(const Tensor& tensor, const char* rule, Draw&& draw) {
  visit_float(tensor.dtype(), rule, [&]<class T>() {
    for (T& value : tensor.values<T>()) value = static_cast<T>(draw());
  });
}

}  // namespace

Initialiser constant(double value) {
  return [value](const Tensor& tensor, Generator&) { tensor.fill(value); };
}

Initialiser zeros() {
  return constant(0.0);
}
Initialiser ones() {
  return constant(1.0);
}

Initialiser values(Tensor source) {
  return [source = std::move(source)](const Tensor& tensor, Generator&) { tensor.copy_from(source); };
}

Initialiser uniform(double bound) {
  return [bound](const Tensor& tensor, Generator& random) {
    fill(tensor, "init::uniform", [&] { return random.uniform(-bound, bound); });
  };
}

Initialiser normal(double standard_deviation) {
  return [standard_deviation](const Tensor& tensor, Generator& random) {
    fill(tensor, "init::normal", [&] { return standard_deviation * random.normal(); });
  };
}

Initialiser kaiming_uniform(std::int64_t fan_in) {
  return [fan_in](const Tensor& tensor, Generator& random) {
    const double in = fan_in > 0 ? static_cast<double>(fan_in) : fans(tensor, "init::kaiming_uniform").in;
    uniform(in > 0 ? 1.0 / std::sqrt(in) : 0.0)(tensor, random);
  };
}

Initialiser xavier_uniform(double gain) {
  return [gain](const Tensor& tensor, Generator& random) {
    const auto [in, out] = fans(tensor, "init::xavier_uniform");
    uniform(in + out > 0 ? gain * std::sqrt(6.0 / (in + out)) : 0.0)(tensor, random);
  };
}

Initialiser xavier_normal(double gain) {
  return [gain](const Tensor& tensor, Generator& random) {
    const auto [in, out] = fans(tensor, "init::xavier_normal");
    normal(in + out > 0 ? gain * std::sqrt(2.0 / (in + out)) : 0.0)(tensor, random);
  };
}

}  // namespace atto::init
