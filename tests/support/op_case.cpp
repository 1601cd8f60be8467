#include "tests/support/op_case.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/random.hpp"

namespace atto::test {
namespace {

template <class Item>
std::vector<std::function<std::vector<Item>()>>& makers() {
  static std::vector<std::function<std::vector<Item>()>> list;
  return list;
}

// Built on first use, when every static object of the library exists.
template <class Item>
const std::vector<Item>& all() {
  static const std::vector<Item> list = [] {
    const char* only = std::getenv("ATTO_OP");
    std::vector<Item> items;
    for (const auto& make : makers<Item>())
      for (Item& item : make())
        if (only == nullptr || item.op == only) items.push_back(std::move(item));
    return items;
  }();
  return list;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  return all<OpCase>();
}
const std::vector<OpError>& op_errors() {
  return all<OpError>();
}

RegisterCases::RegisterCases(std::function<std::vector<OpCase>()> make) {
  makers<OpCase>().push_back(std::move(make));
}
RegisterErrors::RegisterErrors(std::function<std::vector<OpError>()> make) {
  makers<OpError>().push_back(std::move(make));
}

Tensor tabulate(const Shape& shape, const std::function<double(std::int64_t)>& f) {
  Tensor result = Tensor::empty(shape, DType::float64);
  for (std::int64_t i = 0; i < result.numel(); ++i) result.data<double>()[i] = f(i);
  return result;
}

Tensor uniform(const Shape& shape, double low, double high, std::uint64_t seed) {
  const RandomStream stream{.seed = seed, .stream = 7};
  return tabulate(shape, [&](std::int64_t i) {
    return double{static_cast<float>(low + (high - low) * stream.uniform(static_cast<std::uint64_t>(i)))};
  });
}

std::string mismatch(const Tensor& got, const Tensor& expected, const Tensor& magnitude, double relative) {
  if (got.shape() != expected.shape()) return "got shape " + got.shape().str() + ", expected " + expected.shape().str();
  if (magnitude.defined() && magnitude.shape() != expected.shape())
    return "the magnitude has shape " + magnitude.shape().str();
  const double tiny = got.dtype() == DType::float32 ? double{std::numeric_limits<float>::min()} : 1e-300;
  const Tensor wide = got.to(DType::float64);
  double worst = 1;
  std::string text;
  for (std::int64_t i = 0; i < wide.numel(); ++i) {
    const double a = wide.data<double>()[i];
    const double b = expected.data<double>()[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double bound = relative * std::abs(magnitude.defined() ? magnitude.data<double>()[i] : b) + tiny;
    const double error =
        std::isfinite(a) && std::isfinite(b) ? std::abs(a - b) / bound : std::numeric_limits<double>::infinity();
    if (error <= worst) continue;  // a NaN bound is an error
    worst = error;
    char line[200];
    std::snprintf(line, sizeof line, "element %lld: got %.17g, expected %.17g, %.3g times the bound %.3g",
                  static_cast<long long>(i), a, b, error, bound);
    text = line;
  }
  return text;
}

}  // namespace atto::test
