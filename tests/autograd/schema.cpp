#include "autograd/schema.hpp"

#include "autograd/var.hpp"
#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

Schema make(std::string_view signature) {
  return Schema{{.name = "op", .signature = signature, .formula = "f", .gradient = "g", .cost = "c"}};
}

Var of(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// Empty when the call is accepted, else the text of the error.
std::string check(std::string_view signature, std::initializer_list<VarRef> inputs,
                  const std::function<void(Dims&)>& bind = {}) {
  const Schema schema = make(signature);
  Dims dims = schema.dims();
  if (bind) bind(dims);
  try {
    schema.check(InputList(inputs), dims);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("schema: shapes that fit are accepted") {
  CHECK(check("x[N,D] -> y[N,D]", {of({3, 4})}) == "");
  CHECK(check("x[N,D], s[N] -> y[N,D]", {of({3, 4}), of({3})}) == "");
  CHECK(check("x[...,I], weight[O,I], bias?[O] -> y[...,O]", {of({2, 3, 4}), of({5, 4}), of({5})}) == "");
  CHECK(check("x[...,I], weight[O,I], bias?[O] -> y[...,O]", {of({4}), of({5, 4}), Var()}) == "");
  CHECK(check("x[...] -> y[...]", {of({})}) == "");
  CHECK(check("x[] -> y[]", {of({})}) == "");
  CHECK(check("x[N,3] -> y[N]", {of({0, 3})}) == "");
  CHECK(check("parts*[...] -> y[...]", {of({1}), of({2, 3}), of({})}) == "");
  CHECK(check("x[N,D] -> y[N]", {of({3, 4})}, [](Dims& dims) { dims.set("N", 3), dims.set("E", 7); }) == "");
}

TEST_CASE("schema: what does not fit is named, with what was known") {
  CHECK(check("x[N,D], s[N] -> y[N,D]", {of({3, 4}), of({4})}) ==
        "op: s: got [4], expected [N] with N = 3 (signature: x[N,D], s[N] -> y[N,D])");
  CHECK(check("x[N,D] -> y[N]", {of({3})}) == "op: x: got [3], expected [N,D] (signature: x[N,D] -> y[N])");
  CHECK(check("x[N,N] -> y[N]", {of({3, 4})}).find("got [3,4], expected [N,N] with N = 3") != std::string::npos);
  CHECK(check("x[...,D], w[D] -> y[...,D]", {of({}), of({4})}).find("op: x: got []") != std::string::npos);
  CHECK(check("x[N,3] -> y[N]", {of({2, 4})}).find("expected [N,3]") != std::string::npos);
  CHECK(check("x[E,H] -> y[E,H]", {of({5, 2})}, [](Dims& dims) {
          dims.set("E", 7);
        }).find("expected [E,H] with E = 7") != std::string::npos);
  CHECK(check("x[N] -> y[N]", {Var()}) == "op: x: got an undefined tensor, expected [N]");
  CHECK(check("x[N], y[N] -> z[N]", {of({3})}) == "op: inputs: got 1, expected x[N], y[N] -> z[N]");
  CHECK(check("x[N] -> z[N]", {of({3}), of({3})}).find("op: inputs: got 2") != std::string::npos);
  CHECK(check("parts*[N] -> z[N]", {}).find("op: inputs: got 0") != std::string::npos);
  CHECK(check("a[N], parts*[N] -> z[N]", {of({3}), of({3}), of({2})})
            .find("op: parts: got [2], expected [N] with N = 3") != std::string::npos);
}

TEST_CASE("schema: all inputs share one floating type") {
  CHECK(check("x[N] -> y[N]", {of({3}, DType::int64)}) ==
        "op: x: got int64, expected float32 or float64 (convert with to(dtype))");
  CHECK(check("x[N], s[N] -> y[N]", {of({3}), of({3}, DType::float64)}) ==
        "op: s: got float64, expected float32 (convert with to(dtype))");
}

TEST_CASE("schema: letters can be looked up, and there are at most 16") {
  const Schema schema = make("x[N,D] -> y[N]");
  Dims dims = schema.dims();
  CHECK(dims["N"] == -1);
  const Var x = of({3, 4});
  const std::initializer_list<VarRef> inputs{x};
  schema.check(InputList(inputs), dims);
  CHECK(dims["N"] == 3);
  CHECK(dims["D"] == 4);
  CHECK(dims["Q"] == -1);
  CHECK_THROWS_AS(make("x[A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q] -> y[A]"), ValueError);
}

}  // namespace atto::test
