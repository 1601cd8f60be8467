#pragma once
// Where memory lives, and the small values by which a kernel overload is chosen.

#include <cstdint>

/// Marks a function that host and device code share.
#if defined(__CUDACC__)
#define HD __host__ __device__
#else
#define HD
#endif

namespace atto {

enum class DeviceKind : std::uint8_t { cpu, cuda };

/// A place for memory. Default: the CPU.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  std::int8_t index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

/// Kernels are overloaded on this value. A GPU backend adds `struct Cuda {stream, blas, sparse}` beside it and one more
/// overload per kernel; a build without it never names those symbols.
struct Cpu {};

}  // namespace atto
