#pragma once
// A second domain beside agreement_grammar(): another order of words and another rule of agreement.

#include "examples/common/grammar.hpp"

namespace atto::examples {

/// Sentences of symbol "sentence", in which verbs stand last and agree with their object, which may have clauses
/// between itself and the verb:
///
///     the dogs that the queen follow the singer that sleeps sees .
///
/// The words are those of agreement_grammar(), or with `new_words` half of them. A noun carries a relative clause with
/// probability `relative`, down to `depth` clauses inside each other: it sleeps in it (that verb agrees with its noun,
/// as in the first domain), or somebody does something to it. No sentence has two derivations.
Grammar object_grammar(int depth = 2, double relative = 0.4, bool new_words = false);

}  // namespace atto::examples
