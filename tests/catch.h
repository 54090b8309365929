// Catch2, version 2 or 3, whichever the system has. Test files include this first: it is precompiled,
// and a precompiled header must come before anything else (and must not say "pragma once").
#ifndef MESAGRAD_TESTS_CATCH_H
#define MESAGRAD_TESTS_CATCH_H
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // as version 2 does itself
#else
#include <catch2/catch.hpp>
#endif
#endif
