#include "nn/train/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "graph/rows.hpp"
#include "ops/arithmetic/arithmetic.hpp"

namespace atto {
namespace {

constexpr std::uint64_t kFoldStride = 1'000'003;  // folds draw from seeds far apart

std::unique_ptr<Optimiser> make_optimiser(const Model& root, const TrainerOptions& o) {
  const AdamOptions adam{.learning_rate = o.learning_rate, .weight_decay = o.weight_decay, .groups = o.groups};
  if (o.decoupled) return std::make_unique<AdamW>(root, adam);
  return std::make_unique<Adam>(root, adam);
}

std::unique_ptr<Schedule> make_schedule(const TrainerOptions& o) {
  // Without the cosine the total lies so far away that only the warm-up is felt.
  const std::int64_t total = o.cosine ? o.epochs : std::int64_t{1} << 40;
  return std::make_unique<WarmupCosine>(WarmupCosineOptions{.warmup = o.warmup, .total = total});
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Trainer::Trainer(const Model& root, std::shared_ptr<const TrainingTask> task, const Split& split,
                 const Objective& objective, const TrainerOptions& options)
    : root_(root),
      task_(std::move(task)),
      split_(split),
      objective_(objective),
      options_(options),
      optimiser_(make_optimiser(root, options)),
      schedule_(make_schedule(options)),
      best_(root, objective.higher_is_better()),
      sums_(Tensor::zeros(Shape{2}, DType::float64)),
      outputs_(Tensor::zeros(Shape{keeps_outputs() ? count_targets(split.train) : 0, task_->outputs()},
                             root.options().dtype)) {
  if (options.epochs < 0 || options.batch < 1 || options.accumulate < 1)
    throw ValueError({.op = "Trainer",
                      .argument = "epochs, batch, accumulate",
                      .got = std::to_string(options.epochs) + ", " + std::to_string(options.batch) + ", " +
                             std::to_string(options.accumulate),
                      .expected = "epochs >= 0, the others >= 1",
                      .hint = {}});
  if (options.warmup < 0 || (options.epochs > 0 && options.warmup >= options.epochs))
    throw ValueError({.op = "Trainer",
                      .argument = "warmup",
                      .got = std::to_string(options.warmup) + " epochs",
                      .expected = "at least 0 and less than epochs = " + std::to_string(options.epochs),
                      .hint = {}});
  begin_epoch();
}

std::int64_t Trainer::batches() const {
  return (static_cast<std::int64_t>(split_.train.size()) + options_.batch - 1) / options_.batch;
}

void Trainer::begin_epoch() {
  shuffle();
  sums_.fill(0);
  seconds_ = 0;
}

// The order of an epoch is a function of seed, fold and epoch, so a checkpoint need not hold it.
void Trainer::shuffle() {
  order_ = split_.train;
  Generator generator(Generator::State{.seed = options_.seed + kFoldStride * static_cast<std::uint64_t>(options_.fold),
                                       .position = static_cast<std::uint64_t>(position_.epoch) << 32,
                                       .next_stream = 1});
  generator.shuffle(std::span(order_));
}

std::span<const std::int64_t> Trainer::batch_of_epoch(std::int64_t batch) const {
  const std::int64_t begin = batch * options_.batch;
  const auto size = static_cast<std::int64_t>(order_.size());
  return std::span(order_).subspan(static_cast<std::size_t>(begin),
                                   static_cast<std::size_t>(std::min(options_.batch, size - begin)));
}

double Trainer::step() {
  if (epoch_over())
    throw StateError({.op = "Trainer::step",
                      .argument = "epoch",
                      .got = "no batch left",
                      .expected = {},
                      .hint = "finish_epoch() comes next"});
  const double start = seconds_now();
  root_.train();
  optimiser_->set_learning_rate_scale(schedule_->factor());
  double* sums = sums_.data<double>();
  auto kept = static_cast<std::int64_t>(sums[1]);
  const std::span<const std::int64_t> batch = batch_of_epoch(position_.batch);
  const double targets = static_cast<double>(count_targets(batch));
  const auto size = static_cast<std::int64_t>(batch.size());
  const auto part = static_cast<std::size_t>((size + options_.accumulate - 1) / options_.accumulate);
  double mean = 0;
  root_.zero_grad();
  for (std::size_t begin = 0; begin < batch.size(); begin += part) {
    const auto [outputs, wanted] =
        task_->run(batch.subspan(begin, std::min(part, batch.size() - begin)), root_.scope().dropout_stream());
    Var loss = objective_.loss(outputs, wanted);
    if (part < batch.size()) loss = loss * (targets > 0 ? static_cast<double>(wanted.size(0)) / targets : 0);
    if (!std::isfinite(loss.item()))
      throw NumericError({.op = "training",
                          .argument = "loss",
                          .got = std::to_string(loss.item()),
                          .expected = "a finite number",
                          .hint = "a smaller learning rate, or gradient clipping, often helps"});
    loss.backward();
    mean += loss.item();
    if (keeps_outputs()) {
      outputs_.rows(kept, kept + wanted.size(0)).copy_from(outputs.value());
      kept += wanted.size(0);
    }
  }
  clip_gradient_norm(root_, options_.clip > 0 ? options_.clip : std::numeric_limits<double>::infinity());
  optimiser_->step();
  sums[0] += mean * targets;
  sums[1] += targets;
  ++position_.batch;
  seconds_ += seconds_now() - start;
  return sums[1] > 0 ? sums[0] / sums[1] : 0.0;
}

MetricsRow Trainer::finish_epoch() {
  const double start = seconds_now();
  const double* sums = sums_.data<double>();
  MetricsRow row;
  row.train_loss = sums[1] > 0 ? sums[0] / sums[1] : MetricsRow::none;
  row.train_metric = keeps_outputs() ? train_metric() : *objective_.metric()->from_loss(row.train_loss);
  const Evaluation valid = evaluate(split_.valid), test = evaluate(split_.test);
  row.valid_loss = valid.loss;
  row.valid_metric = valid.metric;
  row.test_loss = test.loss;
  row.test_metric = test.metric;
  best_.offer(valid.metric, position_.epoch);
  schedule_->step(valid.loss);
  ++position_.epoch;
  position_.batch = 0;
  row.epoch = static_cast<int>(position_.epoch);
  row.seconds = seconds_ + seconds_now() - start;
  begin_epoch();
  return row;
}

// Of the outputs that the steps of this epoch gave, in their order.
double Trainer::train_metric() const {
  const std::unique_ptr<Metric> metric = objective_.metric();
  std::int64_t row = 0;
  for (const std::int64_t sample : order_) {
    const Tensor y = task_->targets(sample);
    metric->add(outputs_.rows(row, row + y.size(0)), y);
    row += y.size(0);
  }
  return metric->value();
}

std::int64_t Trainer::count_targets(std::span<const std::int64_t> chosen) const {
  std::int64_t count = 0;
  for (const std::int64_t sample : chosen) count += task_->target_count(sample);
  return count;
}

void Trainer::restore_best() {
  if (best_.taken()) best_.restore();
}

// Where training needs small parts, so does evaluation.
std::size_t Trainer::evaluation_batch() const {
  return static_cast<std::size_t>((options_.batch + options_.accumulate - 1) / options_.accumulate);
}

Evaluation Trainer::evaluate(std::span<const std::int64_t> chosen) const {
  if (chosen.empty()) return {};
  const NoGrad no_grad;
  root_.eval();
  const std::unique_ptr<Metric> metric = objective_.metric();
  double loss = 0, count = 0;
  const std::size_t part = evaluation_batch();
  for (std::size_t begin = 0; begin < chosen.size(); begin += part) {
    const auto [outputs, wanted] = task_->run(chosen.subspan(begin, std::min(part, chosen.size() - begin)), {});
    const double targets = static_cast<double>(wanted.size(0));
    loss += objective_.loss(outputs, wanted).item() * targets;
    count += targets;
    if (keeps_outputs()) metric->add(outputs.value(), wanted);
  }
  root_.train();
  const double mean = count > 0 ? loss / count : MetricsRow::none;
  return {.loss = mean, .metric = keeps_outputs() ? metric->value() : *metric->from_loss(mean)};
}

Tensor Trainer::outputs(std::span<const std::int64_t> chosen) const {
  const NoGrad no_grad;
  root_.eval();
  std::vector<Tensor> parts;
  const std::size_t part = evaluation_batch();
  for (std::size_t begin = 0; begin < chosen.size(); begin += part)
    parts.push_back(task_->run(chosen.subspan(begin, std::min(part, chosen.size() - begin)), {}).outputs.value());
  root_.train();
  return concatenate_rows(parts);
}

RunState Trainer::state() const {
  RunState state{.model = root_,
                 .optimiser = optimiser_.get(),
                 .schedule = schedule_.get(),
                 .more = {{"epoch.sums", sums_}, {"epoch.outputs", outputs_}}};
  append(state.more, "best", best_.state());
  return state;
}

void Trainer::save(const std::filesystem::path& path, const Metadata& metadata) const {
  Position position = position_;
  position.fold = options_.fold;
  save_checkpoint(path, state(), position, metadata);
}

void Trainer::load(const std::filesystem::path& path) {
  position_ = load_checkpoint(path, state()).position;
  shuffle();
}

}  // namespace atto
