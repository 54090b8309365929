// Whole files: read at once, and written so that they are complete or not there at all.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad {

// Where a file lies: "." for a bare file name.
std::filesystem::path directory_of(const std::filesystem::path& path);

// All bytes of a file. Throws Error if it is missing, a directory, unreadable or larger than the
// memory.
std::string read_file(const std::filesystem::path& path);

// The lines of a text, without their ends.
std::vector<std::string> lines_of(const std::string& text);

// A file to be: the pieces, one after another, are its bytes.
struct NewFile {
  std::filesystem::path path;
  std::vector<std::string_view> pieces;
};

// Writes every file under a temporary name next to its own, and renames them when all are on disk:
// whatever happens, each path is the old file or the new one, and never a part of it. A symbolic link
// stays, and the file that it leads to is written so.
// Throws Error if a step fails (no such directory, disk full, ...) or if a path is something other
// than a regular file; then the temporary files are gone, and nothing has changed unless it was a
// renaming that failed.
void write_files(std::span<const NewFile> files);
void write_file(const std::filesystem::path& path, std::string_view bytes);

// Throws Error if there is something at a path that is not a regular file, and so could not be written.
void check_replaceable(const std::filesystem::path& path);

// Creates the directory if need be, and tries to write in it. Throws Error.
void create_writable(const std::filesystem::path& directory);

// Removes the temporary files that killed programs left in a directory, and those of no running one.
void remove_abandoned(const std::filesystem::path& directory);

}  // namespace mesagrad
