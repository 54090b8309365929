// A source file, taken apart: its tokens, what it declares where, and which words its functions use for
// variables of their own.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tutorials/lesson/tokens.h"

namespace mesagrad::book {

struct Word {
  lesson::Kind kind = lesson::Kind::other;
  std::string text = {};
  int line = 0;
  std::size_t column = 0;
  bool after_space = false;
  std::size_t open = 0;  // the bracket that it stands in; of a bracket, the opening one
  bool is(const char* other) const { return text == other; }
};

// a::b, if the word at i is this b.
std::string path(const std::vector<Word>& words, std::size_t i);

// Variables with their types ("" if these are not obvious), and types that a function has to itself ("").
using Variables = std::map<std::string, std::string>;

// A declaration, with its body if it has one: tokens first .. last.
struct Declaration {
  std::size_t first = 0, last = 0;
  std::string owner = {}, space = {};  // the type whose names it knows; its innermost namespace
  Variables locals = {};
  std::vector<std::size_t> names = {};  // the tokens that it defines: a type, a function, variables
  bool is_function = false, has_body = false;
  bool is_field = false;  // data members or enumerators
};

struct Scanned {
  std::vector<Word> words;
  std::vector<std::string> includes;
  std::vector<Declaration> declarations;
  std::map<std::string, Variables> fields;  // of types
  std::map<std::string, std::set<std::string>> bases;
};

Scanned scan(const std::string& source);

}  // namespace mesagrad::book
