// GIN-, PNA- and differential attention against printed numbers of whole layers, fused and lowered.

#include <cmath>

#include "ops/edge/edge.hpp"
#include "ops/shape/shape.hpp"
#include "tests/nn/isomorphic.hpp"

namespace atto::test {
namespace {

const AttentionInputs as_query(const Var& x) {
  return {.query = x, .source = {}, .value = {}, .edge = {}};
}

// Both ways through a layer, forward and backward.
template <class Layer, class Check>
void both_ways(Layer&& make, Check&& check) {
  for (const bool lowered : {false, true}) {
    INFO((lowered ? "lowered" : "as planned"));
    const auto at = make();
    const Support support = causal(3);
    const Var out = lowered ? at->layer.attention().lowered(as_query(at->x), support) : at->layer(at->x, support);
    const Var loss = oracle_loss(out);
    loss.backward();
    check(*at, out.value(), loss.item());
  }
}

std::unique_ptr<OracleGin> gin(const std::string& mode = "none", bool learn_threshold = false) {
  GinAttentionOptions options;
  options.normaliser = Softmax{.learn = true};
  options.gate = adjacency_gate(mode, {.threshold = .3, .learn_threshold = learn_threshold});
  return std::make_unique<OracleGin>(std::move(options));
}

}  // namespace

TEST_CASE("GIN-Attention: the printed numbers of a whole layer") {
  CHECK(gin()->layer.attention().plan(causal(3)) == "ragged_attention > gin, fused");
  both_ways(
      [] { return gin(); },
      [](const OracleGin& at, const Tensor& out, double loss) {
        check_near(out,
                   {-.191619164316, .502269064755, .356363240586, -.037131605117, -.437472081800, .260211567061,
                    .426951037324, .027488776274, -.733983819597, -.074384010087, .274652956834, -.115973997401},
                   1e-12);
        check_near(loss, .167625045570, 1e-12);
        check_near(at.grad("normaliser.sharpness"), {-.00581842288}, 1e-8);
        check_near(at.grad("finish.epsilon"), {.01796250636, -.02276315256}, 1e-8);
        check_near(at.x.grad().rows(0, 1), {.3006781383, -.2699056947, -.0195043193, -.2208333699}, 1e-8);
        check_near(at.x.grad().rows(2, 3), {-.0032591358, -.0291019111, -.0061162960, .0086529518}, 1e-8);
        check_near(at.grad("query.weight").rows(0, 1), {.0250256378, -.0034811651, -.0243294048, .0178989371}, 1e-8);
      });
  const auto at = gin();
  const Tensor map = at->layer.map(at->x, causal(3)).value();  // edges 00, 10, 11, 20, 21, 22
  const auto entry = [&](std::int64_t edge, std::int64_t head) { return map.data<double>()[edge * 2 + head]; };
  check_near(entry(1, 0), .7261405426, 1e-10);
  check_near(entry(2, 0), .2738594574, 1e-10);
  check_near(entry(3, 0), .1061416657, 1e-10);
  check_near(entry(4, 0), .7996375007, 1e-10);
  check_near(entry(5, 0), .0942208336, 1e-10);
  check_near(entry(3, 1), .1641737255, 1e-10);
  check_near(entry(4, 1), .7501274183, 1e-10);
  check_near(entry(5, 1), .0856988562, 1e-10);
}

TEST_CASE("GIN-Attention: the printed numbers under rotary positions") {
  // A user's score, so that this test needs no other layer: a head of two channels turns by one radian a position.
  struct TurnedDot {
    static Var turned(const Var& x) {
      const auto of = [](double (*f)(double)) {
        return Var(tabulate(Shape{3, 1, 1}, [f](std::int64_t p) { return f(static_cast<double>(p)); }));
      };
      const Var a = slice(x, 2, 0, 1), b = slice(x, 2, 1, 2), c = of(std::cos), s = of(std::sin);
      return concat({a * c - b * s, b * c + a * s}, 2);
    }
    Var operator()(const EdgeView& view) const {
      return edge_dot(view.graph, turned(view.query), turned(view.key)) / std::sqrt(2.0);
    }
  };
  GinAttentionOptions options;
  options.score = TurnedDot{};
  options.normaliser = Softmax{.learn = true};
  const OracleGin at(std::move(options));
  const Var loss = oracle_loss(at.layer(at.x, causal(3)));
  loss.backward();
  check_near(loss.item(), .168721843217, 1e-12);
  check_near(at.grad("normaliser.sharpness"), {-.00442748591}, 1e-8);
  check_near(at.grad("finish.epsilon"), {.01492549769, .00440828776}, 1e-8);
  const Tensor map = at.layer.map(at.x, causal(3)).value();
  check_near(map.data<double>()[6], .2756297548, 1e-10);
  check_near(map.data<double>()[8], .5507328580, 1e-10);
  check_near(map.data<double>()[10], .1736373872, 1e-10);
}

TEST_CASE("GIN-Attention: the printed numbers of the differential map") {
  const auto make = [] {
    GinAttentionOptions options;
    options.normaliser = Differential{.map = Softmax{.learn = true}, .lambda = .2};
    return std::make_unique<OracleGin>(std::move(options));
  };
  CHECK(make()->layer.attention().plan(causal(3)) == "ragged_attention > gin, fused");
  both_ways(make, [](const OracleGin& at, const Tensor&, double loss) {
    check_near(loss, .187874403474, 1e-12);
    check_near(at.grad("normaliser.lambda"), {.11314626792}, 1e-8);
    check_near(at.grad("normaliser.sharpness"), {-.00327936718}, 1e-8);
  });
}

TEST_CASE("GIN-Attention: the printed numbers of every adjacency mode") {
  struct Row {
    const char* mode;
    double loss, sharpness, threshold;
  };
  for (const Row& row :
       {Row{"relu", .202891094204, .00440942, .19073230}, Row{"silu", .232039319129, -.00410843, .12540856},
        Row{"softplus", .165687356756, -.00638117, .04208324},
        Row{"sharp_softplus", .201719383020, -.00452547, .13373233},
        Row{"sigmoid_elementwise", .158070441486, .00004592, .01566591},
        Row{"flowthreshold", .144739862760, .03131948, .26714841}, Row{"binary", .110140050600, 0, 0},
        Row{"silu+binary", .081606935069, -.00547884, .01910555},
        Row{"silu_below_binary_above", .108502657998, -.00471781, -.03287688},
        Row{"relu_below_binary_above", .110140050600, 0, 0},
        Row{"softplus_below_binary_above", .157180348471, -.00496009, -.03620777}}) {
    INFO(row.mode);
    const auto at = gin(row.mode, true);
    const Var loss = oracle_loss(at->layer(at->x, causal(3)));
    loss.backward();
    check_near(loss.item(), row.loss, 1e-12);
    check_near(at->grad("normaliser.sharpness"), {row.sharpness}, 1e-8);
    check_near(at->grad("gate.threshold"), {row.threshold}, 1e-8);
  }
}

TEST_CASE("PNA-Attention: the printed numbers of a whole layer, with the intended and the published maximum") {
  const auto intended = [] { return std::make_unique<OraclePna>(); };
  const auto literal = [] { return std::make_unique<OraclePna>(PnaAttentionOptions{.maximum = MaximumOf::self}); };
  CHECK(intended()->layer.attention().plan(causal(3)) == "ragged_attention > per_head, fused");
  both_ways(intended, [](const OraclePna& at, const Tensor& out, double loss) {
    check_near(out.rows(2, 3), {.032321190554, -.022015785024, .011383085174, -.005659569127}, 1e-12);
    check_near(loss, .025467251101, 1e-12);
    check_near(at.grad("query.weight").rows(0, 1), {-.0055027847, -.0001155603, .0055258969, -.0041559786}, 1e-8);
    check_near(at.grad("value.weight").rows(0, 1), {.0016957196, .0052066788, -.0027370554, -.0000553586}, 1e-8);
  });
  both_ways(literal, [](const OraclePna& at, const Tensor& out, double loss) {
    check_near(out.rows(2, 3), {.032734328305, -.029341139653, .021075546087, .007066786633}, 1e-12);
    check_near(loss, .047247655228, 1e-12);
    check_near(at.grad("query.weight").rows(0, 1), {-.0066386619, -.0001878746, .0066762368, -.0050259651}, 1e-8);
    check_near(at.grad("value.weight").rows(0, 1), {-.0113357968, .0084343251, .0096489318, -.0132420552}, 1e-8);
  });
  const auto loss_with = [](MaximumOf maximum) {
    const OraclePna at({.mode = "sharp_softplus", .maximum = maximum});
    return oracle_loss(at.layer(at.x, causal(3))).item();
  };
  check_near(loss_with(MaximumOf::neighbours), .026443511763, 1e-12);
  check_near(loss_with(MaximumOf::self), .048851537474, 1e-12);
}

TEST_CASE("PNA-Attention: the statistics themselves") {
  const auto features = [](Choice<AggregatorKind> aggregator) {
    const Model model({.seed = 1, .dtype = DType::float64});
    const GraphAttention attention(
        model, {.channels = 4, .heads = 2, .aggregator = aggregator, .output = Output::none, .bias = false});
    set(model, "query.weight", filler({4, 4}, 2, 4));
    set(model, "key.weight", filler({4, 4}, 3, 4));
    set(model, "value.weight", filler({4, 4}, 12));
    return attention(filler({3, 4}, 1), causal(3)).value();  // [3, 2 heads x 4 statistics x 2]
  };
  const auto head = [](const Tensor& all, std::int64_t row) {
    return Tensor::from(std::span<const double>(all.data<double>() + row * 16, 8), Shape{8});
  };
  check_near(head(features(Pna{.neighbours = Neighbours::listed}), 1),
             {.1975201457, -.0111041506, .1975201457, -.0111041506, .39, .41, .0784394183, .0837558677}, 1e-10);
  const Tensor own = features(Pna{.maximum = MaximumOf::self});
  check_near(own.data<double>()[16 + 4], -.21, 1e-12);
  check_near(own.data<double>()[16 + 5], .41, 1e-12);
  check_near(head(features(PnaLm{}), 2), {-.1113909714, .2355471269, -.21, .41, .0449893229, .0752946720, -.21, .41},
             1e-10);
}

TEST_CASE("PNA_LM: the printed numbers of a whole layer") {
  both_ways(
      [] { return std::make_unique<OraclePna>(PnaAttentionOptions{.lm = true}); },
      [](const OraclePna& at, const Tensor& out, double loss) {
        check_near(out.rows(2, 3), {.010831111444, -.010922575030, .000871808305, -.006286024909}, 1e-12);
        check_near(loss, .003642701587, 1e-12);
        check_near(at.grad("query.weight").rows(0, 1), {-.0020691716, -.0012256465, .0023143009, -.0018582903}, 1e-8);
        check_near(at.grad("value.weight").rows(0, 1), {.0177163991, -.0101297897, -.0156904412, .0166474773}, 1e-8);
      });
}

}  // namespace atto::test
