#include "nn/optim/optimiser.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/accumulate.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "nn/optim/update.hpp"

namespace atto {
namespace {

void require(bool good, const char* op, const char* argument, double got, const char* expected) {
  if (!good)
    throw ValueError({.op = op, .argument = argument, .got = std::to_string(got), .expected = expected, .hint = {}});
}

bool rate(double value) {
  return std::isfinite(value) && value >= 0;
}
bool momentum(double value) {
  return value >= 0 && value < 1;
}

}  // namespace

Optimiser::Optimiser(const Model& model, const Options& options)
    : keep_alive_(model.scope()),
      model_(model),
      name_(options.name),
      base_rate_(options.learning_rate),
      scale_(Tensor::full({1}, 1.0, DType::float64)),
      steps_(Tensor::zeros({1}, DType::int64)) {
  require(rate(options.learning_rate), options.name, "learning_rate", options.learning_rate,
          "a finite number, at least 0");
  require(rate(options.weight_decay), options.name, "weight_decay", options.weight_decay,
          "a finite number, at least 0");
  std::vector<bool> used(options.groups.size());
  for (const NamedParameter& parameter : model.parameters()) {
    const auto group = std::find_if(options.groups.begin(), options.groups.end(), [&](const ParameterGroup& candidate) {
      return matches(parameter.name, candidate.pattern);
    });
    if (group == options.groups.end()) {
      settings_.push_back({.learning_rate_scale = 1.0, .weight_decay = options.weight_decay});
      continue;
    }
    used[static_cast<std::size_t>(group - options.groups.begin())] = true;
    settings_.push_back({.learning_rate_scale = group->learning_rate_scale,
                         .weight_decay = group->weight_decay.value_or(options.weight_decay)});
    require(rate(group->learning_rate_scale), options.name, "learning_rate_scale", group->learning_rate_scale,
            "a finite number, at least 0");
    require(rate(settings_.back().weight_decay), options.name, "weight_decay", settings_.back().weight_decay,
            "a finite number, at least 0");
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    if (!used[i])
      throw ValueError({.op = options.name,
                        .argument = "groups",
                        .got = "\"" + options.groups[i].pattern + "\", which is the first match of no parameter",
                        .expected = "a pattern that fits",
                        .hint = "an earlier group may have taken them all; summary(model) lists the names"});
  const FlatParameters& flat = model.flatten();
  for (const std::string& memory : options.memories)
    memories_.push_back({memory, Tensor::zeros(flat.values.shape(), flat.values.dtype())});
}

std::vector<Optimiser::Segment> Optimiser::segments() const {
  const FlatParameters& flat = model_.flatten();
  std::vector<Segment> result;
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    const Var& var = model_.parameters()[i].value;
    if (!var.requires_grad()) continue;
    const std::int64_t begin = flat.offsets[i];
    const std::int64_t next = i + 1 < settings_.size() ? flat.offsets[i + 1] : flat.values.numel();
    if (!result.empty() && result.back().end == begin && result.back().settings == settings_[i])
      result.back().end = next;
    else result.push_back({begin, next, settings_[i]});
  }
  return result;
}

void Optimiser::step() {
  const FlatParameters& flat = model_.flatten();
  const std::vector<Segment> all = segments();
  const std::int64_t step = ++*steps_.data<std::int64_t>();
  const double rate_now = learning_rate();
  visit_float(flat.values.dtype(), name_, [&]<class T>() {
    const auto memory = [&](std::size_t i) { return i < memories_.size() ? memories_[i].value.data<T>() : nullptr; };
    T* const values = flat.values.data<T>();
    const T* const gradients = flat.gradients.data<T>();
    T* const memories[2] = {memory(0), memory(1)};
    parallel_for(flat.values.numel(), 16, [&](std::int64_t begin, std::int64_t end) {
      for (const Segment& segment : all) {
        const std::int64_t first = std::max(begin, segment.begin);
        const std::int64_t last = std::min(end, segment.end);
        if (first >= last) continue;
        update(Range<T>{.size = last - first,
                        .values = values + first,
                        .gradients = gradients + first,
                        .memories = {memories[0] ? memories[0] + first : nullptr,
                                     memories[1] ? memories[1] + first : nullptr},
                        .learning_rate = rate_now * segment.settings.learning_rate_scale,
                        .weight_decay = segment.settings.weight_decay},
               step);
      }
    });
  });
}

void Optimiser::set_learning_rate_scale(double scale) {
  require(rate(scale), name_.c_str(), "learning rate scale", scale, "a finite number, at least 0");
  *scale_.data<double>() = scale;
}

std::vector<NamedTensor> Optimiser::state() const {
  std::vector<NamedTensor> result{{"steps", steps_}, {"learning_rate_scale", scale_}};
  const FlatParameters& flat = model_.flatten();
  for (const NamedTensor& memory : memories_)
    for (std::size_t i = 0; i < settings_.size(); ++i) {
      const NamedParameter& parameter = model_.parameters()[i];
      const std::int64_t begin = flat.offsets[i];
      result.push_back(
          {memory.name + "." + parameter.name,
           memory.value.rows(begin, begin + parameter.value.value().numel()).reshape(parameter.value.shape())});
    }
  return result;
}

// --- SGD ------------------------------------------------------------------------------------------------------------

namespace {

template <class Range>
void sgd_update(const Range& range, const SgdOptions& options) {
  using T = std::remove_pointer_t<decltype(range.values)>;
  const kernels::SgdStep<T> step{.learning_rate = static_cast<T>(range.learning_rate),
                                 .momentum = static_cast<T>(options.momentum),
                                 .weight_decay = static_cast<T>(range.weight_decay),
                                 .nesterov = options.nesterov};
  with_isa(
      [&]<class Isa>() { kernels::sgd<Isa, T>(range.size, range.values, range.gradients, range.memories[0], step); });
}

// Weight decay is part of the gradient (Adam) or shrinks the value (AdamW).
template <class Range>
void adam_update(const Range& range, std::int64_t t, const AdamOptions& options, bool decoupled) {
  using T = std::remove_pointer_t<decltype(range.values)>;
  const auto time = static_cast<double>(t);
  const kernels::AdamStep<T> step{
      .beta1 = static_cast<T>(options.beta1),
      .beta2 = static_cast<T>(options.beta2),
      .learning_rate = static_cast<T>(range.learning_rate / (1.0 - std::pow(options.beta1, time))),
      .root_correction = static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, time))),
      .epsilon = static_cast<T>(options.epsilon),
      .gradient_decay = static_cast<T>(decoupled ? 0.0 : range.weight_decay),
      .value_scale = static_cast<T>(decoupled ? 1.0 - range.learning_rate * range.weight_decay : 1.0)};
  with_isa([&]<class Isa>() {
    kernels::adam<Isa, T>(range.size, range.values, range.gradients, range.memories[0], range.memories[1], step);
  });
}

void check(const AdamOptions& options, const char* name) {
  require(momentum(options.beta1), name, "beta1", options.beta1, "0 <= beta1 < 1");
  require(momentum(options.beta2), name, "beta2", options.beta2, "0 <= beta2 < 1");
  require(std::isfinite(options.epsilon) && options.epsilon > 0, name, "epsilon", options.epsilon, "a positive number");
}

}  // namespace

Sgd::Sgd(const Model& model, SgdOptions options)
    : Optimiser(model, {.name = "Sgd",
                        .learning_rate = options.learning_rate,
                        .weight_decay = options.weight_decay,
                        .groups = options.groups,
                        .memories = {"velocity"}}),
      options_(std::move(options)) {
  require(momentum(options_.momentum), "Sgd", "momentum", options_.momentum, "0 <= momentum < 1");
  require(!options_.nesterov || options_.momentum > 0, "Sgd", "momentum", options_.momentum,
          "a positive number with nesterov");
}
void Sgd::update(const Range<float>& range, std::int64_t) const {
  sgd_update(range, options_);
}
void Sgd::update(const Range<double>& range, std::int64_t) const {
  sgd_update(range, options_);
}

// --- Adam, AdamW ----------------------------------------------------------------------------------------------------

Adam::Adam(const Model& model, AdamOptions options)
    : Optimiser(model, {.name = "Adam",
                        .learning_rate = options.learning_rate,
                        .weight_decay = options.weight_decay,
                        .groups = options.groups,
                        .memories = {"first_moment", "second_moment"}}),
      options_(std::move(options)) {
  check(options_, "Adam");
}
void Adam::update(const Range<float>& range, std::int64_t t) const {
  adam_update(range, t, options_, false);
}
void Adam::update(const Range<double>& range, std::int64_t t) const {
  adam_update(range, t, options_, false);
}

AdamW::AdamW(const Model& model, AdamOptions options)
    : Optimiser(model, {.name = "AdamW",
                        .learning_rate = options.learning_rate,
                        .weight_decay = options.weight_decay,
                        .groups = options.groups,
                        .memories = {"first_moment", "second_moment"}}),
      options_(std::move(options)) {
  check(options_, "AdamW");
}
void AdamW::update(const Range<float>& range, std::int64_t t) const {
  adam_update(range, t, options_, true);
}
void AdamW::update(const Range<double>& range, std::int64_t t) const {
  adam_update(range, t, options_, true);
}

// --- Norm -----------------------------------------------------------------------------------------------------------

double clip_gradient_norm(const Model& model, double max_norm) {
  if (!(max_norm > 0))
    throw ValueError({.op = "clip_gradient_norm",
                      .argument = "max_norm",
                      .got = std::to_string(max_norm),
                      .expected = "a positive number",
                      .hint = "infinity measures the norm and clips nothing"});
  const FlatParameters& flat = model.flatten();
  const std::int64_t size = flat.gradients.numel();
  constexpr std::int64_t chunk = 1 << 14;
  std::vector<double> sums(static_cast<std::size_t>((size + chunk - 1) / chunk));
  visit_float(flat.gradients.dtype(), "clip_gradient_norm", [&]<class T>() {
    T* const gradients = flat.gradients.data<T>();
    parallel_chunks(size, chunk, 2, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
      sums[static_cast<std::size_t>(index)] =
          with_isa([&]<class Isa>() { return kernels::sum_of_squares<Isa, T>(end - begin, gradients + begin); });
    });
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) {
    for (const NamedParameter& parameter : model.parameters()) {
      const Tensor gradient = parameter.value.grad();
      const std::int64_t at = first_non_finite(gradient);
      if (at < 0) continue;
      throw NumericError({.op = "clip_gradient_norm",
                          .argument = "gradient of " + parameter.name,
                          .got = "a NaN or infinity at element " + std::to_string(at) + " of " + gradient.str(),
                          .expected = "finite numbers",
                          .hint = "AnomalyMode names the operation that made it"});
    }
    throw NumericError({.op = "clip_gradient_norm",
                        .argument = "gradients",
                        .got = "a norm that overflows",
                        .expected = "finite numbers",
                        .hint = {}});
  }
  if (norm > max_norm)
    visit_float(flat.gradients.dtype(), "clip_gradient_norm", [&]<class T>() {
      T* const gradients = flat.gradients.data<T>();
      const T factor = static_cast<T>(max_norm / norm);
      parallel_for(size, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) gradients[i] *= factor;
      });
    });
  return norm;
}

}  // namespace atto
