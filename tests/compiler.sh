# How the Makefile, whose variables this expects, calls the compiler: prints a checksum, our flags and our
# libraries, or "error:" and a sentence.
export LC_ALL=C
refuses() { echo "error: $*"; exit; }

# holds CONDITION FLAGS: is it true for the preprocessor?
holds() { printf '#if %s\nyes\n#endif\n' "$1" | eval "$CXX $2 -x c++ -E -P -" 2>/dev/null | grep -q yes; }

flags="-std=c++20 -g1" libraries=""
add() { flags="$flags $*"; }

# knows FLAG ...: adds the first of these flags that this compiler knows, if there is one.
knows() {
  for flag; do
    if eval "$CXX $flags $CPPFLAGS -Werror" '"$flag"' -E -x c++ /dev/null >/dev/null 2>&1; then
      add "$flag"
      return
    fi
  done
  false
}

holds '__clang_major__ >= 14 || (!__clang__ && __GNUC__ >= 12)' '' ||
  refuses "mesagrad needs g++ 12 or clang++ 14, or newer ones, and CXX=$CXX is none of them"

knows "-march=$ARCH" "-mcpu=$ARCH" || [ "$ARCH" = native ] ||
  refuses "$CXX knows no processor of the name ARCH=$ARCH"
knows -mprefer-vector-width=512
add -ffp-contract=off # the source says what is a fused multiply-add: the same bits everywhere
add -fno-math-errno # square roots in vectors: nobody asks errno about them

case $REAL in
  float) ;;
  double) add -DMESAGRAD_DOUBLE ;;
  *) refuses "REAL=$REAL is neither float nor double" ;;
esac

if [ "$(uname)" = Darwin ]; then
  brew=$(brew --prefix)
  add -Xpreprocessor -fopenmp "-I$brew/opt/libomp/include" "-I$brew/include"
  libraries="-L$brew/opt/libomp/lib -lomp -L$brew/lib"
else
  add -fopenmp
fi

# Catch2 version 3 is a library, version 2 a header.
if holds '__has_include(<catch2/catch_all.hpp>)' "$flags $CPPFLAGS"; then libraries="$libraries -lCatch2"; fi

add -Wall -Wextra -Wshadow -Wconversion
knows -Wno-restrict # g++ 12 sees overlaps in std::string where there are none
if holds __clang__ ""; then add -Wno-pass-failed; fi # clang's word for a loop that it did not vectorize
if [ -e tests/course/starter ]; then add -Wno-unused -Wno-unused-parameter -Werror=return-type; fi # exercises
if [ "$STRICT" ]; then add -Werror; fi
if [ "$SANITIZE" ]; then
  knows -Wno-maybe-uninitialized # which g++ 12 misjudges in instrumented code
  add -fsanitize=address,undefined -fno-sanitize-recover=all -O1
else
  add -O3
fi

# The checksum is of the compiler's version, of all that it defines (so of what `native` is here), and of
# all flags: a build folder of that name holds nothing that was compiled otherwise or elsewhere.
compiler="$CXX $flags $CPPFLAGS $CXXFLAGS"
about() {
  eval "$CXX --version"
  eval "$compiler -dM -E -x c++ /dev/null"
  echo "$compiler $LDFLAGS $libraries $LDLIBS"
}
echo "$(about 2>&1 | cksum | cut -d ' ' -f 1) $flags $libraries"
