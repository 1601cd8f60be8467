#include "ops/table.hpp"

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "ops/adjacency/adjacency.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "ops/gat/gat.hpp"
#include "ops/gated_conv/gated_conv.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/index/index.hpp"
#include "ops/linear/linear.hpp"
#include "ops/loss/loss.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/norm/norm.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/segment/segment.hpp"
#include "ops/shape/shape.hpp"
#include "ops/skeleton/row_scale.hpp"
#include "ops/softmax/softmax.hpp"

namespace atto {

std::span<const Schema* const> op_table() {
  static const std::vector<const Schema*> table = [] {
    std::vector<const Schema*> all{
        &row_scale_schema,
        // attention
        &adjacency_schema,
        &gat_schema,
        &gat_self_schema,
        &gatv2_schema,
        &gated_conv_schema,
        &hop_decay_schema,
        &ragged_attention_schema,
        // arithmetic and reductions
        &add_schema,
        &sub_schema,
        &mul_schema,
        &div_schema,
        &maximum_schema,
        &minimum_schema,
        &sum_schema,
        &mean_schema,
        &max_schema,
        // shape
        &reshape_schema,
        &concat_schema,
        &slice_schema,
        // dense
        &matmul_schema,
        &linear_schema,
        &dropout_schema,
        &layer_norm_schema,
        &rms_norm_schema,
        &batch_norm_schema,
        &batch_norm_inference_schema,
        // edges
        &edge_add_schema,
        &edge_mul_schema,
        &edge_dot_schema,
        &edge_bucket_schema,
        &edge_softmax_schema,
        &edge_sum_schema,
        &edge_mean_schema,
        &edge_max_schema,
        &edge_min_schema,
        &spmm_schema,
        &spmm_mean_schema,
        &spmm_max_schema,
        &spmm_min_schema,
        &gated_sum_schema,
        &gine_sum_schema,
        // segments and rows by index
        &segment_sum_schema,
        &segment_mean_schema,
        &segment_max_schema,
        &segment_softmax_schema,
        &segment_broadcast_schema,
        &gather_rows_schema,
        &scatter_add_rows_schema,
        &embedding_schema,
        // losses
        &cross_entropy_schema,
        &l1_loss_schema,
        &mse_loss_schema,
        &bce_with_logits_schema,
        // softmax
        &softmax_schema,
        &log_softmax_schema,
        &log_sum_exp_schema,
        // pointwise
        &scale_schema,
        &abs_schema,
        &square_schema,
        &sqrt_schema,
        &rsqrt_schema,
        &reciprocal_schema,
        &pow_schema,
        &clamp_schema,
        &exp_schema,
        &log_schema,
        &log1p_schema,
        &sigmoid_schema,
        &log_sigmoid_schema,
        &tanh_schema,
        &softplus_schema,
        &relu_schema,
        &leaky_relu_schema,
        &elu_schema,
        &gelu_schema,
        &gelu_tanh_schema,
        &silu_schema,
    };
    std::sort(all.begin(), all.end(), [](const Schema* a, const Schema* b) { return a->name() < b->name(); });
    return all;
  }();
  return table;
}

std::string explain(std::string_view op) {
  std::string names;
  for (const Schema* schema : op_table()) {
    const Schema::Text& text = schema->text();
    if (text.name != op) {
      if (text.name.find(op.substr(0, 4)) != std::string_view::npos)
        names += (names.empty() ? "" : ", ") + std::string(text.name);
      continue;
    }
    std::string result = std::string(text.name) + ": " + std::string(text.signature) + "\n  forward   " +
                         std::string(text.formula) + "\n";
    result += "  backward  " + (text.gradient.empty() ? std::string("none") : std::string(text.gradient)) + "\n";
    return result + "  cost      " + std::string(text.cost) + "\n  devices   CPU (float32, float64)\n";
  }
  throw ValueError({.op = "explain",
                    .argument = "op",
                    .got = std::string(op),
                    .expected = "the name of an operation",
                    .hint = names.empty() ? "op_table() lists them" : "did you mean " + names + "?"});
}

}  // namespace atto
