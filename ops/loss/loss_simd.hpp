#pragma once
// The loops of the losses, for one instruction set.

#include <cstdint>

namespace atto::kernels {

enum class PairLoss { l1, mse, bce };

template <class Isa, class T>
void cross_entropy_rows(std::int64_t begin, std::int64_t end, std::int64_t classes, const T* logits,
                        const std::int64_t* target, const T* weights, std::int64_t ignore, T* loss, T* largest,
                        T* log_sum);
template <class Isa, class T>
void cross_entropy_gradient_rows(std::int64_t begin, std::int64_t end, std::int64_t classes, const T* logits,
                                 const std::int64_t* target, const T* weights, std::int64_t ignore, const T* largest,
                                 const T* log_sum, T factor, T* dz);
template <class Isa, class T>
void pair_loss_chunk(PairLoss kind, std::int64_t size, const T* x, const T* target, T* loss);
template <class Isa, class T>
void pair_loss_gradient_chunk(PairLoss kind, std::int64_t size, const T* x, const T* target, T factor, T* dx);

}  // namespace atto::kernels
