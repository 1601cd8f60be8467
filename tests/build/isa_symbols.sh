#!/bin/sh
# isa_symbols.sh LIBRARY...: every global symbol of an object compiled for AVX2 or AVX-512 must name that instruction set.
# An inline function or template without the tag (std::max, a helper in a header) would be a weak copy with AVX code that
# the linker may choose for the whole program: an illegal instruction on processors without it.
nm -AC --defined-only "$@" | awk '
  match($0, /\.(Avx2|Avx512)\.cpp\.o:/) {
    isa = substr($0, RSTART + 1, RLENGTH - 8)
    symbol = substr($0, RSTART + RLENGTH)
    if (symbol !~ /^[0-9a-f]* *[A-Zu] / || symbol ~ /DW\.ref\./) next
    ++seen
    if (symbol !~ "::" isa "[^A-Za-z0-9_]") { print "not bound to " isa ": " $0; ++bad }
  }
  END { print seen + 0 " global symbols in AVX2 and AVX-512 objects, " bad + 0 " not bound to them"; exit bad > 0 }'
