#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

/// Colours of all drawings, on white. Series: Okabe and Ito's palette (told apart with every common colour blindness),
/// without its yellow, which is lost on white. Scales: ColorBrewer's YlGnBu and RdBu, marked colour-blind safe there.
namespace atto::report::palette {

inline constexpr std::string_view ink = "#1f2328", muted = "#59636e", axis = "#8c959f", grid = "#e6e9ed",
                                  missing = "#eceff2";

inline constexpr std::array<std::string_view, 7> series{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                        "#e69f00", "#56b4e9", "#6e7781"};

struct Rgb {
  int red, green, blue;
};

/// Light (low) to dark (high).
inline constexpr std::array<Rgb, 9> sequential{{{255, 255, 217},
                                                {237, 248, 177},
                                                {199, 233, 180},
                                                {127, 205, 187},
                                                {65, 182, 196},
                                                {29, 145, 192},
                                                {34, 94, 168},
                                                {37, 52, 148},
                                                {8, 29, 88}}};
/// Blue (negative) over near white (0) to red (positive).
inline constexpr std::array<Rgb, 9> diverging{{{33, 102, 172},
                                               {67, 147, 195},
                                               {146, 197, 222},
                                               {209, 229, 240},
                                               {247, 247, 247},
                                               {253, 219, 199},
                                               {244, 165, 130},
                                               {214, 96, 77},
                                               {178, 24, 43}}};

/// The colour at `t` in [0, 1] of a scale, as "#rrggbb".
inline std::string colour_at(const std::array<Rgb, 9>& scale, double t) {
  const double place = std::clamp(t, 0.0, 1.0) * 8;
  const int i = std::min(static_cast<int>(place), 7);
  const auto mix = [&](int a, int b) { return static_cast<int>(a + (place - i) * (b - a) + 0.5); };
  const Rgb a = scale[static_cast<std::size_t>(i)], b = scale[static_cast<std::size_t>(i) + 1];
  return fmt::format("#{:02x}{:02x}{:02x}", mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue));
}

}  // namespace atto::report::palette
