#include "tutorials/book/scan.h"

#include <algorithm>
#include <optional>

#include "core/files.h"

namespace mesagrad::book {
namespace {

using lesson::Kind;

class Scanner {
 public:
  explicit Scanner(const std::string& source) {
    read_words(source);
    out.words.resize(out.words.size() + 3);  // so that one can look ahead
    find_partners();
    for (std::size_t first = 0; !end(first);) first = behind_declaration(first);
  }

  Scanned out;

 private:
  struct Scope {
    std::string type = {}, space = {};  // "" if it is no type's; the innermost namespace that has a name
  };

  // -- Tokens ----------------------------------------------------------------------------------------

  void read_words(const std::string& source) {
    lesson::Tokenizer tokenizer;
    int number = 0;
    for (const std::string& line : lines_of(source)) {
      ++number;
      bool space = true;
      for (const lesson::Token& token : tokenizer(line)) {
        const bool blank = token.text == " ";
        const std::string_view include = "#include \"";
        if (token.text.starts_with(include)) {
          const std::string_view file = token.text.substr(include.size());
          out.includes.emplace_back(file.substr(0, file.find('"')));
        }
        const std::string_view word = token.kind == Kind::text ? "" : token.text;  // a } in it closes nothing
        if (!blank && token.kind != Kind::comment)
          out.words.push_back({token.kind, std::string(word), number, token.column, space});
        space = blank;
      }
    }
  }

  void find_partners() {
    partner_.assign(out.words.size(), out.words.size() - 3);
    std::vector<std::size_t> open;
    for (std::size_t i = 0; !end(i); ++i) {
      if (opens(i)) open.push_back(i);
      out.words[i].open = open.empty() ? 0 : open.back();
      if (!is_one_of(i, {")", "]", "}"}) || open.empty()) continue;
      partner_[open.back()] = i;
      open.pop_back();
    }
  }

  const Word& at(std::size_t i) const { return out.words[std::min(i, out.words.size() - 1)]; }
  bool end(std::size_t i) const { return i + 3 >= out.words.size(); }
  bool is_word(std::size_t i) const { return at(i).kind == Kind::word; }
  bool is_one_of(std::size_t i, const std::set<std::string>& texts) const {
    return texts.contains(at(i).text);
  }
  bool opens(std::size_t i) const { return is_one_of(i, {"(", "[", "{"}); }
  bool opens_type(std::size_t i) const { return is_one_of(i, {"struct", "class", "enum", "union"}); }

  // Behind the > that belongs to the < at i.
  std::size_t behind_angles(std::size_t i) const {
    for (int depth = 0; !end(i); ++i) {
      if (opens(i)) i = partner_[i];
      depth += at(i).is("<") ? 1 : at(i).is(">") ? -1 : 0;
      if (depth == 0) return i + 1;
    }
    return i;
  }

  // -- Declarations ----------------------------------------------------------------------------------

  std::size_t behind_declaration(std::size_t first) {
    if (at(first).is("}")) {
      if (scopes_.size() > 1) scopes_.pop_back();
      return first + 1;
    }
    if (is_one_of(first, {"public", "private", "protected"})) return first + 2;
    const std::size_t start = behind_prefix(first), head = end_of_head(start);
    if (at(head).is("}")) {
      define_enumerators(first, head);
      return head;
    }
    const bool has_body = at(head).is("{");
    if (has_body && at(start).is("namespace")) {
      scopes_.push_back({"", head > start + 1 ? at(head - 1).text : scopes_.back().space});
      return head + 1;
    }
    const bool is_type = has_body && opens_type(start);
    Declaration declaration{first, has_body && !is_type ? partner_[head] : head};
    declaration.has_body = has_body;
    declaration.owner = scopes_.back().type;
    declaration.space = scopes_.back().space;
    if (is_type) {
      declare_type(declaration, start, head);
    } else {
      declare(declaration, start, head);
    }
    std::erase_if(declaration.names, [&](std::size_t name) { return at(name).is("main"); });
    out.declarations.push_back(declaration);
    return declaration.last + 1;
  }

  // Where a declaration that begins at i says what it is: behind template<...>.
  std::size_t behind_prefix(std::size_t i) const {
    while (at(i).is("template")) i = behind_angles(i + 1);
    return i;
  }

  // The ; or the } that ends a declaration, or the { where its body begins.
  std::size_t end_of_head(std::size_t i) const {
    const bool opens_scope = at(i).is("namespace") || opens_type(i);
    bool is_assigned = false;
    for (; !end(i) && !is_one_of(i, {";", "}"}); ++i) {
      is_assigned |= at(i).is("=") && !is_sign(i);
      const bool behind_name = is_word(i - 1) || at(i - 1).is(">");
      if (at(i).is("{") && (opens_scope || (!is_assigned && !behind_name))) return i;
      if (opens(i)) i = partner_[i];
    }
    return i;
  }

  // Is it of operator==?
  bool is_sign(std::size_t i) const {
    return at(i - 1).is("operator") || (at(i - 2).is("operator") && !at(i - 1).is("("));
  }

  void define_enumerators(std::size_t first, std::size_t last) {
    Declaration declaration{first, last - 1, scopes_.back().type, scopes_.back().space};
    declaration.is_field = true;
    for (std::size_t i = first; i < last; ++i) {
      if (opens(i)) i = partner_[i];
      if (i == first || at(i - 1).is(",")) declaration.names.push_back(i);
    }
    out.declarations.push_back(declaration);
  }

  // Both: its head is start .. head - 1.
  void declare_type(Declaration& declaration, std::size_t start, std::size_t head) {
    const std::size_t name = start + (at(start + 1).is("class") ? 2 : 1);
    declaration.names = {name};
    declaration.locals = locals_in(declaration, name);
    const std::string& outer = scopes_.back().type;
    const std::string type = outer + (outer.empty() ? "" : "::") + at(name).text;
    out.fields[type] = declaration.locals;  // what it is a template of
    for (std::size_t i = name + 1; i < head; ++i) {
      if (is_word(i)) out.bases[type].insert(at(i).text);
    }
    scopes_.push_back({type, declaration.space});
  }

  void declare(Declaration& declaration, std::size_t start, std::size_t head) {
    const std::size_t function = function_in(start, head);
    declaration.is_function = function < head;
    if (declaration.is_function) {
      const std::size_t full = at(function - 1).is("~") ? function - 1 : function;
      if (at(full - 1).is(":") && at(full - 2).is(":")) declaration.owner = path(out.words, full - 3);
      const bool is_constructor = ("::" + declaration.owner).ends_with("::" + at(function).text);
      const bool has_name = is_word(function) ? !is_constructor : name_operator(function);
      if (has_name && function > start) declaration.names = {function};
    } else {
      declaration.names = named_in(start, head);
      declaration.is_field = !declaration.owner.empty() && !at(start).is("using");
    }
    if (declaration.is_field) {
      for (const std::size_t name : declaration.names) {
        out.fields[declaration.owner].emplace(at(name).text, *declared_type(declaration.names[0]));
      }
    }
    declaration.locals = locals_in(declaration, declaration.names.empty() ? function : declaration.names[0]);
  }

  // Makes operator and its sign one word. False if it assigns or converts.
  bool name_operator(std::size_t i) {
    const std::size_t sign = i + 1;
    if (!at(i).is("operator") || at(sign).kind != Kind::other || (at(sign).is("=") && at(sign + 1).is("(")))
      return false;
    std::string& name = out.words[i].text;
    for (std::size_t j = sign; j == sign || !(end(j) || at(j).is("(")); ++j) name += at(j).text;
    return true;
  }

  // The name of the function that is declared in i .. last - 1, or `last` if it is something else.
  std::size_t function_in(std::size_t i, std::size_t last) const {
    for (; i < last && !is_one_of(i, {"=", "friend"}); ++i) {
      if (at(i).is("operator")) return i;
      if (at(i).is("<") && is_word(i - 1)) i = behind_angles(i) - 1;
      const bool is_name = is_word(i - 1) && !at(i - 1).is("__attribute__");
      if (at(i).is("(") && is_name) return i - 1;
      if (opens(i)) i = partner_[i];
    }
    return last;
  }

  // The same for a type or variables.
  std::vector<std::size_t> named_in(std::size_t start, std::size_t last) const {
    if (at(start).is("using")) return std::vector<std::size_t>(at(start + 2).is("=") ? 1 : 0, start + 1);
    std::vector<std::size_t> names;
    for (std::size_t i = start + 1; i < last; ++i) {
      if (opens(i)) i = partner_[i];
      const bool first =
          at(start).is("typedef") ? at(i + 1).is("__attribute__") : declared_type(i).has_value();
      if (names.empty() ? first : is_word(i) && at(i - 1).is(",")) names.push_back(i);
    }
    return names;
  }

  // -- Variables -------------------------------------------------------------------------------------

  Variables locals_in(const Declaration& declaration, std::size_t own_name) const {
    Variables locals;
    for (std::size_t i = declaration.first; i <= declaration.last; ++i) {
      if (at(i).is("[") && is_one_of(i - 1, {"auto", "&"})) {
        for (std::size_t j = i; j < partner_[i]; ++j) locals.emplace(at(j).text, "");
      }
      if (!is_word(i) || i == own_name) continue;
      const bool type = is_one_of(i - 1, {"class", "struct", "using"});
      const bool captured = is_one_of(i - 1, {"[", ","}) && at(i + 1).is("=");
      if (captured || (type && is_one_of(i + 1, {",", ">", "=", "{"}))) locals.emplace(at(i).text, "");
      if (const auto variable = declared_type(i)) locals.emplace(at(i).text, *variable);
    }
    return locals;
  }

  // The type of the variable that the word at i declares: "" if it is not obvious, none if there is none.
  std::optional<std::string> declared_type(std::size_t i) const {
    const bool ends =
        is_one_of(i + 1, {"=", ";", ",", ")", "{", "(", "["}) || (at(i + 1).is(":") && !at(i + 2).is(":"));
    if (!is_word(i) || !ends) return {};
    if (!at(at(i).open).is("(")) {
      while (at(i - 1).is(",") && is_word(i - 2)) i -= 2;  // int first, second, i;
    }
    const bool attached = !at(i - 1).after_space && at(i).after_space;  // Type& i is no product
    const std::size_t type = attached && is_one_of(i - 1, {"&", "*"}) ? i - 2 : i - 1;
    if (is_word(type)) return path(out.words, type);
    const bool closes = at(type).is(">") && !at(type).after_space && !at(type - 1).is("-");
    if (closes || is_one_of(type, {"auto", "int", "double", "bool", "char"})) return "";
    return {};
  }

  std::vector<std::size_t> partner_;
  std::vector<Scope> scopes_ = {{}};  // the first one is the file
};

}  // namespace

std::string path(const std::vector<Word>& words, std::size_t i) {
  std::string path = words[i].text;
  for (; i > 2 && words[i - 1].is(":") && words[i - 2].is(":") && words[i - 3].kind == Kind::word; i -= 3) {
    path = words[i - 3].text + "::" + path;
  }
  return path;
}

Scanned scan(const std::string& source) { return Scanner(source).out; }

}  // namespace mesagrad::book
