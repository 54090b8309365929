#include "tutorials/book/scan.h"

#include <algorithm>
#include <sstream>

namespace mesagrad::book {
namespace {

using lesson::Kind;

bool one_of(const std::string& text, const std::set<std::string>& words) { return words.contains(text); }

class Scanner {
 public:
  explicit Scanner(const std::string& source) {
    read_words(source);
    words_.insert(words_.end(), 3, Word{});  // so that one can look ahead
    find_partners();
    find_declarations();
    out.words = words_;
  }

  Scanned out;

 private:
  struct Scope {
    std::string name;
    bool is_type, is_hidden;
  };

  void read_words(const std::string& source) {
    lesson::Tokenizer tokenizer;
    std::istringstream stream(source);
    int number = 0;
    for (std::string line; std::getline(stream, line);) {
      ++number;
      bool space = true;
      for (const lesson::Token& token : tokenizer(line)) {
        const bool blank = token.text == " " || token.text == "\t";
        if (token.text.starts_with("#include \"")) {
          const std::size_t end = std::min(token.text.find('"', 10), token.text.size());
          out.includes.emplace_back(token.text.substr(10, end - 10));
        }
        if (!blank && token.kind != Kind::comment)
          words_.push_back({token.kind, std::string(token.text), number, token.column, space});
        space = blank;
      }
    }
  }

  const Word& at(std::size_t i) const { return words_[std::min(i, words_.size() - 1)]; }
  bool end(std::size_t i) const { return i + 3 >= words_.size(); }

  void find_partners() {
    partner_.assign(words_.size(), words_.size() - 3);
    std::vector<std::size_t> open;
    for (std::size_t i = 0; !end(i); ++i) {
      if (words_[i].kind != Kind::other) continue;
      if (one_of(words_[i].text, {"(", "[", "{"})) open.push_back(i);
      if (!one_of(words_[i].text, {")", "]", "}"}) || open.empty()) continue;
      partner_[open.back()] = i;
      open.pop_back();
    }
  }

  // Behind the > that belongs to the < at i.
  std::size_t behind_angles(std::size_t i) const {
    int depth = 0;
    for (; !end(i); ++i) {
      if (one_of(at(i).text, {"(", "[", "{"})) i = partner_[i];
      depth += at(i).is("<") ? 1 : at(i).is(">") && !at(i - 1).is("-") ? -1 : 0;
      if (depth == 0 || at(i).is(";")) return i + 1;
    }
    return i;
  }

  // Where a declaration that begins at i says what it is: behind template<...> and attributes.
  std::size_t behind_prefix(std::size_t i) const {
    while (true) {
      if (at(i).is("template") && at(i + 1).is("<")) {
        i = behind_angles(i + 1);
      } else if (at(i).is("[")) {
        i = partner_[i] + 1;
      } else {
        return i;
      }
    }
  }

  // The name of the function that is declared in first .. last - 1, or `last` if it is something else.
  std::size_t function_in(std::size_t first, std::size_t last) const {
    for (std::size_t i = behind_prefix(first); i < last; ++i) {
      if (at(i).is("=") ||
          one_of(at(i).text, {"operator", "using", "typedef", "friend", "static_assert", "~"}))
        return last;
      if (at(i).is("<") && at(i - 1).kind == Kind::word) i = behind_angles(i) - 1;
      if (at(i).is("[")) i = partner_[i];
      if (!at(i).is("(")) continue;
      const Word& name = at(i - 1);
      if (name.kind == Kind::word &&
          !one_of(name.text, {"alignas", "decltype", "noexcept", "requires", "__attribute__"}))
        return i - 1;
      i = partner_[i];
    }
    return last;
  }

  bool is_type(std::size_t i) const { return one_of(at(i).text, {"struct", "class", "enum", "union"}); }

  // Does the { at i begin a value, and no body?
  bool begins_value(std::size_t first, std::size_t i) const {
    const std::size_t start = behind_prefix(first);
    if (at(start).is("namespace") || is_type(start)) return false;
    bool has_list = false, has_parameters = false;
    for (std::size_t j = start; j < i; ++j) {
      if (at(j).is("operator")) return false;
      if (at(j).is("=")) return true;
      if (at(j).is("(")) {
        has_parameters = true;
        j = partner_[j];
      }
      has_list |= has_parameters && at(j).is(":") && !at(j + 1).is(":") && !at(j - 1).is(":");
    }
    return !has_parameters || (has_list && (at(i - 1).kind == Kind::word || at(i - 1).is(">")));
  }

  void find_declarations() {
    std::size_t first = 0;
    for (std::size_t i = 0; !end(i);) {
      const Word& word = at(i);
      if (word.is(";")) {
        declare(first, i, i);
        first = ++i;
      } else if (word.is("}")) {
        if (!scopes_.empty()) scopes_.pop_back();
        first = ++i;
      } else if (one_of(word.text, {"public", "private", "protected"}) && at(i + 1).is(":")) {
        first = i += 2;
      } else if (word.is("(") || word.is("[") || (word.is("{") && begins_value(first, i))) {
        i = partner_[i] + 1;
      } else if (word.is("{")) {
        const std::size_t start = behind_prefix(first);
        if (at(start).is("namespace")) {
          open_namespace(start, i);
        } else if (is_type(start)) {
          open_type(first, start, i);
        } else {
          declare(first, i, partner_[i]);
          i = partner_[i];
        }
        first = ++i;
      } else {
        ++i;
      }
    }
  }

  void open_namespace(std::size_t start, std::size_t brace) {
    const bool hidden = brace == start + 1;
    if (!hidden) out.spaces.insert(at(brace - 1).text);
    scopes_.push_back({hidden ? "" : at(brace - 1).text, false, hidden});
  }

  void open_type(std::size_t first, std::size_t start, std::size_t brace) {
    std::size_t name = behind_prefix(start + (at(start + 1).is("class") ? 2 : 1));
    if (at(name).is("alignas")) name = partner_[name + 1] + 1;
    out.declarations.push_back({first, brace, owner()});
    add_locals(out.declarations.back(), name);
    define(name, owner(), false, true);
    for (std::size_t i = name + 1; i < brace; ++i) {
      if (at(i).kind == Kind::word && !at(i + 1).is(":")) out.bases[at(name).text].insert(at(i).text);
    }
    scopes_.push_back({at(name).text, true, false});
  }

  std::string owner() const { return scopes_.empty() || !scopes_.back().is_type ? "" : scopes_.back().name; }

  void define(std::size_t token, const std::string& owner, bool is_function, bool has_body) {
    if (at(token).kind != Kind::word || at(token).is("main")) return;
    Definition definition{token, owner, "", is_function, has_body, false};
    for (const Scope& scope : scopes_) {
      if (!scope.is_type && !scope.is_hidden) definition.space = scope.name;
      definition.is_hidden |= scope.is_hidden;
    }
    out.definitions.push_back(definition);
  }

  // What first .. brace - 1 declares; its body, if it has one, ends at `last`.
  void declare(std::size_t first, std::size_t brace, std::size_t last) {
    const std::size_t start = behind_prefix(first), function = function_in(first, brace);
    Declaration declaration{first, last, owner()};
    if (function < brace) {
      const bool member = at(function - 1).is(":") && at(function - 2).is(":");
      if (member) declaration.owner = at(function - 3).text;
      add_locals(declaration, function);
      const bool constructor = at(function).text == declaration.owner;
      if (!constructor && function > start) define(function, declaration.owner, true, last > brace);
    } else {
      add_locals(declaration, brace);
      const std::string owner = this->owner();
      if (at(start).is("using") && at(start + 2).is("=")) {
        define(start + 1, owner, false, true);
      } else if (at(start).is("typedef")) {
        for (std::size_t i = start; i < brace; ++i) {
          if (at(i + 1).is("__attribute__")) define(i, owner, false, true);
        }
      } else if (!owner.empty()) {
        for (const auto& [name, type] : declaration.locals) out.fields[owner][name] = type;
      } else if (!one_of(at(start).text, {"using", "friend", "static_assert", "struct", "class"}) &&
                 last == brace) {
        for (std::size_t i = start + 1; i < brace; ++i) {
          if (at(i).is("operator")) return;
          if (declares(i, brace)) return define(i, "", false, true);
        }
      }
      if (at(start).is("using")) declaration.locals.clear();
    }
    // An operator's body belongs to a type, too: Type::operator()(...).
    for (std::size_t i = start; i < brace && last > brace && function == brace; ++i) {
      if (at(i).is("operator") && at(i - 1).is(":")) declaration.owner = at(i - 3).text;
    }
    out.declarations.push_back(std::move(declaration));
  }

  // Is the word at i the name of a variable that is declared there?
  bool declares(std::size_t i, std::size_t last) const {
    if (at(i).kind != Kind::word || i == 0) return false;
    const Word &before = at(i - 1), &next = at(i + 1);
    const bool assigned = next.is("=") && !at(i + 2).is("=");
    if ((before.is(",") && assigned) || before.is("[")) return assigned && i < last;
    const bool ends =
        assigned || one_of(next.text, {";", ",", ")", "{", "(", "["}) || (next.is(":") && !at(i + 2).is(":"));
    return ends && type_before(i) < i;
  }

  // The last token of the type before the name at i, or before the list of names that it is in; huge if there
  // is none.
  std::size_t type_before(std::size_t i) const {
    static const std::set<std::string> types = {"auto",  "int",  "double",   "bool",   "char",
                                                "float", "long", "unsigned", "signed", "void"};
    const std::size_t none = words_.size();
    const auto names_type = [&](std::size_t j) {
      return at(j).kind == Kind::word || types.contains(at(j).text);
    };
    while (i > 2 && at(i - 1).is(",") && at(i - 2).kind == Kind::word) i -= 2;
    std::size_t t = i - 1;
    if (names_type(t)) return t;
    if (at(t).is(">")) return !at(t).after_space && at(i).after_space && !at(t - 1).is("-") ? t : none;
    if (!at(t).is("&") && !at(t).is("*")) return none;
    while (t > 0 && (at(t - 1).is("&") || at(t - 1).is("*"))) --t;
    const bool attached = !at(t).after_space && at(i).after_space;
    const bool pointer = at(t).after_space && !at(i).after_space && at(t).is("*") && names_type(t - 1);
    return t > 0 && (attached || pointer) && (names_type(t - 1) || at(t - 1).is(">")) ? t - 1 : none;
  }

  void add_locals(Declaration& declaration, std::size_t own_name) const {
    for (std::size_t i = declaration.first; i <= declaration.last; ++i) {
      const Word &word = at(i), &before = at(i == 0 ? 0 : i - 1);
      if (word.is("[") && (before.is("auto") || (before.is("&") && at(i - 2).is("auto")))) {
        for (std::size_t j = i; j < partner_[i]; ++j) declaration.locals.emplace(at(j).text, "");
      }
      if (i == own_name || word.kind != Kind::word) continue;
      if ((before.is("class") || before.is("typename") || before.is(".")) &&
          one_of(at(i + 1).text, {",", ">", "="})) {
        if (!before.is(".") || at(i - 2).is(".")) declaration.parameters.insert(word.text);
      } else if (declares(i, declaration.last)) {
        const std::size_t type = type_before(i);
        const bool known = type < i && at(type).kind == Kind::word;
        declaration.locals.emplace(word.text, known ? at(type).text : "");
      }
    }
  }

  std::vector<Word> words_;
  std::vector<std::size_t> partner_;
  std::vector<Scope> scopes_;
};

}  // namespace

Scanned scan(const std::string& source) { return Scanner(source).out; }

}  // namespace mesagrad::book
