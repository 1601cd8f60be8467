#include "nn/snapshot.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "nn/optim/update.hpp"

namespace atto {
namespace {

std::vector<NamedTensor> tensors_of(const Model& model) {
  std::vector<NamedTensor> result;
  for (const NamedParameter& parameter : model.parameters())
    result.push_back({parameter.name, parameter.value.value()});
  for (const NamedTensor& buffer : model.buffers()) result.push_back(buffer);
  return result;
}

}  // namespace

BestSnapshot::BestSnapshot(const Model& model, bool higher_is_better)
    : keep_alive_(model.scope()),
      model_(model),
      higher_is_better_(higher_is_better),
      copies_(tensors_of(model)),
      metric_(Tensor::zeros({1}, DType::float64)),
      epoch_(Tensor::full({1}, -1, DType::int64)) {
  for (NamedTensor& copy : copies_) copy.value = Tensor::zeros(copy.value.shape(), copy.value.dtype());
}

bool BestSnapshot::offer(double metric, std::int64_t epoch) {
  const double best = *metric_.data<double>();
  if (std::isnan(metric)) return false;
  if (taken() && !(higher_is_better_ ? metric > best : metric < best)) return false;
  const std::vector<NamedTensor> now = tensors_of(model_);
  for (std::size_t i = 0; i < now.size(); ++i) copies_[i].value.copy_from(now[i].value);
  *metric_.data<double>() = metric;
  *epoch_.data<std::int64_t>() = epoch;
  return true;
}

double BestSnapshot::metric() const noexcept {
  return metric_.values<double>()[0];
}
std::int64_t BestSnapshot::epoch() const noexcept {
  return epoch_.values<std::int64_t>()[0];
}

void BestSnapshot::restore() const {
  if (!taken())
    throw StateError({.op = "BestSnapshot::restore",
                      .argument = "snapshot",
                      .got = "no copy",
                      .expected = "one from offer()",
                      .hint = {}});
  const std::vector<NamedTensor> now = tensors_of(model_);
  for (std::size_t i = 0; i < now.size(); ++i) now[i].value.copy_from(copies_[i].value);
}

void BestSnapshot::reset() {
  metric_.fill(0);
  epoch_.fill(-1);
}

std::vector<NamedTensor> BestSnapshot::state() const {
  std::vector<NamedTensor> result{{"metric", metric_}, {"epoch", epoch_}};
  result.insert(result.end(), copies_.begin(), copies_.end());
  return result;
}

WeightAverage::WeightAverage(const Model& model, double decay)
    : keep_alive_(model.scope()), model_(model), decay_(decay), average_(model.flatten().values.clone()) {
  if (!(decay >= 0 && decay < 1))
    throw ValueError({.op = "WeightAverage",
                      .argument = "decay",
                      .got = std::to_string(decay),
                      .expected = "0 <= decay < 1",
                      .hint = {}});
}

void WeightAverage::update() {
  if (in_use_)
    throw StateError({.op = "WeightAverage::update",
                      .argument = "average",
                      .got = "a call while the average is in the model",
                      .expected = {},
                      .hint = "let the object of use() end first"});
  const Tensor& values = model_.flatten().values;
  visit_float(values.dtype(), "WeightAverage", [&]<class T>() {
    parallel_for(values.numel(), 4, [&](std::int64_t begin, std::int64_t end) {
      with_isa([&]<class Isa>() {
        kernels::average<Isa, T>(end - begin, average_.data<T>() + begin, values.data<T>() + begin,
                                 static_cast<T>(decay_));
      });
    });
  });
}

void WeightAverage::swap() noexcept {
  const Tensor& values = model_.flatten().values;
  std::swap_ranges(values.raw(), values.raw() + values.bytes(), average_.raw());
  in_use_ = !in_use_;
}

WeightAverage::Use::Use(WeightAverage& average) : average_(average) {
  if (average.in_use_)
    throw StateError({.op = "WeightAverage::use",
                      .argument = "average",
                      .got = "a second use at the same time",
                      .expected = {},
                      .hint = {}});
  average_.swap();
}

WeightAverage::Use::~Use() {
  average_.swap();
}

std::vector<NamedTensor> WeightAverage::state() const {
  return {{"average", average_}};
}

}  // namespace atto
