#pragma once
// Metrics over a whole split, added up batch by batch: each sample counts the same, whatever batch it came in.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"

namespace atto {

class Metric {
 public:
  Metric() = default;
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;
  virtual ~Metric() = default;

  /// Adds the samples of a batch. ShapeError when outputs and targets do not fit.
  virtual void add(const Tensor& outputs, const Tensor& targets) = 0;
  /// Over all samples added since the last reset; NaN where it is undefined (no samples).
  virtual double value() const = 0;
  virtual void reset() = 0;
  virtual std::string_view name() const = 0;
  virtual bool higher_is_better() const = 0;
  /// The value, where the mean loss over all samples tells it; then nobody need keep their outputs.
  virtual std::optional<double> from_loss(double) const { return std::nullopt; }
};

// Classes: outputs [N,C], targets [N] of any integer type; the prediction is the largest output, of equals the first. A
// row with a NaN predicts nothing and is wrong.

/// Fraction of right predictions.
class Accuracy final : public Metric {
 public:
  void add(const Tensor& outputs, const Tensor& targets) override;
  double value() const override;
  void reset() override { right_ = total_ = 0; }
  std::string_view name() const override { return "accuracy"; }
  bool higher_is_better() const override { return true; }

 private:
  std::int64_t right_ = 0, total_ = 0;
};

/// Sum of the recalls of all classes divided by the number of classes that occur in targets or predictions of the split
/// (the metric of PATTERN and CLUSTER).
class ClassAccuracy final : public Metric {
 public:
  void add(const Tensor& outputs, const Tensor& targets) override;
  double value() const override;
  void reset() override { classes_.clear(); }
  std::string_view name() const override { return "class_accuracy"; }
  bool higher_is_better() const override { return true; }

 private:
  struct Class {
    std::int64_t right = 0, targets = 0, predictions = 0;
  };
  std::vector<Class> classes_;
};

/// exp of the mean cross-entropy, every token counted once; -100 stands for no target.
class Perplexity final : public Metric {
 public:
  void add(const Tensor& outputs, const Tensor& targets) override;
  double value() const override;
  void reset() override { sum_ = 0, tokens_ = 0; }
  std::string_view name() const override { return "perplexity"; }
  bool higher_is_better() const override { return false; }
  /// Of the mean cross-entropy per token.
  std::optional<double> from_loss(double loss) const override;

 private:
  double sum_ = 0;
  std::int64_t tokens_ = 0;
};

// Numbers: targets of any type with as many elements as the outputs; NaN marks a missing target, which does not count.

/// Mean of |output - target| over all elements.
class MeanAbsoluteError final : public Metric {
 public:
  void add(const Tensor& outputs, const Tensor& targets) override;
  double value() const override;
  void reset() override;
  std::string_view name() const override { return "mae"; }
  bool higher_is_better() const override { return false; }

 private:
  double sum_ = 0;
  std::int64_t total_ = 0;
};

/// Area under the receiver operating characteristic: the probability that a positive sample (target above 0.5) has a
/// larger output than a negative one, equal outputs counting one half (Mann-Whitney by average ranks). One score per
/// sample, outputs [N] or [N,1]. NaN while only one class was seen, and when an output is NaN.
class RocAuc final : public Metric {
 public:
  void add(const Tensor& outputs, const Tensor& targets) override;
  double value() const override;
  void reset() override { samples_.clear(); }
  std::string_view name() const override { return "roc_auc"; }
  bool higher_is_better() const override { return true; }

 private:
  struct Sample {
    double score;
    bool positive;
  };
  std::vector<Sample> samples_;
};

/// Mean of numbers that stand for several samples each: the loss of an epoch from those of its batches.
class RunningMean {
 public:
  void add(double value, std::int64_t samples);
  double value() const;
  void reset() { *this = {}; }

 private:
  double sum_ = 0;
  std::int64_t samples_ = 0;
};

/// "accuracy", "class_accuracy", "perplexity", "mae" or "roc_auc"; ValueError for another name.
std::unique_ptr<Metric> make_metric(std::string_view name);

}  // namespace atto
