// Who defines a name, and who uses it. Nothing here understands C++: a few rules of thumb about tokens are
// enough for source that is written in one style, and where they are not sure, an identifier is left alone.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace mesagrad::book {

using Sources = std::map<std::string, std::string>;  // texts of files by their paths

struct Place {
  std::string file = {};
  int line = 0;
};

struct Declared {
  Place home = {};
  Place body = {};  // where it is defined, if that is elsewhere; else line 0
};

// A type, a function, a method, a constant, a data member, or an enumerator.
struct Name {
  std::string word = {};
  std::string owner = {};                          // the type that it belongs to, if any
  std::string space = {};                          // its innermost namespace
  bool is_function = false, is_field = false;      // a field is a data member or an enumerator
  std::vector<Declared> declared = {};             // several times if headers overload it
  std::map<std::string, std::set<int>> uses = {};  // lines of files

  std::string full() const { return owner.empty() ? word : owner + "::" + word; }
  const Declared* in(const std::string& file) const;  // nullptr: its home is elsewhere
};

class Names {
 public:
  explicit Names(const Sources& sources);
  Names(const Names&) = delete;  // its pointers lead into itself

  const std::deque<Name>& all() const { return names_; }

  // Of a name's declarations the file's own, or that of its header, or the only one that it knows (what is no
  // source of ours knows all); nullptr if it knows several.
  const Declared* seen_from(const std::string& file, const Name& name) const;

  // What the identifier at a column (from 0) of a line means, or nullptr.
  const Name* at(const std::string& file, int line, std::size_t column) const;

  // The name that a word means in a file's prose: one that the file knows, and a method only of its own
  // types; in what is no source of ours, one that is the only of all. nullptr if it may be several.
  const Name* in_prose(const std::string& file, const std::string& word) const;

 private:
  friend class Resolver;

  std::deque<Name> names_;
  std::map<std::string, std::vector<Name*>> of_word_;
  std::map<std::string, std::set<std::string>> visible_;  // the files that a file includes, and itself
  std::map<std::tuple<std::string, int, std::size_t>, Name*> mentions_;

  bool sees(const std::string& file, const Name& name) const;

  // The only name of a word that a file can see, or that it has itself, and that is `wanted`; or nullptr.
  Name* only(const std::string& file, const std::string& word,
             const std::function<bool(const Name&)>& wanted) const;
};

}  // namespace mesagrad::book
