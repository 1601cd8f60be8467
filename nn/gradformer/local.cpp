#include "nn/gradformer/local.hpp"

#include "nn/attention/gat_conv.hpp"
#include "nn/conv/gcn_conv.hpp"
#include "nn/conv/gin_conv.hpp"
#include "nn/names.hpp"

namespace atto {
namespace {

constexpr Names<Local, 7> kNames{"local branch",
                                 {{{Local::none, "none"},
                                   {Local::gcn, "gcn"},
                                   {Local::gin, "gin"},
                                   {Local::gine, "gine"},
                                   {Local::gatedgcn, "gatedgcn"},
                                   {Local::gat, "gat"},
                                   {Local::gatv2, "gatv2"}}}};

// A convolution whose call is a function of (x, batch, e).
template <class Conv, class Call>
class Wrapped final : public LocalConv {
 public:
  template <class... Options>
  explicit Wrapped(Call call, Options&&... options)
      : conv_(std::forward<Options>(options)...), call_(std::move(call)) {}
  NodesAndEdges operator()(const Var& x, const Batch& batch, const EdgeRows& e) const override {
    return call_(conv_, x, batch, e);
  }

 private:
  Conv conv_;
  Call call_;
};

template <class Conv, class Call, class... Options>
std::unique_ptr<LocalConv> wrap(Call call, Options&&... options) {
  return std::make_unique<Wrapped<Conv, Call>>(std::move(call), std::forward<Options>(options)...);
}

NodesAndEdges nodes(Var x) {
  return {.node = std::move(x), .edge = {}};
}

}  // namespace

std::string_view name_of(Local local) {
  return kNames.name(local);
}
Local local(std::string_view name) {
  return kNames.parse(name);
}

bool reads_edges(Local local) {
  return local == Local::gine || local == Local::gatedgcn;
}

std::unique_ptr<LocalConv> make_local(Local local, const Scope& scope, const LocalOptions& o) {
  const std::int64_t d = o.channels;
  switch (local) {
    case Local::none:
      break;
    case Local::gcn:
      return wrap<GcnConv>([](const GcnConv& conv, const Var& x, const Batch& batch,
                              const EdgeRows&) { return nodes(conv(x, batch.looped())); },
                           scope, d, d);
    case Local::gin:
      return wrap<GinConv>([](const GinConv& conv, const Var& x, const Batch& batch,
                              const EdgeRows&) { return nodes(conv(x, batch.graphs.graph())); },
                           scope, d, d);
    case Local::gine:
      return wrap<GineConv>([](const GineConv& conv, const Var& x, const Batch& batch,
                               const EdgeRows& e) { return nodes(conv(x, batch.graphs.graph(), e)); },
                            scope, d, d, d);
    case Local::gatedgcn:
      return wrap<GatedGcnConv>([](const GatedGcnConv& conv, const Var& x, const Batch& batch,
                                   const EdgeRows& e) { return conv(x, batch.graphs.graph(), e); },
                                scope, d, GatedGcnOptions{.edge_state = o.edge_state, .dropout = o.dropout});
    case Local::gat:
    case Local::gatv2:
      return wrap<GatConv>([](const GatConv& conv, const Var& x, const Batch& batch,
                              const EdgeRows&) { return nodes(conv(x, batch.looped())); },
                           scope, d, d,
                           GatConvOptions{.heads = o.heads, .dropout = o.dropout, .dynamic = local == Local::gatv2});
  }
  return nullptr;
}

}  // namespace atto
