#include "tutorials/book/book.h"

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/contents.h"
#include "tutorials/book/links.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

using lesson::element;
using lesson::escape;
using Lines = std::vector<std::string>;

constexpr const char* how_to_read =
    "All lessons and all source that they stand on, in an order to read: what a lesson is made of comes "
    "before it. If you want the story, read the lessons alone, and follow a link where a name is new.";
constexpr std::size_t largest_page = 1'400'000;  // bytes, without its head and the contents

// For print and for the browser's search: every fifth line has its number, and nothing is a link.
std::string plain_code(const lesson::Listing& lines) {
  std::string html;
  for (const auto& [number, line] : lines) {
    html += (number % 5 == 0 ? text("<b>", number, "</b>") : "") + escape(line) + "\n";
  }
  return element("pre", html, "plain");
}

class Writer {
 public:
  Writer(const Contents& contents, const std::filesystem::path& out)
      : parts_(contents.parts), chapters_(contents.chapters), out_(out), links_(chapters_) {}

  Book book() {
    Book book;
    for (std::size_t i = 0; i < chapters_.size(); ++i) {
      const std::string& file = links_.from = chapters_[i].file;
      const std::string names = links_.names_in(file, true), nav = element("nav", navigation(i));
      const std::string here = names.empty() ? "" : element("p", "In this file: " + names, "facts");
      if (chapters_[i].lesson > 0) records_[file] = record_of(chapters_[i], book.not_run);
      book.pages[chapters_[i].page] = lesson::whole_page(
          chapters_[i].title, nav + here + linked_body_of(chapters_[i]) + promises(chapters_[i].tests) + nav);
    }
    links_.from.clear();
    book.pages["contents.html"] = contents_page(book.not_run);
    book.pages["names.html"] = names_page();
    add_whole(book.pages);
    return book;
  }

 private:
  std::string navigation(std::size_t i) const {
    std::string html = link("contents.html", "Contents") + " · " + link("names.html", "Names");
    if (i > 0) html += " · " + link(chapters_[i - 1].page, "←\u00a0" + chapters_[i - 1].title);
    if (i + 1 < chapters_.size())
      html += " · " + link(chapters_[i + 1].page, chapters_[i + 1].title + "\u00a0→");
    return html;
  }

  // -- A chapter -------------------------------------------------------------------------------------

  // What the lesson showed, if it has run.
  lesson::Record record_of(const Chapter& chapter, std::vector<int>& not_run) const {
    const std::filesystem::path page = out_ / text("tutorial-", chapter.lesson) / "index.html";
    const lesson::Record record =
        exists(page) ? lesson::record_on(read_file(page), chapter.source) : lesson::Record{};
    const std::string again = text(" <code>make tutorial-", chapter.lesson, "</code>");
    if (record.summary.empty()) {
      not_run.push_back(chapter.lesson);
      return {element("p", "This lesson has not run yet:" + again), chapter.steps};
    }
    if (record.same_source) return record;
    const std::string warning = "Its source has changed since. To run it again:" + again;
    return {record.summary + element("p", warning, "fails"), record.pieces, record.rest};
  }

  std::string linked_body_of(const Chapter& chapter) const {
    const auto prose = [&](const Lines& lines) { return links_.linked(lesson::prose_markup(lines)); };
    if (chapter.is_handout) return prose(chapter.handout) + exercises(chapter.points);
    std::vector<lesson::Piece> lines;  // headings stand in the place of steps, whose lines are linked to
    for (const lesson::Piece& step : chapter.steps) {
      lines.push_back({step.line, text("<span id=\"", step.line, "\">\n</span>")});
    }
    return body_of(chapter, lines,
                   {prose, [&](const lesson::Listing& code) { return links_.listing(code); }, false});
  }

  std::string plain_body_of(const Chapter& chapter) const {
    if (chapter.is_handout) return lesson::prose_markup(chapter.handout);
    std::string body = body_of(chapter, {}, {lesson::prose_markup, plain_code, false});
    if (chapter.lesson == 0) return body;
    for (const std::string start : {"\"figure-", "#figure-"}) {  // two lessons may call one the same
      for (std::size_t at = body.find(start); at != std::string::npos; at = body.find(start, at + 1)) {
        body.insert(at + 1, text("lesson-", chapter.lesson, "-"));
      }
    }
    return body;
  }

  std::string body_of(const Chapter& chapter, std::vector<lesson::Piece> pieces,
                      const lesson::Typesetting& set) const {
    const std::string source = lesson::without_title(chapter.source, chapter.short_title);
    const auto found = records_.find(chapter.file);
    if (found == records_.end()) return lesson::chapter_markup(source, pieces, set);
    const lesson::Record& record = found->second;
    pieces.insert(pieces.end(), record.pieces.begin(), record.pieces.end());
    return element("div", record.summary, "box") + lesson::chapter_markup(source, pieces, set) + record.rest;
  }

  // What an assignment's checks are worth, and where its exercises are.
  std::string exercises(const std::map<std::string, int>& points_of) const {
    std::string rows;
    for (const auto& [exercise, points] : points_of) {
      std::string files;
      for (const Chapter& chapter : chapters_) {
        const bool asks = chapter.source.find("// exercise " + exercise + ": ") != std::string::npos;
        if (asks) add(files, link(chapter.page, chapter.file));
      }
      rows += element("dt", text(exercise, ": ", points, " points")) + element("dd", files);
    }
    return rows.empty() ? "" : element("h3", "The exercises") + element("dl", rows, "toc");
  }

  // The names of its tests, most of which are sentences.
  static std::string promises(const Lines& tests) {
    std::string items;
    for (const std::string& test : tests) items += element("li", lesson::paragraph_markup(test));
    return items.empty() ? "" : element("h3", "What its tests hold it to") + element("ul", items, "promises");
  }

  // -- Pages of their own ----------------------------------------------------------------------------

  std::string heading_of(std::size_t part) const { return text(part, ". ", parts_[part - 1]); }

  // All parts with their chapters, which are at `targets`.
  std::string list_of(const std::map<std::string, std::string>& targets, bool with_names) const {
    std::string html;
    for (std::size_t part = 1; part <= parts_.size(); ++part) {
      std::string entries;
      for (const Chapter& chapter : chapters_) {
        if (chapter.part != part) continue;
        std::string about = chapter.sentence;
        if (about.empty() && with_names)
          about = "The code behind it: " + links_.names_in(chapter.file, false);
        const std::string title = lesson::breakable(chapter.title);
        entries += element("dt", link(targets.at(chapter.file), title)) + element("dd", about);
      }
      html += element("h2", heading_of(part)) + element("dl", entries, "toc");
    }
    return html;
  }

  std::string contents_page(const std::vector<int>& not_run) const {
    std::string missing;
    for (const int lesson : not_run) {
      const std::string name = text("Lesson ", lesson);
      add(missing, link(links_.chapter(name).page, name));
    }
    if (!missing.empty())
      missing = element("p", "Not run yet, so without figures: " + missing + ".", "facts");
    const std::string nav =
        link("names.html", "Index of names") + " · " + link("all.html", "Everything, for print");
    std::map<std::string, std::string> pages;
    for (const Chapter& chapter : chapters_) pages[chapter.file] = chapter.page;
    return lesson::whole_page("mesagrad: the book", element("nav", nav) + element("p", how_to_read) +
                                                        missing + list_of(pages, true));
  }

  std::string names_page() const {
    std::string nav = link("contents.html", "Contents"), html;
    for (const auto& [letter, items] : links_.index()) {
      nav += " · " + link(text("#", letter), std::string(1, letter));
      html += text("<h2 id=\"", letter, "\">", letter, "</h2>\n") + element("ul", items, "index");
    }
    return lesson::whole_page("Index of names", element("nav", nav) + html);
  }

  // As many pages as it takes; the contents are on the first one.
  void add_whole(std::map<std::string, std::string>& pages) const {
    const auto name = [](std::size_t i) { return i == 0 ? "all.html" : text("all-", i + 1, ".html"); };
    Lines bodies = {""};
    std::map<std::string, std::string> targets;
    std::size_t part = 0;
    for (const Chapter& chapter : chapters_) {
      std::string body = "<h1 id=\"" + chapter.page + "\">" + lesson::breakable(chapter.title) + "</h1>\n" +
                         plain_body_of(chapter);
      if (chapter.part != part) body = element("h1", heading_of(part = chapter.part), "part") + body;
      if (bodies.back().size() + body.size() > largest_page) bodies.emplace_back();
      bodies.back() += body;
      targets[chapter.file] = (bodies.size() == 1 ? "" : name(bodies.size() - 1)) + "#" + chapter.page;
    }
    bodies[0] = list_of(targets, false) + bodies[0];
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      std::string nav = link("contents.html", "Contents");
      if (i + 1 < bodies.size()) nav += " · " + link(name(i + 1), "It goes on →");
      nav = element("nav", nav);
      pages[name(i)] = lesson::whole_page("mesagrad: the book", nav + bodies[i] + nav);
    }
  }

  const Lines parts_;
  const std::vector<Chapter> chapters_;
  const std::filesystem::path out_;
  Links links_;
  std::map<std::string, lesson::Record> records_;  // of lessons, by their files
};

}  // namespace

Book make_book(const std::filesystem::path& root, const std::filesystem::path& out) {
  return Writer(read_contents(root), out).book();
}

}  // namespace mesagrad::book
