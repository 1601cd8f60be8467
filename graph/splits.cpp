#include "graph/splits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/random.hpp"

namespace atto {
namespace {

using Items = std::vector<std::int64_t>;

void check_labels(const char* op, std::int64_t count, std::span<const std::int64_t> labels) {
  if (!labels.empty() && std::ssize(labels) != count)
    throw ValueError({.op = op,
                      .argument = "labels",
                      .got = fmt::format("{} labels", labels.size()),
                      .expected = fmt::format("{}, one for each item, or none", count)});
}

void check_fraction(const char* op, const char* what, bool fits, double got, const char* expected) {
  if (!fits) throw ValueError({.op = op, .argument = what, .got = fmt::format("{}", got), .expected = expected});
}

// The items class by class, classes and members in random order. Without labels there is one class.
std::vector<Items> shuffled_classes(std::span<const std::int64_t> items, std::span<const std::int64_t> labels,
                                    std::uint64_t seed) {
  std::map<std::int64_t, Items> by_class;
  for (const std::int64_t item : items) by_class[labels.empty() ? 0 : labels[item]].push_back(item);
  std::vector<Items> classes;
  Generator random(seed);
  for (auto& [label, members] : by_class) {
    random.shuffle(std::span(members));
    classes.push_back(std::move(members));
  }
  random.shuffle(std::span(classes));
  return classes;
}

// A random order of which every prefix holds each class in proportion: next comes the class that is furthest behind.
Items stratified_order(std::span<const std::int64_t> items, std::span<const std::int64_t> labels, std::uint64_t seed) {
  const std::vector<Items> classes = shuffled_classes(items, labels, seed);
  const std::int64_t total = std::ssize(items);
  Items order, taken(classes.size(), 0);
  for (std::int64_t place = 1; place <= total; ++place) {
    // By how many items class c is behind, times the number of all items: an integer, so that ties are ties.
    const auto behind = [&](std::size_t c) { return place * std::ssize(classes[c]) - taken[c] * total; };
    std::size_t next = 0;
    for (std::size_t c = 1; c < classes.size(); ++c)
      if (behind(c) > behind(next)) next = c;
    order.push_back(classes[next][taken[next]++]);
  }
  return order;
}

Items numbers(std::int64_t count) {
  Items items(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) items[i] = i;
  return items;
}

Items sorted(Items::const_iterator begin, Items::const_iterator end) {
  Items part(begin, end);
  std::ranges::sort(part);
  return part;
}

}  // namespace

Split random_split(std::int64_t count, std::span<const std::int64_t> labels, const SplitOptions& options) {
  check_labels("random_split", count, labels);
  const auto is_part = [](double part) { return part >= 0 && part <= 1; };
  check_fraction("random_split", "train", is_part(options.train), options.train, "0 to 1");
  check_fraction("random_split", "valid", is_part(options.valid), options.valid, "0 to 1");
  check_fraction("random_split", "train + valid", options.train + options.valid <= 1 + 1e-9,
                 options.train + options.valid, "at most 1");
  // The small term keeps 0.8 * 10 from being 7.999...
  const auto share = [&](double part) {
    return static_cast<std::int64_t>(std::floor(part * static_cast<double>(count) + 1e-6));
  };
  const std::int64_t train = share(options.train), valid = std::min(share(options.valid), count - train);
  const Items order = stratified_order(numbers(count), labels, options.seed);
  return {.train = sorted(order.begin(), order.begin() + train),
          .valid = sorted(order.begin() + train, order.begin() + train + valid),
          .test = sorted(order.begin() + train + valid, order.end())};
}

std::vector<Split> k_fold(std::int64_t count, std::span<const std::int64_t> labels, std::int64_t folds,
                          std::uint64_t seed) {
  check_labels("k_fold", count, labels);
  if (folds < 2 || folds > count)
    throw ValueError({.op = "k_fold",
                      .argument = "folds",
                      .got = std::to_string(folds),
                      .expected = fmt::format("2 to {}, the number of items", count)});
  std::vector<Split> splits(static_cast<std::size_t>(folds));
  // Dealt out like cards, class after class without starting anew, so that both kinds of sizes differ by one at most.
  std::int64_t next = 0;
  for (const Items& members : shuffled_classes(numbers(count), labels, seed))
    for (const std::int64_t item : members) {
      for (std::int64_t k = 0; k < folds; ++k) (k == next ? splits[k].test : splits[k].train).push_back(item);
      next = (next + 1) % folds;
    }
  for (Split& split : splits) {
    std::ranges::sort(split.train);
    std::ranges::sort(split.test);
  }
  return splits;
}

Split with_validation(const Split& split, std::span<const std::int64_t> labels, double fraction, std::uint64_t seed) {
  check_fraction("with_validation", "fraction", fraction > 0 && fraction < 1, fraction, "between 0 and 1");
  if (!split.valid.empty())
    throw ValueError({.op = "with_validation",
                      .argument = "split",
                      .got = fmt::format("{} validation items", split.valid.size()),
                      .expected = "none"});
  const auto size = std::ssize(split.train);
  const std::int64_t wanted = std::llround(fraction * static_cast<double>(size));
  const std::int64_t valid = size < 2 ? 0 : std::clamp<std::int64_t>(wanted, 1, size - 1);
  const Items order = stratified_order(split.train, labels, seed);
  return {.train = sorted(order.begin() + valid, order.end()),
          .valid = sorted(order.begin(), order.begin() + valid),
          .test = split.test};
}

Split with_train_fraction(const Split& split, std::span<const std::int64_t> labels, double fraction,
                          std::uint64_t seed) {
  check_fraction("with_train_fraction", "fraction", fraction > 0 && fraction <= 1, fraction, "above 0, at most 1");
  const std::int64_t wanted = std::llround(fraction * static_cast<double>(split.train.size()));
  const std::int64_t kept = std::min<std::int64_t>(std::max<std::int64_t>(1, wanted), std::ssize(split.train));
  const Items order = stratified_order(split.train, labels, seed);
  return {.train = sorted(order.begin(), order.begin() + kept), .valid = split.valid, .test = split.test};
}

void check_split(const Split& split, std::int64_t count, const std::string& what) {
  std::vector<const char*> part_of(static_cast<std::size_t>(count), nullptr);
  const auto check_part = [&](const Items& items, const char* part) {
    for (const std::int64_t item : items) {
      if (item < 0 || item >= count)
        throw IndexError({.op = what,
                          .argument = part,
                          .got = fmt::format("item {}", item),
                          .expected = fmt::format("0 to {}", count - 1)});
      if (part_of[item])
        throw ValueError({.op = what,
                          .argument = part,
                          .got = fmt::format("item {}, which is in {} already", item, part_of[item]),
                          .expected = "each item once"});
      part_of[item] = part;
    }
  };
  check_part(split.train, "train");
  check_part(split.valid, "valid");
  check_part(split.test, "test");
}

}  // namespace atto
