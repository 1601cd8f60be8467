#include "nn/attention/places.hpp"

namespace atto {

bool are_their_own(const Support& support) {
  return support.kind() == Support::Kind::edges ? support.graph().is_square() : support.queries() == support.keys();
}

Tensor own_places(const Support& support) {
  const Tensor places = Tensor::empty(Shape{support.num_dst()}, DType::int64);
  std::int64_t* place = places.data<std::int64_t>();
  const bool own = are_their_own(support);
  for (std::int64_t i = 0; i < support.num_dst(); ++i) place[i] = own ? i : -1;
  if (own || support.kind() != Support::Kind::causal) return places;
  const Ragged &queries = support.queries(), &keys = support.keys();
  for (std::int64_t s = 0; s < queries.count(); ++s)
    for (std::int64_t i = queries.begin(s); i < queries.end(s); ++i) {
      const std::int64_t key = keys.end(s) - queries.end(s) + i;
      place[i] = key >= keys.begin(s) ? key : -1;
    }
  return places;
}

}  // namespace atto
