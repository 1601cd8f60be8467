#include "core/pool.hpp"

#include <array>
#include <new>

#include "core/sanitizer.hpp"

namespace atto {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 16;
constexpr std::size_t kPerSlab = 64;

struct Free {
  Free* next;
};

// Trivial, so that objects may still come back while a thread ends. What it then holds is lost to other threads.
thread_local constinit std::array<Free*, kClasses> lists{};

}  // namespace

void* Pooled::operator new(std::size_t bytes) {
  const std::size_t index = (bytes - 1) / kStep;
  if (kAddressSanitizer || index >= kClasses) return ::operator new(bytes);
  Free*& list = lists[index];
  if (list == nullptr) {
    const std::size_t size = (index + 1) * kStep;
    auto* slab = static_cast<std::byte*>(::operator new (size* kPerSlab, std::align_val_t{kStep}));
    for (std::size_t i = kPerSlab; i-- > 0;) list = new (slab + i * size) Free{list};
  }
  Free* object = list;
  list = object->next;
  return object;
}

void Pooled::operator delete(void* object, std::size_t bytes) noexcept {
  const std::size_t index = (bytes - 1) / kStep;
  if (kAddressSanitizer || index >= kClasses) return ::operator delete(object);
  lists[index] = new (object) Free{lists[index]};
}

}  // namespace atto
