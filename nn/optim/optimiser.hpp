#pragma once
// Optimisers: one pass over the flat memory of all parameters, in parallel, with bits that do not depend on the number
// of threads.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/module.hpp"

namespace atto {

/// Settings of the parameters whose names match a pattern (see matches()).
struct ParameterGroup {
  std::string pattern;
  double learning_rate_scale = 1.0;
  std::optional<double> weight_decay = std::nullopt;  ///< in place of the optimiser's
};

/// Base of the optimisers. A parameter belongs to the first group that matches it, or to none and then has the
/// optimiser's own settings; a group that matches nothing is a ValueError. Frozen parameters are left as they are. A
/// parameter that no gradient reached has the gradient zero: it still feels weight decay and momentum.
class Optimiser {
 public:
  Optimiser(const Optimiser&) = delete;
  Optimiser& operator=(const Optimiser&) = delete;
  virtual ~Optimiser() = default;

  /// One update with the gradients collected so far, which stay.
  void step();
  void zero_grad() const { model_.zero_grad(); }

  /// The learning rate of the next step: that of the options times the scale, which a schedule sets.
  double learning_rate() const noexcept { return base_rate_ * *scale_.data<double>(); }
  void set_learning_rate_scale(double scale);
  /// Steps done so far.
  std::int64_t steps() const noexcept { return *steps_.data<std::int64_t>(); }

  /// Everything that the next step depends on, under names such as "first_moment.head.weight".
  std::vector<NamedTensor> state() const;

 protected:
  struct Options {
    const char* name;
    double learning_rate;
    double weight_decay;
    std::span<const ParameterGroup> groups;
    std::vector<std::string> memories;  ///< of one number per parameter each
  };
  Optimiser(const Model& model, const Options& options);

  /// Pointers to one range of all parameters, and its settings.
  template <class T>
  struct Range {
    std::int64_t size;
    T* values;
    const T* gradients;
    T* memories[2];
    double learning_rate;
    double weight_decay;
  };
  /// Updates a range; `step` counts from 1. Called from several threads at once.
  virtual void update(const Range<float>& range, std::int64_t step) const = 0;
  virtual void update(const Range<double>& range, std::int64_t step) const = 0;

 private:
  struct Settings {
    double learning_rate_scale;
    double weight_decay;
    friend bool operator==(const Settings&, const Settings&) = default;
  };
  struct Segment {  // neighbours of equal settings, the gaps between them included
    std::int64_t begin, end;
    Settings settings;
  };
  std::vector<Segment> segments() const;

  Scope keep_alive_;
  const Model& model_;
  std::string name_;
  double base_rate_;
  Tensor scale_, steps_;
  std::vector<Settings> settings_;  // per parameter
  std::vector<NamedTensor> memories_;
};

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0.0;
  bool nesterov = false;
  double weight_decay = 0.0;  ///< added to the gradient (L2)
  std::vector<ParameterGroup> groups = {};
};

/// g += wd p;  b = momentum b + g;  p -= lr (nesterov ? g + momentum b : b)
/// Sutskever et al. (2013), in the form in which the learning rate stands outside of b.
class Sgd final : public Optimiser {
 public:
  explicit Sgd(const Model& model, SgdOptions options = {});

 private:
  void update(const Range<float>& range, std::int64_t step) const override;
  void update(const Range<double>& range, std::int64_t step) const override;
  SgdOptions options_;
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  std::vector<ParameterGroup> groups = {};
};

/// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
/// Kingma and Ba (2015), algorithm 1, with weight decay as part of the gradient: g += wd p.
class Adam final : public Optimiser {
 public:
  explicit Adam(const Model& model, AdamOptions options = {});

 private:
  void update(const Range<float>& range, std::int64_t step) const override;
  void update(const Range<double>& range, std::int64_t step) const override;
  AdamOptions options_;
};

/// Adam with decoupled weight decay: p -= lr wd p before the update. Loshchilov and Hutter (2019), algorithm 2.
class AdamW final : public Optimiser {
 public:
  explicit AdamW(const Model& model, AdamOptions options = {});

 private:
  void update(const Range<float>& range, std::int64_t step) const override;
  void update(const Range<double>& range, std::int64_t step) const override;
  AdamOptions options_;
};

/// The Euclidean norm of all gradients together, summed in float64 in an order that depends on sizes only.
/// When it exceeds `max_norm` all gradients are scaled down to it. Returns the norm before that; `max_norm` may be
/// infinite. A norm that is not finite is a NumericError that names the first parameter to blame, and nothing is
/// changed.
double clip_gradient_norm(const Model& model, double max_norm);

}  // namespace atto
