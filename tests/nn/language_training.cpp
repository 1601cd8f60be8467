// Training a language model: accumulated gradients, resuming, and perplexity by token.

#include <cmath>

#include "autograd/tape.hpp"
#include "nn/language/generate.hpp"
#include "nn/language/task.hpp"
#include "nn/train/trainer.hpp"
#include "ops/loss/loss.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using namespace atto::test;

namespace {

// A text with a rule: after a come b c, after d come e, and the words take turns as the generator says.
TokenData data_of(std::int64_t documents = 40) {
  std::vector<std::vector<std::int32_t>> all;
  Generator random(7);
  for (std::int64_t d = 0; d < documents; ++d) {
    all.emplace_back();
    for (std::int64_t words = 1 + random.below(6); words > 0; --words)
      for (const std::int32_t letter : random.below(2) == 0 ? Tokens{0, 1, 2} : Tokens{3, 4})
        all.back().push_back(letter);
  }
  return TokenData::documents(all, {.length = 16, .valid = 0.25});
}

struct Run {
  explicit Run(const TokenData& data, const TrainerOptions& options, DType dtype = DType::float32, double dropout = 0,
               std::uint64_t seed = 1)
      : root({.seed = seed, .dtype = dtype}),
        model(root, {.vocabulary = 5, .channels = 16, .layers = 2, .heads = 2, .attention_dropout = dropout}),
        trainer(root, std::make_shared<LanguageTask>(model, data), data.split(), Objective::next_token(), options) {}
  std::vector<MetricsRow> finish() {
    std::vector<MetricsRow> rows;
    while (!trainer.done()) {
      while (!trainer.epoch_over()) trainer.step();
      rows.push_back(trainer.finish_epoch());
    }
    return rows;
  }
  Model root;
  LanguageModel model;
  Trainer trainer;
};

}  // namespace

TEST_CASE("a batch in parts makes the step of the whole batch") {
  const TokenData data = data_of();
  TrainerOptions options{.epochs = 2, .batch = 6, .learning_rate = 1e-2, .clip = 1};
  Run whole(data, options, DType::float64);
  const std::vector<MetricsRow> expected = whole.finish();
  for (const std::int64_t parts : {2, 4, 6, 50}) {
    INFO(parts);
    options.accumulate = parts;
    Run run(data, options, DType::float64);
    CHECK(run.trainer.batches() == whole.trainer.batches());
    const std::vector<MetricsRow> rows = run.finish();
    for (std::size_t e = 0; e < rows.size(); ++e) {
      CHECK(rows[e].train_loss == Approx(expected[e].train_loss).epsilon(1e-9));
      CHECK(rows[e].valid_loss == Approx(expected[e].valid_loss).epsilon(1e-9));
    }
  }
  options.accumulate = 0;
  CHECK_THROWS_AS(Run(data, options), ValueError);
}

TEST_CASE("a run with accumulated gradients, interrupted at any step and resumed, has the same bits") {
  const TokenData data = data_of(24);
  const TrainerOptions options{.epochs = 2, .batch = 4, .accumulate = 3, .learning_rate = 1e-2};
  Run whole(data, options, DType::float32, 0.2);
  const std::vector<MetricsRow> expected = whole.finish();
  const TemporaryFolder folder;
  const auto path = folder / "checkpoint.safetensors";
  for (std::int64_t stop = 0; stop <= whole.trainer.batches() + 1; ++stop) {
    INFO("stopped after " << stop << " steps");
    std::vector<MetricsRow> rows;
    {
      Run interrupted(data, options, DType::float32, 0.2);
      for (std::int64_t step = 0; step < stop; ++step) {
        if (interrupted.trainer.epoch_over()) rows.push_back(interrupted.trainer.finish_epoch());
        interrupted.trainer.step();
      }
      interrupted.trainer.save(path);
    }
    Run resumed(data, options, DType::float32, 0.2, 99);
    resumed.trainer.load(path);
    for (const MetricsRow& row : resumed.finish()) rows.push_back(row);
    REQUIRE(rows.size() == expected.size());
    for (std::size_t e = 0; e < rows.size(); ++e) {
      CHECK(rows[e].train_loss == expected[e].train_loss);
      CHECK(rows[e].valid_metric == expected[e].valid_metric);
    }
    for (std::size_t i = 0; i < whole.root.parameters().size(); ++i)
      CHECK(bit_equal(resumed.root.parameters()[i].value.value(), whole.root.parameters()[i].value.value()));
  }
}

TEST_CASE("a rule is learned down to what cannot be known, and perplexity counts tokens") {
  const TokenData data = data_of(120);
  Run run(data, {.epochs = 12, .batch = 8, .learning_rate = 1e-2, .decoupled = true});
  const MetricsRow last = run.finish().back();
  CHECK(last.train_loss < 0.45);
  CHECK(last.train_metric == Approx(std::exp(last.train_loss)));
  CHECK(last.valid_metric == Approx(std::exp(last.valid_loss)));
  run.root.eval();
  const std::vector<std::int64_t>& valid = data.split().valid;
  const Prediction prediction = predict(run.model, data, valid);
  CHECK(prediction.loss == Approx(last.valid_loss).epsilon(1e-6));
  CHECK(prediction.perplexity() == Approx(last.valid_metric).epsilon(1e-6));
  double sum = 0;
  std::int64_t tokens = 0;
  const NoGrad no_grad;
  Perplexity metric;
  for (const std::int64_t sample : valid) {
    const TokenBatch batch = data.batch(std::span(&sample, 1));
    const Tensor logits = run.model(batch.tokens, batch.sequences).value();
    sum += cross_entropy(logits, batch.targets, {.sum = true}).item();
    tokens += batch.targets.size(0);
    metric.add(logits, batch.targets);
  }
  CHECK(prediction.tokens == tokens);
  CHECK(prediction.loss == Approx(sum / static_cast<double>(tokens)).epsilon(1e-6));
  CHECK(metric.value() == Approx(prediction.perplexity()).epsilon(1e-6));
  CHECK(std::isnan(predict(run.model, data, {}).loss));
  CHECK_THROWS_AS(predict(run.model, data, valid, 0), ValueError);
}
