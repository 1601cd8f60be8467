#include "graph/readers.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  folder.hold(test::unpack(input));
  bool accepted = false;
  for (const TuOptions& options :
       {TuOptions{}, TuOptions{.node_attributes = true, .edge_attributes = true, .one_hot = false}})
    accepted = accepts([&] { read_tu(folder.path(), options).check(); }) || accepted;
  return accepted;
}

std::vector<std::string> seeds() {
  return {
      test::pack({{"t_A.txt", "1, 2\n4, 5\n2, 1\n2, 2\n1, 2\n5, 4\n"},
                  {"t_graph_indicator.txt", "1\n1\n2\n3\n3\n"},
                  {"t_graph_labels.txt", "1\n-1\n1\n"},
                  {"t_node_labels.txt", "3\n5\n3\n4\n3\n"},
                  {"t_edge_labels.txt", "1\n1\n2\n0\n1\n1\n"},
                  {"t_edge_attributes.txt", "1\n2\n3\n4\n5\n6\n"},
                  {"t_node_attributes.txt", "0.5, 1\n1, 1e2\n-2, 0\n3,3\n4,4\n"}}),
      test::pack({{"r_A.txt", "1 2\n"}, {"r_graph_indicator.txt", "1\n1\n"}, {"r_graph_attributes.txt", "1.5 2\n"}}),
      test::pack({{"e_A.txt", ""}, {"e_graph_indicator.txt", ""}, {"e_graph_labels.txt", ""}})};
}

}  // namespace

const Target detail::kTu{.name = "tu", .folder = true, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
