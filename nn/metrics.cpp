#include "nn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "ops/loss/loss.hpp"

namespace atto {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double ratio(double sum, std::int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : kUndefined;
}

// Calls f(prediction, target) for each row; -1 predicts nothing.
template <class F>
void for_each_class(const char* metric, const Tensor& outputs, const Tensor& targets, F&& f) {
  if (outputs.rank() != 2 || targets.rank() != 1 || targets.size(0) != outputs.size(0))
    throw ShapeError({.op = metric,
                      .argument = "targets",
                      .got = targets.str() + " with outputs " + outputs.str(),
                      .expected = "[N] with outputs [N,C]",
                      .hint = {}});
  if (is_floating(targets.dtype()))
    throw TypeError({.op = metric,
                     .argument = "targets",
                     .got = targets.str(),
                     .expected = "class numbers of an integer type",
                     .hint = {}});
  const std::int64_t classes = outputs.size(1);
  const Tensor wanted = targets.to(DType::int64);
  visit_float(outputs.dtype(), metric, [&]<class T>() {
    for (std::int64_t n = 0; n < outputs.size(0); ++n) {
      const std::int64_t target = wanted.data<std::int64_t>()[n];
      if (target < 0 || target >= classes)
        throw IndexError({.op = metric,
                          .argument = "targets",
                          .got = std::to_string(target) + " at row " + std::to_string(n),
                          .expected = "0 to " + std::to_string(classes - 1),
                          .hint = {}});
      const T* row = outputs.data<T>() + n * classes;
      const bool valid = std::none_of(row, row + classes, [](T value) { return std::isnan(value); });
      f(valid ? static_cast<std::int64_t>(std::max_element(row, row + classes) - row) : -1, target);
    }
  });
}

// Calls f(output, target) for each pair whose target is known.
template <class F>
void for_each_pair(const char* metric, const Tensor& outputs, const Tensor& targets, F&& f) {
  if (outputs.numel() != targets.numel())
    throw ShapeError({.op = metric,
                      .argument = "targets",
                      .got = targets.str(),
                      .expected = "as many elements as the outputs, " + outputs.str(),
                      .hint = {}});
  const Tensor x = outputs.to(DType::float64);
  const Tensor t = targets.to(DType::float64);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    if (!std::isnan(t.data<double>()[i])) f(x.data<double>()[i], t.data<double>()[i]);
}

}  // namespace

void Accuracy::add(const Tensor& outputs, const Tensor& targets) {
  for_each_class("Accuracy", outputs, targets, [&](std::int64_t prediction, std::int64_t target) {
    right_ += prediction == target;
    ++total_;
  });
}

double Accuracy::value() const {
  return ratio(static_cast<double>(right_), total_);
}

void ClassAccuracy::add(const Tensor& outputs, const Tensor& targets) {
  if (outputs.rank() == 2 && static_cast<std::int64_t>(classes_.size()) < outputs.size(1))
    classes_.resize(static_cast<std::size_t>(outputs.size(1)));
  for_each_class("ClassAccuracy", outputs, targets, [&](std::int64_t prediction, std::int64_t target) {
    Class& wanted = classes_[static_cast<std::size_t>(target)];
    ++wanted.targets;
    wanted.right += prediction == target;
    if (prediction >= 0) ++classes_[static_cast<std::size_t>(prediction)].predictions;
  });
}

double ClassAccuracy::value() const {
  double sum = 0;
  std::int64_t seen = 0;
  for (const Class& c : classes_) {
    if (c.targets > 0) sum += static_cast<double>(c.right) / static_cast<double>(c.targets);
    seen += c.targets > 0 || c.predictions > 0;
  }
  return ratio(sum, seen);
}

void MeanAbsoluteError::add(const Tensor& outputs, const Tensor& targets) {
  for_each_pair("MeanAbsoluteError", outputs, targets, [&](double output, double target) {
    sum_ += std::abs(output - target);
    ++total_;
  });
}

double MeanAbsoluteError::value() const {
  return ratio(sum_, total_);
}

void MeanAbsoluteError::reset() {
  sum_ = 0;
  total_ = 0;
}

void RocAuc::add(const Tensor& outputs, const Tensor& targets) {
  if (outputs.rank() > 2 || (outputs.rank() == 2 && outputs.size(1) != 1))
    throw ShapeError(
        {.op = "RocAuc", .argument = "outputs", .got = outputs.str(), .expected = "[N] or [N,1]", .hint = {}});
  for_each_pair("RocAuc", outputs, targets, [&](double output, double target) {
    samples_.push_back({output, target > 0.5});
  });
}

double RocAuc::value() const {
  std::vector<Sample> sorted = samples_;
  if (std::any_of(sorted.begin(), sorted.end(), [](const Sample& s) { return std::isnan(s.score); })) return kUndefined;
  std::sort(sorted.begin(), sorted.end(), [](const Sample& a, const Sample& b) { return a.score < b.score; });
  double positives = 0, ranks = 0;
  for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    while (end < sorted.size() && sorted[end].score == sorted[begin].score) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);  // mean of begin+1 .. end
    for (std::size_t i = begin; i < end; ++i) {
      if (!sorted[i].positive) continue;
      ranks += rank;
      ++positives;
    }
  }
  const double negatives = static_cast<double>(sorted.size()) - positives;
  if (positives == 0 || negatives == 0) return kUndefined;
  return (ranks - 0.5 * positives * (positives + 1)) / (positives * negatives);
}

void Perplexity::add(const Tensor& outputs, const Tensor& targets) {
  const NoGrad no_grad;
  const Tensor classes = targets.to(DType::int64);
  sum_ += cross_entropy(outputs, classes, {.sum = true}).item();
  for (const std::int64_t target : classes.values<std::int64_t>()) tokens_ += target != -100;
}

double Perplexity::value() const {
  return std::exp(ratio(sum_, tokens_));
}

std::optional<double> Perplexity::from_loss(double loss) const {
  return std::exp(loss);
}

void RunningMean::add(double value, std::int64_t samples) {
  if (samples == 0) return;  // a loss of nothing may be anything
  sum_ += value * static_cast<double>(samples);
  samples_ += samples;
}

double RunningMean::value() const {
  return ratio(sum_, samples_);
}

std::unique_ptr<Metric> make_metric(std::string_view name) {
  if (name == "accuracy") return std::make_unique<Accuracy>();
  if (name == "class_accuracy") return std::make_unique<ClassAccuracy>();
  if (name == "perplexity") return std::make_unique<Perplexity>();
  if (name == "mae") return std::make_unique<MeanAbsoluteError>();
  if (name == "roc_auc") return std::make_unique<RocAuc>();
  throw ValueError({.op = "make_metric",
                    .argument = "name",
                    .got = std::string(name),
                    .expected = "accuracy, class_accuracy, perplexity, mae or roc_auc",
                    .hint = {}});
}

}  // namespace atto
