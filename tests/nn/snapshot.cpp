#include "nn/snapshot.hpp"

#include <cmath>

#include "tests/support/errors.hpp"

using namespace atto;

namespace {

struct Toy {
  Toy()
      : weight(model.scope().parameter("weight", {3}, init::ones())),
        mean(model.scope().buffer("mean", Tensor::zeros({2}))) {}
  void set(double value) const {
    weight.value().fill(value);
    mean.tensor().fill(-value);
  }
  double get() const { return weight.value().values<float>()[2]; }
  Model model;
  Parameter weight;
  Buffer mean;
};

}  // namespace

TEST_CASE("the best epoch is kept: strictly better, never NaN") {
  const Toy toy;
  BestSnapshot best(toy.model, true);
  CHECK_FALSE(best.taken());
  CHECK_THROWS_AS(best.restore(), StateError);
  const auto offer = [&](double value, double metric, int epoch) {
    toy.set(value);
    return best.offer(metric, epoch);
  };
  CHECK_FALSE(offer(1, std::nan(""), 0));
  CHECK(offer(2, -0.5, 1));
  CHECK(offer(3, 0.5, 2));
  CHECK_FALSE(offer(4, 0.5, 3));
  CHECK_FALSE(offer(5, 0.4, 4));
  CHECK_FALSE(offer(6, std::nan(""), 5));
  toy.model.flatten();  // parameters move to other memory
  best.restore();
  CHECK(toy.get() == 3.0);
  CHECK(toy.mean.tensor().values<float>()[1] == -3.0f);
  CHECK(best.metric() == 0.5);
  CHECK(best.epoch() == 2);
  best.reset();
  CHECK_FALSE(best.taken());
  CHECK(offer(7, 0.1, 0));

  BestSnapshot lowest(toy.model, false);
  CHECK(lowest.offer(0.5, 0));
  CHECK_FALSE(lowest.offer(0.6, 1));
  CHECK(lowest.offer(0.4, 2));
}

TEST_CASE("the moving average follows the weights and is lent to the model") {
  const Toy toy;
  toy.set(1.0);
  WeightAverage average(toy.model, 0.75);
  toy.set(5.0);
  average.update();
  {
    const auto use = average.use();
    CHECK(toy.get() == 2.0);  // 0.75 * 1 + 0.25 * 5
    CHECK_THROWS_AS(average.update(), StateError);
    CHECK_THROWS_AS(average.use(), StateError);
  }
  CHECK(toy.get() == 5.0);
  average.update();
  CHECK(average.state()[0].value.values<float>()[0] == 2.75f);
  CHECK_THROWS_AS(WeightAverage(toy.model, 1.0), ValueError);
}
