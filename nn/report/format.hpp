#pragma once

#include <cstdint>
#include <string>

/// Numbers as people read them. None of these depends on the locale; a value that is not there (NaN) reads "-".
namespace atto::report {

/// `significant` digits, trailing zeros dropped: 0.1235, 12, 1.2e-07. Infinity reads "inf".
std::string number(double value, int significant = 4);

/// `decimals` digits behind the point, for columns that are compared: 0.5000.
std::string fixed(double value, int decimals = 4);

/// "0.8123 ± 0.0212"; the mean alone where the deviation is NaN (a single run has none).
std::string mean_std(double mean, double deviation, int decimals = 4);

/// "512 B", "1.50 GiB": three digits, powers of 1024.
std::string human_bytes(std::uint64_t bytes);

/// "850 µs", "12 ms", "3.42 s", "1 min 20 s", "2 h 05 min", "3 d 04 h". A negative span has a leading minus.
std::string human_seconds(double seconds);

/// "1,234,567".
std::string with_thousands(std::int64_t count);

}  // namespace atto::report
