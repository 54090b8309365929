#include "tutorials/book/names.h"

#include <algorithm>

#include "tutorials/book/scan.h"

namespace mesagrad::book {
namespace {

// Methods that types of the standard library have as well.
bool is_common(const std::string& word) {
  static const std::set<std::string> common = {"at",   "back", "begin", "clear", "count",  "data",   "empty",
                                               "end",  "find", "first", "front", "get",    "insert", "line",
                                               "name", "path", "read",  "reset", "second", "size",   "string",
                                               "str",  "swap", "value", "what",  "write"};
  return common.contains(word);
}

bool is_header(const std::string& file) { return file.ends_with(".h"); }
std::string header_of(const std::string& file) { return file.substr(0, file.rfind('.')) + ".h"; }

}  // namespace

// Finds what each word of each file means.
class Resolver {
 public:
  Resolver(Names& names, const Sources& sources) : names_(names) {
    for (const auto& [file, source] : sources) scanned_[file] = scan(source);
    for (const auto& [file, scanned] : scanned_) {
      see(file, names_.visible_[file]);
      for (const auto& [type, fields] : scanned.fields) fields_[type].insert(fields.begin(), fields.end());
      bases_.insert(scanned.bases.begin(), scanned.bases.end());
    }
    for (const bool header : {true, false}) {
      for (const auto& [file, scanned] : scanned_) {
        if (is_header(file) == header) define(file, scanned);
      }
    }
    for (const auto& [file, scanned] : scanned_) {
      file_ = file;
      for (const Declaration& declaration : scanned.declarations) use(scanned.words, declaration);
    }
  }

 private:
  using Words = std::vector<Word>;

  void see(const std::string& file, std::set<std::string>& seen) const {
    if (!scanned_.contains(file) || !seen.insert(file).second) return;
    for (const std::string& included : scanned_.at(file).includes) see(included, seen);
  }

  void define(const std::string& file, const Scanned& scanned) {
    for (const Declaration& one : scanned.declarations) {
      for (const std::size_t i : one.names) define(file, scanned.words[i], one);
    }
  }

  void define(const std::string& file, const Word& word, const Declaration& one) {
    const Place here = {file, word.line};
    Name* name = names_.only(file, word.text, [&](const Name& other) {
      const bool same = other.owner == one.owner && (!one.owner.empty() || other.space == one.space);
      return same && !one.is_field && (other.in(file) != nullptr || !is_header(file));
    });
    if (name != nullptr) {
      Place& body = own_declaration(*name, file).body;
      if ((one.has_body || !one.is_function) && body.line == 0) body = here;
    } else if (name = overloaded(file, word.text, one); name != nullptr) {
      name->declared.push_back({here});
    } else {
      name = &names_.names_.emplace_back(
          Name{word.text, one.owner, one.space, one.is_function, one.is_field, {{here}}});
      names_.of_word_[word.text].push_back(name);
      spaces_.insert(one.space);
    }
    names_.mentions_[{file, word.line, word.column}] = name;
  }

  // The declaration of a name that a file defines: in that file, in its own header, or the first.
  static Declared& own_declaration(Name& name, const std::string& file) {
    for (const std::string& home : {file, header_of(file)}) {
      for (Declared& one : name.declared) {
        if (one.home.file == home) return one;
      }
    }
    return name.declared[0];
  }

  // The function of the same name in another header that a header's function overloads: they do if any file
  // knows both.
  Name* overloaded(const std::string& file, const std::string& word, const Declaration& one) {
    if (!is_header(file) || !one.is_function || !one.owner.empty()) return nullptr;
    for (Name* name : names_.of_word_[word]) {
      if (!name->is_function || !name->owner.empty() || name->space != one.space) continue;
      const bool meets = std::ranges::any_of(names_.visible_, [&](const auto& known) {
        return known.second.contains(file) && names_.sees(known.first, *name);
      });
      if (meets) return name;
    }
    return nullptr;
  }

  void use(const Words& words, const Declaration& declaration) {
    in_ = &declaration;
    for (std::size_t i = declaration.first; i <= declaration.last; ++i) {
      const Word& word = words[i];
      if (word.kind != lesson::Kind::word || names_.at(file_, word.line, word.column) != nullptr) continue;
      if (Name* name = meaning(words, i)) {
        names_.mentions_[{file_, word.line, word.column}] = name;
        name->uses[file_].insert(word.line);
      }
    }
  }

  // -- The word at i in the declaration that is being read ---------------------------------------------

  Name* meaning(const Words& words, std::size_t i) {
    const std::string& word = words[i].text;
    const bool called = words[i + 1].is("(") || words[i + 1].is("<");
    if (const std::size_t dot = dot_before(words, i); dot < i) {
      const std::string type = type_at(words, dot - 1);
      if (type.empty()) return is_common(word) ? nullptr : only_member(word, called);
      return variable(type) != nullptr ? promise(words[i]) : member(type, word);
    }
    if (const std::string whole = path(words, i); whole != word) {
      const std::string scope = whole.substr(0, whole.size() - word.size() - 2);
      if (spaces_.contains(words[i - 3].text)) {
        return names_.only(file_, word, [&](const Name& name) {
          return name.owner.empty() && name.space == words[i - 3].text;
        });
      }
      return variable(scope) != nullptr ? promise(words[i]) : member(known(scope, in_->owner), word);
    }
    if (in_->locals.contains(word)) return nullptr;
    const bool is_space = words[i + 1].is(":") && words[i + 2].is(":");
    if (Name* own = member(in_->owner, word); own != nullptr && !(own->is_field && is_space)) return own;
    if (variable(word) != nullptr) return nullptr;
    const auto fits = [&](const Name& name) {
      const bool is_free = name.owner.empty(), is_here = name.in(file_) != nullptr;
      return !name.is_field && (is_free || is_here) && (called || !name.is_function || (is_free && is_here));
    };
    if (Name* name = names_.only(file_, word, fits)) return name;
    return names_.only(file_, word, [&](const Name& name) { return fits(name) && name.space == in_->space; });
  }

  // Where the . or -> before the word at i begins, or i.
  static std::size_t dot_before(const Words& words, std::size_t i) {
    const bool is_arrow = i > 2 && words[i - 1].is(">") && words[i - 2].is("-");
    if (is_arrow) return words[i].after_space ? i : i - 2;  // auto f() -> Type
    return i > 2 && words[i - 1].is(".") ? i - 1 : i;
  }

  // The type of an expression that ends with the word at i: this, x, x.y, x->y, or Type{...}; and of what is
  // made of {.x = 1, .y = 2} if that is in front of a point. "" if it is not known.
  std::string type_at(const Words& words, std::size_t i) const {
    if (words[i].is("this")) return in_->owner;
    if (words[i].is("{") || words[i].is(",") || words[i].is("}")) {
      const std::size_t open = words[i].open;
      if (open < 2 || !words[open].is("{")) return "";
      const std::size_t before = open - (words[open - 1].is("=") ? 2 : 1);
      const std::string type = known(path(words, before), in_->owner);
      if (fields_.contains(type)) return type;
      return words[before].kind == lesson::Kind::word ? type_at(words, before) : "";
    }
    const std::size_t dot = dot_before(words, i);
    const std::string owner = dot == i ? in_->owner : type_at(words, dot - 1);
    const std::string* type = dot == i ? variable(words[i].text) : field(owner, words[i].text);
    return type == nullptr ? "" : known(*type, owner);
  }

  // The types of variables; nullptr if there is none of this name.
  const std::string* variable(const std::string& word) const {
    const auto local = in_->locals.find(word);
    return local != in_->locals.end() ? &local->second : field(in_->owner, word);
  }
  const std::string* field(const std::string& owner, const std::string& word) const {
    const auto type = fields_.find(owner);
    if (type == fields_.end()) return nullptr;
    const auto found = type->second.find(word);
    return found == type->second.end() ? nullptr : &found->second;
  }

  // The type that is called `type` in the type `within`; a namespace before it does not matter.
  std::string known(const std::string& type, const std::string& within) const {
    for (const std::string& full : {within + "::" + type, type}) {
      if (fields_.contains(full)) return full;
    }
    const std::size_t colons = type.find("::");
    return colons == std::string::npos ? type : known(type.substr(colons + 2), within);
  }

  // That of a type, or of one of its bases.
  Name* member(const std::string& owner, const std::string& word) const {
    if (owner.empty()) return nullptr;
    if (owner == word) {  // a constructor
      return names_.only(file_, word, [](const Name& name) { return name.owner.empty(); });
    }
    const auto is_own = [&](const Name& name) { return name.owner == owner; };
    if (Name* own = names_.only(file_, word, is_own)) return own;
    const auto bases = bases_.find(owner);
    for (const std::string& base : bases == bases_.end() ? std::set<std::string>{} : bases->second) {
      if (Name* inherited = member(base, word)) return inherited;
    }
    return nullptr;
  }

  // That of the only type that has one: of those that the file knows, or of all, if it is no function.
  Name* only_member(const std::string& word, bool called) {
    Name* only = nullptr;
    for (Name* name : names_.of_word_[word]) {
      const bool is_method = name->is_function && !name->owner.empty();
      const bool fits = called ? is_method && names_.sees(file_, *name) : field(name->owner, word) != nullptr;
      if (fits && only != nullptr) return nullptr;
      if (fits) only = name;
    }
    return only;
  }

  // A template calls what types are to have: whoever knows the template may be meant.
  Name* promise(const Word& word) {
    for (Name* name : names_.of_word_[word.text]) {
      const std::string& home = name->declared[0].home.file;
      if (!name->owner.empty() && name->is_function && names_.visible_[home].contains(file_))
        name->uses[file_].insert(word.line);
    }
    return nullptr;
  }

  Names& names_;
  std::map<std::string, Scanned> scanned_;
  std::set<std::string> spaces_;
  std::map<std::string, Variables> fields_;
  std::map<std::string, std::set<std::string>> bases_;
  std::string file_;                 // the one that is being read,
  const Declaration* in_ = nullptr;  // and the declaration
};

Names::Names(const Sources& sources) { Resolver(*this, sources); }

const Declared* Name::in(const std::string& file) const {
  const auto found =
      std::ranges::find_if(declared, [&](const Declared& one) { return one.home.file == file; });
  return found == declared.end() ? nullptr : &*found;
}

bool Names::sees(const std::string& file, const Name& name) const {
  const auto visible = visible_.find(file);
  return visible != visible_.end() && std::ranges::any_of(name.declared, [&](const Declared& one) {
           return visible->second.contains(one.home.file);
         });
}

const Declared* Names::seen_from(const std::string& file, const Name& name) const {
  for (const std::string& home : {file, header_of(file)}) {
    if (const Declared* own = name.in(home)) return own;
  }
  const auto visible = visible_.find(file);
  const Declared* only = nullptr;
  for (const Declared& one : name.declared) {
    if (visible != visible_.end() && !visible->second.contains(one.home.file)) continue;
    if (only != nullptr) return nullptr;
    only = &one;
  }
  return only;
}

const Name* Names::at(const std::string& file, int line, std::size_t column) const {
  const auto found = mentions_.find({file, line, column});
  return found == mentions_.end() ? nullptr : found->second;
}

Name* Names::only(const std::string& file, const std::string& word,
                  const std::function<bool(const Name&)>& wanted) const {
  const auto names = of_word_.find(word);
  if (names == of_word_.end()) return nullptr;
  std::vector<Name*> own, others;
  for (Name* name : names->second) {
    if (sees(file, *name) && wanted(*name)) (name->in(file) != nullptr ? own : others).push_back(name);
  }
  const std::vector<Name*>& nearest = own.empty() ? others : own;
  return nearest.size() == 1 ? nearest[0] : nullptr;
}

const Name* Names::in_prose(const std::string& file, const std::string& word) const {
  if (visible_.contains(file)) {
    return only(file, word, [&](const Name& name) {
      return !name.is_field && (name.owner.empty() || name.in(file) != nullptr);
    });
  }
  const auto found = of_word_.find(word);
  return found == of_word_.end() || found->second.size() != 1 ? nullptr : found->second[0];
}

}  // namespace mesagrad::book
