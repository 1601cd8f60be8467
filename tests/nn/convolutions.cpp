// The convolutions as modules, against numbers worked out by hand and loops over the definitions.

#include <cmath>

#include "autograd/gradcheck.hpp"
#include "nn/attention/gat_conv.hpp"
#include "nn/conv/gated_gcn_conv.hpp"
#include "nn/conv/gcn_conv.hpp"
#include "nn/conv/gin_conv.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using test::uniform;

namespace {

using Numbers = std::vector<double>;

Graph path() {
  return Graph::from_edges(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}});
}
// The path with loops, one of them twice.
Graph path_with_loops() {
  return Graph::from_edges(3, {{1, 1}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {2, 2}, {2, 1}});
}
// A duplicate, listed loops (one twice), and a node that is alone.
Graph untidy() {
  return Graph::from_edges(4, {{0, 1}, {0, 1}, {1, 0}, {1, 1}, {1, 1}, {2, 1}, {0, 0}, {1, 2}, {2, 0}});
}

Var column(const Numbers& values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()), 1});
}
Model float64_model() {
  return Model({.seed = 3, .dtype = DType::float64});
}

void set(const Model& model, const std::string& name, const Numbers& values) {
  const Tensor& parameter = model.parameter(name).value();
  REQUIRE(parameter.numel() == static_cast<std::int64_t>(values.size()));
  std::copy(values.begin(), values.end(), parameter.data<double>());
}

// Weights one, biases zero.
void make_plain(const Model& model) {
  for (const NamedParameter& parameter : model.parameters())
    parameter.value.value().fill(parameter.name.ends_with("bias") ? 0 : 1);
}

void check_values(const Var& got, const Numbers& expected, double margin = 1e-9) {
  REQUIRE(got.value().numel() == static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(got.value().data<double>()[i] == Approx(expected[i]).margin(margin));
}

double sigmoid_of(double z) {
  return 1 / (1 + std::exp(-z));
}

}  // namespace

TEST_CASE("GCN: the printed numbers, with one loop per node whatever the list says") {
  const Model model = float64_model();
  const GcnConv conv(model, 1, 1);
  make_plain(model);
  const Numbers expected{1.3164965809, 2.2996598285, 2.3164965809};
  for (const Graph& graph : {path(), path_with_loops()})
    check_values(conv(column({1, 2, 3}), normalise(graph, DType::float64)), expected);
  // A duplicate edge counts twice: degrees 2 and 4; the node alone keeps itself.
  const Graph twice = Graph::from_edges(3, {{0, 1}, {0, 1}, {1, 0}});
  check_values(conv(column({1, 2, 5}), normalise(twice, DType::float64)),
               {2 / std::sqrt(6) + 0.5, 2 / std::sqrt(6) + 2.0 / 3, 5}, 1e-12);
}

TEST_CASE("GIN: the printed numbers, a learned epsilon, loops and duplicates as ordinary edges") {
  const Model model = float64_model();
  const GinConv conv(model / "fixed", 1, 1), learned(model / "learned", 1, 1, {.epsilon = 0.5, .learn_epsilon = true});
  make_plain(model);
  set(model, "learned.epsilon", {0.5});
  check_values(conv(column({1, 2, 3}), path()), {3, 6, 5});
  check_values(learned(column({1, 2, 3}), path()), {3.5, 7, 6.5});
  check_values(conv(column({1, 2, 3}), path_with_loops()), {3, 10, 8});
  check_values(conv(column({1, 2, 3, 7}), untidy()), {1 + 2 + 1 + 3, 2 + 1 + 1 + 2 + 2 + 3, 3 + 2, 7});
  CHECK(gradcheck([&](std::span<const Var> in) { return learned(in[0], untidy()); }, {uniform(Shape{4, 1}, 0.5, 1)})
            .report == "");
  model.zero_grad();
  backward(learned(column({1, 2, 3}), path()), Tensor::full(Shape{3, 1}, 1, DType::float64));
  CHECK(model.parameter("learned.epsilon").grad().item() == Approx(6));
}

TEST_CASE("GINE: the printed numbers, and edge features of another width") {
  const Model model = float64_model();
  const GineConv conv(model / "same", 1, 1, 1),
      wider(model / "wider", 1, 1, 2, {.epsilon = 0.5, .learn_epsilon = true});
  make_plain(model);
  set(model, "wider.epsilon", {0.5});
  check_values(conv(column({1, 2, 3}), path(), column({-2, -2, -2, -2})), {1, 3, 3});
  set(model, "wider.edge.weight", {3, 1});
  check_values(wider(column({1, 2, 3}), path(), Tensor::from(Numbers{-1, 1, -1, 1, -1, 1, -1, 1}, Shape{4, 2})),
               {1.5, 4, 4.5});
  // Canonical order: into 0 come 1, 0, 2, into 1 come 0, 0, 1, 1, 2, into 2 comes 1.
  check_values(conv(column({1, 2, 3, 7}), untidy(), column({1, -5, 0, 1, -0.5, 1, 1, -2, 0})),
               {1 + 3 + 0 + 3, 2 + 2 + 0.5 + 3 + 3 + 1, 3 + 2, 7});
}

TEST_CASE("GAT: the printed numbers, with one loop per node whatever the list says") {
  const Model model = float64_model();
  const GatConv conv(model, 1, 1, {.heads = 1});
  make_plain(model);
  const Numbers expected{.7007485326, 2.0256463772, 2.9665357454};
  for (const Graph& graph : {path(), path_with_loops()})
    check_values(conv(column({1, -2, 3}), normalise(graph)), expected);
  // In a plain graph the loops are those that it lists, and a node that hears nobody gets the bias.
  set(model, "bias", {0.25});
  check_values(conv(column({1, -2}), Graph::from_edges(2, {{0, 1}})), {0.25, 1.25});
}

TEST_CASE("GAT and GATv2 with edge features: a loop carries the mean of what else comes in, 0 where nothing does") {
  const Graph graph = untidy();
  const NormalisedGraph looped = normalise(graph);
  const Tensor e = uniform(Shape{graph.num_edges(), 2}, -1, 1, 4), x = uniform(Shape{4, 1}, -1, 1, 5);
  for (const bool dynamic : {false, true}) {
    INFO("dynamic " << dynamic);
    const Model model = float64_model();
    const GatConv conv(model, 1, 1, {.heads = 1, .edge_channels = 2, .dynamic = dynamic});
    make_plain(model);
    set(model, "score.edge_weight", {0.7, -0.4});
    set(model, "bias", {0.1});
    // Different numbers, so that a place taken for another shows. z = a LeakyReLU(from x_j + to x_i + W_e e) with a = 1
    // in GAT.
    const double a = dynamic ? 0.9 : 1, value = dynamic ? 1.1 : 1.3, from_weight = dynamic ? value : value * 0.8,
                 to_weight = dynamic ? 0.6 : value * 0.5;
    if (dynamic) {
      set(model, "query.weight", {to_weight});
      set(model, "key.weight", {value});
      set(model, "score.vector", {a});
    } else {
      set(model, "query.weight", {value});
      set(model, "score.source", {0.8});
      set(model, "score.destination", {0.5});
    }
    Numbers expected;
    for (int i = 0; i < 4; ++i) {
      Numbers from, feature;
      double mean = 0;
      for (int k = graph.in_offsets()[i]; k < graph.in_offsets()[i + 1]; ++k) {
        if (graph.in_src()[k] == i) continue;
        from.push_back(x.data<double>()[graph.in_src()[k]]);
        feature.push_back(0.7 * e.data<double>()[2 * k] - 0.4 * e.data<double>()[2 * k + 1]);
        mean += feature.back();
      }
      from.push_back(x.data<double>()[i]);
      feature.push_back(from.size() > 1 ? mean / static_cast<double>(from.size() - 1) : 0);
      double sum = 0, weighted = 0;
      for (std::size_t k = 0; k < from.size(); ++k) {
        const double z = from_weight * from[k] + to_weight * x.data<double>()[i] + feature[k],
                     weight = std::exp(a * (z > 0 ? z : 0.2 * z));
        sum += weight;
        weighted += weight * value * from[k];
      }
      expected.push_back(weighted / sum + 0.1);
    }
    check_values(conv(x, looped, e), expected, 1e-12);
    CHECK(gradcheck([&](std::span<const Var> in) { return conv(in[0], looped, in[1]); }, {x, e}).report == "");
  }
}

TEST_CASE("loops without any features to follow") {
  const NormalisedGraph looped = normalise(Graph::from_edges(2, {{1, 1}}));
  const Var e = follow_loops(looped, Tensor::full(Shape{1, 3}, 9, DType::float64));
  CHECK(bit_equal(e.value(), Tensor::zeros(Shape{2, 3}, DType::float64)));
  CHECK(follow_loops(normalise(Graph::from_edges(2, {})), Tensor::zeros(Shape{0, 3})).shape() == Shape{2, 3});
  CHECK(follow_loops(normalise(Graph()), Tensor::zeros(Shape{0, 3})).shape() == Shape{0, 3});
}

TEST_CASE("GATv2 attends to what a node is, GAT ranks its neighbours alike for all") {
  const Model model = float64_model();
  const GatConv dynamic(model, 1, 2, {.heads = 1, .dynamic = true});
  make_plain(model);
  set(model, "query.weight", {1, -1});
  set(model, "key.weight", {1, -1});
  const NormalisedGraph two = normalise(Graph::from_edges(2, {{0, 1}, {1, 0}}));
  const double own = .832018385134, other = .167981614866;
  check_values(dynamic(column({1, -1}), two), {own - other, other - own, other - own, own - other}, 1e-11);
  const Tensor weights = dynamic.attention().weights({.query = column({1, -1}), .source = {}, .value = {}, .edge = {}},
                                                     Support::edges(two.graph));
  check_values(weights, {other, own, other, own}, 1e-11);  // the loop comes last

  // All pairs of five nodes, loops included, so that each sees the same neighbours in the same order.
  std::vector<std::int32_t> src, dst;
  for (std::int32_t i = 0; i < 5; ++i)
    for (std::int32_t j = 0; j < 5; ++j) src.push_back(j), dst.push_back(i);
  const Support all = Support::edges(Graph::from_edges(5, src, dst));
  const Model other_model = float64_model();
  const GatConv fixed(other_model, 3, 4, {.heads = 1});
  const Tensor a =
      fixed.attention().weights({.query = uniform(Shape{5, 3}), .source = {}, .value = {}, .edge = {}}, all);
  for (int i = 1; i < 5; ++i)
    for (int j = 0; j < 5; ++j)
      for (int k = 0; k < 5; ++k)
        CHECK((a.data<double>()[j] < a.data<double>()[k]) ==
              (a.data<double>()[5 * i + j] < a.data<double>()[5 * i + k]));
}

namespace {

Numbers numbers(const Var& x) {
  return {x.value().values<double>().begin(), x.value().values<double>().end()};
}

}  // namespace

TEST_CASE("GatedGCN: the printed numbers, the edge state, loops and duplicates as ordinary edges") {
  const Model model = float64_model();
  const GatedGcnConv conv(model / "whole", 1), stateless(model / "stateless", 1, {.edge_state = false});
  make_plain(model);
  model.eval();  // batch norm then divides by sqrt(1 + 1e-5) and no more
  const double norm = std::sqrt(1 + 1e-5);
  const auto before_norm = [&](const Numbers& x, const Var& result) {
    Numbers z;
    for (std::size_t i = 0; i < x.size(); ++i) z.push_back((result.value().data<double>()[i] - x[i]) * norm);
    return column(z);
  };
  const Numbers x{1, 2, 3};
  const NodesAndEdges out = conv(column(x), path(), column({0.5, 0.5, 0.5, 0.5}));
  const Numbers printed{2.9999979396, 4.0128342591, 4.9999979918};
  check_values(before_norm(x, out.node), printed);
  check_values(out.edge.rows, {0.5 + 3.5 / norm, 0.5 + 3.5 / norm, 0.5 + 5.5 / norm, 0.5 + 5.5 / norm}, 1e-12);
  const NodesAndEdges without = stateless(column(x), path(), column({0.5, 0.5, 0.5, 0.5}));
  check_values(before_norm(x, without.node), printed);
  CHECK_FALSE(without.edge.defined());
  for (const NamedParameter& parameter : model.parameters())
    CHECK(parameter.name.find("stateless.edge_norm") == std::string::npos);

  for (const std::string place : {"whole", "stateless"}) {
    set(model, place + ".a.weight", {1.1});
    set(model, place + ".b.weight", {0.9});
    set(model, place + ".c.weight", {0.8});
    set(model, place + ".d.weight", {0.7});
    set(model, place + ".e.weight", {1.2});
  }
  const Graph graph = untidy();
  const Numbers more{1, 2, 3, 0.25}, e{0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9};
  Numbers nodes, edges;
  for (int i = 0; i < 4; ++i) {
    double gates = 1e-6, sum = 0;
    for (int k = graph.in_offsets()[i]; k < graph.in_offsets()[i + 1]; ++k) {
      const double from = more[static_cast<std::size_t>(graph.in_src()[k])],
                   z = 0.7 * more[static_cast<std::size_t>(i)] + 1.2 * from + 0.8 * e[static_cast<std::size_t>(k)];
      gates += sigmoid_of(z);
      sum += sigmoid_of(z) * 0.9 * from;
      edges.push_back(e[static_cast<std::size_t>(k)] + std::max(0.0, z / norm));
    }
    nodes.push_back(1.1 * more[static_cast<std::size_t>(i)] + sum / gates);
  }
  const NodesAndEdges result = conv(column(more), graph, column(e));
  check_values(before_norm(more, result.node), nodes, 1e-12);
  check_values(result.edge.rows, edges, 1e-12);
  check_values(before_norm(more, stateless(column(more), graph, column(e)).node), nodes, 1e-12);

  // Edges that come in kinds are what they are when laid out.
  const Tensor kind = Tensor::from(std::vector<std::int64_t>{0, 1, 1, 2, 0, 2, 1, 0, 1});
  const EdgeRows kinds(column({0.3, -0.5, 0.8}), kind);
  for (const GatedGcnConv* layer : {&conv, &stateless})
    check_values((*layer)(column(more), graph, kinds).node,
                 numbers((*layer)(column(more), graph, kinds.laid_out()).node), 1e-12);
}
