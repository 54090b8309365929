#include "tutorials/book/book.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/names.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

using lesson::element;
using lesson::escape;
using Lines = std::vector<std::string>;

constexpr std::size_t largest_page = 1'400'000;  // bytes

struct Chapter {
  std::string file = {}, title = {}, sentence = {};  // the last two are markup
  std::size_t part = 0;
  int lesson = 0;  // its number, if it is a lesson.cpp
  bool is_handout() const { return file.starts_with("tests/"); }
  std::string page() const {
    std::string name = file;
    std::ranges::replace(name, '/', '-');
    return name + ".html";
  }
};

std::string link(const std::string& to, const std::string& markup) {
  return "<a href=\"" + to + "\">" + markup + "</a>";
}

std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/') + 1); }
int number_in(const std::string& file) { return std::stoi(file.substr(file.rfind('/', file.rfind('/') - (file.ends_with("lesson.cpp") ? 1 : 0)) + 1)); }

// The comment that a file begins with.
Lines top_comment(const std::string& source) {
  Lines lines;
  for (const std::string& line : lesson::lines_of(source)) {
    if (!line.starts_with("//")) break;
    lines.push_back(line.size() > 3 ? line.substr(3) : "");
  }
  return lines;
}

std::string first_sentence(const std::string& source) {
  std::string sentence;
  for (const std::string& line : top_comment(source)) {
    if (line.empty()) break;
    sentence += (sentence.empty() ? "" : " ") + line;
  }
  for (std::size_t i = 0; i + 1 < sentence.size(); ++i) {
    if ((sentence[i] == '.' || sentence[i] == '?') && sentence[i + 1] == ' ') sentence.resize(i + 1);
  }
  if (sentence.ends_with(':')) sentence.back() = '.';
  return sentence;
}

// What stands between quotation marks behind the last `.name = ` of a source, as one text.
std::string setting(const std::string& source, const std::string& name) {
  std::size_t at = source.rfind("." + name + " = \"");
  std::string value;
  while (at != std::string::npos && (at = source.find('"', at)) != std::string::npos) {
    const std::size_t end = source.find('"', at + 1);
    value += source.substr(at + 1, end - at - 1);
    at = source.find_first_not_of(" \n", end + 1);
    if (at == std::string::npos || source[at] != '"') break;
  }
  return value;
}

class Writer {
 public:
  Writer(const std::filesystem::path& root, const std::filesystem::path& out) : root_(root), out_(out) {
    read_contents();
    for (const Chapter& chapter : chapters_) chapter_of_[chapter.file] = &chapter;
    Sources code = sources_;
    std::erase_if(code, [&](const auto& source) { return chapter_of_[source.first]->is_handout(); });
    names_.emplace(code);
  }

  Book book() {
    Book book;
    for (std::size_t i = 0; i < chapters_.size(); ++i) {
      const Chapter& chapter = chapters_[i];
      file_ = chapter.file;
      const std::string around = navigation(i), body = body_of(chapter, book.not_run);
      book.pages[chapter.page()] =
          lesson::whole_page(chapter.title, element("nav", around) + names_here() + body + element("nav", around));
    }
    book.pages["names.html"] = names_page();
    add_whole(book.pages);
    book.pages["contents.html"] = contents_page();
    return book;
  }

 private:
  // -- What there is -----------------------------------------------------------------------------------

  void read_contents() {
    const bool starter = exists(root_ / "tests/course/starter");
    for (const std::string& line : lesson::lines_of(read_file(root_ / "tutorials/book/contents.txt"))) {
      if (line.starts_with("# ")) parts_.push_back(escape(line.substr(2)));
      if (line.empty() || line.starts_with("#")) continue;
      std::vector<std::string> files;
      if (is_directory(root_ / line)) {
        for (const auto& entry : std::filesystem::directory_iterator(root_ / line)) {
          const std::string name = entry.path().filename().string();
          if (name.ends_with(".h") || name.ends_with(".cpp")) files.push_back(line + "/" + name);
        }
        std::ranges::sort(files, {}, [](const std::string& file) { return std::pair(!file.ends_with("/lesson.cpp"), file); });
      } else {
        for (const char* ending : {".h", ".cpp"}) {
          if (exists(root_ / (line + ending))) files.push_back(line + ending);
        }
      }
      check(!files.empty() || starter, "tutorials/book/contents.txt lists ", line, ", which is not there");
      for (const std::string& file : files) add_chapter(file);
    }
  }

  void add_chapter(const std::string& file) {
    const std::string source = read_file(root_ / file);
    check(sources_.emplace(file, source).second, "tutorials/book/contents.txt lists ", file, " twice");
    Chapter chapter{file, escape(file), lesson::formula_markup(first_sentence(source)), parts_.size()};
    if (file.ends_with("/lesson.cpp") && !file.starts_with("tutorials/lesson/")) {
      chapter.lesson = number_in(file);
      chapter.title = text("Lesson ", chapter.lesson, ": ", escape(setting(source, "title")));
      chapter.sentence = lesson::formula_markup(setting(source, "question"));
    } else if (chapter.is_handout()) {
      chapter.title = text("Assignment ", number_in(file), ": ", chapter.sentence);
      chapter.sentence.clear();
    }
    chapters_.push_back(chapter);
  }

  // -- Links -------------------------------------------------------------------------------------------

  // From the page that is being written.
  std::string to(const std::string& file, const std::string& id) const {
    return (file == file_ ? "" : chapter_of_.at(file)->page()) + "#" + id;
  }
  std::string to(const Place& place) const { return to(place.file, text(place.line)); }
  std::string to(const Name& name) const { return to(name.home.file, name.full()); }

  // Markup with links at paths, lessons, and the names of `code`.
  std::string linked(const std::string& markup) const {
    std::string html;
    for (std::size_t i = 0; i < markup.size();) {
      std::size_t end = i + 1;
      if (markup[i] == '<') {
        end = std::min(markup.find('>', i), markup.size() - 1) + 1;
      } else if (markup[i] == '&') {
        end = std::min(markup.find(';', i), markup.size() - 1) + 1;
      } else if (lesson::in_word(markup[i])) {
        const auto goes_on = [](char c) { return lesson::in_word(c) || c == '/' || c == '.'; };
        while (end < markup.size() && goes_on(markup[end])) ++end;
        while (markup[end - 1] == '.' || markup[end - 1] == '/') --end;
        std::string target = target_of(markup.substr(i, end - i), markup.substr(0, i).ends_with("<code>"));
        if (target.empty() && (markup.substr(i, end - i) == "lesson" || markup.substr(i, end - i) == "Lesson")) {
          std::size_t last = end + 1;
          while (last < markup.size() && lesson::is_digit(markup[last])) ++last;
          target = lesson_page(markup.substr(end, last - end));
          if (!target.empty()) end = last;
        }
        const std::string words = markup.substr(i, end - i);
        html += target.empty() ? words : link(target, words);
        i = end;
        continue;
      }
      html += markup.substr(i, end - i);
      i = end;
    }
    return html;
  }

  std::string target_of(const std::string& word, bool code) const {
    for (const std::string& path : {word, folder_of(file_) + word}) {
      if (const auto found = chapter_of_.find(path); found != chapter_of_.end() && path != file_) return found->second->page();
    }
    const Name* name = code ? names_->in_prose(file_, word) : nullptr;
    return name == nullptr ? "" : to(*name);
  }

  std::string lesson_page(const std::string& number) const {
    for (const Chapter& chapter : chapters_) {
      if (chapter.lesson > 0 && number == text(" ", chapter.lesson) && chapter.file != file_) return chapter.page();
    }
    return "";
  }

  // -- Chapters ----------------------------------------------------------------------------------------

  std::string navigation(std::size_t i) const {
    std::string html = link("contents.html", "Contents") + " · " + link("names.html", "Names");
    if (i > 0) html += " · " + link(chapters_[i - 1].page(), "← " + chapters_[i - 1].title);
    if (i + 1 < chapters_.size()) html += " · " + link(chapters_[i + 1].page(), chapters_[i + 1].title + " →");
    return html;
  }

  std::string body_of(const Chapter& chapter, std::vector<int>& not_run) {
    const std::string& source = sources_.at(chapter.file);
    if (chapter.is_handout()) return handout(source);
    const lesson::Typesetting set = {[&](const Lines& lines) { return linked(lesson::prose_markup(lines)); },
                                     [&](const lesson::Listing& lines) { return listing(lines); }, false};
    if (chapter.lesson == 0) return lesson::chapter_markup(source, {}, set);
    const std::string page = text(out_.string(), "/tutorial-", chapter.lesson, "/index.html");
    const lesson::Record record = exists(std::filesystem::path(page)) ? lesson::record_on(read_file(page), source) : lesson::Record{};
    const std::string how = text(" <code>make tutorial-", chapter.lesson, "</code>");
    std::string box = element("p", chapter.sentence, "question") + record.summary;
    if (record.summary.empty()) {
      not_run.push_back(chapter.lesson);
      box = element("p", chapter.sentence, "question") + element("p", "This lesson has not run yet:" + how);
      return element("div", box, "box") + lesson::chapter_markup(source, headings(source), set);
    }
    box = record.summary;
    if (!record.same_source) box += element("p", "The lesson has changed since. To run it again:" + how, "fails");
    return element("div", box, "box") + lesson::chapter_markup(source, record.pieces, set) + record.rest;
  }

  // The steps of a lesson that has not run.
  static std::vector<lesson::Piece> headings(const std::string& source) {
    std::vector<lesson::Piece> pieces;
    int line = 0;
    for (const std::string& text_there : lesson::lines_of(source)) {
      ++line;
      const std::size_t at = text_there.find("L.step(\"");
      if (at == std::string::npos) continue;
      const std::string heading = text_there.substr(at + 8, text_there.rfind('"') - at - 8);
      pieces.push_back({line, element("h2", lesson::formula_markup(text(pieces.size() + 1, ". ", heading)))});
    }
    return pieces;
  }

  // What students get to read, without hints, mistakes, and what is withheld.
  std::string handout(const std::string& source) const {
    Lines lines;
    bool skipping = false;
    Lines comment = top_comment(source);
    comment.erase(comment.begin());
    for (const std::string& line : comment) {
      const auto is = [&](const char* start) { return line.starts_with(start); };
      const bool label = is("Read: ") || is("Find out: ") || is("Hours: ") || is("Unlocks: ");
      const bool item = line.size() > 2 && lesson::is_digit(line[0]) && line[1] == '.';
      skipping = is("Hint ") || is("Mistake ") || is("Withheld: ") || (skipping && !line.empty() && !label);
      if (label || item) lines.emplace_back();
      if (!skipping) lines.push_back(line);
    }
    return linked(lesson::prose_markup(lines));
  }

  std::string listing(const lesson::Listing& lines) const {
    std::vector<const Name*> defined;
    const auto marked = [&](int line, const lesson::Token& token, const std::string& markup) {
      if (token.kind == lesson::Kind::comment) return linked(markup);
      const Name* name = token.kind == lesson::Kind::word ? names_->at(file_, line, token.column) : nullptr;
      if (name == nullptr) return markup;
      const auto is_here = [&](const Place& place) { return place.file == file_ && place.line == line; };
      if (is_here(name->home) && std::ranges::find(defined, name) == defined.end()) {
        defined.push_back(name);
        return "<dfn id=\"" + name->full() + "\">" + (name->body.line > 0 ? link(to(name->body), markup) : markup) + "</dfn>";
      }
      return link(to(*name), markup);
    };
    return lesson::code_markup(lines, marked) + uses(defined);
  }

  std::string uses(const std::vector<const Name*>& defined) const {
    std::string html, words;
    std::size_t count = 0;
    for (const Name* name : defined) {
      if (name->uses.empty()) continue;
      words += (words.empty() ? "" : ", ") + name->word;
      std::string places;
      for (const auto& [file, lines] : name->uses) {
        count += std::min<std::size_t>(lines.size(), 4);
        places += places.empty() ? "" : "; ";
        places += file == file_ ? "here" : escape(file);
        std::size_t shown = 0;
        for (const int line : lines) {
          if (++shown > 4) break;
          places += " " + link(to({file, line}), text(line));
        }
        if (shown > 4) places += " …";
      }
      html += element("p", "<b>" + name->word + "</b>: " + places);
    }
    if (html.empty()) return "";
    return "<details class=\"uses\"" + std::string(count <= 12 ? " open" : "") + ">\n" +
           element("summary", "Where " + words + (words.find(',') == std::string::npos ? " is" : " are") + " used") + html + "</details>\n";
  }

  // The names that the file declares or defines.
  std::string names_here() const {
    std::string html;
    for (const Name& name : names_->all()) {
      const bool body = name.body.file == file_ && name.body.line > 0 && name.home.file != file_;
      if (name.home.file != file_ && !body) continue;
      html += (html.empty() ? "" : ", ") + link(body ? to(name.body) : to(name), name.full());
    }
    return html.empty() ? "" : element("p", "In this file: " + html, "facts");
  }

  // -- Pages of their own ------------------------------------------------------------------------------

  std::string contents_page() {
    file_ = "";
    std::string html = element("nav", link("names.html", "Index of names") + " · " + link("all.html", "Everything on one page"));
    for (std::size_t part = 1; part <= parts_.size(); ++part) {
      std::string entries;
      for (const Chapter& chapter : chapters_) {
        if (chapter.part != part) continue;
        entries += element("dt", link(chapter.page(), chapter.title)) + element("dd", chapter.sentence.empty() ? code_behind(chapter) : chapter.sentence);
      }
      html += element("h2", text(part, ". ", parts_[part - 1])) + element("dl", entries, "toc");
    }
    return lesson::whole_page("mesagrad: the book", html);
  }

  // For a file without a word about itself: what it defines.
  std::string code_behind(const Chapter& chapter) const {
    std::string html;
    for (const Name& name : names_->all()) {
      if (!name.owner.empty()) continue;
      const bool body = name.body.file == chapter.file && name.body.line > 0;
      if (name.home.file == chapter.file || body) html += (html.empty() ? "" : ", ") + link(body ? to(name.body) : to(name), name.word);
    }
    return html;
  }

  std::string names_page() {
    file_ = "";
    std::vector<const Name*> sorted;
    for (const Name& name : names_->all()) sorted.push_back(&name);
    const auto lower = [](std::string word) {
      for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      return word;
    };
    std::ranges::sort(sorted, {}, [&](const Name* name) { return std::tuple(lower(name->word), name->owner, name->home.file); });
    std::string html = element("nav", link("contents.html", "Contents"));
    for (std::size_t i = 0; i < sorted.size();) {
      const char letter = lower(sorted[i]->word)[0];
      std::string items;
      for (; i < sorted.size() && lower(sorted[i]->word)[0] == letter; ++i) {
        const Name& name = *sorted[i];
        items += element("li", link(to(name), name.word) + " " + element("span", (name.owner.empty() ? "" : "of " + name.owner + ", ") + escape(name.home.file), "facts"));
      }
      html += element("h2", std::string(1, static_cast<char>(letter - 32))) + element("ul", items, "index");
    }
    return lesson::whole_page("Index of names", html);
  }

  void add_whole(std::map<std::string, std::string>& pages) {
    std::string html;
    int page = 1;
    const auto finish = [&](bool more) {
      const std::string name = page == 1 ? "all.html" : text("all-", page, ".html");
      std::string nav = link("contents.html", "Contents");
      if (page > 1) nav += " · " + link(page == 2 ? "all.html" : text("all-", page - 1, ".html"), "before this");
      if (more) nav += " · " + link(text("all-", page + 1, ".html"), "goes on");
      pages[name] = lesson::whole_page("mesagrad", element("nav", nav) + html + element("nav", nav));
      html.clear();
      ++page;
    };
    const lesson::Typesetting plain = {lesson::prose_markup, plain_code, false};
    for (std::size_t i = 0; i < chapters_.size(); ++i) {
      const Chapter& chapter = chapters_[i];
      const std::string& source = sources_.at(chapter.file);
      std::string body = element("h1", chapter.title);
      file_ = "";
      body += chapter.is_handout() ? handout(source) : lesson::chapter_markup(source, chapter.lesson > 0 ? headings(source) : std::vector<lesson::Piece>{}, plain);
      if (html.size() + body.size() > largest_page) finish(true);
      html += body;
    }
    finish(false);
  }

  // To be printed: every fifth line has its number.
  static std::string plain_code(const lesson::Listing& lines) {
    std::string html;
    for (const auto& [number, line] : lines) html += (number % 5 == 0 ? text("<b>", number, "</b>") : "") + escape(line) + "\n";
    return element("pre", html, "plain");
  }

  std::filesystem::path root_, out_;
  std::vector<std::string> parts_;
  std::vector<Chapter> chapters_;
  Sources sources_;
  std::map<std::string, const Chapter*> chapter_of_;
  std::optional<Names> names_;
  std::string file_;  // the one whose page is being written
};

}  // namespace

Book make_book(const std::filesystem::path& root, const std::filesystem::path& out) { return Writer(root, out).book(); }

}  // namespace mesagrad::book
