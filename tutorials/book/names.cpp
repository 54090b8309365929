#include "tutorials/book/names.h"

#include <algorithm>

#include "tutorials/book/scan.h"

namespace mesagrad::book {
namespace {

// Methods that types of the standard library have as well.
bool is_common(const std::string& word) {
  static const std::set<std::string> common = {"begin", "end",   "size",  "data",   "empty", "get",
                                               "find",  "at",    "str",   "clear",  "reset", "front",
                                               "back",  "value", "count", "insert", "what",  "swap",
                                               "name",  "path",  "write", "read",   "line"};
  return common.contains(word);
}

}  // namespace

// Finds what each word of each file means.
class Resolver {
 public:
  Resolver(Names& names, const Sources& sources) : names_(names) {
    for (const auto& [file, source] : sources) scanned_[file] = scan(source);
    for (const auto& [file, scanned] : scanned_) {
      see(file, names_.visible_[file]);
      spaces_.insert(scanned.spaces.begin(), scanned.spaces.end());
    }
    for (const bool header : {true, false}) {
      for (const auto& [file, scanned] : scanned_) {
        if (file.ends_with(".h") == header) define(file, scanned);
      }
    }
    for (const auto& [file, scanned] : scanned_) use(file, scanned);
  }

 private:
  using Index = std::size_t;
  static constexpr Index nothing = static_cast<Index>(-1);

  void see(const std::string& file, std::set<std::string>& seen) const {
    if (!scanned_.contains(file) || !seen.insert(file).second) return;
    for (const std::string& included : scanned_.at(file).includes) see(included, seen);
  }

  void define(const std::string& file, const Scanned& scanned) {
    for (const Definition& one : scanned.definitions) {
      const Word& word = scanned.words[one.token];
      const Index known = choose(file, word.text, [&](const Name& name) {
        const bool same = name.owner == one.owner && (!one.owner.empty() || name.space == one.space);
        return same && (name.home.file == file || (!one.is_hidden && file.ends_with(".cpp")));
      });
      Index index = known;
      if (known == nothing) {
        index = names_.names_.size();
        names_.names_.push_back({word.text, one.owner, one.space, one.is_function, {file, word.line}});
        names_.of_word_[word.text].push_back(index);
      } else if (Name& name = names_.names_[known]; one.has_body && name.body.line == 0) {
        name.body = {file, word.line};
      }
      names_.mentions_[file][{word.line, word.column}] = index;
    }
  }

  // The only name of a word that `wanted` accepts and the file can see, or nothing.
  template <class Wanted>
  Index choose(const std::string& file, const std::string& word, const Wanted& wanted,
               bool everywhere = false) {
    Index chosen = nothing;
    const auto found = names_.of_word_.find(word);
    if (found == names_.of_word_.end()) return nothing;
    for (const Index index : found->second) {
      const Name& name = names_.names_[index];
      if ((!everywhere && !names_.visible_[file].contains(name.home.file)) || !wanted(name)) continue;
      if (chosen != nothing) return nothing;
      chosen = index;
    }
    return chosen;
  }

  // That of a type, or of one of its bases.
  Index member(const std::string& file, const std::string& owner, const std::string& word, int depth = 0) {
    const Index own = choose(file, word, [&](const Name& name) { return name.owner == owner; });
    if (own != nothing || depth > 3) return own;
    for (const std::string& seen : names_.visible_[file]) {
      const auto bases = scanned_[seen].bases.find(owner);
      if (bases == scanned_[seen].bases.end()) continue;
      for (const std::string& base : bases->second) {
        const Index inherited = member(file, base, word, depth + 1);
        if (inherited != nothing) return inherited;
      }
    }
    return nothing;
  }

  // "" if it is not known; nullptr if there is no such variable.
  const std::string* type_of(const std::string& file, const Declaration& in, const std::string& variable) {
    if (const auto local = in.locals.find(variable); local != in.locals.end()) return &local->second;
    for (const std::string& seen : names_.visible_[file]) {
      const auto fields = scanned_[seen].fields.find(in.owner);
      if (in.owner.empty() || fields == scanned_[seen].fields.end()) continue;
      if (const auto field = fields->second.find(variable); field != fields->second.end())
        return &field->second;
    }
    return nullptr;
  }

  Index meaning(const std::string& file, const Scanned& scanned, const Declaration& in, Index i) {
    const std::vector<Word>& words = scanned.words;
    const std::string& word = words[i].text;
    const auto before = [&](Index distance) { return distance <= i ? words[i - distance].text : ""; };
    const bool called = words[i + 1].is("(") || words[i + 1].is("<");
    const bool arrow = before(1) == ">" && before(2) == "-", dot = before(1) == "." && before(2) != ".";
    if (arrow || dot) {
      if (!called) return nothing;
      const Word& receiver = words[i - (arrow ? 3 : 2)];
      const std::string* type =
          receiver.kind == lesson::Kind::word ? type_of(file, in, receiver.text) : nullptr;
      if (receiver.is("this")) return member(file, in.owner, word);
      if (type != nullptr && in.parameters.contains(*type)) return promise(file, words[i]);
      if (type != nullptr && !type->empty()) return member(file, *type, word);
      if (is_common(word)) return nothing;
      const Index only = choose(
          file, word, [](const Name& name) { return !name.owner.empty(); }, true);
      return only != nothing && names_.visible_[file].contains(names_.names_[only].home.file) ? only
                                                                                              : nothing;
    }
    const auto fits = [&](const Name& name) { return called || !name.is_function; };
    if (before(1) == ":" && before(2) == ":") {
      const std::string scope = before(3);
      if (in.parameters.contains(scope)) return promise(file, words[i]);
      if (!spaces_.contains(scope)) return scope.empty() ? nothing : member(file, scope, word);
      return choose(file, word, [&](const Name& name) {
        return name.owner.empty() && name.space == scope && fits(name);
      });
    }
    if (in.parameters.contains(word) || type_of(file, in, word) != nullptr) return nothing;
    if (!in.owner.empty()) {
      const Index own = member(file, in.owner, word);
      if (own != nothing) return fits(names_.names_[own]) ? own : nothing;
    }
    const auto is_free = [&](const Name& name) {
      return (name.owner.empty() || name.home.file == file) && fits(name);
    };
    const Index only = choose(file, word, is_free);
    if (only != nothing) return only;
    return choose(file, word,
                  [&](const Name& name) { return is_free(name) && scanned.spaces.contains(name.space); });
  }

  // A template calls what types are to have: whoever knows the template may be meant.
  Index promise(const std::string& file, const Word& word) {
    for (const Index index : names_.of_word_[word.text]) {
      Name& name = names_.names_[index];
      if (!name.owner.empty() && name.is_function && names_.visible_[name.home.file].contains(file))
        name.uses[file].insert(word.line);
    }
    return nothing;
  }

  void use(const std::string& file, const Scanned& scanned) {
    auto& mentions = names_.mentions_[file];
    for (const Declaration& in : scanned.declarations) {
      for (Index i = in.first; i <= in.last && i + 1 < scanned.words.size(); ++i) {
        const Word& word = scanned.words[i];
        if (word.kind != lesson::Kind::word || mentions.contains({word.line, word.column})) continue;
        const Index index = meaning(file, scanned, in, i);
        if (index == nothing) continue;
        mentions[{word.line, word.column}] = index;
        names_.names_[index].uses[file].insert(word.line);
      }
    }
  }

  Names& names_;
  std::map<std::string, Scanned> scanned_;
  std::set<std::string> spaces_;
};

Names::Names(const Sources& sources) { Resolver(*this, sources); }

const Name* Names::at(const std::string& file, int line, std::size_t column) const {
  const auto mentions = mentions_.find(file);
  if (mentions == mentions_.end()) return nullptr;
  const auto found = mentions->second.find({line, column});
  return found == mentions->second.end() ? nullptr : &names_[found->second];
}

const Name* Names::in_prose(const std::string& file, const std::string& word) const {
  const Name* only = nullptr;
  const auto found = of_word_.find(word);
  const auto visible = visible_.find(file);
  if (found == of_word_.end() || visible == visible_.end()) return nullptr;
  for (const std::size_t index : found->second) {
    if (!visible->second.contains(names_[index].home.file)) continue;
    if (only != nullptr) return nullptr;
    only = &names_[index];
  }
  return only;
}

}  // namespace mesagrad::book
