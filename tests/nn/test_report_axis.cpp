#include <cmath>
#include <set>

#include "nn/report/axis.hpp"
#include "tests/support/catch.hpp"

using namespace atto::report;
using Texts = std::vector<std::string>;

namespace {

Axis log_axis() {
  return {.scale = Scale::log};
}
const Axis whole{.whole_numbers = true};

}  // namespace

TEST_CASE("linear ticks stand at round numbers inside the range") {
  const Ticks ticks = nice_ticks({0, 1}, 5, {});
  CHECK(ticks.at == std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1.0});
  CHECK(ticks.labels == Texts{"0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(nice_ticks({0, 1}, 4, {}).labels == Texts{"0", "0.25", "0.50", "0.75", "1.00"});
  CHECK(nice_ticks({-1.3, 2.2}, 4, {}).labels == Texts{"-1", "0", "1", "2"});
  CHECK(nice_ticks({0, 43'000}, 5, {}).labels == Texts{"0", "10,000", "20,000", "30,000", "40,000"});
  CHECK(nice_ticks({0.6931, 0.6934}, 3, {}).labels == Texts{"0.6931", "0.6932", "0.6933", "0.6934"});
  CHECK(nice_ticks({0, 3e-7}, 3, {}).labels == Texts{"0", "1e-7", "2e-7", "3e-7"});
  CHECK(nice_ticks({0, 2e12}, 2, {}).labels == Texts{"0", "1e12", "2e12"});
}

TEST_CASE("ticks of whole numbers never fall between them") {
  CHECK(nice_ticks({0, 3}, 10, whole).labels == Texts{"0", "1", "2", "3"});
  CHECK(nice_ticks({0.5, 1.5}, 10, whole).labels == Texts{"1"});
  CHECK(nice_ticks({1, 12}, 5, whole).labels == Texts{"5", "10"});
  CHECK(nice_ticks({0, 100}, 4, whole).labels == Texts{"0", "25", "50", "75", "100"});
}

TEST_CASE("log ticks are powers of ten, with 2 and 5 where there is room") {
  CHECK(nice_ticks({0.5, 2000}, 5, log_axis()).labels == Texts{"1", "10", "100", "1,000"});
  CHECK(nice_ticks({1, 60}, 6, log_axis()).labels == Texts{"1", "2", "5", "10", "20", "50"});
  CHECK(nice_ticks({1e-9, 1e-5}, 5, log_axis()).labels == Texts{"1e-9", "1e-8", "1e-7", "1e-6", "1e-5"});
  CHECK(nice_ticks({1e-12, 1e12}, 4, log_axis()).at.size() <= 5);
  // Too narrow for powers of ten: as on a linear axis.
  CHECK(nice_ticks({0.6, 0.9}, 3, log_axis()).labels == Texts{"0.6", "0.7", "0.8", "0.9"});
}

TEST_CASE("ranges cover the data with air, and never have zero width") {
  const auto range = [](std::vector<double> values, Axis axis = {}) { return axis_range(values, axis); };
  CHECK(range({1, 2}).low == Approx(0.96));
  CHECK(range({1, 2}).high == Approx(2.04));
  CHECK(range({0, 10}).low == 0);  // a quantity that is never negative gets no negative axis
  CHECK(range({1, 2}, {.pad = false}).low == 1);
  CHECK(range({1, 2}, {.low = 0.0, .high = 5.0}).high == 5);
  CHECK(range({NAN, 3, INFINITY, 4}, {.pad = false}).high == 4);
  CHECK(range({1, 100}, {.scale = Scale::log, .pad = false}).high == 100);
  CHECK(range({-5, 0, 10, 100}, {.scale = Scale::log, .pad = false}).low == 10);

  CHECK(range({0.7, 0.7}).low == Approx(0.63));
  CHECK(range({0.7}).high == Approx(0.77));
  CHECK(range({0, 0}).low == -1);
  CHECK(range({1}, whole).low == 0.5);
  CHECK(range({}).high == 1);
  CHECK(range({NAN}, log_axis()).high == 10);
  CHECK(range({-3}, {.low = 0.0}).high > 0);
  CHECK(range({3}, {.high = 0.0}).low < 0);
}

TEST_CASE("any range gives a few ascending ticks inside it, told apart by their labels") {
  for (const double centre : {0.0, 1.0, -3.7, 1e-300, 1e300, 123456.789, -1e-12})
    for (const double width : {1e-15, 1e-9, 1e-3, 1.0, 7.3, 1e6, 1e299})
      for (const int count : {1, 3, 10})
        for (const bool only_whole : {false, true}) {
          const Axis axis{.whole_numbers = only_whole};
          const Range range = axis_range(std::vector{centre - width / 2, centre + width / 2}, axis);
          CAPTURE(centre, width, count, only_whole, range.low, range.high);
          REQUIRE(range.low < range.high);
          const Ticks ticks = nice_ticks(range, count, axis);
          CHECK(ticks.at.size() <= static_cast<std::size_t>(2 * count + 2));
          CHECK(std::set(ticks.labels.begin(), ticks.labels.end()).size() == ticks.labels.size());
          const double slack = 1e-5 * (range.high - range.low);
          for (std::size_t i = 0; i < ticks.at.size(); ++i) {
            CHECK(ticks.at[i] >= range.low - slack);
            CHECK(ticks.at[i] <= range.high + slack);
            CHECK((i == 0 || ticks.at[i] > ticks.at[i - 1]));
            CHECK((!only_whole || ticks.at[i] == std::round(ticks.at[i])));
          }
        }
}

TEST_CASE("places on an axis") {
  CHECK(axis_position(5, {0, 10}, Scale::linear) == 0.5);
  CHECK(axis_position(10, {1, 100}, Scale::log) == Approx(0.5));
  CHECK(drawable(0, Scale::linear));
  CHECK_FALSE(drawable(0, Scale::log));
  CHECK_FALSE(drawable(-1, Scale::log));
  CHECK_FALSE(drawable(NAN, Scale::linear));
  CHECK_FALSE(drawable(INFINITY, Scale::log));
}
