#include "nn/metrics.hpp"

#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "nn/losses.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor classes(const std::vector<std::int64_t>& values) {
  return Tensor::from(values);
}

// Outputs whose largest is at the given place.
Tensor predicting(const std::vector<std::int64_t>& predictions, std::int64_t count) {
  Tensor outputs = Tensor::zeros({static_cast<std::int64_t>(predictions.size()), count});
  for (std::size_t n = 0; n < predictions.size(); ++n)
    outputs.values<float>()[n * static_cast<std::size_t>(count) + static_cast<std::size_t>(predictions[n])] = 1;
  return outputs;
}

}  // namespace

TEST_CASE("accuracy counts samples, not batches") {
  Accuracy accuracy;
  CHECK(std::isnan(accuracy.value()));
  accuracy.add(predicting({0, 1, 2}, 3), classes({0, 1, 2}));
  accuracy.add(predicting({0}, 3), Tensor::from<std::int32_t>({1}, {1}));
  CHECK(accuracy.value() == 0.75);  // the mean of the batches would be one half
  accuracy.reset();
  accuracy.add(Tensor::zeros({2, 3}), classes({0, 1}));  // equal outputs predict the first class
  CHECK(accuracy.value() == 0.5);
  accuracy.reset();
  accuracy.add(Tensor::from({kNan, 0.0, 0.0, 1.0}, {2, 2}), Tensor::from<std::uint8_t>({0, 1}, {2}));
  CHECK(accuracy.value() == 0.5);
  accuracy.add(Tensor::zeros({0, 3}), classes({}));
  CHECK(accuracy.value() == 0.5);
  CHECK_THROWS_AS(accuracy.add(Tensor::zeros({2, 3}), classes({0})), ShapeError);
  CHECK_THROWS_AS(accuracy.add(Tensor::zeros({1, 3}), Tensor::zeros({1})), TypeError);
  CHECK_THROWS_AS(accuracy.add(Tensor::zeros({1, 3}), classes({3})), IndexError);
  CHECK_THROWS_AS(accuracy.add(Tensor::zeros({1, 3}), classes({-1})), IndexError);
}

TEST_CASE("class-averaged accuracy over the classes that occur in the split") {
  ClassAccuracy metric;
  CHECK(std::isnan(metric.value()));
  metric.add(predicting({0, 0, 0, 0}, 6), classes({0, 0, 0, 1}));
  CHECK(metric.value() == 0.5);
  metric.add(predicting({5}, 6), classes({1}));  // class 5 occurs as a prediction only
  CHECK(metric.value() == Approx(1.0 / 3));
  metric.add(predicting({1, 1}, 6), classes({1, 1}));  // one more batch changes the recall of class 1 to 2/4
  CHECK(metric.value() == Approx(1.5 / 3));
  metric.reset();
  metric.add(predicting({2}, 6), classes({2}));
  CHECK(metric.value() == 1.0);
}

TEST_CASE("mean absolute error leaves out missing targets") {
  MeanAbsoluteError mae;
  CHECK(std::isnan(mae.value()));
  mae.add(Tensor::from({1.0f, 2.0f, 3.0f}, {3, 1}), Tensor::from({2.0, kNan, 1.0}, {3}));
  mae.add(Tensor::from({1.0f}, {1}), Tensor::from<std::int64_t>({4}, {1}));
  CHECK(mae.value() == 2.0);
  CHECK_FALSE(mae.higher_is_better());
  CHECK_THROWS_AS(mae.add(Tensor::zeros({3}), Tensor::zeros({2})), ShapeError);
}

TEST_CASE("the area under the curve") {
  RocAuc auc;
  CHECK(std::isnan(auc.value()));
  auc.add(Tensor::from({0.1, 0.4, 0.35, 0.8}, {4, 1}), Tensor::from<std::uint8_t>({0, 0, 1, 1}, {4}));
  CHECK(auc.value() == 0.75);
  auc.reset();
  auc.add(Tensor::from({1.0, 1.0}, {2}), classes({0, 1}));
  CHECK(auc.value() == 0.5);  // a tie is worth one half
  auc.reset();
  auc.add(Tensor::from({1.0, 2.0}, {2}), classes({1, 1}));
  CHECK(std::isnan(auc.value()));  // one class only
  auc.add(Tensor::from({0.0}, {1}), classes({0}));
  CHECK(auc.value() == 1.0);
  auc.add(Tensor::from({kNan}, {1}), classes({0}));
  CHECK(std::isnan(auc.value()));
  CHECK_THROWS_AS(auc.add(Tensor::zeros({2, 2}), Tensor::zeros({2, 2})), ShapeError);

  // Against the definition, with many ties, in several batches.
  RocAuc many;
  Generator random(3);
  std::vector<double> scores, targets;
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<double> s, t;
    for (int i = 0; i < 20; ++i) {
      s.push_back(static_cast<double>(random.below(8)));
      t.push_back(random.uniform() < 0.3 + 0.05 * s.back() ? 1.0 : 0.0);
    }
    many.add(Tensor::from(s), Tensor::from(t));
    scores.insert(scores.end(), s.begin(), s.end());
    targets.insert(targets.end(), t.begin(), t.end());
  }
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (targets[i] != 1 || targets[j] != 0) continue;
      ++pairs;
      wins += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
    }
  CHECK(many.value() == Approx(wins / pairs).epsilon(1e-12));
}

TEST_CASE("the mean of an epoch is weighted by sample") {
  RunningMean mean;
  CHECK(std::isnan(mean.value()));
  mean.add(1.0, 3);
  mean.add(5.0, 1);
  mean.add(kNan, 0);
  CHECK(mean.value() == 2.0);
}

TEST_CASE("metrics by name") {
  for (const char* name : {"accuracy", "class_accuracy", "mae", "roc_auc"}) CHECK(make_metric(name)->name() == name);
  CHECK_THROWS_AS(make_metric("f1"), ValueError);
}

TEST_CASE("losses as values") {
  const Tensor targets = classes({0, 0, 0, 1});
  const Var logits(Tensor::from({2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0}, {4, 2}));
  CHECK(losses::cross_entropy()(logits, targets).item() == Approx(0.6269280110));
  CHECK(losses::cross_entropy()(logits, targets.to(DType::uint8)).item() == Approx(0.6269280110));
  CHECK(losses::balanced_cross_entropy()(logits, targets).item() == Approx(1.1269280110));
  CHECK(losses::weighted_cross_entropy(Tensor::from({0.25f, 0.75f}, {2}))(logits, targets).item() ==
        Approx(1.1269280110));
  CHECK(losses::balanced_cross_entropy()(logits, classes({1, 1, 1, 1})).item() == 0.0);
  CHECK_THROWS_AS(losses::cross_entropy()(logits, Tensor::zeros({4})), TypeError);

  const Var x(Tensor::from({1.0f, -1.0f}, {2, 1}));
  CHECK(losses::l1()(x, Tensor::from({2.0, 1.0}, {2})).item() == 1.5);
  CHECK(losses::mse()(x, classes({2, 1})).item() == 2.5);
  CHECK(losses::bce_with_logits()(x, classes({1, 0})).item() == Approx(std::log1p(std::exp(-1.0))).epsilon(1e-6));
  CHECK_THROWS_AS(losses::l1()(x, Tensor::zeros({3})), ShapeError);
  CHECK_THROWS_AS(losses::l1()(x, Tensor::zeros({1, 2})), ShapeError);
}
