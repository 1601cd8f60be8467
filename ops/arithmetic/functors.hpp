#pragma once
// One functor per operation of two arguments: f(a, b), and what it sends to each given the gradient g of the result.
// No std templates here: these are compiled once per instruction set.

#include <cstdint>

#include "core/device.hpp"

namespace atto::arithmetic {

/// Every functor; kernels are instantiated from this list.
#define ATTO_BINARY_FUNCTORS(X) X(Add) X(Sub) X(Mul) X(Div) X(Maximum) X(Minimum)

struct Add {
  static constexpr int kFlops = 1;
  template <class T>
  HD static T f(T a, T b) {
    return a + b;
  }
  template <class T>
  HD static T da(T g, T, T) {
    return g;
  }
  template <class T>
  HD static T db(T g, T, T) {
    return g;
  }
};

struct Sub {
  static constexpr int kFlops = 1;
  template <class T>
  HD static T f(T a, T b) {
    return a - b;
  }
  template <class T>
  HD static T da(T g, T, T) {
    return g;
  }
  template <class T>
  HD static T db(T g, T, T) {
    return -g;
  }
};

struct Mul {
  static constexpr int kFlops = 1;
  template <class T>
  HD static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  HD static T da(T g, T, T b) {
    return g * b;
  }
  template <class T>
  HD static T db(T g, T a, T) {
    return g * a;
  }
};

struct Div {
  static constexpr int kFlops = 4;
  template <class T>
  HD static T f(T a, T b) {
    return a / b;
  }
  template <class T>
  HD static T da(T g, T, T b) {
    return g / b;
  }
  template <class T>
  HD static T db(T g, T a, T b) {
    return -g * (a / b) / b;  // b * b could overflow
  }
};

/// The gradient goes to the first argument where both are equal.
struct Maximum {
  static constexpr int kFlops = 1;
  template <class T>
  HD static T f(T a, T b) {
    return a < b ? b : a;
  }
  template <class T>
  HD static T da(T g, T a, T b) {
    return a < b ? T(0) : g;
  }
  template <class T>
  HD static T db(T g, T a, T b) {
    return a < b ? g : T(0);
  }
};

struct Minimum {
  static constexpr int kFlops = 1;
  template <class T>
  HD static T f(T a, T b) {
    return b < a ? b : a;
  }
  template <class T>
  HD static T da(T g, T a, T b) {
    return b < a ? T(0) : g;
  }
  template <class T>
  HD static T db(T g, T a, T b) {
    return b < a ? g : T(0);
  }
};

}  // namespace atto::arithmetic

namespace atto::kernels {

/// Which function of a functor: f(a, b), da(g, a, b) or db(g, a, b).
enum class Part { f, da, db };

/// An argument in the last two dimensions of a broadcast: row r begins at pointer + r stride and steps by 0 or 1.
template <class T>
struct Rows {
  const T* pointer;
  std::int64_t stride;
  std::int64_t step;
};

/// y[n] = F::part(g, a, b) on the calling thread; y may be g.
template <class Isa, class F, class T>
void elementwise_chunk(Part part, std::int64_t n, const T* g, const T* a, const T* b, T* y);

/// y[rows, columns] = F::part(g, a, b) on the calling thread.
template <class Isa, class F, class T>
void broadcast_rows(Part part, std::int64_t rows, std::int64_t columns, const T* g, const Rows<T>& a, const Rows<T>& b,
                    T* y);

}  // namespace atto::kernels
