#include "ops/ragged_attention/ragged_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "ops/dispatch.hpp"

namespace atto {

const Schema ragged_attention_schema{{
    .name = "ragged_attention",
    .signature = "q[N,H,D], k[M,G,D], v[M,G,V], multiply?[H,B], add?[H,B], gate?[H,B], dense?[P] -> out[N,H,V]",
    .formula =
        "z = scale q.k * multiply[b] + add[b] + dense; p = softmax_j(z); out_i = sum_j dropout(p_ij gate[b_ij]) v_j",
    .gradient =
        "dz = p (dropout(gate) dout_i.v_j - dout_i.out_i); dscore = dz multiply; dq_i = scale sum_j dscore k_j; "
        "dk_j = scale sum_i dscore q_i; dv_j = sum_i dropout(p gate) dout_i; dmultiply[b] = sum_(b_ij=b) dz score; "
        "dadd[b] = sum_(b_ij=b) dz; dgate[b] = sum_(b_ij=b) dropout(p) dout_i.v_j; ddense = dz",
    .cost = "sum over segments of H n_q n_k (2 D + 2 V + 20) FLOP; (H n_q + G n_k) (D + V) values and, with tables, "
            "n_q n_k "
            "bytes moved; the dense term adds H n_q n_k values; causal: only pairs that are seen count",
}};

namespace {

constexpr const char* kName = "ragged_attention";

// The largest bucket, and the largest below 255. In this form the loop becomes vectors.
struct Largest {
  std::uint8_t any = 0, finite = 0;
};
Largest largest_of(const std::uint8_t* buckets, std::int64_t n) {
  std::uint8_t any = 0, after_finite = 0;
  for (std::int64_t p = 0; p < n; ++p) {
    const auto bucket = buckets[p], after = static_cast<std::uint8_t>(bucket + 1);  // 0 after 255
    any = any > bucket ? any : bucket;
    after_finite = after_finite > after ? after_finite : after;
  }
  return {any, static_cast<std::uint8_t>(after_finite == 0 ? 0 : after_finite - 1)};
}

// The smallest and largest sizes that the kernels index by: what is inside a plane is checked here, once per call.
std::vector<std::uint8_t> largest_buckets(const std::uint8_t* buckets, const std::vector<std::int64_t>& pair_offsets,
                                          std::int64_t table_size) {
  const auto graphs = static_cast<std::int64_t>(pair_offsets.size()) - 1;
  std::vector<std::uint8_t> largest(static_cast<std::size_t>(graphs)), any(static_cast<std::size_t>(graphs));
  const std::int64_t mean = graphs > 0 ? pair_offsets.back() / graphs : 0;
  parallel_for(graphs, mean / 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      const std::int64_t begin_pair = pair_offsets[static_cast<std::size_t>(g)];
      const Largest found =
          largest_of(buckets + begin_pair, pair_offsets[static_cast<std::size_t>(g) + 1] - begin_pair);
      largest[static_cast<std::size_t>(g)] = found.finite;
      any[static_cast<std::size_t>(g)] = found.any;
    }
  });
  for (std::int64_t g = 0; g < graphs; ++g)
    if (const int bucket = any[static_cast<std::size_t>(g)]; bucket >= table_size)
      if (pair_offsets[static_cast<std::size_t>(g)] < pair_offsets[static_cast<std::size_t>(g) + 1])
        throw IndexError({.op = kName,
                          .argument = "buckets",
                          .got = "bucket " + std::to_string(bucket) + " in segment " + std::to_string(g),
                          .expected = "buckets below the tables' " + std::to_string(table_size),
                          .hint = {}});
  return largest;
}

std::vector<std::int64_t> make_pair_offsets(const Ragged& queries, const Ragged& keys) {
  if (queries.count() != keys.count())
    throw ShapeError({.op = kName,
                      .argument = "keys",
                      .got = std::to_string(keys.count()) + " segments",
                      .expected = std::to_string(queries.count()) + " as in queries",
                      .hint = {}});
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(static_cast<std::size_t>(queries.count()) + 1);
  for (std::int64_t g = 0; g < queries.count(); ++g)
    offsets.push_back(offsets.back() + checked_multiply(queries.size(g), keys.size(g)));
  return offsets;
}

// Pairs that a causal mask leaves: query i sees the keys j <= i + n_k - n_q.
std::int64_t causal_pairs(const Ragged& queries, const Ragged& keys) {
  std::int64_t pairs = 0;
  for (std::int64_t g = 0; g < queries.count(); ++g) {
    const std::int64_t seen = std::min(queries.size(g), keys.size(g));  // by the last ones; earlier queries see no key
    pairs += seen * keys.size(g) - seen * (seen - 1) / 2;
  }
  return pairs;
}

// Of 16 random bits, those below the threshold drop.
std::uint32_t threshold_of(const RaggedAttentionOptions& options) {
  if (!(options.dropout >= 0 && options.dropout < 1))
    throw ValueError({.op = kName,
                      .argument = "dropout",
                      .got = std::to_string(options.dropout),
                      .expected = "a number in [0, 1)",
                      .hint = {}});
  return static_cast<std::uint32_t>(std::min(65535.0, std::round(options.dropout * 65536)));
}
double keep_scale_of(std::uint32_t threshold) {
  return 65536.0 / (65536.0 - threshold);
}

class RaggedAttention final : public Op {
 public:
  RaggedAttention(const Ragged& queries, const Ragged& keys, const BucketPlane& buckets,
                  const RaggedAttentionOptions& options)
      : queries_(queries),
        keys_(keys),
        buckets_(buckets.values),
        options_(options),
        pair_offsets_(make_pair_offsets(queries, keys)),
        threshold_(threshold_of(options)),
        given_offsets_(buckets.offsets) {}

  const Schema& schema() const override { return ragged_attention_schema; }
  void bind(Dims& dims) const override {
    dims.set("N", queries_.total());
    dims.set("M", keys_.total());
  }

  Tensor forward(Inputs in) override {
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i] = in[i];
    check();
    out_ = Tensor::empty({q().size(0), q().size(1), v().size(2)}, q().dtype(), q().device());
    const Shape rows{q().size(0), q().size(1)};
    row_max_ = Tensor::empty(rows, q().dtype(), q().device());
    row_inverse_ = Tensor::empty(rows, q().dtype(), q().device());
    dispatch(q(), kName, [&]<class T>(auto device) { kernels::ragged_attention_forward(device, call<T>()); });
    const Tensor out = out_;
    cost_ = cost_of_forward();
    if (!recording()) {
      in_ = {};
      out_ = row_max_ = row_inverse_ = Tensor{};
    }
    return out;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    dispatch(gradient, kName, [&]<class T>(auto device) {
      std::array<Tensor, 7> results;
      // Masked pairs of `dense` are visited by nobody.
      for (std::size_t i = 0; i < in_.size(); ++i)
        if (gradients.wants(i))
          results[i] = i == 6 && options_.causal ? Tensor::zeros(in_[i].shape(), in_[i].dtype(), in_[i].device())
                                                 : Tensor::empty(in_[i].shape(), in_[i].dtype(), in_[i].device());
      const auto to = [&](std::size_t i) { return results[i].defined() ? results[i].template data<T>() : nullptr; };
      kernels::ragged_attention_backward(device, call<T>(),
                                         kernels::RaggedAttentionGradients<T>{.out = gradient.data<T>(),
                                                                              .q = to(0),
                                                                              .k = to(1),
                                                                              .v = to(2),
                                                                              .multiply = to(3),
                                                                              .add = to(4),
                                                                              .gate = to(5),
                                                                              .dense = to(6)});
      for (std::size_t i = 0; i < in_.size(); ++i)
        if (gradients.wants(i)) gradients.add(i, std::move(results[i]));
    });
  }

  Cost cost() const override { return cost_; }
  // Five products in place of two: scores once more, dp, dq, dk, dv.
  double backward_factor() const override { return 2.5; }

 private:
  Cost cost_of_forward() const {
    const auto heads = static_cast<double>(q().size(1)), widths = static_cast<double>(q().size(2) + v().size(2));
    const auto pairs = static_cast<double>(options_.causal ? causal_pairs(queries_, keys_) : pair_offsets_.back());
    double values = widths * static_cast<double>(q().size(0) * q().size(1) + k().size(0) * k().size(1));
    if (in_[6].defined()) values += heads * pairs;
    return {.flops = heads * pairs * (2 * widths + 20),
            .bytes = values * static_cast<double>(size_of(q().dtype())) + (largest_.empty() ? 0 : pairs)};
  }

  const Tensor& q() const { return in_[0]; }
  const Tensor& k() const { return in_[1]; }
  const Tensor& v() const { return in_[2]; }
  std::int64_t table_size() const {
    for (std::size_t i = 3; i < 6; ++i)
      if (in_[i].defined()) return in_[i].size(1);
    return 0;
  }

  // What the schema cannot say.
  void check() {
    const std::int64_t heads = q().size(1), kv_heads = k().size(1);
    if (kv_heads == 0 ? heads != 0 : heads % kv_heads != 0)
      throw ShapeError({.op = kName,
                        .argument = "k",
                        .got = std::to_string(kv_heads) + " heads",
                        .expected = "a divisor of the " + std::to_string(heads) + " heads of q",
                        .hint = {}});
    if (in_[6].defined() && in_[6].numel() != checked_multiply(heads, pair_offsets_.back()))
      throw ShapeError(
          {.op = kName,
           .argument = "dense",
           .got = in_[6].shape().str(),
           .expected = "[" + std::to_string(heads * pair_offsets_.back()) + "], a block [H,n_q,n_k] per segment",
           .hint = {}});
    // The counters of random bits have 32 bits for head and row group.
    if (threshold_ > 0 && kernels::row_groups(queries_.total(), queries_.count()) >
                              (std::int64_t{1} << 32) / std::max<std::int64_t>(1, heads))
      throw ShapeError({.op = kName,
                        .argument = "q",
                        .got = q().shape().str() + " in " + std::to_string(queries_.count()) + " segments",
                        .expected = "at most 2^32 heads x (rows / 8 + segments) with dropout",
                        .hint = {}});
    const std::int64_t size = table_size();
    if (size == 0 && !in_[3].defined() && !in_[4].defined() && !in_[5].defined()) return;
    if (size > 256 || size < 1)
      throw ShapeError({.op = kName,
                        .argument = "tables",
                        .got = "B = " + std::to_string(size),
                        .expected = "1 <= B <= 256",
                        .hint = "buckets are stored in one byte"});
    if (!buckets_.defined() || buckets_.dtype() != DType::uint8)
      throw TypeError({.op = kName,
                       .argument = "buckets",
                       .got = buckets_.str(),
                       .expected = "uint8: the bucket of every pair, for the tables",
                       .hint = {}});
    if (given_offsets_ != pair_offsets_ || buckets_.numel() != pair_offsets_.back())
      throw ShapeError({.op = kName,
                        .argument = "buckets",
                        .got = buckets_.str() + " in " + std::to_string(std::ssize(given_offsets_) - 1) + " blocks",
                        .expected = "n_q x n_k values for each of the " + std::to_string(queries_.count()) +
                                    " segments, " + std::to_string(pair_offsets_.back()) + " in all",
                        .hint = "is the plane of another batch?"});
    largest_ = largest_buckets(buckets_.data<std::uint8_t>(), pair_offsets_, size);
  }

  template <class T>
  kernels::RaggedAttentionCall<T> call() const {
    const auto optional = [&](std::size_t i) { return in_[i].defined() ? in_[i].data<T>() : nullptr; };
    const double width = std::max<double>(1, static_cast<double>(q().size(2)));
    return {
        .graphs = queries_.count(),
        .query_offsets = queries_.offsets().data(),
        .key_offsets = keys_.offsets().data(),
        .pair_offsets = pair_offsets_.data(),
        .heads = q().size(1),
        .kv_heads = k().size(1),
        .width = q().size(2),
        .value_width = v().size(2),
        .q = q().data<T>(),
        .k = k().data<T>(),
        .v = v().data<T>(),
        .buckets = largest_.empty() ? nullptr : buckets_.data<std::uint8_t>(),
        .largest = largest_.empty() ? nullptr : largest_.data(),
        .table_size = table_size(),
        .multiply = optional(3),
        .add = optional(4),
        .gate = optional(5),
        .dense = optional(6),
        .scale = static_cast<T>(options_.scale.value_or(1 / std::sqrt(width))),
        .causal = options_.causal,
        .threshold = threshold_,
        .keep_scale = static_cast<T>(keep_scale_of(threshold_)),
        .seed = options_.random.seed,
        .stream = options_.random.stream,
        .out = out_.data<T>(),
        .row_max = row_max_.data<T>(),
        .row_inverse = row_inverse_.data<T>(),
    };
  }

  Ragged queries_, keys_;
  Tensor buckets_;
  RaggedAttentionOptions options_;
  std::vector<std::int64_t> pair_offsets_;
  std::uint32_t threshold_;
  std::vector<std::int64_t> given_offsets_;
  std::vector<std::uint8_t> largest_;
  std::array<Tensor, 7> in_;
  Tensor out_, row_max_, row_inverse_;
  Cost cost_;
};

}  // namespace

Var ragged_attention(const Var& q, const Var& k, const Var& v, const Ragged& queries, const Ragged& keys,
                     const BucketPlane& buckets, const AttentionTables& tables, const Var& dense,
                     const RaggedAttentionOptions& options) {
  return apply<RaggedAttention>({q, k, v, tables.multiply, tables.add, tables.gate, dense}, queries, keys, buckets,
                                options);
}

Tensor ragged_attention_dropout_mask(const Ragged& queries, const Ragged& keys, std::int64_t heads,
                                     const RaggedAttentionOptions& options) {
  const std::vector<std::int64_t> pair_offsets = make_pair_offsets(queries, keys);
  const std::uint32_t threshold = threshold_of(options);
  const double keep_scale = keep_scale_of(threshold);
  kernels::RaggedAttentionCall<double> call;
  call.query_offsets = queries.offsets().data();
  call.heads = heads;
  Tensor mask = Tensor::full({heads * pair_offsets.back()}, 1.0, DType::float64);
  if (threshold == 0) return mask;
  double* to = mask.data<double>();
  for (std::int64_t g = 0; g < queries.count(); ++g)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t i = 0; i < queries.size(g); ++i)
        for (std::int64_t j = 0; j < keys.size(g); ++j) {
          const std::uint64_t counter =
              (std::uint64_t{kernels::dropout_row(call, g, h, i)} << 32) | static_cast<std::uint64_t>(j);
          const auto row = static_cast<std::size_t>(i % kernels::kRowGroup);
          *to++ =
              ((options.random.block(counter)[row / 2] >> (row % 2 * 16)) & 0xFFFFu) >= threshold ? keep_scale : 0.0;
        }
  return mask;
}

}  // namespace atto
