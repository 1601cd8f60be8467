#include "nn/attention/key_value_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "autograd/tape.hpp"
#include "core/error.hpp"

namespace atto {

KeyValueCache::KeyValueCache(std::int64_t layers, std::int64_t sequences)
    : lengths_(static_cast<std::size_t>(sequences), 0), begins_(static_cast<std::size_t>(sequences) + 1, 0) {
  for (std::int64_t i = 0; i < layers; ++i) layers_.push_back(Layer(*this));
}

Support KeyValueCache::extend(const Ragged& fresh) {
  if (fresh.count() != sequences())
    throw ShapeError({.op = "KeyValueCache::extend",
                      .argument = "fresh",
                      .got = std::to_string(fresh.count()) + " segments",
                      .expected = std::to_string(sequences()) + ", one for each sequence",
                      .hint = "a sequence without new tokens has an empty segment"});
  std::vector<std::int64_t> needed(lengths_.size());
  bool fits = true;
  for (std::size_t s = 0; s < needed.size(); ++s) {
    needed[s] = lengths_[s] + fresh.size(static_cast<std::int64_t>(s));
    fits = fits && needed[s] <= begins_[s + 1] - begins_[s];
  }
  if (!fits) grow(needed);
  std::vector<std::int64_t> queries, keys;
  places_.clear();
  for (std::size_t s = 0; s < needed.size(); ++s) {
    for (std::int64_t i = lengths_[s]; i < needed[s]; ++i) places_.push_back(begins_[s] + i);
    queries.push_back(needed[s] - lengths_[s]);
    queries.push_back(0);
    keys.push_back(needed[s]);
    keys.push_back(begins_[s + 1] - begins_[s] - needed[s]);
  }
  lengths_ = std::move(needed);
  return Support::causal(Ragged::from_sizes(queries), Ragged::from_sizes(keys));
}

void KeyValueCache::take_back(const Ragged& fresh) {
  for (std::size_t s = 0; s < lengths_.size(); ++s) lengths_[s] -= fresh.size(static_cast<std::int64_t>(s));
  places_.clear();
}

void KeyValueCache::grow(const std::vector<std::int64_t>& needed) {
  const std::vector<std::int64_t> old = begins_;
  for (std::size_t s = 0; s < needed.size(); ++s)
    begins_[s + 1] = begins_[s] + std::max<std::int64_t>(
                                      old[s + 1] - old[s],
                                      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(needed[s]))));
  for (Layer& layer : layers_)
    for (Tensor* all : {&layer.keys_, &layer.values_}) {
      if (!all->defined()) continue;
      const Tensor larger = Tensor::zeros(Shape{capacity(), all->size(1), all->size(2)}, all->dtype());
      for (std::size_t s = 0; s < needed.size(); ++s)
        larger.rows(begins_[s], begins_[s] + lengths_[s]).copy_from(all->rows(old[s], old[s] + lengths_[s]));
      *all = larger;
    }
}

Var KeyValueCache::Layer::put(Tensor& all, const Var& fresh) const {
  if (grad_enabled() && fresh.requires_grad())
    throw StateError({.op = "KeyValueCache",
                      .argument = "rows",
                      .got = "rows that want a gradient",
                      .expected = {},
                      .hint = "call the model under NoGrad; training reads whole sequences and needs no cache"});
  const auto& places = owner_.places_;
  const bool known = fresh.rank() == 3 && fresh.size(0) == static_cast<std::int64_t>(places.size());
  const Shape expected = known ? Shape{owner_.capacity(), fresh.size(1), fresh.size(2)} : Shape{};
  if (!known || (all.defined() && (all.shape() != expected || all.dtype() != fresh.dtype())))
    throw ShapeError({.op = "KeyValueCache",
                      .argument = "rows",
                      .got = fresh.value().str(),
                      .expected = std::to_string(places.size()) + " rows of one shape and type in every call",
                      .hint = "extend() comes before the layers of a step"});
  if (!all.defined()) all = Tensor::zeros(expected, fresh.dtype());
  const Tensor& rows = fresh.value();
  const std::size_t bytes = rows.size(0) > 0 ? static_cast<std::size_t>(rows.bytes() / rows.size(0)) : 0;
  for (std::size_t i = 0; i < places.size() && bytes > 0; ++i)
    std::memcpy(all.raw() + static_cast<std::size_t>(places[i]) * bytes, rows.raw() + i * bytes, bytes);
  return all;
}

}  // namespace atto
