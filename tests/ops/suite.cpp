// What every operation must do, over all registered cases (tests/support/op_case.hpp).

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "autograd/gradcheck.hpp"
#include "autograd/tape.hpp"
#include "core/allocator.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/trace.hpp"
#include "ops/table.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

constexpr double kFloat32 = 1.0 / (1 << 23);
constexpr double kFloat64 = 1e-12;

struct Result {
  Tensor value;
  std::vector<Tensor> gradients;  // of the inputs, for a fixed random cotangent
};

using Function = std::function<Var(std::span<const Var>)>;

Result run(const OpCase& c, DType dtype, const Function& function) {
  std::vector<Var> inputs;
  for (const Tensor& input : c.inputs) {
    const Tensor own = input.to(dtype).clone();
    inputs.push_back(c.differentiable ? Var::leaf(own) : Var(own));
  }
  const Var output = function(inputs);
  if (output.requires_grad()) backward(output, uniform(output.shape(), -1, 1, 99).to(dtype));
  Result result{output.value(), {}};
  for (const Var& input : inputs) result.gradients.push_back(input.grad());
  return result;
}

Result run(const OpCase& c, DType dtype) {
  return run(c, dtype, c.run);
}

// Empty when both are the same bits, else what differs.
std::string difference(const Result& a, const Result& b) {
  if (!bit_equal(a.value, b.value)) return "the values differ";
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    if (!bit_equal(a.gradients[i], b.gradients[i])) return "the gradients of input " + std::to_string(i) + " differ";
  return {};
}

// Gradients may be undefined, which means zero; errors count against the largest element.
std::string gradient_mismatch(const Result& got, const Result& expected, double relative) {
  for (std::size_t i = 0; i < got.gradients.size(); ++i) {
    const Tensor& a = got.gradients[i];
    const Tensor& b = expected.gradients[i];
    if (a.defined() != b.defined()) return "input " + std::to_string(i) + ": only one has a gradient";
    if (!a.defined()) continue;
    double largest = 0.01;
    for (const double value : b.values<double>()) largest = std::max(largest, std::abs(value) + 0.01);
    const std::string text = mismatch(a, b, Tensor::full(b.shape(), largest, DType::float64), relative);
    if (!text.empty()) return "gradient of input " + std::to_string(i) + ", " + text;
  }
  return {};
}

// What expected() says about the inputs after rounding to `dtype`.
std::string value_mismatch(const OpCase& c, const Tensor& value, DType dtype, double relative) {
  std::vector<Tensor> inputs;
  for (const Tensor& input : c.inputs) inputs.push_back(input.to(dtype).to(DType::float64));
  return mismatch(value, c.expected(inputs), c.magnitude ? c.magnitude(inputs) : Tensor{}, relative);
}

// One failing case must not hide the others.
template <class Check>
void for_each_case(Check&& check) {
  for (const OpCase& c : op_cases()) {
    INFO(c.op << ", case \"" << c.name << "\"");
    try {
      check(c);
    } catch (const std::exception& error) {
      FAIL_CHECK("throws: " << error.what());
    }
  }
}

struct WithThreads {
  int before = threads();
  explicit WithThreads(int count) { set_threads(count); }
  ~WithThreads() { set_threads(before); }
};

struct WithIsa {
  Isa before = isa();
  explicit WithIsa(Isa wish) { set_isa(wish); }
  ~WithIsa() { set_isa(before); }
};

std::vector<Isa> available_isas() {
  const Isa best = isa();
  std::vector<Isa> list;
  for (const Isa candidate : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (candidate <= best) list.push_back(candidate);
  return list;
}

}  // namespace

TEST_CASE("ops: float64 values follow the definition") {
  for_each_case(
      [](const OpCase& c) { CHECK(value_mismatch(c, run(c, DType::float64).value, DType::float64, kFloat64) == ""); });
}

TEST_CASE("ops: float32 values and gradients keep their bounds with every instruction set") {
  for_each_case([](const OpCase& c) {
    const Result wide = run(c, DType::float64);
    for (const Isa set : available_isas()) {
      INFO("instruction set " << name_of(set));
      const WithIsa scope(set);
      const Result narrow = run(c, DType::float32);
      CHECK(narrow.value.dtype() == DType::float32);
      CHECK(value_mismatch(c, narrow.value, DType::float32, c.k * kFloat32) == "");
      CHECK(gradient_mismatch(narrow, wide, 32 * c.k * kFloat32) == "");
    }
  });
}

TEST_CASE("ops: gradients agree with finite differences") {
  for_each_case([](const OpCase& c) {
    if (!c.differentiable) return;
    const GradcheckResult result = gradcheck(c.run, c.inputs, {.tolerance = c.gradient_tolerance});
    INFO(result.report);
    CHECK(result.passed);
  });
}

TEST_CASE("ops: fused operations agree with their reference") {
  for_each_case([](const OpCase& c) {
    if (!c.reference) return;
    const Result fused = run(c, DType::float64);
    const Result reference = run(c, DType::float64, c.reference);
    CHECK(mismatch(fused.value, reference.value, c.magnitude ? c.magnitude(c.inputs) : Tensor{}, 10 * kFloat64) == "");
    CHECK(gradient_mismatch(fused, reference, 1e-10) == "");
  });
}

TEST_CASE("ops: the bits depend neither on the run nor on the number of threads") {
  for_each_case([](const OpCase& c) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const WithThreads one(1);
      const Result expected = run(c, dtype);
      for (const int count : {1, 2, 7}) {
        INFO(name_of(dtype) << ", " << count << " threads");
        const WithThreads many(count);
        CHECK(difference(run(c, dtype), expected) == "");
      }
    }
  });
}

// Guard mode fills fresh memory with NaN: a result that changes has been computed from memory that nobody wrote.
TEST_CASE("ops: kernels write inside their memory and read what was written") {
  for_each_case([](const OpCase& c) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Result expected = run(c, dtype);
      const std::int64_t before = allocator::statistics().guard_violations;
      {
        const allocator::GuardMode guard;
        CHECK(difference(run(c, dtype), expected) == "");
      }
      CHECK(allocator::statistics().guard_violations == before);
    }
  });
}

TEST_CASE("ops: errors are atto::Error with a text that helps") {
  for (const OpError& error : op_errors()) {
    INFO(error.op << ", error case \"" << error.name << "\"");
    std::string text = "nothing was thrown";
    try {
      error.call();
    } catch (const Error& thrown) {
      text = thrown.what();
    } catch (const std::exception& thrown) {
      text = std::string("not an atto::Error: ") + thrown.what();
    }
    INFO("got " << text);
    CHECK(text.find(error.text) != std::string::npos);
  }
}

TEST_CASE("ops: every operation has a case, an error case, documentation and a cost") {
  std::map<std::string, double> cost;
  std::set<std::string> tested, refused, known;
  for_each_case([&](const OpCase& c) {
    tested.insert(c.op);
    trace::start();
    run(c, DType::float32);
    trace::stop();
    for (const trace::Event& event : trace::events())
      if (event.name == c.op) cost[c.op] = std::max(cost[c.op], std::min(event.cost.flops + 1, event.cost.bytes));
  });
  for (const OpError& error : op_errors()) refused.insert(error.op);

  std::string without_case, without_error, without_cost, without_text, unknown;
  for (const Schema* schema : op_table()) {
    const std::string name(schema->name());
    known.insert(name);
    if (const char* only = std::getenv("ATTO_OP"); only != nullptr && name != only) continue;
    if (!tested.contains(name)) without_case += " " + name;
    if (!refused.contains(name)) without_error += " " + name;
    const Schema::Text& text = schema->text();
    if (tested.contains(name) && !(cost[name] > 0) && !text.cost.starts_with("none")) without_cost += " " + name;
    if (text.formula.empty() || text.cost.empty() || explain(name).find(text.signature) == std::string::npos)
      without_text += " " + name;
  }
  for (const std::string& name : tested)
    if (!known.contains(name)) unknown += " " + name;
  for (const std::string& name : refused)
    if (!known.contains(name)) unknown += " " + name;
  CHECK(without_case == "");
  CHECK(without_error == "");
  CHECK(without_cost == "");
  CHECK(without_text == "");
  CHECK(unknown == "");
}

}  // namespace atto::test
