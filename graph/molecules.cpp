// Toy molecules: see molecule_dataset() in graph/synthetic.hpp.

#include <vector>

#include "core/random.hpp"
#include "graph/edge_list.hpp"
#include "graph/rows.hpp"
#include "graph/synthetic.hpp"

namespace atto {
namespace {

enum Atom : std::int64_t { kCarbon, kNitrogen, kOxygen, kFluorine };
constexpr std::int64_t kAtoms = 7;
enum Bond : std::int64_t { kAromatic, kSingle, kDouble };
constexpr std::int64_t kBonds = 3;

class Molecule {
 public:
  std::int64_t add(std::int64_t atom) {
    atoms_.push_back(atom);
    free_.push_back(atom == kCarbon ? 1 : 0);
    return std::ssize(atoms_) - 1;
  }
  void bind(std::int64_t a, std::int64_t b, Bond bond) {
    edges_.join(a, b);
    bonds_.insert(bonds_.end(), {bond, bond});
  }
  // A new atom at atom `to`.
  std::int64_t attach(std::int64_t atom, std::int64_t to, Bond bond) {
    const std::int64_t added = add(atom);
    bind(to, added, bond);
    return added;
  }
  // A carbon atom of the skeleton that carries nothing yet; it does from now on.
  std::int64_t take_free(Generator& random) {
    std::vector<std::int64_t> candidates;
    for (std::int64_t i = 0; i < std::ssize(free_); ++i)
      if (free_[i] > 0) candidates.push_back(i);
    const std::int64_t chosen = candidates[random.below(std::ssize(candidates))];
    free_[chosen] = 0;
    return chosen;
  }
  void occupy(std::int64_t carbon) { free_[carbon] = 0; }

  GraphSample sample(std::int64_t label) const {
    const Graph graph = edges_.graph(std::ssize(atoms_));
    return {.graph = graph,
            .x = one_hot(Tensor::from(atoms_), kAtoms),
            .edge_attr = take_rows(Tensor::from(bonds_), graph.edge_order()),
            .y = Tensor::from<std::int64_t>({label}, {1})};
  }

 private:
  std::vector<std::int64_t> atoms_, bonds_;
  std::vector<std::int64_t> free_;  // whether something may be attached
  EdgeList edges_;
};

// Six atoms in a ring; the next ring shares two neighbouring atoms, chosen at random, of the one before.
void add_rings(Molecule& molecule, Generator& random, std::int64_t rings) {
  std::vector<std::int64_t> ring;
  for (int i = 0; i < 6; ++i) ring.push_back(molecule.add(kCarbon));
  for (std::size_t i = 0; i < 6; ++i) molecule.bind(ring[i], ring[(i + 1) % 6], kAromatic);
  for (std::int64_t r = 1; r < rings; ++r) {
    const auto side = static_cast<std::size_t>(2 + random.below(3));  // atoms 0 and 1 belong to the ring before
    std::vector<std::int64_t> next{ring[side + 1], ring[side]};
    for (const std::int64_t shared : next) molecule.occupy(shared);
    for (int i = 0; i < 4; ++i) next.push_back(molecule.attach(kCarbon, next.back(), kAromatic));
    molecule.bind(next.back(), next.front(), kAromatic);
    ring = next;
  }
}

GraphSample molecule_sample(Generator& random, std::int64_t label) {
  Molecule molecule;
  add_rings(molecule, random, 2 + random.below(2));
  const std::int64_t groups = 1 + random.below(2), others = random.below(3);
  for (std::int64_t k = 0; k < groups; ++k) {
    const std::int64_t nitrogen = molecule.attach(kNitrogen, molecule.take_free(random), kSingle);
    molecule.attach(kOxygen, nitrogen, kDouble);
    molecule.attach(kOxygen, label == 1 ? nitrogen : molecule.take_free(random), kSingle);
  }
  for (std::int64_t k = 0; k < others; ++k)
    molecule.attach(kFluorine + random.below(kAtoms - kFluorine), molecule.take_free(random), kSingle);
  return molecule.sample(label);
}

}  // namespace

Dataset molecule_dataset(const MoleculeOptions& options) {
  Dataset dataset;
  dataset.name = "molecules";
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = kAtoms};
  dataset.edge_features = {.kind = Features::Kind::category, .width = kBonds};
  Generator random(options.seed);
  for (std::int64_t g = 0; g < options.graphs; ++g)
    dataset.samples.push_back(molecule_sample(random, g % 3 == 0 ? 0 : 1));
  return dataset;
}

}  // namespace atto
