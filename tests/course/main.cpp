#include "tests/course/main.h"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  try {
    return mesagrad::course::run({argv, argv + argc});
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << '\n';
    return 2;
  }
}
